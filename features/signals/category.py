"""Kinds: vertical, platform, goal, language, region."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.cells import load_toml
from features.config import FeatureConfig
from features.contract import GOALS, PLATFORMS
from features.history import codes_in
from features.signals.family import Signals
from features.statistics import ratio, row_mean, where
from features.timeline import Floats, pick
from features.vectors import Embeddings
from features.view import View

CATEGORY = {
    "platform": "position of the KOL's platform in the contract's list",
    "platform_asked": "1 if the brief names the platform, 0 if it names others, null if none",
    "goal": "position of the brief's goal in the contract's list",
    "vertical": "1 if the brief's vertical is among the KOL's",
    "vertical_first": "1 if the brief's vertical is the KOL's first",
    "verticals": "how many verticals the KOL names",
    "vertical_posts": "share of recent posts with a tag that names the brief's vertical",
    "language": "1 if brief and KOL share a language",
    "region": "share of the brief's target audience in the KOL's own region",
    "credentials": "how many credentials the KOL has",
}


def category(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Compare kinds; kinds themselves become their position in the contract's tuples."""
    history, cells = view.history, view.cells
    profile = cells.profile[view.cell]
    lists = history.kols.frame["verticals"]
    wanted = history.brief_vertical[view.brief]
    counts = np.asarray(pick(lists.map(len).to_numpy(dtype=np.float64), profile))
    told = (wanted >= 0) & (counts > 0)
    first = lists.map(lambda names: names[0] if names else None)
    credentials = history.kols.frame["credentials"].map(len).to_numpy(dtype=np.float64)
    return {
        "platform": cells.platform[view.cell],
        "platform_asked": _platform_asked(view),
        "goal": view.brief_codes("goal", GOALS),
        "vertical": where(told, _has_vertical(view).astype(np.float64)),
        "vertical_first": where(
            told, (pick(codes_in(history.verticals, first), profile, -1) == wanted) * 1.0
        ),
        "verticals": counts,
        "vertical_posts": _vertical_posts(view),
        "language": _same_language(view),
        "region": _region_share(view),
        "credentials": np.asarray(pick(credentials, profile)),
    }


def _platform_asked(view: View) -> Floats:
    lists = view.history.briefs["platforms"]
    asked = np.array(
        [[name in names for name in PLATFORMS] if names else [np.nan] * 10 for names in lists],
        dtype=np.float64,
    ).reshape(len(lists), len(PLATFORMS))
    platform = view.cells.platform[view.cell]
    known = np.nan_to_num(platform).astype(np.int64)
    return where(~np.isnan(platform), asked[view.brief, known])


def _has_vertical(view: View) -> npt.NDArray[np.bool_]:
    """Return whether the brief's vertical is among those of the KOL's profile."""
    history = view.history
    names = history.kols.frame["verticals"].explode()
    codes = codes_in(history.verticals, names)
    table = np.zeros((len(history.kols) + 1, len(history.verticals) + 1), dtype=bool)
    table[names.index.to_numpy()[codes >= 0], codes[codes >= 0]] = True
    return np.asarray(table[view.cells.profile[view.cell], history.brief_vertical[view.brief]])


def _vertical_posts(view: View) -> Floats:
    """Return the share of recent posts with a tag that names the brief's vertical."""
    history, recent = view.history, view.cells.recent
    posts, tag, names = history.posts.tags
    asked, which = np.unique(history.brief_vertical[view.brief], return_inverse=True)
    by_state = np.full((len(recent.rows), len(asked)), np.nan)
    for column, code in enumerate(asked):
        if code >= 0:
            words = vertical_words(str(history.verticals[code]))
            naming = np.array([_names(name, words) for name in names], dtype=bool)
            named = np.zeros(len(history.posts.seen))
            named[posts[naming[tag]]] = 1.0
            by_state[:, column] = row_mean(np.asarray(pick(named, recent.rows)))
    return by_state[view.cells.post_state[view.cell], which]


@cache
def vertical_words(vertical: str) -> frozenset[str]:
    """Return the names by which a vertical is known, in lower case, itself among them."""
    words = [vertical, vertical.replace("_", " "), *known_verticals().get(vertical, [])]
    return frozenset(word.lower() for word in words)


@cache
def known_verticals() -> Mapping[str, list[str]]:
    """Return the words for each vertical of the vocabulary."""
    words: Mapping[str, list[str]] = load_toml("vocabulary.toml")["words"]["vertical"]
    return words


def _names(tag: str, words: frozenset[str]) -> bool:
    """Return whether a tag is one of the words, or has a Chinese one of two characters in it."""
    return tag in words or any(
        word in tag for word in words if len(word) >= 2 and not word.isascii()
    )


def _same_language(view: View) -> Floats:
    """Return whether languages agree in their first subtag: zh-CN and zh do."""
    rest = r"[-_].*"
    theirs = view.history.kols.frame["language"].str.lower().str.replace(rest, "", regex=True)
    ours = view.history.briefs["language"].str.lower().str.replace(rest, "", regex=True)
    names = pd.Index(sorted({*theirs.dropna(), *ours.dropna()}))
    own = np.asarray(pick(codes_in(names, theirs), view.cells.profile, -1))[view.cell]
    wanted = codes_in(names, ours)[view.brief]
    return where((own >= 0) & (wanted >= 0), (own == wanted).astype(np.float64))


def _region_share(view: View) -> Floats:
    """Return how much of the target audience lives where the KOL does."""
    mixes = view.history.briefs["audience_region"]
    regions = view.history.kols.frame["region"]
    names = pd.Index(sorted(set(regions.dropna())))
    shares = np.full((len(mixes), len(names) + 1), np.nan)
    for row, mix in enumerate(mixes):
        if mix:
            shares[row, :-1] = [mix.get(str(name), 0.0) for name in names]
    total = np.array([sum(mix.values()) for mix in mixes], dtype=np.float64)
    code = np.asarray(pick(codes_in(names, regions), view.cells.profile, -1))[view.cell]
    return ratio(shares[view.brief, code], total[view.brief])
