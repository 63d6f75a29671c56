"""What a brief itself adds to the chance of a success, whoever works for it.

The ranker's margin compares KOLs inside one brief. What all of them share it cannot tell, yet it
decides how a collaboration compares with others of its goal: a dear product with a high margin
returns more per order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.contract import GOALS
from matcher.calibration import LEAST_EACH
from matcher.forecast import goals_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOLD = "conversion"
"""The goal whose value is money, and so depends on what an order is worth."""
_READ = [
    "category.goal",
    "brief.product_price",
    "brief.gross_margin",
    "price.log",
    "price.relative",
]
GOAL_DOUBT, PAST_DOUBT, WORTH_DOUBT = 0.3, 0.3, 1.0
"""Standard deviations of what a goal and the past add to log odds, and a log unit of worth."""


@dataclass(frozen=True)
class Standing:
    """What is added to the log odds of a success.

    Attributes
    ----------
    goals : mapping of str to float
        By goal of the brief.
    worth : float
        Per log of what an order earns, for briefs that want orders.
    usual : float
        Log of what an order earns that adds nothing.
    """

    goals: Mapping[str, float] = field(default_factory=dict)
    worth: float = 0.0
    usual: float = 0.0

    def __call__(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return what each pair's brief adds, shape (n,); 0 where nothing is known of it."""
        goal = (
            goals_of(signals.reindex(columns=_READ))
            .map(dict(self.goals))
            .fillna(0.0)
            .to_numpy(dtype=np.float64)
        )
        return np.asarray(goal + self.worth * self._earned(signals), dtype=np.float64)

    def _earned(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        return np.nan_to_num(_earnings(signals) - self.usual, nan=0.0)

    @classmethod
    def fit(
        cls,
        margin: NDArray[np.float64],
        signals: pd.DataFrame,
        success: NDArray[np.bool_],
        past: NDArray[np.bool_],
    ) -> tuple[Standing, NDArray[np.float64]]:
        """Fit by penalised likelihood, beside a curve of the margin.

        Parameters
        ----------
        margin : ndarray, shape (n,)
            Scores by models that did not see the outcomes.
        signals : DataFrame, shape (n, f)
            Signals of the pairs.
        success : ndarray of bool, shape (n,)
            Whether the pair was a success.
        past : ndarray of bool, shape (n,)
            Which rows the model learned from, scored by other models, whose level may differ.

        Returns
        -------
        Standing
            Adds nothing where too few succeeded or failed.
        ndarray, shape (n,)
            What it adds to each row, and for the past the difference in level.
        """
        from scipy.optimize import minimize

        if min(success.sum(), (~success).sum()) < LEAST_EACH:
            return cls(), np.zeros(len(margin))
        earned = _earnings(signals)
        usual = float(np.nanmedian(earned)) if np.isfinite(earned).any() else 0.0
        goal = goals_of(signals.reindex(columns=_READ)).to_numpy(dtype=object)
        columns = [past, np.nan_to_num(earned - usual, nan=0.0), *(goal == name for name in GOALS)]
        extra = np.column_stack(columns).astype(np.float64)
        doubt = np.array([PAST_DOUBT, WORTH_DOUBT, *[GOAL_DOUBT] * len(GOALS)])

        def loss(curve: NDArray[np.float64]) -> float:
            logit = curve[0] * margin + curve[1] + extra @ curve[2:]
            told = np.logaddexp(0, logit) - success * logit
            return float(told.sum() + 0.5 * ((curve[2:] / doubt) ** 2).sum())

        start = np.zeros(2 + len(doubt))
        found = minimize(loss, x0=start, method="L-BFGS-B").x[2:]
        by_goal = {name: float(adds) for name, adds in zip(GOALS, found[2:], strict=True)}
        return cls(by_goal, float(found[1]), usual), np.asarray(extra @ found, dtype=np.float64)


def _earnings(signals: pd.DataFrame) -> NDArray[np.float64]:
    """Return the log of what an order earns over the usual price of a KOL, NaN where no matter.

    Over the usual price in the currency, because amounts of two currencies do not compare.
    """
    signals = signals.reindex(columns=_READ)
    usual_price = signals["price.log"] - signals["price.relative"]
    earns = signals["brief.product_price"] + np.log(signals["brief.gross_margin"]) - usual_price
    told = earns.where(goals_of(signals) == SOLD).to_numpy(dtype=np.float64)
    return np.where(np.isfinite(told), told, np.nan)
