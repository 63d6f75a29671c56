"""Where a KOL stands in its life: rising, stable or declining; and whether it is about to fade.

The stage follows from followers alone. The chance that engagement halves is learned anew at each
moment from what became of everybody before: of each KOL at several earlier moments, whether the
median post of the next 180 days brought less than half the engagements of the median post of the
180 days before. Only windows that ended before the moment teach, as they were known then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from features.history import History
from features.roster import Cells
from features.signals.engagement import ACTIONS
from features.signals.growth import follower_growth
from features.statistics import group_medians, look_up
from features.timeline import DAY, Bools, Floats, Ints, micros

RISING, DECLINING = 0.03, -0.005
"""Log growth of followers a month. At 3% an account doubles in two years, and is another tier when
an annual contract is renewed. A loss of half a percent is 6% a year: more than platforms' own
clean-ups of dead accounts take, so that people do leave."""
WINDOW_DAYS, STEP_DAYS = 180, 90
HALF = 0.5
LEAST_POSTS = 3
"""Posts that each window needs for its median to mean anything."""
LEAST_WINDOWS = 100
"""Fewer finished windows of all KOLs together teach nothing, and all chances are unknown."""
_MOST_STEPS = 8
"""Earlier moments to learn from: two years; what was before is another time."""
_RESTRAINT = 3.0
"""Ridge on each weight, in windows' worth of evidence: with few halvings all are near the usual."""


def stages(signals: pd.DataFrame) -> pd.Series[Any]:
    """Return ``rising``, ``stable`` or ``declining``; null where growth is unknown.

    By where the growth of followers is heading: that of the last 90 days plus its acceleration,
    which is half of what it changed by, since changes of pace seldom last in full.
    """
    pace = heading(signals["growth.followers_90"], signals["growth.acceleration"])
    told = np.select([pace >= RISING, pace <= DECLINING], ["rising", "declining"], "stable")
    return pd.Series(told, index=signals.index, dtype="str").where(pace.notna())


Paces = TypeVar("Paces", Floats, "pd.Series[float]")


def heading(growth: Paces, acceleration: Paces) -> Paces:
    """Return the growth that a KOL is heading for: of the last 90 days, and its acceleration."""
    return growth + acceleration


def halving(pairs: pd.DataFrame, history: History) -> pd.Series[float]:
    """Return the chance that engagement halves within 180 days, NaN where too little is known.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS.
    history : History
        The past; only what was known strictly before each pair's ``as_of`` counts.
    """
    time, kol = micros(pairs["as_of"]), history.kol_codes(pairs["kol_id"])
    out = np.full(len(pairs), np.nan)
    for moment in np.unique(time).tolist():
        rows = time == moment
        out[rows] = _chances(history, moment)[kol[rows]]
    return pd.Series(out, index=pairs.index, name="halving")


_KEPT: WeakKeyDictionary[History, tuple[int, Floats]] = WeakKeyDictionary()
"""The last moment's chances of each history: a run asks of one, a chunk of briefs at a time."""


def _chances(history: History, moment: int) -> Floats:
    if history not in _KEPT or _KEPT[history][0] != moment:
        _KEPT[history] = (moment, chances(history, moment))
    return _KEPT[history][1]


def chances(history: History, moment: int) -> Floats:
    """Learn from the windows before a moment, and return the chance of each of `History.kol_ids`.

    Parameters
    ----------
    history : History
        The past.
    moment : int
        Microseconds since 1970; what became known then or later is not looked at.
    """
    past = Past(history)
    now = past.known(moment)
    taught: list[Floats] = []
    fell: list[Bools] = []
    for step in range(_MOST_STEPS):
        start = moment - (WINDOW_DAYS + step * STEP_DAYS) * DAY
        facts = past.facts(start)
        before = past.levels(past.known(start), start - WINDOW_DAYS * DAY, start)
        after = past.levels(now, start, start + WINDOW_DAYS * DAY)
        both = (before.posts >= LEAST_POSTS) & (after.posts >= LEAST_POSTS)
        taught.append(facts[both])
        fell.append((after.middle - before.middle < np.log(HALF))[both])
    rows, labels = np.concatenate(taught), np.concatenate(fell)
    asked = past.levels(now, moment - WINDOW_DAYS * DAY, moment).posts >= LEAST_POSTS
    out = np.full(len(history.kol_ids), np.nan)
    if len(labels) >= LEAST_WINDOWS:
        out[asked] = _predicted(rows, labels, past.facts(moment)[asked])
    return out


def _predicted(rows: Floats, fell: Bools, asked: Floats) -> Floats:
    """Fit a logistic regression on standardised facts, and apply it."""
    from sklearn.linear_model import LogisticRegression

    if fell.all() or not fell.any():
        return np.full(len(asked), (fell.sum() + 1) / (len(fell) + 2))
    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(C=1 / _RESTRAINT, max_iter=1000)
    model.fit((rows - middle) / spread, fell)
    # A wild fact is no surer than the wildest that taught.
    held = np.clip(asked, rows.min(axis=0), rows.max(axis=0))
    return np.asarray(model.predict_proba((held - middle) / spread)[:, 1], dtype=np.float64)


@dataclass(frozen=True)
class Levels:
    """Engagement of each KOL's posts of a window: median of the logs, posts, their spread."""

    middle: Floats
    posts: Floats
    spread: Floats


class Past:
    """Posts of all KOLs as they were known at several moments."""

    def __init__(self, history: History) -> None:
        self.history = history
        log = history.posts
        acts = [log.numbers(action) for action in ACTIONS]
        self.engagements = np.log1p(acts[0] + sum(np.nan_to_num(count) for count in acts[1:]))
        self._known: dict[int, Ints] = {}

    def known(self, moment: int) -> Ints:
        """Return the latest observation before a moment of each post then known."""
        if moment not in self._known:
            log = self.history.posts
            rows = np.flatnonzero(log.seen.at < moment)
            latest = np.full(int(log.post.max(initial=-1)) + 1, -1, dtype=np.int64)
            np.maximum.at(latest, log.post[rows], rows)
            self._known[moment] = latest[latest >= 0]
        return self._known[moment]

    def levels(self, known: Ints, start: int, stop: int) -> Levels:
        """Return the engagement of posts published in a window, 1970 standing for no time."""
        log, size = self.history.posts, len(self.history.kol_ids)
        published = log.published(known)
        rows = known[(published >= max(start, 1)) & (published < stop)]
        rows = rows[~np.isnan(self.engagements[rows])]
        kol, told = log.seen.code_of(rows), self.engagements[rows]
        every = np.arange(size)
        middle = look_up(*group_medians(kol, told), every)
        count = np.bincount(kol, minlength=size).astype(np.float64)
        apart = np.bincount(kol, weights=np.square(told - middle[kol]), minlength=size)
        spread = np.sqrt(apart / np.maximum(count - 1, 1))
        return Levels(middle, count, np.where(count >= LEAST_POSTS, spread, np.nan))

    def facts(self, moment: int) -> Floats:
        """Return what is told of each KOL at a moment, shape (kols, 6); unknown is usual.

        How uncertain its medians are, how far it stands above its own past, how the last 90 days
        compare with the 90 before, whether there is a past, growth of followers and acceleration.
        """
        known, window = self.known(moment), WINDOW_DAYS * DAY
        now = self.levels(known, moment - window, moment)
        past = self.levels(known, moment - 3 * window, moment - window)
        newer = self.levels(known, moment - window // 2, moment)
        older = self.levels(known, moment - window, moment - window // 2)
        size = len(self.history.kol_ids)
        kol = np.arange(size)
        at = np.full(size, moment)
        cells = Cells(self.history, kol, at, at[:1], LEAST_POSTS)
        short, long = follower_growth(cells, 90), follower_growth(cells, 180)
        usual = np.nanmedian(np.append(now.spread, 0.5))
        spread = np.where(np.isnan(now.spread), usual, now.spread)
        columns = (
            spread * np.sqrt(2.0 / np.maximum(now.posts, 1.0)),
            now.middle - past.middle,
            newer.middle - older.middle,
            (past.posts > 0).astype(np.float64),
            short,
            short - long,
        )
        return np.asarray(np.nan_to_num(np.column_stack(columns)), dtype=np.float64)
