"""The files of a folder, read as sheets of text.

Every cell becomes the text a person would have written for it. What it means is the affair of
`features.values`.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from features.errors import Fault
from features.parquet import read_parquet
from features.sheets import FileError, Sheet, headers_of, text_column
from features.workbooks import read_workbook

DELIMITERS = (",", "\t", ";")
SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet")
_CHUNK_ROWS = 50_000
_FIELD_LIMIT = 16 * 2**20  # characters; a vector of 100,000 numbers fits


def list_files(
    folder: Path, besides: Path | None = None
) -> tuple[list[Path], list[str], list[Fault]]:
    """List the data files of a folder, by name.

    Parameters
    ----------
    folder : Path
        Its own files are listed, not those of folders in it.
    besides : Path, optional
        A file that is no data, such as the mapping.

    Returns
    -------
    files : list of Path
        Files with one of `SUFFIXES`, in any case.
    notes : list of str
        What else is there. Hidden files and the lock files of open workbooks go unmentioned.
    faults : list of Fault
        Links that lead out of the folder, which are not followed, and workbooks of the old form.
    """
    files: list[Path] = []
    notes: list[str] = []
    faults: list[Fault] = []
    home = folder.resolve()
    for path in sorted(folder.iterdir()):
        name = path.name
        if name.startswith((".", "~$")) or (besides and path.resolve() == besides.resolve()):
            continue
        if path.is_dir():
            notes.append(f"{name}/: folders are not looked into")
        elif fault := _no_file(path, home):
            faults.append(fault)
        elif path.suffix.lower() == ".xls":
            faults.append(Fault("", name, 0, "", ".xls", "the workbook saved as .xlsx"))
        elif path.suffix.lower() in SUFFIXES:
            files.append(path)
        else:
            notes.append(f"{name}: ignored, being none of {', '.join(SUFFIXES)}")
    return files, notes, faults


def _no_file(path: Path, home: Path) -> Fault | None:
    """Return why an entry of the folder is not opened, ``None`` where it is a file."""
    value = str(path.readlink()) if path.is_symlink() else "no file"
    try:
        target = path.resolve()
    except (OSError, RuntimeError):  # it leads in a circle
        return Fault("", path.name, 0, "", value, "a file of its own; this link leads to none")
    if not target.is_relative_to(home):
        expected = "a file of its own; links out of the folder are not followed"
        return Fault("", path.name, 0, "", value, expected)
    if not target.exists():
        return Fault("", path.name, 0, "", value, "a file of its own; this link leads to none")
    if not target.is_file():
        # Reading a pipe would wait for ever.
        return Fault("", path.name, 0, "", "a pipe or device", "a plain file; copy it into one")
    return None


def read_sheets(path: Path) -> list[Sheet]:
    """Read a file.

    Parameters
    ----------
    path : Path
        A file with one of `SUFFIXES`, in any case.

    Returns
    -------
    list of Sheet
        One for CSV and Parquet, one a worksheet for XLSX; none where there is not even a header.

    Raises
    ------
    FileError
        Listing everything that keeps the file from being a table.
    """
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        return read_workbook(path)
    return read_parquet(path) if suffix == ".parquet" else _read_csv(path)


def _read_csv(path: Path) -> list[Sheet]:
    with path.open(encoding=encoding_of(path), newline="") as lines:
        limit = csv.field_size_limit(_FIELD_LIMIT)
        try:
            sheets = _parse_csv(path.name, lines)
            return [replace(sheet, encoding=lines.encoding) for sheet in sheets]
        finally:
            # The limit belongs to the whole process, where others may rely on theirs.
            csv.field_size_limit(limit)


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file.

    Raises
    ------
    FileError
        If it is text in none that is read.
    """
    with path.open("rb") as stream:
        start = stream.read(4096)
    if start.startswith(codecs.BOM_UTF8):
        candidates = ["utf-8-sig"]
    elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    else:
        # UTF-16 without its mark would pass for UTF-8 full of NULs.
        candidates = [] if b"\0" in start else ["utf-8", "gb18030"]
    for encoding in candidates:
        try:
            with path.open(encoding=encoding, newline="") as stream:
                while part := stream.read(2**20):
                    if "\0" in part:
                        raise UnicodeError("NUL")
        except UnicodeError:
            continue
        return encoding
    expected = "text in UTF-8 or GB18030, or in UTF-16 with its byte order mark"
    raise FileError([Fault("", path.name, 0, "", "bytes that are not text", expected)])


def _parse_csv(name: str, lines: IO[str]) -> list[Sheet]:
    delimiter = _delimiter(lines.read(2**20))
    lines.seek(0)
    faults: list[Fault] = []
    records = _records(csv.reader(lines, delimiter=delimiter, strict=True), name, faults)
    header = next(records, None)
    if header is None:
        if faults:
            raise FileError(faults)
        return []
    headers = headers_of(header[1], name, header[0])
    chunks: list[list[Any]] = [[] for _ in headers]
    rows: list[int] = []
    while chunk := list(islice(records, _CHUNK_ROWS)):
        whole = [(row, cells) for row, cells in chunk if len(cells) == len(headers)]
        faults += [
            _ragged(name, row, cells, headers) for row, cells in chunk if len(cells) != len(headers)
        ]
        rows += [row for row, _ in whole]
        for column, texts in zip(
            chunks, zip(*(cells for _, cells in whole), strict=True), strict=False
        ):
            column.append(text_column([text or None for text in texts]))
    cells = pd.DataFrame(
        {
            h: pd.concat(c, ignore_index=True) if c else text_column([])
            for h, c in zip(headers, chunks, strict=True)
        }
    )
    return [Sheet(name, "", cells, np.array(rows, dtype=np.int64), faults=tuple(faults))]


def _ragged(name: str, row: int, cells: list[str], headers: list[str]) -> Fault:
    expected = f"{len(headers)} cells, as many as the header has"
    return Fault("", name, row, "", f"{len(cells)} cells", expected)


def _records(reader: Any, name: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank with their rows; what ends them early is a fault.

    A record is one row however many lines its quoted cells run over, as a spreadsheet shows it.
    """
    row = 0
    while True:
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            expected = "quotes that close where a cell ends, and are doubled inside it"
            faults.append(Fault("", name, row, "", str(error), expected))
            return
        if any(map(str.strip, cells)):
            yield row, cells


def _delimiter(start: str) -> str:
    """Return what divides the header line into most cells, the comma where nothing does."""

    def cells(delimiter: str) -> int:
        try:
            reader = csv.reader(io.StringIO(start, newline=""), delimiter=delimiter)
            return next((len(record) for record in reader if any(map(str.strip, record))), 0)
        except csv.Error:
            return 0

    return max(DELIMITERS, key=cells)
