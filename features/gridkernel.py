"""Compiled inner loops over vectors on the grid of `features.similarity`, and over their places.

Vectors come as whole numbers, so that products and their sums are exact: compilers may add them in
any order, and a pair's figures are the same in any company.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

GRID = 2.0**20
"""Steps of the grid in a length of 1 (`features.similarity.GRID`)."""


@compiled()
def length_of(row: Any) -> float:
    """Return the length of a vector, added up the same way on any processor."""
    a = b = c = d = e = f = g = h = 0.0
    whole = row.size - row.size % 8
    for i in range(0, whole, 8):
        a += np.float64(row[i]) * np.float64(row[i])
        b += np.float64(row[i + 1]) * np.float64(row[i + 1])
        c += np.float64(row[i + 2]) * np.float64(row[i + 2])
        d += np.float64(row[i + 3]) * np.float64(row[i + 3])
        e += np.float64(row[i + 4]) * np.float64(row[i + 4])
        f += np.float64(row[i + 5]) * np.float64(row[i + 5])
        g += np.float64(row[i + 6]) * np.float64(row[i + 6])
        h += np.float64(row[i + 7]) * np.float64(row[i + 7])
    for i in range(whole, row.size):
        a += np.float64(row[i]) * np.float64(row[i])
    return float(np.sqrt(((a + b) + (c + d)) + ((e + f) + (g + h))))


@compiled()
def lay_on_grid(vectors: Any, rows: Ints, to: Ints, length: Floats, out: Any) -> None:
    """Write rows scaled to length 1, in whole steps of the grid; zeros for those that have none.

    Parameters
    ----------
    vectors : ndarray
        Vectors.
    rows, to : ndarray of int64
        Which of them to write, and to which rows of `out`.
    length : ndarray of float64
        Length of each row of `out` before it is scaled. NaN is unknown, and filled in.
    out : ndarray
        May be float32, which holds whole numbers of this size exactly.
    """
    # Lengths first: both loops in one are half as fast.
    for place in range(rows.size):
        if np.isnan(length[to[place]]):
            length[to[place]] = length_of(vectors[rows[place]])
    for place in range(rows.size):
        vector, found = vectors[rows[place]], out[to[place]]
        scale = GRID / length[to[place]] if length[to[place]] > 0 else 0.0
        for i in range(vector.size):
            found[i] = np.rint(np.float64(vector[i]) * scale)


@compiled()
def number_places(places: Any, at: Ints) -> Ints:
    """Return the distinct places from 0 up, as they are first met, and write which each one is.

    Parameters
    ----------
    places : ndarray of integers, shape (n,)
        Places; -1 for none.
    at : ndarray of int64, shape (n,)
        Is told where each place is among the distinct ones, -1 for -1.
    """
    size = 16
    while size < 2 * places.size:
        size *= 2
    held, count = np.full(size, -1, dtype=np.int64), 0
    used = np.empty(places.size, dtype=np.int64)
    for i in range(places.size):
        place = places[i]
        at[i] = -1
        if place < 0:
            continue
        slot = (place * 0x9E3779B1) & (size - 1)
        while held[slot] >= 0 and used[held[slot]] != place:
            slot = (slot + 1) & (size - 1)
        if held[slot] < 0:
            held[slot], used[count] = count, place
            count += 1
        at[i] = held[slot]
    return used[:count].copy()


@compiled(fastmath={"reassoc", "contract"})
def dot(left: Any, right: Any) -> float:
    """Return the product of two vectors of whole numbers, exact in whatever order it is added."""
    total = 0.0
    for i in range(left.size):
        total += np.float64(left[i]) * np.float64(right[i])
    return total


@compiled(fastmath={"reassoc", "contract"})
def two_dots(one: Floats, other: Floats, right: Vectors) -> tuple[float, float]:
    """Return the products of two vectors with a third, as `dot` does."""
    first, second = 0.0, 0.0
    for i in range(right.size):
        value = np.float64(right[i])
        first += one[i] * value
        second += other[i] * value
    return first, second


@compiled()
def as_cosine(product: float) -> float:
    """Return the cosine of two unit vectors from the product of theirs on the grid."""
    # NaN, of a brief that points nowhere, stays NaN.
    value = product / (GRID * GRID)
    return 1.0 if value > 1.0 else (-1.0 if value < -1.0 else value)


@compiled()
def fill_cosines(left: Floats, right: Vectors, told: Bools, of: Ints, to: Ints, out: Any) -> None:
    """Write those cosines of `features.similarity.cosines` that there are into `out`.

    ``told`` says which of the right rows have a direction; where ``to`` is -1 nothing is written.
    """
    for pair in range(of.size):
        for slot in range(to.shape[1]):
            row = to[pair, slot]
            if of[pair] >= 0 and row >= 0 and told[row]:
                out[pair, slot] = as_cosine(dot(left[of[pair]], right[row]))


@compiled()
def sum_up(grid: Vectors, place: Ints, weight: Ints, out: Any) -> None:
    """Write sums of texts as vectors of length 1, zeros where there is nothing to add.

    Parameters
    ----------
    grid : ndarray of float32
        Vectors of texts.
    place : ndarray of int64, shape (n, posts)
        Text of each post, -1 for none.
    weight : ndarray of int64, shape (n, sums, posts)
        What each post counts in each sum.
    out : ndarray of float32, shape (n, sums, dimension)
    """
    total = np.empty(grid.shape[1])
    for row in range(place.shape[0]):
        for kind in range(weight.shape[1]):
            total[:] = 0.0
            for slot in range(place.shape[1]):
                if place[row, slot] >= 0 and weight[row, kind, slot]:
                    # Whole numbers under 2**38: the sums are exact.
                    text, times = grid[place[row, slot]], np.float64(weight[row, kind, slot])
                    for i in range(total.size):
                        total[i] += times * text[i]
            length = length_of(total)
            for i in range(total.size):
                out[row, kind, i] = total[i] / length if length > 0 else 0.0


@compiled()
def nearest_places(near: Vectors, start: Ints, edges: Ints, out: Vectors) -> None:
    """Write how near each owner's nearest place is to any vector of each question.

    Parameters
    ----------
    near : ndarray of float32, shape (places, vectors)
        How near each place is to each vector asked about.
    start : ndarray of int64, shape (owners + 1,)
        Where the places of each owner start, of which everybody has one at least.
    edges : ndarray of int64, shape (questions + 1,)
        Where the vectors of each question start.
    out : ndarray of float32, shape (questions, owners)
        A question without a vector gets -inf.
    """
    out[:] = -np.inf
    for owner in range(start.size - 1):
        for place in range(start[owner], start[owner + 1]):
            for question in range(edges.size - 1):
                best = out[question, owner]
                for vector in range(edges[question], edges[question + 1]):
                    best = max(best, near[place, vector])
                out[question, owner] = best
