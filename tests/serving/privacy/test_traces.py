"""What names a KOL, and what only looks like it."""

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.privacy.traces import TEXT_MARK, Traces

OTHERS = ["k1234", "xk123", "k123-b", "小桃子40", "K123"]


def traces(*ids: str, names: tuple[str, ...] = ()) -> Traces:
    return Traces.of(ids, names, OTHERS, "erased-1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seen with k123.", f"seen with {TEXT_MARK}."),
        ("k1234 xk123 k123-b k1234x K123 k123_", "k1234 xk123 k123-b k1234x K123 k123_"),
        ("与k123合作", f"与{TEXT_MARK}合作"),
        ("跟小桃子4一起，不是小桃子40", f"跟{TEXT_MARK}一起，不是小桃子40"),
    ],
)
def test_running_text_loses_them_and_nobody_else(text: str, expected: str) -> None:
    assert traces("k123", names=("小桃子4",)).cleaned(text) == expected


def test_a_cell_that_is_one_keeps_its_kind() -> None:
    found = traces("k123")
    assert (found.cell("k123"), found.cell("k1234")) == ("erased-1", "k1234")
    assert found.is_one("'k123") and found.is_one(" k123 ")
    assert not found.is_one(123)


def test_short_numbers_and_words_count_only_where_they_are_a_cell() -> None:
    found = traces("7", "time", names=("美",))
    assert found.cleaned("7 KOLs at a time, 美食") == "7 KOLs at a time, 美食"
    assert found.cleaned('{"kol":"time"}') == f'{{"kol":"{TEXT_MARK}"}}'
    assert found.is_one("7") and not found.is_one("7", figures=False)
    assert found.telling == frozenset()


def test_what_others_are_called_is_no_trace() -> None:
    assert traces("k123", names=("小桃子40", " ")).names == frozenset()


@pytest.mark.parametrize("name", ['阿"北"&<i>', "O'Neil & 42", "a\\b 小红"])
def test_names_are_found_however_they_are_written(name: str) -> None:
    found = traces("k123", names=(name,))
    page = json.dumps({"n": name})
    for sign in "<>&":
        page = page.replace(sign, f"\\u{ord(sign):04x}")
    for text in (json.dumps({"n": name}), json.dumps({"n": name}, ensure_ascii=False), page):
        assert json.loads(found.cleaned(text)) == {"n": TEXT_MARK}
    assert found.cleaned(f"<b>{html.escape(name)}</b>") == f"<b>{TEXT_MARK}</b>"


def test_json_loses_entries_about_them() -> None:
    told = {"k123": 1, "rows": [{"kol": "k123", "x": 1}, {"kol": "k1234"}, "k123"], "n": 123}
    clean = {"rows": [{"kol": "k1234"}], "n": 123}
    assert traces("k123").deep(told) == clean
    # A short number may count something.
    assert traces("7").deep({"7": 1, "a": [7]}) == {"7": 1, "a": [7]}


@given(st.text(alphabet="k123 -_小桃子04", max_size=40))
def test_cleaned_text_is_clean(text: str) -> None:
    found = traces("k123", names=("小桃子4",))
    clean = found.cleaned(text)
    assert found.cleaned(clean) == clean
