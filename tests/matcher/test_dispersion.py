import numpy as np
import pytest

from matcher.dispersion import fit_shape, gamma_factor, normal_scores


def _counts(shape: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    expected = rng.uniform(2, 200, rows)
    return rng.poisson(expected * rng.gamma(shape, 1 / shape, rows)).astype(float), expected


@pytest.mark.parametrize("shape", [1.5, 8.0, 40.0])
def test_the_shape_of_overdispersed_counts_is_found(shape: float) -> None:
    count, expected = _counts(shape)
    assert fit_shape(count, expected, np.ones(len(count))) == pytest.approx(shape, rel=0.15)


def test_a_few_counts_say_little() -> None:
    count, expected = np.array([10.0, 10.0]), np.array([10.0, 10.0])
    assert 3 < fit_shape(count, expected, np.ones(2)) < 30


def test_rows_count_by_their_weight() -> None:
    (wild, at), (tame, near) = _counts(1.0, 500), _counts(50.0, 500)
    count, expected = np.concatenate([wild, tame]), np.concatenate([at, near])
    weight = np.repeat([1e-6, 1.0], 500)
    alone = fit_shape(tame, near, np.ones(500))
    assert fit_shape(count, expected, weight) == pytest.approx(alone, rel=0.01)


def test_places_of_counts_are_standard_normal_if_the_shape_is_right() -> None:
    count, expected = _counts(8.0)
    score = normal_scores(count, expected, 8.0)
    assert score.mean() == pytest.approx(0, abs=0.05)
    assert score.std() == pytest.approx(1, abs=0.05)
    assert np.isfinite(normal_scores(np.array([1e9, 0.0]), np.array([1.0, 1e6]), 8.0)).all()


def test_gamma_factors_have_mean_one_and_keep_the_order() -> None:
    factor = gamma_factor(np.random.default_rng(0).standard_normal(100_000), 4.0)
    assert factor.mean() == pytest.approx(1, abs=0.01)
    assert factor.std() == pytest.approx(0.5, abs=0.01)
    assert (np.diff(gamma_factor(np.linspace(-4, 4, 50), 4.0)) > 0).all()
