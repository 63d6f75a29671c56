import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.statistics import (
    effective_rows,
    group_medians,
    look_up,
    row_mean,
    row_quantile,
)

VALUES = st.floats(-100, 100) | st.just(np.nan)


@given(values=arrays(float, (4, 7), elements=VALUES), share=st.sampled_from([0.0, 0.1, 0.5, 0.9]))
def test_rows_are_as_numpy_has_them_without_gaps(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]], share: float
) -> None:
    for row, mean, quantile in zip(
        values, row_mean(values), row_quantile(values, share), strict=True
    ):
        known = row[~np.isnan(row)]
        if len(known):
            assert mean == pytest.approx(known.mean(), abs=1e-9)
            assert quantile == pytest.approx(np.quantile(known, share), abs=1e-9)
        else:
            assert np.isnan(mean)
            assert np.isnan(quantile)


def test_medians_of_groups() -> None:
    groups = np.array([2, 2, 0, -1, 0, 5])
    names, medians = group_medians(groups, np.array([1.0, 4.0, 7.0, 9.0, np.nan, np.nan]))
    assert names.tolist() == [0, 2]
    assert medians.tolist() == [7.0, 2.5]
    found = look_up(names, medians, np.array([2, 1, -1]))
    assert found[0] == 2.5
    assert np.isnan(found[1:]).all()
    assert np.isnan(look_up(names[:0], medians[:0], np.array([1]))).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=80))
def test_effective_rows_are_no_more_than_rows(rows: list[tuple[int, int]]) -> None:
    codes = np.array([code for code, _ in rows])
    brief = pd.factorize(np.array([brief for _, brief in rows]))[0].astype(np.int64)
    assert 0 <= effective_rows(codes, brief) <= len(rows)
    assert effective_rows(codes, None) == len(rows)


def test_rows_of_briefs_that_are_all_alike_count_once_a_brief() -> None:
    codes = np.repeat(np.tile([0, 1], 20), 8)
    brief = np.repeat(np.arange(40), 8)
    assert effective_rows(codes, brief) == pytest.approx(40, rel=0.05)
