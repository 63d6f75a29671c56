"""Policies to judge by the log: whom of each list another choice would contact.

A policy is a chance 0-1 for each row of LISTS. Any chances will do; the one that a ranking stands
for is to contact the best few.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def expected_contacts(lists: pd.DataFrame) -> pd.Series[Any]:
    """Return how many KOLs the agency contacts of each list on average, rounded, at least 1.

    Not how many it did contact: a policy that depends on the dice of the log cannot be judged by
    them.

    Returns
    -------
    Series of float, indexed by brief_id
    """
    usual = lists["contacted"].mean()
    expected = lists["propensity"].fillna(usual).groupby(lists["brief_id"]).sum()
    return expected.round().clip(lower=1.0)


def top_choice(
    lists: pd.DataFrame, score: pd.Series[Any], count: pd.Series[Any] | None = None
) -> pd.Series[float]:
    """Return the policy that contacts the best of each list by a score.

    Parameters
    ----------
    lists : DataFrame
        LISTS (`training.logged.logged_lists`).
    score : Series, aligned to `lists`
        Higher is better; null is worst. Ties by kol_id.
    count : Series, indexed by brief_id, optional
        How many of each list; by default `expected_contacts`.

    Returns
    -------
    Series of float, aligned to `lists`
        1 for who is contacted, else 0.
    """
    wanted = lists["brief_id"].map(expected_contacts(lists) if count is None else count)
    ranked = lists[["brief_id", "kol_id"]].assign(score=score.fillna(-np.inf))
    ranked = ranked.sort_values(["brief_id", "score", "kol_id"], ascending=[True, False, True])
    place = ranked.groupby("brief_id").cumcount().reindex(lists.index)
    return (place < wanted).astype(np.float64)
