"""Pairs seen against history: the ground every signal stands on.

A pair is (brief, KOL, time). Most of what a signal needs belongs to one side of it: a KOL at a
time (a *cell*), or a brief. Cells are worked out once each and then handed to their pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.columns import TIME
from features.history import QUOTED_MODES, History, codes_in
from features.roster import Cells, alike, everybody, kept_roster, stand_among, standing_of
from features.statistics import where
from features.timeline import Floats, Ints, micros, positions

T = TypeVar("T")
Reader: TypeAlias = Callable[[Ints, Ints, Ints, npt.NDArray[np.float32], Ints], None]
"""Takes pairs, the place of each one's cell among some cells, those cells, vectors on the grid of
`features.similarity`, and each cell's posts as rows of them, -1 for none."""
PAIRS = ("brief_id", "kol_id", "as_of")
"""Columns of a PAIRS frame: two ids, and a UTC time. An optional one is ``mode``."""


class View:
    """Pairs, with what was known for each strictly before its ``as_of``.

    Parameters
    ----------
    pairs : pandas.DataFrame
        PAIRS, in any order, with any index. Where a column ``mode`` names one, the pair is looked
        at in that mode of collaboration; null leaves it open, as a missing column does for all.
    history : History
        The past.
    posts : int
        How many of a KOL's latest posts signals look at.

    Attributes
    ----------
    index : pandas.Index
        The pairs' index.
    brief, kol, time : ndarray of int64, shape (pairs,)
        Codes into `History.briefs` and `History.kol_ids`, and microseconds.
    cells : Cells
        Distinct KOLs at times among the pairs.
    cell : ndarray of int64, shape (pairs,)
        Each pair's cell.
    mode : ndarray of int64, shape (pairs,)
        Position of each pair's mode in `features.history.QUOTED_MODES`, -1 where it is open.
    readers : list of callable
        Who wants to see posts' vectors while they are at hand, some cells at a time.

    Raises
    ------
    ValueError
        If a column is missing, a time is null or without a zone, an id is in no table, or there
        is no such mode.
    """

    def __init__(self, pairs: pd.DataFrame, history: History, posts: int = 30) -> None:
        check_pairs(pairs)
        self.index = pairs.index
        self.history = history
        self.brief = _known(codes_in(history.brief_ids, pairs["brief_id"]), pairs, "brief_id")
        self.kol = _known(history.kol_codes(pairs["kol_id"]), pairs, "kol_id")
        self.time = micros(pairs["as_of"].astype(TIME))
        self.mode = _modes(pairs)
        self._lay_out(posts)

    @classmethod
    def of_brief(
        cls, history: History, brief_id: str, kol: Ints, as_of: pd.Timestamp, posts: int = 30
    ) -> View:
        """Look at many KOLs, by their codes in `History.kol_ids`, for one brief at one time.

        The index is a range.
        """
        view = cls.__new__(cls)
        view.history, view.index = history, pd.RangeIndex(len(kol))
        view.brief = np.full(len(kol), history.brief_ids.get_loc(brief_id), dtype=np.int64)
        view.kol = kol
        view.time = np.full(len(kol), micros(pd.Series([as_of]).astype(TIME))[0])
        view.mode = np.full(len(kol), -1, dtype=np.int64)
        view._lay_out(posts)
        return view

    def of(self, rows: Ints, mode: Ints) -> View:
        """Keep some pairs, each looked at in a mode; the index is that of those kept."""
        view = View.__new__(View)
        view.history, view.index = self.history, self.index[rows]
        view.brief, view.kol, view.time = self.brief[rows], self.kol[rows], self.time[rows]
        view.mode = mode
        view._lay_out(self.cells.posts)
        return view

    def _lay_out(self, posts: int) -> None:
        history = self.history
        self._times, moment = np.unique(self.time, return_inverse=True)
        size = len(history.kol_ids)
        cells, cell = np.unique(moment * size + self.kol, return_inverse=True)
        self.cell: Ints = cell.astype(np.int64)
        time = self._times[cells // max(size, 1)]
        kol = cells % max(size, 1)
        self._kept, place = kept_roster(history, self._times, posts, kol)
        self.cells = Cells(history, kol, time, self._times, posts, self._kept, place)
        self.readers: list[Reader] = []
        self._made: dict[Callable[[View], Any], Any] = {}

    def __len__(self) -> int:
        return len(self.brief)

    def once(self, make: Callable[[View], T]) -> T:
        """Return ``make(self)``, worked out on the first call."""
        if make not in self._made:
            self._made[make] = make(self)
        result: T = self._made[make]
        return result

    @cached_property
    def peers(self) -> Cells:
        """The whole roster over all distinct ``as_of``: every KOL with a known profile."""
        return self._kept or everybody(self.history, self._times, self.cells.posts)

    def percentile(self, make: Callable[[Cells], Floats]) -> Floats:
        """Return the share of peers below each cell's value, ties counting half.

        Peers are the roster of the same time, platform and tier, the KOL itself among them.

        Parameters
        ----------
        make : callable
            Gives the values of cells, none of which rests on the time itself.
        """
        return self._stand(make)["share"]

    def count_peers(self) -> Floats:
        """Return how many others each cell is compared with; NaN where nobody knows."""
        count = self._stand(alike)["count"]
        return where(count > 0, count - 1.0)

    def _stand(self, make: Callable[[Cells], Floats]) -> Mapping[str, Floats]:
        # Of a roster that is kept it is worked out once, and not once a brief.
        if self._kept is not None:
            return self.cells.once(standing_of(make))
        return stand_among(self.cells, self.peers, make)

    def brief_number(self, column: str) -> Floats:
        """Return a numeric column of each pair's brief."""
        values = self.history.briefs[column].to_numpy(dtype=np.float64)
        return np.asarray(values[self.brief], dtype=np.float64)

    def brief_codes(self, column: str, names: tuple[str, ...]) -> Floats:
        """Return a text column of each pair's brief as its position in `names`, else NaN."""
        return np.asarray(self.history.once(_brief_codes(column, names))[self.brief])


@cache
def _brief_codes(column: str, names: tuple[str, ...]) -> Callable[[History], Floats]:
    """Return what reads a text column of all briefs as positions in `names`, else NaN."""

    def read(history: History) -> Floats:
        codes = history.briefs[column].map(positions(names))
        return np.asarray(codes.to_numpy(dtype=np.float64))

    return read


def check_pairs(pairs: pd.DataFrame) -> None:
    """Raise a ValueError where columns are missing, or a time is null or without a zone."""
    missing = [column for column in PAIRS if column not in pairs]
    if missing:
        raise ValueError(f"Got pairs without {missing} but expected columns {list(PAIRS)}")
    times = pairs["as_of"]
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise ValueError(f"Got as_of of dtype {times.dtype} but expected times with a zone")
    if times.isna().any():
        raise ValueError(f"Got {int(times.isna().sum())} pairs without as_of; each needs a time")


def _modes(pairs: pd.DataFrame) -> Ints:
    """Return the code of each pair's mode, -1 where none is named."""
    if "mode" not in pairs:
        return np.full(len(pairs), -1, dtype=np.int64)
    codes = codes_in(pd.Index(QUOTED_MODES), pairs["mode"])
    unknown = np.flatnonzero((codes < 0) & pairs["mode"].notna().to_numpy())
    if len(unknown):
        names = sorted({str(name) for name in pairs["mode"].iloc[unknown]})
        raise ValueError(f"Got pairs in modes {names} but expected some of {list(QUOTED_MODES)}")
    return codes


def _known(codes: Ints, pairs: pd.DataFrame, column: str) -> Ints:
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        names = sorted({str(name) for name in pairs[column].iloc[unknown]})
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        table = "briefs" if column == "brief_id" else "kols"
        raise ValueError(
            f"Got pairs with {column} {', '.join(map(repr, names[:5]))}{more}, "
            f"which the table {table} does not hold"
        )
    return codes
