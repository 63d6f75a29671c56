"""Whom to rank, where more may serve a brief than can be ranked in time.

Ranking reads a hundred signals of every pair. Retrieval reads a few numbers of every KOL, from
several sources, since no single one finds everybody that ranks high: a quick guess of the ranking,
nearness of content, the like of whom paid off, what a price buys, growth, newness. All filters
come first, so that as many candidates come back as were asked for, if so many may serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.search import Places
from features.statistics import log, ratio
from features.timeline import Bools, Floats, Ints, Timeline, micros
from features.vectors import Vectors
from matcher.config import RetrievalConfig
from matcher.directory import Directory
from matcher.forecast import goals_of
from matcher.likeness import quick_likeness
from matcher.ranker import GOOD
from matcher.scout import Scout


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
        count = self.config.candidates
        if len(eligible) <= count:
            return np.arange(len(eligible))
        claim = np.full(len(eligible), np.inf)
        near, content = self._near(brief_id, as_of, eligible)
        for share, order in (*near, *self._ahead(signals, price, content)):
            claim[order] = np.minimum(claim[order], np.arange(1, len(order) + 1) / share)
        return np.sort(np.argsort(claim, kind="stable")[:count])

    def _near(
        self, brief_id: str, as_of: pd.Timestamp, eligible: Ints
    ) -> tuple[list[tuple[float, Ints]], Floats]:
        """Return the share and order of each source that compares vectors, and content's cosines.

        The cosine of those that are not among the nearest is at most that of the last one found,
        which stands in for it.
        """
        orders: list[tuple[float, Ints]] = []
        content = np.zeros(len(eligible))
        if not self.config.content + self.config.lookalikes:
            return orders, content
        directory = self.directory(as_of)
        models = winners(directory, brief_id, self.config)
        for space in directory.spaces:
            places = directory.places(space)
            asked = [directory.brief(space, brief_id), _stands(places, models)]
            shares = (self.config.content, self.config.lookalikes)
            nearest = places.nearest(asked, eligible, self.config.candidates)
            places_of = [np.searchsorted(eligible, found.owners) for found in nearest]
            orders += [
                (share / len(directory.spaces), order)
                for share, order in zip(shares, places_of, strict=True)
                if share
            ]
            whole = len(places_of[0]) == self.config.candidates
            cosine = np.full(len(eligible), nearest[0].cosines[-1] if whole else 0.0)
            cosine[places_of[0]] = nearest[0].cosines
            content += cosine / len(directory.spaces)
        return orders, content

    def _ahead(
        self, signals: pd.DataFrame, price: Floats, content: Floats
    ) -> Iterator[tuple[float, Ints]]:
        """Yield the share and order of each source that compares numbers."""
        config = self.config
        scout = self.scout
        guess = quick_likeness(signals, content) if scout is None else scout(signals)
        growth = [signals[f"growth.{name}"].to_numpy() for name in ("followers_90", "views")]
        sources = [
            (config.likely, [guess]),
            (config.efficient, _efficiency(signals, price)),
            (config.rising, growth),
            (config.new, [-signals["growth.observed_days"].to_numpy()]),
        ]
        for share, orders in sources:
            for values in orders if share else ():
                yield share / len(orders), _highest(values, config.candidates)


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
    """Return logs of what a price buys, as the brief's goal counts: views, engagements or both.

    Where no price is known of anybody, what there is to buy.
    """
    views = signals["reach.median_views"].to_numpy()
    acts = views + log(signals["engagement.rate"].to_numpy())
    # A barter costs next to nothing, and least of all.
    cost = log(np.where(price == 0, 1e-9, price))
    if np.isnan(cost).all():
        cost = np.zeros(len(price))
    goal = goals_of(signals).iloc[0]
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
