"""What the command line shows of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from matcher.console import Terminal
from matcher.names import name_of
from matcher.planning.plan import THE_PLAN, Plan, Step
from matcher.planning.words import currency_of, money, unit_of
from matcher.reasons.phrases import short, wan
from matcher.wording import Language, Text

_CHOSEN = (
    Text("达人", "KOL"),
    Text("平台", "platform"),
    Text("量级", "tier"),
    Text("合作形式", "mode"),
    Text("报价", "price"),
    Text("接受概率", "says yes"),
    Text("风险", "risk"),
    Text("播放量", "views"),
    Text("期望贡献", "brings"),
    Text("新增触达", "new people"),
)
_OUT = (
    Text("未入选达人", "left out"),
    Text("合作形式", "mode"),
    Text("报价", "price"),
    Text("入选价", "would enter at"),
)
_STEPS = (
    Text("预算", "budget"),
    Text("占比", "share"),
    Text("花费", "spent"),
    Text("人数", "KOLs"),
    Text("价值", "value"),
    Text("较 100% 预算", "against 100%"),
)
OUT_SHOWN = 8
"""Left-out KOLs that are printed, the nearest to entering first; the files hold all of them."""


def show_plan(
    terminal: Terminal, plan: Plan, names: dict[str, str], language: Language, title: str
) -> None:
    """Print who is chosen, what the set brings, who is nearly in, and what other budgets buy.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    plan : Plan
        The plan.
    names : dict of str to str
        What KOLs are called, by id.
    language : {"zh", "en"}
        Language of headings and words.
    title : str
        What stands over it.
    """
    step = plan.best
    if step.solution.feasible:
        chosen = sorted(
            np.flatnonzero(step.solution.chosen).tolist(), key=lambda o: (-plan.worth[o], o)
        )
        rows = [_chosen_row(plan, step, option, names, language) for option in chosen]
        _table(terminal, _CHOSEN, rows, language, title)
        terminal.out.print(_summary(plan, step, language), soft_wrap=True, markup=False)
        _table(terminal, _OUT, _out_rows(plan, names, language), language, "")
    if len(plan.steps) > 1:
        rows = [_step_row(plan, each, language) for each in plan.steps]
        _table(terminal, _STEPS, rows, language, "")


def _table(
    terminal: Terminal,
    headings: tuple[Text, ...],
    rows: list[tuple[object, ...]],
    language: Language,
    title: str,
) -> None:
    if rows:
        # What nobody tells needs no column.
        filled = [at for at in range(len(headings)) if any(row[at] != "" for row in rows)]
        heads = [headings[at].in_(language) for at in filled]
        terminal.table(heads, [tuple(row[at] for at in filled) for row in rows], title=title)


def _chosen_row(
    plan: Plan, step: Step, option: int, names: dict[str, str], language: Language
) -> tuple[object, ...]:
    row = plan.options.frame.iloc[option]
    return (
        names.get(row["kol_id"], row["kol_id"]),
        name_of("platform", row["platform"]).in_(language),
        name_of("tier", row["tier"]).in_(language),
        name_of("mode", row["mode"]).in_(language),
        money(row["price"], row["currency"]).in_(language),
        f"{row['accept']:.0%}",
        f"{row['risk']:.0%}",
        _count(row["views_p50"], language),
        _value(plan, plan.worth[option], language),
        _count(step.added[option], language),
    )


def _out_rows(plan: Plan, names: dict[str, str], language: Language) -> list[tuple[object, ...]]:
    price, currency = plan.options.floats("price"), currency_of(plan)
    entries = [e for e in plan.entries.items() if not np.isnan(e[1].price)]
    near = sorted(entries, key=lambda e: (-e[1].price / max(price[e[1].option], 1e-9), e[0]))
    return [
        (
            names.get(kol_id, kol_id),
            name_of("mode", plan.options.frame["mode"].iloc[entry.option]).in_(language),
            money(price[entry.option], currency).in_(language),
            money(np.floor(entry.price), currency).in_(language),
        )
        for kol_id, entry in near[:OUT_SHOWN]
    ]


def _step_row(plan: Plan, step: Step, language: Language) -> tuple[object, ...]:
    currency, solution = currency_of(plan), step.solution
    budget = "" if step.budget is None else money(step.budget, currency).in_(language)
    mark = "*" if step.share == THE_PLAN else ""
    if not solution.feasible:
        nothing = Text("无可行方案", "no plan").in_(language)
        return (budget, f"{step.share:.0%}{mark}", "", "", nothing, "")
    spent = plan.options.floats("price")[solution.chosen].sum()
    now = plan.best.solution.worth
    return (
        budget,
        f"{step.share:.0%}{mark}",
        money(spent, currency).in_(language),
        int(solution.chosen.sum()),
        _value(plan, solution.worth, language),
        f"{solution.worth / now - 1:+.1%}" if now and now > 0 else "",
    )


def _summary(plan: Plan, step: Step, language: Language) -> str:
    """Say in one line what the set costs and brings."""
    currency, unit = currency_of(plan), unit_of(plan)
    spent = money(plan.options.floats("price")[step.solution.chosen].sum(), currency)
    count = int(step.solution.chosen.sum())
    low, high = (step.totals.get(f"value_{end}", np.nan) for end in ("p10", "p90"))
    value = _value(plan, step.solution.worth, language)
    span = ""
    if not np.isnan(low):
        span = f" ({_value(plan, low, language)}–{_value(plan, high, language)})"
    parts = [
        Text(f"{count} 位达人，花费 {spent.zh}", f"{count} KOLs for {spent.en}").in_(language),
        Text(f"预计{unit.zh} {value}{span}", f"expected {unit.en} {value}{span}").in_(language),
    ]
    if not np.isnan(step.reach):
        people = _count(step.reach, language)
        parts.append(Text(f"去重触达 {people} 人", f"{people} people reached").in_(language))
    roi = step.totals.get("roi_p50", np.nan)
    if not np.isnan(roi):
        parts.append(f"ROI {roi:+.0%}")
    gap = f"{step.solution.gap:.2g}"
    status = Text(f"最优性差距 {gap}", f"gap {gap}").in_(language)
    return ("，" if language == "zh" else ", ").join([*parts, status])


def _value(plan: Plan, value: float, language: Language) -> str:
    if plan.options.goal == "conversion" and not plan.options.stand_in:
        return money(value, currency_of(plan)).in_(language)
    return f"{value:.2f}" if value < 100 else _count(value, language)


def _count(count: Any, language: Language) -> str:
    if pd.isna(count):
        return ""
    return wan(count) if language == "zh" else short(count)
