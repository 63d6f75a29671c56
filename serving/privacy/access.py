"""All that is held on one KOL, and where it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.jsonable import figure
from features.lake import Lake
from features.shelf import held_keys
from features.tables import Tables
from features.tombstones import belongs
from matcher.registry import Registry
from serving.privacy import models
from serving.privacy.documents import clean_file
from serving.privacy.find import keys_of, seen_in, subject_of, traces_of
from serving.privacy.outputs import files_in
from serving.publish import open_table
from serving.spool import KOL_COLUMNS

_HEAD = "Accounts: "
"""How the words begin."""


def access(lake: Lake, kol_id: str, registry: Registry, *, person: bool = False) -> dict[str, Any]:
    """Return all that is held on a KOL, as JSON has it.

    Parameters
    ----------
    lake : Lake
        The lake.
    kol_id : str
        Who.
    registry : Registry
        Where models and their runs are.
    person : bool
        Whether all accounts of the same person are meant.

    Returns
    -------
    dict
        ``accounts``; ``tables`` and ``results``, rows by table; ``vectors``, how many of texts that
        nobody else wrote; ``runs``, in which lists the KOL is and at which rank; ``models`` that
        may have learned from the data; ``files`` that name the KOL.

    Raises
    ------
    UserError
        If nothing is held under this id.
    """
    tables = lake.read()
    subject = subject_of(lake, tables, kol_id, person)
    traces = traces_of(subject.ids | subject.people, subject.names, tables)
    results = dict(_results(lake.path, set(subject.ids)))
    listed = [
        {name: row.get(name) for name in ("run_id", "brief_id", "rank")}
        for row in results.get("matches", [])
    ]
    planned = {
        (row["run_id"], row["brief_id"]) for row in results.get("planned", ()) if row["chosen"]
    }
    for row in listed:
        row["planned"] = (row["run_id"], row["brief_id"]) in planned
    return {
        "accounts": sorted(subject.ids),
        "other_accounts_of_the_person": subject.others,
        "tables": dict(_rows(tables, set(subject.ids), set(subject.done))),
        "vectors": _vectors(lake, keys_of(lake, tables, subject.ids)),
        "runs": listed,
        "results": results,
        "models": _models(lake, registry, subject.ids),
        "files": [
            str(path)
            for path in files_in(lake.path)
            if clean_file(path, traces, apply=False) is not None
        ],
    }


def as_words(told: dict[str, Any]) -> str:
    """Return what `access` told as text that a person can read."""
    lines = [f"{_HEAD}{', '.join(told['accounts'])}"]
    if told["other_accounts_of_the_person"]:
        count = told["other_accounts_of_the_person"]
        lines.append(f"Further accounts of the same person: {count} (--person tells of them too)")
    for title, part in (("Tables", told["tables"]), ("Published results", told["results"])):
        lines += ["", f"{title}:"]
        if not part:
            lines.append("  nothing")
        for name, rows in part.items():
            lines.append(f"  {name}: {len(rows)} row{'s' * (len(rows) != 1)}")
            for row in rows:
                values = [f"{key}={_word(value)}" for key, value in row.items() if _there(value)]
                lines.append(f"    - {'; '.join(values)}")
    lines += ["", "Lists:"]
    lines += [
        f"  run {row['run_id']}, brief {row['brief_id']}: rank {row['rank']:.0f}"
        + (", in the plan" if row["planned"] else "")
        for row in told["runs"]
    ] or ["  none"]
    versions = ", ".join(told["models"]) or "none"
    lines += ["", f"Vectors of own texts: {told['vectors']}"]
    lines += [f"Models that may have learned from this data: {versions}"]
    lines += ["", "Files that name the KOL:", *(f"  {file}" for file in told["files"] or ["none"])]
    return "\n".join(lines) + "\n"


def accounts_in(path: Path) -> set[str]:
    """Return whom a file is about that tells all that is held; nobody for any other file."""
    if path.suffix not in (".json", ".txt"):
        return set()
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.readline()
        if head.startswith(_HEAD):
            return set(head.removeprefix(_HEAD).strip().split(", "))
        if head.strip() != "{" or not file.readline().lstrip().startswith('"accounts": ['):
            return set()
        file.seek(0)
        with suppress(ValueError):
            return set(json.load(file)["accounts"])
    return set()


def _rows(
    tables: Tables, ids: set[str], done: set[str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for name, frame in tables:
        mine = frame[belongs(name, frame, ids, done)]
        if len(mine):
            yield name, [_plain(row) for row in mine.to_dict("records")]


def _results(home: Path, ids: set[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for log in sorted((home / "results").glob("*/_delta_log")):
        frame = open_table(log.parent).to_pyarrow_table().to_pandas()
        columns = [name for name in KOL_COLUMNS if name in frame]
        if not columns:
            continue
        mine = frame[frame[columns].isin(ids).any(axis=1)]
        if len(mine):
            yield log.parent.name, [_plain(row) for row in mine.to_dict("records")]


def _vectors(lake: Lake, keys: list[str]) -> int:
    wanted = np.array(keys, dtype="S32")
    home = lake.path / "vectors"
    folders = [folder for folder in home.iterdir() if folder.is_dir()] if home.is_dir() else []
    return sum(int(np.isin(held_keys(folder), wanted).sum()) for folder in folders)


def _models(lake: Lake, registry: Registry, ids: frozenset[str]) -> list[str]:
    if not models.has_store(registry):
        return []
    return models.taught_versions(registry, seen_in(lake, ids))


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): _json(value) for name, value in row.items() if name != "_row"}


def _json(value: Any) -> Any:
    """Return a cell as JSON has it; unknown is null."""
    if isinstance(value, dict):
        return {str(name): _json(part) for name, part in value.items()}
    if isinstance(value, tuple | list | np.ndarray):
        return [_json(one) for one in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return figure(value)


def _there(value: Any) -> bool:
    return value is not None and value not in ([], {})


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
