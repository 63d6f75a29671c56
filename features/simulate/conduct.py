"""What goes wrong with some KOLs of the simulated world, planted into its finished tables.

All other draws are made before and stay as they are: forbidden claims, paid posts without a mark,
copies, bought followers that come in one quarter, late deliveries, accounts that turn to another
subject, missing credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from features.simulate.clock import AS_OF, QUARTER, QUARTERS, START
from features.simulate.market import Market
from features.simulate.texts import PostPlan, Writer
from features.simulate.topics import Bools, Floats, Ints, Topics, read_toml
from features.tables import Tables

LICENSED = ("finance", "education")
"""Verticals whose KOLs often hold a credential."""
_MARKED = 0.95
"""Share of paid posts that those who hide nothing mark."""
_SLIP = 0.01
"""Share of all posts in which anybody slips."""


@dataclass(frozen=True)
class Conduct:
    """What is true of each KOL; arrays of shape (n,).

    Attributes
    ----------
    claims, copies : ndarray
        Share of paid posts with a forbidden claim, and of own posts that are others' work.
    hides : ndarray
        Share of paid posts without a mark.
    late : ndarray
        Chance that a delivery is late.
    bought : ndarray
        Day on which the bought followers of those who have some came.
    turned : ndarray
        Day on which the account turned to another subject; infinity for nearly all.
    subject : ndarray of int
        Vertical it turned to.
    licensed : ndarray of bool
        Holds the credential of its vertical.
    """

    claims: Floats
    copies: Floats
    hides: Floats
    late: Floats
    bought: Floats
    turned: Floats
    subject: Ints
    licensed: Bools

    def __len__(self) -> int:
        return len(self.claims)


def draw_conduct(rng: np.random.Generator, topics: Topics, market: Market) -> Conduct:
    """Draw who misbehaves, and how much."""
    n = len(market)

    def some(share: float, low: float, high: float, others: float) -> Floats:
        return np.where(rng.random(n) < share, rng.uniform(low, high, n), others)

    licensed = np.array([topics.verticals.index(v) for v in LICENSED])
    shift = rng.integers(1, len(topics.verticals), n)
    return Conduct(
        claims=some(0.08, 0.4, 0.9, _SLIP),
        copies=some(0.05, 0.2, 0.5, 0.0),
        hides=some(0.12, 0.6, 1.0, 1 - _MARKED),
        late=np.where(market.reliability < 0.6, rng.uniform(0.2, 0.6, n), 0.03),
        bought=rng.integers(3, QUARTERS - 1, n) * QUARTER + rng.uniform(15, 60, n),
        turned=some(0.03, 560.0, 660.0, np.inf),
        subject=(market.vertical + shift) % len(topics.verticals),
        licensed=np.isin(market.vertical, licensed) & (rng.random(n) < 0.5),
    )


def plant(
    rng: np.random.Generator,
    topics: Topics,
    market: Market,
    conduct: Conduct,
    tables: Tables,
    writer: Writer,
) -> Tables:
    """Return tables in which KOLs behave so."""
    late = delays(rng, market, conduct, tables.collaborations)
    posts = _posts(rng, topics, market, conduct, tables.posts, writer)
    return delayed(
        tables.replace(kols=_profiles(rng, topics, market, conduct, tables.kols), posts=posts), late
    )


def delays(
    rng: np.random.Generator, market: Market, conduct: Conduct, collaborations: pd.DataFrame
) -> pd.Series[Any]:
    """Return by how many days each delivered collaboration is late, by its id; none beyond history.

    A delivery that would fall after the end of history keeps its day: what is delivered stays so.
    """
    n = len(collaborations)
    kol = _places(market, collaborations["kol_id"])
    days = np.where(rng.random(n) < conduct.late[kol], rng.uniform(30.0, 75.0, n), 0.0)
    published = collaborations["published_at"]
    left = ((AS_OF - published).dt.total_seconds() / 86_400).to_numpy()
    found = np.where((days < left) & published.notna().to_numpy(), np.round(days), 0.0)
    return pd.Series(found, index=pd.Index(collaborations["collaboration_id"])).loc[lambda d: d > 0]


def delayed(tables: Tables, late: pd.Series[Any]) -> Tables:
    """Return tables in which those collaborations are published, posted and measured later."""
    frame = tables.collaborations
    shift = _shift(frame["collaboration_id"], late)
    moved = frame[shift > pd.Timedelta(0)].merge(
        tables.briefs[["brief_id", "brand_id"]], on="brief_id"
    )
    by_post = pd.Series(
        late.reindex(moved["collaboration_id"]).to_numpy(),
        index=pd.MultiIndex.from_frame(moved[["kol_id", "brand_id", "published_at"]]),
    )
    by_post = by_post[~by_post.index.duplicated()]
    posts = tables.posts
    keys = pd.MultiIndex.from_frame(posts[["kol_id", "brand_id", "published_at"]])
    later = pd.to_timedelta(by_post.reindex(keys).fillna(0.0).to_numpy(), unit="D")
    outcomes = tables.outcomes
    return tables.replace(
        collaborations=frame.assign(
            published_at=frame["published_at"] + shift, status_at=frame["status_at"] + shift
        ),
        outcomes=outcomes.assign(
            measured_at=outcomes["measured_at"] + _shift(outcomes["collaboration_id"], late)
        ),
        posts=posts.assign(
            published_at=posts["published_at"] + later, observed_at=posts["observed_at"] + later
        ).sort_values(["observed_at", "post_id"], ignore_index=True),
    )


def _shift(ids: pd.Series[Any], late: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_timedelta(ids.map(late).fillna(0.0).astype("float64"), unit="D").astype(
        "timedelta64[us]"
    )


# -- profiles --------------------------------------------------------------------------------


def _profiles(
    rng: np.random.Generator,
    topics: Topics,
    market: Market,
    conduct: Conduct,
    kols: pd.DataFrame,
) -> pd.DataFrame:
    """Let bought followers come on their day, turned accounts change name, experts say so."""
    kol, day = _places(market, kols["kol_id"]), _days(kols["observed_at"])
    share = market.suspicious[kol]
    missing = np.where(day < conduct.bought[kol], share, 0.0)
    turned = day >= conduct.turned[kol]
    pick = rng.integers(0, 1 << 30, len(market))[kol]
    words = [_words()["zh" if chinese else "en"] for chinese in market.zh[kol].tolist()]
    names = [
        _pick(told["renamed"], draw).format(name=name) if moved else name
        for name, told, draw, moved in zip(
            kols["display_name"], words, pick.tolist(), turned.tolist(), strict=True
        )
    ]
    verticals = np.array(topics.verticals)[market.vertical[kol]]
    held = [
        (*held, _pick(told[topic], draw)) if licensed else held
        for held, told, topic, draw, licensed in zip(
            kols["credentials"],
            words,
            verticals.tolist(),
            pick.tolist(),
            conduct.licensed[kol].tolist(),
            strict=True,
        )
    ]
    return kols.assign(
        followers=np.round(kols["followers"] * (1 - missing)),
        suspicious_follower_share=(kols["suspicious_follower_share"] - missing).clip(lower=0.01),
        active_follower_share=(kols["active_follower_share"] + 0.5 * missing).clip(upper=0.98),
        display_name=names,
        mcn=kols["mcn"].where(~turned, "Cloudgate"),
        credentials=pd.Series(held, index=kols.index, dtype=object),
    )


# -- posts -----------------------------------------------------------------------------------


def _posts(
    rng: np.random.Generator,
    topics: Topics,
    market: Market,
    conduct: Conduct,
    posts: pd.DataFrame,
    writer: Writer,
) -> pd.DataFrame:
    """Rewrite what turned accounts post; add claims, credits to others, and marks of paid posts.

    A post seen twice says the same both times. Marks are tags, as platforms show them.
    """
    first = posts.drop_duplicates("post_id").sort_values("post_id", ignore_index=True)
    n = len(first)
    kol, day = _places(market, first["kol_id"]), _days(first["published_at"])
    paid = first["is_sponsored"].to_numpy(dtype=bool)
    text, tags = first["text"].tolist(), first["tags"].tolist()

    moved = np.flatnonzero((day >= conduct.turned[kol]) & ~paid & (rng.random(n) < 0.9))
    for row, new, labels in zip(
        moved.tolist(), *_rewritten(rng, topics, market, conduct, kol[moved], writer), strict=True
    ):
        text[row], tags[row] = new, labels
    claims = rng.random(n) < np.where(paid, conduct.claims[kol], _SLIP / 2)
    copies = ~paid & (rng.random(n) < conduct.copies[kol])
    marked = paid & (rng.random(n) >= conduct.hides[kol])
    draw = rng.integers(0, 1 << 30, n).tolist()
    for row in np.flatnonzero(claims | copies | marked).tolist():
        language = "zh" if market.zh[kol[row]] else "en"
        said, stop = _words()[language], "，" if language == "zh" else ". "
        if claims[row]:
            text[row] = _pick(said["claims"], draw[row]) + stop + text[row]
        if copies[row]:
            text[row] = _pick(said["copied"], draw[row]) + stop + text[row]
        if marked[row]:
            tags[row] = tuple(sorted({*tags[row], _pick(said["marks"], draw[row])}))
    place = pd.Index(first["post_id"]).get_indexer(pd.Index(posts["post_id"]))
    return posts.assign(
        text=pd.Series(text, dtype=posts["text"].dtype).take(place).to_numpy(),
        tags=pd.Series(tags, dtype=object).take(place).to_numpy(),
    )


def _rewritten(
    rng: np.random.Generator,
    topics: Topics,
    market: Market,
    conduct: Conduct,
    kol: Ints,
    writer: Writer,
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Write posts on the subject that accounts turned to."""
    n = len(kol)
    subject = conduct.subject[kol]
    inside = topics.vertical_of == subject[:, None]
    plan = PostPlan(
        zh=market.zh[kol],
        subtopic=np.argmax(np.where(inside, rng.random(inside.shape), -1.0), axis=1),
        second=np.full(n, -1),
        vertical=subject,
        draws=rng.integers(0, 1 << 30, (n, Writer.DRAWS)),
        tone=rng.integers(0, 3, n),
        brands=[None] * n,
        sells=np.zeros(n, dtype=bool),
    )
    return writer.posts(plan)


def _places(market: Market, ids: pd.Series[Any]) -> Ints:
    return np.asarray(pd.Index(market.kol_id).get_indexer(pd.Index(ids)), dtype=np.int64)


def _days(times: pd.Series[Any]) -> Floats:
    return np.asarray((times - START).dt.total_seconds() / 86_400, dtype=np.float64)


def _pick(options: list[str], draw: int) -> str:
    return options[draw % len(options)]


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    return read_toml("conduct")
