"""What viewers do."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.postlog import Recent
from features.roster import Cells
from features.signals.family import Signals
from features.statistics import ratio, row_mean, row_sum, where
from features.timeline import Floats
from features.vectors import Embeddings
from features.view import View

ENGAGEMENT = {
    "rate": "engagements over views of recent posts, shrunk towards 3 %",
    "likes": "likes over views",
    "comments": "comments over views",
    "shares": "shares over views",
    "saves": "saves over views",
    "completion": "mean completion rate, 0-1",
    "comments_per_like": "comments over likes",
    "percentile": "place of the rate among the roster's same platform and tier, 0-1",
}
ACTIONS = ("likes", "comments", "shares", "saves")
PRIOR_RATE = 0.03
PRIOR_VIEWS = 1000.0
"""What is assumed of a KOL before the first view is seen: a customary rate, at little weight."""


def engagement(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Describe engagement as sums over recent posts, so that a post counts by its views."""
    by_cell = {**view.cells.once(_of_cells), "percentile": view.percentile(engagement_rate)}
    return {name: by_cell[name][view.cell] for name in ENGAGEMENT}


def _of_cells(cells: Cells) -> Signals:
    return cells.of_states(_of_posts) | {"rate": engagement_rate(cells)}


def _of_posts(recent: Recent) -> dict[str, Floats]:
    views = recent.numbers("views")
    told = {action: _rate(recent.numbers(action), views) for action in ACTIONS}
    told["completion"] = row_mean(recent.numbers("completion_rate"))
    likes, comments = recent.numbers("likes"), recent.numbers("comments")
    told["comments_per_like"] = _rate(comments, likes)
    return told


def engagement_rate(cells: Cells) -> Floats:
    """Return the shrunk engagement rate of each cell; ask with `Cells.once`."""
    return cells.of_states(_rates)["rate"]


def _rates(recent: Recent) -> dict[str, Floats]:
    return {"rate": rates_of(recent)}


def rates_of(recent: Recent, kept: Floats | None = None) -> Floats:
    """Return the shrunk engagement rate of each state's recent posts.

    Parameters
    ----------
    recent : Recent
        Latest posts.
    kept : ndarray, shape (states, posts), optional
        Not zero where a post counts; by default all do.

    Returns
    -------
    ndarray of float64, shape (states,)
        ``(engagements + 30) / (views + 1000)`` over posts with known views and likes; NaN where
        there is no such post. Actions other than likes count 0 where a platform does not tell.
    """
    views = recent.numbers("views")
    known = ~np.isnan(views) & ~np.isnan(recent.numbers("likes"))
    if kept is not None:
        known &= kept == 1
    acts = np.add.reduce([np.nan_to_num(recent.numbers(action)) for action in ACTIONS])
    top = row_sum(where(known, acts)) + PRIOR_RATE * PRIOR_VIEWS
    return where(known.any(axis=1), ratio(top, row_sum(where(known, views)) + PRIOR_VIEWS))


def _rate(acts: Floats, views: Floats) -> Floats:
    known = ~np.isnan(acts) & ~np.isnan(views)
    return ratio(row_sum(where(known, acts)), row_sum(where(known, views)))
