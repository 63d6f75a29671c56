"""Small worlds for the tests of features: random tables with gaps, ties and repeated sightings."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.contract import MODES, SPECS, STATUSES
from features.tables import Tables
from features.vectors import Embeddings

DAYS = 60
"""Length of a small world, in days from 2025-01-01. Times are whole days, so that ties are many."""
WORDS = ("serum", "面霜", "敏感肌", "game", "cat", "猫", "#护肤", "travel", "sale", "x")


class HashEncoder:
    """Unit vectors that depend on the text's words alone, the same in any batch."""

    id = "hash"
    dimension = 8

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.seen += texts
        rows = [self._row(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)

    def _row(self, text: str) -> npt.NDArray[np.float64]:
        words = [np.random.default_rng(zlib.crc32(w.encode())).normal(size=8) for w in text.split()]
        total = np.sum(words or [np.zeros(8)], axis=0)
        return total / (np.linalg.norm(total) or 1.0)


@pytest.fixture(scope="session")
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture(scope="session")
def embeddings(encoder: HashEncoder) -> Embeddings:
    return Embeddings(encoder)


@pytest.fixture(scope="session")
def day() -> Callable[[float], pd.Timestamp]:
    """Return the time so many days after 2025-01-01."""
    return lambda days: pd.Timestamp("2025-01-01", tz="UTC") + pd.Timedelta(days=days)


@pytest.fixture(scope="session")
def random_tables() -> Callable[[int], Tables]:
    return make_tables


def make_tables(seed: int) -> Tables:
    """Return tables that keep the contract and use most of its freedom."""
    draw = Draw(np.random.default_rng(seed))
    briefs = _briefs(draw)
    tables = Tables.of(
        briefs=briefs,
        kols=_kols(draw),
        posts=_posts(draw),
        rates=_rates(draw),
        **_collaborations(draw),
        judgments=_judgments(draw),
        incidents=_incidents(draw),
        vectors=_vectors(draw),
    )
    assert set(dict(tables)) == set(SPECS)
    return tables


class Draw:
    """Random columns with gaps."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def day(self, size: int, low: int = 0, high: int = DAYS) -> pd.Series:
        days = pd.Series(self.rng.integers(low, high, size))
        return pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(days, unit="D")

    def gaps(self, values: pd.Series, share: float = 0.2) -> pd.Series:
        return values.where(self.rng.random(len(values)) > share)

    def later(self, times: pd.Series, most: int = 20, gaps: float = 0.2) -> pd.Series:
        days = pd.to_timedelta(self.rng.integers(0, most, len(times)), unit="D")
        return self.gaps(times + days, gaps)

    def number(self, size: int, high: float) -> pd.Series:
        return self.gaps(pd.Series(np.round(self.rng.random(size) * high)))

    def share(self, size: int) -> pd.Series:
        return self.gaps(pd.Series(self.rng.random(size).round(3)))

    def of(self, names: Sequence[object], size: int, gaps: float = 0.0) -> pd.Series:
        picked = pd.Series([names[i] for i in self.rng.integers(0, len(names), size)], dtype=object)
        return self.gaps(picked, gaps)

    def labels(self, names: Sequence[str], size: int) -> list[tuple[str, ...]]:
        return [tuple(n for n in names if self.rng.random() < 0.3) for _ in range(size)]

    def text(self, size: int) -> pd.Series:
        lines = [" ".join(self.of(WORDS, int(self.rng.integers(0, 5)))) for _ in range(size)]
        return self.gaps(pd.Series(lines, dtype=object), 0.1)

    def mix(self, names: Sequence[str], size: int) -> list[dict[str, float] | None]:
        found: list[dict[str, float] | None] = []
        for _ in range(size):
            shares = self.rng.dirichlet(np.ones(len(names))).round(3) * 0.99
            kept = {n: s for n, s in zip(names, shares, strict=True) if self.rng.random() < 0.7}
            found.append(kept if self.rng.random() < 0.8 else None)
        return found


KOLS = tuple(f"k{i}" for i in range(5))
BRANDS = ("acme", "brio", "cora")
VERTICALS = ("skincare", "gaming")


def _briefs(draw: Draw) -> pd.DataFrame:
    size = 4
    return pd.DataFrame(
        {
            "brief_id": [f"b{i}" for i in range(size)],
            "brand_id": draw.of(BRANDS, size),
            "title": draw.text(size),
            "text": draw.text(size).fillna("serum").replace("", "cat"),
            "language": draw.of(("zh", "zh-CN", "en"), size, 0.2),
            "goal": draw.of(("seeding", "conversion"), size),
            "vertical": draw.of(VERTICALS, size, 0.2),
            "platforms": draw.labels(("douyin", "weibo"), size),
            "modes": draw.labels(MODES[:4], size),
            "budget": draw.number(size, 1e5),
            "currency": ["CNY", "CNY", "USD", "CNY"],
            "max_price_per_kol": draw.number(size, 1e4),
            "kols_wanted": draw.number(size, 5),
            "audience_gender": draw.mix(("female", "male"), size),
            "audience_region": draw.mix(("beijing", "shanghai", "tibet"), size),
            "audience_interest": draw.mix(("a", "b", "c", "d"), size),
            "product_price": draw.number(size, 300),
            "gross_margin": draw.share(size),
            "competitor_brands": draw.labels(BRANDS, size),
            "blocked_terms": draw.labels(("SALE", "猫"), size),
        }
    )


def _kols(draw: Draw) -> pd.DataFrame:
    # Everybody is there from the first day, so that every pair exists in every cut.
    ids = [*KOLS, *draw.of(KOLS, 15)]
    size = len(ids)
    frame = pd.DataFrame(
        {
            "kol_id": ids,
            "observed_at": [*draw.day(len(KOLS), 0, 1), *draw.day(size - len(KOLS))],
            "platform": ["douyin" if i in ("k0", "k1", "k2") else "weibo" for i in ids],
            "bio": draw.text(size),
            "language": draw.of(("zh", "en"), size, 0.2),
            "region": draw.of(("beijing", "shanghai"), size, 0.2),
            "verticals": draw.labels(VERTICALS, size),
            "credentials": draw.labels(("dermatologist",), size),
            "followers": draw.number(size, 2e4),
            "active_follower_share": draw.share(size),
            "suspicious_follower_share": draw.share(size),
            "audience_gender": draw.mix(("female", "male"), size),
            "audience_region": draw.mix(("beijing", "tibet", "hainan"), size),
            "audience_interest": draw.mix(("a", "b", "x", "y", "z"), size),
        }
    )
    return frame.drop_duplicates(["kol_id", "observed_at"])


def _posts(draw: Draw) -> pd.DataFrame:
    posts, size = 30, 60
    kol, published = draw.of(KOLS, posts), draw.day(posts)
    which = draw.rng.integers(0, posts, size)
    views = draw.number(size, 1e5)
    frame = pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in which],
            "kol_id": kol.iloc[which].to_numpy(),
            "published_at": published.iloc[which].to_numpy(),
            "text": draw.text(size),
            "tags": draw.labels(("护肤", "gaming", "skin care"), size),
            "duration_s": draw.number(size, 90),
            "views": views,
            "likes": draw.gaps((views * 0.1).round()),
            "comments": draw.gaps((views * 0.01).round()),
            "shares": draw.gaps((views * 0.02).round()),
            "saves": draw.gaps((views * 0.03).round()),
            "completion_rate": draw.share(size),
            "is_sponsored": draw.of((True, False), size, 0.2),
            "brand_id": draw.of(BRANDS, size, 0.6),
        }
    )
    days = pd.to_timedelta(draw.rng.integers(0, 15, size), unit="D")
    frame["observed_at"] = frame["published_at"] + days
    return frame.drop_duplicates(["post_id", "observed_at"])


def _rates(draw: Draw) -> pd.DataFrame:
    size = 30
    frame = pd.DataFrame(
        {
            "kol_id": draw.of(KOLS, size),
            "mode": draw.of(MODES[:4], size),
            "quoted_at": draw.day(size),
            "price": draw.rng.integers(1, 6, size) * 1000.0,
            "currency": draw.of(("CNY", "CNY", "USD"), size),
        }
    )
    frame["valid_until"] = draw.later(frame["quoted_at"], gaps=0.5)
    return frame.drop_duplicates(["kol_id", "mode", "quoted_at"])


def _collaborations(draw: Draw) -> dict[str, pd.DataFrame]:
    size = 40
    frame = pd.DataFrame(
        {
            "collaboration_id": [f"c{i}" for i in range(size)],
            "brief_id": draw.of([f"b{i}" for i in range(4)], size),
            "kol_id": draw.of(KOLS, size),
            "mode": draw.of(MODES[:4], size, 0.1),
            "status": draw.of(STATUSES, size),
            "shown_at": draw.day(size),
            "cost": draw.number(size, 5000),
            "currency": draw.of(("CNY", "USD"), size),
        }
    )
    frame["signed_at"] = draw.later(frame["shown_at"])
    frame["published_at"] = draw.later(frame["signed_at"])
    frame["status_at"] = draw.later(frame["shown_at"])
    rows = draw.rng.integers(0, size, 60)
    outcomes = pd.DataFrame(
        {
            "collaboration_id": frame["collaboration_id"].iloc[rows].to_numpy(),
            "horizon_days": draw.of((1.0, 7.0, 30.0), 60),
            # Sometimes before signing, or even before being shown: data is like that.
            "measured_at": draw.day(60),
            "views": draw.number(60, 1e5),
            "engagements": draw.number(60, 1e4),
            "clicks": draw.number(60, 1e3),
            "orders": draw.number(60, 20),
            "gmv": draw.number(60, 1e4),
            "refunded_gmv": draw.number(60, 1e3),
            "currency": "CNY",
        }
    ).drop_duplicates(["collaboration_id", "horizon_days"])
    return {"collaborations": frame, "outcomes": outcomes}


def _judgments(draw: Draw) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "brief_id": draw.of([f"b{i}" for i in range(4)], 15),
            "kol_id": draw.of(KOLS, 15),
            "judge": draw.of(("ann", "bo"), 15),
            "grade": draw.rng.integers(0, 5, 15) * 1.0,
            "judged_at": draw.day(15),
        }
    )
    return frame.drop_duplicates(["brief_id", "kol_id", "judge"])


def _incidents(draw: Draw) -> pd.DataFrame:
    size = 12
    frame = pd.DataFrame(
        {
            "incident_id": [f"i{i}" for i in range(size)],
            "kol_id": draw.of(KOLS, size),
            "known_at": draw.day(size),
            "kind": "exaggeration",
            "severity": draw.rng.random(size).round(3),
        }
    )
    frame["resolved_at"] = draw.later(frame["known_at"], gaps=0.5)
    return frame


def _vectors(draw: Draw) -> pd.DataFrame:
    owners = [("brief", f"b{i}") for i in range(4)] + [("kol", kol) for kol in KOLS]
    rows = [
        (owner, name, space, time, draw.rng.normal(size=3 if time.day < 20 else 4))
        for owner, name in owners
        for space in ("video", "topic")
        for time in draw.day(3).drop_duplicates()
        if draw.rng.random() < 0.8
    ]
    return pd.DataFrame(rows, columns=["owner", "id", "space", "observed_at", "vector"])
