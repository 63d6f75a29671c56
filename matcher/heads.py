"""One forecast head: how many views, or how many of one thing per another, a pair would bring.

A head starts from the KOL's own level, where the past tells one, and from what the mode of the
collaboration adds (`matcher.lifts`); a forest learns by how much a collaboration departs from that.
Rates are counts over an exposure: three orders from four clicks
say less than three hundred from four hundred, so rows weigh by their exposure. The weight levels
off at the median exposure, since counts of one campaign vary more than a Poisson count would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.config import HeadConfig
from matcher.forest import Forest
from matcher.lifts import HASTE, KIND, PRICED, learn_lifts, lift

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class HeadSpec:
    """What a head forecasts.

    Attributes
    ----------
    name : str
        Name of the forecast.
    count, exposure : str
        Outcome columns: the rate is count over exposure. Without exposure the count itself is
        forecast.
    own : tuple of str
        Signals whose sum is the KOL's own level; empty where there is no such signal.
    own_is_log : bool
        Whether that sum is a logarithm already.
    """

    name: str
    count: str
    exposure: str = ""
    own: tuple[str, ...] = ()
    own_is_log: bool = False


HEADS = (
    # In logs views scatter evenly, so that a mean is the closest guess: a median needs half as many
    # posts again to come as close. Levels drift, so that newer posts say more.
    HeadSpec("views", "views", own=("reach.usual_log_views",), own_is_log=True),
    HeadSpec("engagement_rate", "engagements", "views", own=("engagement.rate",)),
    HeadSpec("spread_rate", "spread", "views", own=("engagement.shares", "engagement.saves")),
    HeadSpec("ctr", "clicks", "views"),
    HeadSpec("cvr", "orders", "clicks"),
    HeadSpec("refund_rate", "returned", "orders"),
)
RATES = {spec.name: spec for spec in HEADS if spec.exposure}
"""Heads that forecast a rate, by name."""
_SPECS = {spec.name: spec for spec in HEADS}
_FLOOR = 1e-6


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Attributes
    ----------
    name : str
        Which of `HEADS`.
    forest : Forest
        Departure from own level and mode, in logs. It reads neither the mode nor what it costs.
    typical : float
        Log of the own level where it is unknown: the training rows' median, or what they brought
        all together where there is no such signal.
    modes : mapping of str to float
        Log of what each mode of collaboration adds; those that nobody tried are missing.
    """

    name: str
    forest: Forest
    typical: float
    modes: Mapping[str, float] = field(default_factory=dict)

    @property
    def spec(self) -> HeadSpec:
        """What this head forecasts."""
        return _SPECS[self.name]

    def log(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the natural log of the forecast, shape (n,)."""
        start = _own(self.spec, signals, self.typical) + lift(signals, self.modes)
        return start + self.forest.predict_among(signals)

    def contributions(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Return what each signal adds to `log`, against a typical KOL; shape of `signals`."""
        parts = self.forest.contributions(_read(signals)).reindex(columns=signals.columns)
        parts = parts.fillna(0.0)
        if KIND in parts:
            parts[KIND] += lift(signals, self.modes)
        if self.spec.own:
            share = (_own(self.spec, signals, self.typical) - self.typical) / len(self.spec.own)
            for name in self.spec.own:
                parts[name] += share
        return parts

    @classmethod
    def fit(
        cls,
        spec: HeadSpec,
        signals: pd.DataFrame,
        outcomes: pd.DataFrame,
        config: HeadConfig,
        seed: int,
        weight: NDArray[np.float64] | None = None,
    ) -> Head | None:
        """Fit on past outcomes.

        Parameters
        ----------
        spec : HeadSpec
            What to forecast.
        signals : DataFrame, shape (n, f)
            Signals as of each decision.
        outcomes : DataFrame, shape (n, ...)
            Counts, aligned to `signals`; null where not measured, as are columns it lacks.
        config : HeadConfig
            Size of the forest.
        seed : int
            Seed of sampling.
        weight : ndarray, shape (n,), optional
            How much each row counts beside what its exposure says; by default all the same.

        Returns
        -------
        Head or None
            ``None`` if fewer than ``config.least_rows`` rows have been measured, or if nothing was
            ever counted: a rate that never was above 0 has no logarithm.
        """
        counts, exposure = counted(spec, outcomes)
        used = np.isfinite(counts) & (exposure > 0)
        if used.sum() < config.least_rows or not counts[used].sum() > 0:
            return None
        counts, exposure, signals = counts[used], exposure[used], signals[used]
        trust = np.ones(len(counts)) if weight is None else weight[used]
        known = _own(spec, signals, np.nan)
        # Trees that start far from the mean would spend themselves on getting there.
        typical = float(
            np.nanmedian(known)
            if np.isfinite(known).any()
            else np.log(np.average(counts / exposure, weights=_weight(exposure) * trust))
        )
        own = _own(spec, signals, typical)
        data: dict[str, Any] = {"data": _read(signals).reset_index(drop=True)}
        params: dict[str, Any] = {
            "num_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_data_in_leaf": config.min_rows_per_leaf,
            "feature_fraction": config.feature_share,
            "bagging_fraction": config.row_share,
            "bagging_freq": 1,
            "lambda_l2": config.l2,
        }
        if spec.exposure:
            rate, said = counts / exposure, _weight(exposure) * trust
            # Scaled so that a row's mean hessian is 1, which is what l2 is meant for.
            said = said / max(float(np.mean(said * rate)), _FLOOR)
            params |= {"objective": "poisson", "min_sum_hessian_in_leaf": 1e-3}
            data |= {"label": rate, "weight": said}
        else:
            params |= {"objective": "regression", "extra_trees": config.extra_trees}
            data |= {"label": np.log1p(counts)}
            data |= {} if weight is None else {"weight": trust}

        def unexplained(
            added: NDArray[np.float64],
        ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
            hasty = params | {"learning_rate": min(1.0, HASTE * config.learning_rate)}
            started = data | {"init_score": own + added}
            trees = max(1, config.trees // HASTE)
            forest = Forest.fit(hasty, started, None, trees=trees, patience=0, seed=seed)
            explained = own + forest.predict(data["data"])
            if not spec.exposure:
                return data["label"] - explained, None
            return data["weight"] * data["label"], data["weight"] * np.exp(explained)

        modes = learn_lifts(signals, unexplained, config.mode_rows)
        data["init_score"] = own + lift(signals, modes)
        forest = Forest.fit(params, data, None, trees=config.trees, patience=0, seed=seed)
        return cls(spec.name, forest, typical, modes)


def counted(
    spec: HeadSpec, outcomes: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the counts of a head and their exposure, shape (n,) each; NaN where not measured."""
    told = outcomes.reindex(columns=[name for name in (spec.count, spec.exposure) if name])
    counts = told[spec.count].to_numpy(dtype=np.float64)
    if not spec.exposure:
        return counts, np.ones(len(outcomes))
    return counts, told[spec.exposure].to_numpy(dtype=np.float64)


def _read(signals: pd.DataFrame) -> pd.DataFrame:
    """Return the signals that a head's forest reads."""
    return signals.drop(columns=[KIND, *PRICED], errors="ignore")


def _own(spec: HeadSpec, signals: pd.DataFrame, typical: float) -> NDArray[np.float64]:
    """Return the log of the KOL's own level, `typical` where it is unknown."""
    if not spec.own:
        return np.full(len(signals), typical)
    level = signals[list(spec.own)].sum(axis=1, min_count=1).to_numpy(dtype=np.float64)
    if not spec.own_is_log:
        level = np.log(np.maximum(level, _FLOOR))
    return np.where(np.isnan(level), typical, level)


def _weight(exposure: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much each row says: as its exposure, levelling off at the median."""
    return exposure / (1 + exposure / np.median(exposure))
