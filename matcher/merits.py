"""What a KOL has to offer, in words: price, reach, engagement, growth, record, conduct."""

from __future__ import annotations

import math

from matcher.comparisons import HALF, Both, against_candidates, against_peers, joined, lags, window
from matcher.figures import (
    ABOVE,
    ENGAGEMENTS,
    Facts,
    Reason,
    cost_of_views,
    counted,
    exp,
    grown,
    money,
    percent,
    place,
    short,
    wan,
)

LEAST, LESS = 0.01, 0.05
"""A growth of followers, and a difference of prices, below these say nothing."""
BARGAIN = 0.75
"""Share of candidates that must be dearer for a price to be called good value."""
RISE = 0.1
"""Rise of views that is more than chance."""
KEPT = 0.8
"""Share of their usual views that sponsored posts must keep to speak for a KOL."""
SOME = 0.1
"""Share of candidates with a stain that makes it worth telling that there is none."""
FEW = 3
"""Posts, or collaborations, that are the least to judge by."""
CANCELLED = 0.2
"""Share of cancelled collaborations with which a record speaks for nobody."""


def price(facts: Facts) -> Reason | None:
    """Speak of a price that is low for what it buys, or against what peers ask."""
    if not (facts.known("price.log") and facts.currency):
        return None
    clauses = [*_cost(facts), *_below_peers(facts)]
    if not clauses:
        return None
    en, zh = money(exp(facts.get("price.log")), facts.currency)
    clauses.insert(0, (f"asks {en}", f"刊例价 {zh}"))
    shown = [
        *("price.log", "price.per_view", f"price.per_view{ABOVE}", "price.per_engagement"),
        *(f"price.per_engagement{ABOVE}", "price.against_peers", "price.low", "price.high"),
    ]
    told = joined(clauses, "；")
    return Reason(told[0], told[1], facts.evidence(*shown))


def _cost(facts: Facts) -> list[Both]:
    """Tell the cost of views or of engagements, whichever stands better among the candidates."""
    kinds = {
        "price.per_view": (
            "a CPM of {} at the recent median of views",
            "按近期播放中位数折算 CPM {}",
        ),
        "price.per_engagement": (
            "{} per engagement at recent rates",
            "按近期互动折算单次互动成本 {}",
        ),
    }
    best = max(kinds, key=lambda name: _number(facts.above(name)))
    if not facts.above(best) >= HALF:
        return []
    en, zh = money(exp(facts.get(best)), facts.currency)
    share = place(facts.above(best))
    bargain = "，性价比高" * (facts.above(best) >= BARGAIN)
    return [
        (
            f"{kinds[best][0].format(en)}, cheaper than {share} of the candidates",
            f"{kinds[best][1].format(zh)}，低于 {share} 的备选达人{bargain}",
        )
    ]


def _below_peers(facts: Facts) -> list[Both]:
    if facts.known("price.low", "price.high") and below(facts):
        (low_en, low_zh), (high_en, high_zh) = (
            money(facts.get(end), facts.currency) for end in ("price.low", "price.high")
        )
        unit = f" {facts.currency}"
        return [
            (
                f"below what similar KOLs usually ask ({low_en.removesuffix(unit)}–{high_en})",
                f"报价低于同类达人常见区间（{low_zh.split()[0]}–{high_zh}）",
            )
        ]
    cheaper = 1 - exp(facts.get("price.against_peers"))
    if not (facts.known("price.against_peers") and facts.has_peers and cheaper >= LESS):
        return []
    return [
        (
            f"{place(cheaper)} below the median of the same tier on the platform",
            f"报价比同平台同量级达人的中位数低 {place(cheaper)}",
        )
    ]


def below(facts: Facts) -> bool:
    """Say whether the price is below what similar KOLs usually ask; the end itself is usual."""
    # The price went through a logarithm.
    return exp(facts.get("price.log")) < facts.get("price.low") * (1 - 1e-9)


def reach(facts: Facts) -> Reason | None:
    """Speak of views that are more than others have."""
    name = "reach.median_views"
    if not facts.known(name) or facts.get("reach.posts_seen") < FEW:
        return None
    views = grown(facts.get(name))
    than = against_peers(facts, "reach") or against_candidates(facts, name, "more than", "高于")
    if not than[0]:
        return None
    en, zh = window(facts)
    return Reason(
        f"Median of {short(views)} views over {en}{than[0]}",
        f"{zh}播放中位数 {wan(views)}{than[1]}",
        facts.evidence(name, "reach.percentile", name + ABOVE, "reach.posts_seen", "reach.days"),
    )


def engagement(facts: Facts) -> Reason | None:
    """Speak of engagement and completion above that of others."""
    rate, completion = facts.engagement_seen, facts.get("engagement.completion")
    clauses: list[Both] = []
    than = against_peers(facts, "engagement") or against_candidates(
        facts, "engagement.rate", "above", "高于"
    )
    if than[0] and not math.isnan(rate):
        told = percent(rate, 1)
        clauses.append((f"engagement rate {told}{than[0]}", f"互动率 {told}{than[1]}"))
    than = against_candidates(facts, "engagement.completion", "above", "高于")
    if than[0]:
        told = percent(completion)
        clauses.append((f"completion rate {told}{than[0]}", f"完播率 {told}{than[1]}"))
    if not clauses:
        return None
    shown = [
        *(*ENGAGEMENTS, "engagement.completion", "engagement.percentile"),
        *(f"engagement.rate{ABOVE}", f"engagement.completion{ABOVE}"),
    ]
    en, zh = joined(clauses, "；")
    return Reason(en, zh, facts.evidence(*shown))


def growth(facts: Facts) -> Reason | None:
    """Speak of followers that grow, or else of views."""
    name, views = "growth.followers_90", grown(facts.get("growth.views"))
    rate = grown(facts.get(name))
    if facts.known(name) and rate >= LEAST and not lags(facts, name):
        days = facts.get("growth.days")
        en, zh = (f" over {days:.0f} days", f"近 {days:.0f} 天") if days >= 1 else ("", "")
        than = against_candidates(facts, name, "faster than", "涨速快于")
        return Reason(
            f"Followers grow by {percent(rate, 1)} a month{en}{than[0]}",
            f"{zh}月均涨粉 {percent(rate, 1)}{than[1]}",
            facts.evidence(name, name + ABOVE, "growth.days"),
        )
    if not (facts.known("growth.views") and views >= RISE and facts.get("reach.posts_seen") >= 20):
        return None
    return Reason(
        f"Views of the latest 10 posts are {percent(views)} above those of the posts before",
        f"最近 10 条作品的播放水平比此前高 {percent(views)}",
        facts.evidence("growth.views"),
    )


def sponsored(facts: Facts) -> Reason | None:
    """Speak of sponsored posts that keep their views."""
    name = "sponsored.views"
    kept, count = exp(facts.get(name)), facts.get("sponsored.posts")
    if not (facts.known(name) and count >= FEW and kept >= KEPT) or lags(facts, name):
        return None
    than = against_candidates(facts, name, "more than", "高于")
    return Reason(
        f"{counted(count, 'recent sponsored post')} kept {percent(kept)} of usual views{than[0]}",
        f"近期 {count:.0f} 条商单的播放达到日常作品的 {percent(kept)}{than[1]}",
        facts.evidence(name, "sponsored.posts", name + ABOVE),
    )


def record(facts: Facts) -> Reason | None:
    """Speak of past collaborations: how many, for whom, at what cost."""
    count = facts.get("record.delivered")
    gone = cancelled(facts)
    if not count >= 1 or gone / (gone + count) > CANCELLED:
        return None
    clauses = [
        (f"delivered {counted(count, 'past collaboration')}", f"历史履约 {count:.0f} 次"),
        *_ties(facts),
        *_results(facts),
    ]
    if len(clauses) == 1 and count < FEW:
        return None
    en, zh = joined(clauses[:3], "，")
    shown = ("delivered", "brand_signed", "vertical_signed", "conversion", "views_per_cost")
    return Reason(en, zh, facts.evidence(*(f"record.{name}" for name in shown)))


def cancelled(facts: Facts) -> float:
    """Return how many collaborations were cancelled, from their shrunk share; 0 where unknown."""
    rate, delivered = facts.get("record.cancelled_rate"), facts.get("record.delivered")
    if not (0 <= rate < 1 and delivered >= 0):
        return 0.0
    return max(round(min((rate * (delivered + 5.0) - 0.5) / (1.0 - rate), 1e9)), 0)


def _ties(facts: Facts) -> list[Both]:
    told = []
    brand, vertical = facts.get("record.brand_signed"), facts.get("record.vertical_signed")
    if brand >= 1:
        told.append((f"{brand:.0f} signed with this brand", f"与本品牌合作过 {brand:.0f} 次"))
    if vertical >= 1 and facts.vertical:
        topic = facts.vertical.replace("_", " ")
        told.append(
            (f"{vertical:.0f} signed in {topic}", f"{facts.vertical_zh}类合作过 {vertical:.0f} 次")
        )
    return told


def _results(facts: Facts) -> list[Both]:
    told = []
    cpm, rate = "record.views_per_cost", "record.conversion"
    if facts.known(cpm) and facts.currency and facts.above(cpm) >= HALF:
        en, zh = money(cost_of_views(facts.get(cpm)), facts.currency)
        share = place(facts.above(cpm))
        told.append(
            (
                f"at a CPM of {en}, cheaper than {share} of the candidates",
                f"实际 CPM {zh}，低于 {share} 的备选达人",
            )
        )
    if facts.known(rate) and facts.above(rate) >= HALF:
        share, told_rate = place(facts.above(rate)), percent(facts.get(rate), 1)
        told.append(
            (
                f"{told_rate} of clicks became orders, above {share} of the candidates",
                f"点击转化率 {told_rate}，高于 {share} 的备选达人",
            )
        )
    return told


def style(facts: Facts) -> Reason | None:
    """Speak of regular posts."""
    name = "style.posts_90"
    count = facts.get(name)
    if not count >= FEW or lags(facts, name):
        return None
    most = count >= facts.most_posts
    than = against_candidates(facts, name, "more than", "更新频率高于")
    return Reason(
        f"{counted(count, 'post')}{' or more' * most} in the last 90 days{than[0]}",
        f"近 90 天更新 {count:.0f} 条{'以上' * most}作品{than[1]}",
        facts.evidence(name, name + ABOVE),
    )


def reputation(facts: Facts) -> Reason | None:
    """Speak of a clean record, where others have none."""
    name = "reputation.incidents"
    if facts.get(name) != 0 or not facts.above(name) >= SOME:
        return None
    share = place(facts.above(name))
    return Reason(
        f"0 incidents on record, while {share} of the candidates have some",
        f"负面舆情记录 0 起，而 {share} 的备选达人有过记录",
        facts.evidence(name, name + ABOVE),
    )


def rivalry(facts: Facts) -> Reason | None:
    """Speak of no work for competitors, where others have some."""
    name = "rivalry.recent"
    if facts.get(name) != 0 or not facts.above(name) >= SOME:
        return None
    share = place(facts.above(name))
    return Reason(
        f"0 posts or deals for competitors in {facts.rivalry_days} days, while {share} of the "
        "candidates had some",
        f"近 {facts.rivalry_days} 天竞品合作 0 次，而 {share} 的备选达人接过",
        facts.evidence(name, name + ABOVE),
    )


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value
