"""Tables as files that `features.ingest` reads back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from features.columns import Kind, TableSpec
from features.contract import SPECS
from features.tables import Tables

Format = Literal["csv", "parquet", "xlsx"]
FORMATS: tuple[Format, ...] = ("csv", "parquet", "xlsx")

_SHEET_ROWS = 1_048_575
"""Rows that fit under one header in a worksheet."""


def write_tables(
    tables: Tables,
    folder: Path,
    format: Format = "csv",
    columns: Mapping[str, Sequence[str]] | None = None,
) -> list[Path]:
    """Write one file a table, named for it; empty values are null.

    Lists are joined by ``;``, mixes are ``name:0.65;name:0.35``, vectors JSON lists, times ISO 8601
    in UTC, also in Parquet, so that the three formats read the same.

    Parameters
    ----------
    tables : Tables
        What to write.
    folder : Path
        Made if it is not there; files of the same names are replaced.
    format : {"csv", "parquet", "xlsx"}
        Kind of file.
    columns : mapping of str to sequence of str, optional
        The tables to write and their columns; by default all.

    Returns
    -------
    list of Path
        The files, in contract order.

    Raises
    ------
    ValueError
        If the format is unknown, or a table is too long for a worksheet.
    """
    if format not in FORMATS:
        raise ValueError(f"Got format {format!r} but expected one of {', '.join(FORMATS)}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in tables:
        if columns is not None and name not in columns:
            continue
        path = folder / f"{name}.{format}"
        text = _as_text(SPECS[name], frame)
        text = text if columns is None else text[list(columns[name])]
        if format == "csv":
            text.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
        elif format == "parquet":
            text.to_parquet(path, index=False)
        else:
            _write_sheet(text, path)
        written.append(path)
    return written


def _as_text(spec: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            c.name: _WORDS[c.kind](frame[c.name]) if c.kind in _WORDS else frame[c.name]
            for c in spec.columns
        }
    )


def _joined(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map(lambda labels: ";".join(labels) or None)


def _mixes(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map(lambda mix: ";".join(f"{n}:{s:g}" for n, s in mix.items()) or None)


def _vectors(values: pd.Series[Any]) -> pd.Series[Any]:
    # float32 has at most nine significant digits; more would be noise of the conversion.
    return values.map(lambda v: json.dumps([float(f"{x:.9g}") for x in v.tolist()]))


def _times(values: pd.Series[Any]) -> pd.Series[Any]:
    fractions = bool((values.dt.microsecond.fillna(0) > 0).any())
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if fractions else "%Y-%m-%dT%H:%M:%SZ"
    words: pd.Series[Any] = values.dt.strftime(form)
    return words


def _flags(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map({True: "true", False: "false"})


_WORDS: dict[Kind, Callable[[pd.Series[Any]], pd.Series[Any]]] = {
    "labels": _joined,
    "mix": _mixes,
    "vector": _vectors,
    "time": _times,
    "flag": _flags,
}


def _write_sheet(text: pd.DataFrame, path: Path) -> None:
    if len(text) > _SHEET_ROWS:
        raise ValueError(
            f"Got {len(text)} rows for {path.name} but a worksheet holds {_SHEET_ROWS}; "
            "write csv or parquet instead"
        )
    # Text that begins with = or http stays text: a workbook must not run what a post says.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs={"options": options}) as book:
        text.to_excel(book, sheet_name=path.stem, index=False)
