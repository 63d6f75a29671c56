"""A seeded set of texts and human grades, and nothing else: whether people found KOLs to fit.

Judges grade by what a KOL writes about, and by taste. Every one of them dislikes who posts the
same again, and a hard sell; beyond that a vertical has tastes of its own: for candour, for daily
life, and for creators of another vertical that its audience also follows. No likeness of texts
knows these, and grades of other briefs tell them: what a model can learn beyond a cosine is in the
data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.contract import GOALS
from features.simulate.demand import Brands, draw_brands, draw_subjects
from features.simulate.export import Format, write_tables
from features.simulate.market import Market, draw_market
from features.simulate.posts import draw_rows, draw_tone, draw_wording
from features.simulate.texts import PostPlan, Writer
from features.simulate.topics import Bools, Floats, Ints, Topics, load_topics
from features.tables import Tables

POSTS_PER_KOL = 10.0
"""Mean; at least 3."""
JUDGES = 5
_BRIEFS_PER_BRAND = 2.0
_LISTED, _NEAR, _ANY = 12, 6, 6
"""KOLs judged for a brief: a list somebody made, some of the same vertical, and anybody."""
_SEVERITY, _DOUBT, _TWICE = 0.3, 0.5, 0.3
"""Spread of judges' strictness and of one grade around it; share of pairs that two judges saw."""
_FLOOR, _TOPICAL, _ALLY, _SAME_LANGUAGE = -2.6, 5.0, 0.35, 0.4
"""Log odds of a fit: of a stranger to the subject, and what subject, ally and language add."""
_LIKED = {"repeating": -1.0, "selling": -0.5, "candid": 0.0, "homely": 0.0}
_TASTE = 0.6
"""What all judges like in a creator, a standard deviation each, and how far verticals differ."""

COLUMNS = {
    "briefs": ["brief_id", "brand_id", "text"],
    "kols": ["kol_id", "bio"],
    "posts": ["post_id", "kol_id", "text"],
    "judgments": ["brief_id", "kol_id", "judge", "grade"],
}
"""All that such a set tells."""


@dataclass(frozen=True)
class JudgedSet:
    """Texts and grades, and the truth behind them.

    Attributes
    ----------
    tables : Tables
        Briefs, KOLs, posts and judgments; the rest is empty. No time is told.
    """

    tables: Tables
    _fit: Floats = field(repr=False)

    def truth(self, pairs: pd.DataFrame) -> pd.Series[float]:
        """Return what an unerring judge would feel about each pair, 0 to 4, before rounding.

        Parameters
        ----------
        pairs : pandas.DataFrame
            Columns ``brief_id`` and ``kol_id``.

        Raises
        ------
        ValueError
            If an id does not exist in this set.
        """
        rows = pd.Index(self.tables.briefs["brief_id"]).get_indexer(pd.Index(pairs["brief_id"]))
        columns = pd.Index(self.tables.kols["kol_id"]).get_indexer(pd.Index(pairs["kol_id"]))
        if min(rows.min(initial=0), columns.min(initial=0)) < 0:
            raise ValueError("Got a brief_id or kol_id that is not in this set")
        return pd.Series(self._fit[rows, columns], index=pairs.index)

    def write(self, folder: Path, format: Format = "csv") -> list[Path]:
        """Write the four tables with the columns of `COLUMNS`; return their paths."""
        return write_tables(self.tables, Path(folder), format, COLUMNS)


def judged_set(briefs: int = 60, kols: int = 300, seed: int = 0) -> JudgedSet:
    """Make texts and grades with known truth; the same arguments make the same set.

    Parameters
    ----------
    briefs : int
        Number of briefs, at least 1; one brand has about two.
    kols : int
        Number of KOLs, at least 30.
    seed : int
        Not negative.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> made = judged_set(briefs=3, kols=40, seed=1)
    >>> len(made.tables.briefs), len(made.tables.kols), sorted(made.tables.judgments["grade"])[-1]
    (3, 40, 4.0)
    """
    for name, value, least in (("briefs", briefs, 1), ("kols", kols, 30), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"Got {name}={value} but expected at least {least}")
    topics = load_topics()

    def stream(part: str) -> np.random.Generator:
        return np.random.default_rng([seed, *b"judged ", *part.encode()])

    writer = Writer(stream("words"), topics)
    market = draw_market(stream("market"), topics, kols)
    creators = _draw_creators(stream("creators"), market)
    brands = draw_brands(
        stream("brands"), topics, writer, max(2, round(briefs / _BRIEFS_PER_BRAND))
    )
    asked = _draw_briefs(stream("briefs"), topics, brands, briefs)
    odds = _log_odds(stream("taste"), topics, market, creators, asked)
    fit = 4.0 / (1.0 + np.exp(-odds))
    pairs = _draw_pairs(stream("pairs"), topics, market, asked)
    return JudgedSet(
        Tables.of(
            briefs=_briefs_table(stream("texts"), brands, asked, writer),
            kols=_kols_table(market, creators, writer),
            posts=_posts_table(stream("posts"), topics, market, creators, writer),
            judgments=_judgments_table(stream("judges"), asked, market, pairs, fit),
        ),
        fit,
    )


@dataclass(frozen=True)
class _Creators:
    """How each KOL writes: shares of posts, shape (n,)."""

    repeating: Floats
    selling: Floats
    homely: Floats
    sells: Bools


@dataclass(frozen=True)
class _Asked:
    """What each brief is: arrays of shape (n,), and topic of shape (n, subtopics)."""

    brief_id: Any
    brand: Ints
    zh: Bools
    vertical: Ints
    topic: Floats
    subtopics: list[list[int]]


def _draw_creators(rng: np.random.Generator, market: Market) -> _Creators:
    n = len(market)
    selling = rng.beta(0.5, 1.5, n)
    return _Creators(rng.beta(0.6, 1.8, n), selling, rng.beta(0.6, 3.0, n), selling > 0.5)


def _draw_briefs(rng: np.random.Generator, topics: Topics, brands: Brands, briefs: int) -> _Asked:
    count = len(brands.brand_id)
    # Everybody asks once before anybody asks again.
    brand = np.concatenate([rng.permutation(count) for _ in range(-(-briefs // count))])[:briefs]
    subtopics, weights = draw_subjects(rng, topics, brands, brand)
    return _Asked(
        brief_id=np.array([f"b{i:05d}" for i in range(1, briefs + 1)]),
        brand=brand,
        zh=brands.chinese[brand],
        vertical=brands.vertical[brand],
        topic=topics.embed(weights),
        subtopics=subtopics,
    )


def _log_odds(
    rng: np.random.Generator, topics: Topics, market: Market, creators: _Creators, asked: _Asked
) -> Floats:
    """Return the log odds that a KOL fits a brief, shape (briefs, kols)."""
    count = len(topics.verticals)
    ally = (np.arange(count) + rng.integers(1, count, count)) % count
    topical = np.clip(asked.topic @ market.topic.T, 0, 1)
    allied = (market.vertical == ally[asked.vertical][:, None]) * _ALLY
    traits = np.column_stack(
        [
            _standard(creators.repeating),
            _standard(creators.selling),
            _standard(1 - market.positivity),
            _standard(creators.homely),
        ]
    )
    taste = np.array(list(_LIKED.values())) + rng.normal(0, _TASTE, (count, traits.shape[1]))
    # All verticals agree on what everybody likes.
    taste[:, :2] = list(_LIKED.values())[:2]
    subject = np.sqrt(np.maximum(topical, allied))
    likes = taste[asked.vertical] @ traits.T
    # Of somebody who never touches the subject it does not matter how they write.
    odds: Floats = (
        _FLOOR
        + _TOPICAL * subject
        + likes * (0.25 + 0.75 * subject)
        + _SAME_LANGUAGE * (asked.zh[:, None] == market.zh)
    )
    return odds


def _standard(values: Floats) -> Floats:
    scaled: Floats = (values - values.mean()) / values.std()
    return scaled


def _draw_pairs(
    rng: np.random.Generator, topics: Topics, market: Market, asked: _Asked
) -> tuple[Ints, Ints]:
    """Draw which KOLs are judged for each brief."""
    brief, kol = [], []
    for row in range(len(asked.brief_id)):
        seen = asked.topic[row] @ market.topic.T + rng.normal(0, 0.25, len(market))
        same = np.flatnonzero(market.vertical == asked.vertical[row])
        chosen = np.unique(
            np.concatenate(
                [
                    np.argsort(-seen, kind="stable")[:_LISTED],
                    rng.permutation(same)[:_NEAR],
                    rng.integers(0, len(market), _ANY),
                ]
            )
        )
        brief.append(np.full(len(chosen), row))
        kol.append(chosen)
    return np.concatenate(brief), np.concatenate(kol)


def _judgments_table(
    rng: np.random.Generator, asked: _Asked, market: Market, pairs: tuple[Ints, Ints], fit: Floats
) -> pd.DataFrame:
    brief, kol = pairs
    strict = rng.normal(0, _SEVERITY, JUDGES)
    first = rng.integers(0, JUDGES, len(brief))
    second = (first + rng.integers(1, JUDGES, len(brief))) % JUDGES
    twice = np.flatnonzero(rng.random(len(brief)) < _TWICE)
    brief, kol = np.append(brief, brief[twice]), np.append(kol, kol[twice])
    judge = np.append(first, second[twice])
    felt = fit[brief, kol] - strict[judge] + rng.normal(0, _DOUBT, len(brief))
    return pd.DataFrame(
        {
            "brief_id": asked.brief_id[brief],
            "kol_id": market.kol_id[kol],
            "judge": np.array([f"judge{i + 1}" for i in range(JUDGES)])[judge],
            "grade": np.clip(np.round(felt), 0, 4),
        }
    ).sort_values(["brief_id", "kol_id", "judge"], ignore_index=True)


def _briefs_table(
    rng: np.random.Generator, brands: Brands, asked: _Asked, writer: Writer
) -> pd.DataFrame:
    names = [
        (brands.zh_name if zh else brands.en_name)[brand]
        for brand, zh in zip(asked.brand, asked.zh, strict=True)
    ]
    goals = [GOALS[at] for at in rng.integers(0, len(GOALS), len(names))]
    _, texts = writer.briefs(asked.zh, names, goals, asked.vertical, asked.subtopics)
    return pd.DataFrame(
        {
            "brief_id": asked.brief_id,
            "brand_id": brands.brand_id[asked.brand],
            "text": texts,
        }
    )


def _kols_table(market: Market, creators: _Creators, writer: Writer) -> pd.DataFrame:
    bios = writer.bios(market.zh, market.vertical, market.weights, creators.sells)
    return pd.DataFrame({"kol_id": market.kol_id, "bio": bios})


def _posts_table(
    rng: np.random.Generator, topics: Topics, market: Market, creators: _Creators, writer: Writer
) -> pd.DataFrame:
    count = np.maximum(rng.poisson(POSTS_PER_KOL, len(market)), 3)
    kol = np.repeat(np.arange(len(market)), count)
    subject = draw_rows(rng, market.weights, kol)
    subject = np.where(rng.random(len(kol)) < creators.homely[kol], -1, subject)
    tone = draw_tone(rng, market, kol)
    sells = rng.random(len(kol)) < creators.selling[kol]
    wording = draw_wording(rng, market, kol)
    # A post that is another one again takes all of it.
    first = np.searchsorted(kol, kol)
    again = rng.random(len(kol)) < creators.repeating[kol]
    source = np.where(again, first + rng.integers(0, 3, len(kol)), np.arange(len(kol)))
    subject, tone, sells, wording = subject[source], tone[source], sells[source], wording[source]
    tagged = np.where(subject >= 0, topics.vertical_of[subject], market.vertical[kol])
    plan = PostPlan(
        zh=market.zh[kol],
        subtopic=subject,
        second=np.full(len(kol), -1),
        vertical=tagged,
        draws=wording,
        tone=tone,
        brands=[None] * len(kol),
        sells=sells,
    )
    texts, _ = writer.posts(plan)
    ids = [f"n{i:07d}" for i in range(1, len(kol) + 1)]
    return pd.DataFrame({"post_id": ids, "kol_id": market.kol_id[kol], "text": texts})
