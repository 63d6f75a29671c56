"""Cosines that do not depend on what else is computed beside them.

The digits of a floating-point matrix product change with its shape. Unit vectors are therefore
rounded to a grid of 2**-20 before they meet: products of grid points sum to whole numbers below
2**53, which float64 holds exactly in whatever order they are added. The rounding moves a cosine
by less than 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from features.timeline import Floats, Ints

GRID = 2.0**20
"""Steps of the grid in a length of 1."""
_BLOCK = 16
"""Left rows handled at once."""
_CHUNK = 8192
"""Right rows held in float64 at once."""


def on_grid(vectors: npt.NDArray[np.floating]) -> Floats:
    """Return rows scaled to length 1 and rounded to whole multiples of the grid's step.

    A zero row has no direction and becomes NaN.
    """
    whole = vectors.astype(np.float64)
    length = np.sqrt(np.square(whole).sum(axis=1))[:, None]
    scaled = np.divide(whole, length, out=np.full_like(whole, np.nan), where=length > 0)
    return np.asarray(np.rint(scaled * GRID))


def cosines(
    left: npt.NDArray[np.floating],
    right: npt.NDArray[np.floating],
    of: Ints,
    to: Ints,
) -> Floats:
    """Return cosines between rows of two matrices.

    Parameters
    ----------
    left : ndarray, shape (l, d)
        Few vectors, such as briefs.
    right : ndarray, shape (r, d)
        Many vectors, such as posts. Only those needed are touched.
    of : ndarray of int64, shape (n,)
        Row of `left`; -1 for none.
    to : ndarray of int64, shape (n, k)
        Rows of `right`; -1 for none.

    Returns
    -------
    ndarray of float64, shape (n, k)
        In [-1, 1]; NaN where either row is missing or zero. Exact multiples of 2**-40, so that
        sums of a few thousand are exact too.
    """
    grid = on_grid(left)

    def product(rows: Ints, needed: Ints) -> Floats:
        out = np.empty((len(rows), len(needed)))
        for start in range(0, len(needed), _CHUNK):
            part = on_grid(right[needed[start : start + _CHUNK]])
            out[:, start : start + _CHUNK] = grid[rows] @ part.T
        return np.clip(out / GRID**2, -1.0, 1.0)

    return in_blocks(product, len(right), of, to)


def in_blocks(product: Callable[[Ints, Ints], Floats], size: int, of: Ints, to: Ints) -> Floats:
    """Fill a table of similarities, a few left rows at a time.

    Left rows of one block share one gathering of the right rows that they need between them, so
    that memory stays bounded and the work is matrix products.

    Parameters
    ----------
    product : callable
        Takes rows of the left and of the right, gives their similarities, shape (left, right).
    size : int
        How many right rows there are.
    of, to : ndarray of int64, shapes (n,) and (n, k)
        See `cosines`.
    """
    out = np.full(to.shape, np.nan)
    order = np.argsort(of, kind="stable")
    order = order[np.searchsorted(of[order], 0) :]
    names, start = np.unique(of[order], return_index=True)
    bounds = np.append(start, len(order))
    place = np.full(size + 1, -1, dtype=np.int64)
    for first in range(0, len(names), _BLOCK):
        last = min(first + _BLOCK, len(names))
        asked = order[bounds[first] : bounds[last]]
        wanted = to[asked]
        needed = _distinct(wanted, size)
        place[needed] = np.arange(len(needed))
        # The last column is what position -1, "no such row", points at.
        table = np.full((last - first, len(needed) + 1), np.nan)
        table[:, :-1] = product(names[first:last], needed)
        mine = np.repeat(np.arange(last - first), np.diff(bounds[first : last + 1]))
        out[asked] = table[mine[:, None], place[wanted]]
    return out


def _distinct(rows: Ints, size: int) -> Ints:
    there = np.zeros(size + 1, dtype=bool)
    there[rows.ravel()] = True
    return np.flatnonzero(there[:-1])


def paired_cosines(vectors: npt.NDArray[np.floating], first: Ints, second: Ints) -> Floats:
    """Return the cosine of each two rows of one matrix, as exact as those of `cosines`.

    Parameters
    ----------
    vectors : ndarray, shape (r, d)
        Vectors.
    first, second : ndarray of int64, shape (n,)
        Rows to compare.
    """
    out = np.empty(len(first))
    for start in range(0, len(first), _CHUNK):
        part = slice(start, start + _CHUNK)
        left, right = on_grid(vectors[first[part]]), on_grid(vectors[second[part]])
        out[part] = np.einsum("ij,ij->i", left, right) / GRID**2
    return np.clip(out, -1.0, 1.0)
