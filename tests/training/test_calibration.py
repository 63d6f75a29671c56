from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, mean_poisson_deviance

from training.calibration import brier_score, calibration_error, noise_floor, poisson_deviance


def test_calibration_error_by_hand():
    p = [0.1, 0.1, 0.8, 0.8]
    y = [0, 0, 1, 0]
    # Two bins of two: |0 - .1| and |.5 - .8|, half the mass each.
    assert calibration_error(p, y, bins=2) == pytest.approx(0.5 * 0.1 + 0.5 * 0.3)


def test_bins_hold_equal_mass_not_equal_rows():
    p = [0.1, 0.2, 0.3, 0.9]
    y = [0.0, 0.0, 1.0, 1.0]
    # The last row weighs as much as the others together and so has its bin alone.
    expected = (abs(-0.1 - 0.2 + 0.7) + 3 * 0.1) / 6
    assert calibration_error(p, y, weight=[1, 1, 1, 3], bins=2) == pytest.approx(expected)


def test_equal_forecasts_share_a_bin_whatever_the_row_order():
    p = np.full(100, 0.5)
    y = np.repeat([0, 1], 50)
    assert calibration_error(p, y) == 0
    order = np.random.default_rng(0).permutation(100)
    assert calibration_error(p[order], y[order]) == 0


def test_a_rate_with_exposure_equals_its_single_trials():
    rates = calibration_error([0.2, 0.7], [0.25, 0.5], weight=[4, 2], bins=2)
    singles = calibration_error([0.2] * 4 + [0.7] * 2, [1, 0, 0, 0, 1, 0], bins=2)
    assert rates == pytest.approx(singles)


@pytest.mark.parametrize(("rows", "expected"), [(200, 0.033), (1000, 0.015), (5000, 0.007)])
def test_a_perfect_model_has_the_error_of_its_size(rows, expected):
    """Mean over draws at a 5% base rate; the floor, the 95th percentile, lies above it."""
    rng = np.random.default_rng(1)
    p = np.clip(rng.beta(1, 19, rows), 0, 1)
    errors = [calibration_error(p, rng.random(rows) < p) for _ in range(200)]
    assert np.mean(errors) == pytest.approx(expected, rel=0.3)
    assert noise_floor(p, draws=200) > np.mean(errors)


def test_the_noise_floor_is_passed_by_one_honest_model_in_twenty():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.02, 0.3, 400)
    trials = rng.integers(1, 20, 400)
    floor = noise_floor(p, trials, draws=1000, seed=3)
    errors = [calibration_error(p, rng.binomial(trials, p) / trials, trials) for _ in range(400)]
    assert 0.02 < np.mean(np.array(errors) > floor) < 0.09


def test_a_biased_model_is_above_the_floor():
    rng = np.random.default_rng(4)
    p = rng.uniform(0.02, 0.3, 2000)
    y = rng.random(2000) < p * 0.5
    assert calibration_error(p, y) > noise_floor(p)


def test_the_floor_is_the_same_for_a_seed():
    p = np.linspace(0.1, 0.9, 50)
    assert noise_floor(p, draws=50, seed=1) == noise_floor(p, draws=50, seed=1)
    assert noise_floor(p, draws=50, seed=1) != noise_floor(p, draws=50, seed=2)


def test_brier_agrees_with_scikit_learn():
    rng = np.random.default_rng(5)
    p, y, w = rng.random(100), rng.integers(0, 2, 100), rng.random(100)
    assert brier_score(p, y, w) == pytest.approx(brier_score_loss(y, p, sample_weight=w))


def test_poisson_deviance_agrees_with_scikit_learn():
    rng = np.random.default_rng(6)
    exposure = rng.integers(1, 500, 200)
    rate = rng.uniform(0.001, 0.1, 200)
    count = rng.poisson(rate * exposure)
    expected = mean_poisson_deviance(count / exposure, rate, sample_weight=exposure)
    assert poisson_deviance(rate, count, exposure) == pytest.approx(expected)


def test_poisson_deviance_at_its_edges():
    assert poisson_deviance([0.1, 0.5], [1, 0], [10, 0]) == 0  # exact; no exposure says nothing
    assert poisson_deviance([0.0], [0], [10]) == 0
    assert poisson_deviance([0.0], [1], [10]) == math.inf


def test_nothing_to_judge_is_nan():
    for value in (
        brier_score([], []),
        calibration_error([], []),
        calibration_error([0.5], [1], weight=[0]),
        noise_floor([]),
        poisson_deviance([], [], []),
        poisson_deviance([0.5], [0], [0]),
    ):
        assert math.isnan(value)


def test_refuses_what_is_no_share():
    with pytest.raises(ValueError, match="Got p outside 0-1 or NaN"):
        calibration_error([1.2], [1])
    with pytest.raises(ValueError, match="Got y outside 0-1 or NaN"):
        brier_score([0.5], [math.nan])
    with pytest.raises(ValueError, match="Got a weight that is negative"):
        brier_score([0.5], [1], weight=[-1])
    with pytest.raises(ValueError, match="Got 2 p, 1 y and 2 weights"):
        brier_score([0.5, 0.5], [1])
    with pytest.raises(ValueError, match="Got bins=0"):
        calibration_error([0.5], [1], bins=0)
    with pytest.raises(ValueError, match="no whole numbers"):
        noise_floor([0.5], 1.5)


def test_refuses_counts_that_cannot_be():
    with pytest.raises(ValueError, match="Got a rate that is negative"):
        poisson_deviance([-0.1], [0], [1])
    with pytest.raises(ValueError, match="Got a count above 0 where exposure is 0"):
        poisson_deviance([0.1], [1], [0])
