"""The command that reads a brief in free text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from matcher.commands.shared import read_time, terminal_of_run

if TYPE_CHECKING:
    import pandas as pd

    from features.brieftext.findings import Understood
    from matcher.wording import Language


def brief(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="The brief: .txt, .md or .docx, Chinese or English."
        ),
    ],
    brief_id: Annotated[
        str | None, typer.Option("--id", help="Id of the brief. Default: the file's name.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="When it is read: dates without a year follow. Default: now."),
    ] = None,
    draft: Annotated[
        Path | None,
        typer.Option(
            "--draft",
            dir_okay=False,
            help="Write what was understood to this .csv or .xlsx, to edit and ingest.",
        ),
    ] = None,
    ingest: Annotated[
        Path | None,
        typer.Option(
            "--ingest", file_okay=False, help="Add the brief to this lake, once confirmed."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take what was understood without asking.")
    ] = False,
    language: Annotated[
        Literal["zh", "en"] | None,
        typer.Option(help="Language of what is shown and of the draft. Default: the brief's."),
    ] = None,
) -> None:
    """Read a brief in free text: show what was understood, from which words, and what is missing.

    Rules and dictionaries read it, nothing is learned, and what is a guess is called one. Nothing
    is added to a lake before a person, or --yes, has confirmed it; the draft can be edited and
    then ingested like any file of briefs.
    """
    import pandas as pd

    from features.brieftext.document import read_document
    from features.brieftext.draft import to_briefs
    from features.brieftext.reader import understand

    terminal = terminal_of_run()
    now = pd.Timestamp.now(tz="UTC") if as_of is None else read_time(as_of)
    understood = understand(read_document(file), now.date())
    spoken: Language = language or ("zh" if understood.found["language"].value == "zh" else "en")
    name = (brief_id or file.stem).strip()
    if not name:
        raise typer.BadParameter("an id has at least one character", param_hint="--id")
    _show(understood, spoken)
    briefs = to_briefs(understood, name, _brand_id(understood, ingest))
    if draft is not None:
        _write(briefs, draft, spoken, yes)
    if ingest is not None:
        _ingest(briefs, name, ingest, yes)
    if draft is None and ingest is None:
        terminal.say(
            "Nothing was written: give --draft brief_NAME.csv to edit it, or --ingest LAKE."
        )


def _show(understood: Understood, language: Language) -> None:
    from matcher.briefing import FIELDS, HEADS, MISSING, SUMMARY, in_words, rows

    terminal = terminal_of_run()
    terminal.table([head.in_(language) for head in HEADS], rows(understood, language))
    chinese = language == "zh"
    for field in understood.missing:
        label = "缺" if chinese else "missing"
        terminal.warn(f"{label}: {FIELDS[field].in_(language)} ({MISSING[field].in_(language)})")
    if understood.useful:
        names = [FIELDS[field].in_(language) for field in understood.useful]
        label = "有则更好" if chinese else "would help"
        terminal.say(f"{label}: {('、' if chinese else ', ').join(names)}")
    for conflict in understood.conflicts:
        label = "前后不一" if chinese else "told in two ways"
        quotes = " / ".join(conflict.quotes)
        taken = conflict.taken or ("未采用" if chinese else "none taken")
        terminal.warn(f"{label}: {FIELDS[conflict.field].in_(language)}: {quotes} → {taken}")
    for wish in understood.unplaced:
        label = "没有对应字段，请人工留意" if chinese else "no column holds this, mind it yourself"
        terminal.say(f"{label}: {wish}")
    told = [found for field, found in understood.found.items() if field in FIELDS]
    guesses = sum(not found.sure for found in told)
    terminal.say(
        SUMMARY.in_(language).format(fields=len(told), guesses=guesses),
        **{
            field: in_words(field, found.value, "en")
            for field, found in understood.found.items()
            if field in FIELDS
        },
        missing=list(understood.missing),
    )


def _brand_id(understood: Understood, lake: Path | None) -> str | None:
    """Return the id that the lake knows the brand by, if it does."""
    from features.brieftext.draft import brand_id_of
    from features.lake import Lake

    found = understood.found.get("brand_name")
    if found is None or lake is None or not Lake(lake).exists():
        return None
    return brand_id_of(str(found.value), Lake(lake).read().briefs)


def _write(briefs: pd.DataFrame, path: Path, language: Language, yes: bool) -> None:
    from features.brieftext.draft import write_draft
    from features.errors import UserError

    if path.exists() and not yes and not _confirms(f"{path} exists. Replace it?"):
        raise UserError(
            f"Got {path} for the draft, which exists already; give another name, or --yes to "
            "replace it"
        )
    write_draft(briefs, path, language)
    terminal_of_run().say(
        f"Wrote {path}: edit it, then `kolmatch check` and `kolmatch ingest` its folder.",
        draft=str(path),
    )


def _ingest(briefs: pd.DataFrame, brief_id: str, lake: Path, yes: bool) -> None:
    from features.brieftext.draft import is_decided
    from features.errors import UserError
    from features.lake import Lake
    from features.tables import Tables

    terminal = terminal_of_run()
    tables = Tables.of(briefs=briefs)
    store = Lake(lake)
    decided = is_decided(brief_id, store.read().briefs) if store.exists() else None
    if decided:
        raise UserError(
            f"Got the id {brief_id}, but the lake holds a brief of that id that was decided "
            "already, whose past must not change; give another with --id"
        )
    what = "add it to" if decided is None else f"replace brief {brief_id} in"
    if not yes and not _confirms(f"Is this right? Then {what} {lake}"):
        terminal.warn(f"{lake} is as it was: not confirmed. Give --yes, or edit a --draft.")
        return
    change = store.ingest(tables)["briefs"]
    terminal.say(f"Lake: {lake}", lake=str(lake), brief_id=brief_id, briefs=vars(change))


def _confirms(question: str) -> bool:
    """Ask a person, and take nobody for a no."""
    return sys.stdin.isatty() and typer.confirm(question, default=False, err=True)
