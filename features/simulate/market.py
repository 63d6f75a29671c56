"""The KOLs of the simulated world: who they are, whom they reach, and how that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.contract import PLATFORMS
from features.simulate import audience
from features.simulate.clock import CNY_PLATFORMS, DAYS, QUARTER, QUARTERS, at, to_time
from features.simulate.texts import Writer
from features.simulate.topics import Bools, Floats, Ints, Topics

PLATFORM_SHARES = (0.20, 0.09, 0.18, 0.10, 0.06, 0.05, 0.04, 0.12, 0.10, 0.06)
"""Share of KOLs on each of `PLATFORMS`."""
PLATFORM_LEVEL = (0.3, 0.2, -0.3, 0.0, -0.5, -0.2, -0.9, 0.3, -0.2, 0.2)
"""Log of a platform's usual views against the mean."""

MEDIAN_FOLLOWERS = 60_000.0
FOLLOWER_ELASTICITY = 0.10
"""Follower elasticity of impressions: Tian et al., Journal of Marketing Research 2024."""
USUAL_VIEWS = 22_000.0
"""Views of a usual KOL with `MEDIAN_FOLLOWERS`."""

_MCNS = ("Lighthouse", "Papitube", "Northstar", "Onion Media", "Harbor", "Cloudgate")
_FEW = 0.06
"""Share of KOLs with bought followers, and of accounts whose owner has two."""


@dataclass(frozen=True)
class Market:
    """What is true of each KOL, most of it never told by a table. ``n`` is the number of KOLs.

    Attributes
    ----------
    kol_id, person_id : ndarray of str, shape (n,)
    platform : ndarray of int, shape (n,)
        Position in `PLATFORMS`.
    chinese : ndarray of bool, shape (n,)
        On a Chinese platform: paid in CNY.
    zh : ndarray of bool, shape (n,)
        Writes Chinese.
    joined : ndarray, shape (n,)
        Day of the first snapshot.
    vertical, second : ndarray of int, shape (n,)
        Main and second vertical; ``second`` is -1 where there is none.
    weights, topic : ndarray, shape (n, subtopics)
        Share of each subtopic, and its embedding.
    log_followers, log_views : ndarray, shape (n, QUARTERS)
        Log of followers, and of the usual views of an unpaid post, at each quarter.
    views_quality : ndarray, shape (n,)
        Log of what the person draws beyond followers and platform, heavy-tailed.
    engagement, saves_shares : ndarray, shape (n,)
        Usual engagements over views; share of saves and shares in them.
    conversion : ndarray, shape (n,)
        Power to sell, a standardised log odds; seen only in what past collaborations sold.
    originality, positivity, reliability : ndarray, shape (n,)
        0-1.
    activity : ndarray, shape (n,)
        Standardised log of posts a month.
    suspicious : ndarray, shape (n,)
        Share of bought followers.
    audience : dict of str to ndarray, shape (n, categories)
        True audience mixes.
    """

    kol_id: Any
    person_id: Any
    platform: Ints
    chinese: Bools
    zh: Bools
    joined: Floats
    vertical: Ints
    second: Ints
    weights: Floats
    topic: Floats
    log_followers: Floats
    log_views: Floats
    views_quality: Floats
    engagement: Floats
    saves_shares: Floats
    conversion: Floats
    originality: Floats
    positivity: Floats
    reliability: Floats
    activity: Floats
    suspicious: Floats
    audience: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.kol_id)


def draw_market(rng: np.random.Generator, topics: Topics, kols: int) -> Market:
    """Draw KOLs.

    Followers are lognormal, so that tiers come out near 7% nano, 58% micro, 30% mid, 3% macro and
    1% mega. Views follow followers only weakly (`FOLLOWER_ELASTICITY`) around a heavy-tailed
    personal quality. Engagement falls with followers, as in the TikTok creators of five tiers whose
    median likes per video and follower fall from 0.13 (nano) to 0.02 (mega).
    """
    # Two accounts of one person share what is personal: `person` is the row that it comes from.
    person = np.arange(kols)
    doubles = rng.choice(np.arange(1, kols, 2), size=int(kols * _FEW / 2), replace=False)
    person[doubles] = doubles - 1
    platform = rng.choice(len(PLATFORMS), size=kols, p=PLATFORM_SHARES)
    region_of = np.array([p in CNY_PLATFORMS for p in PLATFORMS])
    _separate(platform, person, region_of)
    chinese = region_of[platform]
    vertical, second, weights = _interests(rng, topics, kols)
    vertical, second, weights = vertical[person], second[person], weights[person]

    log_followers, drift = _growth(rng, kols)
    quality = np.clip(rng.standard_t(5, size=kols) * 0.5, -2.2, 2.6)
    quality = np.where(person == np.arange(kols), quality, 0.7 * quality[person] + 0.3 * quality)
    suspicious = np.where(rng.random(kols) < _FEW, rng.uniform(0.25, 0.65, kols), 0.0)
    followed = log_followers - np.log(MEDIAN_FOLLOWERS)
    log_views = (
        np.log(USUAL_VIEWS)
        + np.array(PLATFORM_LEVEL)[platform][:, None]
        + FOLLOWER_ELASTICITY * followed
        + (quality + rng.normal(0, 0.1, kols))[:, None]
        + drift
    )
    engagement = np.exp(np.log(0.055) - 0.06 * followed[:, -1] + rng.normal(0, 0.45, kols))
    return Market(
        kol_id=np.array([f"k{i:06d}" for i in range(1, kols + 1)]),
        person_id=np.array([f"p{i + 1:06d}" for i in person]),
        platform=platform,
        chinese=chinese,
        zh=chinese | (rng.random(kols) < 0.08),
        joined=np.where(rng.random(kols) < 0.12, rng.uniform(30, DAYS * 0.8, kols), 0.0),
        vertical=vertical,
        second=second,
        weights=weights,
        topic=topics.embed(weights),
        log_followers=log_followers - np.log1p(-suspicious)[:, None],
        log_views=log_views,
        views_quality=quality,
        engagement=np.clip(engagement * (1 - 0.5 * suspicious), 0.003, 0.35),
        saves_shares=rng.beta(5, 14, kols),
        conversion=rng.normal(0, 1, kols)[person],
        originality=rng.beta(2.2, 2.2, kols)[person],
        positivity=rng.beta(5, 3.5, kols)[person],
        reliability=rng.beta(6, 1.6, kols)[person],
        activity=rng.normal(0, 1, kols),
        suspicious=suspicious,
        audience=audience.scatter(rng, audience.typical(topics, vertical, chinese)),
    )


def _separate(platform: Ints, person: Ints, chinese: Bools) -> None:
    """Move second accounts to another platform of the same currency, in place."""
    for i in np.flatnonzero(person != np.arange(len(person))):
        alike = np.flatnonzero(chinese == chinese[platform[person[i]]])
        others = alike[alike != platform[person[i]]]
        platform[i] = others[platform[i] % len(others)]


def _interests(rng: np.random.Generator, topics: Topics, kols: int) -> tuple[Ints, Ints, Floats]:
    """Draw each KOL's one or two verticals, and a few subtopics in each."""
    count = len(topics.verticals)
    vertical = rng.choice(count, size=kols)
    near = np.array(
        [[w in topics.facts[v]["near"] for w in topics.verticals] for v in topics.verticals]
    )
    pull = near[vertical] * 6.0 + 1.0
    pull[np.arange(kols), vertical] = 0.0
    second = np.argmax(np.log(pull + 1e-12) + rng.gumbel(size=pull.shape), axis=1)
    second = np.where(rng.random(kols) < 0.45, second, -1)

    # Gammas of a small shape are nearly sparse: two or three subtopics take most of the weight.
    raw = rng.gamma(0.2, size=(kols, len(topics.subtopics))) + 1e-6
    in_first = topics.vertical_of == vertical[:, None]
    in_second = topics.vertical_of == second[:, None]
    first_share = np.where(second >= 0, rng.uniform(0.55, 0.8, kols), 1.0)
    weights = np.zeros_like(raw)
    for inside, share in ((in_first, first_share), (in_second, 1 - first_share)):
        part = raw * inside
        total = part.sum(axis=1, keepdims=True)
        weights += np.divide(part, total, out=np.zeros_like(part), where=total > 0) * share[:, None]
    return vertical, second, weights


def _growth(rng: np.random.Generator, kols: int) -> tuple[Floats, Floats]:
    """Draw log followers at each quarter, and the drift of log views that fame brings and takes."""
    end = np.log(MEDIAN_FOLLOWERS) + np.clip(rng.normal(0, 1.25, kols), -3.6, 4.6)
    pace = rng.normal(0.05, 0.07, kols)
    steps = pace[:, None] + rng.normal(0, 0.04, (kols, QUARTERS - 1))
    back = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
    followers = end[:, None] - np.column_stack([back, np.zeros(kols)])
    fame = 0.6 * (pace - 0.05)[:, None] + rng.normal(0, 0.07, (kols, QUARTERS - 1))
    return followers, np.column_stack([np.zeros(kols), np.cumsum(fame, axis=1)])


def kols_table(
    rng: np.random.Generator, topics: Topics, market: Market, writer: Writer
) -> pd.DataFrame:
    """Return the KOLS table: a snapshot a quarter, with what an agency would see."""
    n = len(market)
    days = np.arange(QUARTERS) * QUARTER + rng.uniform(0, 12, (n, QUARTERS))
    days = np.where(days < market.joined[:, None], np.nan, days)
    late = market.joined > 0
    days[late, 0] = market.joined[late]
    kol, quarter = np.nonzero(days < DAYS)
    day = days[kol, quarter]
    followers = np.round(np.exp(at(market.log_followers[kol], day)))

    known = rng.random(n) >= 0.08
    reported = audience.columns(topics, audience.scatter(rng, market.audience, tightness=12.0))
    per_kol = {
        "kol_id": market.kol_id,
        "person_id": market.person_id,
        "platform": np.array(PLATFORMS)[market.platform],
        "language": np.where(market.zh, "zh", "en"),
        **_profile(rng, topics, market, writer),
        **{
            name: [mix if seen else {} for mix, seen in zip(column, known, strict=True)]
            for name, column in reported.items()
        },
    }
    frame = pd.DataFrame(per_kol).iloc[kol].reset_index(drop=True)
    noise = rng.normal(0, 0.03, (len(kol), 2))
    active = 0.72 - 0.5 * market.suspicious[kol] + noise[:, 0]
    bought = 0.05 + market.suspicious[kol] + noise[:, 1]
    return frame.assign(
        observed_at=to_time(day),
        followers=followers,
        active_follower_share=np.round(np.clip(active, 0.02, 0.98), 3),
        suspicious_follower_share=np.round(np.clip(bought, 0.0, 0.95), 3),
    )


def _labels(rng: np.random.Generator, topics: Topics, market: Market) -> list[tuple[str, ...]]:
    """Return verticals as rosters have them: one in eight empty, one in eight next to the truth."""
    labels: list[tuple[str, ...]] = []
    for first, second, draw in zip(
        market.vertical.tolist(), market.second.tolist(), rng.random(len(market)), strict=True
    ):
        near = topics.facts[topics.verticals[first]]["near"]
        name = near[int(draw * 1e6) % len(near)] if draw > 0.875 else topics.verticals[first]
        more = () if second < 0 or topics.verticals[second] == name else (topics.verticals[second],)
        labels.append(() if draw < 0.125 else (name, *more))
    return labels


def _profile(
    rng: np.random.Generator, topics: Topics, market: Market, writer: Writer
) -> dict[str, Any]:
    """Return the columns of a profile that do not change: names, bio, verticals, credentials."""
    n = len(market)
    region = np.where(
        market.chinese, "CN", np.array(["US", "GB", "CA", "AU", "SG", "MY"])[rng.integers(0, 6, n)]
    )
    sells = rng.random(n) < 1 / (1 + np.exp(-2.0 * (market.conversion - 1.2)))
    # Verified shares by tier as in the TikTok creators: 0-2% below 100k, 8%, 17%, 47% above 1M.
    size = np.exp(market.log_followers[:, -1])
    verified = rng.random(n) < np.select(
        [size < 1e5, size < 5e5, size < 1e6], [0.01, 0.08, 0.17], 0.47
    )
    seller_badge = sells & (rng.random(n) < 0.6)
    return {
        "display_name": writer.names(market.zh, market.person_id),
        "bio": writer.bios(market.zh, market.vertical, market.weights, sells),
        "region": region,
        "verticals": _labels(rng, topics, market),
        "credentials": [
            tuple(name for name, has in (("verified", v), ("top_seller", s)) if has)
            for v, s in zip(verified, seller_badge, strict=True)
        ],
        "mcn": [_MCNS[i] if i < len(_MCNS) else None for i in rng.integers(0, 2 * len(_MCNS), n)],
    }
