"""One round of testing: a model fitted on a plan's past, measured on its test briefs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from matcher.config import Config
from matcher.forest import Forest, Grow
from matcher.likeness import Likeness
from matcher.model import NOTHING, Matcher
from matcher.ranker import JUDGMENTS
from matcher.returns import returns
from training.choices import as_ranker, learn_choices
from training.coverage import forecast_metrics, future_masses
from training.drift import roster_summary
from training.evaluate import Evaluation, evaluate
from training.examples import Examples
from training.finetune import Choice, better_fit
from training.fit import Plan, fit_plan, refitted
from training.reliability import Reliability, interval_coverage
from training.summary import SignalSummary


@dataclass(frozen=True)
class Round:
    """One fit and its test.

    Attributes
    ----------
    plan : Plan
        Who taught, tuned and tested.
    matcher : Matcher
        The model.
    pipeline : FeaturePipeline
        What makes its signals.
    test : Examples
        Pairs of the test briefs.
    evaluation : Evaluation
        How it and the rules ranked them.
    choice : Choice or None
        Which text encoder the model is on, where one was tuned.
    learned : SignalSummary or None
        How the signals that taught it were spread, where it was fitted here.
    roster : SignalSummary or None
        How those of whole rosters were, likewise.
    chosen : Likeness or None
        What was learned from choices alone, to compare with.
    """

    plan: Plan
    matcher: Matcher
    pipeline: FeaturePipeline
    test: Examples
    evaluation: Evaluation
    choice: Choice | None = None
    learned: SignalSummary | None = None
    roster: SignalSummary | None = None
    chosen: Likeness | None = None

    @property
    def forecasts(self) -> pd.DataFrame:
        """What each tried pair brought, beside its forecast (`forecast_tried`)."""
        return forecast_tried(self.matcher, self.test)


def play(
    plan: Plan,
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    progress: Progress = silent,
    encoders: Path | None = None,
    *,
    kept: bool = True,
    grow: Grow = Forest.fit,
) -> Round:
    """Fit on a plan's past and measure on its test briefs.

    Where settings tune the text encoder, the better of two fits is measured, as the validation
    briefs say; `encoders` is where tuned ones are kept. Of a model that is not `kept` nobody will
    ask how the signals were spread. `grow` trains the ranker's forest.
    """
    if config.finetune.epochs and encoders is None:
        raise ValueError("Got [finetune] epochs but no folder for tuned encoders")
    tunes = config.finetune.epochs > 0 and encoders is not None
    fit = fit_plan(plan, history, pipeline, config, progress, refit=not tunes, grow=grow)
    choice: Choice | None = None
    if tunes and encoders is not None:
        fit, choice = better_fit(fit, plan, history, config, encoders, progress, grow)
        fit = refitted(fit, plan) if config.training.refit else fit
    test = fit.examples.of(plan.briefs("test"))
    taught = fit.examples.of(plan.briefs("train"))
    learned = SignalSummary.of(taught.signals, taught.pairs["brief_id"]) if kept else None
    roster = roster_summary(fit, plan, history, config) if kept else None
    # It may learn from whoever the model may.
    chosen = learn_choices(fit.examples.of(plan.taught) if config.training.refit else taught)
    others = as_ranker(chosen)
    evaluation = evaluate(fit.matcher, test, history, fit.pipeline, progress, others)
    return Round(plan, fit.matcher, fit.pipeline, test, evaluation, choice, learned, roster, chosen)


def forecast_tried(matcher: Matcher, test: Examples) -> pd.DataFrame:
    """Return what each tried pair of the test briefs brought, beside its forecast.

    Where the model rests on judgments: what each judged pair was graded.

    Returns
    -------
    DataFrame
        Columns of `training.examples.Examples.pairs`, every forecast that needs no price, and how
        its futures lie about it (`training.coverage.future_masses`).
    """
    judged = matcher.basis == JUDGMENTS
    tried = test.where((test.pairs["known"] & (test.pairs["judged"] == judged)).to_numpy())
    told = matcher.score(tried.signals).drop(columns="score")
    forecaster, luck = matcher.forecaster or NOTHING, matcher.config
    unpriced = tried.pairs[["brief_id", "kol_id"]].assign(price=np.nan, currency=None)
    drawn = {"draws": luck.serving.draws, "seed": luck.seed}
    brings = returns(forecaster, tried.signals, unpriced, **drawn).dropna(axis=1, how="all")
    forecasts = pd.concat([tried.pairs, told, brings], axis=1)
    asked = forecasts.assign(price=np.nan, currency=None)
    return forecasts.join(future_masses(forecaster, tried.signals, asked, **drawn))


def calibration_metrics(forecasts: pd.DataFrame) -> dict[str, float]:
    """Return how far the probabilities shown to people can be believed.

    Parameters
    ----------
    forecasts : DataFrame
        As `forecast_tried` gives them.

    Returns
    -------
    dict
        ``fit_ece``, the floor that luck alone would give it and further numbers
        (`training.reliability.Reliability`); what `training.coverage.forecast_metrics` tells, and
        of every forecast interval ``<forecast>_coverage`` with its limits and, where known,
        ``<forecast>_coverage_stated`` and ``_randomised``. Without outcomes to compare with,
        nothing.
    """
    if forecasts.empty:
        return {}
    values = reliability(forecasts).metrics("fit") | forecast_metrics(forecasts)
    for row in interval_coverage(forecasts).to_dict("records"):
        name = f"{row['forecast']}_coverage"
        values |= {name: row["coverage"]}
        told = {end: row[end] for end in ("low", "high", "stated", "randomised")}
        values |= {f"{name}_{end}": value for end, value in told.items() if not np.isnan(value)}
    return values


def reliability(forecasts: pd.DataFrame) -> Reliability:
    """Compare the chances that `forecast_tried` gives, of one pair or more, with successes."""
    return Reliability.of(forecasts["fit"], forecasts["success"], forecasts["brand_id"])
