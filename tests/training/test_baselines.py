"""Every simple rule keeps one contract, and prefers what its name says."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from features.config import FeatureConfig
from features.contract import GOALS
from features.signals import FAMILIES
from training.baselines import BASELINES, Baseline

COLUMNS = [
    f"{family.name}.{signal}"
    for family in FAMILIES
    for signal in family.meanings(FeatureConfig(spaces=("image", "video")))
]
BY_NAME = {baseline.name: baseline for baseline in BASELINES}
every_baseline = pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.name)


def frames(seed: int = 0, briefs: int = 6, kols: int = 20) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs and random signals; a fifth of them unknown, one brief knows nothing at all."""
    rng = np.random.default_rng(seed)
    n = briefs * kols
    pairs = pd.DataFrame(
        {
            "brief_id": np.repeat([f"b{i}" for i in range(briefs)], kols),
            "kol_id": np.tile([f"k{i:02d}" for i in range(kols)], briefs),
            "as_of": pd.Timestamp("2025-06-01", tz="UTC"),
        },
        index=rng.permutation(n),  # neither a range nor in order
    )
    signals = pd.DataFrame(rng.random((n, len(COLUMNS))), index=pairs.index, columns=COLUMNS)
    signals = signals.mask(rng.random(signals.shape) < 0.2)
    signals.loc[pairs["brief_id"] == "b0"] = math.nan
    signals["category.goal"] = np.repeat(np.arange(briefs) % len(GOALS), kols).astype(float)
    return pairs, signals


def ask(name: str, goal: str = "awareness", **signals: list[float]) -> list[int]:
    """Rank the KOLs of one brief; returns their positions, best first."""
    count = len(next(iter(signals.values())))
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": [f"k{i}" for i in range(count)]})
    told = {column.replace("__", "."): values for column, values in signals.items()}
    frame = pd.DataFrame(told).reindex(columns=COLUMNS)
    frame["category.goal"] = float(GOALS.index(goal))
    score = BY_NAME[name].score(pairs, frame)
    return np.argsort(-score, kind="stable").tolist()


@every_baseline
def test_gives_one_known_number_a_pair(baseline: Baseline):
    score = baseline.score(*frames())
    assert score.shape == (120,)
    assert score.dtype == np.float64
    assert not np.isnan(score).any()


@every_baseline
def test_row_order_is_irrelevant(baseline: Baseline):
    pairs, signals = frames()
    order = np.random.default_rng(1).permutation(len(pairs))
    shuffled = baseline.score(pairs.iloc[order], signals.iloc[order])
    np.testing.assert_array_equal(shuffled, baseline.score(pairs, signals)[order])


@every_baseline
def test_a_brief_scores_alone_as_with_others(baseline: Baseline):
    pairs, signals = frames()
    together = baseline.score(pairs, signals)
    for brief in ("b0", "b2", "b4"):
        rows = (pairs["brief_id"] == brief).to_numpy()
        np.testing.assert_array_equal(baseline.score(pairs[rows], signals[rows]), together[rows])


@every_baseline
def test_is_deterministic_and_changes_nothing(baseline: Baseline):
    pairs, signals = frames()
    before = pairs.copy(deep=True), signals.copy(deep=True)
    np.testing.assert_array_equal(baseline.score(pairs, signals), baseline.score(pairs, signals))
    pd.testing.assert_frame_equal(pairs, before[0])
    pd.testing.assert_frame_equal(signals, before[1])


@every_baseline
def test_nobody_to_rank_gives_no_scores(baseline: Baseline):
    pairs, signals = frames()
    assert baseline.score(pairs.iloc[:0], signals.iloc[:0]).shape == (0,)


@pytest.mark.parametrize("baseline", BASELINES[1:], ids=lambda b: b.name)  # random knows nothing
def test_who_is_wholly_unknown_is_never_ahead(baseline: Baseline):
    pairs, signals = frames(briefs=2)
    rows = (pairs["brief_id"] == "b1").to_numpy()
    pairs, signals = pairs[rows], signals[rows].fillna(0.5)
    signals.iloc[7] = math.nan
    signals["category.goal"] = 0.0
    score = baseline.score(pairs, signals)
    assert score[7] == score.min()


@every_baseline
def test_works_without_vector_spaces(baseline: Baseline):
    pairs, signals = frames()
    signals = signals.drop(columns=["vectors.image_cosine", "vectors.video_cosine"])
    assert not np.isnan(baseline.score(pairs, signals)).any()


def test_names_are_unique_and_told():
    assert len(BY_NAME) == len(BASELINES)
    assert all(baseline.doc for baseline in BASELINES)


def test_random_is_spread_evenly_and_ids_do_not_run_together():
    pairs, signals = frames(briefs=50, kols=40)
    score = BY_NAME["random"].score(pairs, signals)
    assert score.mean() == pytest.approx(0.5, abs=0.03)
    assert len(np.unique(score)) == len(score)
    twins = pd.DataFrame({"brief_id": ["b1", "b"], "kol_id": ["k", "1k"]})
    first, second = BY_NAME["random"].score(twins, pd.DataFrame(index=twins.index))
    assert first != second


def test_random_is_the_same_in_every_process():
    pairs = pd.DataFrame({"brief_id": ["b1", "b1"], "kol_id": ["k1", "k2"]})
    score = BY_NAME["random"].score(pairs, pd.DataFrame(index=pairs.index))
    assert score.tolist() == pytest.approx([0.967125924, 0.342043565])


def test_directions():
    assert ask("followers", reach__followers=[3, 9, math.nan]) == [1, 0, 2]
    assert ask("engagement rate", engagement__rate=[0.01, math.nan, 0.2]) == [2, 0, 1]
    assert ask("price per view", price__per_view=[5, 1, math.nan]) == [1, 0, 2]
    assert ask("content cosine", content__recent=[-0.1, 0.8, math.nan]) == [1, 0, 2]


def test_past_return_counts_what_the_goal_counts():
    record = {
        "record__views_per_cost": [3.0, 1.0, 2.0],
        "record__engagements_per_cost": [1.0, 3.0, 2.0],
        "record__clicks_per_view": [0.01, 0.01, 0.1],
        "record__conversion": [0.01, 0.01, 0.1],
    }
    assert ask("past return", "awareness", **record)[0] == 0
    assert ask("past return", "engagement", **record)[0] == 1
    assert ask("past return", "seeding", **record)[0] == 1
    assert ask("past return", "co_creation", **record)[0] == 1
    assert ask("past return", "conversion", **record)[0] == 2


def test_cosine_weighs_four_times_engagement_whatever_their_scales():
    assert ask(
        "cosine and engagement", content__recent=[0.500, 0.501], engagement__rate=[0.9, 0.01]
    ) == [1, 0]
    assert ask(
        "cosine and engagement", content__recent=[0.5, 0.5], engagement__rate=[0.01, 0.02]
    ) == [1, 0]


def test_vector_sum_adds_spaces_but_not_their_summaries():
    assert ask(
        "vector sum",
        vectors__image_cosine=[0.5, 0.6, math.nan],
        vectors__video_cosine=[0.4, math.nan, math.nan],
        vectors__mean_cosine=[0.45, 0.6, 9],
        vectors__max_cosine=[0.5, 0.6, 9],
    ) == [0, 1, 2]


def test_value_per_price_counts_what_the_goal_counts():
    market = {
        "reach__median_views": np.log([1000, 900, 900, 800]).tolist(),
        "price__log": np.log([100, 100, 100, 100]).tolist(),
        "engagement__rate": [0.01, 0.10, 0.05, 0.05],
        "engagement__saves": [0.001, 0.01, 0.03, 0.01],
        "engagement__shares": [0.001, 0.01, 0.01, 0.01],
        "record__clicks_per_view": [0.01, 0.01, 0.01, 0.05],
        "record__conversion": [0.01, 0.01, 0.01, 0.02],
    }
    assert ask("value per price", "awareness", **market)[0] == 0
    assert ask("value per price", "engagement", **market)[0] == 1
    assert ask("value per price", "co_creation", **market)[0] == 1
    assert ask("value per price", "seeding", **market)[0] == 2
    assert ask("value per price", "conversion", **market)[0] == 3
    dear = market | {"price__log": np.log([500, 100, 100, 100]).tolist()}
    assert ask("value per price", "awareness", **dear)[-1] == 0


def test_value_per_price_is_lenient_where_data_is_thin():
    views = np.log([100.0, 300.0, 200.0]).tolist()
    assert ask("value per price", reach__median_views=views) == [1, 2, 0]  # nobody has a price
    price = [1.0, math.nan, 1.0]
    assert ask("value per price", reach__median_views=views, price__log=price) == [2, 0, 1]
    # Without saves, seeding counts engagements; without records, conversion counts views.
    rate = [0.1, 0.01, 0.02]
    assert ask("value per price", "seeding", reach__median_views=views, engagement__rate=rate) == [
        0,
        2,
        1,
    ]
    assert ask("value per price", "conversion", reach__median_views=views) == [1, 2, 0]
    # One record among three: the others convert as it does.
    cvr = {"record__clicks_per_view": [math.nan, math.nan, 0.5], "record__conversion": [0.5] * 3}
    assert ask("value per price", "conversion", reach__median_views=views, **cvr) == [1, 2, 0]
