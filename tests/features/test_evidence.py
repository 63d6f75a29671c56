import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.evidence import excerpt


@given(text=st.text(), most=st.integers(4, 60))
def test_an_excerpt_is_one_short_line_without_hidden_signs(text: str, most: int) -> None:
    found = excerpt(text, most)
    wide = sum(1 + (unicodedata.east_asian_width(sign) in "WF") for sign in found)
    assert wide <= most
    assert all(unicodedata.category(sign)[0] not in "CZ" for sign in found.replace(" ", ""))
    assert found == found.strip()
    assert "  " not in found
    assert excerpt(found, most) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("\u200b\u202e", ""),
        ("serum", "serum"),
        ("a\u202eb\r\nc\td", "ab c d"),
        ("three weeks with this serum", "three weeks with…"),
        ("#" + "x" * 30, "#" + "x" * 18 + "…"),
        ("换季泛红就靠这支面霜", "换季泛红就靠这支面霜"),
        ("换季泛红就靠这支面霜稳住", "换季泛红就靠这支面…"),
    ],
)
def test_excerpts_are_cut_where_they_can_be(text: str, found: str) -> None:
    assert excerpt(text, 20) == found
