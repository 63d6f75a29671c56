"""What speaks most against a match, in words: one caution each, always with a figure.

Each rule looks at one thing and says how much it would weigh with a planner, from 0 (nothing wrong,
but least sure) to 1; `DECISIVE` outweighs all. The weightiest speaks; what lowered the score of
this match weighs a little more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from matcher.comparisons import window
from matcher.figures import (
    BELOW,
    Facts,
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

DECISIVE = 2.0
"""Weight of what leaves nothing else to say: money spent for no order at all."""
LOWERED = 0.2
"""Weight added in proportion to how far a family lowered the score."""
POOR = 0.8
"""Share of candidates, or of peers, that are better: a figure then speaks against a KOL."""


@dataclass(frozen=True)
class Case:
    """A match, as its cautions see it.

    Attributes
    ----------
    facts : Facts
        What is known of it.
    match : mapping
        Its forecasts and chances, by column of the matches; NaN where unknown.
    goal : str
        Goal of the brief, empty where it names none.
    parts : mapping
        What each family adds to its score.
    """

    facts: Facts
    match: Mapping[str, float] = field(default_factory=dict)
    goal: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)

    def get(self, name: str) -> float:
        """Return a figure of the match, NaN where unknown."""
        return float(self.match.get(name, math.nan))


@dataclass(frozen=True)
class Caution:
    """One thing that speaks against a match.

    Attributes
    ----------
    weight : float
        How much.
    family : str
        Family of signals it belongs to.
    en, zh : str
        The sentence in both languages.
    """

    weight: float
    family: str
    en: str
    zh: str


def caution(case: Case) -> Caution:
    """Return what speaks most against a match; where nothing does, what is least sure."""
    lowest = max((-part for part in case.parts.values()), default=0.0)

    def weight(told: Caution) -> float:
        part = -case.parts.get(told.family, 0.0)
        return told.weight + (LOWERED * part / lowest if part > 0 else 0.0)

    return max((told for rule in RULES for told in rule(case)), key=weight)


def cautions(
    matches: pd.DataFrame,
    facts: Sequence[Facts],
    families: pd.DataFrame,
    goals: Sequence[Any],
) -> pd.DataFrame:
    """Return the caution of each match.

    Parameters
    ----------
    matches : DataFrame
        Forecasts and chances by the columns of `serving.results.MATCHES`, as far as they are known.
    facts : sequence of Facts
        What is known of each.
    families : DataFrame
        What each family adds to each score, aligned.
    goals : sequence of str
        Goal of each match's brief, null where it names none.

    Returns
    -------
    DataFrame, aligned to `matches`
        caution_en and caution_zh.
    """
    figures = matches.select_dtypes("number").astype("float64").to_dict("records")
    told = [
        caution(
            Case(
                known,
                {str(name): value for name, value in match.items()},
                goal if isinstance(goal, str) else "",
                {str(name): float(value) for name, value in parts.items()},
            )
        )
        for known, match, goal, parts in zip(
            facts, figures, goals, families.to_dict("records"), strict=True
        )
    ]
    return pd.DataFrame(
        {"caution_en": [c.en for c in told], "caution_zh": [c.zh for c in told]},
        index=matches.index,
        dtype=object,
    )


def _returns(case: Case) -> Iterator[Caution]:
    """Warn of money lost; only where the brief is there to sell."""
    if case.goal != "conversion":
        return
    low, middle, high = (case.get(f"roi_p{share}") for share in (10, 50, 90))
    orders = case.get("orders_p50")
    if middle <= -1 + 1e-9:
        count = f"{orders:,.0f}" if orders >= 0 else "0"
        yield Caution(
            DECISIVE,
            "overall",
            f"Median ROI is -100%: in most outcomes the price is lost ({count} orders in the "
            "median)",
            f"预估 ROI 中位数 -100%：订单中位数 {count} 单，多数情形下投放费用收不回来",
        )
    elif middle < 0:
        yield Caution(
            1.0 + min(-middle, 1.0) / 2,
            "overall",
            f"Loses money more often than not: median ROI {_signed(middle)}"
            + (f" (80% interval {_signed(low)} to {_signed(high)})" if low <= high else ""),
            f"多数情形下收不回成本：预估 ROI 中位数 {_signed(middle)}"
            + (f"（80% 区间 {_signed(low)} 至 {_signed(high)}）" if low <= high else ""),
        )
    elif orders == 0:
        yield Caution(
            DECISIVE,
            "overall",
            "Cost per order cannot be told: 0 orders in the median outcome",
            "单均成本无法测算：预估订单中位数 0 单",
        )
    elif low < 0:
        yield Caution(
            0.3 + 0.3 * min(-low, 1.0),
            "overall",
            f"Return is uncertain: median ROI {_signed(middle)}, but {_signed(low)} in a poor "
            "outcome (P10)",
            f"回报不稳：预估 ROI 中位数 {_signed(middle)}，偏差情形（P10）下为 {_signed(low)}",
        )


def _answer(case: Case) -> Iterator[Caution]:
    accept = case.get("accept")
    if accept < 0.5:
        yield Caution(
            0.5 + (0.5 - accept),
            "overall",
            f"May well decline: the chance of a yes is {percent(accept)}",
            f"接单意愿偏低：预计接受邀约的概率 {percent(accept)}，宜备替补",
        )


def _spread(case: Case) -> Iterator[Caution]:
    """Tell how far views may be off: what is least sure where nothing is wrong."""
    low, high = case.get("views_p10"), case.get("views_p90")
    if not 0 <= low <= high:
        return
    times = (high + 1) / (low + 1)
    yield Caution(
        min(0.1 + 0.12 * math.log(times), 0.6),
        "reach",
        f"Views are hard to tell: {short(low)} to {short(high)} in 8 of 10 outcomes",
        f"播放量不确定性大：80% 的情形在 {wan(low)} 至 {wan(high)} 之间"
        if times >= 5
        else f"最不确定的是播放量：80% 的情形在 {wan(low)} 至 {wan(high)} 之间",
    )


def _price(case: Case) -> Iterator[Caution]:
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
            f"Asks {en}, {_times(over)} above what similar KOLs usually ask (up to {top_en})",
            f"刊例价 {zh}，比同类达人常见报价上限（{top_zh}）高 {_times(over)}，建议议价",
        )
    if facts.get(f"price.per_view{BELOW}") >= POOR:
        share = facts.get(f"price.per_view{BELOW}")
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


def _posts(case: Case) -> Iterator[Caution]:
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
    if age >= 30:
        yield Caution(
            min(0.5 + age / 300, 0.9),
            "style",
            f"Not active lately: the latest known post is {counted(age, 'day')} old",
            f"近期更新停滞：最近一条作品距今 {age:.0f} 天",
        )
    known = facts.get("growth.observed_days")
    if known < 60:
        yield Caution(
            0.45 - known / 300,
            "growth",
            f"New to us: observed for {counted(known, 'day')}",
            f"新入库达人：仅观察了 {known:.0f} 天，走势尚不明朗",
        )
    stale = facts.get("growth.profile_age")
    if stale >= 60:
        yield Caution(
            min(0.3 + stale / 600, 0.6),
            "growth",
            f"Profile and followers were last seen {counted(stale, 'day')} ago",
            f"账号数据更新于 {stale:.0f} 天前，粉丝与画像可能已有变化",
        )


def _trend(case: Case) -> Iterator[Caution]:
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


def _people(case: Case) -> Iterator[Caution]:
    """Warn of an audience that is not the target, or not real."""
    facts = case.facts
    name = "audience.match"
    match, worse = facts.get(name), facts.get(name + BELOW)
    if match < 0.5 or worse >= POOR:
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


def _topic(case: Case) -> Iterator[Caution]:
    facts = case.facts
    best, worse = facts.get("content.best"), facts.get(f"content.top3{BELOW}")
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
            f"Only {percent(share)} of recent posts are about {facts.vertical.replace('_', ' ')}",
            f"近期作品中{facts.vertical_zh}类内容仅占 {percent(share)}",
        )


def _response(case: Case) -> Iterator[Caution]:
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


def _sponsored(case: Case) -> Iterator[Caution]:
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


def _record(case: Case) -> Iterator[Caution]:
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
    if facts.known(name) and facts.currency and facts.get(name + BELOW) >= POOR:
        en, zh = money(cost_of_views(facts.get(name)), facts.currency)
        share = facts.get(name + BELOW)
        yield Caution(
            0.45 + (share - POOR),
            "record",
            f"Past collaborations were dear: a CPM of {en}, more than {place(share)} of the "
            "candidates",
            f"历史合作成本偏高：实际 CPM {zh}，高于 {place(share)} 的备选达人",
        )


def _conduct(case: Case) -> Iterator[Caution]:
    """Warn of incidents, competitors, words that the brief blocks, and of risk as a whole."""
    facts = case.facts
    count, worst = facts.get("reputation.open"), facts.get("reputation.worst_open")
    if count >= 1:
        yield Caution(
            0.6 + 0.4 * (0.0 if math.isnan(worst) else worst),
            "reputation",
            f"{counted(count, 'open incident')} on record, severity up to {percent(worst)}",
            f"有 {count:.0f} 起未了结的负面舆情，严重程度最高 {percent(worst)}",
        )
    elif facts.get("reputation.burden") >= 0.1:
        past = facts.get("reputation.incidents")
        since = facts.get("reputation.days_since")
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
    risk = case.get("risk")
    if risk >= 0.2:
        yield Caution(
            min(0.3 + risk, 1.0),
            "conduct",
            f"Total risk is {percent(risk)}; see the evidence before signing",
            f"综合风险 {percent(risk)}，签约前请核对风险明细",
        )
    halving = case.get("halving")
    if halving >= 0.3:
        yield Caution(
            min(0.2 + halving, 0.9),
            "growth",
            f"Engagement halves within 180 days with a chance of {percent(halving)}",
            f"180 天内互动腰斩的概率 {percent(halving)}",
        )


def _least_sure(case: Case) -> Iterator[Caution]:
    """Say what is known to be thin, where no forecast tells how sure it is."""
    facts = case.facts
    if facts.posts:
        yield Caution(
            0.05,
            "content",
            "Ranked by likeness alone, no results are forecast; the closest post has a similarity "
            f"of {facts.posts[0].cosine:.2f}",
            f"仅按内容与人群相似度排序，未预估效果；最接近的作品相似度 {facts.posts[0].cosine:.2f}",
        )
    seen = facts.get("style.posts_seen")
    count = 0.0 if math.isnan(seen) else seen
    yield Caution(
        0.0,
        "style",
        f"All that is known are {counted(count, 'recent post')}",
        f"目前可参考的只有 {count:.0f} 条近期作品",
    )


def _signed(share: float) -> str:
    return f"{share:+.0%}"


def _times(over: float) -> str:
    """Write how far something is above: 48%, but from three times on as a multiple."""
    return f"{over:.0%}" if over < 2 else f"{over * 100:,.0f}%"


RULES: tuple[Callable[[Case], Iterator[Caution]], ...] = (
    _returns,
    _conduct,
    _answer,
    _price,
    _posts,
    _trend,
    _people,
    _record,
    _sponsored,
    _response,
    _topic,
    _spread,
    _least_sure,
)
"""What is looked at; of equal weights the first speaks."""
