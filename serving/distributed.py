"""Lists made by Dask workers: shards of briefs, each written once, published as one run.

::

    results/.staging/<question>/     shared by all machines, named by what is asked
      model/                         the model that answers
      00000-of-00125/                the lists of the first briefs, whole or not there
      ...

A worker reads the lake's tables at the versions that the run names, the model from that folder and
texts' vectors from the store, once a process. It is given names alone. Where one dies its shard is
made by another; where the command dies, the same command goes on with the shards that are missing.
"""

from __future__ import annotations

import hashlib
import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.encoder import Role, TextEncoder
from features.errors import UserError
from features.lake import Lake, check_no_erasure
from features.progress import Progress, silent
from features.publishing import still_there
from features.reading import texts_of_briefs, texts_of_roster
from features.vectors import Embeddings, VectorStore
from matcher.cluster import check_same, cluster, software
from matcher.model import Desk, Matcher, joined
from serving.engine import Asked, Question
from serving.spool import Spool, is_there, write_part

if TYPE_CHECKING:
    from distributed import Client, Future

SHARD_BRIEFS = 8
"""Briefs of a shard: some seconds of work, which is what a killed worker costs."""


@dataclass(frozen=True)
class Shard:
    """Some briefs of a run, and the name of the part that holds their lists."""

    name: str
    briefs: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """What a worker must know of a run, by name: nothing here is large.

    Attributes
    ----------
    lake : Path
        The lake, where every worker finds it.
    versions : tuple of (str, int)
        The version of each table.
    folder : Path
        Where shards go; ``model`` in it holds the model.
    model_hash : str
        What the model must be.
    encoder : TextEncoder
        Encodes texts that the store lacks; travels without its weights.
    vectors : Path or None
        Where the store is; ``None`` keeps vectors in memory.
    asked : Asked
        What changes lists beside data and model.
    software : tuple of (str, str)
        What every worker must run.
    """

    lake: Path
    versions: tuple[tuple[str, int], ...]
    folder: Path
    model_hash: str
    encoder: TextEncoder
    vectors: Path | None
    asked: Asked
    software: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DaskEngine:
    """Makes lists on Dask workers.

    Attributes
    ----------
    lake : Path
        The lake that the tables are of, in a folder that every worker sees under the same path.
    scheduler : str or None
        As in `matcher.cluster.cluster`.
    workers : int or None
        Likewise.
    """

    lake: Path
    scheduler: str | None = None
    workers: int | None = None

    @contextmanager
    def spooled(self, question: Question, home: Path, progress: Progress) -> Iterator[Spool]:
        """Return all lists on disk, as `serving.engine.Engine` tells.

        Raises
        ------
        UserError
            If the data is no lake, or as `matcher.cluster.cluster` and the model do.
        """
        if not Lake(self.lake).exists():
            raise UserError(
                f"Got {self.lake} but --engine dask expected a lake, whose versions every worker "
                "can read; make one with `kolmatch ingest`"
            )
        shards = shards_of(question.briefs)
        with Spool(home.resolve(), name_of(question)) as spool:
            missing = [shard for shard in shards if not is_there(spool.folder, shard.name)]
            if missing:
                job = self._job(question, spool.folder)
                question.matcher.save(job.folder / "model")
                with cluster(self.scheduler, self.workers) as client:
                    if job.vectors is not None:
                        _encode(client, job, progress)
                    _make(client, job, missing, len(question.briefs), progress)
                    if self.scheduler is not None:  # workers that live on hold tables no longer
                        with suppress(Exception):
                            client.run(forget)
            for shard in shards:
                spool.adopt(shard.name)
            yield spool

    def _job(self, question: Question, folder: Path) -> Job:
        store = question.embeddings.store.folder
        return Job(
            self.lake.resolve(),
            tuple((name, int(version)) for name, version in question.versions.items()),
            folder,
            question.matcher.hash,
            question.embeddings.encoder,
            None if store is None else store.resolve(),
            question.asked,
            tuple(software().items()),
        )


def shards_of(briefs: Sequence[str]) -> list[Shard]:
    """Part briefs, in their order, whoever and how many work on them."""
    starts = range(0, len(briefs), SHARD_BRIEFS)
    return [
        Shard(f"{n:05d}-of-{len(starts):05d}", tuple(briefs[start : start + SHARD_BRIEFS]))
        for n, start in enumerate(starts)
    ]


def name_of(question: Question) -> str:
    """Return the name of a question's spool: equal for equal shards alone."""
    told = [question.digest, repr(question.asked), str(SHARD_BRIEFS), repr(software())]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def make_shard(job: Job, shard: Shard) -> int:
    """Write the lists of a shard, unless they are there, and return how many briefs it has.

    Runs on a worker.
    """
    with _ONE_AT_A_TIME:
        if not is_there(job.folder, shard.name):
            matcher, desk = _opened(job)
            made = joined(list(job.asked.parts(matcher, desk, shard.briefs, silent)))
            write_part(job.folder, shard.name, made.matches, made.exclusions, made.details)
    return len(shard.briefs)


def _embeddings(job: Job) -> Embeddings:
    """Open the store, into which nothing goes once rows were taken out of the lake."""
    versions = {name: str(version) for name, version in job.versions}
    store = VectorStore(job.vectors, lambda: still_there(job.lake, versions))
    return Embeddings(job.encoder, store)


def texts_to_encode(job: Job) -> list[tuple[Role, list[str]]]:
    """Return the texts that lists will need and the store lacks, in shards.

    Runs on a worker, which then holds the tables for its lists.
    """
    with _ONE_AT_A_TIME:
        desk = _opened(job)[1]
        history, embeddings = desk.history, desk.pipeline.embeddings
        told: dict[Role, set[str]] = {
            "document": texts_of_roster(
                history, job.asked.as_of, desk.pipeline.config.recent_posts
            ),
            "query": texts_of_briefs(history),
        }
        return [
            (role, shard)
            for role, texts in told.items()
            for shard in embeddings.missing(texts, role)
        ]


def encode_texts(job: Job, role: Role, texts: list[str]) -> int:
    """Put vectors of texts into the store, and return how many.

    Runs on a worker. Tried again, it finds them there.
    """
    with _ONE_AT_A_TIME:
        _embeddings(job).of(texts, role)
    return len(texts)


def reopen() -> None:
    """See the vectors that others have written since tables were opened."""
    with _ONE_AT_A_TIME:
        for _, desk in _HELD.values():
            desk.pipeline.embeddings.store.reopen()


def forget() -> None:
    """Let go of the tables and the model that this process holds."""
    with _ONE_AT_A_TIME:
        _HELD.clear()


_ONE_AT_A_TIME = threading.Lock()
"""Held while a shard is made: tables keep what was worked out, which two threads must not share."""
_HELD: dict[Path, tuple[Matcher, Desk]] = {}
"""What this process has opened, by the folder of its job; of one job at a time."""


def _opened(job: Job) -> tuple[Matcher, Desk]:
    if job.folder in _HELD:
        return _HELD[job.folder]
    _HELD.clear()
    check_same(f"on {platform.node()}", software(), dict(job.software))
    check_no_erasure(job.lake)
    tables = Lake(job.lake).read(dict(job.versions))
    matcher = Matcher.load(job.folder / "model")
    if matcher.hash != job.model_hash:
        raise UserError(f"Got a model in {job.folder} that is not the one asked for; run it again")
    desk = matcher.desk(tables, _embeddings(job))
    _HELD[job.folder] = matcher, desk
    return matcher, desk


def _encode(client: Client, job: Job, progress: Progress) -> None:
    """Let workers encode what the store lacks, each text once, before lists ask for it."""
    shards = client.submit(texts_to_encode, job, pure=False).result()
    total = sum(len(texts) for _, texts in shards)
    done = 0
    futures = [client.submit(encode_texts, job, *shard, pure=False) for shard in shards]
    for made in _results(client, futures):
        done += made
        progress("encoding texts", done, total)
    if shards:
        client.run(reopen)


def _make(
    client: Client, job: Job, shards: Sequence[Shard], briefs: int, progress: Progress
) -> None:
    """Let workers write shards, and tell how many briefs are done."""
    done = briefs - sum(len(shard.briefs) for shard in shards)
    progress("matching briefs", done, briefs)
    # Not pure: a scheduler that other runs have used must not remember that this was done.
    futures = [client.submit(make_shard, job, shard, pure=False) for shard in shards]
    for made in _results(client, futures):
        done += made
        progress("matching briefs", done, briefs)


def _results(client: Client, futures: list[Future[int]]) -> Iterator[int]:
    """Yield what tasks return, as they end; the others are called off when one fails."""
    from distributed import as_completed

    try:
        for _, made in as_completed(futures, loop=client.loop, with_results=True):
            yield made
    finally:
        client.cancel(futures)
