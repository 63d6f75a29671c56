"""The vectors of one encoder: segments on disk that appear whole or not at all.

A segment is one file, keys and then vectors, and is never changed once it is there. Many small
ones are merged into one: the merged file appears first and the small ones go afterwards, so that a
kill at any moment loses nothing. Readers keep what they have opened, and writers add at any time.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from features.errors import UserError

Vectors = npt.NDArray[np.float32]
Keys = npt.NDArray[np.bytes_]
Places = npt.NDArray[np.int64]

FANOUT = 8
"""Segments of about one size that are merged into one, which is then of the next size."""
LARGEST = FANOUT**9
"""Bytes of a segment that is merged no more: 128 MiB."""
_MOST_OPEN = 64
"""Segments held open, each with a descriptor of its own, before small ones are merged."""
_STALE_SECONDS = 3600.0
_ATTEMPTS = 10


@dataclass(frozen=True)
class Segment:
    """Keys and their vectors, mapped from a file where there is one."""

    keys: Keys
    vectors: Vectors


class Shelf:
    """The vectors of one encoder.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where the segments lie; ``None`` keeps them in memory only.
    may_write : callable
        Asked before each write, in the lock in which `forget` works: where it says no, what is
        added stays in memory.
    """

    def __init__(self, folder: Path | None, may_write: Callable[[], bool] = lambda: True) -> None:
        self._folder = folder
        self._may_write = may_write
        self._sorted, self._place = np.empty(0, dtype="S32"), np.empty(0, dtype=np.int64)
        self._row = np.empty(0, dtype=np.int64)
        """Row of each place, over all segments."""
        self.lengths = np.empty(0)
        """Length of the vector at each place; NaN until somebody who works it out puts it here."""
        self._hold(list(_read_all(folder).values()) if folder else [])
        lengths = {segment.vectors.shape[1] for segment in self._segments}
        if len(lengths) > 1:
            raise UserError(
                f"Got vectors of lengths {sorted(lengths)} in {folder} but expected one length; "
                "move the folder away to encode anew"
            )

    @property
    def dimension(self) -> int | None:
        """Length of a vector, ``None`` while there is none."""
        return self._segments[0].vectors.shape[1] if self._segments else None

    def __len__(self) -> int:
        return len(self._sorted)

    def find(self, keys: Keys) -> Places:
        """Return the place of each key on the shelf, -1 where it is not there.

        As long as this object lives a key keeps its place, wherever its vector is moved to.
        """
        if not len(self._sorted):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._place[at], -1)

    def take(self, places: Places) -> Vectors:
        """Return the vectors at `places`, float32 of shape (places, dimension); zero at -1."""
        out = np.empty((len(places), self.dimension or 0), dtype=np.float32)
        out[places < 0] = 0.0
        for vectors, rows, mine in self.parts(places):
            out[mine] = vectors[rows]
        return out

    def parts(self, places: Places) -> Iterator[tuple[Vectors, Places, Places]]:
        """Yield what is at `places`, file by file.

        Yields
        ------
        vectors : ndarray of float32
            Vectors, of which only some may be meant.
        rows : ndarray of int64
            Rows of `vectors` that are.
        mine : ndarray of int64
            Where in `places` they are.
        """
        found = np.append(self._row, -1)[places]
        starts = np.cumsum([0, *(len(segment.keys) for segment in self._segments)])
        owner = np.searchsorted(starts, found, side="right") - 1
        for number, segment in enumerate(self._segments):
            mine = np.flatnonzero(owner == number)
            if len(mine):
                yield segment.vectors, found[mine] - starts[number], mine

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """Put new vectors on the shelf, and on disk where it has a folder.

        Raises
        ------
        ValueError
            If they are not as long as those on the shelf.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if self.dimension not in (None, vectors.shape[1]):
            raise ValueError(
                f"Got vectors of length {vectors.shape[1]} but this encoder's stored vectors have "
                f"length {self.dimension}; an encoder that changed needs a new id"
            )
        segment = Segment(keys, vectors)
        if self._folder and (path := self._write(self._folder, segment)):
            # What was written is used by way of the file: memory does not grow with the shelf.
            with suppress(FileNotFoundError):  # another process has merged it already
                segment = _read(path)
        self._segments.append(segment)
        self._insert(keys)
        if len(self._segments) >= _MOST_OPEN:
            self.compact()

    def _write(self, folder: Path, segment: Segment) -> Path | None:
        """Put a segment on disk, unless what it was made of was taken out meanwhile."""
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if not self._may_write():
                return None
            return _write(folder, segment.keys, [segment.vectors], segment.vectors.shape[1])

    def compact(self) -> None:
        """Merge small segments on disk where there are many of about one size.

        Each row is rewritten once a size: the cost stays in proportion to what was added. If
        another process is at it, it is left to it.
        """
        if not self._folder or not self._folder.is_dir():
            return
        from filelock import FileLock, Timeout

        with suppress(Timeout), FileLock(self._folder / ".lock", timeout=0):
            _sweep(self._folder)
            while _merge_one_size(self._folder):
                pass
        # Merged segments stay open, and on disk, as long as they are held.
        if len(list(self._folder.glob("*.segment"))) < len(self._segments):
            found = list(_read_all(self._folder).values())
            held = [segment.keys for segment in found]
            if np.isin(self._sorted, np.concatenate([self._sorted[:0], *held])).all():
                self._hold(found)

    def _hold(self, segments: list[Segment]) -> None:
        """Take up segments instead of those held so far, which hold their keys too."""
        self._segments = segments
        keys = [segment.keys for segment in segments]
        # Two processes may have encoded one text: the first segment's vector is taken.
        names, rows = np.unique(
            np.concatenate(keys) if keys else np.empty(0, dtype="S32"), return_index=True
        )
        place = self.find(names)
        new = np.flatnonzero(place < 0)
        place[new] = len(self._row) + np.arange(len(new))
        self._row = np.append(self._row, np.empty(len(new), dtype=np.int64))
        self._row[place] = rows
        # Of two vectors of one text the other may be held now.
        self.lengths = np.full(len(self._row), np.nan)
        self._sorted, self._place = names, place
        self._rows = sum(map(len, keys))

    def _insert(self, keys: Keys) -> None:
        """Take up the keys of a new last segment."""
        names, first = np.unique(keys, return_index=True)
        new = self.find(names) < 0
        at = np.searchsorted(self._sorted, names[new])
        self._sorted = np.insert(self._sorted, at, names[new])
        self._place = np.insert(self._place, at, len(self._row) + np.arange(new.sum()))
        self._row = np.append(self._row, self._rows + first[new])
        self.lengths = np.append(self.lengths, np.full(int(new.sum()), np.nan))
        self._rows += len(keys)


def _read_all(folder: Path) -> dict[Path, Segment]:
    """Open every whole segment of a folder, by path.

    A segment that is merged by another process while this looks at it is found again in the
    merged one, which is there before the small one goes.
    """
    segments: dict[Path, Segment] = {}
    for _ in range(_ATTEMPTS):
        gone = False
        for path in sorted(folder.glob("*.segment")):
            if path in segments:
                continue
            try:
                segments[path] = _read(path)
            except FileNotFoundError:
                gone = True
            except (OSError, ValueError) as error:
                warnings.warn(f"Skipped the damaged vector segment {path}: {error}", stacklevel=4)
        if not gone:
            break
    return segments


def _read(path: Path) -> Segment:
    """Map a segment.

    Raises
    ------
    OSError, ValueError
        If it is not there, or not whole.
    """
    with path.open("rb") as file:
        keys = np.lib.format.read_array(file, allow_pickle=False)
        shape, dtype = _read_header(file)
        if keys.dtype != np.dtype("S32") or dtype != np.float32 or shape[0] != len(keys):
            raise ValueError("it does not hold keys and as many vectors")
        # Raises if the file is shorter than the shape says.
        vectors = np.memmap(file, dtype=dtype, mode="r", offset=file.tell(), shape=shape)
    return Segment(keys, vectors)


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[np.float32]]:
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, dtype


def _write(folder: Path, keys: Keys, blocks: Iterable[Vectors], dimension: int) -> Path:
    """Write a segment so that it is whole whenever it is there."""
    # Named by content: who writes the same texts again writes the same file.
    name = hashlib.blake2b(keys.tobytes(), digest_size=12).hexdigest()
    path = folder / f"{name}.segment"
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(keys), dimension)}
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".draft-")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, keys, allow_pickle=False)
            np.lib.format.write_array_header_1_0(file, header)
            for block in blocks:
                file.write(np.ascontiguousarray(block, dtype="<f4").data)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path


def _merge_one_size(folder: Path) -> bool:
    """Merge the smallest segments of which there are many; return whether there were any."""
    sizes: dict[int, list[Path]] = defaultdict(list)
    for path in sorted(folder.glob("*.segment")):
        size = path.stat().st_size
        if 0 < size < LARGEST:
            sizes[int(math.log(size, FANOUT))].append(path)
    many = [paths for _, paths in sorted(sizes.items()) if len(paths) >= FANOUT]
    return any(_merge(folder, paths) for paths in many)


def _merge(folder: Path, paths: list[Path]) -> bool:
    """Merge segments into one; return whether enough of them were whole."""
    found = {}
    for path in paths:
        with suppress(OSError, ValueError):  # who opens the shelf is told of damage
            found[path] = _read(path)
    segments = list(found.values())
    if len(segments) < FANOUT:
        return False
    keys = np.concatenate([segment.keys for segment in segments])
    kept = np.sort(np.unique(keys, return_index=True)[1])
    starts = np.cumsum([0, *(len(segment.keys) for segment in segments)])
    parts = np.split(kept, np.searchsorted(kept, starts[1:-1]))
    blocks = (
        segment.vectors[part - start]
        for segment, part, start in zip(segments, parts, starts[:-1], strict=True)
    )
    merged = _write(folder, keys[kept], blocks, segments[0].vectors.shape[1])
    _settle(folder)
    for path in found:
        if path != merged:
            path.unlink(missing_ok=True)
    return True


def held_keys(folder: Path) -> Keys:
    """Return the keys of every segment of a folder, those held twice twice."""
    found = [segment.keys for segment in _read_all(folder).values()]
    return np.concatenate([np.empty(0, dtype="S32"), *found])


def forget(folder: Path, keys: Keys) -> int:
    """Take vectors off the disk, and return how many there were.

    Segments that hold one are written anew without them. Processes that have one open keep it
    until they end.
    """
    from filelock import FileLock

    gone = 0
    with FileLock(folder / ".lock"):
        for draft in folder.glob(".draft-*"):
            draft.unlink(missing_ok=True)
        for path, segment in _read_all(folder).items():
            stays = ~np.isin(segment.keys, keys)
            if stays.all():
                continue
            gone += int((~stays).sum())
            if stays.any():
                width = segment.vectors.shape[1]
                _write(folder, segment.keys[stays], [segment.vectors[stays]], width)
            path.unlink(missing_ok=True)
        _settle(folder)
    return gone


def _settle(folder: Path) -> None:
    """Wait until new names in a folder outlive a loss of power, where the system can say so."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove drafts that a killed process left behind."""
    for draft in folder.glob(".draft-*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _STALE_SECONDS:
                draft.unlink()
