"""What of a forecast can be held against what came: the one list of such columns.

A measure is an *amount*, such as views, of which a row tells what was forecast and what came; or a
*rate*, such as orders over clicks, of which a row tells a count and its exposure too, because
three orders from four clicks say less than three hundred from four hundred. A chance is a rate of
things that come once or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.outcomes import answers, earned_in, ripe_outcomes
from features.tables import Tables


@dataclass(frozen=True)
class Measure:
    """One thing that was forecast.

    Attributes
    ----------
    name : str
        Its name.
    forecast : str
        Column of `serving.results.MATCHES` that holds the forecast.
    actual : str
        Column of `actuals`; of a rate the count.
    exposure : str
        Column of `actuals` that a rate's count is over; empty for an amount.
    low, high : str
        Columns of MATCHES between which 80% of what comes should lie; empty where none is told.
    plus : float
        Added to both sides before they are divided: half a count, for 0 has no logarithm; 1 for a
        return, which may be as low as -1.
    en, zh : str
        What people call it.
    """

    name: str
    forecast: str
    actual: str
    en: str
    zh: str
    exposure: str = ""
    low: str = ""
    high: str = ""
    plus: float = 0.0

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns of MATCHES that it reads where they are there."""
        return tuple(name for name in (self.forecast, self.low, self.high) if name)

    @property
    def columns(self) -> list[str]:
        """Columns of the ledger that hold it: forecast, low, high, actual and exposure."""
        parts = ["forecast", "actual"]
        parts += ["low", "high"] if self.low else []
        parts += ["exposure"] if self.exposure else []
        return [f"{self.name}_{part}" for part in parts]


def _amount(name: str, en: str, zh: str, plus: float = 0.0) -> Measure:
    return Measure(
        name,
        f"{name}_p50",
        name,
        en,
        zh,
        low=f"{name}_p10",
        high=f"{name}_p90",
        plus=plus,
    )


MEASURES = (
    _amount("views", "views", "播放量", plus=0.5),
    _amount("engagements", "engagements", "互动量", plus=0.5),
    _amount("clicks", "clicks", "点击量", plus=0.5),
    _amount("orders", "orders", "订单量", plus=0.5),
    _amount("gmv", "GMV", "成交额"),
    _amount("cpm", "cost per 1,000 views", "千次播放成本"),
    _amount("roi", "return on cost", "投入产出比", plus=1.0),
    Measure("price", "price", "cost", "price", "报价"),
    Measure(
        "engagement_rate", "engagement_rate", "engagements", "engagement rate", "互动率", "views"
    ),
    Measure("ctr", "ctr", "clicks", "click-through rate", "点击率", "views"),
    Measure("cvr", "cvr", "orders", "conversion rate", "转化率", "clicks"),
    Measure("refund_rate", "refund_rate", "refunded_gmv", "refund rate", "退款率", "gmv"),
    Measure("accept", "accept", "accepted", "acceptance", "接单率", "asked"),
    Measure("fit", "fit", "success", "fit", "匹配度", "graded"),
)
"""Everything that may be forecast; a run tells what it has of it."""


def actuals(
    tables: Tables, horizon_days: int, success: pd.Series[bool] | None = None
) -> pd.DataFrame:
    """Return what came of each collaboration, as far as it is known.

    Parameters
    ----------
    tables : Tables
        Everything known.
    horizon_days : int
        Age in days at which an outcome is ripe.
    success : Series of bool, indexed by collaboration_id, optional
        Whether a collaboration landed in the upper half of comparable ones.

    Returns
    -------
    DataFrame, indexed by collaboration_id
        The counts and amounts of `MEASURES`; ``mode`` and the ``currency`` of the cost and
        ``currency_of_revenue`` of the rest; ``measured_at``, null where nothing ripe was measured.
        Null is unknown. Who accepted is told by `features.outcomes.answers`.
    """
    done = tables.collaborations.set_index("collaboration_id")
    ripe = ripe_outcomes(tables.outcomes, horizon_days).set_index("collaboration_id")
    # What is counted of a campaign that was not delivered is not what was forecast.
    ripe = ripe.reindex(done.index).where(done["status"] == "delivered")
    told = ripe[["views", "engagements", "clicks", "orders", "gmv", "refunded_gmv", "measured_at"]]
    told = told.assign(
        mode=done["mode"],
        currency=done["currency"],
        currency_of_revenue=earned_in(ripe["currency"], done["brief_id"], tables.briefs),
        cost=done["cost"].where(done["cost"] > 0),
    )
    alike = told["currency"] == told["currency_of_revenue"]
    kept = told["gmv"] - told["refunded_gmv"].fillna(0.0)
    told["cpm"] = 1000 * told["cost"] / told["views"].where(told["views"] > 0)
    margin = (
        done["brief_id"].map(tables.briefs.set_index("brief_id")["gross_margin"]).astype("float64")
    )
    told["roi"] = (kept.clip(lower=0) * margin / told["cost"] - 1.0).where(alike)
    accepted = answers(done).astype("float64")
    told = told.assign(accepted=accepted, asked=accepted.notna().astype(float))
    graded = np.nan if success is None else success.reindex(done.index).astype("float64")
    told = told.assign(success=graded)
    return told.assign(graded=told["success"].notna().astype(float))


def comparable(measure: Measure, rows: pd.DataFrame) -> pd.Series[bool]:
    """Say in which rows a measure's forecast is about what came.

    An amount of money compares in one currency alone, and what is paid for one form of
    collaboration says nothing of the price of another.

    Parameters
    ----------
    rows : DataFrame
        ``mode`` and ``currency`` of the forecast, ``actual_mode``, ``actual_currency`` and
        ``revenue_currency`` of what came.
    """
    paid = rows["currency"] == rows["actual_currency"]
    if measure.name in ("price", "cpm", "roi"):
        return paid & (rows["mode"] == rows["actual_mode"])
    if measure.name == "gmv":
        return rows["currency"] == rows["revenue_currency"]
    return pd.Series(True, index=rows.index)
