"""How the KOL behaves: what could harm a brand and no other family tells."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.cells import load_toml
from features.config import FeatureConfig
from features.contract import AUDIENCE, PLATFORMS
from features.crowd import Crowd
from features.history import History, codes_in
from features.postlog import PostLog, Recent
from features.profiles import halves
from features.ragged import ragged
from features.roster import Cells
from features.signals.category import known_verticals, vertical_words
from features.signals.engagement import engagement_rate
from features.signals.family import Signals
from features.spill import spilled
from features.statistics import group_medians, log, look_up, ratio, where
from features.timeline import DAY, Bools, Floats, Ints, expand, pick
from features.vectors import Embeddings
from features.view import View

CONDUCT = {
    "claims": "share of recent posts with a claim that advertising law forbids, shrunk towards 0",
    "claims_paid": "the same of recent posts known to be paid",
    "undisclosed": "share of recent posts known to be paid that bear no mark of it, shrunk towards "
    "0",
    "copied": "share of recent posts that say they are other people's work, shrunk towards 0",
    "jump": "largest log rise of followers between two profiles, the later of the last 365 days, "
    "less the KOL's own median pace",
    "out_of_band": "log engagement rate less the median of the same platform and tier, over their "
    "robust standard deviation",
    "turned": "how much more often two recent posts of the same half, newer or older, are of one "
    "vertical by their tags than two of different halves: 0 is no change of subject",
    "changed": "of name, language, region, first vertical and MCN, how many differ between the "
    "latest profile and the one 180 days before",
    "late": "share of known deliveries after the brief's last day or 45 days after signing, shrunk "
    "towards one tenth",
    "finest": "natural log of the people in the smallest segment that an audience mix tells of",
    "unlicensed": "1 if the brief's vertical needs a credential on the KOL's platform and none is "
    "told, 0 if one is or none is needed",
    "modes_limited": "share of the modes the brief allows that the KOL's platform does not carry",
}
HABITS = tuple(name for name in CONDUCT if name not in ("unlicensed", "modes_limited"))
"""Those that the brief does not change."""
PRIOR_POSTS = 2.0
"""Harmless posts that everybody is granted: one post of one is no habit."""
PRIOR_LATE, PRIOR_DELIVERIES = 0.1, 4.0
"""What is assumed of deliveries before the first is known, and its weight."""
JUMP_DAYS, TURN_DAYS = 365, 180
_LEAST_STEPS = 3
"""Steps between profiles from which a pace is the KOL's own."""
_LEAST_PEERS = 8
_LEAST_SPREAD = 0.2
"""Least robust standard deviation of peers' log engagement rates: all alike would make any an
outlier."""
_LEAST_TAGGED = 5
"""Posts with a vertical that each half needs."""
_EVERYDAY = ("lifestyle", "entertainment")
"""Verticals whose tags go with any subject."""
_ROWS = 65_536
"""Profiles looked at at once."""
IDENTITY = ("display_name", "language", "region", "verticals", "mcn")
"""What an account is known by; of the verticals the first."""


def conduct(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Look for habits in recent posts, for breaks in the account's past, and for rules."""
    by_cell = {**view.cells.once(_of_cells), "out_of_band": _out_of_band(view)}
    by_pair = {"unlicensed": _unlicensed(view), "modes_limited": _modes_limited(view)}
    return {name: values[view.cell] for name, values in by_cell.items()} | by_pair


def _of_cells(cells: Cells) -> Signals:
    changed = changed_facts(cells).sum(axis=1).astype(np.float64)
    return cells.of_states(_of_posts) | {
        "jump": _jump(cells),
        "changed": where(earlier_profile(cells) >= 0, changed),
        "late": _late(cells),
        "finest": np.asarray(pick(cells.history.once(_finest), cells.profile)),
    }


# -- posts -----------------------------------------------------------------------------------


def _of_posts(recent: Recent) -> dict[str, Floats]:
    paid = paid_posts(recent)
    claims = saying(recent, "claims")
    hidden = paid & ~saying(recent, "disclosed")
    return {
        "claims": _habit(claims, recent.there),
        "claims_paid": _habit(claims & paid, paid),
        "undisclosed": _habit(hidden, paid),
        "copied": _habit(saying(recent, "copied"), recent.there),
        "turned": _turned(recent),
    }


def saying(recent: Recent, name: str) -> Bools:
    """Return which recent posts say what a list of words looks for, shape (states, posts)."""
    return np.asarray(pick(recent.log.saying(name), recent.rows, False))


def paid_posts(recent: Recent) -> Bools:
    """Return which recent posts are known to be paid: said to be sponsored, or for a brand."""
    brand = recent.log.branded
    return np.asarray((recent.numbers("is_sponsored") == 1) | pick(brand, recent.rows, False))


def _habit(found: Bools, among: Bools) -> Floats:
    count = among.sum(axis=1).astype(np.float64)
    return where(count > 0, ratio(found.sum(axis=1).astype(np.float64), count + PRIOR_POSTS))


def _turned(recent: Recent) -> Floats:
    """Compare halves as `features.profiles` does for vectors, by whole counts of verticals."""
    vertical = np.asarray(pick(recent.log.once(post_verticals), recent.rows, -1))
    side = halves(vertical >= 0)
    kinds = np.arange(len(_topics()))
    newer, older = (
        ((vertical == kinds[:, None, None]) & (side == half)).sum(axis=2) for half in (1, -1)
    )
    size = newer.sum(axis=0).astype(np.float64)
    alike = (newer * (newer - 1) + older * (older - 1)).sum(axis=0)
    between = ratio((newer * older).sum(axis=0), size * size)
    return where(size >= _LEAST_TAGGED, ratio(alike, 2 * size * (size - 1)) - between)


def post_verticals(log: PostLog) -> npt.NDArray[np.int16]:
    """Return the vertical that most of each observation's tags name, -1 where none names any.

    Of several as often named, the first of the vocabulary's list.
    """
    tags, size = log.tags, len(_topics())
    names = np.array([_named(name) for name in tags.names], dtype=np.int64)
    out = np.full(len(log.seen), -1, dtype=np.int16)
    for _, part in tags.blocks:
        rows, known = tags.row[part].astype(np.int64), names[tags.code[part]]
        told = known >= 0
        cell, count = np.unique(rows[told] * size + known[told], return_counts=True)
        # By row, the most often named last; of equals the first of the list last.
        order = np.lexsort((-(cell % size), count, cell // size))
        out[cell[order] // size] = cell[order] % size
    return spilled(out)


def _named(tag: str) -> int:
    """Return the vertical that a tag names: it is one of its words, or holds a Chinese one."""
    exact, within = _topic_words()
    found = within.search(tag)
    return exact.get(tag, exact[found.group()] if found else -1)


@cache
def _topic_words() -> tuple[dict[str, int], re.Pattern[str]]:
    exact = {word: at for at, words in reversed(list(enumerate(_topics()))) for word in words}
    chinese = sorted(
        (w for w in exact if len(w) >= 2 and not w.isascii()), key=lambda w: (-len(w), w)
    )
    return exact, re.compile("|".join(map(re.escape, chinese)))


@cache
def topic_names() -> tuple[str, ...]:
    """Return the verticals that tell a subject, as `post_verticals` counts them."""
    return tuple(name for name in known_verticals() if name not in _EVERYDAY)


@cache
def _topics() -> tuple[frozenset[str], ...]:
    """Return the words of each of them."""
    return tuple(vertical_words(name) for name in topic_names())


# -- the account -----------------------------------------------------------------------------


def follower_steps(cells: Cells) -> tuple[Ints, Ints, Floats, Floats]:
    """List the steps from profile to profile of each cell.

    Returns
    -------
    rows : ndarray of int64
        Row in `History.kols` of the later profile.
    cell : ndarray of int64
        Whose step it is; cells in order, and times in order within.
    rise, days : ndarray of float64
        Log rise of followers, NaN where unknown, and how long it took.
    """
    line = cells.history.kols
    start, stop = line.before(cells.kol, cells.time)
    rows, cell = expand(np.minimum(start + 1, stop), stop)
    followers = np.log1p(line.frame["followers"].to_numpy(dtype=np.float64))
    return (
        rows,
        cell,
        followers[rows] - followers[rows - 1],
        (line.at[rows] - line.at[rows - 1]) / DAY,
    )


def _jump(cells: Cells) -> Floats:
    rows, cell, rise, days = follower_steps(cells)
    known = ~np.isnan(rise) & (days > 0)
    rows, cell, rise, days = rows[known], cell[known], rise[known], days[known]
    steps = np.bincount(cell, minlength=len(cells))
    owner, pace = group_medians(cell, ratio(rise, days))
    beyond = rise - look_up(owner, pace, cell) * days
    recent = cells.history.kols.at[rows] >= cells.time[cell] - JUMP_DAYS * DAY
    out = np.full(len(cells), -np.inf)
    np.maximum.at(out, cell[recent], beyond[recent])
    return where((steps >= _LEAST_STEPS) & np.isfinite(out), np.maximum(out, 0.0))


def _out_of_band(view: View) -> Floats:
    """Place the engagement rate among peers, where there are enough of them."""
    usual = view.peers.whole(_usual_rates).stand(view.cells.segment, view.cells.moment)
    away = log(view.cells.once(engagement_rate)) - usual.median
    spread = np.maximum(1.4826 * usual.spread, _LEAST_SPREAD)
    return where(view.count_peers() + 1 >= _LEAST_PEERS, ratio(away, spread))


def _usual_rates(peers: Cells) -> Crowd:
    """Lay out the log engagement rates of the roster."""
    rates = log(peers.once(engagement_rate))
    return Crowd.of(peers.segment, rates, peers.moment, peers.past)


def earlier_profile(cells: Cells) -> Ints:
    """Return the row of each cell's profile 180 days before, or its first; -1 if that is all."""
    line = cells.history.kols
    start, stop = line.before(cells.kol, cells.time)
    row = line.last(cells.kol, cells.time - TURN_DAYS * DAY)
    row = np.where(row >= start, row, start)
    return np.where((stop > start) & (row < stop - 1), row, -1)


def changed_facts(cells: Cells) -> Bools:
    """Return which of `IDENTITY` changed in the last 180 days, shape (cells, 5)."""
    now, before = cells.profile, earlier_profile(cells)
    out = np.zeros((len(now), len(IDENTITY)), dtype=bool)
    for column, code in enumerate(cells.history.once(_identities)):
        new, old = pick(code, now, -1), pick(code, before, -1)
        out[:, column] = (new != old) & (new >= 0) & (old >= 0)
    return out


def _identities(history: History) -> list[Ints]:
    """Return a code for what each profile says of each of `IDENTITY`, -1 where it says nothing."""
    found = []
    for name in IDENTITY:
        values = history.kols.frame[name]
        if name == "verticals":
            lists = ragged(values)
            code = np.full(len(lists), -1, dtype=np.int64)
            told = np.flatnonzero(lists.sizes)
            code[told] = lists.code[lists.start[told]]
        else:
            code = pd.factorize(values)[0].astype(np.int64)
        found.append(spilled(code))
    return found


def _late(cells: Cells) -> Floats:
    line = cells.history.deliveries
    rows, cell = expand(*line.before(cells.kol, cells.time))
    late = line.frame["late"].to_numpy(dtype=np.float64)[rows]
    cell, late = cell[~np.isnan(late)], late[~np.isnan(late)]
    count = np.bincount(cell, minlength=len(cells)).astype(np.float64)
    told = np.bincount(cell, weights=late, minlength=len(cells))
    shrunk = (told + PRIOR_LATE * PRIOR_DELIVERIES) / (count + PRIOR_DELIVERIES)
    return where(count > 0, shrunk)


def _finest(history: History) -> Floats:
    """Return the log of the people in the smallest segment that each profile tells of."""
    frame = history.kols.frame
    least = np.full(len(frame), np.inf)
    for name in AUDIENCE:
        mixes = ragged(frame[f"audience_{name}"])
        for row in range(0, len(mixes) if mixes.share is not None else 0, _ROWS):
            own = mixes[row : row + _ROWS]
            told = own.share > 0
            np.minimum.at(least[row : row + _ROWS], own.owner[told], own.share[told])
    least[np.isinf(least)] = np.nan
    people = least * frame["followers"].to_numpy(dtype=np.float64)
    return log(people)


# -- rules -----------------------------------------------------------------------------------


def _unlicensed(view: View) -> Floats:
    """Return null where the brief names no vertical, or nobody's credentials were told by then."""
    history, profile = view.history, view.cells.profile[view.cell]
    first = history.once(_first_credential)
    platform = view.cells.platform[view.cell]
    out = np.zeros(len(view))
    for vertical, rule in platform_rules()["licensed"].items():
        place = codes_in(history.verticals, [vertical])[0]
        rows = np.flatnonzero((history.brief_vertical[view.brief] == place) & (place >= 0))
        if not len(rows):
            continue
        held = history.once(_licences)[vertical]
        needed = np.isin(platform[rows], [PLATFORMS.index(name) for name in rule["platforms"]])
        out[rows] = needed & ~np.asarray(pick(held, profile, False))[rows]
    known = (history.brief_vertical[view.brief] >= 0) & ~np.isnan(platform) & (view.time > first)
    return where(known, out)


def _first_credential(history: History) -> int:
    """Return when a credential of anybody's was first told."""
    told = ragged(history.kols.frame["credentials"]).sizes > 0
    return int(history.kols.at[told].min(initial=np.iinfo(np.int64).max))


def _licences(history: History) -> dict[str, Bools]:
    """Return, by vertical that needs a credential, which profiles tell a fitting one."""
    held, found = ragged(history.kols.frame["credentials"]), {}
    for vertical, rule in platform_rules()["licensed"].items():
        words = rule["credentials"]
        fits = np.array([fits_credential((name,), words) for name in held.names], dtype=bool)
        found[vertical] = np.zeros(len(held), dtype=bool)
        found[vertical][held.owner[fits[held.code]]] = True
    return found


def fits_credential(held: tuple[str, ...], words: list[str]) -> bool:
    """Say whether any credential that a KOL holds has one of the words in it."""
    return any(word in name.lower() for name in held for word in words)


@cache
def platform_rules() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Return the rules of ``platform_rules.toml``."""
    return load_toml("platform_rules.toml")


def _modes_limited(view: View) -> Floats:
    share = view.history.once(_limited_modes)
    platform = view.cells.platform[view.cell]
    known = np.nan_to_num(platform).astype(np.int64)
    return where(~np.isnan(platform), share[view.brief, known])


def _limited_modes(history: History) -> Floats:
    """Return the share of each brief's modes that each platform does not carry."""
    limits = platform_rules()["limited"]
    lists = history.briefs["modes"]
    share = np.full((len(lists), len(PLATFORMS)), np.nan)
    for row, modes in enumerate(lists):
        for column, name in enumerate(PLATFORMS if modes else ()):
            barred = [mode for mode in modes if name in limits.get(mode, {}).get("platforms", [])]
            share[row, column] = len(barred) / len(modes)
    return share
