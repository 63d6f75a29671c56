"""Reasons in words."""

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.signals import FAMILIES
from matcher.comparisons import COMPARED
from matcher.figures import ABOVE, Facts, Post, Reason
from matcher.phrases import PHRASES, drawn
from tests.matcher.facts import POSTS, TYPICAL, drawn_facts, facts

PLAIN_WORDS = {"CPM", "CNY", "USD", "p7", "p2"}
"""What a Chinese planner reads in Latin letters without a thought."""


def say(family: str, changes: dict[str, float] | None = None, **others: Any) -> Reason | None:
    return PHRASES[family](facts(changes, **others))


def said(family: str, changes: dict[str, float] | None = None, **others: Any) -> Reason:
    reason = say(family, changes, **others)
    assert reason is not None
    return reason


@pytest.mark.parametrize(
    ("family", "en", "zh"),
    [
        (
            "content",
            "Posts “三周后不再泛红” and “面霜空瓶记” (sponsored) come closest to the brief "
            "(similarity 0.41 and 0.36), closer than 78% of the candidates",
            "「三周后不再泛红」「面霜空瓶记」（商单）两条作品与需求最贴近（相似度 0.41、0.36），"
            "契合度高于 78% 的备选达人",
        ),
        (
            "affinity",
            "Judged by who suited past briefs, fits this one better than 78% of the candidates",
            "参照以往同类需求的选人结果，契合度高于 78% 的备选达人",
        ),
        (
            "vectors",
            "By your own profiles KOL and brief fit by 0.60, better than 78% of the candidates",
            "按自有画像数据，与需求的契合度 0.60，高于 78% 的备选达人",
        ),
        (
            "audience",
            "Audience matches the target group by 72%, better than 78% of the candidates",
            "粉丝画像与目标人群匹配度 72%，高于 78% 的备选达人",
        ),
        (
            "category",
            "40% of the latest 30 posts are about film tv, more than 78% of the candidates",
            "近 30 条作品中影视类内容占 40%，高于 78% 的备选达人",
        ),
        (
            "price",
            "Asks 5,400 CNY; a CPM of 180 CNY at the recent median of views, cheaper than 78% of "
            "the candidates; 30% below the median of the same tier on the platform",
            "刊例价 5,400 元；按近期播放中位数折算 CPM 180 元，低于 78% 的备选达人，性价比高；"
            "报价比同平台同量级达人的中位数低 30%",
        ),
        (
            "reach",
            "Median of 124k views over the latest 28 posts (last 46 days), above 83% of the same "
            "tier on the platform",
            "近 46 天 28 条作品播放中位数 12.4万，高于同平台同量级 83% 的达人",
        ),
        (
            "engagement",
            "Engagement rate 6.1%, above 91% of the same tier on the platform; completion rate "
            "35%, above 78% of the candidates",
            "互动率 6.1%，高于同平台同量级 91% 的达人；完播率 35%，高于 78% 的备选达人",
        ),
        (
            "growth",
            "Followers grow by 4.1% a month over 92 days, faster than 78% of the candidates",
            "近 92 天月均涨粉 4.1%，涨速快于 78% 的备选达人",
        ),
        (
            "sponsored",
            "5 recent sponsored posts kept 92% of usual views, more than 78% of the candidates",
            "近期 5 条商单的播放达到日常作品的 92%，高于 78% 的备选达人",
        ),
        (
            "record",
            "Delivered 3 past collaborations; 1 signed with this brand; 2 signed in film tv",
            "历史履约 3 次，与本品牌合作过 1 次，影视类合作过 2 次",
        ),
        (
            "style",
            "14 posts in the last 90 days, more than 78% of the candidates",
            "近 90 天更新 14 条作品，更新频率高于 78% 的备选达人",
        ),
        (
            "reputation",
            "0 incidents on record, while 78% of the candidates have some",
            "负面舆情记录 0 起，而 78% 的备选达人有过记录",
        ),
        (
            "rivalry",
            "0 posts or deals for competitors in 180 days, while 78% of the candidates had some",
            "近 180 天竞品合作 0 次，而 78% 的备选达人接过",
        ),
    ],
)
def test_each_family_speaks_both_languages(family: str, en: str, zh: str) -> None:
    reason = said(family)
    assert (reason.en, reason.zh) == (en, zh)


def test_every_phrase_belongs_to_a_family_of_signals() -> None:
    assert set(PHRASES) < {family.name for family in FAMILIES} | {"affinity"}


@pytest.mark.parametrize("family", PHRASES)
def test_there_is_no_reason_without_a_number(family: str) -> None:
    nothing = dict.fromkeys(TYPICAL, math.nan)
    assert say(family, nothing) is None
    assert PHRASES[family](Facts({})) is None
    reason = said(family)
    assert reason.evidence
    assert all(name.startswith(f"{family}.") or family == "reach" for name in reason.evidence)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("content", "content.top3"),
        ("affinity", "affinity.posts_recent"),
        ("vectors", "vectors.mean_cosine"),
        ("audience", "audience.match"),
        ("category", "category.vertical_posts"),
        ("sponsored", "sponsored.views"),
        ("style", "style.posts_90"),
    ],
)
def test_what_is_no_better_than_usual_is_no_reason(family: str, name: str) -> None:
    assert name in COMPARED
    assert say(family, {name + ABOVE: 0.49}) is None
    assert "50%" in said(family, {name + ABOVE: 0.5}).zh


@pytest.mark.parametrize(
    ("family", "changes", "others"),
    [
        ("content", {"content.bio": 0.1}, {"posts": ()}),
        ("content", {"content.best": 0.1}, {}),
        ("vectors", {"vectors.mean_cosine": -0.1}, {}),
        ("audience", {f"audience.match{ABOVE}": math.nan, "audience.match": 0.5}, {}),
        ("category", {"category.vertical_posts": 0.08}, {}),
        ("category", {}, {"vertical": ""}),
        ("price", {}, {"currency": ""}),
        ("reach", {"reach.posts_seen": 2.0}, {}),
        ("growth", {"growth.followers_90": -0.2, "growth.views": 0.05}, {}),
        ("growth", {"growth.followers_90": -0.2, "reach.posts_seen": 12.0}, {}),
        ("sponsored", {"sponsored.views": math.log(0.3)}, {}),
        ("sponsored", {"sponsored.posts": 2.0}, {}),
        ("record", {"record.delivered": 0.0}, {}),
        ("record", {"record.cancelled_rate": 1.5 / 9}, {}),
        ("style", {"style.posts_90": 2.0}, {}),
        ("reputation", {"reputation.incidents": 1.0}, {}),
        ("reputation", {f"reputation.incidents{ABOVE}": 0.05}, {}),
        ("rivalry", {"rivalry.recent": 1.0}, {}),
    ],
)
def test_what_does_not_speak_for_a_kol_is_not_said(
    family: str, changes: dict[str, float], others: dict[str, Any]
) -> None:
    assert say(family, changes, **others) is None


NO_PEERS = {"reach.peers": 4.0, "price.low": math.nan, "price.high": math.nan}
DEAR = {f"price.{name}{ABOVE}": 0.3 for name in ("per_view", "per_engagement")}


def test_a_price_that_is_usual_for_what_it_buys_is_no_reason() -> None:
    assert say("price", DEAR | {"price.against_peers": math.log(0.96)}) is None
    assert say("price", DEAR | NO_PEERS) is None


def test_a_price_below_what_peers_ask_names_their_range() -> None:
    reason = said("price", DEAR | {"price.low": 6000.0})
    assert reason.en == "Asks 5,400 CNY; below what similar KOLs usually ask (6,000–9,000 CNY)"
    assert reason.zh == "刊例价 5,400 元；报价低于同类达人常见区间（6,000–9,000 元）"
    assert reason.evidence["price.low"] == 6000.0
    at_the_end = {"price.low": 5400.0, "price.against_peers": 0.0}
    assert say("price", DEAR | at_the_end) is None


def test_the_cost_that_stands_better_is_told() -> None:
    reason = said("price", {f"price.per_engagement{ABOVE}": 0.9} | NO_PEERS, currency="USD")
    assert reason.en.endswith(
        "3.2 USD per engagement at recent rates, cheaper than 90% of the candidates"
    )
    assert "单次互动成本 3.2 USD，低于 90% 的备选达人" in reason.zh


def test_where_peers_are_few_or_better_the_candidates_are_compared_with() -> None:
    for changes in ({"reach.peers": 4.0}, {"reach.percentile": 0.2}):
        assert (
            said("reach", changes).zh == "近 46 天 28 条作品播放中位数 12.4万，高于 78% 的备选达人"
        )
    both = {"reach.peers": 4.0, f"engagement.rate{ABOVE}": 0.2}
    assert said("engagement", both).zh == "完播率 35%，高于 78% 的备选达人"
    assert say("engagement", both | {f"engagement.completion{ABOVE}": 0.2}) is None


def test_a_window_tells_the_time_it_really_covers() -> None:
    assert said("reach", {"reach.days": math.nan}).zh.startswith("近 28 条作品播放中位数")
    assert said("reach", {"reach.days": 29.5}).zh.startswith("近 30 天 28 条作品")
    assert said("reach", {"reach.days": 700.0}).zh.startswith("近 23 个月 28 条作品")
    assert "(last 23 months)" in said("reach", {"reach.days": 700.0}).en
    assert said("growth", {"growth.days": 31.0}).zh.startswith("近 31 天月均涨粉")
    assert said("style", {"style.posts_90": 30.0}).zh.startswith("近 90 天更新 30 条以上作品")


def test_views_that_rise_speak_where_followers_do_not() -> None:
    reason = said("growth", {"growth.followers_90": -0.01})
    assert reason.zh == "最近 10 条作品的播放水平比此前高 22%"
    assert reason.evidence == {"growth.views_change": pytest.approx(0.221403)}


def test_results_of_the_past_speak_for_a_record() -> None:
    ties = {"record.brand_signed": 0.0, "record.vertical_signed": math.nan}
    reason = said("record", ties)
    assert reason.zh == (
        "历史履约 3 次，实际 CPM 40 元，低于 78% 的备选达人，点击转化率 2.1%，高于 78% 的备选达人"
    )
    low = {f"record.{name}{ABOVE}": 0.1 for name in ("views_per_cost", "conversion")}
    assert said("record", ties | low).zh == "历史履约 3 次"
    assert say("record", ties | low | {"record.delivered": 2.0}) is None
    assert said(
        "record", {"record.delivered": 1.0, "record.cancelled_rate": 0.5 / 6}
    ).en.startswith("Delivered 1 past collaboration;")


def test_nobody_is_above_everybody() -> None:
    assert "above 99% of" in said("reach", {"reach.percentile": 0.9999}).en


def test_posts_that_read_the_same_are_quoted_once() -> None:
    reason = said("content", posts=POSTS[1:])
    assert reason.en.startswith(
        "Post “面霜空瓶记” (sponsored) comes closest to the brief (similarity 0.36)"
    )
    assert reason.zh.startswith("「面霜空瓶记」（商单）这条作品与需求最贴近（相似度 0.36）")


def test_a_post_without_text_is_called_by_its_id() -> None:
    reason = said("content", posts=(Post("p2", "", 0.41),))
    assert reason.en.startswith("Post p2 comes closest")


def test_where_nothing_was_posted_the_bio_speaks() -> None:
    silent = {"content.best": math.nan, "content.top3": math.nan}
    reason = said("content", silent, posts=())
    assert reason.zh == "达人简介与需求相近（相似度 0.30），高于 78% 的备选达人"


def test_who_was_drawn_is_said_to_be_with_the_chance_that_was() -> None:
    reason = drawn(0.042, 57)
    assert reason.zh == "为了解排名靠后的达人而随机抽取：原排名第 57 位，入选概率 4.2%"


@given(family=st.sampled_from(sorted(PHRASES)), known=drawn_facts())
def test_every_reason_has_a_figure_in_both_languages(family: str, known: Facts) -> None:
    reason = PHRASES[family](known)
    if reason is None:
        return
    assert re.search(r"\d", reason.en)
    assert re.search(r"\d", re.sub("「.*?」", "", reason.zh))
    assert not re.search(r"nan|inf|None|\{|\}", reason.en + reason.zh)
    assert set(re.findall("[A-Za-z]\\w*", reason.zh)) <= PLAIN_WORDS
    assert not re.search("[\u4e00-\u9fff，。；（）]", re.sub("“.*?”", "", reason.en))
    assert reason.evidence
