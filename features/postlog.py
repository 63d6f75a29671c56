"""Which posts of a KOL were its latest as of a time, and what was known of them then.

A post is observed again and again while its views grow. As of a time it counts with its latest
observation before; when and by whom it was published is taken from its first observation, which
never changes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.timeline import DAY, Bools, Floats, Ints, Timeline, micros, pick
from features.wordlists import wordlist

T = TypeVar("T")
_TERMS_KEPT = 32
"""Lists of terms whose finds are kept: a byte a text each."""
_STEP = 16
"""Posts looked at beyond those wanted, in one step back through a KOL's posts."""


class PostLog:
    """Observations of posts, and the posts behind them.

    Parameters
    ----------
    seen : Timeline
        POSTS by KOL and ``observed_at``, ties by ``post_id``.
    """

    def __init__(self, seen: Timeline) -> None:
        self.seen = seen
        names = pd.factorize(seen.frame["post_id"], sort=True)[0].astype(np.int64)
        size = int(names.max(initial=0)) + 1
        # A post is a KOL and a post id; the first row of each is its first observation.
        posts, first, which = np.unique(
            seen.code * size + names, return_index=True, return_inverse=True
        )
        published = micros(seen.frame["published_at"])
        order = np.lexsort((posts % size, published[first], posts // size))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        self.post: Ints = rank[which]
        """Post of each observation. Posts are numbered by KOL, then by when they were published."""
        self._first = first[order].astype(np.int64)
        self._owner_start = np.searchsorted(seen.code[self._first], seen.code[self._first])
        # The latest published post seen up to each row. Posts are numbered by KOL, so that a
        # KOL's running maximum starts anew by itself.
        self._newest = np.maximum.accumulate(self.post) if len(seen) else self.post
        sighting = np.lexsort((np.arange(len(seen)), self.post))
        self._sighting = self.post[sighting] * (len(seen) + 1) + sighting
        self._saying: dict[str, Bools] = {}
        self._made: dict[Callable[[PostLog], Any], Any] = {}
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

    def _latest_sighting(self, posts: Ints, ends: Ints) -> Ints:
        """Return the last observation of each post before the end of its window."""
        size = len(self.seen) + 1
        if size == 1:
            return np.asarray(posts)
        found = np.searchsorted(self._sighting, posts * size + ends[:, None]) - 1
        rows: Ints = np.where(posts < 0, -1, self._sighting[np.maximum(found, 0)] % size)
        return rows

    @cached_property
    def published(self) -> Ints:
        """When each observation's post was published, in microseconds, as first observed."""
        first: Ints = micros(self.seen.frame["published_at"])[self._first]
        return first[self.post]

    @cached_property
    def texts(self) -> tuple[Ints, list[str]]:
        """Text of each observation as a code, and the distinct texts; tags stand in for no text."""
        tags = self.seen.frame["tags"].map(" ".join)
        text = self.seen.frame["text"].fillna("").where(lambda s: s.str.strip() != "", tags)
        codes, names = pd.factorize(text.astype(object), sort=True)
        return codes.astype(np.int64), [str(name) for name in names]

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
            if len(self._held) >= _TERMS_KEPT:
                self._held.clear()
            self._held[terms] = np.full(len(names) + 1, -1, dtype=np.int8)
            self._held[terms][-1] = 0
        held = self._held[terms]
        for code in np.unique(codes[held[codes] < 0]).tolist():
            text = names[code].lower()
            held[code] = any(term in text for term in terms)
        return np.asarray(held[codes] == 1)

    @cached_property
    def tags(self) -> tuple[Ints, Ints, list[str]]:
        """Tags and hashtags in the text: observation and code of each, and the distinct names.

        Names are in lower case and without "#".
        """
        frame = self.seen.frame
        given = frame["tags"].explode().dropna()
        hashed = frame["text"].str.findall(r"#\s?([^\s#,.，。、!！]+)").dropna().explode().dropna()
        every = pd.concat([given, hashed]).astype(object)
        codes, names = pd.factorize(every.map(lambda tag: str(tag).strip("# ").lower()))
        return every.index.to_numpy(dtype=np.int64), codes.astype(np.int64), list(names)

    def saying(self, name: str) -> Bools:
        """Return whether text or tags of each observation say what a list of words looks for.

        Parameters
        ----------
        name : str
            A list of `features.wordlists.wordlist`.
        """
        if name not in self._saying:
            codes, names = self._worded
            self._saying[name] = wordlist(name).flags(names)[codes]
        return self._saying[name]

    @cached_property
    def worded(self) -> pd.Series[Any]:
        """Text of each observation with its tags behind it, each as a hashtag."""
        frame = self.seen.frame
        tags = frame["tags"].map(lambda tags: "".join(f" #{tag}" for tag in tags))
        return frame["text"].fillna("").astype(object) + tags

    @cached_property
    def _worded(self) -> tuple[Ints, list[str]]:
        codes, names = pd.factorize(self.worded)
        return codes.astype(np.int64), [str(name) for name in names]

    @cached_property
    def branded(self) -> Bools:
        """Whether each observation names a brand."""
        return np.asarray(self.seen.frame["brand_id"].notna().to_numpy(), dtype=bool)

    def numbers(self, column: str) -> Floats:
        """Return a column of every observation as float, flags as 0 and 1."""
        if self.seen.frame[column].dtype == np.float64:
            return self.seen.frame[column].to_numpy()
        return self._flags(column)

    def _flags(self, column: str) -> Floats:
        values = self.seen.frame[column].astype("Float64")
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


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
        days = np.asarray(pick(self.log.published, self.rows, 0)) / DAY
        return np.where(self.there, days, np.nan)

    @property
    def dated(self) -> Floats:
        """The same, NaN too where it is day 0: a time that nobody told."""
        return np.where(self.published > 0, self.published, np.nan)

    @cached_property
    def texts(self) -> Ints:
        """Codes of texts as in `PostLog.texts`, -1 where there is no post."""
        return np.asarray(pick(self.log.texts[0], self.rows, -1))

    def numbers(self, column: str) -> Floats:
        """Return a numeric column, shape (states, count), NaN where null or no post."""
        return self._pick(self.log.numbers(column))

    def _pick(self, values: npt.NDArray[Any]) -> Floats:
        return np.asarray(pick(values, self.rows), dtype=np.float64)
