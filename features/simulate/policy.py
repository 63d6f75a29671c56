"""The agency of the simulated world: whom it looked at, whom it chose, and what came of that.

For each brief the agency sees a list of at most `SHOWN` KOLs, drawn without replacement from those
that offer an allowed mode on an allowed platform within the price limit (Gumbel top-k over a score
that favours followers, the brief's vertical and KOLs the brand knows). From the list it contacts
each KOL independently with the probability logged as ``propensity``: the chance of being *contacted
given the list*, exact by construction. It is the softmax of a second score, scaled so that about
`CONTACTED` KOLs are contacted and clipped to `PROPENSITY_RANGE`. Where attention wanes along the
list it is moreover in proportion to the chance that a place is looked at, ``1 / place**attention``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.contract import MODES
from features.simulate.clock import DAYS, at, to_time
from features.simulate.demand import Demand
from features.simulate.market import MEDIAN_FOLLOWERS, Market
from features.simulate.offers import Board, Quotes
from features.simulate.topics import Bools, Floats, Ints
from features.simulate.truth import accept_chance, cancel_chance, fit, fit_effect

SHOWN = 30
CONTACTED = 10.0
PROPENSITY_RANGE = (0.03, 0.9)


@dataclass(frozen=True)
class Log:
    """What was shown and chosen; arrays of shape (n,), one element a KOL on a brief's list.

    Days are NaN for what never happened.
    """

    brief: Ints
    kol: Ints
    mode: Ints
    price: Floats
    position: Ints
    propensity: Floats
    contacted: Bools
    accepted: Bools
    cancelled: Bools
    shown: Floats
    answered: Floats
    signed: Floats
    ended: Floats
    """Day of publication, or of cancellation."""

    @property
    def delivered(self) -> Bools:
        """Which were published before the end of history."""
        done: Bools = self.accepted & ~self.cancelled & (self.ended < DAYS)
        return done


def draw_log(
    rng: np.random.Generator,
    market: Market,
    demand: Demand,
    quotes: Quotes,
    attention: float = 0.0,
) -> Log:
    """Replay the agency's decisions in the order of time.

    The draws are the same whatever the attention, and so is the first list.
    """
    board = Board(quotes, len(market))
    acquainted: dict[int, Bools] = {}
    lists = []
    decided = np.flatnonzero(~demand.is_open)
    for brief in decided[np.argsort(demand.day[decided], kind="stable")]:
        known = acquainted.setdefault(int(demand.brand[brief]), np.zeros(len(market), dtype=bool))
        shown = _decide(rng, market, demand, board, int(brief), known, attention)
        known[shown["kol"][shown["contacted"]]] = True
        lists.append(shown)
    columns = {name: np.concatenate([part[name] for part in lists]) for name in lists[0]}
    return _follow_up(rng, market, demand, columns)


def _decide(
    rng: np.random.Generator,
    market: Market,
    demand: Demand,
    board: Board,
    brief: int,
    known: Bools,
    attention: float,
) -> dict[str, Floats]:
    day = float(demand.day[brief])
    prices = np.where(demand.modes[brief], board.prices(day), np.nan)
    prices = np.where(prices <= demand.limit[brief], prices, np.nan)
    size = at(market.log_followers, np.full(len(market), day))
    may = demand.platforms[brief][market.platform] & (market.joined < day)
    may &= size >= np.log(max(demand.min_followers[brief], 1.0))
    may[demand.excluded[brief]] = False
    kols = np.flatnonzero(may & ~np.isnan(prices).all(axis=1))

    size = size[kols] - np.log(MEDIAN_FOLLOWERS)
    at_home = market.vertical[kols] == demand.vertical[brief]
    beside = market.second[kols] == demand.vertical[brief]
    notice = 0.3 * size + 2.4 * at_home + 1.6 * beside + 1.0 * known[kols]
    keys = notice + rng.gumbel(size=len(kols))
    best = np.argsort(-keys, kind="stable")[:SHOWN]
    kols, size = kols[best], size[best]

    rows = np.full(len(kols), brief)
    # What the agency thinks of the match: right on average, but nobody reads every post.
    seen = fit_effect(fit(market, demand, rows, kols)) + rng.normal(0, 0.4, len(kols))
    score = 0.3 * size + 0.9 * seen + 0.7 * known[kols]
    position = np.arange(1, len(kols) + 1)
    propensity = _scale(np.exp(score) * position**-attention, CONTACTED)
    mode, price = _pick_modes(rng, prices[kols])
    return {
        "brief": rows,
        "kol": kols,
        "mode": mode,
        "price": price,
        "position": position,
        "propensity": propensity,
        "contacted": rng.random(len(kols)) < propensity,
    }


def _scale(weights: Floats, total: float) -> Floats:
    """Scale weights to probabilities within `PROPENSITY_RANGE` that sum to about `total`."""
    low, high = PROPENSITY_RANGE
    scaled = np.full(len(weights), low)
    factor = total / weights.sum() if len(weights) else 0.0
    for _ in range(20):
        scaled = np.clip(np.round(factor * weights, 4), low, high)
        factor *= min(total, high * len(weights)) / max(scaled.sum(), 1e-9)
    return scaled


def _pick_modes(rng: np.random.Generator, prices: Floats) -> tuple[Ints, Floats]:
    """Pick one offered mode for each KOL at random."""
    keys = np.where(np.isnan(prices), -1.0, rng.random(prices.shape))
    mode = np.argmax(keys, axis=1) if len(prices) else np.zeros(0, dtype=int)
    return mode, prices[np.arange(len(prices)), mode]


def _follow_up(
    rng: np.random.Generator, market: Market, demand: Demand, columns: dict[str, Floats]
) -> Log:
    """Draw answers and dates: KOLs accept what suits them, the reliable ones deliver."""
    brief, kol = columns["brief"].astype(int), columns["kol"].astype(int)
    n = len(brief)
    accepts = rng.random(n) < accept_chance(market, demand, brief, kol)
    cancels = rng.random(n) < cancel_chance(market, kol)
    contacted = columns["contacted"].astype(bool)
    accepted = contacted & accepts
    cancelled = accepted & cancels
    shown = demand.day[brief]
    answered = np.where(contacted, shown + rng.uniform(0.5, 5, n), np.nan)
    signed = np.where(accepted, answered + rng.uniform(0.5, 6, n), np.nan)
    published = signed + rng.uniform(5, 25, n)
    called_off = signed + rng.uniform(1, 12, n)
    return Log(
        brief=brief,
        kol=kol,
        mode=columns["mode"].astype(int),
        price=columns["price"],
        position=columns["position"].astype(int),
        propensity=columns["propensity"],
        contacted=contacted,
        accepted=accepted,
        cancelled=cancelled,
        shown=shown,
        answered=answered,
        signed=signed,
        ended=np.where(cancelled, called_off, published),
    )


def redraw(rng: np.random.Generator, market: Market, demand: Demand, log: Log) -> Log:
    """Contact, answer and deliver anew on the lists of a log, by the same chances."""
    columns: dict[str, Any] = {
        "brief": log.brief,
        "kol": log.kol,
        "mode": log.mode,
        "price": log.price,
        "position": log.position,
        "propensity": log.propensity,
        "contacted": rng.random(len(log.kol)) < log.propensity,
    }
    return _follow_up(rng, market, demand, columns)


def collaborations_table(market: Market, demand: Demand, log: Log) -> pd.DataFrame:
    """Return the COLLABORATIONS table as it stands at the end of history."""
    answered, signed, ended = (day < DAYS for day in (log.answered, log.signed, log.ended))
    steps = [
        (log.contacted & (log.shown + 0.1 < DAYS), "contacted", log.shown + 0.1),
        (log.contacted & ~log.accepted & answered, "declined", log.answered),
        (signed, "signed", log.signed),
        (log.delivered, "delivered", log.ended),
        (log.cancelled & ended, "cancelled", log.ended),
    ]
    status = np.full(len(log.kol), "shown", dtype=object)
    status_day = log.shown.copy()
    for reached, name, day in steps:
        status = np.where(reached, name, status)
        status_day = np.where(reached, day, status_day)
    cost = np.where(signed, log.price, np.nan)
    return pd.DataFrame(
        {
            "collaboration_id": collaboration_ids(len(log.kol)),
            "brief_id": demand.brief_id[log.brief],
            "kol_id": market.kol_id[log.kol],
            "mode": np.array(MODES)[log.mode],
            "status": status,
            "status_at": to_time(status_day),
            "shown_at": to_time(log.shown),
            "position": log.position,
            "propensity": log.propensity,
            "signed_at": to_time(np.where(signed, log.signed, np.nan)),
            "published_at": to_time(np.where(log.delivered, log.ended, np.nan)),
            "cost": cost,
            "currency": np.where(market.chinese[log.kol], "CNY", "USD"),
        }
    )


def collaboration_ids(count: int) -> list[str]:
    """Return the ids of the log's rows, in order."""
    return [f"c{i:07d}" for i in range(1, count + 1)]
