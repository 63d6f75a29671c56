"""A matcher that learned something, on a small world with an encoder without weights."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.acceptance import Acceptance
from matcher.config import Config, HeadConfig, IntervalConfig, RankerConfig
from matcher.forecast import Forecaster
from matcher.model import Matcher
from matcher.ranker import FitRanker, RankingData
from matcher.uncertainty import Backcast

CONFIG = Config(
    forecast=HeadConfig(trees=8, min_rows_per_leaf=5, least_rows=30),
    ranker=RankerConfig(trees=8, min_rows_per_leaf=5),
    intervals=IntervalConfig(trees=5, least_rows=50, min_rows_per_leaf=10),
)


@pytest.fixture(scope="session")
def past(world: World, word_embeddings: Embeddings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return PAIRS of the log, and their signals as of each decision."""
    decided = world.tables.briefs.set_index("brief_id")["decided_at"]
    pairs = world.tables.collaborations[["brief_id", "kol_id"]].drop_duplicates(ignore_index=True)
    pairs = pairs.assign(as_of=pairs["brief_id"].map(decided))
    pipeline = FeaturePipeline(CONFIG.features, word_embeddings)
    return pairs, pipeline.transform(pairs, History(world.tables))


@pytest.fixture(scope="session")
def matcher(past: tuple[pd.DataFrame, pd.DataFrame]) -> Matcher:
    pairs, signals = past
    rng = np.random.default_rng(0)
    views = np.exp(signals["reach.median_views"].fillna(8.0) + rng.normal(0, 0.3, len(pairs)))
    counts = {"views": views.round(), "engagements": rng.binomial(views.astype(int), 0.06)}
    counts |= {"spread": rng.binomial(views.astype(int), 0.02)}
    counts |= {"clicks": rng.binomial(views.astype(int), 0.03)}
    counts |= {"orders": rng.binomial(counts["clicks"], 0.04)}
    counts |= {"returned": rng.binomial(counts["orders"], 0.1)}
    outcomes = pd.DataFrame(counts, index=signals.index).astype(float)
    product = np.exp(signals["brief.product_price"].fillna(5.0))
    outcomes = outcomes.assign(
        gmv=outcomes["orders"] * product, product_price=product, revenue_currency="CNY"
    )
    forecaster = Forecaster.fit(signals, outcomes, CONFIG.forecast, seed=0)
    # Good enough for tests of what is done with it: the past is what it learned from.
    seen = Backcast.of(signals, outcomes, forecaster.heads)
    forecaster = forecaster.calibrated(seen, signals, outcomes, CONFIG.intervals, least=10, seed=0)
    accepted = rng.random(len(pairs)) < 0.7
    acceptance = Acceptance.fit(signals, accepted, CONFIG.forecast, seed=0)
    forecaster = replace(forecaster, acceptance=acceptance)
    advantage = forecaster.advantage(signals)
    grade = pd.Series(rng.integers(0, 5, len(pairs)).astype(float))
    data = RankingData(
        signals=signals,
        known=advantage,
        brief_id=pairs["brief_id"],
        grade=grade,
        weight=pd.Series(1.0, index=grade.index),
        told=pd.Series(True, index=grade.index),
        success=pd.Series(advantage > np.median(advantage), index=grade.index),
    )
    ranker = FitRanker.fit(data, data, None, CONFIG.ranker, seed=0)
    return Matcher(CONFIG, "words", forecaster, ranker)


@pytest.fixture(scope="session")
def open_ids(world: World) -> list[str]:
    briefs = world.tables.briefs
    return briefs.loc[briefs["decided_at"].isna(), "brief_id"].tolist()
