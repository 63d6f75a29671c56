"""The command line: one command a step, each usable alone.

Heavy imports live inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd

    from features.errors import Fault
    from features.lake import Data
    from features.progress import Progress
    from features.vectors import Embeddings
    from matcher.config import Config
    from matcher.console import Terminal
    from training.evaluate import Evaluation
    from training.finetune import Choice

OK, USAGE, BAD_DATA, REFUSED, STALE = 0, 2, 3, 4, 5

_EPILOG = (
    "Exit codes: 0 done, 2 wrong usage, 3 bad data (every fault is listed), 4 the gate refused a "
    "model, 5 done, but with an older model because the registry could not give the champion."
)

app = typer.Typer(
    name="kolmatch",
    help="Match brand briefs to KOLs, learning from what past collaborations really brought.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

DataPath = Annotated[
    Path,
    typer.Argument(help="A lake made by `kolmatch ingest`, or a folder of CSV, XLSX or Parquet."),
]
Folder = Annotated[Path, typer.Argument(help="A folder of CSV, XLSX or Parquet files.")]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        exists=True,
        dir_okay=False,
        help="TOML that says which column of your files is which of ours.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        exists=True,
        dir_okay=False,
        help="TOML with settings; the rest keep their defaults.",
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar="MLFLOW_TRACKING_URI",
        help="MLflow store; by default an SQLite file beside the data.",
    ),
]
Split = Annotated[
    Literal["auto", "time", "brand"],
    typer.Option(
        help="'time': learn from the past, test on the latest briefs. 'brand': brand-grouped "
        "folds, for data without an order in time. 'auto': by time, unless there are only "
        "judgments that tell none."
    ),
]
LAKE = Path("lake")


_PATH_ERRORS = (
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)
"""What a wrong path leads to, wherever it is found out."""


class _State:
    """What one run of the command line shares."""

    terminal: Terminal | None = None
    typed: Sequence[str] = ()


def _terminal() -> Terminal:
    """Return where output goes; a mistake may need it before any option was understood."""
    if _State.terminal is None:
        from matcher.console import Terminal

        _State.terminal = Terminal("--json" in _State.typed)
    return _State.terminal


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kolmatch {version('kolmatch')}")
        raise typer.Exit


@app.callback()
def _options(
    json_logs: Annotated[
        bool, typer.Option("--json", help="Log JSON lines on stderr, for unattended runs.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    from matcher.console import Terminal

    _State.terminal = Terminal(json_logs)


@app.command(epilog=_EPILOG)
def check(
    folder: Folder,
    mapping: MappingFile = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", dir_okay=False, help="Also write every fault to this CSV file."),
    ] = None,
) -> None:
    """Read a folder of files and list every fault, or what was understood.

    Nothing is written. Each fault names file, row, column, value and what was expected.
    """
    from features.errors import TableError
    from features.ingest import read_folder, summary

    terminal = _terminal()
    try:
        with terminal.progress() as progress:
            reading = read_folder(_files(folder), mapping, progress=progress)
    except TableError as error:
        _write_report(report, error.faults)
        raise
    _write_report(report, ())
    rows = [
        (row["table"], row["file"], row["rows"], row["columns"], row["ignored"])
        for row in summary(reading)
    ]
    terminal.table(["table", "file", "rows", "columns", "ignored"], rows)
    for note in reading.notes:
        terminal.say(f"note: {note}")
    terminal.say("No faults.", tables={name: len(frame) for name, frame in reading.tables})


@app.command(epilog=_EPILOG)
def ingest(
    folder: Folder,
    lake: Annotated[Path, typer.Option("--lake", help="Lake to add to; made if new.")] = LAKE,
    mapping: MappingFile = None,
) -> None:
    """Add a folder of files to a lake: new rows go in, rows with a known key are corrected.

    A row with a known key is replaced whole: send all its columns. The same files twice change
    nothing. With a fault anywhere nothing is written.
    """
    from features.ingest import read_folder
    from features.lake import Lake

    terminal = _terminal()
    store = Lake(lake)
    with terminal.progress() as progress:
        reading = read_folder(_files(folder), mapping, store.known(), progress)
        changes = store.ingest(reading.tables, progress)
    rows = [
        (name, change.inserted, change.updated, change.unchanged, change.version)
        for name, change in changes.items()
    ]
    terminal.table(["table", "new", "corrected", "unchanged", "version"], rows)
    terminal.say(f"Lake: {lake}", lake=str(lake), changes={n: vars(c) for n, c in changes.items()})


@app.command(epilog=_EPILOG)
def simulate(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Folder to write the tables to.")],
    kols: Annotated[int, typer.Option(min=20, help="KOLs in the market.")] = 2000,
    briefs: Annotated[int, typer.Option(min=5, help="Briefs, over two years.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same world.")] = 0,
    judged: Annotated[
        bool,
        typer.Option(
            "--judged",
            help="Text and people's grades, nothing else: briefs, kols, posts, judgments.",
        ),
    ] = False,
    file_format: Annotated[
        Literal["csv", "parquet", "xlsx"], typer.Option("--format", help="Kind of files.")
    ] = "csv",
) -> None:
    """Write a made-up market with known truth: KOLs, posts, prices, briefs, campaigns, results.

    With --judged: a made-up set of briefs, creators' texts and the grades 0 to 4 that people gave
    creators for briefs.
    """
    from features.errors import UserError
    from features.simulate import World, judged_set
    from features.simulate import simulate as build

    terminal = _terminal()
    try:
        world = (judged_set if judged else build)(kols=kols, briefs=briefs, seed=seed)
        world.write(folder, file_format)
    except ValueError as error:  # too few KOLs, or more rows than a worksheet holds
        raise UserError(str(error)) from error
    sizes = [(name, len(frame)) for name, frame in world.tables if len(frame)]
    terminal.table(["table", "rows"], sizes)
    if not isinstance(world, World):
        terminal.say(f"Files: {folder}. No time is told.", folder=str(folder))
        return
    terminal.say(
        f"Files: {folder}. The world ends on {world.as_of:%Y-%m-%d}: match with "
        f"--as-of {world.as_of:%Y-%m-%d}",
        folder=str(folder),
        as_of=world.as_of,
    )


@app.command(epilog=_EPILOG)
def train(
    data: DataPath = LAKE,
    split: Split = "auto",
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Learn from past outcomes, compare with simple rules, and register the model as challenger.

    Without outcomes it learns from judgments: the grades 0 to 4 that people gave KOLs for briefs.
    Text and grades are enough.
    """
    from matcher.registry import Registry
    from training.job import train as fit

    terminal = _terminal()
    settings = _config(config)
    with terminal.progress() as progress:
        source = _open(data, mapping, progress)
        embeddings = _embeddings(source, settings, progress)
        registry = Registry(source.home, tracking_uri)
        trained = fit(
            source.tables,
            source.versions,
            settings,
            embeddings,
            registry,
            split=split,
            command=shlex.join(["kolmatch", *_State.typed]),
            encoders=source.encoders,
            progress=progress,
        )
    _show_evaluation(terminal, trained.evaluation)
    if trained.unconverted:
        terminal.warn(
            f"{trained.unconverted} outcomes taught nothing per cost: their revenue and cost are "
            "in two currencies, and `exchange_rates` knew no rate of them when they were measured.",
            unconverted=trained.unconverted,
        )
    if settings.finetune.epochs:
        _show_choice(terminal, trained.choice)
    if split == "auto" and trained.split == "brand":
        terminal.say(
            "Judgments are all there is to learn from and tell no order in time: tested in folds "
            "by brand (--split brand).",
            split=trained.split,
        )
    where = f" --tracking-uri {tracking_uri}" if tracking_uri else ""
    terminal.say(
        f"Model version {trained.version} is the challenger; "
        f"`kolmatch promote {data}{where}` makes it champion.",
        version=trained.version,
        metrics=trained.metrics,
    )


@app.command(epilog=_EPILOG)
def evaluate(
    data: DataPath = LAKE,
    version: Annotated[
        str | None, typer.Option("--version", help="Model version; by default the champion.")
    ] = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Measure a registered model against simple rules on the latest briefs of the data.

    The briefs are parted as they were for its training: parted otherwise, those that taught it
    would test it. Where the data has not changed this repeats what `kolmatch train` printed.
    """
    from features.errors import UserError
    from matcher.registry import CHAMPION, Registry
    from training.job import evaluate_version

    terminal = _terminal()
    with terminal.progress() as progress:
        source = _open(data, mapping, progress)
        registry = Registry(source.home, tracking_uri)
        chosen = version or registry.resolve(CHAMPION)
        if chosen is None:
            raise UserError("Got no champion; train and promote a model, or name a --version")
        matcher = registry.load(chosen)
        embeddings = _embeddings(source, matcher.config, progress)
        split = registry.params(chosen)["split"]
        evaluation = evaluate_version(
            matcher, source.tables, embeddings, split=split, progress=progress
        )
    _show_evaluation(terminal, evaluation)
    terminal.say(f"Evaluated version {chosen}.", version=chosen, metrics=evaluation.metrics())


@app.command(epilog=_EPILOG)
def promote(
    data: DataPath = LAKE,
    version: Annotated[
        str | None, typer.Option("--version", help="Model version; by default the challenger.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Promote even if it does not surely beat the simple rules."),
    ] = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Make a model the champion, which `kolmatch match` serves.

    Refused (exit 4) if the model did not rank its test briefs surely better than the best simple
    rule (the 95% interval of its lead in NDCG@10 must lie above 0), or cannot be loaded.
    """
    import math

    from features.errors import UserError
    from features.lake import home_of
    from matcher.registry import CHALLENGER, Registry

    terminal = _terminal()
    registry = Registry(home_of(_existing(data)), tracking_uri)
    chosen = version or registry.resolve(CHALLENGER)
    if chosen is None:
        raise UserError("Got no challenger to promote; run `kolmatch train` first")
    metrics = registry.metrics(chosen)
    model = metrics.get("headline", math.nan)
    rule = metrics.get("headline_best_baseline", math.nan)
    least = metrics.get("headline_lead_low", math.nan)
    if not least > 0 and not force:
        terminal.fail(
            f"version {chosen} is not promoted: NDCG@10 {model:.3f} on its test briefs against "
            f"{rule:.3f} of the best simple rule; the 95% interval of the lead begins at "
            f"{least:+.3f}, which must be above 0 (--force overrides)"
        )
        raise typer.Exit(REFUSED)
    try:
        registry.load(chosen)  # a model that cannot be loaded must not become champion
    except UserError as error:
        terminal.fail(f"version {chosen} is not promoted: {error}")
        raise typer.Exit(REFUSED) from error
    registry.promote(chosen)
    terminal.say(f"Model version {chosen} is the champion.", version=chosen)


@app.command(epilog=_EPILOG)
def match(
    data: DataPath = LAKE,
    brief: Annotated[
        list[str] | None, typer.Option("--brief", help="Brief id; repeat for more. Default: open.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Moment of the decision, UTC. Default: now.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Matches per brief. Default: 20.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", file_okay=False, help="Folder for the lists. Default: beside the data."
        ),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="Name of the run; twice the same is one run.")
    ] = None,
    language: Annotated[
        Literal["zh", "en"], typer.Option(help="Language of the lists and reasons.")
    ] = "en",
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Rank KOLs for briefs with the champion and publish the lists as a run, CSV and XLSX.

    Without a champion KOLs are ranked by likeness of content and audience, and every row says so.
    """
    import pandas as pd

    from matcher.registry import Registry
    from matcher.screens import show_matches
    from serving.job import serve
    from serving.workbook import write_files

    terminal = _terminal()
    now = pd.Timestamp.now(tz="UTC").floor("s")
    moment = now if as_of is None else _time(as_of)
    settings = _config(config)
    with terminal.progress() as progress:
        source = _open(data, mapping, progress)
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
            _embeddings(source, settings, progress),
            as_of=moment,
            created_at=now,
            brief_ids=brief or (),
            top=top,
            run_id=run_id,
            progress=progress,
        )
    result = served.result
    files = write_files(
        out or source.home / "lists",
        served.run,
        result.matches,
        result.exclusions,
        source.tables.briefs,
        language,
    )
    show_matches(terminal, result.matches, result.exclusions, source.tables.briefs, language)
    for file in files:
        terminal.say(f"Wrote {file}", file=str(file))
    terminal.say(f"Run {served.run.run_id} is published.", run_id=served.run.run_id)
    if served.stale:
        terminal.warn(
            f"the registry could not give the champion ({served.stale}); served the last good "
            f"copy, version {served.run.model_version}",
            stale=served.stale,
        )
        raise typer.Exit(STALE)


def _files(path: Path) -> Path:
    from features.errors import UserError
    from features.lake import Lake

    if Lake(_existing(path)).exists():
        raise UserError(
            f"Got the lake {path} but expected a folder of files; what is in a lake was checked "
            "when it was ingested"
        )
    return path


def _existing(path: Path) -> Path:
    from features.errors import UserError

    if not path.is_dir():
        raise UserError(
            f"Got {path} but expected a folder: a lake made by `kolmatch ingest`, or one with "
            "CSV, XLSX or Parquet files"
        )
    return path


def _write_report(path: Path | None, faults: Iterable[Fault]) -> None:
    """Write faults as CSV, none as a header alone; what looks like a formula gets an apostrophe."""
    import csv
    from dataclasses import astuple, fields

    from features.errors import Fault

    if path is None:
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Fault)])
        for fault in faults:
            cells = map(str, astuple(fault))
            writer.writerow([f"'{c}" if c.startswith(("=", "+", "-", "@")) else c for c in cells])


def _config(path: Path | None) -> Config:
    from matcher.config import Config

    return Config.load(path)


def _open(path: Path, mapping: Path | None, progress: Progress) -> Data:
    from features.lake import open_data

    return open_data(_existing(path), mapping, progress)


def _embeddings(data: Data, config: Config, progress: Progress) -> Embeddings:
    from features.encoder import SentenceEncoder
    from features.vectors import Embeddings, VectorStore

    # A lake that was moved or copied has taken the encoders that were tuned on it along.
    mine = data.encoders / Path(config.encoder.model).name
    told = {"model": str(mine.resolve())} if mine.is_dir() else {}
    return Embeddings(
        SentenceEncoder(config.encoder.model_copy(update=told)),
        VectorStore(data.home / "vectors"),
        lambda done, total: progress("encoding texts", done, total),
    )


def _time(text: str) -> pd.Timestamp:
    """Read a date or time; not as pandas does, to which "12" is the twelfth of this month."""
    from datetime import datetime

    import pandas as pd

    try:
        time = pd.Timestamp(datetime.fromisoformat(text))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a date or time such as 2026-06-30 or 2026-06-30T18:00+08:00",
            param_hint="--as-of",
        ) from error
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")


def _show_evaluation(terminal: Terminal, evaluation: Evaluation) -> None:
    from matcher.screens import show_evaluation
    from training.evaluate import VIEWS

    show_evaluation(terminal, [(VIEWS[v], evaluation.summary(v)) for v in evaluation.views])


def _show_choice(terminal: Terminal, choice: Choice | None) -> None:
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in one message and a documented exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default what was typed.
    """
    from typer.exceptions import TyperException

    # OpenMP threads that spin while they wait bring a shared machine to a halt.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from features.errors import TableError, UserError

    typed = sys.argv[1:] if arguments is None else list(arguments)
    _State.terminal = None
    _State.typed = typed
    try:
        code = app(args=typed, prog_name=app.info.name, standalone_mode=False)
    except TyperException as error:
        code = error.exit_code
        told = error.format_message().replace("Value error, ", "")
        if told:  # empty where the help was printed instead
            context = getattr(error, "ctx", None)
            command = context.command_path if context else app.info.name
            _terminal().fail(f"{told} (`{command} --help` tells more)")
    except TableError as error:
        code = BAD_DATA
        _terminal().faults(error.faults)
        _terminal().fail("The data has faults; nothing was written.", faults=len(error.faults))
    except UserError as error:
        code = USAGE
        _terminal().fail(str(error))
    except _PATH_ERRORS as error:
        code = USAGE
        _terminal().fail(f"{error.strerror}: {error.filename}" if error.strerror else str(error))
    except Exception as error:
        if not _terminal().json_logs:
            raise
        code = 1
        _terminal().crash(error)
    sys.exit(code or OK)


if __name__ == "__main__":
    main()
