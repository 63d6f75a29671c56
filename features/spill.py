"""Arrays that live in a file: memory holds only what of them is being looked at.

What is worked out once for a large roster is read in passing, a block of KOLs at a time. It goes to
files without a name in the folder for temporary files (``TMPDIR``), which go when the process
does, however it ends. The system keeps of them in memory what there is room for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, overload

import numpy as np
import numpy.typing as npt

from features.errors import UserError

Array = npt.NDArray[Any]
LEAST = 4 << 20
"""Bytes from which on an array goes to a file; smaller ones would only cost open files."""
_PIECE = 64 << 20
"""Bytes written at once."""


class Spill:
    """Rows that are put down one block after the other, and read when all are there.

    Parameters
    ----------
    dtype : dtype
        What the rows hold; nothing that Python counts references to.
    width : tuple of int
        Shape of one row; empty for plain numbers.
    """

    def __init__(self, dtype: npt.DTypeLike, width: tuple[int, ...] = ()) -> None:
        self.dtype = np.dtype(dtype)
        self.width = width
        self.rows = 0
        self._held: list[Array] = []
        self._size = 0
        self._file: IO[bytes] | None = None

    def add(self, block: Array) -> None:
        """Put down rows of shape ``(n, *width)``."""
        self._held.append(np.array(block, dtype=self.dtype, order="C"))
        self.rows += len(block)
        self._size += self._held[-1].nbytes
        if self._size >= LEAST:
            self._flush()

    def done(self) -> Array:
        """Return all rows; what came to a file is read-only."""
        shape = (self.rows, *self.width)
        if self._file is None:
            return np.concatenate([np.empty((0, *self.width), self.dtype), *self._held])
        self._flush()
        with self._file as file:
            # A plain array: its base keeps the file mapped.
            return np.asarray(np.memmap(file, dtype=self.dtype, mode="r", shape=shape))

    def _flush(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (ends with `done`)
        for block in self._held:
            flat = block.reshape(-1).view(np.uint8).data
            for start in range(0, len(flat), _PIECE):
                _write(self._file, flat[start : start + _PIECE])
        self._held, self._size = [], 0


class FirstAsked:
    """Rows of several arrays that are worked out when somebody first asks for them.

    Parameters
    ----------
    rows : int
        How many there may be.
    """

    def __init__(self, rows: int) -> None:
        self._known = np.zeros(rows, dtype=bool)
        self._held: dict[str, Array] = {}

    def missing(self, wanted: Array) -> Array:
        """Return which of some rows nobody has asked for yet, ascending."""
        return np.unique(wanted[~self._known[wanted]])

    def put(self, rows: Array, values: Mapping[str, Array]) -> None:
        """Put down rows, the same arrays each time."""
        for name, each in values.items():
            if name not in self._held:
                self._held[name] = blank((len(self._known), *each.shape[1:]), each.dtype)
            self._held[name][rows] = each
        self._known[rows] = True

    def take(self, rows: Array) -> dict[str, Array]:
        """Return rows that were put down."""
        return {name: each[rows] for name, each in self._held.items()}


class Texts(Sequence[str]):
    """Texts in one run of bytes.

    Parameters
    ----------
    start : ndarray of int64, shape (n + 1,)
        Text ``i`` is the bytes from ``start[i]`` to ``start[i + 1]``.
    told : ndarray of uint8
        UTF-8.
    """

    def __init__(self, start: Array, told: Array) -> None:
        self.start, self.told = start, told

    def __len__(self) -> int:
        return len(self.start) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        size = len(self.start) - 1
        if not -size <= at < size:
            raise IndexError(at)
        place = at % size
        told = self.told[self.start[place] : self.start[place + 1]].tobytes()
        return told.decode("utf-8", "surrogatepass")


class TextSpill:
    """Texts that are put down one block after the other."""

    def __init__(self) -> None:
        self._sizes, self._told = Spill(np.int64), Spill(np.uint8)

    @property
    def rows(self) -> int:
        """How many texts there are so far."""
        return self._sizes.rows

    def add(self, texts: Iterable[Any]) -> None:
        """Put down texts."""
        told = [str(text).encode("utf-8", "surrogatepass") for text in texts]
        self._sizes.add(np.array([len(each) for each in told], dtype=np.int64))
        self._told.add(np.frombuffer(b"".join(told), dtype=np.uint8))

    def done(self) -> Texts:
        """Return all of them."""
        ends = np.cumsum(self._sizes.done())
        start = np.concatenate([np.zeros(1, dtype=np.int64), ends])
        return Texts(spilled(start), self._told.done())


def spilled(values: Array) -> Array:
    """Return an equal array, in a file if it is large."""
    if values.nbytes < LEAST:
        return values
    spill = Spill(values.dtype, values.shape[1:])
    step = max(len(values) * _PIECE // values.nbytes, 1)
    for start in range(0, len(values), step):
        spill.add(values[start : start + step])
    return spill.done()


def blank(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Return zeros that may be written to, in a file if they are large."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < LEAST:
        return np.zeros(shape, dtype=dtype)
    with tempfile.TemporaryFile(buffering=0) as file:
        try:
            # Without room set aside, a full disk would end the process when a page is written.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise _no_room(error) from error
        return np.asarray(np.memmap(file, dtype=dtype, mode="r+", shape=shape))


def joined(blocks: Iterable[Array]) -> Array:
    """Return blocks end to end, in a file if they are large together; at least one is given."""
    spill: Spill | None = None
    for block in blocks:
        spill = spill or Spill(block.dtype, block.shape[1:])
        spill.add(block)
    if spill is None:
        raise ValueError("Got no block but expected one at least")
    return spill.done()


def _write(file: IO[bytes], piece: memoryview) -> None:
    try:
        while len(piece):
            piece = piece[file.write(piece) :]
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> UserError:
    return UserError(
        f"Got no room for temporary files in {tempfile.gettempdir()} "
        f"({os.strerror(error.errno or 0)}); make room there, or set TMPDIR to a folder on a "
        "larger disk"
    )
