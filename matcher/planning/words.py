"""What there is to say about a plan, in Chinese and English."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matcher.planning.advice import Way, told
from matcher.planning.plan import NEXT, Plan
from matcher.planning.solver import TIME_LIMIT
from matcher.reasons.phrases import short, wan
from matcher.wording import Text

UNITS = {
    "awareness": Text("触达人数", "different people reached"),
    "seeding": Text("收藏、分享人数", "different people who save or share"),
    "engagement": Text("互动量", "engagements"),
    "co_creation": Text("互动量", "engagements"),
    "conversion": Text("毛利（扣除退货）", "gross profit after refunds"),
}
"""What the worth of a plan counts, by goal; expected, refusals and risk included."""
VIEWS, SPREAD = Text("播放量", "views"), Text("收藏与分享", "saves and shares")
SCORE = Text("匹配得分", "points of fit")
NOBODY = Text(
    "在这些限制下，没有任何达人入选：预算低于候选达人的报价，或候选名单为空。",
    "Nobody is chosen: no candidate's price is within the budget, or there is no candidate.",
)


def unit_of(plan: Plan) -> Text:
    """Return what a plan's value counts."""
    if plan.options.stand_in or plan.options.goal not in UNITS:
        return SCORE
    if plan.options.counts_people and not plan.counts_once:
        return VIEWS if plan.options.goal == "awareness" else SPREAD
    return UNITS[plan.options.goal]


def notes_of(plan: Plan, names: Mapping[str, str]) -> list[Text]:
    """Return what a reader must know of a plan.

    Parameters
    ----------
    plan : Plan
        The plan.
    names : mapping of str to str
        What KOLs are called, by id.
    """
    notes: list[Text] = []
    solution = plan.best.solution
    if plan.ways:
        notes += _relaxations(plan, names)
    elif not solution.feasible:
        notes.append(
            Text(
                "限制条件相互冲突，规定时间内没有找到可行方案。",
                "The limits contradict each other, or time ran out before a plan was found.",
            )
        )
    elif not solution.chosen.any():
        notes.append(NOBODY)
    notes += _next_tenth(plan)
    roi = plan.best.totals.get("roi_p50", math.nan)
    if plan.options.goal == "conversion" and roi < 0:
        notes.append(
            Text(
                f"整体 ROI 中位数为 {roi:+.0%}：预计毛利不足以覆盖投放费用。",
                f"Median ROI of all is {roi:+.0%}: gross profit is not expected to cover the cost.",
            )
        )
    if solution.status == TIME_LIMIT and solution.feasible:
        notes.append(
            Text(
                f"求解超时：距最优方案的差距不超过 {solution.gap:.1%}。",
                f"Time ran out: the best plan may be better by up to {solution.gap:.1%}.",
            )
        )
    if plan.counts_once:
        notes.append(
            Text(
                "价值按去重人数计算：同一人看到多位达人只计一次（按平台、性别、年龄分组，"
                "组内按随机重合估算），故小于各达人之和。",
                "Value counts each person once, however many KOLs they see (random duplication "
                "within platform, gender and age), so it is less than the sum over KOLs.",
            )
        )
    return [*notes, *plan.options.notes]


def _next_tenth(plan: Plan) -> list[Text]:
    now, more = plan.best, plan.step(NEXT)
    if more is None or now.budget is None or not now.solution.feasible:
        return []
    gain = max(more.solution.worth - now.solution.worth, 0.0)
    extra = money(now.budget * (NEXT - 1), currency_of(plan))
    unit = unit_of(plan)
    share = f"（+{gain / now.solution.worth:.1%}）" if now.solution.worth > 0 else ""
    in_english = f" (+{gain / now.solution.worth:.1%})" if now.solution.worth > 0 else ""
    if not gain:
        return [
            Text(
                f"预算再增加 10%（{extra.zh}）不会带来更多{unit.zh}。",
                f"10% more budget ({extra.en}) brings no more {unit.en}.",
            )
        ]
    return [
        Text(
            f"预算再增加 10%（{extra.zh}），预计可多带来 {_amount(gain, plan).zh} {unit.zh}"
            f"{share}。",
            f"10% more budget ({extra.en}) brings {_amount(gain, plan).en} more {unit.en}"
            f"{in_english}.",
        )
    ]


def _relaxations(plan: Plan, names: Mapping[str, str]) -> list[Text]:
    several = len(plan.ways) > 1
    one = len(plan.ways[0].changes) == 1
    head = Text(
        "没有方案能同时满足全部限制。"
        + ("任选以下一项调整即可：" if several else "最少需要这样调整："),
        "No plan keeps all limits. "
        + ("Any one of these is enough:" if several else "The least that makes one possible:"),
    )
    if several and not one:
        head = Text(
            "没有方案能同时满足全部限制。任选以下一组调整即可：",
            "No plan keeps all limits. Any one of these sets of changes is enough:",
        )
    return [head, *(way_told(way, plan, names) for way in plan.ways)]


def way_told(way: Way, plan: Plan, names: Mapping[str, str]) -> Text:
    """Say a set of changes in words."""
    candidates = set(plan.options.frame["kol_id"])
    texts = [told(change, currency_of(plan), dict(names), candidates) for change in way.changes]
    return Text("；".join(t.zh for t in texts), "; ".join(t.en for t in texts))


def currency_of(plan: Plan) -> str:
    """Return the currency of a plan's money; empty where nothing tells it."""
    if plan.request.currency is not None:
        return plan.request.currency
    quoted = plan.options.frame["currency"]
    return str(quoted.iloc[0]) if len(quoted) else ""


def money(amount: float, currency: str) -> Text:
    """Write money."""
    figure = f"{amount:,.0f}"
    chinese = f"¥{figure}" if currency == "CNY" else f"{figure} {currency}".strip()
    return Text(chinese, f"{figure} {currency}".strip())


def _amount(gain: float, plan: Plan) -> Text:
    if plan.options.goal == "conversion" and not plan.options.stand_in:
        return money(gain, currency_of(plan))
    if gain < 10:
        return Text(f"{gain:.2g}", f"{gain:.2g}")
    return Text(wan(gain), short(gain))
