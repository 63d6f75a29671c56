"""How far outcomes of one brief or brand succeed and fail together, and draws that do the same.

Whoever works for a brief that disappoints disappoints with it: the product, the season, the offer
are the same for all. So a hundred outcomes of ten briefs say less than a hundred of a hundred
briefs, and luck alone parts forecasts and outcomes further than independent draws would
(the design effect of cluster samples; Kish, 1965).

Yes-or-no outcomes are drawn from a Gaussian copula: behind each lies a normal, of which clusters
share a part, and those below the quantile of their chance come true. Every chance stays what it is
and one number tells how strongly outcomes hang together. It is estimated by moments, as in
estimating equations with exchangeable correlation (Liang and Zeger, Biometrika 1986).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST = 0.9
"""No latent correlation above this is believed."""
TERMS = 40
"""Terms of the series of a bivariate normal probability; what follows is below ``MOST ** 40``."""
_END = 1e-9


def shared_luck(p: ArrayLike, y: ArrayLike, cluster: ArrayLike) -> float:
    r"""Estimate the correlation of the normals behind outcomes of one cluster.

    .. math:: \sum_c \sum_{i \ne j \in c} \Phi_2(\Phi^{-1}(p_i), \Phi^{-1}(p_j); r) - p_i p_j
              = \sum_c \sum_{i \ne j \in c} e_i e_j

    is solved for `r`, where `e` are what is left of ``y - p`` after a line in `p` through them:
    chances that are wrong altogether, or too far apart, are not taken for shared luck. Of the
    products inside clusters those between clusters are taken off, which are what the line leaves.

    Parameters
    ----------
    p, y : array-like of shape (rows,)
        Forecast probability, 0-1, and 0 or 1.
    cluster : array-like of shape (rows,)
        Brief or brand of each row.

    Returns
    -------
    float
        From 0 to `MOST`; 0 where no cluster holds two rows or there is but one cluster.
    """
    chance, came = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64)
    codes = np.unique(np.asarray(cluster), return_inverse=True)[1]
    size = np.bincount(codes) if len(codes) else np.zeros(1)
    inside = float((size**2).sum() - len(codes))
    between = float(len(codes)) ** 2 - inside - len(codes)
    if inside == 0 or between == 0:
        return 0.0
    line = np.column_stack([np.ones_like(chance), chance])
    left = came - chance
    left = left - line @ np.linalg.lstsq(line, left, rcond=None)[0]
    # What is left sums to 0, so the products of all twos sum to minus the squares.
    together = _twos(left, codes)
    rest = -(float(left @ left) + together)
    target = together - rest * inside / between
    powers = _series(chance, codes)

    def excess(r: float) -> float:
        return float(powers @ r ** np.arange(1, TERMS + 1)) - target

    if target <= 0:
        return 0.0
    if excess(MOST) <= 0:
        return MOST
    from scipy.optimize import brentq

    return float(brentq(excess, 0.0, MOST))


def draw_together(
    at: Floats, cluster: Ints, correlation: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw outcomes that hang together inside clusters.

    Parameters
    ----------
    at : ndarray, shape (n,)
        Standard normal quantiles of the chances: ``scipy.special.ndtri(p)``.
    cluster : ndarray of int, shape (n,)
        Codes from 0.
    correlation : float
        Of the normals behind outcomes of one cluster, 0-1.
    rng : Generator
        Source of luck.
    """
    shared = rng.standard_normal(int(cluster.max(initial=0)) + 1)[cluster]
    own = rng.standard_normal(len(at))
    behind = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return np.asarray(behind < at, dtype=bool)


def _twos(values: Floats, codes: Ints) -> float:
    """Return the sum of the products of all ordered twos inside clusters."""
    return float((np.bincount(codes, weights=values) ** 2).sum() - values @ values)


def _series(p: Floats, codes: Ints) -> Floats:
    r"""Return what each power of the correlation adds to the covariance inside clusters.

    .. math:: \Phi_2(a, b; r) - \Phi(a) \Phi(b)
              = \sum_{k \ge 1} \frac{r^k}{k!} \phi(a) He_{k-1}(a) \phi(b) He_{k-1}(b)

    (the tetrachoric series), so that the sum over twos is one over rows.
    """
    at = ndtri(np.clip(p, _END, 1 - _END))
    before, hermite = np.zeros_like(at), np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
    found = []
    for k in range(1, TERMS + 1):
        found.append(_twos(hermite / np.sqrt(k), codes))
        # Hermite polynomials over the root of their factorial, which alone would overflow.
        before, hermite = hermite, (at * hermite - np.sqrt(k - 1) * before) / np.sqrt(k)
    return np.array(found)
