import numpy as np
import pandas as pd
import pytest

from features.simulate import World

COUNTS = ["views", "engagements", "shares", "saves", "clicks", "orders", "gmv", "refunded_gmv"]


@pytest.fixture(scope="module")
def outcomes(world: World) -> pd.DataFrame:
    return world.tables.outcomes


def test_outcomes_accumulate(outcomes: pd.DataFrame):
    steps = outcomes.sort_values("horizon_days").groupby("collaboration_id")[COUNTS].diff()
    assert not (steps < 0).any().any()


def test_parts_are_no_more_than_the_whole(outcomes: pd.DataFrame):
    assert (outcomes["refunded_gmv"] <= outcomes["gmv"]).all()
    assert (outcomes["orders"] <= outcomes["clicks"]).all()
    assert (outcomes["shares"] + outcomes["saves"] <= outcomes["engagements"]).all()
    assert (outcomes["clicks"] <= outcomes["views"]).all()


def test_outcomes_are_measured_at_their_horizon(world: World, outcomes: pd.DataFrame):
    both = outcomes.merge(world.tables.collaborations, on="collaboration_id")
    age = both["measured_at"] - both["published_at"]
    late = age - pd.to_timedelta(both["horizon_days"], unit="D")
    assert late.abs().max() <= pd.Timedelta(minutes=1)
    assert set(outcomes["horizon_days"]) == {1, 7, 30}


def test_orders_come_later_than_views(outcomes: pd.DataFrame):
    sums = outcomes.groupby("horizon_days")[COUNTS].sum()
    # Those measured on the first day only have no thirtieth: a few of the last month.
    share = sums.loc[1] / sums.loc[30]
    assert 0.45 < share["views"] < 0.65
    assert share["orders"] < share["views"] - 0.1
    assert share["refunded_gmv"] < share["orders"]


def test_outcomes_scatter_around_the_truth(world: World, outcomes: pd.DataFrame):
    final = outcomes.query("horizon_days == 30").merge(
        world.tables.collaborations[["collaboration_id", "brief_id", "kol_id", "mode"]]
    )
    truth = world.truth(final)
    assert len(final) > 1000
    for column, slack in {"views": 0.04, "engagements": 0.05, "clicks": 0.05}.items():
        ratio = final[column] / truth[column]
        assert ratio.mean() == pytest.approx(1, abs=slack), column
    # Orders are few: weigh by what is expected, up to a cap that tames the largest.
    weight = np.minimum(truth["orders"], 20) / truth["orders"]
    for column in ("orders", "gmv"):
        total = (weight * final[column]).sum() / (weight * truth[column]).sum()
        assert total == pytest.approx(1, abs=0.08), column
    kept = (final["gmv"] - final["refunded_gmv"]).sum() / final["gmv"].sum()
    assert 0.8 < kept < 0.92
