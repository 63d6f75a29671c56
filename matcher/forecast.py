"""What a collaboration would bring, and what that is worth to the brief's goal.

The goal's value is a product of forecasts: orders are views x click-through x conversion. Each
head learns from every collaboration, whatever its goal, which a model of the value alone could
not do. In logs the product is a sum, so what each signal contributes adds up exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.contract import GOALS
from matcher.acceptance import Acceptance
from matcher.config import HeadConfig, IntervalConfig
from matcher.heads import HEADS, RATES, Head
from matcher.orders import OrderValue
from matcher.pricelevel import PriceLevel
from matcher.uncertainty import P90, Backcast, Uncertainty

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "awareness": ("views",),
        "seeding": ("views", "spread_rate"),
        "engagement": ("views", "engagement_rate"),
        "co_creation": ("views", "engagement_rate"),
        "conversion": ("views", "ctr", "cvr"),
    }
)
"""Heads whose product is the value of each goal, up to a factor that is the brief's own."""
VIEWS = ("views_p10", "views_p50", "views_p90")


MOST = 1e12
"""No count is higher: a wild forecast must not stop a run."""
SLOPE_DOUBT, LEVEL_DOUBT = 0.25, 0.5
"""How far a correction may stray from none before later outcomes say so: standard deviations of
its slope, and of the log of its level."""
CURVE_SHAPE = 8.0
"""Gamma shape by which campaigns differ, for how much a row says of a rate."""


@dataclass(frozen=True)
class RateCurve:
    """A correction of forecast rates: ``log(rate) = intercept + slope * log(forecast)``.

    Rising and smooth, so that it never ties or turns KOLs around; two numbers, because later
    outcomes are few.
    """

    slope: float
    intercept: float

    def __call__(self, rate: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correct rates, shape (n,), to rates, shape (n,), 0-1."""
        return np.clip(np.exp(self.intercept + self.slope * np.log(rate)), 0.0, 1.0)

    @classmethod
    def fit(
        cls,
        forecast: NDArray[np.float64],
        events: NDArray[np.float64],
        exposure: NDArray[np.float64],
    ) -> RateCurve:
        """Fit by the likelihood of overdispersed counts, pulled towards no correction.

        A row's weight levels off where campaigns differ by more than chance: at
        ``exposure = CURVE_SHAPE / forecast``. The slope is kept between 0.2 and 1.5: outside
        those a handful of outcomes would speak louder than the model.
        """
        from scipy.optimize import minimize

        weight = exposure / (1 + exposure * forecast / CURVE_SHAPE)
        rate, logs = events / exposure, np.log(forecast)
        middle = float(np.average(logs, weights=weight * forecast))

        def loss(curve: NDArray[np.float64]) -> float:
            log_rate = curve[0] * (logs - middle) + middle + curve[1]
            doubt = ((curve[0] - 1) / SLOPE_DOUBT) ** 2 + (curve[1] / LEVEL_DOUBT) ** 2
            return float(weight @ (np.exp(log_rate) - rate * log_rate) + 0.5 * doubt)

        bounds = [(0.2, 1.5), (None, None)]
        slope, level = minimize(loss, x0=[1.0, 0.0], method="L-BFGS-B", bounds=bounds).x
        return cls(float(slope), float(middle + level - slope * middle))


@dataclass(frozen=True)
class Forecaster:
    """Fitted heads.

    Attributes
    ----------
    heads : mapping of str to Head
        By name; those with too little data to learn from are missing.
    typical : mapping of str to float
        For each goal, the median over training rows of the log of forecast value per price. It
        makes values of different goals comparable.
    prices : PriceLevel
        What the price of that value is measured in.
    curves : mapping of str to RateCurve
        By head, corrections of rates, learned on later data; ranking goes without them.
    uncertainty : Uncertainty
        How far forecasts may be off.
    order_value : OrderValue or None
        What an order is worth; ``None`` where too few are known.
    acceptance : Acceptance or None
        Chance of a yes; ``None`` where too few answers are known.
    """

    heads: Mapping[str, Head]
    typical: Mapping[str, float]
    prices: PriceLevel = field(default_factory=PriceLevel)
    curves: Mapping[str, RateCurve] = field(default_factory=dict)
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    order_value: OrderValue | None = None
    acceptance: Acceptance | None = None

    def predict(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Forecast what each pair would bring.

        Returns
        -------
        DataFrame, aligned to `signals`
            views_p10, views_p50 and views_p90 (counts; the outer two null where no past forecast
            tells how far they lie apart); engagement_rate and spread_rate (per view), ctr (clicks
            per view), cvr (orders per click), refund_rate (share of sales) and accept (chance of
            a yes), 0-1; null where there is no head.
        """
        return self._told(signals, self.log_views(signals))

    def outlook(self, signals: pd.DataFrame, currency: pd.Series[Any]) -> pd.DataFrame:
        """Forecast what each pair would bring, and what that is worth.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            Signals.
        currency : Series, shape (n,)
            Currency of each pair's money, aligned; null where unknown.

        Returns
        -------
        DataFrame, aligned to `signals`
            The columns of `predict`; ``brings``, the expected count that the goal is after (views,
            saves and shares, engagements, orders); and ``value``, its expected worth: the same,
            but for conversion net sales times margin, in the pair's currency. Both are of a
            collaboration that is delivered; null where something they need is unknown.
        """
        bounds = self.log_views(signals)
        told = self._told(signals, bounds)
        counts = {"views": expected_views(bounds)} | {name: told[name] for name in RATES}
        goals = goals_of(signals).to_numpy()
        brings = np.full(len(signals), np.nan)
        for goal, names in VALUE.items():
            rows = goals == goal
            brings[rows] = np.prod([np.asarray(counts[name])[rows] for name in names], axis=0)
        earned = brings * self._earned_by_order(signals, told["refund_rate"], currency)
        return told.assign(brings=brings, value=np.where(goals == "conversion", earned, brings))

    def _earned_by_order(
        self, signals: pd.DataFrame, refunded: pd.Series[float], currency: pd.Series[Any]
    ) -> NDArray[np.float64]:
        if self.order_value is None:
            return np.full(len(signals), np.nan)
        product = np.exp(signals["brief.product_price"].to_numpy(dtype=np.float64))
        log, spread = self.order_value(product, currency)
        kept = 1 - refunded.to_numpy(dtype=np.float64)
        margin = signals["brief.gross_margin"].to_numpy(dtype=np.float64)
        return np.asarray(np.exp(log + spread**2 / 2) * kept * margin, dtype=np.float64)

    def _told(self, signals: pd.DataFrame, bounds: NDArray[np.float64]) -> pd.DataFrame:
        blank = np.full(len(signals), np.nan)
        told = dict(zip(VIEWS, np.maximum(np.exp(bounds) - 1, 0.0).T, strict=True))
        for name in RATES:
            head = self.heads.get(name)
            rate = blank if head is None else np.clip(np.exp(head.log(signals)), 0.0, 1.0)
            told[name] = self.curves[name](rate) if name in self.curves else rate
        told["accept"] = blank if self.acceptance is None else self.acceptance(signals)
        return pd.DataFrame(told, index=signals.index)

    def log_views(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return P10, P50 and P90 of the log of views + 1, shape (n, 3); NaN where unknown."""
        bounds = np.full((len(signals), 3), np.nan)
        if "views" in self.heads:
            log = self.heads["views"].log(signals)
            bounds[:, 1] = log
            if self.uncertainty.views is not None:
                bounds = self.uncertainty.views(signals, log)
        return bounds

    def advantage(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return how much more value per price a pair promises than is usual for its goal.

        Returns
        -------
        ndarray, shape (n,)
            In logs: 0 is usual, 0.69 is twice as much; 0 where a head that the goal needs is
            missing. An unknown price counts as the usual one.
        """
        raw = self._log_value(signals)
        usual = goals_of(signals).map(dict(self.typical)).to_numpy(dtype=np.float64)
        return np.nan_to_num(raw - usual, nan=0.0)

    def contributions(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Return what each signal adds to `advantage`; shape of `signals`.

        They sum to the advantage up to a constant of each goal; all 0 where that is 0.
        """
        parts = pd.DataFrame(0.0, index=signals.index, columns=signals.columns)
        goals, price = goals_of(signals), self.prices(signals)
        for goal in self.typical:
            rows = (goals == goal).to_numpy()
            # A goal asks some of the heads, and a head takes hundreds of trees.
            for name in VALUE[goal] if rows.any() else ():
                parts[rows] += self.heads[name].contributions(signals[rows])
            parts.loc[rows, "price.relative"] -= price[rows]
        return parts

    @classmethod
    def fit(
        cls,
        signals: pd.DataFrame,
        outcomes: pd.DataFrame,
        config: HeadConfig,
        seed: int,
        weight: NDArray[np.float64] | None = None,
    ) -> Forecaster:
        """Fit every head that has enough data.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            Signals of finished collaborations as of their decision.
        outcomes : DataFrame, shape (n, ...)
            views, engagements, spread, clicks, orders and returned, and sales as
            `matcher.orders.OrderValue.fit` reads them; aligned to `signals`. Columns it lacks
            teach nothing.
        weight : ndarray, shape (n,), optional
            How much each row counts; by default all the same.
        """
        fitted = {}
        for spec in HEADS:
            head = Head.fit(spec, signals, outcomes, config, seed, weight)
            if head is not None:
                fitted[spec.name] = head
        prices = PriceLevel.fit(signals)
        raw = cls(fitted, {}, prices)._log_value(signals)
        typical = pd.Series(raw).groupby(goals_of(signals).to_numpy()).median().dropna()
        everything = float(np.nanmedian(raw)) if np.isfinite(raw).any() else 0.0
        usual = {
            goal: float(typical.get(goal, everything))
            for goal, names in VALUE.items()
            if set(names) <= set(fitted)
        }
        order_value = OrderValue.fit(outcomes, config.least_rows)
        return cls(fitted, usual, prices, order_value=order_value)

    def calibrated(
        self,
        past: Backcast,
        signals: pd.DataFrame,
        outcomes: pd.DataFrame,
        config: IntervalConfig,
        least: int,
        seed: int,
    ) -> Forecaster:
        """Return a copy that later data corrected and that knows how far it may be off.

        Parameters
        ----------
        past : Backcast
            Training rows, each forecast by a model that did not see it.
        signals, outcomes : DataFrame
            As in `fit`, of decisions later than those it was fitted on.
        config : IntervalConfig
            For the intervals of views.
        least : int
            A rate of fewer later rows is not corrected.
        seed : int
            Seed of sampling.
        """
        later = Backcast.of(signals, outcomes, self.heads)
        curves = _curves(later, least)
        # Models of the past were too low or too high in their own way: that is no uncertainty.
        uncertainty = Uncertainty.fit(
            _corrected(past, _curves(past, least)), _corrected(later, curves), config, seed
        )
        return replace(self, curves=curves, uncertainty=uncertainty)

    def _log_value(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log of forecast value per price; null where a head is missing."""
        goals = goals_of(signals).to_numpy()
        value = np.full(len(signals), np.nan)
        for goal, names in VALUE.items():
            rows = goals == goal
            if rows.any() and set(names) <= set(self.heads):
                some = signals[rows]
                value[rows] = np.sum([self.heads[name].log(some) for name in names], axis=0)
        return value - self.prices(signals)


def _curves(told: Backcast, least: int) -> dict[str, RateCurve]:
    """Return what corrects each rate of which enough rows tell."""
    curves = {}
    for name in RATES:
        used, rate, count, exposure = told.of_rate(name)
        if used.sum() >= least and count[used].sum() > 0:
            curves[name] = RateCurve.fit(rate[used], count[used], exposure[used])
    return curves


def _corrected(told: Backcast, curves: Mapping[str, RateCurve]) -> Backcast:
    logs = {
        name: np.log(curves[name](np.exp(log))) if name in curves else log
        for name, log in told.logs.items()
    }
    return replace(told, logs=logs)


def expected_views(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of views, shape (n,), which lies above their median.

    Parameters
    ----------
    bounds : ndarray, shape (n, 3)
        P10, P50 and P90 of the log of views + 1; either side of the median is half a normal of its
        own width (`matcher.uncertainty.from_normal`). Where the outer two are unknown the median
        stands for the mean.
    """
    from scipy.special import ndtr

    low, middle, high = np.minimum(bounds, np.log(MOST)).T
    below, above = (middle - low) / P90, (high - middle) / P90
    skew = np.exp(below**2 / 2) * ndtr(-below) + np.exp(above**2 / 2) * ndtr(above)
    mean = np.exp(middle) * np.where(np.isnan(skew), 1.0, skew) - 1
    return np.asarray(np.clip(mean, 0.0, MOST), dtype=np.float64)


def goals_of(signals: pd.DataFrame) -> pd.Series[str]:
    """Return the name of the goal of each pair's brief, null where it has none."""
    return signals["category.goal"].map(dict(enumerate(GOALS)))
