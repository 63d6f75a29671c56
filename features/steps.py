"""Steps that bring the tables of an older lake up to the contract of today.

The version of the contract is kept with each commit of a lake, and is 1 where none is told. A new
column or table needs no step: stored rows read as null, or as no rows. A step is for stored rows
that mean something else by now, such as another unit, a split column, or what is no longer kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from features.contacts import FREE_TEXT, mask_column


@dataclass(frozen=True)
class Step:
    """What leads from one version of the contract to the next.

    Attributes
    ----------
    version : int
        The version it leads to.
    words : str
        What it does, for people.
    change : callable
        Given a table's name and its rows, as that version of the contract had them, returns the
        rows it shall hold, the same frame where nothing changes. Columns that the contract of
        today does not know come as they are stored, and must be gone after the last step.
    """

    version: int
    words: str
    change: Callable[[str, pd.DataFrame], pd.DataFrame]


def mask_contacts(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Mask contact details in free text, as ingest has done since it masks any."""
    found = {}
    for column in FREE_TEXT.get(name, ()):
        texts, rows, _ = mask_column(frame[column])
        if rows:
            found[column] = texts
    return frame.assign(**found) if found else frame


STEPS = (Step(2, "contact details in free text are masked", mask_contacts),)
"""In order; the first leads from 1 to 2."""
CONTRACT = 1 + len(STEPS)
"""The version of the contract that this kolmatch writes."""


def steps_from(version: int) -> Iterator[Step]:
    """Yield the steps from a version to that of today."""
    yield from (step for step in STEPS if step.version > version)
