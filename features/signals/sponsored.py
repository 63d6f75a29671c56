"""What becomes of the KOL's posts when they are paid for."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.postlog import Recent
from features.roster import Cells
from features.signals.engagement import rates_of
from features.signals.family import Signals
from features.statistics import log, ratio, row_mean, row_sum, where
from features.timeline import Floats
from features.vectors import Embeddings
from features.view import View

SPONSORED = {
    "share": "share of recent posts that are sponsored",
    "posts": "sponsored recent posts",
    "views": "mean log views of sponsored less that of organic recent posts",
    "engagement": "log of the engagement rate of sponsored over that of organic recent posts",
}


def sponsored(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Compare sponsored with organic recent posts; posts of unknown kind count as neither."""
    return {name: values[view.cell] for name, values in view.cells.once(_of_cells).items()}


def _of_cells(cells: Cells) -> Signals:
    return cells.of_states(_of_posts)


def _of_posts(recent: Recent) -> dict[str, Floats]:
    paid = recent.numbers("is_sponsored")
    views = np.log1p(recent.numbers("views"))
    return {
        "share": row_mean(paid),
        "posts": row_sum(paid),
        "views": row_mean(where(paid == 1, views)) - row_mean(where(paid == 0, views)),
        "engagement": log(ratio(rates_of(recent, paid), rates_of(recent, 1.0 - paid))),
    }
