from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.columns import TIME
from features.errors import TableError
from features.ingest import read_folder
from features.money import Exchange
from features.tables import Tables

Day = Callable[[float], pd.Timestamp]
Quote = tuple[str, str, float, float]
FIRST = pd.Timestamp("2025-01-01", tz="UTC")


def table(*quotes: Quote) -> pd.DataFrame:
    """Return EXCHANGE_RATES of (currency, to_currency, day, rate)."""
    frame = pd.DataFrame(list(quotes), columns=["currency", "to_currency", "quoted_at", "rate"])
    frame["quoted_at"] = FIRST + pd.to_timedelta(frame["quoted_at"].astype(float), unit="D")
    return Tables.of(exchange_rates=frame).exchange_rates


def rate(quotes: list[Quote], currency: str | None, to: str, day: float | None) -> float:
    at = pd.Series([None if day is None else FIRST + pd.Timedelta(days=day)], dtype=TIME)
    return Exchange(table(*quotes)).rate(pd.Series([currency], dtype="str"), to, at)[0]


DOLLAR: list[Quote] = [("USD", "CNY", 1, 7.0), ("USD", "CNY", 5, 8.0)]


@pytest.mark.parametrize(("day", "expected"), [(1, np.nan), (1.01, 7), (5, 7), (5.01, 8), (99, 8)])
def test_the_latest_rate_strictly_before_counts(day: float, expected: float) -> None:
    assert rate(DOLLAR, "USD", "CNY", day) == pytest.approx(expected, nan_ok=True)


def test_a_rate_may_be_quoted_the_other_way_round() -> None:
    assert rate(DOLLAR, "CNY", "USD", 9) == pytest.approx(1 / 8)
    # The latest counts whichever way round it was quoted; of one moment the direct one.
    newer = [*DOLLAR, ("CNY", "USD", 6.0, 0.1)]
    assert rate(newer, "USD", "CNY", 9) == pytest.approx(10)
    both = [*DOLLAR, ("CNY", "USD", 5.0, 0.1)]
    assert rate(both, "USD", "CNY", 9) == 8
    assert rate(both, "CNY", "USD", 9) == 0.1


def test_a_third_currency_may_stand_between() -> None:
    quotes = [*DOLLAR, ("EUR", "USD", 2, 1.1)]
    assert rate(quotes, "EUR", "CNY", 9) == pytest.approx(8.8)
    assert rate(quotes, "EUR", "CNY", 3) == pytest.approx(7.7)
    assert rate(quotes, "CNY", "EUR", 9) == pytest.approx(1 / 8.8)
    assert np.isnan(rate(quotes, "EUR", "CNY", 2))
    # A direct rate stands before any detour; of two detours the fresher one.
    assert rate([*quotes, ("EUR", "CNY", 1, 9.0)], "EUR", "CNY", 9) == 9
    old = [("EUR", "GBP", 0, 1.0), ("GBP", "CNY", 0, 5.0)]
    assert rate([*quotes, *old], "EUR", "CNY", 9) == pytest.approx(8.8)
    # Two detours in a row are none.
    assert np.isnan(rate([*quotes, ("JPY", "EUR", 1, 0.006)], "JPY", "CNY", 9))


def test_what_is_unknown_stays_unknown() -> None:
    assert np.isnan(rate(DOLLAR, "USD", "EUR", 9))
    assert np.isnan(rate(DOLLAR, None, "CNY", 9))
    assert np.isnan(rate(DOLLAR, "USD", "CNY", None))
    assert np.isnan(rate([], "USD", "CNY", 9))
    assert rate([], "EUR", "EUR", 9) == rate([], "EUR", "EUR", None) == 1


def test_amounts_keep_their_index() -> None:
    asked = pd.DataFrame(
        {
            "amount": [10.0, None, 3.0],
            "currency": ["USD", "USD", "CNY"],
            "to": ["CNY", "CNY", "USD"],
        },
        index=["a", "b", "c"],
    )
    at = pd.Series(FIRST + pd.Timedelta(days=9), index=asked.index)
    found = Exchange(table(*DOLLAR)).convert(asked["amount"], asked["currency"], asked["to"], at)
    pd.testing.assert_series_equal(
        found, pd.Series([80.0, np.nan, 0.375], index=asked.index), check_names=False
    )


QUOTES = st.lists(
    st.tuples(
        st.sampled_from("ABC"), st.sampled_from("ABC"), st.integers(0, 5), st.floats(0.1, 10)
    ).filter(lambda q: q[0] != q[1]),
    max_size=8,
    unique_by=lambda q: q[:3],
)


@settings(max_examples=40, deadline=None)
@given(QUOTES, st.sampled_from("ABC"), st.sampled_from("ABC"), st.integers(0, 6))
def test_later_rates_change_nothing_and_there_and_back_is_one(
    quotes: list[Quote], have: str, want: str, day: int
) -> None:
    told = rate([q for q in quotes if q[2] < day], have, want, day)
    assert rate(quotes, have, want, day) == pytest.approx(told, nan_ok=True)
    opposite = any((q[1], q[0], q[2]) in {p[:3] for p in quotes} for q in quotes)
    if not opposite:  # two rates of one moment, one each way round, may contradict each other
        back = rate(quotes, want, have, day)
        assert np.isnan(told) == np.isnan(back)
        assert np.isnan(told) or told * back == pytest.approx(1)


def test_rates_are_read_from_files_and_must_be_above_nothing(tmp_path) -> None:
    (tmp_path / "kols.csv").write_text("kol_id,observed_at\nk1,2025-01-01\n")
    path = tmp_path / "汇率2025.csv"
    path.write_text("外币,本币,汇率,汇率日期\n美元,RMB,7.125,2025-01-02\n", encoding="utf-8")
    read = read_folder(tmp_path).tables.exchange_rates
    assert read.iloc[0].tolist() == ["USD", "CNY", pd.Timestamp("2025-01-02", tz="UTC"), 7.125]
    path.write_text("外币,本币,汇率,汇率日期\nUSD,CNY,0,2025-01-02\n", encoding="utf-8")
    with pytest.raises(TableError, match="汇率: got '0', expected a number above 0, not empty"):
        read_folder(tmp_path)
    path.write_text("外币,本币,汇率,汇率日期\nUSD,doubloon,7,2025-01-02\n", encoding="utf-8")
    with pytest.raises(TableError, match="本币: got 'doubloon', expected a currency by its ISO"):
        read_folder(tmp_path)
