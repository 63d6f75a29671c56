"""Exact nearest neighbours among the rows that a filter leaves.

Whom a brief may have is known before anybody is compared, and an index that searches first and
filters afterwards loses who it was asked for. Here the rows left are compared one block after the
other, each against the closeness that the best so far have reached: a block costs one matrix
product and a comparison, and memory is that of a block.

Float32 products change in their last digits with the shape of the block. They only say who may be
near enough; those few are compared again on the exact grid of `features.similarity`, so that a
query finds the same owners alone as among others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from features.similarity import GRID, on_grid
from features.spill import Spill
from features.timeline import Floats, Ints, expand
from features.vectors import Vectors

_BLOCK = 4096
"""Rows compared at once: 8 MiB of 512 numbers each."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where owners stand in a space, each in one place or in several.

    Attributes
    ----------
    vectors : ndarray of float32, shape (m, d)
        Unit rows on the grid of `features.similarity`, those of one owner together.
    start : ndarray of int64, shape (n + 1,)
        The rows of owner ``i`` are ``start[i]`` to ``start[i + 1]``; some have none.
    """

    vectors: Vectors
    start: Ints

    @classmethod
    def of(cls, owner: Ints, vectors: Vectors, owners: int) -> Places:
        """Lay out vectors by owner, an owner's own in the order given; rows of zeros are none."""
        told = np.flatnonzero(vectors.any(axis=1))
        order = told[np.argsort(owner[told], kind="stable")]
        start = np.searchsorted(owner[order], np.arange(owners + 1)).astype(np.int64)
        rows = Spill(np.float32, vectors.shape[1:])
        for first in range(0, len(order), _BLOCK):
            rows.add(_unit(vectors[order[first : first + _BLOCK]]))
        return cls(rows.done(), start)

    def __len__(self) -> int:
        return len(self.start) - 1

    def nearest(self, asked: Sequence[Vectors], owners: Ints, count: int) -> list[Found]:
        """Find the owners that are nearest to any vector of each question.

        Parameters
        ----------
        asked : sequence of ndarray, each of shape (q, d)
            Questions of one vector or several; zero rows ask nothing.
        owners : ndarray of int64
            Who may be found, ascending.
        count : int
            How many to find, 1 or more.

        Returns
        -------
        list of Found
            One a question: the `count` nearest owners, or all that have a place, nearest first.
            Equally near ones come in ascending order.
        """
        search = self.search(asked, count)
        search.look_at(owners)
        return search.found()

    def search(self, asked: Sequence[Vectors], count: int) -> Search:
        """Begin to look for the nearest owners, which are then shown a few at a time.

        Parameters are those of `nearest`.
        """
        return Search(self, [_unit(vectors) for vectors in asked], count)

    def _blocks(
        self, queries: Vectors, edges: Ints, owners: Ints
    ) -> Iterator[tuple[Ints, Vectors]]:
        """Yield some owners and, for each question, the closeness of each one's nearest place.

        The vectors of a question are the rows of `queries` between two of the `edges`.
        """
        from features.gridkernel import nearest_places

        sizes = self.start[owners + 1] - self.start[owners]
        owners, sizes = owners[sizes > 0], sizes[sizes > 0]
        total = np.cumsum(sizes)
        buffer = np.empty((0, self.vectors.shape[1]), dtype=np.float32)
        first = 0
        while first < len(owners):
            done = total[first - 1] if first else 0
            last = max(int(np.searchsorted(total, done + _BLOCK, side="right")), first + 1)
            some = owners[first:last]
            rows, _ = expand(self.start[some], self.start[some + 1])
            if rows[-1] - rows[0] + 1 == len(rows):
                part = self.vectors[rows[0] : rows[-1] + 1]
            else:
                if len(buffer) < len(rows):
                    buffer = np.empty((len(rows), self.vectors.shape[1]), dtype=np.float32)
                part = np.take(self.vectors, rows, axis=0, out=buffer[: len(rows)], mode="clip")
            start = np.append(total[first:last] - sizes[first:last] - done, len(rows))
            near = np.empty((len(edges) - 1, len(some)), dtype=np.float32)
            nearest_places(part @ queries.T, start, edges, near)
            yield some, near
            first = last

    def _settled(self, question: Vectors, owners: Ints, count: int) -> Found:
        """Order those that may be near enough by exact cosines, and keep the nearest."""
        if not len(owners):
            return Found.none()
        rows, _ = expand(self.start[owners], self.start[owners + 1])
        # Products of grid points: exact in float64 in whatever order they are added.
        exact = (self.vectors[rows].astype(np.float64) @ question.T.astype(np.float64)).max(axis=1)
        sizes = self.start[owners + 1] - self.start[owners]
        best = np.maximum.reduceat(exact, np.cumsum(sizes) - sizes)
        order = np.lexsort((owners, -best))[:count]
        return Found(owners[order], best[order])


class Search:
    """Finds the nearest of the owners that it is shown, however they are parted.

    Parameters
    ----------
    places : Places
        Where owners stand.
    questions : sequence of ndarray, each of shape (q, d)
        Unit vectors on the grid.
    count : int
        How many owners to find for each.
    """

    def __init__(self, places: Places, questions: Sequence[Vectors], count: int) -> None:
        self._places, self._questions, self._count = places, questions, count
        width = places.vectors.shape[1]
        self._screens = [_Screen(count, width) for _ in questions]
        self._whole = np.concatenate([np.empty((0, width), dtype=np.float32), *questions])
        self._edges = np.cumsum([0, *map(len, questions)])

    def look_at(self, owners: Ints) -> None:
        """Consider some owners, ascending, none of whom was considered before."""
        if not len(self._whole):
            return
        for some, near in self._places._blocks(self._whole, self._edges, owners):
            for screen, first, last, each in zip(
                self._screens, self._edges[:-1], self._edges[1:], near, strict=True
            ):
                if last > first:
                    screen.pass_on(some, each)

    def found(self) -> list[Found]:
        """Return what `Places.nearest` does of all owners considered."""
        return [
            self._places._settled(question, screen.passed(), self._count)
            for question, screen in zip(self._questions, self._screens, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Found:
    """Who was found for one question.

    Attributes
    ----------
    owners : ndarray of int64, shape (k,)
        Nearest first.
    cosines : ndarray of float64, shape (k,)
        Of each owner's nearest place and the question's nearest vector.
    """

    owners: Ints
    cosines: Floats

    @classmethod
    def none(cls) -> Found:
        """Return an answer without anybody."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0))


class _Screen:
    """Keeps who may be among the nearest, block by block."""

    def __init__(self, count: int, width: int) -> None:
        self.count = count
        # A float32 product of unit vectors errs by less than width * 2**-24, the grid by 2**-20.
        self._slack = np.float32(2 * (width * 2.0**-24 + 2.0**-20))
        self._owners: list[Ints] = []
        self._near: list[Vectors] = []
        self._held = 0
        self._floor = np.float32(-np.inf)

    def pass_on(self, owners: Ints, near: Vectors) -> None:
        kept = np.flatnonzero(near >= self._floor)
        if len(kept):
            self._owners.append(owners[kept])
            self._near.append(near[kept])
            self._held += len(kept)
        if self._held > 4 * self.count + _BLOCK:
            self._tighten()

    def passed(self) -> Ints:
        """Return those that may be among the nearest, ascending."""
        if not self._owners:
            return np.empty(0, dtype=np.int64)
        self._tighten()
        return self._owners[0]

    def _tighten(self) -> None:
        owners, near = np.concatenate(self._owners), np.concatenate(self._near)
        if len(near) > self.count:
            last = np.partition(near, len(near) - self.count)[len(near) - self.count]
            self._floor = np.float32(last - self._slack)
            kept = near >= self._floor
            owners, near = owners[kept], near[kept]
        self._owners, self._near, self._held = [owners], [near], len(owners)


def _unit(vectors: Vectors) -> Vectors:
    """Return the rows that point anywhere, on the grid and of length 1."""
    rows = on_grid(vectors)
    told = rows[~np.isnan(rows).any(axis=1)] / GRID
    return np.asarray(told, dtype=np.float32)
