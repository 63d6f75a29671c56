"""What a dollar cost over the history of the simulated world."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.simulate.clock import CNY_PER_USD, DAYS, to_time

_WEEK = 7.0
_STEP, _PULL = 0.004, 0.03
"""Standard deviation of a week's change of the log rate, and how far it returns in a week."""


def exchange_table(rng: np.random.Generator) -> pd.DataFrame:
    """Return the EXCHANGE_RATES table: one rate of USD in CNY a week.

    It moves slowly around `CNY_PER_USD`, at which prices and truth are set.
    """
    days = np.arange(rng.uniform(0, _WEEK) - 4 * _WEEK, DAYS, _WEEK)
    log = np.zeros(len(days))
    for week in range(1, len(days)):
        log[week] = (1 - _PULL) * log[week - 1] + rng.normal(0, _STEP)
    return pd.DataFrame(
        {
            "currency": "USD",
            "to_currency": "CNY",
            "quoted_at": to_time(days),
            "rate": np.round(CNY_PER_USD * np.exp(log), 4),
        }
    )
