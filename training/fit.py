"""Fit a Matcher on examples, and say who may teach, tune and test it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.errors import UserError
from features.tables import Tables
from matcher.config import Config
from matcher.forecast import Forecaster
from matcher.model import Matcher
from matcher.ranker import FitRanker
from training.examples import Examples
from training.labels import decision_times
from training.split import TimeSplit, brand_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Plan:
    """Which briefs teach, which tune and which test one model.

    Attributes
    ----------
    name : str
        Name of the round, such as ``"time"`` or ``"fold 1"``.
    part : Series of str, indexed by brief_id
        ``"train"``, ``"valid"`` or ``"test"``; briefs left out are absent.
    known_before : Series of datetime, indexed by brief_id
        When a label had to be known to be used.
    cuts : dict
        What was cut where, for the record.
    """

    name: str
    part: pd.Series[Any]
    known_before: pd.Series[Any]
    cuts: dict[str, str]

    def briefs(self, part: str) -> pd.Index[Any]:
        """Return the briefs of a part."""
        return self.part.index[self.part == part]


def labelled_briefs(tables: Tables) -> pd.DataFrame:
    """Return the decided briefs that an outcome or a judgment says something about.

    Returns
    -------
    DataFrame
        BRIEFS, with ``decided_at`` replaced by the moment of choice (`decision_times`).
    """
    delivered = tables.collaborations.merge(tables.outcomes[["collaboration_id"]])["brief_id"]
    told = set(delivered) | set(tables.judgments["brief_id"])
    briefs = tables.briefs[tables.briefs["brief_id"].isin(told)]
    decided = briefs["brief_id"].map(decision_times(tables))
    return briefs.assign(decided_at=decided)[decided.notna()].reset_index(drop=True)


def plan_by_time(tables: Tables, config: Config) -> Plan:
    """Teach on the past, tune on what came next, test on the latest.

    Raises
    ------
    UserError
        If there are too few briefs with outcomes, or they lie too close in time.
    """
    briefs = _enough(labelled_briefs(tables), config)
    embargo = pd.Timedelta(days=config.training.horizon_days)
    shares = (config.training.valid_share, config.training.test_share)
    try:
        split = TimeSplit.by_share(briefs, *shares, embargo=embargo)
    except ValueError as error:
        raise UserError(f"{error}; brand-grouped folds (--split brand) need no time") from error
    part = split.part(briefs).set_axis(briefs["brief_id"])
    part = part[part != "embargo"]
    never = pd.Timestamp.max.tz_localize("UTC").floor("us")
    cut = {"train": split.valid_from, "valid": split.test_from, "test": never}
    cuts = {"valid_from": str(split.valid_from), "test_from": str(split.test_from)}
    return Plan("time", part, part.map(cut), cuts | {"embargo": str(embargo)})


def plans_by_brand(tables: Tables, config: Config) -> list[Plan]:
    """Deal brands into folds; each fold tests once, and the next one tunes.

    For data in which time says nothing. Labels count whenever they became known.
    """
    briefs = _enough(labelled_briefs(tables), config)
    folds = config.training.folds
    fold = brand_folds(briefs, folds, config.seed)
    never = pd.Timestamp.max.tz_localize("UTC").floor("us")
    plans = []
    for test in range(folds):
        part = fold.map(lambda f, t=test: {t: "test", (t + 1) % folds: "valid"}.get(f, "train"))
        known = pd.Series(never, index=fold.index)
        plans.append(Plan(f"fold {test + 1}", part, known, {"fold": f"{test + 1} of {folds}"}))
    return plans


def fit_matcher(examples: Examples, plan: Plan, config: Config, encoder_id: str) -> Matcher:
    """Fit forecasts and ranker on a plan's training part, tuned on its validation part.

    Parameters
    ----------
    examples : Examples
        Pairs of at least the training and validation briefs.
    """
    train, valid = examples.of(plan.briefs("train")), examples.of(plan.briefs("valid"))
    forecaster = _forecaster(train.known, config)
    seen = cross_advantage(train, config)
    unseen = forecaster.advantage(valid.signals)
    ranker = FitRanker.fit(
        train.ranking(seen, forecaster, config.training),
        valid.ranking(unseen, forecaster, config.training),
        config.ranker,
        config.seed,
    )
    later = valid.known
    least = config.forecast.least_rows // 2
    forecaster = forecaster.calibrated(later.signals, later.pairs, least)
    return Matcher(config, encoder_id, forecaster, ranker)


def cross_advantage(examples: Examples, config: Config) -> NDArray[np.float64]:
    """Forecast each pair's advantage by heads that saw no collaboration of its brand.

    What a forecast says of its own training rows is too good, and a ranker that boosts from it
    would trust it too much.

    Returns
    -------
    ndarray, shape (n,)
    """
    from sklearn.model_selection import GroupKFold

    groups = examples.pairs["brand_id"]
    folds = min(config.training.folds, groups.nunique())
    advantage = np.zeros(len(groups))
    if folds < 2:
        return advantage
    for others, held in GroupKFold(folds).split(groups, groups=groups):
        mask = np.zeros(len(groups), dtype=bool)
        mask[others] = True
        forecaster = _forecaster(examples.where(mask).known, config)
        advantage[held] = forecaster.advantage(examples.signals.iloc[held])
    return advantage


def _forecaster(known: Examples, config: Config) -> Forecaster:
    return Forecaster.fit(known.signals, known.pairs, config.forecast, config.seed)


def _enough(briefs: pd.DataFrame, config: Config) -> pd.DataFrame:
    least = config.training.least_briefs
    if len(briefs) < least:
        raise UserError(
            f"Got {len(briefs)} decided briefs with outcomes or judgments but training needs "
            f"{least}; until then `kolmatch match` ranks by content and audience"
        )
    return briefs
