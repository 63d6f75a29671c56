import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clusters import WEIGHT_STEPS, find_subjects, find_topics
from features.timeline import Floats, Ints


def cosines(vectors: Floats) -> Floats:
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit @ np.swapaxes(unit, -1, -2)


def posts(rng: np.random.Generator, topic: Ints, alike: float, width: int = 256) -> Floats:
    """Return vectors whose cosine is `alike` within a topic and about 0 between topics."""
    centres, _ = np.linalg.qr(rng.normal(size=(width, topic.max() + 1)))
    strays = rng.normal(size=(len(topic), width)) / np.sqrt(width)
    return np.sqrt(alike) * centres.T[topic] + np.sqrt(1 - alike) * strays


def same_groups(left: Ints, right: Ints) -> bool:
    return np.array_equal(left[:, None] == left, right[:, None] == right)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), alike=st.floats(0.3, 0.9), topics=st.integers(1, 3))
def test_subjects_are_found_whatever_their_number(seed: int, alike: float, topics: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(3), [14, 9, 7])) % topics
    weight = np.full((1, 30), WEIGHT_STEPS)
    near = cosines(posts(rng, truth, alike))[None]
    topic = find_topics(near, weight, most=3)
    assert (np.diff(np.bincount(topic[0])) <= 0).all(), "the heaviest comes first"
    subject = find_subjects(near, weight, topic, most=3)
    assert same_groups(subject[0, topic[0]], truth)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), most=st.integers(1, 5))
def test_a_group_alone_is_as_among_others(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    near = cosines(rng.normal(size=(40, 12, 3)))
    weight = rng.integers(0, 2 * WEIGHT_STEPS, (40, 12)) * (rng.random((40, 12)) < 0.8)
    found = find_topics(near, weight, most)
    assert ((found >= 0) == (weight > 0)).all()
    assert found.max() < most
    subjects = find_subjects(near, weight, found, most)
    assert (subjects <= np.arange(most)).all(), "a subject is named by its heaviest topic"
    assert ((subjects >= 0).sum(axis=1) == found.max(axis=1) + 1).all()
    for row in range(0, 40, 7):
        alone = find_topics(near[[row]], weight[[row]], most)
        np.testing.assert_array_equal(alone[0], found[row])
        subject = find_subjects(near[[row]], weight[[row]], alone, most)
        np.testing.assert_array_equal(subject[0], subjects[row])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_places_without_weight_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    near = cosines(rng.normal(size=(1, 9, 3)))
    weight = rng.integers(1, WEIGHT_STEPS, (1, 9))
    weight[0, [2, 5]] = 0
    kept = np.flatnonzero(weight[0])
    found = find_topics(near, weight, 3)[0]
    alone = find_topics(near[:, kept][:, :, kept], weight[:, kept], 3)[0]
    np.testing.assert_array_equal(found[kept], alone)


def test_a_stray_vector_is_no_topic_while_a_larger_one_is_without() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0] * 8 + [1] * 6 + [2])
    near = cosines(posts(rng, truth, 0.6))[None]
    found = find_topics(near, np.full((1, 15), WEIGHT_STEPS), most=2)[0]
    assert same_groups(found[:14], truth[:14])


def test_weight_decides_where_vectors_cannot() -> None:
    near = np.eye(3)[None]
    found = find_topics(near, np.array([[1, 5, 3]]), most=3)
    assert found.tolist() == [[2, 0, 1]]


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (2, 4)])
def test_nothing_has_no_topics(shape: tuple[int, int]) -> None:
    near, weight = np.zeros((*shape, shape[1])), np.zeros(shape, dtype=np.int64)
    topic = find_topics(near, weight, most=3)
    assert (topic == -1).all()
    assert (find_subjects(near, weight, topic, most=3) == -1).all()


def test_opposites_that_cancel_stop_nothing() -> None:
    line = cosines(np.array([[[1.0], [-1.0], [1.0], [-1.0]]]))
    assert find_topics(line, np.full((1, 4), 7), most=1).tolist() == [[0, 0, 0, 0]]
    assert find_topics(line, np.full((1, 4), 7), most=3).tolist() == [[0, 1, 0, 1]]
