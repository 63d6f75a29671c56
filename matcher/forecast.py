"""What a collaboration would bring, and what that is worth to the brief's goal.

The goal's value is a product of forecasts: orders are views x click-through x conversion. Each
head learns from every collaboration, whatever its goal, which a model of the value alone could
not do. In logs the product is a sum, so what each signal contributes adds up exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.contract import GOALS
from matcher.config import HeadConfig
from matcher.heads import HEADS, Head

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
        """Fit by Poisson likelihood, with a slope kept between 0.2 and 1.5.

        Rows weigh by their exposure up to its median, as in `matcher.heads`. Outside those slopes
        a handful of outcomes would speak louder than the model.
        """
        from scipy.optimize import minimize

        weight = exposure / (1 + exposure / np.median(exposure))
        rate, logs = events / exposure, np.log(forecast)

        def loss(curve: NDArray[np.float64]) -> float:
            log_rate = curve[0] * logs + curve[1]
            return float(np.sum(weight * (np.exp(log_rate) - rate * log_rate)) / weight.sum())

        bounds = [(0.2, 1.5), (None, None)]
        best = minimize(loss, x0=np.array([1.0, 0.0]), method="L-BFGS-B", bounds=bounds).x
        return cls(float(best[0]), float(best[1]))


@dataclass(frozen=True)
class Forecaster:
    """Fitted heads.

    Attributes
    ----------
    heads : mapping of str to Head
        By name; those with too little data to learn from are missing.
    typical : mapping of str to float
        For each goal, the median over training rows of the log of forecast value per price. It
        makes values of different goals comparable. Prices are in units of what is usual in their
        currency (``price.relative``), which makes those of different currencies comparable.
    cvr_curve : RateCurve or None
        Correction of the conversion rate, learned on later data.
    """

    heads: Mapping[str, Head]
    typical: Mapping[str, float]
    cvr_curve: RateCurve | None = None

    def predict(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Forecast what each pair would bring.

        Returns
        -------
        DataFrame, aligned to `signals`
            views (median, a count), engagement_rate and spread_rate (per view), ctr (clicks per
            view) and cvr (orders per click), 0-1; null where there is no head.
        """
        told = {}
        for spec in HEADS:
            head = self.heads.get(spec.name)
            value = np.full(len(signals), np.nan) if head is None else np.exp(head.log(signals))
            told[spec.name] = np.clip(value, 0, 1) if spec.exposure else value
        if self.cvr_curve is not None:
            told["cvr"] = self.cvr_curve(told["cvr"])
        return pd.DataFrame(told, index=signals.index)

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
        goals = goals_of(signals)
        by_head = {name: head.contributions(signals) for name, head in self.heads.items()}
        for goal in self.typical:
            rows = (goals == goal).to_numpy()
            for name in VALUE[goal]:
                parts[rows] += by_head[name][rows]
            parts.loc[rows, "price.relative"] -= log_price(signals)[rows]
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
            views, engagements, spread, clicks and orders, aligned to `signals`.
        weight : ndarray, shape (n,), optional
            How much each row counts; by default all the same.
        """
        fitted = {}
        for spec in HEADS:
            head = Head.fit(spec, signals, outcomes, config, seed, weight)
            if head is not None:
                fitted[spec.name] = head
        raw = cls(fitted, {})._log_value(signals)
        typical = pd.Series(raw).groupby(goals_of(signals).to_numpy()).median().dropna()
        everything = float(np.nanmedian(raw)) if np.isfinite(raw).any() else 0.0
        usual = {
            goal: float(typical.get(goal, everything))
            for goal, names in VALUE.items()
            if set(names) <= set(fitted)
        }
        return cls(fitted, usual)

    def calibrated(self, signals: pd.DataFrame, outcomes: pd.DataFrame, least: int) -> Forecaster:
        """Return a copy whose conversion rate is corrected by what later data brought.

        Parameters
        ----------
        signals, outcomes : DataFrame
            As in `fit`, of decisions later than those it was fitted on.
        least : int
            Fewer rows with clicks correct nothing.
        """
        used = ((outcomes["clicks"] > 0) & outcomes["orders"].notna()).to_numpy()
        if "cvr" not in self.heads or used.sum() < least:
            return self
        clicks = outcomes["clicks"].to_numpy(dtype=np.float64)[used]
        orders = outcomes["orders"].to_numpy(dtype=np.float64)[used]
        raw = replace(self, cvr_curve=None).predict(signals[used])["cvr"]
        return replace(self, cvr_curve=RateCurve.fit(raw.to_numpy(), orders, clicks))

    def _log_value(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log of forecast value per price; null where a head is missing."""
        goals = goals_of(signals).to_numpy()
        logs = {name: head.log(signals) for name, head in self.heads.items()}
        value = np.full(len(signals), np.nan)
        for goal, names in VALUE.items():
            if set(names) <= set(logs):
                rows = goals == goal
                value[rows] = np.sum([logs[name][rows] for name in names], axis=0)
        return value - log_price(signals)


def log_price(signals: pd.DataFrame) -> NDArray[np.float64]:
    """Return the log of each price in units of what is usual in its currency; unknown is usual."""
    return signals["price.relative"].fillna(0.0).to_numpy(dtype=np.float64)


def goals_of(signals: pd.DataFrame) -> pd.Series[str]:
    """Return the name of the goal of each pair's brief, null where it has none."""
    return signals["category.goal"].map(dict(enumerate(GOALS)))
