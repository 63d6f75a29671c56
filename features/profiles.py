"""What a KOL posts about: a few topics, sponsored posts apart, and where it is going.

A profile belongs to one state of knowledge about a KOL's recent posts (`features.postlog.Recent`)
and rests on nothing else, so that it is the same to the last bit whoever else is looked at. Posts
and weights are rounded to a grid before they meet (`features.similarity`), and all work is done in
blocks: a hundred thousand KOLs need no more memory than their result.

What costs most, and is small, is the shape of a profile: which post is of which topic. It is worked
out once a KOL (`Shapes`); centroids are sums of posts by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from features.clusters import COSINE_STEPS, WEIGHT_STEPS, find_subjects, find_topics
from features.config import FeatureConfig
from features.history import History
from features.postlog import PostLog, Recent
from features.roster import Cells, cells_at
from features.shelf import Shelf
from features.similarity import GRID, laid_on_grid
from features.spill import FirstAsked
from features.statistics import ratio, row_mean, row_quantile, where
from features.timeline import Bools, Floats, Ints
from features.vectors import Embeddings, Vectors

Small = npt.NDArray[np.int8]

_BLOCK = 256
"""States worked on at once: 30 posts of 512 numbers each are 31 MB."""
_STATES = 1024
"""States whose posts' vectors are held at once."""
_KOLS = 16_384
"""KOLs whose posts are looked up at once."""
_LEAST, _MOST = 0.5, 2.0
"""What a post that nobody saw and one that everybody saw weigh against a usual one."""
_HALF = 2
"""Posts that a half needs to be compared with the other."""


@dataclass(frozen=True)
class Profiles:
    """Content profiles, one row each.

    Attributes
    ----------
    topics : ndarray of float32, shape (n, topics, dimension)
        Centroids of the topics of posts not known to be sponsored, heaviest first; unit vectors,
        zero where there are fewer topics.
    shares : ndarray of float64, shape (n, topics)
        Share of each topic in the weight of those posts, 0-1; 0 where there are fewer.
    subject_shares : ndarray of float64, shape (n, topics)
        Share of each topic and those that are not really apart from it
        (`features.clusters.find_subjects`); 0 where there are fewer topics.
    organic, sponsored, recent : ndarray of float32, shape (n, dimension)
        Centroids of posts not known to be sponsored, of sponsored ones and of all; zero where
        there is none.
    sponsored_share : ndarray of float64, shape (n,)
        Share of sponsored posts in the weight of all; NaN without posts.
    concentration : ndarray of float64, shape (n,)
        Length of the weighted mean of all posts: 1 is a single topic, 0 is all over.
    drift : ndarray of float64, shape (n,)
        By how much posts not known to be sponsored are closer to those of the same half, newer or
        older, than to those of the other, in mean cosine: 0 is no drift. NaN under four posts.
    halves : ndarray of int8, shape (n, posts)
        1 for those posts of the newer half, -1 for those of the older half, 0 for all others.
    """

    topics: Vectors
    shares: Floats
    subject_shares: Floats
    organic: Vectors
    sponsored: Vectors
    recent: Vectors
    sponsored_share: Floats
    concentration: Floats
    drift: Floats
    halves: Small

    def __len__(self) -> int:
        return len(self.shares)

    def centroids(self) -> tuple[Ints, Floats, Vectors]:
        """List what can be searched: each topic, and the sponsored posts as one more.

        Returns
        -------
        owner : ndarray of int64, shape (m,)
            Row of the profile, ascending.
        weight : ndarray of float64, shape (m,)
            Share of the centroid in the weight of all the KOL's posts; those of one owner add up
            to 1.
        vectors : ndarray of float32, shape (m, dimension)
            Unit vectors.
        """
        paid = np.nan_to_num(self.sponsored_share)[:, None]
        weight = np.hstack([self.shares * (1.0 - paid), paid])
        vectors = np.concatenate([self.topics, self.sponsored[:, None, :]], axis=1)
        owner, place = np.nonzero((weight > 0) & vectors.any(axis=2))
        return owner.astype(np.int64), weight[owner, place], vectors[owner, place]


@dataclass(frozen=True)
class Shape:
    """What profiles say without a vector, one row each.

    Attributes
    ----------
    weight : ndarray of uint16, shape (n, posts)
        What each post weighs (`post_weights`); 0 for a text without a vector, and for no post.
    topic : ndarray of int8, shape (n, posts)
        Topic of each post that is not known to be sponsored, -1 for all others.
    paid : ndarray of bool, shape (n, posts)
        Whether the post is known to be sponsored.
    halves : ndarray of int8, shape (n, posts)
        See `Profiles`, and so are the shares, `concentration` and `drift`.
    length : ndarray of float64, shape (n, topics + 3)
        Length of the weighted sum of the posts of each topic, of those not known to be sponsored,
        of sponsored ones and of all, in steps of weight and of the grid.
    novelty : ndarray of float64, shape (n,)
        1 - mean cosine of each post and the one before it.
    """

    weight: npt.NDArray[np.uint16]
    topic: Small
    paid: Bools
    halves: Small
    shares: Floats
    subject_shares: Floats
    length: Floats
    sponsored_share: Floats
    concentration: Floats
    drift: Floats
    novelty: Floats

    def of(self, rows: Ints | slice) -> Shape:
        """Keep some rows."""
        return Shape(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Shapes:
    """Works out the shapes of cells; ask with `Cells.asked`.

    Attributes
    ----------
    embeddings : Embeddings
        Vectors of text.
    config : FeatureConfig
        How many posts are recent, how fast they age, and how many topics there are.
    shelf : Shelf
        Where places are: as long as they are looked for there they hold.
    """

    embeddings: Embeddings
    config: FeatureConfig
    shelf: Shelf

    def __call__(self, cells: Cells) -> dict[str, npt.NDArray[Any]]:
        """Return the fields of `Shape` by cell, and the ``place`` of each post's text."""
        return cells.of_states(_OfStates(self))


@dataclass(frozen=True)
class _OfStates:
    """Works out the shapes of states; ask with `Cells.of_states`."""

    asked: Shapes

    def __call__(self, recent: Recent) -> dict[str, npt.NDArray[Any]]:
        parts, config = [], self.asked.config
        for _, posts in posts_of(recent, self.asked.embeddings, config):
            found = shape(posts, config.topics)
            told = {field.name: getattr(found, field.name) for field in fields(Shape)}
            place = np.append(posts.shelf_place, -1)[posts.place].astype(np.int32)
            parts.append(told | {"place": place})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def shapes_of(
    cells: Cells, embeddings: Embeddings, config: FeatureConfig
) -> tuple[Shape, npt.NDArray[np.int32]]:
    """Return the shape of each cell's profile, and where the vector of each post's text is.

    Returns
    -------
    shape : Shape
        One row a cell.
    place : ndarray of int32, shape (cells, posts)
        Places that `Embeddings.at` takes, -1 where there is no post or it says nothing.
    """
    told = cells.asked(Shapes(embeddings, config, embeddings.shelf()))
    return Shape(**{field.name: told[field.name] for field in fields(Shape)}), told["place"]


def content_profiles(
    history: History, kol: Ints, at: Ints, embeddings: Embeddings, config: FeatureConfig
) -> Iterator[tuple[Ints, Profiles]]:
    """Profile KOLs as of times, a block at a time.

    Parameters
    ----------
    history : History
        The past.
    kol, at : ndarray of int64, shape (n,)
        Codes into `History.kol_ids`, and microseconds; only what was known strictly before counts.
    embeddings : Embeddings
        Vectors of text.
    config : FeatureConfig
        How many posts are recent, how fast they age, and how many topics there are.

    Yields
    ------
    rows : ndarray of int64
        Positions in `kol` that this block answers; over all blocks, each position once.
    profiles : Profiles
        One row for each of them.
    """
    for start in range(0, len(kol), _KOLS):
        part = slice(start, start + _KOLS)
        cells = cells_at(history, kol[part], at[part], config.recent_posts)
        shape, place = shapes_of(cells, embeddings, config)
        # One KOL's states stand together, and share posts.
        order = np.argsort(cells.post_state, kind="stable")
        for first in range(0, len(order), _STATES):
            rows = order[first : first + _STATES]
            used, at_used = distinct(place[rows])
            yield start + rows, _profiles(shape.of(rows), at_used, embeddings.at(used))


def distinct(places: npt.NDArray[np.integer]) -> tuple[Ints, Ints]:
    """Return distinct places as they are first met, and which each place is, -1 for -1."""
    from features.gridkernel import number_places

    at = np.empty(places.shape, dtype=np.int64)
    return number_places(places.ravel(), at.reshape(-1)), at


@dataclass(frozen=True)
class Posts:
    """Recent posts of some states, with their vectors.

    Attributes
    ----------
    shelf_place : ndarray of int64, shape (texts,)
        Where the vectors of the distinct texts are (`Embeddings.places`).
    vectors : ndarray of float32, shape (texts, dimension)
        Their vectors.
    place : ndarray of int64, shape (n, posts)
        Row in `vectors` of each recent post, the latest first; -1 where there is none.
    weight : ndarray of int64, shape (n, posts)
        See `post_weights`; 0 also for a text without a vector.
    paid : ndarray of bool, shape (n, posts)
        Whether the post is known to be sponsored.
    """

    shelf_place: Ints
    vectors: Vectors
    place: Ints
    weight: Ints
    paid: Bools

    def __len__(self) -> int:
        return len(self.place)

    def of(self, states: slice) -> Posts:
        """Keep some states."""
        return Posts(
            self.shelf_place,
            self.vectors,
            self.place[states],
            self.weight[states],
            self.paid[states],
        )

    def first(self, count: int) -> Posts:
        """Keep the latest posts of each state."""
        return Posts(
            self.shelf_place,
            self.vectors,
            self.place[:, :count],
            self.weight[:, :count],
            self.paid[:, :count],
        )


def posts_of(
    recent: Recent, embeddings: Embeddings, config: FeatureConfig
) -> Iterator[tuple[slice, Posts]]:
    """Look up recent posts and their vectors, a block of states at a time, in order."""
    weight, paid = post_weights(recent, config), recent.numbers("is_sponsored") == 1
    for start in range(0, max(len(recent.rows), 1), _STATES):
        states = slice(start, min(start + _STATES, len(recent.rows)))
        codes = recent.texts[states]
        used = np.unique(codes)
        used = used[used >= 0]
        place = np.where(codes < 0, -1, np.searchsorted(used, codes))
        places = text_places(recent.log, used, embeddings)
        vectors = embeddings.at(places)
        told = np.append(vectors.any(axis=1), False)
        yield (
            states,
            Posts(places, vectors, place, np.where(told[place], weight[states], 0), paid[states]),
        )


@dataclass(frozen=True)
class _Places:
    """Makes room for where on a shelf texts' vectors are; ask with `PostLog.once`."""

    shelf: Shelf

    def __call__(self, log: PostLog) -> FirstAsked:
        return FirstAsked(len(log.texts[1]))


def text_places(log: PostLog, codes: Ints, embeddings: Embeddings) -> Ints:
    """Return `Embeddings.places` of texts by code; a text is looked up once for all calls."""
    # As long as the shelf is the same a place holds.
    known, names = log.once(_Places(embeddings.shelf())), log.texts[1]
    new = known.missing(codes)
    places = embeddings.places(names[code] for code in new.tolist())
    known.put(new, {"place": places.astype(np.int32)})
    return known.take(codes)["place"].astype(np.int64)


def profile(posts: Posts, most: int) -> Profiles:
    """Profile each state.

    Parameters
    ----------
    posts : Posts
        Recent posts.
    most : int
        How many topics there are at most.
    """
    return _profiles(shape(posts, most), posts.place, posts.vectors)


def shape(posts: Posts, most: int) -> Shape:
    """Return the shape of each state's profile, of `most` topics at most."""
    parts = [
        _shape(posts.of(slice(start, start + _BLOCK)), most)
        for start in range(0, max(len(posts), 1), _BLOCK)
    ]
    return Shape(
        *(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Shape))
    )


def recent_centroids(posts: Posts) -> Vectors:
    """Return `Profiles.recent` alone, to the last bit, for a fraction of the work."""
    return weighted_sums(posts.weight[:, None, :], posts.place, posts.vectors)[:, 0]


def _shape(posts: Posts, most: int) -> Shape:
    width = posts.place.shape[1]
    # Sums are exact: places where nobody here has a post add nothing but work.
    posts = posts.first(max(int((posts.place >= 0).sum(axis=1).max(initial=0)), 1))
    used, place = distinct(posts.place)
    # Position -1, "no post", points at a row of zeros.
    grid = np.pad(laid_on_grid(posts.vectors[used])[0], ((0, 1), (0, 0)))
    vectors = grid[place].astype(np.float64)
    exact = vectors @ vectors.transpose(0, 2, 1) / GRID**2
    near = np.rint(exact * COSINE_STEPS) / COSINE_STEPS
    free = np.where(posts.paid, 0, posts.weight)
    topic = find_topics(near, free, most)
    member = (topic[:, None, :] == np.arange(most)[:, None]) * free[:, None, :]
    kinds = np.stack([free, posts.weight - free, posts.weight], axis=1)
    # Whole numbers under 2**38: the sums are exact.
    sums = np.concatenate([member, kinds], axis=1).astype(np.float64) @ vectors
    length = np.sqrt(np.square(sums).sum(axis=2))
    total = kinds.sum(axis=2).astype(np.float64)
    shares = member.sum(axis=2) / np.maximum(total[:, :1], 1.0)
    subject = find_subjects(near, free, topic, most)
    same = (subject[:, :, None] == subject[:, None, :]) & (subject >= 0)[:, :, None]
    side = halves(free > 0)

    def wide(values: npt.NDArray[Any], nothing: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        more = ((0, 0), (0, width - values.shape[1]))
        return np.pad(values, more, constant_values=nothing).astype(dtype)

    return Shape(
        weight=wide(posts.weight, 0, np.uint16),
        topic=wide(topic, -1, np.int8),
        paid=wide(posts.paid, 0, np.bool_),
        halves=wide(side, 0, np.int8),
        shares=shares,
        subject_shares=(same * shares[:, None, :]).sum(axis=2),
        length=length,
        sponsored_share=ratio(total[:, 1], total[:, 2]),
        concentration=ratio(length[:, most + 2] / GRID, total[:, 2]),
        drift=_drift(near, side),
        novelty=_novelty(exact, posts.weight > 0),
    )


def _profiles(shape: Shape, place: Ints, vectors: Vectors) -> Profiles:
    """Add the centroids to shapes, from texts' vectors and the place of each post among them."""
    weight, most = shape.weight.astype(np.int64), shape.shares.shape[1]
    free = np.where(shape.paid, 0, weight)
    member = (shape.topic[:, None, :] == np.arange(most)[:, None]) * free[:, None, :]
    kinds = np.stack([free, weight - free, weight], axis=1)
    centroids = weighted_sums(np.concatenate([member, kinds], axis=1), place, vectors)
    return Profiles(
        topics=centroids[:, :most],
        shares=shape.shares,
        subject_shares=shape.subject_shares,
        organic=centroids[:, most],
        sponsored=centroids[:, most + 1],
        recent=centroids[:, most + 2],
        sponsored_share=shape.sponsored_share,
        concentration=shape.concentration,
        drift=shape.drift,
        halves=shape.halves,
    )


def weighted_sums(weight: npt.NDArray[np.integer], place: Ints, vectors: Vectors) -> Vectors:
    """Return sums of texts by weights, shape (n, sums, posts), as unit vectors or zeros."""
    from features.gridkernel import sum_up

    grid, _ = laid_on_grid(vectors)
    out = np.empty((*weight.shape[:2], vectors.shape[1]), dtype=np.float32)
    sum_up(grid, place.astype(np.int64), np.ascontiguousarray(weight, dtype=np.int64), out)
    return out


def post_weights(recent: Recent, config: FeatureConfig) -> Ints:
    """Return what each recent post weighs, in whole steps of `WEIGHT_STEPS`, 0 for no post.

    A post weighs by its age and by the response to it. Ages count back from the KOL's latest post
    and not from ``as_of``: a profile then changes only when a post is seen, and is worked out once
    for all times between.
    """
    if not recent.rows.size:
        return np.zeros(recent.rows.shape, dtype=np.int64)
    age = recent.published[:, :1] - recent.published
    weight = np.exp2(-age / config.content_half_life_days) * response(recent)
    steps = np.maximum(np.rint(np.nan_to_num(weight) * WEIGHT_STEPS), 1)
    return np.where(recent.there, steps, 0).astype(np.int64)


def response(recent: Recent) -> Floats:
    """Return how each recent post did against the KOL's usual, shape (states, posts).

    The square root of its views over their median, from a half to two; of its likes, comments,
    shares and saves where a platform does not tell views. 1 where neither is known.
    """
    views = recent.numbers("views")
    acts = recent.numbers("likes")
    for action in ("comments", "shares", "saves"):
        acts = acts + np.nan_to_num(recent.numbers(action))
    against = [(counts + 1) / (row_quantile(counts, 0.5)[:, None] + 1) for counts in (views, acts)]
    times = np.where(np.isnan(against[0]), against[1], against[0])
    return np.where(np.isnan(times), 1.0, np.clip(np.sqrt(times), _LEAST, _MOST))


def halves(told: Bools) -> Ints:
    """Return 1 for posts of each state's newer half, -1 for those of its older half, else 0.

    Of an odd number the one in the middle is in neither. All are in neither where a half would
    have fewer than two.
    """
    count = told.sum(axis=1, keepdims=True)
    place = np.cumsum(told, axis=1) - 1
    half = np.where(count // 2 >= _HALF, count // 2, 0)
    side = (place < half).astype(np.int64) - (place >= count - half)
    return np.where(told, side, 0)


def _drift(near: Floats, side: Ints) -> Floats:
    """Return the mean cosine within halves less that between them; a post and itself are no pair.

    Less than their centroids' distance, which is large by chance alone where posts are few.
    """
    newer, older = (side == 1).astype(np.float64), (side == -1).astype(np.float64)
    own = np.diagonal(near, axis1=1, axis2=2)

    def total(left: Floats, right: Floats) -> Floats:
        return np.asarray(((left[:, None, :] @ near)[:, 0] * right).sum(axis=1))

    among = total(newer, newer) + total(older, older) - (own * np.abs(side)).sum(axis=1)
    size = newer.sum(axis=1)
    within = ratio(among, 2 * size * (size - 1))
    return where(size > 0, within - ratio(total(newer, older), size * size))


def _novelty(exact: Floats, told: Bools) -> Floats:
    """Return 1 - mean cosine of each post and the one before it, from cosines of all posts."""
    beside = np.clip(np.diagonal(exact, 1, axis1=1, axis2=2), -1.0, 1.0)
    return 1.0 - row_mean(where(told[:, 1:] & told[:, :-1], beside))
