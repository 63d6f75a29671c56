"""What a page may hold: clean text, rounded numbers, nothing unknown."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import plain
from tests.hostile import HOSTILE


@given(st.text(), st.integers(1, 60))
def test_words_are_one_clipped_line_that_any_file_can_hold(text: str, most: int) -> None:
    told = plain.words(text, most)
    if told is None:
        return
    assert "\n" not in told
    assert len(told) <= most
    assert told == told.strip()
    told.encode("utf-8")
    assert plain.words(told, most) == told


@pytest.mark.parametrize("kind", ["control", "right_to_left", "zero_width", "not_characters"])
def test_what_cannot_be_seen_is_left_out(kind: str) -> None:
    told = plain.words(HOSTILE[kind])
    assert told
    assert told.isprintable()
    assert not set(told) & set("\u202e\u202c\u2066\u2069\u200b\u200d\u2060\ufeff")


def test_a_very_long_text_costs_no_more_than_its_beginning() -> None:
    assert len(plain.words(HOSTILE["long"], 60) or "") <= 60
    assert len(plain.lines("a\n" * 100_000) or "") <= plain.TEXT


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT])
def test_unknown_is_none(value: object) -> None:
    for told in (plain.words, plain.lines, plain.figure, plain.amount, plain.day):
        assert told(value) is None  # type: ignore[operator]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_what_is_no_number_is_unknown(value: float) -> None:
    assert plain.figure(value) is None


@given(st.floats(-1e15, 1e15))
def test_figures_are_json_and_close_to_what_they_were(value: float) -> None:
    told = plain.figure(value)
    assert told is not None
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told == pytest.approx(value, rel=1e-3, abs=1e-300)


def test_money_keeps_every_cent() -> None:
    assert plain.amount(1_234_567.89) == 1_234_567.89


def test_a_mix_tells_its_largest_shares_first_and_equal_ones_by_name() -> None:
    told = plain.mix({"b": 0.2, "a": 0.2, "c": 0.6, "zero": 0.0, "": 0.1}, most=4)
    assert list(told.items()) == [("c", 0.6), ("a", 0.2), ("b", 0.2)]


def test_only_what_is_known_is_kept() -> None:
    record = {"no": None, "empty": "", "none": [], "nothing": {}, "zero": 0, "false": False}
    assert plain.present(record) == {"zero": 0, "false": False}
