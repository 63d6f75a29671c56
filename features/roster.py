"""KOLs at times: cells, which are worked out once each, and rosters of them.

What is known of a KOL alone does not depend on who asks. It is worked out by cell, a block of cells
at a time, and kept as long as its roster is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import chain
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.columns import TIME
from features.contract import PLATFORMS
from features.crowd import Crowd
from features.history import History, tier_codes
from features.postlog import Recent
from features.ragged import starts
from features.spill import FirstAsked, Spill
from features.timeline import (
    NEVER,
    Floats,
    Ints,
    expand,
    lower_bounds,
    micros,
    pick,
    positions,
    states,
)

T = TypeVar("T")
Fields: TypeAlias = Mapping[str, npt.NDArray[Any]]
Values = TypeVar("Values", npt.NDArray[Any], Mapping[str, npt.NDArray[Any]])
_BLOCK = 16_384
"""Cells whose posts are looked up at once."""


@dataclass(frozen=True, eq=False)
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
    among : Cells, optional
        Cells that are kept (`keep_roster`), these among them: what was worked out there is taken
        from there.
    place : ndarray of int64, shape (cells,), optional
        Where in `among` each of these is.
    until : ndarray of int64, shape (cells,), optional
        Where in `times` something new is known of each KOL, or the end of `times`: a cell that has
        this stands for all the moments before it as well, in all that does not rest on the time
        itself. By default a cell stands for its own moment.
    """

    history: History
    kol: Ints
    time: Ints
    times: Ints
    posts: int
    among: Cells | None = None
    place: Ints | None = None
    until: Ints | None = None
    _made: dict[Callable[[Cells], Any], Any] = field(default_factory=dict)
    _rows: dict[Callable[[Cells], Any], FirstAsked] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kol)

    def _block(self, rows: slice) -> Cells:
        return self._some(np.arange(*rows.indices(len(self))))

    def _some(self, place: Ints) -> Cells:
        kol, time = self.kol[place], self.time[place]
        return Cells(self.history, kol, time, self.times, self.posts, self, place)

    def once(self, make: Callable[[Cells], Values]) -> Values:
        """Return ``make(self)``, worked out on the first call and a block of cells at a time.

        Parameters
        ----------
        make : callable
            Gives values by cell: one array, or several by name. Those of a cell rest on that cell
            alone, so that it does not matter which others are worked out beside it.
        """
        if self.among is not None and self.place is not None:
            taken: Values = _mapped(lambda values: values[self.place], self.among.once(make))
            return taken
        if make not in self._made:
            if len(self) <= _BLOCK:
                self._made[make] = make(self)
            else:
                starts = range(0, len(self), _BLOCK)
                blocks = (self._block(slice(start, start + _BLOCK)) for start in starts)
                self._made[make] = _joined(make(block) for block in blocks)
        found: Values = self._made[make]
        return found

    def asked(self, make: Callable[[Cells], Fields]) -> Fields:
        """Return ``make(self)``, worked out once for each cell that anybody asks about.

        For what costs so much that it pays to leave out those of a large roster whom nobody looks
        at. Parameters are those of `once`.
        """
        if self.among is None or self.place is None:
            return self.once(make)
        if not len(self):
            return make(self)
        if make not in self.among._rows:
            self.among._rows[make] = FirstAsked(len(self.among))
        rows = self.among._rows[make]
        missing = rows.missing(self.place)
        for start in range(0, len(missing), _BLOCK):
            some = missing[start : start + _BLOCK]
            rows.put(some, make(self.among._some(some)))
        return rows.take(self.place)

    def whole(self, make: Callable[[Cells], T]) -> T:
        """Return ``make(self)`` of all these cells together, worked out on the first call."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

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
        return np.asarray(pick(self.history.once(_platforms), self.profile))

    @cached_property
    def tier(self) -> Floats:
        """Position of the tier in `features.history.TIER_FLOORS`, NaN where unknown."""
        return tier_codes(self.number("followers"))

    @cached_property
    def moment(self) -> Ints:
        """Position of each cell's time among all times."""
        return np.searchsorted(self.times, self.time).astype(np.int64)

    @property
    def past(self) -> Ints:
        """Position among all times past the last moment that each cell stands for."""
        return self.moment + 1 if self.until is None else self.until

    @cached_property
    def segment(self) -> Ints:
        """One code for platform and tier: whom a KOL is compared with; -1 where unknown."""
        known = ~(np.isnan(self.platform) | np.isnan(self.tier))
        code = np.nan_to_num(self.platform) * 8 + np.nan_to_num(self.tier)
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
        rows, (ends, which) = self.once(_latest_posts), self._post_states
        some = np.empty(len(ends), dtype=np.int64)
        some[which] = np.arange(len(which))
        return Recent(self.history.posts, rows[some].astype(np.int64))

    def of_states(self, make: Callable[[Recent], Fields]) -> dict[str, npt.NDArray[Any]]:
        """Return ``make(posts)`` by cell, worked out once for each state of knowledge.

        Parameters
        ----------
        make : callable
            Gives values by row of posts, each resting on that row alone.
        """
        ends, which = self._post_states
        # Where a roster is kept, it keeps what it was asked.
        told = (
            self.history.posts.of_states(make, ends, self.posts)
            if self.history.kept is None
            else make(self.recent)
        )
        return {name: values[which] for name, values in told.items()}

    def of_posts(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Hand what was worked out for each row of `recent` to the cells."""
        return values[self.post_state]

    def quotes_of(self, cells: Ints) -> Ints:
        """Return `quotes` of some cells."""
        if self.among is not None and self.place is not None:
            return self.among.quotes_of(self.place[cells])
        return self.once(_valid_quotes)[cells].astype(np.int64)

    def valid_quotes(self) -> tuple[Ints, Ints]:
        """List the valid quotes of all cells: whose each is, and its row in `History.rates`."""
        owners, found = Spill(np.int64), Spill(np.int64)
        for start in range(0, len(self), _BLOCK):
            rows = self.quotes_of(np.arange(start, min(start + _BLOCK, len(self))))
            owner, quote = np.nonzero(rows >= 0)
            owners.add(owner + start)
            found.add(rows[owner, quote])
        return owners.done(), found.done()

    def quotes_past(self, owner: Ints, rows: Ints) -> Ints:
        """Return where among all times each of the valid quotes runs out, or its cell ends."""
        past = self.past[owner]
        if self.until is None:
            return past
        until = micros(self.history.rates.frame["valid_until"].take(rows))
        ends = np.searchsorted(self.times, until)
        return np.where(until == NEVER, past, np.minimum(past, ends))

    @property
    def quotes(self) -> Ints:
        """Rows of `History.rates`: the latest quotes of each KOL, shape (cells, quotes).

        One for each mode and currency that the KOL ever quoted, by mode in the order of
        `features.history.QUOTED_MODES` and then by currency. The value is -1 where there is none
        or the latest is no longer valid.
        """
        return self.once(_valid_quotes).astype(np.int64)

    @cached_property
    def _valid_quotes(self) -> Ints:
        rows = self.all_quotes
        told, until = rows >= 0, np.full(rows.shape, NEVER)
        # Of these alone: there may be a hundred times as many.
        until[told] = micros(self.history.rates.frame["valid_until"].take(rows[told]))
        return np.where((until == NEVER) | (until > self.time[:, None]), rows, -1)

    @cached_property
    def all_quotes(self) -> Ints:
        """Like `quotes`, with those that ran out."""
        rates = self.history.rates
        ends, which = states(rates.before(self.kol, self.time)[1])
        kol = rates.code_of(ends - 1)
        owner, _ = self.history.quote_series
        order, first, widest = self.history.once(_quote_places)
        wanted = np.searchsorted(owner, kol)[:, None] + np.arange(widest)
        known = np.minimum(wanted, len(owner) - 1)
        own = (wanted < len(owner)) & (pick(owner, known, -1) == kol[:, None]) & (kol >= 0)[:, None]
        cell, column = np.nonzero(own)
        place = wanted[cell, column]
        found = lower_bounds(order, first[place], first[place + 1], ends[cell]) - 1
        rows = np.full(wanted.shape, -1, dtype=np.int64)
        rows[cell, column] = np.where(found >= first[place], pick(order, found, -1), -1)
        return rows[which]


def _quote_places(history: History) -> tuple[Ints, Ints, int]:
    """Return rows of `History.rates` by series, where each series starts, and the most columns."""
    owner, series = history.quote_series
    order = Spill(np.int32)
    for rows, _ in history.rates.blocks(_BLOCK):
        order.add(np.argsort(series[rows], kind="stable") + rows.start)
    # The series of one KOL stand together: as many columns as anybody has.
    first = starts(np.bincount(series, minlength=len(owner)))
    return order.done(), first, int(np.bincount(owner).max(initial=1))


def _latest_posts(cells: Cells) -> npt.NDArray[np.int32]:
    """Return the rows of `Recent` of each cell: many rosters' worth is kept, in half the space."""
    ends, which = cells._post_states
    return cells.history.posts.recent(ends, cells.posts).rows.astype(np.int32)[which]


def _valid_quotes(cells: Cells) -> npt.NDArray[np.int32]:
    return cells._valid_quotes.astype(np.int32)


def _mapped(change: Callable[[Any], Any], values: Any) -> Any:
    """Change one array, or each of several."""
    if isinstance(values, Mapping):
        return {name: change(each) for name, each in values.items()}
    return change(values)


def _joined(parts: Iterator[Any]) -> Any:
    """Put arrays, or those of several names, end to end."""
    first = next(parts)
    several = isinstance(first, Mapping)
    spills: dict[str, Spill] = {}
    for part in chain([first], parts):
        for name, values in (part if several else {"": part}).items():
            if name not in spills:
                spills[name] = Spill(values.dtype, values.shape[1:])
            spills[name].add(values)
    done = {name: spill.done() for name, spill in spills.items()}
    return done if several else done[""]


def _platforms(history: History) -> Floats:
    """Return the position of each profile's platform in `PLATFORMS`, NaN where unknown."""
    names = history.kols.frame["platform"].map(positions(PLATFORMS))
    return np.asarray(names.to_numpy(dtype=np.float64), dtype=np.float64)


def everybody(history: History, times: Ints, posts: int) -> Cells:
    """Return the whole roster over some times: every KOL with a known profile.

    A KOL has a cell where it is first known, and one wherever anything more is known of its
    profile, posts or quotes; each stands for the moments up to the next (`Cells.until`).
    """
    spills = [Spill(np.int64) for _ in range(3)]
    everyone = len(history.kol_ids) if len(times) else 0
    for start in range(0, everyone, _BLOCK):
        spells = _spells(history, times, np.arange(start, min(start + _BLOCK, everyone)))
        for spill, values in zip(spills, spells, strict=True):
            spill.add(values)
    kol, time, until = (spill.done() for spill in spills)
    return Cells(history, kol, time, times, posts, until=until if len(times) > 1 else None)


def _spells(history: History, times: Ints, some: Ints) -> tuple[Ints, Ints, Ints]:
    """Return KOL, time and end of the cells of some KOLs, by KOL and then by time."""
    count = len(times)
    found = [some * count]
    for line in (history.kols, history.posts.seen, history.rates) if count > 1 else ():
        start, stop = line.before(some, np.full(len(some), times[-1]))
        known = line.before(some, np.full(len(some), times[0]))[1]
        rows, place = expand(np.maximum(start, known), stop)
        found.append(some[place] * count + np.searchsorted(times, line.at[rows], side="right"))
    kol, moment = np.divmod(np.unique(np.concatenate(found)), count)
    until = np.full(len(kol), count)
    same = np.flatnonzero(kol[1:] == kol[:-1])
    until[same] = moment[same + 1]
    there = history.kols.last(kol, times[moment]) >= 0
    return kol[there], times[moment[there]], until[there]


def cells_at(history: History, kol: Ints, time: Ints, posts: int) -> Cells:
    """Return KOLs at times, by their codes; some of the roster that is kept, if they are."""
    times = np.unique(time)
    return Cells(history, kol, time, times, posts, *kept_roster(history, times, posts, kol))


def keep_roster(history: History, as_of: pd.Timestamp, posts: int) -> None:
    """Work out what is asked of KOLs for the whole roster of one moment, once, and keep it.

    Worth its while where many briefs are asked about at one moment. Not a digit changes by it.

    Parameters
    ----------
    history : History
        The past, which holds one roster at a time.
    as_of : pandas.Timestamp
        The moment, with a time zone.
    posts : int
        How many latest posts signals look at.
    """
    time = micros(pd.Series([as_of]).astype(TIME))
    kept = history.kept
    if kept is None or kept.times[0] != time[0] or kept.posts != posts:
        history.kept = everybody(history, time, posts)


def kept_roster(
    history: History, times: Ints, posts: int, kol: Ints
) -> tuple[Cells | None, Ints | None]:
    """Return the roster that is kept and where KOLs are in it, if it is of just these times."""
    kept = history.kept
    if kept is None or kept.posts != posts or not np.array_equal(kept.times, times):
        return None, None
    place = np.minimum(np.searchsorted(kept.kol, kol), max(len(kept) - 1, 0))
    # A KOL that was not known at that moment is in no roster.
    known = len(kept) and np.array_equal(kept.kol[place], kol)
    return (kept, place) if known else (None, None)


@cache
def crowd_of(make: Callable[[Cells], Floats]) -> Callable[[Cells], Crowd]:
    """Return what lays out the values of peers; one function for each `make`, to be known by."""
    return lambda peers: Crowd.of(peers.segment, peers.once(make), peers.moment, peers.past)


def alike(cells: Cells) -> Floats:
    """Return the same value for each cell: who is to be counted only."""
    return np.zeros(len(cells))


def stand_among(cells: Cells, peers: Cells, make: Callable[[Cells], Floats]) -> dict[str, Floats]:
    """Return ``count`` and ``share`` by cell: how many peers it has, and who of them is below it.

    Peers are those of the same time, platform and tier, the KOL itself among them.
    """
    crowd = peers.whole(crowd_of(make))
    return crowd.place(cells.segment, cells.moment, cells.once(make))


@cache
def standing_of(make: Callable[[Cells], Floats]) -> Callable[[Cells], dict[str, Floats]]:
    """Return what tells `stand_among` of a roster that is kept, or of some of it."""
    return lambda cells: stand_among(cells, cells if cells.among is None else cells.among, make)
