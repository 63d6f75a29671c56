"""What the KOL writes against what the brief asks for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.history import History
from features.signals.family import Signals
from features.similarity import cosines, lexical_cosines
from features.statistics import row_mean, row_sum, where
from features.timeline import Floats, Ints, pick
from features.vectors import Embeddings, Vectors
from features.view import View

CONTENT = {
    "bio": "cosine of the brief and the KOL's bio",
    "recent": "cosine of the brief and the centroid of recent posts, newer ones weighing more",
    "best": "cosine of the brief and its closest recent post",
    "top3": "mean cosine of the brief and its three closest recent posts",
    "mean": "mean cosine of the brief and all recent posts",
    "sponsored_best": "cosine of the brief and its closest sponsored recent post",
    "sponsored_top3": "mean cosine of the brief and its three closest sponsored recent posts",
    "lexical_best": "highest character n-gram cosine of the brief and a recent post",
    "lexical_top3": "mean of the three highest character n-gram cosines",
    "lexical_bio": "character n-gram cosine of the brief and the bio",
    "concentration": "length of the recent posts' centroid: 1 is a single topic, 0 is all over",
}


def content(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Compare the brief's text with bio and recent posts.

    Fit is known to act as an inverted U: a little distance does better than a copy (Leung et al.,
    Journal of Marketing 2022). The signals are plain cosines, and bending them is the trees' work.
    """
    recent, state = view.cells.recent, view.cells.post_state[view.cell]
    posts = post_cosines(view, embeddings)
    sponsored = where(recent.numbers("is_sponsored")[state] == 1, posts)
    centroids, concentration = _centroids(view, embeddings, config)
    names, brief = _brief_texts(view)
    bios, bio = _bios(view)
    told, _, place = _post_texts(view)
    lexical = lexical_cosines(names, told, brief, place[state])
    vectors = embeddings.of(names, role="query")
    return {
        "bio": cosines(vectors, embeddings.of(bios), brief, bio[:, None])[:, 0],
        "recent": cosines(vectors, centroids, brief, state[:, None])[:, 0],
        "best": _top(posts, 1),
        "top3": _top(posts, 3),
        "mean": row_mean(posts),
        "sponsored_best": _top(sponsored, 1),
        "sponsored_top3": _top(sponsored, 3),
        "lexical_best": _top(lexical, 1),
        "lexical_top3": _top(lexical, 3),
        "lexical_bio": lexical_cosines(names, bios, brief, bio[:, None])[:, 0],
        "concentration": concentration[state],
    }


def best_posts(
    pairs: pd.DataFrame, history: History, embeddings: Embeddings, config: FeatureConfig
) -> pd.DataFrame:
    """Return the recent post of each pair's KOL that is closest to the brief.

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

    Returns
    -------
    pandas.DataFrame
        Index of `pairs`; ``post_id``, ``text``, ``cosine``; null where there is no post. Of
        equals, the latest published.
    """
    view = View(pairs, history, config.recent_posts)
    found = post_cosines(view, embeddings)
    best = np.argmax(np.nan_to_num(found, nan=-2.0), axis=1)
    at = np.arange(len(found))
    cosine = found[at, best] if len(found) else np.empty(0)
    rows = view.cells.recent.rows[view.cells.post_state[view.cell]][at, best]
    rows = np.where(np.isnan(cosine), -1, rows)
    posts = history.posts.seen.frame[["post_id", "text"]].reindex(rows)
    return posts.set_axis(view.index).assign(cosine=cosine)


def post_cosines(view: View, embeddings: Embeddings) -> Floats:
    """Return cosines of each pair's brief and the KOL's recent posts, shape (pairs, posts)."""
    names, brief = _brief_texts(view)
    told, _, place = _post_texts(view)
    state = view.cells.post_state[view.cell]
    return cosines(embeddings.of(names, role="query"), embeddings.of(told), brief, place[state])


def brief_texts(history: History) -> list[str]:
    """Return what each brief says: its title, then its text."""
    briefs = history.briefs
    return [
        "\n".join(part for part in parts if isinstance(part, str))
        for parts in zip(briefs["title"], briefs["text"], strict=True)
    ]


def _brief_texts(view: View) -> tuple[list[str], Ints]:
    """Return the distinct briefs' texts, and each pair's place among them."""
    codes, which = np.unique(view.brief, return_inverse=True)
    texts = brief_texts(view.history)
    return [texts[code] for code in codes], which.astype(np.int64)


def _bios(view: View) -> tuple[list[str], Ints]:
    """Return the distinct bios, and each pair's place among them, -1 where none is known."""
    bios = view.history.kols.frame["bio"].astype(object)
    rows, which = np.unique(view.cells.profile, return_inverse=True)
    codes, names = pd.factorize(pd.Series(pick(bios.to_numpy(), rows, None)))
    return [str(name) for name in names], codes.astype(np.int64)[which][view.cell]


def _post_texts(view: View) -> tuple[list[str], Ints, Ints]:
    """Return the distinct texts of recent posts, their codes, and the place of each post's."""
    codes, names = view.cells.recent.texts, view.history.posts.texts[1]
    used = np.unique(codes)
    used = used[used >= 0]
    place = np.where(codes < 0, -1, np.searchsorted(used, codes))
    return [names[code] for code in used], used, place


def _centroids(view: View, embeddings: Embeddings, config: FeatureConfig) -> tuple[Vectors, Floats]:
    """Return the weighted centroid of each state's recent posts, and its length.

    Ages count back from the KOL's latest post and not from ``as_of``: the centroid then changes
    only when a post is added, and is worked out once for all times between.
    """
    from scipy.sparse import csr_matrix

    recent = view.cells.recent
    told, _, place = _post_texts(view)
    vectors = embeddings.of(told)
    blank = np.append(~vectors.any(axis=1), True)
    age = recent.published[:, :1] - recent.published if place.size else recent.published
    weight = np.where(blank[place], 0.0, np.exp2(-age / config.content_half_life_days))
    row, slot = np.nonzero(weight > 0)
    ends = np.append(0, np.cumsum((weight > 0).sum(axis=1)))
    # A sparse product adds along each row in the order given, whatever the other rows are.
    mixing = csr_matrix(
        (weight[row, slot].astype(np.float32), place[row, slot], ends),
        shape=(len(weight), len(vectors)),
    )
    centroids = np.asarray(mixing @ vectors, dtype=np.float32)
    length = np.sqrt(np.square(centroids.astype(np.float64)).sum(axis=1))
    total = row_sum(weight)
    return centroids, np.divide(length, total, out=np.full(len(total), np.nan), where=total > 0)


def _top(values: Floats, count: int) -> Floats:
    """Return the mean of the highest known values of each row."""
    highest = -np.sort(-values, axis=1)[:, :count]
    return row_mean(highest)
