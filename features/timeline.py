"""Rows by id in the order they became known, and the searches in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min
"""What NaT is as microseconds."""
DAY = 86_400_000_000
"""Microseconds of a day."""


def micros(times: pd.Series[Any]) -> Ints:
    """Return microseconds since 1970 (UTC) of times; null is `NEVER`."""
    return times.to_numpy(dtype="datetime64[us]").astype(np.int64)


def days_between(later: Ints, earlier: Ints) -> Floats:
    """Return the days from one time to another, NaN where either is null."""
    known = (later != NEVER) & (earlier != NEVER)
    gap = np.subtract(later, earlier, where=known, out=np.zeros(len(later), dtype=np.int64))
    return np.where(known, gap / DAY, np.nan)


def take(frame: pd.DataFrame, rows: Ints) -> pd.DataFrame:
    """Return rows by position, with a new index; position -1 gives a row of nulls."""
    if len(rows) and rows.min() < 0:
        return frame.reindex(rows).reset_index(drop=True)
    return frame.take(rows).reset_index(drop=True)


def pick(values: npt.NDArray[Any], rows: Ints, null: Any = np.nan) -> npt.NDArray[Any]:
    """Return values by position; position -1 gives `null`."""
    return np.append(values, np.array([null], dtype=values.dtype))[rows]


def expand(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """List every row of every window.

    Returns
    -------
    rows, owner : ndarray of int64
        Row positions, and which window each belongs to; windows in order, rows in order.

    Examples
    --------
    >>> rows, owner = expand(np.array([3, 0, 7]), np.array([5, 0, 8]))
    >>> rows.tolist(), owner.tolist()
    ([3, 4, 7], [0, 0, 2])
    """
    sizes = stop - start
    owner = np.repeat(np.arange(len(sizes)), sizes)
    offsets = np.cumsum(sizes) - sizes
    return np.arange(len(owner)) - np.repeat(offsets - start, sizes), owner


class Timeline:
    """Rows of a table, by code and by when they became known.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any table.
    code : ndarray of int64
        What each row belongs to, 0 or more; rows with -1 are left out.
    at : ndarray of int64
        When each row became known, in microseconds; rows with `NEVER` are left out.
    ties : sequence of str
        Columns that order rows of one code and time, so that the table's own order cannot matter.

    Attributes
    ----------
    frame : pandas.DataFrame
        The rows in order.
    code, at : ndarray of int64
        The same of each row in order.

    Notes
    -----
    A row's place is one integer, ``code * (times + 1) + rank of its time``: both orders in one
    sorted array, so that one `numpy.searchsorted` answers a batch of questions.
    """

    def __init__(self, frame: pd.DataFrame, code: Ints, at: Ints, ties: Sequence[str] = ()) -> None:
        kept = np.flatnonzero((code >= 0) & (at != NEVER))
        code, at = code[kept], at[kept]
        names = [pd.factorize(frame[tie].take(kept), sort=True)[0] for tie in reversed(ties)]
        order = np.lexsort((*names, at, code))
        self.frame = frame.take(kept[order]).reset_index(drop=True)
        self.code, self.at = code[order], at[order]
        self._times = np.unique(self.at)
        self._place = self.code * (len(self._times) + 1) + np.searchsorted(self._times, self.at)
        self._running: dict[str, Floats] = {}

    def __len__(self) -> int:
        return len(self.code)

    def before(self, code: Ints, at: Ints) -> tuple[Ints, Ints]:
        """Find the rows of each code that were known strictly before each time.

        Parameters
        ----------
        code, at : ndarray of int64
            One question each; code -1 has no rows.

        Returns
        -------
        start, stop : ndarray of int64
            Positions in `frame`: the first row, and one past the last. A code without known rows
            gets 0, 0.
        """
        base = code * (len(self._times) + 1)
        rank = np.searchsorted(self._times, at, side="left")
        start = np.searchsorted(self._place, base, side="left")
        stop = np.searchsorted(self._place, base + rank, side="left")
        empty = (stop <= start) | (code < 0)
        return np.where(empty, 0, start), np.where(empty, 0, stop)

    def last(self, code: Ints, at: Ints) -> Ints:
        """Return the position of the latest row known strictly before, -1 where there is none."""
        return self.before(code, at)[1] - 1

    def latest(self, code: Ints, at: Ints, columns: list[str]) -> pd.DataFrame:
        """Return columns of the latest row known strictly before, null where there is none."""
        return take(self.frame[columns], self.last(code, at))

    def total(self, column: str, start: Ints, stop: Ints) -> Floats:
        """Return the sum of a column over windows that begin at a code's first row.

        Nulls count as 0, and so does an empty window. The sums run along the rows of one code
        alone: other codes and later rows cannot change a digit.
        """
        if column not in self._running:
            values = self.frame[column].astype("float64").fillna(0.0)
            running = values.groupby(self.code, sort=False).cumsum()
            self._running[column] = np.asarray(running, dtype=np.float64)
        return np.where(stop > start, pick(self._running[column], stop - 1, 0.0), 0.0)


def states(stop: Ints) -> tuple[Ints, Ints]:
    """Reduce windows that begin at a code's first row to the distinct ones.

    Such a window is named by its end alone, and many questions share one.

    Returns
    -------
    ends : ndarray of int64
        Distinct ends, ascending; 0 is the empty window.
    which : ndarray of int64
        For each window, its place in `ends`.
    """
    ends, which = np.unique(stop, return_inverse=True)
    return ends, which.astype(np.int64)


def positions(names: Iterable[str]) -> dict[str, int]:
    """Return each name's place in the list."""
    return {name: place for place, name in enumerate(names)}
