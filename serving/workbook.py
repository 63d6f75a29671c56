"""A run's lists for people: one workbook, and CSV files of the matches and of the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import pandas as pd

from matcher.wording import Language
from serving import headings, told
from serving.cells import write_csv
from serving.publish import Run, check_run_id
from serving.results import DETAILS
from serving.sheets import Book, Sheet, open_book, unfinished

_NOTHING: Mapping[str, pd.DataFrame] = MappingProxyType({})
ALWAYS = ("matches", "exclusions")
"""Sheets that are there though they have no rows."""
_PRINTED = {"matches": "caution", "planned": "caution"}
"""Where paper ends; what follows is for those who look closer."""


def write_files(
    folder: Path,
    run: Run,
    matches: pd.DataFrame,
    exclusions: pd.DataFrame,
    briefs: pd.DataFrame,
    language: Language,
    details: Mapping[str, pd.DataFrame] = _NOTHING,
) -> list[Path]:
    """Write a run's lists to ``folder/<run_id>``, each file whole or not at all.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    run : Run
        How the run was made.
    matches : DataFrame
        `serving.results.MATCHES`, evidence as dicts.
    exclusions : DataFrame
        `serving.results.EXCLUSIONS`.
    briefs : DataFrame
        BRIEFS, for title, brand and goal; those not in it get none.
    language : {"zh", "en"}
        Language of headings, codes and reasons.
    details : mapping of str to DataFrame
        Tables of `serving.results.DETAILS` by name; those not given have no rows.

    Returns
    -------
    list of Path
        ``matches.<language>.csv`` (UTF-8 with byte order mark) and ``.xlsx``, and
        ``plan.<language>.csv`` where there is a plan. The same run gives the same bytes.

    Raises
    ------
    ValueError
        If `language` is neither.
    """
    if language not in get_args(Language):
        raise ValueError(f"Got language={language!r} but expected 'zh' or 'en'")
    check_run_id(run.run_id)
    sheets = sheets_of_run(matches, exclusions, briefs, language, details)
    by_stem = {sheet.stem: sheet for sheet in sheets}
    target = folder / run.run_id
    with unfinished(target) as partial:
        made = [partial / f"matches.{language}.{kind}" for kind in ("csv", "xlsx")]
        write_csv(made[0], headings.MATCHES_FILE, by_stem["matches"].frame, language)
        _write_workbook(made[1], run, sheets, language)
        planned = by_stem["planned"]
        if len(planned.frame):
            made.append(partial / f"plan.{language}.csv")
            write_csv(made[2], planned.columns, planned.frame, language)
        return [path.replace(target / path.name) for path in made]


def sheets_of_run(
    matches: pd.DataFrame,
    exclusions: pd.DataFrame,
    briefs: pd.DataFrame,
    language: Language,
    details: Mapping[str, pd.DataFrame] = _NOTHING,
) -> list[Sheet]:
    """Return every table that a run's workbook may hold, those without rows too.

    Parameters are those of `write_files`.
    """
    tables = {name: details.get(name, spec.empty()) for name, spec in DETAILS.items()}
    listed = told.matches_told(matches, tables["planned"], briefs, language)
    plans = told.plans_told(tables["plans"], briefs, language)
    forecast = listed[listed["views_p50"].notna()]
    frames = {
        "plans": plans[plans["step"] == 1],
        "planned": told.planned_told(tables["planned"], listed, language),
        "matches": listed,
        "options": told.options_told(tables["options"], listed, language),
        "forecast": forecast,
        "risks": told.risks_told(tables["risks"], listed, language),
        "steps": plans[plans["step"] != 1],
        "successors": told.related_told(tables["successors"], listed, language),
        "precedents": told.related_told(tables["precedents"], listed, language),
        "exclusions": told.exclusions_told(exclusions, matches, briefs, language),
    }
    columns = {
        "plans": (headings.PLANS, "brand_name"),
        "planned": (headings.PLANNED, "display_name"),
        "matches": (headings.MATCHES, "display_name"),
        "options": (headings.OPTIONS, "display_name"),
        "forecast": (headings.FORECAST, "display_name"),
        "risks": (headings.RISKS, "display_name"),
        "steps": (headings.STEPS, "brand_name"),
        "successors": (headings.SUCCESSORS, "display_name"),
        "precedents": (headings.PRECEDENTS, "display_name"),
        "exclusions": (headings.EXCLUDED, ""),
    }
    return [
        Sheet(
            stem,
            headings.SHEETS[stem],
            columns[stem][0],
            frame,
            fixed=columns[stem][1],
            printed=_PRINTED.get(stem, ""),
        )
        for stem, frame in frames.items()
    ]


def _write_workbook(path: Path, run: Run, sheets: Sequence[Sheet], language: Language) -> None:
    kept = [sheet for sheet in sheets if len(sheet.frame) or sheet.stem in ALWAYS]
    with open_book(path, run.run_id, run.created_at, language) as book:
        for sheet in kept:
            book.table(sheet)
        _write_about(book, run, kept, [sheet for sheet in sheets if sheet not in kept])


def _write_about(book: Book, run: Run, kept: Sequence[Sheet], absent: Sequence[Sheet]) -> None:
    """Say what the run rests on, how to read it, how it was made, and what each column means."""
    language = book.language
    page = book.page(headings.SHEETS["about"])
    row = 0
    for text in (headings.RESTS_ON[run.basis], *headings.METHOD):
        page.merge_range(row, 0, row, 1, "", book.format("bold" if row == 0 else "long"))
        book.text(page, row, 0, text.in_(language), "bold" if row == 0 else "long")
        page.set_row(row, 32)
        row += 1
    if run.redacted_at is not None:
        page.merge_range(row, 0, row, 1, "", book.format("long"))
        told = headings.REDACTED.in_(language).format(time=f"{run.redacted_at:%Y-%m-%d}")
        book.text(page, row, 0, told, "long")
        page.set_row(row, 32)
        row += 1
    for sheet in absent:
        name = f"{headings.LEFT_OUT.in_(language)} · {sheet.name.in_(language)}"
        book.pair(page, row, name, headings.ABSENT[sheet.stem].in_(language))
        row += 1
    row += 1
    for name, text in headings.RUN.items():
        book.pair(page, row, text.in_(language), _value(getattr(run, name), language))
        row += 1
    book.meanings(page, row + 1, (heading for sheet in kept for heading in sheet.columns))


def _value(value: object, language: Language) -> str:
    if value is None:
        return headings.NO_MODEL.in_(language)
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)
    return str(value)
