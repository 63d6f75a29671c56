"""Lists on their way to be published: on disk, a part at a time, each whole or not there.

A part is a folder that several processes may try to make: it is written under a name of its own
and renamed when it is done, and whoever comes second finds it there. So a spool with a name
(`Spool`) can be filled by many machines that share its folder, and by a second try after a kill.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.arrow import Hashes, hash_of_rows, row_hashes, to_arrow
from features.columns import TableSpec
from features.errors import TableError, UserError
from features.jsonable import figure
from serving.results import DETAILS, EXCLUSIONS, MATCHES

if TYPE_CHECKING:
    import pyarrow as pa

SPECS = {"matches": MATCHES, "exclusions": EXCLUSIONS, **DETAILS}
KOL_COLUMNS = ("kol_id", "successor_id", "with_kol_id")
"""Columns of results that hold a KOL's id; rows in which one does are about that KOL."""
_STAGING, _STALE_SECONDS = ".staging", 86_400.0
_HASHES = "hashes.npz"
_OBJECTS = ("evidence", "contributions", "figures")
"""Columns of matches that hold a JSON object, a dict in memory."""


class Spool:
    """Lists of a run, on disk: memory holds one part at a time.

    A context: the folder goes when it is left. What a killed job leaves, the next one removes
    after a day.

    Parameters
    ----------
    home : Path
        Folder for what is made from the data.
    name : str, optional
        What tells the question from any other. A spool with a name stays when it is left by an
        error, and whoever asks the same again finds the parts that were done; it is held by one
        process at a time.

    Attributes
    ----------
    folder : Path
        Where it is. Whoever adds parts from elsewhere writes them there (`write_part`).

    Raises
    ------
    UserError
        On entering, if another process holds the spool of that name.
    """

    def __init__(self, home: Path, name: str | None = None) -> None:
        self.folder = home / "results" / _STAGING / (name or uuid.uuid4().hex)
        self._stays = name is not None
        self._held = ExitStack()
        self._hashes: dict[str, list[Hashes]] = {}
        self._parts: list[Path] = []

    def __enter__(self) -> Spool:
        _sweep(self.folder.parent)
        self.folder.mkdir(parents=True, exist_ok=self._stays)
        if self._stays:
            self._hold()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._held:
            if kind is None or not self._stays:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _hold(self) -> None:
        from filelock import FileLock, Timeout

        try:
            self._held.enter_context(FileLock(self.folder / ".lock", timeout=0))
        except Timeout:
            raise UserError(
                "Got a question that another process is answering just now; wait until it is done"
            ) from None

    def add(
        self,
        matches: pd.DataFrame,
        exclusions: pd.DataFrame,
        details: Mapping[str, pd.DataFrame] = MappingProxyType({}),
    ) -> None:
        """Add the lists of some briefs, which no other part has.

        Parameters and errors are those of `serving.publish.publish`; each part brings the same
        tables.
        """
        name = f"{len(self._parts):06d}"
        write_part(self.folder, name, matches, exclusions, details)
        self.adopt(name)

    def adopt(self, name: str) -> None:
        """Add a part that `write_part` has written, after those that were added before.

        Errors are those of `check`.
        """
        self.check()
        part = self.folder / name
        with np.load(part / _HASHES, allow_pickle=False) as hashes:
            for table in hashes.files:
                self._hashes.setdefault(table, []).append(hashes[table])
        self._parts.append(part)

    def check(self) -> None:
        """Refuse to go on where an erasure has removed what was spooled.

        Raises
        ------
        UserError
            If so.
        """
        _check_there(self.folder)

    @property
    def tables(self) -> list[str]:
        """Names of the tables, in the order added."""
        return list(self._hashes)

    def content(self, name: str) -> str:
        """Return what names the content of a table, however it was parted."""
        return hash_of_rows(np.concatenate(self._hashes[name]))

    def rows(self, name: str) -> int:
        """Return how many rows a table has."""
        return sum(map(len, self._hashes[name]))

    def parts(self, name: str) -> Iterator[pa.Table]:
        """Yield the rows of a table, a part at a time."""
        import pyarrow.parquet as pq

        for part in self._parts:
            yield pq.read_table(part / f"{name}.parquet")


def write_part(
    folder: Path,
    name: str,
    matches: pd.DataFrame,
    exclusions: pd.DataFrame,
    details: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> None:
    """Write the lists of some briefs into the folder of a spool; once, however often it is tried.

    Parameters
    ----------
    folder : Path
        ``Spool.folder``, on this machine or another one that shares it.
    name : str
        Name of the part; who writes the same name writes the same lists.
    matches, exclusions, details
        As in `serving.publish.publish`, which also tells the errors.
    """
    import pyarrow.parquet as pq

    _check_there(folder)
    hashes: dict[str, Any] = {}
    draft = folder / f".{name}-{uuid.uuid4().hex}"
    try:
        frames = conformed(matches, exclusions, details)
        draft.mkdir()
        for table, frame in frames.items():
            pq.write_table(to_arrow(SPECS[table], frame), draft / f"{table}.parquet")
            hashes[table] = row_hashes(SPECS[table], frame)
        np.savez(draft / _HASHES, **hashes)
        _settle(draft)
        try:
            draft.rename(folder / name)
        except OSError:
            if not is_there(folder, name):  # or else another process was first
                raise
    except OSError:
        _check_there(folder)
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def is_there(folder: Path, name: str) -> bool:
    """Say whether a part is written."""
    return (folder / name / _HASHES).is_file()


def drop_spools(home: Path, *, apply: bool = True) -> int:
    """Remove all lists on their way, whose makers then have to begin anew; return how many."""
    found = [*(home / "results" / _STAGING).glob("*")]
    for folder in found if apply else ():
        shutil.rmtree(folder, ignore_errors=True)
    return len(found)


def conformed(
    matches: pd.DataFrame, exclusions: pd.DataFrame, details: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return the tables of a run as they are stored, by name, as `publish` takes them.

    Raises
    ------
    TableError
        If rows break the table they are for.
    ValueError
        If there are columns, or tables, of other names.
    """
    if unknown := sorted(set(details) - set(DETAILS)):
        raise ValueError(f"Got tables {unknown} but expected among {sorted(DETAILS)}")
    return {
        "matches": checked(SPECS["matches"], with_objects(matches, _object_text)),
        "exclusions": checked(SPECS["exclusions"], exclusions),
    } | {name: checked(SPECS[name], frame) for name, frame in details.items()}


def checked(spec: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as a table stores it; errors are those of `conformed`."""
    if unknown := sorted(set(map(str, frame)) - set(spec.names)):
        raise ValueError(f"Got {spec.name} with columns {unknown} but expected among {spec.names}")
    conformed = spec.conform(frame)
    if faults := spec.faults(conformed):
        raise TableError(faults)
    return conformed


def with_objects(matches: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """Return matches with the columns that hold objects changed from or to text."""
    return matches.assign(
        **{
            name: matches[name].astype(object).map(change, na_action="ignore")
            for name in _OBJECTS
            if name in matches
        }
    )


def _object_text(figures: Mapping[str, object]) -> str:
    return json.dumps({name: figure(value) for name, value in figures.items()}, ensure_ascii=False)


def _check_there(folder: Path) -> None:
    if not folder.exists():
        raise UserError(
            "Got lists that an erasure removed while they were made; run the command again"
        )


def _settle(folder: Path) -> None:
    """Wait until what was written outlives a loss of power: a name must not outlive its content."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _sweep(staging: Path) -> None:
    """Remove what jobs left that were killed a day ago or earlier."""
    for folder in staging.glob("*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
