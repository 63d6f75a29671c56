"""Commands about lists: match briefs with KOLs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matcher.commands.shared import (
    LAKE,
    STALE,
    ConfigFile,
    DataPath,
    EngineName,
    MappingFile,
    MetricsFile,
    Scheduler,
    TrackingUri,
    Workers,
    check_engine,
    existing,
    load_config,
    measured,
    open_embeddings,
    open_source,
    read_time,
    terminal_of_run,
)

if TYPE_CHECKING:
    from matcher.console import Terminal
    from matcher.jobmetrics import JobMetrics
    from serving.job import Served


def match(
    data: DataPath = LAKE,
    brief: Annotated[
        list[str] | None, typer.Option("--brief", help="Brief id; repeat for more. Default: open.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Moment of the decision, UTC. Default: now.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Matches per brief. Default: 20.")] = None,
    explore: Annotated[
        float | None,
        typer.Option(
            "--explore",
            min=0.0,
            max=0.5,
            help="Share of each list's places, at its end, drawn by chance. Default: the model's.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", file_okay=False, help="Folder for the lists. Default: beside the data."
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            help="Name of the run. Taken already, it is the same run if data, model, --as-of and "
            "the other options are the same, and refused if not.",
        ),
    ] = None,
    plan: Annotated[
        bool | None,
        typer.Option(
            "--plan/--no-plan",
            help="Plan each brief's budget; most of the time goes there. Default: the model's.",
        ),
    ] = None,
    files: Annotated[
        bool,
        typer.Option("--files/--no-files", help="Write pages, XLSX and CSV beside the run."),
    ] = True,
    memory: Annotated[
        float | None,
        typer.Option(
            "--memory",
            min=0.1,
            help="GB that the run (with --engine dask: each worker) may take. Default: the "
            "model's.",
        ),
    ] = None,
    engine: EngineName = "single",
    scheduler: Scheduler = None,
    workers: Workers = None,
    language: Annotated[
        Literal["zh", "en"], typer.Option(help="Language of the lists and reasons.")
    ] = "en",
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
    metrics: MetricsFile = None,
) -> None:
    """Rank KOLs for briefs with the champion and publish the lists as a run: pages, XLSX, CSV.

    Without a champion KOLs are ranked by likeness of content and audience, and every row says so.
    Where no brief is open nothing is published, and that is no fault. Twice the same data, model,
    --as-of and options is one run: give --as-of wherever a scheduler may try again.
    """
    import pandas as pd

    from matcher.registry import Registry
    from matcher.screens import show_matches
    from serving.distributed import DaskEngine
    from serving.job import HERE, open_briefs, serve
    from serving.page import write_pages
    from serving.privacy.outputs import door
    from serving.workbook import write_files
    from serving.workflow import write_workflow

    check_engine(engine, scheduler, workers)
    terminal, job = terminal_of_run(), measured("match", metrics)
    now = pd.Timestamp.now(tz="UTC").floor("s")
    moment = now if as_of is None else read_time(as_of)
    settings = load_config(config)
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress, by_kol=True)
        if not brief and not open_briefs(source.tables, moment):
            terminal.say(
                f"No brief is open at {moment:%Y-%m-%d %H:%M} UTC: each was decided or ended "
                "before. Nothing is published; name one with --brief, or give an earlier --as-of.",
                briefs=0,
            )
            job.set("kolmatch_briefs", 0)
            job.set("kolmatch_matches", 0)
            return
        loaded = Registry(source.home, tracking_uri).champion()
        if loaded:
            settings = loaded.matcher.config
            if config:
                terminal.warn(f"--config {config} is not used: the champion brings its settings")
        served = serve(
            source.tables,
            source.versions,
            source.home,
            loaded,
            settings,
            open_embeddings(source, settings, progress),
            as_of=moment,
            created_at=now,
            brief_ids=brief or (),
            top=top,
            explore_share=explore,
            plan=plan,
            memory=memory,
            run_id=run_id,
            engine=HERE if engine == "single" else DaskEngine(data, scheduler, workers),
            progress=progress,
        )
    _measure(job, served)
    if not files:
        terminal.say(f"Run {served.run.run_id} is published.", run_id=served.run.run_id)
        _tell_stale(terminal, served)
        return
    result, folder = served.published, out or source.home / "lists"
    with door(source.home, source.versions)([folder / served.run.run_id]):
        written = write_files(
            folder,
            served.run,
            result.matches,
            result.exclusions,
            source.tables.briefs,
            language,
            result.details,
        )
        work = write_workflow(
            folder, served.run, result.matches, source.tables, language, result.details
        )
        pages = write_pages(folder, result, source.tables, language)
    show_matches(terminal, result.matches, result.exclusions, source.tables.briefs, language)
    for file in written:
        terminal.say(f"Wrote {file}", file=str(file))
    for made in work.folders:
        terminal.say(f"Wrote {made}: outreach, contracts, calendar, monitoring", file=str(made))
    for file in work.kept:
        terminal.warn(
            f"{file} is there already with other content and stays as it is; move it away to have "
            "it written anew",
            kept=str(file),
        )
    terminal.say(f"Run {served.run.run_id} is published.", run_id=served.run.run_id)
    terminal.say(f"Open {pages[-1]} in a browser.", page=str(pages[-1]))
    _tell_stale(terminal, served)


def _measure(job: JobMetrics, served: Served) -> None:
    from serving.publish import count_matches

    run = served.run
    job.set("kolmatch_briefs", len(run.briefs))
    if job.file is not None:
        job.set("kolmatch_matches", count_matches(served.home, run.run_id))
    job.set("kolmatch_model_stale", bool(served.stale))
    if run.model_version is not None:
        job.set("kolmatch_model_version", float(run.model_version))
    if run.trained_at is not None:
        age = max((run.created_at - run.trained_at).total_seconds(), 0.0)
        job.set("kolmatch_model_age_seconds", age)


def _tell_stale(terminal: Terminal, served: Served) -> None:
    """Say that an older copy of the model served, if it did."""
    if served.stale:
        days = served.run.model_days
        age = "of unknown age" if days is None else f"{days} days old"
        terminal.warn(
            f"the registry could not give the champion ({served.stale}); served the last good "
            f"copy, version {served.run.model_version}, {age}",
            stale=served.stale,
            model_days=days,
        )
        raise typer.Exit(STALE)


def why(
    data: DataPath = LAKE,
    kols: Annotated[
        tuple[str, str] | None, typer.Option("--kols", help="The two KOLs, by id.")
    ] = None,
    brief: Annotated[
        str | None, typer.Option("--brief", help="Brief id. Default: the only one of the run.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="A published run. Default: the latest.")
    ] = None,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Language of the words.")] = "en",
) -> None:
    """Say why one of two KOLs is ranked above the other, by a published run."""
    from features.errors import UserError
    from features.lake import home_of
    from matcher.reasons.contrast import contrast, sides
    from serving.publish import latest_run, read_run

    home = home_of(existing(data))
    latest = latest_run(home)
    if latest is None:
        raise UserError(f"Got {data} without a published run; make one with `kolmatch match`")
    matches = read_run(home, run_id or latest.run_id).matches
    briefs = sorted(set(matches["brief_id"]))
    brief_id = brief or (briefs[0] if len(briefs) == 1 else None)
    if brief_id not in briefs:
        raise UserError(f"Got brief {brief_id} but expected --brief with one of {briefs}")
    matches = matches[matches["brief_id"] == brief_id].set_index("kol_id", drop=False)
    unknown = [kol for kol in kols or () if kol not in matches.index]
    if kols is None or unknown:
        raise UserError(
            f"Got KOLs {unknown} but expected --kols with two of the {len(matches)} matches of "
            f"brief {brief_id}, by id"
        )
    one, other = sides(matches.loc[list(kols)])
    sentences = contrast(one, other, language)
    typer.echo(("" if language == "zh" else " ").join(sentences))
