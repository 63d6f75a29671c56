"""Between frames of the data contract and Arrow tables, and what a row's content hashes to.

Labels become ``list<string>``, mixes ``map<string, double>`` with their names in order, vectors
``list<float>``. Lists are taken apart and put together through their offsets, so that a million
rows cost one pass over flat arrays and no Python object for each value.
"""

from __future__ import annotations

import hashlib
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.columns import Column, Kind, TableSpec
from features.ragged import Ragged

if TYPE_CHECKING:
    import pyarrow as pa

NESTED: tuple[Kind, ...] = ("labels", "mix", "vector")
Hashes = npt.NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)


def arrow_schema(spec: TableSpec) -> pa.Schema:
    """Return the Arrow schema a table of the contract is stored with."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, _arrow_type(column.kind)) for column in spec.columns])


def to_arrow(spec: TableSpec, frame: pd.DataFrame) -> pa.Table:
    """Return a conformed frame as an Arrow table.

    Parameters
    ----------
    spec : TableSpec
        Table that `frame` conforms to.
    frame : pandas.DataFrame
        As `TableSpec.conform` returns it. NaN, NaT and NA become null; an empty tuple or dict
        stays an empty list or map.
    """
    import pyarrow as pa

    arrays = [_to_array(column, frame[column.name]) for column in spec.columns]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(spec))


def to_frame(spec: TableSpec, table: pa.Table, *, flat: bool = False) -> pd.DataFrame:
    """Return an Arrow table as a conformed frame, in the row order of `table`.

    Columns that `table` lacks (it was stored before the contract had them) are null, columns
    outside the contract are dropped. Where `flat` is given, labels and mixes are flat arrays
    (`features.ragged`).
    """
    import pyarrow as pa

    stored = [column for column in spec.columns if column.name in table.column_names]
    plain = table.select([column.name for column in stored if column.kind not in NESTED])
    frame = plain.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    columns: dict[str, Any] = {
        column.name: (
            _from_lists(column, table[column.name].combine_chunks(), flat=flat)
            if column.kind in NESTED
            else frame[column.name].astype(column.dtype)
        )
        for column in stored
    }
    if len(stored) < len(spec.columns):
        return spec.conform(pd.DataFrame(columns))
    return pd.DataFrame(columns)


def row_hashes(spec: TableSpec, frame: pd.DataFrame) -> Hashes:
    """Return one 64-bit hash for the content of each row of a conformed frame.

    Equal content gives an equal hash whatever the order of rows or of the names in a mix, on
    every machine. Null adds nothing to the hash: a column that is added to the contract later
    leaves the hashes of the rows that do not have it as they are.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(frame),)``, dtype uint64. Made to tell a changed row from an unchanged one
        under the same key, not to withstand an adversary.
    """
    total = np.zeros(len(frame), dtype=np.uint64)
    for column in spec.columns:
        hashes, known = _cell_hashes(column, frame[column.name])
        salt = pd.util.hash_array(np.array([column.name], dtype=object))[0]
        total += np.where(known, _mixed(hashes ^ salt), np.uint64(0))
    return total


def content_hash(spec: TableSpec, frame: pd.DataFrame) -> str:
    """Return 16 hex digits that name the content of a conformed frame, whatever its row order."""
    return hash_of_rows(row_hashes(spec, frame))


def hash_of_rows(hashes: Hashes) -> str:
    """Return what `content_hash` does, from the `row_hashes` of all rows."""
    return hashlib.sha256(np.sort(hashes).astype("<u8").tobytes()).hexdigest()[:16]


def _arrow_type(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    if kind in ("id", "text", "choice"):
        return pa.string()
    types = {
        "time": pa.timestamp("us", tz="UTC"),
        "flag": pa.bool_(),
        "labels": pa.list_(pa.string()),
        "mix": pa.map_(pa.string(), pa.float64()),
        "vector": pa.list_(pa.float32()),
    }
    return types.get(kind, pa.float64())


def _to_array(column: Column, values: pd.Series[Any]) -> pa.Array:
    import pyarrow as pa

    if column.kind == "time":
        plain = values.dt.tz_convert(None).to_numpy()
        return pa.array(plain, type=_arrow_type(column.kind), from_pandas=True)
    if column.kind not in NESTED:
        return pa.array(values, type=_arrow_type(column.kind), from_pandas=True)
    sizes, parts = _flat(column, values)
    # Arrow refuses offsets past 2**31 rather than wrapping them.
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)).cast(pa.int32())
    if column.kind == "mix":
        names, shares = parts
        return pa.MapArray.from_arrays(
            offsets, pa.array(names, pa.string()), pa.array(shares, pa.float64())
        )
    item = pa.float32() if column.kind == "vector" else pa.string()
    return pa.ListArray.from_arrays(offsets, pa.array(parts[0], item))


def _flat(
    column: Column, values: pd.Series[Any]
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[Any]]]:
    """Return how many items each row holds, and the items of all rows end to end.

    Items are one array, for a mix two: names and shares.
    """
    sizes = np.fromiter((len(value) for value in values), dtype=np.int64, count=len(values))
    if column.kind == "labels":
        return sizes, [np.array(list(chain.from_iterable(values)), dtype=object)]
    if column.kind == "mix":
        items = [item for mix in values for item in sorted(mix.items())]
        names = np.array([name for name, _ in items], dtype=object)
        return sizes, [names, np.array([share for _, share in items], dtype=np.float64)]
    return sizes, [np.concatenate([np.zeros(0, dtype=np.float32), *values])]


def _from_lists(column: Column, array: pa.Array, *, flat: bool) -> pd.Series[Any]:
    if flat and column.kind != "vector":
        return pd.Series(_flat_lists(column, array))
    spans = list(pairwise(array.offsets.to_pylist()))
    if column.kind == "vector":
        # One writable copy that the rows are views of: Arrow's own memory may not be written to.
        whole = array.values.to_numpy(zero_copy_only=False).astype(np.float32)
        rows: list[Any] = [whole[start:stop] for start, stop in spans]
    elif column.kind == "mix":
        names, shares = _shared(array.keys), array.items.to_pylist()
        rows = [
            dict(zip(names[start:stop], shares[start:stop], strict=True)) for start, stop in spans
        ]
    else:
        names = _shared(array.values)
        rows = [tuple(names[start:stop]) for start, stop in spans]
    return pd.Series(rows, dtype=object)


def _flat_lists(column: Column, array: pa.Array) -> Ragged:
    start = array.offsets.to_numpy().astype(np.int64)
    part = slice(int(start[0]), int(start[-1]))
    entries = (array.keys if column.kind == "mix" else array.values)[part]
    share = array.items[part].to_numpy() if column.kind == "mix" else None
    encoded = entries.dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return Ragged(start - start[0], encoded.indices.to_numpy(), names, share)


def _shared(strings: pa.Array) -> list[str]:
    """Return strings as Python objects, one object for each distinct text."""
    encoded = strings.dictionary_encode()
    words = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return list(words[encoded.indices.to_numpy()])


def _cell_hashes(column: Column, values: pd.Series[Any]) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Return a hash for each cell, and where there is a value at all."""
    if column.kind in NESTED:
        sizes, parts = _flat(column, values)
        items = np.zeros(int(sizes.sum()), dtype=np.uint64)
        for part in parts:
            items = _mixed(items + _value_hashes(part))
        return _list_hashes(items, sizes), sizes > 0
    known = values.notna().to_numpy()
    if column.kind == "time":
        plain: npt.NDArray[Any] = values.astype("int64").to_numpy()
    elif column.kind == "flag":
        plain = values.fillna(value=False).to_numpy(dtype=bool)
    else:
        plain = values.to_numpy(dtype=object if column.dtype == "str" else np.float64)
    return _value_hashes(plain), known


def _value_hashes(values: npt.NDArray[Any]) -> Hashes:
    if np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64) + 0.0  # -0.0 is 0.0
    hashes: Hashes = pd.util.hash_array(values, categorize=False)
    return hashes


def _list_hashes(items: Hashes, sizes: npt.NDArray[np.int64]) -> Hashes:
    """Return one hash for each run of `sizes` items, in which their order counts."""
    ends = np.cumsum(sizes)
    place = (np.arange(len(items)) - np.repeat(ends - sizes, sizes)).astype(np.uint64)
    # Sums wrap modulo 2**64, so that differences of running sums are exact.
    running = np.append(np.uint64(0), np.cumsum(_mixed(items + place * _ODD)))
    totals: Hashes = running[ends] - running[ends - sizes]
    return totals


def _mixed(values: Any) -> Hashes:
    """Scramble 64-bit words so that sums of them do not cancel (the finaliser of SplitMix64)."""
    words: Hashes = np.asarray(values, dtype=np.uint64)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
