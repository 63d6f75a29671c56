from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from training.split import PARTS, TimeSplit, brand_folds

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2025-01-01", tz="UTC")


def briefs_at(days: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "brief_id": [f"b{i}" for i in range(len(days))],
            "decided_at": START + pd.to_timedelta(days, unit="D"),
        }
    )


def briefs_of(brands: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"brief_id": [f"b{i}" for i in range(len(brands))], "brand_id": brands})


def test_cuts_belong_to_the_later_part_and_embargo_lies_before_them():
    split = TimeSplit(START + 10 * DAY, START + 20 * DAY, embargo=3 * DAY)
    days = [6, 7, 9, 10, 16, 17, 19, 20]
    parts = split.part(briefs_at(days)).tolist()
    assert parts == [
        "train",
        "embargo",
        "embargo",
        "valid",
        "valid",
        "embargo",
        "embargo",
        "test",
    ]


def test_part_keeps_the_index_of_briefs():
    briefs = briefs_at([0, 15, 30]).set_axis([7, 3, 3])
    part = TimeSplit(START + 10 * DAY, START + 20 * DAY).part(briefs)
    pd.testing.assert_series_equal(
        part, pd.Series(["train", "valid", "test"], index=[7, 3, 3], name="part", dtype="str")
    )


def test_by_share_takes_the_latest():
    part = (split := TimeSplit.by_share(briefs_at(list(range(100))))).part(briefs_at(range(100)))
    assert part.value_counts().to_dict() == {"train": 65, "test": 20, "valid": 15}
    assert split == TimeSplit(START + 65 * DAY, START + 80 * DAY)


def test_by_share_takes_the_embargo_out_of_training():
    briefs = briefs_at(list(range(100)))
    part = TimeSplit.by_share(briefs, embargo=5 * DAY).part(briefs)
    assert part.value_counts().to_dict() == {"train": 55, "test": 20, "valid": 15, "embargo": 10}


@given(
    days=st.lists(st.integers(0, 400), min_size=5, max_size=60),
    embargo=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_what_always_holds_of_a_time_split(days: list[int], embargo: int, seed: int):
    briefs = briefs_at(days)
    try:
        split = TimeSplit.by_share(briefs, embargo=embargo * DAY)
    except ValueError:
        assume(False)
    shuffled = briefs.sample(frac=1, random_state=seed)
    assert TimeSplit.by_share(shuffled, embargo=embargo * DAY) == split
    part = split.part(shuffled)
    decided = shuffled["decided_at"]
    assert part.index.equals(shuffled.index)  # nothing lost
    assert set(part) <= set(PARTS)
    assert {"train", "valid", "test"} <= set(part)
    assert (decided[part == "train"] < split.valid_from - split.embargo).all()
    assert (decided[part == "valid"] >= split.valid_from).all()
    assert (decided[part == "valid"] < split.test_from - split.embargo).all()
    assert (decided[part == "test"] >= split.test_from).all()
    assert (part[decided >= split.test_from] == "test").all()


@given(
    days=st.lists(st.integers(0, 900), min_size=20, max_size=80),
    embargo=st.integers(0, 30),
    origins=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_what_always_holds_of_rolling_origins(
    days: list[int], embargo: int, origins: int, seed: int
):
    briefs = briefs_at(days).sample(frac=1, random_state=seed)
    decided = briefs["decided_at"]
    try:
        splits = TimeSplit.rolling(briefs, origins, valid=0.1, test=0.15, embargo=embargo * DAY)
    except ValueError:
        assume(False)
    assert len(splits) == origins
    assert splits[0] == TimeSplit.by_share(briefs, 0.1, 0.15, embargo * DAY)
    parts = pd.DataFrame({i: split.part(briefs) for i, split in enumerate(splits)})
    assert parts.isin(PARTS).all(axis=None)  # nothing lost
    tested = parts == "test"
    assert (tested.sum(axis=1) <= 1).all()  # no brief in two tests
    assert tested.any().all()
    # Windows of test meet: whatever was decided since the first of them is tested once.
    assert (tested.any(axis=1) == (decided >= splits[-1].test_from)).all()
    for place, split in enumerate(splits):
        part = parts[place]
        assert (part == "train").any()
        assert (part == "valid").any()
        assert (decided[part == "train"] < split.valid_from - split.embargo).all()
        assert (decided[part == "valid"] >= split.valid_from).all()
        assert (decided[part == "valid"] < split.test_from - split.embargo).all()
        guarded = (decided >= split.test_from - split.embargo) & (decided < split.test_from)
        guarded |= (decided >= split.valid_from - split.embargo) & (decided < split.valid_from)
        assert (part[guarded] == "embargo").all()
        if split.test_until is not None:
            assert (part[decided >= split.test_until] == "later").all()


def test_rolling_origins_take_turns_to_test():
    briefs = briefs_at(list(range(100)))
    latest, before = TimeSplit.rolling(briefs, 2)
    assert latest == TimeSplit.by_share(briefs)
    assert before == TimeSplit(START + 55 * DAY, START + 70 * DAY, test_until=START + 80 * DAY)
    counts = before.part(briefs).value_counts().to_dict()
    assert counts == {"train": 55, "valid": 15, "test": 10, "later": 20}


def test_refuses_more_origins_than_there_is_past():
    briefs = briefs_at(list(range(100)))
    with pytest.raises(ValueError, match=r"for 9 origins \(at origin 8 from the latest\)"):
        TimeSplit.rolling(briefs, 9)
    with pytest.raises(ValueError, match="Got origins=0"):
        TimeSplit.rolling(briefs, 0)
    with pytest.raises(ValueError, match="leave no time to test in"):
        TimeSplit(START, START + DAY, test_until=START + DAY)


def test_refuses_cuts_that_leave_nothing():
    with pytest.raises(ValueError, match="leave no time to validate"):
        TimeSplit(START, START)
    with pytest.raises(ValueError, match="leave no time to validate"):
        TimeSplit(START, START + DAY, embargo=DAY)
    with pytest.raises(ValueError, match="expected a time with its time zone"):
        TimeSplit(pd.Timestamp("2025-01-01"), START)
    with pytest.raises(ValueError, match="Got embargo=-1 days"):
        TimeSplit(START, START + DAY, embargo=-DAY)


def test_by_share_refuses_what_it_cannot_split():
    with pytest.raises(ValueError, match="expected shares above 0"):
        TimeSplit.by_share(briefs_at([1, 2, 3]), valid=0.5, test=0.5)
    with pytest.raises(ValueError, match="Got no briefs"):
        TimeSplit.by_share(briefs_at([]))
    with pytest.raises(ValueError, match="too few or too close"):
        TimeSplit.by_share(briefs_at([1, 1, 1, 1]))
    with pytest.raises(ValueError, match="too few or too close"):
        TimeSplit.by_share(briefs_at(list(range(10))), embargo=30 * DAY)


def test_open_briefs_are_in_no_part():
    briefs = briefs_at([0, 15, 30])
    briefs.loc[1, "decided_at"] = pd.NaT
    with pytest.raises(ValueError, match="Got 1 briefs without decided_at"):
        TimeSplit(START, START + DAY).part(briefs)


@given(
    brands=st.lists(st.sampled_from("ABCDEFGH"), min_size=3, max_size=60),
    folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_what_always_holds_of_brand_folds(brands: list[str], folds: int, seed: int):
    assume(len(set(brands)) >= folds)
    briefs = briefs_of(brands)
    fold = brand_folds(briefs, folds, seed)
    assert fold.index.tolist() == briefs["brief_id"].tolist()  # nothing lost
    assert set(fold) == set(range(folds))
    dealt = pd.DataFrame({"brand": brands, "fold": fold.to_numpy()}).drop_duplicates()
    assert len(dealt) == len(set(brands))  # no brand in two folds
    shuffled = brand_folds(briefs.sample(frac=1, random_state=seed), folds, seed)
    pd.testing.assert_series_equal(shuffled.loc[fold.index], fold)


def test_folds_are_balanced_by_positives():
    rng = np.random.default_rng(0)
    briefs = briefs_of([f"brand{i:03d}" for i in rng.integers(0, 120, 1000)])
    positives = pd.Series(rng.geometric(0.05, 1000), index=briefs["brief_id"])
    fold = brand_folds(briefs, 5, seed=1, positives=positives)
    load = positives.groupby(fold).sum()
    assert load.max() - load.min() < 0.02 * load.mean()


def test_brands_without_positives_are_dealt_out_too():
    briefs = briefs_of(list("ABCDEFGHIJ"))
    fold = brand_folds(briefs, 5, seed=0, positives=pd.Series({"b0": 3}))
    assert fold.value_counts().max() == 3  # the nine without go to the four other folds


def test_the_seed_deals_equal_brands_anew():
    briefs = briefs_of([f"brand{i}" for i in range(20)])
    assert brand_folds(briefs, 4, seed=0).equals(brand_folds(briefs, 4, seed=0))
    assert not brand_folds(briefs, 4, seed=0).equals(brand_folds(briefs, 4, seed=1))


def test_refuses_more_folds_than_brands():
    with pytest.raises(ValueError, match="Got folds=3 but expected 2 to 2"):
        brand_folds(briefs_of(["A", "A", "B"]), 3, seed=0)
