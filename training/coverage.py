"""How far forecasts of what collaborations bring held, on outcomes that no model saw."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from matcher.heads import RATES, counted
from training.calibration import poisson_deviance


def coverage(low: ArrayLike, value: ArrayLike, high: ArrayLike) -> float:
    """Return the share of known values within their known intervals, ends included.

    Parameters
    ----------
    low, value, high : array-like of shape (rows,)
        Ends of each interval and what came; NaN where unknown. Intervals from P10 to P90 should
        hold 0.8.

    Returns
    -------
    float
        0-1; NaN where nothing is known.
    """
    ends = np.column_stack([np.asarray(side, dtype=np.float64) for side in (low, value, high)])
    known = ends[~np.isnan(ends).any(axis=1)]
    if not len(known):
        return float("nan")
    return float(((known[:, 0] <= known[:, 1]) & (known[:, 1] <= known[:, 2])).mean())


def pinball_loss(value: ArrayLike, quantile: ArrayLike, share: float) -> float:
    r"""Return the mean pinball loss of a forecast quantile; lower is better.

    .. math:: \frac{1}{n} \sum_i \max(\tau (y_i - q_i), (\tau - 1) (y_i - q_i))

    Parameters
    ----------
    value, quantile : array-like of shape (rows,)
        What came, and its forecast; rows where either is NaN are left out.
    share : float
        Which quantile it is, 0-1.

    Returns
    -------
    float
        In the unit of `value`; NaN where nothing is known.
    """
    over = np.asarray(value, dtype=np.float64) - np.asarray(quantile, dtype=np.float64)
    loss = np.maximum(share * over, (share - 1) * over)
    return float(np.nanmean(loss)) if not np.isnan(loss).all() else float("nan")


def forecast_metrics(forecasts: pd.DataFrame) -> dict[str, float]:
    """Return how far forecasts of rates held.

    How often intervals held is `training.reliability.interval_coverage`.

    Parameters
    ----------
    forecasts : DataFrame
        Counts of each outcome (`training.labels.COUNTS`) beside the forecast rates.

    Returns
    -------
    dict
        For each rate ``<rate>_deviance`` and that of forecasting the same rate for all. What has
        no outcome or no forecast is left out.
    """
    values = {}
    for name, spec in RATES.items():
        if name not in forecasts:
            continue
        count, exposure = counted(spec, forecasts)
        rate = forecasts[name].to_numpy(dtype=np.float64)
        told = np.isfinite(count) & (exposure > 0) & np.isfinite(rate)
        if told.any():
            count, exposure, rate = count[told], exposure[told], rate[told]
            same = np.full(len(rate), count.sum() / exposure.sum())
            values[f"{name}_deviance"] = poisson_deviance(rate, count, exposure)
            values[f"{name}_deviance_of_base_rate"] = poisson_deviance(same, count, exposure)
    return {name: value for name, value in values.items() if not np.isnan(value)}
