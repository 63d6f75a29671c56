"""How far forecasts of what collaborations bring held, on outcomes that no model saw.

Counts have atoms: of many KOLs the P10 of orders is 0, and so is what most of them bring. An
interval with its ends then holds more than 80% even of a perfect forecast, which says so itself:
more than 80% of its futures lie inside. Hence two fair tests of counts (Czado, Gneiting and Held,
Biometrics 2009): is as much inside as was *stated*, and does a *randomised* probability integral
transform, which spreads an outcome over its atom, lie in the middle 80% as often?
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from matcher.forecast import Forecaster
from matcher.heads import RATES, counted
from matcher.returns import futures
from training.calibration import poisson_deviance

STATED, PIT = "_stated", ("_pit_low", "_pit_high")
"""How columns end that tell what a forecast's futures say of its interval, and of what came."""
OF = ("views", "engagements", "orders", "gmv", "cpm", "roi")
"""Figures that have intervals."""


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


def future_masses(
    forecaster: Forecaster, signals: pd.DataFrame, forecasts: pd.DataFrame, *, draws: int, seed: int
) -> pd.DataFrame:
    """Tell how the futures of each match lie about its intervals, and about what came.

    Parameters
    ----------
    forecaster : Forecaster
        Fitted heads and how far they may be off.
    signals : DataFrame, shape (n, f)
        Signals of the matches.
    forecasts : DataFrame, shape (n, ...)
        brief_id, kol_id, price and currency; of each figure of `OF`, whichever there are, what
        came, ``<figure>_p10`` and ``<figure>_p90``; aligned.
    draws, seed : int
        As for `matcher.returns.returns`, which made the intervals.

    Returns
    -------
    DataFrame, aligned to `forecasts`
        For each figure ``<figure>_stated``, the share of futures within the interval, ends
        included; ``<figure>_pit_low`` and ``<figure>_pit_high``, the shares below what came, and
        below or at it. Null where something is unknown.
    """
    names = [name for name in OF if {f"{name}_p10", f"{name}_p90", name} <= {*forecasts}]
    ends = {
        name: forecasts[[f"{name}_p10", f"{name}_p90", name]].to_numpy(dtype=np.float64)
        for name in names
    }
    columns = [f"{name}{end}" for name in names for end in (STATED, *PIT)]
    rows = []
    for row, drawn in enumerate(futures(forecaster, signals, forecasts, draws=draws, seed=seed)):
        told: list[float] = []
        for name in names:
            low, high, came = ends[name][row]
            values = np.asarray(drawn[name], dtype=np.float64)
            if np.isnan(values).any() or np.isnan([low, high, came]).any():
                told += [np.nan] * 3
                continue
            inside = (low <= values) & (values <= high)
            told += [inside.mean(), (values < came).mean(), (values <= came).mean()]
        rows.append(told)
    return pd.DataFrame(rows, index=forecasts.index, columns=columns, dtype=np.float64)


def randomised_coverage(below: ArrayLike, upto: ArrayLike, *, share: float = 0.8) -> float:
    """Return how often a randomised probability integral transform lies in the middle.

    Parameters
    ----------
    below, upto : array-like of shape (rows,)
        Forecast chance of less than what came, and of no more than it: between them the transform
        is as likely anywhere (here in expectation, without drawing). NaN where unknown.
    share : float
        Width of the middle: what a perfect forecast of anything would return.

    Returns
    -------
    float
        0-1; NaN where nothing is known.
    """
    ends = np.column_stack([np.asarray(side, dtype=np.float64) for side in (below, upto)])
    low, high = ends[~np.isnan(ends).any(axis=1)].T
    if not len(low):
        return float("nan")
    tail = (1 - share) / 2
    within = np.minimum(high, 1 - tail) - np.maximum(low, tail)
    point = ((tail <= low) & (low <= 1 - tail)).astype(np.float64)
    spread = np.divide(within, high - low, out=point, where=high > low)
    return float(np.clip(spread, 0.0, 1.0).mean())


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
