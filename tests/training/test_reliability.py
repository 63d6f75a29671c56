import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from training.calibration import calibration_error
from training.reliability import Reliability, interval_coverage, reliability_bins


def drawn(
    rows: int, seed: int, slope: float = 1.0, shift: float = 0.0
) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return chances, what came where the truth is another curve of them, and brands."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.05, 0.95, rows)
    came = rng.random(rows) < expit(slope * logit(chance) + shift)
    brand = rng.integers(0, 40, rows)
    return tuple(pd.Series(each) for each in (chance, came, [f"brand{b}" for b in brand]))


def test_honest_chances_are_believable() -> None:
    told = Reliability.of(*drawn(2000, seed=0))
    assert told.believable
    assert told.slope_low < 1 < told.slope_high
    assert told.intercept_low < 0 < told.intercept_high
    assert told.brier < told.brier_base
    assert (told.rows, told.brands) == (2000, 40)


def test_what_is_wrong_with_chances_is_told() -> None:
    spread = Reliability.of(*drawn(2000, seed=1, slope=0.4))
    assert not spread.believable
    assert spread.slope == pytest.approx(0.4, abs=0.1)
    assert spread.slope_high < 1
    low = Reliability.of(*drawn(2000, seed=2, shift=0.8))
    assert low.intercept == pytest.approx(0.8, abs=0.15)
    assert low.intercept_low > 0


def test_the_slopes_interval_covers_the_truth_as_often_as_it_says() -> None:
    found = [Reliability.of(*drawn(300, seed=seed)) for seed in range(100)]
    covered = [told.slope_low < 1 < told.slope_high for told in found]
    assert 88 <= sum(covered) <= 100


def test_slope_and_intercept_agree_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    chance, came, brand = drawn(500, seed=3, slope=0.7, shift=0.3)
    theirs = LogisticRegression(C=np.inf).fit(logit(chance.to_numpy())[:, None], came)
    assert Reliability.of(chance, came, brand).slope == pytest.approx(theirs.coef_[0, 0], rel=1e-3)


def test_too_little_to_recalibrate_is_told_as_unknown() -> None:
    one = pd.Series(["x"] * 20)
    few = Reliability.of(pd.Series([0.5] * 20), pd.Series([True] * 3 + [False] * 17), one)
    assert math.isnan(few.slope)
    assert math.isnan(few.intercept)
    same = Reliability.of(pd.Series([0.5] * 20), pd.Series([True, False] * 10), one)
    assert math.isnan(same.slope)  # one chance for all has no slope
    assert same.intercept == pytest.approx(0)
    assert math.isnan(same.intercept_low)  # and one brand no interval
    parted = pd.Series(np.repeat([0.2, 0.8], 10))
    assert math.isnan(Reliability.of(parted, parted > 0.5, one).slope)


def test_numbers_are_named_for_tracking() -> None:
    told = Reliability.of(*drawn(100, seed=4)).metrics("fit")
    assert {"fit_ece", "fit_ece_noise_floor", "fit_brier", "fit_slope_low", "fit_rows"} <= set(told)
    assert all(isinstance(value, float) for value in told.values())


def test_bins_hold_equally_many_and_their_intervals_the_share() -> None:
    table = reliability_bins(*drawn(57, seed=5)[:2])
    assert table["rows"].sum() == 57
    assert set(table["rows"]) == {5, 6}
    assert table["said"].is_monotonic_increasing
    assert (table["low"] <= table["came"]).all()
    assert (table["came"] <= table["high"]).all()
    assert table[["low", "high"]].apply(lambda c: c.between(-1e-9, 1 + 1e-9)).all(axis=None)


def test_coverage_is_measured_of_whichever_intervals_there_are() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    noise = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "brand_id": [f"b{i % 50}" for i in range(n)],
            "views": np.exp(5 + noise),
            "views_p10": np.exp(5 - 1.2816),
            "views_p50": np.exp(5.0),
            "views_p90": np.exp(5 + 1.2816),
            "orders": rng.poisson(3.0, n).astype(float),
            "orders_p10": 4.0,
            "orders_p90": 9.0,
            "gmv_p10": 1.0,  # nobody says what came, or how high it might have been
        }
    )
    frame.loc[:99, "orders"] = np.nan
    found = interval_coverage(frame).set_index("forecast")
    assert found.index.tolist() == ["views", "orders"]
    assert found.loc["views", "coverage"] == pytest.approx(0.8, abs=0.02)
    assert found.loc["views", "low"] < 0.8 < found.loc["views", "high"]
    assert found.loc["views", "ratio"] == pytest.approx(1, abs=0.06)
    assert found.loc["views", "width"] == pytest.approx(np.exp(2 * 1.2816))
    assert found.loc["orders", "rows"] == n - 100
    assert math.isnan(found.loc["orders", "ratio"])
    outside = found.loc["orders", ["below", "above"]].sum()
    assert found.loc["orders", "coverage"] + outside == pytest.approx(1)
    assert found.loc["orders", "below"] > 0.5


def test_without_intervals_there_is_nothing_to_cover() -> None:
    assert interval_coverage(pd.DataFrame({"brand_id": ["x"], "views": [1.0]})).empty


def test_bins_are_those_of_the_error_that_is_printed() -> None:
    said = pd.Series([0.5] * 7 + [0.1, 0.2, 0.9])
    came = pd.Series([True, False] * 5)
    table = reliability_bins(said, came)
    assert 7 in set(table["rows"])  # equal chances are never parted
    error = (table["rows"] / 10 * (table["said"] - table["came"]).abs()).sum()
    assert error == pytest.approx(calibration_error(said, came))
