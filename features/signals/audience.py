"""Who watches the KOL against whom the brief wants to reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.config import FeatureConfig
from features.contract import AUDIENCE
from features.history import History
from features.ragged import ragged, starts
from features.signals.family import Signals
from features.spill import Spill, spilled
from features.statistics import row_mean, where
from features.timeline import Floats, Ints, expand, positions
from features.vectors import Embeddings
from features.view import View

_GRID = 2.0**40
_BLOCK = 16_384
"""Pairs compared at once."""
_ROWS = 65_536
"""Mixes read at once."""

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
    matches = {dimension: np.empty(len(asked)) for dimension in AUDIENCE}
    shares = np.empty((len(asked), len(AUDIENCE)))
    for column, dimension in enumerate(AUDIENCE):
        wanted, has = view.history.once(_mixes(dimension))
        for start in range(0, len(asked), _BLOCK):
            part = slice(start, start + _BLOCK)
            target, own = wanted.rows(asked[part, 0]), has.rows(asked[part, 1])
            matches[dimension][part] = 1.0 - _distance(target, own)
            shares[part, column] = _top_share(target, own)
    match = row_mean(np.column_stack(list(matches.values())))
    return {dimension: values[which] for dimension, values in matches.items()} | {
        "match": match[which],
        "target_share": row_mean(shares)[which],
    }


def _distinct_pairs(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Return the distinct pairs of two codes from -1 up, and which of them each pair is."""
    size = int(second.max(initial=0)) + 2
    codes, which = np.unique(first * size + second + 1, return_inverse=True)
    return np.column_stack([codes // size, codes % size - 1]), which.astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Mixes:
    """Shares by name of many mixes, and last of all other names together.

    Attributes
    ----------
    start : ndarray of int64, shape (n + 1,)
        Entries of mix ``i`` are ``start[i]`` to ``start[i + 1]``; a mix that says nothing has none.
    column : ndarray of int16
        Name of each entry.
    share : ndarray of float64
        Its share, on a grid of 2**-40, on which sums are exact: how many names fall together under
        "other" depends on the other briefs in the table, and must not change a digit.
    names : int
        How many names are told apart.
    """

    start: Ints
    column: npt.NDArray[np.int16]
    share: Floats
    names: int

    @classmethod
    def of(cls, mixes: pd.Series[Any], names: list[str]) -> _Mixes:
        """Read mixes, scaling each to 1."""
        flat = ragged(mixes)
        values = np.empty(0) if flat.share is None else flat.share
        # Added up in the order of names, whatever order the mix has.
        rank = np.argsort(np.argsort(flat.names, kind="stable"))
        place = positions(names)
        columns = np.array([place.get(name, len(names)) for name in flat.names], dtype=np.int16)
        counts, column, share = Spill(np.int64), Spill(np.int16), Spill(np.float64)
        for first in range(0, max(len(flat), 1), _ROWS):
            edges = flat.start[first : first + _ROWS + 1]
            part = slice(int(edges[0]), int(edges[-1]))
            sizes, code, value = np.diff(edges), flat.code[part], values[part]
            owner = np.repeat(np.arange(len(sizes)), sizes)
            order = np.lexsort((rank[code], owner))
            total = np.bincount(owner[order], weights=value[order], minlength=len(sizes))
            told = total[owner] > 0
            counts.add(np.bincount(owner[told], minlength=len(sizes)))
            column.add(columns[code[told]])
            share.add(np.rint(value[told] / total[owner[told]] * _GRID) / _GRID)
        return cls(spilled(starts(counts.done())), column.done(), share.done(), len(names))

    def rows(self, wanted: Ints) -> Floats:
        """Return the shares of mixes by position, shape (wanted, names + 1).

        Rows sum to 1; they are NaN where the mix is empty or the position is -1.
        """
        used, which = np.unique(wanted, return_inverse=True)
        known = np.maximum(used, 0)
        size = np.where(used < 0, 0, self.start[known + 1] - self.start[known])
        entries, row = expand(self.start[known], self.start[known] + size)
        width = self.names + 1
        cell = row * width + self.column[entries]
        sums = np.bincount(cell, weights=self.share[entries], minlength=len(used) * width)
        out = sums.reshape(len(used), width).astype(np.float64)
        out[size == 0] = np.nan
        return np.asarray(out[which], dtype=np.float64)


@cache
def _mixes(dimension: str) -> Callable[[History], tuple[_Mixes, _Mixes]]:
    """Return what reads the mixes of one dimension: those of briefs, and those of profiles."""

    def read(history: History) -> tuple[_Mixes, _Mixes]:
        column = f"audience_{dimension}"
        wanted, has = history.briefs[column], history.kols.frame[column]
        names = sorted({name for mix in wanted for name in mix})
        return _Mixes.of(wanted, names), _Mixes.of(has, names)

    return read


def _distance(target: Floats, own: Floats) -> Floats:
    middle = (target + own) / 2.0
    asked = np.flatnonzero((target > 0).any(axis=0))
    aim, has, half = target[:, asked], own[:, asked], middle[:, asked]
    shared = _sum_in_order(np.where(aim > 0, _bits(aim, half) + _bits(has, half), 0.0))
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
