"""Migration of a lake: its tables from the contract they were written by to that of today."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from features.delta import VersionedTable
from features.errors import TableError
from features.lake import Lake
from features.steps import CONTRACT, Step, steps_from


@dataclass(frozen=True)
class Migrated:
    """What one step of a migration changed.

    Attributes
    ----------
    step : Step
        Which.
    rows : dict of str to int
        Rows that came out other than they were, by table.
    """

    step: Step
    rows: dict[str, int] = field(default_factory=dict)


def migrate(lake: Lake, *, dry_run: bool = False) -> list[Migrated]:
    """Bring the tables of a lake up to the contract of today, and forget their earlier versions.

    Those would be misread. Ingests wait meanwhile. It is one commit: cut off, it leaves tables of
    the one contract or of the other, and done again it does what is left to do.

    Parameters
    ----------
    lake : Lake
        The lake.
    dry_run : bool
        Whether to tell what would change, and change nothing.

    Returns
    -------
    list of Migrated
        What each step changed, in order; empty where the lake keeps the contract of today.

    Raises
    ------
    TableError
        If rows would break the contract. Nothing is written.
    UserError
        If the lake was made by a later kolmatch, or cannot be read.
    """
    with lake.lock():
        before = lake.contract()
        if before >= CONTRACT:
            lake.check_contract()
            if not dry_run:
                lake.end_rewrite()
            return []
        done = [Migrated(step) for step in steps_from(before)]
        if dry_run:
            for table, version in lake.stored():
                _changed(table, version, done)
        else:
            lake.rewrite_stored(lambda table, version: _changed(table, version, done))
    return done


def _changed(table: VersionedTable, version: int, done: list[Migrated]) -> pd.DataFrame:
    """Return the rows of a table after all steps, and note what each changed."""
    spec, rows = table.spec, table.stored(version)
    for one in done:
        after = one.step.change(spec.name, rows)
        if after is not rows:
            one.rows[spec.name] = _differing(rows, after)
        rows = after
    if left := [name for name in rows if name not in spec.names]:
        raise ValueError(f"Got columns {left} of {spec.name} but expected a step that takes them")
    rows = spec.conform(rows)
    if faults := spec.faults(rows):
        raise TableError(faults)
    return rows


def _differing(before: pd.DataFrame, after: pd.DataFrame) -> int:
    """Return how many rows a step changed, added or took away."""
    if len(before) != len(after) or [*before] != [*after]:
        return max(len(before), len(after))
    # As text: cells may be tuples and dicts, and null equals null.
    other = [before[name].map(repr) != after[name].map(repr) for name in before]
    return int(pd.concat(other, axis=1).any(axis=1).sum())
