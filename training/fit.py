"""Fit a Matcher on examples, and say who may teach, tune and test it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from matcher.acceptance import Acceptance
from matcher.config import Config
from matcher.forecast import Forecaster
from matcher.forest import Forest, Grow
from matcher.heads import HEADS
from matcher.likeness import Likeness
from matcher.model import Matcher
from matcher.ranker import JUDGMENTS, OUTCOMES, Basis, FitRanker
from matcher.scout import Scout
from matcher.uncertainty import Backcast
from training.affinity import learn_affinity
from training.examples import Examples, build_examples, graded_pairs
from training.labels import (
    WHENEVER,
    decision_times,
    labels_known_before,
    outcome_values,
)
from training.responses import Answers, answers_of
from training.split import TimeSplit, brand_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = ("auto", "time", "brand")
CUTS = ("valid_from", "test_from", "embargo")
"""What of a plan in time is on record, by which it can be made again."""
ADVANTAGE = "advantage"
LATE = "late"
"""Part of the briefs decided in the embargo before validation: too late to teach before it, known
by the time of the test."""


@dataclass(frozen=True)
class Plan:
    """Which briefs teach, which tune and which test one model.

    Attributes
    ----------
    name : str
        Name of the round, such as ``"time"`` or ``"fold 1"``.
    part : Series of str, indexed by brief_id
        ``"train"``, ``"valid"`` or ``"test"``, or `LATE`; briefs left out are absent.
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

    @property
    def taught(self) -> pd.Index[Any]:
        """The briefs that teach or tune: all that do not test."""
        return self.part.index[self.part != "test"]


@dataclass(frozen=True)
class Fit:
    """A model, and what it was made from.

    Attributes
    ----------
    matcher : Matcher
        The model.
    examples : Examples
        Pairs of all parts of its plan.
    pipeline : FeaturePipeline
        What made their signals.
    answers : Answers or None
        How KOLs answered the briefs that teach or tune.
    """

    matcher: Matcher
    examples: Examples
    pipeline: FeaturePipeline
    answers: Answers | None = None


def labelled_pairs(tables: Tables, horizon_days: int) -> pd.Series[int]:
    """Count the KOLs of each brief that a ripe outcome or a judgment says something about.

    Returns
    -------
    Series of int, indexed by brief_id
        1 or more; briefs without any are absent.
    """
    tried = outcome_values(tables, horizon_days)
    ids = ["brief_id", "kol_id"]
    told = pd.concat([tried[ids], tables.judgments[ids]]).drop_duplicates()
    return told.groupby("brief_id").size()


def ripening(tables: Tables, horizon_days: int) -> pd.Timedelta:
    """Return how long after a decision nearly all (95%) of what teaches is known.

    That is its ripe outcomes, for at least the horizon, which counts from publication; where
    there are none, its judgments, which may be known at once. At most three times the horizon.
    Of a brief decided later than that before a cut, only what came quickly is known at the cut.
    """
    horizon = pd.Timedelta(days=horizon_days)
    tried = outcome_values(tables, horizon_days)
    least, waits = horizon, tried["measured_at"] - tried["as_of"]
    if tried.empty:
        decided = tables.judgments["brief_id"].map(decision_times(tables))
        least, waits = pd.Timedelta(0), tables.judgments["judged_at"] - decided
    days = waits.dt.total_seconds().quantile(0.95) / 86_400
    if math.isnan(days):
        return least
    # Where every outcome carries the date of an export, the wait is no wait: hence the end.
    return min(max(least, pd.Timedelta(days=math.ceil(days))), 3 * horizon)


def plan_by_time(
    tables: Tables, config: Config, cuts: Mapping[str, str] = MappingProxyType({})
) -> Plan:
    """Teach on the past, tune on what came next, test on the latest.

    Parameters
    ----------
    cuts : mapping
        Cuts of an earlier plan, to part these tables at the same moments: whatever was decided
        since its test began tests. By default cuts are made where shares say.

    Raises
    ------
    UserError
        If too few briefs have labels, they lie too close in time, or what was decided before a
        cut became known only after it.
    """
    if not cuts:
        return plans_by_time(tables, config, 1)[0]
    split = TimeSplit(
        pd.Timestamp(cuts["valid_from"]),
        pd.Timestamp(cuts["test_from"]),
        pd.Timedelta(cuts["embargo"]),
    )
    return _time_plan(tables, config, _dated(tables, config), split, "time")


def plans_by_time(tables: Tables, config: Config, origins: int) -> list[Plan]:
    """Part the briefs at several moments (`training.split.TimeSplit.rolling`), the latest first.

    Raises
    ------
    UserError
        As `plan_by_time` does.
    """
    briefs = _dated(tables, config)
    embargo = ripening(tables, config.training.horizon_days)
    shares = (config.training.valid_share, config.training.test_share)
    try:
        splits = TimeSplit.rolling(briefs, origins, *shares, embargo=embargo)
    except ValueError as error:
        fewer = "fewer --origins need less; " if origins > 1 else ""
        raise UserError(
            f"{error}; {fewer}brand-grouped folds (--split brand) need no time"
        ) from error
    names = (
        ["time"] if origins == 1 else [f"origin {n} of {origins}" for n in range(origins, 0, -1)]
    )
    made = [
        _time_plan(tables, config, briefs, split, name)
        for split, name in zip(splits, names, strict=True)
    ]
    least = config.training.least_briefs
    for plan in made[1:]:
        taught = len(plan.briefs("train"))
        if taught < least:
            raise UserError(
                f"Got {taught} briefs to teach at {plan.name}, whose test begins at "
                f"{plan.cuts['test_from']}, but training needs {least}; use fewer --origins"
            )
    return made


def _dated(tables: Tables, config: Config) -> pd.DataFrame:
    """Return the briefs with labels whose moment of choice is known."""
    briefs = _labelled(tables, config)
    dated = briefs["decided_at"].notna()
    if dated.sum() < config.training.least_briefs:
        raise UserError(
            f"Got {len(briefs)} briefs with outcomes or judgments, of which {int(dated.sum())} "
            f"tell when they were decided or judged, but learning from the past needs "
            f"{config.training.least_briefs}; brand-grouped folds (--split brand) need no time"
        )
    return briefs[dated].reset_index(drop=True)


def _time_plan(
    tables: Tables, config: Config, briefs: pd.DataFrame, split: TimeSplit, name: str
) -> Plan:
    part = split.part(briefs).set_axis(briefs["brief_id"])
    if config.training.refit:
        between = (briefs["decided_at"] < split.valid_from).to_numpy()
        part = part.mask((part == "embargo").to_numpy() & between, LATE)
    # Of the youngest briefs only what came quickly is known; they would test on that alone.
    ripe_until = tables.outcomes["measured_at"].max() - split.embargo
    unripe = briefs["decided_at"].to_numpy() > ripe_until
    kept = part.isin(["train", LATE, "valid", "test"])
    part = part[kept & ~(unripe & (part == "test").to_numpy())]
    until = {"train": split.valid_from, "valid": split.test_from, "test": WHENEVER}
    until[LATE] = split.test_from
    cuts = {"valid_from": split.valid_from, "test_from": split.test_from, "embargo": split.embargo}
    if split.test_until is not None:
        cuts["test_until"] = split.test_until
    plan = Plan(name, part, part.map(until), {cut: str(at) for cut, at in cuts.items()})
    told = labelled_pairs(
        labels_known_before(tables, plan.known_before), config.training.horizon_days
    )
    for each in ("train", "valid"):
        if plan.briefs(each).intersection(told.index).empty:
            raise UserError(
                f"Got no outcome or judgment of the {len(plan.briefs(each))} briefs of part {each} "
                f"that was known before {until[each]}; check measured_at and judged_at, which say "
                "when each became known, or use brand-grouped folds (--split brand)"
            )
    return plan


def plans(
    tables: Tables, config: Config, split: str = "auto", origins: int | None = None
) -> tuple[str, list[Plan]]:
    """Part the briefs.

    Parameters
    ----------
    tables : Tables
        Everything known.
    config : Config
        Settings.
    split : str
        ``"time"`` (`plans_by_time`), ``"brand"`` (`plans_by_brand`), or ``"auto"``: by time,
        unless judgments are all there is to learn from and they have no order in time.
    origins : int, optional
        Rolling origins in time, by default those of the settings.

    Returns
    -------
    str
        How they were parted.
    list of Plan
        One a round; the first makes the model that is registered.

    Raises
    ------
    UserError
        As those do.
    """
    if split not in SPLITS:
        raise ValueError(f"Got split={split!r} but expected one of {', '.join(SPLITS)}")
    if split == "brand":
        return "brand", plans_by_brand(tables, config)
    try:
        return "time", plans_by_time(tables, config, origins or config.training.origins)
    except UserError:
        if split == "time" or not outcome_values(tables, config.training.horizon_days).empty:
            raise
    return "brand", plans_by_brand(tables, config)


def plans_by_brand(tables: Tables, config: Config) -> list[Plan]:
    """Deal brands into folds; each fold tests once, and the next one tunes.

    For data in which time says nothing. Labels count whenever they became known.

    Raises
    ------
    UserError
        If too few briefs have labels, or there are fewer brands than folds.
    """
    briefs = _labelled(tables, config)
    folds = config.training.folds
    brands = briefs["brand_id"].nunique()
    if folds < 3:
        raise UserError(
            f"Got folds = {folds} under [training] but --split brand needs 3 or more: one fold "
            "tests, one tunes and the others teach"
        )
    if brands < folds:
        raise UserError(
            f"Got briefs of {brands} brands but {folds} folds by brand need at least one each; "
            "lower `folds` under [training], or split by time (--split time)"
        )
    labels = labelled_pairs(tables, config.training.horizon_days)
    fold = brand_folds(briefs, folds, config.seed, positives=labels)
    known_before = pd.Series(WHENEVER, index=fold.index)
    plans = []
    for test in range(folds):
        part = pd.Series("train", index=fold.index)
        part[fold == test] = "test"
        part[fold == (test + 1) % folds] = "valid"
        name = f"fold {test + 1}"
        plans.append(Plan(name, part, known_before, {"fold": f"{test + 1} of {folds}"}))
    return plans


def _labelled(tables: Tables, config: Config) -> pd.DataFrame:
    """Return the briefs with labels, ``decided_at`` replaced by the moment of choice if known."""
    labels = labelled_pairs(tables, config.training.horizon_days)
    least = config.training.least_briefs
    if len(labels) < least:
        raise UserError(
            f"Got {len(labels)} briefs with outcomes of {config.training.horizon_days} "
            f"days or judgments but training needs {least}; until then `kolmatch match` ranks by "
            "content and audience"
        )
    briefs = tables.briefs[tables.briefs["brief_id"].isin(labels.index)]
    decided = briefs["brief_id"].map(decision_times(tables))
    return briefs.assign(decided_at=decided).reset_index(drop=True)


def fit_plan(
    plan: Plan,
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    progress: Progress = silent,
    *,
    refit: bool = True,
    grow: Grow = Forest.fit,
) -> Fit:
    """Fit a model on a plan's past.

    Without `refit` the forecasts do not learn from the validation part, whatever settings say
    (`refitted`): for whoever wants to ask that part something. `grow` trains the ranker's forest.
    """
    examples, pipeline = plan_examples(plan, history, pipeline, config, progress)
    answers = answers_of(history, pipeline, plan.known_before[plan.taught])
    matcher = fit_matcher(examples, plan, config, pipeline, answers, grow)
    fit = Fit(matcher, examples, pipeline, answers)
    return refitted(fit, plan) if refit and config.training.refit else fit


def refitted(fit: Fit, plan: Plan) -> Fit:
    """Let forecasts learn once more, from every brief that does not test.

    The newest third of what is known before the test would teach nothing but how far the model is
    to be believed. How large forests are, how forecasts are corrected and how far off they may be
    is as the validation part told of the model before; what it told of one that knew less is a
    little too careful. Only the chance of a yes is calibrated anew, on every answer as models of
    other brands saw it and on the latest as the model before did. The ranker, which corrects
    forecasts inside a brief, stays.
    """
    config, told, ranker = fit.matcher.config, fit.matcher.forecaster, fit.matcher.ranker
    every = fit.examples.of(plan.taught)
    if told is None or ranker is None or not told.heads:
        return fit
    again = _forecaster(every.known, config)
    accepts = told.acceptance
    if accepts is not None and fit.answers is not None:
        accepts = _acceptance(
            fit.answers.of(plan.taught), fit.answers.of(plan.briefs("valid")), accepts, config
        )
    forecaster = replace(
        told,
        # Nobody has told how far off a head may be that only all of them together could teach.
        heads={name: again.heads[name] for name in told.heads},
        typical={goal: again.typical[goal] for goal in told.typical},
        prices=again.prices,
        order_value=again.order_value,
        acceptance=accepts,
    )
    said = ranker.score(every.signals, forecaster)
    scout = Scout.fit(every.signals, said, every.pairs["brief_id"])
    return replace(fit, matcher=replace(fit.matcher, forecaster=forecaster, scout=scout))


def plan_examples(
    plan: Plan,
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    progress: Progress = silent,
) -> tuple[Examples, FeaturePipeline]:
    """Grade the pairs of a plan's briefs, as each part may know them, with their signals.

    Returns
    -------
    examples : Examples
        The pairs.
    pipeline : FeaturePipeline
        What made their signals: the given one, with projections that the training part taught.
    """
    tables, settings = history.tables, config.training
    graded = graded_pairs(tables, plan.briefs("train"), plan.known_before, settings)
    examples = build_examples(
        tables, history, pipeline, graded, settings, config.seed, progress, plan.known_before
    )
    return learn_affinity(examples, plan.briefs("train"), history, pipeline, config)


def fit_matcher(
    examples: Examples,
    plan: Plan,
    config: Config,
    pipeline: FeaturePipeline,
    answers: Answers | None = None,
    grow: Grow = Forest.fit,
) -> Matcher:
    """Fit forecasts and ranker on a plan's training part, tuned on its validation part.

    Parameters
    ----------
    examples : Examples
        Pairs of at least the training and validation briefs.
    pipeline : FeaturePipeline
        What made their signals.
    answers : Answers, optional
        How contacted KOLs answered; without them acceptance is not forecast.
    grow : callable
        What trains the ranker's forest.
    """
    train, valid = examples.of(plan.briefs("train")), examples.of(plan.briefs("valid"))
    forecaster = _forecaster(train.known, config)
    crossed = cross_forecasts(train, config)
    basis: Basis = JUDGMENTS if train.known.pairs["judged"].all() else OUTCOMES
    likeness = None
    # Without outcomes there is no forecast to start from, and without it nothing is known of a
    # pair but how alike it is.
    if config.training.unknown == "forecast" and len(forecaster.typical) > 0:
        seen, unseen = crossed[ADVANTAGE].to_numpy(), forecaster.advantage(valid.signals)
    else:
        likeness = _likeness(train, config)
        seen, unseen = cross_likeness(train, config), likeness(valid.signals)
    ranker = FitRanker.fit(
        train.ranking(seen, forecaster, config.training, basis),
        valid.ranking(unseen, forecaster, config.training, basis),
        likeness,
        config.ranker,
        config.seed,
        basis,
        grow,
    )
    forecaster = _calibrated(forecaster, train, crossed, valid, config)
    if answers is not None:
        acceptance = fit_acceptance(answers, plan, config)
        forecaster = replace(forecaster, acceptance=acceptance)
    said = ranker.score(train.signals, forecaster)
    scout = Scout.fit(train.signals, said, train.pairs["brief_id"])
    encoder_id = pipeline.embeddings.encoder.id
    return Matcher(config, encoder_id, forecaster, ranker, pipeline.projections, scout)


def cross_forecasts(examples: Examples, config: Config) -> pd.DataFrame:
    """Forecast each pair by heads that saw no collaboration of its brand.

    What a forecast says of its own training rows is too good: a ranker that boosts from it would
    trust it too much, and an interval around it would be too narrow.

    Returns
    -------
    DataFrame, shape (n, 1 + heads)
        ``advantage``, 0 where there is but one brand, and by head the log of its forecast, null
        where others taught none.
    """
    names = [ADVANTAGE, *(spec.name for spec in HEADS)]

    def score(others: Examples, held: Examples) -> NDArray[np.float64]:
        forecaster = _forecaster(others.known, config)
        told = {name: head.log(held.signals) for name, head in forecaster.heads.items()}
        told[ADVANTAGE] = forecaster.advantage(held.signals)
        return pd.DataFrame(told).reindex(columns=names).to_numpy(dtype=np.float64)

    blank = np.full((len(examples.pairs), len(names)), np.nan)
    blank[:, 0] = 0.0
    return pd.DataFrame(_crossed(score, examples, config.training.folds, blank), columns=names)


def cross_likeness(examples: Examples, config: Config) -> NDArray[np.float64]:
    """Score each pair by a likeness that was learned from other brands, shape (n,)."""

    def score(others: Examples, held: Examples) -> NDArray[np.float64]:
        return _likeness(others, config)(held.signals)

    return _crossed(score, examples, config.training.folds, np.zeros(len(examples.pairs)))


def _crossed(
    score: Callable[[Examples, Examples], NDArray[np.float64]],
    examples: Examples,
    folds: int,
    blank: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Score each fold of brands by what the others taught; `blank` where there is but one brand."""
    from sklearn.model_selection import GroupKFold

    groups = examples.pairs["brand_id"]
    folds = min(folds, groups.nunique())
    scores = blank.copy()
    if folds < 2:
        return scores
    for others, held in GroupKFold(folds).split(groups, groups=groups):
        mask = np.zeros(len(groups), dtype=bool)
        mask[others] = True
        scores[held] = score(examples.where(mask), examples.where(~mask))
    return scores


def _likeness(examples: Examples, config: Config) -> Likeness:
    target = examples.preference(config.training)
    told = target.notna().to_numpy()
    brief = pd.factorize(examples.pairs["brief_id"][told], sort=True)[0].astype(np.int64)
    share = np.asarray(target[told], dtype=np.float64)
    return Likeness.fit(examples.signals[told], share, brief)


def fit_acceptance(answers: Answers, plan: Plan, config: Config) -> Acceptance | None:
    """Fit the chance of a yes on a plan's training part, calibrated on its validation part.

    Returns
    -------
    Acceptance or None
        ``None`` of too few answers.
    """
    return _acceptance(
        answers.of(plan.briefs("train")), answers.of(plan.briefs("valid")), None, config
    )


def _acceptance(
    past: Answers, later: Answers, before: Acceptance | None, config: Config
) -> Acceptance | None:
    """Fit on `past`, calibrated on it and on what the model `before`, or this one, says of `later`.

    A model that learned from the later answers too cannot be asked about them; the one before can.
    """
    fitted = Acceptance.fit(past.signals, past.accepted, config.forecast, config.seed)
    if fitted is None:
        return None
    told = (before or fitted).log_odds(later.signals)
    return fitted.calibrated(_crossed_odds(past, config), past.accepted, told, later.accepted)


def _crossed_odds(train: Answers, config: Config) -> NDArray[np.float64]:
    """Return the log odds of a yes by models that saw no answer to the brand, NaN without one."""
    from sklearn.model_selection import GroupKFold

    groups = train.pairs["brand_id"]
    folds = min(config.training.folds, groups.nunique())
    odds = np.full(len(groups), np.nan)
    if folds < 2:
        return odds
    for others, held in GroupKFold(folds).split(groups, groups=groups):
        model = Acceptance.fit(
            train.signals.iloc[others], train.accepted[others], config.forecast, config.seed
        )
        if model is not None:
            odds[held] = model.log_odds(train.signals.iloc[held])
    return odds


def _calibrated(
    forecaster: Forecaster,
    train: Examples,
    crossed: pd.DataFrame,
    valid: Examples,
    config: Config,
) -> Forecaster:
    """Correct forecasts by what the validation part brought, and say how far they may be off."""
    known = train.pairs["known"].to_numpy(dtype=bool)
    past, later = train.known, valid.known
    logs = {name: crossed[name].to_numpy()[known] for name in forecaster.heads}
    return forecaster.calibrated(
        Backcast(past.signals, past.pairs, logs),
        later.signals,
        later.pairs,
        config.intervals,
        config.forecast.least_rows // 2,
        config.seed,
    )


def _forecaster(known: Examples, config: Config) -> Forecaster:
    weight = None
    if config.training.propensity_weights != "none":
        weight = np.asarray(known.propensity_weight(config.training), dtype=np.float64)
    return Forecaster.fit(known.signals, known.pairs, config.forecast, config.seed, weight)
