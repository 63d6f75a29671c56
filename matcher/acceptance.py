"""The chance that a KOL says yes when asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.calibration import Calibration
from matcher.config import HeadConfig
from matcher.forest import Forest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Acceptance:
    """A fitted chance of acceptance.

    Attributes
    ----------
    forest : Forest
        Departure of the log odds from `base`.
    base : float
        Log odds of a yes among all who answered.
    calibration : Calibration
        From log odds to the chance, as other answers bore it out.
    """

    forest: Forest
    base: float
    calibration: Calibration

    def __call__(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the chance of each pair, shape (n,), above 0 and below 1."""
        return self.calibration(self.log_odds(signals))

    def log_odds(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log odds before calibration, shape (n,)."""
        return self.base + self.forest.predict(signals)

    @classmethod
    def fit(
        cls, signals: pd.DataFrame, accepted: NDArray[np.bool_], config: HeadConfig, seed: int
    ) -> Acceptance | None:
        """Fit on answers.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            Signals of those who answered, as of each decision.
        accepted : ndarray of bool, shape (n,)
            Whether they said yes.
        config : HeadConfig
            Size of the forest.
        seed : int
            Seed of sampling.

        Returns
        -------
        Acceptance or None
            Not yet calibrated; ``None`` of fewer than ``config.least_rows`` answers, or where all
            were the same.
        """
        if len(signals) < config.least_rows or accepted.all() or not accepted.any():
            return None
        share = float(accepted.mean())
        base = float(np.log(share / (1 - share)))
        params: dict[str, Any] = {
            "objective": "binary",
            "num_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_data_in_leaf": config.min_rows_per_leaf,
            "feature_fraction": config.feature_share,
            "bagging_fraction": config.row_share,
            "bagging_freq": 1,
            "lambda_l2": config.l2,
            "extra_trees": config.extra_trees,
        }
        data = {
            "data": signals.reset_index(drop=True),
            "label": accepted.astype(np.float64),
            "init_score": np.full(len(signals), base),
        }
        forest = Forest.fit(params, data, None, trees=config.trees, patience=0, seed=seed)
        return cls(forest, base, Calibration(1.0, 0.0, float(len(signals))))

    def calibrated(
        self,
        past: NDArray[np.float64],
        past_accepted: NDArray[np.bool_],
        later: NDArray[np.float64],
        later_accepted: NDArray[np.bool_],
    ) -> Acceptance:
        """Return a copy calibrated on answers that it did not learn from.

        Parameters
        ----------
        past, later : ndarray
            Log odds of training answers by models that did not see them, NaN where there is none,
            and of later answers by this one.
        past_accepted, later_accepted : ndarray of bool
            Whether those said yes.
        """
        known = np.isfinite(past)
        odds = np.concatenate([past[known], later])
        accepted = np.concatenate([past_accepted[known], later_accepted])
        return replace(self, calibration=Calibration.fit(odds, accepted))
