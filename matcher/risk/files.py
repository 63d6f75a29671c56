"""What is on file about the matches: looked up once for all of them, for those who quote it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.evidence import excerpt
from features.history import History, codes_in
from features.profiles import halves
from features.signals.conduct import paid_posts, post_verticals, saying, topic_names
from features.timeline import Bools, Ints, Timeline, pick
from features.view import View
from matcher.candidates import Candidates
from matcher.wording import Text


@dataclass(frozen=True)
class Post:
    """A recent post.

    Attributes
    ----------
    post_id : str
    date : str
        When it was published; empty where that is not told.
    text : str
        As the KOL wrote it, tags behind it: to be quoted by `quote` alone.
    paid, claims, copied, disclosed : bool
        Whether it is known to be paid, and what it says.
    vertical : str
        What most of its tags name, empty for none.
    half : int
        1 of the newer, -1 of the older half of those that name one, else 0.
    """

    post_id: str
    date: str
    text: str
    paid: bool
    claims: bool
    copied: bool
    disclosed: bool
    vertical: str
    half: int

    @property
    def quote(self) -> Text:
        """Name the post: its id, the beginning of its text, its date."""
        said = excerpt(self.text)
        zh = (f"「{said}」" if said else "") + (f"（{self.date}）" if self.date else "")
        en = (f" (“{said}”)" if said else "") + (f", {self.date}" if self.date else "")
        return Text(self.post_id + zh, self.post_id + en)


class Files:
    """What is on file about some matches, called by their place.

    Parameters
    ----------
    found : Candidates
        The matches.
    history : History
        The past.
    config : FeatureConfig
        How many posts are recent.
    """

    def __init__(self, found: Candidates, history: History, config: FeatureConfig) -> None:
        self.history = history
        self.view = View(found.pairs, history, config.recent_posts)
        self._signals = found.signals
        self._posts: dict[int, tuple[Post, ...]] = {}

    def number(self, place: int, signal: str) -> float:
        """Return a signal of a match."""
        return float(self._signals[signal].iloc[place])

    def brief(self, place: int) -> pd.Series[Any]:
        """Return the row of a match's brief."""
        return self.history.briefs.iloc[int(self.view.brief[place])]

    def profile(self, place: int) -> pd.Series[Any]:
        """Return the latest profile of a match's KOL."""
        row = int(self.view.cells.profile[self.view.cell[place]])
        return self.history.kols.frame.iloc[row]

    def profiles(self, place: int) -> pd.DataFrame:
        """Return all known profiles of a match's KOL, oldest first."""
        return self.known(self.history.kols, place)

    def known(self, line: Timeline, place: int) -> pd.DataFrame:
        """Return what a timeline of KOLs holds of a match's KOL, oldest first."""
        start, stop = line.before(self.view.kol[[place]], self.view.time[[place]])
        return line.frame.iloc[int(start[0]) : int(stop[0])]

    def as_of(self, place: int) -> pd.Timestamp:
        """Return the moment of a match."""
        return pd.Timestamp(int(self.view.time[place]), unit="us", tz="UTC")

    def rival_work(self, place: int) -> pd.DataFrame:
        """Return known work for competitors that the brief names, oldest first."""
        work = self.known(self.history.brand_work_by_kol, place)
        brief = self.brief(place)
        named = pd.Series(list(brief["competitor_brands"]), dtype=object)
        codes = set(self.history.brands_named(named).tolist()) - {-1}
        mine = codes_in(self.history.brand_ids, work["brand_id"])
        return work[np.isin(mine, sorted(codes))].sort_values(["worked_at", "event_id"])

    def posts(self, place: int) -> tuple[Post, ...]:
        """Return the recent posts of a match's KOL, the latest first."""
        state = int(self.view.cells.post_state[self.view.cell[place]])
        if state not in self._posts:
            self._posts[state] = self._read(state)
        return self._posts[state]

    def _read(self, state: int) -> tuple[Post, ...]:
        recent, log = self.view.cells.recent, self.history.posts
        names = topic_names()
        columns = np.flatnonzero(recent.there[state])
        rows = recent.rows[state, columns]
        texts, published = log.worded(rows).tolist(), log.published(rows).tolist()
        ids = log.seen.frame["post_id"].take(rows).tolist()
        found = []
        for place, column in enumerate(columns.tolist()):
            topic, day = int(self._vertical[state, column]), published[place]
            found.append(
                Post(
                    post_id=str(ids[place]),
                    date=f"{pd.Timestamp(day, unit='us'):%Y-%m-%d}" if day else "",
                    text=str(texts[place]),
                    vertical=names[topic] if topic >= 0 else "",
                    half=int(self._half[state, column]),
                    **{name: bool(flags[state, column]) for name, flags in self._flags.items()},
                )
            )
        return tuple(found)

    @cached_property
    def _flags(self) -> dict[str, Bools]:
        recent = self.view.cells.recent
        lists = {name: saying(recent, name) for name in ("claims", "copied", "disclosed")}
        return {"paid": paid_posts(recent), **lists}

    @cached_property
    def _vertical(self) -> Ints:
        recent = self.view.cells.recent
        return np.asarray(pick(recent.log.once(post_verticals), recent.rows, -1))

    @cached_property
    def _half(self) -> Ints:
        return halves(self._vertical >= 0)
