"""Rows that were kept long enough, and whatever rests on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from features.columns import EPOCH
from features.contract import LINKS, SPECS
from features.tables import Tables

_SINCE = {"briefs": ("decided_at", "ends_at")}
"""From when rows count that have no time at which they became known: the first that is told."""


@dataclass(frozen=True)
class Expired:
    """What a retention period leaves of tables.

    Attributes
    ----------
    tables : Tables
        What stays.
    gone : dict of str to int
        Rows past their period, by table.
    orphans : dict of str to int
        Rows that go because the brief, KOL or collaboration goes that they belong to.
    undated : dict of str to int
        Rows of tables with a period that stay because they tell no time.
    """

    tables: Tables
    gone: dict[str, int]
    orphans: dict[str, int]
    undated: dict[str, int]


def expire(tables: Tables, days: Mapping[str, int], now: pd.Timestamp) -> Expired:
    """Leave out what is older than its table's period.

    A row counts from when it became known; a brief from its decision, or else from its end. What
    tells no time stays. Whatever then refers to nothing goes too.

    Parameters
    ----------
    tables : Tables
        The data.
    days : mapping of str to int
        Period of each table that has one.
    now : Timestamp
        The present, UTC.
    """
    frames, gone, undated = dict(tables), {}, {}
    for name, period in days.items():
        since = expires_from(name, frames[name])
        old = since < now - pd.Timedelta(days=period)
        unknown = int((since.isna()).sum())
        if old.any():
            frames[name], gone[name] = _kept(frames[name], old), int(old.sum())
        if unknown:
            undated[name] = unknown
    orphans: dict[str, int] = {}
    # Collaborations are looked at before the outcomes that rest on them: LINKS goes in that order.
    for name, column, target, target_column in LINKS:
        lost = ~frames[name][column].isin(frames[target][target_column])
        if lost.any():
            frames[name] = _kept(frames[name], lost)
            orphans[name] = orphans.get(name, 0) + int(lost.sum())
    owned = frames["vectors"]
    for owner, target in (("kol", "kols"), ("brief", "briefs")):
        before = set(getattr(tables, target)[f"{owner}_id"])
        went = before - set(frames[target][f"{owner}_id"])
        lost = (owned["owner"] == owner) & owned["id"].isin(went)
        if lost.any():
            owned = _kept(owned, lost)
            orphans["vectors"] = orphans.get("vectors", 0) + int(lost.sum())
    frames["vectors"] = owned
    return Expired(Tables(**frames), gone, orphans, undated)


def times_of(name: str) -> tuple[str, ...]:
    """Return the columns that tell from when rows of a table count, the first told counts."""
    return _SINCE.get(name) or (str(SPECS[name].known_at),)


def expires_from(name: str, frame: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return from when each row counts, null where it tells no time."""
    columns = times_of(name)
    since = frame[columns[0]]
    for column in columns[1:]:
        since = since.fillna(frame[column])
    return since.mask(since == EPOCH)


def _kept(frame: pd.DataFrame, goes: pd.Series[bool]) -> pd.DataFrame:
    return frame[~goes].reset_index(drop=True)
