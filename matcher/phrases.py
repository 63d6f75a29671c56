"""Reasons in words, Chinese and English, each built on real figures.

One function a family of signals. It gets one match's signals and says the most telling thing it
can prove, or nothing: there is no reason without a number behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes
    ----------
    en, zh : str
        The sentence in both languages.
    evidence : dict
        The signals it rests on, with their values.
    """

    en: str
    zh: str
    evidence: dict[str, float | str]


@dataclass(frozen=True)
class Facts:
    """What may be said about one match.

    Attributes
    ----------
    signals : mapping
        Signals by name; NaN where unknown.
    vertical : str
        Vertical of the brief; empty where it names none.
    currency : str
        Currency of the offer; empty without an offer.
    post_id : str
        Recent post closest to the brief; empty without posts.
    """

    signals: Mapping[str, float]
    vertical: str
    currency: str
    post_id: str

    def known(self, *names: str) -> bool:
        """Say whether all these signals have a value."""
        return all(not math.isnan(self.signals.get(name, math.nan)) for name in names)

    def evidence(self, *names: str, **others: str) -> dict[str, float | str]:
        """Return the named signals that are known, rounded to six digits, and other facts."""
        kept = {name: round(self.signals[name], 6) for name in names if self.known(name)}
        return kept | others


def wan(number: float) -> str:
    """Write a count as Chinese readers do: 12,345 is 1.2万."""
    for size, unit in ((1e8, "亿"), (1e4, "万")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Write a count as English readers do: 12,345 is 12.3k."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return f"{number:,.0f}"


def _content(facts: Facts) -> Reason | None:
    if not (facts.known("content.best") and facts.post_id):
        return None
    best = facts.signals["content.best"]
    return Reason(
        f"Recent post {facts.post_id} is close to the brief (similarity {best:.2f})",
        f"近期作品 {facts.post_id} 与需求内容相近（相似度 {best:.2f}）",
        facts.evidence("content.best", "content.top3", post_id=facts.post_id),
    )


def _vectors(facts: Facts) -> Reason | None:
    if not facts.known("vectors.mean_cosine"):
        return None
    mean = facts.signals["vectors.mean_cosine"]
    return Reason(
        f"Your own embeddings of brief and KOL agree (mean cosine {mean:.2f})",
        f"自有向量显示与需求相近（平均余弦 {mean:.2f}）",
        facts.evidence("vectors.mean_cosine", "vectors.max_cosine"),
    )


def _audience(facts: Facts) -> Reason | None:
    if not facts.known("audience.match"):
        return None
    match = facts.signals["audience.match"]
    return Reason(
        f"Audience matches the target group by {match:.0%}",
        f"粉丝画像与目标人群匹配度 {match:.0%}",
        facts.evidence("audience.match", "audience.target_share"),
    )


def _category(facts: Facts) -> Reason | None:
    if not (facts.vertical and facts.known("category.vertical_posts")):
        return None
    share = facts.signals["category.vertical_posts"]
    if share <= 0:
        return None
    return Reason(
        f"{share:.0%} of recent posts are about {facts.vertical}",
        f"近期作品中 {share:.0%} 属于 {facts.vertical} 品类",
        facts.evidence("category.vertical_posts", "category.vertical"),
    )


def _price(facts: Facts) -> Reason | None:
    if not (facts.known("price.per_view") and facts.currency):
        return None
    cpm = math.exp(facts.signals["price.per_view"])
    en = f"About {cpm:,.1f} {facts.currency} per 1,000 views (CPM)"
    zh = f"预估 CPM 约 {cpm:,.1f} {facts.currency}"
    if facts.known("price.against_peers") and facts.signals["price.against_peers"] < 0:
        below = 1 - math.exp(facts.signals["price.against_peers"])
        en += f", price {below:.0%} below comparable KOLs"
        zh += f"，报价低于同平台同量级中位数 {below:.0%}"
    return Reason(en, zh, facts.evidence("price.per_view", "price.against_peers", "price.log"))


def _reach(facts: Facts) -> Reason | None:
    if not facts.known("reach.median_views"):
        return None
    views = math.expm1(facts.signals["reach.median_views"])
    en = f"Median of {short(views)} views on recent posts"
    zh = f"近期作品播放中位数 {wan(views)}"
    if facts.known("reach.percentile") and facts.signals["reach.percentile"] >= 0.5:
        place = facts.signals["reach.percentile"]
        en += f", above {place:.0%} of the same tier on the platform"
        zh += f"，高于同平台同量级 {place:.0%} 的达人"
    return Reason(en, zh, facts.evidence("reach.median_views", "reach.percentile"))


def _engagement(facts: Facts) -> Reason | None:
    if not facts.known("engagement.rate"):
        return None
    rate = facts.signals["engagement.rate"]
    en, zh = f"Engagement rate {rate:.1%}", f"互动率 {rate:.1%}"
    if facts.known("engagement.percentile") and facts.signals["engagement.percentile"] >= 0.5:
        place = facts.signals["engagement.percentile"]
        en += f", above {place:.0%} of the same tier on the platform"
        zh += f"，高于同平台同量级 {place:.0%} 的达人"
    return Reason(en, zh, facts.evidence("engagement.rate", "engagement.percentile"))


def _growth(facts: Facts) -> Reason | None:
    name = "growth.followers_90"
    if not facts.known(name):
        return None
    rate = math.expm1(facts.signals[name])
    if rate < 0.005:
        return None
    return Reason(
        f"Followers grow by {rate:.1%} a month", f"近期粉丝月增长 {rate:.1%}", facts.evidence(name)
    )


def _sponsored(facts: Facts) -> Reason | None:
    if not facts.known("sponsored.views", "sponsored.posts"):
        return None
    kept = math.exp(facts.signals["sponsored.views"])
    count = facts.signals["sponsored.posts"]
    return Reason(
        f"{count:.0f} recent sponsored posts kept {kept:.0%} of the usual views",
        f"近期 {count:.0f} 条商单播放为日常作品的 {kept:.0%}",
        facts.evidence("sponsored.views", "sponsored.posts"),
    )


def _record(facts: Facts) -> Reason | None:
    if not facts.known("record.delivered") or facts.signals["record.delivered"] < 1:
        return None
    count = facts.signals["record.delivered"]
    en = f"Delivered {count:.0f} past collaboration{'s' * (count > 1)}"
    zh = f"历史履约合作 {count:.0f} 次"
    if facts.known("record.conversion", "record.measured") and facts.signals["record.measured"]:
        rate = facts.signals["record.conversion"]
        en += f", conversion rate {rate:.1%}"
        zh += f"，历史转化率 {rate:.1%}"
    return Reason(en, zh, facts.evidence("record.delivered", "record.conversion"))


def _style(facts: Facts) -> Reason | None:
    if not facts.known("style.posts_90") or facts.signals["style.posts_90"] < 1:
        return None
    count = facts.signals["style.posts_90"]
    return Reason(
        f"{count:.0f} posts in the last 90 days",
        f"近 90 天发布作品 {count:.0f} 条",
        facts.evidence("style.posts_90"),
    )


PHRASES: Mapping[str, Callable[[Facts], Reason | None]] = {
    "content": _content,
    "vectors": _vectors,
    "audience": _audience,
    "category": _category,
    "price": _price,
    "reach": _reach,
    "engagement": _engagement,
    "growth": _growth,
    "sponsored": _sponsored,
    "record": _record,
    "style": _style,
}
"""How each family speaks. A family that is missing (the brief alone, say) never is a reason."""
