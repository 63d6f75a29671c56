"""Simple rules to beat: what an agency could do with a spreadsheet.

A rule reads PAIRS and their signals (`features.signals`, rows aligned by position) and gives each
pair a score, higher is better *inside a brief*; scores of two briefs do not compare. What a rule
knows nothing about scores -inf and so ranks last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.contract import GOALS
from matcher.likeness import likeness

Floats = NDArray[np.float64]

COSINE, ENGAGEMENT = 0.8, 0.2
"""Similarity first, engagement among the alike."""
_HASH_KEY = "kolmatch: chance"  # 16 bytes, as the hash demands


@dataclass(frozen=True)
class Baseline:
    """A simple rule.

    Attributes
    ----------
    name : str
        Short name, for tables.
    score : callable
        ``(pairs, signals) -> float64 array of shape (pairs,)`` without NaN.
    doc : str
        The rule in words, for reports.
    """

    name: str
    score: Callable[[pd.DataFrame, pd.DataFrame], Floats]
    doc: str


def _column(signals: pd.DataFrame, name: str) -> Floats:
    return signals[name].to_numpy(dtype=np.float64)


def _unknown_last(score: Floats) -> Floats:
    return np.where(np.isnan(score), -np.inf, score)


def _within_brief(pairs: pd.DataFrame, values: Floats) -> Any:
    return pd.Series(values).groupby(pairs["brief_id"].to_numpy())


def _told(pairs: pd.DataFrame, values: Floats) -> NDArray[np.bool_]:
    """Return whether the value of anybody in the pair's brief is known."""
    counts: Floats = _within_brief(pairs, values).transform("count").to_numpy(dtype=np.float64)
    return counts > 0


def _share_outranked(pairs: pd.DataFrame, values: Floats) -> Floats:
    """Return each value's rank within its brief, from 0 (unknown) to 1 (highest), ties shared."""
    ranks: Floats = _within_brief(pairs, values).rank(pct=True).fillna(0.0).to_numpy()
    return ranks


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(values)
    return logs


def chance(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by a hash of brief and KOL: random, yet the same in every run and row order."""
    names = pairs["brief_id"].astype(object) + "\x1f" + pairs["kol_id"].astype(object)
    hashes = pd.util.hash_array(names.to_numpy(dtype=object), hash_key=_HASH_KEY, categorize=False)
    return hashes.astype(np.float64) / 2.0**64


def followers(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by followers."""
    return _unknown_last(_column(signals, "reach.followers"))


def engagement_rate(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by engagement rate of recent posts."""
    return _unknown_last(_column(signals, "engagement.rate"))


def price_per_view(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by price per median view, the cheapest first."""
    return _unknown_last(-_column(signals, "price.per_view"))


def past_return(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by what the KOL's past collaborations brought per unit of cost, as the goal counts.

    Views for awareness, engagements for seeding, engagement and co-creation, orders (views times
    clicks per view times orders per click) for conversion.
    """
    views = _column(signals, "record.views_per_cost")
    engagements = _column(signals, "record.engagements_per_cost")
    orders = views + _log_orders_per_view(signals)
    return _unknown_last(
        _by_goal(
            signals,
            awareness=views,
            seeding=engagements,
            engagement=engagements,
            co_creation=engagements,
            conversion=orders,
        )
    )


def content_cosine(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by cosine of the brief's text and the centroid of the KOL's recent posts."""
    return _unknown_last(_column(signals, "content.recent"))


def like(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by likeness of content and audience, as `kolmatch match` does without a model."""
    return likeness(signals)


def bio_cosine(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by cosine of the brief's text and the bio."""
    return _unknown_last(_column(signals, "content.bio"))


def shared_words(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by what the brief's text and the three closest recent posts share in words."""
    return _unknown_last(_column(signals, "content.lexical_top3"))


def cosine_and_engagement(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by 0.8 content cosine + 0.2 engagement rate, each as its rank within the brief.

    Ranks and not the customary min-max scaling: one viral KOL would otherwise flatten all others.
    Where one part is unknown it counts 0; where both are, so does the whole.
    """
    cosine = _share_outranked(pairs, _column(signals, "content.recent"))
    rate = _share_outranked(pairs, _column(signals, "engagement.rate"))
    return COSINE * cosine + ENGAGEMENT * rate


def vector_sum(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by the sum of cosines over the user's own vector spaces; a missing one counts 0."""
    summaries = ("vectors.mean_cosine", "vectors.max_cosine")
    spaces = [
        name
        for name in sorted(signals.columns)
        if name.startswith("vectors.") and name.endswith("_cosine") and name not in summaries
    ]
    return _unknown_last(signals[spaces].sum(axis=1, min_count=1).to_numpy(dtype=np.float64))


def value_per_price(pairs: pd.DataFrame, signals: pd.DataFrame) -> Floats:
    """Score by log of the value to expect per unit of price, as the brief's goal counts value.

    Median views times what the goal asks of a view, over price: 1 for awareness, saves and shares
    for seeding, engagements for engagement and co-creation, orders in the KOL's record for
    conversion. This is the strongest rule we know of that nobody has to learn, and it is lenient:
    a KOL without a record converts like the brief's median one, seeding counts engagements where
    no platform tells saves, and prices or views nobody in the brief has are left out.
    """
    rate = _log(_column(signals, "engagement.rate"))
    spread = _log(_column(signals, "engagement.saves") + _column(signals, "engagement.shares"))
    orders = _log_orders_per_view(signals)
    usual = _within_brief(pairs, orders).transform("median").fillna(0.0).to_numpy()
    per_view = _by_goal(
        signals,
        awareness=np.zeros(len(signals)),
        seeding=np.where(_told(pairs, spread), spread, rate),
        engagement=rate,
        co_creation=rate,
        conversion=np.where(np.isnan(orders), usual, orders),
    )
    views, price = _column(signals, "reach.median_views"), _column(signals, "price.log")
    views = np.where(_told(pairs, views), views, 0.0)
    price = np.where(_told(pairs, price), price, 0.0)
    return _unknown_last(views + per_view - price)


def _log_orders_per_view(signals: pd.DataFrame) -> Floats:
    rates = _column(signals, "record.clicks_per_view") * _column(signals, "record.conversion")
    return _log(rates)


def _by_goal(signals: pd.DataFrame, **values: Floats) -> Floats:
    """Choose, for each pair, the values of its brief's goal; NaN where the goal is unknown."""
    goal = _column(signals, "category.goal")
    chosen: Floats = np.full(len(signals), np.nan)
    for code, name in enumerate(GOALS):
        chosen = np.where(goal == code, values[name], chosen)
    return chosen


BASELINES: tuple[Baseline, ...] = (
    Baseline("random", chance, "in random order"),
    Baseline("followers", followers, "most followers first"),
    Baseline("engagement rate", engagement_rate, "highest engagement rate first"),
    Baseline("price per view", price_per_view, "cheapest views first"),
    Baseline("past return", past_return, "highest past return on cost first, as the goal counts"),
    Baseline("content cosine", content_cosine, "brief's text closest to recent posts first"),
    Baseline(
        "cosine and engagement",
        cosine_and_engagement,
        "0.8 content cosine + 0.2 engagement rate, both as ranks within the brief",
    ),
    Baseline("likeness", like, "most alike in content and audience first"),
    Baseline("vector sum", vector_sum, "sum of cosines over the user's own vector spaces"),
    Baseline(
        "value per price",
        value_per_price,
        "most expected value per unit of price first, as the goal counts value",
    ),
)
TEXT_BASELINES: tuple[Baseline, ...] = (
    Baseline("bio cosine", bio_cosine, "brief's text closest to the bio first"),
    Baseline("shared words", shared_words, "brief's text closest to recent posts in words first"),
)
"""Further rules for where text and people's grades are all there is."""
