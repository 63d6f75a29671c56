"""What was understood, as a row of BRIEFS or as a file of one row that people edit."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from features.brieftext.findings import Understood
from features.brieftext.reader import clean
from features.cells import half_width
from features.columns import Column
from features.contract import BRIEFS
from features.errors import UserError
from features.formulas import harmless
from features.headers import aliases, tables_named
from features.mixes import add_up
from features.sheets import number_text

_WIDTH = 28


def to_briefs(understood: Understood, brief_id: str, brand_id: str | None = None) -> pd.DataFrame:
    """Return the brief as BRIEFS of one row, not checked: a currency may still be missing.

    Parameters
    ----------
    understood : Understood
        What was read.
    brief_id : str
        Its id.
    brand_id : str, optional
        By default the brand's name, or the brief's id where there is none, as in files that leave
        it out.
    """
    values: dict[str, Any] = {name: found.value for name, found in understood.found.items()}
    for name in ("starts_at", "ends_at"):
        if isinstance(day := values.get(name), date):
            moment = pd.Timestamp(day, tz="UTC")
            last = pd.Timedelta(days=1) - pd.Timedelta(1, "us")
            values[name] = moment + last if BRIEFS[name].closes else moment
    if "audience_gender" in values:
        # As in files: with one side told, the other is the rest.
        values["audience_gender"] = add_up(values["audience_gender"].items(), "gender")
    values["brief_id"] = brief_id
    values["brand_id"] = brand_id or values.get("brand_name") or brief_id
    return BRIEFS.conform(pd.DataFrame([values]))


def write_draft(briefs: pd.DataFrame, path: Path, language: Literal["zh", "en"]) -> None:
    """Write a brief as a file that `features.ingest` reads and people can edit.

    Parameters
    ----------
    briefs : pandas.DataFrame
        BRIEFS of one row.
    path : Path
        A ``.csv`` whose name says that it holds briefs, UTF-8 with BOM, in which nothing can
        become a formula; or an ``.xlsx`` of any name.
    language : {"zh", "en"}
        Of the headers.

    Raises
    ------
    UserError
        If the name is neither.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".xlsx"):
        raise UserError(f"Got {path.name} but expected a draft as .csv or .xlsx")
    if suffix == ".csv" and tables_named(path.stem) != ("briefs",):
        raise UserError(
            f"Got {path.name} but expected a name that says what is in it, such as "
            f"brief_{path.stem}.csv: kolmatch tells tables by the names of their files"
        )
    row = briefs.iloc[0]
    heads = [_head(column, language) for column in BRIEFS.columns]
    cells = [_cell(column, row[column.name]) for column in BRIEFS.columns]
    if suffix == ".xlsx":
        _write_workbook(path, heads, cells)
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([heads, [harmless(cell) for cell in cells]])


def _head(column: Column, language: str) -> str:
    """Return the header of a column: the first Chinese one that is understood, or its name."""
    names = aliases(BRIEFS, column.name)
    chinese = next((name for name in names if not name.isascii()), column.name)
    return chinese if language == "zh" else column.name


def _cell(column: Column, value: Any) -> str:
    if column.kind == "mix":
        return "; ".join(f"{name}:{share:g}" for name, share in value.items())
    if column.kind == "labels":
        return "; ".join(value)
    if pd.isna(value):
        return ""
    if column.kind == "time":
        return f"{value:%Y-%m-%d}"
    return clean(value) if isinstance(value, str) else number_text(float(value))


def _write_workbook(path: Path, heads: list[str], cells: list[str]) -> None:
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("briefs")
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        # As text, so that no program makes another thing of an id, a date or a share.
        text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
        sheet.set_column(0, len(heads) - 1, _WIDTH, text)
        sheet.freeze_panes(1, 1)
        for place, (head, cell) in enumerate(zip(heads, cells, strict=True)):
            sheet.write_string(0, place, head, bold)
            sheet.write_string(1, place, cell, text)


def brand_id_of(name: str, briefs: pd.DataFrame) -> str | None:
    """Return the id by which earlier briefs know a brand; none where they differ about it."""
    known = briefs[["brand_id", "brand_name"]].dropna().drop_duplicates()
    same = known["brand_name"].map(half_width) == half_width(name)
    ids = sorted(set(known.loc[same, "brand_id"]))
    return ids[0] if len(ids) == 1 else None


def is_decided(brief_id: str, briefs: pd.DataFrame) -> bool | None:
    """Tell whether a stored brief was decided; ``None`` where none is stored under this id."""
    row = briefs[briefs["brief_id"] == brief_id]
    return None if row.empty else bool(row["decided_at"].notna().any())
