"""Commands about data: check it, ingest it, make some up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matcher.commands.shared import (
    LAKE,
    Folder,
    MappingFile,
    MetricsFile,
    files_of,
    measured,
    terminal_of_run,
)

if TYPE_CHECKING:
    import pandas as pd

    from features.errors import Fault


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

    terminal = terminal_of_run()
    try:
        with terminal.progress() as progress:
            reading = read_folder(files_of(folder), mapping, progress=progress, now=_now())
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


def ingest(
    folder: Folder,
    lake: Annotated[Path, typer.Option("--lake", help="Lake to add to; made if new.")] = LAKE,
    mapping: MappingFile = None,
    metrics: MetricsFile = None,
) -> None:
    """Add a folder of files to a lake: new rows go in, rows with a known key are corrected.

    A row with a known key is replaced whole: send all its columns. The same files twice change
    nothing. With a fault anywhere nothing is written. Columns of contact details are faults; what
    free text holds of them is masked, and rows of erased KOLs are left out: notes count both.
    """
    from features.ingest import read_folder
    from features.lake import Lake

    terminal, job = terminal_of_run(), measured("ingest", metrics)
    store = Lake(lake)
    with terminal.progress() as progress:
        reading = read_folder(
            files_of(folder), mapping, store.known(), progress, store.erased(), _now()
        )
        changes = store.ingest(reading.tables, progress)
    rows = [
        (name, change.inserted, change.updated, change.unchanged, change.version)
        for name, change in changes.items()
    ]
    job.ingested(changes)
    terminal.table(["table", "new", "corrected", "unchanged", "version"], rows)
    for note in reading.notes:
        terminal.say(f"note: {note}")
    terminal.say(f"Lake: {lake}", lake=str(lake), changes={n: vars(c) for n, c in changes.items()})


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

    terminal = terminal_of_run()
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


def _now() -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp.now(tz="UTC")
