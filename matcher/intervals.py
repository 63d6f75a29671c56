"""How far a forecast may be off: P10, P50 and P90 around it, with coverage measured on later data.

Conformalised quantile regression (Romano et al., NeurIPS 2019) of the residuals of a log forecast.
Quantile forests learn, from forecasts that did not see the outcome, for whom they go astray by how
much. Each of their bounds is then moved, by what outcomes later than the fit say, until its share
of those lies beyond it. Where there is too little to learn a shape from, the bounds are as far
from everybody's forecast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.config import IntervalConfig
from matcher.forest import Forest

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTILES = (0.1, 0.5, 0.9)
"""What is told of every uncertain figure."""
MEDIAN_PRIOR = 50.0
"""Later outcomes that move the median half of the way: an interval must hold, a median be near."""


@dataclass(frozen=True)
class Interval:
    """Quantiles of a log around its forecast.

    Attributes
    ----------
    forests : tuple of Forest
        Departures of the three quantiles of the residual from `base`; empty where they are the
        same for all.
    base : tuple of float
        Quantiles of past residuals.
    shift : tuple of float
        What later outcomes add to each.
    """

    forests: tuple[Forest, ...]
    base: tuple[float, ...]
    shift: tuple[float, ...] = (0.0, 0.0, 0.0)

    def __call__(self, signals: pd.DataFrame, log: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the quantiles of the log, shape (n, 3), never falling along a row.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            Signals of the pairs.
        log : ndarray, shape (n,)
            Forecast of the log.
        """
        low, middle, high = (self._residuals(signals) + np.array(self.shift)).T
        bounds = np.column_stack([np.minimum(low, middle), middle, np.maximum(high, middle)])
        return np.asarray(log[:, None] + bounds, dtype=np.float64)

    def _residuals(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        told = np.tile(np.array(self.base), (len(signals), 1))
        for column, forest in enumerate(self.forests):
            told[:, column] += forest.predict(signals)
        return told

    @classmethod
    def fit(
        cls,
        signals: pd.DataFrame,
        residual: NDArray[np.float64],
        config: IntervalConfig,
        seed: int,
    ) -> Interval:
        """Learn the shape of residuals.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            Signals, at least one row.
        residual : ndarray, shape (n,)
            Log of what came less its forecast, by a model that did not see it.
        config : IntervalConfig
            Size of the forests, and the rows that they need.
        seed : int
            Seed of sampling.
        """
        base = tuple(float(q) for q in np.quantile(residual, QUANTILES))
        if len(residual) < config.least_rows:
            return cls((), base)
        params: dict[str, Any] = {
            "objective": "quantile",
            "num_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_data_in_leaf": config.min_rows_per_leaf,
            "feature_fraction": config.feature_share,
            "bagging_fraction": config.row_share,
            "bagging_freq": 1,
        }
        forests = tuple(
            Forest.fit(
                params | {"alpha": share},
                {
                    "data": signals.reset_index(drop=True),
                    "label": residual,
                    "init_score": np.full(len(residual), start),
                },
                None,
                trees=config.trees,
                patience=0,
                seed=seed,
            )
            for share, start in zip(QUANTILES, base, strict=True)
        )
        return cls(forests, base)

    def conformalised(self, signals: pd.DataFrame, residual: NDArray[np.float64]) -> Interval:
        """Return a copy whose bounds hold on later outcomes.

        The outer quantiles move by the conformal quantile of how far outcomes lie beyond each
        (the asymmetric rule of Romano et al., 2019), which guarantees coverage where later
        outcomes are like these. The median moves only as far as their number bears out.

        Parameters
        ----------
        signals, residual : DataFrame, ndarray
            As in `fit`, of decisions later than those that it and the forecast were fitted on.
        """
        count = len(residual)
        if count == 0:
            return self
        low, middle, high = (residual[:, None] - self._residuals(signals)).T
        tail = QUANTILES[0]
        moved = (
            -_conformal(-low, 1 - tail),
            float(np.median(middle)) * count / (count + MEDIAN_PRIOR),
            _conformal(high, 1 - tail),
        )
        return Interval(self.forests, self.base, moved)


def _conformal(scores: NDArray[np.float64], share: float) -> float:
    """Return the score that the next one stays within with at least that chance.

    The k-th smallest of n, ``k = ceil((n + 1) share)``; of too few the largest.
    """
    count = len(scores)
    place = min(math.ceil((count + 1) * share), count) - 1
    return float(np.sort(scores)[place])
