import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.config import IntervalConfig
from matcher.intervals import Interval

CONFIG = IntervalConfig(least_rows=400, trees=60, learning_rate=0.1)


def _world(rows: int, seed: int, wide: float = 1.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return signals and residuals that spread three times as far where ``x`` is 1."""
    rng = np.random.default_rng(seed)
    signals = pd.DataFrame(
        {"x": rng.integers(0, 2, rows).astype(float), "y": rng.normal(size=rows)}
    )
    return signals, rng.normal(0, wide, rows) * (0.3 + 0.6 * signals["x"].to_numpy())


def _coverage(interval: Interval, signals: pd.DataFrame, residual: np.ndarray) -> float:
    low, _, high = interval(signals, np.zeros(len(signals))).T
    return float(((residual >= low) & (residual <= high)).mean())


def test_forests_learn_for_whom_a_forecast_goes_far_astray() -> None:
    interval = Interval.fit(*_world(3000, 0), CONFIG, seed=0)
    signals, residual = _world(3000, 1)
    low, _, high = interval(signals, np.zeros(3000)).T
    wild = signals["x"] == 1
    assert (high - low)[wild].mean() > 2 * (high - low)[~wild].mean()
    for part in (wild, ~wild):
        assert _coverage(interval, signals[part], residual[part]) == pytest.approx(0.8, abs=0.05)


def test_few_rows_give_all_the_same_interval() -> None:
    signals, residual = _world(399, 0)
    interval = Interval.fit(signals, residual, CONFIG, seed=0)
    assert interval.forests == ()
    bounds = interval(signals, np.arange(399.0)) - np.arange(399.0)[:, None]
    np.testing.assert_allclose(bounds, np.tile(np.quantile(residual, [0.1, 0.5, 0.9]), (399, 1)))


@pytest.mark.parametrize("rows", [200, 2000])
def test_later_outcomes_that_spread_farther_widen_the_interval_until_it_holds(rows: int) -> None:
    interval = Interval.fit(*_world(rows, 0), CONFIG, seed=0)
    wider = interval.conformalised(*_world(500, 1, wide=2.0))
    assert _coverage(interval, *_world(5000, 2, wide=2.0)) < 0.65
    assert _coverage(wider, *_world(5000, 2, wide=2.0)) == pytest.approx(0.8, abs=0.05)


def test_coverage_holds_on_average_over_small_calibration_sets() -> None:
    interval = Interval.fit(*_world(300, 0), CONFIG, seed=0)
    test = _world(5000, 1)
    told = [_coverage(interval.conformalised(*_world(30, seed)), *test) for seed in range(2, 62)]
    assert np.mean(told) >= 0.79


def test_without_later_outcomes_nothing_moves() -> None:
    signals, residual = _world(300, 0)
    interval = Interval.fit(signals, residual, CONFIG, seed=0)
    assert interval.conformalised(signals.head(0), residual[:0]) is interval


@given(
    base=st.tuples(*[st.floats(-3, 3)] * 3),
    shift=st.tuples(*[st.floats(-3, 3)] * 3),
)
def test_quantiles_never_cross(base: tuple[float, ...], shift: tuple[float, ...]) -> None:
    signals = pd.DataFrame({"x": [0.0, 1.0]})
    bounds = Interval((), base, shift)(signals, np.array([5.0, 9.0]))
    assert (np.diff(bounds, axis=1) >= 0).all()
