"""Plans as the tables that a run publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.planning.options import ENDS
from matcher.planning.plan import THE_PLAN, Plan, Step
from matcher.planning.words import currency_of, notes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHOLE = ("views", "engagements", "orders")
PLAN_COLUMNS = (
    *("brief_id", "step", "status", "gap", "budget", "currency", "spent", "kols", "value"),
    *(f"{name}_{end}" for name in ("value", "views") for end in ENDS),
    "engagements_p50",
    *(f"{name}_{end}" for name in ("orders", "gmv", "roi") for end in ENDS),
    *("reach", "risk", "notes_en", "notes_zh"),
)
PLANNED_COLUMNS = (
    *("brief_id", "step", "kol_id", "chosen", "mode", "price", "currency"),
    *("value", "reach", "entry_price"),
)


def frames_of(
    plans: Sequence[Plan], roster: pd.DataFrame, listed: dict[str, set[str]] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return plans as `serving.results.PLANS` and `serving.results.PLANNED`.

    Parameters
    ----------
    plans : sequence of Plan
        One a brief.
    roster : DataFrame
        KOLS, for names.
    listed : dict of str to set of str, optional
        By brief, whom to show of those left out; by default whoever has a price of entry.
    """
    about = roster.drop_duplicates("kol_id")
    names = dict(zip(about["kol_id"], about["display_name"].fillna(about["kol_id"]), strict=True))
    told = [_plan_row(plan, step, names) for plan in plans for step in plan.steps]
    chosen: list[dict[str, Any]] = []
    for plan in plans:
        for step in plan.steps:
            chosen += [_member(plan, step, int(o)) for o in np.flatnonzero(step.solution.chosen)]
            if step.share == THE_PLAN:
                chosen += _left_out(
                    plan, None if listed is None else listed.get(plan.brief_id, set())
                )
    return (
        pd.DataFrame(told, columns=list(PLAN_COLUMNS)),
        pd.DataFrame(chosen, columns=list(PLANNED_COLUMNS)),
    )


def _plan_row(plan: Plan, step: Step, names: dict[str, str]) -> dict[str, Any]:
    solution, price = step.solution, plan.options.floats("price")
    spent = float(price[solution.chosen].sum())
    row: dict[str, Any] = {
        "brief_id": plan.brief_id,
        "step": step.share,
        "status": solution.status,
        "budget": step.budget,
        "currency": currency_of(plan) or None,
        "notes_en": (),
        "notes_zh": (),
    }
    if step.share == THE_PLAN:
        notes = notes_of(plan, names)
        row |= {f"notes_{code}": tuple(n.in_(code) for n in notes) for code in ("en", "zh")}
    if not solution.feasible:
        return row
    totals = {name: _rounded(name, figure) for name, figure in step.totals.items()}
    risk = plan.options.floats("risk")
    return row | {
        "gap": solution.gap,
        "spent": spent,
        "kols": int(solution.chosen.sum()),
        "value": solution.worth,
        **{name: totals[name] for name in PLAN_COLUMNS if name in totals},
        "reach": np.round(step.reach),
        "risk": _weighted(risk, price, solution.chosen),
    }


def _member(plan: Plan, step: Step, option: int) -> dict[str, Any]:
    return {
        "brief_id": plan.brief_id,
        "step": step.share,
        "kol_id": plan.options.frame["kol_id"].iloc[option],
        "chosen": bool(step.solution.chosen[option]),
        "mode": plan.options.frame["mode"].iloc[option],
        "price": float(plan.options.floats("price")[option]),
        "currency": plan.options.frame["currency"].iloc[option],
        "value": float(plan.worth[option]),
        "reach": float(np.round(step.added[option])),
        "entry_price": np.nan,
    }


def _left_out(plan: Plan, listed: set[str] | None) -> list[dict[str, Any]]:
    """Tell of those left out at which price they would enter, in the mode nearest to it."""
    ids, step = plan.options.frame["kol_id"], plan.best
    if not step.solution.feasible:
        return []
    rows = []
    inside = set(ids[step.solution.chosen])
    shown = set(plan.entries) if listed is None else listed
    for kol_id in sorted((shown & set(ids)) - inside):
        entry = plan.entries.get(kol_id)
        if entry is None:
            own = np.flatnonzero(ids == kol_id)
            per_money = plan.worth[own] / np.maximum(plan.options.floats("price")[own], 1e-9)
            rows.append(_member(plan, step, int(own[np.argmax(per_money)])))
        else:
            rows.append(_member(plan, step, entry.option) | {"entry_price": entry.price})
    return rows


def _rounded(name: str, figure: float) -> float:
    return float(np.round(figure)) if name.rpartition("_")[0] in _WHOLE else figure


def _weighted(
    risk: NDArray[np.float64], price: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> float:
    """Return mean risk by weight of money: the share of the money that is at risk."""
    if not chosen.any():
        return 0.0
    weights = price[chosen] if price[chosen].sum() > 0 else np.ones(int(chosen.sum()))
    return float(np.average(risk[chosen], weights=weights))
