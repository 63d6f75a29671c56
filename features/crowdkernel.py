"""Compiled inner loop of `features.crowd`: group by group, and moment by moment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Moments = npt.NDArray[np.int32]


@compiled()
def _middle_distance(active: Floats, size: int, middle: float) -> float:
    """Return the median distance of ascending values from a number, both ways outwards from it."""
    above = np.searchsorted(active[:size], middle)
    below = above - 1
    low, high = 0.0, 0.0
    for place in range(size // 2 + 1):
        left = abs(active[below] - middle) if below >= 0 else np.inf
        right = abs(active[above] - middle) if above < size else np.inf
        if left <= right:
            near = left
            below -= 1
        else:
            near = right
            above += 1
        if place == (size - 1) // 2:
            low = near
        high = near
    return (low + high) / 2.0


@compiled()
def _usual(ordered: Floats, size: int) -> tuple[float, float]:
    """Return the median of ascending values, and their median distance from it."""
    middle = (ordered[(size - 1) // 2] + ordered[size // 2]) / 2.0
    return middle, _middle_distance(ordered, size, middle)


@compiled()
def tell_usual(values: Floats, start: Ints, usual: Floats) -> None:
    """Write the median of each group, and the median distance from it, shape (2, groups).

    Parameters are those of `look_around`; no group is empty.
    """
    for group in range(start.size - 1):
        ordered = values[start[group] : start[group + 1]]
        usual[0, group], usual[1, group] = _usual(ordered, ordered.size)


@compiled()
def place_among(
    values: Floats, start: Ints, asked: tuple[Ints, Floats], order: Ints, counts: Ints
) -> None:
    """Write how values stand in whole groups, as `look_around` does for those there at a moment."""
    group, own = asked
    for question in order:
        ordered = values[start[group[question]] : start[group[question] + 1]]
        counts[0, question] = ordered.size
        if not np.isnan(own[question]):
            counts[1, question] = np.searchsorted(ordered, own[question])
            counts[2, question] = np.searchsorted(ordered, own[question], side="right")


@compiled()
def look_around(
    values: Floats,
    spells: tuple[Moments, Moments],
    start: Ints,
    asked: tuple[Ints, Ints, Floats],
    order: Ints,
    counts: Ints,
    usual: Floats,
) -> None:
    """Write how values stand in groups at moments, and what is usual there.

    Parameters
    ----------
    values : ndarray of float64
        Those of each group together, ascending.
    spells : tuple of ndarray of int32
        The moment from which each of them is there, and the one from which it no longer is.
    start : ndarray of int64, shape (groups + 1,)
        Where those of each group start.
    asked : tuple of ndarray
        Of each question its group's place in `start`, its moment and a value, NaN for none.
    order : ndarray of int64
        Questions to answer, by group and then by moment.
    counts : ndarray of int64, shape (3, questions)
        Is told how many values there are, how many below the one asked about, and how many below
        or equal.
    usual : ndarray of float64, shape (2, questions)
        Is told their median, and the median distance from it; untouched where there is none.
    """
    group, moment, own = asked
    first, past = spells
    active = np.empty(np.diff(start).max())
    size, was, when = 0, -1, -1
    middle, apart = np.nan, np.nan
    for question in order:
        here, now = group[question], moment[question]
        if here != was or now != when:
            was, when, size = here, now, 0
            for place in range(start[here], start[here + 1]):
                if first[place] <= now < past[place]:
                    active[size] = values[place]
                    size += 1
            if size:
                middle, apart = _usual(active, size)
        counts[0, question] = size
        if size:
            usual[0, question], usual[1, question] = middle, apart
            if not np.isnan(own[question]):
                counts[1, question] = np.searchsorted(active[:size], own[question])
                counts[2, question] = np.searchsorted(active[:size], own[question], side="right")
