"""Closeness in learned projections of each space: of text, and of users' own vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.config import FeatureConfig
from features.profiles import distinct, posts_of, recent_centroids, shapes_of, weighted_sums
from features.projection import Projection
from features.roster import Cells
from features.shelf import Shelf
from features.signals.content import bios_of, blocks_of, brief_texts
from features.signals.family import Family, Signals
from features.similarity import cosines, on_grid
from features.statistics import row_top
from features.timeline import Floats, Ints, Timeline
from features.vectors import Embeddings, Vectors
from features.view import View

TEXT = "posts"
"""Space of the text encoder, in which a KOL stands where its recent posts do."""
_CELLS = 1024
"""Cells whose posts' vectors are held at once."""
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
            if projection.space == TEXT:
                signals |= _of_text(view, embeddings, config, projection)
            else:
                found = sides(view, embeddings, config, projection.space, projection.width)
                signals |= _of_vectors(projection, found)
        return signals

    def listen(view: View, embeddings: Embeddings, config: FeatureConfig) -> None:
        # Where roots are taken first, vectors as they are read are of no use.
        for projection in projections:
            if projection.space == TEXT and not projection.rooted:
                view.readers.append(view.once(_Read(embeddings, config, projection)))

    alone = ("posts_crowding", *(f"crowding_{p.space}" for p in projections))
    return Family(
        "affinity",
        affinity,
        meanings,
        "learned affinity",
        "习得的契合度",
        of_kol=alone,
        listens=listen,
    )


def _of_vectors(projection: Projection, found: Sides) -> Signals:
    near, crowding = _closeness(projection, found)
    space = projection.space
    return {f"cosine_{space}": near, f"crowding_{space}": crowding}


def _of_text(
    view: View, embeddings: Embeddings, config: FeatureConfig, projection: Projection
) -> Signals:
    from features.gridkernel import fill_cosines

    reading = view.once(_Read(embeddings, config, projection))
    best, top3 = reading.finished(view)
    near = {}
    for name in ("recent", "bio"):
        near[name] = np.full((len(view), 1), np.nan)
        of_cells = reading.known[name]
        told = np.asarray(of_cells.any(axis=1))
        fill_cosines(reading.asked, of_cells, told, reading.brief, view.cell[:, None], near[name])
    return {
        "posts_recent": near["recent"][:, 0],
        "posts_best": best,
        "posts_top3": top3,
        "posts_bio": near["bio"][:, 0],
        "posts_crowding": reading.known["crowding"][view.cell],
    }


@dataclass(frozen=True)
class _Read:
    """Begins to compare the pairs of a view by a projection; ask with `View.once`."""

    embeddings: Embeddings
    config: FeatureConfig
    projection: Projection

    def __call__(self, view: View) -> _Reading:
        return _Reading(view, self)


class _Reading:
    """Compares pairs while somebody else reads their posts, or reads them itself.

    Attributes
    ----------
    brief : ndarray of int64, shape (pairs,)
        Brief of each pair.
    asked : ndarray of float64, shape (briefs, r)
        Projected briefs, on the grid.
    known : mapping of str to ndarray
        What `_Projected` says of the cells.
    """

    def __init__(self, view: View, told: _Read) -> None:
        from features.textkernel import Seen

        self._told = told
        texts, self.brief = brief_texts(view)
        vectors = told.embeddings.of(texts, role="query")
        self._seen = Seen(*told.projection.seen(vectors))
        self.asked = on_grid(told.projection.briefs(vectors))
        self.known = view.cells.asked(
            _Projected(told.embeddings, told.config, told.projection, told.embeddings.shelf())
        )
        self._best = np.empty((2, len(view)))
        self._read = 0

    def __call__(self, rows: Ints, to: Ints, cells: Ints, grid: Vectors, place: Ints) -> None:
        """Compare some pairs; see `features.view.Reader`."""
        from features.textkernel import compare_projected

        norm = np.ascontiguousarray(self.known["norm"][cells, : place.shape[1]])
        compare_projected(grid, place, norm, self._seen, (rows, to, self.brief[rows]), self._best)
        self._read += len(rows)

    def finished(self, view: View) -> Floats:
        """Return the highest cosine of each pair of the view and the mean of the highest three."""
        if self._read < len(view):
            told = self._told
            _, place = shapes_of(view.cells, told.embeddings, told.config)
            for rows, to, cells in blocks_of(view):
                used, at = distinct(place[cells])
                self(rows, to, cells, told.projection.placed(told.embeddings.at(used)), at)
        return self._best


@dataclass(frozen=True)
class _Projected:
    """Projects what cells say; ask with `Cells.asked`."""

    embeddings: Embeddings
    config: FeatureConfig
    projection: Projection
    shelf: Shelf

    def __call__(self, cells: Cells) -> dict[str, npt.NDArray[Any]]:
        """Return posts' norms, where recent posts' centroid and the bio are, and crowding."""
        shape, place = shapes_of(cells, self.embeddings, self.config)
        norm = np.zeros(place.shape, dtype=np.float32)
        width = self.projection.kol_matrix.shape[1]
        recent = np.zeros((len(cells), width), dtype=np.float32)
        order = np.argsort(cells.post_state, kind="stable")
        for start in range(0, len(order), _CELLS):
            rows = order[start : start + _CELLS]
            used, at = distinct(place[rows])
            vectors = self.embeddings.at(used)
            norm[rows] = np.append(self.projection.laid_out(vectors)[1], np.float32(0))[at]
            whole = weighted_sums(shape.weight[rows][:, None, :], at, vectors)[:, 0]
            recent[rows] = self.projection.laid_out(whole)[0]
        names, bio = bios_of(cells)
        about = self.projection.laid_out(self.embeddings.of(names))[0]
        return {
            "norm": norm,
            "recent": recent,
            "bio": np.pad(about, ((0, 1), (0, 0)))[bio],
            "crowding": _crowding(self.projection, recent),
        }


def _closeness(projection: Projection, found: Sides) -> tuple[Floats, Floats]:
    """Return each pair's cosine, and how close its KOL is to briefs of the past anyway.

    Some vectors are near to all others, and rank high for any question. Cross-domain local
    scaling (Conneau et al., 2018) takes their usual closeness away; here the ranker may.
    """
    kols = projection.kols(found.kols)
    near = cosines(projection.briefs(found.briefs), kols, found.of, found.to[:, None])[:, 0]
    return near, np.append(_crowding(projection, kols), np.nan)[found.to]


def _crowding(projection: Projection, kols: npt.NDArray[np.floating]) -> Floats:
    out = np.empty(len(kols))
    for start in range(0, len(kols), _CELLS):
        some = kols[start : start + _CELLS]
        marks = np.tile(np.arange(len(projection.landmarks)), (len(some), 1))
        near = cosines(some, projection.landmarks, np.arange(len(some)), marks)
        out[start : start + _CELLS] = row_top(near, _NEAREST)
    return out


def _rows(timeline: Timeline, wanted: Ints, width: int) -> tuple[Floats, Ints]:
    """Return the distinct wanted vectors of a width, and each one's place, -1 where none."""
    used = np.unique(wanted[wanted >= 0])
    vectors = timeline.frame["vector"].to_numpy()[used]
    fits = np.array([len(vector) == width for vector in vectors], dtype=bool)
    stack = [vector for vector, fit in zip(vectors, fits, strict=True) if fit]
    place = np.full(len(timeline) + 1, -1, dtype=np.int64)
    place[used[fits]] = np.arange(len(stack))
    return np.array(stack, dtype=np.float64).reshape(len(stack), width), place[wanted]
