"""Prices against what was usual when collaborations taught, in each currency.

Money of two currencies does not compare, and a price in units of what is usual does. But usual
prices rise, and with what is usual today for a unit that rise would go unseen: every collaboration
of the next season would look as cheap as those of the last, and be promised their success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.money import currency_letters

if TYPE_CHECKING:
    from numpy.typing import NDArray

_READ = ["price.log", "price.relative", "price.currency"]


@dataclass(frozen=True)
class PriceLevel:
    """What prices were usual in each currency.

    Attributes
    ----------
    usual : mapping of str to float
        By currency, the mean over training rows of the log of the price that was usual when each
        was decided.
    """

    usual: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log of each price in units of what was usual, shape (n,).

        In a currency that taught nothing today's usual price is the unit; an unknown price counts
        as the usual one, 0.
        """
        told = signals.reindex(columns=_READ)
        usual = _by_currency(told).map(dict(self.usual)).astype(np.float64)
        rise = (told["price.log"] - told["price.relative"] - usual).fillna(0.0)
        return np.asarray((told["price.relative"] + rise).fillna(0.0), dtype=np.float64)

    @classmethod
    def fit(cls, signals: pd.DataFrame) -> PriceLevel:
        """Learn the level from the signals of finished collaborations, shape (n, f)."""
        told = signals.reindex(columns=_READ)
        usual = (told["price.log"] - told["price.relative"]).groupby(_by_currency(told)).mean()
        return cls({str(name): float(level) for name, level in usual.dropna().items()})


def _by_currency(told: pd.DataFrame) -> pd.Series[str]:
    code = told["price.currency"]
    return code.map({float(one): currency_letters(int(one)) for one in code.dropna().unique()})
