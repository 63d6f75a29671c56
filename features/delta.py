"""One table of the data contract as a versioned Delta table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.arrow import Hashes, arrow_schema, row_hashes, to_arrow, to_frame
from features.columns import TableSpec
from features.errors import UserError
from features.mapped import FrameSpill

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_ROWS = 65_536
"""Rows put in order at once."""
_PILES = 128
"""Piles that rows are parted into at most: each is an open file."""
_PILED = 1 << 20
"""Bytes of a pile held before they go to its file."""
_HASH = "_hash"
_REMEDY = "restore the folder from a copy, or ingest the files into a new lake"


@dataclass(frozen=True)
class Change:
    """What an upsert did to one table.

    Attributes
    ----------
    inserted, updated, unchanged : int
        Rows under a new key, rows that corrected one, rows that were there already.
    version : int
        Version of the table afterwards.
    """

    inserted: int
    updated: int
    unchanged: int
    version: int


@dataclass(frozen=True)
class Keys:
    """The keys of a stored table.

    Attributes
    ----------
    frame : DataFrame
        The key columns of the table.
    hashes : ndarray of uint64, shape (len(frame),)
        `features.arrow.row_hashes` of the rows under them.
    """

    frame: pd.DataFrame
    hashes: Hashes


@dataclass(frozen=True)
class VersionedTable:
    """A Delta table of the rows of one table, each with the hash of its content.

    Attributes
    ----------
    spec : TableSpec
        The table.
    folder : Path
        Where it is.
    """

    spec: TableSpec
    folder: Path

    def create(self) -> None:
        """Make version 0, without rows, if there is no version yet."""
        import pyarrow as pa
        from deltalake import DeltaTable

        if not DeltaTable.is_deltatable(str(self.folder)):
            schema = arrow_schema(self.spec).append(pa.field(_HASH, pa.int64()))
            DeltaTable.create(self.folder, schema, name=self.spec.name)

    def rollback(self, version: int) -> None:
        """Give the table the content of an earlier version again, as a new version.

        Does nothing when that version is the latest.
        """
        table = self._open()
        if table.version() != version:
            table.restore(version)

    def upsert(self, frame: pd.DataFrame, keys: Keys) -> Change:
        """Write the rows that are new or differ, in one version; none if there are none.

        Parameters
        ----------
        frame : DataFrame
            Conformed rows, one for each key.
        keys : Keys
            `keys` of the latest version.
        """
        table = self._open()
        hashes, place = row_hashes(self.spec, frame), self._places(frame, keys.frame)
        new = place < 0
        changed = np.zeros(len(frame), dtype=bool)
        changed[~new] = hashes[~new] != keys.hashes[place[~new]]
        write = new | changed
        if write.any():
            rows = to_arrow(self.spec, frame[write])
            rows = rows.append_column(_HASH, [hashes[write].view(np.int64)])
            if changed.any():
                self._merge(table, self._sorted(rows))
            else:
                _append(table, self._sorted(rows))
        return Change(int(new.sum()), int(changed.sum()), int((~write).sum()), table.version())

    def overwrite(self, frame: pd.DataFrame) -> int:
        """Make `frame` all that the table holds, as a new version, and return that version.

        Parameters
        ----------
        frame : DataFrame
            Conformed rows, one for each key.
        """
        from deltalake import write_deltalake

        rows = to_arrow(self.spec, frame)
        hashes = row_hashes(self.spec, frame).view(np.int64)
        rows = self._sorted(rows.append_column(_HASH, [hashes]))
        write_deltalake(self._open(), rows, mode="overwrite", schema_mode="overwrite")
        return int(self._open().version())

    def keys(self, version: int) -> Keys:
        """Return the keys in one version."""
        if not version:
            return self.no_keys()
        table = self._scan(version, [*self.spec.key, _HASH])
        only = replace(self.spec, columns=tuple(self.spec[name] for name in self.spec.key))
        return Keys(to_frame(only, table), table[_HASH].to_numpy().view(np.uint64))

    def no_keys(self) -> Keys:
        """Return the keys of the table before its first version."""
        return Keys(self.spec.empty()[list(self.spec.key)], np.zeros(0, dtype=np.uint64))

    def read(self, version: int) -> pd.DataFrame:
        """Return the rows of one version, conformed, in the order of the key.

        Version 0 holds no rows, and need not have been made.

        Raises
        ------
        UserError
            If there is no such version, or its files are missing or damaged.
        """
        if not version:
            return self.spec.empty()
        return to_frame(self.spec, self._sorted(self._scan(version)))

    def read_by_kol(self, version: int, kols: Sequence[str]) -> pd.DataFrame:
        """Return the rows of one version by KOL and in the order in which they became known.

        Memory holds some KOLs' rows at a time; columns are in files (`features.mapped`), labels and
        mixes flat. Errors are those of `read`.

        Parameters
        ----------
        version : int
            The version.
        kols : sequence of str
            Everybody there is, ascending.
        """
        import pyarrow as pa

        if not version:
            return self.spec.empty()
        spill = FrameSpill()
        with ExitStack() as open_files:
            for part in self._by_kol(version, kols, open_files):
                spill.add(to_frame(self.spec, self._in_order(part), flat=True))
        pa.default_memory_pool().release_unused()
        return spill.done()

    def _by_kol(
        self, version: int, kols: Sequence[str], open_files: ExitStack
    ) -> Iterator[pa.Table]:
        """Yield rows of some KOLs at a time, those of the first first, all from one pass."""
        import pyarrow as pa

        ids = pa.array(kols, pa.string())
        try:
            stored = self._open(version).to_pyarrow_dataset()
            count = int(np.clip(-(-stored.count_rows() // _ROWS), 1, _PILES))
            piles = [_Pile(stored.schema, open_files) for _ in range(count)]
            # What is read ahead is held.
            ahead = {"batch_readahead": 1, "fragment_readahead": 1, "use_threads": False}
            for batch in stored.to_batches(batch_size=_ROWS, **ahead):
                _deal(batch, ids, piles)
        except (OSError, ValueError) as error:
            raise UserError(
                f"Got version {version} of {self.folder} that cannot be read ({error}); {_REMEDY}"
            ) from error
        for pile in piles:
            yield pile.table()

    def _in_order(self, table: pa.Table) -> pa.Table:
        rest = [name for name in self.spec.key if name not in ("kol_id", self.spec.known_at)]
        by = ["kol_id", *([self.spec.known_at] if self.spec.known_at else ()), *rest]
        return table.sort_by([(name, "ascending") for name in by])

    def stored(self, version: int) -> pd.DataFrame:
        """Return the rows of one version, with columns that the table has and the contract not."""
        if not version:
            return self.spec.empty()
        rows = self._sorted(self._scan(version))
        others = [name for name in rows.column_names if name not in (*self.spec.names, _HASH)]
        # As Python has them: pandas knows no lists of what Delta reads texts as.
        found = {name: pd.Series(rows[name].to_pylist()) for name in others}
        return to_frame(self.spec, rows).assign(**found)

    def is_latest(self, version: int) -> bool:
        """Say whether a version, made already, is the latest."""
        from deltalake import DeltaTable

        return DeltaTable.is_deltatable(str(self.folder)) and self._open().version() == version

    def part(
        self, version: int, columns: Sequence[str], kols: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return some columns of one version, conformed, of all rows or those of some KOLs."""
        import pyarrow as pa
        import pyarrow.compute as pc

        # Filtered here: what a merge wrote pyarrow cannot filter while it reads.
        wanted = list(dict.fromkeys([*columns, *(() if kols is None else ("kol_id",))]))
        stored = self._scan(version, wanted)
        if kols is not None:
            ids = stored["kol_id"].cast(pa.string())
            stored = stored.filter(pc.is_in(ids, pa.array(kols, pa.string())))
        only = replace(self.spec, columns=tuple(self.spec[name] for name in columns))
        return to_frame(only, stored)

    def _sorted(self, table: pa.Table) -> pa.Table:
        return table.sort_by([(column, "ascending") for column in self.spec.key])

    def _places(self, frame: pd.DataFrame, stored: pd.DataFrame) -> npt.NDArray[np.int64]:
        """Return the position in `stored` of each row's key, -1 where it is not there."""
        key = list(self.spec.key)
        places = stored.assign(_place=np.arange(len(stored)))
        found = frame[key].merge(places, on=key, how="left")["_place"]
        return found.fillna(-1).to_numpy(dtype=np.int64)

    def _merge(self, table: DeltaTable, rows: pa.Table) -> None:
        predicate = " AND ".join(f"stored.{column} = given.{column}" for column in self.spec.key)
        (
            table.merge(rows, predicate, "given", "stored", merge_schema=True)
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )

    def _scan(self, version: int, columns: list[str] | None = None) -> pa.Table:
        try:
            return self._open(version).to_pyarrow_table(columns=columns)
        except (OSError, ValueError) as error:
            raise UserError(
                f"Got version {version} of {self.folder} that cannot be read ({error}); {_REMEDY}"
            ) from error

    def _open(self, version: int | None = None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            return DeltaTable(self.folder, version=version)
        except DeltaError as error:
            which = "table" if version is None else f"version {version}"
            raise UserError(f"Got no {which} at {self.folder} ({error}); {_REMEDY}") from error


class _Pile:
    """Rows on their way into order, in a file without a name."""

    def __init__(self, schema: pa.Schema, open_files: ExitStack) -> None:
        self._schema, self._files = schema, open_files
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._file: Any = None
        self._writer: Any = None

    def add(self, rows: pa.RecordBatch) -> None:
        self._held.append(rows)
        self._size += rows.get_total_buffer_size()
        if self._size >= _PILED:
            self._put_down()

    def _put_down(self) -> None:
        import pyarrow as pa

        if self._writer is None:
            self._file = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            self._writer = pa.ipc.new_stream(self._file, self._schema)
        self._writer.write_table(pa.Table.from_batches(self._held).combine_chunks())
        self._held, self._size = [], 0

    def table(self) -> pa.Table:
        import pyarrow as pa

        batches = list(self._held)
        if self._writer is not None:
            self._writer.close()
            self._file.seek(0)
            batches = [*pa.ipc.open_stream(self._file).read_all().to_batches(), *batches]
        self._held = []
        return pa.Table.from_batches(batches, self._schema)


def _deal(batch: pa.RecordBatch, ids: pa.Array, piles: list[_Pile]) -> None:
    """Put each row on the pile of its KOL; rows of nobody known are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place = pc.index_in(batch["kol_id"].cast(pa.string()), ids).fill_null(-1).to_numpy()
    pile = np.where(place < 0, -1, place.astype(np.int64) * len(piles) // max(len(ids), 1))
    order = np.argsort(pile, kind="stable")
    edges = np.searchsorted(pile[order], np.arange(len(piles) + 1))
    sorted_rows = batch.take(pa.array(order))
    for number in np.flatnonzero(np.diff(edges)).tolist():
        first, stop = int(edges[number]), int(edges[number + 1])
        # A copy: a slice would hold on to all the rows that came with it.
        piles[number].add(sorted_rows.take(pa.array(np.arange(first, stop))))


def forget_history(folder: Path) -> None:
    """Remove all versions of a Delta table but the latest: files, log and statistics in the log.

    The latest keeps its number. What was written over is gone from the disk; whoever was reading
    an earlier version meanwhile is told that it cannot be read.
    """
    from deltalake import DeltaTable

    table = DeltaTable(folder)
    last = table.version()
    if not last:
        return
    log = folder / "_delta_log"
    # Beside what is numbered there may lie what a killed writer began.
    older = [path for path in log.iterdir() if _is_older(path.name, last)]
    if not older:
        return
    # Without the log before it the latest version must be told whole.
    table.create_checkpoint()
    held = {str(Path(uri).resolve()) for uri in table.file_uris()}
    for path in folder.rglob("*.parquet"):
        if log not in path.parents and str(path.resolve()) not in held:
            path.unlink(missing_ok=True)
    # The log last: as long as it tells of anything, there is something left to forget.
    for path in older:
        path.unlink(missing_ok=True)


def _is_older(name: str, version: int) -> bool:
    number = name.split(".", maxsplit=1)[0]
    return name.startswith("_commit") or (number.isdecimal() and int(number) < version)


def _append(table: DeltaTable, rows: Any) -> None:
    from deltalake import write_deltalake

    # Rows of a table that was made before the contract had some column get null there.
    write_deltalake(table, rows, mode="append", schema_mode="merge")
