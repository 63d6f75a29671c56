"""Kinds: vertical, platform, goal, language, region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.cells import load_toml
from features.config import FeatureConfig
from features.contract import GOALS, PLATFORMS
from features.history import History, codes_in
from features.postlog import PostLog
from features.ragged import ragged
from features.roster import Cells
from features.signals.family import Signals
from features.spill import spilled
from features.statistics import ratio, row_mean, where
from features.timeline import Bools, Floats, Ints, pick
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
    facts = history.once(_facts)
    wanted = history.brief_vertical[view.brief]
    counts = np.asarray(pick(facts.verticals, profile))
    told = (wanted >= 0) & (counts > 0)
    return {
        "platform": cells.platform[view.cell],
        "platform_asked": _platform_asked(view),
        "goal": view.brief_codes("goal", GOALS),
        "vertical": where(told, _has_vertical(view).astype(np.float64)),
        "vertical_first": where(told, (pick(facts.first, profile, -1) == wanted) * 1.0),
        "verticals": counts,
        "vertical_posts": _vertical_posts(view),
        "language": _same_language(view),
        "region": _region_share(view),
        "credentials": np.asarray(pick(facts.credentials, profile)),
    }


@dataclass(frozen=True, eq=False)
class _Facts:
    """What profiles say of kinds, as codes; one row a row of `History.kols`.

    Attributes
    ----------
    verticals, credentials : ndarray of float64, shape (n,)
        How many there are.
    first : ndarray of int64, shape (n,)
        Code of the first vertical.
    table : ndarray of bool, shape (n + 1, verticals + 1)
        Whether each vertical is among those told; the last row and column are for unknown ones.
    """

    verticals: Floats
    credentials: Floats
    first: Ints
    table: npt.NDArray[np.bool_]


def _facts(history: History) -> _Facts:
    lists = ragged(history.kols.frame["verticals"])
    sizes, owner, start = lists.sizes, lists.owner, lists.start[:-1]
    named = codes_in(history.verticals, lists.names)
    codes = named[lists.code]
    table = np.zeros((len(sizes) + 1, len(history.verticals) + 1), dtype=bool)
    table[owner[codes >= 0], codes[codes >= 0]] = True
    return _Facts(
        verticals=sizes.astype(np.float64),
        credentials=ragged(history.kols.frame["credentials"]).sizes.astype(np.float64),
        first=np.where(sizes > 0, np.append(codes, -1)[np.where(sizes > 0, start, -1)], -1),
        table=spilled(table),
    )


def _platform_asked(view: View) -> Floats:
    asked = view.history.once(_platforms_named)
    platform = view.cells.platform[view.cell]
    known = np.nan_to_num(platform).astype(np.int64)
    return where(~np.isnan(platform), asked[view.brief, known])


def _platforms_named(history: History) -> Floats:
    """Return whether each brief names each platform, NaN where it names none."""
    lists = history.briefs["platforms"]
    return np.array(
        [[name in names for name in PLATFORMS] if names else [np.nan] * 10 for names in lists],
        dtype=np.float64,
    ).reshape(len(lists), len(PLATFORMS))


def _has_vertical(view: View) -> npt.NDArray[np.bool_]:
    """Return whether the brief's vertical is among those of the KOL's profile."""
    history = view.history
    table = history.once(_facts).table
    return np.asarray(table[view.cells.profile[view.cell], history.brief_vertical[view.brief]])


def _vertical_posts(view: View) -> Floats:
    """Return the share of recent posts with a tag that names the brief's vertical."""
    wanted = view.history.brief_vertical[view.brief]
    out = np.full(len(view), np.nan)
    for code in np.unique(wanted[wanted >= 0]).tolist():
        rows = np.flatnonzero(wanted == code)
        share = view.cells.once(_share_of(str(view.history.verticals[code])))
        out[rows] = share[view.cell[rows]]
    return out


@cache
def _share_of(vertical: str) -> Callable[[Cells], Floats]:
    """Return what tells the share of recent posts of each cell that are tagged with a vertical."""

    def share(cells: Cells) -> Floats:
        named, rows = cells.history.posts.once(_tagged(vertical)), cells.recent.rows
        told = where(rows >= 0, pick(named, rows, False).astype(np.float64))
        return np.asarray(cells.of_posts(row_mean(told)))

    return share


@cache
def _tagged(vertical: str) -> Callable[[PostLog], Bools]:
    """Return what tells, for each observation of a post, whether a tag names the vertical."""

    def tagged(log: PostLog) -> Bools:
        words = vertical_words(vertical)
        naming = np.array([_names(name, words) for name in log.tags.names], dtype=bool)
        named = np.zeros(len(log.seen), dtype=bool)
        for _, part in log.tags.blocks:
            named[log.tags.row[part][naming[log.tags.code[part]]]] = True
        return spilled(named)

    return tagged


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
    theirs, ours = view.history.once(_languages)
    own = np.asarray(pick(theirs, view.cells.profile, -1))[view.cell]
    wanted = ours[view.brief]
    return where((own >= 0) & (wanted >= 0), (own == wanted).astype(np.float64))


def _languages(history: History) -> tuple[Ints, Ints]:
    """Return codes of the languages of profiles and of briefs, -1 where none is told."""
    rest = r"[-_].*"
    theirs = history.kols.frame["language"].str.lower().str.replace(rest, "", regex=True)
    ours = history.briefs["language"].str.lower().str.replace(rest, "", regex=True)
    names = pd.Index(sorted({*theirs.dropna().unique(), *ours.dropna()}))
    return codes_in(names, theirs), codes_in(names, ours)


def _region_share(view: View) -> Floats:
    """Return how much of the target audience lives where the KOL does."""
    shares, total, regions = view.history.once(_region_shares)
    code = np.asarray(pick(regions, view.cells.profile, -1))[view.cell]
    return ratio(shares[view.brief, code], total[view.brief])


def _region_shares(history: History) -> tuple[Floats, Floats, Ints]:
    """Return each brief's target by region and in all, and the region of each profile."""
    mixes = history.briefs["audience_region"]
    regions = history.kols.frame["region"]
    names = pd.Index(sorted(regions.dropna().unique()))
    shares = np.full((len(mixes), len(names) + 1), np.nan)
    for row, mix in enumerate(mixes):
        if mix:
            shares[row, :-1] = [mix.get(str(name), 0.0) for name in names]
    total = np.array([sum(mix.values()) for mix in mixes], dtype=np.float64)
    return shares, total, codes_in(names, regions)
