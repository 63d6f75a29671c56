"""Whom past briefs chose from the lists they were shown, and what that leaves out.

A log of collaborations is no fair sample. Who was contacted was picked, and whoever stood low on a
list was seldom looked at. Where the log tells the chance of each choice (`propensity`), rows that
were unlikely can be counted the more for it (Horvitz and Thompson, 1952; Swaminathan and Joachims,
2015, for the normalised form). Where it tells the place on the list (`position`), a ranker can
learn the pull of the place apart from the preference (`matcher.ranker`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.tables import Tables, status_known_at

CHOSEN, PASSED = "chosen", "passed over"
"""Contacted, whatever came of it; and shown, but never contacted although others were."""


def choices(tables: Tables, known_before: pd.Series[Any] | None = None) -> pd.DataFrame:
    """Return who was chosen and who was passed over for each brief.

    A list from which nobody was contacted is not decided yet, or was never read: it tells nothing.

    Parameters
    ----------
    tables : Tables
        Everything known.
    known_before : Series of datetime, indexed by brief_id, optional
        Only what was known about a brief strictly before its time counts; nothing does of briefs
        that it lacks.

    Returns
    -------
    DataFrame
        brief_id, kol_id, mode, choice (`CHOSEN` or `PASSED`), position (1 is the first; 0 if
        unknown) and propensity; one row a pair, by brief_id and kol_id. Of several collaborations
        of a pair the first that was chosen counts.
    """
    told = tables.collaborations
    known_at = status_known_at(told)
    chosen = told["status"] != "shown"
    # The table keeps the last status of each row, so this is when a choice was surely known.
    first = known_at.where(chosen).groupby(told["brief_id"]).transform("min")
    passed_at = pd.concat([told["shown_at"], first], axis=1).max(axis=1)
    frame = pd.DataFrame(
        {
            "brief_id": told["brief_id"],
            "kol_id": told["kol_id"],
            "mode": told["mode"],
            "choice": np.where(chosen, CHOSEN, PASSED),
            "position": told["position"].fillna(0.0),
            "propensity": told["propensity"],
            "known_at": known_at.where(chosen, passed_at),
        }
    )
    frame = frame[first.notna()]
    if known_before is not None:
        cut = frame["brief_id"].map(known_before).astype(TIME)
        frame = frame[frame["known_at"] < cut]
    # "chosen" sorts before "passed over".
    frame = frame.sort_values(["brief_id", "kol_id", "choice", "known_at"], kind="stable")
    frame = frame.drop_duplicates(["brief_id", "kol_id"]).drop(columns="known_at")
    return frame.astype({"choice": "str"}).reset_index(drop=True)


def inverse_propensity(
    propensity: pd.Series[Any], clip: float, within: pd.Series[Any] | None = None
) -> pd.Series[float]:
    """Weigh rows by how unlikely they were to be in the log.

    Parameters
    ----------
    propensity : Series, shape (n,)
        Chance of each row, 0-1; null or 0 is unknown.
    clip : float
        Largest weight before normalising, 1 or more. A lower one trades bias for variance.
    within : Series, shape (n,), optional
        Groups, each of which shall weigh on average 1; by default all rows together do.

    Returns
    -------
    Series, aligned to `propensity`
        ``min(1 / propensity, clip)`` over its mean; 1 where the chance is unknown.

    Examples
    --------
    >>> inverse_propensity(pd.Series([0.5, 0.25, 0.01, None]), clip=6).round(2).tolist()
    [0.5, 1.0, 1.5, 1.0]
    """
    raw = (1.0 / propensity.where(propensity > 0)).clip(upper=clip)
    mean = raw.mean() if within is None else raw.groupby(within.to_numpy()).transform("mean")
    return (raw / mean).fillna(1.0)
