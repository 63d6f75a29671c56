"""Why one match stands above another."""

import json
import math
import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.signals import FAMILIES
from matcher.reasons.contrast import TEMPLATES, Side, contrast, sides
from serving.results import MATCHES

PARTS = {"price": 0.9, "engagement": 0.4, "reach": -0.3, "content": 0.0}


def matches(**columns: list[Any]) -> pd.DataFrame:
    """Return two matches of a brief; a is cheaper and liked more, b is seen more."""
    told: dict[str, list[Any]] = {
        "brief_id": ["b1", "b1"],
        "rank": [3, 9],
        "kol_id": ["k1", "k2"],
        "display_name": ["小桃子", "老同学"],
        "currency": ["CNY", "CNY"],
        "cpm_p50": [38.2, 71.0],
        "price": [5400.0, 5400.0],
        "views_p50": [120_000.0, 154_000.0],
        "fit": [0.9, 0.7],
        "basis": ["outcomes", "outcomes"],
        "contributions": [PARTS, dict.fromkeys(PARTS, 0.0)],
        "figures": [{"engagement.seen": 0.061}, {"engagement.seen": 0.032}],
    }
    return pd.DataFrame(told | columns).reindex(columns=MATCHES.names)


def told(language: Any, **columns: list[Any]) -> list[str]:
    one, other = sides(matches(**columns))
    return contrast(one, other, language)


def test_both_figures_of_what_sets_two_apart_are_told() -> None:
    assert told("zh") == [
        "小桃子 排第 3 位，老同学 排第 9 位，差距主要在性价比和互动表现。",
        "小桃子 的 CPM 预计 38.2 元，老同学 为 71 元。",
        "小桃子 近期作品互动率 6.1%，老同学 为 3.2%。",
        "不过，老同学 预估播放 15.4万，小桃子 为 12万。",
    ]
    assert told("en") == [
        "小桃子 ranks 3, 老同学 ranks 9; what sets them apart most is value for money and "
        "engagement.",
        "小桃子 is expected to cost 38.2 CNY per 1,000 views, 老同学 71 CNY.",
        "Recent posts of 小桃子 have an engagement rate of 6.1%, those of 老同学 3.2%.",
        "On the other hand: 老同学 is expected to bring 154k views, 小桃子 120k.",
    ]


def test_the_order_in_which_two_are_named_does_not_matter() -> None:
    one, other = sides(matches())
    assert contrast(one, other, "zh") == contrast(other, one, "zh")


def test_money_of_two_currencies_is_not_compared() -> None:
    sentences = told("zh", currency=["CNY", "USD"])
    assert len(sentences) == 3
    assert "CPM" not in "".join(sentences)


def test_figures_that_read_the_same_or_are_unknown_say_nothing() -> None:
    same = told("en", cpm_p50=[38.21, 38.22], views_p50=[math.nan, 154_000.0])
    assert [s.split(" ")[0] for s in same[1:]] == ["Recent"]
    nothing = told("zh", cpm_p50=[1.0, 1.0], views_p50=[1.0, 1.0], fit=[0.5, 0.5], figures=[{}, {}])
    assert nothing == ["小桃子 排第 3 位，老同学 排第 9 位，两者的各项数据没有明显差别。"]


def test_without_contributions_a_figure_in_favour_still_speaks() -> None:
    sentences = told("zh", contributions=[None, None])
    assert sentences[1:] == ["小桃子 的 CPM 预计 38.2 元，老同学 为 71 元。"]


def test_likeness_is_compared_where_nothing_was_learned() -> None:
    nothing: list[Any] = [None, None]
    sentences = told(
        "en",
        basis=["content", "content"],
        score=[0.62, 0.4],
        cpm_p50=nothing,
        views_p50=nothing,
        price=nothing,
        fit=nothing,
        figures=[{}, {}],
    )
    assert sentences[1:] == ["小桃子 scores 0.62 in likeness of content and audience, 老同学 0.40."]


def test_who_has_no_name_or_that_of_another_is_called_by_id() -> None:
    assert [side["name"] for side in sides(matches(display_name=[None, "\u202e"]))] == ["k1", "k2"]
    twins = sides(matches(display_name=["小桃子", "小桃子"]))
    assert [side["name"] for side in twins] == ["小桃子 (k1)", "小桃子 (k2)"]


def test_a_name_is_never_taken_for_a_place_to_fill() -> None:
    assert "{x} 的 CPM 预计 38.2 元，{b} 为 71 元。" in told("zh", display_name=["{x}", "{b}"])


def test_templates_and_sides_are_json() -> None:
    one, other = sides(matches())
    words = json.loads(json.dumps(TEMPLATES))
    assert words == TEMPLATES
    again = json.loads(json.dumps([one, other]))
    assert contrast(*again, "zh") == contrast(one, other, "zh")  # type: ignore[misc]


def test_templates_name_both_figures_in_both_languages() -> None:
    families = {family.name for family in FAMILIES} | {"affinity", "conduct", "overall"}
    assert set(TEMPLATES["families"]) <= families
    for figure in TEMPLATES["figures"]:
        assert figure["family"] in TEMPLATES["families"]
        assert figure["better"] in (1, -1)
        for language in ("zh", "en"):
            places = re.findall(r"\{(\w+)\}", figure[language])
            assert sorted(places) == ["a", "b", "x", "y"]
        assert figure["zh"].endswith("。")
        assert figure["en"].endswith(".")
        words = re.sub(r"\{\w\}|CPM|ROI", "", figure["zh"])
        assert not re.search("[A-Za-z]", words)
    for words in TEMPLATES["families"].values():
        assert words.keys() == {"zh", "en"}


SIDES = st.builds(
    lambda rank, parts, figures: Side(
        name=f"k{rank}", rank=rank, currency="CNY", parts=parts, figures=figures
    ),
    st.integers(1, 200),
    st.dictionaries(st.sampled_from(sorted(TEMPLATES["families"])), st.floats(-3, 3)),
    st.dictionaries(
        st.sampled_from([figure["name"] for figure in TEMPLATES["figures"]]),
        st.floats(0, 9).map(lambda value: [value, f"{value:.1f}", f"{value:.1f}"]),
    ),
)


@given(SIDES, SIDES, st.sampled_from(["zh", "en"]))
def test_any_two_give_one_to_four_sentences_with_figures(a: Side, b: Side, language: Any) -> None:
    sentences = contrast(a, b, language)
    assert 1 <= len(sentences) <= 4
    assert all(re.search(r"\d", sentence) for sentence in sentences)
    assert not any(re.search(r"[{}]", sentence) for sentence in sentences)


def test_a_side_without_figures_of_a_kind_is_left_out() -> None:
    (one, _) = sides(matches(cpm_p50=[math.inf, 1.0], views_p50=[None, 2.0], currency=[None, None]))
    assert set(one["figures"]) == {"engagement.seen", "fit"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_better_rank_is_told_first(language: Any) -> None:
    assert re.search(r"3\D+9", told(language)[0])
