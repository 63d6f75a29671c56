"""Commands about models: train, measure and promote them."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matcher.commands.shared import (
    LAKE,
    REFUSED,
    STATE,
    ConfigFile,
    DataPath,
    EngineName,
    MappingFile,
    MetricsFile,
    Scheduler,
    Split,
    TrackingUri,
    Workers,
    check_engine,
    existing,
    load_config,
    measured,
    open_embeddings,
    open_source,
    terminal_of_run,
)

if TYPE_CHECKING:
    from matcher.console import Terminal
    from matcher.forest import Grow
    from matcher.registry import Registry
    from training.evaluate import Evaluation
    from training.finetune import Choice

ORIGINS = 3
"""Moments at which `evaluate --refit` fits anew, unless told."""


def train(
    data: DataPath = LAKE,
    split: Split = "auto",
    origins: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Test at so many moments in time (rolling origins), the latest making the model; "
            "by default as the settings say.",
        ),
    ] = None,
    engine: EngineName = "single",
    scheduler: Scheduler = None,
    workers: Workers = None,
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
    metrics: MetricsFile = None,
) -> None:
    """Learn from past outcomes, compare with simple rules, and register the model as challenger.

    Without outcomes it learns from judgments: the grades 0 to 4 that people gave KOLs for briefs.
    Text and grades are enough. With --engine dask workers grow the ranker's forest together.
    """
    from matcher.forest import Forest
    from matcher.registry import Registry
    from training.distributed import dask_growing
    from training.job import train as fit

    check_engine(engine, scheduler, workers)
    terminal, job = terminal_of_run(), measured("train", metrics)
    settings = load_config(config)
    if origins is not None:
        rolling = settings.training.model_copy(update={"origins": origins})
        settings = settings.model_copy(update={"training": rolling})
    growing: AbstractContextManager[Grow]
    growing = nullcontext(Forest.fit) if engine == "single" else dask_growing(scheduler, workers)
    # Workers that cannot be had are told of before the work, not after it.
    with terminal.progress() as progress, growing as grow:
        source = open_source(data, mapping, progress, by_kol=True)
        embeddings = open_embeddings(source, settings, progress)
        registry = Registry(source.home, tracking_uri)
        trained = fit(
            source.tables,
            source.versions,
            settings,
            embeddings,
            registry,
            split=split,
            command=shlex.join(["kolmatch", *STATE.typed]),
            encoders=source.encoders,
            grow=grow,
            progress=progress,
        )
    job.set("kolmatch_model_version", float(trained.version))
    for name, value in trained.metrics.items():
        job.set("kolmatch_metric", value, metric=name)
    _show_evaluation(terminal, trained.evaluation)
    if trained.unconverted:
        terminal.warn(
            f"{trained.unconverted} outcomes taught nothing per cost: their revenue and cost are "
            "in two currencies, and `exchange_rates` knew no rate of them when they were measured.",
            unconverted=trained.unconverted,
        )
    if settings.finetune.epochs:
        show_choice(terminal, trained.choice)
    if split == "auto" and trained.split == "brand":
        terminal.say(
            "Judgments are all there is to learn from and tell no order in time: tested in folds "
            "by brand (--split brand).",
            split=trained.split,
        )
    terminal.say(trained.report.lead.sentence, verdict=trained.report.lead.verdict)
    next_step = ["kolmatch", "promote", str(data)]
    next_step += ["--mapping", str(mapping)] if mapping else []
    next_step += ["--tracking-uri", tracking_uri] if tracking_uri else []
    terminal.say(
        f"Model version {trained.version} is the challenger; "
        f"`{shlex.join(next_step)}` makes it champion, if the gate lets it.",
        version=trained.version,
        metrics=trained.metrics,
    )


def evaluate(
    data: DataPath = LAKE,
    version: Annotated[
        str | None, typer.Option("--version", help="Model version; by default the champion.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", dir_okay=False, help="Page to write; by default beside the data."),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit", help="Fit the version's recipe anew at several origins and measure those."
        ),
    ] = False,
    origins: Annotated[
        int | None,
        typer.Option(min=1, help="With --refit, at how many moments in time. Default: 3."),
    ] = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Measure a registered model against simple rules and write a page about it.

    It is tested on all briefs decided since its own test began (or, in folds by brand, on those
    kept from it). Where the data has not changed this repeats what `kolmatch train` printed. The
    page is one HTML file; page, tables, plots and card are also kept in MLflow as a run.
    """
    from features.errors import UserError
    from features.whole import write_whole
    from matcher.registry import CHAMPION, Registry
    from serving.privacy.outputs import door
    from training.job import evaluate_again

    if origins is not None and not refit:
        raise typer.BadParameter("only --refit looks at several moments", param_hint="--origins")
    terminal = terminal_of_run()
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress, by_kol=True)
        registry = Registry(source.home, tracking_uri)
        chosen = version or registry.resolve(CHAMPION)
        if chosen is None:
            raise UserError("Got no champion; train and promote a model, or name a --version")
        embeddings = open_embeddings(source, registry.load(chosen).config, progress)
        found = evaluate_again(
            chosen,
            source.tables,
            source.versions,
            embeddings,
            registry,
            refit=(origins or ORIGINS) if refit else None,
            command=shlex.join(["kolmatch", *STATE.typed]),
            encoders=source.encoders,
            progress=progress,
        )
    path = out or source.home / f"evaluation-v{chosen}{'-refitted' if refit else ''}.html"
    try:
        with door(source.home, source.versions)([path]):
            write_whole(path, found.page)
    except OSError as error:
        raise UserError(f"Got {path} for the page, which cannot be written: {error}") from error
    _show_evaluation(terminal, found.report.evaluation)
    terminal.say(found.report.lead.sentence, verdict=found.report.lead.verdict)
    terminal.say(
        f"Evaluated version {chosen}. Page: {path}",
        version=chosen,
        page=str(path),
        metrics=found.metrics,
    )


def promote(
    data: DataPath = LAKE,
    version: Annotated[
        str | None, typer.Option("--version", help="Model version; by default the challenger.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Promote even if the gate refuses; that is written down."),
    ] = False,
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Make a model the champion, which `kolmatch match` serves, if the gate lets it.

    The gate compares it with the champion on briefs that neither has seen, or with the best simple
    rule where there is none. Refused (exit 4) unless it is surely better, worse nowhere, honest,
    and no leak; every check is told in words. [gate] in --config, or in the settings it was
    trained with, says how much is asked.
    """
    from features.errors import UserError
    from features.lake import home_of
    from matcher.registry import CHALLENGER, CHAMPION, Registry
    from matcher.screens import show_verdict
    from training.gate import judge, take_over

    terminal = terminal_of_run()
    settings = load_config(config).gate if config else None
    registry = Registry(home_of(existing(data)), tracking_uri)
    chosen = version or registry.resolve(CHALLENGER)
    if chosen is None:
        raise UserError("Got no challenger to promote; run `kolmatch train` first")
    registry.status(chosen)  # is it there at all? Before the data is read, not after
    if chosen == registry.resolve(CHAMPION):
        raise UserError(f"Got version {chosen}, which is the champion already")
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress)
        verdict = judge(
            registry,
            chosen,
            source.tables,
            lambda settings: open_embeddings(source, settings, progress),
            settings=settings,
            progress=progress,
        )
    refused = not verdict.passed
    if refused and force:
        _force(terminal, registry, chosen, verdict.champion)
    else:
        verdict = take_over(registry, verdict)
        refused = not verdict.passed
    show_verdict(terminal, verdict.against, verdict.window, verdict.checks)
    if refused and not force:
        terminal.fail(
            f"version {chosen} is not promoted: {'; '.join(verdict.reasons)} (--force overrides)",
            version=chosen,
            reasons=verdict.reasons,
        )
        raise typer.Exit(REFUSED)
    if refused:
        terminal.warn(
            f"version {chosen} was promoted by force: {'; '.join(verdict.reasons)}",
            reasons=verdict.reasons,
        )
    terminal.say(
        f"Model version {chosen} is the champion.", version=chosen, before=verdict.champion
    )


def _force(terminal: Terminal, registry: Registry, version: str, expected: str | None) -> None:
    """Promote what the gate refused, unless it cannot even be loaded."""
    from features.errors import UserError
    from matcher.registry import CHAMPION

    try:
        registry.load(version)  # a model that cannot be loaded must not become champion
    except UserError as error:
        terminal.fail(f"version {version} is not promoted: {error}", version=version)
        raise typer.Exit(REFUSED) from error
    registry.move(CHAMPION, version, expected)
    registry.note(version, {}, {"gate": "forced"})


def rollback(
    data: DataPath = LAKE,
    tracking_uri: TrackingUri = None,
) -> None:
    """Make the previous champion champion again; repeated, it goes back one by one."""
    from features.lake import home_of
    from matcher.registry import CHAMPION, Registry

    terminal = terminal_of_run()
    registry = Registry(home_of(existing(data)), tracking_uri)
    gone = registry.resolve(CHAMPION)
    version = registry.rollback(gone)
    terminal.say(
        f"Model version {version} is the champion again, after version {gone}.",
        version=version,
        after=gone,
    )


def _show_evaluation(terminal: Terminal, evaluation: Evaluation) -> None:
    from matcher.screens import show_evaluation
    from training.evaluate import VIEWS

    show_evaluation(terminal, [(VIEWS[v], evaluation.summary(v)) for v in evaluation.views])


def show_choice(terminal: Terminal, choice: Choice | None) -> None:
    """Tell whether the model reads with a tuned text encoder, and why."""
    if choice is None:
        terminal.warn(
            "no text encoder was tuned: the training briefs prefer nobody whose texts tell"
        )
        return
    what = "the tuned text encoder" if choice.taken else "the text encoder as it is"
    terminal.say(
        f"The model reads with {what}: NDCG@10 on {choice.briefs} validation briefs is "
        f"{choice.tuned:.3f} with the tuned one and {choice.plain:.3f} without.",
        taken=choice.taken,
        tuned=choice.tuned,
        plain=choice.plain,
    )
