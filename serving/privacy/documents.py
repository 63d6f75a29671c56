"""Files that may name a KOL: rewritten where that can be done, else deleted."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from serving.privacy.traces import Traces

Fate = Literal["rewritten", "deleted"]

_TEXT = {".html", ".htm", ".md", ".txt", ".svg", ".toml", ".yaml", ".yml", ".ics", ".log", ""}


def clean_file(path: Path, traces: Traces, apply: bool = True, whole: bool = False) -> Fate | None:
    """Take the erased out of a file.

    Rows of CSV files and worksheets that name one are left out, and so are entries of JSON; in
    other text the name alone is replaced. What is none of these, or cannot be read, is deleted if
    its bytes name one.

    Parameters
    ----------
    path : Path
        The file.
    traces : Traces
        Who is erased.
    apply : bool
        Whether to do it, rather than to tell what would be done.
    whole : bool
        Whether to delete it whole if it names one.

    Returns
    -------
    str or None
        ``"rewritten"`` or ``"deleted"``; ``None`` where the file names nobody.
    """
    suffix = path.suffix.lower()
    if suffix in (".db", ".sqlite") or path.is_symlink():
        return None
    known = _CLEANERS.get(suffix, _clean_text if suffix in _TEXT else None)
    clean = None if whole else known
    if any(traces.is_one(part) for part in (path.name, path.stem)):
        clean = None  # a file called after a KOL is about the KOL
    elif clean is not None:
        try:
            before = path.read_bytes()
            after = clean(before, traces)
        except Exception:  # whatever keeps a parser from reading it
            clean = None
        else:
            if after is None or after == before:
                return None
            if apply:
                _replace(path, after)
            return "rewritten"
    if path.exists() and (_raw(path, traces) or traces.within(path.name)):
        if apply:
            path.unlink(missing_ok=True)
        return "deleted"
    return None


def clean_database(path: Path, traces: Traces, apply: bool = True) -> int:
    """Take the erased out of the texts of an SQLite file, and its free pages too.

    Returns
    -------
    int
        Cells that named one.
    """
    found = 0
    with closing(sqlite3.connect(path, timeout=60)) as database:
        database.execute("PRAGMA secure_delete = ON")
        for table, column in _text_columns(database):
            where = " OR ".join(f'instr("{column}", ?)' for _ in traces.telling)
            if not where:
                continue
            query = f'SELECT rowid, "{column}" FROM "{table}" WHERE {where}'
            for row, text in database.execute(query, sorted(traces.telling)).fetchall():
                clean = traces.cell(text) if isinstance(text, str) else text
                if clean != text:
                    found += 1
                    if apply:
                        update = f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?'
                        database.execute(update, (clean, row))
        if apply:
            database.commit()
            # What was deleted earlier lies in pages that nothing leads to.
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return found


def _text_columns(database: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "AND sql NOT LIKE '%WITHOUT ROWID%'"
    )
    for (table,) in tables.fetchall():
        for _, column, kind, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
            if re.search("CHAR|TEXT|CLOB|JSON|^$", str(kind).upper()):
                yield table, column


def _clean_text(data: bytes, traces: Traces) -> bytes | None:
    text = data.decode("utf-8")
    clean = traces.cleaned(text)
    return None if clean == text else clean.encode("utf-8")


def _clean_json(data: bytes, traces: Traces) -> bytes | None:
    text = data.decode("utf-8-sig")
    if not traces.within(text) and not any(term in text for term in traces.terms):
        return None
    told = json.loads(text)
    clean = traces.deep(told)
    if clean == told:
        return None
    return json.dumps(clean, ensure_ascii=False, indent=1).encode("utf-8")


def _clean_csv(data: bytes, traces: Traces) -> bytes | None:
    marked = data.startswith(b"\xef\xbb\xbf")
    text = data.decode("utf-8-sig")
    end = "\r\n" if "\r\n" in text else "\n"
    rows = list(csv.reader(io.StringIO(text, newline="")))
    head = rows[0] if rows else []
    ids = [re.search("id|kol|编号|达人", name, re.IGNORECASE) is not None for name in head]
    ids += [False] * max((len(row) - len(head) for row in rows), default=0)
    kept = [
        row
        for row in rows
        if not any(traces.is_one(cell, figures) for cell, figures in zip(row, ids, strict=False))
    ]
    clean = [[traces.cleaned(cell) for cell in row] for row in kept]
    if clean == rows:
        return None
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end).writerows(clean)
    return (b"\xef\xbb\xbf" if marked else b"") + out.getvalue().encode("utf-8")


def _clean_workbook(data: bytes, traces: Traces) -> bytes | None:
    import openpyxl

    with warnings.catch_warnings():
        # Bars and colours that it does not know are lost, and nothing else.
        warnings.simplefilter("ignore", UserWarning)
        book = openpyxl.load_workbook(io.BytesIO(data))
    changed = False
    for sheet in book.worksheets:
        named = []
        for row in sheet.iter_rows():
            if any(traces.is_one(cell.value) for cell in row):
                named.append(row[0].row)
                continue
            for cell in row:
                text = cell.value
                if isinstance(text, str) and (clean := traces.cleaned(text)) != text:
                    cell.value, changed = clean, True
                if cell.comment is not None and traces.within(cell.comment.text):
                    cell.comment, changed = None, True
        for number in reversed(named):
            sheet.delete_rows(number)
        if named and sheet.auto_filter.ref:
            sheet.auto_filter.ref = sheet.dimensions
        changed = changed or bool(named)
    if not changed:
        return None
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _clean_gzip(data: bytes, traces: Traces) -> bytes | None:
    clean = _clean_text(gzip.decompress(data), traces)
    return None if clean is None else gzip.compress(clean, mtime=0)


def _raw(path: Path, traces: Traces) -> bool:
    """Tell whether the bytes of a file that is nothing known name an erased KOL."""
    with suppress(OSError):
        return traces.within(path.read_bytes().decode("utf-8", "replace"))
    return False


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(path.stat().st_mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


_CLEANERS: dict[str, Callable[[bytes, Traces], bytes | None]] = {
    ".csv": _clean_csv,
    ".tsv": _clean_text,
    ".json": _clean_json,
    ".xlsx": _clean_workbook,
    ".gz": _clean_gzip,
}
