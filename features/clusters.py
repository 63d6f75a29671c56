"""Topics in many small groups of vectors at once: spherical k-means on cosines alone.

A group is what one KOL posted of late. Its cosines and weights are whole numbers of small steps,
so that every sum below is a whole number under 2**53: exact in float64 in whatever order a matrix
product adds, and hence the same for a group alone as for a group among a million.
"""

from __future__ import annotations

import numpy as np

from features.timeline import Bools, Floats, Ints

COSINE_STEPS = 2.0**18
"""Steps in a cosine of 1."""
WEIGHT_STEPS = 2**9
"""Steps in a weight of 1; weights go up to 2."""
_ROUNDS = 6
"""Rounds of k-means; a few dozen vectors settle in two or three."""
_APART = 0.85
"""Two topics are one subject if their own vectors differ by more than this share of how far the
two are apart. K-means groups twenty vectors that have no topics at more than this share all but
one time in fifty."""


def find_topics(cosines: Floats, weight: Ints, most: int) -> Ints:
    """Group the vectors of each group by topic.

    The first guess is the BUILD step of PAM (Kaufman & Rousseeuw, 1990): the vector that is
    nearest to all, then whichever brings the rest nearest to one of those chosen. It needs no
    chance, and no stray vector becomes a topic while a larger one is without.

    Parameters
    ----------
    cosines : ndarray of float64, shape (n, p, p)
        Cosines within each group.
    weight : ndarray of int64, shape (n, p)
        What each vector weighs, in `WEIGHT_STEPS`; 0 leaves it out.
    most : int
        How many topics a group has at most.

    Returns
    -------
    ndarray of int64, shape (n, p)
        Topic of each vector, the heaviest topic being 0; -1 for one that is left out.

    Examples
    --------
    >>> pure = np.array([[[1, 1, 0], [1, 1, 0], [0, 0, 1.0]]])
    >>> find_topics(pure, np.array([[1, 1, 1]]), most=3).tolist()
    [[0, 0, 1]]
    """
    if not weight.size:
        return np.full(weight.shape, -1, dtype=np.int64)
    near = np.rint(cosines * COSINE_STEPS)
    weights = weight.astype(np.float64)
    chosen = _first_guess(COSINE_STEPS - near, weights, most)
    member = _nearest_of(near, chosen) & (weight > 0)[:, None, :]
    for _ in range(_ROUNDS):
        centre = (member * weights[:, None, :]) @ near
        square = (centre * member * weights[:, None, :]).sum(axis=2, keepdims=True)
        length = np.sqrt(np.maximum(square, 0.0))
        # Opposites may cancel: such a topic points nowhere, but is there.
        there = member.any(axis=2, keepdims=True)
        closeness = np.where(there, 0.0, np.full_like(centre, -np.inf))
        np.divide(centre, length, out=closeness, where=length > 0)
        member = _first_highest(closeness) & (weight > 0)[:, None, :]
    return _ranked(member, weights)


def find_subjects(cosines: Floats, weight: Ints, topic: Ints, most: int) -> Ints:
    """Say which topics of each group are one subject, being not really apart.

    Vectors that all speak of the same are split as far as is asked, and a split by chance alone
    looks like any other but for this: its parts differ among themselves as much as between them.

    Parameters
    ----------
    cosines, weight, most
        Those of `find_topics`.
    topic : ndarray of int64, shape (n, p)
        What it returned.

    Returns
    -------
    ndarray of int64, shape (n, most)
        For each topic, the heaviest topic of its subject; -1 where there is no such topic.
    """
    near, weights = np.rint(cosines * COSINE_STEPS), weight.astype(np.float64)
    member = topic[:, None, :] == np.arange(most)[:, None]
    subject = np.where(member.any(axis=2), np.arange(most), -1)
    for _ in range(most - 1):
        rows, first, second = _least_apart(member, near, weights)
        member[rows, first] |= member[rows, second]
        member[rows, second] = False
        subject[rows] = np.where(subject[rows] == second[:, None], first[:, None], subject[rows])
    return subject


def _first_guess(far: Floats, weight: Floats, most: int) -> Ints:
    """Return the vectors that stand for the topics, shape (n, most), -1 where no more are needed.

    Parameters
    ----------
    far : ndarray, shape (n, p, p)
        Distances in steps.
    """
    rows = np.arange(len(far))
    chosen = np.full((len(far), most), -1, dtype=np.int64)
    nearest = np.full(weight.shape, 2 * COSINE_STEPS)
    for topic in range(most):
        cost = (weight[:, None, :] @ np.minimum(nearest[:, :, None], far))[:, 0, :]
        cost[weight == 0] = np.inf
        best = cost.argmin(axis=1)
        gains = cost[rows, best] < (weight * nearest).sum(axis=1)
        chosen[gains, topic] = best[gains]
        nearest[gains] = np.minimum(nearest[gains], far[rows[gains], :, best[gains]])
    return chosen


def _nearest_of(near: Floats, chosen: Ints) -> Bools:
    """Return who is nearest to which of the chosen, shape (n, topics, p)."""
    rows = np.arange(len(near))[:, None]
    return _first_highest(np.where(chosen[:, :, None] < 0, -np.inf, near[rows, chosen]))


def _first_highest(values: Floats) -> Bools:
    """Mark the first of the highest values along the second axis, none where all are -inf."""
    best = values.argmax(axis=1)[:, None, :]
    return np.asarray((np.arange(values.shape[1])[:, None] == best) & (values > -np.inf))


def _least_apart(member: Bools, near: Floats, weight: Floats) -> tuple[Ints, Ints, Ints]:
    """Return groups with topics that are not apart, and the two that are so least in each."""
    topics = member.shape[1]
    weighted = member * weight[:, None, :]
    total = weighted.sum(axis=2)
    own = np.square(weighted).sum(axis=2)
    alike = (weighted @ near) @ weighted.transpose(0, 2, 1) / COSINE_STEPS
    # Every vector is like itself, which says nothing of its topic.
    among = np.diagonal(alike, axis1=1, axis2=2) - own
    pairs = np.square(total) - own
    share = np.full((len(member), topics, topics), -1.0)
    for first in range(topics):
        for second in range(first + 1, topics):
            both = pairs[:, first] + pairs[:, second]
            inner = 1 - _over(among[:, first] + among[:, second], both, 1.0)
            outer = 1 - _over(alike[:, first, second], total[:, first] * total[:, second], -np.inf)
            share[:, first, second] = np.where(
                np.isfinite(outer), _over(np.maximum(inner, 0.0), outer, 1.0), -1.0
            )
    flat = share.reshape(len(member), topics * topics)
    rows = np.flatnonzero(flat.max(axis=1, initial=-1.0) > _APART)
    first, second = np.divmod(flat[rows].argmax(axis=1), topics)
    return rows, first, second


def _over(top: Floats, bottom: Floats, other: float) -> Floats:
    """Return a quotient, and something else where there is nothing to divide by."""
    return np.asarray(np.divide(top, bottom, out=np.full_like(top, other), where=bottom > 0))


def _ranked(member: Bools, weight: Floats) -> Ints:
    """Give each vector the rank of its topic by weight; of equals, the earlier vector's first."""
    total = (member * weight[:, None, :]).sum(axis=2)
    first = np.where(member.any(axis=2), member.argmax(axis=2), member.shape[2])
    order = np.lexsort((first, -total), axis=1)
    ranked = np.take_along_axis(member, order[:, :, None], axis=1)
    return np.where(ranked.any(axis=1), ranked.argmax(axis=1), -1).astype(np.int64)
