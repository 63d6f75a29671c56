"""The command line: one command a step, each usable alone.

Heavy imports live inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from features.lake import Data
    from features.progress import Progress
    from features.vectors import Embeddings
    from matcher.config import Config
    from matcher.console import Terminal
    from training.evaluate import Evaluation

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
    typer.Option("--mapping", help="TOML that says which column of your files is which of ours."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML with settings; the rest keep their defaults.")
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
    str,
    typer.Option(
        help="'time': learn from the past, test on the latest briefs. 'brand': brand-grouped "
        "folds, for data without an order in time."
    ),
]
LAKE = Path("lake")


class _State:
    terminal: Terminal


def _terminal() -> Terminal:
    return _State.terminal


@app.callback()
def _options(
    json_logs: Annotated[
        bool, typer.Option("--json", help="Log JSON lines on stderr, for unattended runs.")
    ] = False,
) -> None:
    from matcher.console import Terminal

    _State.terminal = Terminal(json_logs)


@app.command(epilog=_EPILOG)
def check(
    folder: Folder,
    mapping: MappingFile = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Also write every fault to this CSV file.")
    ] = None,
) -> None:
    """Read a folder of files and list every fault, or what was understood.

    Nothing is written. Each fault names file, row, column, value and what was expected.
    """
    from features.errors import TableError
    from features.ingest import read_folder, summary

    terminal = _terminal()
    try:
        reading = read_folder(_existing(folder), mapping)
    except TableError as error:
        if report:
            import pandas as pd

            pd.DataFrame(map(vars, error.faults)).to_csv(report, index=False, encoding="utf-8-sig")
        raise
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

    The same files twice change nothing. With a fault anywhere nothing is written.
    """
    from features.ingest import read_folder
    from features.lake import Lake

    terminal = _terminal()
    reading = read_folder(_existing(folder), mapping)
    changes = Lake(lake).ingest(reading.tables)
    rows = [
        (name, change.inserted, change.updated, change.unchanged, change.version)
        for name, change in changes.items()
    ]
    terminal.table(["table", "new", "corrected", "unchanged", "version"], rows)
    terminal.say(f"Lake: {lake}", lake=str(lake), changes={n: vars(c) for n, c in changes.items()})


@app.command(epilog=_EPILOG)
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write the nine tables to.")],
    kols: Annotated[int, typer.Option(min=10, help="KOLs in the market.")] = 2000,
    briefs: Annotated[int, typer.Option(min=5, help="Briefs over two years.")] = 400,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 0,
    file_format: Annotated[str, typer.Option("--format", help="csv, parquet or xlsx.")] = "csv",
) -> None:
    """Write a made-up market with known truth: KOLs, posts, prices, briefs, campaigns, results."""
    from features.simulate import simulate as build

    _one_of(file_format, "csv", "parquet", "xlsx")
    terminal = _terminal()
    world = build(kols=kols, briefs=briefs, seed=seed)
    world.write(folder, file_format)
    terminal.table(["table", "rows"], [(name, len(frame)) for name, frame in world.tables])
    terminal.say(
        f"Files: {folder}. The world ends on {world.as_of:%Y-%m-%d}: match with "
        f"--as-of {world.as_of:%Y-%m-%d}",
        folder=str(folder),
        as_of=world.as_of,
    )


@app.command(epilog=_EPILOG)
def train(
    data: DataPath = LAKE,
    split: Split = "time",
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Learn from past outcomes, compare with simple rules, and register the model as challenger."""
    from matcher.registry import Registry
    from training.job import train as fit

    terminal = _terminal()
    _one_of(split, "time", "brand")
    settings = _config(config)
    with terminal.progress() as progress:
        source = _open(data, mapping, progress)
        embeddings = _embeddings(source, settings, progress)
        registry = Registry(source.home, tracking_uri)
        command = shlex.join(["kolmatch", *sys.argv[1:]])
        trained = fit(
            source.tables,
            source.versions,
            settings,
            embeddings,
            registry,
            split=split,
            command=command,
            progress=progress,
        )
    _show_evaluation(terminal, trained.evaluation)
    terminal.say(
        f"Model version {trained.version} is the challenger; `kolmatch promote {data}` makes it "
        "champion.",
        version=trained.version,
        metrics=trained.metrics,
    )


@app.command(epilog=_EPILOG)
def evaluate(
    data: DataPath = LAKE,
    version: Annotated[
        str | None, typer.Option("--version", help="Model version; by default the champion.")
    ] = None,
    split: Split = "time",
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Measure a registered model against simple rules on the latest briefs of the data."""
    from features.errors import UserError
    from matcher.registry import CHAMPION, Registry
    from training.job import evaluate_version

    terminal = _terminal()
    _one_of(split, "time", "brand")
    with terminal.progress() as progress:
        source = _open(data, mapping, progress)
        registry = Registry(source.home, tracking_uri)
        chosen = version or registry.resolve(CHAMPION)
        if chosen is None:
            raise UserError("Got no champion; train and promote a model, or name a --version")
        matcher = registry.load(chosen)
        embeddings = _embeddings(source, matcher.config, progress)
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
        bool, typer.Option("--force", help="Promote even if it beats no simple rule.")
    ] = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Make a model the champion, which `kolmatch match` serves.

    Refused (exit 4) if the model did not rank its test briefs better than the best simple rule.
    """
    from features.errors import UserError
    from features.lake import home_of
    from matcher.registry import CHALLENGER, Registry

    terminal = _terminal()
    registry = Registry(home_of(_existing(data)), tracking_uri)
    chosen = version or registry.resolve(CHALLENGER)
    if chosen is None:
        raise UserError("Got no challenger to promote; run `kolmatch train` first")
    metrics = registry.metrics(chosen)
    model, rule = metrics["headline"], metrics["headline_best_baseline"]
    if not model > rule and not force:
        terminal.fail(
            f"version {chosen} is not promoted: NDCG@10 {model:.3f} on its test briefs is not "
            f"better than the best simple rule's {rule:.3f} (--force overrides)"
        )
        raise typer.Exit(REFUSED)
    registry.load(chosen)  # a model that cannot be loaded must not become champion
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
        Path | None, typer.Option("--out", help="Folder for the lists. Default: beside the data.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="Name of the run; twice the same is one run.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the lists: zh or en.")] = "en",
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Rank KOLs for briefs with the champion and publish the lists as a run, CSV and XLSX.

    Without a champion KOLs are ranked by likeness of content and audience, and every row says so.
    """
    import pandas as pd

    from matcher.registry import Registry
    from serving.job import serve
    from serving.workbook import write_files

    _one_of(language, "zh", "en")
    terminal = _terminal()
    now = pd.Timestamp.now(tz="UTC").floor("s")
    moment = _time(as_of) if as_of else now
    with terminal.progress() as progress:
        source = _open(data, mapping, progress)
        loaded = Registry(source.home, tracking_uri).champion()
        settings = loaded.matcher.config if loaded else _config(config)
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
    _show_matches(terminal, result.matches, result.exclusions, source.tables.briefs, language)
    for file in files:
        terminal.say(f"Wrote {file}", file=str(file))
    terminal.say(f"Run {served.run.run_id} is published.", run_id=served.run.run_id)
    if served.stale:
        terminal.say(
            f"WARNING: the registry could not give the champion ({served.stale}); served the last "
            f"good copy, version {served.run.model_version}.",
            stale=served.stale,
        )
        raise typer.Exit(STALE)


def _one_of(value: str, *allowed: str) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}")


def _existing(path: Path) -> Path:
    if not path.is_dir():
        raise typer.BadParameter(f"{path} is not a folder")
    return path


def _config(path: Path | None) -> Config:
    from matcher.config import Config

    return Config.load(path)


def _open(path: Path, mapping: Path | None, progress: Progress) -> Data:
    from features.lake import open_data

    progress("reading tables", 0, 1)
    data = open_data(_existing(path), mapping)
    progress("reading tables", 1, 1)
    return data


def _embeddings(data: Data, config: Config, progress: Progress) -> Embeddings:
    from features.encoder import SentenceEncoder
    from features.vectors import Embeddings, VectorStore

    return Embeddings(
        SentenceEncoder(config.encoder),
        VectorStore(data.home / "vectors"),
        lambda done, total: progress("encoding texts", done, total),
    )


def _time(text: str) -> pd.Timestamp:
    import pandas as pd

    try:
        time = pd.Timestamp(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-06-30") from error
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")


def _show_evaluation(terminal: Terminal, evaluation: Evaluation) -> None:
    from training.evaluate import VIEWS

    shown = {
        "ndcg@10": "NDCG@10",
        "recall@50": "recall@50",
        "map": "MAP",
        "mrr": "MRR",
        "auc": "AUC",
        "first_positive_rank": "first hit",
        "briefs": "briefs",
    }
    for view in evaluation.views:
        table = evaluation.summary(view)[list(shown)]
        rows = [
            (str(name), *map(float, row))
            for name, row in zip(table.index, table.to_numpy(), strict=True)
        ]
        terminal.table(["ranker", *shown.values()], rows, title=f"Test briefs: {VIEWS[view]}")


def _show_matches(
    terminal: Terminal,
    matches: pd.DataFrame,
    exclusions: pd.DataFrame,
    briefs: pd.DataFrame,
    language: str,
) -> None:
    """Print the first places of the first briefs, and why a brief got nobody."""
    titles = briefs.set_index("brief_id")["title"]
    empty = exclusions.query("reason == 'eligible' and kols == 0")["brief_id"]
    for brief_id in empty:
        rows = exclusions.query("brief_id == @brief_id and reason != 'eligible'")
        why = "; ".join(
            f"{n:,} {text}" for n, text in zip(rows["kols"], rows[f"text_{language}"], strict=True)
        )
        terminal.say(f"{brief_id}: nobody may serve this brief: {why}", brief_id=brief_id)
    for brief_id in list(dict.fromkeys(matches["brief_id"]))[:2]:
        rows = matches[matches["brief_id"] == brief_id].head(5)
        terminal.table(
            ["#", "KOL", "platform", "followers", "price", "fit", "CVR", "why"],
            [
                (
                    int(row.rank),
                    row.display_name or row.kol_id,
                    row.platform,
                    float(row.followers),
                    f"{row.price:,.0f} {row.currency}",
                    f"{row.fit:.0%}" if row.fit == row.fit else "",
                    f"{row.cvr:.2%}" if row.cvr == row.cvr else "",
                    "\n".join(getattr(row, f"reasons_{language}")[:2]),
                )
                for row in rows.itertuples(index=False)
            ],
            title=f"{brief_id}  {titles.get(brief_id) or ''}",
        )


def main() -> None:
    """Run the command line; a user's mistake ends in one message and a documented exit code."""
    from features.errors import TableError, UserError

    try:
        app()
    except TableError as error:
        _terminal().faults(error.faults)
        _terminal().fail("The data has faults; nothing was written.", faults=len(error.faults))
        sys.exit(BAD_DATA)
    except UserError as error:
        _terminal().fail(str(error))
        sys.exit(USAGE)
