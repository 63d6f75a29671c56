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

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.history import History
from features.lexicon import Bags, bundled_lexicon
from features.profiles import distinct, text_places
from features.shelf import Shelf
from features.similarity import GRID, on_grid
from features.timeline import Bools, Floats, Ints
from features.vectors import Embeddings, Vectors
from features.view import View

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
    new = np.flatnonzero([key not in held for key in keys])
    if len(new):
        wide = _widened(view.history, times[at[new]], of[new], texts, embeddings)
        held |= {keys[n]: row for n, row in zip(new.tolist(), wide, strict=True)}
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


def _widened(
    history: History, time: Ints, of: Ints, texts: list[str], embeddings: Embeddings
) -> Floats:
    """Widen briefs at moments; `of` is the place of each one's text among `texts`."""
    briefs = _Briefs(texts, embeddings)
    out = briefs.own[of]
    times, at = np.unique(time, return_inverse=True)
    order = np.argsort(at, kind="stable")
    starts = np.searchsorted(at[order], np.arange(len(times) + 1))
    for moment, sample in enumerate(_samples(history, times, embeddings)):
        for row in order[starts[moment] : starts[moment + 1]].tolist():
            weight = _closeness(*briefs.compared(int(of[row]), sample))
            heard = np.flatnonzero(weight)
            if len(heard) and out[row].any():
                # Whole numbers under 2**53: the sums are exact.
                close = sample.grid[sample.rows[heard]].astype(np.float64)
                apart = (weight[heard] @ close) / weight.sum() - sample.usual
                length = np.sqrt(np.square(apart).sum())
                out[row] += _SHARE * apart / length if length > 0 else 0.0
    return out


@dataclass(frozen=True, eq=False)
class _Sample:
    """The texts that are compared with at a moment.

    Attributes
    ----------
    grid, told, bags, first, last
        Vectors of texts on the grid, which of them point anywhere, and where their bags are; some
        may be of other moments.
    rows : ndarray of int64
        Those of this moment.
    usual : ndarray of float64, shape (d,)
        Mean of their vectors, in steps of the grid.
    """

    grid: Vectors
    told: Bools
    bags: Bags
    first: Ints
    last: Ints
    rows: Ints
    usual: Floats


def _samples(history: History, times: Ints, embeddings: Embeddings) -> Iterator[_Sample]:
    """Yield the sample of each moment; few texts change from one to the next."""
    codes = [history.sampled_texts(time, _SAMPLE) for time in times.tolist()]
    every, place = distinct(np.concatenate(codes))
    edges = np.cumsum([0, *map(len, codes)])
    grid, told = embeddings.on_grid(text_places(history.posts, every, embeddings))
    bags, first, last = history.posts.bags.of(every)
    total, before = np.zeros(grid.shape[1]), np.zeros(len(every), dtype=bool)
    for first_row, past_row in pairwise(edges.tolist()):
        rows = place[first_row:past_row]
        now = np.zeros(len(every), dtype=bool)
        now[rows] = True
        # Of whole numbers: what came and what went is all that the sum changes by.
        total += grid[now & ~before].sum(axis=0, dtype=np.float64)
        total -= grid[before & ~now].sum(axis=0, dtype=np.float64)
        before = now
        yield _Sample(grid, told, bags, first, last, rows, total / max(len(rows), 1))


class _Briefs:
    """What briefs say, to be compared with samples.

    Attributes
    ----------
    own : ndarray of float64, shape (briefs, d)
        Their vectors, rounded to the grid; zero for a blank brief.
    """

    def __init__(self, texts: list[str], embeddings: Embeddings) -> None:
        self.own = np.nan_to_num(on_grid(embeddings.of(texts, role="query"))) / GRID
        self._grid = on_grid(self.own)
        self._words, self._start = bundled_lexicon().bags_of(texts)
        self._said = np.zeros(bundled_lexicon().columns, dtype=np.float32)

    def compared(self, brief: int, sample: _Sample) -> tuple[Floats, Floats]:
        """Return the cosines of a brief and each text of a sample, by vector and by words."""
        from features.gridkernel import fill_cosines
        from features.textkernel import compare_words

        rows = sample.rows
        near, worded = np.full((1, len(rows)), np.nan), np.empty(len(rows))
        one = np.full(1, brief)
        fill_cosines(self._grid, sample.grid, sample.told, one, rows[None, :], near)
        compare_words(
            (np.full(len(rows), brief), rows),
            (self._start[:-1], self._start[1:]),
            self._words,
            (sample.first, sample.last),
            sample.bags,
            self._said,
            worded,
        )
        return near[0], worded


def _closeness(near: Floats, worded: Floats) -> Floats:
    """Return what each text of the sample counts, whole numbers: most do not at all."""
    if not len(near):
        return near
    score = _standard(_standard(near) + _WORDS * _standard(worded))
    return np.asarray(np.rint(np.square(np.maximum(score - _CLOSE, 0.0)) * _STEPS))


def _standard(values: Floats) -> Floats:
    """Return values in standard deviations from their mean; 0 where unknown or all are equal."""
    known = ~np.isnan(values)
    told, out = values[known], np.zeros(len(values))
    if len(told):
        apart = told - told.mean()
        spread = np.sqrt(np.square(apart).mean())
        out[known] = apart / spread if spread > 0 else 0.0
    return out
