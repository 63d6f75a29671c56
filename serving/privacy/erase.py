"""Erasure of a KOL from everything that a lake holds and knows of.

An intent file says what has to be done, and goes last: a kill leaves it, readers refuse the lake
meanwhile, and the next call ends what it tells. Each stage finds by itself what is left to do.

==========  =====================================================================================
stage       what it does
==========  =====================================================================================
tombstone   writes salted hashes that keep the KOL from coming back (`features.tombstones`)
tables      rows out of every table of the lake, mentions out of others' texts, history forgotten
vectors     vectors of what the KOL wrote and nobody else did
results     rows out of published runs and the ledger, runs marked as redacted, history forgotten
files       lists, pages and workflow files; what cannot be rewritten is deleted
models      versions that may have learned from the KOL marked, MLflow's artifacts and database
report      what was removed where, without id or name
==========  =====================================================================================
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.contacts import FREE_TEXT
from features.lake import ERASING, Lake
from features.publishing import results_lock
from features.shelf import forget, held_keys
from features.tombstones import without
from features.whole import write_whole
from matcher.registry import Registry
from serving.operations.orphans import remove, unfinished
from serving.privacy import models
from serving.privacy.access import accounts_in
from serving.privacy.documents import clean_database, clean_file
from serving.privacy.find import keys_of, seen_in, subject_of, traces_of
from serving.privacy.lists import clean_results, is_made_of_run, list_folders, rewrite_lists
from serving.privacy.models import Seen
from serving.privacy.outputs import files_in, forget_deleted, remembered
from serving.privacy.traces import Traces
from serving.spool import drop_spools

STAGES = ("tombstone", "tables", "vectors", "results", "files", "models", "report")
"""What an erasure does, in order."""
REPORTS = "erasures"
"""Folder of the reports."""

_LABELS = {"briefs": ("excluded_kols",), "kols": ("credentials",), "posts": ("tags",)}
_IDS = {"kols": ("person_id",)}
"""Columns beside free text that may name a KOL in rows of others."""


@dataclass
class Intent:
    """What an erasure has to do, as it lies on the disk until it is done.

    Attributes
    ----------
    ids, names, people, done : list of str
        As `serving.privacy.find.Subject`.
    keys : list of str
        Keys of vectors that go.
    seen : tuple
        Versions of the table of KOLs that held one of them, and the oldest that could be read.
    mark : str
        What stands for an id in rows of others.
    removed : dict of str to dict of str to int
        What earlier stages removed, by place and kind.
    """

    ids: list[str]
    names: list[str]
    people: list[str]
    done: list[str]
    keys: list[str]
    seen: tuple[list[int], int]
    mark: str
    removed: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, home: Path) -> Intent | None:
        """Return that of an erasure that was cut off, if there is one."""
        path = home / ERASING
        if not path.exists():
            return None
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, home: Path) -> None:
        """Write it, whole or not at all."""
        write_whole(home / ERASING, json.dumps(vars(self), ensure_ascii=False))


@dataclass(frozen=True)
class Erased:
    """What an erasure removed.

    Attributes
    ----------
    who : str
        Salted hash of the first id, by which the report can be found again.
    accounts : int
        KOLs that were erased.
    removed : dict of str to dict of str to int
        By place, how much of what.
    unreached : list of str
        Where it could not look.
    models : list of str
        Versions that may have learned from the KOL.
    common : int
        Names that others or other things bear too, which stay where they stand for those.
    others : int
        Further accounts of the same person, which stay.
    report : Path or None
        Where this was written; ``None`` where nothing was done.
    """

    who: str
    accounts: int
    removed: dict[str, dict[str, int]]
    unreached: list[str]
    models: list[str]
    common: int
    others: int
    report: Path | None

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return vars(self) | {"report": None if self.report is None else str(self.report)}


def erase(
    lake: Lake,
    kol_id: str | None,
    registry: Registry,
    *,
    at: pd.Timestamp,
    person: bool = False,
    dry_run: bool = False,
    stage: Callable[[str], None] = lambda name: None,
) -> Erased | None:
    """Erase a KOL, or end an erasure that was cut off.

    Call it where no retraining is at work. It waits for ingests and publications to end.

    Parameters
    ----------
    lake : Lake
        The lake.
    kol_id : str or None
        Who; ``None`` only ends what was cut off.
    registry : Registry
        Where models and their runs are.
    at : Timestamp
        The present, UTC.
    person : bool
        Whether all accounts of the same person are meant.
    dry_run : bool
        Whether to tell what would be removed, and remove nothing.
    stage : callable
        Told the name of each of `STAGES` as it begins.

    Returns
    -------
    Erased or None
        ``None`` where nothing was asked for and nothing was left to end.

    Raises
    ------
    UserError
        If nothing is held under this id, or a training is at work.
    """
    lake.versions()  # is it one?
    with _alone(lake):
        # Inside the lock under which trainings begin: none does while it is held.
        if models.has_store(registry):
            models.check_nobody_trains(registry)
        left = Intent.read(lake.path)
        ended = None
        if left is not None and not dry_run:
            ended = _Work(lake, registry, left, at, stage).do()
        if kol_id is None or (left is not None and kol_id in left.ids and not dry_run):
            return ended
        intent, others = _intent(lake, kol_id, person)
        work = _Work(lake, registry, intent, at, stage, dry_run, others)
        if not dry_run:
            intent.write(lake.path)
        return work.do()


@contextmanager
def _alone(lake: Lake) -> Iterator[None]:
    """Keep ingests, searches of settings and publications waiting."""
    from filelock import FileLock

    with FileLock(lake.path / "tuning.lock"), lake.lock(), results_lock(lake.path):
        yield


def _intent(lake: Lake, kol_id: str, person: bool) -> tuple[Intent, int]:
    tables = lake.read()
    subject = subject_of(lake, tables, kol_id, person)
    seen = seen_in(lake, subject.ids)
    # Who was asked for comes first: the report goes by it.
    ids = [kol_id, *sorted(subject.ids - {kol_id})]
    intent = Intent(
        ids,
        sorted(subject.names),
        sorted(subject.people),
        sorted(subject.done),
        keys_of(lake, tables, subject.ids),
        (sorted(seen.versions), seen.oldest),
        traces_of(subject.ids | subject.people, subject.names, tables).mark,
    )
    return intent, subject.others


class _Work:
    """One erasure, stage by stage."""

    def __init__(
        self,
        lake: Lake,
        registry: Registry,
        intent: Intent,
        at: pd.Timestamp,
        stage: Callable[[str], None],
        dry_run: bool = False,
        others: int = 0,
    ) -> None:
        self.lake, self.registry, self.intent = lake, registry, intent
        self.at, self.stage, self.apply, self.others = at, stage, not dry_run, others
        self.ids = set(intent.ids)
        terms = frozenset({*intent.ids, *intent.people})
        self.traces = traces_of(terms, frozenset(intent.names), lake.read(), intent.mark)
        self.unreached: list[str] = []
        self.versions: list[str] = []

    def do(self) -> Erased:
        for name in STAGES[:-1]:
            self.stage(name)
            for place, counts in getattr(self, name)().items():
                told = Counter(self.intent.removed.get(place, {}))
                told.update({what: n for what, n in counts.items() if n})
                if told:
                    self.intent.removed[place] = dict(told)
            if self.apply:
                self.intent.write(self.lake.path)
        self.stage("report")
        return self.report()

    def tombstone(self) -> dict[str, dict[str, int]]:
        intent = self.intent
        if self.apply:
            told = {
                "kol": intent.ids,
                "person": intent.people,
                "collaboration": intent.done,
                "name": self.traces.names,
            }
            self.lake.erased().adding(self.at, told).write(self.lake.path)
        return {}

    def tables(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}

        def clean(name: str, frame: pd.DataFrame) -> pd.DataFrame:
            left = without(name, frame, self.ids, set(self.intent.done))
            left, mentions = _without_mentions(name, left, self.traces)
            found[f"tables/{name}"] = {
                "rows": len(frame) - len(left),
                "mentions in rows of others": mentions,
            }
            return left

        if self.apply:
            self.lake.rewrite(clean)
        else:
            for name, frame in self.lake.read():
                clean(name, frame)
        return found

    def vectors(self) -> dict[str, dict[str, int]]:
        keys = np.array(self.intent.keys, dtype="S32")
        gone = 0
        home = self.lake.path / "vectors"
        for folder in sorted(home.iterdir()) if home.is_dir() else ():
            if folder.is_dir():
                held = (
                    forget(folder, keys) if self.apply else np.isin(held_keys(folder), keys).sum()
                )
                gone += int(held)
        return {"vectors": {"vectors": gone}}

    def results(self) -> dict[str, dict[str, int]]:
        found = clean_results(self.lake.path, self.traces, self.at, self.apply)
        told: dict[str, dict[str, int]] = {
            f"results/{name}": {
                "rows": found.rows[name],
                "mentions in rows of others": found.cells[name],
            }
            for name in sorted(found.rows | found.cells)
        }
        return told | {
            "results/runs": {"marked as redacted": len(found.runs)},
            # Nobody can tell a killed job's from a living one's.
            "results/unpublished": {"runs dropped": drop_spools(self.lake.path, apply=self.apply)},
        }

    def files(self) -> dict[str, dict[str, int]]:
        home, found = self.lake.path, Counter[tuple[str, str]]()
        lost = [one for one in remembered(home) if not Path(one).exists()]
        # What a killed job left half-written cannot be read, so nobody knows whom it names.
        for path in unfinished(home):
            found[self._place(path), "unfinished files deleted"] += 1
            if self.apply:
                remove(path)
        files = list(files_in(home))
        if self.apply:
            tables = self.lake.read()
            for folder in list_folders(files):
                for path in rewrite_lists(folder, home, self.traces, tables):
                    found[self._place(path), "files rewritten"] += 1
        for path in files:
            # A page that nobody can make anew holds the KOL's posts beside the name, and so does
            # what was told of one who asked.
            whole = (self.apply and is_made_of_run(path)) or bool(accounts_in(path) & self.ids)
            fate = clean_file(path, self.traces, self.apply, whole)
            if fate is not None:
                found[self._place(path), f"files {fate}"] += 1
        if self.apply:
            forget_deleted(home, lost)
        if lost:
            self.unreached.append(
                "a place where lists were written, or were to be, which is not there"
            )
        return _by_place(found)

    def models(self) -> dict[str, dict[str, int]]:
        registry, traces = self.registry, self.traces
        found: Counter[tuple[str, str]] = Counter()
        for path in sorted(self.lake.path.glob("*.db")):
            found[path.name, "cells"] += clean_database(path, traces, self.apply)
        if not models.has_store(registry):
            return _by_place(found)
        versions, oldest = self.intent.seen
        self.versions = models.taught_versions(registry, Seen(frozenset(versions), oldest))
        if self.apply:
            models.mark(registry, self.versions, f"{self.at:%Y-%m-%d}")
        found["models", "versions marked for retraining"] = len(self.versions)
        folders, away = models.artifact_folders(registry)
        self.unreached += [f"artifacts at {place}" for place in away]
        for folder in folders:
            if folder.is_relative_to(self.lake.path.resolve()):
                continue  # looked at with the files of the lake
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                if not models.is_weights(path) and (fate := clean_file(path, traces, self.apply)):
                    found["MLflow artifacts", f"files {fate}"] += 1
        file = models.sqlite_file(registry.store.uri)
        if file is None:
            self.unreached.append(f"parameters and tags in the MLflow store {registry.store.uri}")
        elif not file.resolve().is_relative_to(self.lake.path.resolve()):
            found["MLflow store", "cells"] += clean_database(file, traces, self.apply)
        return _by_place(found)

    def report(self) -> Erased:
        home, intent = self.lake.path, self.intent
        tombstones = self.lake.erased()
        who = tombstones.hash(intent.ids[0]) if tombstones else ""
        path = None
        if self.apply:
            path = home / REPORTS / f"{self.at:%Y%m%dT%H%M%SZ}-{who[:8]}.json"
        erased = Erased(
            who,
            len(intent.ids),
            {self.traces.cleaned(place): told for place, told in intent.removed.items()},
            sorted({self.traces.cleaned(one) for one in self.unreached}),
            self.versions,
            len(set(intent.names) - self.traces.names),
            self.others,
            path,
        )
        if path is not None:
            told = {"erased_at": self.at.isoformat()} | erased.told()
            del told["report"]
            write_whole(path, json.dumps(told, indent=1, ensure_ascii=False))
            with suppress(FileNotFoundError):
                (home / ERASING).unlink()
        return erased

    def _place(self, path: Path) -> str:
        home = self.lake.path.resolve()
        resolved = path.resolve()
        if not resolved.is_relative_to(home):
            return "lists elsewhere"
        top = resolved.relative_to(home).parts[0]
        return top if (home / top).is_dir() else "files of the lake"


def _by_place(found: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for (place, what), count in sorted(found.items()):
        told.setdefault(place, {})[what] = count
    return told


def _without_mentions(name: str, frame: pd.DataFrame, traces: Traces) -> tuple[pd.DataFrame, int]:
    """Take names and ids out of the rows of others, and count the cells."""
    changed: dict[str, pd.Series[Any]] = {}
    count = 0
    for column in FREE_TEXT.get(name, ()) + _LABELS.get(name, ()) + _IDS.get(name, ()):
        before = frame[column].tolist()
        after = [_cleaned(value, traces) for value in before]
        hits = sum(new is not old for new, old in zip(after, before, strict=True))
        if hits:
            count += hits
            series = pd.Series(after, index=frame.index, dtype=frame[column].dtype)
            changed[column] = series
    return (frame.assign(**changed), count) if changed else (frame, 0)


def _cleaned(value: Any, traces: Traces) -> Any:
    """Return a cell without names and ids, the same object where it has none."""
    if isinstance(value, tuple):
        kept = tuple(traces.cleaned(one) for one in value if not traces.is_one(one))
        return value if kept == value else kept
    if isinstance(value, str):
        clean = traces.cell(value)
        return value if clean == value else clean
    return value
