"""How figures are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.figures import money, percent, place, short, wan


@pytest.mark.parametrize(
    ("number", "chinese", "english"),
    [
        (0, "0", "0"),
        (0.4, "0", "0"),
        (999.4, "999", "999"),
        (999.9, "1,000", "1k"),
        (9_600, "9,600", "9.6k"),
        (9_999.9, "1万", "10k"),
        (12_345, "1.2万", "12.3k"),
        (10_000_000, "1,000万", "10M"),
        (99_999_999, "1亿", "100M"),
        (340_000_000, "3.4亿", "340M"),
        (999_999, "100万", "1M"),
        (7_900_000_000, "79亿", "7.9bn"),
    ],
)
def test_counts_are_written_as_readers_of_each_language_do(
    number: float, chinese: str, english: str
) -> None:
    assert wan(number) == chinese
    assert short(number) == english


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0.934, "0.93"),
        (3.5, "3.5"),
        (12.0, "12"),
        (68.72, "68.7"),
        (118.8, "119"),
        (5400.0, "5,400"),
    ],
)
def test_money_has_no_more_digits_than_tell_something(amount: float, written: str) -> None:
    assert money(amount, "CNY") == (f"{written} CNY", f"{written} 元")
    assert money(amount, "USD") == (f"{written} USD", f"{written} USD")


@pytest.mark.parametrize(
    ("share", "digits", "written"),
    [
        (0.0, 0, "0%"),
        (0.001, 0, "<1%"),
        (0.0004, 1, "<0.1%"),
        (0.061, 1, "6.1%"),
        (0.999, 0, "99%"),
        (1.0, 0, "100%"),
        (1.12, 0, "112%"),
    ],
)
def test_a_share_is_not_rounded_to_none_or_all(share: float, digits: int, written: str) -> None:
    assert percent(share, digits) == written


@given(st.floats(0, 1))
def test_nobody_surpasses_all(share: float) -> None:
    assert 0 <= int(place(share).removesuffix("%")) <= 99
