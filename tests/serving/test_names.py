"""Names of files for any id."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.names import file_name

IDS = st.text() | st.text("abAB1-_./~ ", max_size=6) | st.text(min_size=60, max_size=90)


@given(IDS)
def test_a_name_is_safe_everywhere(name: str) -> None:
    made = file_name(name)
    assert re.fullmatch("[A-Za-z0-9_\u4e00-\u9fff][A-Za-z0-9_\u4e00-\u9fff~-]*", made)
    assert len(f"{made}.workflow.zh.xlsx".encode()) <= 255
    assert Path(f"/out/{made}.html").parent == Path("/out")


@given(IDS, IDS)
def test_two_ids_never_share_a_file(first: str, second: str) -> None:
    if first != second:
        assert file_name(first).lower() != file_name(second).lower()
    assert file_name(file_name(first)) == file_name(first) or "~" in file_name(first)


@pytest.mark.parametrize("name", ["b00242", "2026-summer", "需求1", "_x"])
def test_safe_ids_are_their_own_names(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../../etc/passwd",
        "C:\\x",
        "con",
        "B1",
        "-rf",
        "a.b",
        "a\x00b",
        "\ud800",
        "a" * 99,
    ],
)
def test_other_ids_get_a_digest(name: str) -> None:
    made = file_name(name)
    assert re.search("~[0-9a-f]{16}$", made)
    assert made != file_name(name + "x")
