"""Statistics of rows and groups with gaps, exact to the last bit whatever the batch.

Each result depends on the values of its own row or group only, taken in a fixed order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.timeline import Floats, Ints


def row_count(values: Floats) -> Floats:
    """Return how many values of each row are known."""
    return np.asarray((~np.isnan(values)).sum(axis=1), dtype=np.float64)


def row_sum(values: Floats) -> Floats:
    """Return the sum of the known values of each row; 0 where there is none."""
    return np.asarray(np.nan_to_num(values, nan=0.0).sum(axis=1))


def row_mean(values: Floats) -> Floats:
    """Return the mean of the known values of each row; NaN where there is none."""
    return ratio(row_sum(values), row_count(values))


def row_top(values: Floats, count: int) -> Floats:
    """Return the mean of the highest known values of each row; NaN where there is none."""
    return row_mean(-np.sort(-values, axis=1)[:, :count])  # NaN sort last


def row_quantile(values: Floats, share: float) -> Floats:
    """Return a quantile of the known values of each row, interpolated linearly.

    Examples
    --------
    >>> row_quantile(np.array([[3.0, np.nan, 1.0], [np.nan] * 3]), 0.5).tolist()
    [2.0, nan]
    """
    ordered = np.sort(values, axis=1)  # NaN sort last
    count = row_count(values)
    place = np.maximum(count - 1, 0) * share
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0).astype(np.int64))
    rows = np.arange(len(values))
    below, above = ordered[rows, low], ordered[rows, high]
    return np.asarray(below + (above - below) * (place - low))


def ratio(top: npt.NDArray[Any], bottom: npt.NDArray[Any]) -> Floats:
    """Return a quotient, NaN where the divisor is 0 or either is unknown."""
    whole = np.full(np.broadcast(top, bottom).shape, np.nan)
    return np.asarray(np.divide(top, bottom, out=whole, where=bottom != 0))


def log(values: Floats) -> Floats:
    """Return the natural logarithm of positive values, NaN elsewhere."""
    return np.log(values, out=np.full(np.shape(values), np.nan), where=values > 0)


def where(condition: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """Return values where a condition holds, NaN elsewhere."""
    return np.where(condition, np.asarray(values, dtype=np.float64), np.nan)


def group_medians(group: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Return the groups that have known values, ascending, and the median of each."""
    kept = (group >= 0) & ~np.isnan(values)
    group, values = group[kept], values[kept]
    order = np.lexsort((values, group))
    names, start, count = np.unique(group[order], return_index=True, return_counts=True)
    ordered = values[order]
    low = ordered[start + (count - 1) // 2] if len(names) else ordered
    high = ordered[start + count // 2] if len(names) else ordered
    return names, (low + high) / 2.0


def look_up(names: Ints, values: Floats, wanted: Ints) -> Floats:
    """Return the value of each wanted name among sorted names, NaN where it is not there."""
    if not len(names):
        return np.full(wanted.shape, np.nan)
    at = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[at] == wanted, values[at], np.nan)


def effective_rows(codes: Ints, brief: Ints | None) -> float:
    """Return how many independent rows would tell the shares of some bins as surely.

    That is the rows over their generalised design effect, the mean over bins of how many times
    more the shares vary between briefs than independent rows would make them.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
        Bin of each row.
    brief : ndarray of int64, shape (n,), or None
        Brief of each row, counted from 0; ``None`` takes rows as independent.

    Returns
    -------
    float
        From 0 (one brief alone, whose spread nobody knows) to n.
    """
    rows = len(codes)
    if brief is None or not rows:
        return float(rows)
    briefs = int(brief.max()) + 1
    if briefs < 2:
        return 0.0
    width = int(codes.max()) + 1
    counts = np.bincount(brief * width + codes, minlength=briefs * width).reshape(briefs, width)
    counts = counts[:, counts.any(axis=0)]
    if counts.shape[1] < 2:  # all alike: nothing varies
        return float(rows)
    share = counts.sum(axis=0) / rows
    departure = counts - counts.sum(axis=1, keepdims=True) * share
    variance = (departure**2).sum(axis=0) * briefs / (briefs - 1) / rows**2
    effect = (rows * variance / share).sum() / (counts.shape[1] - 1)
    return float(rows / max(effect, 1.0))
