"""Which posts of a KOL were its latest as of a time, and what was known of them then.

A post is observed again and again while its views grow. As of a time it counts with its latest
observation before; when and by whom it was published is taken from its first observation, which
never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.lexicon import BagStore
from features.ragged import starts
from features.remembered import Remembered
from features.spill import Spill, Texts, TextSpill
from features.timeline import DAY, Bools, Floats, Ints, Timeline, lower_bounds, micros, pick
from features.wordlists import WORDLISTS, wordlist

T = TypeVar("T")
_TERMS_KEPT = 32
"""Lists of terms whose finds are kept: a byte a text each."""
_STEP = 16
"""Posts looked at beyond those wanted, in one step back through a KOL's posts."""
_ROWS = 262_144
"""Observations whose texts and ids are held at once."""
_HELD_BYTES = 64 << 20
"""Bytes of all those finds."""
_STATE_BYTES = 32 << 20
"""Bytes that are kept of what one maker tells of states of posts: shapes of 65,000 profiles, or one
number each of a million."""
_STATE_MAKERS = 16
"""Makers whose answers are kept."""
_HASHTAG = r"#\s?([^\s#,.，。、!！]+)"


@dataclass(frozen=True, eq=False)
class Tags:
    """Tags of observations, in lower case and without "#".

    Attributes
    ----------
    row, code : ndarray of int32, shape (tags,)
        Observation and name of each.
    names : list of str
        Distinct names.
    blocks : list of (slice, slice)
        Observations, and the tags that are theirs.
    """

    row: npt.NDArray[np.int32]
    code: npt.NDArray[np.int32]
    names: list[str]
    blocks: list[tuple[slice, slice]]


class PostLog:
    """Observations of posts, and the posts behind them.

    Parameters
    ----------
    seen : Timeline
        POSTS by KOL and ``observed_at``, ties by ``post_id``.
    """

    def __init__(self, seen: Timeline) -> None:
        self.seen = seen
        post, newest, sighting = Spill(np.int32), Spill(np.int32), Spill(np.int32)
        first, owner, sightings, published = (Spill(np.int64) for _ in range(4))
        for rows, code in seen.blocks(_ROWS):
            found = _numbered(seen.frame.iloc[rows], code)
            post.add(found.post + first.rows)
            newest.add(np.maximum.accumulate(found.post) + first.rows)
            sighting.add(np.argsort(found.post, kind="stable") + rows.start)
            sightings.add(np.bincount(found.post))
            owner.add(found.owner_start + first.rows)
            published.add(found.published)
            first.add(found.first + rows.start)
        self.post: Ints = post.done()
        """Post of each observation. Posts are numbered by KOL, then by when they were published."""
        # The latest published post seen up to each row. Posts are numbered by KOL, so that a
        # KOL's running maximum starts anew by itself.
        self._newest = newest.done()
        self._first, self._owner_start, self._published = (
            spill.done() for spill in (first, owner, published)
        )
        self._sighting = sighting.done()
        self._sighted = starts(sightings.done())
        self._made: dict[Callable[[PostLog], Any], Any] = {}
        self._states: dict[Any, Remembered] = {}
        self._flags: dict[str, Floats] = {}
        self._held: dict[tuple[str, ...], npt.NDArray[np.int8]] = {}

    def once(self, make: Callable[[PostLog], T]) -> T:
        """Return ``make(self)``, worked out on the first call."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    def recent(self, ends: Ints, count: int) -> Recent:
        """Find the latest published posts in each window of observations.

        Parameters
        ----------
        ends : ndarray of int64, shape (states,)
            Ends of windows in `seen`, 0 for an empty one.
        count : int
            How many posts at most.
        """
        posts = np.full((len(ends), count), -1, dtype=np.int64)
        filled = np.zeros(len(ends), dtype=np.int64)
        live = np.flatnonzero(ends > 0)
        at = self._newest[ends[live] - 1]
        while len(live):
            candidates = at[:, None] - np.arange(count + _STEP)
            inside = candidates >= self._owner_start[self._newest[ends[live] - 1]][:, None]
            known = inside & (self._first[np.maximum(candidates, 0)] < ends[live][:, None])
            slot = filled[live][:, None] + np.cumsum(known, axis=1) - 1
            row, column = np.nonzero(known & (slot < count))
            posts[live[row], slot[row, column]] = candidates[row, column]
            filled[live] += known.sum(axis=1)
            on = inside[:, -1] & (filled[live] < count)
            live, at = live[on], candidates[on, -1] - 1
            # The next step begins one post further back, which may be another KOL's.
        return Recent(self, self._latest_sighting(posts, ends))

    def of_states(
        self, make: Callable[[Recent], Mapping[str, npt.NDArray[Any]]], ends: Ints, count: int
    ) -> dict[str, npt.NDArray[Any]]:
        """Return ``make(recent(ends, count))``, working out what was not asked about of late.

        Parameters
        ----------
        make : callable
            Gives values by row of posts, each resting on that row alone. Known by what it equals.
        ends, count
            Those of `recent`, the ends distinct and ascending.
        """
        # Whoever was asked last stands last.
        kept = self._states.pop((make, count), None) or Remembered(_STATE_BYTES)
        self._states[make, count] = kept
        if len(self._states) > _STATE_MAKERS:
            self._states.pop(next(iter(self._states)))
        return kept.ask(ends, lambda some: make(self.recent(some, count)))

    def _latest_sighting(self, posts: Ints, ends: Ints) -> Ints:
        """Return the last observation of each post before the end of its window."""
        state, slot = np.nonzero(posts >= 0)
        post = posts[state, slot]
        start, stop = self._sighted[post], self._sighted[post + 1]
        rows = np.full(posts.shape, -1, dtype=np.int64)
        rows[state, slot] = self._sighting[
            lower_bounds(self._sighting, start, stop, ends[state]) - 1
        ]
        return rows

    def published(self, rows: Ints) -> Ints:
        """Return when observations' posts were published, in microseconds, as first observed.

        Position -1 gives 0.
        """
        return np.asarray(pick(self._published, pick(self.post, rows, -1), 0))

    @cached_property
    def texts(self) -> tuple[Ints, Texts]:
        """Text of each observation as a code, and the texts; tags stand in for no text.

        One KOL's equal texts have one code. Those of two KOLs need not: to know all the texts of a
        large roster at once would be to hold them.
        """
        codes, names = Spill(np.int32), TextSpill()
        for rows, _ in self.seen.blocks(_ROWS):
            part = self.seen.frame[["text", "tags"]].iloc[rows]
            text = part["text"].fillna("").astype(object)
            blank = text.str.strip() == ""
            text = text.where(~blank, part["tags"][blank].map(" ".join))
            code, found = pd.factorize(text, sort=True)
            codes.add(code + names.rows)
            names.add(found)
        return codes.done(), names.done()

    @cached_property
    def bags(self) -> BagStore:
        """What `texts` say, word by word."""
        names = self.texts[1]
        return BagStore(len(names), lambda codes: (names[code] for code in codes.tolist()))

    def holding(self, terms: tuple[str, ...], codes: Ints) -> Bools:
        """Return which texts hold one of some terms in lower case, letter case aside.

        Parameters
        ----------
        terms : tuple of str
            What to look for.
        codes : ndarray of int64
            Codes of texts, -1 for none; each is looked through once for all calls.
        """
        names = self.texts[1]
        if terms not in self._held:
            if len(self._held) >= _TERMS_KEPT or len(self._held) * len(names) >= _HELD_BYTES:
                self._held.clear()
            self._held[terms] = np.full(len(names) + 1, -1, dtype=np.int8)
            self._held[terms][-1] = 0
        held = self._held[terms]
        for code in np.unique(codes[held[codes] < 0]).tolist():
            text = names[code].lower()
            held[code] = any(term in text for term in terms)
        return np.asarray(held[codes] == 1)

    @cached_property
    def tags(self) -> Tags:
        """Tags of all observations and hashtags in their texts."""
        row, code, blocks = Spill(np.int32), Spill(np.int32), []
        known: dict[str, int] = {}
        for rows, _ in self.seen.blocks(_ROWS):
            part = self.seen.frame[["text", "tags"]].iloc[rows].reset_index(drop=True)
            given = part["tags"].astype(object).explode().dropna()
            hashed = part["text"].str.findall(_HASHTAG).dropna().explode().dropna()
            every = pd.concat([given, hashed]).astype(object)
            said, names = pd.factorize(every.map(lambda tag: str(tag).strip("# ").lower()))
            place = np.array([known.setdefault(str(n), len(known)) for n in names], dtype=np.int32)
            start = row.rows
            row.add(every.index.to_numpy(dtype=np.int64) + rows.start)
            code.add(place[said])
            blocks.append((rows, slice(start, row.rows)))
        return Tags(row.done(), code.done(), list(known), blocks)

    def saying(self, name: str) -> Bools:
        """Return whether text or tags of each observation say what a list of words looks for.

        Parameters
        ----------
        name : str
            A list of `features.wordlists.wordlist`.
        """
        return self._sayings[name]

    @cached_property
    def _sayings(self) -> dict[str, Bools]:
        found = {name: Spill(np.bool_) for name in WORDLISTS}
        for rows, _ in self.seen.blocks(_ROWS):
            codes, names = pd.factorize(self.worded(np.arange(rows.start, rows.stop)))
            texts = [str(name) for name in names]
            for name, spill in found.items():
                spill.add(wordlist(name).flags(texts)[codes])
        return {name: spill.done() for name, spill in found.items()}

    def worded(self, rows: Ints) -> pd.Series[Any]:
        """Return the text of observations with their tags behind it, each as a hashtag."""
        frame = self.seen.frame[["text", "tags"]].take(rows)
        tags = frame["tags"].map(lambda tags: "".join(f" #{tag}" for tag in tags))
        return frame["text"].fillna("").astype(object) + tags.astype(object)

    @cached_property
    def branded(self) -> Bools:
        """Whether each observation names a brand."""
        return np.asarray(self.seen.frame["brand_id"].notna().to_numpy(), dtype=bool)

    def numbers(self, column: str) -> Floats:
        """Return a column of every observation as float, flags as 0 and 1."""
        if self.seen.frame[column].dtype == np.float64:
            return self.seen.frame[column].to_numpy()
        if column not in self._flags:
            spill = Spill(np.float64)
            for rows, _ in self.seen.blocks(_ROWS):
                values = self.seen.frame[column].iloc[rows].astype("Float64")
                spill.add(values.to_numpy(dtype=np.float64, na_value=np.nan))
            self._flags[column] = spill.done()
        return self._flags[column]


@dataclass(frozen=True)
class _Numbered:
    """The posts behind some observations, numbered by KOL and then by when they were published.

    Attributes
    ----------
    post : ndarray of int64, shape (observations,)
        Post of each.
    first, owner_start, published : ndarray of int64, shape (posts,)
        A post's first observation, the first post of its KOL, and when it was published.
    """

    post: Ints
    first: Ints
    owner_start: Ints
    published: Ints


def _numbered(frame: pd.DataFrame, code: Ints) -> _Numbered:
    names = pd.factorize(frame["post_id"], sort=True)[0].astype(np.int64)
    size = int(names.max(initial=0)) + 1
    # A post is a KOL and a post id; the first row of each is its first observation.
    posts, first, which = np.unique(code * size + names, return_index=True, return_inverse=True)
    published = micros(frame["published_at"])[first]
    order = np.lexsort((posts % size, published, posts // size))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    owner = posts[order] // size
    return _Numbered(rank[which], first[order], np.searchsorted(owner, owner), published[order])


class Recent:
    """The latest posts of each state, the latest published first.

    Attributes
    ----------
    rows : ndarray of int64, shape (states, count)
        Observations in `PostLog.seen`, -1 where there are fewer posts.
    """

    def __init__(self, log: PostLog, rows: Ints) -> None:
        self.log = log
        self.rows = rows

    @property
    def there(self) -> Bools:
        """Where there is a post, shape (states, count)."""
        return self.rows >= 0

    @cached_property
    def published(self) -> Floats:
        """Days from 1970 to publication, shape (states, count)."""
        days = self.log.published(self.rows) / DAY
        return np.where(self.there, days, np.nan)

    @property
    def dated(self) -> Floats:
        """The same, NaN too where it is day 0: a time that nobody told."""
        return np.where(self.published > 0, self.published, np.nan)

    @cached_property
    def texts(self) -> Ints:
        """Codes of texts as in `PostLog.texts`, -1 where there is no post."""
        return np.asarray(pick(self.log.texts[0], self.rows, -1)).astype(np.int64)

    def numbers(self, column: str) -> Floats:
        """Return a numeric column, shape (states, count), NaN where null or no post."""
        return self._pick(self.log.numbers(column))

    def _pick(self, values: npt.NDArray[Any]) -> Floats:
        return np.asarray(pick(values, self.rows), dtype=np.float64)
