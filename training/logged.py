"""The agency's log as off-policy evaluation reads it: lists, chances, and what contacts brought.

A brief's list is everybody it was shown. Of those it contacted some, each with the chance that
the log calls ``propensity``. What a contact brought is its *reward*: what the brief's goal is
after, net of refunds (`training.labels`), per unit of cost where costs are told. A KOL that
declined or called it off brought 0, for a contact that comes to nothing is what a policy should
avoid. What still runs or never was measured is unknown and not 0: known contacts of the same goal
and currency stand for it, deliveries for deliveries.

Rewards of two goals or two currencies do not add. `in_units` counts each in units of what an
average contact of the log brought for the same goal and currency; those add.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from features.tables import Tables
from training.fit import ripening
from training.labels import VALUED, decision_times, outcome_values

LISTS = (
    *("brief_id", "kol_id", "brand_id", "goal", "currency", "unit"),
    *("propensity", "contacted", "reward", "stands_for"),
)
"""Columns of logged lists; see `logged_lists`."""
OWN = "the log's own"
"""Unit of rewards that are told as multiples of the log's own average contact."""
GROUP = ["goal", "currency"]
"""Rewards of two of these do not add."""


def logged_lists(
    tables: Tables,
    horizon_days: int,
    *,
    briefs: pd.Index[Any] | None = None,
    measure: Literal["auto", "value", "value_per_cost"] = "auto",
) -> pd.DataFrame:
    """Return everybody that each decided brief was shown, and what the contacted ones brought.

    Parameters
    ----------
    tables : Tables
        Everything known.
    horizon_days : int
        Age at which an outcome is ripe.
    briefs : Index of brief_id, optional
        Briefs to read. By default all that have a goal and were decided so long ago that nearly
        all they led to is known (`training.fit.ripening`).
    measure : str
        ``"value"``, ``"value_per_cost"``, or ``"auto"``: per cost where any cost is told.

    Returns
    -------
    DataFrame
        LISTS, one row a brief and KOL, by brief_id and kol_id, without lists that are still
        waiting: brand_id; goal and currency, whose
        rewards do not mix with others; ``unit`` of the reward in words; ``propensity``, 0-1, null
        where it was not logged; ``contacted``; ``reward``, null where there was no contact or
        nobody knows; and ``stands_for``, how many contacts a known reward stands for, itself
        included, 0 where it is unknown. Of several rows of a pair the first shown counts.
    """
    log = tables.collaborations.sort_values(["shown_at", "collaboration_id"])
    log = log.drop_duplicates(["brief_id", "kol_id"]).sort_values(["brief_id", "kol_id"])
    asked = tables.briefs.set_index("brief_id")
    wanted = _ripe(tables, horizon_days) if briefs is None else briefs
    with_goal = log["brief_id"].map(asked["goal"]).isin(list(VALUED))
    # Where nothing was decided and nobody contacted, the list may only be waiting.
    chosen = (log["status"] != "shown").groupby(log["brief_id"]).transform("any")
    chosen |= log["brief_id"].map(asked["decided_at"]).notna()
    log = log[log["brief_id"].isin(wanted) & with_goal & chosen].reset_index(drop=True)

    values = outcome_values(tables, horizon_days).set_index("collaboration_id")
    if measure == "auto":
        measure = "value_per_cost" if values["cost"].notna().any() else "value"
    told = log["collaboration_id"].map(values[measure]).astype(np.float64)
    failed = log["status"].isin(["declined", "cancelled"])
    lists = pd.DataFrame(
        {
            "brief_id": log["brief_id"],
            "kol_id": log["kol_id"],
            "brand_id": log["brief_id"].map(asked["brand_id"]),
            "goal": log["brief_id"].map(asked["goal"]),
            "currency": log["currency"].fillna(log["brief_id"].map(asked["currency"])).fillna(""),
            "propensity": log["propensity"].astype(np.float64),
            "contacted": log["status"] != "shown",
            "reward": told.mask(failed, 0.0),
        }
    )
    lists["unit"] = _units(lists, measure)
    lists["stands_for"] = _stands_for(lists, log["status"] == "delivered")
    return lists[list(LISTS)]


def in_units(lists: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """Count rewards in units of the log's own average contact of the same goal and currency.

    Parameters
    ----------
    lists : DataFrame
        LISTS.
    log : DataFrame
        LISTS that tell the averages, with `lists` among them or before them: the more contacts,
        the steadier the units.

    Returns
    -------
    DataFrame
        LISTS without the goals and currencies for which no contact of the log brought anything.
    """
    usual = _average(log)
    unit = usual.reindex(pd.MultiIndex.from_frame(lists[GROUP])).to_numpy(dtype=np.float64)
    counted = lists.assign(reward=lists["reward"] / unit, unit=OWN)
    return counted[unit > 0].reset_index(drop=True)


def _average(log: pd.DataFrame) -> pd.Series[Any]:
    """Return the mean reward of a contact, by goal and currency; NaN where none is known."""
    known = log[log["reward"].notna()]
    sums = known.assign(brought=known["reward"] * known["stands_for"]).groupby(GROUP)
    return sums["brought"].sum() / sums["stands_for"].sum()


def _ripe(tables: Tables, horizon_days: int) -> pd.Index[Any]:
    """Return the briefs decided so long before the latest outcome that theirs are in."""
    decided = decision_times(tables).dropna()
    last = tables.outcomes["measured_at"].max() - ripening(tables, horizon_days)
    ripe: pd.Index[Any] = decided.index[decided <= last]
    return ripe


def _units(lists: pd.DataFrame, measure: str) -> pd.Series[Any]:
    """Say in words what each reward counts."""
    counted = lists["goal"].map(dict(VALUED))
    money = lists["currency"].where(lists["currency"] != "", "money")
    counted = counted.where(lists["goal"] != "conversion", "net revenue, " + money)
    return counted + " per " + money if measure == "value_per_cost" else counted


def _stands_for(lists: pd.DataFrame, delivered: pd.Series[bool]) -> pd.Series[float]:
    """Let known contacts stand for unknown ones of their goal and currency.

    Deliveries nobody measured are stood for by deliveries: letting refusals, which are always
    known, stand for them would make every policy look worse than it is.
    """
    keys = [lists[name] for name in GROUP]
    known = lists["contacted"] & lists["reward"].notna()
    weight = known.astype(np.float64)
    for part in (delivered, lists["contacted"]):
        there = part.groupby(keys).transform("sum")
        counted = weight.where(part, 0.0).groupby(keys).transform("sum")
        weight = weight.where(~part | (counted == 0), weight * there / counted)
    return weight
