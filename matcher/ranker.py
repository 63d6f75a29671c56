"""The fit ranker: LightGBM LambdaRank over briefs, and what its margin means across them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from matcher.calibration import Calibration
from matcher.config import RankerConfig
from matcher.forecast import Forecaster
from matcher.forest import Forest, Grow
from matcher.likeness import Likeness
from matcher.standing import Standing

if TYPE_CHECKING:
    from numpy.typing import NDArray

Basis: TypeAlias = Literal["outcomes", "judgments"]

OUTCOMES: Basis = "outcomes"
JUDGMENTS: Basis = "judgments"
"""What a ranking was learned from: what collaborations brought, or people's grades alone."""

GOOD = 3.0
"""Lowest grade of the upper half: what is worth finding again."""
GAINS = tuple(2**grade - 1 for grade in range(6))
"""Gain of each grade, exponential as in Burges et al. (2005)."""


@dataclass(frozen=True)
class FitRanker:
    """A fitted ranker: trees that correct what the forecast says of each pair.

    The margin starts at what is known without them, and LambdaRank (Burges, 2010) boosts from
    there. So the trees need to learn only what that gets wrong, and where there is too little to
    learn from, it ranks alone. It is the forecast's advantage
    (`matcher.forecast.Forecaster.advantage`), or learned likeness (`matcher.likeness.Likeness`)
    where nothing can be forecast, or the data tells who was chosen but not who was not.

    Attributes
    ----------
    forest : Forest
        Correction of the margin.
    start_weight : float
        Margin per unit of that.
    calibration : Calibration
        From margin to the chance of a success: of landing in the upper half of comparable
        collaborations or, where judgments are the basis, of a grade of 3 or 4.
    basis : str
        ``"outcomes"`` or ``"judgments"``.
    likeness : Likeness or None
        Learned likeness; ``None`` where ranking starts from the forecast.
    standing : Standing
        What a brief itself adds to that chance.
    """

    forest: Forest
    start_weight: float
    calibration: Calibration
    basis: Basis = OUTCOMES
    likeness: Likeness | None = None
    standing: Standing = field(default_factory=Standing)

    def chance(self, margin: NDArray[np.float64], signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the chance of a success at each margin, shape (n,), comparable across briefs."""
        return self.calibration(margin, self.standing(signals))

    def score(self, signals: pd.DataFrame, forecaster: Forecaster) -> NDArray[np.float64]:
        """Return margins, shape (n,): higher fits better inside one brief."""
        known = forecaster.advantage(signals) if self.likeness is None else self.likeness(signals)
        return self.start_weight * known + self.forest.predict(signals)

    def contributions(self, signals: pd.DataFrame, forecaster: Forecaster) -> pd.DataFrame:
        """Return what each signal adds to each margin; shape of `signals`.

        Exact SHAP values of the trees, plus what the start owes to each signal.
        """
        known = (self.likeness or forecaster).contributions(signals)
        return self.start_weight * known + self.forest.contributions(signals)

    @classmethod
    def fit(
        cls,
        train: RankingData,
        valid: RankingData,
        likeness: Likeness | None,
        config: RankerConfig,
        seed: int,
        basis: Basis = OUTCOMES,
        grow: Grow = Forest.fit,
    ) -> FitRanker:
        """Fit on graded pairs; stop early on, and calibrate with, the later `valid` ones.

        Where ranking starts from the forecast, what models of other brands said of the training
        pairs calibrates too.

        Parameters
        ----------
        train, valid : RankingData
            Graded pairs.
        likeness : Likeness or None
            What their ``known`` holds: this, or the forecast's advantage where it is ``None``.
        config : RankerConfig
            Size of the forest, and how much the start weighs.
        seed : int
            Seed of sampling.
        basis : str
            What their grades rest on.
        grow : callable
            What trains the forest.
        """
        params = {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [10],
            "label_gain": list(GAINS),
            "lambdarank_truncation_level": 20,
            "num_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_data_in_leaf": config.min_rows_per_leaf,
            "feature_fraction": config.feature_share,
            "lambda_l2": config.l2,
        }
        if train.position is not None:
            # Places explain what they can of who was chosen; trees are fitted to the rest (Hu et
            # al., WWW 2019, in LightGBM's additive form).
            params["lambdarank_position_bias_regularization"] = config.position_regularization
        weight = config.forecast_weight if likeness is None else config.likeness_weight
        forest = grow(
            params,
            train.as_dataset(weight),
            replace(valid, position=None).as_dataset(weight),
            trees=config.trees,
            patience=config.patience,
            seed=seed,
        )
        told = valid.told.to_numpy()
        margin = (weight * valid.known + forest.predict(valid.signals))[told]
        success = valid.success.to_numpy(dtype=bool)[told]
        if likeness is not None:
            return cls(forest, weight, Calibration.fit(margin, success), basis, likeness)
        # What other brands' models said of the past is honest too, and there is more of it. The
        # forest saw those outcomes, so it is left out.
        seen = train.told.to_numpy() & (train.known != 0)  # 0: no other model to ask
        margin = np.concatenate([weight * train.known[seen], margin])
        success = np.concatenate([train.success.to_numpy(dtype=bool)[seen], success])
        signals = pd.concat([train.signals[seen], valid.signals[told]], ignore_index=True)
        past = np.arange(len(margin)) < seen.sum()
        standing, offset = Standing.fit(margin, signals, success, past)
        curve = Calibration.fit(margin, success, offset=offset)
        return cls(forest, weight, curve, basis, likeness, standing)


@dataclass(frozen=True)
class RankingData:
    """Graded pairs to learn a ranking from.

    Attributes
    ----------
    signals : DataFrame, shape (n, f)
        Signals, one row a pair.
    known : ndarray, shape (n,)
        What is known of each pair without the trees: likeness, or the advantage from a forecast
        that did not see its outcome.
    brief_id : Series, shape (n,)
        The query each row belongs to.
    grade : Series, shape (n,)
        Relevance, a whole number 0-5.
    weight : Series, shape (n,)
        How far the grade is believed, above 0.
    told : Series of bool, shape (n,)
        Whether it is known if the pair was a success: from an outcome or, where judgments are all
        there is, from a judgment.
    success : Series of bool, shape (n,)
        Whether it was: the outcome landed in the upper half of its peers, or the grade is 3 or
        4; read where `told`.
    position : Series, shape (n,), or None
        Place of each pair on the list that its brief was shown, 0 where it was on none; ``None``
        where places are not to be learned.
    """

    signals: pd.DataFrame
    known: NDArray[np.float64]
    brief_id: pd.Series[Any]
    grade: pd.Series[Any]
    weight: pd.Series[Any]
    told: pd.Series[Any]
    success: pd.Series[Any]
    position: pd.Series[Any] | None = None

    def as_dataset(self, start_weight: float) -> dict[str, Any]:
        """Return LightGBM's view: rows of one brief together, in a stable order.

        Parameters
        ----------
        start_weight : float
            Margin per unit of `known`, where boosting starts.

        Raises
        ------
        ValueError
            If a grade or weight is not finite or a weight is not positive: LightGBM would take
            them without a word.
        """
        bad = ~np.isfinite(self.grade) | ~np.isfinite(self.weight) | ~(self.weight > 0)
        if bad.any():
            raise ValueError(f"Got {int(bad.sum())} rows without a finite grade and weight > 0")
        order = np.argsort(self.brief_id.to_numpy(dtype=object), kind="stable")
        groups = self.brief_id.iloc[order].value_counts(sort=False)
        dataset = {
            "data": self.signals.iloc[order].reset_index(drop=True),
            "init_score": start_weight * self.known[order],
            "label": self.grade.to_numpy(dtype=np.float64)[order],
            "weight": self.weight.to_numpy(dtype=np.float64)[order],
            "group": groups.to_numpy(),
        }
        if self.position is not None:
            dataset["position"] = self.position.to_numpy(dtype=np.int32)[order]
        return dataset
