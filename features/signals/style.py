"""How the KOL works: originality and regularity."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.postlog import Recent
from features.signals.family import Signals
from features.similarity import paired_cosines
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
    cells, recent = view.cells, view.cells.recent
    dated = recent.dated
    gaps = dated[:, :-1] - dated[:, 1:]
    mean = row_mean(gaps)
    deviation = np.sqrt(row_mean(np.square(gaps - mean[:, None])))
    by_state = {
        "distinct": _distinct_share(recent),
        "novelty": 1.0 - row_mean(_cosines_to_previous(recent, embeddings)),
        "gap_days": mean,
        "gap_spread": ratio(deviation, mean),
        "median_gap_days": row_quantile(gaps, 0.5),
        "duration": row_mean(np.log1p(recent.numbers("duration_s"))),
    }
    by_cell = {name: cells.of_posts(values) for name, values in by_state.items()}
    published = cells.of_posts(dated)
    age = cells.time[:, None] / DAY - published
    by_cell["days_since_post"] = age[:, 0]
    by_cell["posts_90"] = np.where(
        np.isnan(age[:, 0]), np.nan, (age <= 90.0).sum(axis=1).astype(np.float64)
    )
    return {name: by_cell[name][view.cell] for name in STYLE}


def _distinct_share(recent: Recent) -> Floats:
    ordered = np.sort(recent.texts, axis=1)
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    distinct = (new & (ordered >= 0)).sum(axis=1).astype(np.float64)
    return ratio(distinct, recent.there.sum(axis=1).astype(np.float64))


def _cosines_to_previous(recent: Recent, embeddings: Embeddings) -> Floats:
    """Return the cosine of each post and the one published before it, shape (states, posts - 1).

    States of one KOL share most neighbours: each pair of texts is compared once.
    """
    later, earlier = recent.texts[:, :-1], recent.texts[:, 1:]
    there = (later >= 0) & (earlier >= 0)
    size = int(recent.texts.max(initial=0)) + 1
    names, which = np.unique(later[there] * size + earlier[there], return_inverse=True)
    used, place = np.unique(np.append(names // size, names % size), return_inverse=True)
    vectors = embeddings.of([recent.log.texts[1][code] for code in used])
    values = paired_cosines(vectors, place[: len(names)], place[len(names) :])
    out = np.full(later.shape, np.nan)
    out[there] = values[which]
    return out
