"""The calendar and the currencies of the simulated world."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.contract import PLATFORMS
from features.simulate.topics import Floats

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")
"""End of history: nothing later is in the tables."""
DAYS = 730.0
"""Length of history."""
START = AS_OF - pd.Timedelta(days=DAYS)
QUARTER = DAYS / 8
QUARTERS = 9
"""Points in time at which a KOL's state is drawn, the first at `START`, the last at `AS_OF`."""

CNY_PLATFORMS = frozenset(PLATFORMS) - {"tiktok", "instagram", "youtube"}
CNY_PER_USD = 7.0


def to_time(days: Floats) -> pd.Series[Any]:
    """Return days since `START` as UTC times to the minute; NaN becomes NaT."""
    minutes = pd.Series(np.round(np.asarray(days, dtype=float) * 1440))
    return (START + pd.to_timedelta(minutes, unit="min")).astype(TIME)


def at(path: Floats, days: Floats) -> Floats:
    """Interpolate quarterly states.

    Parameters
    ----------
    path : ndarray, shape (n, QUARTERS)
        One row of states for each element of `days`.
    days : ndarray, shape (n,)
        Days since `START`; outside of history the nearest state holds.
    """
    place = np.clip(days / QUARTER, 0, QUARTERS - 1)
    left = np.minimum(place.astype(int), QUARTERS - 2)
    rows = np.arange(len(path))
    share = place - left
    state: Floats = path[rows, left] * (1 - share) + path[rows, left + 1] * share
    return state
