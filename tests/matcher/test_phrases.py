import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.signals import FAMILIES
from matcher.phrases import PHRASES, Facts, Post, Reason, short, wan

TYPICAL = {
    "content.best": 0.41,
    "content.top3": 0.38,
    "vectors.mean_cosine": 0.6,
    "audience.match": 0.72,
    "audience.target_share": 0.66,
    "category.vertical_posts": 0.4,
    "price.per_view": math.log(180.0),
    "price.against_peers": math.log(0.7),
    "price.log": math.log(5400.0),
    "reach.median_views": math.log1p(30_000),
    "reach.percentile": 0.83,
    "reach.peers": 40.0,
    "engagement.rate": 0.055,
    "engagement.likes": 0.05,
    "engagement.comments": 0.004,
    "engagement.saves": 0.007,
    "engagement.shares": math.nan,
    "engagement.completion": 0.35,
    "engagement.percentile": 0.91,
    "growth.followers_90": 0.04,
    "sponsored.views": math.log(0.92),
    "sponsored.posts": 5.0,
    "record.delivered": 3.0,
    "record.conversion": 0.021,
    "style.posts_90": 14.0,
}


POSTS = (Post("p7", "三周后不再泛红", 0.41), Post("p2", "面霜空瓶记", 0.36, sponsored=True))


def _facts(signals: Mapping[str, float] = TYPICAL, **others: Any) -> Facts:
    told = {"vertical": "film_tv", "vertical_zh": "影视", "currency": "CNY", "posts": POSTS}
    return Facts(signals, **told | others)


def _say(family: str, changes: Mapping[str, float] | None = None, **others: Any) -> Reason | None:
    return PHRASES[family](_facts(TYPICAL | dict(changes or {}), **others))


@pytest.mark.parametrize(
    ("family", "en", "zh"),
    [
        (
            "content",
            "Recent post p7 (“三周后不再泛红”) comes closest to the brief (similarity 0.41)",
            "近期作品 p7「三周后不再泛红」与本次需求最为契合（相似度 0.41）",
        ),
        (
            "vectors",
            "Your own embeddings of brief and KOL agree (mean cosine 0.60)",
            "按自有向量，达人与需求契合（平均余弦相似度 0.60）",
        ),
        (
            "audience",
            "Audience matches the target group by 72%",
            "粉丝画像与目标人群匹配度 72%",
        ),
        ("category", "40% of recent posts are about film tv", "近期作品中影视类内容占 40%"),
        (
            "price",
            "About 180.0 CNY per 1,000 views at recent reach (CPM), "
            "price 30% below comparable KOLs",
            "按近期播放估算 CPM 约 180.0 元，刊例价比同平台同量级达人低 30%，性价比高",
        ),
        (
            "reach",
            "Median of 30k views on recent posts, above 83% of the same tier on the platform",
            "近期作品播放量中位数 3万，高于同平台 83% 的同量级达人",
        ),
        (
            "engagement",
            "Engagement rate 6.1%, completion rate 35%, engagement rate above 91% of the same "
            "tier on the platform",
            "互动率 6.1%，完播率 35%，互动率高于同平台 91% 的同量级达人",
        ),
        ("growth", "Followers grow by 4.1% a month", "近三个月粉丝月均增长 4.1%"),
        (
            "sponsored",
            "5 recent sponsored posts kept 92% of the usual views",
            "近期 5 条商单的播放量达到日常作品的 92%",
        ),
        (
            "record",
            "Delivered 3 past collaborations, 2.1% of clicks became orders",
            "历史履约 3 次，带货点击转化率 2.1%",
        ),
        ("style", "14 posts in the last 90 days", "近 90 天更新 14 条作品"),
    ],
)
def test_each_family_speaks_both_languages(family: str, en: str, zh: str) -> None:
    reason = _say(family)
    assert reason is not None
    assert (reason.en, reason.zh) == (en, zh)


def test_every_phrase_belongs_to_a_family_of_signals() -> None:
    assert set(PHRASES) < {family.name for family in FAMILIES}


@pytest.mark.parametrize("family", PHRASES)
def test_there_is_no_reason_without_a_number(family: str) -> None:
    nothing = dict.fromkeys(TYPICAL, math.nan)
    assert PHRASES[family](_facts(nothing)) is None
    assert PHRASES[family](_facts({})) is None
    reason = _say(family)
    assert reason is not None
    assert re.search(r"\d", reason.en)
    assert re.search(r"\d", reason.zh)
    assert reason.evidence
    assert all(name.startswith(f"{family}.") for name in reason.evidence)


@pytest.mark.parametrize(
    ("family", "changes", "others"),
    [
        ("content", {}, {"posts": ()}),
        ("content", {"content.best": 0.1}, {}),
        ("vectors", {"vectors.mean_cosine": -0.1}, {}),
        ("category", {"category.vertical_posts": 0.08}, {}),
        ("category", {}, {"vertical": ""}),
        ("price", {}, {"currency": ""}),
        ("growth", {"growth.followers_90": -0.2}, {}),
        ("sponsored", {"sponsored.views": math.log(0.3)}, {}),
        ("record", {"record.delivered": 0.0}, {}),
        ("style", {"style.posts_90": 0.0}, {}),
    ],
)
def test_what_does_not_speak_for_a_kol_is_not_said(
    family: str, changes: dict[str, float], others: dict[str, Any]
) -> None:
    assert _say(family, changes, **others) is None


def test_a_place_in_the_lower_half_or_a_higher_price_is_left_out() -> None:
    low = _say("reach", {"reach.percentile": 0.2})
    dear = _say("price", {"price.against_peers": 0.5}, currency="USD")
    assert low is not None
    assert dear is not None
    assert low.en == "Median of 30k views on recent posts"
    assert (dear.en, dear.zh) == (
        "About 180.0 USD per 1,000 views at recent reach (CPM)",
        "按近期播放估算 CPM 约 180.0 USD",
    )


def test_nobody_is_compared_with_a_handful() -> None:
    few = {"reach.peers": 4.0}
    for family in ("reach", "engagement", "price"):
        reason = _say(family, few)
        assert reason is not None
        assert not re.search("above|below", reason.en)
        assert not re.search("高于|低", reason.zh)


def test_the_posts_behind_a_match_are_named_each_with_its_cosine() -> None:
    reason = _say("content")
    assert reason is not None
    assert reason.evidence == {
        "content.best": 0.41,
        "content.top3": 0.38,
        "content.post_1": "p7",
        "content.post_1_cosine": 0.41,
        "content.post_2": "p2",
        "content.post_2_cosine": 0.36,
    }


def test_a_sponsored_post_is_called_so_and_no_text_is_not_quoted() -> None:
    reason = _say("content", posts=(Post("p2", "", 0.41, sponsored=True),))
    assert reason is not None
    assert reason.en == "Recent sponsored post p2 comes closest to the brief (similarity 0.41)"
    assert reason.zh == "近期商单 p2 与本次需求最为契合（相似度 0.41）"


def test_where_nothing_was_posted_the_bio_speaks() -> None:
    silent = {"content.best": math.nan, "content.top3": math.nan, "content.bio": 0.44}
    reason = _say("content", silent, posts=())
    assert reason is not None
    assert reason.en == "The bio is close to the brief (similarity 0.44)"
    assert reason.evidence == {"content.bio": 0.44}


def test_one_is_singular_and_nobody_is_above_everybody() -> None:
    one = _say("record", {"record.delivered": 1.0, "record.conversion": math.nan})
    top = _say("reach", {"reach.percentile": 0.9999})
    assert one is not None
    assert top is not None
    assert one.en == "Delivered 1 past collaboration"
    assert "above 99% of" in top.en


@pytest.mark.parametrize(
    ("low", "high", "en", "zh"),
    [
        (6000.0, 9000.0, "; below what such KOLs ask (6,000–9,000 CNY)", "；报价低于"),
        (5400.0, 9000.0, "; within what such KOLs ask (5,400–9,000 CNY)", "；报价处于"),
        (400.0, 5400.0, "; within what such KOLs ask (400.0–5,400 CNY)", "；报价处于"),
        (300.0, 5000.0, "; above what such KOLs ask (300.0–5,000 CNY)", "；报价高于"),
    ],
)
def test_a_price_is_placed_among_what_similar_kols_ask(
    low: float, high: float, en: str, zh: str
) -> None:
    reason = _say("price", {"price.low": low, "price.high": high})
    assert reason is not None
    assert reason.en.endswith(en)
    assert zh in reason.zh
    assert "同类达人常见区间" in reason.zh
    assert (reason.evidence["price.low"], reason.evidence["price.high"]) == (low, high)


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


@given(
    family=st.sampled_from(sorted(PHRASES)),
    values=st.lists(
        st.floats(-1e300, 1e300) | st.just(math.nan), min_size=len(TYPICAL), max_size=len(TYPICAL)
    ),
)
def test_wild_figures_never_stop_a_run(family: str, values: list[float]) -> None:
    reason = PHRASES[family](_facts(dict(zip(TYPICAL, values, strict=True))))
    if reason is not None:
        assert "nan" not in reason.en + reason.zh
        assert "inf" not in reason.en + reason.zh
