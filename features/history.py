"""What was known when: the only look-ups into the past.

`features.tables.Tables.as_of` defines what is known before a time. The look-ups here answer the
same without cutting the tables: each table becomes a `Timeline`, sorted by id and by the time its
rows became known, in which one binary search finds how many rows of an id were known strictly
before ``as_of``. Whatever is computed from such a window depends on its rows and nothing else, to
the last bit: sums run along the rows of one id and never across ids.

Ids become integer codes, times become microseconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.contract import MODES, SPECS
from features.events import (
    brand_events,
    delivery_events,
    judgment_events,
    outcome_events,
    signing_events,
    status_events,
)
from features.mapped import taken
from features.postlog import PostLog
from features.spill import Spill, joined, spilled
from features.tables import Tables
from features.timeline import NEVER, Bools, Floats, Ints, Timeline, micros
from features.vectors import text_keys

if TYPE_CHECKING:
    from features.roster import Cells

T = TypeVar("T")
_ROWS = 262_144
"""Rows whose ids or texts are held at once."""
TIER_FLOORS = {"nano": 0, "micro": 10_000, "mid": 100_000, "macro": 500_000, "mega": 1_000_000}
"""Fewest followers of each tier; customary bounds of influencer marketing."""
LATE_DAYS = 45
"""Days from signing to publication after which a delivery is late: script, shooting and two rounds
of changes take two to four weeks."""
QUOTED_MODES = tuple(sorted(MODES))
"""Modes in the order in which quotes are laid out, so that the first of equals is first by name."""


def tier_codes(followers: Floats) -> Floats:
    """Return the position of each tier in `TIER_FLOORS`, NaN where followers are unknown."""
    floors = np.array(list(TIER_FLOORS.values()), dtype=np.float64)
    codes = np.searchsorted(floors, followers, side="right") - 1.0
    return np.where(np.isnan(followers), np.nan, codes)


class History:
    """All tables, ready to be asked what was known before a time.

    Timelines are built on first use and kept. Nothing here knows "now".

    Parameters
    ----------
    tables : Tables
        The whole past and, harmlessly, the future.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        # Of objects: an index of another type would be turned into one at each look-up.
        ids = np.sort(tables.kols["kol_id"].unique().astype(object))
        self.kol_ids = pd.Index(ids, dtype=object)
        self.briefs = tables.briefs.sort_values("brief_id", ignore_index=True)
        self.brief_ids = pd.Index(self.briefs["brief_id"], dtype=object)
        names = [*tables.briefs["brand_id"], *tables.posts["brand_id"].dropna().unique()]
        self.brand_ids = pd.Index(sorted({name for name in names if isinstance(name, str)}))
        self.verticals = pd.Index(sorted(set(tables.briefs["vertical"].dropna())))
        self.currencies = pd.Index(
            sorted(
                set(tables.rates["currency"].dropna())
                | set(tables.briefs["currency"].dropna())
                | set(tables.collaborations["currency"].dropna())
            )
        )
        self.kept: Cells | None = None
        """The roster of one moment, where somebody asked to keep it (`features.roster`)."""
        self._counted: dict[tuple[str, ...], Timeline] = {}
        self._made: dict[Callable[[History], Any], Any] = {}
        self._vectors: dict[tuple[str, str], Timeline] = {}

    def once(self, make: Callable[[History], T]) -> T:
        """Return ``make(self)``, worked out on the first call: what rests on the tables alone."""
        if make not in self._made:
            self._made[make] = make(self)
        result: T = self._made[make]
        return result

    # -- codes -------------------------------------------------------------------------------

    def kol_codes(self, ids: Iterable[Any]) -> Ints:
        """Return the position of each KOL id in `kol_ids`, -1 where unknown."""
        return codes_in(self.kol_ids, ids)

    def brands_named(self, names: pd.Series[Any]) -> Ints:
        """Return the code of each brand, called by its id or its name; -1 where unknown."""
        codes = codes_in(self.brand_ids, names)
        by_name = codes_in(self.brand_ids, [self._brands_by_name.get(name) for name in names])
        return np.where(codes >= 0, codes, by_name)

    @cached_property
    def brand_names(self) -> dict[Any, str]:
        """What each brand is called, by its id: by the first brief that tells."""
        told = self.briefs.dropna(subset=["brand_name"]).drop_duplicates("brand_id")
        return dict(zip(told["brand_id"], told["brand_name"], strict=True))

    @cached_property
    def _brands_by_name(self) -> dict[Any, Any]:
        called = self.briefs[["brand_name", "brand_id"]].dropna().drop_duplicates()
        # A name that several brands bear names none of them.
        called = called.drop_duplicates("brand_name", keep=False)
        return dict(zip(called["brand_name"], called["brand_id"], strict=True))

    @cached_property
    def brief_brand(self) -> Ints:
        """Brand code of each brief."""
        return codes_in(self.brand_ids, self.briefs["brand_id"])

    @cached_property
    def brief_vertical(self) -> Ints:
        """Vertical code of each brief, -1 where it names none."""
        return codes_in(self.verticals, self.briefs["vertical"])

    @cached_property
    def brief_currency(self) -> Ints:
        """Currency code of each brief, -1 where it names none."""
        return codes_in(self.currencies, self.briefs["currency"])

    def told(self, table: str, time: Ints) -> Bools:
        """Return whether anything at all in a table was known strictly before each time.

        Where nothing was, a count of 0 would claim that somebody looked.
        """
        known = micros(getattr(self.tables, table)[SPECS[table].known_at])
        known = known[known != NEVER]
        return np.asarray(time > known.min(initial=np.iinfo(np.int64).max))

    # -- timelines ---------------------------------------------------------------------------

    @cached_property
    def kols(self) -> Timeline:
        """Profiles by KOL."""
        return self._of_kols(self.tables.kols, "observed_at")

    @cached_property
    def posts(self) -> PostLog:
        """Posts by KOL."""
        return PostLog(self._of_kols(self.tables.posts, "observed_at", "post_id"))

    def sampled_texts(self, time: int, count: int) -> Ints:
        """Return some of the distinct texts of posts that were known strictly before a time.

        Those whose content hash is lowest: a text is in or out whatever the others' order, and
        few change from one time to the next.

        Parameters
        ----------
        time : int
            Microseconds since 1970.
        count : int
            How many at most; all, if they are fewer.

        Returns
        -------
        ndarray of int64
            Codes of texts as in `PostLog.texts`, by content hash.
        """
        code, known = self._texts_by_hash
        found, start = np.empty(0, dtype=np.int64), 0
        # Those wanted are among the first, unless most came later.
        while start < len(known) and len(found) < count:
            some = np.flatnonzero(known[start : start + 4 * count] < time) + start
            found, start = np.append(found, some), start + 4 * count
        return np.asarray(code[found[:count]], dtype=np.int64)

    @cached_property
    def _texts_by_hash(self) -> tuple[npt.NDArray[np.int32], Ints]:
        """Codes of the distinct texts of posts that say anything, and when each became known.

        A post of a KOL that nobody had seen a profile of is not known either.
        """
        seen, (code, names) = self.posts.seen, self.posts.texts
        never = np.iinfo(np.int64).max
        profiled = np.full(len(self.kol_ids), never)
        np.minimum.at(profiled, self.kols.code, self.kols.at)
        known = np.full(len(names), never)
        for rows, kol in seen.blocks(_ROWS):
            np.minimum.at(known, code[rows], np.maximum(seen.at[rows], profiled[kol]))
        keys = Spill(np.uint64)
        for start in range(0, len(names), _ROWS):
            part = names[start : start + _ROWS]
            keys.add(np.array([int(key[:16], 16) for key in text_keys(part)], dtype=np.uint64))
            silent = [start + at for at, text in enumerate(part) if not text.strip()]
            known[silent] = never
        key = keys.done()
        # Equal texts of two KOLs may have two codes: the text is known with the earlier.
        order = np.lexsort((known, key))
        order = order[known[order] < never]
        opens = np.ones(len(order), dtype=bool)
        opens[1:] = key[order[1:]] != key[order[:-1]]
        return spilled(order[opens].astype(np.int32)), spilled(known[order[opens]])

    @cached_property
    def rates(self) -> Timeline:
        """Quotes by KOL."""
        return self._of_kols(self.tables.rates, "quoted_at", "mode")

    @cached_property
    def quote_series(self) -> tuple[Ints, Ints]:
        """Quotes of one KOL in one mode and currency, by KOL, mode and currency.

        A KOL may ask for two currencies at once: a quote in one says nothing of that in the other.

        Returns
        -------
        owner : ndarray of int64
            KOL of each series.
        series : ndarray of int64
            For each row of `rates`, its place in `owner`.
        """
        sizes = (len(QUOTED_MODES) + 1, len(self.currencies) + 1)
        owner, series = Spill(np.int64), Spill(np.int32)
        for rows, kol in self.rates.blocks(_ROWS):
            joint = (kol * sizes[0] + self.rate_mode[rows] + 1) * sizes[1]
            kinds, which = np.unique(joint + self.rate_currency[rows] + 1, return_inverse=True)
            series.add(which.ravel() + owner.rows)
            owner.add(kinds // (sizes[0] * sizes[1]))
        return owner.done(), series.done()

    @cached_property
    def rate_mode(self) -> Ints:
        """Position in `QUOTED_MODES` of each row of `rates`."""
        return codes_in(pd.Index(QUOTED_MODES), self.rates.frame["mode"])

    @cached_property
    def rate_currency(self) -> Ints:
        """Position in `currencies` of each row of `rates`."""
        return codes_in(self.currencies, self.rates.frame["currency"])

    @cached_property
    def rate_price(self) -> Floats:
        """Price of each row of `rates`."""
        return self.rates.frame["price"].to_numpy(dtype=np.float64)

    @cached_property
    def incidents(self) -> Timeline:
        """Incidents by KOL."""
        return self._of_kols(self.tables.incidents, "known_at", "incident_id")

    @cached_property
    def statuses(self) -> Timeline:
        """How collaborations went, by KOL, when it became known."""
        events = status_events(self.tables)
        return self._of_kols(events, "known_at", "collaboration_id")

    @cached_property
    def deliveries(self) -> Timeline:
        """Delivered collaborations by KOL, and which of them were late."""
        events = delivery_events(self.tables, LATE_DAYS)
        return self._of_kols(events, "known_at", "collaboration_id")

    @cached_property
    def judgments(self) -> Timeline:
        """Grades by KOL and the brief's vertical; ask with ``joint(kol=..., vertical=...)``."""
        events = judgment_events(self.tables)
        code = self._event_codes(events, "kol", "vertical")
        return Timeline(events, code, micros(events["judged_at"]), ties=("brief_id", "judge"))

    @cached_property
    def brand_work(self) -> Timeline:
        """Paid work of a KOL for a brand; ask with ``joint(kol=..., brand=...)``."""
        events = brand_events(self.tables)
        code = self._event_codes(events, "kol", "brand")
        at, ties = micros(events["known_at"]), ("kind", "event_id")
        return Timeline(events, code, at, ties=ties, taken=taken)

    @cached_property
    def brand_work_by_kol(self) -> Timeline:
        """Paid work of a KOL for any brand."""
        return self._of_kols(brand_events(self.tables), "known_at", "kind", "event_id")

    @cached_property
    def _events(self) -> dict[str, pd.DataFrame]:
        return {"signings": signing_events(self.tables), "outcomes": outcome_events(self.tables)}

    def counted(self, events: str, *by: str) -> Timeline:
        """Return signings or outcomes as a timeline by one or more of their sides.

        Parameters
        ----------
        events : str
            ``"signings"`` (`features.events.signing_events`) or ``"outcomes"``
            (`features.events.outcome_events`).
        *by : str
            Among kol, brand, vertical, mode, currency. Ask with `joint` of the same.
        """
        if (events, *by) not in self._counted:
            frame = self._events[events]
            self._counted[(events, *by)] = Timeline(
                frame,
                self._event_codes(frame, *by),
                micros(frame["known_at"]),
                ties=("collaboration_id",),
            )
        return self._counted[(events, *by)]

    def vectors(self, owner: str, space: str) -> Timeline:
        """Users' vectors of one space, by brief or KOL (`owner` is ``"brief"`` or ``"kol"``)."""
        if (owner, space) not in self._vectors:
            frame = self.tables.vectors
            frame = frame[(frame["owner"] == owner) & (frame["space"] == space)]
            code = codes_in(self.kol_ids if owner == "kol" else self.brief_ids, frame["id"])
            self._vectors[(owner, space)] = Timeline(frame, code, micros(frame["observed_at"]))
        return self._vectors[(owner, space)]

    def joint(self, **codes: Ints) -> Ints:
        """Return one code for several sides, -1 where one of them is unknown.

        Examples
        --------
        ``history.joint(kol=kol_codes, brand=brand_codes)``
        """
        arrays = list(codes.values())
        joined = np.zeros(len(arrays[0]), dtype=np.int64)
        for side, code in codes.items():
            joined = joined * max(len(self._sides[side]), 1) + code
        known = np.all([code >= 0 for code in arrays], axis=0)
        return np.where(known, joined, -1)

    @cached_property
    def _sides(self) -> dict[str, pd.Index[Any]]:
        return {
            "kol": self.kol_ids,
            "brand": self.brand_ids,
            "vertical": self.verticals,
            "mode": pd.Index(QUOTED_MODES),
            "currency": self.currencies,
        }

    def _event_codes(self, events: pd.DataFrame, *by: str) -> Ints:
        columns = {"kol": "kol_id", "brand": "brand_id"}
        codes = {s: codes_in(self._sides[s], events[columns.get(s, s)]) for s in by}
        return self.joint(**codes)

    def _of_kols(self, frame: pd.DataFrame, at: str, *ties: str) -> Timeline:
        code = self.kol_codes(frame["kol_id"])
        return Timeline(frame, code, _in_blocks(micros, frame[at]), ties=ties, taken=taken)


def codes_in(index: pd.Index[Any], ids: Iterable[Any]) -> Ints:
    """Return the position of each id in a unique index, -1 where it is not there or null."""
    values = pd.Series(ids, dtype=object) if not isinstance(ids, pd.Series) else ids
    return _in_blocks(lambda some: _codes_in(index, some), values)


def _in_blocks(make: Callable[[pd.Series[Any]], Ints], values: pd.Series[Any]) -> Ints:
    """Return ``make(values)``, which rests on each value alone; in a file if there are many."""
    if len(values) <= _ROWS:
        return make(values)
    starts = range(0, len(values), _ROWS)
    return joined(make(values.iloc[start : start + _ROWS]) for start in starts)


def _codes_in(index: pd.Index[Any], values: pd.Series[Any]) -> Ints:
    # Ids repeat: look up each distinct one once.
    which, names = pd.factorize(values.astype(object), use_na_sentinel=True)
    index = index if index.dtype == object else index.astype(object)
    found = np.append(index.get_indexer(pd.Index(names, dtype=object)), -1).astype(np.int64)
    return found[which]


def roster(history: History, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return each KOL's latest profile known strictly before a time.

    Parameters
    ----------
    history : History
        All tables.
    as_of : pandas.Timestamp
        Time zone aware.

    Returns
    -------
    pandas.DataFrame
        KOLS: one row a KOL, sorted by ``kol_id``. KOLs not yet observed are not in it.
    """
    codes = np.arange(len(history.kol_ids))
    at = np.full(len(codes), micros(pd.Series([as_of]))[0])
    rows = history.kols.last(codes, at)
    return taken(history.kols.frame, rows[rows >= 0])
