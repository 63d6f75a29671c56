import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.config import IntervalConfig
from matcher.uncertainty import JOINT, Backcast, Uncertainty, from_normal, to_normal

CONFIG = IntervalConfig()


def _told(rows: int, together: float, seed: int = 0) -> Backcast:
    """Return collaborations whose views and engagement rates go astray together."""
    rng = np.random.default_rng(seed)
    z = rng.multivariate_normal([0, 0], [[1, together], [together, 1]], rows)
    views = np.round(np.exp(9 + 0.5 * z[:, 0]))
    acts = rng.poisson(views * 0.05 * np.exp(0.4 * z[:, 1])).astype(float)
    outcomes = pd.DataFrame({"views": views, "engagements": acts})
    logs = {"views": np.full(rows, 9.0), "engagement_rate": np.full(rows, np.log(0.05))}
    return Backcast(pd.DataFrame({"x": rng.normal(size=rows)}), outcomes, logs)


@pytest.mark.parametrize("together", [0.6, 0.0, -0.6])
def test_errors_that_go_together_are_found(together: float) -> None:
    known = Uncertainty.fit(_told(500, together), _told(500, together, 1), CONFIG, seed=0)
    assert known.correlation[0][1] == pytest.approx(together, abs=0.1)
    assert known.views is not None
    low, _, high = known.views(pd.DataFrame({"x": [0.0]}), np.zeros(1))[0]
    assert (low, high) == pytest.approx((-0.64, 0.64), abs=0.15)
    assert set(known.shapes) == {"engagement_rate"}


def test_few_collaborations_tell_of_no_dependence() -> None:
    known = Uncertainty.fit(_told(10, 0.9), _told(10, 0.9, 1), CONFIG, seed=0)
    assert known.correlation[0][1] == 0


def test_correlations_can_be_drawn_from() -> None:
    known = Uncertainty.fit(_told(60, 0.99), _told(40, 0.99, 1), CONFIG, seed=0)
    matrix = np.array(known.correlation)
    assert matrix.shape == (len(JOINT), len(JOINT))
    np.testing.assert_allclose(np.diag(matrix), 1)
    np.linalg.cholesky(matrix)


def test_one_brand_alone_still_has_intervals_from_later_outcomes() -> None:
    past, later = _told(100, 0.0), _told(200, 0.0, 1)
    unknown = {name: np.full(100, np.nan) for name in past.logs}
    known = Uncertainty.fit(Backcast(past.signals, past.outcomes, unknown), later, CONFIG, seed=0)
    assert known.views is not None
    assert known.shapes


def test_where_nothing_was_measured_nothing_is_known() -> None:
    told = _told(0, 0.0)
    known = Uncertainty.fit(told, told, CONFIG, seed=0)
    assert known.views is None
    assert known.shapes == {}


@given(st.floats(-4, 4), st.floats(-5, 5), st.floats(0.01, 3), st.floats(0.01, 3))
def test_normals_and_logs_turn_into_each_other(
    score: float, middle: float, below: float, above: float
) -> None:
    bounds = np.array([middle - below, middle, middle + above])
    log = from_normal(np.array([score]), bounds)
    np.testing.assert_allclose(to_normal(log, bounds[None, :]), [score], atol=1e-6)
    ends = from_normal(np.array([-1.2815515655446004, 0.0, 1.2815515655446004]), bounds)
    np.testing.assert_allclose(ends, bounds, atol=1e-9)
