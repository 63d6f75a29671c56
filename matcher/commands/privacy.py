"""Commands about what is held on people: tell it, erase it, keep it no longer than needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.whole import write_whole
from matcher.commands.shared import (
    BUSY,
    DIFFERENT,
    LOST,
    ConfigFile,
    DataPath,
    MappingFile,
    TrackingUri,
    existing,
    load_config,
    open_embeddings,
    terminal_of_run,
)
from matcher.commands.upkeep import AsJson, as_text, print_json

if TYPE_CHECKING:
    from features.lake import Lake
    from serving.privacy.erase import Erased

LakePath = Annotated[Path, typer.Argument(help="A lake made by `kolmatch ingest`.")]
WholePerson = Annotated[
    bool, typer.Option("--person", help="All accounts of the same person, by person_id.")
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds to wait for a retraining to end.")
]


def access(
    lake: LakePath,
    kol_id: Annotated[str, typer.Argument(help="Whom it is about, by id.")],
    person: WholePerson = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", dir_okay=False, help="Write it as JSON to this file, and as text beside it."
        ),
    ] = None,
    as_json: AsJson = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Tell all that is held on one KOL, table by table, and where it is used.

    For requests of access under PIPL and GDPR: rows, published lists, models that may have learned
    from them, and files that name the KOL.
    """
    from matcher.registry import Registry
    from serving.privacy.access import access as look
    from serving.privacy.access import as_words
    from serving.privacy.find import GoneError
    from serving.privacy.outputs import door

    terminal, store = terminal_of_run(), existing_lake(lake)
    versions = {name: str(version) for name, version in store.versions().items()}
    try:
        told = look(store, kol_id, Registry(lake, tracking_uri), person=person)
    except GoneError as gone:
        terminal.say(str(gone), held=0)
        return
    if out is not None:
        words = out.with_suffix(".txt") if out.suffix != ".txt" else out.with_suffix(".words.txt")
        with door(lake, versions)([out, words]):
            for path, text in ((out, as_text(told)), (words, as_words(told))):
                write_whole(path, text)
                terminal.say(f"Wrote {path}", file=str(path))
    elif as_json:
        print_json(told)
    else:
        typer.echo(as_words(told), nl=False)


def erase(
    lake: LakePath,
    kol_id: Annotated[
        str | None,
        typer.Argument(help="Whom to erase, by id. Without one an erasure cut off is ended."),
    ] = None,
    person: WholePerson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be removed; remove nothing.")
    ] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Erase one KOL from tables, vectors, published runs, files and MLflow, for good.

    Earlier versions of all tables are forgotten with it, so that runs made before cannot be
    replayed. The id is blocked from coming back; models that may have learned from the KOL are
    marked for retraining. Cut off, it is ended by the next `kolmatch erase LAKE`. Exit 6: a
    retraining of this lake is at work.
    """
    import pandas as pd

    from matcher.registry import Registry
    from serving.privacy.erase import erase as work
    from serving.privacy.find import GoneError
    from training.retrain import BusyError, alone

    terminal, store = terminal_of_run(), existing_lake(lake)
    try:
        with alone(lake, wait):
            done = work(
                store,
                kol_id,
                Registry(lake, tracking_uri),
                at=pd.Timestamp.now(tz="UTC").floor("s"),
                person=person,
                dry_run=dry_run,
                stage=lambda name: terminal.say(f"stage: {name}", stage=name),
            )
    except BusyError as error:
        terminal.fail(f"a retraining of {lake} is at work; wait for it with --wait SECONDS")
        raise typer.Exit(BUSY) from error
    except GoneError as gone:
        terminal.say(str(gone), erased=0)
        return
    if done is None:
        terminal.say(f"No erasure was cut off in {lake}; name whom to erase by id.", erased=0)
        return
    if as_json:
        print_json(done.told())
    else:
        _show(done)
    _say(done, dry_run)


def prune(
    lake: LakePath,
    config: ConfigFile = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The present, UTC. Default: now.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be removed; remove nothing.")
    ] = False,
    wait: Wait = 0.0,
) -> None:
    """Delete rows that are older than the retention period of their table, and their history.

    [retention] in --config says how long, such as posts = "730d"; a table without a period keeps
    its rows. A row counts from when it became known, a brief from its decision or end; rows without
    a time stay. Exit 6: a retraining of this lake is at work.
    """
    import pandas as pd

    from features.errors import UserError
    from features.retention import expire
    from matcher.commands.shared import read_time
    from training.retrain import BusyError, alone

    terminal, store = terminal_of_run(), existing_lake(lake)
    days = load_config(config).retention.days()
    if not days:
        raise UserError(
            'Got no retention period; give --config a TOML with [retention], such as posts = "730d"'
        )
    now = pd.Timestamp.now(tz="UTC") if as_of is None else read_time(as_of)
    try:
        with alone(lake, wait), store.lock():
            if not dry_run:
                store.end_rewrite()  # an earlier one may have been cut off before it forgot
            found = expire(store.read(), days, now)
            if (found.gone or found.orphans) and not dry_run:
                store.rewrite(lambda name, frame: getattr(found.tables, name))
    except BusyError as error:
        terminal.fail(f"a retraining of {lake} is at work; wait for it with --wait SECONDS")
        raise typer.Exit(BUSY) from error
    names = [n for n, _ in found.tables if n in {*days, *found.gone, *found.orphans}]
    rows = [
        (n, days.get(n), found.gone.get(n, 0), found.orphans.get(n, 0), found.undated.get(n, 0))
        for n in names
    ]
    terminal.table(["table", "days", "expired", "orphaned", "kept, without a time"], rows)
    count = sum(found.gone.values()) + sum(found.orphans.values())
    what = "would go" if dry_run else "are gone, and earlier versions of all tables with them"
    told = f"{count:,} rows {what}." if count else "Nothing is past its period."
    terminal.say(told, rows=count, gone=found.gone, orphans=found.orphans, dry_run=dry_run)


def replay(
    data: DataPath,
    run_id: Annotated[str, typer.Argument(help="A published run.")],
    mapping: MappingFile = None,
    as_json: AsJson = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Make a published run again, from the same data, model and options, and compare every bit.

    Exit 0: the same. Exit 9: another list; the first differences are told. Exit 10: it cannot be
    made again, and why: a version of a table, the model or the encoder is gone, a KOL was erased.
    """
    from features.lake import home_of
    from matcher.registry import Registry
    from serving.replay import LostError
    from serving.replay import replay as work

    terminal, home = terminal_of_run(), home_of(existing(data))
    try:
        with terminal.progress() as progress:
            done = work(
                data,
                home,
                run_id,
                Registry(home, tracking_uri),
                lambda settings: open_embeddings(home, settings, progress),
                mapping,
                progress,
            )
    except LostError as error:
        terminal.fail(str(error), run_id=run_id, equal=None)
        raise typer.Exit(LOST) from error
    if as_json:
        print_json(done.told())
    for note in done.notes:
        terminal.say(f"note: {note}")
    if done.equal:
        terminal.say(f"Run {run_id} comes out the same, to the last bit.", equal=True)
        return
    if not as_json:
        rows = [(d.table, d.key, d.column, d.before, d.after) for d in done.differences]
        terminal.table(["table", "row", "column", "published", "now"], rows)
    terminal.fail(
        f"run {run_id} comes out otherwise: {done.count:,} differences", equal=False, run_id=run_id
    )
    raise typer.Exit(DIFFERENT)


def existing_lake(path: Path) -> Lake:
    """Return a lake, refusing a folder of files."""
    from features.errors import UserError
    from features.lake import Lake

    lake = Lake(existing(path))
    if not lake.exists():
        raise UserError(
            f"Got {path}, which is no lake: what is made from a folder of files lies in "
            f"{path / '.kolmatch'}. Delete rows from your files and that folder, and work on"
        )
    return lake


def _show(done: Erased) -> None:
    rows = [
        (place, what, count) for place, told in done.removed.items() for what, count in told.items()
    ]
    terminal_of_run().table(["place", "what", "count"], rows)


def _say(done: Erased, dry_run: bool) -> None:
    terminal = terminal_of_run()
    for place in done.unreached:
        terminal.warn(f"not reached: {place}; see to it by hand", unreached=place)
    if done.common:
        terminal.warn(
            "what the KOL is called is also the name of something else or of another KOL: it stays "
            "where it stands in running text",
            names=done.common,
        )
    if done.others:
        terminal.warn(
            f"{done.others} other account(s) of the same person stay; --person erases them too",
            others=done.others,
        )
    if done.models:
        terminal.warn(
            f"model version(s) {', '.join(done.models)} may have learned from this KOL: run "
            "`kolmatch retrain`",
            models=done.models,
        )
    if dry_run:
        terminal.say("Nothing was removed (--dry-run).", accounts=done.accounts)
    else:
        terminal.say(
            f"Erased {done.accounts} account(s). The report names nobody: {done.report}",
            accounts=done.accounts,
            report=str(done.report),
        )
