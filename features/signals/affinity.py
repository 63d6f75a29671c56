"""Closeness in learned projections of each space: of text, and of users' own vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.config import FeatureConfig
from features.profiles import posts_of, recent_centroids
from features.projection import Projection
from features.signals.content import bio_texts, brief_texts, recent_posts
from features.signals.family import Family, Signals
from features.similarity import cosines
from features.statistics import row_top
from features.timeline import Floats, Ints, Timeline
from features.vectors import Embeddings
from features.view import View

TEXT = "posts"
"""Space of the text encoder, in which a KOL stands where its recent posts do."""
_NEAREST = 10
"""Nearest landmarks that tell how crowded a place is."""

_TEXT_SIGNALS = {
    "posts_recent": "projected cosine of the brief and the centroid of recent posts",
    "posts_best": "highest projected cosine of the brief and a recent post",
    "posts_top3": "mean projected cosine of the brief and its three closest recent posts",
    "posts_bio": "projected cosine of the brief and the bio",
    "posts_crowding": "mean projected cosine of recent posts' centroid and the 10 closest of the "
    "briefs learned from: who is close to everybody",
}
_OWN_SIGNALS = {
    "cosine_{space}": "projected cosine of the users' vectors of brief and KOL in the space "
    "{space}",
    "crowding_{space}": "mean projected cosine of the KOL and the 10 closest of the briefs "
    "learned from, in the space {space}",
}


@dataclass(frozen=True)
class Sides:
    """Vectors of briefs and of KOLs in one space, and whose they are.

    Attributes
    ----------
    briefs, kols : ndarray, shapes (b, d) and (k, d)
        Distinct vectors.
    of, to : ndarray of int64, shape (pairs,)
        Each pair's rows; -1 where unknown.
    """

    briefs: npt.NDArray[np.floating]
    kols: npt.NDArray[np.floating]
    of: Ints
    to: Ints


def sides(
    view: View, embeddings: Embeddings, config: FeatureConfig, space: str, width: int | None = None
) -> Sides:
    """Return where the briefs and KOLs of pairs stand in a space.

    Parameters
    ----------
    width : int, optional
        How many numbers a users' vector must have to count, since a space may change over time;
        by default as many as those of most KOLs here.
    """
    if space == TEXT:
        names, brief = brief_texts(view)
        asked = embeddings.of(names, role="query")
        known = posts_of(view.cells.recent, embeddings, config)
        kols = np.concatenate([asked[:0], *(recent_centroids(posts) for _, posts in known)])
        return Sides(asked, kols, brief, view.cells.post_state[view.cell])
    theirs, own = view.history.vectors("kol", space), view.history.vectors("brief", space)
    kols, briefs = theirs.last(view.kol, view.time), own.last(view.brief, view.time)
    if width is None:
        lengths = [len(vector) for vector in theirs.frame["vector"].to_numpy()[kols[kols >= 0]]]
        width = int(np.bincount(lengths).argmax()) if lengths else 0
    right, to = _rows(theirs, kols, width)
    left, of = _rows(own, briefs, width)
    return Sides(left, right, of, to)


def affinity_family(projections: tuple[Projection, ...]) -> Family:
    """Return the family of signals that learned projections give; `FAMILIES` has none of it."""
    meanings: dict[str, str] = {}
    for projection in projections:
        own = {k.format(space=projection.space): v for k, v in _OWN_SIGNALS.items()}
        told = {k: v.format(space=projection.space) for k, v in own.items()}
        meanings |= _TEXT_SIGNALS if projection.space == TEXT else told

    def affinity(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
        signals: dict[str, Floats] = {}
        for projection in projections:
            found = sides(view, embeddings, config, projection.space, projection.width)
            signals |= (
                _of_text(view, embeddings, config, projection, found)
                if projection.space == TEXT
                else _of_vectors(projection, found)
            )
        return signals

    alone = ("posts_crowding", *(f"crowding_{p.space}" for p in projections))
    return Family("affinity", affinity, meanings, "learned affinity", "习得的契合度", of_kol=alone)


def _of_vectors(projection: Projection, found: Sides) -> Signals:
    near, crowding = _closeness(projection, found)
    space = projection.space
    return {f"cosine_{space}": near, f"crowding_{space}": crowding}


def _of_text(
    view: View,
    embeddings: Embeddings,
    config: FeatureConfig,
    projection: Projection,
    found: Sides,
) -> Signals:
    recent, crowding = _closeness(projection, found)
    briefs = projection.briefs(found.briefs)
    best, top3 = np.full(len(view), np.nan), np.full(len(view), np.nan)
    for rows, to, posts in recent_posts(view, embeddings, config):
        near = cosines(briefs, projection.kols(posts.vectors), found.of[rows], posts.place[to])
        best[rows], top3[rows] = row_top(near, 1), row_top(near, 3)
    names, bio = bio_texts(view)
    about = projection.kols(embeddings.of(names))
    return {
        "posts_recent": recent,
        "posts_best": best,
        "posts_top3": top3,
        "posts_bio": cosines(briefs, about, found.of, bio[:, None])[:, 0],
        "posts_crowding": crowding,
    }


def _closeness(projection: Projection, found: Sides) -> tuple[Floats, Floats]:
    """Return each pair's cosine, and how close its KOL is to briefs of the past anyway.

    Some vectors are near to all others, and rank high for any question. Cross-domain local
    scaling (Conneau et al., 2018) takes their usual closeness away; here the ranker may.
    """
    kols = projection.kols(found.kols)
    near = cosines(projection.briefs(found.briefs), kols, found.of, found.to[:, None])[:, 0]
    marks = np.tile(np.arange(len(projection.landmarks)), (len(kols), 1))
    rows = np.arange(len(kols))
    usual = row_top(cosines(kols, projection.landmarks, rows, marks), _NEAREST)
    return near, np.append(usual, np.nan)[found.to]


def _rows(timeline: Timeline, wanted: Ints, width: int) -> tuple[Floats, Ints]:
    """Return the distinct wanted vectors of a width, and each one's place, -1 where none."""
    used = np.unique(wanted[wanted >= 0])
    vectors = timeline.frame["vector"].to_numpy()[used]
    fits = np.array([len(vector) == width for vector in vectors], dtype=bool)
    stack = [vector for vector, fit in zip(vectors, fits, strict=True) if fit]
    place = np.full(len(timeline) + 1, -1, dtype=np.int64)
    place[used[fits]] = np.arange(len(stack))
    return np.array(stack, dtype=np.float64).reshape(len(stack), width), place[wanted]
