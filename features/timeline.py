"""Rows by id in the order they became known, and the searches in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.spill import spilled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min
"""What NaT is as microseconds."""
DAY = 86_400_000_000
"""Microseconds of a day."""
_ROWS = 262_144
"""Rows held against those before them at once."""


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
    rows = np.asarray(rows)
    if not len(values):
        return np.full(rows.shape, null, dtype=values.dtype)
    found = values[rows]
    found[rows < 0] = null
    return found


def lower_bounds(values: Ints, start: Ints, stop: Ints, bound: Ints) -> Ints:
    """Find in each window of ascending values the first that is not below a bound.

    Parameters
    ----------
    values : ndarray of int64
        Ascending inside each window.
    start, stop : ndarray of int64
        Windows, none of them empty past the end of `values`.
    bound : ndarray of int64
        One for each window.

    Returns
    -------
    ndarray of int64
        Positions in `values`, from ``start`` to ``stop``.

    Examples
    --------
    >>> values = np.array([1, 4, 9, 2, 3])
    >>> lower_bounds(values, np.array([0, 3]), np.array([3, 5]), np.array([4, 9])).tolist()
    [1, 5]
    """
    low, high = start.copy(), stop.copy()
    live = np.flatnonzero(low < high)
    while len(live):
        middle = (low[live] + high[live]) >> 1
        below = values[middle] < bound[live]
        low[live[below]] = middle[below] + 1
        high[live[~below]] = middle[~below]
        live = live[low[live] < high[live]]
    return low


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
    taken : callable
        Given a frame and positions, returns those rows.

    Attributes
    ----------
    frame : pandas.DataFrame
        The rows in order; `frame` itself where it has that order already, so that a large table in
        files stays there.
    at : ndarray of int64
        When each row in order became known.

    Notes
    -----
    Rows of one code stand together, in the order of time: a question is answered by finding its
    code among the distinct ones, and its time among the rows of that code.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        code: Ints,
        at: Ints,
        ties: Sequence[str] = (),
        taken: Callable[[pd.DataFrame, Ints], pd.DataFrame] = take,
    ) -> None:
        known = (code >= 0) & (at != NEVER)
        if known.all() and _in_order(frame, code, at, ties):
            self.frame, self.at = frame.reset_index(drop=True), at
        else:
            kept = np.flatnonzero(known)
            code, at = code[kept], at[kept]
            names = [pd.factorize(frame[tie].take(kept), sort=True)[0] for tie in reversed(ties)]
            order = np.lexsort((*names, at, code))
            self.frame = taken(frame, kept[order])
            code, self.at = code[order], spilled(at[order])
        opens = np.ones(len(code), dtype=bool)
        np.not_equal(code[1:], code[:-1], out=opens[1:])
        first = np.flatnonzero(opens)
        self._codes = code[first].astype(np.int64)
        self._start = np.append(first, len(code)).astype(np.int64)
        self._running: dict[str, Floats] = {}

    def __len__(self) -> int:
        return len(self.at)

    @property
    def code(self) -> Ints:
        """What each row in order belongs to."""
        return np.repeat(self._codes, np.diff(self._start))

    def code_of(self, rows: Ints) -> Ints:
        """Return what each of some rows belongs to, -1 for position -1."""
        place = np.searchsorted(self._start, rows, side="right") - 1
        return np.asarray(pick(self._codes, np.where(rows < 0, -1, place), -1))

    def blocks(self, rows: int) -> Iterator[tuple[slice, Ints]]:
        """Yield slices of some rows each, no code's rows parted, and what each row belongs to."""
        first = 0
        while first < len(self._codes):
            past = int(np.searchsorted(self._start, self._start[first] + rows, side="right")) - 1
            past = max(past, first + 1)
            sizes = np.diff(self._start[first : past + 1])
            yield (
                slice(int(self._start[first]), int(self._start[past])),
                np.repeat(self._codes[first:past], sizes),
            )
            first = past

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
        if not len(self._codes):
            return np.zeros(len(code), dtype=np.int64), np.zeros(len(code), dtype=np.int64)
        place = np.minimum(np.searchsorted(self._codes, code), len(self._codes) - 1)
        there = self._codes[place] == code
        start = np.where(there, self._start[place], 0)
        stop = np.where(there, self._start[place + 1], 0)
        stop = lower_bounds(self.at, start, stop, at)
        empty = stop <= start
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


def _in_order(frame: pd.DataFrame, code: Ints, at: Ints, ties: Sequence[str]) -> bool:
    """Say whether rows stand by code, time and ties already, all ties being told."""
    columns = [frame[tie] for tie in ties]
    # Each block with the row after it: every row is held against the one before.
    parts = (slice(start, start + _ROWS + 1) for start in range(0, len(code), _ROWS))
    return all(
        _part_in_order(code[part], at[part], [told.iloc[part] for told in columns])
        for part in parts
    )


def _part_in_order(code: Ints, at: Ints, ties: Sequence[pd.Series[Any]]) -> bool:
    same = np.flatnonzero((code[1:] == code[:-1]) & (at[1:] == at[:-1]))
    ahead = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (at[1:] >= at[:-1]))
    if not ahead.all():
        return False
    for tie in ties if len(same) else ():
        rank, _ = pd.factorize(tie.take(np.concatenate([same, same + 1])), sort=True)
        one, other = rank[: len(same)], rank[len(same) :]
        if (rank < 0).any() or (one > other).any():
            return False
        same = same[one == other]
    return True


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
