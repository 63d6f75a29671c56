"""What a user says about their own files in a mapping TOML.

::

    timezone = "Asia/Shanghai"          # of times without an offset; UTC if not said

    [[table]]
    name = "kols"                       # table of the contract
    file = "creators*.csv"              # one or many files
    sheet = "达人"                      # of a workbook; every sheet if not said
    skip_if_null = ["followers"]        # rows without these are no rows of this table
    normalise = ["audience_age"]        # mixes up to 10% above 1 are scaled to 1

    [table.columns]
    kol_id = "creator_id"               # a header
    bio = ["title", "desc"]             # headers, joined as lines
    platform = { value = "xiaohongshu" }
    observed_at = { column = "time_ms", unit = "ms" }
    audience_age.18-24 = { column = "粉丝年龄18-24", unit = "percent" }

Columns that the mapping does not speak of are still found by their headers.
"""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from features.cells import Style, half_width, vocabulary
from features.columns import TableSpec
from features.contract import SPECS
from features.errors import Fault, TableError
from features.headers import Entry, part_entry


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("a time zone such as Asia/Shanghai") from error
    return name


def _currency(code: str) -> str:
    if code not in vocabulary().iso_4217:
        raise ValueError("an ISO 4217 code such as CNY")
    return code


Zone = Annotated[str, AfterValidator(_zone)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Strict):
    """Where one column comes from, and how its cells are to be taken."""

    column: str | list[str] | None = None
    value: str | bool | int | float | datetime | date | None = None
    unit: str = ""
    decimal: Literal["", ".", ","] = ""
    separator: str = ""
    timezone: Zone | None = None
    currency: Annotated[str, AfterValidator(_currency)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Origin:
        if (self.column is None) == (self.value is None):
            raise ValueError("either column or value")
        return self


class TableMap(_Strict):
    """How one kind of file feeds one table."""

    name: Literal[tuple(SPECS)]  # type: ignore[valid-type]
    file: str
    sheet: str | None = None
    timezone: Zone | None = None
    skip_if_null: list[str] = Field(default_factory=list)
    normalise: list[str] = Field(default_factory=list)
    columns: dict[str, Origin] = Field(default_factory=dict)

    @field_validator("columns", mode="before")
    @classmethod
    def _spell_out(cls, columns: Any) -> Any:
        return dict(_flat(columns)) if isinstance(columns, dict) else columns

    @property
    def spec(self) -> TableSpec:
        """The table that is fed."""
        return SPECS[str(self.name)]

    def matches(self, file: str, sheet: str) -> bool:
        """Tell whether a file, or a worksheet in it, is meant."""
        return fnmatchcase(file, self.file) and (self.sheet is None or self.sheet == sheet)

    def entries(self, style: Style) -> list[Entry]:
        """Return what feeds each column; `style` is that of cells of which nothing is said."""
        return [_entry(name, origin, self.spec, style) for name, origin in self.columns.items()]


class Mapping(_Strict):
    """A whole mapping file."""

    timezone: Zone = "UTC"
    table: list[TableMap] = Field(default_factory=list)


def load_mapping(path: Path) -> Mapping:
    """Read a mapping.

    Raises
    ------
    TableError
        Listing what in the file is not TOML, or names tables, columns, keys, units or zones that
        do not exist.
    FileNotFoundError
        If there is no such file.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # of which bad TOML and bad UTF-8 are kinds
        raise TableError([Fault("", path.name, 0, "", str(error), "TOML in UTF-8")]) from error
    try:
        mapping = Mapping.model_validate(data)
    except ValidationError as error:
        raise TableError(_faults(error, path.name)) from error
    faults = [
        Fault(str(table.name), path.name, 0, where, value, expected)
        for table in mapping.table
        for where, value, expected in _unfit(table)
    ]
    if faults:
        raise TableError(faults)
    return mapping


def _flat(columns: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Spell out the short ways of writing an `Origin`.

    TOML makes a table of ``audience_age.18-24``; its entries are named with their column.
    """
    for name, told in columns.items():
        if isinstance(told, (str, list)):
            yield name, {"column": told}
        elif isinstance(told, dict) and _has_parts(name) and not set(told) & {"column", "value"}:
            yield from ((f"{name}.{part}", told) for part, told in _flat(told))
        else:
            yield name, told


def _has_parts(name: str) -> bool:
    return name == "vector" or name.startswith("audience_")


def _entry(name: str, origin: Origin, spec: TableSpec, style: Style) -> Entry:
    column, _, part = name.partition(".")
    entry = (part_entry(column, part, spec) if part else None) or Entry(column)
    headers = [origin.column] if isinstance(origin.column, str) else origin.column or []
    own = Style(
        unit=origin.unit,
        decimal=origin.decimal,
        separator=origin.separator,
        timezone=origin.timezone or style.timezone,
        currency=origin.currency or "",
    )
    return Entry(column, entry.part, tuple(headers), _text(origin.value), own)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, (datetime, date)) else str(value)


def _faults(error: ValidationError, file: str) -> Iterator[Fault]:
    for problem in error.errors():
        place = ".".join(
            str(step + 1 if isinstance(step, int) else step) for step in problem["loc"]
        )
        expected = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            expected = f"a key that exists here: {', '.join(_keys(problem['loc']))}"
        elif problem["type"] == "missing":
            expected = "this key, which must be there"
        elif problem["type"] == "literal_error":
            expected = problem["ctx"]["expected"]
        value = "" if problem["type"] == "missing" else _shown(problem["input"])
        yield Fault("", file, 0, place, value, expected)


def _shown(told: object) -> str:
    # What is nested deeper than Python's stack has no repr.
    return reprlib.repr(told) if isinstance(told, (dict, list)) else str(told)


def _keys(place: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Mapping
    if place[0] == "table" and len(place) > 1:
        model = Origin if "columns" in place else TableMap
    return list(model.model_fields)


def _unfit(table: TableMap) -> Iterator[tuple[str, str, str]]:
    """Yield where, what and what else for names and units that do not fit the contract."""
    spec = table.spec
    names = f"a column of {spec.name}: {', '.join(spec.names)}"
    for key in ("skip_if_null", "normalise"):
        for name in getattr(table, key):
            if name not in spec.names:
                yield key, name, names
            elif key == "normalise" and spec[name].kind != "mix":
                yield key, name, "a column of shares by name, such as audience_age"
    for name, origin in table.columns.items():
        column, dot, part = name.partition(".")
        if column not in spec.names:
            yield f"columns.{name}", name, names
        elif dot and part_entry(column, half_width(part), spec) is None:
            yield f"columns.{name}", part, f"a part that {column} can have"
        else:
            kind = "share" if dot and spec[column].kind == "mix" else spec[column].kind
            if origin.unit and origin.unit not in _units(kind):
                expected = f"one of {', '.join(_units(kind))}" if _units(kind) else "no unit here"
                yield f"columns.{name}.unit", origin.unit, expected
            if isinstance(origin.column, list) and (dot or kind not in ("text", "labels")):
                yield f"columns.{name}", str(origin.column), "one header; only text can be joined"


def _units(kind: str) -> tuple[str, ...]:
    if kind in ("share", "mix"):
        return ("percent",)
    if kind == "time":
        return ("s", "ms")
    return tuple(vocabulary().scales) if kind in ("number", "count", "money") else ()
