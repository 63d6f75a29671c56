"""What a past collaboration brought, and the grade that the ranker learns from.

The value of a collaboration is what its brief was after, net of refunds, per unit of cost. Values
of two goals do not compare, so grades are quantiles among collaborations of the same goal and
vertical. Platforms do compare: a brief that allows two wants to know which one pays. Only ripe
outcomes count: a campaign whose orders are still coming in is not a bad one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.tables import Tables

CUTS = (0.25, 0.5, 0.75)
"""Quantiles that part the grades of finished collaborations: 1 to 4."""
COUNTS = ["views", "engagements", "spread", "clicks", "orders"]
"""Counts of an outcome; ``spread`` is saves + shares, or engagements where those are unknown."""
LEAST_PEERS = 40
"""A quantile of fewer peers than this is noise; a wider group is asked instead."""
_CELLS = (["goal", "vertical"], ["goal"])


def decision_times(tables: Tables) -> pd.Series[Any]:
    """Return, for each brief that was decided, the moment its choice was prepared.

    That is ``decided_at``, or the first time a KOL was shown for the brief if that was earlier:
    what the log says about the brief's own list must not be a feature of it.

    Returns
    -------
    Series of datetime, indexed by brief_id
        Null for open briefs.
    """
    shown = tables.collaborations.groupby("brief_id")["shown_at"].min()
    decided = tables.briefs.set_index("brief_id")["decided_at"]
    return pd.concat([decided, shown.reindex(decided.index)], axis=1).min(axis=1).rename("as_of")


def outcome_values(tables: Tables, horizon_days: int) -> pd.DataFrame:
    """Return what each delivered collaboration with a ripe outcome brought.

    Parameters
    ----------
    tables : Tables
        Everything known.
    horizon_days : int
        Outcomes measured at an earlier horizon are unripe and left out; of several ripe ones the
        earliest counts, so that old campaigns get no longer than new ones.

    Returns
    -------
    DataFrame
        collaboration_id, brief_id, brand_id, kol_id, as_of, known_at, mode, goal, vertical,
        platform, value, cost, value_per_cost, achieved, and the counts of `COUNTS`; sorted by
        as_of, collaboration_id. ``value_per_cost`` is null where cost is unknown or in another
        currency than the revenue. ``achieved`` is the log of what the forecast's heads multiply
        to (`matcher.forecast.VALUE`), per unit of cost: orders, say, where value is net revenue.
    """
    ripe = tables.outcomes[tables.outcomes["horizon_days"] >= horizon_days]
    ripe = ripe.sort_values("horizon_days").drop_duplicates("collaboration_id")
    ripe = ripe.rename(columns={"measured_at": "known_at", "currency": "revenue_currency"})
    done = tables.collaborations.query("status == 'delivered'")
    briefs = tables.briefs[["brief_id", "brand_id", "goal", "vertical", "gross_margin"]]
    platform = tables.kols.drop_duplicates("kol_id", keep="last")[["kol_id", "platform"]]
    rows = (
        done.merge(ripe, on="collaboration_id", validate="1:1")
        .merge(briefs, on="brief_id", validate="m:1")
        .merge(platform, on="kol_id", validate="m:1")
    )
    rows["as_of"] = rows["brief_id"].map(decision_times(tables))
    spread = rows[["saves", "shares"]].sum(axis=1, min_count=1)
    rows["spread"] = spread.fillna(rows["engagements"])
    net = (rows["gmv"] - rows["refunded_gmv"].fillna(0)).clip(lower=0)
    rows["net"] = net * rows["gross_margin"].fillna(1.0)
    rows["value"] = _by_goal(rows, {"conversion": "net"})
    cost = rows["cost"].where(rows["cost"] > 0)
    if cost.isna().all():
        # Nobody paid, or nobody says what: then value alone is compared.
        cost = cost.fillna(1.0)
    foreign = (rows["goal"] == "conversion") & rows["revenue_currency"].ne(rows["currency"])
    rows["value_per_cost"] = (rows["value"] / cost).mask(foreign)
    # Half a count more: the log of nothing is not a number, and one order is not twice none.
    rows["achieved"] = np.log((_by_goal(rows, {"conversion": "orders"}) + 0.5) / cost)
    columns = ["collaboration_id", "brief_id", "brand_id", "kol_id", "as_of", "known_at", "mode"]
    columns += ["goal", "vertical", "platform", "value", "cost", "value_per_cost", "achieved"]
    columns += COUNTS
    return rows[columns].sort_values(["as_of", "collaboration_id"], ignore_index=True)


def _by_goal(rows: pd.DataFrame, others: dict[str, str]) -> pd.Series[Any]:
    """Return the column that each brief's goal counts."""
    counted = {
        "awareness": "views",
        "seeding": "spread",
        "engagement": "engagements",
        "co_creation": "engagements",
    } | others
    value = pd.Series(np.nan, index=rows.index)
    for goal, column in counted.items():
        value = value.where(rows["goal"] != goal, rows[column])
    return value


@dataclass(frozen=True)
class Grader:
    """Turns values into grades by quantiles learned on past collaborations.

    Attributes
    ----------
    cuts : tuple of DataFrame
        For each grouping, finest first, the quantiles of ``value_per_cost`` by cell.
    """

    cuts: tuple[pd.DataFrame, ...]

    @classmethod
    def fit(cls, values: pd.DataFrame) -> Grader:
        """Learn the quantiles of each cell that has enough peers.

        Parameters
        ----------
        values : DataFrame
            As `outcome_values` gives them; only those known before the cut.
        """
        known = values[values["value_per_cost"].notna()]
        levels = []
        for keys in _CELLS:
            grouped = known.groupby(keys)["value_per_cost"]
            cuts = grouped.quantile(list(CUTS)).unstack()
            least = LEAST_PEERS if keys != _CELLS[-1] else 1
            levels.append(cuts[grouped.size() >= least])
        return cls(tuple(levels))

    def grade(self, values: pd.DataFrame) -> pd.DataFrame:
        """Grade collaborations among their peers.

        Returns
        -------
        DataFrame, aligned to `values`
            grade, 1 (lowest quarter) to 4, null where value or peers are unknown; success, true
            in the upper half.
        """
        cuts = pd.DataFrame(np.nan, index=values.index, columns=list(CUTS))
        for keys, level in zip(_CELLS, self.cuts, strict=True):
            cell = pd.MultiIndex.from_frame(values[keys]) if len(keys) > 1 else values[keys[0]]
            cuts = cuts.fillna(level.reindex(cell).set_axis(values.index))
        value = values["value_per_cost"].to_numpy()[:, None]
        grade = pd.Series(1.0 + (value > cuts.to_numpy()).sum(axis=1), index=values.index)
        unknown = values["value_per_cost"].isna() | cuts.isna().any(axis=1)
        return pd.DataFrame(
            {"grade": grade.mask(unknown), "success": (grade >= 3).mask(unknown, False)}
        )
