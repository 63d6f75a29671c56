"""Text vectors that are computed once: a store on disk, keyed by encoder and text.

A vector belongs to one encoder id and one text, so a changed model never meets old vectors. Only
text that the store lacks is encoded; a killed run keeps what it had encoded, and several processes
may write at once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoder import QueryEncoder, Role, TextEncoder
from features.shelf import Keys, Places, Shelf, Vectors
from features.timeline import pick

__all__ = ["Embeddings", "Shelf", "VectorStore", "Vectors", "text_keys"]

Bools = npt.NDArray[np.bool_]
SEGMENT_TEXTS = 4096
"""Texts encoded between two writes: what a kill can cost."""
WRITE_SECONDS = 20.0
"""Seconds after which what is encoded is written even if it is less."""
REPORT_TEXTS = 512
"""Texts handed to the encoder at once, between two words about progress."""
REPORT_CHARS = 65_536
"""Characters handed to the encoder at once, unless one text is longer."""


def text_keys(texts: Iterable[str]) -> Keys:
    """Return the 128-bit content hash of each text, as 32 hexadecimal digits."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        for text in texts
    ]
    return np.array(digests, dtype="S32")


class VectorStore:
    """Shelves of vectors, one for each encoder id.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where to keep them, made when first written to; ``None`` keeps them in memory only.
    may_write : callable
        As `Shelf` takes it.
    """

    def __init__(
        self, folder: Path | None = None, may_write: Callable[[], bool] = lambda: True
    ) -> None:
        self.folder = folder
        self._may_write = may_write
        self._shelves: dict[str, Shelf] = {}

    def shelf(self, encoder_id: str) -> Shelf:
        """Return the shelf of an encoder, opened on first use."""
        if encoder_id not in self._shelves:
            folder = self.folder / encoder_id if self.folder else None
            self._shelves[encoder_id] = Shelf(folder, self._may_write)
        return self._shelves[encoder_id]

    def reopen(self) -> None:
        """Look again at what others have written since a shelf was first used."""
        if self.folder is not None:
            self._shelves.clear()


class Embeddings:
    """Vectors of texts, from the store where it has them and from the encoder where not.

    A text's vector is fixed when it is first encoded. Encoders differ in the seventh digit
    between batches; a store makes every later use of a text see the same digits, and texts are
    encoded in an order of their own, so that it does not matter in which they are asked for.

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

    def of(self, texts: Iterable[str] | pd.Series[Any], role: Role = "document") -> Vectors:
        """Return float32 of shape (texts, dimension): unit rows, zero for null or blank text.

        Parameters
        ----------
        texts : iterable of str
            Texts; null where there is none.
        role : str
            ``"query"`` for a brief's text, ``"document"`` for what a KOL writes. Only encoders
            that read the two differently make a difference.
        """
        return self.at(self.places(texts, role), role)

    def shelf(self, role: Role = "document") -> Shelf:
        """Return where the vectors of a role are kept."""
        return self._way(role)[0]

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self.shelf().dimension or self.encoder.dimension

    def at(self, places: Places, role: Role = "document") -> Vectors:
        """Return the vectors at places that `places` gave; zero at -1."""
        shelf = self.shelf(role)
        if shelf.dimension is None:
            return np.zeros((len(places), self.encoder.dimension), dtype=np.float32)
        return shelf.take(places)

    def on_grid(self, places: Places) -> tuple[Vectors, Bools]:
        """Return `features.similarity.laid_on_grid` of documents' vectors at places."""
        from features.gridkernel import lay_on_grid

        shelf, grid = self.shelf(), np.empty((len(places), self.width), dtype=np.float32)
        length = pick(shelf.lengths, places, 0.0)
        grid[places < 0] = 0.0
        for vectors, rows, mine in shelf.parts(places):
            lay_on_grid(np.asarray(vectors), rows, mine, length, grid)
        shelf.lengths[places[places >= 0]] = length[places >= 0]
        return grid, length > 0

    def places(self, texts: Iterable[str] | pd.Series[Any], role: Role = "document") -> Places:
        """Return where on their shelf the vectors of texts are, -1 for null or blank ones.

        A place holds as long as the shelf (`shelf`) is the same object. Parameters are those of
        `of`.
        """
        shelf, encode = self._way(role)
        values = [text if isinstance(text, str) and text.strip() else None for text in texts]
        which, found = pd.factorize(np.array(values, dtype=object))
        names = [str(name) for name in found]
        keys = text_keys(names)
        places = shelf.find(keys)
        missing = np.flatnonzero(places < 0).tolist()
        if missing:
            self._encode([names[i] for i in missing], keys[missing], shelf, encode)
            places = shelf.find(keys)
        return np.append(places, -1)[which]

    def missing(self, texts: Iterable[str], role: Role = "document") -> list[list[str]]:
        """Return the texts that the store lacks, in shards that may be encoded anywhere.

        Whoever calls `of` with a whole shard gets the digits that this object would have got by
        encoding all of them at once.

        Parameters
        ----------
        texts : iterable of str
            Texts.
        role : str
            As in `of`.
        """
        names = list({text for text in texts if text.strip()})
        lacking = self._way(role)[0].find(text_keys(names)) < 0
        left = sorted(
            (name for name, lacks in zip(names, lacking, strict=True) if lacks), key=_place
        )
        shards: list[list[str]] = []
        for batch in _batches([len(text) for text in left]):
            # Whole batches, so that they are cut the same way wherever a shard is encoded.
            if not shards or len(shards[-1]) + REPORT_TEXTS > SEGMENT_TEXTS:
                shards.append([])
            shards[-1] += left[batch]
        return shards

    def _way(self, role: Role) -> tuple[Shelf, Callable[[list[str]], Vectors]]:
        """Return where the vectors of a role are kept and what makes them."""
        encoder = self.encoder
        if role == "query" and isinstance(encoder, QueryEncoder):
            return self.store.shelf(encoder.query_id), encoder.encode_query
        return self.store.shelf(encoder.id), encoder.encode

    def _encode(
        self, names: list[str], keys: Keys, shelf: Shelf, encode: Callable[[list[str]], Vectors]
    ) -> None:
        # Texts of one length share a batch, as padding costs time. A run that goes on after a
        # kill goes on at the start of a batch: its batches are those it would have had.
        order = sorted(range(len(names)), key=lambda i: _place(names[i]))
        done, written, since = 0, 0, time.monotonic()
        vectors: list[Vectors] = []
        try:
            for batch in _batches([len(names[i]) for i in order]):
                self._tell(done, len(order))
                vectors.append(encode([names[i] for i in order[batch]]))
                done = batch.stop
                late = time.monotonic() - since > WRITE_SECONDS
                if late or done - written >= SEGMENT_TEXTS:
                    shelf.add(keys[order[written:done]], np.concatenate(vectors))
                    vectors, written, since = [], done, time.monotonic()
        finally:
            if vectors:
                shelf.add(keys[order[written:done]], np.concatenate(vectors))
        shelf.compact()
        self._tell(done, len(order))

    def _tell(self, done: int, total: int) -> None:
        if self.progress:
            self.progress(done, total)


def _place(text: str) -> tuple[int, str]:
    """Return what texts are sorted by before they are encoded."""
    return len(text), text


def _batches(lengths: Sequence[int]) -> Iterator[slice]:
    """Cut rising lengths into slices of so many texts and characters at most.

    Where a slice starts, what comes before does not tell where it ends.
    """
    start = 0
    for end, length in enumerate(lengths):
        if end > start and (
            end - start >= REPORT_TEXTS or length * (end - start + 1) > REPORT_CHARS
        ):
            yield slice(start, end)
            start = end
    if start < len(lengths):
        yield slice(start, len(lengths))
