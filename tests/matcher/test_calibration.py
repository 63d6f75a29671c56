import numpy as np
import pytest

from matcher.calibration import BLOCK_ROWS, ISOTONIC_ROWS, Calibration


def _bent(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return margins, chances that no logistic curve has, and what came of them."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(size=rows)
    chance = np.where(margin < 0, 0.1, 0.1 + 0.3 * np.minimum(margin, 2.0))
    return margin, chance, rng.random(rows) < chance


def test_much_data_bends_the_curve_to_what_came() -> None:
    margin, chance, success = _bent(20_000)
    curve = Calibration.fit(margin, success)
    plain = Calibration(curve.slope, curve.intercept, curve.seen)
    assert curve.knots
    assert np.abs(curve(margin) - chance).mean() < 0.6 * np.abs(plain(margin) - chance).mean()


def test_little_data_keeps_two_numbers() -> None:
    margin, _, success = _bent(ISOTONIC_ROWS - 1)
    assert Calibration.fit(margin, success).knots == ()


def test_knots_rise_and_rest_on_many_outcomes() -> None:
    margin, _, success = _bent(ISOTONIC_ROWS)
    curve = Calibration.fit(margin, success)
    said, came = np.array(curve.knots).T
    assert (np.diff(said) > 0).all()
    assert (np.diff(came) > 0).all()
    assert len(said) <= ISOTONIC_ROWS / BLOCK_ROWS
    told = curve(np.linspace(-6, 6, 500))
    assert (np.diff(told) >= 0).all()
    assert ((told > 0) & (told < 1)).all()


def test_rows_count_by_their_weight() -> None:
    margin, _, success = _bent(1000)
    twice = Calibration.fit(margin, success, np.full(1000, 2.0))
    doubled = Calibration.fit(np.tile(margin, 2), np.tile(success, 2))
    assert twice.seen == doubled.seen == 2000
    assert twice.slope == pytest.approx(doubled.slope, rel=1e-4)
    none = np.append(np.ones(1000), np.zeros(500))
    padded = Calibration.fit(
        np.append(margin, np.ones(500)), np.append(success, [True] * 500), none
    )
    assert padded.slope == pytest.approx(Calibration.fit(margin, success).slope, rel=1e-4)
