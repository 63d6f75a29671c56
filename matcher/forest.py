"""A LightGBM forest that is saved as text and refuses columns it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from features.signals import Side

if TYPE_CHECKING:
    import lightgbm as lgb
    from numpy.typing import NDArray

    from matcher.factorised import Scorer


class Grow(Protocol):
    """What trains a forest as `Forest.fit` does."""

    def __call__(
        self,
        params: Mapping[str, Any],
        train: Mapping[str, Any],
        valid: Mapping[str, Any] | None,
        *,
        trees: int,
        patience: int,
        seed: int,
    ) -> Forest:
        """Return a forest."""
        ...


VERSION = "v4"
"""Version of LightGBM's text format."""
REPRODUCIBLE: Mapping[str, Any] = MappingProxyType(
    {"verbosity": -1, "deterministic": True, "force_row_wise": True, "feature_pre_filter": False}
)
"""LightGBM's parameters of every forest: the same trees on one thread or many, at some cost in
speed."""
SCORER_COST = 10_000_000
"""Rows times trees that LightGBM scores in about the time that it takes to make a scorer."""


@dataclass(frozen=True)
class Forest:
    """A fitted forest, held as LightGBM's own text format.

    Attributes
    ----------
    text : str
        The model as LightGBM writes it; readable, and no pickle.
    """

    text: str

    @cached_property
    def booster(self) -> lgb.Booster:
        """The live booster, built on first use."""
        import lightgbm as lgb

        return lgb.Booster(model_str=self.text)

    @cached_property
    def scorer(self) -> Scorer:
        """What scores many rows, made and checked on first use (`matcher.factorised`)."""
        from matcher.factorised import Scorer

        return Scorer.of([self.booster])

    @cached_property
    def names(self) -> list[str]:
        """Columns the forest was trained on, in order; read before LightGBM reads anything.

        Raises
        ------
        ValueError
            If the text is no forest, or one of another version of LightGBM's format.
        """
        head = self.text.partition("\n\n")[0]
        told = dict(line.partition("=")[::2] for line in head.split("\n"))
        if "tree" not in told or told.get("version") != VERSION or "feature_names" not in told:
            raise ValueError(
                f"Got a forest of version {told.get('version')} but expected {VERSION}, with the "
                "names of its features"
            )
        return told["feature_names"].split()

    def predict(self, features: pd.DataFrame, *, raw: bool = True) -> NDArray[np.float64]:
        """Score rows, each on its own: no row's score depends on another's.

        Parameters
        ----------
        features : DataFrame, shape (n, f)
            Exactly the columns of the training frame, in their order.
        raw : bool
            Whether to return the margin or what the objective makes of it.

        Returns
        -------
        ndarray, shape (n,)
            To the bit what LightGBM gives, whichever way it was worked out.

        Raises
        ------
        ValueError
            If columns differ: LightGBM itself would score by position in silence.
        """
        self._check(features)
        return self._scored(features, raw=raw)

    def predict_among(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the margins of `predict` for rows that hold the forest's columns among others.

        Raises
        ------
        ValueError
            If one of its columns is missing. Others are left aside.
        """
        missing = sorted(set(self.names) - set(signals.columns))
        if missing:
            raise ValueError(
                f"Got feature columns that the model was not trained on: missing {missing}"
            )
        return self._scored(signals, raw=True)

    def _scored(self, features: pd.DataFrame, *, raw: bool) -> NDArray[np.float64]:
        if features.empty:
            return np.empty(0)
        if raw and self._scorer_pays(features):
            place = features.columns.get_indexer(pd.Index(self.scorer.columns[Side.PAIR]))
            # A frame of one kind of numbers is read as it stands, column by column.
            told = features.to_numpy(dtype=np.float64).T
            return np.asarray(self.scorer.rows(told.take(place, axis=0))[0])
        own = features if list(features.columns) == self.names else features[self.names]
        return np.asarray(self.booster.predict(own, raw_score=raw, validate_features=True))

    def _scorer_pays(self, features: pd.DataFrame) -> bool:
        """Say whether to score with `scorer`, whose scores are the same to the bit.

        Making it takes a second or two. It is made once as much has been asked of LightGBM as
        that costs.
        """
        if not all(isinstance(kind, np.dtype) and kind.kind in "fiub" for kind in features.dtypes):
            return False
        self._asked[0] += len(features) * self.booster.num_trees()
        return self._asked[0] >= SCORER_COST and self.scorer.trees[0] is not None

    @cached_property
    def _asked(self) -> list[int]:
        """Rows times trees of all calls so far: one number, which calls add to."""
        return [0]

    def contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return what each feature adds to each margin (exact SHAP values), shape (n, f)."""
        self._check(features)
        if features.empty:
            return features.astype(np.float64)
        parts = np.asarray(self.booster.predict(features, pred_contrib=True))
        return pd.DataFrame(parts[:, :-1], index=features.index, columns=features.columns)

    def gain(self) -> pd.Series[Any]:
        """Return how much each feature lowered the loss in training, as shares that sum to 1."""
        gain = self.booster.feature_importance("gain")
        return pd.Series(gain / max(gain.sum(), 1e-12), index=self.names)

    def _check(self, features: pd.DataFrame) -> None:
        if list(features.columns) != self.names:
            missing = sorted(set(self.names) - set(features.columns))
            extra = sorted(set(features.columns) - set(self.names))
            raise ValueError(
                f"Got feature columns that the model was not trained on: missing {missing}, "
                f"unknown {extra}{'' if missing or extra else ', order differs'}"
            )

    @classmethod
    def fit(
        cls,
        params: Mapping[str, Any],
        train: Mapping[str, Any],
        valid: Mapping[str, Any] | None,
        *,
        trees: int,
        patience: int,
        seed: int,
    ) -> Forest:
        """Train; with `valid`, stop once it has not improved for `patience` trees.

        Parameters
        ----------
        params : mapping
            LightGBM's parameters beyond those that make training reproducible.
        train, valid : mapping
            Arguments of ``lightgbm.Dataset``: data, label, weight, and group for ranking.
        """
        import lightgbm as lgb

        fixed = {**REPRODUCIBLE, "seed": seed}
        data = lgb.Dataset(**train, params=fixed)
        callbacks: list[Any] = [lgb.log_evaluation(0)]
        valid_sets = []
        if valid is not None:
            valid_sets = [lgb.Dataset(**valid, reference=data, params=fixed)]
            callbacks.append(lgb.early_stopping(patience, verbose=False))
        booster = lgb.train(
            {**params, **fixed},
            data,
            num_boost_round=trees,
            valid_sets=valid_sets,
            callbacks=callbacks,
        )
        return cls(booster.model_to_string(num_iteration=booster.best_iteration or -1))
