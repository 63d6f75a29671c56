"""Is one model better than another, or was it luck: paired tests over briefs, clustered by brand.

The tests take one metric of two models per brief, or their difference. The briefs of one brand are
alike, so what counts as drawn is the brand with all its briefs; treating them as independent would
make luck look like proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit

Floats = NDArray[np.float64]

_BLOCK = 4_000_000
"""Numbers drawn at a time (32 MB), whatever the number of clusters."""


@dataclass(frozen=True)
class Interval:
    """How much model A differs from model B, and how sure that is.

    Attributes
    ----------
    mean : float
        Mean over briefs of A minus B; NaN without briefs.
    low, high : float
        Confidence limits of the mean; NaN with fewer than 2 clusters, whose spread nobody knows.
    n, clusters : int
        Briefs compared, and brands they belong to.
    dropped : int
        Briefs left out because A or B is NaN.
    """

    mean: float
    low: float
    high: float
    n: int
    clusters: int
    dropped: int


@dataclass(frozen=True)
class _Clustered:
    """Differences added up by cluster: sums and briefs, each of shape ``(clusters,)``."""

    sums: Floats
    sizes: Floats
    dropped: int

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum()) if len(self.sums) else float("nan")

    @property
    def error(self) -> float:
        """Standard error of the mean, a ratio of sums over clusters (Cochran, 1977, 6.4)."""
        count = len(self.sums)
        off = self.sums - self.mean * self.sizes
        return float(np.sqrt(count / (count - 1) * (off @ off)) / self.sizes.sum())


def _cluster(a: pd.Series[Any], b: pd.Series[Any], clusters: pd.Series[Any]) -> _Clustered:
    """Pair the briefs, drop NaN pairs and add up their differences by cluster."""
    for name, series in (("a", a), ("b", b), ("clusters", clusters)):
        if not series.index.is_unique:
            raise ValueError(f"Got a brief twice in {name} but expected one row a brief")
    if set(a.index) != set(b.index):
        raise ValueError(
            f"Got {len(a.index.difference(b.index))} briefs only in a and "
            f"{len(b.index.difference(a.index))} only in b but expected the same briefs in both"
        )
    return _added_up(a - b.reindex(a.index), clusters)


def _added_up(difference: pd.Series[Any], clusters: pd.Series[Any]) -> _Clustered:
    """Drop NaN and add up differences by cluster."""
    for name, series in (("difference", difference), ("clusters", clusters)):
        if not series.index.is_unique:
            raise ValueError(f"Got a brief twice in {name} but expected one row a brief")
    # Sums must not depend on the order the briefs came in.
    told = difference.dropna().sort_index().astype(np.float64)
    cluster = clusters.reindex(told.index)
    if cluster.isna().any():
        raise ValueError(f"Got no cluster for brief {cluster[cluster.isna()].index[0]!r}")
    codes, names = pd.factorize(cluster, sort=True)
    sums = np.bincount(codes, weights=told.to_numpy(), minlength=len(names))
    sizes = np.bincount(codes, minlength=len(names)).astype(np.float64)
    return _Clustered(sums.astype(np.float64), sizes, len(difference) - len(told))


def _blocks(draws: int, clusters: int) -> Iterator[int]:
    """Yield how many draws to make at a time."""
    if draws < 1:
        raise ValueError(f"Got draws={draws} but expected 1 or more")
    size = max(1, _BLOCK // max(1, clusters))
    for start in range(0, draws, size):
        yield min(size, draws - start)


def tail_share(clusters: int, level: float) -> float:
    """Return which share of bootstrap draws lies beyond each limit of an interval.

    The *expanded* percentiles (Hesterberg, The American Statistician 2015), at
    ``Phi(-sqrt(n / (n - 1)) t[(1 + level) / 2; n - 1])`` for n clusters, at least 2: plain
    percentiles are too narrow when there are few.
    """
    widened = np.sqrt(clusters / (clusters - 1))
    return float(ndtr(widened * stdtrit(clusters - 1, (1 - level) / 2)))


def paired_bootstrap(
    a: pd.Series[Any],
    b: pd.Series[Any],
    clusters: pd.Series[Any],
    draws: int = 2000,
    seed: int = 0,
    *,
    level: float = 0.95,
) -> Interval:
    """Return a confidence interval of the mean difference A minus B.

    Clusters are drawn with replacement. The limits are the expanded percentiles of the drawn
    means (`tail_share`).

    Parameters
    ----------
    a, b : pandas.Series
        The metric by brief_id, the same briefs in both, in any order. Pairs with a NaN are
        dropped and counted.
    clusters : pandas.Series
        Cluster (brand_id) by brief_id; may hold more briefs.
    draws, seed : int
        Bootstrap samples, and the seed of their draws.
    level : float
        Confidence, between 0 and 1.

    Raises
    ------
    ValueError
        If a brief is twice or only on one side, has no cluster, or `draws` or `level` is out of
        range.

    Examples
    --------
    >>> briefs = ["b1", "b2", "b3", "b4"]
    >>> better = pd.Series([0.7, 0.8, 0.6, None], index=briefs)
    >>> worse = pd.Series([0.5, 0.7, 0.5, 0.9], index=briefs)
    >>> brands = pd.Series(["x", "x", "y", "z"], index=briefs)
    >>> found = paired_bootstrap(better, worse, brands)
    >>> round(found.mean, 3), found.n, found.clusters, found.dropped
    (0.133, 3, 2, 1)
    """
    if not 0 < level < 1:
        raise ValueError(f"Got level={level} but expected a share between 0 and 1")
    paired = _cluster(a, b, clusters)
    count = len(paired.sums)
    low = high = float("nan")
    rng = np.random.default_rng(seed)
    means = np.empty(0)
    for size in _blocks(draws, count) if count > 1 else ():
        times = rng.multinomial(count, np.full(count, 1 / count), size=size)
        means = np.append(means, (times @ paired.sums) / (times @ paired.sizes))
    if count > 1:
        tail = tail_share(count, level)
        low, high = (float(limit) for limit in np.quantile(means, [tail, 1 - tail]))
    return Interval(paired.mean, low, high, int(paired.sizes.sum()), count, paired.dropped)


def paired_permutation(
    a: pd.Series[Any],
    b: pd.Series[Any],
    clusters: pd.Series[Any],
    draws: int = 2000,
    seed: int = 0,
) -> float:
    """Return the two-sided p-value of "A and B are exchangeable within each brand".

    Which model is called A is swapped at random for whole clusters at once, and p is the share
    of draws whose mean difference is at least as far from 0 as the observed one, which counts as
    a draw itself: ``(1 + reached) / (1 + draws)`` (Phipson and Smyth, 2010), never 0.

    Parameters
    ----------
    a, b, clusters, draws, seed
        As in `paired_bootstrap`. Pairs with a NaN are dropped.

    Returns
    -------
    float
        Between ``1 / (1 + draws)`` and 1; 1 if there is nothing to compare.

    Raises
    ------
    ValueError
        As `paired_bootstrap` does.
    """
    paired = _cluster(a, b, clusters)
    count = len(paired.sums)
    # Means need no divisor here: the number of briefs is the same in every draw. The slack keeps
    # a draw that swaps nothing from falling short of itself by rounding.
    observed = abs(paired.sums.sum()) - 1e-12 * np.abs(paired.sums).sum()
    rng = np.random.default_rng(seed)
    reached = 0
    for size in _blocks(draws, count):
        signs = rng.integers(0, 2, size=(size, count), dtype=np.int8) * 2 - 1
        reached += int((np.abs(signs @ paired.sums) >= observed).sum())
    return (1 + reached) / (1 + draws)


def minimum_detectable_effect(
    difference: pd.Series[Any],
    clusters: pd.Series[Any],
    *,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float:
    r"""Return the smallest true mean difference that briefs such as these would mostly show.

    That is the difference for which the lower limit of the two-sided interval at `confidence`
    lies above 0 with probability `power` (Bloom, Evaluation Review 1995):

    .. math:: MDE = (t_{(1 + confidence) / 2; k - 1} + t_{power; k - 1}) \cdot SE

    for k clusters, SE being the standard error of the mean with clusters as the units drawn. It
    shrinks with the square root of the number of clusters.

    Parameters
    ----------
    difference : pandas.Series
        Metric of one model minus that of the other, by brief_id; NaN is left out.
    clusters : pandas.Series
        Cluster (brand_id) by brief_id; may hold more briefs.
    power, confidence : float
        Between 0 and 1.

    Returns
    -------
    float
        In units of the metric, 0 or more; infinite with fewer than 2 clusters.

    Raises
    ------
    ValueError
        If a brief is twice or has no cluster, or `power` or `confidence` is out of range.

    Examples
    --------
    >>> difference = pd.Series([0.1, -0.1, 0.2, 0.0], index=["b1", "b2", "b3", "b4"])
    >>> brands = pd.Series(["v", "x", "y", "z"], index=difference.index)
    >>> round(minimum_detectable_effect(difference, brands), 3)
    0.269
    """
    for name, share in (("power", power), ("confidence", confidence)):
        if not 0 < share < 1:
            raise ValueError(f"Got {name}={share} but expected a share between 0 and 1")
    added = _added_up(difference, clusters)
    free = len(added.sums) - 1
    if free < 1:
        return float("inf")
    return float((stdtrit(free, (1 + confidence) / 2) + stdtrit(free, power)) * added.error)


def chance_of_no_harm(
    difference: pd.Series[Any], clusters: pd.Series[Any], harm: float = 0.0
) -> float:
    """Return the one-sided p-value of "the mean difference is -`harm` or more".

    Student's t of the mean, clusters being the units drawn: with few of them, as inside a slice,
    resampling them cannot give a small p however large the difference. A low p says "worse".

    Parameters
    ----------
    difference, clusters
        As in `minimum_detectable_effect`.
    harm : float
        How much worse would still be no matter, 0 or more, in units of the metric.

    Returns
    -------
    float
        From 0 to 1; 1 with fewer than 2 clusters, which prove nothing.

    Raises
    ------
    ValueError
        If a brief is twice or has no cluster.
    """
    added = _added_up(difference, clusters)
    free, above = len(added.sums) - 1, added.mean + harm
    if free < 1:
        return 1.0
    if added.error == 0:
        return float(above >= 0)
    return float(stdtr(free, above / added.error))


def holm(p_values: pd.Series[Any]) -> pd.Series[float]:
    """Return p-values adjusted for being several, by Holm's step-down method (1979).

    Rejecting where the adjusted value is at most alpha keeps the chance of even one false
    rejection at alpha, however the tests depend on each other.

    Parameters
    ----------
    p_values : pandas.Series
        From 0 to 1; NaN was no test, stays NaN and does not count.

    Returns
    -------
    pandas.Series
        On the index of `p_values`, never below them, at most 1.

    Raises
    ------
    ValueError
        If a value is outside 0-1.

    Examples
    --------
    >>> holm(pd.Series({"nano": 0.01, "micro": 0.04, "mid": 0.03})).to_dict()
    {'nano': 0.03, 'micro': 0.06, 'mid': 0.06}
    """
    p = p_values.to_numpy(dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError("Got a p-value outside 0-1")
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return pd.Series(adjusted, index=p_values.index, name=p_values.name)
