"""What the commands share: options, exit codes, the terminal, and how data is opened."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd

    from features.lake import Data
    from features.progress import Progress
    from features.vectors import Embeddings
    from matcher.config import Config
    from matcher.console import Terminal
    from matcher.jobmetrics import JobMetrics

OK, USAGE, BAD_DATA, REFUSED, STALE, BUSY, INFEASIBLE, EXHAUSTED = 0, 2, 3, 4, 5, 6, 7, 8
DIFFERENT, LOST, UNWELL = 9, 10, 11

EPILOG = (
    "Exit codes: 0 done, 2 wrong usage, 3 bad data (every fault is listed), 4 the gate refused a "
    "model, 5 done, but with an older model because the registry could not give the champion, "
    "6 another retraining (or search of settings) is at work, 7 no plan keeps all limits, 8 the "
    "disk is full or closed, or memory ran out, 9 a replay gave another list, 10 a run cannot be "
    "replayed, 11 the doctor found something to see to."
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
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        dir_okay=False,
        help="Write how the job went to this file, as Prometheus' text format has it; also where "
        "it fails.",
    ),
]
EngineName = Annotated[
    Literal["single", "dask"],
    typer.Option(
        help="'single': this process. 'dask': processes here or on other machines; needs "
        "`pip install kolmatch[dask]`, and a lake."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        help="With --engine dask: address of a running Dask scheduler, such as "
        "tcp://10.0.0.1:8786. Default: processes on this machine.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="With --engine dask: processes to start, by default one a processor; with "
        "--scheduler, workers to wait for.",
    ),
]
LAKE = Path("lake")


class Run:
    """What one run of the command line shares."""

    terminal: Terminal | None = None
    typed: Sequence[str] = ()
    metrics: JobMetrics | None = None


STATE = Run()


def terminal_of_run() -> Terminal:
    """Return where output goes; a mistake may need it before any option was understood."""
    if STATE.terminal is None:
        from matcher.console import Terminal

        # After the command --json asks for its result on stdout, not for logs.
        before = takewhile(lambda token: token.startswith("-"), STATE.typed)
        STATE.terminal = Terminal("--json" in before)
    return STATE.terminal


def measured(job: str, file: Path | None) -> JobMetrics:
    """Return what a job fills in on its way; the command line writes it at the end, however."""
    from matcher.jobmetrics import JobMetrics

    STATE.metrics = JobMetrics(job, file)
    return STATE.metrics


def existing(path: Path) -> Path:
    """Return the path of data, refusing what is no folder."""
    from features.errors import UserError

    if not path.is_dir():
        raise UserError(
            f"Got {path} but expected a folder: a lake made by `kolmatch ingest`, or one with "
            "CSV, XLSX or Parquet files"
        )
    return path


def files_of(path: Path) -> Path:
    """Return the path of a folder of files, refusing a lake."""
    from features.errors import UserError
    from features.lake import Lake

    if Lake(existing(path)).exists():
        raise UserError(
            f"Got the lake {path} but expected a folder of files; what is in a lake was checked "
            "when it was ingested"
        )
    return path


def load_config(path: Path | None) -> Config:
    """Read settings, or take the defaults."""
    from matcher.config import Config

    return Config.load(path)


def open_source(
    path: Path, mapping: Path | None, progress: Progress, *, by_kol: bool = False
) -> Data:
    """Read a lake, or a folder of files; `by_kol` as for `features.lake.open_data`."""
    from features.lake import open_data

    return open_data(existing(path), mapping, progress, by_kol=by_kol)


def open_embeddings(data: Data | Path, config: Config, progress: Progress) -> Embeddings:
    """Return text vectors by the settings' encoder, kept beside the data or in its home."""
    from features.encoder import SentenceEncoder
    from features.lake import ENCODERS
    from features.publishing import still_there
    from features.vectors import Embeddings, VectorStore

    # A lake that was moved or copied has taken the encoders that were tuned on it along.
    home = data if isinstance(data, Path) else data.home
    versions = _versions_at(home) if isinstance(data, Path) else data.versions
    mine = home / ENCODERS / Path(config.encoder.model).name
    told = {"model": str(mine.resolve())} if mine.is_dir() else {}
    return Embeddings(
        SentenceEncoder(config.encoder.model_copy(update=told)),
        VectorStore(home / "vectors", lambda: still_there(home, versions)),
        lambda done, total: progress("encoding texts", done, total),
    )


def check_engine(engine: str, scheduler: str | None, workers: int | None) -> None:
    """Refuse options of an engine that was not asked for."""
    for name, given in (("--scheduler", scheduler), ("--workers", workers)):
        if engine != "dask" and given is not None:
            raise typer.BadParameter("only --engine dask has workers", param_hint=name)


def _versions_at(home: Path) -> dict[str, str]:
    """Return the versions of the tables at this moment; none where there is no lake."""
    from features.lake import Lake

    lake = Lake(home)
    return {name: str(v) for name, v in lake.versions().items()} if lake.exists() else {}


def read_time(text: str) -> pd.Timestamp:
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
