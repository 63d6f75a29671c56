"""What killed jobs left on the disk that no reader sees and nobody will end.

Data files that no commit of their table ever named, half-written commits, files and folders under
the hidden names that ours have until they are whole, and lists on their way to be published. What
is younger than an hour may still be at work and is let be; spools and half-kept models, which long
jobs hold without a lock, have a day.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from features.lake import Lake
from features.publishing import results_lock
from serving.privacy.outputs import remembered
from serving.sheets import UNFINISHED

HOUR, DAY = 3600.0, 86_400.0
UNNAMED, COMMITS, PARTIAL = "unnamed data files", "half-written commits", "partial files"
SPOOLS, KEPT = "spools", "half-kept models"
_PARTIAL_FILE = re.compile(r"\..+\.\d+")
"""As `features.whole.write_whole` names them."""
_PARTIAL_FOLDER = re.compile(rf"\.[a-z0-9_]{{8}}|{re.escape(UNFINISHED)}[a-z0-9_]{{8}}")
"""As `serving.sheets.unfinished` does, and did."""
_OWN_FOLDERS = ("lists", "ledger", "reports", "erasures", "commits")


@dataclass(frozen=True)
class Orphan:
    """Something that a killed job left.

    Attributes
    ----------
    kind : str
        What it is.
    path : Path
        A file, or a folder with all that is in it.
    """

    kind: str
    path: Path


def orphans(home: Path, now: float) -> list[Orphan]:
    """Return what killed jobs left in a workspace and where its lists were written.

    Parameters
    ----------
    home : Path
        The workspace.
    now : float
        The present, in seconds since 1970.
    """
    found = [
        orphan
        for orphan in _candidates(home)
        if now - _touched(orphan.path) > (DAY if orphan.kind in (SPOOLS, KEPT) else HOUR)
    ]
    return sorted(found, key=lambda orphan: (orphan.kind, orphan.path))


def remove_orphans(lake: Lake, now: float) -> list[Orphan]:
    """Remove them, keeping ingests and publications waiting meanwhile; return what went.

    Looked for anew under the locks: what a job has finished since is no orphan.
    """
    with lake.lock(), results_lock(lake.path):
        found = orphans(lake.path, now)
        for orphan in found:
            remove(orphan.path)
    return [orphan for orphan in found if not orphan.path.exists()]


def unfinished(home: Path) -> list[Path]:
    """Return what is unfinished of lists, ledger and reports, however young.

    Inside the locks of `remove_orphans` and of retrainings nobody is at work on it.
    """
    roots = [*(home / name for name in _OWN_FOLDERS), *map(Path, remembered(home))]
    return sorted({orphan.path for root in roots for orphan in _partial(root)})


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _candidates(home: Path) -> Iterator[Orphan]:
    for table in delta_folders(home):
        yield from _of_table(table)
    yield from (Orphan(SPOOLS, path) for path in (home / "results" / ".staging").glob("*"))
    for pattern in ("tmp*", "champion.*.tmp"):
        yield from (Orphan(KEPT, path) for path in (home / "models").glob(pattern))
    yield from (Orphan(PARTIAL, path) for path in home.glob(".mlflow.db.*") if path.is_dir())
    for path in home.glob(".*"):
        if path.is_file() and _PARTIAL_FILE.fullmatch(path.name):
            yield Orphan(PARTIAL, path)
    for root in [*(home / name for name in _OWN_FOLDERS), *map(Path, remembered(home))]:
        yield from _partial(root)


def _partial(root: Path) -> Iterator[Orphan]:
    """Yield what is unfinished beside a file, or in a folder of ours; links lead nowhere."""
    if not root.is_dir():
        beside = root.parent.glob(".*") if root.parent.is_dir() else ()
        for path in beside:
            # The folder is not ours: only what bears this file's name, or ours, can be.
            mine = path.name.startswith((f".{root.name}.", UNFINISHED))
            if mine and _is_partial(path):
                yield Orphan(PARTIAL, path)
        return
    yield from (Orphan(PARTIAL, path) for path in root.rglob(".*") if _is_partial(path))


def _is_partial(path: Path) -> bool:
    form = _PARTIAL_FOLDER if path.is_dir() else _PARTIAL_FILE
    return not path.is_symlink() and form.fullmatch(path.name) is not None


def delta_folders(home: Path) -> list[Path]:
    """Return the folders of Delta tables of a workspace."""
    logs = [log for place in ("tables", "results") for log in home.glob(f"{place}/*/_delta_log")]
    return sorted(log.parent for log in logs)


def _of_table(folder: Path) -> Iterator[Orphan]:
    log = folder / "_delta_log"
    yield from (Orphan(COMMITS, path) for path in log.glob("_commit*"))
    # Data files first: one whose commit comes in between is then named.
    files = [path for path in folder.rglob("*.parquet") if log not in path.parents]
    named = _ever_named(log)
    yield from (Orphan(UNNAMED, path) for path in files if named and path.name not in named)


def _ever_named(log: Path) -> set[str]:
    """Return the names of data files that any version of a table added; earlier ones can be read.

    Names hold a random part, so that folders need not be told apart.
    """
    import pyarrow.parquet as pq

    paths: set[str] = set()
    for commit in log.glob("*.json"):
        for line in commit.read_text(encoding="utf-8").splitlines():
            if added := json.loads(line).get("add"):
                paths.add(added["path"])
    for checkpoint in log.glob("*.checkpoint*.parquet"):
        added = pq.read_table(checkpoint, columns=["add"])["add"].to_pylist()
        paths |= {one["path"] for one in added if one and one.get("path")}
    return {unquote(path).rsplit("/", 1)[-1] for path in paths}


def _touched(path: Path) -> float:
    """Return when a file, or the last of all in a folder, was written."""
    latest = 0.0
    for one in [path, *(path.rglob("*") if path.is_dir() else ())]:
        with suppress(OSError):  # gone meanwhile
            latest = max(latest, one.lstat().st_mtime)
    return latest
