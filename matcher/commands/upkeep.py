"""Commands that keep a model in order: reconcile its forecasts, watch for drift, tune, retrain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from matcher.commands.shared import (
    LAKE,
    ConfigFile,
    DataPath,
    MappingFile,
    load_config,
    open_source,
    terminal_of_run,
)

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
) -> None:
    """Hold what published runs forecast against what came of it, and keep that as the ledger.

    Of several runs about a brief the last one before its decision counts. Groups with too few
    rows are shown but not judged. Where nothing can be joined yet it says why.
    """
    from matcher.accuracy import accuracy
    from matcher.screens import show_accuracy, show_left_out
    from serving.ledger import reconcile as join
    from serving.ledger_files import for_people, ledger_told, write_ledger
    from training.labels import successes

    terminal = terminal_of_run()
    settings = load_config(config)
    with terminal.progress() as progress:
        source = open_source(data, mapping, progress)
    horizon = settings.training.horizon_days
    found = join(source.home, source.tables, horizon, successes(source.tables, horizon))
    upkeep = settings.upkeep
    table = accuracy(found.ledger, upkeep.least_rows, upkeep.least_briefs)
    told = ledger_told(found, table)
    files = write_ledger(out or source.home / "ledger", found, table, language)
    if as_json:
        print_json(told)
    elif len(table):
        show_accuracy(terminal, for_people(table, language), table)
    show_left_out(terminal, told)
    for file in files:
        terminal.say(f"Wrote {file}", file=str(file))


def print_json(told: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1))
