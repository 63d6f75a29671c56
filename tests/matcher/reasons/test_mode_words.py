import numpy as np
import pandas as pd
import pytest

from features.contract import GOALS, MODES
from matcher.names import WORDS
from matcher.reasons.mode_words import COUNTED, explain_options


def _options(**columns: object) -> pd.DataFrame:
    frame = {
        "row": 0,
        "mode": ["live_commerce", "ad_placement"],
        "price": [10_000.0, 5_000.0],
        "currency": "CNY",
        "value": [14_500.0, 6_100.0],
        "brings": [100.0, 50.0],
        "signed": [6.0, 0.0],
        "serves": [2, 1],
        "recommended": [True, False],
    }
    return pd.DataFrame({**frame, **columns})


def _said(options: pd.DataFrame, goal: str | None) -> list[list[str]]:
    told = explain_options(options, pd.Series([goal] * len(options), dtype=object))
    return told[["why_zh", "why_en"]].to_numpy().tolist()


def test_the_best_is_compared_with_the_next_best_in_real_figures() -> None:
    best, other = _said(_options(), "conversion")
    assert best == [
        "每 100 元报价预计带来 145 元毛利；高于次优的广告植入（122 元毛利）；已签约直播带货 6 次",
        "About 145 CNY of margin expected per 100 CNY of price; more than the next best, "
        "ad placement (122 CNY of margin); 6 live commerce collaborations signed",
    ]
    assert other == [
        "每 100 元报价预计带来 122 元毛利；为推荐形式直播带货的 84%；暂无广告植入合作记录",
        "About 122 CNY of margin expected per 100 CNY of price; 84% of what live commerce "
        "promises; no ad placement on record",
    ]


def test_counts_are_told_where_worth_is_unknown_and_nothing_where_nobody_knows() -> None:
    options = _options(value=np.nan, signed=np.nan, brings=[100.0, 49.0])
    best, _ = _said(options, "conversion")
    assert best[0] == "每 1,000 元报价预计带来 10 单；略高于次优的广告植入（9.8 单）"
    assert best[1].startswith("About 10 orders expected per 1,000 CNY of price; slightly more than")


@pytest.mark.parametrize(
    ("goal", "zh", "en"),
    [
        ("awareness", "每 100 元报价预计带来 1.2万 次播放", "About 12k views expected per 100 CNY"),
        ("seeding", "1.2万 次收藏与分享", "12k saves and shares"),
        ("engagement", "1.2万 次互动", "12k engagements"),
    ],
)
def test_every_goal_counts_its_own(goal: str, zh: str, en: str) -> None:
    options = _options(value=[1.2e6, 1e5], brings=[1.2e6, 1e5])
    best, _ = _said(options, goal)
    assert zh in best[0]
    assert en in best[1]


def test_a_dollar_is_called_a_dollar_and_one_collaboration_is_one() -> None:
    best, _ = _said(_options(currency="USD", signed=[1.0, 0.0]), "conversion")
    assert "每 100 USD 报价预计带来 145 USD 毛利" in best[0]
    assert best[1].endswith("1 live commerce collaboration signed")


def test_the_only_one_says_so() -> None:
    ((zh, en),) = _said(_options().head(1), "conversion")
    assert "需求允许的形式中，该达人仅报价这一种" in zh
    assert "the only mode this KOL quotes" in en


def test_without_forecasts_purpose_and_experience_speak() -> None:
    options = _options(value=np.nan, brings=np.nan)
    best, other = _said(options, "conversion")
    assert best == [
        "契合转化目标；尚无成效数据，按目标契合与合作经验综合首选；已签约直播带货 6 次",
        "Made for conversion; first by purpose and experience, since no results have been learned "
        "from; 6 live commerce collaborations signed",
    ]
    assert other == [
        "有助于转化目标；暂无广告植入合作记录",
        "Helps conversion; no ad placement on record",
    ]
    nothing = _options(value=np.nan, brings=np.nan, signed=np.nan).head(1)
    assert _said(nothing, None)[0][0] == "需求允许的形式中，该达人仅报价这一种"


def test_everything_has_a_name_in_both_languages() -> None:
    assert set(WORDS["mode"]) == set(MODES)
    assert set(COUNTED) == set(WORDS["goal"]) == set(GOALS)
