import numpy as np
import pandas as pd
import pytest

from training.coverage import coverage, forecast_metrics, pinball_loss


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
