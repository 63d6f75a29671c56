"""Reasons in words, Chinese and English, each built on real figures.

One function a family of signals. It gets one match's signals and says the most telling thing it
can prove, or nothing: there is no reason without a number behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TOPICAL = 0.2
"""Share of recent posts on the brief's vertical, and likeness of a text, that speak for a KOL."""
PEERS = 5
"""Fewer peers of the same platform and tier are nobody to be compared with."""
LEAST = 0.01
"""A share or a growth below this would be written as 0% and says nothing."""
ENGAGEMENTS = tuple(f"engagement.{kind}" for kind in ("likes", "comments", "shares", "saves"))
BAND = ("price.low", "price.high")
PLACED = (("below", "低于"), ("within", "处于"), ("above", "高于"))
"""Ends of what peers ask, and where a price lies."""
SLACK = (1 - 1e-9, 1 + 1e-9)
"""The ends themselves are within, though the price went through a logarithm."""
KEPT = 0.8
"""Share of their usual views that sponsored posts must keep to speak for a KOL."""


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes
    ----------
    en, zh : str
        The sentence in both languages.
    evidence : dict
        The figures it rests on, in units that people use, by name of the signal.
    """

    en: str
    zh: str
    evidence: dict[str, float | str]


@dataclass(frozen=True)
class Post:
    """A recent post that is close to the brief.

    Attributes
    ----------
    post_id, excerpt : str
        The post, and the beginning of its text on one line.
    cosine : float
        How close it is.
    sponsored : bool
        Whether it is known to be sponsored.
    """

    post_id: str
    excerpt: str
    cosine: float
    sponsored: bool = False


@dataclass(frozen=True)
class Facts:
    """What may be said about one match.

    Attributes
    ----------
    signals : mapping
        Signals by name; NaN where unknown.
    vertical, vertical_zh : str
        Vertical of the brief, and what the trade calls it in Chinese; empty where it names none.
    currency : str
        Currency of the offer; empty without an offer.
    posts : tuple of Post
        Recent posts closest to the brief, the closest first; empty without posts.
    """

    signals: Mapping[str, float]
    vertical: str
    vertical_zh: str
    currency: str
    posts: tuple[Post, ...] = ()

    def known(self, *names: str) -> bool:
        """Say whether all these signals have a value."""
        return all(not math.isnan(self.signals.get(name, math.nan)) for name in names)

    @property
    def has_peers(self) -> bool:
        """Whether there are enough KOLs of the same platform and tier to compare with."""
        return self.known("reach.peers") and self.signals["reach.peers"] >= PEERS

    def evidence(self, *names: str) -> dict[str, float | str]:
        """Return the named signals that are known, in units that people use."""
        kept: dict[str, float | str] = {}
        for name in filter(self.known, names):
            told, plain = PLAIN.get(name, (name, float))
            kept[told] = float(f"{plain(self.signals[name]):.6g}")
        return kept


def wan(number: float) -> str:
    """Write a count as Chinese readers do: 12,345 is 1.2万, 340,000,000 is 3.4亿."""
    return _scaled(number, ((1e4, "万"), (1e8, "亿")))


def short(number: float) -> str:
    """Write a count as English readers do: 12,345 is 12.3k."""
    return _scaled(number, ((1e3, "k"), (1e6, "M"), (1e9, "bn")))


def _scaled(number: float, units: tuple[tuple[float, str], ...]) -> str:
    """Write a count in the largest unit that it fills; 999,999 is 1M, since it is not 1,000k."""
    shown, size, unit = float(round(number)), 1.0, ""
    for larger, name in units:
        if shown * size >= larger:
            shown, size, unit = round(number / larger, 1), larger, name
    return f"{shown:,.1f}".removesuffix(".0") + unit


def _money(amount: float, currency: str) -> tuple[str, str]:
    """Write money in English and Chinese."""
    figure = f"{amount:,.1f}" if amount < 1000 else f"{amount:,.0f}"
    return f"{figure} {currency}", f"{figure} {'元' if currency == 'CNY' else currency}"


def _place(share: float) -> str:
    """Write the share of peers that are surpassed; nobody surpasses all, himself included."""
    return f"{min(math.floor(share * 100), 99)}%"


def _exp(value: float) -> float:
    """Return the exponential, at most 1e300: a wild figure must not stop a run."""
    return math.exp(min(value, math.log(1e300)))


def _count(log: float) -> float:
    """Turn the log of a count + 1, or of one + a growth, back."""
    return _exp(log) - 1


PLAIN: Mapping[str, tuple[str, Callable[[float], float]]] = {
    "price.log": ("price.amount", _exp),
    "price.per_view": ("price.cpm", _exp),
    "price.against_peers": ("price.of_peers_median", _exp),
    "reach.median_views": ("reach.median_views", _count),
    "growth.followers_90": ("growth.followers_a_month", _count),
    "sponsored.views": ("sponsored.of_usual_views", _exp),
}
"""How evidence tells a signal that is a logarithm: under which name, and turned back by what."""


def _content(facts: Facts) -> Reason | None:
    if facts.known("content.best") and facts.posts:
        best, post = facts.signals["content.best"], facts.posts[0]
        if best < TOPICAL:
            return None
        figures = facts.evidence(
            "content.best", "content.top3", "content.topic", "content.topic_share"
        )
        for place, shown in enumerate(facts.posts, start=1):
            figures[f"content.post_{place}"] = shown.post_id
            figures[f"content.post_{place}_cosine"] = float(f"{shown.cosine:.6g}")
        en, zh = (f" (“{post.excerpt}”)", f"「{post.excerpt}」") if post.excerpt else ("", " ")
        return Reason(
            f"Recent {'sponsored ' * post.sponsored}post {post.post_id}{en} comes "
            f"closest to the brief (similarity {best:.2f})",
            f"近期{'商单' if post.sponsored else '作品'} {post.post_id}{zh}"
            f"与本次需求最为契合（相似度 {best:.2f}）",
            figures,
        )
    if not facts.known("content.bio") or facts.signals["content.bio"] < TOPICAL:
        return None
    bio = facts.signals["content.bio"]
    return Reason(
        f"The bio is close to the brief (similarity {bio:.2f})",
        f"达人简介与本次需求相近（相似度 {bio:.2f}）",
        facts.evidence("content.bio"),
    )


def _vectors(facts: Facts) -> Reason | None:
    mean = facts.signals.get("vectors.mean_cosine", math.nan)
    if not mean >= LEAST:
        return None
    return Reason(
        f"Your own embeddings of brief and KOL agree (mean cosine {mean:.2f})",
        f"按自有向量，达人与需求契合（平均余弦相似度 {mean:.2f}）",
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
    if share < TOPICAL:
        return None
    return Reason(
        f"{share:.0%} of recent posts are about {facts.vertical.replace('_', ' ')}",
        f"近期作品中{facts.vertical_zh}类内容占 {share:.0%}",
        facts.evidence("category.vertical_posts", "category.vertical"),
    )


def _price(facts: Facts) -> Reason | None:
    if not (facts.known("price.per_view") and facts.currency):
        return None
    cpm_en, cpm_zh = _money(_exp(facts.signals["price.per_view"]), facts.currency)
    en, zh = (
        f"About {cpm_en} per 1,000 views at recent reach (CPM)",
        f"按近期播放估算 CPM 约 {cpm_zh}",
    )
    below = 0.0
    if facts.known("price.against_peers") and facts.has_peers:
        below = 1 - _exp(facts.signals["price.against_peers"])
    if below >= LEAST:
        en += f", price {_place(below)} below comparable KOLs"
        zh += f"，刊例价比同平台同量级达人低 {_place(below)}，性价比高"
    shown = ["price.per_view", "price.against_peers", "price.log"]
    if facts.known(*BAND, "price.log"):
        (low_en, low_zh), (high_en, high_zh) = (
            _money(facts.signals[end], facts.currency) for end in BAND
        )
        amount = _exp(facts.signals["price.log"])
        low, high = (facts.signals[end] * slack for end, slack in zip(BAND, SLACK, strict=True))
        place = int(amount >= low) + int(amount > high)
        unit = f" {facts.currency}"
        en += f"; {PLACED[place][0]} what such KOLs ask ({low_en.removesuffix(unit)}–{high_en})"
        zh += f"；报价{PLACED[place][1]}同类达人常见区间（{low_zh}–{high_zh}）"
        shown += BAND
    return Reason(en, zh, facts.evidence(*shown))


def _reach(facts: Facts) -> Reason | None:
    if not facts.known("reach.median_views"):
        return None
    views = _exp(facts.signals["reach.median_views"]) - 1
    en = f"Median of {short(views)} views on recent posts"
    zh = f"近期作品播放量中位数 {wan(views)}"
    return _against_peers("reach", en, zh, facts, "reach.median_views")


def _engagement(facts: Facts) -> Reason | None:
    shown = [name for name in ENGAGEMENTS if facts.known(name)]
    if not shown:
        return None
    # The rate as it was seen; `engagement.rate` is shrunk, which is for the model.
    rate = sum(facts.signals[name] for name in shown)
    en, zh = f"Engagement rate {rate:.1%}", f"互动率 {rate:.1%}"
    if facts.known("engagement.completion"):
        completion = facts.signals["engagement.completion"]
        en += f", completion rate {completion:.0%}"
        zh += f"，完播率 {completion:.0%}"
        shown.append("engagement.completion")
    return _against_peers("engagement", en, zh, facts, *shown)


def _against_peers(family: str, en: str, zh: str, facts: Facts, *shown: str) -> Reason:
    """Add the place among peers where it is in the upper half."""
    name = f"{family}.percentile"
    if facts.known(name) and facts.signals[name] >= 0.5 and facts.has_peers:
        place = _place(facts.signals[name])
        subject = "engagement rate " if "engagement.completion" in shown else ""
        en += f", {subject}above {place} of the same tier on the platform"
        zh += f"，{'互动率' if subject else ''}高于同平台 {place} 的同量级达人"
    return Reason(en, zh, facts.evidence(*shown, name))


def _growth(facts: Facts) -> Reason | None:
    name = "growth.followers_90"
    if not facts.known(name):
        return None
    rate = _exp(facts.signals[name]) - 1
    if rate < LEAST:
        return None
    return Reason(
        f"Followers grow by {rate:.1%} a month",
        f"近三个月粉丝月均增长 {rate:.1%}",
        facts.evidence(name),
    )


def _sponsored(facts: Facts) -> Reason | None:
    if not facts.known("sponsored.views", "sponsored.posts"):
        return None
    kept = _exp(facts.signals["sponsored.views"])
    count = facts.signals["sponsored.posts"]
    if kept < KEPT:
        return None
    return Reason(
        f"{_counted(count, 'recent sponsored post')} kept {kept:.0%} of the usual views",
        f"近期 {count:.0f} 条商单的播放量达到日常作品的 {kept:.0%}",
        facts.evidence("sponsored.views", "sponsored.posts"),
    )


def _record(facts: Facts) -> Reason | None:
    if not facts.known("record.delivered") or facts.signals["record.delivered"] < 1:
        return None
    count = facts.signals["record.delivered"]
    en = f"Delivered {_counted(count, 'past collaboration')}"
    zh = f"历史履约 {count:.0f} 次"
    if facts.known("record.conversion"):
        rate = facts.signals["record.conversion"]
        en += f", {rate:.1%} of clicks became orders"
        zh += f"，带货点击转化率 {rate:.1%}"
    return Reason(en, zh, facts.evidence("record.delivered", "record.conversion"))


def _style(facts: Facts) -> Reason | None:
    if not facts.known("style.posts_90") or facts.signals["style.posts_90"] < 1:
        return None
    count = facts.signals["style.posts_90"]
    return Reason(
        f"{_counted(count, 'post')} in the last 90 days",
        f"近 90 天更新 {count:.0f} 条作品",
        facts.evidence("style.posts_90"),
    )


def drawn(chance: float, rank: float) -> Reason:
    """Say that a place was drawn by chance, the chance that was, and the rank without it."""
    share = f"{chance:.0%}" if chance >= 0.0995 else f"{chance:.1%}"
    return Reason(
        f"Drawn by chance, to learn about KOLs further down the ranking: ranked {rank:.0f}, with a "
        f"chance of {share} to be on this list",
        f"为了解排名靠后的达人而随机抽取：原排名第 {rank:.0f} 位，入选概率 {share}",
        {"explore.rank": rank, "explore.chance": float(f"{chance:.6g}")},
    )


def _counted(count: float, noun: str) -> str:
    return f"{count:.0f} {noun}{'s' * (round(count) != 1)}"


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
