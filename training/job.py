"""The training job: tables in, an evaluated and registered challenger out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.model import NOTHING, Matcher
from matcher.ranker import JUDGMENTS, OUTCOMES
from matcher.registry import Registry, TrackedRun
from matcher.returns import returns
from training.calibration import calibration_error, noise_floor, poisson_deviance
from training.coverage import forecast_metrics
from training.drift import ROSTER as ROSTER_SUMMARY
from training.drift import roster_summary
from training.evaluate import HEADLINE, MODEL, ROSTER, Evaluation, evaluate
from training.examples import Examples, graded_pairs
from training.finetune import Choice, better_fit, tunable
from training.fit import Plan, fit_plan, plans
from training.gate import PROBE, probe
from training.labels import outcome_values
from training.plots import plot_families, plot_rankers, plot_reliability
from training.replay import log_value
from training.summary import ARTIFACT, SignalSummary
from training.window import TAUGHT, taught_by


@dataclass(frozen=True)
class Trained:
    """What a training job made.

    Attributes
    ----------
    version : str
        Version in the registry, now the challenger.
    evaluation : Evaluation
        Metrics on test briefs, per brief.
    metrics : dict
        Headline numbers, as logged.
    cuts : dict
        How briefs were split.
    split : str
        ``"time"`` or ``"brand"``.
    choice : Choice or None
        Whether the registered model reads with a tuned text encoder, where one was tuned.
    unconverted : int
        Outcomes that taught nothing per cost, since revenue and cost are in two currencies of
        which no rate was known.
    """

    version: str
    evaluation: Evaluation
    metrics: dict[str, float]
    cuts: dict[str, str]
    split: str
    choice: Choice | None = None
    unconverted: int = 0


@dataclass(frozen=True)
class Round:
    """One fit and its test, and which text encoder it is on, where one was tuned."""

    plan: Plan
    matcher: Matcher
    pipeline: FeaturePipeline
    test: Examples
    evaluation: Evaluation
    learned: SignalSummary
    roster: SignalSummary
    choice: Choice | None = None


def train(
    tables: Tables,
    versions: Mapping[str, str],
    config: Config,
    embeddings: Embeddings,
    registry: Registry,
    *,
    split: str = "auto",
    command: str = "",
    encoders: Path | None = None,
    marks: Mapping[str, str] = MappingProxyType({}),
    progress: Progress = silent,
) -> Trained:
    """Fit, evaluate, track and register a model.

    Parameters
    ----------
    tables : Tables
        Everything known.
    versions : mapping
        Version of each table, for the record.
    config : Config
        Settings. Users' vector spaces found in the tables are added to the features.
    embeddings : Embeddings
        Text vectors.
    registry : Registry
        Where the run and the model go.
    split : str
        ``"time"``: teach on the past, test on the latest. ``"brand"``: brand-grouped folds, for
        data without a time order; metrics are over all folds, and the registered model is the
        first fold's. ``"auto"``: the one that fits the data (`training.fit.plans`).
    command : str
        What was typed, for the record.
    encoders : Path, optional
        Where tuned text encoders are kept, needed where settings tune one.
    marks : mapping
        Parameters of the run beside those that every run has.

    Raises
    ------
    UserError
        If there is too little to learn from, or the text encoder cannot be tuned but shall be.
    """
    if config.finetune.epochs:
        tunable(embeddings.encoder)  # before hours of work, not after
    config = config.with_spaces(tables)
    history = History(tables)
    pipeline = FeaturePipeline(config.features, embeddings)
    parted, rounds_planned = plans(tables, config, split)
    tried = outcome_values(tables, config.training.horizon_days)
    unconverted = int(tried["unconverted"].sum())
    params = {
        "split": parted,
        "command": command,
        "data_versions": json.dumps(dict(versions)),
        "config": config.model_dump_json(),
        "encoder": embeddings.encoder.id,
        "outcomes_unconverted": unconverted,
        **rounds_planned[0].cuts,
        **marks,
    }
    with registry.run(f"train {parted}", params) as run:
        rounds = [
            play(plan, history, pipeline, config, progress, encoders) for plan in rounds_planned
        ]
        evaluation = Evaluation(
            pd.concat([r.evaluation.per_brief for r in rounds], ignore_index=True)
        )
        forecasts = pd.concat(
            [forecast_tried(r.matcher, r.test) for r in rounds], ignore_index=True
        )
        policy, untold = log_value(
            [(r.matcher, r.pipeline, r.plan.briefs("test")) for r in rounds], history
        )
        if untold:
            run.tag("policy_not_identifiable", untold)
        metrics = (
            evaluation.metrics()
            | policy
            | headline(evaluation, config)
            | calibration_metrics(forecasts)
            | forecast_metrics(forecasts)
            | {
                f"briefs_{part}": float(n)
                for part, n in rounds_planned[0].part.value_counts().items()
            }
            | tuning_metrics(rounds[0].choice)
        )
        run.metrics(metrics)
        _log_tables_and_plots(run, evaluation, forecasts, rounds[0].matcher)
        _log_for_later(run, rounds[0])
        version = run.register(rounds[0].matcher, rounds[0].test.signals.head(20))
    cuts = rounds_planned[0].cuts
    return Trained(version, evaluation, metrics, cuts, parted, rounds[0].choice, unconverted)


def play(
    plan: Plan,
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    progress: Progress = silent,
    encoders: Path | None = None,
) -> Round:
    """Fit on a plan's past and measure on its test briefs.

    Where settings tune the text encoder, the better of two fits is measured, as the validation
    briefs say; `encoders` is where tuned ones are kept.
    """
    if config.finetune.epochs and encoders is None:
        raise ValueError("Got [finetune] epochs but no folder for tuned encoders")
    fit, choice = fit_plan(plan, history, pipeline, config, progress), None
    if config.finetune.epochs and encoders is not None:
        fit, choice = better_fit(fit, plan, history, config, encoders, progress)
    test = fit.examples.of(plan.briefs("test"))
    taught = fit.examples.of(plan.briefs("train"))
    learned = SignalSummary.of(taught.signals, taught.pairs["brief_id"])
    roster = roster_summary(fit, plan, history, config)
    evaluation = evaluate(fit.matcher, test, history, fit.pipeline, progress)
    return Round(plan, fit.matcher, fit.pipeline, test, evaluation, learned, roster, choice)


def evaluate_version(
    matcher: Matcher,
    tables: Tables,
    embeddings: Embeddings,
    *,
    split: str = "auto",
    progress: Progress = silent,
) -> Evaluation:
    """Measure a registered model on the test briefs of a split made anew on these tables.

    Where the model was trained on data as new as these, some test briefs of a split in time may
    have taught it: compare models on data newer than both. ``"brand"`` tests on the fold that
    `train` kept from the model it registered.
    """
    history = History(tables)
    config = matcher.config
    pipeline = matcher.pipeline(embeddings)
    plan = plans(tables, config, split)[1][0]
    graded = graded_pairs(tables, plan.briefs("train"), plan.known_before, config.training)
    graded = graded[graded["brief_id"].isin(plan.briefs("test"))].assign(known=True)
    signals = pipeline.transform(graded[["brief_id", "kol_id", "as_of"]], history)
    return evaluate(matcher, Examples(graded, signals), history, pipeline, progress)


def headline(evaluation: Evaluation, config: Config) -> dict[str, float]:
    """Return what decides on promotion: NDCG@10 of the model and of the best simple rule.

    With it goes the lower end of the 95% interval of the model's lead, brands resampled.

    On outcomes where there are any to compare, for they are what the agency is paid for; else on
    judgments; on the roster where being chosen is all that the data tells.
    """
    told = [view for view in (OUTCOMES, JUDGMENTS) if view in evaluation.views]
    view = told[0] if told and config.training.unknown != "negative" else ROSTER
    table = evaluation.summary(view)[HEADLINE]
    best = evaluation.best_baseline(view)
    lead = evaluation.comparison(view, seed=config.seed).set_index("ranker")
    return {
        "headline": float(table[MODEL]),
        "headline_best_baseline": float(table[best]),
        "headline_lead_low": float(lead["low"].astype(float)[best]),
    }


def tuning_metrics(choice: Choice | None) -> dict[str, float]:
    """Return what the validation briefs said of a tuned text encoder; nothing without one."""
    if choice is None:
        return {}
    return {
        "finetune_taken": float(choice.taken),
        "finetune_valid_plain": choice.plain,
        "finetune_valid_tuned": choice.tuned,
        "finetune_valid_lead_low": choice.low,
    }


def forecast_tried(matcher: Matcher, test: Examples) -> pd.DataFrame:
    """Return what each tried pair of the test briefs brought, beside its forecast.

    Where the model rests on judgments: what each judged pair was graded.

    Returns
    -------
    DataFrame
        Columns of `training.examples.Examples.pairs`, and every forecast that needs no price.
    """
    judged = matcher.basis == JUDGMENTS
    tried = test.where((test.pairs["known"] & (test.pairs["judged"] == judged)).to_numpy())
    told = matcher.score(tried.signals).drop(columns="score")
    unpriced = tried.pairs[["brief_id", "kol_id"]].assign(price=np.nan, currency=None)
    brings = returns(
        matcher.forecaster or NOTHING,
        tried.signals,
        unpriced,
        draws=matcher.config.serving.draws,
        seed=matcher.config.seed,
    ).dropna(axis=1, how="all")
    return pd.concat([tried.pairs, told, brings], axis=1)


def calibration_metrics(forecasts: pd.DataFrame) -> dict[str, float]:
    """Return how far the probabilities shown to people can be believed.

    Parameters
    ----------
    forecasts : DataFrame
        As `forecast_tried` gives them.

    Returns
    -------
    dict
        ``fit_ece`` and the floor that luck alone would give it; ``cvr_deviance`` and that of
        forecasting the same rate for all. Without outcomes to compare with, nothing.
    """
    if forecasts.empty:
        return {}
    fit, good = forecasts["fit"].to_numpy(), forecasts["success"].to_numpy(dtype=float)
    values = {"fit_ece": calibration_error(fit, good), "fit_ece_noise_floor": noise_floor(fit)}
    told = forecasts.dropna(subset=["cvr", "orders", "clicks"]).query("clicks > 0")
    if len(told):
        orders, clicks = told["orders"].to_numpy(), told["clicks"].to_numpy()
        same = np.full(len(told), orders.sum() / clicks.sum())
        values["cvr_deviance"] = poisson_deviance(told["cvr"].to_numpy(), orders, clicks)
        values["cvr_deviance_of_base_rate"] = poisson_deviance(same, orders, clicks)
    return values


def _log_for_later(run: TrackedRun, made: Round) -> None:
    """Keep what `training.gate` and `training.drift` must know of a training long after it."""
    run.text(made.roster.to_json(), ROSTER_SUMMARY)
    run.json(taught_by(made.plan), TAUGHT)
    run.text(made.learned.to_json(), ARTIFACT)
    run.text(probe(made.matcher, made.test.signals.head(20)), PROBE)


def _log_tables_and_plots(
    run: TrackedRun, evaluation: Evaluation, forecasts: pd.DataFrame, matcher: Matcher
) -> None:
    run.table(evaluation.per_brief, "evaluation/per_brief.csv")
    for view in evaluation.views:
        run.table(evaluation.summary(view).reset_index(), f"evaluation/{view}.csv")
        run.table(evaluation.comparison(view), f"evaluation/{view}_comparison.csv")
        run.figure(plot_rankers(evaluation, view), f"plots/{view}.png")
    if len(forecasts):
        fit, good = forecasts["fit"], forecasts["success"].astype(float)
        title = "Fit: chance of the upper half of peers, test outcomes"
        if matcher.basis == JUDGMENTS:
            title = "Fit: chance of a grade of 3 or 4, test judgments"
        run.figure(plot_reliability(fit, good, title), "plots/fit.png")
    if matcher.ranker is not None:
        run.figure(plot_families(matcher.ranker.forest.gain()), "plots/families.png")
