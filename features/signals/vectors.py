"""Users' own vectors of briefs and KOLs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.config import FeatureConfig
from features.signals.family import Signals
from features.similarity import cosines
from features.statistics import row_mean
from features.timeline import Floats, Ints, Timeline
from features.vectors import Embeddings
from features.view import View

VECTORS = {
    "{space}_cosine": "cosine of the users' vectors of brief and KOL in the space {space}",
    "mean_cosine": "mean cosine over the spaces",
    "max_cosine": "highest cosine over the spaces",
}


def vectors(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Compare users' own vectors, space by space."""
    found = {space: _cosine(view, space) for space in config.spaces}
    every = np.column_stack([np.full(len(view), np.nan), *found.values()])
    lowest = np.where(np.isnan(every), -np.inf, every).max(axis=1)
    return {f"{space}_cosine": values for space, values in found.items()} | {
        "mean_cosine": row_mean(every),
        "max_cosine": np.where(np.isinf(lowest), np.nan, lowest),
    }


def _cosine(view: View, space: str) -> Floats:
    briefs = view.history.vectors("brief", space)
    kols = view.history.vectors("kol", space)
    left, right = briefs.last(view.brief, view.time), kols.last(view.kol, view.time)
    out = np.full(len(view), np.nan)
    # A roster's vectors are many: only those that these pairs see are stacked.
    asked, told = _used(left), _used(right)
    widths, own = _widths(briefs, asked), _widths(kols, told)
    # A space whose width changed compares like with like only.
    for width in np.intersect1d(widths, own):
        mine, theirs = asked[widths == width], told[own == width]
        of, to = _place(mine, left), _place(theirs, right)
        values = cosines(_stack(briefs, mine), _stack(kols, theirs), of, to[:, None])[:, 0]
        out = np.where((of >= 0) & (to >= 0), values, out)
    return out


def _used(rows: Ints) -> Ints:
    return np.unique(rows[rows >= 0])


def _widths(timeline: Timeline, rows: Ints) -> Ints:
    # Indexing a column's array is a hundred times as fast as `iloc`, row by row.
    return np.array([len(vector) for vector in _vectors(timeline, rows)], dtype=np.int64)


def _place(rows: Ints, wanted: Ints) -> Ints:
    at = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    return np.where(rows[at] == wanted, at, -1)


def _stack(timeline: Timeline, rows: Ints) -> Floats:
    return np.stack(list(_vectors(timeline, rows))).astype(np.float64)


def _vectors(timeline: Timeline, rows: Ints) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = timeline.frame["vector"].to_numpy()[rows]
    return found
