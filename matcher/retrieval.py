"""Whom to rank, where more may serve a brief than can be ranked in time.

Ranking reads a hundred signals of every pair. Retrieval reads a few numbers of every KOL, from
several sources, since no single one finds everybody that ranks high: nearness of content, the like
of whom paid off, what a price buys, growth, newness. All filters come first, so that as many
candidates come back as were asked for, if so many may serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from features.history import History
from features.search import Found, Places
from features.statistics import ratio
from features.timeline import Bools, Floats, Ints, micros
from features.vectors import Vectors
from matcher.config import RetrievalConfig
from matcher.directory import Directory

_GOOD = 3.0
"""Grade from which a judge thought well of a KOL."""


def retrieve(
    directory: Directory,
    brief_id: str,
    eligible: Ints,
    price: Floats,
    count: int,
    config: RetrievalConfig,
) -> Ints:
    """Choose the candidates of a brief.

    Parameters
    ----------
    directory : Directory
        The roster.
    brief_id : str
        The brief.
    eligible : ndarray of int64, shape (e,)
        Who passed every filter, as positions in the directory, ascending.
    price : ndarray, shape (e,)
        What each of them asks of this brief; NaN where unknown.
    count : int
        How many candidates to choose.
    config : RetrievalConfig
        Shares of the sources.

    Returns
    -------
    ndarray of int64, shape (min(e, count),)
        Positions in the directory, ascending. A KOL's claim is its place in a source over the
        source's share, the best over all sources; the best claims win, and of equal ones the
        first position.
    """
    if len(eligible) <= count:
        return eligible
    claim = np.full(len(directory), np.inf)
    for share, order in _orders(directory, brief_id, eligible, price, count, config):
        claim[order] = np.minimum(claim[order], np.arange(1, len(order) + 1) / share)
    best = np.lexsort((eligible, claim[eligible]))[:count]
    return np.sort(eligible[best])


def _orders(
    directory: Directory,
    brief_id: str,
    eligible: Ints,
    price: Floats,
    count: int,
    config: RetrievalConfig,
) -> Iterator[tuple[float, Ints]]:
    """Yield the share of each source, and whom it would take first."""
    spaces = directory.spaces
    if config.content:
        for space in spaces:
            asked = directory.brief(space, brief_id)
            yield (
                config.content / len(spaces),
                _nearest(directory.places(space), asked, eligible, count),
            )
    if config.lookalikes:
        models = np.flatnonzero(np.isin(directory.codes, winners(directory, brief_id, config)))
        for space in spaces:
            places = directory.places(space)
            asked = _stands(places, models)
            yield config.lookalikes / len(spaces), _nearest(places, asked, eligible, count)
    numbers = directory.numbers.iloc[eligible]
    if config.efficient:
        values = _efficiency(directory, brief_id, numbers, price)
        for value in values:
            yield config.efficient / len(values), _highest(value, eligible, count)
    if config.rising:
        for name in ("growth.followers_90", "growth.views"):
            yield config.rising / 2, _highest(numbers[name].to_numpy(), eligible, count)
    if config.new:
        newness = -numbers["growth.observed_days"].to_numpy()
        yield config.new, _highest(newness, eligible, count)


def _nearest(places: Places, asked: Vectors, eligible: Ints, count: int) -> Ints:
    found: list[Found] = places.nearest([asked], eligible, count)
    return found[0].owners


def _stands(places: Places, owners: Ints) -> Vectors:
    """Return where some owners stand, in their heaviest topic."""
    there = owners[places.start[owners + 1] > places.start[owners]]
    return places.vectors[places.start[there]]


def _highest(values: Floats, eligible: Ints, count: int) -> Ints:
    """Return who has the highest known values, of equals the first."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) > count:
        floor = np.partition(values[known], len(known) - count)[len(known) - count]
        known = known[values[known] >= floor]
    return eligible[known[np.lexsort((known, -values[known]))][:count]]


def _efficiency(
    directory: Directory, brief_id: str, numbers: pd.DataFrame, price: Floats
) -> list[Floats]:
    """Return logs of what a price buys, as the brief's goal counts: views, engagements or both.

    Where no price is known of anybody, what there is to buy.
    """
    views = numbers["reach.median_views"].to_numpy()
    rate = numbers["engagement.rate"].to_numpy()
    acts = views + np.log(rate, out=np.full(len(rate), np.nan), where=rate > 0)
    cost = np.log(price, out=np.full(len(price), np.nan), where=price > 0)
    if np.isnan(cost).all():
        cost = np.zeros(len(price))
    goal = directory.history.briefs["goal"].iloc[_brief_code(directory.history, brief_id)]
    wanted = {"awareness": [views]}.get(
        str(goal), [views, acts] if goal == "conversion" else [acts]
    )
    return [value - cost for value in wanted]


def winners(directory: Directory, brief_id: str, config: RetrievalConfig) -> Ints:
    """Return whom such briefs did well with: codes of KOLs, ascending.

    Those whose past collaborations brought most per unit of cost, in the brief's vertical and for
    its brand, as its goal counts; those that judges graded 3 or more in the vertical; and whom
    the brand signed last. At most ``config.winners`` of each. What is known of the brief itself
    is left out: a list does not learn from its own end.
    """
    history, at = directory.history, micros(pd.Series([directory.as_of]))[0]
    brief = history.briefs.iloc[_brief_code(history, brief_id)]
    goal = "views_value" if brief["goal"] == "awareness" else "engagements_value"
    found = [np.empty(0, dtype=np.int64)]

    outcomes = history.counted("outcomes", "kol")
    frame = outcomes.frame
    past = (outcomes.at < at) & (frame["brief_id"] != brief_id).to_numpy()
    past &= _same(frame["currency"], brief["currency"])
    for side in ("vertical", "brand_id"):
        mine = np.flatnonzero(past & _is(frame[side], brief[side]))
        sums = frame.iloc[mine].groupby(outcomes.code[mine])[[goal, f"{goal}_count"]].sum()
        returned = ratio(sums[goal].to_numpy(), sums[f"{goal}_count"].to_numpy())
        found.append(_highest(returned, sums.index.to_numpy(dtype=np.int64), config.winners))

    judged = history.judgments.frame
    past = (history.judgments.at < at) & (judged["brief_id"] != brief_id).to_numpy()
    mine = np.flatnonzero(past & _is(judged["vertical"], brief["vertical"]))
    grades = judged["grade"].iloc[mine].groupby(history.kol_codes(judged["kol_id"].iloc[mine]))
    means = grades.mean()
    means = means[means >= _GOOD]
    found.append(_highest(means.to_numpy(), means.index.to_numpy(dtype=np.int64), config.winners))

    signings = history.counted("signings", "kol")
    mine = np.flatnonzero(
        (signings.at < at)
        & _is(signings.frame["brand_id"], brief["brand_id"])
        & (signings.frame["brief_id"] != brief_id).to_numpy()
    )
    last = pd.Series(signings.at[mine]).groupby(signings.code[mine]).max()
    latest = last.to_numpy(dtype=np.float64)
    found.append(_highest(latest, last.index.to_numpy(dtype=np.int64), config.winners))
    return np.unique(np.concatenate(found))


def _brief_code(history: History, brief_id: str) -> int:
    return int(history.brief_ids.get_loc(brief_id))


def _is(column: pd.Series[Any], value: Any) -> Bools:
    """Return where a column holds a value; nowhere, for a value that is not told."""
    return np.zeros(len(column), dtype=bool) if pd.isna(value) else _equal(column, value)


def _same(column: pd.Series[Any], value: Any) -> Bools:
    """Return where a column holds a value; everywhere, for a value that is not told."""
    return np.ones(len(column), dtype=bool) if pd.isna(value) else _equal(column, value)


def _equal(column: pd.Series[Any], value: Any) -> Bools:
    return np.asarray((column == value).fillna(False), dtype=bool)
