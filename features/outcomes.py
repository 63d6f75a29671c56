"""Which measurement of a campaign counts: the first that is old enough."""

from __future__ import annotations

import pandas as pd


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
