"""Reading a folder of somebody's files into the tables of the contract.

Either everything is read, or one `TableError` says all that is wrong, each fault where the user
will find it: file, row as their spreadsheet counts it, column as they called it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.cells import PLAIN, Style
from features.columns import EPOCH, TableSpec
from features.contacts import FREE_TEXT, contact_of, contacts_in, mask_column
from features.contract import LINKS, SPECS
from features.errors import Fault, TableError
from features.files import list_files, read_sheets
from features.headers import Entry, one_each, tables_named, understand
from features.parts import Part, read_part
from features.progress import Progress, silent
from features.sheets import FileError, Sheet
from features.tables import Tables, link_faults
from features.tombstones import Tombstones

if TYPE_CHECKING:
    from features.mapping import Mapping, TableMap

_TARGETS = {(table, column): target for table, column, target, _ in LINKS}
_NO_NAME = "a name that says which table it is, such as kols.csv; or name the file in a mapping"


@dataclass(frozen=True)
class Source:
    """What one file, or one worksheet, gave to one table.

    Attributes
    ----------
    table : str
        The table.
    file : str
        The file, with the worksheet in brackets.
    rows : int
        Rows that were read.
    columns : dict of str to str
        Canonical column, or part of one, by the user's header.
    ignored : tuple of str
        Headers that mean nothing in this table.
    """

    table: str
    file: str
    rows: int
    columns: dict[str, str]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """A folder that was read.

    Attributes
    ----------
    tables : Tables
        Checked, with every reference leading somewhere.
    sources : tuple of Source
        What came from where.
    notes : tuple of str
        What was passed over or assumed, for the user to see.
    """

    tables: Tables
    sources: tuple[Source, ...]
    notes: tuple[str, ...]


def read_folder(
    folder: Path,
    mapping: Path | None = None,
    known: Tables | None = None,
    progress: Progress = silent,
    erased: Tombstones | None = None,
    now: pd.Timestamp | None = None,
) -> Reading:
    """Read every CSV, XLSX and Parquet file of a folder.

    A file or worksheet feeds the table that its name says, in English or Chinese, or those that
    the mapping names for it; several may feed one. Columns are found by the mapping, by their
    canonical names or by what else they are called (``headers.toml``).

    Parameters
    ----------
    folder : Path
        Files directly in it are read.
    mapping : Path, optional
        A mapping TOML; see `features.mapping`.
    known : Tables, optional
        What is stored already, to which rows of these files may refer.
    progress : Progress
        Told after each file.
    erased : Tombstones, optional
        KOLs whose rows are left out, and counted in the notes.
    now : Timestamp, optional
        Rows that say to be known from a later time only are counted in the notes.

    Raises
    ------
    TableError
        Listing everything wrong in every file.
    FileNotFoundError, NotADirectoryError
        If the folder is not there, or the mapping is not.
    """
    plan = None
    if mapping is not None:
        from features.mapping import load_mapping

        plan = load_mapping(mapping)
    paths, notes, faults = list_files(folder, besides=mapping)
    reader = _Reader(plan, mapping.name if mapping else "", known, notes, faults, erased)
    for count, path in enumerate(paths):
        progress("reading files", count, len(paths))
        reader.read(path)
    progress("reading files", len(paths), len(paths))
    return reader.finish([path.name for path in paths], now)


def summary(reading: Reading) -> list[dict[str, str | int]]:
    """Return what was understood, one row a source, for people to look at.

    Keys are ``table``, ``file``, ``rows``, ``columns`` (how many were understood, and which went
    by another name: ``header -> canonical``) and ``ignored``.
    """
    return [
        {
            "table": source.table,
            "file": source.file,
            "rows": source.rows,
            "columns": _understood(source),
            "ignored": ", ".join(source.ignored),
        }
        for source in reading.sources
    ]


def _understood(source: Source) -> str:
    renamed = [f"{h} -> {name}" for h, name in source.columns.items() if h != name]
    return ": ".join(filter(None, [str(len(source.columns)), ", ".join(renamed)]))


def _strangers(tables: Tables, known: Tables | None) -> Iterator[str]:
    """Yield what is no fault but would not do what its writer meant."""
    for name in ("briefs", "kols"):
        if getattr(tables, name).empty and (known is None or getattr(known, name).empty):
            yield f"no {name}: matching needs them"
    kols, briefs = tables.kols, tables.briefs
    if (
        known is not None
        and len(tables.collaborations)
        and (known.kols["observed_at"] == EPOCH).any()
    ):
        yield "collaborations: KOLs stored without observed_at count as known before them"
    for owner, rows, column in (("kol", "kols", "kol_id"), ("brief", "briefs", "brief_id")):
        here = {*getattr(tables, rows)[column]}
        there = here | (set() if known is None else {*getattr(known, rows)[column]})
        mine = tables.vectors.loc[tables.vectors["owner"] == owner, "id"]
        if nobody := sorted({*mine} - there):
            shown = ", ".join(nobody[:5]) + (", ..." if len(nobody) > 5 else "")
            yield f"vectors, id: no {owner} has this id: {shown}"
    stored = set() if known is None else {*known.kols["kol_id"]}
    people = {*kols["kol_id"], *kols["display_name"].dropna()} | stored
    brands = {*briefs["brand_id"], *briefs["brand_name"].dropna(), *tables.posts["brand_id"]}
    for column, there, what in (
        ("excluded_kols", people, "KOL"),
        ("competitor_brands", brands, "brand"),
    ):
        # What is stored is known by its keys alone; a brand may be in there.
        if known is not None and column == "competitor_brands":
            continue
        absent = sorted({name for names in briefs[column] for name in names} - there)
        if absent:
            shown = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
            yield f"briefs, {column}: no {what} has this id or name: {shown}"


class _Reader:
    """Collects parts, sources, notes and faults over the files of one folder."""

    def __init__(
        self,
        plan: Mapping | None,
        plan_name: str,
        known: Tables | None,
        notes: list[str],
        faults: list[Fault],
        erased: Tombstones | None = None,
    ) -> None:
        self.erased = erased or Tombstones()
        self.plan = plan
        self.plan_name = plan_name
        self.known = known
        self.notes = notes
        self.faults = faults
        self.parts: dict[str, list[Part]] = {name: [] for name in SPECS}
        self.sources: list[Source] = []
        self.used: set[int] = set()
        # A file that could not be read might have held anything that others refer to.
        self.unread = bool(faults)

    def read(self, path: Path) -> None:
        """Read one file into parts."""
        try:
            sheets = read_sheets(path)
        except FileError as error:
            self.faults += error.faults
            self.unread = True
            return
        if not sheets:
            self.notes.append(f"{path.name}: empty")
        for sheet in sheets:
            self.faults += sheet.faults
            if sheet.encoding == "gb18030":
                self.notes.append(
                    f"{path.name}: read as GB18030, being no UTF-8; if its text looks wrong, save "
                    "it as UTF-8"
                )
            self._assign(sheet, alone=len(sheets) == 1)

    def _assign(self, sheet: Sheet, alone: bool) -> None:
        style = Style(timezone=self.plan.timezone) if self.plan else PLAIN
        maps = [
            (at, table)
            for at, table in enumerate(self.plan.table if self.plan else ())
            if table.matches(sheet.file, sheet.sheet)
        ]
        self.used |= {at for at, _ in maps}
        for _, table in maps:
            self._take_mapped(sheet, table, style)
        if maps:
            return
        names = _tables_of(sheet, alone)
        if len(names) == 1:
            self._take(
                SPECS[names[0]], sheet, understand(sheet.cells.columns, SPECS[names[0]], style)
            )
        elif names:
            self.unread = True
            value, expected = " or ".join(names), "a name of one table; or say which in a mapping"
            self.faults.append(Fault("", sheet.label, 0, "", value, expected))
        else:
            self.notes.append(f"{sheet.label}: not read, since its name says no table")

    def _take_mapped(self, sheet: Sheet, table: TableMap, style: Style) -> None:
        spec = table.spec
        style = Style(timezone=table.timezone or style.timezone)
        own = []
        for entry in table.entries(style):
            found = tuple(_find(header, sheet) for header in entry.headers)
            absent = [h for h, there in zip(entry.headers, found, strict=True) if there is None]
            for header in absent:
                expected = f"a header of {sheet.label}: {', '.join(sheet.cells.columns)}"
                place = f"columns.{entry.name}"
                self.faults.append(Fault(spec.name, self.plan_name, 0, place, header, expected))
            own.append(
                Entry(
                    entry.column, entry.part, tuple(filter(None, found)), entry.value, entry.style
                )
            )
        if any(not entry.headers and entry.value is None for entry in own):
            self.unread = True
            return
        said = {entry.column for entry in own}
        spoken = {header for entry in own for header in entry.headers}
        free = [header for header in sheet.cells.columns if header not in spoken]
        others = [e for e in understand(free, spec, style) if e.column not in said]
        self._take(spec, sheet, own + others, table.skip_if_null, table.normalise)

    def _take(
        self,
        spec: TableSpec,
        sheet: Sheet,
        entries: Sequence[Entry],
        skip_if_null: Sequence[str] = (),
        normalise: Sequence[str] = (),
    ) -> None:
        entries, clashes = one_each(entries)
        for entry, rival in clashes:
            both = " and ".join([*rival.headers, *entry.headers])
            expected = f"one column for {entry.name}; say which in a mapping, or rename the other"
            fault = Fault(spec.name, sheet.label, 1, entry.headers[0], both, expected)
            self.faults.append(fault)
        part = read_part(spec, sheet, entries, skip_if_null, normalise)
        self.faults += _contacts(spec, sheet, entries)
        _mask(part)
        self.parts[spec.name].append(part)
        self.faults += part.faults
        self.notes += part.notes
        columns = {header: entry.name for entry in entries for header in entry.headers}
        ignored = tuple(
            str(header)
            for header, texts in sheet.cells.items()
            # A column that has neither header nor cells was never meant.
            if header not in columns
            and not (str(header).startswith("(column ") and texts.isna().all())
        )
        rows = len(part.frame)
        self.sources.append(Source(spec.name, sheet.label, rows, columns, ignored))

    def finish(self, files: Sequence[str], now: pd.Timestamp | None = None) -> Reading:
        """Check everything together, and return it or raise."""
        if not any(self.parts.values()) and not self.faults:
            self.faults.append(Fault("", "", 0, "", ", ".join(files) or "no files", _NO_NAME))
        for at, table in enumerate(self.plan.table if self.plan else ()):
            if at not in self.used:
                expected = f"a file of the folder: {', '.join(files)}"
                self.faults.append(
                    Fault(str(table.name), self.plan_name, 0, "file", table.file, expected)
                )
        frames = {}
        for name, spec in SPECS.items():
            parts = self.parts[name]
            pieces = [part.frame for part in parts if len(part.frame)]
            frames[name] = pd.concat(pieces, ignore_index=True) if pieces else spec.empty()
            self.faults += _in_place(
                parts, spec.faults(frames[name]) if pieces else [], frames[name]
            )
        tables = Tables(**frames)
        self.faults += self._timeless(tables)
        self.faults += self._links(tables)
        for name, odd in (("outcomes", _too_early(tables)), ("exchange_rates", _to_itself(tables))):
            self.faults += _in_place(self.parts[name], odd, frames[name])
        if self.faults:
            raise TableError(sorted(set(self.faults), key=_reading_order))
        self.notes += self._to_come(tables, now)
        tables, struck = self.erased.strike(tables)
        self.notes += [
            f"{name}: {rows} row{'s' * (rows > 1)} of erased KOLs left out"
            if name != "briefs"
            else f"briefs: erased KOLs left out of excluded_kols (rows: {rows})"
            for name, rows in struck.items()
        ]
        self.notes += _strangers(tables, self.known)
        return Reading(tables, tuple(self.sources), tuple(self.notes))

    def _to_come(self, tables: Tables, now: pd.Timestamp | None) -> Iterator[str]:
        """Yield how many rows of each table are of the future, and where the first of them is."""
        for name, frame in tables if now is not None else ():
            column = SPECS[name].known_at
            late = np.flatnonzero(frame[column] > now).tolist() if column else []
            if not late:
                continue
            first = Fault(name, "", int(late[0]) + 2, str(column), "later", "")
            for fault in _in_place(self.parts[name], [first], frame):
                yield (
                    f"{fault.file}, row {fault.row}, column {fault.column}: {fault.value} is still "
                    f"to come; no match before it knows of this row (rows so: {len(late)})"
                )

    def _timeless(self, tables: Tables) -> Iterator[Fault]:
        """Yield times that were left out where collaborations make them matter."""
        known = 0 if self.known is None else len(self.known.collaborations)
        if len(tables.collaborations) + known == 0:
            return
        why = "; where there are collaborations it must be told what was known before them"
        for part in (part for parts in self.parts.values() for part in parts):
            for name in sorted(part.stood_in) if len(part.frame) else ():
                stand_in = part.spec[name].stand_in
                if stand_in is not None and stand_in.timeless:
                    yield part.lacks(name, why)

    def _known_or_erased(self, tables: Tables) -> Tables | None:
        """Return what is stored, and the erased KOLs to whom rows refer that are left out."""
        ids, done = self.erased.who(tables)
        if not ids and not done:
            return self.known
        known = self.known or tables.only()
        kols = pd.DataFrame({"kol_id": sorted(ids)})
        mine = pd.DataFrame({"collaboration_id": sorted(done)})
        return known.replace(
            kols=pd.concat([known.kols, kols]),
            collaborations=pd.concat([known.collaborations, mine]),
        )

    def _links(self, tables: Tables) -> Iterator[Fault]:
        """Yield references that lead nowhere, where it is certain that they do."""
        if self.unread:
            return
        faults = link_faults(tables, self._known_or_erased(tables))
        for name, parts in self.parts.items():
            mine = [fault for fault in faults if fault.table == name]
            sure, absent = [], set()
            for fault in mine:
                target = _TARGETS[name, fault.column]
                if not self.parts[target] and self.known is None:
                    absent.add((fault.column, target))
                elif all(part.whole for part in self.parts[target]):
                    sure.append(fault)
            yield from _in_place(parts, sure, getattr(tables, name))
            for column, target in sorted(absent):
                expected = f"a file of {target}, to which these rows refer"
                for part in parts:
                    place = part.sheet.label
                    yield Fault(name, place, 0, part.header(column), f"no {target}", expected)


def _too_early(tables: Tables) -> list[Fault]:
    """Return outcomes that were measured before the day on which the KOL was shown."""
    shown = tables.collaborations.set_index("collaboration_id")["shown_at"]
    if tables.outcomes.empty or shown.empty or not shown.index.is_unique:
        return []
    since = tables.outcomes["collaboration_id"].map(shown)
    measured = tables.outcomes["measured_at"]
    # A day alone is its first moment, which may come before the hour of the showing.
    odd = (measured + pd.Timedelta(days=1) <= since).to_numpy(dtype=bool)
    at: list[int] = np.flatnonzero(odd).tolist()
    return [
        Fault(
            "outcomes",
            "",
            int(row) + 2,
            "measured_at",
            str(measured.iat[row]),
            f"a time not before {since.iat[row]}, when its collaboration was shown; mend one of "
            "the two",
        )
        for row in at
    ]


def _to_itself(tables: Tables) -> list[Fault]:
    """Return exchange rates of a currency with itself other than 1."""
    rates = tables.exchange_rates
    odd = (rates["currency"] == rates["to_currency"]) & (rates["rate"] != 1)
    expected = "two different currencies, or a rate of 1; mend to_currency"
    return [
        Fault("exchange_rates", "", int(row) + 2, "rate", f"{rates['rate'].iat[row]:g}", expected)
        for row in np.flatnonzero(odd.to_numpy(dtype=bool)).tolist()
    ]


def _contacts(spec: TableSpec, sheet: Sheet, entries: Sequence[Entry]) -> Iterator[Fault]:
    """Yield a fault for each column of contact details, which are not kept."""
    spoken = {header for entry in entries for header in entry.headers}
    for header, cells in sheet.cells.items():
        name = str(header)
        # What a header means to a table stands before what it might mean elsewhere.
        kind = None if understand([name], spec) else contact_of(name)
        kind = kind or (None if name in spoken else contacts_in(cells))
        if kind is not None and cells.notna().any():
            expected = (
                "no contact details, which kolmatch neither needs nor keeps: delete this column "
                "from the file"
            )
            yield Fault(spec.name, sheet.label, 1, name, kind, expected)


def _mask(part: Part) -> None:
    """Mask contact details in free text, and say so."""
    for name in FREE_TEXT.get(part.spec.name, ()):
        texts, rows, kinds = mask_column(part.frame[name])
        if rows:
            part.frame[name] = texts
            told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
            part.notes.append(
                f"{part.sheet.label}: contact details in {part.header(name)} were masked, as "
                f"kolmatch keeps none: {told} (rows: {rows})"
            )


def _tables_of(sheet: Sheet, alone: bool) -> tuple[str, ...]:
    """Return the tables that the name of a sheet, or that of its file, could mean."""
    stem = sheet.file.rpartition(".")[0]
    named = tables_named(sheet.sheet) if sheet.sheet else ()
    # Beside other worksheets one without a telling name is as likely a page of remarks.
    return named or (tables_named(stem) if alone or _is_default(sheet.sheet) else ())


def _is_default(title: str) -> bool:
    return title.rstrip("0123456789 ").lower() in ("sheet", "工作表", "表")


def _find(header: str, sheet: Sheet) -> str | None:
    """Return the header of a sheet that a mapping means: the same, blanks around it aside."""
    return next((h for h in sheet.cells.columns if h == header.strip()), None)


def _in_place(
    parts: Sequence[Part], faults: Sequence[Fault], frame: pd.DataFrame
) -> Iterator[Fault]:
    """Yield faults found in a whole table where the user finds them, save what is known already."""
    starts = np.cumsum([0, *(len(part.frame) for part in parts)])
    for fault in faults:
        if not fault.row:
            yield fault
            continue
        at = int(np.searchsorted(starts, fault.row - 2, side="right")) - 1
        part, position = parts[at], fault.row - 2 - int(starts[at])
        columns = fault.column.split(" + ")
        if any(part.explains(column, position) for column in columns):
            continue
        if _for_want_of_currency(part, columns[0], position):
            continue
        value = fault.value
        if len(columns) == 1 and " > " not in value:
            value = part.text(columns[0], position) or value
        header = " + ".join(part.header(column) for column in columns)
        yield part.fault(position, header, value, fault.expected)


def _for_want_of_currency(part: Part, column: str, position: int) -> bool:
    """Tell whether an amount is only wrong for a currency whose absence is reported already."""
    if "currency" not in part.spec.names or part.spec[column].kind != "money":
        return False
    amount: Any = part.frame[column].iat[position]
    return part.explains("currency", position) and 0 <= amount < np.inf


def _reading_order(fault: Fault) -> tuple[str, int, str, str, str]:
    return (fault.file, fault.row, fault.column, fault.value, fault.expected)
