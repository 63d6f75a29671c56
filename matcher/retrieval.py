"""Whom to rank, where more may serve a brief than can be ranked in time.

Ranking reads a hundred signals of every pair. Retrieval reads a few numbers of every KOL, from
several sources, since no single one finds everybody that ranks high: a quick guess of the ranking,
nearness of content, the like of whom paid off, what a price buys, growth, newness. All filters
come first, so that as many candidates come back as were asked for, if so many may serve.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.search import Found, Places, Search
from features.spill import Spill
from features.statistics import log, ratio
from features.timeline import Bools, Floats, Ints, Timeline, micros, pick
from features.vectors import Vectors
from matcher.config import RetrievalConfig
from matcher.directory import Directory
from matcher.forecast import goals_of
from matcher.likeness import LOOKED_UP, quick_likeness
from matcher.ranker import GOOD
from matcher.scout import Scout

_BLOCK = 16_384
"""KOLs whose likeness is guessed at once."""


class Retrieval:
    """Chooses the candidates of briefs.

    Parameters
    ----------
    history : History
        The past.
    pipeline : FeaturePipeline
        Where vectors come from.
    config : RetrievalConfig
        How many to choose, and shares of the sources.
    scout : Scout, optional
        Guesses the ranking; without one KOLs are ranked by likeness, which is guessed then.
    progress : Progress
        Told while the roster is laid out.
    """

    def __init__(
        self,
        history: History,
        pipeline: FeaturePipeline,
        config: RetrievalConfig,
        scout: Scout | None = None,
        progress: Progress = silent,
    ) -> None:
        self.history = history
        self.pipeline = pipeline
        self.config = config
        self.scout = scout
        self.progress = progress
        self._directory: Directory | None = None

    def directory(self, as_of: pd.Timestamp) -> Directory:
        """Return the roster at a moment; the last one asked for is kept, as a batch asks of one."""
        if self._directory is None or self._directory.as_of != as_of:
            self._directory = Directory(self.history, as_of, self.pipeline, self.progress)
        return self._directory

    def choose(
        self,
        brief_id: str,
        as_of: pd.Timestamp,
        eligible: Ints,
        signals: pd.DataFrame,
        price: Floats,
    ) -> Ints:
        """Choose whom to rank for a brief.

        A KOL's claim is its place in a source over the source's share, the best over all sources;
        the best claims win, and of equal ones the first.

        Parameters
        ----------
        brief_id : str
            The brief.
        as_of : pandas.Timestamp
            Moment of the decision.
        eligible : ndarray of int64, shape (e,)
            Who passed every filter, as positions in the directory, ascending.
        signals : DataFrame, shape (e, ...)
            Their signals of `matcher.scout.FAMILIES`.
        price : ndarray, shape (e,)
            What each of them asks of this brief; NaN where unknown.

        Returns
        -------
        ndarray of int64
            Places in `eligible`, ascending: as many as asked for, or all if they are fewer.
        """
        choice = self.choice(brief_id, as_of)
        choice.add(eligible, signals, price)
        return np.searchsorted(eligible, choice.chosen())

    def choice(self, brief_id: str, as_of: pd.Timestamp) -> Choice:
        """Begin to choose for a brief among KOLs that are shown a few at a time."""
        return Choice(self, brief_id, as_of)


class Choice:
    """Chooses as `Retrieval.choose` does, and holds of each source no more than its best so far.

    Parameters
    ----------
    retrieval : Retrieval
        How to choose.
    brief_id : str
        The brief.
    as_of : pandas.Timestamp
        Moment of the decision.

    Attributes
    ----------
    seen : int
        How many KOLs were shown.
    """

    def __init__(self, retrieval: Retrieval, brief_id: str, as_of: pd.Timestamp) -> None:
        self._retrieval, self._brief_id, self._as_of = retrieval, brief_id, as_of
        self._config, self._scout = retrieval.config, retrieval.scout
        self._count = self._config.candidates
        self.seen = 0
        self._priced = False
        self._first = np.empty(0, dtype=np.int64)
        self._searches: list[Search] = []
        self._leaders: dict[str, list[_Leaders]] = {}
        # Without a scout the guess needs to know who is nearest, which is known last.
        self._told = (Spill(np.int64), Spill(np.float64, (len(LOOKED_UP),)))

    def add(self, eligible: Ints, signals: pd.DataFrame, price: Floats) -> None:
        """Show the next KOLs; parameters are those of `Retrieval.choose`."""
        if not len(eligible):
            return
        self.seen += len(eligible)
        self._search(eligible)
        self._first = np.concatenate([self._first, eligible])[: self._count]
        self._priced |= bool((~np.isnan(price)).any())
        for name, values in self._ahead(signals, price).items():
            leaders = self._leaders.setdefault(name, [_Leaders(self._count) for _ in values])
            for leader, each in zip(leaders, values, strict=True):
                leader.add(eligible, each)
        if self._scout is None and self._config.likely:
            self._told[0].add(eligible)
            self._told[1].add(signals[LOOKED_UP].to_numpy(dtype=np.float64))

    def chosen(self) -> Ints:
        """Return whom of all those shown to rank, as positions in the directory, ascending."""
        if self.seen <= self._count:
            return self._first
        orders = self._orders()
        some = np.unique(np.concatenate([self._first, *(order for _, order in orders)]))
        claim = np.full(len(some), np.inf)
        for share, order in orders:
            at = np.searchsorted(some, order)
            claim[at] = np.minimum(claim[at], np.arange(1, len(order) + 1) / share)
        return np.sort(some[np.argsort(claim, kind="stable")[: self._count]])

    def _search(self, eligible: Ints) -> None:
        """Look for the nearest, once it is clear that not all can be ranked."""
        config = self._config
        if self.seen <= self._count or not config.content + config.lookalikes:
            return
        if not self._searches:
            directory = self._retrieval.directory(self._as_of)
            models = winners(directory, self._brief_id, config)
            for space in directory.spaces:
                places = directory.places(space)
                asked = [directory.brief(space, self._brief_id), _stands(places, models)]
                self._searches.append(places.search(asked, self._count))
            # All who were shown before are among the first, as they were so few.
            for search in self._searches:
                search.look_at(self._first)
        for search in self._searches:
            search.look_at(eligible)

    def _orders(self) -> list[tuple[float, Ints]]:
        """Return the share and order of each source."""
        config = self._config
        nearest = [search.found() for search in self._searches]
        shares = (config.content, config.lookalikes)
        orders = [
            (share / len(nearest), found.owners)
            for both in nearest
            for share, found in zip(shares, both, strict=True)
            if share
        ]
        leaders = dict(self._leaders)
        cost = "efficient" if self._priced else "free"
        leaders["efficient"] = leaders.pop(cost)
        leaders.pop("free", None)
        if self._scout is None and config.likely:
            leaders["likely"] = [self._guessed([content for content, _ in nearest])]
        for name, every in leaders.items():
            if share := getattr(config, name):
                orders += [(share / len(every), leader.order()) for leader in every]
        return orders

    def _ahead(self, signals: pd.DataFrame, price: Floats) -> dict[str, list[Floats]]:
        """Return the numbers that each other source compares, by its share's name.

        ``free`` stands for ``efficient`` where no price is known of anybody.
        """
        growth = [signals[f"growth.{name}"].to_numpy() for name in ("followers_90", "views")]
        told = {
            "efficient": _efficiency(signals, price),
            "free": _efficiency(signals, np.ones(len(price))),
            "rising": growth,
            "new": [-signals["growth.observed_days"].to_numpy()],
        }
        return told if self._scout is None else {"likely": [self._scout(signals)], **told}

    def _guessed(self, nearest: list[Found]) -> _Leaders:
        """Rank by a quick guess of likeness.

        The cosine of those that are not among the nearest is at most that of the last one found,
        which stands in for it.
        """
        leader = _Leaders(self._count)
        owners, told = (spill.done() for spill in self._told)
        for start in range(0, len(owners), _BLOCK):
            part = slice(start, start + _BLOCK)
            content = np.zeros(len(owners[part]))
            for found in nearest:
                whole = len(found.owners) == self._count
                cosine = np.full(len(content), found.cosines[-1] if whole else 0.0)
                at = np.searchsorted(owners[part], found.owners)
                mine = pick(owners[part], np.where(at < len(content), at, -1), -1) == found.owners
                cosine[at[mine]] = found.cosines[mine]
                content += cosine / len(nearest)
            signals = pd.DataFrame(told[part], columns=list(LOOKED_UP))
            leader.add(owners[part], quick_likeness(signals, content))
        return leader


class _Leaders:
    """The highest known values of those shown so far; of equals the first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.places = np.empty(0, dtype=np.int64)
        self._values = np.empty(0)

    def add(self, places: Ints, values: Floats) -> None:
        """Show some, ascending and beyond all those shown before."""
        if len(self.places) == self._count:
            # An equal one comes after those that are there.
            kept = np.flatnonzero(values > self._values.min())
            places, values = places[kept], values[kept]
        every, all_values = np.append(self.places, places), np.append(self._values, values)
        kept = np.sort(_highest(all_values, self._count))
        self.places, self._values = every[kept], all_values[kept]

    def order(self) -> Ints:
        """Return whose values they are, the highest first."""
        return self.places[_highest(self._values, self._count)]


def _stands(places: Places, owners: Ints) -> Vectors:
    """Return where some owners stand, in their heaviest topic."""
    there = owners[places.start[owners + 1] > places.start[owners]]
    return places.vectors[places.start[there]]


def _highest(values: Floats, count: int) -> Ints:
    """Return the places of the highest known values, the highest first, of equals the first."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) > count:
        floor = np.partition(values[known], len(known) - count)[len(known) - count]
        known = known[values[known] >= floor]
    return known[np.lexsort((known, -values[known]))][:count]


def _efficiency(signals: pd.DataFrame, price: Floats) -> list[Floats]:
    """Return logs of what a price buys, as the brief's goal counts: views, engagements or both."""
    views = signals["reach.median_views"].to_numpy()
    acts = views + log(signals["engagement.rate"].to_numpy())
    # A barter costs next to nothing, and least of all.
    cost = log(np.where(price == 0, 1e-9, price))
    goal = goals_of(signals.head(1)).iloc[0]
    wanted = {"awareness": [views], "conversion": [views, acts]}.get(goal, [acts])
    return [value - cost for value in wanted]


def winners(directory: Directory, brief_id: str, config: RetrievalConfig) -> Ints:
    """Return whom such briefs did well with: positions in the directory, ascending.

    Those whose past collaborations brought most per unit of cost, in the brief's vertical and for
    its brand, as its goal counts; those that judges graded 3 or more in the vertical; and whom
    the brand signed last. At most ``config.winners`` of each. What is known of the brief itself
    is left out: a list does not learn from its own end.
    """
    history, at = directory.history, micros(pd.Series([directory.as_of]))[0]
    brief = history.briefs.iloc[int(history.brief_ids.get_loc(brief_id))]

    def known(line: Timeline) -> Bools:
        return np.asarray((line.at < at) & (line.frame["brief_id"] != brief_id).to_numpy())

    def best(values: pd.Series[Any]) -> Ints:
        """Return the codes, which are the index, of the highest values."""
        highest = _highest(values.to_numpy(dtype=np.float64), config.winners)
        return values.index.to_numpy(dtype=np.int64)[highest]

    found = []
    goal = "views_value" if brief["goal"] == "awareness" else "engagements_value"
    outcomes = history.counted("outcomes", "kol")
    past = known(outcomes) & _same(outcomes.frame["currency"], brief["currency"])
    for side in ("vertical", "brand_id"):
        mine = np.flatnonzero(past & _is(outcomes.frame[side], brief[side]))
        sums = outcomes.frame[[goal, f"{goal}_count"]].iloc[mine].groupby(outcomes.code[mine]).sum()
        returned = ratio(sums[goal].to_numpy(), sums[f"{goal}_count"].to_numpy())
        found.append(best(pd.Series(returned, index=sums.index)))

    judged = history.judgments
    mine = np.flatnonzero(known(judged) & _is(judged.frame["vertical"], brief["vertical"]))
    told = judged.frame.iloc[mine]
    means = told["grade"].groupby(history.kol_codes(told["kol_id"])).mean()
    found.append(best(means[means >= GOOD]))

    signings = history.counted("signings", "kol")
    mine = np.flatnonzero(known(signings) & _is(signings.frame["brand_id"], brief["brand_id"]))
    found.append(best(pd.Series(signings.at[mine]).groupby(signings.code[mine]).max()))
    return np.flatnonzero(np.isin(directory.codes, np.concatenate(found)))


def _is(column: pd.Series[Any], value: Any) -> Bools:
    """Return where a column holds a value; nowhere, for a value that is not told."""
    return np.zeros(len(column), dtype=bool) if pd.isna(value) else _equal(column, value)


def _same(column: pd.Series[Any], value: Any) -> Bools:
    """Return where a column holds a value; everywhere, for a value that is not told."""
    return np.ones(len(column), dtype=bool) if pd.isna(value) else _equal(column, value)


def _equal(column: pd.Series[Any], value: Any) -> Bools:
    return np.asarray((column == value).fillna(False), dtype=bool)
