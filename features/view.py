"""Pairs seen against history: the ground every signal stands on.

A pair is (brief, KOL, time). Most of what a signal needs belongs to one side of it: a KOL at a
time (a *cell*), or a brief. Cells are worked out once each and then handed to their pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.columns import TIME
from features.contract import PLATFORMS
from features.history import QUOTED_MODES, History, codes_in, tier_codes
from features.postlog import Recent
from features.statistics import midrank_shares
from features.timeline import NEVER, Floats, Ints, expand, micros, pick, positions, states

T = TypeVar("T")
PAIRS = ("brief_id", "kol_id", "as_of")
"""Columns of a PAIRS frame: two ids, and a UTC time. An optional one is ``mode``."""


@dataclass(frozen=True)
class Cells:
    """KOLs at times.

    Attributes
    ----------
    history : History
        The past.
    kol : ndarray of int64, shape (cells,)
        Codes into `History.kol_ids`.
    time : ndarray of int64, shape (cells,)
        ``as_of`` in microseconds.
    times : ndarray of int64
        All distinct times, ascending. Cells that are compared must share them: codes of times
        that each counted by itself would set a cell against peers of another moment.
    posts : int
        How many latest posts to look at.
    """

    history: History
    kol: Ints
    time: Ints
    times: Ints
    posts: int

    def __len__(self) -> int:
        return len(self.kol)

    @cached_property
    def profile(self) -> Ints:
        """Row of the latest profile in `History.kols`, -1 where none is known."""
        return self.history.kols.last(self.kol, self.time)

    def number(self, column: str) -> Floats:
        """Return a numeric column of the profile, NaN where unknown."""
        values = self.history.kols.frame[column].to_numpy(dtype=np.float64)
        return np.asarray(pick(values, self.profile), dtype=np.float64)

    @cached_property
    def platform(self) -> Floats:
        """Position of the platform in `features.contract.PLATFORMS`, NaN where unknown."""
        names = self.history.kols.frame["platform"].map(positions(PLATFORMS))
        return np.asarray(pick(names.to_numpy(dtype=np.float64), self.profile))

    @cached_property
    def tier(self) -> Floats:
        """Position of the tier in `features.history.TIER_FLOORS`, NaN where unknown."""
        return tier_codes(self.number("followers"))

    @cached_property
    def moment(self) -> Ints:
        """Position of each cell's time among all times."""
        return np.searchsorted(self.times, self.time).astype(np.int64)

    @cached_property
    def segment(self) -> Ints:
        """One code for time, platform and tier: whom a KOL is compared with; -1 where unknown."""
        known = ~(np.isnan(self.platform) | np.isnan(self.tier))
        code = (self.moment * len(PLATFORMS) + np.nan_to_num(self.platform)) * 8 + np.nan_to_num(
            self.tier
        )
        return np.where(known, code, -1).astype(np.int64)

    @cached_property
    def _post_states(self) -> tuple[Ints, Ints]:
        return states(self.history.posts.seen.before(self.kol, self.time)[1])

    @property
    def post_state(self) -> Ints:
        """For each cell, its row in `recent`."""
        return self._post_states[1]

    @cached_property
    def recent(self) -> Recent:
        """The latest posts of each distinct state of knowledge about a KOL's posts."""
        return self.history.posts.recent(self._post_states[0], self.posts)

    def of_posts(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Hand what was worked out for each row of `recent` to the cells."""
        return values[self.post_state]

    @cached_property
    def quotes(self) -> Ints:
        """Rows of `History.rates`: the latest quotes of each KOL, shape (cells, quotes).

        One for each mode and currency that the KOL ever quoted, by mode in the order of
        `features.history.QUOTED_MODES` and then by currency. The value is -1 where there is none
        or the latest is no longer valid.
        """
        rows = self.all_quotes
        until = np.asarray(pick(micros(self.history.rates.frame["valid_until"]), rows, NEVER))
        return np.where((until == NEVER) | (until > self.time[:, None]), rows, -1)

    @cached_property
    def all_quotes(self) -> Ints:
        """Like `quotes`, with those that ran out."""
        rates = self.history.rates
        ends, which = states(rates.before(self.kol, self.time)[1])
        kol = np.asarray(pick(rates.code, ends - 1, -1))
        owner, series = self.history.quote_series
        order = np.lexsort((np.arange(len(rates)), series))
        place = series[order] * (len(rates) + 1) + order
        # The series of one KOL stand together: as many columns as anybody has.
        widest = int(np.bincount(owner).max(initial=1))
        wanted = np.searchsorted(owner, kol)[:, None] + np.arange(widest)
        found = np.searchsorted(place, wanted * (len(rates) + 1) + ends[:, None]) - 1
        rows = np.asarray(pick(order, np.maximum(found, -1), -1))
        same = np.asarray(pick(series, rows, -1)) == wanted
        same &= np.asarray(pick(rates.code, rows, -1)) == kol[:, None]
        return np.where(same, rows, -1)[which]


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

    Raises
    ------
    ValueError
        If a column is missing, a time is null or without a zone, an id is in no table, or there
        is no such mode.
    """

    def __init__(self, pairs: pd.DataFrame, history: History, posts: int = 30) -> None:
        _check(pairs)
        self.index = pairs.index
        self.history = history
        self.brief = _known(codes_in(history.brief_ids, pairs["brief_id"]), pairs, "brief_id")
        self.kol = _known(history.kol_codes(pairs["kol_id"]), pairs, "kol_id")
        self.time = micros(pairs["as_of"].astype(TIME))
        self.mode = _modes(pairs)
        self._times, moment = np.unique(self.time, return_inverse=True)
        size = len(history.kol_ids)
        cells, cell = np.unique(moment * size + self.kol, return_inverse=True)
        self.cell: Ints = cell.astype(np.int64)
        time = self._times[cells // max(size, 1)]
        self.cells = Cells(history, cells % max(size, 1), time, self._times, posts)
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
        """The whole roster at each distinct ``as_of``: every KOL with a known profile."""
        kol = np.tile(np.arange(len(self.history.kol_ids)), len(self._times))
        at = np.repeat(self._times, len(self.history.kol_ids))
        there = self.history.kols.last(kol, at) >= 0
        return Cells(self.history, kol[there], at[there], self._times, self.cells.posts)

    def percentile(self, own: Floats, peers: Floats) -> Floats:
        """Return the share of peers below each cell's value, ties counting half.

        Peers are the roster of the same time, platform and tier, the KOL itself among them.

        Parameters
        ----------
        own : ndarray of float64, shape (cells,)
            Values of `cells`.
        peers : ndarray of float64, shape (peers,)
            Values of `peers`.
        """
        return midrank_shares(self.cells.segment, own, self.peers.segment, peers)

    def count_peers(self) -> Floats:
        """Return how many others each cell is compared with; NaN where nobody knows."""
        segment = self.cells.segment
        names, sizes = np.unique(self.peers.segment, return_counts=True)
        if not len(names):
            return np.full(len(segment), np.nan)
        at = np.minimum(np.searchsorted(names, segment), len(names) - 1)
        found = (names[at] == segment) & (segment >= 0)
        return np.where(found, sizes[at] - 1.0, np.nan)

    def brief_number(self, column: str) -> Floats:
        """Return a numeric column of each pair's brief."""
        values = self.history.briefs[column].to_numpy(dtype=np.float64)
        return np.asarray(values[self.brief], dtype=np.float64)

    def brief_codes(self, column: str, names: tuple[str, ...]) -> Floats:
        """Return a text column of each pair's brief as its position in `names`, else NaN."""
        codes = self.history.briefs[column].map(positions(names)).to_numpy(dtype=np.float64)
        return np.asarray(codes[self.brief], dtype=np.float64)

    def brief_labels(self, column: str) -> tuple[Ints, pd.Series[Any]]:
        """List the labels of each pair's brief.

        Returns
        -------
        owner : ndarray of int64
            Position of the pair.
        labels : pandas.Series
            One label each.
        """
        lists = self.history.briefs[column]
        sizes = lists.map(len).to_numpy(dtype=np.int64)
        labels = lists.explode().dropna()
        stop = np.cumsum(sizes)
        rows, owner = expand((stop - sizes)[self.brief], stop[self.brief])
        return owner, labels.iloc[rows].reset_index(drop=True)


def _check(pairs: pd.DataFrame) -> None:
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
