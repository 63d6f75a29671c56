"""How honest forecast probabilities and rates are.

A row is one forecast and what came of it: yes or no, or a rate (orders over clicks) whose exposure
(clicks) is its weight. All forecasts of rates are compared as counts with exposure, so that one
order from ten clicks weighs less than a hundred from a thousand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, xlogy

from training.shared_luck import draw_together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def _weights(p: Floats, y: Floats, weight: ArrayLike | None) -> Floats:
    """Check probabilities and rates, and return the weights, by default 1 each."""
    for name, values in (("p", p), ("y", y)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"Got {name} outside 0-1 or NaN but expected a share in every row")
    w = np.ones(len(p)) if weight is None else np.asarray(weight, dtype=np.float64)
    if not (len(p) == len(y) == len(w)):
        raise ValueError(f"Got {len(p)} p, {len(y)} y and {len(w)} weights but expected as many")
    if not ((w >= 0) & (w < np.inf)).all():
        raise ValueError("Got a weight that is negative, infinite or NaN but expected 0 or more")
    return w


def brier_score(p: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
    r"""Return the weighted mean squared error of probabilities.

    .. math:: \frac{\sum_i w_i (p_i - y_i)^2}{\sum_i w_i}

    Parameters
    ----------
    p, y : array-like of shape (rows,)
        Forecast probability, and 0 or 1 (or an observed rate, with its exposure as weight), 0-1.
    weight : array-like of shape (rows,), optional
        0 or more; by default 1 each. NaN is returned where the weights sum to 0.

    Raises
    ------
    ValueError
        If `p` or `y` is outside 0-1 or NaN, a weight is negative or lengths differ.
    """
    p, y = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64)
    w = _weights(p, y, weight)
    return float(w @ (p - y) ** 2 / w.sum()) if w.sum() > 0 else float("nan")


def equal_mass_bins(p: Floats, w: Floats, bins: int) -> Ints:
    """Put rows into `bins` of about equal weight by rising `p`.

    Equal forecasts share a bin (that of the middle of their mass), so row order does not matter.
    """
    if bins < 1:
        raise ValueError(f"Got bins={bins} but expected 1 or more")
    _, value = np.unique(p, return_inverse=True)
    mass = np.bincount(value, weights=w)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    bin_of: Ints = np.minimum((middle * bins).astype(np.int64), bins - 1)
    return bin_of[value]


def calibration_error(
    p: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None, bins: int = 10
) -> float:
    r"""Return the expected calibration error over bins of equal mass.

    .. math:: ECE = \sum_b \frac{W_b}{W} |\bar{y}_b - \bar{p}_b|
              = \frac{1}{W} \sum_b \Big| \sum_{i \in b} w_i (y_i - p_i) \Big|

    Equal-mass bins are less biased than equal-width ones (Roelofs et al., AISTATS 2022), but
    even a perfect model has an error above 0: compare with `noise_floor`.

    Parameters
    ----------
    p, y : array-like of shape (rows,)
        Forecast probability, and 0 or 1 (or an observed rate, with its exposure as weight), 0-1.
    weight : array-like of shape (rows,), optional
        0 or more; by default 1 each. NaN is returned where the weights sum to 0.
    bins : int
        Bins; equal forecasts are never parted, so fewer may be in use.

    Raises
    ------
    ValueError
        If `p` or `y` is outside 0-1 or NaN, a weight is negative, lengths differ or `bins` < 1.
    """
    p, y = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64)
    w = _weights(p, y, weight)
    if w.sum() == 0:
        return float("nan")
    gaps = np.bincount(equal_mass_bins(p, w, bins), weights=w * (y - p))
    return float(np.abs(gaps).sum() / w.sum())


def noise_floor(
    p: ArrayLike,
    trials: ArrayLike = 1,
    draws: int = 500,
    seed: int = 0,
    *,
    bins: int = 10,
    quantile: float = 0.95,
    cluster: ArrayLike | None = None,
    correlation: float = 0.0,
) -> float:
    """Return the calibration error that chance alone gives a perfectly calibrated model.

    Outcomes are drawn from the forecasts themselves, ``Binomial(trials, p)``, and the
    `quantile` of their `calibration_error` is the floor (the consistency resampling of Bröcker
    and Smith, 2007): an error below it is no evidence against the model.

    Parameters
    ----------
    p : array-like of shape (rows,)
        Forecast probability, 0-1.
    trials : int or array-like of shape (rows,)
        Exposure of each row (clicks behind a conversion rate); 1 for yes-or-no outcomes. It is
        also the row's weight.
    draws, seed : int
        Simulated test sets, and the seed of their draws.
    bins, quantile : int, float
        Bins of the error, and its quantile that is returned.
    cluster : array-like of shape (rows,), optional
        Brief or brand of each yes-or-no outcome, by default each of its own: outcomes of one are
        drawn together, which raises the floor.
    correlation : float
        How strongly, 0-1 (`training.shared_luck.shared_luck` estimates it); 0 is independent.

    Raises
    ------
    ValueError
        If `p` is outside 0-1 or NaN, trials are negative or no whole numbers, the correlation is
        no share, or rows of a cluster have other trials than 1.
    """
    p = np.asarray(p, dtype=np.float64)
    w = _weights(p, p, np.broadcast_to(np.asarray(trials, dtype=np.float64), p.shape))
    if (w != np.floor(w)).any():
        raise ValueError("Got trials that are no whole numbers but expected counts")
    if not 0 <= correlation <= 1:
        raise ValueError(f"Got correlation={correlation} but expected 0-1")
    if w.sum() == 0:
        return float("nan")
    rng = np.random.default_rng(seed)
    rows_of = equal_mass_bins(p, w, bins)
    counts = w.astype(np.int64)
    together = None
    if cluster is not None and correlation > 0:
        if (w != 1).any():
            raise ValueError("Got clusters of rates but expected yes-or-no outcomes: trials of 1")
        together = np.unique(np.asarray(cluster), return_inverse=True)[1]
    errors, at = np.empty(draws), ndtri(p)
    for draw in range(draws):  # one draw at a time: draws x rows would not fit in memory
        came = (
            rng.binomial(counts, p)
            if together is None
            else draw_together(at, together, correlation, rng)
        )
        gaps = np.bincount(rows_of, weights=came - w * p)
        errors[draw] = np.abs(gaps).sum() / w.sum()
    return float(np.quantile(errors, quantile))


def poisson_deviance(rate: ArrayLike, count: ArrayLike, exposure: ArrayLike) -> float:
    r"""Return the Poisson deviance of forecast rates, per unit of exposure.

    .. math:: D = \frac{2}{\sum_i e_i} \sum_i \Big( y_i \ln\frac{y_i}{e_i r_i} - y_i + e_i r_i \Big)

    Lower is better, 0 is exact. It equals the mean deviance of the observed rates
    ``count / exposure`` weighted by exposure, so rows count by what they saw.

    Parameters
    ----------
    rate : array-like of shape (rows,)
        Forecast events per unit of exposure, 0 or more. A rate of 0 where something was counted
        makes the deviance infinite.
    count, exposure : array-like of shape (rows,)
        Events (orders) and what they could come from (clicks), 0 or more. Rows without exposure
        say nothing; NaN is returned if there is none at all.

    Raises
    ------
    ValueError
        If a value is negative, infinite or NaN, or something was counted without exposure.
    """
    r, y, e = (np.asarray(values, dtype=np.float64) for values in (rate, count, exposure))
    for name, values in (("rate", r), ("count", y), ("exposure", e)):
        if not ((values >= 0) & (values < np.inf)).all():
            raise ValueError(f"Got a {name} that is negative, infinite or NaN")
    if (y[e == 0] > 0).any():
        raise ValueError("Got a count above 0 where exposure is 0 but expected none there")
    if e.sum() == 0:
        return float("nan")
    mean = e * r
    with np.errstate(divide="ignore"):
        ratio = np.divide(y, mean, out=np.ones_like(mean), where=(mean > 0) | (y > 0))
    return float(2 * (xlogy(y, ratio) - y + mean).sum() / e.sum())
