import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import features.search
from features.search import Places


def drawn(rows: int, width: int = 8, seed: int = 0) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(rows, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def test_the_nearest_come_first_and_only_those_asked_about() -> None:
    places = Places.of(np.arange(4), np.eye(4, dtype=np.float32), 4)
    question = np.array([[0.0, 0.9, 0.4, 0.1]], dtype=np.float32)
    (found,) = places.nearest([question], np.array([0, 2, 3]), 2)
    assert found.owners.tolist() == [2, 3]
    assert found.cosines.tolist() == sorted(found.cosines, reverse=True)


def test_an_owner_is_as_near_as_its_nearest_place() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.8, 0.6]], dtype=np.float32)
    places = Places.of(np.array([1, 1, 0]), vectors, 3)
    (found,) = places.nearest([np.array([[0.0, 1.0]])], np.arange(3), 3)
    assert found.owners.tolist() == [1, 0]  # owner 2 stands nowhere
    assert found.cosines.tolist() == pytest.approx([1.0, 0.6], abs=1e-5)


def test_a_question_of_several_vectors_asks_for_the_nearest_to_any() -> None:
    places = Places.of(np.arange(3), np.eye(3, dtype=np.float32), 3)
    found = places.nearest([np.eye(3, dtype=np.float32)[[0, 2]]], np.arange(3), 2)
    assert found[0].owners.tolist() == [0, 2]


def test_who_points_nowhere_is_not_found_and_who_asks_nothing_finds_nobody() -> None:
    vectors = np.array([[0, 0], [1, 0]], dtype=np.float32)
    places = Places.of(np.arange(2), vectors, 2)
    nothing, something = places.nearest([np.zeros((1, 2)), np.ones((1, 2))], np.arange(2), 5)
    assert nothing.owners.tolist() == []
    assert something.owners.tolist() == [1]
    assert places.nearest([np.empty((0, 2))], np.arange(2), 5)[0].owners.tolist() == []


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 60),
    share=st.floats(0.05, 1.0),
    block=st.sampled_from([1, 7, 64]),
)
def test_what_is_found_is_what_a_full_sort_finds(
    seed: int, count: int, share: float, block: int
) -> None:
    rng = np.random.default_rng(seed)
    owner = np.sort(rng.integers(0, 50, 120))
    vectors = drawn(120, seed=seed)
    places = Places.of(owner, vectors, 50)
    owners = np.flatnonzero(rng.random(50) < share)
    questions = [drawn(1, seed=seed + 1), drawn(3, seed=seed + 2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features.search, "_BLOCK", block)
        found = places.nearest(questions, owners, count)
    for question, answer in zip(questions, found, strict=True):
        near = (vectors.astype(np.float64) @ question.T.astype(np.float64)).max(axis=1)
        best = {o: near[owner == o].max() for o in owners if (owner == o).any()}
        assert len(answer.owners) == min(count, len(best))
        expected = sorted(best.values(), reverse=True)[:count]
        np.testing.assert_allclose(answer.cosines, expected, atol=1e-5)
        assert set(answer.owners.tolist()) <= set(best)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), block=st.sampled_from([3, 16, 4096]))
def test_a_question_finds_the_same_alone_and_among_others_to_the_last_bit(
    seed: int, block: int
) -> None:
    # Twins, half of them a float32 step apart, fight for the last place.
    vectors = np.repeat(drawn(40, width=64, seed=seed), 2, axis=0)
    vectors[::4] = np.nextafter(vectors[::4], np.float32(1))
    places = Places.of(np.arange(80), vectors, 80)
    questions = [drawn(1, width=64, seed=seed + i) for i in range(1, 9)]
    together = places.nearest(questions, np.arange(80), 11)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features.search, "_BLOCK", block)
        alone = [places.nearest([question], np.arange(80), 11)[0] for question in questions]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.owners, other.owners)
        np.testing.assert_array_equal(one.cosines, other.cosines)


def test_equally_near_owners_come_in_ascending_order() -> None:
    vectors = np.tile(drawn(1), (9, 1))
    places = Places.of(np.arange(9), vectors, 9)
    (found,) = places.nearest([drawn(1)], np.arange(9), 4)
    assert found.owners.tolist() == [0, 1, 2, 3]
