"""What KOLs published over two years: their own posts, paid ones, and those of the log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.contract import PLATFORMS
from features.simulate.clock import DAYS, at, to_time
from features.simulate.demand import Brands, Demand
from features.simulate.market import Market
from features.simulate.policy import Log
from features.simulate.texts import PostPlan, Writer
from features.simulate.topics import Bools, Floats, Ints, Topics

POSTS_PER_KOL = 15.0
"""Mean over two years; a sample of what they publish, as crawlers get."""
SPONSORED_SHARE = 0.18
_OBSERVED_AFTER = (7.0, 35.0)
_SEEN_BY = (0.85, 1.0)
"""Days after publication at which posts are observed, and share of the final counts by then."""
_SEEN_AGAIN = 0.15
_SPONSORED_VIEWS = -0.25
_POST_NOISE = 0.5
"""Log effect of being paid on views; spread of log views from post to post."""


@dataclass(frozen=True)
class Plan:
    """Who publishes what and when; arrays of shape (n,). ``brand`` and ``subtopic`` -1: none."""

    kol: Ints
    day: Floats
    subtopic: Ints
    second: Ints
    brand: Ints


def draw_plan(
    rng: np.random.Generator,
    topics: Topics,
    market: Market,
    brands: Brands,
    demand: Demand,
    log: Log,
) -> Plan:
    """Draw what is published: mostly the KOL's subtopics, some daily life, some strays.

    The posts of delivered collaborations are among them, on the brief's subtopic.
    """
    n = len(market)
    present = (DAYS - market.joined) / DAYS
    mean = POSTS_PER_KOL * np.exp(0.3 * market.activity) * present
    kol = np.repeat(np.arange(n), np.maximum(rng.poisson(mean), 2))
    day = rng.uniform(market.joined[kol], DAYS)
    subtopic = draw_rows(rng, market.weights, kol)
    stray = rng.integers(0, len(topics.subtopics), len(kol))
    kind = rng.random(len(kol))
    subtopic = np.select([kind < 0.07, kind < 0.12], [-1, stray], subtopic)
    second = np.where(rng.random(len(kol)) < 0.1, stray, -1)
    brand = _draw_brands(rng, market, brands, kol)
    brand = np.where(rng.random(len(kol)) < SPONSORED_SHARE, brand, -1)

    done = np.flatnonzero(log.delivered)
    main = np.array([s[0] for s in demand.subtopics])
    return Plan(
        kol=np.concatenate([kol, log.kol[done]]),
        day=np.concatenate([day, log.ended[done]]),
        subtopic=np.concatenate([subtopic, main[log.brief[done]]]),
        second=np.concatenate([second, np.full(len(done), -1)]),
        brand=np.concatenate([brand, demand.brand[log.brief[done]]]),
    )


def draw_rows(rng: np.random.Generator, weights: Floats, rows: Ints) -> Ints:
    """Draw a column for each of `rows` with the probabilities of that row of `weights`."""
    upper = np.cumsum(weights, axis=1)
    columns = weights.shape[1]
    # Rows laid end to end, each a step of 1 above the one before: one search does for all.
    flat = (upper / upper[:, -1:] + np.arange(len(weights))[:, None]).ravel()
    place = np.searchsorted(flat, rows + rng.random(len(rows)), side="right")
    drawn: Ints = np.clip(place - rows * columns, 0, columns - 1)
    return drawn


def _draw_brands(rng: np.random.Generator, market: Market, brands: Brands, kol: Ints) -> Ints:
    """Draw a brand of the KOL's vertical, or any where the vertical has none."""
    keep = np.full(len(kol), -1)
    for vertical in np.unique(market.vertical):
        rows = np.flatnonzero(market.vertical[kol] == vertical)
        pool = np.flatnonzero(brands.vertical == vertical)
        keep[rows] = rng.choice(pool if len(pool) else len(brands.vertical), size=len(rows))
    return keep


def posts_table(
    rng: np.random.Generator,
    topics: Topics,
    market: Market,
    brands: Brands,
    plan: Plan,
    writer: Writer,
) -> pd.DataFrame:
    """Return the POSTS table; a post is observed after a week, some again after five."""
    order = np.lexsort((plan.kol, plan.day))
    plan = Plan(*(getattr(plan, f)[order] for f in ("kol", "day", "subtopic", "second", "brand")))
    n, kol = len(plan.kol), plan.kol
    paid = plan.brand >= 0
    zh = market.zh[kol]
    text_plan = PostPlan(
        zh=zh,
        subtopic=plan.subtopic,
        second=plan.second,
        vertical=_tag_vertical(rng, topics, market, plan),
        draws=draw_wording(rng, market, kol),
        tone=draw_tone(rng, market, kol),
        brands=[
            None if b < 0 else (brands.zh_name if chinese else brands.en_name)[b]
            for b, chinese in zip(plan.brand.tolist(), zh.tolist(), strict=True)
        ],
        sells=paid & (rng.random(n) < 1 / (1 + np.exp(-1.2 * market.conversion[kol]))),
    )
    texts, tags = writer.posts(text_plan)
    formats, duration = _formats(rng, market, kol)
    frame = pd.DataFrame(
        {
            "post_id": [f"n{i:08d}" for i in range(1, n + 1)],
            "kol_id": market.kol_id[kol],
            "published_at": to_time(plan.day),
            "text": texts,
            "tags": tags,
            "format": formats,
            "duration_s": duration,
            "is_sponsored": paid,
            "brand_id": [brands.brand_id[b] if b >= 0 else None for b in plan.brand.tolist()],
            **_counts(rng, market, plan, paid),
        }
    )
    return _observe(rng, frame, plan.day)


def _tag_vertical(rng: np.random.Generator, topics: Topics, market: Market, plan: Plan) -> Ints:
    """Hashtags name the subject's vertical, but a third chase whatever is popular."""
    own = np.where(plan.subtopic >= 0, topics.vertical_of[plan.subtopic], market.vertical[plan.kol])
    popular = rng.integers(0, len(topics.verticals), len(plan.kol))
    return np.where(rng.random(len(plan.kol)) < 0.33, popular, own)


def draw_wording(rng: np.random.Generator, market: Market, kol: Ints) -> Ints:
    """Choose words: those of little originality fall back on their usual ones."""
    usual = rng.integers(0, 1 << 30, (len(market), Writer.DRAWS))
    fresh = rng.integers(0, 1 << 30, (len(kol), Writer.DRAWS))
    repeats = rng.random(fresh.shape) < 0.8 * (1 - market.originality[kol])[:, None]
    return np.where(repeats, usual[kol], fresh)


def draw_tone(rng: np.random.Generator, market: Market, kol: Ints) -> Ints:
    """Draw whether each post is positive (0), plain (1) or critical (2)."""
    draw = rng.random(len(kol))
    good = market.positivity[kol]
    return np.where(draw < good, 0, np.where(draw < good + 0.6 * (1 - good), 1, 2))


def _formats(rng: np.random.Generator, market: Market, kol: Ints) -> tuple[list[str], Floats]:
    platform = np.array(PLATFORMS)[market.platform[kol]]
    draw = rng.random(len(kol))
    pictured = np.isin(platform, ("xiaohongshu", "weibo", "instagram"))
    formats = np.where(pictured & (draw < 0.5), "image", "video").astype(object)
    formats[platform == "wechat_mp"] = "article"
    long = np.isin(platform, ("bilibili", "youtube"))
    seconds = np.round(np.exp(rng.normal(np.where(long, 5.8, 3.7), 0.5)))
    return formats.tolist(), np.where(formats == "video", seconds, np.nan)


def _counts(rng: np.random.Generator, market: Market, plan: Plan, paid: Bools) -> dict[str, Floats]:
    """Draw final counts; NaN where the platform does not show them."""
    kol, n = plan.kol, len(plan.kol)
    level = at(market.log_views[kol], plan.day) + rng.normal(0, _POST_NOISE, n)
    views = rng.poisson(np.exp(level + _SPONSORED_VIEWS * paid))
    # People stay with those who sell well even when they are paid, and ask where to buy.
    sold = market.conversion[kol] * paid
    rate = market.engagement[kol] * np.exp(0.25 * sold + rng.normal(0, 0.2, n))
    engagements = rng.binomial(views, np.minimum(rate, 0.6))
    kept = market.saves_shares[kol]
    talk = np.clip(0.08 * np.exp(0.35 * sold + rng.normal(0, 0.2, n)), 0, 0.4)
    split = np.column_stack([0.4 * kept, 0.6 * kept, talk * (1 - kept), (1 - talk) * (1 - kept)])
    shares, saves, comments, likes = rng.multinomial(engagements, split).T
    platform = np.array(PLATFORMS)[market.platform[kol]]
    hidden = np.isin(platform, ("weibo", "youtube"))
    done = np.clip(rng.normal(0.38 + 0.1 * np.tanh(market.views_quality[kol]), 0.08), 0.02, 0.98)
    return {
        "views": views.astype(float),
        "likes": likes.astype(float),
        "comments": comments.astype(float),
        "shares": shares.astype(float),
        "saves": np.where(hidden, np.nan, saves),
        "completion_rate": np.where(rng.random(n) < 0.3, np.nan, np.round(done, 3)),
    }


def _observe(rng: np.random.Generator, frame: pd.DataFrame, day: Floats) -> pd.DataFrame:
    counts = ["views", "likes", "comments", "shares", "saves"]
    again = rng.random(len(frame)) < _SEEN_AGAIN
    seen: list[pd.DataFrame] = []
    which = (np.ones(len(frame), dtype=bool), again)
    for after, share, rows in zip(_OBSERVED_AFTER, _SEEN_BY, which, strict=True):
        at_day = day + after + rng.uniform(0, 1, len(frame))
        part = frame.assign(
            observed_at=to_time(at_day),
            **{c: np.floor(frame[c] * share) for c in counts},
        )
        seen.append(part.loc[(at_day < DAYS) & rows])
    return pd.concat(seen, ignore_index=True).sort_values(
        ["observed_at", "post_id"], ignore_index=True
    )
