"""Compiled inner loops of signals that compare texts: one pair after the other, KOL by KOL.

Vectors are on a grid and their products exact (`features.gridkernel`). Whatever is not exact is
added in a fixed order, post by post.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from features.gridkernel import GRID, as_cosine, dot, two_dots
from features.lexicon import Bags

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

TOP = 3

OF_POSTS = (
    *("best", "top3", "mean", "widened_best", "widened_top3", "sponsored_best", "sponsored_top3"),
    *("lexical_best", "lexical_top3", "drift_to_brief"),
    *("topic", "topic_share", "organic", "sponsored", "recent"),
)
"""Signals that `compare` writes, in its order."""


class Told(NamedTuple):
    """What some KOLs posted, one row a KOL and one column a post unless said otherwise.

    ``grid`` has the distinct texts' vectors, ``told`` says which of them point anywhere, and
    ``first`` and ``last`` where each text's bag is in `Bags`. ``place`` is each post's text, -1 for
    none. ``weight`` and ``topic`` are those of `features.profiles.Shape`, ``half`` and ``paid``
    too; ``length`` and ``subject`` are of its topics.
    """

    grid: Vectors
    told: Bools
    first: Ints
    last: Ints
    place: Ints
    weight: Ints
    topic: Small
    half: Small
    paid: Bools
    length: Floats
    subject: Floats


class Asked(NamedTuple):
    """What briefs say: their vectors and the widened ones on the grid, and where their bags are."""

    own: Floats
    wide: Floats
    first: Ints
    last: Ints


@compiled()
def _push(best: Floats, value: float) -> None:
    """Put a value among the highest three, which stand in falling order; NaN is no value."""
    for i in range(best.size):
        if value > best[i]:
            best[i], value = value, best[i]


@compiled()
def _tell_best(values: Floats, kept: Bools, best: Floats, out: Floats, row: int) -> None:
    """Write the highest value kept and the mean of the highest three, NaN where there is none."""
    best[:] = -np.inf
    for slot in range(values.size):
        if kept[slot]:
            _push(best, values[slot])
    total, count = 0.0, 0
    for i in range(best.size):
        if best[i] > -np.inf:
            total += best[i]
            count += 1
    out[0, row] = best[0] if count else np.nan
    out[1, row] = total / count if count else np.nan


@compiled()
def _mean(values: Floats) -> float:
    total, count = 0.0, 0
    for value in values:
        if not np.isnan(value):
            total += value
            count += 1
    return total / count if count else np.nan


@compiled()
def _mean_of_half(posts: Told, kol: int, values: Floats, half: int) -> float:
    total, count = 0.0, 0
    for slot in range(values.size):
        if posts.half[kol, slot] == half and not np.isnan(values[slot]):
            total += values[slot]
            count += 1
    return total / count if count else np.nan


@compiled(fastmath={"reassoc", "contract"})
def _common(bags: Bags, first: int, last: int, said: Vectors) -> float:
    """Return the product of two bags of whole numbers, exact in whatever order it is added."""
    column, weight = bags.column[first:last], bags.weight[first:last]
    total = 0.0
    for i in range(column.size):
        # Unsigned, so that nobody asks whether it counts from the end.
        total += np.float64(said[np.uint32(column[i])]) * np.float64(weight[i])
    return total


@compiled()
def _say(words: Bags, first: int, last: int, said: Vectors) -> None:
    for i in range(first, last):
        said[words.column[i]] = words.weight[i]


@compiled()
def _unsay(words: Bags, first: int, last: int, said: Vectors) -> None:
    for i in range(first, last):
        said[words.column[i]] = 0.0


@compiled()
def _read(
    posts: Told, bags: Bags, place: Ints, own: Floats, wide: Floats, said: Vectors, near: Floats
) -> None:
    """Write the cosines of a KOL's posts and a brief, NaN where either says nothing.

    `near` has shape (3, posts): by the brief's own vector, by the widened one, and by words.
    """
    near[:] = np.nan
    for slot in range(place.size):
        text = place[slot]
        if text < 0:
            continue
        if posts.told[text]:
            product, other = two_dots(own, wide, posts.grid[text])
            near[0, slot], near[1, slot] = as_cosine(product), as_cosine(other)
        first, last = posts.first[text], posts.last[text]
        if last > first:
            near[2, slot] = as_cosine(_common(bags, first, last, said))


@compiled()
def compare(
    posts: Told,
    bags: Bags,
    asked: Asked,
    words: Bags,
    said: Vectors,
    pairs: tuple[Ints, Ints, Ints, Ints],
    out: Floats,
) -> None:
    """Write `OF_POSTS` of pairs.

    Parameters
    ----------
    posts, bags : Told, Bags
        KOLs' posts and the bags of their texts.
    asked, words : Asked, Bags
        Briefs and their bags.
    said : ndarray of float32
        Room for one bag: a zero for each column there is, left as it was found.
    pairs : tuple of ndarray of int64
        Of each pair its row in `out`, its KOL's row in `posts`, its brief's row in ``asked.own``
        and in ``asked.wide``.
    out : ndarray of float64, shape (signals, rows)
    """
    rows, kols, briefs, widened = pairs
    slots = posts.place.shape[1]
    near, every, best = np.empty((3, slots)), np.ones(slots, dtype=np.bool_), np.empty(TOP)
    centre = np.empty(posts.length.shape[1])
    for pair in range(rows.size):
        row, kol, brief = rows[pair], kols[pair], briefs[pair]
        first, last = asked.first[brief], asked.last[brief]
        _say(words, first, last, said)
        own, wide = asked.own[brief], asked.wide[widened[pair]]
        _read(posts, bags, posts.place[kol], own, wide, said, near)
        _unsay(words, first, last, said)
        if last == first:
            near[2] = np.nan
        _tell_best(near[0], every, best, out[0:2], row)
        out[2, row] = _mean(near[0])
        _tell_best(near[1], every, best, out[3:5], row)
        _tell_best(near[0], posts.paid[kol], best, out[5:7], row)
        _tell_best(near[2], every, best, out[7:9], row)
        out[9, row] = _mean_of_half(posts, kol, near[0], 1) - _mean_of_half(posts, kol, near[0], -1)
        _tell_centroids(posts, kol, near[0], centre, out[10:], row)


@compiled()
def _tell_centroids(
    posts: Told, kol: int, near: Floats, centre: Floats, out: Floats, row: int
) -> None:
    """Write the closest topic, the first of equals, its share, and what posts of each kind say.

    A centroid is a sum of posts, and so is its product with the brief.
    """
    most = posts.subject.shape[1]
    centre[:] = 0.0
    count = 0
    for slot in range(near.size):
        if np.isnan(near[slot]):
            continue
        count += 1
        weighed = np.float64(posts.weight[kol, slot]) * near[slot]
        if posts.topic[kol, slot] >= 0:
            centre[posts.topic[kol, slot]] += weighed
        centre[most + 1 if posts.paid[kol, slot] else most] += weighed
        centre[most + 2] += weighed
    closest = -1
    for kind in range(centre.size):
        length = posts.length[kol, kind]
        if count and length > 0:
            centre[kind] = min(max(centre[kind] * GRID / length, -1.0), 1.0)
            if kind < most and (closest < 0 or centre[kind] > centre[closest]):
                closest = kind
        else:
            centre[kind] = np.nan
    out[0, row] = centre[closest] if closest >= 0 else np.nan
    out[1, row] = posts.subject[kol, closest] if closest >= 0 else np.nan
    for kind in range(3):
        out[2 + kind, row] = centre[most + kind]


@compiled()
def compare_words(
    pairs: tuple[Ints, Ints],
    asked: tuple[Ints, Ints],
    words: Bags,
    told: tuple[Ints, Ints],
    bags: Bags,
    said: Vectors,
    out: Floats,
) -> None:
    """Write the cosines of bags of pairs of texts, NaN where one of the two is empty.

    Parameters
    ----------
    pairs : tuple of ndarray of int64
        Of each pair its row in `asked` and in `told`.
    asked, told : tuple of ndarray of int64
        Where bags start and end in `words`, and in `bags`.
    said : ndarray of float32
        As `compare` takes it.
    """
    left, right = pairs
    first, last = 0, 0
    for pair in range(left.size):
        # What was said for the pair before stays as long as the text is the same.
        if pair == 0 or left[pair] != left[pair - 1]:
            _unsay(words, first, last, said)
            first, last = asked[0][left[pair]], asked[1][left[pair]]
            _say(words, first, last, said)
        start, stop = told[0][right[pair]], told[1][right[pair]]
        out[pair] = np.nan
        if last > first and stop > start:
            out[pair] = as_cosine(_common(bags, start, stop, said))
    _unsay(words, first, last, said)


class Seen(NamedTuple):
    """Briefs as a projection of KOLs' vectors sees them (`features.projection.Projection.seen`).

    ``query`` is on a grid of its own, so that ``query @ vector * size - offset`` over the length
    of the projected vector is the cosine of the two projections.
    """

    query: Floats
    size: Floats
    offset: Floats


@compiled()
def compare_projected(
    grid: Vectors,
    place: Ints,
    norm: Vectors,
    seen: Seen,
    pairs: tuple[Ints, Ints, Ints],
    out: Floats,
) -> None:
    """Write the highest projected cosine of pairs, and the mean of the highest three.

    Parameters
    ----------
    grid : ndarray of float32
        Vectors of texts.
    place, norm : ndarray, shape (kols, posts)
        Each post's text, -1 for none, and the length of its projection, 0 for none.
    seen : Seen
        Briefs.
    pairs : tuple of ndarray of int64
        Of each pair its row in `out`, its KOL and its brief.
    out : ndarray of float64, shape (2, rows)
    """
    rows, kols, briefs = pairs
    slots = place.shape[1]
    near, every, best = np.empty(slots), np.ones(slots, dtype=np.bool_), np.empty(TOP)
    for pair in range(rows.size):
        kol, brief = kols[pair], briefs[pair]
        for slot in range(slots):
            near[slot] = np.nan
            length = np.float64(norm[kol, slot])
            if place[kol, slot] >= 0 and length > 0:
                product = dot(seen.query[brief], grid[place[kol, slot]]) * seen.size[brief]
                value = (product - seen.offset[brief]) / length
                near[slot] = 1.0 if value > 1.0 else (-1.0 if value < -1.0 else value)
        _tell_best(near, every, best, out, rows[pair])
