import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import multivariate_normal, norm

from training.calibration import calibration_error, noise_floor
from training.shared_luck import MOST, draw_together, shared_luck

ROWS, BRANDS = 600, 40


def world(seed: int, correlation: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return chances that differ by brand, what came of them, and brands."""
    rng = np.random.default_rng(seed)
    brand = rng.integers(0, BRANDS, ROWS)
    level = rng.normal(0, 1, BRANDS)
    chance = expit(level[brand] + rng.normal(0, 0.7, ROWS))
    return chance, draw_together(norm.ppf(chance), brand, correlation, rng).astype(float), brand


def test_every_chance_stays_what_it_is() -> None:
    chance, brand = np.array([0.1, 0.5, 0.9]), np.zeros(3, dtype=np.int64)
    rng = np.random.default_rng(0)
    drawn = np.array([draw_together(norm.ppf(chance), brand, 0.4, rng) for _ in range(8000)])
    assert drawn.mean(axis=0) == pytest.approx(chance, abs=0.02)
    both = multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]]).cdf(norm.ppf([0.1, 0.5]))
    assert (drawn[:, 0] & drawn[:, 1]).mean() == pytest.approx(both, abs=0.01)


@pytest.mark.parametrize("truth", [0.1, 0.3, 0.6])
def test_shared_luck_is_estimated(truth: float) -> None:
    found = [shared_luck(*world(seed, truth)) for seed in range(30)]
    assert np.mean(found) == pytest.approx(truth, abs=0.05)


def test_independent_outcomes_share_next_to_nothing() -> None:
    found = [shared_luck(*world(seed, 0.0)) for seed in range(30)]
    assert np.mean(found) < 0.02
    assert np.median(found) < 0.01


def test_what_tells_nothing_of_shared_luck_is_none() -> None:
    chance, came, _ = world(0, 0.5)
    assert shared_luck(chance, came, np.arange(ROWS)) == 0  # nobody shares a brand
    assert shared_luck(chance, came, np.zeros(ROWS)) == 0  # or all do
    assert shared_luck([], [], []) == 0
    same = np.repeat(np.arange(20) % 2, 10).astype(float)
    assert shared_luck(np.full(200, 0.5), same, np.repeat(np.arange(20), 10)) == MOST


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.8), (0.4, 0.0)])
def test_wrong_chances_are_not_taken_for_shared_luck(slope: float, shift: float) -> None:
    """Independent outcomes of chances that are wrong in level, or too far apart."""
    shared, caught = [], 0
    for seed in range(20):
        chance, came, brand = world(seed, 0.0)
        said = expit((logit(chance) - shift) / slope)
        shared.append(shared_luck(said, came, brand))
        floor = noise_floor(said, draws=150, cluster=brand, correlation=shared[-1])
        caught += calibration_error(said, came) > floor
    assert np.mean(shared) < 0.06
    assert caught >= 19


def test_the_floor_rises_with_shared_luck_alone() -> None:
    chance, _, brand = world(1, 0.0)
    alone = noise_floor(chance)
    assert noise_floor(chance, cluster=brand) == alone
    together = [noise_floor(chance, cluster=brand, correlation=r) for r in (1e-9, 0.2, 0.5)]
    assert together[0] == pytest.approx(alone, rel=0.1)
    assert alone * 1.15 < together[1] < together[2]
    each = noise_floor(chance, cluster=np.arange(ROWS), correlation=0.5)
    assert each == pytest.approx(alone, rel=0.1)


def test_an_honest_model_of_shared_luck_is_under_its_floor_and_a_wrong_one_is_not() -> None:
    under, blind, caught = 0, 0, 0
    for seed in range(25):
        chance, came, brand = world(seed, 0.2)
        shared = shared_luck(chance, came, brand)
        floor = noise_floor(chance, draws=150, cluster=brand, correlation=shared)
        under += calibration_error(chance, came) <= floor
        blind += calibration_error(chance, came) <= noise_floor(chance, draws=150)
        said = expit(logit(chance) - 1.2)
        shared = shared_luck(said, came, brand)
        floor = noise_floor(said, draws=150, cluster=brand, correlation=shared)
        caught += calibration_error(said, came) > floor
    assert under >= 22
    assert blind < under - 2  # independent luck would condemn honest models
    assert caught >= 24


def test_refuses_what_cannot_be_drawn_together() -> None:
    with pytest.raises(ValueError, match=r"Got correlation=1\.5 but expected 0-1"):
        noise_floor([0.5, 0.5], cluster=["a", "a"], correlation=1.5)
    with pytest.raises(ValueError, match="Got clusters of rates but expected yes-or-no outcomes"):
        noise_floor([0.5, 0.5], [3, 1], cluster=["a", "a"], correlation=0.5)
