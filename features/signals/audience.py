"""Who watches the KOL against whom the brief wants to reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.contract import AUDIENCE
from features.signals.family import Signals
from features.statistics import row_mean, where
from features.timeline import Floats, Ints, positions
from features.vectors import Embeddings
from features.view import View

_GRID = 2.0**40

AUDIENCE_SIGNALS = {
    **{
        dimension: f"1 - Jensen-Shannon distance of audience and target by {dimension}"
        for dimension in AUDIENCE
    },
    "match": "mean of these over the dimensions that both sides tell",
    "target_share": "audience share of what the target names first, mean over dimensions",
}


def audience(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Compare audience and target distributions, each scaled to sum to 1.

    The Jensen-Shannon distance to base 2 lies in 0-1: the square root of the mean divergence of
    each distribution from their midpoint (Endres and Schindelin, IEEE Trans. Inf. Theory 2003).
    """
    profile = view.cells.profile[view.cell]
    asked, which = _distinct_pairs(view.brief, profile)
    matches, shares = {}, []
    for dimension in AUDIENCE:
        column = f"audience_{dimension}"
        wanted, has = view.history.briefs[column], view.history.kols.frame[column]
        names = sorted({name for mix in wanted for name in mix})
        target = _shares(wanted, asked[:, 0], names)
        own = _shares(has, asked[:, 1], names)
        matches[dimension] = (1.0 - _distance(target, own))[which]
        shares.append(_top_share(target, own)[which])
    return matches | {
        "match": row_mean(np.column_stack(list(matches.values()))),
        "target_share": row_mean(np.column_stack(shares)),
    }


def _distinct_pairs(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Return the distinct pairs of two codes from -1 up, and which of them each pair is."""
    size = int(second.max(initial=0)) + 2
    codes, which = np.unique(first * size + second + 1, return_inverse=True)
    return np.column_stack([codes // size, codes % size - 1]), which.astype(np.int64)


def _shares(mixes: pd.Series[Any], rows: Ints, names: list[str]) -> Floats:
    """Return the shares of mixes by name and, last, of all other names together.

    Rows sum to 1; they are NaN where the mix is empty or the position is -1. Shares are rounded
    to a grid of 2**-40, on which sums are exact: how many names fall together under "other"
    depends on the other briefs in the table, and must not change a digit.
    """
    place = positions(names)
    used, which = np.unique(rows, return_inverse=True)
    out = np.full((len(used), len(names) + 1), np.nan)
    for row, mix in enumerate(mixes.iloc[used[used >= 0]], start=int((used < 0).sum())):
        total = sum(mix[name] for name in sorted(mix))
        if total > 0:
            out[row] = 0.0
            for name, share in mix.items():
                out[row, place.get(name, -1)] += round(share / total * _GRID) / _GRID
    return out[which]


def _distance(target: Floats, own: Floats) -> Floats:
    middle = (target + own) / 2.0
    shared = _sum_in_order(np.where(target > 0, _bits(target, middle) + _bits(own, middle), 0.0))
    # Where the target has nothing, an own share is twice the midpoint: one bit each.
    apart = np.where(target > 0, 0.0, own).sum(axis=1)
    distance = np.sqrt(np.clip((shared + apart) / 2.0, 0.0, 1.0))
    return where(~np.isnan(middle).any(axis=1), distance)


def _bits(share: Floats, middle: Floats) -> Floats:
    """Return each name's part of the divergence from the midpoint, in bits; 0 log 0 is 0."""
    quotient = np.divide(share, middle, out=np.ones_like(share), where=share > 0)
    return np.asarray(share * np.log2(quotient))


def _sum_in_order(matrix: Floats) -> Floats:
    """Add columns one by one, so that columns of zeros cannot change a digit."""
    total = np.zeros(len(matrix))
    for column in matrix.T:
        total = total + column
    return total


def _top_share(target: Floats, own: Floats) -> Floats:
    known = ~np.isnan(target).any(axis=1)
    top = np.argmax(np.nan_to_num(target, nan=-1.0), axis=1)
    return np.where(known, own[np.arange(len(own)), top], np.nan)
