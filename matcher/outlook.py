"""What a match's forecast warns of: money lost, a refusal, views that are hard to tell, risk."""

from __future__ import annotations

import math
from collections.abc import Iterator

from matcher.doubt import Case, Caution
from matcher.figures import counted, percent, short, wan

DECISIVE = 2.0
"""Weight of what leaves nothing else to say: money spent for no order at all."""


def returns(case: Case) -> Iterator[Caution]:
    """Warn of money lost; only where the brief is there to sell."""
    if case.goal != "conversion":
        return
    low, middle, high = (case.get(f"roi_p{share}") for share in (10, 50, 90))
    orders = case.get("orders_p50")
    if middle <= -1 + 1e-9:
        en = f" ({counted(orders, 'order')} in the median)" if orders >= 0 else ""
        zh = f"订单中位数 {orders:,.0f} 单，" if orders >= 0 else ""
        yield Caution(
            DECISIVE,
            "overall",
            f"Median ROI is -100%: in most outcomes the price is lost{en}",
            f"预估 ROI 中位数 -100%：{zh}多数情形下投放费用收不回来",
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
    elif low < 0 <= middle:
        yield Caution(
            0.3 + 0.3 * min(-low, 1.0),
            "overall",
            f"Return is uncertain: median ROI {_signed(middle)}, but {_signed(low)} in a poor "
            "outcome (P10)",
            f"回报不稳：预估 ROI 中位数 {_signed(middle)}，较差情形（P10）为 {_signed(low)}",
        )


def answer(case: Case) -> Iterator[Caution]:
    """Warn of who may well say no."""
    accept = case.get("accept")
    if accept < 0.5:
        yield Caution(
            0.5 + (0.5 - accept),
            "overall",
            f"May well decline: the chance of a yes is {percent(accept)}",
            f"接单意愿偏低：预计接受邀约的概率 {percent(accept)}，宜备替补",
        )


def spread(case: Case) -> Iterator[Caution]:
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


def chances(case: Case) -> Iterator[Caution]:
    """Warn of risk as a whole, and of engagement that may halve."""
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


def least_sure(case: Case) -> Iterator[Caution]:
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
    return f"{share:+.0%}" if abs(share) >= 0.1 or share == 0 else f"{share:+.1%}"
