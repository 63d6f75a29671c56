"""A published run made again from the tables, model and settings that it was made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features.arrow import content_hash
from features.columns import TableSpec
from features.errors import UserError
from features.lake import Lake, open_data
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.archive import FORMAT
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import Registry
from matcher.software import code_version
from serving.publish import Published, Run, read_run, stored
from serving.results import DETAILS, EXCLUSIONS, MATCHES
from serving.spool import conformed

SHOWN = 10
"""Differences that are told."""
SPECS = {"matches": MATCHES, "exclusions": EXCLUSIONS, **DETAILS}


class LostError(UserError):
    """A run cannot be made again, and why."""


@dataclass(frozen=True)
class Difference:
    """One cell, or row, that came out otherwise.

    Attributes
    ----------
    table : str
        Table of results.
    key : str
        The row, by its key.
    column : str
        The column; empty where the whole row is there once only.
    before, after : str
        As it was published, and as it comes out now.
    """

    table: str
    key: str
    column: str
    before: str
    after: str


@dataclass(frozen=True)
class Replayed:
    """What came of a replay.

    Attributes
    ----------
    run : Run
        The run.
    equal : bool
        Whether every table came out the same to the last bit.
    differences : tuple of Difference
        The first, where not.
    count : int
        All of them.
    notes : tuple of str
        What was otherwise than when the run was made.
    """

    run: Run
    equal: bool
    differences: tuple[Difference, ...]
    count: int
    notes: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "run_id": self.run.run_id,
            "equal": self.equal,
            "count": self.count,
            "differences": [vars(one) for one in self.differences],
            "notes": [*self.notes],
        }


def replay(
    data: Path,
    home: Path,
    run_id: str,
    registry: Registry,
    embeddings_of: Callable[[Config], Embeddings],
    mapping: Path | None = None,
    progress: Progress = silent,
) -> Replayed:
    """Make a run again, and hold it against what was published.

    Nothing is published or written but vectors of texts that are not held any more.

    Parameters
    ----------
    data : Path
        The lake, or the folder of files.
    home : Path
        Where the run is published.
    run_id : str
        The run.
    registry : Registry
        Where its model is.
    embeddings_of : callable
        Opens the vectors that settings name.
    mapping : Path, optional
        As `features.lake.open_data` takes it.
    progress : Progress
        Told how far the work is.

    Raises
    ------
    LostError
        If what the run was made from is not there any more, saying what.
    UserError
        If no such run is published.
    """
    published = read_run(home, run_id)
    run = published.run
    if run.redacted_at is not None:
        raise LostError(
            f"Got run {run_id}, from which a KOL was erased on {run.redacted_at:%Y-%m-%d}: what it "
            "was made from is gone, and must be"
        )
    tables = _tables_of(run, data, mapping, progress)
    matcher = _matcher_of(run, registry)
    embeddings = embeddings_of(matcher.config)
    if embeddings.encoder.id != run.encoder_id:
        raise LostError(
            f"Got text encoder {embeddings.encoder.id} but run {run_id} was made with "
            f"{run.encoder_id}; its vectors cannot be had again"
        )
    result = matcher.match(
        tables,
        list(run.briefs) or sorted(set(published.exclusions["brief_id"])),
        run.as_of,
        embeddings,
        top=run.top,
        explore_share=run.explore_share,
        plan=run.plan,
        progress=progress,
    )
    after = conformed(result.matches, result.exclusions, result.details)
    before = stored(home, run_id)[1]
    found = [one for name in after for one in _differences(name, before[name], after[name])]
    equal = all(
        content_hash(SPECS[name], before[name]) == content_hash(SPECS[name], after[name])
        for name in after
    )
    return Replayed(run, equal, tuple(found[:SHOWN]), len(found), tuple(_notes(published)))


def _tables_of(run: Run, data: Path, mapping: Path | None, progress: Progress) -> Tables:
    """Return the tables that a run was made from."""
    lake = Lake(data)
    if not lake.exists():
        source = open_data(data, mapping, progress)
        changed = [
            name for name, told in run.data_versions.items() if source.versions.get(name) != told
        ]
        if changed:
            raise LostError(
                f"Got files that have changed since run {run.run_id} was made: "
                f"{', '.join(changed)}; only a lake keeps what was"
            )
        return source.tables
    if any(not told.isdecimal() for told in run.data_versions.values()):
        raise LostError(f"Got run {run.run_id}, which was made from files and not from this lake")
    open_data(data, mapping)  # refuses a mapping, and a lake in which somebody is half erased
    try:
        return lake.read({name: int(told) for name, told in run.data_versions.items()})
    except UserError as error:
        raise LostError(
            f"Got run {run.run_id}, whose versions of the tables are not held any more: an erasure "
            f"or `kolmatch prune` has removed what came before it ({error})"
        ) from error


def _matcher_of(run: Run, registry: Registry) -> Matcher:
    """Return the model that a run was made with, known by its hash and not by its number."""
    if run.model_version is None:
        if run.settings is None:
            raise LostError(
                f"Got run {run.run_id}, made without a model by a kolmatch that did not keep its "
                "settings"
            )
        config = Config.model_validate_json(run.settings)
        matcher = Matcher(config, run.encoder_id)
        if matcher.hash != run.model_hash:
            raise LostError(
                f"Got run {run.run_id}, made by another kolmatch ({run.software}): its settings "
                "mean something else to this one"
            )
        return matcher
    kept = registry.keepsake.find(str(run.model_hash))
    if kept is not None:
        return kept
    try:
        matcher = registry.load(run.model_version)
    except UserError as error:
        raise LostError(
            f"Got run {run.run_id}, whose model version {run.model_version} is gone or of another "
            f"format than {FORMAT}: {error}"
        ) from error
    if matcher.hash != run.model_hash:
        raise LostError(
            f"Got version {run.model_version} with hash {matcher.hash} but run {run.run_id} was "
            f"made with {run.model_hash}: another registry, or another kolmatch "
            f"({run.software or 'unknown'} then, {code_version('features', 'matcher')} now)"
        )
    return matcher


def _notes(published: Published) -> Sequence[str]:
    run, now = published.run, code_version("features", "matcher")
    if run.software is None:
        return ("which kolmatch made the run was not recorded",)
    if run.software != now:
        return (f"the run was made by kolmatch {run.software}, this is {now}",)
    return ()


def _differences(name: str, before: pd.DataFrame, after: pd.DataFrame) -> list[Difference]:
    """Return cells that differ, and rows that are in one of the two only."""
    spec = SPECS[name]
    told = _keyed(spec, before), _keyed(spec, after)
    found = []
    for key in sorted({*told[0], *told[1]}):
        one, other = (side.get(key) for side in told)
        if one is None or other is None:
            sides = ("absent", "there") if one is None else ("there", "absent")
            found.append(Difference(name, key, "", *sides))
            continue
        found += [
            Difference(name, key, column, str(one[column]), str(other[column]))
            for column in spec.names
            if not _same(one[column], other[column])
        ]
    return found


def _keyed(spec: TableSpec, frame: pd.DataFrame) -> dict[str, dict[Any, Any]]:
    return {
        ", ".join(str(row[column]) for column in spec.key): row for row in frame.to_dict("records")
    }


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple | dict) or isinstance(other, tuple | dict):
        return bool(one == other)
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    return bool(one == other)
