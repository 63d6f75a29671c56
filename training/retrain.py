"""The retraining job: train on what is new, let the gate decide, report, and look for drift.

The job is told by its *key*: a digest of the data, the settings, the text encoder and the code. A
version that was made under this key and dealt with to the end is never made again. Each stage
leaves something from which a run that comes after a kill goes on:

========  =====================================================================================
stage     what a killed one leaves, and what the next run does about it
========  =====================================================================================
sweep     nothing; what killed trainings left in MLflow goes
tune      its trials, with which the search goes on; only where a search was asked for
train     a run that never ended, which is swept; it is trained again
judge     a finished version without the tag ``retrain``; it is judged, again or for the first time
promote   the champion moved or not, and still no tag; it is moved if it was not
drift     as before; it is looked for again
report    as before; the report is written again
========  =====================================================================================

Only the tag, written last, says that a version has been dealt with. A lock of the workspace keeps
two jobs apart; the system releases it when its holder dies.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features.arrow import content_hash
from features.contract import SPECS
from features.errors import UserError
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.registry import CHAMPION, Registry
from matcher.software import code_version
from training.contest import EmbeddingsOf
from training.drift import RETRAIN, ROSTER, WATCH, Drift, measure_drift
from training.gate import judge, kept_summary, same_signals, take_over
from training.job import train
from training.window import Past

STAGES = ("sweep", "tune", "train", "judge", "promote", "drift", "report")
"""What the job does, in order."""
KEY = "retrain_key"
"""Parameter of a training run: under which key it was made."""
TUNED = "tuned"
"""Parameter of a training run: what a search of settings came to, where one went before."""
DEALT = "retrain"
"""Tag of a version that was dealt with to the end: what came of it."""
PROMOTED, KEPT, NOTHING = "promoted", "kept", "nothing new"
REPORT = "retrain"
"""Stem of the reports."""

log = logging.getLogger(__name__)

Published = Callable[[str], "pd.DataFrame | None"]
"""Gives the rows of the ledger about the lists of a model, by its hash."""


class BusyError(Exception):
    """Another retraining of the same workspace is at work."""


@dataclass(frozen=True)
class Search:
    """A search of settings that goes before the training (`training.tune.tune`).

    Attributes
    ----------
    trials : int
        Settings to try, at least 2.
    store : Path or None
        SQLite file that keeps the trials.
    """

    trials: int
    store: Path | None = None


@dataclass(frozen=True)
class Retrained:
    """What a retraining came to.

    Attributes
    ----------
    result : str
        `PROMOTED`, `KEPT` (the gate refused, the old champion stays) or `NOTHING` (neither data
        nor settings nor code are new, so nothing was trained).
    version : str
        The version that this key made.
    champion : str or None
        The champion now.
    verdict : dict
        What the gate said of the version, as JSON has it.
    words : str
        The report, in Markdown.
    drift : Drift or None
        Whether the champion has drifted; ``None`` where nothing was trained or nobody is champion.
    tuned : str or None
        What the search of settings came to; ``None`` where none was asked for.
    """

    result: str
    version: str
    champion: str | None
    verdict: dict[str, Any]
    words: str
    drift: Drift | None
    tuned: str | None = None

    def told(self) -> dict[str, Any]:
        """Return all of it but the words, as JSON has it."""
        return {
            "result": self.result,
            "version": self.version,
            "champion": self.champion,
            "verdict": self.verdict,
            "drift": None if self.drift is None else self.drift.told(),
            "tuned": self.tuned,
        }


@contextmanager
def alone(home: Path, wait: float) -> Iterator[None]:
    """Keep other retrainings of a workspace waiting.

    Parameters
    ----------
    home : Path
        The workspace.
    wait : float
        Seconds to wait for another one to end.

    Raises
    ------
    BusyError
        If it has not ended by then.
    """
    from filelock import FileLock, Timeout

    home.mkdir(parents=True, exist_ok=True)
    try:
        # Hidden: a folder that is to become a lake holds nothing else that shows.
        lock = FileLock(home / ".retrain.lock", timeout=wait).acquire()
    except Timeout:
        raise BusyError(str(home)) from None
    with lock:
        yield


def retrain(
    tables: Tables,
    versions: Mapping[str, str],
    config: Config,
    embeddings_of: EmbeddingsOf,
    registry: Registry,
    *,
    as_of: pd.Timestamp,
    search: Search | None = None,
    command: str = "",
    encoders: Path | None = None,
    published: Published = lambda model_hash: None,
    stage: Callable[[str], None] = lambda name: None,
    progress: Progress = silent,
) -> Retrained:
    """Train, judge, promote or keep, report, and look for drift; or find that nothing is new.

    Call it inside `alone`.

    Parameters
    ----------
    tables : Tables
        Everything known.
    versions : mapping
        Version of each table, for the record.
    config : Config
        Settings.
    embeddings_of : callable
        Opens the vectors that settings name.
    registry : Registry
        Where runs and models go.
    as_of : Timestamp
        The present, UTC, for drift.
    search : Search, optional
        Search settings first, on briefs that test no model; those found are trained with where
        they are surely better.
    command : str
        What was typed, for the record.
    encoders : Path, optional
        As `training.job.train` takes it.
    published : callable, optional
        Gives the rows of the ledger about a model's published lists, by the model's hash.
    stage : callable
        Told the name of each of `STAGES` as it begins.
    progress : Progress
        Told how far a stage is.

    Raises
    ------
    UserError
        As `training.job.train` does.
    """
    stage("sweep")
    registry.sweep()
    embeddings = embeddings_of(config)
    key = job_key(tables, config, embeddings, search)
    made = registry.made_with({KEY: key})
    dealt = [version for version in made if DEALT in registry.tags(version)]
    if dealt:
        return _nothing_new(registry, dealt[-1])
    if made:
        version = made[-1]
    else:
        chosen, told = config, {}
        if search is not None:
            stage("tune")
            chosen, told[TUNED] = _searched(tables, versions, config, embeddings, search, progress)
        stage("train")
        version = train(
            tables,
            versions,
            chosen,
            embeddings,
            registry,
            command=command,
            encoders=encoders,
            marks={KEY: key} | told,
            progress=progress,
        ).version
    verdict = _decided(registry, version, tables, embeddings_of, stage, progress)
    champion = registry.resolve(CHAMPION)
    result = PROMOTED if champion == version else KEPT
    stage("drift")
    try:
        drift = champion_drift(
            registry, champion, tables, embeddings_of, as_of, published, progress=progress
        )
    except Exception as error:
        # The model is made and judged: whatever ails the look at drift, this must be put on
        # record, or every night to come would train it again and fail here again.
        log.exception("drift of version %s", champion)
        what = f"{type(error).__name__}: {error}"
        drift = Drift.unseen(WATCH, f"drift could not be looked for: {what}")
    stage("report")
    tuned = registry.params(version).get(TUNED)
    gate = registry.text(version, "gate.md") or ""
    words = _words(result, version, champion, gate, drift, tuned)
    done = Retrained(result, version, champion, verdict, words, drift, tuned)
    report = json.dumps(done.told(), ensure_ascii=False, allow_nan=False, sort_keys=True)
    # The tag goes last: only then has this version been dealt with.
    registry.note(version, {f"{REPORT}.md": words, f"{REPORT}.json": report}, {DEALT: result})
    return done


def _searched(
    tables: Tables,
    versions: Mapping[str, str],
    config: Config,
    embeddings: Embeddings,
    search: Search,
    progress: Progress,
) -> tuple[Config, str]:
    """Return the settings to train with, and what the search for better ones came to."""
    from filelock import FileLock

    from training.tune import tune

    store = search.store
    try:
        # The lock of `kolmatch tune`: two searches over the same trials see half of each other's.
        with nullcontext() if store is None else FileLock(store.with_suffix(".lock")):
            found = tune(
                tables,
                versions,
                config,
                embeddings,
                store,
                trials=search.trials,
                seed=config.seed,
                progress=progress,
            )
    except UserError as error:  # too little to search by is not too little to learn from
        return config, f"no settings were searched: {error}"
    return found.config, found.words


def job_key(
    tables: Tables, config: Config, embeddings: Embeddings, search: Search | None = None
) -> str:
    """Return a digest of all that decides what a training comes to."""
    content = {name: content_hash(SPECS[name], frame) for name, frame in tables}
    code = code_version("features", "matcher", "training")
    about: list[Any] = [content, config.hash, embeddings.encoder.id, code]
    about += [] if search is None else [search.trials]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def champion_drift(
    registry: Registry,
    champion: str | None,
    tables: Tables,
    embeddings_of: EmbeddingsOf,
    as_of: pd.Timestamp,
    published: Published = lambda model_hash: None,
    config: Config | None = None,
    progress: Progress = silent,
) -> Drift | None:
    """Look for drift since the champion was trained; ``None`` without a champion.

    One that this kolmatch cannot use (it cannot be loaded, reads other signals or with another
    text encoder) should be trained anew, and that is all that is told.

    Parameters
    ----------
    registry, champion
        Where the champion is, and its version.
    tables, embeddings_of, as_of, published
        As `retrain` takes them.
    config : Config, optional
        Whose thresholds count; by default those the champion was trained with.
    """
    if champion is None:
        return None
    try:
        matcher = registry.load(champion)
        usable = same_signals(matcher, embeddings_of)
    except UserError as error:
        return Drift.unseen(RETRAIN, f"this kolmatch cannot use it: {error}")
    if not usable.passed:
        return Drift.unseen(RETRAIN, f"this kolmatch cannot use it: {usable.words}")
    return measure_drift(
        matcher,
        kept_summary(registry, champion, ROSTER),
        Past.of(registry, champion).taught or frozenset(),
        tables,
        embeddings_of(matcher.config),
        as_of,
        published(matcher.hash),
        settings=None if config is None else config.upkeep,
        progress=progress,
    )


def _decided(
    registry: Registry,
    version: str,
    tables: Tables,
    embeddings_of: EmbeddingsOf,
    stage: Callable[[str], None],
    progress: Progress,
) -> dict[str, Any]:
    """Judge a version and promote it if it passed; return the verdict as JSON has it."""
    told = registry.text(version, "gate.json")
    if told is not None and registry.resolve(CHAMPION) == version:
        # A killed run promoted it already; against itself it could not be judged again.
        return _read(told)
    stage("judge")
    verdict = judge(registry, version, tables, embeddings_of, progress=progress)
    stage("promote")
    return _read(take_over(registry, verdict).to_json())


def _nothing_new(registry: Registry, version: str) -> Retrained:
    champion = registry.resolve(CHAMPION)
    came = registry.tags(version)[DEALT]
    words = (
        f"Nothing is new: version {version} was trained on this very data with these settings and "
        f"this code, and {'became champion' if came == PROMOTED else 'was refused'} then."
    )
    told = registry.text(version, "gate.json")
    verdict = {} if told is None else _read(told)
    return Retrained(NOTHING, version, champion, verdict, words, None)


def _words(
    result: str,
    version: str,
    champion: str | None,
    verdict: str,
    drift: Drift | None,
    tuned: str | None,
) -> str:
    """Tell in Markdown what came of a retraining, and why."""
    if result == PROMOTED:
        head = f"Version {version} was trained and is the champion now."
    elif champion is None:
        head = f"Version {version} was trained but refused; nobody is champion."
    else:
        head = f"Version {version} was trained but refused; version {champion} stays champion."
    searched = [] if tuned is None else [f"Before it: {tuned}", ""]
    lines = ["# Retraining", "", head, "", *searched, verdict.replace("# ", "## ", 1).strip()]
    if drift is not None:
        lines += ["", f"## Drift of version {champion}: {drift.advice}", ""]
        lines += [f"- {reason}" for reason in drift.reasons]
    return "\n".join(lines) + "\n"


def _read(text: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(text)
    return told
