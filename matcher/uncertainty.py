"""How uncertain the forecasts of one collaboration are, each and together.

Views and rates go astray together: a KOL who does not suit a brief disappoints in all of them. So
what a collaboration brings is drawn from a Gaussian copula, whose correlations are those of past
forecasts' errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from matcher.config import IntervalConfig
from matcher.dispersion import fit_shape, normal_scores
from matcher.heads import RATES, Head, counted
from matcher.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOINT = ("views", "engagement_rate", "ctr", "cvr", "refund_rate")
"""What is drawn together, in this order."""
P90 = 1.2815515655446004
"""The standard normal's ninetieth percentile."""
PAST_WEIGHT = 40.0
"""Later collaborations that all past ones count for: forecasts of those were made by models that
had learned from fewer, and are further off than the model's own."""
LEAST_SHARED = 30
"""Fewer collaborations with both figures tell nothing of how they depend on each other."""


@dataclass(frozen=True)
class Backcast:
    """What collaborations brought, beside forecasts of models that did not see it.

    Attributes
    ----------
    signals, outcomes : DataFrame, shape (n, ...)
        Signals and counts; aligned.
    logs : mapping of str to ndarray, shape (n,)
        By head, the log of its forecast; NaN where there is none.
    """

    signals: pd.DataFrame
    outcomes: pd.DataFrame
    logs: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(
        cls, signals: pd.DataFrame, outcomes: pd.DataFrame, heads: Mapping[str, Head]
    ) -> Backcast:
        """Forecast with fitted heads, which must not have seen these outcomes."""
        return cls(signals, outcomes, {name: head.log(signals) for name, head in heads.items()})

    def of_rate(
        self, name: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return which rows tell of a rate, and all rows' forecast, counts and exposure."""
        count, exposure = counted(RATES[name], self.outcomes)
        rate = np.exp(self.logs[name]) if name in self.logs else np.full(len(count), np.nan)
        used = np.isfinite(count) & (exposure > 0) & np.isfinite(rate)
        return used, rate, count, exposure

    def log_views(self) -> NDArray[np.float64]:
        """Return the log of views + 1 less its forecast, NaN where either is unknown."""
        views = self.outcomes["views"].to_numpy(dtype=np.float64)
        forecast = self.logs.get("views", np.full(len(views), np.nan))
        return np.asarray(np.log1p(views) - forecast, dtype=np.float64)

    def where(self, keep: NDArray[np.bool_]) -> Backcast:
        """Keep some rows."""
        logs = {name: log[keep] for name, log in self.logs.items()}
        return Backcast(self.signals[keep], self.outcomes[keep], logs)

    def with_later(self, later: Backcast) -> Backcast:
        """Return these rows and later ones."""
        logs = {
            name: np.concatenate([self.logs[name], later.logs[name]])
            for name in self.logs
            if name in later.logs
        }
        return Backcast(
            pd.concat([self.signals, later.signals], ignore_index=True),
            pd.concat([self.outcomes, later.outcomes], ignore_index=True),
            logs,
        )


@dataclass(frozen=True)
class Uncertainty:
    """How far forecasts may be off.

    Attributes
    ----------
    views : Interval or None
        Quantiles of the log of views + 1; ``None`` where views are not forecast.
    shapes : mapping of str to float
        By rate, the shape of the gamma by which campaigns vary around its forecast.
    correlation : tuple of tuple of float
        Of the errors of `JOINT`.
    """

    views: Interval | None = None
    shapes: Mapping[str, float] = field(default_factory=dict)
    correlation: tuple[tuple[float, ...], ...] = tuple(
        tuple(float(i == j) for j in range(len(JOINT))) for i in range(len(JOINT))
    )

    @classmethod
    def fit(cls, past: Backcast, later: Backcast, config: IntervalConfig, seed: int) -> Uncertainty:
        """Measure errors.

        Parameters
        ----------
        past : Backcast
            Training rows, each forecast by a model that did not see it.
        later : Backcast
            Rows later than those, forecast by the model itself.
        config : IntervalConfig
            For the intervals of views.
        seed : int
            Seed of sampling.
        """
        both = past.with_later(later)
        views = _views(past, later, config, seed)
        is_past = np.arange(len(both.outcomes)) < len(past.outcomes)
        shapes = {}
        for name in JOINT[1:]:
            used, rate, count, exposure = both.of_rate(name)
            if used.any():
                old = min(1.0, PAST_WEIGHT / max(int((used & is_past).sum()), 1))
                weight = np.where(is_past, old, 1.0)
                shapes[name] = fit_shape(count[used], (exposure * rate)[used], weight[used])
        return cls(views, shapes, _correlation(_scores(both, views, shapes)))


def _views(past: Backcast, later: Backcast, config: IntervalConfig, seed: int) -> Interval | None:
    learned, told = past.log_views(), later.log_views()
    old, new = np.isfinite(learned), np.isfinite(told)
    if not old.any():
        # One brand alone: there is nobody else's model to have forecast the past.
        return Interval.fit(later.signals[new], told[new], config, seed) if new.any() else None
    shape = Interval.fit(past.signals[old], learned[old], config, seed)
    return shape.conformalised(later.signals[new], told[new])


def _scores(
    told: Backcast, views: Interval | None, shapes: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return where each outcome lay in what was expected, as normals, shape (n, JOINT)."""
    scores = np.full((len(told.outcomes), len(JOINT)), np.nan)
    if views is not None:
        residual = told.log_views()
        scores[:, 0] = to_normal(residual, views(told.signals, np.zeros(len(residual))))
    for column, name in enumerate(JOINT):
        if name in shapes:
            used, rate, count, exposure = told.of_rate(name)
            expected = (exposure * rate)[used]
            scores[used, column] = normal_scores(count[used], expected, shapes[name])
    return scores


def _correlation(scores: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return correlations, pulled towards none where few outcomes tell them."""
    size = scores.shape[1]
    found = np.eye(size)
    for i in range(size):
        for j in range(i):
            both = np.isfinite(scores[:, [i, j]]).all(axis=1)
            count = int(both.sum())
            if count >= LEAST_SHARED and scores[both][:, [i, j]].std(axis=0).min() > 0:
                r = np.corrcoef(scores[both, i], scores[both, j])[0, 1]
                found[i, j] = found[j, i] = r * count / (count + LEAST_SHARED)
    # Pairs that were told by different rows may contradict each other: the nearest that do not.
    values, vectors = np.linalg.eigh(found)
    found = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    scale = np.sqrt(np.diag(found))
    found = found / np.outer(scale, scale)
    return tuple(tuple(float(r) for r in row) for row in found)


def to_normal(log: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where logs lie between their quantiles, as standard normals, shape (n,).

    Parameters
    ----------
    log : ndarray, shape (n,)
        Logs.
    bounds : ndarray, shape (n, 3)
        Their P10, P50 and P90. Either side of the median is half a normal of its own width.
    """
    low, middle, high = bounds.T
    width = np.where(log < middle, middle - low, high - middle) / P90
    return np.asarray((log - middle) / np.maximum(width, 1e-9), dtype=np.float64)


def from_normal(score: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn standard normals into logs with these quantiles: `to_normal` the other way round.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Standard normals.
    bounds : ndarray, shape (3,)
        P10, P50 and P90 of the log.
    """
    low, middle, high = bounds
    width = np.where(score < 0, middle - low, high - middle) / P90
    return np.asarray(middle + score * width, dtype=np.float64)
