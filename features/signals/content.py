"""What the KOL writes against what the brief asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.config import FeatureConfig
from features.history import History
from features.lexicon import Bags, BagStore, bundled_lexicon
from features.profiles import Shape, distinct, shapes_of
from features.roster import Cells
from features.shelf import Shelf
from features.signals.family import Signals
from features.similarity import on_grid
from features.timeline import Floats, Ints
from features.vectors import Embeddings, Vectors
from features.view import View
from features.widening import widened_briefs

if TYPE_CHECKING:
    from features.textkernel import Asked, Told

_CELLS = 1024
"""Cells whose posts' vectors are held at once: 30 posts of 512 numbers each are 63 MB."""
CONTENT = {
    "bio": "cosine of the brief and the KOL's bio",
    "recent": "cosine of the brief and the centroid of recent posts; newer ones and those with "
    "more response than usual weigh more, here and below",
    "organic": "cosine of the brief and the centroid of recent posts not known to be sponsored",
    "sponsored": "cosine of the brief and the centroid of sponsored recent posts",
    "topic": "cosine of the brief and the closest topic of recent posts not known to be sponsored",
    "topic_share": "share of that topic, and of those not really apart from it, in the weight of "
    "those posts, 0-1",
    "best": "cosine of the brief and its closest recent post",
    "top3": "mean cosine of the brief and its three closest recent posts",
    "mean": "mean cosine of the brief and all recent posts",
    "widened_best": "cosine of the brief, read together with what sets the posts apart that are "
    "closest to it of a sample of all, and its closest recent post",
    "widened_top3": "mean cosine of the brief, read so, and its three closest recent posts",
    "sponsored_best": "cosine of the brief and its closest sponsored recent post",
    "sponsored_top3": "mean cosine of the brief and its three closest sponsored recent posts",
    "lexical_best": "highest cosine of the brief's words and a recent post's, rare words weighing "
    "more, here and below",
    "lexical_top3": "mean cosine of the brief's words and those of the three closest recent posts",
    "lexical_bio": "cosine of the brief's words and those of the bio",
    "concentration": "length of the recent posts' centroid: 1 is a single topic, 0 is all over",
    "drift": "mean cosine of posts not known to be sponsored within the newer and the older half "
    "of them, less that between the halves: 0 is no change of topic",
    "drift_to_brief": "mean cosine of the brief and the newer half of those posts, less that of "
    "the brief and the older half",
}


def content(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Compare the brief's text with bio and recent posts.

    Fit is known to act as an inverted U: a little distance does better than a copy (Leung et al.,
    Journal of Marketing 2022). The signals are plain cosines, and bending them is the trees' work.
    """
    from features.textkernel import OF_POSTS, Asked, compare

    texts, brief = brief_texts(view)
    vectors = on_grid(embeddings.of(texts, role="query"))
    widened, ask = widened_briefs(view, texts, brief, embeddings)
    words, start = bundled_lexicon().bags_of(texts)
    asked = Asked(vectors, on_grid(widened), start[:-1], start[1:])
    said = np.zeros(bundled_lexicon().columns, dtype=np.float32)
    shape, place = shapes_of(view.cells, embeddings, config)
    out = np.empty((len(OF_POSTS), len(view)))
    for rows, to, cells in blocks_of(view):
        told, bags = _told(view.cells, cells, shape.of(cells), place[cells], embeddings)
        compare(told, bags, asked, words, said, (rows, to, brief[rows], ask[rows]), out)
        for reader in view.readers:
            reader(rows, to, cells, told.grid, told.place)
    by_cell = {"concentration": shape.concentration, "drift": shape.drift}
    return {
        **dict(zip(OF_POSTS, out, strict=True)),
        **{name: values[view.cell] for name, values in by_cell.items()},
        **_of_bios(view, embeddings, asked, words, said, brief),
    }


def blocks_of(view: View) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Cut pairs into blocks of some cells, those that know the same posts together.

    Yields
    ------
    rows : ndarray of int64
        Positions of the pairs in this block; over all blocks, each pair once.
    to : ndarray of int64
        Place of each one's cell in `cells`.
    cells : ndarray of int64
        Cells of this block.
    """
    order = np.argsort(view.cells.post_state, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    pairs = np.argsort(rank[view.cell], kind="stable")
    ranks = rank[view.cell[pairs]]
    for start in range(0, len(order), _CELLS):
        first, last = np.searchsorted(ranks, (start, start + _CELLS))
        yield pairs[first:last], ranks[first:last] - start, order[start : start + _CELLS]


def _told(
    cells: Cells, rows: Ints, shape: Shape, place: npt.NDArray[np.int32], embeddings: Embeddings
) -> tuple[Told, Bags]:
    """Lay out the posts of some cells, given what is known of just these."""
    from features.textkernel import Told

    # No KOL here has a post beyond the last that any of them has.
    most = int(((place >= 0) * np.arange(1, place.shape[1] + 1)).max(initial=1))
    used, at = distinct(place[:, :most])
    grid, told = embeddings.on_grid(used)
    # Equal texts have one vector and one bag, whatever their numbers.
    codes = np.full(len(used) + 1, -1, dtype=np.int64)
    codes[at] = cells.recent.texts[cells.post_state[rows], :most]
    bags, first, last = cells.history.posts.bags.of(codes[:-1])
    return (
        Told(
            grid,
            told,
            first,
            last,
            at,
            shape.weight[:, :most].astype(np.int64),
            np.ascontiguousarray(shape.topic[:, :most]),
            np.ascontiguousarray(shape.halves[:, :most]),
            np.ascontiguousarray(shape.paid[:, :most]),
            shape.length,
            shape.subject_shares,
        ),
        bags,
    )


def _of_bios(
    view: View, embeddings: Embeddings, asked: Asked, words: Bags, said: Vectors, brief: Ints
) -> dict[str, Floats]:
    """Return what the bio says, by vector and by words."""
    from features.gridkernel import fill_cosines
    from features.textkernel import compare_words

    used, which = np.unique(view.cells.profile, return_inverse=True)
    place = view.cells.asked(Bios(embeddings, embeddings.shelf()))["place"]
    shown, to = distinct(place)
    grid, told = embeddings.on_grid(shown)
    near, common = np.full((len(view), 1), np.nan), np.empty(len(view))
    fill_cosines(asked.own, grid, told, brief, to[view.cell][:, None], near)
    bags, first, last = view.history.once(bio_bags).of(used.astype(np.int64))
    bio = which[view.cell].astype(np.int64)
    compare_words((brief, bio), (asked.first, asked.last), words, (first, last), bags, said, common)
    return {"bio": near[:, 0], "lexical_bio": common}


@dataclass(frozen=True)
class Bios:
    """Finds the vectors of cells' bios; ask with `Cells.asked`.

    Attributes
    ----------
    embeddings : Embeddings
        Vectors of text.
    shelf : Shelf
        Where places are: as long as they are looked for there they hold.
    """

    embeddings: Embeddings
    shelf: Shelf

    def __call__(self, cells: Cells) -> dict[str, npt.NDArray[np.int32]]:
        """Return the ``place`` of each bio as `Embeddings.at` takes it, -1 where none is told."""
        names, bio = bios_of(cells)
        place = np.append(self.embeddings.places(names), -1)[bio]
        return {"place": place.astype(np.int32)}


def bio_bags(history: History) -> BagStore:
    """Return the bags of the bios of `History.kols`, by row."""
    bios = history.kols.frame["bio"]
    return BagStore(len(bios), lambda rows: bios.iloc[rows].fillna(""))


def brief_texts(view: View) -> tuple[list[str], Ints]:
    """Return what the distinct briefs say, title first, and each pair's place among them."""
    codes, which = np.unique(view.brief, return_inverse=True)
    briefs = view.history.briefs[["title", "text"]].take(codes)
    texts = [
        "\n".join(part for part in parts if isinstance(part, str))
        for parts in briefs.itertuples(index=False, name=None)
    ]
    return texts, which.astype(np.int64)


def bios_of(cells: Cells) -> tuple[list[str], Ints]:
    """Return the distinct bios, and each cell's place among them, -1 where none is known."""
    rows, which = np.unique(cells.profile, return_inverse=True)
    bios = cells.history.kols.frame["bio"].take(np.maximum(rows, 0)).astype(object)
    codes, names = pd.factorize(bios.where(rows >= 0, None))
    return [str(name) for name in names], codes.astype(np.int64)[which]
