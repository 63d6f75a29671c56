"""The training job: tables in, an evaluated and registered challenger out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import Registry, TrackedRun
from training.artifacts import log_report
from training.choices import ARTIFACT, as_ranker, from_json
from training.evaluate import Evaluation, evaluate
from training.examples import Examples, graded_pairs
from training.finetune import Choice, tunable
from training.fit import CUTS, plan_by_time, plans
from training.gate import PROBE, probe
from training.report import Report, Subject
from training.rounds import Round, play
from training.summary import ARTIFACT as SUMMARY
from training.window import TAUGHT, taught_by


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
    """

    version: str
    report: Report
    metrics: dict[str, float]
    cuts: dict[str, str]
    split: str
    choice: Choice | None = None

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
    params = {
        "split": parted,
        "command": command,
        "data_versions": json.dumps(dict(versions)),
        "config": config.model_dump_json(),
        "encoder": embeddings.encoder.id,
        **planned[0].cuts,
    }
    with registry.run(f"train {parted}", params) as run:
        rounds = [play(plan, history, pipeline, config, progress, encoders) for plan in planned]
        report = _report(rounds, tables, command, parted, versions)
        metrics = report.metrics() | tuning_metrics(rounds[0].choice)
        run.metrics(metrics)
        _log_for_the_gate(run, rounds[0])
        version = run.register(rounds[0].matcher, rounds[0].test.signals.head(20))
        log_report(run, report, version)
    return Trained(version, report, metrics, planned[0].cuts, parted, rounds[0].choice)


def evaluate_version(
    matcher: Matcher,
    tables: Tables,
    embeddings: Embeddings,
    *,
    split: str = "auto",
    cuts: Mapping[str, str] | None = None,
    choices: str | None = None,
    progress: Progress = silent,
) -> Round:
    """Measure a registered model on test briefs of these tables.

    Parameters
    ----------
    split : str
        How its training parted the briefs. ``"brand"`` tests on the fold that `train` kept from
        the model it registered.
    cuts : mapping, optional
        Where its training cut time: whatever was decided since its test began tests. Without
        them a split in time is made anew, and where the model was trained on data as new as
        these, some of its test briefs may have taught it.
    choices : str, optional
        What the training learned from choices alone, as it kept it.
    """
    history = History(tables)
    config = matcher.config
    pipeline = matcher.pipeline(embeddings)
    plan = (
        plan_by_time(tables, config, cuts)
        if split == "time" and cuts
        else plans(tables, config, split, origins=1)[1][0]
    )
    graded = graded_pairs(tables, plan.briefs("train"), plan.known_before, config.training)
    graded = graded[graded["brief_id"].isin(plan.briefs("test"))].assign(known=True)
    asked = tables.briefs.set_index("brief_id").loc[graded["brief_id"], ["brand_id", "goal"]]
    graded[["brand_id", "goal"]] = asked.to_numpy()
    signals = pipeline.transform(graded[["brief_id", "kol_id", "as_of"]], history)
    test, chosen = Examples(graded, signals), from_json(choices)
    evaluation = evaluate(matcher, test, history, pipeline, progress, as_ranker(chosen))
    return Round(plan, matcher, test, evaluation, chosen=chosen)


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
    with registry.run(name, params) as run:
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
                    progress=progress,
                )
            ]
        else:
            history, pipeline = History(tables), FeaturePipeline(config.features, embeddings)
            planned = plans(tables, config, split, refit)[1]
            rounds = [play(plan, history, pipeline, config, progress, encoders) for plan in planned]
        report = _report(rounds, tables, command, split, versions, refitted=refit is not None)
        metrics = report.metrics()
        run.params(rounds[0].plan.cuts)
        run.metrics(metrics)
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


def _log_for_the_gate(run: TrackedRun, made: Round) -> None:
    """Keep what `training.gate` must know of a training long after it."""
    run.json(taught_by(made.plan), TAUGHT)
    run.text(probe(made.matcher, made.test.signals.head(20)), PROBE)
    if made.learned is not None:
        run.text(made.learned.to_json(), SUMMARY)


def _report(
    rounds: list[Round],
    tables: Tables,
    command: str,
    split: str,
    versions: Mapping[str, str],
    *,
    refitted: bool = False,
) -> Report:
    encoder = rounds[0].matcher.encoder_id
    software = installed("kolmatch")
    subject = Subject(command, split, dict(versions), encoder, software, refitted)
    return Report(subject, tuple(rounds), tables)
