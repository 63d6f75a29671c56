"""The training job: tables in, an evaluated and registered challenger out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import Registry, TrackedRun
from training.calibration import calibration_error, noise_floor, poisson_deviance
from training.evaluate import HEADLINE, MODEL, OUTCOMES, ROSTER, Evaluation, evaluate
from training.examples import Examples, build_examples, graded_pairs
from training.fit import Plan, fit_matcher, plan_by_time, plans_by_brand
from training.plots import plot_families, plot_rankers, plot_reliability


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
    """

    version: str
    evaluation: Evaluation
    metrics: dict[str, float]
    cuts: dict[str, str]


@dataclass(frozen=True)
class Round:
    """One fit and its test."""

    plan: Plan
    matcher: Matcher
    test: Examples
    evaluation: Evaluation


def train(
    tables: Tables,
    versions: Mapping[str, str],
    config: Config,
    embeddings: Embeddings,
    registry: Registry,
    *,
    split: str = "time",
    command: str = "",
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
        data without a time order; the registered model is the first fold's.
    command : str
        What was typed, for the record.

    Raises
    ------
    UserError
        If there is too little to learn from.
    """
    config = with_spaces(config, tables)
    history = History(tables)
    pipeline = FeaturePipeline(config.features, embeddings)
    plans = _plans(tables, config, split)
    params = {
        "split": split,
        "command": command,
        "data_versions": json.dumps(dict(versions)),
        "config": config.model_dump_json(),
        "encoder": embeddings.encoder.id,
        **plans[0].cuts,
    }
    with registry.run(f"train {split}", params) as run:
        rounds = [play(plan, history, pipeline, config, progress) for plan in plans]
        evaluation = Evaluation(
            pd.concat([r.evaluation.per_brief for r in rounds], ignore_index=True)
        )
        metrics = (
            evaluation.metrics()
            | headline(evaluation, config)
            | _calibration(rounds)
            | _sizes(plans)
        )
        run.metrics(metrics)
        _log_artifacts(run, rounds, evaluation)
        first = rounds[0]
        version = run.register(first.matcher, first.test.signals.head(20))
    return Trained(version, evaluation, metrics, plans[0].cuts)


def play(
    plan: Plan,
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    progress: Progress = silent,
) -> Round:
    """Fit on a plan's past and measure on its test briefs."""
    graded = graded_pairs(history.tables, plan.briefs("train"), plan.known_before, config.training)
    examples = build_examples(
        history.tables, history, pipeline, graded, config.training, config.seed, progress
    )
    matcher = fit_matcher(examples, plan, config, pipeline.embeddings.encoder.id)
    test = examples.of(plan.briefs("test"))
    return Round(plan, matcher, test, evaluate(matcher, test, history, pipeline, progress))


def evaluate_version(
    matcher: Matcher,
    tables: Tables,
    embeddings: Embeddings,
    *,
    split: str = "time",
    progress: Progress = silent,
) -> Evaluation:
    """Measure a registered model on the test briefs of a split made anew on these tables.

    Where the model was trained on data as new as these, some test briefs of a split in time may
    have taught it: compare models on data newer than both. ``"brand"`` tests on the fold that
    `train` kept from the model it registered.
    """
    history = History(tables)
    config = matcher.config
    pipeline = FeaturePipeline(config.features, embeddings)
    plan = _plans(tables, config, split)[0]
    graded = graded_pairs(tables, plan.briefs("train"), plan.known_before, config.training)
    graded = graded[graded["brief_id"].isin(plan.briefs("test"))].assign(known=True)
    signals = pipeline.transform(graded[["brief_id", "kol_id", "as_of"]], history)
    return evaluate(matcher, Examples(graded, signals), history, pipeline, progress)


def _plans(tables: Tables, config: Config, split: str) -> list[Plan]:
    return [plan_by_time(tables, config)] if split == "time" else plans_by_brand(tables, config)


def with_spaces(config: Config, tables: Tables) -> Config:
    """Add the users' vector spaces that both briefs and KOLs have to the features."""
    owners = tables.vectors.groupby("space")["owner"].nunique()
    spaces = sorted({*config.features.spaces, *owners.index[owners == 2]})
    features = config.features.model_copy(update={"spaces": tuple(spaces)})
    return config.model_copy(update={"features": features})


def headline(evaluation: Evaluation, config: Config) -> dict[str, float]:
    """Return the numbers that decide on promotion: the model's and the best simple rule's NDCG@10.

    On outcomes where there are any to compare, for they are what the agency is paid for; on the
    roster where being chosen is all that the data tells.
    """
    choice = config.training.unknown == "negative" or OUTCOMES not in evaluation.views
    view = ROSTER if choice else OUTCOMES
    table = evaluation.summary(view)[HEADLINE]
    best = evaluation.best_baseline(view)
    return {"headline": float(table[MODEL]), "headline_best_baseline": float(table[best])}


def _calibration(rounds: list[Round]) -> dict[str, float]:
    """Measure how far the probabilities shown to people can be believed, on test outcomes."""
    told = pd.concat([_forecasts(r) for r in rounds])
    if told.empty:
        return {}
    fit, good = told["fit"].to_numpy(), told["success"].to_numpy(dtype=float)
    values = {
        "fit_ece": calibration_error(fit, good),
        "fit_ece_noise_floor": noise_floor(fit),
    }
    clicked = told[(told["clicks"] > 0) & told["cvr"].notna() & told["orders"].notna()]
    if len(clicked):
        rate = clicked["orders"].sum() / clicked["clicks"].sum()
        counts, clicks = clicked["orders"].to_numpy(), clicked["clicks"].to_numpy()
        values["cvr_deviance"] = poisson_deviance(clicked["cvr"].to_numpy(), counts, clicks)
        values["cvr_deviance_of_base_rate"] = poisson_deviance(clicks * 0 + rate, counts, clicks)
    return values


def _forecasts(played: Round) -> pd.DataFrame:
    known = played.test.known
    tried = known.where(~known.pairs["judged"].to_numpy())
    # Counts keep their names; of the forecasts only the two shown to people are wanted.
    scored = played.matcher.score(tried.signals)[["fit", "cvr"]]
    return pd.concat([tried.pairs, scored], axis=1)


def _sizes(plans: list[Plan]) -> dict[str, float]:
    return {
        f"briefs_{part}": float(len(plans[0].briefs(part))) for part in ("train", "valid", "test")
    }


def _log_artifacts(run: TrackedRun, rounds: list[Round], evaluation: Evaluation) -> None:
    run.table(evaluation.per_brief, "evaluation/per_brief.csv")
    for view in evaluation.views:
        run.table(evaluation.summary(view).reset_index(), f"evaluation/{view}.csv")
        run.table(evaluation.comparison(view), f"evaluation/{view}_comparison.csv")
        run.figure(plot_rankers(evaluation, view), f"plots/{view}.png")
    told = pd.concat([_forecasts(r) for r in rounds])
    title = "Fit: chance of the upper half of peers, test outcomes"
    run.figure(plot_reliability(told["fit"], told["success"].astype(float), title), "plots/fit.png")
    ranker = rounds[0].matcher.ranker
    if ranker is not None:
        run.figure(plot_families(ranker.forest.gain()), "plots/families.png")
