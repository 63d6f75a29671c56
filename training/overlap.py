"""How much of a policy a log has seen, and when that is too little to judge it by.

A policy is judged by contacts it agrees with, each weighted by ``w = q C / p``: the policy's
chance over the logged one. Few contacts, or a few with huge weights, say little; whom the log
would never have contacted says nothing; and chances under which what was logged cannot have
happened say the wrong thing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """When a log may speak for a policy.

    Attributes
    ----------
    least_propensity : float
        A KOL contacted with less chance was as good as never contacted: not supported.
    least_supported : float
        Share of the policy's contacts that must be supported. The value is of those alone.
    least_ess : float
        Effective sample size: so many equally weighted contacts must say as much.
    least_clusters : int
        Clusters with contacts that the policy agrees with; of fewer nobody knows the spread.
    most_imbalance : float
        Standard errors by which the weights may miss their expectation before the logged chances
        are taken to be wrong.
    """

    least_propensity: float = 0.01
    least_supported: float = 0.95
    least_ess: float = 30.0
    least_clusters: int = 5
    most_imbalance: float = 4.0


@dataclass(frozen=True)
class Overlap:
    """How much of a policy the log has seen.

    Attributes
    ----------
    briefs, clusters : int
        Briefs and clusters with a contact of known reward that the policy agrees with.
    contacts : int
        Those contacts.
    ess : float
        Effective sample size, ``sum(w)^2 / sum(w^2)`` over them.
    supported : float
        Share of the policy's contacts that the log could have made.
    largest_weight : float
        Share of the weights that the largest one has.
    balance : float
        ``sum(w) / sum(q)``: 1 but for luck where the logged chances are true.
    imbalance : float
        By how many standard errors it misses that.
    """

    briefs: int
    clusters: int
    contacts: int
    ess: float
    supported: float
    largest_weight: float
    balance: float
    imbalance: float


def nothing_to_read(lists: pd.DataFrame, q: Floats, seen: NDArray[np.bool_]) -> tuple[str, ...]:
    """Say why not even the overlap can be measured; empty where it can."""
    if not len(lists):
        return ("there is no logged list to choose from",)
    if not q.sum() > 0:
        return ("the policy contacts nobody on the logged lists",)
    if not lists["propensity"].notna().any():
        return ("the log tells no propensity: by which chance each KOL was contacted",)
    if not (q[seen] > 0).any():
        return ("the log gave nobody whom the policy contacts a chance to be contacted",)
    return ()


def measure_overlap(
    lists: pd.DataFrame, q: Floats, seen: NDArray[np.bool_], cluster: str
) -> Overlap:
    """Measure what the log has seen of a policy.

    Parameters
    ----------
    lists : DataFrame
        LISTS.
    q, seen : ndarray, shape (n,)
        The policy's chances, and whether the log's are large enough to support them.
    cluster : str
        Column that names each row's cluster.
    """
    chance = np.where(seen, lists["propensity"], 1.0)
    contacted = lists["contacted"].to_numpy(dtype=bool)
    asked = np.where(seen, q, 0.0)
    weight = asked * contacted / chance
    spread = float(np.sqrt(np.sum(asked**2 * (1 - chance) / chance)))
    known = (weight > 0) & lists["reward"].notna().to_numpy()
    told = weight[known]
    missed = abs(float(weight.sum() - asked.sum()))
    return Overlap(
        briefs=int(lists["brief_id"][known].nunique()),
        clusters=int(lists[cluster][known].nunique()),
        contacts=int(known.sum()),
        ess=float(told.sum() ** 2 / np.sum(told**2)) if len(told) else 0.0,
        supported=float(asked.sum() / q.sum()),
        largest_weight=float(told.max() / told.sum()) if len(told) else 0.0,
        balance=float(weight.sum() / asked.sum()),
        imbalance=missed / spread if spread > 0 else (np.inf if missed > 0 else 0.0),
    )


def too_little(found: Overlap, limits: Limits) -> tuple[str, ...]:
    """Say what an estimate lacks; empty where it lacks nothing."""
    reasons = []
    if found.supported < limits.least_supported:
        reasons.append(
            f"only {found.supported:.0%} of the policy's contacts had a logged chance of at least "
            f"{limits.least_propensity:g}; {limits.least_supported:.0%} are needed"
        )
    if found.ess < limits.least_ess:
        reasons.append(
            f"the {found.contacts} contacts that the policy agrees with say as much as "
            f"{found.ess:.1f} of equal weight; {limits.least_ess:g} are needed"
        )
    if found.clusters < limits.least_clusters:
        reasons.append(
            f"these contacts come from {found.clusters} clusters; {limits.least_clusters} are "
            "needed to know their spread"
        )
    if found.imbalance > limits.most_imbalance:
        reasons.append(
            f"the logged propensities cannot be true: weighted by them, contacts come to "
            f"{found.balance:.2f} times the number expected ({found.imbalance:.1f} standard "
            "errors off)"
        )
    return tuple(reasons)
