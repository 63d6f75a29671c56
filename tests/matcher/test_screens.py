import numpy as np
import pandas as pd
import pytest

from matcher.console import Terminal
from matcher.screens import show_evaluation, show_matches

MATCH = {
    "brief_id": "b1",
    "rank": 1,
    "kol_id": "60e12345",
    "platform": "douyin",
    "display_name": "安在路上",
    "price": 1150.0,
    "currency": "CNY",
    "fit": 0.917,
    "accept": 0.649,
    "views_p10": 12_000.0,
    "views_p50": 26_514.0,
    "views_p90": 61_000.0,
    "roi_p50": 0.347,
    "reasons_en": ("first", "second", "third"),
    "reasons_zh": ("一", "二", "三"),
    "basis": "outcomes",
}
FORECASTS = ("fit", "accept", "views_p10", "views_p50", "views_p90", "roi_p50")
NOBODY_REFUSED = pd.DataFrame(
    {"brief_id": ["b1"], "reason": ["eligible"], "kols": [1], "text_en": ["x"], "text_zh": ["x"]}
)


def _show(*changes: dict[str, object], language: str = "en", title: object = "A brief") -> None:
    matches = pd.DataFrame([MATCH | change for change in changes])
    briefs = pd.DataFrame({"brief_id": ["b1", "b2", "b3"], "title": [title, "two", "three"]})
    show_matches(Terminal(), matches, NOBODY_REFUSED, briefs, language)


def test_a_match_is_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    _show({})
    out = capsys.readouterr().out
    for told in (
        "b1  A brief",
        "安在路上",
        "26.5k (12k–61k)",
        "1,150 CNY",
        "91%",  # never rounded up: 100% would be a promise
        "64%",
        "+35%",
        "first",
        "second",
    ):
        assert told in out
    assert "third" not in out


def test_what_is_unknown_is_blank(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = dict.fromkeys(("display_name", "platform", "price", "currency"), None)
    _show(unknown | dict.fromkeys(FORECASTS, np.nan), title=np.nan)
    out = capsys.readouterr().out
    assert "nan" not in out
    assert "None" not in out
    assert "60e12345" in out  # for want of a name


def test_views_without_an_interval_are_told_alone(capsys: pytest.CaptureFixture[str]) -> None:
    _show({"views_p10": np.nan, "views_p90": np.nan}, language="zh")
    out = capsys.readouterr().out
    assert "2.7万" in out
    assert "–" not in out


def test_only_the_first_briefs_and_places_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ids = ("b1", "b2", "b3")
    _show(
        *({"brief_id": b, "rank": r, "display_name": f"{b}-{r}"} for b in ids for r in range(1, 8))
    )
    out = capsys.readouterr().out
    assert "b2-5" in out
    assert "b1-6" not in out
    assert "b3-1" not in out


def test_reasons_come_in_the_language_of_the_lists(capsys: pytest.CaptureFixture[str]) -> None:
    _show({}, language="zh")
    out = capsys.readouterr().out
    assert "一" in out
    assert "first" not in out


def test_headings_are_in_that_language_and_what_nobody_tells_has_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _show({"price": np.nan} | dict.fromkeys(FORECASTS[1:], np.nan), language="zh")
    out = capsys.readouterr().out
    assert "达人" in out
    assert "匹配度" in out
    for heading in ("报价", "接受概率", "播放量", "ROI", "KOL"):
        assert heading not in out


def test_a_ranking_by_likeness_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    _show({"basis": "content"})
    assert "There is no champion" in capsys.readouterr().err


def test_a_ranking_by_grades_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    _show({"basis": "judgments"})
    assert "learned from people's grades alone" in capsys.readouterr().err


def test_a_brief_without_matches_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    funnel = pd.DataFrame(
        {
            "brief_id": ["b1"] * 3,
            "reason": ["platform", "price", "eligible"],
            "kols": [1200, 3, 0],
            "text_en": ["is elsewhere", "asks more", "may serve"],
            "text_zh": ["平台不符", "报价过高", "符合"],
        }
    )
    nothing = pd.DataFrame([MATCH]).head(0)
    briefs = pd.DataFrame({"brief_id": ["b1"], "title": ["x"]})
    show_matches(Terminal(), nothing, funnel, briefs, "zh")
    told = capsys.readouterr()
    assert told.err == "b1: nobody may serve this brief: 平台不符: 1,200; 报价过高: 3\n"
    assert told.out == ""


def test_an_evaluation_is_a_table_for_each_view(capsys: pytest.CaptureFixture[str]) -> None:
    columns = ["ndcg@10", "recall@50", "map", "mrr", "auc", "first_positive_rank", "briefs"]
    summary = pd.DataFrame([[0.5, 1, np.nan, 0.25, 0.75, 2, 8]], columns=columns, index=["random"])
    show_evaluation(Terminal(), [("one view", summary), ("another", summary)])
    out = capsys.readouterr().out
    assert "Test briefs: one view" in out
    assert "Test briefs: another" in out
    assert out.count("random") == 2
    assert "nan" not in out
