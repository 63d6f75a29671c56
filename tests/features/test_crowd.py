"""Crowds that change say what counting by hand at each moment says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.crowd import Crowd
from features.statistics import group_medians, look_up


@given(seed=st.integers(0, 1000), moments=st.integers(1, 6))
def test_who_is_there_is_counted_as_by_hand(seed: int, moments: int) -> None:
    rng = np.random.default_rng(seed)
    group, value = rng.integers(-1, 3, 40), rng.integers(0, 5, 40) / 7.0
    value[rng.random(40) < 0.2] = np.nan
    first = rng.integers(0, moments, 40)
    past = first + rng.integers(0, 4, 40)
    asked, moment = rng.integers(-1, 4, 30), rng.integers(0, moments, 30)
    own = rng.integers(-1, 6, 30) / 7.0
    own[rng.random(30) < 0.1] = np.nan
    crowd = Crowd.of(group, value, first, past)
    found = crowd.stand(asked, moment, own)
    shares = crowd.place(asked, moment, own)["share"]
    for row in range(len(asked)):
        there = (group == asked[row]) & (first <= moment[row]) & (moment[row] < past)
        others = value[there & ~np.isnan(value) & (asked[row] >= 0)]
        below, upto = np.sum(others < own[row]), np.sum(others <= own[row])
        assert found.count[row] == len(others)
        assert (found.below[row], found.upto[row]) == (below, upto)
        if not len(others):
            assert np.isnan([found.median[row], found.spread[row], shares[row]]).all()
            continue
        assert found.median[row] == np.median(others)
        assert found.spread[row] == np.median(np.abs(others - np.median(others)))
        share = np.nan if np.isnan(own[row]) else (below + upto) / 2 / len(others)
        np.testing.assert_array_equal(shares[row], share)


@given(seed=st.integers(0, 1000), size=st.integers(1, 40))
def test_of_one_moment_it_is_the_median_of_groups_to_the_last_bit(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    group, value = rng.integers(-1, 3, size), rng.normal(size=size)
    now = np.zeros(size, dtype=np.int64)
    names, middle = group_medians(group, value)
    usual = look_up(names, middle, group)
    crowd = Crowd.of(group, value, now, now + 1)
    assert crowd.spells is None
    found = crowd.stand(group, now)
    np.testing.assert_array_equal(found.median, usual)
    names, apart = group_medians(group, np.abs(value - usual))
    np.testing.assert_array_equal(found.spread, look_up(names, apart, group))
    # Those of a moment are those of the same moment among others.
    among = Crowd.of(group, value, now, now + 2)
    assert (among.spells is None) == (not (group >= 0).any())
    for asked in (value, rng.normal(size=size)):
        one, other = crowd.stand(group, now, asked), among.stand(group, now + 1, asked)
        for name in ("count", "below", "upto", "median", "spread"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert not crowd.stand(group, now + 1).count.any()


def test_nobody_is_nowhere() -> None:
    none = np.empty(0, dtype=np.int64)
    crowd = Crowd.of(none, np.empty(0), none, none)
    asked = np.array([0, -1])
    assert crowd.stand(asked, asked).count.tolist() == [0, 0]
    assert np.isnan(crowd.medians(asked, asked)).all()
    assert not len(crowd.place(none, none, np.empty(0))["share"])
