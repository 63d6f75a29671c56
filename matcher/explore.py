"""Places of a list that are drawn by chance, so that the log learns of whom a ranking passes over.

The last places of a list may be drawn from the candidates ranked next. Each candidate's chance is
known before the draw and kept with the match, so that whoever was shown can be told by which
chance; training does not read it. The draw is systematic (Madow, 1949) in a random order: it fills
exactly the places there are, takes nobody twice, and gives each candidate exactly its chance.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matcher.config import ServingConfig

Floats = NDArray[np.float64]

_SURE = 1 - 1e-9
"""Chances this large are 1 but for rounding."""


def choose_places(ranked: pd.DataFrame, config: ServingConfig, seed: int) -> pd.DataFrame:
    """Cut ranked candidates to lists, the last places of each drawn where settings ask for it.

    Parameters
    ----------
    ranked : DataFrame
        brief_id, as_of, kol_id, score and rank (1 is best, without gaps), by brief and rank.
    config : ServingConfig
        How many places there are, how many of them are drawn, and from whom.
    seed : int
        With brief and moment it seeds the draw: the same question gets the same list, alone or
        among others.

    Returns
    -------
    DataFrame
        Rows of `ranked` by brief and place, with ``rank`` now the place in the list; ``ranked``,
        the rank before; ``list_chance``, the chance to be in the list, 1 for those who are there by
        rank; and ``explored``, whether the place was drawn.
    """
    places = explored_places(config)
    kept = ranked[ranked["rank"] <= config.top].assign(list_chance=1.0, explored=False)
    if places > 0:
        lists = [
            _drawn(candidates, places, config, seed)
            for _, candidates in ranked.groupby("brief_id", sort=False)
        ]
        kept = pd.concat(lists) if lists else kept
    return kept.assign(ranked=kept["rank"], rank=kept.groupby("brief_id").cumcount() + 1)


def with_planned(
    places: pd.DataFrame, ranked: pd.DataFrame, planned: Mapping[str, Collection[str]]
) -> pd.DataFrame:
    """Add to each list whoever is planned and has no place, after the others and by rank.

    Parameters
    ----------
    places : DataFrame
        As `choose_places` gives them.
    ranked : DataFrame
        What they were chosen from.
    planned : mapping of str to collection of str
        By brief, the KOLs that must be listed.

    Returns
    -------
    DataFrame
        Columns of `places`, by brief and place. Who is planned is listed for certain.
    """
    asked = zip(ranked["brief_id"], ranked["kol_id"], strict=True)
    wanted = np.array([kol in planned.get(brief, ()) for brief, kol in asked], dtype=bool)
    certain = ranked.index[wanted]
    added = ranked.loc[certain.difference(places.index, sort=False)]
    added = added.assign(list_chance=1.0, explored=False, ranked=added["rank"])
    listed = pd.concat([places, added]) if len(added) else places
    sure = listed.index.isin(certain)
    listed = listed.assign(
        list_chance=listed["list_chance"].mask(sure, 1.0), explored=listed["explored"] & ~sure
    )
    order = pd.factorize(ranked["brief_id"])[0]
    brief = pd.Series(order, index=ranked.index).loc[listed.index]
    listed = listed.iloc[np.argsort(brief.to_numpy(), kind="stable")]
    return listed.assign(rank=listed.groupby("brief_id", sort=False).cumcount() + 1)


def explored_places(config: ServingConfig) -> int:
    """Return how many places of a full list are drawn.

    Any share above 0 is at least one place; of a list of one place, the best keeps it.

    Examples
    --------
    >>> [explored_places(ServingConfig(top=20, explore_share=s)) for s in (0.0, 0.02, 0.1)]
    [0, 1, 2]
    """
    if config.explore_share == 0 or config.top == 1:
        return 0
    return max(1, round(config.explore_share * config.top))


def inclusion_chances(scores: Floats, count: int, config: ServingConfig) -> Floats:
    """Return each candidate's chance to be drawn.

    In proportion to a mixture of equal shares (``explore_uniform``) and a softmax of the scores,
    in standard deviations, over ``explore_temperature``. Who would get more than 1 gets 1, and the
    others share the rest.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Finite; n is above `count`.
    count : int
        Places to fill, at least 1.

    Returns
    -------
    ndarray, shape (n,)
        Above 0 and at most 1; sums to `count`.
    """
    spread = scores.std()
    height = (scores - scores.max()) / (spread if spread > 0 else 1.0)
    soft = np.exp(height / config.explore_temperature)
    share = config.explore_uniform
    weight = share / len(scores) + (1 - share) * soft / soft.sum()
    sure = np.zeros(len(scores), dtype=bool)
    while True:
        chance = np.where(sure, 1.0, (count - sure.sum()) * weight / weight[~sure].sum())
        above = ~sure & (chance > _SURE)
        if not above.any():
            return chance
        sure |= above


def systematic_draw(chances: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw as many as the chances sum to, each by exactly its chance.

    Chances are laid end to end in a random order, and every whole step from a random start picks
    the one it falls on.

    Parameters
    ----------
    chances : ndarray, shape (n,)
        0-1, with a whole sum.
    rng : Generator
        Dice.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    taken = chances > _SURE
    rest = rng.permutation(np.flatnonzero(~taken))
    count = round(float(chances[rest].sum()))
    steps = rng.random() + np.arange(count)
    # The last end is the sum but for rounding, which must not let a step fall off.
    ends = np.cumsum(chances[rest])[:-1]
    taken[rest[np.searchsorted(ends, steps, side="right")]] = True
    return taken


def _drawn(candidates: pd.DataFrame, places: int, config: ServingConfig, seed: int) -> pd.DataFrame:
    """Return one brief's list; where nobody is left over there is nothing to draw."""
    fixed = config.top - places
    pool = candidates[candidates["rank"] > fixed].head(config.explore_pool * config.top)
    listed = candidates[candidates["rank"] <= fixed].assign(list_chance=1.0, explored=False)
    if len(pool) <= places:
        return pd.concat([listed, pool.assign(list_chance=1.0, explored=False)])
    chances = inclusion_chances(pool["score"].to_numpy(dtype=np.float64), places, config)
    brief_id, as_of = candidates[["brief_id", "as_of"]].iloc[0]
    rng = np.random.default_rng([seed, zlib.crc32(f"{brief_id} {as_of.isoformat()}".encode())])
    drawn = systematic_draw(chances, rng)
    pool = pool.assign(list_chance=chances, explored=chances < 1.0)
    return pd.concat([listed, pool[drawn]])
