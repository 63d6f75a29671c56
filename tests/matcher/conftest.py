"""A matcher that learned something, on a small world with an encoder without weights."""

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.config import Config, HeadConfig, RankerConfig
from matcher.forecast import Forecaster
from matcher.model import Matcher
from matcher.ranker import FitRanker, RankingData

CONFIG = Config(
    forecast=HeadConfig(trees=8, min_rows_per_leaf=5, least_rows=30),
    ranker=RankerConfig(trees=8, min_rows_per_leaf=5),
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
    outcomes = pd.DataFrame(counts, index=signals.index).astype(float)
    forecaster = Forecaster.fit(signals, outcomes, CONFIG.forecast, seed=0)
    forecaster = forecaster.calibrated(signals, outcomes, least=10)
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
