import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.risk import WEIGHTS, risk_parts, total_risk

SIGNALS = (
    "reputation.burden",
    "reputation.worst_open",
    "reach.suspicious_share",
    "record.cancelled_rate",
    "sponsored.share",
)
VALUES = st.lists(st.one_of(st.floats(0, 3), st.just(np.nan)), min_size=5, max_size=5)


def _signals(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame([dict(zip(SIGNALS, values, strict=True))])


@given(VALUES)
def test_risk_and_its_parts_are_shares(values: list[float]) -> None:
    parts = risk_parts(_signals(values))
    assert list(parts) == list(WEIGHTS)
    assert ((parts >= 0) & (parts <= 1)).all(axis=None)
    assert 0 <= total_risk(_signals(values)).item() < 1


@given(VALUES, st.integers(0, 4), st.floats(0, 3))
def test_more_of_anything_bad_never_lowers_the_risk(
    values: list[float], which: int, more: float
) -> None:
    worse = list(values)
    worse[which] = np.nan_to_num(worse[which]) + more
    assert total_risk(_signals(worse)).item() >= total_risk(_signals(values)).item() - 1e-12


def test_nothing_known_is_no_known_risk() -> None:
    assert total_risk(_signals([np.nan] * 5)).item() == 0
    assert total_risk(_signals([0.0] * 5)).item() == 0


@pytest.mark.parametrize(
    ("share", "part"), [(0.0, 0.0), (1 / 3, 0.0), (0.5, 0.5), (2 / 3, 1.0), (1.0, 1.0)]
)
def test_advertising_is_a_risk_from_one_post_in_three_on(share: float, part: float) -> None:
    told = risk_parts(_signals([0, 0, 0, 0, share]))["over_advertising"].item()
    assert told == pytest.approx(part)


def test_parts_combine_like_independent_causes() -> None:
    told = total_risk(_signals([0.5, 0, 0.2, 0, 0])).item()
    assert told == pytest.approx(1 - (1 - 0.9 * 0.5) * (1 - 0.6 * 0.2))
