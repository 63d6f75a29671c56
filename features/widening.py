"""Briefs read together with what creators write about their subject.

A brief says what a brand wants, a post what somebody did with it: the two share few words, and a
sentence vector keeps much of how a thing is said. So the brief asks twice. It is first compared
with a sample of posts, by vector and by words; then what sets the closest of them apart from all
is added to its vector (Rocchio, 1971; without anybody's judgment, as in Buckley et al., 1994).
Nothing is learned, so that it is there before any outcome is.

The sample holds texts known strictly before the moment, chosen by their content alone: neither the
other pairs nor what came later changes a digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from features.history import History
from features.lexicon import bag_cosines, bundled_lexicon
from features.shelf import Shelf
from features.similarity import GRID, cosines, on_grid
from features.timeline import Floats, Ints
from features.vectors import Embeddings
from features.view import View

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SAMPLE = 2048
"""Texts compared with at a moment: four times as many find no more."""
_WORDS = 0.4
"""What words count beside vectors in choosing the closest, both in standard deviations."""
_CLOSE = 2.0
"""Standard deviations above the usual text of the sample from which a text is close."""
_SHARE = 1.0
"""Length of what is added to a brief of length 1."""
_KEPT = 4096
"""Briefs kept at most: all that a job asks about at once, and some 16 MB."""
_STEPS = 1024
"""Steps of a weight of 1. Sums of weights times grid points stay exact."""


def widened_briefs(
    view: View, texts: list[str], brief: Ints, embeddings: Embeddings
) -> tuple[Floats, Ints]:
    """Return the vectors of the distinct briefs at moments, widened.

    Parameters
    ----------
    view : View
        Pairs.
    texts : list of str
        What the distinct briefs say.
    brief : ndarray of int64, shape (pairs,)
        Each pair's place among them.
    embeddings : Embeddings
        Vectors of text.

    Returns
    -------
    vectors : ndarray of float64, shape (m, d)
        The brief's own where nothing in the sample is close to it; zero for a blank brief.
    which : ndarray of int64, shape (pairs,)
        Row of each pair.
    """
    times, moment = np.unique(view.time, return_inverse=True)
    asks, which = np.unique(brief * len(times) + moment, return_inverse=True)
    of, at = asks // max(len(times), 1), asks % max(len(times), 1)
    held = view.history.once(_Held(embeddings, embeddings.shelf("query"), embeddings.shelf()))
    keys = [(int(times[t]), texts[i]) for t, i in zip(at, of, strict=True)]
    if len(held) + len(keys) > _KEPT:
        held.clear()
    for time in range(len(times)):
        told = [texts[i] for i in of[at == time] if (int(times[time]), texts[i]) not in held]
        own = np.nan_to_num(on_grid(embeddings.of(told, role="query"))) / GRID
        sample = view.history.sampled_texts(int(times[time]), _SAMPLE) if told else ()
        wide = _widened(own, told, sample, embeddings) if told else own
        held |= {(int(times[time]), text): row for text, row in zip(told, wide, strict=True)}
    rows = [held[key] for key in keys]
    return np.array(rows).reshape(len(keys), embeddings.width), which.astype(np.int64)


@dataclass(frozen=True)
class _Held:
    """What was widened of late, by moment and text; of one encoder, and while its shelves last."""

    embeddings: Embeddings
    asked: Shelf
    told: Shelf

    def __call__(self, history: History) -> dict[tuple[int, str], Floats]:
        return {}


def _widened(own: Floats, texts: list[str], sample: tuple[str, ...], known: Embeddings) -> Floats:
    """Widen briefs by one sample; `own` of shape (briefs, d), on the grid."""
    vectors = known.of(sample)
    of, every = np.arange(len(own)), np.tile(np.arange(len(sample)), (len(own), 1))
    near = cosines(own, vectors, of, every)
    worded = bag_cosines(bundled_lexicon().bags(texts), _bags(sample), of, every)
    grid = np.nan_to_num(on_grid(vectors))
    usual = grid.sum(axis=0) / max(len(sample), 1)
    out = own.copy()
    for row in range(len(own)):
        weight = _closeness(near[row], worded[row])
        heard = np.flatnonzero(weight)
        if len(heard) and own[row].any():
            # Whole numbers under 2**53: the sums are exact.
            apart = (weight[heard] @ grid[heard]) / weight.sum() - usual
            length = np.sqrt(np.square(apart).sum())
            out[row] += _SHARE * apart / length if length > 0 else 0.0
    return out


def _closeness(near: Floats, worded: Floats) -> Floats:
    """Return what each text of the sample counts, whole numbers: most do not at all."""
    if not len(near):
        return near
    score = _standard(_standard(near) + _WORDS * _standard(worded))
    return np.asarray(np.rint(np.square(np.maximum(score - _CLOSE, 0.0)) * _STEPS))


def _standard(values: Floats) -> Floats:
    """Return values in standard deviations from their mean; 0 where unknown or all are equal."""
    known = ~np.isnan(values)
    told = values[known]
    spread = told.std() if len(told) else 0.0
    out = np.zeros(len(values))
    if spread > 0:
        out[known] = (told - told.mean()) / spread
    return out


@lru_cache(maxsize=2)
def _bags(texts: tuple[str, ...]) -> csr_array:
    # All briefs of a run ask the same sample.
    return bundled_lexicon().bags(texts)
