"""One sheet read as rows of one table, each value traceable to the cell it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.cells import Style
from features.columns import EPOCH, Column, TableSpec
from features.errors import Fault
from features.headers import Entry, aliases
from features.mixes import add_up
from features.sheets import Sheet
from features.values import Parsed, parse

MOST_SCALED = 1.1
"""Up to what sum `normalise` takes a mix to be one that was rounded or counted twice."""


@dataclass(frozen=True)
class _Read:
    """A column as it was read.

    ``refusals`` has, for each entry that fed it, what was expected in each row instead;
    ``currencies`` is as in `Parsed`.
    """

    values: pd.Series[Any]
    refusals: tuple[tuple[Entry, npt.NDArray[np.object_]], ...]
    currencies: npt.NDArray[np.object_] | None = None

    @property
    def refused(self) -> npt.NDArray[np.bool_]:
        """Rows in which a cell was refused."""
        refused = np.zeros(len(self.values), dtype=bool)
        for _, expected in self.refusals:
            refused |= np.asarray(pd.notna(expected))
        return refused

    @property
    def told(self) -> npt.NDArray[np.bool_]:
        """Rows that have a value, or something that was meant to be one."""
        empty = self.values.map(lambda value: isinstance(value, (tuple, dict)) and not value)
        return np.asarray(self.values.notna() & ~empty.astype(bool), dtype=bool) | self.refused

    def take(self, rows: npt.NDArray[np.intp]) -> _Read:
        """Return the rows at these positions."""
        return _Read(
            self.values.iloc[rows].reset_index(drop=True),
            tuple((entry, expected[rows]) for entry, expected in self.refusals),
            None if self.currencies is None else self.currencies[rows],
        )


@dataclass
class Part:
    """Rows of one table from one sheet.

    Attributes
    ----------
    spec : TableSpec
        The table.
    sheet : Sheet
        Where the rows came from; its cells are those of the rows that were kept.
    frame : pandas.DataFrame
        Conformed rows, null where there was nothing or it was refused.
    entries : tuple of Entry
        What fed the columns.
    refused : dict of str to ndarray of bool
        By column, the rows whose value was refused and is reported already.
    missing : set of str
        Columns that must be there and are not, which is reported already.
    stood_in : set of str
        Columns that were left out, for which something stands in.
    faults : list of Fault
        What was wrong with cells and headers.
    notes : list of str
        What was done to the values that they did not say themselves.
    """

    spec: TableSpec
    sheet: Sheet
    frame: pd.DataFrame
    entries: tuple[Entry, ...]
    refused: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    stood_in: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every row is there with its key, so that references to it can be judged."""
        keys = self.spec.key
        lost = any(self.refused[key].any() for key in keys if key in self.refused)
        return not (lost or self.missing & set(keys) or self.sheet.faults)

    def header(self, column: str) -> str:
        """Return what the user calls a column: its header or headers, or its canonical name."""
        headers = [h for e in self.entries if e.column == column for h in e.headers]
        return " + ".join(headers) if 0 < len(headers) <= 3 else column

    def text(self, column: str, position: int) -> str | None:
        """Return the cell that a value came from, or None where it is not from one cell."""
        headers = [h for e in self.entries if e.column == column for h in e.headers]
        text = self.sheet.cells[headers[0]].iat[position] if len(headers) == 1 else None
        return text if isinstance(text, str) else None

    def fault(self, position: int, header: str, value: str, expected: str) -> Fault:
        """Return what is wrong with one cell."""
        row = int(self.sheet.rows[position])
        return Fault(self.spec.name, self.sheet.label, row, header, value, expected)

    def lacks(self, column: str, why: str = "") -> Fault:
        """Return that a column is not there, and what it could be called."""
        known = ", ".join(aliases(self.spec, column))
        expected = f"a column called one of {known}; or name yours in a mapping{why}"
        return Fault(self.spec.name, self.sheet.label, 0, column, "no column", expected)

    def explains(self, column: str, position: int) -> bool:
        """Tell whether a null is there only because of something that is reported already."""
        refused = self.refused.get(column)
        return column in self.missing or (refused is not None and bool(refused[position]))


def read_part(
    spec: TableSpec,
    sheet: Sheet,
    entries: Sequence[Entry],
    skip_if_null: Sequence[str] = (),
    normalise: Sequence[str] = (),
) -> Part:
    """Read the rows of a sheet.

    Parameters
    ----------
    spec : TableSpec
        The table they belong to.
    sheet : Sheet
        The text.
    entries : sequence of Entry
        What feeds the columns; none twice.
    skip_if_null : sequence of str
        Columns without which a row is not a row of this table.
    normalise : sequence of str
        Mixes that are scaled to 1 where they sum to at most `MOST_SCALED`.
    """
    columns = {
        column.name: _read_column(column, mine, sheet)
        for column in spec.columns
        if (mine := [entry for entry in entries if entry.column == column.name])
    }
    keep = np.ones(len(sheet.rows), dtype=bool)
    for name in skip_if_null:
        keep &= columns[name].told if name in columns else False
    if not keep.all():
        kept = np.flatnonzero(keep)
        columns = {name: column.take(kept) for name, column in columns.items()}
        # Spoiled cells are known by position, and have been dealt with.
        sheet = replace(sheet, cells=sheet.cells.iloc[kept], rows=sheet.rows[kept], spoiled={})
    # A header above nothing but empty cells is no more a column than one that is not there.
    columns = {name: column for name, column in columns.items() if not _is_void(spec, name, column)}
    values = {name: column.values for name, column in columns.items()}
    frame = spec.conform(pd.DataFrame(values, index=range(len(sheet.rows))))
    part = Part(spec, sheet, frame, tuple(entries))
    for name, column in columns.items():
        part.refused[name] = column.refused
        part.faults += _refusals(part, column)
    if "currency" in spec.names:
        _settle_currency(part, columns)
    if spec.name == "vectors":
        _settle_time(part)
    for name in normalise:
        _scale(part, name)
    _tell_stand_ins(part, columns)
    _report_missing(part)
    return part


def _is_void(spec: TableSpec, name: str, column: _Read) -> bool:
    return spec[name].stand_in is not None and not column.told.any()


def _read_column(column: Column, entries: Sequence[Entry], sheet: Sheet) -> _Read:
    if entries[0].part:
        return _join_parts(column, entries, sheet)
    entry = entries[0]
    parsed = _read_entry(column, entry, sheet)
    return _Read(parsed.values, ((entry, parsed.refused),), parsed.currencies)


def _read_entry(column: Column, entry: Entry, sheet: Sheet) -> Parsed:
    if entry.value is not None:
        texts = pd.Series([entry.value] * len(sheet.rows), dtype="str")
        return parse(texts, column, entry.style)
    typed = all(header in sheet.typed for header in entry.headers)
    style = replace(entry.style, typed=typed)
    parsed = parse(_joined(sheet.cells[list(entry.headers)], style), column, style)
    as_text = column.kind in ("id", "text", "labels")
    lost = {
        position: spoiled.expected
        for (position, header), spoiled in sheet.spoiled.items()
        if header in entry.headers and (as_text or not spoiled.as_number)
    }
    if lost:
        parsed.refused[list(lost)] = list(lost.values())
        parsed.values.iloc[list(lost)] = None
    return parsed


def _joined(cells: pd.DataFrame, style: Style) -> pd.Series[Any]:
    if cells.shape[1] == 1:
        return cells.iloc[:, 0].reset_index(drop=True)
    between = style.separator or "\n"
    rows = zip(*(cells[header].fillna("") for header in cells), strict=True)
    return pd.Series([between.join(filter(None, row)) for row in rows], dtype="str")


def _join_parts(column: Column, entries: Sequence[Entry], sheet: Sheet) -> _Read:
    """Put the shares of a mix, or the numbers of a vector, together from their columns."""
    cells = Column(column.name, "share" if column.kind == "mix" else "number")
    if column.kind == "vector":
        entries = sorted(entries, key=lambda entry: int(entry.part))
    read = [_read_entry(cells, entry, sheet) for entry in entries]
    numbers = np.column_stack([parsed.values.to_numpy(dtype=np.float64) for parsed in read])
    refusals = [(entry, parsed.refused) for entry, parsed in zip(entries, read, strict=True)]
    known = ~np.isnan(numbers)
    values = np.empty(len(numbers), dtype=object)
    if column.kind == "mix":
        dimension, names = column.name.removeprefix("audience_"), [e.part for e in entries]
        for at, row in enumerate(numbers.tolist()):
            told = zip(names, row, known[at], strict=True)
            values[at] = add_up([(name, share) for name, share, yes in told if yes], dimension)
        return _Read(pd.Series(values), tuple(refusals))
    for at in np.flatnonzero(known.all(axis=1)).tolist():
        values[at] = numbers[at].astype(np.float32)
    # A number that is not there leaves no vector; one that was refused is reported as such.
    for at, place in np.argwhere(~known & known.any(axis=1, keepdims=True)):
        if not any(expected[at] for _, expected in refusals):
            refusals[place][1][at] = "a number in every column of the vector"
    return _Read(pd.Series(values), tuple(refusals))


def _refusals(part: Part, column: _Read) -> Iterator[Fault]:
    """Yield a fault for each refused cell, and one for a refused constant of the mapping."""
    for entry, expected in column.refusals:
        rows = np.flatnonzero(pd.notna(expected))
        if not len(rows):
            continue
        if entry.value is not None:
            place = part.sheet.label
            yield Fault(part.spec.name, place, 0, entry.name, entry.value, expected[rows[0]])
            continue
        cells = part.sheet.cells[list(entry.headers)].iloc[rows].fillna("")
        for at, texts in zip(rows, cells.itertuples(index=False), strict=True):
            value = "\n".join(filter(None, texts))
            yield part.fault(int(at), " + ".join(entry.headers), value, expected[at])


def _settle_currency(part: Part, columns: Mapping[str, _Read]) -> None:
    """Take the currency of rows that have none from the signs of their amounts.

    ``¥`` is CNY unless the row says JPY: a sign that can stand for the row's currency does, and
    one that cannot contradicts it.
    """
    said = part.frame["currency"].tolist()
    possible: dict[int, tuple[str, ...]] = {}
    for column in part.spec.columns:
        if column.kind != "money" or column.name not in columns:
            continue
        for at, codes in _signs(columns[column.name], part.entries, column.name):
            row = (said[at],) if isinstance(said[at], str) else possible.get(at, codes)
            both = tuple(code for code in row if code in codes)
            if both:
                possible[at] = both
            elif not part.explains("currency", at):
                expected = f"an amount in {row[0]}, the currency that the row has"
                value = part.text(column.name, at) or ""
                part.faults.append(part.fault(at, part.header(column.name), value, expected))
    for at, codes in possible.items():
        said[at] = codes[0]
    part.frame["currency"] = pd.Series(said, dtype="str")
    # What was refused as an amount might have said its currency.
    doubtful = [column for name, column in columns.items() if part.spec[name].kind == "money"]
    refused = part.refused.get("currency", np.zeros(len(said), dtype=bool))
    part.refused["currency"] = np.logical_or.reduce([refused, *(c.refused for c in doubtful)])


def _signs(
    column: _Read, entries: Sequence[Entry], name: str
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield what each amount can be in: by its own sign, or else by its column's."""
    own = next(entry.style.currency for entry in entries if entry.column == name)
    signs = column.currencies
    for at in np.flatnonzero(column.values.notna()):
        codes = signs[at] if signs is not None else ()
        if own and own in (codes or (own,)):
            codes = (own,)
        if codes:
            yield int(at), codes


def _settle_time(part: Part) -> None:
    """Make vectors without a time timeless: known since before anything else."""
    times = part.frame["observed_at"]
    refused = part.refused.get("observed_at", np.zeros(len(times), dtype=bool))
    timeless = times.isna() & ~refused
    if timeless.any():
        part.frame["observed_at"] = times.mask(timeless, EPOCH)
        part.notes.append(
            f"{part.sheet.label}: vectors without observed_at count as known at any time "
            f"(rows: {int(timeless.sum())})"
        )


def _tell_stand_ins(part: Part, columns: Mapping[str, _Read]) -> None:
    """Say what was taken for columns that the sheet does not have."""
    for column in part.spec.columns:
        if column.stand_in is not None and column.name not in columns:
            part.stood_in.add(column.name)
            if len(part.frame):
                part.notes.append(f"{part.sheet.label}: no {column.name}, so {column.stand_in.doc}")


def _scale(part: Part, name: str) -> None:
    mixes = part.frame[name]
    sums = mixes.map(lambda mix: sum(mix.values())).astype("float64")
    above = (sums > 1) & (sums <= MOST_SCALED)
    if above.any():
        part.frame[name] = mixes.where(
            ~above,
            mixes.map(lambda mix: {n: share / sum(mix.values()) for n, share in mix.items()}),
        )
        part.notes.append(
            f"{part.sheet.label}: {name} was scaled to 1 where it summed to more, up to "
            f"{sums[above].max():.3f} (rows: {int(above.sum())})"
        )


def _report_missing(part: Part) -> None:
    fed = {entry.column for entry in part.entries}
    for column in part.spec.columns:
        needed = column.required and column.stand_in is None
        absent = needed and column.name not in fed and column.name != "currency"
        if column.name == "currency" and column.name not in fed:
            absent = _lacks_currency(part, column)
        if absent and (part.spec.name, column.name) != ("vectors", "observed_at"):
            part.missing.add(column.name)
            part.faults.append(part.lacks(column.name))


def _lacks_currency(part: Part, currency: Column) -> bool:
    """Tell whether no row has a currency though some, or the contract, ask for one."""
    money = [column.name for column in part.spec.columns if column.kind == "money"]
    asks = part.frame[money].notna().any(axis=1) | currency.required
    unknown = part.frame["currency"].isna()
    return bool((asks & unknown & ~part.refused["currency"]).any()) and bool(unknown.all())
