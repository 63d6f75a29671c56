"""Labels and mixes of many rows as flat arrays: no Python object for each row.

In a frame a column of these reads as any other: a cell is a tuple of labels, or a dict of shares.
Code that goes over a whole column takes the arrays instead (`ragged`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype

from features.spill import Spill
from features.timeline import Floats, Ints, expand

_ROWS = 262_144
"""Runs put end to end at once."""
Codes = npt.NDArray[np.int32]
Rows = Any
"""What pandas may hand over to choose rows by: a position, a slice, positions or a mask."""


class RaggedDtype(ExtensionDtype):
    """Type of columns that hold labels or mixes as flat arrays."""

    name = "ragged"
    type = object
    kind = "O"
    na_value = None

    @classmethod
    def construct_array_type(cls) -> Any:
        """Return the class of such columns."""
        return Ragged


class Ragged(ExtensionArray):
    """Some names for each row, with a share each where they are mixes.

    Attributes
    ----------
    start : ndarray of int64, shape (n + 1,)
        Entries of row ``i`` are ``start[i]`` to ``start[i + 1]``.
    code : ndarray of int32, shape (entries,)
        Position in `names` of each entry.
    names : ndarray of object, shape (names,)
        Distinct names.
    share : ndarray of float64, shape (entries,), or None
        Share of each entry of a mix; ``None`` for labels.
    """

    def __init__(
        self, start: Ints, code: Codes, names: npt.NDArray[np.object_], share: Floats | None
    ) -> None:
        self.start, self.code, self.names, self.share = start, code, names, share

    @classmethod
    def of(cls, rows: Sequence[Any] | pd.Series[Any]) -> Ragged:
        """Lay out tuples of labels, or dicts of shares."""
        values = list(rows)
        sizes = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
        mixes = any(isinstance(value, dict) for value in values)
        code, names = pd.factorize(np.array(list(chain.from_iterable(values)), dtype=object))
        share = None
        if mixes:
            told = chain.from_iterable(value.values() for value in values if len(value))
            share = np.fromiter(told, dtype=np.float64, count=int(sizes.sum()))
        return cls(starts(sizes), code.astype(np.int32), np.asarray(names, dtype=object), share)

    @property
    def sizes(self) -> Ints:
        """How many names each row has."""
        return np.diff(self.start)

    @property
    def owner(self) -> Ints:
        """Row of each entry."""
        return np.repeat(np.arange(len(self)), self.sizes)

    # -- what pandas asks of a column --------------------------------------------------------

    @property
    def dtype(self) -> RaggedDtype:
        """Type of the column."""
        return RaggedDtype()

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, in memory or in files."""
        share = 0 if self.share is None else self.share.nbytes
        return int(self.start.nbytes + self.code.nbytes + share)

    def __len__(self) -> int:
        return len(self.start) - 1

    def __iter__(self) -> Iterator[Any]:
        step = 65_536
        for first in range(0, len(self), step):
            yield from self._cells(first, min(first + step, len(self)))

    def __getitem__(self, item: Rows) -> Any:
        if isinstance(item, (int, np.integer)):
            place = int(item) % len(self) if -len(self) <= item < len(self) else len(self)
            if place == len(self):
                raise IndexError(f"Got position {item} but expected one among {len(self)} rows")
            return self._cells(place, place + 1)[0]
        if isinstance(item, slice):
            first, stop, step = item.indices(len(self))
            if step == 1:
                stop = max(first, stop)
                part = slice(int(self.start[first]), int(self.start[stop]))
                share = None if self.share is None else self.share[part]
                start = self.start[first : stop + 1] - self.start[first]
                return Ragged(start, self.code[part], self.names, share)
            return self._rows(np.arange(first, stop, step))
        rows = np.asarray(item)
        return self._rows(np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64))

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        others = other if isinstance(other, Ragged) else [other] * len(self)
        return np.array([a == b for a, b in zip(self, others, strict=True)], dtype=bool)

    def _rows(self, rows: Ints) -> Ragged:
        rows = np.where(rows < 0, rows + len(self), rows)
        entries, _ = expand(self.start[rows], self.start[rows + 1])
        share = None if self.share is None else self.share[entries]
        sizes = self.start[rows + 1] - self.start[rows]
        return Ragged(starts(sizes), self.code[entries], self.names, share)

    def _cells(self, first: int, stop: int) -> list[Any]:
        edges = self.start[first : stop + 1].tolist()
        part = slice(edges[0], edges[-1])
        names = self.names[self.code[part]].tolist()
        edges = [edge - edges[0] for edge in edges]
        spans = list(pairwise(edges))
        if self.share is None:
            return [tuple(names[a:b]) for a, b in spans]
        shares = self.share[part].tolist()
        return [dict(zip(names[a:b], shares[a:b], strict=True)) for a, b in spans]

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Any:
        """Return rows by position; where filling is allowed, -1 gives null among objects."""
        rows = np.asarray(indices, dtype=np.int64)
        if not allow_fill or not (rows < 0).any():
            return self._rows(rows)
        # Null is no list: a column with a hole in it is one of objects.
        out = np.full(len(rows), np.nan, dtype=object)
        there = np.flatnonzero(rows >= 0)
        for place, value in zip(there.tolist(), self._rows(rows[there]), strict=True):
            out[place] = value
        return pd.Series(out, dtype=object).array

    def isna(self) -> npt.NDArray[np.bool_]:
        """Say where there is no list; an empty one is one."""
        return np.zeros(len(self), dtype=bool)

    def copy(self) -> Ragged:
        """Return the same rows; they are never changed in place."""
        return Ragged(self.start, self.code, self.names, self.share)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Return a column of objects, for any type but its own."""
        if isinstance(dtype, RaggedDtype) or dtype == "ragged":
            return self
        return self._objects().astype(dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._objects()

    def _objects(self) -> npt.NDArray[np.object_]:
        out = np.empty(len(self), dtype=object)
        out[:] = list(self) if len(self) else []
        return out

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: Any = None, copy: bool = False) -> Ragged:
        return cls.of(scalars)

    @classmethod
    def _from_factorized(cls, values: Any, original: Ragged) -> Ragged:
        return cls.of(values)

    def _cast_pointwise_result(self, values: Any) -> Any:
        """Leave what a function made of cells as it is: lists of words are no labels by that."""
        return pd.Series(values).array

    def map(self, mapper: Any, na_action: Any = None, **told: Any) -> Any:
        """Return what a function makes of each cell."""
        return pd.Series(self._objects(), dtype=object).map(mapper, na_action, **told).array

    def _values_for_factorize(self) -> tuple[npt.NDArray[np.object_], Any]:
        return self._objects(), None

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Ragged]) -> Ragged:
        known: dict[Any, int] = {}
        codes, shares = [], []
        for part in to_concat:
            place = np.array([known.setdefault(n, len(known)) for n in part.names], dtype=np.int32)
            codes.append(place[part.code] if len(place) else part.code)
            shares.append(part.share)
        told = [share for share in shares if share is not None]
        names = np.empty(len(known), dtype=object)
        names[:] = list(known)
        return cls(
            starts(np.concatenate([part.sizes for part in to_concat])),
            np.concatenate(codes).astype(np.int32),
            names,
            np.concatenate(told) if told else None,
        )


class RaggedSpill:
    """Labels or mixes that are put down one block after the other."""

    def __init__(self, *, mixes: bool) -> None:
        self._sizes, self._code = Spill(np.int64), Spill(np.int32)
        self._share = Spill(np.float64) if mixes else None
        self._known: dict[Any, int] = {}

    def add(self, sizes: Ints, code: Codes, names: Sequence[str], share: Floats | None) -> None:
        """Put down rows: how many entries each has, and the entries end to end."""
        known = self._known
        place = np.array([known.setdefault(n, len(known)) for n in names], dtype=np.int32)
        self._sizes.add(sizes)
        self._code.add(place[code] if len(place) else code)
        if self._share is not None and share is not None:
            self._share.add(share)

    def done(self) -> Ragged:
        """Return all rows."""
        names = np.empty(len(self._known), dtype=object)
        names[:] = list(self._known)
        start = starts(self._sizes.done())
        share = None if self._share is None else self._share.done()
        return Ragged(start, self._code.done(), names, share)


def ragged(values: pd.Series[Any]) -> Ragged:
    """Return a column of labels or mixes as flat arrays."""
    return values.array if isinstance(values.array, Ragged) else Ragged.of(values)


def starts(sizes: Ints) -> Ints:
    """Return where each of some runs starts, and where the last one ends; in a file if large."""
    if len(sizes) <= _ROWS:
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes, dtype=np.int64)])
    spill, last = Spill(np.int64), 0
    spill.add(np.zeros(1, dtype=np.int64))
    for start in range(0, len(sizes), _ROWS):
        ends = np.cumsum(sizes[start : start + _ROWS], dtype=np.int64) + last
        spill.add(ends)
        last = int(ends[-1])
    return spill.done()
