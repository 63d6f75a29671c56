"""What is known of a KOL that speaks against it: price, posts, trend, audience, record, conduct."""

from __future__ import annotations

import math
from collections.abc import Iterator

from matcher.comparisons import window
from matcher.doubt import Case, Caution
from matcher.figures import (
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
from matcher.merits import cancelled

IDLE = 2.0
"""Usual days between posts after which a KOL is idle."""
POOR = 0.8
"""Share of candidates, or of peers, that are better: a figure then speaks against a KOL."""


def price(case: Case) -> Iterator[Caution]:
    """Warn of a price above what peers ask, dear views, or an old quote."""
    facts = case.facts
    if not (facts.known("price.log") and facts.currency):
        return
    amount, high = exp(facts.get("price.log")), facts.get("price.high")
    if amount > high * (1 + 1e-9) and high > 0:
        over = amount / high - 1
        (en, zh), (top_en, top_zh) = (money(value, facts.currency) for value in (amount, high))
        yield Caution(
            0.45 + min(over, 1.0) * 0.4,
            "price",
            f"Asks {en}, {_times(over)} above what similar KOLs usually ask (up to {top_en}): "
            "worth negotiating",
            f"刊例价 {zh}，比同类达人常见报价上限（{top_zh}）高 {_times(over)}，建议议价",
        )
    if facts.below("price.per_view") >= POOR:
        share = facts.below("price.per_view")
        en, zh = money(exp(facts.get("price.per_view")), facts.currency)
        yield Caution(
            0.4 + (share - POOR),
            "price",
            f"Views are dear: a CPM of {en} at recent views, more than {place(share)} of the "
            "candidates",
            f"播放成本偏高：按近期播放折算 CPM {zh}，高于 {place(share)} 的备选达人",
        )
    age = facts.get("price.quote_age")
    if age >= 60:
        yield Caution(
            min(0.3 + age / 900, 0.6),
            "price",
            f"The quote is {counted(age, 'day')} old and should be confirmed",
            f"报价已是 {age:.0f} 天前的，需重新确认",
        )


def posts(case: Case) -> Iterator[Caution]:
    """Warn of few or old posts, or a KOL that is hardly known."""
    facts = case.facts
    seen, age = facts.get("style.posts_seen"), facts.get("style.days_since_post")
    if not seen >= 5:
        count = 0.0 if math.isnan(seen) else seen
        yield Caution(
            0.75 - count / 20,
            "style",
            f"Little to judge by: {counted(count, 'known post')}",
            f"可参考的数据太少：仅掌握 {count:.0f} 条作品",
        )
    gap = facts.get("style.median_gap_days")
    if age >= 30 and not age < IDLE * gap:
        usual_en = f", usually there is one every {counted(max(gap, 1), 'day')}" if gap > 0 else ""
        usual_zh = f"，以往通常 {max(gap, 1):.0f} 天更新一条" if gap > 0 else ""
        yield Caution(
            min(0.4 + age / 300, 0.9),
            "style",
            f"Not active lately: the latest known post is {counted(age, 'day')} old{usual_en}",
            f"近期更新停滞：最近一条作品距今 {age:.0f} 天{usual_zh}",
        )
    known = facts.get("growth.observed_days")
    if known < 60:
        yield Caution(
            0.45 - known / 300,
            "growth",
            f"New to us: observed for {counted(known, 'day')}",
            f"收录时间短：仅跟踪 {known:.0f} 天，走势尚不明朗",
        )
    stale = facts.get("growth.profile_age")
    if stale >= 60:
        yield Caution(
            min(0.3 + stale / 600, 0.6),
            "growth",
            f"Profile and followers were last seen {counted(stale, 'day')} ago",
            f"账号数据更新于 {stale:.0f} 天前，粉丝与画像可能已有变化",
        )


def trend(case: Case) -> Iterator[Caution]:
    """Warn of followers or views that go down."""
    facts = case.facts
    rate, views = (grown(facts.get(f"growth.{name}")) for name in ("followers_90", "views"))
    if rate <= -0.005:
        yield Caution(
            min(0.5 - rate * 4, 0.8),
            "growth",
            f"Losing followers: {percent(-rate, 1)} a month",
            f"账号在掉粉：月均减少 {percent(-rate, 1)}",
        )
    if views <= -0.15 and facts.get("reach.posts_seen") >= 20:
        yield Caution(
            min(0.3 - views * 0.6, 0.8),
            "growth",
            f"Views are falling: the latest 10 posts are {percent(-views)} below those before",
            f"播放走低：最近 10 条作品的播放水平比此前低 {percent(-views)}",
        )


def people(case: Case) -> Iterator[Caution]:
    """Warn of an audience that is not the target, or not real."""
    facts = case.facts
    name = "audience.match"
    match, worse = facts.get(name), facts.below(name)
    if (match < 0.5 and not worse < 0.6) or worse >= POOR:
        than_en = f", less than {place(worse)} of the candidates" if worse >= 0.5 else ""
        than_zh = f"，低于 {place(worse)} 的备选达人" if worse >= 0.5 else ""
        yield Caution(
            0.4 + max(0.5 - match, 0.0) + (max(worse - POOR, 0.0) if worse >= POOR else 0.0),
            "audience",
            f"Audience matches the target group by only {percent(match)}{than_en}",
            f"粉丝画像与目标人群匹配度仅 {percent(match)}{than_zh}",
        )
    fake = facts.get("reach.suspicious_share")
    if fake >= 0.15:
        yield Caution(
            min(0.4 + fake, 1.0),
            "reach",
            f"{percent(fake)} of followers look fake",
            f"疑似水粉占比 {percent(fake)}",
        )


def topic(case: Case) -> Iterator[Caution]:
    """Warn of content that is further from the brief than that of most."""
    facts = case.facts
    best, worse = facts.get("content.best"), facts.below("content.top3")
    if facts.posts and worse >= POOR:
        yield Caution(
            0.4 + (worse - POOR),
            "content",
            f"Content is further from the brief than that of {place(worse)} of the candidates "
            f"(closest post: similarity {best:.2f})",
            f"内容与需求的契合度低于 {place(worse)} 的备选达人（最接近的作品相似度 {best:.2f}）",
        )
    share = facts.get("category.vertical_posts")
    if facts.vertical and share < 0.1:
        yield Caution(
            0.45 - share,
            "category",
            f"{'Only ' * (share > 0)}{percent(share)} of recent posts are about "
            f"{facts.vertical.replace('_', ' ')}",
            f"垂类不符：近期作品中{facts.vertical_zh}类内容{'仅' * (share > 0)}占 {percent(share)}",
        )


def response(case: Case) -> Iterator[Caution]:
    """Warn of views or engagement below peers'."""
    facts = case.facts
    if not facts.has_peers:
        return
    low = 1 - facts.get("reach.percentile")
    views = grown(facts.get("reach.median_views"))
    if low >= POOR:
        en, zh = window(facts)
        yield Caution(
            0.4 + (low - POOR),
            "reach",
            f"Few views for its size: median of {short(views)} over {en}, below {place(low)} of "
            "the same tier on the platform",
            f"播放偏低：{zh}播放中位数 {wan(views)}，低于同平台同量级 {place(low)} 的达人",
        )
    low, rate = 1 - facts.get("engagement.percentile"), facts.engagement_seen
    if low >= POOR and not math.isnan(rate):
        yield Caution(
            0.4 + (low - POOR),
            "engagement",
            f"Engagement rate of {percent(rate, 1)} is below {place(low)} of the same tier on the "
            "platform",
            f"互动偏弱：互动率 {percent(rate, 1)}，低于同平台同量级 {place(low)} 的达人",
        )


def sponsored(case: Case) -> Iterator[Caution]:
    """Warn of sponsored posts that lose views, or crowd out others."""
    facts = case.facts
    kept, count = exp(facts.get("sponsored.views")), facts.get("sponsored.posts")
    if kept < 0.75 and count >= 3:
        yield Caution(
            0.4 + (0.75 - kept),
            "sponsored",
            f"{counted(count, 'recent sponsored post')} kept only {percent(kept)} of usual views",
            f"商单掉量明显：近期 {count:.0f} 条商单的播放仅为日常作品的 {percent(kept)}",
        )
    share = facts.get("sponsored.share")
    if share >= 0.4:
        yield Caution(
            0.3 + share / 2,
            "sponsored",
            f"{percent(share)} of recent posts are sponsored",
            f"商单密度偏高：近期作品中商单占 {percent(share)}",
        )


def record(case: Case) -> Iterator[Caution]:
    """Warn of cancelled work, of none, and of dear results."""
    facts = case.facts
    delivered, measured = facts.get("record.delivered"), facts.get("record.measured")
    gone = cancelled(facts)
    if gone >= 1 and gone / (gone + delivered) > 0.15:
        yield Caution(
            0.4 + gone / (gone + delivered),
            "record",
            f"Cancelled {gone:.0f} of {counted(gone + delivered, 'past collaboration')}",
            f"履约有瑕疵：历史 {gone + delivered:.0f} 次合作中取消 {gone:.0f} 次",
        )
    if delivered == 0:
        yield Caution(
            0.4,
            "record",
            "No track record (0 collaborations delivered): forecasts rest on similar KOLs",
            "暂无履约记录（0 次），预估只能参照相似达人",
        )
    elif measured <= 2:
        yield Caution(
            0.3,
            "record",
            f"Only {counted(measured, 'past collaboration')} with known results: forecasts rest "
            "mostly on similar KOLs",
            f"有效果数据的历史合作仅 {measured:.0f} 次，预估主要参照相似达人",
        )
    name = "record.views_per_cost"
    if facts.known(name) and facts.currency and facts.below(name) >= POOR:
        en, zh = money(cost_of_views(facts.get(name)), facts.currency)
        share = facts.below(name)
        yield Caution(
            0.45 + (share - POOR),
            "record",
            f"Past collaborations were dear: a CPM of {en}, more than {place(share)} of the "
            "candidates",
            f"历史合作成本偏高：实际 CPM {zh}，高于 {place(share)} 的备选达人",
        )


def conduct(case: Case) -> Iterator[Caution]:
    """Warn of incidents, competitors, words that the brief blocks, and of risk as a whole."""
    facts = case.facts
    count, worst = facts.get("reputation.open"), facts.get("reputation.worst_open")
    past_incidents = ("reputation.incidents", "reputation.days_since")
    if count >= 1 and not math.isnan(worst):
        yield Caution(
            0.6 + 0.4 * worst,
            "reputation",
            f"{counted(count, 'open incident')} on record, severity up to {percent(worst)}",
            f"有 {count:.0f} 起未了结的负面舆情，严重程度最高 {percent(worst)}",
        )
    elif facts.get("reputation.burden") >= 0.1 and facts.known(*past_incidents):
        past, since = (facts.get(name) for name in past_incidents)
        yield Caution(
            0.4 + 0.4 * min(facts.get("reputation.burden"), 1.0),
            "reputation",
            f"{counted(past, 'past incident')} on record, the latest {counted(since, 'day')} ago",
            f"曾有 {past:.0f} 起负面舆情，最近一起在 {since:.0f} 天前",
        )
    rivals = facts.get("rivalry.recent")
    if rivals >= 1:
        yield Caution(
            0.85,
            "rivalry",
            f"Worked for competitors {counted(rivals, 'time')} in the last "
            f"{facts.rivalry_days} days",
            f"近 {facts.rivalry_days} 天为竞品做过 {rivals:.0f} 次推广",
        )
    blocked = facts.get("rivalry.blocked_posts")
    if blocked >= 1:
        yield Caution(
            0.8,
            "rivalry",
            f"{counted(blocked, 'recent post')} with words that the brief blocks",
            f"近期有 {blocked:.0f} 条作品含需求中的屏蔽词",
        )


def _times(over: float) -> str:
    """Write how far something is above: 48%, but from three times on as a multiple."""
    return f"{over:.0%}" if over < 2 else f"{over * 100:,.0f}%"
