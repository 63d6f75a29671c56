"""The lake: the ten tables as versioned Delta tables, and the one door to a user's data.

::

    lake/
      kolmatch.json          says that this folder is a lake, and of which format
      tables/<table>/        a Delta table each
      commits/00000001.json  the versions of the ten tables that belong together, and that of the
                             contract they keep (`features.steps`)
      erased.json            salted hashes of who was erased (`features.tombstones`)

A Delta table is atomic by itself; a commit file makes the ten atomic together. Readers see what
the last commit names and nothing of an ingest that has not finished. What one wrote that was
killed, the next takes back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features.arrow import content_hash
from features.contract import ADDED, SPECS
from features.delta import Change, Keys, VersionedTable, forget_history
from features.errors import TableError, UserError
from features.progress import Progress, silent
from features.steps import CONTRACT
from features.tables import Tables, link_faults
from features.tombstones import Tombstones
from features.whole import write_whole

FORMAT = 1
MARKER = "kolmatch.json"
ERASING = ".erasing.json"
"""What an erasure that has begun and not ended has to do."""
ENCODERS = "encoders"
_LARGE = ("kols", "posts", "rates")
"""Tables that grow with the roster."""
BESIDE = ".kolmatch"
"""Folder for what is made from a folder of files that is used without ingest."""


class Lake:
    """Ten versioned tables in a folder.

    Parameters
    ----------
    path : Path
        The folder. The first `ingest` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tables = {
            name: VersionedTable(spec, path / "tables" / name) for name, spec in SPECS.items()
        }

    def exists(self) -> bool:
        """Say whether the folder is a lake."""
        return (self.path / MARKER).is_file()

    def known(self) -> Tables:
        """Return the keys of all stored rows, to which new rows may refer; the rest is null."""
        self.check_contract()
        keys = self._keys(self.last_commit())
        return Tables(**{name: stored.frame for name, stored in keys.items()})

    def ingest(self, tables: Tables, progress: Progress = silent) -> dict[str, Change]:
        """Insert rows under new keys and correct the rows under known ones.

        A later row replaces the earlier one whole: what it leaves empty becomes null, so that a
        wrong value can also be taken back. Rows that are not given stay. Ingests of several
        processes wait for each other. Rows of erased KOLs are left out.

        Parameters
        ----------
        tables : Tables
            What to add; references may lead to what is stored.
        progress : Progress
            Told after each table.

        Returns
        -------
        dict
            What happened to each of the ten tables. The same tables twice change nothing and
            make no version.

        Raises
        ------
        TableError
            If a row names a brief, KOL or collaboration that is neither given nor stored. Nothing
            is written.
        UserError
            If the folder holds something else, is damaged, or was made by a later kolmatch.
        """
        self._check_folder()
        with self.lock():
            check_no_erasure(self.path)
            self.check_contract()
            tables, _ = Tombstones.read(self.path).strike(tables)
            last = self.last_commit()
            keys = self._keys(last)
            # Keys alone: they are what references lead to.
            known = Tables(**{name: stored.frame for name, stored in keys.items()})
            if faults := link_faults(tables, known):
                raise TableError(faults)
            self._prepare(last)
            changes: dict[str, Change] = {}
            for name, frame in tables:
                progress("writing tables", len(changes), len(keys))
                changes[name] = self._tables[name].upsert(frame, keys[name])
            progress("writing tables", len(changes), len(keys))
            versions = {name: change.version for name, change in changes.items()}
            if versions != last:
                self._commit(versions)
        return changes

    def read(self, versions: Mapping[str, int] | None = None, *, by_kol: bool = False) -> Tables:
        """Read the ten tables, each in the order of its key.

        Parameters
        ----------
        versions : mapping of str to int, optional
            What `versions` told at another time; by default the last commit. A table that the
            contract did not have then is empty.
        by_kol : bool
            Whether profiles, posts and quotes shall come by KOL and time instead, from files
            (`features.delta.VersionedTable.read_by_kol`): as many as there may be on disk.

        Raises
        ------
        UserError
            If there is no lake, no finished ingest in it, no such version, or it is damaged.
        """
        last = self.versions()
        chosen = last if versions is None else dict.fromkeys(ADDED, 0) | dict(versions)
        if set(chosen) != set(last):
            raise UserError(
                f"Got versions of {sorted(versions or ())} but expected one of each of {[*last]}"
            )
        if not by_kol:
            return Tables(**{name: self._tables[name].read(chosen[name]) for name in last})
        ids = self._tables["kols"].part(chosen["kols"], ["kol_id"]) if chosen["kols"] else None
        kols = [] if ids is None else sorted(ids["kol_id"].unique())
        return Tables(
            **{
                name: (
                    self._tables[name].read_by_kol(chosen[name], kols)
                    if name in _LARGE
                    else self._tables[name].read(chosen[name])
                )
                for name in last
            }
        )

    def part(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Return some columns of one table, as of the last commit; errors are those of `read`."""
        version = self.versions()[name]
        if not version:
            return SPECS[name].empty()[list(columns)]
        return self._tables[name].part(version, columns)

    def unreadable(self) -> dict[str, str]:
        """Return why a table of the last commit cannot be read whole, for those that cannot.

        Memory holds one table at a time.

        Raises
        ------
        UserError
            As `versions` does.
        """
        found = {}
        for name, version in self.versions().items():
            try:
                self._tables[name].read(version)
            except UserError as error:
                found[name] = str(error)
        return found

    def erased(self) -> Tombstones:
        """Return who was erased and must not come back."""
        return Tombstones.read(self.path)

    def remembers(self, versions: Mapping[str, str]) -> bool:
        """Say whether some versions of the tables are those of a commit that is not forgotten."""
        wanted = {name: str(version) for name, version in versions.items()}
        for commit in reversed(self._commits()):
            try:
                told = self._read_commit(commit)
            except FileNotFoundError:  # forgotten just now
                continue
            if {name: str(version) for name, version in told.items()} == wanted:
                return True
        return False

    def rewrite(self, change: Callable[[str, pd.DataFrame], pd.DataFrame]) -> None:
        """Exchange the rows of every table, in one commit, and forget all earlier versions.

        Call it inside `lock`. Cut off, it leaves the tables as they were or as they shall be,
        perhaps with their history, which whoever writes next forgets.

        Parameters
        ----------
        change : callable
            Given a table's name and its rows, returns the rows that it shall hold.
        """
        self.check_contract()
        self.rewrite_stored(lambda table, version: change(table.spec.name, table.read(version)))

    def rewrite_stored(self, rows_of: Callable[[VersionedTable, int], pd.DataFrame]) -> None:
        """Do the same with tables of any contract.

        Parameters
        ----------
        rows_of : callable
            Given a table and its version, returns the rows that it shall hold.
        """
        last = self.last_commit()
        self._prepare(last)
        versions = {}
        for name, table in self._tables.items():
            # Rewritten even where no row goes: the log of the latest version tells how it came
            # from the one before, in values of its rows.
            touched = last[name] > 0
            versions[name] = table.overwrite(rows_of(table, last[name])) if touched else 0
        self._commit(versions, rewritten=True)
        self.end_rewrite()

    def stored(self) -> Iterator[tuple[VersionedTable, int]]:
        """Yield each table with its version in the last commit, whichever contract it keeps."""
        yield from ((self._tables[name], version) for name, version in self.last_commit().items())

    def contract(self) -> int:
        """Return the version of the contract that the tables keep; that of today without any."""
        self._check_folder()
        commits = self._commits()
        return int(self._told(commits[-1])["contract"]) if commits else CONTRACT

    def check_contract(self) -> None:
        """Refuse tables of an older or later contract, which would be misunderstood.

        Raises
        ------
        UserError
            Saying what to do.
        """
        made = self.contract()
        if made > CONTRACT:
            raise UserError(
                f"Got a lake at {self.path} of contract {made} but this kolmatch knows contracts "
                f"up to {CONTRACT}; use the kolmatch that wrote it, or a later one"
            )
        if made < CONTRACT:
            raise UserError(
                f"Got a lake at {self.path} of contract {made} but expected contract {CONTRACT}; "
                f"back it up, then run `kolmatch migrate {self.path}`"
            )

    def end_rewrite(self) -> None:
        """Forget what a rewriting that was cut off has left of the versions before it.

        Call it inside `lock`.
        """
        commits = self._commits()
        if not commits or not self._told(commits[-1])["rewritten"]:
            return
        for commit in commits[:-1]:
            commit.unlink()
        for name, version in self._read_commit(commits[-1]).items():
            # A later version than the committed one is an unfinished ingest's, and goes first.
            if self._tables[name].is_latest(version):
                forget_history(self._tables[name].folder)

    def history(
        self, name: str, columns: Sequence[str], kols: Sequence[str] | None = None
    ) -> Iterator[tuple[int, pd.DataFrame]]:
        """Yield the versions of a table that can still be read, latest first.

        Parameters
        ----------
        name : str
            A table.
        columns : sequence of str
            Columns that are wanted.
        kols : sequence of str, optional
            KOLs whose rows are wanted; by default everybody's.
        """
        for version in range(self.versions()[name], 0, -1):
            try:
                yield version, self._tables[name].part(version, columns, kols)
            except UserError:
                return

    def versions(self) -> dict[str, int]:
        """Return the version of each table in the last commit.

        Raises
        ------
        UserError
            If there is no lake, or no finished ingest in it.
        """
        self._check_folder()
        if not self.exists():
            raise UserError(f"Got no lake at {self.path}; make one with `kolmatch ingest`")
        self.check_contract()
        if versions := self.last_commit():
            return versions
        raise UserError(f"Got a lake at {self.path} whose first ingest was cut off; run it again")

    def _check_folder(self) -> None:
        """Refuse a folder that is not ours to write to, or that we would misunderstand."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"Got the file {self.path} but expected a folder for a lake")
        # Looked at in this order, a lake that another process makes just now is never taken for
        # something else: the marker is the first that shows of it.
        names = {entry.name for entry in self.path.glob("[!.]*")}
        if not self.exists():
            if {"commits", "tables"} <= names:
                raise UserError(
                    f"Got a lake at {self.path} without its {MARKER}; {_remake(self.path)}"
                )
            if names:
                raise UserError(
                    f"Got {self.path}, which holds other files, such as {min(names)}; "
                    "a lake needs a folder of its own"
                )
            return
        try:
            made = int(json.loads((self.path / MARKER).read_text(encoding="utf-8"))["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"Got {self.path / MARKER} that cannot be read; {_remake(self.path)}"
            ) from error
        if made != FORMAT:
            raise UserError(
                f"Got a lake of format {made} at {self.path} but expected format {FORMAT}; "
                "use the kolmatch that made it"
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from writing tables meanwhile."""
        from filelock import FileLock

        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / ".lock"):
            yield

    def _prepare(self, last: Mapping[str, int]) -> None:
        """Make what is missing, and take back what an ingest wrote that died before its commit."""
        if not self.exists():
            write_whole(self.path / MARKER, json.dumps({"format": FORMAT}))
        self.end_rewrite()
        for name, table in self._tables.items():
            if not last.get(name):
                table.create()
            table.rollback(last.get(name, 0))

    def _keys(self, versions: Mapping[str, int]) -> dict[str, Keys]:
        return {
            name: table.keys(versions[name]) if versions else table.no_keys()
            for name, table in self._tables.items()
        }

    def last_commit(self) -> dict[str, int]:
        """Return the versions that the last commit names; none before the first."""
        commits = self._commits()
        return self._read_commit(commits[-1]) if commits else {}

    def _commits(self) -> list[Path]:
        return sorted((self.path / "commits").glob("*.json"))

    def _read_commit(self, commit: Path) -> dict[str, int]:
        versions = dict.fromkeys(ADDED, 0) | self._told(commit)["versions"]
        return {name: versions[name] for name in SPECS}

    def _told(self, commit: Path) -> dict[str, Any]:
        try:
            told = json.loads(commit.read_text(encoding="utf-8"))
            versions = {name: int(version) for name, version in told["versions"].items()}
            if not {*versions, *ADDED} >= {*SPECS}:
                raise KeyError("a table")
            return {
                "versions": versions,
                "contract": int(told.get("contract", 1)),
                "rewritten": bool(told.get("rewritten")),
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"Got {commit} that cannot be read; remove it to go back to the commit before"
            ) from error

    def _commit(self, versions: Mapping[str, int], *, rewritten: bool = False) -> None:
        folder = self.path / "commits"
        folder.mkdir(exist_ok=True)
        number = max((int(commit.stem) for commit in folder.glob("*.json")), default=0) + 1
        told: dict[str, Any] = {"versions": dict(versions), "contract": CONTRACT}
        if rewritten:
            told["rewritten"] = True
        write_whole(folder / f"{number:08d}.json", json.dumps(told))


@dataclass(frozen=True)
class Data:
    """A user's data, from wherever it is.

    Attributes
    ----------
    tables : Tables
        The ten tables, each in the order of its key.
    versions : dict of str to str
        What names the content of each table: its version in the lake, or a hash of its content.
    home : Path
        Folder for what is made from the data: vectors, tuned encoders, models, published runs.
    """

    tables: Tables
    versions: dict[str, str]
    home: Path

    @property
    def encoders(self) -> Path:
        """Folder of text encoders that were tuned on this data."""
        return self.home / ENCODERS


def open_data(
    path: Path, mapping: Path | None = None, progress: Progress = silent, *, by_kol: bool = False
) -> Data:
    """Read a lake, or a folder of files without ingest.

    The same rows give the same tables either way.

    Parameters
    ----------
    path : Path
        A lake, or a folder for `features.ingest.read_folder`.
    mapping : Path, optional
        TOML that says which column of the files is which of ours.
    progress : Progress
        Told after each file.
    by_kol : bool
        How a lake is read (`Lake.read`).

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    NotADirectoryError
        If `path` is a file.
    TableError
        If the files have faults.
    UserError
        If a mapping is given for a lake, or the lake cannot be read.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"Got {path}, which does not exist, but expected a lake or a folder of files"
        )
    if not path.is_dir():
        raise NotADirectoryError(f"Got the file {path} but expected a lake or a folder of files")
    lake = Lake(path)
    if lake.exists():
        check_no_erasure(path)
        if mapping is not None:
            raise UserError(
                f"Got the mapping {mapping} for the lake {path}; columns are mapped at ingest"
            )
        versions = lake.versions()
        told = {name: str(version) for name, version in versions.items()}
        try:
            return Data(lake.read(versions, by_kol=by_kol), told, path)
        except UserError as error:
            if lake.remembers(told):
                raise
            raise UserError(
                f"Got the lake {path}, from which rows were taken out while it was read; run the "
                "command again"
            ) from error
    from features.ingest import read_folder

    read = read_folder(path, mapping, progress=progress).tables
    tables = Tables(
        **{
            name: frame.sort_values(list(SPECS[name].key), ignore_index=True)
            for name, frame in read
        }
    )
    hashes = {name: content_hash(SPECS[name], frame) for name, frame in tables}
    return Data(tables, hashes, home_of(path))


def home_of(path: Path) -> Path:
    """Return the folder for what is made from the data at `path`, without reading the data.

    Raises
    ------
    UserError
        If it is a lake of an older or later contract.
    """
    lake = Lake(path)
    if not lake.exists():
        return path / BESIDE
    lake.check_contract()
    return path


def check_no_erasure(path: Path) -> None:
    """Refuse to work with a lake of which somebody is half erased.

    Raises
    ------
    UserError
        Saying how to end the erasure.
    """
    if (path / ERASING).exists():
        raise UserError(
            f"Got the lake {path}, in which an erasure is at work or was cut off; end it with "
            f"`kolmatch erase {path}`, then run this again"
        )


def _remake(path: Path) -> str:
    return f"restore it from a copy of {path}, or write {json.dumps({'format': FORMAT})} to it"
