"""Users' own vectors of briefs and KOLs."""

from __future__ import annotations

import numpy as np

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
    widths, own = _widths(briefs), _widths(kols)
    out = np.full(len(view), np.nan)
    # A space whose width changed compares like with like only.
    for width in np.unique(widths):
        mine, theirs = np.flatnonzero(widths == width), np.flatnonzero(own == width)
        if len(theirs):
            of, to = _place(mine, left), _place(theirs, right)
            values = cosines(_stack(briefs, mine), _stack(kols, theirs), of, to[:, None])[:, 0]
            out = np.where((of >= 0) & (to >= 0), values, out)
    return out


def _widths(timeline: Timeline) -> Ints:
    return np.array([len(vector) for vector in timeline.frame["vector"]], dtype=np.int64)


def _place(rows: Ints, wanted: Ints) -> Ints:
    at = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    return np.where(rows[at] == wanted, at, -1)


def _stack(timeline: Timeline, rows: Ints) -> Floats:
    return np.stack([timeline.frame["vector"].iloc[row] for row in rows]).astype(np.float64)
