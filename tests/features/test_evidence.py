import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config import FeatureConfig
from features.evidence import excerpt, spans
from features.history import History
from features.simulate import World


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


def test_spans_are_of_what_was_known_by_then(world: World) -> None:
    tables = world.tables
    as_of = tables.posts["observed_at"].quantile(0.6)
    kols = sorted(tables.kols["kol_id"].unique())
    pairs = pd.DataFrame({"brief_id": tables.briefs["brief_id"].iloc[0], "kol_id": kols})
    pairs = pairs.assign(as_of=pd.Series([as_of] * len(pairs), dtype="datetime64[us, UTC]"))
    found = spans(pairs, History(tables), FeatureConfig(recent_posts=5))
    for row, kol in enumerate(kols):
        known = tables.posts[
            (tables.posts["kol_id"] == kol) & (tables.posts["observed_at"] < as_of)
        ]
        known = known.sort_values("observed_at").drop_duplicates("post_id", keep="last")
        recent = known.sort_values("published_at").tail(5)
        assert found.at[row, "style.posts_seen"] == len(recent)
        counted = recent[recent["views"].notna()]
        if counted.empty:
            assert np.isnan(found.at[row, "reach.days"])
        else:
            days = (as_of - counted["published_at"].min()) / pd.Timedelta(days=1)
            assert found.at[row, "reach.days"] == pytest.approx(days)
        seen = tables.kols.loc[tables.kols["kol_id"] == kol, "observed_at"]
        seen = seen[seen < as_of]
        before = seen[seen < as_of - pd.Timedelta(days=90)]
        if len(seen):
            earlier = before.max() if len(before) else seen.min()
            gap = (seen.max() - earlier) / pd.Timedelta(days=1)
            assert found.at[row, "growth.days"] == pytest.approx(gap)
