"""Rows that would give a wrong reading of a forest away."""

from __future__ import annotations

import numpy as np

from matcher.trees import NONE_OF, Floats, Trees

RANDOM_ROWS = 1000
_UNUSUAL = 1e100
"""Thresholds beyond stand before infinity, where training met it."""
_ZEROS = (0.0, -0.0, 1e-35, -1e-35, 1e-36, -1e-36, 1.1e-35, -1.1e-35)
"""0, and what LightGBM reads as 0 or only just does not."""
_SPECIAL = (np.nan, np.inf, -np.inf, *_ZEROS, 5e-324, 1e300, -1e300)
_CATEGORIES = (-1.0, -0.5, 0.5, 1.5, 2.0**31, -(2.0**31), 1e10)


def probe_rows(trees: Trees, features: int, seed: int = 0) -> Floats:
    """Return rows to score in two ways, shape (rows, features).

    First rows at the thresholds: each threshold of each feature, the number just below and the one
    just above it, NaN, infinities, 0 and what is nearly 0, each category and its neighbours. One
    row asks this of all features at once, each in an order of its own. Then 1,000 random rows, a
    tenth of each feature unknown and a twentieth 0.
    """
    rng = np.random.default_rng(seed)
    asked = [_asked(trees, feature) for feature in range(features)]
    told = [_critical(*of) for of in asked]
    size = max(map(len, told), default=1)
    rows = np.empty((size + RANDOM_ROWS, features))
    for feature, (thresholds, categories) in enumerate(asked):
        rows[:size, feature] = rng.permutation(np.resize(told[feature], size))
        usual = thresholds[np.abs(thresholds) < _UNUSUAL]
        low, high = np.quantile(usual, (0.1, 0.9)) if len(usual) else (0.0, 0.0)
        drawn = low + (high - low) * rng.normal(0.5, 0.5, RANDOM_ROWS)
        if categories:
            drawn = rng.integers(0, categories, RANDOM_ROWS).astype(np.float64)
        chance = rng.random(RANDOM_ROWS)
        drawn[chance < 0.1] = np.nan
        drawn[chance > 0.95] = 0.0
        rows[size:, feature] = drawn
    return rows


def _asked(trees: Trees, feature: int) -> tuple[Floats, int]:
    """Return the thresholds of a feature, and a number above all its categories, 0 for none."""
    mine = np.flatnonzero(trees.feature == feature)
    words = max((len(trees.sets[node]) for node in mine), default=0)
    return np.unique(trees.threshold[mine[trees.kind[mine] != NONE_OF]]), 32 * words


def _critical(at: Floats, categories: int) -> Floats:
    """Return the values of a feature at which a tree may change its mind."""
    with np.errstate(over="ignore"):
        found = [at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf), np.array(_SPECIAL)]
    if categories:
        found += [np.arange(categories + 1, dtype=np.float64), np.array(_CATEGORIES)]
    return np.concatenate(found)
