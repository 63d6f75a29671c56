"""How likely a KOL is to harm the brand: named parts, and their total.

Each part is a number between 0 and 1 with one meaning. They combine as independent causes of
harm would: the total is the chance that none of them leaves the brand alone,
``1 - prod(1 - weight * part)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "reputation": 0.9,
        "open_incident": 0.9,
        "fraud": 0.6,
        "delivery": 0.5,
        "over_advertising": 0.3,
    }
)
"""How far each part, at its worst, is believed to lead to harm."""


def risk_parts(signals: pd.DataFrame) -> pd.DataFrame:
    """Return the named risks of each pair, each 0-1; an unknown risk is 0.

    Parameters
    ----------
    signals : DataFrame
        Signals as `features.pipeline.FeaturePipeline` makes them.
    """
    sponsored = signals["sponsored.share"]
    return pd.DataFrame(
        {
            "reputation": signals["reputation.burden"].clip(0, 1),
            "open_incident": signals["reputation.worst_open"].clip(0, 1),
            "fraud": signals["reach.suspicious_share"].clip(0, 1),
            "delivery": signals["record.cancelled_rate"].clip(0, 1),
            # Two paid posts in three is where followers stop believing; below one in three nobody
            # minds.
            "over_advertising": ((sponsored - 1 / 3) / (1 / 3)).clip(0, 1),
        }
    ).fillna(0.0)


def total_risk(signals: pd.DataFrame) -> pd.Series[float]:
    """Return the total risk of each pair, 0-1."""
    parts = risk_parts(signals)
    spared = np.prod([1 - weight * parts[name] for name, weight in WEIGHTS.items()], axis=0)
    return pd.Series(1 - spared, index=signals.index, name="risk")
