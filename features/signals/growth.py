"""Where the KOL is heading."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.postlog import Recent
from features.roster import Cells
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
    return {name: values[view.cell] for name, values in view.cells.once(_of_cells).items()}


def _of_cells(cells: Cells) -> Signals:
    short, long = follower_growth(cells, 90), follower_growth(cells, 180)
    line = cells.history.kols
    start, stop = line.before(cells.kol, cells.time)
    first = pick(line.at, np.where(stop > start, start, -1), NEVER)
    latest = pick(line.at, stop - 1, NEVER)
    return cells.of_states(_of_posts) | {
        "followers_90": short,
        "followers_180": long,
        "acceleration": short - long,
        "observed_days": days_between(cells.time, _told(first)),
        "profile_age": days_between(cells.time, _told(latest)),
    }


def _of_posts(recent: Recent) -> dict[str, Floats]:
    views = np.log1p(recent.numbers("views"))
    return {"views": row_mean(views[:, :10]) - row_mean(views[:, 10:])}


def _told(at: Ints) -> Ints:
    """Return times, null where 1970 stands for one that nobody told."""
    return np.where(at == 0, NEVER, at)


def follower_ends(cells: Cells, days: int) -> tuple[Ints, Ints]:
    """Return when the two profiles of each cell that growth compares were observed.

    The latest profile, and the last one `days` before or else the first there is.
    """
    latest, earlier = _ends(cells, days)
    at = cells.history.kols.at
    return np.asarray(pick(at, latest, NEVER)), np.asarray(pick(at, earlier, NEVER))


def _ends(cells: Cells, days: int) -> tuple[Ints, Ints]:
    """Return the rows of those profiles, -1 where none is known."""
    kols = cells.history.kols
    start, stop = kols.before(cells.kol, cells.time)
    earlier = kols.last(cells.kol, cells.time - days * DAY)
    return stop - 1, np.where(earlier < 0, np.where(stop > start, start, -1), earlier)


def follower_growth(cells: Cells, days: int) -> Floats:
    """Return the log growth of followers per 30 days, NaN where too little is known."""
    latest, earlier = _ends(cells, days)
    followers = cells.history.kols.frame["followers"].to_numpy(dtype=np.float64)
    rise = np.log1p(pick(followers, latest)) - np.log1p(pick(followers, earlier))
    gap = days_between(*follower_ends(cells, days))
    return where(gap >= _LEAST_DAYS, ratio(rise * 30.0, gap))
