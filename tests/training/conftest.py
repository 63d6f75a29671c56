"""Small tables and small worlds for the tests of training."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config, HeadConfig, RankerConfig, TrainingConfig
from tests.conftest import WordEncoder
from training.fit import Fit, Plan, fit_plan, plan_by_time

FIRST = pd.Timestamp("2025-01-01", tz="UTC")


@pytest.fixture(scope="session")
def embeddings() -> Embeddings:
    return Embeddings(WordEncoder())


@pytest.fixture(scope="session")
def day() -> Callable[[float], pd.Timestamp]:
    """Return the time so many days after 2025-01-01."""
    return lambda days: FIRST + pd.Timedelta(days=days)


@pytest.fixture(scope="session")
def config() -> Config:
    """Return settings under which a small world teaches something, quickly."""
    return Config(
        forecast=HeadConfig(trees=30, least_rows=30),
        ranker=RankerConfig(trees=30),
        training=TrainingConfig(least_briefs=10, unknown_per_brief=8, folds=3),
    )


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(kols=80, briefs=90, seed=1)


@pytest.fixture(scope="session")
def history(world: World) -> History:
    return History(world.tables)


@pytest.fixture(scope="session")
def pipeline(config: Config, embeddings: Embeddings) -> FeaturePipeline:
    return FeaturePipeline(config.features, embeddings)


@pytest.fixture(scope="session")
def plan(world: World, config: Config) -> Plan:
    return plan_by_time(world.tables, config)


@pytest.fixture(scope="session")
def fit(plan: Plan, history: History, pipeline: FeaturePipeline, config: Config) -> Fit:
    """Return a model of the small world, with its examples; made once, so leave it as it is."""
    return fit_plan(plan, history, pipeline, config)


@pytest.fixture(scope="session")
def past() -> Callable[..., Tables]:
    return make_past


def make_past(campaigns: Sequence[dict[str, Any]], **tables: pd.DataFrame) -> Tables:
    """Return tables of campaigns told in few words.

    Each campaign is one delivered collaboration with one outcome. It may name ``brief``, ``kol``,
    ``brand``, ``goal``, ``vertical``, ``margin``, ``decided``, ``shown``, ``measured`` (days after
    2025-01-01), ``horizon``, ``cost``, ``currency``, ``revenue_currency`` and any count of an
    outcome. Further tables may be given as they are.
    """
    usual = {
        "brief": "b1",
        "kol": "k1",
        "brand": "acme",
        "goal": "awareness",
        "vertical": "beauty",
        "margin": None,
        "decided": 10.0,
        "shown": 10.0,
        "measured": 45.0,
        "horizon": 30.0,
        "status": "delivered",
        "cost": 100.0,
        "currency": "CNY",
        "revenue_currency": "CNY",
    }
    counts = ["views", "engagements", "shares", "saves", "clicks", "orders", "gmv", "refunded_gmv"]
    rows = pd.DataFrame([usual | dict.fromkeys(counts) | campaign for campaign in campaigns])
    rows["collaboration_id"] = [f"c{i}" for i in range(len(rows))]
    for name in ("decided", "shown", "measured"):
        rows[name] = FIRST + pd.to_timedelta(rows[name].astype(float), unit="D")
    briefs = rows.drop_duplicates("brief").rename(
        columns={
            "brief": "brief_id",
            "brand": "brand_id",
            "margin": "gross_margin",
            "decided": "decided_at",
        }
    )
    done = rows.rename(columns={"brief": "brief_id", "kol": "kol_id", "shown": "shown_at"})
    outcomes = rows.drop(columns="currency").rename(
        columns={
            "horizon": "horizon_days",
            "measured": "measured_at",
            "revenue_currency": "currency",
        }
    )
    given = {
        "briefs": briefs[["brief_id", "brand_id", "goal", "vertical", "gross_margin", "decided_at"]]
        .assign(text="serum")
        .reset_index(drop=True),
        "kols": pd.DataFrame(
            {"kol_id": rows["kol"].unique(), "observed_at": FIRST, "platform": "douyin"}
        ),
        "collaborations": done[
            ["collaboration_id", "brief_id", "kol_id", "status", "shown_at", "cost", "currency"]
        ],
        "outcomes": outcomes[
            ["collaboration_id", "horizon_days", "measured_at", "currency", *counts]
        ],
    }
    return Tables.of(**(given | tables))
