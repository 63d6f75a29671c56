"""The text of a brief's file: plain text, Markdown or a Word document."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from features.errors import Fault, TableError, UserError
from features.files import encoding_of
from features.sheets import FileError

SUFFIXES = (".txt", ".md", ".markdown", ".docx")
MOST_CHARACTERS = 20_000
"""What a brief may hold: a cell of a workbook takes no more than 32,767."""
_MOST_BYTES = 20 * 2**20
_MOST_UNPACKED = 100 * 2**20
_MOST_XML = 20 * 2**20
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def read_document(path: Path) -> str:
    """Read the text of a brief.

    Parameters
    ----------
    path : Path
        Plain text or Markdown in UTF-8 (with or without BOM), UTF-16 with BOM or GB18030; or a
        ``.docx``, of which paragraphs and tables are read, cells with a bar between them, text
        that was inserted with tracking among them and text that was deleted not.

    Raises
    ------
    UserError
        If the name tells another kind of file.
    TableError
        If the file is empty, too large, no text, or no document; also if it unpacks to too much.
    FileNotFoundError
        If it is not there.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"Got {path.name} but expected a brief as {', '.join(SUFFIXES)}; save it as one of them"
        )
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise _fault(path, f"{size:,} bytes", f"a brief of at most {_MOST_BYTES // 2**20} MB")
    text = _read_word(path) if suffix == ".docx" else _read_text(path)
    if not text.strip():
        raise _fault(path, "no text", "a brief in words")
    if len(text) > MOST_CHARACTERS:
        expected = f"at most {MOST_CHARACTERS:,}; keep the brief and leave out what is attached"
        raise _fault(path, f"{len(text):,} characters", expected)
    return text


def _fault(path: Path, got: str, expected: str) -> TableError:
    return TableError([Fault("briefs", path.name, 0, "", got, expected)])


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding=encoding_of(path))
    except FileError as error:
        raise TableError(error.faults) from error
    except UnicodeError as error:
        raise _fault(path, "bytes that are not text", "text in UTF-8 or GB18030") from error


def _read_word(path: Path) -> str:
    import docx

    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {part.filename: part.file_size for part in archive.infolist()}
    except (zipfile.BadZipFile, OSError) as error:
        raise _fault(path, str(error), "a document that opens in Word, saved as .docx") from error
    # Zip members give no more than the size they tell, so that telling is enough to judge by.
    largest = max((s for name, s in sizes.items() if name.endswith(".xml")), default=0)
    if sum(sizes.values()) > _MOST_UNPACKED or largest > _MOST_XML:
        raise _fault(
            path,
            f"{sum(sizes.values()):,} bytes when unpacked",
            f"a document that unpacks to at most {_MOST_UNPACKED // 2**20} MB, "
            f"{_MOST_XML // 2**20} MB of it text; paste the brief into a new one",
        )
    try:
        body = docx.Document(str(path)).element.body
        return "\n".join(_blocks(body))
    except Exception as error:
        # python-docx lets through whatever a damaged part makes its XML and zip readers raise.
        expected = "a document that opens in Word, saved as .docx"
        raise _fault(path, repr(error)[:200], expected) from error


def _blocks(parent: Any) -> Iterator[str]:
    """Yield paragraphs, and the rows of tables with a bar between cells, in order."""
    for child in parent:
        if child.tag == f"{_W}p":
            yield _words(child)
        elif child.tag == f"{_W}tbl":
            for row in child.iter(f"{_W}tr"):
                cells = (_words(cell, " ") for cell in row.iter(f"{_W}tc"))
                yield f"| {' | '.join(cells)} |"
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
            yield from _blocks(child)


def _words(element: Any, between: str = "") -> str:
    """Return the text in an element, what was deleted with tracking left out."""
    parts = []
    for part in element.iter():
        if part.tag == f"{_W}t":
            parts.append(part.text or "")
        elif part.tag == f"{_W}tab":
            parts.append("\t")
        elif part.tag in (f"{_W}br", f"{_W}cr"):
            parts.append(between or "\n")
        elif part.tag == f"{_W}p" and parts and between:
            parts.append(between)
    return "".join(parts)
