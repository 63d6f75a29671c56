"""Where the KOL is heading."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.signals.family import Signals
from features.statistics import ratio, row_mean, where
from features.timeline import DAY, NEVER, Floats, Ints, days_between, pick
from features.vectors import Embeddings
from features.view import View

GROWTH = {
    "followers_90": "log growth of followers per 30 days, over the last 90 days or so",
    "followers_180": "log growth of followers per 30 days, over the last 180 days or so",
    "acceleration": "followers_90 - followers_180",
    "views": "mean log views of the 10 latest posts less that of the recent posts before them",
    "observed_days": "days since the KOL was first observed",
    "profile_age": "days since the latest profile was observed",
}
_LEAST_DAYS = 14
"""Two profiles closer than this tell noise rather than growth."""


def growth(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Describe trends of followers and views."""
    cells = view.cells
    short, long = _follower_growth(view, 90), _follower_growth(view, 180)
    views = np.log1p(cells.recent.numbers("views"))
    start, stop = view.history.kols.before(cells.kol, cells.time)
    first = pick(view.history.kols.at, np.where(stop > start, start, -1), NEVER)
    latest = pick(view.history.kols.at, stop - 1, NEVER)
    by_cell = {
        "followers_90": short,
        "followers_180": long,
        "acceleration": short - long,
        "views": cells.of_posts(row_mean(views[:, :10]) - row_mean(views[:, 10:])),
        "observed_days": days_between(cells.time, _told(first)),
        "profile_age": days_between(cells.time, _told(latest)),
    }
    return {name: values[view.cell] for name, values in by_cell.items()}


def _told(at: Ints) -> Ints:
    """Return times, null where 1970 stands for one that nobody told."""
    return np.where(at == 0, NEVER, at)


def follower_ends(view: View, days: int) -> tuple[Ints, Ints]:
    """Return when the two profiles of each cell that growth compares were observed.

    The latest profile, and the last one `days` before or else the first there is.
    """
    latest, earlier = _ends(view, days)
    at = view.history.kols.at
    return np.asarray(pick(at, latest, NEVER)), np.asarray(pick(at, earlier, NEVER))


def _ends(view: View, days: int) -> tuple[Ints, Ints]:
    """Return the rows of those profiles, -1 where none is known."""
    kols, cells = view.history.kols, view.cells
    start, stop = kols.before(cells.kol, cells.time)
    earlier = kols.last(cells.kol, cells.time - days * DAY)
    return stop - 1, np.where(earlier < 0, np.where(stop > start, start, -1), earlier)


def _follower_growth(view: View, days: int) -> Floats:
    """Compare the two profiles."""
    latest, earlier = _ends(view, days)
    followers = np.log1p(view.history.kols.frame["followers"].to_numpy(dtype=np.float64))
    rise = pick(followers, latest) - pick(followers, earlier)
    gap = days_between(*follower_ends(view, days))
    return where(gap >= _LEAST_DAYS, ratio(rise * 30.0, gap))
