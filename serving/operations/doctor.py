"""What ails a workspace, and what to do about it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as installed
from pathlib import Path
from urllib.parse import unquote

from features.errors import UserError
from features.lake import ERASING, Lake
from matcher.registry import CHALLENGER, CHAMPION, Registry
from matcher.tracking import killed
from serving.operations.orphans import delta_folders, orphans
from serving.privacy.models import has_store
from serving.publish import open_table

OK, WARNING, FAULT = "ok", "warning", "fault"
"""From well to what keeps lists from coming out, or makes them wrong."""
LEAST_FREE = 256 * 2**20
"""Bytes without which no job should begin."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check : str
        What was looked at.
    level : str
        `OK`, `WARNING` or `FAULT`.
    words : str
        What was found.
    remedy : str
        What to do; empty where nothing is to be done.
    """

    check: str
    level: str
    words: str
    remedy: str = ""


def examine(lake: Lake, registry: Registry) -> list[Finding]:
    """Look at all that a job needs; nothing of it is changed.

    Parameters
    ----------
    lake : Lake
        A lake.
    registry : Registry
        Its models. Where there is no store none is made.

    Returns
    -------
    list of Finding
        At least one of each check.
    """
    home = lake.path
    return [
        *_tables(lake),
        *_results(home),
        *_models(registry),
        *_erasure(home),
        *_orphans(home),
        *_disk(home),
        *_libraries(),
    ]


def _tables(lake: Lake) -> Iterator[Finding]:
    try:
        versions = lake.versions()
        faults = lake.unreadable()
    except UserError as error:
        yield Finding("tables", FAULT, str(error), "restore the lake from a backup")
        return
    for name, fault in faults.items():
        remedy = "restore the lake from a backup, or ingest the files into a new one"
        yield Finding("tables", FAULT, f"{name}: {fault}", remedy)
    if not faults:
        told = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield Finding("tables", OK, f"all {len(versions)} can be read, at versions {told}")


def _results(home: Path) -> Iterator[Finding]:
    """Look whether every file that the published tables name is there, with its size."""
    import pyarrow as pa

    good = 0
    folders = [folder for folder in delta_folders(home) if folder.parent.name == "results"]
    for folder in folders:
        try:
            files = pa.table(open_table(folder).get_add_actions(flatten=True)).to_pylist()
        except UserError as error:
            yield Finding("results", FAULT, str(error), "restore the lake from a backup")
            continue
        bad = [file for file in files if _size(folder, file["path"]) != file["size_bytes"]]
        good += not bad
        if bad:
            words = f"{folder.name}: {len(bad)} of {len(files)} files are missing or cut off"
            remedy = f"restore {folder} from a backup"
            yield Finding("results", FAULT, f"{words}, such as {bad[0]['path']}", remedy)
    if good == len(folders):
        words = f"all files of {good} tables are there" if good else "nothing is published yet"
        yield Finding("results", OK, words)


def _size(folder: Path, path: str) -> int | None:
    for name in (path, unquote(path)):
        if (folder / name).is_file():
            return (folder / name).stat().st_size
    return None


def _models(registry: Registry) -> Iterator[Finding]:
    if not has_store(registry):
        kept = registry.keepsake.kept("")
        if kept is None:
            yield Finding("registry", OK, "no model was trained yet; KOLs are ranked by likeness")
        else:
            words = f"there is no store at {registry.store.uri}, yet version {kept.version} is kept"
            yield Finding("registry", FAULT, words, "restore the store, or name it: --tracking-uri")
        return
    try:
        aliases = {alias: registry.resolve(alias) for alias in (CHAMPION, CHALLENGER)}
    except Exception as error:  # network, disk, damage: all of it is for a person to mend
        remedy = "bring the store back; meanwhile the last good copy serves (exit code 5)"
        yield Finding("registry", FAULT, f"{registry.store.uri}: {error}", remedy)
        yield _copy(registry, None)
        return
    told = ", ".join(f"{alias} {version or 'none'}" for alias, version in aliases.items())
    yield Finding("registry", OK, f"can be reached: {told}")
    yield from _alias(registry, aliases[CHALLENGER])
    yield from _champion(registry, aliases[CHAMPION])
    if dead := killed(registry.store):
        words = f"{len(dead)} training run(s) RUNNING without a process: {', '.join(dead)}"
        yield Finding("trainings", WARNING, words, "--sweep, or the next training, ends them")
    else:
        yield Finding("trainings", OK, "none is RUNNING without a process")


def _alias(registry: Registry, challenger: str | None) -> Iterator[Finding]:
    if challenger is None:
        return
    try:
        ended = registry.status(challenger)
    except Exception as error:
        ended = str(error)
    if ended != "FINISHED":
        words = f"challenger {challenger}: the run that made it is {ended}"
        yield Finding("challenger", WARNING, words, "train again")


def _champion(registry: Registry, version: str | None) -> Iterator[Finding]:
    if version is None:
        yield _copy(registry, None)
        return
    try:
        matcher = registry.load(version)
    except Exception as error:
        remedy = "`kolmatch rollback`, or restore the store; meanwhile the last good copy serves"
        yield Finding("champion", FAULT, f"version {version}: {error}", remedy)
        yield _copy(registry, None)
        return
    yield Finding("champion", OK, f"version {version} loads, all digests are right")
    yield _copy(registry, matcher.hash)


def _copy(registry: Registry, champion: str | None) -> Finding:
    """Tell of the last good copy, given the hash of the champion where that is known."""
    kept = registry.keepsake.kept("")
    remedy = "the next `kolmatch match` that reaches the registry keeps one"
    if kept is None:
        if champion is None and not (registry.keepsake.folder / "champion.json").exists():
            return Finding("copy", OK, "no champion was ever kept")
        return Finding("copy", WARNING, "there is no good copy of the champion", remedy)
    if kept.matcher.hash == champion:
        return Finding("copy", OK, f"version {kept.version} is kept, the champion")
    words = f"version {kept.version} is kept, which is not what the registry has as champion"
    return Finding("copy", WARNING, words, remedy)


def _erasure(home: Path) -> Iterator[Finding]:
    if (home / ERASING).exists():
        words = "one is at work or was cut off: the lake is refused until it is ended"
        yield Finding("erasure", FAULT, words, f"`kolmatch erase {home}`")
    else:
        yield Finding("erasure", OK, "none is unfinished")


def _orphans(home: Path) -> Iterator[Finding]:
    found = Counter(orphan.kind for orphan in orphans(home, time.time()))
    for kind, count in sorted(found.items()):
        words = f"{count} {kind} that a killed job left"
        yield Finding("left-overs", WARNING, words, "`kolmatch doctor --sweep` removes them")
    if not found:
        yield Finding("left-overs", OK, "none")


def _disk(home: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(home).free
    held = sum(
        path.stat().st_size for folder in delta_folders(home) for path in folder.rglob("*.parquet")
    )
    words = f"{free / 2**30:,.1f} GiB are free, the tables take {held / 2**30:,.1f}"
    if free < LEAST_FREE:
        yield Finding("disk", FAULT, words, "free some space before the next job")
    elif free < held:
        yield Finding("disk", WARNING, words, "an erasure writes all tables anew: free some space")
    else:
        yield Finding("disk", OK, words)
    closed = []
    for folder in (home, *(home / name for name in ("tables", "results", "commits", "models"))):
        try:
            if folder.is_dir():
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            closed.append(f"{folder} ({error.strerror})")
    if closed:
        words = f"cannot be written to: {', '.join(closed)}"
        yield Finding("permission", FAULT, words, "let this user write there")
    else:
        yield Finding("permission", OK, "the workspace can be written to")


def _libraries() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    asked = [Requirement(text) for text in requires("kolmatch") or ()]
    asked = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    bad = []
    for one in asked:
        try:
            found = installed(one.name)
        except PackageNotFoundError:
            bad.append(f"{one} (none is installed)")
            continue
        if not one.specifier.contains(found, prereleases=True):
            bad.append(f"{one} (got {found})")
    if bad:
        remedy = "install requirements.lock: other versions were never tried"
        yield Finding("libraries", WARNING, f"not as asked for: {', '.join(bad)}", remedy)
    else:
        yield Finding("libraries", OK, f"all {len(asked)} are of versions that were tried")
