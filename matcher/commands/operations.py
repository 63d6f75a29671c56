"""Commands for whoever runs kolmatch: how things stand, and what ails."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matcher.commands.privacy import LakePath, Wait, existing_lake
from matcher.commands.shared import BUSY, UNWELL, TrackingUri, terminal_of_run
from matcher.commands.upkeep import AsJson, print_json

if TYPE_CHECKING:
    from features.lake import Lake
    from matcher.registry import Registry


def status(
    lake: LakePath = Path("lake"), as_json: AsJson = False, tracking_uri: TrackingUri = None
) -> None:
    """Tell how a lake stands: last runs, models and their age, drift, freshness, open briefs.

    Nothing is written. Of drift it tells what the last retraining found.
    """
    import pandas as pd

    from matcher.registry import Registry
    from serving.operations.status import status as look

    store = existing_lake(lake)
    told = look(store, Registry(lake, tracking_uri), pd.Timestamp.now(tz="UTC").floor("s"))
    if as_json:
        print_json(told)
        return
    terminal = terminal_of_run()
    tables = [[row[name] for name in _TABLE] for row in told["tables"]]
    terminal.table(["table", "version", "rows", "latest", "days ago"], tables)
    if told["runs"]:
        runs = [[run[name] for name in _RUN] for run in told["runs"]]
        terminal.table(["run", "made", "briefs", "basis", "model", "days ago"], runs)
    for line in _lines(told):
        typer.echo(line)


_TABLE = ("table", "version", "rows", "latest", "age_days")
_RUN = ("run_id", "created_at", "briefs", "basis", "model_version", "age_days")


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [] if told["runs"] else ["Nothing is published yet."]
    for alias, model in told["models"].items():
        known = model and f"version {model['version']}, {model['age_days']:g} days old"
        lines.append(f"{alias}: {known or 'none'}")
    if told["registry_fault"]:
        lines.append(f"The registry cannot be reached: {told['registry_fault']}")
    if drift := told["drift"]:
        lines.append(f"drift of version {drift['champion']}: {drift['advice']} ({drift['report']})")
        lines += [f"- {reason}" for reason in drift["reasons"]]
    else:
        lines.append("drift: no retraining has looked for it yet")
    lines.append(f"open briefs: {len(told['open_briefs'])}")
    if told["erasure_unfinished"]:
        lines.append(f"An erasure is unfinished: end it with `kolmatch erase {told['lake']}`")
    return lines


def migrate(
    lake: LakePath,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would change; change nothing.")
    ] = False,
) -> None:
    """Bring a lake that an older kolmatch wrote up to the contract of today; back it up first.

    Commands refuse such a lake until then. All tables change in one step or not at all, and their
    earlier versions are forgotten, so that runs made before cannot be replayed. Where nothing is to
    be done nothing is. Cut off, run it again.
    """
    from features.lake import check_no_erasure
    from features.migrations import migrate as work
    from features.steps import CONTRACT

    terminal, store = terminal_of_run(), existing_lake(lake)
    check_no_erasure(lake)
    done = work(store, dry_run=dry_run)
    rows = [
        (one.step.version, one.step.words, table, count)
        for one in done
        for table, count in (one.rows or {"": 0}).items()
    ]
    if not done:
        terminal.say(f"{lake} keeps contract {CONTRACT} already.", contract=CONTRACT, steps=0)
        return
    terminal.table(["contract", "step", "table", "rows"], rows)
    what = "would be brought" if dry_run else "is brought"
    told = {f"{one.step.version}": one.rows for one in done}
    terminal.say(
        f"{lake} {what} to contract {CONTRACT}.", contract=CONTRACT, steps=told, dry_run=dry_run
    )


def doctor(
    lake: LakePath = Path("lake"),
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help="First remove what killed jobs left, once it is older than an hour."
        ),
    ] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Look for what ails a lake: tables, registry, champion and its copy, disk, libraries, orphans.

    Each line is ok, a warning or a fault, and says what to do. Exit 0: all is well. Exit 11:
    something is to be seen to. Exit 6: --sweep found a retraining at work.
    """
    from matcher.registry import Registry
    from serving.operations.doctor import OK, examine

    terminal, store = terminal_of_run(), existing_lake(lake)
    registry = Registry(lake, tracking_uri)
    swept = _swept(store, registry, wait) if sweep else {}
    found = examine(store, registry)
    ill = [finding for finding in found if finding.level != OK]
    if as_json:
        told = [asdict(finding) for finding in found]
        print_json({"lake": str(lake), "well": not ill, "findings": told, "swept": swept})
    else:
        rows = [(f.level, f.check, f.words, f.remedy) for f in found]
        terminal.table(["", "what", "found", "to do"], rows)
    for kind, count in swept.items():
        terminal.say(f"Swept: {count} {kind}", kind=kind, count=count)
    if ill:
        raise typer.Exit(UNWELL)


def _swept(lake: Lake, registry: Registry, wait: float) -> dict[str, int]:
    """Remove what killed jobs left; return how many of each kind."""
    import time
    from collections import Counter

    from serving.operations.orphans import remove_orphans
    from serving.privacy.models import has_store
    from training.retrain import BusyError, alone

    try:
        with alone(lake.path, wait):
            counts = Counter(orphan.kind for orphan in remove_orphans(lake, time.time()))
            if has_store(registry) and (ended := registry.sweep()):
                counts["training runs"] = len(ended)
    except BusyError as error:
        terminal_of_run().fail(f"a retraining of {lake.path} is at work; wait with --wait SECONDS")
        raise typer.Exit(BUSY) from error
    return dict(sorted(counts.items()))
