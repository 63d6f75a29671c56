"""What a match would bring and return for its price: drawn, not multiplied.

The median of a product is not the product of medians, and its ends are none of theirs: who brings
many views may bring few orders, but seldom does. So the futures of each match are drawn (views,
rates that go astray together, counts out of those, what an order is worth, what is sent back), and
every figure is a quantile of what came of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.dispersion import gamma_factor
from matcher.forecast import MOST, Forecaster
from matcher.intervals import QUANTILES
from matcher.uncertainty import JOINT, from_normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

RETURNS = (
    *("engagements_p10", "engagements_p50", "engagements_p90", "clicks_p50"),
    *("orders_p10", "orders_p50", "orders_p90", "gmv_p10", "gmv_p50", "gmv_p90"),
    *("cpm_p10", "cpm_p50", "cpm_p90", "cpe_p50", "cpa_p50", "roi_p10", "roi_p50", "roi_p90"),
)
"""Figures of a match, by what and quantile."""
_OF = ("engagements", "clicks", "orders", "gmv", "cpm", "cpe", "cpa", "roi")
_GRID = np.linspace(-5.0, 5.0, 1001)


def returns(
    forecaster: Forecaster,
    signals: pd.DataFrame,
    asked: pd.DataFrame,
    *,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Forecast what matches would bring and return.

    Parameters
    ----------
    forecaster : Forecaster
        Fitted heads and how far they may be off.
    signals : DataFrame, shape (n, f)
        Signals of the matches.
    asked : DataFrame, shape (n, ...)
        brief_id, kol_id, price and currency; aligned. Money without a currency is null.
    draws : int
        Futures of each match. The same match always gets the same ones: they are seeded by
        `seed`, brief and KOL.
    seed : int
        Seed of the draws.

    Returns
    -------
    DataFrame, aligned to `signals`
        `RETURNS`: counts; gmv, sales before refunds; cpm, cost of 1,000 views; cpe of an
        engagement; cpa of an order; and roi, ``(gmv (1 - refunds) margin - price) / price``.
        Null where something that a figure needs is unknown, or where it would be infinite (the
        cost of an order where most futures bring none).
    """
    found = np.full((len(asked), len(_OF), len(QUANTILES)), np.nan)
    for row, figures in enumerate(futures(forecaster, signals, asked, draws=draws, seed=seed)):
        # Of counts a quantile is a count; an infinite cost is not mixed with finite ones.
        drawn = np.stack([figures[name] for name in _OF])
        found[row] = np.quantile(drawn, QUANTILES, axis=1, method="inverted_cdf").T
    found[np.isinf(found)] = np.nan
    columns = [f"{name}_p{round(100 * share)}" for name in _OF for share in QUANTILES]
    flat = found.reshape(len(asked), len(columns))
    every = pd.DataFrame(flat, index=asked.index, columns=columns)
    return every[list(RETURNS)]


def futures(
    forecaster: Forecaster,
    signals: pd.DataFrame,
    asked: pd.DataFrame,
    *,
    draws: int,
    seed: int,
) -> Iterator[dict[str, NDArray[np.float64]]]:
    """Draw what each match may bring and return; parameters are those of `returns`.

    Yields
    ------
    dict of ndarray, shape (draws,)
        For each match in turn: views, engagements, clicks, orders, gmv, kept (sales that are not
        sent back), cpm, cpe, cpa and roi; NaN where unknown, infinite where nothing came of it.
    """
    told = forecaster.predict(signals)
    bounds = forecaster.log_views(signals)
    rates = told[list(JOINT[1:])].to_numpy(dtype=np.float64)
    spread = _Spread(forecaster)
    product = np.exp(signals["brief.product_price"].to_numpy(dtype=np.float64))
    margin = signals["brief.gross_margin"].to_numpy(dtype=np.float64)
    price = asked["price"].to_numpy(dtype=np.float64)
    worth = np.full((len(asked), 2), np.nan)
    if forecaster.order_value is not None:
        worth = np.column_stack(forecaster.order_value(product, asked["currency"]))
    for row, (brief_id, kol_id) in enumerate(zip(asked["brief_id"], asked["kol_id"], strict=True)):
        rng = np.random.default_rng([seed, *(zlib.crc32(i.encode()) for i in (brief_id, kol_id))])
        drawn = spread.draw(rng, bounds[row], rates[row], worth[row], draws)
        yield _money(drawn, price[row], margin[row])


class _Spread:
    """The copula of a forecaster, made ready for drawing.

    Parameters
    ----------
    forecaster : Forecaster
        Whose uncertainty it is.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        known = forecaster.uncertainty
        self._root = np.linalg.cholesky(np.array(known.correlation))
        # A gamma's quantiles are dear: once on a grid for each rate, not once a draw.
        self._factors = {
            name: gamma_factor(_GRID, shape) if shape else np.ones_like(_GRID)
            for name, shape in ((name, known.shapes.get(name, 0.0)) for name in JOINT[1:])
        }

    def draw(
        self,
        rng: np.random.Generator,
        bounds: NDArray[np.float64],
        rates: NDArray[np.float64],
        worth: NDArray[np.float64],
        draws: int,
    ) -> dict[str, NDArray[np.float64]]:
        """Draw the futures of one match.

        Parameters
        ----------
        rng : Generator
            The match's own.
        bounds : ndarray, shape (3,)
            Quantiles of the log of views + 1.
        rates : ndarray, shape (4,)
            Forecasts of the rates of `JOINT`.
        worth : ndarray, shape (2,)
            Log of what an order is worth, and its standard deviation.
        draws : int
            How many.

        Returns
        -------
        dict of ndarray, shape (draws,)
            views, engagements, clicks, orders, gmv and kept (sales that are not sent back); NaN
            where unknown.
        """
        scores = rng.standard_normal((draws, len(JOINT))) @ self._root.T
        log_views = np.minimum(from_normal(scores[:, 0], bounds), np.log(MOST))
        views: NDArray[np.float64] = np.maximum(np.round(np.exp(log_views) - 1), 0.0)
        rate = {
            name: np.minimum(mean * np.interp(scores[:, place], _GRID, self._factors[name]), 1.0)
            for place, (name, mean) in enumerate(zip(JOINT[1:], rates, strict=True), start=1)
        }
        clicks = _binomial(rng, views, rate["ctr"])
        orders = _binomial(rng, clicks, rate["cvr"])
        value = np.exp(worth[0] + worth[1] * rng.standard_normal(draws))
        returned = _binomial(rng, orders, rate["refund_rate"])
        return {
            "views": views,
            "engagements": _binomial(rng, views, rate["engagement_rate"]),
            "clicks": clicks,
            "orders": orders,
            "gmv": orders * value,
            "kept": (orders - returned) * value,
        }


def _binomial(
    rng: np.random.Generator, trials: NDArray[np.float64], chance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Draw counts; all NaN where trials or chances are unknown."""
    if np.isnan(trials).any() or np.isnan(chance).any():
        return np.full(len(trials), np.nan)
    return rng.binomial(trials.astype(np.int64), chance).astype(np.float64)


def _money(
    futures: dict[str, NDArray[np.float64]], price: float, margin: float
) -> dict[str, NDArray[Any]]:
    """Add what a price makes of the futures of a match; infinite where nothing came of it."""
    figures = dict(futures)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, count, unit in (
            ("cpm", "views", 1000.0),
            ("cpe", "engagements", 1.0),
            ("cpa", "orders", 1.0),
        ):
            cost = price * unit / futures[count]
            # Nothing for nothing is no cost; a price for nothing has no end.
            figures[name] = np.where(futures[count] == 0, np.inf, cost) if price > 0 else cost
        profit = futures["kept"] * margin - price
        figures["roi"] = profit / price if price > 0 else np.full(len(profit), np.nan)
    return figures
