"""Cosines that do not depend on what else is computed beside them.

The digits of a floating-point matrix product change with its shape. Unit vectors are therefore
rounded to a grid of 2**-20 before they meet: products of grid points sum to whole numbers below
2**53, which float64 holds exactly in whatever order they are added. The rounding moves a cosine
by less than 1e-6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.timeline import Bools, Floats, Ints

Vectors = npt.NDArray[np.float32]

GRID = 2.0**20
"""Steps of the grid in a length of 1."""
_BLOCK = 16
"""Left rows handled at once."""
_CHUNK = 8192
"""Right rows held at once."""


def on_grid(vectors: npt.NDArray[np.floating]) -> Floats:
    """Return rows scaled to length 1 and rounded to whole multiples of the grid's step.

    A zero row has no direction and becomes NaN.
    """
    whole, told = _laid(vectors, np.float64)
    whole[~told] = np.nan
    return whole


def laid_on_grid(vectors: npt.NDArray[np.floating]) -> tuple[Vectors, Bools]:
    """Return what `on_grid` does in half the space, and which rows have a direction.

    Whole numbers up to `GRID` are exact in float32. Rows without a direction are zeros.
    """
    return _laid(vectors, np.float32)


def _laid(vectors: npt.NDArray[np.floating], dtype: Any) -> tuple[npt.NDArray[Any], Bools]:
    from features.gridkernel import lay_on_grid

    kind = vectors.dtype if vectors.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    whole, length = np.empty(vectors.shape, dtype=dtype), np.full(len(vectors), np.nan)
    rows = np.arange(len(vectors))
    lay_on_grid(np.require(vectors, kind, ["C", "W"]), rows, rows, length, whole)
    return whole, length > 0


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
    from features.gridkernel import fill_cosines

    out = np.full(to.shape, np.nan)
    grid = on_grid(left)
    used = _distinct(np.where(of[:, None] < 0, -1, to), len(right))
    for start in range(0, len(used), _CHUNK):
        some = used[start : start + _CHUNK]
        place = np.full(len(right) + 1, -1, dtype=np.int64)
        place[some] = np.arange(len(some))
        whole, told = laid_on_grid(right[some])
        fill_cosines(grid, whole, told, of, place[to], out)
    return out


def _distinct(rows: Ints, size: int) -> Ints:
    there = np.zeros(size + 1, dtype=bool)
    there[rows.ravel()] = True
    return np.flatnonzero(there[:-1])
