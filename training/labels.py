"""What a past collaboration brought, and the grade that the ranker learns from.

The value of a collaboration is what its brief was after, net of refunds, per unit of cost. Values
of two goals do not compare, so grades are quantiles among collaborations of the same goal and
vertical. Nor do two currencies: amounts are converted by the last rate that was known before they
were measured (`features.money`), and where there is none, each currency is graded by itself.
Platforms do compare: a brief that allows two wants to know which one pays. Only ripe outcomes
count: a campaign whose orders are still coming in is not a bad one.

What each status means to fit, the chance of a good match:

===========================  =======================================================================
delivered, ripe outcome      graded among its peers (`Grader`)
delivered, unripe or none;   nothing yet: left out, which is not zero
signed
cancelled                    nothing: the work never ran. It counts in the KOL's delivery record
declined                     nothing: the KOL did not want to. It counts in acceptance
contacted, no answer         nothing of what it would bring; only that it was chosen
                             (`training.selection`)
shown, others contacted      somebody looked and passed: a weak opinion, taken for as much as
                             ``training.passed_over`` says
shown, nobody contacted      nothing: the list is open, or nobody read it
never shown                  unknown (`training.examples`)
judged                       the person's grade, where no outcome is graded
===========================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from features.columns import EPOCH, TIME
from features.contract import SPECS
from features.money import Exchange
from features.outcomes import earned_in, ripe_outcomes
from features.tables import Tables
from matcher.ranker import GOOD

VALUED: Mapping[str, str] = MappingProxyType(
    {
        "awareness": "views",
        "seeding": "spread",
        "engagement": "engagements",
        "co_creation": "engagements",
        "conversion": "net_revenue",
    }
)
"""The column of an outcome that each goal is after."""
FORECAST: Mapping[str, str] = MappingProxyType({**VALUED, "conversion": "orders"})
"""The count of an outcome that each goal's forecast is of (`matcher.forecast.VALUE`)."""
COUNTS = ["views", "engagements", "spread", "clicks", "orders", "returned"]
"""Counts of an outcome; ``spread`` is saves + shares, or engagements where those are unknown, and
``returned`` the orders whose worth was sent back."""
MONEY = ["gmv", "product_price", "revenue_currency"]
"""Sales; the product's price where it is told in their currency; and that currency."""
CUTS = (0.25, 0.5, 0.75)
"""Quantiles that part the grades of finished collaborations: 1 to 4."""
WHENEVER = pd.Timestamp("2262-01-01", tz="UTC")
"""Later than anything that will be known: the cut where there is no order in time."""
LEAST_PEERS = 40
"""A quantile of fewer peers than this is noise; a wider group is asked instead."""
PLACES = (0.35, 0.65, 0.85, 0.95)
"""Places among a brief's candidates, from the bottom, that part the grades 0 to 4."""
_PEERS = (["goal", "currency", "vertical"], ["goal", "currency"])


def decision_times(tables: Tables) -> pd.Series[Any]:
    """Return the moment at which each brief's choice was prepared.

    That is ``decided_at``, or the first time a KOL was shown for the brief if that was earlier or
    if no decision is told: what the log says about the brief's own list must not be a feature of
    it. Where neither is told it is the first judgment.

    Returns
    -------
    Series of datetime, indexed by brief_id
        Null for briefs that were neither decided nor shown anybody nor judged at a known time.
    """
    shown = tables.collaborations.groupby("brief_id")["shown_at"].min()
    judged = tables.judgments.groupby("brief_id")["judged_at"].min()
    decided = tables.briefs.set_index("brief_id")["decided_at"]
    first = pd.concat([decided, shown.reindex(decided.index)], axis=1).min(axis=1)
    return first.fillna(judged.reindex(decided.index)).astype(TIME).rename("as_of")


def question_times(tables: Tables) -> pd.Series[Any]:
    """Return `decision_times`, and for briefs that tell no time the end of all that is known.

    Such a brief may be of any day: it is asked as if it came in now.

    Returns
    -------
    Series of datetime, indexed by brief_id
        No nulls.
    """
    known = [
        frame[spec.known_at].max()
        for (_, frame), spec in zip(tables, SPECS.values(), strict=True)
        if spec.known_at is not None
    ]
    end = max((time for time in known if pd.notna(time)), default=EPOCH)
    return decision_times(tables).fillna(end + pd.Timedelta(1, unit="us"))


def labels_known_before(tables: Tables, times: pd.Series[Any]) -> Tables:
    """Drop the outcomes and judgments that may not teach, and change nothing else.

    Parameters
    ----------
    tables : Tables
        Everything known.
    times : Series of datetime, indexed by brief_id
        What became known about a brief at its time or later is dropped; so is everything about
        briefs without a time. Judgments of which nobody knows when they were made stay only where
        that time is `WHENEVER`.
    """
    brief_of = tables.collaborations.set_index("collaboration_id")["brief_id"]
    of_outcome = tables.outcomes["collaboration_id"].map(brief_of)
    in_time = tables.outcomes["measured_at"] < of_outcome.map(times)
    cut = tables.judgments["brief_id"].map(times)
    judged = (tables.judgments["judged_at"] < cut) | (cut == WHENEVER)
    return tables.replace(outcomes=tables.outcomes[in_time], judgments=tables.judgments[judged])


def outcome_values(tables: Tables, horizon_days: int) -> pd.DataFrame:
    """Return what each delivered collaboration with a ripe outcome brought.

    Parameters
    ----------
    tables : Tables
        Everything that may be known.
    horizon_days : int
        Outcomes measured at an earlier horizon are unripe and left out; of several ripe ones the
        earliest counts, so that old campaigns get no longer than new ones.

    Returns
    -------
    DataFrame
        One row a collaboration, sorted by as_of and collaboration_id: collaboration_id, brief_id,
        kol_id, mode, as_of, measured_at, goal, vertical; the counts of `COUNTS`; `MONEY`;
        ``value``, what the goal is after; ``cost``, null where unknown or nothing; ``currency`` of
        both where they are money: of the cost, or of the revenue where no cost is told, empty where
        neither is; ``value_per_cost``, null where no cost is told; ``unconverted`` (bool), where it
        is null because revenue and cost are in two currencies of which no rate before
        ``measured_at`` is known; and ``achieved``, the log of the count that the goal's forecast
        is of.
    """
    ripe = ripe_outcomes(tables.outcomes, horizon_days)
    done = tables.collaborations[tables.collaborations["status"] == "delivered"]
    briefs = tables.briefs[
        ["brief_id", "goal", "vertical", "gross_margin", "product_price", "currency"]
    ].rename(columns={"currency": "currency_of_brief"})
    rows = done.merge(
        ripe, on="collaboration_id", suffixes=("", "_of_revenue"), validate="1:1"
    ).merge(briefs, on="brief_id", validate="m:1")
    rows["as_of"] = rows["brief_id"].map(decision_times(tables)).astype(TIME)

    rows["spread"] = rows[["saves", "shares"]].sum(axis=1, min_count=1).fillna(rows["engagements"])
    rows["returned"] = rows["orders"] * rows["refunded_gmv"] / rows["gmv"].where(rows["gmv"] > 0)
    sold_in = earned_in(rows["currency_of_revenue"], rows["brief_id"], tables.briefs)
    rows["product_price"] = rows["product_price"].where(sold_in == rows["currency_of_brief"])
    rows["revenue_currency"] = sold_in.fillna("")
    kept = (rows["gmv"] - rows["refunded_gmv"].fillna(0.0)).clip(lower=0.0)
    rows["net_revenue"] = kept * rows["gross_margin"].fillna(1.0)
    rows["value"] = _by_goal(rows, VALUED)
    # Half a count more: the log of nothing is not a number, and one order is not twice none.
    rows["achieved"] = np.log(_by_goal(rows, FORECAST) + 0.5)

    rows["cost"] = rows["cost"].where(rows["cost"] > 0)
    own = rows["currency"].where(rows["cost"].notna(), rows["currency_of_revenue"])
    earned = Exchange(tables.exchange_rates).convert(
        rows["value"], rows["currency_of_revenue"], own, rows["measured_at"]
    )
    earned = earned.where(_is_money(rows), rows["value"])
    rows["unconverted"] = rows["value"].notna() & earned.isna()
    rows["value"], rows["currency"] = earned, own.fillna("")
    rows["value_per_cost"] = rows["value"] / rows["cost"]
    columns = ["collaboration_id", "brief_id", "kol_id", "mode"]
    columns += ["as_of", "measured_at", "goal", "vertical"]
    columns += [*COUNTS, *MONEY]
    columns += ["value", "cost", "currency", "value_per_cost", "unconverted", "achieved"]
    return rows[columns].sort_values(["as_of", "collaboration_id"], ignore_index=True)


def usual_currency(tables: Tables) -> str:
    """Return the currency that most collaborations are paid in, or sell in if no cost is told.

    The first by name among equals; empty where there is none.
    """
    paid = tables.collaborations
    told = paid.loc[paid["cost"] > 0, "currency"]
    counts = (told if len(told) else tables.outcomes["currency"]).value_counts().sort_index()
    return str(counts.idxmax()) if len(counts) else ""


def in_usual_currency(values: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Convert what was paid and earned so that it can be compared, as far as rates are known.

    Parameters
    ----------
    values : DataFrame
        As `outcome_values` gives them.
    tables : Tables
        What tells the rates and the `usual_currency`.

    Returns
    -------
    DataFrame
        The same with ``currency`` and money in the usual currency, by the last rate before
        ``measured_at``; rows without one stay as they are.
    """
    usual = usual_currency(tables)
    rate = Exchange(tables.exchange_rates).rate(values["currency"], usual, values["measured_at"])
    factor = rate.fillna(1.0)
    sold = _is_money(values)
    return values.assign(
        value=values["value"].where(~sold, values["value"] * factor),
        cost=values["cost"] * factor,
        currency=values["currency"].mask(rate.notna(), usual),
        # Money per money is the same in any currency.
        value_per_cost=values["value_per_cost"].where(sold, values["value_per_cost"] / factor),
    )


def _is_money(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return where the value that a goal is after is money."""
    return rows["goal"].map(dict(VALUED)) == "net_revenue"


def _by_goal(rows: pd.DataFrame, columns: Mapping[str, str]) -> pd.Series[Any]:
    """Return, for each row, the column that its goal names."""
    chosen = pd.Series(np.nan, index=rows.index)
    for goal, column in columns.items():
        chosen = chosen.where(rows["goal"] != goal, rows[column])
    return chosen


@dataclass(frozen=True)
class Grader:
    """Turns what collaborations brought into grades, by quantiles of past ones.

    Attributes
    ----------
    measure : str
        What is compared: ``"value_per_cost"``, or ``"value"`` where no past cost is told.
    cuts : tuple of DataFrame
        For each group of peers, finest first, the quantiles of the measure.
    """

    measure: str
    cuts: tuple[pd.DataFrame, ...]

    @classmethod
    def fit(cls, values: pd.DataFrame) -> Grader:
        """Learn the quantiles of each group that has enough peers.

        Parameters
        ----------
        values : DataFrame
            As `in_usual_currency` gives them, of collaborations that may teach.
        """
        measure = "value_per_cost" if values["cost"].notna().any() else "value"
        known = values[values[measure].notna()]
        cuts = []
        for keys, least in zip(_PEERS, (LEAST_PEERS, 1), strict=True):
            peers = known.groupby(keys)[measure]
            enough = peers.size() >= least
            cuts.append(pd.DataFrame({cut: peers.quantile(cut)[enough] for cut in CUTS}))
        return cls(measure, tuple(cuts))

    def grade(self, values: pd.DataFrame) -> pd.Series[float]:
        """Grade collaborations among their peers.

        Returns
        -------
        Series, aligned to `values`
            From 1, the lowest quarter, to 4; null where the measure or every peer is unknown.
        """
        cuts = pd.DataFrame(np.nan, index=values.index, columns=list(CUTS))
        for keys, found in zip(_PEERS, self.cuts, strict=True):
            own = found.reindex(pd.MultiIndex.from_frame(values[keys]))
            cuts = cuts.fillna(own.set_axis(values.index))
        measured = values[self.measure]
        above = cuts.lt(measured, axis=0).sum(axis=1)
        return (1.0 + above).mask(measured.isna() | cuts.isna().any(axis=1))


def true_grades(value_per_cost: pd.Series[Any], brief_id: pd.Series[Any]) -> pd.Series[float]:
    """Return the grades of a brief's candidates if these were their values.

    A grade is a place among the candidates of the same brief: 4 for the best 5%, 3 for the best
    15%, 2 for the best 35%, 1 for the best 65%, 0 for the rest (`PLACES`).

    Parameters
    ----------
    value_per_cost : Series, shape (n,)
        True or believed values, on any scale that rises with them.
    brief_id : Series, shape (n,)
        Brief of each candidate, aligned.

    Returns
    -------
    Series, aligned to `value_per_cost`
        Whole numbers 0-4; null where the value is. Equal values share the mean of their places.

    Examples
    --------
    >>> values = pd.Series([10.0, 30.0, 20.0, 5.0])
    >>> true_grades(values, pd.Series(["b1", "b1", "b1", "b2"])).tolist()
    [0.0, 4.0, 2.0, 4.0]
    """
    place = value_per_cost.groupby(brief_id.to_numpy()).rank(pct=True)
    grade = np.searchsorted(PLACES, place.to_numpy()).astype(np.float64)
    return pd.Series(grade, index=value_per_cost.index).mask(place.isna())


def successes(tables: Tables, horizon_days: int) -> pd.Series[bool]:
    """Return whether each collaboration landed in the upper half of comparable ones.

    That is what fit is the chance of (`matcher.ranker.GOOD`), among all that is known today.

    Returns
    -------
    Series of bool, indexed by collaboration_id
        Those without a grade are absent.
    """
    values = in_usual_currency(outcome_values(tables, horizon_days), tables)
    values = values.set_index("collaboration_id")
    grade = Grader.fit(values).grade(values).dropna()
    return grade >= GOOD
