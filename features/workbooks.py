"""XLSX workbooks as sheets of text."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import Fault
from features.sheets import (
    EXACT,
    ROUNDED,
    FileError,
    Sheet,
    Spoiled,
    headers_of,
    label,
    number_text,
    text_column,
)

MAX_BYTES = 2 * 2**30
"""What a workbook may unpack to: more is a mistake or a zip bomb."""

MAX_ROWS = 2**20
"""Rows that a worksheet can have; a file may claim to have billions, all empty."""
_TITLE_ROWS = 10
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_FORMULA = re.compile(rb"<f[ >/]")
_RESULT = re.compile(rb"(?:</f>|<f[^>]*/>)\s*<v[^>/]*>[^<]")


def read_workbook(path: Path) -> list[Sheet]:
    """Read every worksheet of a workbook.

    Date cells become ISO dates, numbers shown as percentages get their sign, formulas give the
    result that was saved with them. Blank rows are skipped, as are titles above the header: rows
    of one cell before the first of several. Of merged cells the first holds the value.

    Raises
    ------
    FileError
        If the file is no workbook, unpacks to more than `MAX_BYTES`, has a header twice, or has
        formulas without results.
    """
    import openpyxl

    try:
        bare = _check_archive(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            pages = [(page.title, list(_rows(page))) for page in book.worksheets]
        finally:
            book.close()
    except FileError:
        raise
    except Exception as error:
        # openpyxl lets through whatever a damaged part makes its XML and zip readers raise.
        expected = "a workbook that opens in a spreadsheet program, saved as .xlsx"
        raise FileError([Fault("", path.name, 0, "", repr(error)[:200], expected)]) from error
    if bare:
        expected = "formulas saved with their results: open it in a spreadsheet program and save"
        raise FileError([Fault("", path.name, 0, "", part, expected) for part in bare])
    sheets: list[Sheet] = []
    faults: list[Fault] = []
    for title, rows in pages:
        try:
            sheets += _sheet(path.name, title, rows)
        except FileError as fault:
            faults += fault.faults
    if faults:
        raise FileError(faults)
    return sheets


def _check_archive(path: Path) -> list[str]:
    """Return the worksheets whose formulas have no results; refuse what is too large."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        size = sum(part.file_size for part in parts)
        if size > MAX_BYTES:
            expected = f"a workbook that unpacks to at most {MAX_BYTES // 2**30} GiB"
            raise FileError([Fault("", path.name, 0, "", f"{size} bytes", expected)])
        bare = []
        for part in parts:
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", part.filename):
                xml = archive.read(part)
                # Programs that write formulas without computing them leave every result empty;
                # where some have one, an empty result is a formula that gave nothing.
                if _FORMULA.search(xml) and not _RESULT.search(xml):
                    bare.append(part.filename.removeprefix("xl/worksheets/"))
        return bare


def _rows(page: Any) -> Iterator[tuple[int, list[Any]]]:
    """Yield the rows that are not blank, numbered as the spreadsheet numbers them."""
    # Some programs save a wrong extent, beyond which openpyxl would see nothing.
    page.reset_dimensions()
    for number, row in enumerate(page.iter_rows(), start=1):
        if number > MAX_ROWS:
            raise ValueError(f"a row beyond {MAX_ROWS:,}")
        cells = [_cell(cell) for cell in row]
        if any(cell is not None for cell in cells):
            yield number, cells


def _cell(cell: Any) -> str | float | Spoiled | None:
    """Return a cell as text, a plain number as itself, and what is lost as `Spoiled`."""
    value = cell.value
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if cell.data_type == "e":
        return Spoiled(str(value), "a value; the spreadsheet shows an error here")
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return _number(value, cell.number_format or "")
    if isinstance(value, datetime) and value == datetime.combine(value.date(), time.min):
        value = value.date()  # a sheet keeps a day as its midnight
    return value.isoformat() if isinstance(value, (datetime, date)) else str(value)


def _number(value: float, shown_as: str) -> str | float | Spoiled:
    if "%" in _QUOTED.sub("", shown_as):
        return f"{number_text(float(Decimal(repr(value)).scaleb(2)))}%"
    if abs(value) >= EXACT:
        return Spoiled(number_text(value), ROUNDED, as_number=True)
    return value


def _sheet(file: str, title: str, rows: list[tuple[int, list[Any]]]) -> list[Sheet]:
    start = _header(rows)
    if start is None:
        return []
    number, cells = rows[start]
    body = rows[start + 1 :]
    width = max((len(c) for _, c in rows[start:]), default=0)
    names = [_text(c) or "" for c in cells] + [""] * (width - len(cells))
    headers = headers_of(names, label(file, title), number)
    columns: dict[str, list[str | None]] = {}
    spoiled: dict[tuple[int, str], Spoiled] = {}
    typed = set()
    for at, header in enumerate(headers):
        values = [c[at] if at < len(c) else None for _, c in body]
        columns[header] = [_text(value) for value in values]
        spoiled |= {(i, header): v for i, v in enumerate(values) if isinstance(v, Spoiled)}
        if all(
            v is None or isinstance(v, (int, float)) or getattr(v, "as_number", False)
            for v in values
        ):
            typed.add(header)
    table = pd.DataFrame({header: text_column(texts) for header, texts in columns.items()})
    numbers = np.array([number for number, _ in body], dtype=np.int64)
    return [Sheet(file, title, table, numbers, frozenset(typed), spoiled)]


def _header(rows: list[tuple[int, list[Any]]]) -> int | None:
    """Return the place of the header among the rows: the first, below titles of one cell."""
    filled = [sum(c is not None for c in cells) for _, cells in rows[: _TITLE_ROWS + 1]]
    return next((at for at, count in enumerate(filled) if count > 1), 0 if filled else None)


def _text(value: str | float | Spoiled | None) -> str | None:
    if isinstance(value, Spoiled):
        return value.value
    return number_text(value) if isinstance(value, (int, float)) else value
