"""Commands that keep a model in order: reconcile its forecasts, watch for drift, tune, retrain."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from features.whole import write_whole
from matcher.commands.shared import (
    BUSY,
    LAKE,
    REFUSED,
    STATE,
    ConfigFile,
    DataPath,
    MappingFile,
    MetricsFile,
    TrackingUri,
    existing,
    files_of,
    load_config,
    measured,
    open_embeddings,
    open_source,
    read_time,
    terminal_of_run,
)

if TYPE_CHECKING:
    import pandas as pd

    from features.lake import Data
    from matcher.config import Config
    from matcher.console import Terminal
    from matcher.registry import Registry
    from serving.ledger import Reconciled
    from training.drift import Drift

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.")
]


def reconcile(
    data: DataPath = LAKE,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", file_okay=False, help="Folder for the files. Default: beside the data."
        ),
    ] = None,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Language of the files.")] = "en",
    as_json: AsJson = False,
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Hold what published runs forecast against what came of it, and keep that as the ledger.

    Of several runs about a brief the last one before its decision counts. Groups with too few
    rows are shown but not judged. Where nothing can be joined yet it says why. How old an outcome
    must be, and how many rows are enough, say --config or the settings the champion was trained
    with.
    """
    from matcher.accuracy import accuracy
    from matcher.registry import Registry
    from matcher.screens import show_accuracy, show_left_out
    from serving.ledger_files import for_people, ledger_told, write_ledger
    from serving.privacy.outputs import door

    terminal = terminal_of_run()
    given = load_config(config) if config else None
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress)
    settings = given or _of_champion(terminal, Registry(source.home, tracking_uri))
    horizon = settings.training.horizon_days
    found = _reconciled(source, horizon)
    upkeep = settings.upkeep
    table = accuracy(found.honest, upkeep.least_rows, upkeep.least_briefs)
    told = ledger_told(found, table)
    enter = door(source.home, source.versions)
    files = write_ledger(out or source.home / "ledger", found, table, language, enter)
    if as_json:
        print_json(told)
    elif len(table):
        show_accuracy(terminal, for_people(table, language), table)
    show_left_out(terminal, told)
    for file in files:
        terminal.say(f"Wrote {file}", file=str(file))


def drift(
    data: DataPath = LAKE,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The present, UTC. Default: now.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Say whether the world has moved away from what the champion learned, and when to retrain.

    It looks at the signals of the latest briefs, at forecasts against what came, month by month,
    and at how many briefs brought outcomes since. [upkeep] in --config, or in the settings the
    champion was trained with, holds the thresholds.
    """
    from features.errors import UserError
    from matcher.registry import CHAMPION, Registry
    from matcher.screens import show_drift
    from training.retrain import champion_drift

    terminal = terminal_of_run()
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress)
        registry = Registry(source.home, tracking_uri)
        champion = registry.resolve(CHAMPION)
        found = champion_drift(
            registry,
            champion,
            source.tables,
            lambda settings: open_embeddings(source, settings, progress),
            _moment(as_of),
            lambda model_hash: _published(source.home, model_hash),
            load_config(config) if config else None,
            progress,
        )
    if found is None:
        raise UserError("Got no champion to look at; train and promote a model first")
    if as_json:
        print_json(found.told())
    elif len(found.families):
        show_drift(terminal, found.families, found.signals, found.forecasts)
    _say_advice(terminal, str(champion), found)


def tune(
    data: DataPath = LAKE,
    trials: Annotated[
        int, typer.Option(min=2, help="Settings to try, those given among them.")
    ] = 30,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Begin no trial later than this.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed and trials find the same settings.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", dir_okay=False, help="TOML to write. Default: beside the data."),
    ] = None,
    config: ConfigFile = None,
    mapping: MappingFile = None,
) -> None:
    """Search settings of [ranker], [forecast] and [training] on past briefs, never on test briefs.

    A search that was cut off goes on where it was. Writes settings for `kolmatch train --config`:
    the found ones only where they are surely better than those given. Exit 6: another search over
    this data is at work.
    """
    from filelock import FileLock, Timeout

    from training.tune import to_toml
    from training.tune import tune as search

    terminal = terminal_of_run()
    settings = load_config(config)
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress)
        source.home.mkdir(parents=True, exist_ok=True)
        try:
            # Two searches over the same trials would each see half of what the other finds.
            lock = FileLock(source.home / "tuning.lock").acquire(blocking=False)
        except Timeout as error:
            terminal.fail(f"another search over {data} is at work; run it again when that ended")
            raise typer.Exit(BUSY) from error
        with lock:
            found = search(
                source.tables,
                source.versions,
                settings,
                open_embeddings(source, settings, progress),
                source.home / "tuning.db",
                trials=trials,
                seconds=seconds,
                seed=seed,
                progress=progress,
            )
    target = out or source.home / "tuned.toml"
    write_whole(target, to_toml(found, shlex.join(["kolmatch", *STATE.typed])))
    gain = found.gain
    terminal.say(
        found.words,
        trials=found.trials,
        best=found.best,
        usual=found.usual,
        gain=gain.mean,
        gain_low=gain.low,
        gain_high=gain.high,
    )
    terminal.say(f"Wrote {target}", taken=found.taken, file=str(target))


def retrain(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of files to ingest first; without one the lake is as it is."),
    ] = None,
    lake: Annotated[Path, typer.Option("--lake", help="Lake; made if new.")] = LAKE,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to wait for another retraining to end.")
    ] = 0.0,
    tune: Annotated[
        int | None,
        typer.Option(
            "--tune",
            min=2,
            help="Search settings first, as `kolmatch tune` does, trying so many; those found are "
            "trained with where they are surely better.",
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The present, UTC, for drift. Default: now.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    mapping: MappingFile = None,
    tracking_uri: TrackingUri = None,
    metrics: MetricsFile = None,
) -> None:
    """Ingest what is new, train, let the gate decide, promote or keep, report, look for drift.

    What earlier lists forecast is held against what came, as by `kolmatch reconcile`. Where neither
    data nor settings nor code are new nothing is trained. Exit 0: promoted, or nothing to do. Exit
    4: the gate refused, the old champion stays. Exit 6: another retraining of this lake is at work.
    After a kill, run it again: it ends as an undisturbed run would have.
    """
    from features.errors import UserError
    from features.ingest import read_folder
    from features.lake import Lake
    from matcher.registry import Registry
    from training.drift import RETRAIN, STEADY, WATCH
    from training.retrain import KEPT, NOTHING, PROMOTED, BusyError, Search, alone
    from training.retrain import retrain as work

    terminal, job = terminal_of_run(), measured("retrain", metrics)
    settings, moment, store = load_config(config), _moment(as_of), Lake(lake)

    def stage(name: str) -> None:
        terminal.say(f"stage: {name}", stage=name)

    if folder is None:
        existing(lake)
    try:
        with alone(lake, wait), terminal.progress() as progress:
            if folder is not None:
                stage("ingest")
                reading = read_folder(
                    files_of(folder), mapping, store.known(), progress, store.erased()
                )
                job.ingested(store.ingest(reading.tables, progress))
            source = open_source(lake, None if folder is not None else mapping, progress)
            stage("reconcile")
            try:
                _reconciled(source, settings.training.horizon_days)
            except UserError as error:  # the model must not wait until the ledger is mended
                terminal.warn(f"the ledger stays as it was: {error}")
            registry = Registry(source.home, tracking_uri)
            done = work(
                source.tables,
                source.versions,
                settings,
                lambda asked: open_embeddings(source, asked, progress),
                registry,
                as_of=moment,
                search=None if tune is None else Search(tune, source.home / "tuning.db"),
                command=shlex.join(["kolmatch", *STATE.typed]),
                encoders=source.encoders,
                published=lambda model_hash: _published(source.home, model_hash),
                stage=stage,
                progress=progress,
            )
            _write_report(registry, done.version, source.home / "reports", done.result != NOTHING)
    except BusyError as error:
        terminal.fail(f"another retraining of {lake} is at work; wait for it with --wait SECONDS")
        raise typer.Exit(BUSY) from error
    job.set("kolmatch_model_version", float(done.version))
    job.set("kolmatch_model_promoted", done.result == PROMOTED)
    if done.drift is not None:
        job.set("kolmatch_drift_psi", done.drift.overall)
        for advice in (STEADY, WATCH, RETRAIN):
            job.set("kolmatch_drift_advice", done.drift.advice == advice, advice=advice)
    if as_json:
        print_json(done.told())
    terminal.say(done.words.strip(), result=done.result, version=done.version)
    if done.result == KEPT:
        raise typer.Exit(REFUSED)


def _write_report(registry: Registry, version: str, folder: Path, new: bool) -> None:
    """Write the report of a retraining as files: a new one, or one that a killed run still owes.

    What was found when a version was new stays on record.
    """
    from training.retrain import REPORT

    for ending in ("md", "json"):
        text = registry.text(version, f"{REPORT}.{ending}")
        file = folder / f"{REPORT}-v{version}.{ending}"
        if text is not None and (new or not file.exists()):
            write_whole(file, text if ending == "md" else as_text(json.loads(text)))


def _moment(as_of: str | None) -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp.now(tz="UTC").floor("s") if as_of is None else read_time(as_of)


def _of_champion(terminal: Terminal, registry: Registry) -> Config:
    """Return the settings that the champion was trained with, else the defaults.

    An outcome that is compared must have the age at which its forecast is meant to hold.
    """
    from features.errors import UserError

    try:
        loaded = registry.champion()
    except UserError as error:
        loaded = None
        terminal.warn(f"{error}; the default settings count, or give --config")
    return loaded.matcher.config if loaded else load_config(None)


def _reconciled(data: Data, horizon_days: int) -> Reconciled:
    """Hold what published runs forecast against what came of it, and keep that as the ledger."""
    from serving.ledger import reconcile as join
    from training.labels import successes

    tables = data.tables
    return join(data.home, tables, data.versions, horizon_days, successes(tables, horizon_days))


def _published(home: Path, model_hash: str) -> pd.DataFrame | None:
    """Return the ledger's rows about a model's lists; ``None`` without any.

    By its hash: another store gives the same version number to another model.
    """
    from serving.ledger import read_ledger

    rows = read_ledger(home)
    rows = rows[rows["model_hash"] == model_hash]
    return rows if len(rows) else None


def _say_advice(terminal: Terminal, champion: str, found: Drift) -> None:
    what = {
        "steady": "has no reason to be trained anew",
        "watch": "should be watched",
        "retrain": "should be trained anew (`kolmatch retrain`)",
    }[found.advice]
    terminal.say(f"Version {champion} {what}:", advice=found.advice, version=champion)
    for reason in found.reasons:
        terminal.say(f"- {reason}")


def as_text(told: dict[str, Any]) -> str:
    """Return JSON text."""
    return json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1)


def print_json(told: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    typer.echo(as_text(told))
