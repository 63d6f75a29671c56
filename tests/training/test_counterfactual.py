from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.counterfactual import (
    ESTIMATORS,
    NotIdentifiable,
    PolicyValue,
    forecast_rewards,
    policy_value,
    values_by_group,
)
from training.overlap import Limits

ANYTHING = Limits(
    least_propensity=0.0,
    least_supported=0.0,
    least_ess=0.0,
    least_clusters=0,
    most_imbalance=np.inf,
)


def make_lists(chance: Any, contacted: Any, reward: Any, **columns: Any) -> pd.DataFrame:
    """Return LISTS of three KOLs a brief, each brief of a brand of its own."""
    contacted = np.asarray(contacted, dtype=bool)
    place = np.arange(len(contacted))
    frame = pd.DataFrame(
        {
            "brief_id": [f"b{i // 3:04d}" for i in place],
            "kol_id": [f"k{i % 3}" for i in place],
            "brand_id": [f"brand{i // 3:04d}" for i in place],
            "goal": "awareness",
            "currency": "CNY",
            "unit": "views",
            "propensity": np.asarray(chance, dtype=float),
            "contacted": contacted,
            "reward": np.where(contacted, reward, np.nan),
        }
    ).assign(**columns)
    known = frame["contacted"] & frame["reward"].notna()
    return frame.assign(stands_for=known.astype(float))


def draw_market(seed: int, briefs: int = 60) -> tuple[pd.DataFrame, pd.Series, pd.Series, float]:
    """Return lists whose agency likes the wrong KOLs, a policy, what it promises and its value.

    The third of each list is contacted most when it is good, so that the naive mean overstates it.
    """
    rng = np.random.default_rng(seed)
    quality = np.tile(np.random.default_rng(99).gamma(2.0, 1.0, (60, 3)), (briefs // 60, 1))
    chance = np.clip(0.15 + 0.2 * quality * [0.3, 0.3, 1.0], 0.05, 0.9)
    contacted = rng.random(quality.shape) < chance
    reward = quality * rng.gamma(4.0, 0.25, quality.shape)
    lists = make_lists(chance.ravel(), contacted.ravel(), reward.ravel())
    policy = pd.Series(np.tile([0.0, 0.5, 1.0], briefs))
    true = float((policy * quality.ravel()).sum() / policy.sum())
    return lists, policy, pd.Series(np.log(quality.ravel()) * 0.5), true


def told(lists: pd.DataFrame, policy: Any, *given: Any, **how: Any) -> dict[str, float]:
    found = policy_value(lists, pd.Series(policy, dtype=float), *given, draws=1, **how)
    assert isinstance(found, PolicyValue)
    return {name: estimate.value for name, estimate in found.estimates.items()}


CHANCES = st.lists(st.floats(0.1, 1.0), min_size=3, max_size=3)
REWARDS = st.lists(st.floats(0.0, 10.0), min_size=3, max_size=3)


@settings(max_examples=15, deadline=None)
@given(chance=CHANCES, policy=CHANCES, reward=REWARDS, forecast=REWARDS)
def test_over_all_dice_ips_and_doubly_robust_are_the_truth_whatever_the_forecast(
    chance: list[float], policy: list[float], reward: list[float], forecast: list[float]
) -> None:
    truth = np.dot(policy, reward) / np.sum(policy)
    expected = {"ips": 0.0, "dr": 0.0}
    for contacted in product([False, True], repeat=3):
        likely = np.prod(np.where(contacted, chance, 1 - np.array(chance)))
        if any(contacted):
            lists = make_lists(chance, contacted, reward)
            found = told(lists, policy, pd.Series(forecast), limits=ANYTHING)
        else:  # nobody contacted brings nothing; the correction of the forecast is nothing too
            found = {"ips": 0.0, "dr": np.dot(policy, forecast) / np.sum(policy)}
        for name in expected:
            expected[name] += likely * found[name]
    assert expected["ips"] == pytest.approx(truth, abs=1e-9)
    assert expected["dr"] == pytest.approx(truth, abs=1e-9)


def test_a_forecast_that_is_right_makes_up_for_wrong_chances() -> None:
    reward = [1.0, 2.0, 4.0] * 4
    lists = make_lists([0.9, 0.2, 0.5] * 4, [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0], reward)
    policy, right = [0.2, 0.3, 0.5] * 4, pd.Series(reward)
    truth = np.average(reward, weights=policy)
    found = told(lists, policy, right, limits=ANYTHING)
    for name in ("direct", "dr", "weighted_dr"):
        assert found[name] == pytest.approx(truth)
    assert found["ips"] != pytest.approx(truth, rel=0.05)


def test_the_agencys_own_policy_is_worth_what_it_brought() -> None:
    lists, _, _, _ = draw_market(seed=1)
    found = told(lists, lists["propensity"])
    assert found["snips"] == pytest.approx(found["log"])
    assert found["snips_lift"] == pytest.approx(1.0)
    assert found["log"] == pytest.approx(lists["reward"].mean())


def test_snips_moves_with_the_rewards_and_ips_does_not() -> None:
    lists, policy, _, _ = draw_market(seed=2)
    plain, moved = (
        told(lists.assign(reward=lists["reward"] + more), policy) for more in (0.0, 7.0)
    )
    assert moved["snips"] == pytest.approx(plain["snips"] + 7.0)
    assert moved["ips"] != pytest.approx(plain["ips"] + 7.0, rel=0.001)


def test_corrections_remove_most_of_the_naive_error() -> None:
    errors: dict[str, list[float]] = {"naive": [], "snips": [], "dr": [], "weighted_dr": []}
    for seed in range(25):
        lists, policy, promised, true = draw_market(seed, briefs=180)
        found = told(lists, policy, forecast_rewards(lists, promised))
        for name, missed in errors.items():
            missed.append(found[name] - true)
    rmse = {name: np.sqrt(np.mean(np.square(missed))) for name, missed in errors.items()}
    assert np.mean(errors["naive"]) > 0.3
    assert rmse["naive"] > 2 * max(rmse["snips"], rmse["dr"], rmse["weighted_dr"])
    assert abs(np.mean(errors["snips"])) < 0.08
    assert abs(np.mean(errors["dr"])) < 0.08


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = []
    for seed in range(40):
        lists, policy, promised, true = draw_market(seed, briefs=120)
        found = policy_value(lists, policy, forecast_rewards(lists, promised), draws=200)
        assert isinstance(found, PolicyValue)
        names = ("snips", "dr", "weighted_dr")
        held.append([found.estimates[n].low <= true <= found.estimates[n].high for n in names])
    assert (np.mean(held, axis=0) >= 0.88).all()


def test_every_estimate_has_an_interval_around_it() -> None:
    lists, policy, promised, _ = draw_market(seed=3)
    found = policy_value(lists, policy, forecast_rewards(lists, promised), draws=500)
    assert isinstance(found, PolicyValue)
    assert tuple(found.estimates) == ESTIMATORS
    assert all(e.low < e.value < e.high for e in found.estimates.values())
    again = policy_value(lists, policy, forecast_rewards(lists, promised), draws=500)
    assert again == found
    assert found.unit == "views"
    without = policy_value(lists, policy, draws=10)
    assert isinstance(without, PolicyValue)
    assert not {"direct", "dr", "weighted_dr"} & set(without.estimates)


def test_clipped_weights_are_nearer_to_the_agency() -> None:
    lists, policy, _, _ = draw_market(seed=4, briefs=180)
    free, clipped, own = (told(lists, policy, clip=clip)["snips"] for clip in (None, 2.0, 1.0))
    assert own == pytest.approx(told(lists, policy)["naive"])
    assert free < clipped < own


def test_known_rewards_stand_for_unknown_ones() -> None:
    lists = make_lists([0.5] * 6, [1, 1, 0, 1, 1, 0], [1.0, 3.0, 0.0, 3.0, np.nan, 0.0])
    lists["stands_for"] = [1.0, 1.5, 0.0, 1.5, 0.0, 0.0]
    found = told(lists, [1.0] * 6, limits=ANYTHING)
    assert found["snips"] == pytest.approx((1.0 + 4.5 + 4.5) / 4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"propensity": np.nan}, "the log tells no propensity"),
        ({"propensity": 0.001}, "gave nobody whom the policy contacts a chance"),
        ({"propensity": np.tile([0.5, 0.0, 0.5], 60)}, r"only 67% .* 95% are needed"),
        ({"propensity": np.tile([0.5, np.nan, 0.5], 60)}, "only 67%"),
        ({"propensity": 0.05}, "propensities cannot be true"),
        ({"brand_id": "one"}, "from 1 clusters; 5 are needed"),
    ],
)
def test_what_the_log_cannot_tell_has_reasons_and_no_number(
    change: dict[str, Any], reason: str
) -> None:
    lists, _, _, _ = draw_market(seed=5)
    found = policy_value(lists.assign(**change), pd.Series(np.tile([0.0, 0.5, 1.0], 60)))
    assert isinstance(found, NotIdentifiable)
    assert pd.Series(found.reasons).str.contains(reason).any(), found.reasons


def test_a_few_huge_weights_are_not_enough() -> None:
    lists, policy, _, _ = draw_market(seed=6)
    rare = lists.assign(propensity=lists["propensity"].where(lists.index >= 12, 0.011))
    found = policy_value(rare, policy, limits=Limits(most_imbalance=np.inf))
    assert isinstance(found, NotIdentifiable)
    assert "say as much as" in found.reasons[0]
    assert found.overlap is not None
    assert found.overlap.ess < 30 < found.overlap.contacts


def test_an_empty_log_or_policy_tells_nothing() -> None:
    lists, policy, _, _ = draw_market(seed=7)
    nobody = policy_value(lists, policy * 0)
    nothing = policy_value(lists.head(0), policy.head(0))
    assert nobody == NotIdentifiable(("the policy contacts nobody on the logged lists",))
    assert nothing == NotIdentifiable(("there is no logged list to choose from",))


def test_goals_are_told_apart() -> None:
    lists, policy, _, _ = draw_market(seed=8, briefs=120)
    first = lists.index < 180
    lists["goal"] = np.where(first, "awareness", "conversion")
    lists["unit"] = np.where(first, "views", "net revenue, CNY")
    with pytest.raises(ValueError, match="expected one unit"):
        policy_value(lists, policy)
    found = values_by_group(lists, policy, draws=100)
    assert list(found) == [("awareness", "CNY"), ("conversion", "CNY")]
    alone = policy_value(lists[first], policy[first], draws=100)
    assert found["awareness", "CNY"] == alone


def test_slips_of_the_caller_are_told() -> None:
    lists, policy, promised, _ = draw_market(seed=9)
    with pytest.raises(ValueError, match="outside 0-1"):
        policy_value(lists, policy * 2)
    with pytest.raises(ValueError, match=r"clip=0\.5"):
        policy_value(lists, policy, clip=0.5)
    with pytest.raises(ValueError, match="a forecast with another index"):
        policy_value(lists, policy, promised.iloc[::-1])


def test_forecasts_never_see_their_own_reward() -> None:
    lists, _, promised, _ = draw_market(seed=10)
    own = lists["brand_id"] == lists["brand_id"].iloc[0]
    changed = lists.assign(reward=lists["reward"].mask(own, lists["reward"] * 50))
    before, after = forecast_rewards(lists, promised), forecast_rewards(changed, promised)
    assert before[own].tolist() == after[own].tolist()
    assert (before != after).any()


def test_where_nothing_can_be_learned_all_are_forecast_alike() -> None:
    lists, _, promised, _ = draw_market(seed=11)
    alone = forecast_rewards(lists.assign(brand_id="one"), promised)
    assert alone.nunique() == 1
    assert alone.iloc[0] == pytest.approx(lists["reward"].mean())
    worthless = forecast_rewards(lists.assign(reward=lists["reward"] * 0), promised)
    assert (worthless == 0).all()
