"""How the KOL works: originality and regularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.config import FeatureConfig
from features.postlog import Recent
from features.profiles import shapes_of
from features.roster import Cells
from features.shelf import Shelf
from features.signals.family import Signals
from features.statistics import ratio, row_mean, row_quantile
from features.timeline import DAY, Floats
from features.vectors import Embeddings
from features.view import View

STYLE = {
    "distinct": "share of recent posts whose text is not that of another recent post",
    "novelty": "1 - mean cosine of each recent post and the one before it",
    "gap_days": "mean days between recent posts",
    "gap_spread": "standard deviation over mean of the days between recent posts",
    "median_gap_days": "median days between recent posts",
    "days_since_post": "days since the latest known post",
    "posts_90": "posts of the last 90 days, as far as recent posts go",
    "duration": "mean log seconds of recent posts + 1",
}


def style(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Describe originality, which is known to help (Leung et al. 2022), and posting rhythm."""
    told = view.cells.asked(_OfCells(embeddings, config, embeddings.shelf()))
    return {name: told[name][view.cell] for name in STYLE}


@dataclass(frozen=True)
class _OfCells:
    """Describes cells; ask with `Cells.asked`."""

    embeddings: Embeddings
    config: FeatureConfig
    shelf: Shelf

    def __call__(self, cells: Cells) -> dict[str, Floats]:
        """Return `STYLE` by cell."""
        by_cell = {
            **cells.of_states(_of_posts),
            "novelty": shapes_of(cells, self.embeddings, self.config)[0].novelty,
        }
        age = cells.time[:, None] / DAY - cells.of_posts(cells.recent.dated)
        by_cell["days_since_post"] = age[:, 0]
        by_cell["posts_90"] = np.where(
            np.isnan(age[:, 0]), np.nan, (age <= 90.0).sum(axis=1).astype(np.float64)
        )
        return by_cell


def _of_posts(recent: Recent) -> dict[str, Floats]:
    dated = recent.dated
    gaps = dated[:, :-1] - dated[:, 1:]
    mean = row_mean(gaps)
    deviation = np.sqrt(row_mean(np.square(gaps - mean[:, None])))
    return {
        "distinct": _distinct_share(recent),
        "gap_days": mean,
        "gap_spread": ratio(deviation, mean),
        "median_gap_days": row_quantile(gaps, 0.5),
        "duration": row_mean(np.log1p(recent.numbers("duration_s"))),
    }


def _distinct_share(recent: Recent) -> Floats:
    ordered = np.sort(recent.texts, axis=1)
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    distinct = (new & (ordered >= 0)).sum(axis=1).astype(np.float64)
    return ratio(distinct, recent.there.sum(axis=1).astype(np.float64))
