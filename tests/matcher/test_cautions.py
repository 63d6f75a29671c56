"""What speaks most against a match."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.cautions import RULES, caution, cautions
from matcher.doubt import Case, Caution
from matcher.figures import ABOVE, BELOW, Facts
from tests.matcher.facts import POSTS, TYPICAL, drawn_facts, facts

GOOD = {
    "roi_p10": 0.1,
    "roi_p50": 0.5,
    "roi_p90": 1.2,
    "orders_p50": 40.0,
    "accept": 0.8,
    "views_p10": 40_000.0,
    "views_p90": 110_000.0,
    "risk": 0.05,
}
WORDS = {"CPM", "ROI", "P10", "CNY", "USD"}
"""What a Chinese planner reads in Latin letters without a thought."""


def case(
    changes: dict[str, float] | None = None,
    match: dict[str, float] | None = None,
    goal: str = "conversion",
    **others: Any,
) -> Case:
    parts = others.pop("parts", {})
    return Case(facts(changes, **others), GOOD | (match or {}), goal, parts)


def test_where_nothing_is_wrong_what_is_least_sure_is_told_with_its_figures() -> None:
    told = caution(case())
    assert told.zh == "最不确定的是播放量：80% 的情形在 4万 至 11万 之间"
    assert told.en == "Views are hard to tell: 40k to 110k in 8 of 10 outcomes"


@pytest.mark.parametrize(
    ("match", "zh", "en"),
    [
        (
            {"roi_p50": -1.0, "orders_p50": 0.0},
            "预估 ROI 中位数 -100%：订单中位数 0 单，多数情形下投放费用收不回来",
            "Median ROI is -100%: in most outcomes the price is lost (0 orders in the median)",
        ),
        (
            {"roi_p50": -0.35, "roi_p10": -0.8, "roi_p90": 0.4},
            "多数情形下收不回成本：预估 ROI 中位数 -35%（80% 区间 -80% 至 +40%）",
            "Loses money more often than not: median ROI -35% (80% interval -80% to +40%)",
        ),
        (
            {"roi_p50": math.nan, "orders_p50": 0.0},
            "单均成本无法测算：预估订单中位数 0 单",
            "Cost per order cannot be told: 0 orders in the median outcome",
        ),
        (
            {"roi_p50": 0.08, "roi_p10": -0.9},
            "回报不稳：预估 ROI 中位数 +8.0%，较差情形（P10）为 -90%",
            "Return is uncertain: median ROI +8.0%, but -90% in a poor outcome (P10)",
        ),
        (
            {"accept": 0.31},
            "接单意愿偏低：预计接受邀约的概率 31%，宜备替补",
            "May well decline: the chance of a yes is 31%",
        ),
        (
            {"views_p10": 2_000.0, "views_p90": 90_000.0},
            "播放量不确定性大：80% 的情形在 2,000 至 9万 之间",
            "Views are hard to tell: 2k to 90k in 8 of 10 outcomes",
        ),
        (
            {"risk": 0.38},
            "综合风险 38%，签约前请核对风险明细",
            "Total risk is 38%; see the evidence before signing",
        ),
        (
            {"halving": 0.6},
            "180 天内互动腰斩的概率 60%",
            "Engagement halves within 180 days with a chance of 60%",
        ),
    ],
)
def test_a_forecast_that_warns_is_told(match: dict[str, float], zh: str, en: str) -> None:
    told = caution(case(match=match))
    assert (told.zh, told.en) == (zh, en)


def test_money_that_is_surely_lost_outweighs_everything_where_a_brief_is_to_sell() -> None:
    awful = {
        "reputation.open": 3.0,
        "reputation.worst_open": 1.0,
        "rivalry.recent": 4.0,
        "price.high": 100.0,
        "style.posts_seen": 0.0,
    }
    lost = {"roi_p50": -1.0, "orders_p50": 0.0, "risk": 1.0, "accept": 0.0}
    assert "-100%" in caution(case(awful, lost, parts={"price": -9.0})).zh
    assert "ROI" not in caution(case(awful, lost, goal="awareness")).zh


@pytest.mark.parametrize(
    ("changes", "zh"),
    [
        (
            {"price.high": 3600.0},
            "刊例价 5,400 元，比同类达人常见报价上限（3,600 元）高 50%，建议议价",
        ),
        (
            {f"price.per_view{BELOW}": 0.92},
            "播放成本偏高：按近期播放折算 CPM 180 元，高于 92% 的备选达人",
        ),
        ({"price.quote_age": 130.0}, "报价已是 130 天前的，需重新确认"),
        ({"style.posts_seen": 2.0}, "可参考的数据太少：仅掌握 2 条作品"),
        (
            {"style.days_since_post": 65.0},
            "近期更新停滞：最近一条作品距今 65 天，以往通常 3 天更新一条",
        ),
        ({"growth.observed_days": 21.0}, "收录时间短：仅跟踪 21 天，走势尚不明朗"),
        ({"growth.profile_age": 150.0}, "账号数据更新于 150 天前，粉丝与画像可能已有变化"),
        ({"growth.followers_90": math.log(0.979)}, "账号在掉粉：月均减少 2.1%"),
        ({"growth.views": math.log(0.7)}, "播放走低：最近 10 条作品的播放水平比此前低 30%"),
        (
            {"audience.match": 0.42, f"audience.match{BELOW}": 0.85},
            "粉丝画像与目标人群匹配度仅 42%，低于 85% 的备选达人",
        ),
        ({"reach.suspicious_share": 0.24}, "疑似水粉占比 24%"),
        (
            {f"content.top3{BELOW}": 0.9},
            "内容与需求的契合度低于 90% 的备选达人（最接近的作品相似度 0.41）",
        ),
        ({"category.vertical_posts": 0.0}, "垂类不符：近期作品中影视类内容占 0%"),
        (
            {"reach.percentile": 0.11},
            "播放偏低：近 46 天 28 条作品播放中位数 12.4万，低于同平台同量级 89% 的达人",
        ),
        ({"engagement.percentile": 0.1}, "互动偏弱：互动率 6.1%，低于同平台同量级 90% 的达人"),
        (
            {"sponsored.views": math.log(0.62)},
            "商单掉量明显：近期 5 条商单的播放仅为日常作品的 62%",
        ),
        ({"sponsored.share": 0.55}, "商单密度偏高：近期作品中商单占 55%"),
        ({"record.cancelled_rate": 2.5 / 10}, "履约有瑕疵：历史 5 次合作中取消 2 次"),
        (
            {"record.delivered": 0.0, "record.cancelled_rate": 0.1},
            "暂无履约记录（0 次），预估只能参照相似达人",
        ),
        ({"record.measured": 1.0}, "有效果数据的历史合作仅 1 次，预估主要参照相似达人"),
        (
            {f"record.views_per_cost{BELOW}": 0.9},
            "历史合作成本偏高：实际 CPM 40 元，高于 90% 的备选达人",
        ),
        (
            {"reputation.open": 1.0, "reputation.worst_open": 0.6},
            "有 1 起未了结的负面舆情，严重程度最高 60%",
        ),
        (
            {
                "reputation.burden": 0.3,
                "reputation.incidents": 2.0,
                "reputation.days_since": 80.0,
            },
            "曾有 2 起负面舆情，最近一起在 80 天前",
        ),
        ({"rivalry.recent": 2.0}, "近 180 天为竞品做过 2 次推广"),
        ({"rivalry.blocked_posts": 2.0}, "近期有 2 条作品含需求中的屏蔽词"),
    ],
)
def test_what_is_known_against_a_kol_is_told(changes: dict[str, float], zh: str) -> None:
    told = caution(case(changes))
    assert told.zh == zh
    assert re.search(r"\d", told.en)
    assert told.weight <= 1


def test_who_always_posts_seldom_is_not_idle() -> None:
    seldom = {"style.days_since_post": 65.0, "style.median_gap_days": 40.0}
    assert "更新停滞" not in caution(case(seldom)).zh


def test_what_lowered_the_score_weighs_more() -> None:
    both = {"sponsored.share": 0.5, "engagement.percentile": 0.15}
    assert caution(case(both, parts={"engagement": -0.1, "reach": -0.8})).family == "sponsored"
    assert caution(case(both, parts={"engagement": -0.8, "reach": -0.8})).family == "engagement"


def test_without_any_forecast_likeness_is_owned_up_to() -> None:
    told = caution(Case(facts(), {}, "", {}))
    assert told.zh == "仅按内容与人群相似度排序，未预估效果；最接近的作品相似度 0.41"
    nothing = caution(Case(Facts({})))
    assert (nothing.zh, nothing.en) == (
        "可参考的数据太少：仅掌握 0 条作品",
        "Little to judge by: 0 known posts",
    )


def test_each_row_gets_its_own_caution() -> None:
    matches = pd.DataFrame(
        {
            "roi_p50": [-1.0, 0.5],
            "orders_p50": [0.0, 30.0],
            "accept": [0.9, 0.2],
            "mode": ["a", "b"],
        },
        index=[7, 3],
    )
    families = pd.DataFrame({"price": [0.0, 1.0]}, index=[7, 3])
    told = cautions(matches, [facts(), facts()], families, ["conversion", None])
    assert list(told.index) == [7, 3]
    assert "-100%" in told.at[7, "caution_en"]
    assert "20%" in told.at[3, "caution_zh"]
    nobody = cautions(matches.head(0), [], families.head(0), [])
    assert nobody.shape == (0, 2)


FORECASTS = st.dictionaries(
    st.sampled_from([*GOOD, "halving"]), st.floats(-1e300, 1e300) | st.just(math.nan)
)


@given(drawn_facts(), FORECASTS, st.sampled_from(["conversion", "awareness", ""]))
def test_there_always_is_a_caution_and_it_always_has_a_figure(
    known: Facts, forecasts: dict[str, float], goal: str
) -> None:
    wild = Case(known, forecasts, goal, {"price": -1.0})
    every = [told for rule in RULES for told in rule(wild)]
    assert caution(wild) in every
    for told in every:
        _check(told)


def _check(told: Caution) -> None:
    assert re.search(r"\d", told.en)
    assert re.search(r"\d", told.zh)
    assert not re.search(r"\bnan\b|\binf|None|[{}]", told.en + told.zh)
    assert set(re.findall("[A-Za-z]\\w*", told.zh)) <= WORDS
    assert not re.search("[\u4e00-\u9fff，。；（）]", told.en)
    assert not np.isnan(told.weight)


def test_every_family_of_a_caution_is_one_that_may_lower_a_score() -> None:
    nothing = dict.fromkeys(TYPICAL, math.nan) | {f"content.top3{ABOVE}": 0.1}
    told = caution(case(nothing, dict.fromkeys(GOOD, math.nan), posts=POSTS))
    assert told.family == "style"
