"""What the log says of a campaign: who said yes, which measurement counts, in which currency."""

from __future__ import annotations

from typing import Any

import pandas as pd

ACCEPTED = ("signed", "delivered", "cancelled")
"""Statuses of those who accepted; who was cancelled later had said yes first."""
DECLINED = "declined"


def answers(collaborations: pd.DataFrame) -> pd.Series[Any]:
    """Return whether each KOL accepted when asked.

    The status alone tells: a row that is declined is a no, though it may have been signed once.

    Parameters
    ----------
    collaborations : DataFrame
        COLLABORATIONS.

    Returns
    -------
    Series of boolean, aligned to `collaborations`
        Null for who was only shown or contacted: no answer is not a no.
    """
    status = collaborations["status"]
    accepted = status.isin(ACCEPTED).astype("boolean")
    return accepted.where(status.isin([*ACCEPTED, DECLINED]))


def earned_in(
    currency: pd.Series[Any], brief_id: pd.Series[Any], briefs: pd.DataFrame
) -> pd.Series[Any]:
    """Return the currency of sales: that of the outcome, else that of the brief.

    Parameters
    ----------
    currency, brief_id : Series
        What the outcome says, and the brief it is of, aligned.
    briefs : DataFrame
        BRIEFS.

    Returns
    -------
    Series, aligned to `currency`
        Null where neither tells.
    """
    return currency.fillna(brief_id.map(briefs.set_index("brief_id")["currency"]))


def ripe_outcomes(outcomes: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Keep one ripe outcome of each collaboration.

    Parameters
    ----------
    outcomes : DataFrame
        OUTCOMES.
    horizon_days : int
        Age in days at which an outcome is ripe. Of several ripe ones the earliest counts, so that
        old campaigns get no longer than new ones.

    Returns
    -------
    DataFrame
        Rows of `outcomes`, at most one a collaboration.
    """
    ripe = outcomes[outcomes["horizon_days"] >= horizon_days]
    return ripe.sort_values("horizon_days").drop_duplicates("collaboration_id")
