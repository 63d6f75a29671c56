import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.similarity import cosines


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), width=st.sampled_from([1, 3, 64, 511]))
def test_cosines_are_right_and_the_same_in_any_company(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    left = rng.normal(size=(20, width)).astype(np.float32)
    right = rng.normal(size=(50, width)).astype(np.float32)
    of, to = rng.integers(-1, 20, 200), rng.integers(-1, 50, (200, 4))
    found = cosines(left, right, of, to)
    for row in range(0, 200, 23):
        alone = cosines(left, right, of[[row]], to[[row]])
        np.testing.assert_array_equal(alone[0], found[row])
        for slot in range(4):
            if of[row] < 0 or to[row, slot] < 0:
                assert np.isnan(found[row, slot])
                continue
            a, b = left[of[row]].astype(float), right[to[row, slot]].astype(float)
            exact = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            assert found[row, slot] == pytest.approx(exact, abs=2e-5)


def test_a_zero_vector_has_no_cosine() -> None:
    vectors = np.array([[0.0, 0.0], [1.0, 0.0]])
    found = cosines(vectors, vectors, np.array([0, 1]), np.array([[1], [1]]))
    assert np.isnan(found[0, 0])
    assert found[1, 0] == 1.0
