"""Published runs without the erased: their tables, and the files made of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from features.delta import forget_history
from features.tables import Tables
from serving.page import INDEX, write_pages
from serving.privacy.traces import Traces
from serving.publish import Published, open_table, read_run
from serving.spool import KOL_COLUMNS
from serving.workbook import write_files

if TYPE_CHECKING:
    import pyarrow as pa

    from matcher.wording import Language

_SKIPPED = frozenset(
    {
        *("run_id", "brief_id", "content", "collaboration_id", "platform", "tier", "mode"),
        *("currency", "stage", "basis", "kind", "reason", "status", "brand_name", "vertical"),
        *("goal", "model_version", "model_hash", "encoder_id", "config_hash", "data_versions"),
    }
)
"""Columns of results in which no KOL is named."""
_LIST = re.compile(r"(?:matches|plan)\.(?P<language>zh|en)\.(?:csv|xlsx)")
_PAGE = re.compile(r"brief-.*\.html")


@dataclass
class Struck:
    """What was found in the tables of results.

    Attributes
    ----------
    rows, cells : Counter
        By table, rows about the erased and other cells that named one.
    runs : set of str
        Runs that named one.
    """

    rows: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    runs: set[str] = field(default_factory=set)


def clean_results(home: Path, traces: Traces, at: pd.Timestamp, apply: bool = True) -> Struck:
    """Take the erased out of every table of results and forget the tables' history.

    Call it inside `features.publishing.results_lock`. Runs that named one are marked as redacted.
    """
    found = Struck()
    folders = sorted(path.parent for path in (home / "results").glob("*/_delta_log"))
    tables = {
        folder: _cleaned(folder.name, open_table(folder).to_pyarrow_table(), traces, found)
        for folder in folders
        if folder.name != "runs"
    }
    if not apply:
        return found
    # Marked before anything goes: a run that a kill left half redacted must not seem whole.
    for folder in folders:
        if folder.name == "runs":
            _overwrite(folder, _redacted(open_table(folder).to_pyarrow_table(), found.runs, at))
    for folder, table in tables.items():
        _overwrite(folder, table)
    for folder in folders:
        forget_history(folder)
    return found


def rewrite_lists(folder: Path, home: Path, traces: Traces, tables: Tables) -> list[Path]:
    """Write the lists and pages of a run anew where they name an erased KOL.

    Parameters
    ----------
    folder : Path
        Folder of one run's lists.
    home : Path
        Where the run is published, without the erased.
    traces : Traces
        Who is erased.
    tables : Tables
        The data, without the erased.

    Returns
    -------
    list of Path
        Files that were written; none where the run is not published, so that nobody knows what
        should be in them.
    """
    published = _run_of(folder, home)
    if published is None or published.run.redacted_at is None:
        return []
    made: list[Path] = []
    for language in _languages(folder):
        made += write_files(
            folder.parent,
            published.run,
            published.matches,
            published.exclusions,
            tables.briefs,
            language,
            published.details,
        )
    spoken = _spoken(folder)
    if spoken is not None:
        made += write_pages(folder.parent, published, tables, spoken)
    return made


def list_folders(files: list[Path]) -> list[Path]:
    """Return the folders among those of some files that hold the lists or pages of a run."""
    held = {p.parent for p in files if _LIST.fullmatch(p.name) or _PAGE.fullmatch(p.name)}
    return sorted(held)


def is_made_of_run(path: Path) -> bool:
    """Tell whether a file is a page, which tells too much of a KOL to be mended by parts."""
    return _PAGE.fullmatch(path.name) is not None or path.name == INDEX


def _run_of(folder: Path, home: Path) -> Published | None:
    from features.errors import UserError

    try:
        return read_run(home, folder.name)
    except UserError:
        return None


def _languages(folder: Path) -> list[Language]:
    found = [m["language"] for path in folder.iterdir() if (m := _LIST.fullmatch(path.name))]
    return cast("list[Language]", sorted(set(found)))


def _spoken(folder: Path) -> Language | None:
    """Return the language in which the pages of a folder open."""
    pages = [path for path in sorted(folder.iterdir()) if is_made_of_run(path)]
    if not pages:
        return None
    head = pages[0].read_text(encoding="utf-8", errors="replace")[:500]
    return "zh" if re.search(r'<html[^>]*lang="zh', head) else "en"


def _cleaned(name: str, table: pa.Table, traces: Traces, found: Struck) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    about = [column for column in KOL_COLUMNS if column in table.column_names]
    hit: Any = pa.chunked_array([pa.repeat(False, len(table))])
    ids = pa.array(sorted(traces.ids), pa.string())
    for column in about:
        hit = pc.or_(hit, pc.is_in(table[column].cast(pa.string()), ids))
    gone = int(pc.sum(hit).as_py() or 0)
    if gone:
        found.rows[name] += gone
        if name != "ledger":
            found.runs |= set(table.filter(hit)["run_id"].to_pylist())
        table = table.filter(pc.invert(hit))
    for at, column in enumerate(table.schema):
        if column.name in _SKIPPED or column.name in about:
            continue
        values, places = _cells(table[column.name], column.type, traces)
        if places:
            found.cells[name] += len(places)
            if name != "ledger":
                found.runs |= {table["run_id"][place].as_py() for place in places}
            table = table.set_column(at, column, pa.array(values, column.type))
    return table


def _cells(column: Any, kind: Any, traces: Traces) -> tuple[list[Any], list[int]]:
    """Return the values of a column of text, and which were changed."""
    import pyarrow as pa

    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not _is_text(kind.value_type if is_list else kind):
        return [], []
    values, changed = column.to_pylist(), []
    for place, value in enumerate(values):
        if value is None:
            continue
        clean = [traces.cell(one) for one in value] if is_list else traces.cell(value)
        if clean != value:
            values[place] = clean
            changed.append(place)
    return values, changed


def _is_text(kind: Any) -> bool:
    """Tell whether an Arrow type is text, whichever of its forms delta-rs gives."""
    import pyarrow as pa

    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def _redacted(table: pa.Table, runs: set[str], at: pd.Timestamp) -> pa.Table:
    """Mark runs as redacted at a moment."""
    import pyarrow as pa

    kind = pa.timestamp("us", tz="UTC")
    before = (
        table["redacted_at"].to_pylist()
        if "redacted_at" in table.column_names
        else [None] * len(table)
    )
    names = table["run_id"].to_pylist()
    marks = [at if n in runs else old for n, old in zip(names, before, strict=True)]
    column = pa.array(marks, kind)
    if "redacted_at" in table.column_names:
        return table.set_column(table.column_names.index("redacted_at"), "redacted_at", column)
    return table.append_column(pa.field("redacted_at", kind), column)


def _overwrite(folder: Path, table: pa.Table) -> None:
    from deltalake import write_deltalake

    parted = list(open_table(folder).metadata().partition_columns) or None
    write_deltalake(folder, table, mode="overwrite", schema_mode="overwrite", partition_by=parted)
