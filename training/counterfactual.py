"""What another choice from the logged lists would have brought, or why nobody can know.

A *policy* gives each KOL on a brief's list a chance to be contacted, 0-1: 1 for the best few by a
new score (`training.policies`), or any chances. Its value is what an average contact of it brings.
It is read from a log in which every KOL ``i`` of a list was contacted (``C``) by a known chance
``p``, each on its own. With reward ``r``, the policy's chance ``q`` and a forecast ``f`` of the
reward:

* naive: mean of ``r`` over contacts that the policy agrees with. Biased, for the agency contacted
  those of whom it thought well.
* direct: ``sum(q f) / sum(q)``, as good as the forecast.
* IPS: ``sum(w r) / sum(q)`` with weights ``w = q C / p`` (Horvitz and Thompson, 1952).
* SNIPS: ``sum(w r) / sum(w)``, slightly biased but far steadier (Swaminathan and Joachims,
  NeurIPS 2015).
* doubly robust: ``sum(q f + w (r - f)) / sum(q)``, right if either the chances or the forecast
  are (Dudik, Langford and Li, ICML 2011); weighted, ``sum(q f) / sum(q) + sum(w (r - f)) /
  sum(w)``, is to it what SNIPS is to IPS (Thomas and Brunskill, ICML 2016).

That a contact's reward does not depend on who else was contacted is assumed. Where the log cannot
tell, the answer is `NotIdentifiable`, with reasons, and no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matcher.forecast import RateCurve
from training.logged import GROUP
from training.overlap import Limits, Overlap, measure_overlap, nothing_to_read, too_little
from training.significance import tail_share

Floats = NDArray[np.float64]

ESTIMATORS = (
    *("naive", "direct", "ips", "snips", "dr", "weighted_dr", "log"),
    *("snips_lift", "dr_lift", "weighted_dr_lift"),
)
"""Names of estimates; ``log`` is the agency's own policy, and a lift the value over that."""


@dataclass(frozen=True)
class Estimate:
    """A value and its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PolicyValue:
    """What an average contact of a policy brings.

    Attributes
    ----------
    estimates : mapping of str to Estimate
        By name, of `ESTIMATORS`; those that need a forecast only where one was given.
    unit : str
        Unit of all but the lifts.
    overlap : Overlap
        What that rests on.
    """

    estimates: Mapping[str, Estimate]
    unit: str
    overlap: Overlap


@dataclass(frozen=True)
class NotIdentifiable:
    """That the log cannot tell a policy's value, and why.

    Attributes
    ----------
    reasons : tuple of str
        In words.
    overlap : Overlap or None
        What little there is; ``None`` where no chance was logged.
    """

    reasons: tuple[str, ...]
    overlap: Overlap | None = None


Verdict = PolicyValue | NotIdentifiable


def forecast_rewards(
    lists: pd.DataFrame, promised: pd.Series[Any], *, cluster: str = "brand_id", folds: int = 5
) -> pd.Series[float]:
    """Turn what a model promises of each contact into a forecast of its reward.

    Learns ``log(reward) = intercept + slope * promised`` from contacts, refusals included, by
    Poisson likelihood (`matcher.forecast.RateCurve`). Each cluster is forecast by what others
    taught, so that no forecast has seen its own reward.

    Parameters
    ----------
    lists : DataFrame
        LISTS, rewards in one unit.
    promised : Series, aligned to `lists`
        Log of value, up to a constant; null counts as 0.
    cluster : str
        Column by which rows are dealt into folds.
    folds : int
        Folds; fewer where there are fewer clusters.

    Returns
    -------
    Series, aligned to `lists`
        The mean reward for all where contacts brought nothing or come from one cluster.
    """
    from sklearn.model_selection import GroupKFold

    value = np.exp(promised.fillna(0.0).to_numpy(dtype=np.float64))
    reward = lists["reward"].to_numpy(dtype=np.float64)
    known = lists["contacted"].to_numpy(dtype=bool) & ~np.isnan(reward)
    told = np.full(len(lists), reward[known].mean() if known.any() else 0.0)
    folds = min(folds, lists[cluster].nunique())
    parts = GroupKFold(folds).split(value, groups=lists[cluster]) if folds > 1 else ()
    for others, held in parts:
        rows = others[known[others]]
        if reward[rows].sum() > 0:
            curve = RateCurve.fit(value[rows], reward[rows], np.ones(len(rows)))
            told[held] = np.exp(curve.intercept) * value[held] ** curve.slope
    return pd.Series(told, index=lists.index)


def policy_value(
    lists: pd.DataFrame,
    policy: pd.Series[Any],
    forecast: pd.Series[Any] | None = None,
    *,
    clip: float | None = None,
    limits: Limits | None = None,
    cluster: str = "brand_id",
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Verdict:
    """Estimate what an average contact of a policy would have brought.

    Parameters
    ----------
    lists : DataFrame
        LISTS, rewards in one unit.
    policy : Series, aligned to `lists`
        Chance 0-1 that the policy contacts each KOL. It must not depend on who was contacted.
    forecast : Series, aligned to `lists`, optional
        Reward that a contact is forecast to bring, refusals included, in the unit of rewards. It
        must not have learned from these rewards. Null counts as the forecasts' mean.
    clip : float, optional
        Largest ``1 / p``, at least 1: less spread for some bias towards the log.
    limits : Limits, optional
        When the log may speak.
    cluster : str
        Column whose values are drawn anew with all their rows for intervals; briefs of one brand
        are alike.
    draws, level, seed
        Bootstrap samples, confidence between 0 and 1, seed.

    Raises
    ------
    ValueError
        If rewards have several units, or `policy`, `clip` or the alignment is off.
    """
    limits = limits or Limits()
    q = _checked(lists, policy, forecast, clip)
    chance = lists["propensity"].to_numpy(dtype=np.float64)
    seen = chance >= limits.least_propensity
    reasons = nothing_to_read(lists, q, seen)
    if reasons:
        return NotIdentifiable(reasons)
    overlap = measure_overlap(lists, q, seen, cluster)
    reasons = too_little(overlap, limits)
    if reasons:
        return NotIdentifiable(reasons, overlap)
    sums = _sums(lists, np.where(seen, q, 0.0), seen, forecast, clip, cluster)
    return PolicyValue(
        _intervals(sums, forecast is not None, draws, level, seed),
        str(lists["unit"].iloc[0]),
        overlap,
    )


def values_by_group(
    lists: pd.DataFrame, policy: pd.Series[Any], forecast: pd.Series[Any] | None = None, **how: Any
) -> dict[tuple[str, str], Verdict]:
    """Estimate a policy for each goal and currency on its own, as `policy_value` does.

    Returns
    -------
    dict of (goal, currency) to PolicyValue or NotIdentifiable
    """
    return {
        (str(goal), str(currency)): policy_value(
            rows, policy[rows.index], None if forecast is None else forecast[rows.index], **how
        )
        for (goal, currency), rows in lists.groupby(GROUP)
    }


def _checked(
    lists: pd.DataFrame,
    policy: pd.Series[Any],
    forecast: pd.Series[Any] | None,
    clip: float | None,
) -> Floats:
    units = lists["unit"].unique().tolist()
    if len(units) > 1:
        raise ValueError(f"Got rewards in {units} but expected one unit; see training.logged")
    for name, series in (("policy", policy), ("forecast", forecast)):
        if series is not None and not series.index.equals(lists.index):
            raise ValueError(f"Got a {name} with another index than the lists'")
    if clip is not None and not clip >= 1:
        raise ValueError(f"Got clip={clip} but expected at least 1")
    q = policy.to_numpy(dtype=np.float64)
    if not ((q >= 0) & (q <= 1)).all():
        raise ValueError("Got a policy with chances outside 0-1")
    return q


def _sums(
    lists: pd.DataFrame,
    q: Floats,
    seen: NDArray[np.bool_],
    forecast: pd.Series[Any] | None,
    clip: float | None,
    cluster: str,
) -> dict[str, Floats]:
    """Add up by cluster all that estimates are made of; each of shape ``(clusters,)``."""
    chance = np.where(seen, lists["propensity"], 1.0)
    stands_for = lists["stands_for"].to_numpy(dtype=np.float64)
    reward = lists["reward"].fillna(0.0).to_numpy(dtype=np.float64)
    told = np.zeros(len(lists))
    if forecast is not None:
        told = forecast.fillna(forecast.mean()).to_numpy(dtype=np.float64)
    weight = q * stands_for * np.minimum(1 / chance, clip or np.inf)
    agreed = q * stands_for
    parts = {
        "q": q,
        "qf": q * told,
        "w": weight,
        "wr": weight * reward,
        "wf": weight * told,
        "agreed": agreed,
        "agreed_r": agreed * reward,
        "own": stands_for,
        "own_r": stands_for * reward,
    }
    codes = pd.factorize(lists[cluster], sort=True)[0]
    return {name: np.bincount(codes, part).astype(np.float64) for name, part in parts.items()}


def _estimates(sums: Mapping[str, Floats], forecast: bool) -> dict[str, Floats]:
    """Return each estimate from sums of any shape; NaN where a draw holds nothing to tell it."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = {
            "naive": sums["agreed_r"] / sums["agreed"],
            "ips": sums["wr"] / sums["q"],
            "snips": sums["wr"] / sums["w"],
            "log": sums["own_r"] / sums["own"],
        }
        if forecast:
            found["direct"] = sums["qf"] / sums["q"]
            found["dr"] = (sums["qf"] + sums["wr"] - sums["wf"]) / sums["q"]
            found["weighted_dr"] = found["direct"] + (sums["wr"] - sums["wf"]) / sums["w"]
        for name in ("snips", "dr", "weighted_dr"):
            if name in found:
                found[f"{name}_lift"] = found[name] / found["log"]
    return {name: np.where(np.isfinite(value), value, np.nan) for name, value in found.items()}


def _intervals(
    sums: dict[str, Floats], forecast: bool, draws: int, level: float, seed: int
) -> dict[str, Estimate]:
    """Draw clusters with replacement; limits are expanded percentiles, as in significance."""
    point = _estimates({name: part.sum() for name, part in sums.items()}, forecast)
    count = len(sums["q"])
    if count < 2:
        return {n: Estimate(float(v), np.nan, np.nan) for n, v in point.items()}
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    drawn = _estimates({name: times @ part for name, part in sums.items()}, forecast)
    tail = tail_share(count, level)
    found = {}
    for name in ESTIMATORS:
        if name in point:
            low, high = np.nanquantile(drawn[name], [tail, 1 - tail])
            found[name] = Estimate(float(point[name]), float(low), float(high))
    return found
