"""The training job: tables in, an evaluated and registered challenger out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from types import MappingProxyType

from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.forest import Forest, Grow
from matcher.model import Matcher
from matcher.registry import Registry, TrackedRun
from training.artifacts import log_report
from training.choices import ARTIFACT, as_ranker, from_json
from training.drift import ROSTER as ROSTER_SUMMARY
from training.evaluate import Evaluation, evaluate
from training.examples import Examples, graded_pairs
from training.finetune import Choice, tunable
from training.fit import CUTS, plan_by_time, plans
from training.gate import PROBE, probe
from training.labels import outcome_values
from training.replay import log_value
from training.report import Report, Subject
from training.rounds import Round, play
from training.summary import ARTIFACT as SUMMARY
from training.window import TAUGHT, plan_as_taught, taught_by


@dataclass(frozen=True)
class Trained:
    """What a training job made.

    Attributes
    ----------
    version : str
        Version in the registry, now the challenger.
    report : Report
        What was measured.
    metrics : dict
        Numbers as logged.
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
    report: Report
    metrics: dict[str, float]
    cuts: dict[str, str]
    split: str
    choice: Choice | None = None
    unconverted: int = 0

    @property
    def evaluation(self) -> Evaluation:
        """Metrics on test briefs, per brief."""
        return self.report.evaluation


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found, and the page that tells it."""

    report: Report
    metrics: dict[str, float]
    page: str


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
    grow: Grow = Forest.fit,
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
        ``"time"``: teach on the past, test on the latest, and at as many earlier origins as the
        settings ask for. ``"brand"``: brand-grouped folds, for data without a time order. Metrics
        are over all origins or folds; the registered model is that of the latest origin or the
        first fold. ``"auto"``: the one that fits the data (`training.fit.plans`).
    command : str
        What was typed, for the record.
    encoders : Path, optional
        Where tuned text encoders are kept, needed where settings tune one.
    marks : mapping
        Parameters of the run beside those that every run has.
    grow : callable
        What trains the ranker's forest (`training.distributed.DaskGrowing`).

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
    parted, planned = plans(tables, config, split)
    tried = outcome_values(tables, config.training.horizon_days)
    unconverted = int(tried["unconverted"].sum())
    params = {
        "split": parted,
        "command": command,
        "data_versions": json.dumps(dict(versions)),
        "config": config.model_dump_json(),
        "encoder": embeddings.encoder.id,
        "outcomes_unconverted": unconverted,
        **planned[0].cuts,
        **marks,
    }
    with registry.run(f"train {parted}", params, versions) as run:
        rounds = [
            play(
                plan,
                history,
                pipeline,
                config,
                progress,
                encoders,
                kept=plan is planned[0],
                grow=grow,
            )
            for plan in planned
        ]
        report = _report(rounds, history, command, parted, versions)
        metrics = report.metrics() | tuning_metrics(rounds[0].choice)
        _log_numbers(run, report, metrics)
        _log_for_later(run, rounds[0])
        version = run.register(rounds[0].matcher, rounds[0].test.signals.head(20))
        log_report(run, report, version)
    run.challenge(version)
    cuts = planned[0].cuts
    return Trained(version, report, metrics, cuts, parted, rounds[0].choice, unconverted)


def evaluate_version(
    matcher: Matcher,
    tables: Tables,
    embeddings: Embeddings,
    *,
    split: str = "auto",
    cuts: Mapping[str, str] | None = None,
    choices: str | None = None,
    taught: str | None = None,
    progress: Progress = silent,
) -> Round:
    """Measure a registered model on test briefs of these tables.

    Parameters
    ----------
    split : str
        How its training parted the briefs. ``"brand"`` tests on brands that taught it nothing.
    cuts : mapping, optional
        Where its training cut time: whatever was decided since its test began tests. Without
        them a split in time is made anew, and where the model was trained on data as new as
        these, some of its test briefs may have taught it.
    choices : str, optional
        What the training learned from choices alone, as it kept it.
    taught : str, optional
        What taught it, as its training kept it (`training.window.TAUGHT`); needed where it was
        split by brand.
    """
    history = History(tables)
    config = matcher.config
    pipeline = matcher.pipeline(embeddings)
    if split == "brand":
        plan = plan_as_taught(tables, config, taught)
    elif split == "time" and cuts:
        plan = plan_by_time(tables, config, cuts)
    else:
        plan = plans(tables, config, split, origins=1)[1][0]
    graded = graded_pairs(tables, plan.briefs("train"), plan.known_before, config.training)
    graded = graded[graded["brief_id"].isin(plan.briefs("test"))].assign(known=True)
    asked = tables.briefs.set_index("brief_id").loc[graded["brief_id"], ["brand_id", "goal"]]
    graded[["brand_id", "goal"]] = asked.to_numpy()
    signals = pipeline.transform_in_chunks(graded, history)
    test, chosen = Examples(graded, signals), from_json(choices)
    evaluation = evaluate(matcher, test, history, pipeline, progress, as_ranker(chosen))
    return Round(plan, matcher, pipeline, test, evaluation, chosen=chosen)


def evaluate_again(
    version: str,
    tables: Tables,
    versions: Mapping[str, str],
    embeddings: Embeddings,
    registry: Registry,
    *,
    refit: int | None = None,
    command: str = "",
    encoders: Path | None = None,
    progress: Progress = silent,
) -> Evaluated:
    """Measure a registered version on the data of today, and track it as a run of its own.

    Parameters
    ----------
    version : str
        Version in the registry.
    refit : int, optional
        Fit its recipe anew at so many rolling origins (or in folds by brand, as its training
        was), and measure those models instead of the version itself.
    tables, versions, embeddings, registry, command, encoders
        As in `train`.

    Raises
    ------
    UserError
        If there is no such version, or too little to test on.
    """
    matcher, made = registry.load(version), registry.params(version)
    split, config = made["split"], matcher.config
    if refit is not None and registry.metrics(version).get("finetune_taken"):
        raise UserError(
            f"Got version {version}, which reads with a text encoder tuned on its own past: fitted "
            "anew it would know what came later; use `kolmatch train --origins` to tune at each"
        )
    name = f"evaluate v{version}" if refit is None else f"evaluate v{version} refitted"
    params = {
        "model_version": version,
        "model_hash": matcher.hash,
        "split": split,
        "command": command,
        "data_versions": json.dumps(dict(versions)),
        "config": config.model_dump_json(),
        "encoder": matcher.encoder_id,
    }
    history = History(tables)
    with registry.run(name, params, versions) as run:
        run.tag("model_version", version)
        if refit is None:
            cuts = {str(cut): made[cut] for cut in CUTS if cut in made}
            kept = registry.text(version, ARTIFACT)
            rounds = [
                evaluate_version(
                    matcher,
                    tables,
                    embeddings,
                    split=split,
                    cuts=cuts,
                    choices=kept,
                    taught=registry.text(version, TAUGHT),
                    progress=progress,
                )
            ]
        else:
            pipeline = FeaturePipeline(config.features, embeddings)
            planned = plans(tables, config, split, refit)[1]
            rounds = [
                play(plan, history, pipeline, config, progress, encoders, kept=False)
                for plan in planned
            ]
        report = _report(rounds, history, command, split, versions, refitted=refit is not None)
        metrics = report.metrics()
        run.params(rounds[0].plan.cuts)
        _log_numbers(run, report, metrics)
        page = log_report(run, report, version)
    return Evaluated(report, metrics, page)


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


def _log_numbers(run: TrackedRun, report: Report, metrics: Mapping[str, float]) -> None:
    run.metrics(metrics)
    if report.untold:
        run.tag("policy_not_identifiable", report.untold)


def _log_for_later(run: TrackedRun, made: Round) -> None:
    """Keep what `training.gate` and `training.drift` must know of a training long after it."""
    run.json(taught_by(made.plan), TAUGHT)
    run.text(probe(made.matcher, made.test.signals.head(20)), PROBE)
    if made.learned is not None:
        run.text(made.learned.to_json(), SUMMARY)
    if made.roster is not None:
        run.text(made.roster.to_json(), ROSTER_SUMMARY)


def _report(
    rounds: list[Round],
    history: History,
    command: str,
    split: str,
    versions: Mapping[str, str],
    *,
    refitted: bool = False,
) -> Report:
    encoder = rounds[0].matcher.encoder_id
    software = installed("kolmatch")
    subject = Subject(command, split, dict(versions), encoder, software, refitted)
    tested = [(each.matcher, each.pipeline, each.plan.briefs("test")) for each in rounds]
    policy, untold = log_value(tested, history)
    return Report(subject, tuple(rounds), history.tables, policy, untold)
