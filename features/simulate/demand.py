"""The brands of the simulated world and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.contract import GOALS, MODES, PLATFORMS
from features.simulate import audience
from features.simulate.clock import CNY_PER_USD, CNY_PLATFORMS, DAYS, to_time
from features.simulate.market import PLATFORM_SHARES, Market
from features.simulate.texts import Writer
from features.simulate.topics import Bools, Floats, Ints, Topics

GOAL_SHARES = (0.2, 0.24, 0.18, 0.26, 0.12)
GOAL_MODES: dict[str, tuple[str, ...]] = {
    "awareness": ("ad_placement", "sponsorship", "social_interaction", "offline_event"),
    "seeding": ("ad_placement", "sponsorship", "co_creation", "q_and_a"),
    "engagement": ("social_interaction", "co_creation", "q_and_a", "sponsorship"),
    "conversion": ("ad_placement", "live_commerce", "sponsorship"),
    "co_creation": ("co_creation", "product_co_design", "joint_development"),
}
"""Modes that serve a goal."""

_BLOCKED = (("hard pass for me",), ("智商税", "不值这个价"))
"""Terms that a brand does not want near its name, in English and in Chinese."""
_FIRST_BRIEF = 90.0
"""Day of the first decision: by then KOLs have some history."""


@dataclass(frozen=True)
class Brands:
    """The brands; ``b`` is their number."""

    brand_id: Any
    zh_name: list[str]
    en_name: list[str]
    vertical: Ints
    chinese: Bools
    log_price: Floats
    margin: Floats
    weights: Floats


@dataclass(frozen=True)
class Demand:
    """What is true of each brief; ``n`` briefs, open ones last.

    Attributes
    ----------
    brief_id : ndarray of str, shape (n,)
    brand : ndarray of int, shape (n,)
        Position in `Brands`.
    chinese : ndarray of bool, shape (n,)
        Asks for Chinese platforms and pays in CNY.
    vertical, goal : ndarray of int, shape (n,)
        Positions in the verticals and in `GOALS`.
    topic : ndarray, shape (n, subtopics)
        Embedding of what the brief is about.
    subtopics : list of list of int
        Its subtopics, the most important first.
    target : dict of str to ndarray, shape (n, categories)
        Wanted audience; a row of zeros where open.
    platforms, modes : ndarray of bool, shape (n, 10) and (n, 9)
        Which are allowed.
    day : ndarray, shape (n,)
        Day of decision; the end of history for open briefs.
    is_open : ndarray of bool, shape (n,)
    budget, limit : ndarray, shape (n,)
        Money for all KOLs, and the most for one, in the brief's currency.
    product_price, margin : ndarray, shape (n,)
        Price in the brief's currency; share of it that is earned.
    min_followers : ndarray, shape (n,)
        0 where the brief asks for none.
    excluded : list of ndarray of int
        KOLs that the brief refuses.
    """

    brief_id: Any
    brand: Ints
    chinese: Bools
    vertical: Ints
    goal: Ints
    topic: Floats
    subtopics: list[list[int]]
    target: dict[str, Floats]
    platforms: Bools
    modes: Bools
    day: Floats
    is_open: Bools
    budget: Floats
    limit: Floats
    product_price: Floats
    margin: Floats
    min_followers: Floats
    excluded: list[Ints]

    def __len__(self) -> int:
        return len(self.brief_id)


def draw_brands(rng: np.random.Generator, topics: Topics, writer: Writer, count: int) -> Brands:
    """Draw brands: a vertical, a few subtopics in it, a price level and a margin."""
    verticals = len(topics.verticals)
    vertical = np.concatenate([rng.permutation(verticals) for _ in range(-(-count // verticals))])[
        :count
    ]
    usual = np.log([topics.facts[v]["price"] for v in topics.verticals])
    weights = (rng.gamma(0.5, size=(count, len(topics.subtopics))) + 1e-6) * (
        topics.vertical_of == vertical[:, None]
    )
    zh_name, en_name = writer.brands(count)
    return Brands(
        brand_id=np.array([f"brand{i:04d}" for i in range(1, count + 1)]),
        zh_name=zh_name,
        en_name=en_name,
        vertical=vertical,
        chinese=rng.random(count) < 0.68,
        log_price=usual[vertical] + rng.normal(0, 0.7, count),
        margin=np.round(rng.uniform(0.3, 0.75, count), 2),
        weights=weights / weights.sum(axis=1, keepdims=True),
    )


def draw_demand(
    rng: np.random.Generator, topics: Topics, brands: Brands, briefs: int, kols: int
) -> Demand:
    """Draw briefs: `briefs` of them decided in history, and a few more that are open at its end.

    How often a brand comes back follows Zipf's law.
    """
    n = briefs + max(4, round(0.03 * briefs))
    count = len(brands.brand_id)
    zipf = 1.0 / np.arange(1, count + 1) ** 0.8
    brand = rng.choice(count, size=n, p=zipf / zipf.sum())
    chinese, vertical = brands.chinese[brand], brands.vertical[brand]
    goal = rng.choice(len(GOALS), size=n, p=GOAL_SHARES)
    subtopics, weights = draw_subjects(rng, topics, brands, brand)
    is_open = np.arange(n) >= briefs
    budget = np.exp(np.clip(rng.normal(np.log(110_000), 1.05, n), np.log(20_000), np.log(2e6)))
    unit = np.where(chinese, 1.0, CNY_PER_USD)
    budget = _round(budget / unit)
    price = np.exp(brands.log_price[brand] + rng.normal(0, 0.2, n)) / unit
    share = np.where(rng.random(n) < 0.5, rng.uniform(0.12, 0.5, n), 1.0)
    return Demand(
        brief_id=np.array([f"b{i:05d}" for i in range(1, n + 1)]),
        brand=brand,
        chinese=chinese,
        vertical=vertical,
        goal=goal,
        topic=topics.embed(weights),
        subtopics=subtopics,
        target=audience.targets(rng, topics, vertical, chinese),
        platforms=_platforms(rng, chinese),
        modes=_modes(rng, goal),
        day=np.where(is_open, DAYS, np.sort(rng.uniform(_FIRST_BRIEF, DAYS - 5, n))),
        is_open=is_open,
        budget=budget,
        limit=np.where(share < 1, np.maximum(_round(budget * share), 2000 / unit), budget),
        product_price=np.maximum(np.round(price) - 0.1, 0.9),
        margin=brands.margin[brand],
        min_followers=np.where(
            rng.random(n) < 0.12, rng.choice([3_000.0, 10_000.0, 30_000.0], n), 0.0
        ),
        excluded=[
            np.sort(rng.choice(kols, size, replace=False))
            for size in np.where(rng.random(n) < 0.1, rng.integers(1, 4, n), 0)
        ],
    )


def _round(amount: Floats) -> Floats:
    """Two leading digits, as people write budgets."""
    scale = 10.0 ** (np.floor(np.log10(amount)) - 1)
    rounded: Floats = np.round(amount / scale) * scale
    return rounded


def draw_subjects(
    rng: np.random.Generator, topics: Topics, brands: Brands, brand: Ints
) -> tuple[list[list[int]], Floats]:
    """Draw what each brief is about: one to three subtopics of its brand, and their weights."""
    keys = np.log(brands.weights[brand] + 1e-12) + rng.gumbel(size=brands.weights[brand].shape)
    order = np.argsort(-keys, axis=1)
    counts = rng.choice([1, 2, 3], size=len(brand), p=[0.5, 0.4, 0.1])
    shares = {1: [1.0], 2: [0.7, 0.3], 3: [0.6, 0.25, 0.15]}
    weights = np.zeros(keys.shape)
    subtopics = [row[:count].tolist() for row, count in zip(order, counts, strict=True)]
    for i, chosen in enumerate(subtopics):
        weights[i, chosen] = shares[len(chosen)]
    return subtopics, weights


def _platforms(rng: np.random.Generator, chinese: Bools) -> Bools:
    """One to three platforms of one currency, the popular ones more often; all for one in five."""
    home = np.array([p in CNY_PLATFORMS for p in PLATFORMS])
    alike = chinese[:, None] == home
    keys = np.log(PLATFORM_SHARES) + rng.gumbel(size=alike.shape)
    rank = np.argsort(np.argsort(-np.where(alike, keys, -np.inf), axis=1), axis=1)
    count = rng.choice([1, 2, 3], size=len(chinese), p=[0.4, 0.35, 0.25])
    anywhere = rng.random(len(chinese)) < 0.2
    chosen: Bools = alike & ((rank < count[:, None]) | anywhere[:, None])
    return chosen


def _modes(rng: np.random.Generator, goal: Ints) -> Bools:
    serves: Bools = np.array([[mode in GOAL_MODES[g] for mode in MODES] for g in GOALS])[goal]
    keys = np.where(serves, rng.random(serves.shape), -1.0)
    rank = np.argsort(np.argsort(-keys, axis=1), axis=1)
    count = rng.choice([1, 2, 3], size=len(goal), p=[0.2, 0.4, 0.4])
    return serves & (rank < count[:, None])


def briefs_table(
    rng: np.random.Generator,
    topics: Topics,
    market: Market,
    brands: Brands,
    demand: Demand,
    writer: Writer,
) -> pd.DataFrame:
    """Return the BRIEFS table."""
    n = len(demand)
    # Chinese brands going abroad write Chinese briefs for platforms that speak English.
    zh = np.where(demand.chinese, rng.random(n) < 0.95, rng.random(n) < 0.25)
    names = [
        (brands.zh_name if chinese else brands.en_name)[b]
        for b, chinese in zip(demand.brand, zh, strict=True)
    ]
    goals = np.array(GOALS)[demand.goal]
    titles, texts = writer.briefs(zh, names, goals.tolist(), demand.vertical, demand.subtopics)
    usual = np.where(demand.chinese, 6_000.0, 6_000.0 / CNY_PER_USD)
    wanted = np.clip(np.round(demand.budget / usual * rng.uniform(0.3, 1.1, n)), 2, 20)
    anywhere = (demand.platforms.sum(axis=1) == np.where(demand.chinese, 7, 3)) & (
        rng.random(n) < 0.9
    )
    starts = demand.day + rng.uniform(2, 25, n)

    def some(share: float, values: Floats) -> Floats:
        return np.where(rng.random(n) < share, values, np.nan)

    sells = np.isin(goals, ("conversion", "seeding"))
    return pd.DataFrame(
        {
            "brief_id": demand.brief_id,
            "brand_id": brands.brand_id[demand.brand],
            "brand_name": names,
            "title": titles,
            "text": texts,
            "language": np.where(zh, "zh", "en"),
            "goal": goals,
            "vertical": [
                topics.verticals[v] if draw > 0.12 else None
                for v, draw in zip(demand.vertical, rng.random(n), strict=True)
            ],
            "platforms": [
                () if free else _names(PLATFORMS, row)
                for row, free in zip(demand.platforms, anywhere, strict=True)
            ],
            "modes": [_names(MODES, row) for row in demand.modes],
            "budget": demand.budget,
            "currency": np.where(demand.chinese, "CNY", "USD"),
            "max_price_per_kol": np.where(demand.limit < demand.budget, demand.limit, np.nan),
            "kols_wanted": wanted,
            **audience.columns(topics, demand.target),
            "min_followers": np.where(demand.min_followers > 0, demand.min_followers, np.nan),
            "min_audience_match": some(0.08, np.full(n, 0.3)),
            "product_price": np.where(
                sells | (rng.random(n) < 0.7), np.round(demand.product_price, 2), np.nan
            ),
            "gross_margin": demand.margin,
            "excluded_kols": [tuple(market.kol_id[rows].tolist()) for rows in demand.excluded],
            "competitor_brands": _competitors(rng, brands, demand.brand),
            "blocked_terms": [
                _BLOCKED[int(chinese)] if draw < 0.06 else ()
                for chinese, draw in zip(zh, rng.random(n), strict=True)
            ],
            "max_risk": some(0.3, rng.choice([0.3, 0.5, 0.7], n)),
            "starts_at": to_time(starts),
            "ends_at": to_time(starts + rng.uniform(20, 70, n)),
            "decided_at": to_time(np.where(demand.is_open, np.nan, demand.day)),
        }
    )


def _names(options: tuple[str, ...], chosen: Bools) -> tuple[str, ...]:
    return tuple(name for name, take in zip(options, chosen, strict=True) if take)


def _competitors(rng: np.random.Generator, brands: Brands, brand: Ints) -> list[tuple[str, ...]]:
    """Up to two brands of the same vertical, for four briefs in ten."""
    rivals: list[tuple[str, ...]] = []
    for b in brand:
        same = np.flatnonzero(brands.vertical == brands.vertical[b])
        same = same[same != b]
        count = min(len(same), int(rng.integers(1, 3))) if rng.random() < 0.4 else 0
        chosen = np.sort(rng.choice(same, count, replace=False))
        rivals.append(tuple(brands.brand_id[chosen].tolist()))
    return rivals
