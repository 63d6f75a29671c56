"""What a choice by some ranking would have cost, against the best choice that was to be had.

A list is followed from the top, taking whom the budget still pays for; the best choice is the set
of KOLs within the budget that brought most, found exactly. What lies between them is regret: a
share of the best, and in money that share of the budget, which bought nothing.

Among logged outcomes the question is "had there been money for half of them, whom?": everybody is
there because the agency picked and could pay them all, so a choice needs less money than it spent.
It says nothing about KOLs that were never tried. On a simulated world, whose truth tells what
everybody would bring, the same functions give exact regret over whole rosters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.tables import Tables
from training.labels import outcome_values
from training.significance import paired_bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FEW = 12
"""KOLs of whom every set is tried; of more the solver finds the best one."""
SPEND = 0.5
"""Share of what a brief spent on its logged list that a choice among it may spend."""
CHOICES = ["brief_id", "kol_id", "tier", "value", "cost", "currency"]
REGRET = ["ranker", "brief_id", "brand_id", "currency", "budget", "best", "brought", "regret"]


def logged_choices(tables: Tables, pairs: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Return what the tried pairs brought and cost.

    Parameters
    ----------
    tables : Tables
        Everything known.
    pairs : DataFrame
        brief_id and kol_id, each pair once.
    horizon_days : int
        Age at which an outcome is ripe.

    Returns
    -------
    DataFrame
        brief_id, kol_id, value (what the brief's goal counts, net of refunds), cost and currency,
        on the index of those rows of `pairs` of which both are known. Briefs that paid in several
        currencies are left out: their amounts do not add up.
    """
    told = outcome_values(tables, horizon_days)
    told = told[told["value_per_cost"].notna()].drop_duplicates(["brief_id", "kol_id"])
    told = told.set_index(["brief_id", "kol_id"])[["value", "cost", "currency"]]
    found = pairs[["brief_id", "kol_id"]].join(told, on=["brief_id", "kol_id"])
    found = found.dropna(subset=["value", "cost"])
    return found[found.groupby("brief_id")["currency"].transform("nunique") == 1]


def regret(
    choices: pd.DataFrame,
    scores: Mapping[str, Floats],
    budget: pd.Series[Any],
    brands: pd.Series[Any],
    wanted: pd.Series[Any] | None = None,
) -> pd.DataFrame:
    """Return what each ranking's choice brought, and what the best would have.

    Parameters
    ----------
    choices : DataFrame, shape (n, ...)
        brief_id, kol_id, value (0 or more), cost (above 0), currency.
    scores : mapping of str to ndarray, shape (n,)
        Scores of those pairs by ranker; higher is better, ties go by kol_id, NaN is last.
    budget : Series, by brief_id
        What may be spent.
    brands : Series, by brief_id
        Brand of each brief.
    wanted : Series, by brief_id, optional
        Most KOLs a brief takes; by default as many as it can pay.

    Returns
    -------
    DataFrame
        One row a ranker and brief: `REGRET`. ``best`` and ``brought`` are in what the goal
        counts, ``regret`` is ``1 - brought / best``, 0-1. Briefs are left out where there is no
        choice to make: nobody can be paid, all can, or nobody brought anything.
    """
    rows = []
    for brief_id, own in choices.groupby("brief_id", sort=True):
        money = float(budget.loc[brief_id])
        most = len(own) if wanted is None or pd.isna(wanted.get(brief_id)) else wanted[brief_id]
        value, cost = own["value"].to_numpy(np.float64), own["cost"].to_numpy(np.float64)
        if cost.min() > money or (cost.sum() <= money and len(own) <= most):
            continue
        best = float(value @ best_choice(value, cost, money, int(most)))
        if best <= 0:
            continue
        at = choices.index.get_indexer(own.index)
        for ranker, score in scores.items():
            taken = _from_the_top(score[at], own["kol_id"].to_numpy(), cost, money, int(most))
            brought = float(value[taken].sum())
            told = (own["currency"].iloc[0], money, best, brought, 1 - brought / best)
            rows.append((ranker, brief_id, brands.loc[brief_id], *told))
    return pd.DataFrame(rows, columns=REGRET)


def best_choice(value: Floats, cost: Floats, budget: float, most: int) -> NDArray[np.bool_]:
    """Return who is in the set of most value within the budget: a knapsack, solved exactly.

    Parameters
    ----------
    value, cost : ndarray, shape (n,)
        What each brings, 0 or more, and costs, above 0.
    budget : float
        What all may cost together.
    most : int
        How many may be chosen.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    if len(value) <= _FEW:
        sets = (np.arange(2 ** len(value))[:, None] >> np.arange(len(value))) & 1
        paid = (sets @ cost <= budget) & (sets.sum(axis=1) <= most)
        return np.asarray(sets[np.where(paid, sets @ value, -1.0).argmax()], dtype=np.bool_)
    from scipy.optimize import Bounds, LinearConstraint, milp

    # In shares of the largest: the solver's tolerances are absolute.
    found = milp(
        -value / max(value.max(), 1e-300),
        constraints=LinearConstraint(
            np.vstack([cost / budget, np.ones(len(cost))]), ub=[1.0, float(most)]
        ),
        bounds=Bounds(0, (cost <= budget).astype(np.float64)),
        integrality=np.ones(len(cost), dtype=np.int64),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:  # nobody is always a choice
        raise RuntimeError(f"the best choice was not found: {found.message}")
    return np.asarray(found.x > 0.5, dtype=np.bool_)


def _from_the_top(
    score: Floats, kol_id: NDArray[Any], cost: Floats, budget: float, most: int
) -> list[int]:
    """Return whom one takes who follows the list and skips whom the money left does not pay."""
    left, taken = budget, list[int]()
    ranked = np.lexsort((kol_id, -np.where(np.isnan(score), -np.inf, score)))
    for place in ranked:
        if len(taken) == most:
            break
        if cost[place] <= left:
            left -= cost[place]
            taken.append(int(place))
    return taken


def regret_summary(found: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return each ranker's mean regret, least first, brands resampled.

    Parameters
    ----------
    found : DataFrame
        As `regret` gives it.

    Returns
    -------
    DataFrame
        ranker, regret with low and high (95% interval), briefs, brands.
    """
    rows = []
    for ranker, own in found.groupby("ranker"):
        shares = own.set_index("brief_id")["regret"]
        brands = own.set_index("brief_id")["brand_id"]
        sure = paired_bootstrap(shares, shares * 0, brands, seed=seed)
        rows.append((ranker, sure.mean, sure.low, sure.high, sure.n, sure.clusters))
    columns = ["ranker", "regret", "low", "high", "briefs", "brands"]
    return pd.DataFrame(rows, columns=columns).sort_values(["regret", "ranker"], ignore_index=True)


def regret_in_money(found: pd.DataFrame) -> pd.DataFrame:
    """Return how much of each currency's budgets bought nothing, by ranker.

    Returns
    -------
    DataFrame
        currency, ranker, budget, lost (the sum of budget times regret), share; least lost first.
    """
    lost = found.assign(lost=found["budget"] * found["regret"])
    table = lost.groupby(["currency", "ranker"])[["budget", "lost"]].sum().reset_index()
    table["share"] = table["lost"] / table["budget"]
    return table.sort_values(["currency", "lost", "ranker"], ignore_index=True)
