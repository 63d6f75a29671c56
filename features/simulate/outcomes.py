"""What delivered collaborations really brought, as it was measured after 1, 7 and 30 days."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.simulate.clock import DAYS, to_time
from features.simulate.demand import Demand
from features.simulate.market import Market
from features.simulate.policy import Log, collaboration_ids
from features.simulate.topics import Floats, Ints
from features.simulate.truth import expect

HORIZONS = (1, 7, 30)
VIEWED = (0.55, 0.85, 1.0)
"""Share of the views, engagements and clicks of 30 days that have come by each horizon."""
ORDERED = (0.35, 0.75, 1.0)
"""The same for orders, which come later."""
REFUNDED = (0.05, 0.4, 1.0)
"""The same for orders sent back, later still."""

_VIEWS_SHAPE, _RATE_SHAPE = 8.0, 25.0
"""Shapes of the gammas, of mean 1, by which views and rates are overdispersed."""
_UNREPORTED = 0.04


def outcomes_table(
    rng: np.random.Generator, market: Market, demand: Demand, log: Log, salt: int
) -> pd.DataFrame:
    """Return the OUTCOMES table: gamma-Poisson counts around what `truth.expect` says."""
    done = np.flatnonzero(log.delivered & (rng.random(len(log.kol)) >= _UNREPORTED))
    brief = log.brief[done]
    e = expect(market, demand, brief, log.kol[done], log.mode[done], salt)

    def luck(shape: float) -> Floats:
        return rng.gamma(shape, 1 / shape, len(done))

    views = rng.poisson(e.views * luck(_VIEWS_SHAPE))
    engagements = rng.binomial(views, np.minimum(e.engagement * luck(_RATE_SHAPE), 1.0))
    shares, saves, _ = rng.multinomial(
        engagements, np.column_stack([e.shares, e.saves, 1 - e.shares - e.saves])
    ).T
    clicks = rng.binomial(views, np.minimum(e.click * luck(_RATE_SHAPE), 1.0))
    orders = rng.binomial(clicks, np.minimum(e.order * luck(_RATE_SHAPE), 1.0))
    refunds = rng.binomial(orders, e.refund)

    counts = {
        "views": _over_time(rng, views, VIEWED),
        "shares": _over_time(rng, shares, VIEWED),
        "saves": _over_time(rng, saves, VIEWED),
        "clicks": _over_time(rng, clicks, VIEWED),
        "orders": _over_time(rng, orders, ORDERED),
        "refunds": _over_time(rng, refunds, REFUNDED),
    }
    others = _over_time(rng, engagements - shares - saves, VIEWED)
    counts["engagements"] = others + counts["shares"] + counts["saves"]
    # Cumulative counts stay so under a minimum: nobody orders before a click or sends back before.
    counts["orders"] = np.minimum(counts["orders"], counts["clicks"])
    counts["refunds"] = np.minimum(counts["refunds"], counts["orders"])

    ids = np.array(collaboration_ids(len(log.kol)))[done]
    price = np.round(demand.product_price[brief], 2)
    wide = []
    for k, horizon in enumerate(HORIZONS):
        now = {name: count[:, k].astype(float) for name, count in counts.items()}
        refunds_now = now.pop("refunds")
        part = pd.DataFrame({"collaboration_id": ids, "horizon_days": horizon, **now})
        part["day"] = log.ended[done] + horizon
        part["gmv"] = np.round(now["orders"] * price, 2)
        part["refunded_gmv"] = np.round(refunds_now * price, 2)
        part["currency"] = np.where(demand.chinese[brief], "CNY", "USD")
        wide.append(part)
    frame = pd.concat(wide, ignore_index=True).sort_values(["collaboration_id", "horizon_days"])
    frame = frame[frame["day"] < DAYS].reset_index(drop=True)
    return frame.assign(measured_at=to_time(frame["day"].to_numpy())).drop(columns="day")


def _over_time(rng: np.random.Generator, total: Ints, shares: tuple[float, ...]) -> Ints:
    """Thin totals backwards in time; returns shape (n, horizons), never falling along a row."""
    columns = [total]
    for earlier, later in zip(shares[-2::-1], shares[:0:-1], strict=True):
        columns.append(rng.binomial(columns[-1], earlier / later))
    return np.column_stack(columns[::-1])
