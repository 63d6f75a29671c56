"""The ten tables in memory, and what of them was known at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from features.contract import LINKS, SPECS
from features.errors import Fault, TableError


@dataclass(frozen=True)
class Tables:
    """The ten tables, checked: what holds one of these can trust it.

    Build it with `Tables.of`, which conforms and checks. Frames are never changed in place.
    """

    briefs: pd.DataFrame
    kols: pd.DataFrame
    posts: pd.DataFrame
    rates: pd.DataFrame
    collaborations: pd.DataFrame
    outcomes: pd.DataFrame
    judgments: pd.DataFrame
    incidents: pd.DataFrame
    vectors: pd.DataFrame
    exchange_rates: pd.DataFrame

    @classmethod
    def of(cls, **frames: pd.DataFrame) -> Tables:
        """Conform and check frames; tables not given are empty.

        Parameters
        ----------
        **frames : pandas.DataFrame
            Frames by table name, with canonical column names. Columns not given are null.

        Raises
        ------
        TableError
            Listing every fault in every frame.
        TypeError
            If a name is not one of the ten tables.
        """
        unknown = sorted(set(frames) - set(SPECS))
        if unknown:
            raise TypeError(f"Got tables {unknown} but expected names among {list(SPECS)}")
        tables, faults = {}, []
        for name, spec in SPECS.items():
            table = spec.conform(frames[name]) if name in frames else spec.empty()
            faults += spec.faults(table) if name in frames else []
            tables[name] = table
        if faults:
            raise TableError(faults)
        return cls(**tables)

    def __iter__(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield ``(name, frame)`` in contract order."""
        return ((field.name, getattr(self, field.name)) for field in fields(self))

    def replace(self, **frames: pd.DataFrame) -> Tables:
        """Return a copy with some frames exchanged, not checked again."""
        return replace(self, **frames)

    def only(self, *names: str) -> Tables:
        """Return a copy in which all tables but the named ones are empty."""
        return self.replace(**{name: frame.head(0) for name, frame in self if name not in names})

    def as_of(self, time: pd.Timestamp) -> Tables:
        """Return what was known strictly before `time`.

        Rows known at `time` or later are dropped, and in the rows that stay, what happened later
        is not told: an incident is not yet resolved, a collaboration not yet signed. Briefs ask
        rather than tell, and stay.
        """
        cut = {
            name: frame[frame[spec.known_at] < time].reset_index(drop=True)
            for (name, frame), spec in zip(self, SPECS.values(), strict=True)
            if spec.known_at is not None
        }
        cut["incidents"] = _hide(cut["incidents"], "resolved_at", time)
        cut["collaborations"] = _collaborations_before(cut["collaborations"], time)
        return self.replace(**cut)


def _hide(frame: pd.DataFrame, column: str, time: pd.Timestamp) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].where(frame[column] < time)})


def status_known_at(collaborations: pd.DataFrame) -> pd.Series[Any]:
    """Return when each collaboration's status became known.

    Where ``status_at`` is null, the latest other time of the row stands in for it.
    """
    others = collaborations[["shown_at", "signed_at", "published_at"]].max(axis=1)
    return collaborations["status_at"].fillna(others)


def _collaborations_before(frame: pd.DataFrame, time: pd.Timestamp) -> pd.DataFrame:
    told = status_known_at(frame) < time
    signed = frame["signed_at"] < time
    status = frame["status"].where(told, np.where(signed, "signed", "shown")).astype("str")
    return frame.assign(
        status=status,
        status_at=frame["status_at"].where(told),
        signed_at=frame["signed_at"].where(signed),
        published_at=frame["published_at"].where(frame["published_at"] < time),
        # A price is agreed on signing; before that the row tells no cost.
        cost=frame["cost"].where(signed),
    )


def link_faults(tables: Tables, known: Tables | None = None) -> list[Fault]:
    """List references to rows that exist neither in `tables` nor in `known`.

    Parameters
    ----------
    tables : Tables
        What is being checked.
    known : Tables, optional
        What is already stored, for files that add to it.
    """
    faults = []
    for name, column, target, target_column in LINKS:
        frame = getattr(tables, name)
        ids = set(getattr(tables, target)[target_column])
        if known is not None:
            ids |= set(getattr(known, target)[target_column])
        for position in np.flatnonzero(~frame[column].isin(ids)):
            value = str(frame[column].iloc[position])
            expected = f"a {target_column} that is in {target}"
            faults.append(Fault(name, "", int(position) + 2, column, value, expected))
    return faults
