"""What one order is worth: the product's price, or what is usual in the currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIOR_ROWS, PRIOR_SPREAD = 10.0, 0.3
"""What is assumed before any order is seen, in collaborations: an order is worth the product's
price, give or take what baskets and discounts make of it."""


@dataclass(frozen=True)
class OrderValue:
    """Sales per order.

    Attributes
    ----------
    relative : float
        Log of sales per order over the product's price, where the brief tells it.
    spread : float
        Standard deviation of that log between collaborations.
    typical : mapping of str to float
        By currency, log of the usual sales per order, for briefs that tell no price.
    typical_spread : float
        Standard deviation of that log.
    """

    relative: float
    spread: float
    typical: Mapping[str, float]
    typical_spread: float

    def __call__(
        self, product_price: NDArray[np.float64], currency: pd.Series[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Forecast what an order of each pair is worth.

        Parameters
        ----------
        product_price : ndarray, shape (n,)
            In the pair's currency; NaN where the brief does not tell it.
        currency : Series, shape (n,)
            Currency of the pair's money; null where unknown.

        Returns
        -------
        log, spread : ndarray, shape (n,)
            Log of the value, NaN where nothing tells it, and its standard deviation.
        """
        known = product_price > 0
        own = np.log(np.where(known, product_price, 1.0)) + self.relative
        usual = currency.map(dict(self.typical)).to_numpy(dtype=np.float64)
        told = np.where(known, own, usual)
        told = np.where(currency.isna().to_numpy(), np.nan, told)
        return told, np.where(known, self.spread, self.typical_spread)

    @classmethod
    def fit(cls, outcomes: pd.DataFrame, least: int) -> OrderValue | None:
        """Fit on past sales.

        Parameters
        ----------
        outcomes : DataFrame
            orders, gmv, product_price and revenue_currency, as `training.labels` gives them.
        least : int
            Fewer collaborations with sales tell nothing.

        Returns
        -------
        OrderValue or None
            ``None`` if too few are told.
        """
        columns = ("orders", "gmv", "product_price", "revenue_currency")
        if not set(columns) <= set(outcomes):
            return None
        sold = outcomes[(outcomes["orders"] > 0) & (outcomes["gmv"] > 0)]
        if len(sold) < least:
            return None
        worth = (sold["gmv"] / sold["orders"]).to_numpy(dtype=np.float64)
        log_value = pd.Series(np.log(worth), index=sold.index)
        # Few orders say little of what one is worth; many say no more than a campaign can.
        weight = np.sqrt(sold["orders"])
        listed = sold["product_price"] > 0
        relative = (log_value - np.log(sold["product_price"].where(listed)))[listed]
        scale = weight[listed] / weight.mean()
        shrunk = float((scale * relative).sum() / (scale.sum() + PRIOR_ROWS))
        usual = log_value.groupby(sold["revenue_currency"]).median()
        around = log_value - sold["revenue_currency"].map(usual)
        return cls(
            relative=shrunk,
            spread=_deviation(relative - shrunk),
            typical={str(money): float(v) for money, v in usual.items() if money},
            typical_spread=_deviation(around),
        )


def _deviation(values: pd.Series[Any]) -> float:
    """Return the root mean square, of few values near to what is assumed before any."""
    total = float((values**2).sum()) + PRIOR_ROWS * PRIOR_SPREAD**2
    return float(np.sqrt(total / (len(values) + PRIOR_ROWS)))
