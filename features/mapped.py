"""Frames whose large columns live in files (`features.spill`), made a block of rows at a time."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import pandas as pd

from features.columns import TIME
from features.ragged import Ragged, RaggedSpill, ragged, starts
from features.spill import Spill
from features.timeline import Ints, take

LARGE = 100_000
"""Rows from which on a frame goes to files."""
_ROWS = 65_536
"""Rows copied at once."""
_STR = pd.StringDtype("pyarrow", na_value=np.nan)


class _Column(Protocol):
    def add(self, values: pd.Series[Any]) -> None: ...
    def done(self) -> Any: ...


class FrameSpill:
    """Frames of the same columns that are put down one after the other, and read as one."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}

    def add(self, frame: pd.DataFrame) -> None:
        """Put down the next rows."""
        if not self._columns:
            self._columns = {str(name): _column_for(frame[name]) for name in frame}
        for name, column in self._columns.items():
            column.add(frame[name])

    def done(self) -> pd.DataFrame:
        """Return all rows; their index is a range."""
        return pd.DataFrame(
            {name: column.done() for name, column in self._columns.items()}, copy=False
        )


def taken(frame: pd.DataFrame, rows: Ints) -> pd.DataFrame:
    """Return rows of a frame by position, with a new index; in files if there are many."""
    return take(frame, rows) if len(rows) < LARGE else spilled_frame(frame, rows)


def spilled_frame(frame: pd.DataFrame, rows: Ints) -> pd.DataFrame:
    """Return rows of a frame by position, large columns in files; the index is a range."""
    columns = {}
    for name in frame:
        column = _column_for(frame[name])
        for start in range(0, max(len(rows), 1), _ROWS):
            column.add(frame[name].take(rows[start : start + _ROWS]))
        columns[str(name)] = column.done()
    return pd.DataFrame(columns, copy=False)


class _Plain:
    """Numbers, or times as microseconds."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self._spill = Spill(np.int64 if dtype == TIME else dtype)

    def add(self, values: pd.Series[Any]) -> None:
        if self.dtype == TIME:
            self._spill.add(values.to_numpy(dtype="datetime64[us]").view(np.int64))
        else:
            self._spill.add(values.to_numpy())

    def done(self) -> Any:
        told = self._spill.done()
        if self.dtype != TIME:
            return told
        # What pandas offers to say that times are in UTC copies them.
        made = cast("Any", pd.arrays.DatetimeArray)._simple_new
        return made(told.view("datetime64[us]"), dtype=TIME)


class _Flags:
    def __init__(self) -> None:
        self._values, self._unknown = Spill(np.bool_), Spill(np.bool_)

    def add(self, values: pd.Series[Any]) -> None:
        self._values.add(values.to_numpy(dtype=bool, na_value=False))
        self._unknown.add(values.isna().to_numpy())

    def done(self) -> Any:
        return pd.arrays.BooleanArray(self._values.done(), self._unknown.done(), copy=False)


class _Strings:
    def __init__(self) -> None:
        self._sizes, self._told = Spill(np.int64), Spill(np.uint8)
        self._known = Spill(np.bool_)

    def add(self, values: pd.Series[Any]) -> None:
        import pyarrow as pa

        array: Any = pa.array(values.array, from_pandas=True)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        array = array.cast(pa.large_string())
        _, edges, told = array.buffers()
        if not len(array):
            return
        first = array.offset
        start = np.frombuffer(edges, dtype=np.int64)[first : first + len(array) + 1]
        self._sizes.add(np.diff(start))
        if told is not None:
            self._told.add(np.frombuffer(told, dtype=np.uint8)[start[0] : start[-1]])
        self._known.add(array.is_valid().to_numpy(zero_copy_only=False))

    def done(self) -> Any:
        import pyarrow as pa

        known = self._known.done()
        start = starts(self._sizes.done())
        valid = None
        if not known.all():
            valid = pa.py_buffer(np.packbits(known, bitorder="little"))
        buffers = [valid, pa.py_buffer(start), pa.py_buffer(self._told.done())]
        told = pa.Array.from_buffers(pa.large_string(), len(known), buffers)
        return cast("Any", pd.arrays.ArrowStringArray)(pa.chunked_array([told]), dtype=_STR)


class _Lists:
    def __init__(self, *, mixes: bool) -> None:
        self._spill = RaggedSpill(mixes=mixes)

    def add(self, values: pd.Series[Any]) -> None:
        flat = ragged(values)
        self._spill.add(flat.sizes, flat.code, flat.names.tolist(), flat.share)

    def done(self) -> Any:
        return self._spill.done()


class _Objects:
    """Whatever else there is, such as vectors: kept as it is."""

    def __init__(self) -> None:
        self._parts: list[pd.Series[Any]] = []

    def add(self, values: pd.Series[Any]) -> None:
        self._parts.append(values)

    def done(self) -> Any:
        return pd.concat(self._parts, ignore_index=True).array


def _column_for(values: pd.Series[Any]) -> _Column:
    """Return what takes values like these."""
    dtype = values.dtype
    if dtype == TIME or (isinstance(dtype, np.dtype) and dtype.kind in "fiub"):
        return _Plain(dtype)
    if dtype == "boolean":
        return _Flags()
    if dtype == "str":
        return _Strings()
    array = values.array
    if isinstance(array, Ragged):
        return _Lists(mixes=array.share is not None)
    first = values.iloc[0] if len(values) else None
    if isinstance(first, (tuple, dict)):
        return _Lists(mixes=isinstance(first, dict))
    return _Objects()
