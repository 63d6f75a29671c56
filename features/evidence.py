"""Which posts speak for a match, so that a person can read why."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.history import History
from features.profiles import posts_of
from features.signals.content import brief_texts
from features.signals.growth import follower_ends
from features.similarity import cosines
from features.timeline import DAY, days_between
from features.vectors import Embeddings
from features.view import View

BEST_POSTS = 3
"""Posts shown for a match: those whose mean cosine is ``content.top3``."""


def best_posts(
    pairs: pd.DataFrame,
    history: History,
    embeddings: Embeddings,
    config: FeatureConfig,
    count: int = BEST_POSTS,
) -> pd.DataFrame:
    """Return the recent posts of each pair's KOL that are closest to the brief.

    Parameters
    ----------
    pairs : pandas.DataFrame
        PAIRS.
    history : History
        The past.
    embeddings : Embeddings
        Vectors of text.
    config : FeatureConfig
        How many posts are recent.
    count : int
        How many posts to return for a pair at most.

    Returns
    -------
    pandas.DataFrame
        One row a post, by ``pair`` (position in `pairs`) and ``rank`` (1 is closest; of equals,
        the latest published). ``post_id``, ``text`` (tags where there is no text), ``cosine``,
        ``published_at`` and ``is_sponsored`` (null where unknown). A pair whose KOL has no
        comparable post has no row.
    """
    view = View(pairs, history, config.recent_posts)
    names, brief = brief_texts(view)
    vectors = embeddings.of(names, role="query")
    state = view.cells.post_state[view.cell]
    found = np.full((len(view), config.recent_posts), np.nan)
    for states, posts in posts_of(view.cells.recent, embeddings, config):
        rows = np.flatnonzero((state >= states.start) & (state < states.stop))
        place = posts.place[state[rows] - states.start]
        found[rows] = cosines(vectors, posts.vectors, brief[rows], place)
    best = np.argsort(-found, axis=1, kind="stable")[:, :count]
    cosine = np.take_along_axis(found, best, axis=1)
    pair, rank = np.nonzero(~np.isnan(cosine))
    rows = view.cells.recent.rows[state[pair], best[pair, rank]]
    log = history.posts
    codes, texts = log.texts
    seen = log.seen.frame.take(rows)
    return pd.DataFrame(
        {
            "pair": pair,
            "rank": rank + 1,
            "post_id": seen["post_id"].to_numpy(),
            "text": np.array([texts[code] for code in codes[rows]], dtype=object),
            "cosine": cosine[pair, rank],
            "published_at": pd.to_datetime(log.published(rows), unit="us", utc=True),
            "is_sponsored": seen["is_sponsored"].array,
        }
    )


def spans(pairs: pd.DataFrame, history: History, config: FeatureConfig) -> pd.DataFrame:
    """Return what signals of a period really cover, since not everybody posts every day.

    Parameters
    ----------
    pairs : pandas.DataFrame
        PAIRS.
    history : History
        The past.
    config : FeatureConfig
        How many posts are recent.

    Returns
    -------
    pandas.DataFrame
        Index of `pairs`: ``style.posts_seen``, how many recent posts there are; ``reach.days``,
        days from the oldest of those with known views to ``as_of``; ``growth.days``, days between
        the two profiles that ``growth.followers_90`` compares. Null is unknown.
    """
    view = View(pairs, history, config.recent_posts)
    cells, recent = view.cells, view.cells.recent
    # Day 0 stands for a time that nobody told.
    counts = ~np.isnan(recent.numbers("views"))
    dated = ~(counts & ~(recent.published > 0)).any(axis=1) & counts.any(axis=1)
    oldest = np.where(counts, recent.published, np.inf).min(axis=1, initial=np.inf)
    first = cells.of_posts(np.where(dated, oldest, np.nan))
    latest, earlier = follower_ends(view.cells, 90)
    by_cell = {
        "style.posts_seen": cells.of_posts(recent.there.sum(axis=1).astype(np.float64)),
        "reach.days": cells.time / DAY - first,
        "growth.days": days_between(latest, earlier),
    }
    return pd.DataFrame(
        {name: values[view.cell] for name, values in by_cell.items()}, index=view.index
    )


def excerpt(text: str, most: int = 40) -> str:
    r"""Return the beginning of a text on one line, without what is not to be seen.

    Control and formatting characters, such as those that turn the direction of writing, could make
    a sentence around the quote read differently. Full-width characters count twice.

    Examples
    --------
    >>> excerpt("Three weeks\twith\u202e this  serum, and my skin is calm again", 24)
    'Three weeks with this…'
    >>> excerpt("换季泛红，靠这支面霜稳住了", 16)
    '换季泛红，靠这…'
    """
    line = " ".join("".join(map(_shown, text)).split())
    ends = np.cumsum([1 + (unicodedata.east_asian_width(sign) in "WF") for sign in line])
    if not line or ends[-1] <= most:
        return line
    cut = line[: int(np.searchsorted(ends, most - 1, side="right"))]
    whole, space, _ = cut.rpartition(" ")
    # Not within a word, unless it is a long one, as all Chinese is.
    return (whole if space and len(whole) > len(cut) / 2 else cut).rstrip() + "…"


def _shown(sign: str) -> str:
    kind = unicodedata.category(sign)
    if kind in ("Cf", "Cs", "Co", "Cn"):
        return ""
    return " " if kind[0] in "CZ" else sign
