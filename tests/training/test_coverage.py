import numpy as np
import pandas as pd
import pytest

from training.coverage import coverage, forecast_metrics, pinball_loss, randomised_coverage


def test_coverage_counts_the_ends_and_leaves_the_unknown_out() -> None:
    low, value, high = [1, 1, 1, 1, np.nan], [1, 3, 4, np.nan, 2], [3, 3, 3, 3, 3]
    assert coverage(low, value, high) == pytest.approx(2 / 3)
    assert np.isnan(coverage([np.nan], [1.0], [2.0]))


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    at = np.quantile(values, 0.9)
    losses = [pinball_loss(values, np.full(20_000, at + off), 0.9) for off in (-0.3, 0.0, 0.3)]
    assert min(losses) == losses[1]
    assert pinball_loss([10.0], [6.0], 0.9) == pytest.approx(3.6)
    assert pinball_loss([6.0, np.nan], [10.0, 1.0], 0.9) == pytest.approx(0.4)


def test_forecasts_are_measured_where_outcomes_tell() -> None:
    told = pd.DataFrame(
        {
            "views": [100.0, 200.0, np.nan],
            "clicks": [10.0, 20.0, np.nan],
            "ctr": [0.1, 0.1, 0.5],
            "orders": [1.0, 3.0, np.nan],
            "cvr": [0.1, 0.1, np.nan],
            "engagements": np.nan,
            "engagement_rate": 0.1,
        }
    )
    metrics = forecast_metrics(told)
    assert metrics["ctr_deviance"] == pytest.approx(0)
    assert metrics["cvr_deviance"] > metrics["cvr_deviance_of_base_rate"] > 0
    assert not any(name.startswith(("engagement", "refund", "orders")) for name in metrics)
    assert forecast_metrics(told.head(0)) == {}


def counts(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the futures that a perfect forecast of few orders draws, and what came."""
    rng = np.random.default_rng(seed)
    rate = rng.choice([0.3, 1.0, 3.0], rows)
    return rng.poisson(rate[:, None], (rows, 400)).astype(float), rng.poisson(rate).astype(float)


def test_of_a_perfect_forecast_of_counts_as_much_is_inside_as_it_stated() -> None:
    drawn, came = counts(3000, seed=1)
    low, high = np.quantile(drawn, [0.1, 0.9], axis=1, method="inverted_cdf")
    held = coverage(low, came, high)
    stated = ((low[:, None] <= drawn) & (drawn <= high[:, None])).mean()
    below, upto = (drawn < came[:, None]).mean(axis=1), (drawn <= came[:, None]).mean(axis=1)
    assert held > 0.87  # of nominal .8 by the letter
    assert held == pytest.approx(stated, abs=0.015)
    assert randomised_coverage(below, upto) == pytest.approx(0.8, abs=0.015)


def test_forecasts_of_counts_that_are_too_low_or_too_wide_are_told() -> None:
    drawn, came = counts(3000, seed=2)
    halves = np.random.default_rng(3).binomial(drawn.astype(int), 0.5)
    other = drawn[np.random.default_rng(4).permutation(3000)]  # anybody's futures, not one's own
    for wrong, expected in ((halves, 0.7), (np.hstack([other[:, :200] * 3, drawn]), 0.87)):
        below, upto = (wrong < came[:, None]).mean(axis=1), (wrong <= came[:, None]).mean(axis=1)
        assert abs(randomised_coverage(below, upto) - 0.8) > 0.03
        assert randomised_coverage(below, upto) == pytest.approx(expected, abs=0.05)


def test_the_randomised_transform_by_hand() -> None:
    # Half of 0-.2 lies above .1; .4-.6 lies in the middle; nothing of .95-1 does.
    assert randomised_coverage([0.0, 0.4, 0.95], [0.2, 0.6, 1.0]) == pytest.approx(1.5 / 3)
    # Where no future equals what came the transform is a point.
    assert randomised_coverage([0.5, 0.05], [0.5, 0.05]) == 0.5
    assert randomised_coverage([0.0, np.nan], [1.0, 0.5]) == pytest.approx(0.8)
    assert randomised_coverage([0.0], [1.0], share=0.5) == pytest.approx(0.5)
    assert np.isnan(randomised_coverage([np.nan], [1.0]))
