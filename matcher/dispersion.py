"""Counts vary more than chance alone: by how much, and where a count lies in what was expected.

A count over an exposure is taken for gamma-Poisson: Poisson around its expectation times a gamma
of mean 1, whose shape is the smaller the more campaigns differ. It stands for beta-binomial, from
which it cannot be told while rates are small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SHAPE, MOST_SHAPE = 0.3, 1e4
USUAL_SHAPE, DOUBT = 8.0, 1.0
"""What is assumed of a shape before any count is seen: its median, and the deviation of its log."""
EDGE = 1e-4
"""Nearest to 0 and 1 that a place may be: one wild count must not decide what depends on what."""


def fit_shape(
    count: NDArray[np.float64], expected: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """Return the most likely gamma shape of counts around what was expected of each.

    The negative binomial likelihood with a wide lognormal prior, so that few counts say little.

    Parameters
    ----------
    count : ndarray, shape (n,)
        0 or more; parts of a count are allowed.
    expected : ndarray, shape (n,)
        Above 0, by a model that did not see the count.
    weight : ndarray, shape (n,)
        How many collaborations each row counts for.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    def loss(log_shape: float) -> float:
        shape = np.exp(log_shape)
        told = gammaln(count + shape) - gammaln(shape) + shape * np.log(shape / (shape + expected))
        told = told + count * np.log(expected / (shape + expected))
        prior = 0.5 * ((log_shape - np.log(USUAL_SHAPE)) / DOUBT) ** 2
        return float(prior - weight @ told)

    bounds = (np.log(LEAST_SHAPE), np.log(MOST_SHAPE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def normal_scores(
    count: NDArray[np.float64], expected: NDArray[np.float64], shape: float
) -> NDArray[np.float64]:
    """Return where counts lie in what was expected, as standard normals, shape (n,).

    The middle of the step that a count takes in its negative binomial distribution.
    """
    from scipy.special import ndtri
    from scipy.stats import nbinom

    whole, chance = np.round(count), shape / (shape + expected)
    below, within = nbinom.cdf(whole - 1, shape, chance), nbinom.cdf(whole, shape, chance)
    return np.asarray(ndtri(np.clip((below + within) / 2, EDGE, 1 - EDGE)), dtype=np.float64)


def gamma_factor(score: NDArray[np.float64], shape: float) -> NDArray[np.float64]:
    """Turn standard normals into gammas of mean 1 and that shape, keeping their order."""
    from scipy.special import gammaincinv, ndtr

    return np.asarray(gammaincinv(shape, ndtr(score)) / shape, dtype=np.float64)
