"""What the KOL writes against what the brief asks for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.lexicon import lexical_cosines
from features.profiles import Posts, Profiles, posts_of, profile
from features.signals.family import Signals
from features.similarity import cosines
from features.statistics import row_mean, row_top, where
from features.timeline import Bools, Floats, Ints
from features.vectors import Embeddings, Vectors
from features.view import View
from features.widening import widened_briefs

CONTENT = {
    "bio": "cosine of the brief and the KOL's bio",
    "recent": "cosine of the brief and the centroid of recent posts; newer ones and those with "
    "more response than usual weigh more, here and below",
    "organic": "cosine of the brief and the centroid of recent posts not known to be sponsored",
    "sponsored": "cosine of the brief and the centroid of sponsored recent posts",
    "topic": "cosine of the brief and the closest topic of recent posts not known to be sponsored",
    "topic_share": "share of that topic, and of those not really apart from it, in the weight of "
    "those posts, 0-1",
    "best": "cosine of the brief and its closest recent post",
    "top3": "mean cosine of the brief and its three closest recent posts",
    "mean": "mean cosine of the brief and all recent posts",
    "widened_best": "cosine of the brief, read together with what sets the posts apart that are "
    "closest to it of a sample of all, and its closest recent post",
    "widened_top3": "mean cosine of the brief, read so, and its three closest recent posts",
    "sponsored_best": "cosine of the brief and its closest sponsored recent post",
    "sponsored_top3": "mean cosine of the brief and its three closest sponsored recent posts",
    "lexical_best": "highest cosine of the brief's words and a recent post's, rare words weighing "
    "more, here and below",
    "lexical_top3": "mean cosine of the brief's words and those of the three closest recent posts",
    "lexical_bio": "cosine of the brief's words and those of the bio",
    "concentration": "length of the recent posts' centroid: 1 is a single topic, 0 is all over",
    "drift": "mean cosine of posts not known to be sponsored within the newer and the older half "
    "of them, less that between the halves: 0 is no change of topic",
    "drift_to_brief": "mean cosine of the brief and the newer half of those posts, less that of "
    "the brief and the older half",
}


def content(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Compare the brief's text with bio and recent posts.

    Fit is known to act as an inverted U: a little distance does better than a copy (Leung et al.,
    Journal of Marketing 2022). The signals are plain cosines, and bending them is the trees' work.
    """
    names, brief = brief_texts(view)
    vectors = embeddings.of(names, role="query")
    widened, ask = widened_briefs(view, names, brief, embeddings)
    bios, bio = bio_texts(view)
    found = {name: np.full(len(view), np.nan) for name in CONTENT}
    found["bio"] = cosines(vectors, embeddings.of(bios), brief, bio[:, None])[:, 0]
    found["lexical_bio"] = lexical_cosines(names, bios, brief, bio[:, None])[:, 0]
    for rows, to, posts in recent_posts(view, embeddings, config):
        of = brief[rows]
        alike = cosines(vectors, posts.vectors, of, posts.place[to])
        lexical = lexical_cosines(names, posts.texts, of, posts.place[to])
        profiles = profile(posts, config.topics)
        wide = cosines(widened, posts.vectors, ask[rows], posts.place[to])
        signals = _of_posts(alike, lexical, posts.paid[to], profiles.halves[to])
        signals |= {"widened_best": row_top(wide, 1), "widened_top3": row_top(wide, 3)}
        signals |= _of_profiles(vectors, profiles, of, to)
        for name, values in signals.items():
            found[name][rows] = values
    return found


def _of_posts(alike: Floats, lexical: Floats, paid: Bools, half: Ints) -> dict[str, Floats]:
    """Return what single posts say, from cosines of shape (pairs, posts)."""
    sponsored = where(paid, alike)
    return {
        "best": row_top(alike, 1),
        "top3": row_top(alike, 3),
        "mean": row_mean(alike),
        "sponsored_best": row_top(sponsored, 1),
        "sponsored_top3": row_top(sponsored, 3),
        "lexical_best": row_top(lexical, 1),
        "lexical_top3": row_top(lexical, 3),
        "drift_to_brief": row_mean(where(half == 1, alike)) - row_mean(where(half == -1, alike)),
    }


def _of_profiles(vectors: Vectors, profiles: Profiles, of: Ints, to: Ints) -> dict[str, Floats]:
    """Return what the posts say together: of each pair's brief, and of its row of profiles."""
    most = profiles.topics.shape[1]
    topics = profiles.topics.reshape(-1, profiles.topics.shape[2])
    near = cosines(vectors, topics, of, to[:, None] * most + np.arange(most))
    closest = np.nan_to_num(near, nan=-2.0).argmax(axis=1)
    topic = near[np.arange(len(to)), closest]
    whole = {
        name: cosines(vectors, getattr(profiles, name), of, to[:, None])[:, 0]
        for name in ("recent", "organic", "sponsored")
    }
    return whole | {
        "topic": topic,
        "topic_share": where(~np.isnan(topic), profiles.subject_shares[to, closest]),
        "concentration": profiles.concentration[to],
        "drift": profiles.drift[to],
    }


def recent_posts(
    view: View, embeddings: Embeddings, config: FeatureConfig
) -> Iterator[tuple[Ints, Ints, Posts]]:
    """Look up the recent posts that pairs see, some states of knowledge at a time.

    Yields
    ------
    rows : ndarray of int64
        Positions of the pairs that this block answers; over all blocks, each pair once.
    to : ndarray of int64
        Row of `posts` of each of them.
    posts : Posts
        One row a state.
    """
    state = view.cells.post_state[view.cell]
    order = np.argsort(state, kind="stable")
    for states, posts in posts_of(view.cells.recent, embeddings, config):
        first, last = np.searchsorted(state[order], (states.start, states.stop))
        rows = order[first:last]
        yield rows, state[rows] - states.start, posts


def brief_texts(view: View) -> tuple[list[str], Ints]:
    """Return what the distinct briefs say, title first, and each pair's place among them."""
    codes, which = np.unique(view.brief, return_inverse=True)
    briefs = view.history.briefs[["title", "text"]].take(codes)
    texts = [
        "\n".join(part for part in parts if isinstance(part, str))
        for parts in briefs.itertuples(index=False, name=None)
    ]
    return texts, which.astype(np.int64)


def bio_texts(view: View) -> tuple[list[str], Ints]:
    """Return the distinct bios, and each pair's place among them, -1 where none is known."""
    rows, which = np.unique(view.cells.profile, return_inverse=True)
    bios = view.history.kols.frame["bio"].take(np.maximum(rows, 0)).astype(object)
    codes, names = pd.factorize(bios.where(rows >= 0, None))
    return [str(name) for name in names], codes.astype(np.int64)[which][view.cell]
