"""Where bytes name somebody: every file under some folders, raw and with what is packed unpacked.

Nothing of kolmatch is used: what looks for leaks must not share the mistakes of what prevents them.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq


def find_bytes(folders: list[Path], terms: list[str]) -> list[tuple[str, str]]:
    """Return (file, term) for every file that holds a term, raw or unpacked, or in its own path.

    A term that is only a part of a longer word of ASCII letters and digits does not count: another
    KOL may be called so.
    """
    patterns = {term: [_pattern(spelled) for spelled in _spellings(term)] for term in terms}
    found = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder)).encode()
            chunks = [name, *(_contents(path) if path.is_file() else ())]
            for term, spelled in patterns.items():
                if any(pattern.search(chunk) for chunk in chunks for pattern in spelled):
                    found.add((str(path), term))
    return sorted(found)


def _spellings(term: str) -> set[bytes]:
    """Return the bytes of a term in UTF-8, UTF-16 and GB18030, and as JSON escapes it."""
    codes = [term.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "gb18030")]
    return {*codes, json.dumps(term)[1:-1].encode()}


def _pattern(raw: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![A-Za-z0-9_])" + re.escape(raw) + rb"(?![A-Za-z0-9_])")


def _contents(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    yield from _unpacked(data, path.name)


def _unpacked(data: bytes, name: str) -> Iterator[bytes]:
    if data.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(data))
        yield "\n".join(str(row) for row in table.to_pylist()).encode()
        yield str(pq.ParquetFile(io.BytesIO(data)).metadata.to_dict()).encode()
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for part in packed.namelist():
                yield part.encode()
                inner = packed.read(part)
                yield inner
                yield from _unpacked(inner, part)
    elif data.startswith(b"\x1f\x8b"):
        inner = gzip.decompress(data)
        yield inner
        yield from _unpacked(inner, name)
    elif data.startswith(b"\x93NUMPY"):
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        if array.dtype.kind in "SU":
            yield "\n".join(map(str, array.ravel().tolist())).encode()
    elif data.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(data)
            yield "\n".join(database.iterdump()).encode()
