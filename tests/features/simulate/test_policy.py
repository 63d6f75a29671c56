import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.simulate import World, simulate
from features.simulate.policy import PROPENSITY_RANGE, SHOWN, _scale


@pytest.fixture(scope="module")
def log(world: World) -> pd.DataFrame:
    frame = world.tables.collaborations
    return frame.assign(chosen=frame["status"] != "shown")


def test_lists_are_numbered_from_one(log: pd.DataFrame):
    for _, rows in log.groupby("brief_id"):
        assert sorted(rows["position"]) == list(range(1, len(rows) + 1))
    assert log["position"].max() == SHOWN
    assert not log.duplicated(["brief_id", "kol_id"]).any()


def test_propensities_are_calibrated(log: pd.DataFrame):
    bins = pd.qcut(log["propensity"], 8, duplicates="drop")
    found = log.groupby(bins, observed=True).agg(
        said=("propensity", "mean"), was=("chosen", "mean"), rows=("chosen", "size")
    )
    error = np.sqrt(found["said"] * (1 - found["said"]) / found["rows"])
    assert ((found["was"] - found["said"]).abs() < 3.5 * error + 0.002).all()


def test_a_known_share_is_chosen(log: pd.DataFrame):
    per_brief = log.groupby("brief_id")["chosen"].sum()
    assert 8 < per_brief.mean() < 12


def test_the_agency_favours_followers(world: World, log: pd.DataFrame):
    followers = world.tables.kols.drop_duplicates("kol_id").set_index("kol_id")["followers"]
    size = log["kol_id"].map(np.log(followers))
    assert size[log["chosen"]].mean() > size[~log["chosen"]].mean() > np.log(followers).mean()


def test_briefs_are_respected(world: World, log: pd.DataFrame):
    kols = world.tables.kols.drop_duplicates("kol_id").set_index("kol_id")
    full = log.merge(world.tables.briefs, on="brief_id", suffixes=("", "_brief"))
    for row in full.itertuples():
        assert row.mode in row.modes
        assert row.kol_id not in row.excluded_kols
        assert not row.platforms or kols.at[row.kol_id, "platform"] in row.platforms
    paid = full[full["cost"].notna()]
    assert (paid["currency"] == paid["currency_brief"]).all()
    assert (paid["cost"] <= paid["budget"]).all()
    assert not (paid["cost"] > paid["max_price_per_kol"]).any()


def test_statuses_have_their_dates(log: pd.DataFrame):
    delivered = log["status"] == "delivered"
    assert delivered.mean() > 0.1
    assert (log["published_at"].notna() == delivered).all()
    assert log.loc[log["status"].isin(["signed", "delivered", "cancelled"]), "cost"].notna().all()
    assert {"shown", "declined", "delivered", "cancelled"} <= set(log["status"])


@pytest.mark.parametrize("count", [0, 1, 5, 12, 30])
def test_probabilities_stay_in_range_and_sum_to_the_total(count: int):
    weights = np.random.default_rng(count).lognormal(0, 2, count)
    scaled = _scale(weights, 10.0)
    low, high = PROPENSITY_RANGE
    assert ((scaled >= low) & (scaled <= high)).all()
    assert scaled.sum() == pytest.approx(min(10.0, high * count), rel=0.1)


def test_attention_that_does_not_wane_leaves_the_world_as_it_is():
    plain, same = simulate(40, 12, 3), simulate(40, 12, 3, attention=0.0)
    for (name, a), (_, b) in zip(plain.tables, same.tables, strict=True):
        assert_frame_equal(a, b, obj=name)


def test_who_stands_low_is_chosen_less_where_attention_wanes():
    worlds = [simulate(300, 120, 3, attention=a).tables.collaborations for a in (0.0, 1.0)]
    top = []
    for log in worlds:
        chosen = log["status"] != "shown"
        assert 8 < chosen.groupby(log["brief_id"]).sum().mean() < 12
        low, high = PROPENSITY_RANGE
        assert log["propensity"].between(low, high).all()
        error = np.sqrt((log["propensity"] * (1 - log["propensity"])).sum())
        assert abs(chosen.sum() - log["propensity"].sum()) < 3.5 * error
        top.append(chosen[log["position"] <= 5].mean() - chosen[log["position"] > 20].mean())
    assert top[1] > top[0] + 0.3


def test_attention_that_grows_along_the_list_is_refused():
    with pytest.raises(ValueError, match="Got attention=-1 but expected at least 0"):
        simulate(40, 12, 3, attention=-1)
