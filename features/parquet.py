"""Parquet files as sheets of text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import Fault
from features.sheets import (
    EXACT,
    ROUNDED,
    FileError,
    Sheet,
    Spoiled,
    headers_of,
    number_text,
    text_column,
)

MAX_BYTES = 8 * 2**30
"""What a file may say that it unpacks to."""


_AS_TEXT = (
    pa.types.is_null,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_decimal,
)


def read_parquet(path: Path) -> list[Sheet]:
    """Read a Parquet file; row 2 is its first, as if it were a spreadsheet.

    Numbers, booleans and times become text, lists and structures JSON. Whole numbers held as
    floats lose the ``.0`` that nobody wrote.

    Raises
    ------
    FileError
        If the file is damaged, unpacks to more than `MAX_BYTES`, or has columns of a type that
        has no text.
    """
    table = _load(path)
    if table.num_columns == 0:
        return []
    headers = headers_of(table.column_names, path.name, 1)
    cells, typed, faults = {}, set(), []
    spoiled: dict[tuple[int, str], Spoiled] = {}
    for header, column in zip(headers, table.columns, strict=True):
        try:
            texts = _texts(column)
        except (OverflowError, ValueError) as error:
            expected = "values within the range of their type"
            faults.append(Fault("", path.name, 0, header, str(error), expected))
            continue
        if texts is None:
            expected = "a column of text, numbers, times, flags, lists or structures of these"
            faults.append(Fault("", path.name, 0, header, str(column.type), expected))
            continue
        cells[header] = texts
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            typed.add(header)
        if pa.types.is_floating(column.type):
            spoiled |= _rounded(header, column.to_numpy())
    if faults:
        raise FileError(faults)
    rows = np.arange(2, table.num_rows + 2, dtype=np.int64)
    return [Sheet(path.name, "", pd.DataFrame(cells), rows, frozenset(typed), spoiled)]


def _load(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            meta = file.metadata
            size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            if size > MAX_BYTES:
                raise OSError(f"unpacks to {size} bytes, more than {MAX_BYTES}")
            table = file.read()
        # Text that is not UTF-8 would otherwise surface wherever it is first looked at.
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        expected = f"a Parquet file that is whole and unpacks to at most {MAX_BYTES // 2**30} GiB"
        raise FileError([Fault("", path.name, 0, "", str(error)[:200], expected)]) from error
    return table


def _rounded(header: str, numbers: Any) -> dict[tuple[int, str], Spoiled]:
    """Return the numbers that, if they were ids, have lost digits: floats keep 15 of them."""
    return {
        (int(at), header): Spoiled(number_text(float(numbers[at])), ROUNDED, as_number=True)
        for at in np.flatnonzero(np.abs(np.nan_to_num(numbers, posinf=0, neginf=0)) >= EXACT)
    }


def _texts(column: Any) -> pd.Series[Any] | None:
    """Return a column as text, or None if its type has none."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _texts(column.cast(kind.value_type))
    if pa.types.is_floating(kind):
        numbers = column.to_numpy().astype(np.float64)
        codes, distinct = pd.factorize(numbers)
        texts = np.array([*(_float_text(n) for n in distinct.tolist()), None], dtype=object)
        return text_column(texts[codes])
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # Through UTC where there is a zone; a time without one is told in the mapping's.
        times = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False)
        return text_column([None if t is None else t.isoformat() for t in times.to_pylist()])
    if not pa.types.is_nested(kind):
        return text_column(column) if any(is_kind(kind) for is_kind in _AS_TEXT) else None
    try:
        return text_column([_json(value) for value in column.to_pylist()])
    except TypeError:
        return None


def _float_text(number: float) -> str:
    return number_text(number) if np.isfinite(number) else str(number)


def _json(value: Any) -> str | None:
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        value = dict(value)  # a Parquet map
    if isinstance(value, dict):
        # A structure has every field in every row; those without a value are not told.
        value = {name: part for name, part in value.items() if part is not None}
    return json.dumps(value, ensure_ascii=False) if value else None
