"""Text vectors that are computed once: a store on disk, keyed by encoder and text.

A vector belongs to one encoder id and one text, so a changed model never meets old vectors. The
store only grows: each few thousand new texts become one segment, two files that appear whole or
not at all. A killed run keeps what it had encoded, and several processes may write at once.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoder import TextEncoder

Vectors = npt.NDArray[np.float32]
Keys = npt.NDArray[np.bytes_]

SEGMENT_TEXTS = 4096
"""Texts encoded between two writes: what a kill can cost."""
REPORT_TEXTS = 512
"""Texts encoded between two words about progress."""


def text_keys(texts: Iterable[str]) -> Keys:
    """Return the 128-bit content hash of each text, as 32 hexadecimal digits."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        for text in texts
    ]
    return np.array(digests, dtype="S32")


class Shelf:
    """The vectors of one encoder.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where the segments lie; ``None`` keeps them in memory only.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._segments: list[Vectors] = []
        self._keys: list[Keys] = []
        for path in sorted(folder.glob("*.keys.npy")) if folder and folder.is_dir() else []:
            self._open(path)
        self._sort()

    @property
    def dimension(self) -> int | None:
        """Length of a vector, ``None`` while there is none."""
        return self._segments[0].shape[1] if self._segments else None

    def __len__(self) -> int:
        return len(self._sorted)

    def find(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Return the place of each key on the shelf, -1 where it is not there."""
        if not len(self._sorted):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._place[at], -1)

    def take(self, places: npt.NDArray[np.int64]) -> Vectors:
        """Return the vectors at `places`, float32 of shape (places, dimension)."""
        out = np.empty((len(places), self.dimension or 0), dtype=np.float32)
        starts = np.cumsum([0, *(len(segment) for segment in self._segments)])
        owner = np.searchsorted(starts, places, side="right") - 1
        for number in np.unique(owner):
            mine = owner == number
            out[mine] = self._segments[number][places[mine] - starts[number]]
        return out

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """Put new vectors on the shelf, and on disk where it has a folder."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if self.dimension not in (None, vectors.shape[1]):
            raise ValueError(
                f"Got vectors of length {vectors.shape[1]} but this encoder's stored vectors have "
                f"length {self.dimension}; an encoder that changed needs a new id"
            )
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Named by content: who writes the same texts again writes the same file.
            name = hashlib.blake2b(keys.tobytes(), digest_size=12).hexdigest()
            # The keys come last: a segment is there when they are.
            _write(self._folder / f"{name}.vectors.npy", vectors)
            _write(self._folder / f"{name}.keys.npy", keys)
        self._segments.append(vectors)
        self._keys.append(keys)
        self._sort()

    def _open(self, path: Path) -> None:
        try:
            keys = np.load(path, allow_pickle=False)
            vectors = np.load(
                path.with_name(path.name.replace(".keys.", ".vectors.")),
                mmap_mode="r",
                allow_pickle=False,
            )
        except (OSError, ValueError) as error:
            warnings.warn(f"Skipped the damaged vector segment {path}: {error}", stacklevel=4)
            return
        if len(keys) != len(vectors) or self.dimension not in (None, vectors.shape[1]):
            warnings.warn(f"Skipped the damaged vector segment {path}", stacklevel=4)
            return
        self._keys.append(keys)
        self._segments.append(vectors)

    def _sort(self) -> None:
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, dtype="S32")
        # Two processes may have encoded one text: the first segment's vector is taken.
        self._sorted, self._place = np.unique(keys, return_index=True)


def _write(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array so that `path` is whole whenever it is there."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-", suffix=".npy")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


class VectorStore:
    """Shelves of vectors, one for each encoder id.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where to keep them, made when first written to; ``None`` keeps them in memory only.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._shelves: dict[str, Shelf] = {}

    def shelf(self, encoder_id: str) -> Shelf:
        """Return the shelf of an encoder, opened on first use."""
        if encoder_id not in self._shelves:
            self._shelves[encoder_id] = Shelf(self.folder / encoder_id if self.folder else None)
        return self._shelves[encoder_id]


class Embeddings:
    """Vectors of texts, from the store where it has them and from the encoder where not.

    A text's vector is fixed when it is first encoded. Encoders differ in the seventh digit
    between batches; a store makes every later use of a text see the same digits.

    Parameters
    ----------
    encoder : TextEncoder
        Encodes what the store lacks.
    store : VectorStore, optional
        Keeps vectors; by default in memory, as long as this object lives.
    progress : callable, optional
        Told, while texts are encoded, how many are done and how many there are to do.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        store: VectorStore | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.encoder = encoder
        self.store = store or VectorStore()
        self.progress = progress

    def of(self, texts: Iterable[str] | pd.Series[Any]) -> Vectors:
        """Return float32 of shape (texts, dimension): unit rows, zero for null or blank text."""
        values = ["" if not isinstance(text, str) else text for text in texts]
        names, which = np.unique(np.array(values, dtype=object), return_inverse=True)
        told = np.array([bool(name.strip()) for name in names], dtype=bool)
        shelf = self.store.shelf(self.encoder.id)
        keys = text_keys(names)
        self._encode_missing(shelf, names[told], keys[told])
        dimension = shelf.dimension or self.encoder.dimension
        vectors = np.zeros((len(names), dimension), dtype=np.float32)
        if told.any():
            vectors[told] = shelf.take(shelf.find(keys[told]))
        return vectors[which]

    def _encode_missing(self, shelf: Shelf, names: npt.NDArray[Any], keys: Keys) -> None:
        missing = np.flatnonzero(shelf.find(keys) < 0)
        for start in range(0, len(missing), SEGMENT_TEXTS):
            part = missing[start : start + SEGMENT_TEXTS]
            vectors = []
            for told in range(0, len(part), REPORT_TEXTS):
                self._tell(start + told, len(missing))
                vectors.append(self.encoder.encode(list(names[part[told : told + REPORT_TEXTS]])))
            shelf.add(keys[part], np.concatenate(vectors))
        if len(missing):
            self._tell(len(missing), len(missing))

    def _tell(self, done: int, total: int) -> None:
        if self.progress:
            self.progress(done, total)
