"""Who watches: audience mixes of KOLs and the targets that brands set."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.contract import AUDIENCE
from features.simulate.topics import Bools, Floats, Ints, Topics

CATEGORIES: dict[str, tuple[str, ...]] = {
    "gender": ("female", "male"),
    "age": ("0-17", "18-24", "25-34", "35-44", "45+"),
    "region": (
        *("CN-GD", "CN-ZJ", "CN-JS", "CN-SH", "CN-BJ", "CN-SC", "CN-HN", "CN-HB"),
        *("US", "GB", "CA", "AU", "IN", "PH", "MY", "SG"),
    ),
    "city_tier": ("tier1", "new_tier1", "tier2", "tier3+"),
}
"""Categories of each dimension; ``interest`` has the verticals."""

_HOME_REGIONS = 8
_TIGHT = {"gender": 14.0, "age": 12.0, "region": 6.0, "city_tier": 10.0, "interest": 8.0}
"""Dirichlet concentration around what is typical: the lower, the more KOLs differ."""


def categories(topics: Topics) -> dict[str, tuple[str, ...]]:
    """Return the category names of each audience dimension."""
    return {**CATEGORIES, "interest": topics.verticals}


def typical(topics: Topics, vertical: Ints, chinese: Bools) -> dict[str, Floats]:
    """Return the typical audience of accounts.

    Parameters
    ----------
    topics : Topics
        The subtopics of the world.
    vertical : ndarray of int, shape (n,)
        Main vertical of each account.
    chinese : ndarray of bool, shape (n,)
        Whether the account is on a Chinese platform.

    Returns
    -------
    dict of str to ndarray, shape (n, categories)
        Shares that sum to 1; city tiers of accounts abroad are all 0, being unknown there.
    """
    facts = [topics.facts[v] for v in topics.verticals]
    women = np.array([f["women"] for f in facts])[vertical]
    ages = np.array([f["ages"] for f in facts], dtype=float)[vertical]
    home = np.arange(len(CATEGORIES["region"])) < _HOME_REGIONS
    region = np.where(chinese[:, None] == home, 1.0 / _HOME_REGIONS, 0.0)
    interest = np.full((len(vertical), len(topics.verticals)), 0.02)
    near = np.array([[w in f["near"] for w in topics.verticals] for f in facts])
    interest += 0.1 * near[vertical]
    interest[np.arange(len(vertical)), vertical] += 0.45
    return {
        "gender": np.column_stack([women, 1 - women]),
        "age": ages / ages.sum(axis=1, keepdims=True),
        "region": region,
        "city_tier": np.where(chinese[:, None], [0.2, 0.27, 0.23, 0.3], 0.0),
        "interest": interest / interest.sum(axis=1, keepdims=True),
    }


def scatter(
    rng: np.random.Generator, mixes: dict[str, Floats], tightness: float = 1.0
) -> dict[str, Floats]:
    """Draw mixes around others (Dirichlet); categories with share 0 stay at 0."""
    drawn = {}
    for dimension, mix in mixes.items():
        gammas = rng.gamma(np.where(mix > 0, mix * _TIGHT[dimension] * tightness, 1.0))
        gammas = np.where(mix > 0, gammas + 1e-9, 0.0)
        total = gammas.sum(axis=1, keepdims=True)
        drawn[dimension] = np.divide(gammas, total, out=np.zeros_like(gammas), where=total > 0)
    return drawn


def targets(
    rng: np.random.Generator, topics: Topics, vertical: Ints, chinese: Bools
) -> dict[str, Floats]:
    """Draw the audiences that brands ask for: sharper than any real one, often partly open.

    Returns
    -------
    dict of str to ndarray, shape (n, categories)
        A row of zeros where the brand does not care for the dimension.
    """
    base = scatter(rng, typical(topics, vertical, chinese), tightness=0.8)
    cares = {"gender": 0.8, "age": 0.9, "region": 0.4, "city_tier": 0.5, "interest": 0.5}
    sharp = {"gender": 1.6, "age": 2.0, "region": 1.5, "city_tier": 1.8, "interest": 1.3}
    wanted = {}
    for dimension in AUDIENCE:
        mix = base[dimension] ** sharp[dimension]
        total = mix.sum(axis=1, keepdims=True)
        mix = np.divide(mix, total, out=np.zeros_like(mix), where=total > 0)
        open_rows = rng.random(len(vertical)) >= cares[dimension]
        mix[open_rows] = 0.0
        wanted[dimension] = mix
    return wanted


def overlap(audience: dict[str, Floats], target: dict[str, Floats]) -> Floats:
    """Return how much of each target its audience covers, 0-1, row by row.

    The mean over the dimensions that the target names of ``sum(min(audience, target))``; 0.6, the
    usual value, where it names none.
    """
    rows = len(next(iter(audience.values())))
    total, named = np.zeros(rows), np.zeros(rows)
    for dimension, mix in audience.items():
        shared = np.minimum(mix, target[dimension]).sum(axis=1)
        cares = target[dimension].any(axis=1)
        total = total + np.where(cares, shared, 0.0)
        named = named + cares.astype(float)
    mean: Floats = np.divide(total, named, out=np.full(rows, 0.6), where=named > 0)
    return mean


def to_column(mixes: Floats, names: tuple[str, ...], digits: int = 3) -> list[dict[str, float]]:
    """Return each row as shares by name, rounded, without zeros."""
    rounded = np.round(mixes, digits).tolist()
    return [{n: v for n, v in zip(names, row, strict=True) if v > 0} for row in rounded]


def columns(topics: Topics, mixes: dict[str, Floats]) -> dict[str, Any]:
    """Return the ``audience_*`` columns of a table."""
    names = categories(topics)
    return {f"audience_{d}": to_column(mixes[d], names[d]) for d in AUDIENCE}
