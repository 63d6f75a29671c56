"""How a match compares: with the brief's other candidates, and with its peers, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from matcher.figures import ABOVE, BELOW, PEERS, Facts, counted, place

Both = tuple[str, str]
"""The same words in English and Chinese."""
HALF = 0.5
"""Share of others that a KOL must outdo for a figure to speak for it."""
COMPARED: Mapping[str, int] = {
    "content.top3": 1,
    "content.bio": 1,
    "affinity.posts_recent": 1,
    "vectors.mean_cosine": 1,
    "audience.match": 1,
    "category.vertical_posts": 1,
    "price.per_view": -1,
    "price.per_engagement": -1,
    "reach.median_views": 1,
    "engagement.rate": 1,
    "engagement.completion": 1,
    "growth.followers_90": 1,
    "sponsored.views": 1,
    "record.delivered": 1,
    "record.views_per_cost": 1,
    "record.conversion": 1,
    "style.posts_90": 1,
    "reputation.incidents": -1,
    "rivalry.recent": -1,
}
"""Signals that are compared among the candidates of a brief, and whether more of it is better."""


def among_candidates(pairs: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    """Return how each pair's figures stand among all candidates of its brief.

    Offers of one brief are in one currency (`features.offers.choose_offers`), so that prices
    compare.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS, every candidate of the briefs.
    signals : DataFrame
        Their signals, aligned.

    Returns
    -------
    DataFrame, aligned to `pairs`
        For each of `COMPARED` that there is, the share of the brief's other candidates with a
        known value that are worse (`ABOVE`) and that are better (`BELOW`); null where unknown, or
        where fewer than `PEERS` others are known.
    """
    signs = {name: sign for name, sign in COMPARED.items() if name in signals}
    values = signals[list(signs)] * pd.Series(signs, dtype=np.float64)
    by_brief = values.groupby(pairs["brief_id"].to_numpy())
    others = by_brief.transform("count") - 1
    others = others.where(others >= PEERS)
    above = (by_brief.rank(method="min") - 1) / others
    below = (by_brief.rank(method="min", ascending=False) - 1) / others
    return pd.concat([above.add_suffix(ABOVE), below.add_suffix(BELOW)], axis=1)


def standing(matches: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that `among_candidates` gave."""
    return matches[[name for name in matches if str(name).endswith((ABOVE, BELOW))]]


def lags(facts: Facts, name: str) -> bool:
    """Say whether a figure is known to be no better than that of half the candidates."""
    return facts.above(name) < HALF


def against_candidates(facts: Facts, name: str, en: str, zh: str) -> Both:
    """Say how many of the brief's candidates a figure outdoes, if it is half of them."""
    if not (facts.known(name) and facts.above(name) >= HALF):
        return "", ""
    share = place(facts.above(name))
    return f", {en} {share} of the candidates", f"，{zh} {share} 的备选达人"


def against_peers(facts: Facts, family: str) -> Both | None:
    """Say how many of the same tier on the platform a figure outdoes, if it is half of them."""
    share = facts.get(f"{family}.percentile")
    if not (facts.has_peers and share >= HALF):
        return None
    told = place(share)
    return f", above {told} of the same tier on the platform", f"，高于同平台同量级 {told} 的达人"


def joined(clauses: list[Both], sign: str) -> Both:
    """Make one sentence of clauses."""
    en, zh = "; ".join(en for en, _ in clauses), sign.join(zh for _, zh in clauses)
    return en[:1].upper() + en[1:], zh


def window(facts: Facts) -> Both:
    """Say which posts with known views a figure is over: how many, and the days they go back."""
    posts, days = facts.get("reach.posts_seen"), facts.get("reach.days")
    if not posts >= 1:
        return "recent posts", "近期作品"
    en, zh = f"the latest {counted(posts, 'post')}", f"{posts:.0f} 条作品"
    if math.isnan(days):
        return en, f"近 {zh}"
    told = span(math.ceil(days))
    return f"{en} (last {told[0]})", f"近 {told[1]} {zh}"


def span(days: int) -> Both:
    """Write a span of days; from four months on in months, rounded up."""
    if days < 120:
        return counted(days, "day"), f"{days} 天"
    months = math.ceil(days / (365.25 / 12))
    return counted(months, "month"), f"{months} 个月"
