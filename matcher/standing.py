"""What a brief itself adds to the chance of a success, whoever works for it.

The ranker's margin compares KOLs inside one brief. What all of them share it cannot tell, yet it
decides how a collaboration compares with others of its goal: a dear product with a high margin
returns more per order, and where prices have risen since everybody brings less for them. Forecasts
go by prices in units of what is usual at the time, which does not show that.
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
GOAL_DOUBT, PAST_DOUBT, WORTH_DOUBT, MONEY_DOUBT = 0.3, 0.3, 1.0, 0.3
"""Standard deviations of what a goal, the past and a currency add to log odds, and a log unit of
worth."""
APART = 1.0
"""Usual prices further apart than this, in logs, are in different money."""


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
    dear : float
        Taken off per log unit by which usual prices have risen, for all other briefs.
    levels : tuple of pairs of float
        Log of the usual price when outcomes were compared, and what its money adds: one for each
        currency, of which a price belongs to the nearest.
    """

    goals: Mapping[str, float] = field(default_factory=dict)
    worth: float = 0.0
    usual: float = 0.0
    dear: float = 0.0
    levels: tuple[tuple[float, float], ...] = ()

    def __call__(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return what each pair's brief adds, shape (n,); 0 where nothing is known of it."""
        goal = (
            goals_of(signals.reindex(columns=_READ))
            .map(dict(self.goals))
            .fillna(0.0)
            .to_numpy(dtype=np.float64)
        )
        money, risen = _risen(signals, np.array([level for level, _ in self.levels]))
        paid = np.array([adds for _, adds in self.levels])[money] if self.levels else 0.0
        total = goal + self.worth * self._earned(signals) + paid - self.dear * risen
        return np.asarray(total, dtype=np.float64)

    def _earned(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        return np.nan_to_num(_earnings(signals) - self.usual, nan=0.0)

    @classmethod
    def fit(
        cls,
        margin: NDArray[np.float64],
        signals: pd.DataFrame,
        success: NDArray[np.bool_],
        past: NDArray[np.bool_],
        per_log: float = 1.0,
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
        per_log : float
            Margin per log unit of value per price.

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
        levels = _levels(_usual_price(signals))
        money, risen = _risen(signals, levels)
        # Who is paid in one currency alone tells nothing of currencies.
        own = [money == at for at in range(len(levels))] if len(levels) > 1 else []
        columns = [past, np.nan_to_num(earned - usual, nan=0.0), *(goal == name for name in GOALS)]
        extra = np.column_stack([*columns, *own]).astype(np.float64)
        doubt = np.array(
            [PAST_DOUBT, WORTH_DOUBT, *[GOAL_DOUBT] * len(GOALS), *[MONEY_DOUBT] * len(own)]
        )
        # What a price buys falls as prices rise: by as much as if the KOL alone had become dearer.
        real = margin - per_log * risen

        def loss(curve: NDArray[np.float64]) -> float:
            logit = curve[0] * real + curve[1] + extra @ curve[2:]
            told = np.logaddexp(0, logit) - success * logit
            return float(told.sum() + 0.5 * ((curve[2:] / doubt) ** 2).sum())

        start = np.zeros(2 + len(doubt))
        slope, _, *found = minimize(loss, x0=start, method="L-BFGS-B").x
        by_goal = dict(zip(GOALS, map(float, found[2:]), strict=False))
        adds = [float(each) for each in found[2 + len(GOALS) :]] or [0.0] * len(levels)
        dear = max(float(slope), 0.0) * per_log
        paid = tuple(zip(levels.tolist(), adds, strict=True))
        offset = extra @ np.array(found) - dear * risen
        return cls(by_goal, float(found[1]), usual, dear, paid), np.asarray(offset)


def _usual_price(signals: pd.DataFrame) -> NDArray[np.float64]:
    """Return the log of the usual price in each pair's currency at its time, NaN where unknown."""
    signals = signals.reindex(columns=_READ)
    return (signals["price.log"] - signals["price.relative"]).to_numpy(dtype=np.float64)


def _levels(usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each group of usual prices that lie together: one for each currency."""
    rising = np.sort(usual[np.isfinite(usual)])
    if not len(rising):
        return np.empty(0)
    parts = np.split(rising, np.flatnonzero(np.diff(rising) > APART) + 1)
    return np.array([part.mean() for part in parts])


def _risen(
    signals: pd.DataFrame, levels: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the nearest level of each pair's usual price, and by how much that lies above it.

    The rise is 0 where it is unknown, and for briefs that want orders, whose worth is told in
    units of the usual price already.
    """
    usual = _usual_price(signals)
    if not len(levels):
        return np.zeros(len(usual), dtype=np.intp), np.zeros(len(usual))
    known = np.nan_to_num(usual, nan=float(levels[0]))
    nearest = np.abs(known[:, None] - levels).argmin(axis=1)
    sold = (goals_of(signals.reindex(columns=_READ)) == SOLD).to_numpy(dtype=bool)
    above = known - levels[nearest]
    # Money that nobody was paid in yet has no level to lie above.
    told = np.isfinite(usual) & ~sold & (np.abs(above) <= APART)
    return nearest, np.where(told, above, 0.0)


def _earnings(signals: pd.DataFrame) -> NDArray[np.float64]:
    """Return the log of what an order earns over the usual price of a KOL, NaN where no matter.

    Over the usual price in the currency, because amounts of two currencies do not compare.
    """
    signals = signals.reindex(columns=_READ)
    usual_price = signals["price.log"] - signals["price.relative"]
    earns = signals["brief.product_price"] + np.log(signals["brief.gross_margin"]) - usual_price
    told = earns.where(goals_of(signals) == SOLD).to_numpy(dtype=np.float64)
    return np.where(np.isfinite(told), told, np.nan)
