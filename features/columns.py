"""What a table of the contract is made of: columns of a kind, a key, and the checks they imply.

In memory a table is a pandas frame whose dtypes depend on the column's kind alone:

============  ==========================  ==================================================
kind          dtype                       meaning
============  ==========================  ==================================================
id, text,     ``str``                     null is NaN
choice
number,       ``float64``                 null is NaN; money has its currency in ``currency``
count, money
share         ``float64``                 0-1
flag          ``boolean``                 null is NA
time          ``datetime64[us, UTC]``     null is NaT
labels        ``object`` of tuple[str]    null is the empty tuple
mix           ``object`` of dict          shares by name, each 0-1; null is the empty dict
vector        ``object`` of ndarray       one float32 vector
============  ==========================  ==================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from features.errors import Fault

if TYPE_CHECKING:
    import pandera.pandas as pa

Kind = Literal[
    "id",
    "text",
    "choice",
    "number",
    "count",
    "money",
    "share",
    "flag",
    "time",
    "labels",
    "mix",
    "vector",
]

TIME = pd.DatetimeTZDtype(unit="us", tz="UTC")
EPOCH = pd.Timestamp(0, tz="UTC")
MIX_SLACK = 0.02
"""How far the shares of one mix may sum past 1 before they contradict each other (rounding)."""

_DTYPES: dict[Kind, Any] = {
    "id": "str",
    "text": "str",
    "choice": "str",
    "number": "float64",
    "count": "float64",
    "money": "float64",
    "share": "float64",
    "flag": "boolean",
    "time": TIME,
    "labels": object,
    "mix": object,
    "vector": object,
}


@dataclass(frozen=True)
class StandIn:
    """What every row holds where a table comes without a column that it needs.

    Attributes
    ----------
    value : object
        The value of every row; not read where `columns` are given.
    columns : tuple of str
        Other columns of the row: the value of the first that has one is taken.
    doc : str
        What follows from it, in words.
    timeless : bool
        Whether it leaves open when something became known. Past collaborations must not be told
        what came after them: where there are any the column is needed.
    """

    value: Any = None
    columns: tuple[str, ...] = ()
    doc: str = ""
    timeless: bool = False


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes
    ----------
    name : str
        Canonical name.
    kind : Kind
        What the values are; decides dtype and reading.
    required : bool
        Whether the column must be there with a value in every row.
    low, high : float or None
        Inclusive bounds of a number.
    above : float or None
        What a number must be more than.
    choices : tuple of str
        Allowed values of a ``choice``, or of each label in ``labels``; empty allows any.
    reserved : tuple of str
        Ids that nothing of the user's may bear, since kolmatch means something else by them.
    doc : str
        What it means, in one line.
    closes : bool
        Whether a day without a time means its last moment, as in "valid until 12 April".
    stand_in : StandIn or None
        What stands in where the whole column is left out.
    """

    name: str
    kind: Kind
    required: bool = False
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    doc: str = ""
    closes: bool = False
    stand_in: StandIn | None = None

    @property
    def dtype(self) -> Any:
        """The pandas dtype of this column in memory."""
        return _DTYPES[self.kind]

    @property
    def expected(self) -> str:
        """What a value must be, in words for an error message."""
        words = {
            "id": "an id of at least one character",
            "text": "text",
            "choice": f"one of {', '.join(self.choices)}",
            "number": "a number",
            "count": "a count, 0 or more",
            "money": "an amount of money, 0 or more",
            "share": "a share between 0 and 1 (or a percentage with its % sign)",
            "flag": "yes or no",
            "time": "a date or time such as 2025-04-12 or 2025-04-12 18:30",
            "labels": "a list such as a;b;c",
            "mix": "shares by name that sum to at most 1, such as female:65%;male:35%",
            "vector": "a list of finite numbers",
        }[self.kind]
        if self.kind == "labels" and self.choices:
            words = f"a list, each one of {', '.join(self.choices)}"
        if self.kind == "number" and (self.low is not None or self.high is not None):
            words = f"a number from {self.low:g} to {self.high:g}" if self.high else "a number"
        if self.above is not None:
            words = f"a number above {self.above:g}"
        if self.kind in ("count", "money") and self.low and self.low > 0:
            words = words.replace("0 or more", "more than 0")
        if self.reserved:
            *some, last = self.reserved
            words += (
                f" other than {', '.join(some)} and {last}, which name kolmatch's own signals: "
                "give it another name"
            )
        return words + (", not empty" if self.required else "")


@dataclass(frozen=True)
class TableSpec:
    """One table of the contract.

    Attributes
    ----------
    name : str
        Table name.
    key : tuple of str
        Columns that together name one row.
    known_at : str or None
        Column that says when the row became known; ``None`` where a row asks rather than tells.
    columns : tuple of Column
        All columns, in order.
    order : tuple of (str, str)
        Pairs of time columns of which the first may not be after the second.
    required : bool
        Whether the table must be there at all.
    """

    name: str
    key: tuple[str, ...]
    known_at: str | None
    columns: tuple[Column, ...]
    order: tuple[tuple[str, str], ...] = ()
    required: bool = False

    def __getitem__(self, column: str) -> Column:
        return next(c for c in self.columns if c.name == column)

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return [column.name for column in self.columns]

    def empty(self) -> pd.DataFrame:
        """Return the table without rows."""
        return pd.DataFrame({c.name: pd.Series([], dtype=c.dtype) for c in self.columns})

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a copy with every column of the table, in order and in its dtype.

        Missing columns are added as null, or with what stands in for them. Values are coerced to
        the dtype, not interpreted: reading what people write is `features.ingest`'s work. Columns
        outside the table are dropped.
        """
        columns: dict[str, pd.Series[Any]] = {}
        for column in self.columns:
            if column.name in frame:
                values = frame[column.name]
            else:
                value = column.stand_in.value if column.stand_in else None
                values = pd.Series([value] * len(frame), index=frame.index, dtype=object)
            columns[column.name] = _coerce(values, column.kind).reset_index(drop=True)
        for column in self.columns:
            if column.name not in frame and column.stand_in:
                for other in column.stand_in.columns:
                    columns[column.name] = columns[column.name].fillna(columns[other])
        return pd.DataFrame(columns)

    def schema(self) -> pa.DataFrameSchema:
        """Return the pandera schema that checks a conformed frame."""
        return _schema(self)

    def faults(self, frame: pd.DataFrame) -> list[Fault]:
        """List everything wrong with a conformed frame.

        Rows are given as positions: row 2 is the first, as in a sheet with one header.
        `features.ingest` replaces them by the rows and files the values came from.
        """
        import pandera.pandas as pa

        try:
            self.schema().validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            return sorted(set(_reword(self, frame, error.failure_cases)))
        return []


def _coerce(values: pd.Series[Any], kind: Kind) -> pd.Series[Any]:
    if kind == "labels":
        return values.map(lambda v: () if _is_null(v) else tuple(v)).astype(object)
    if kind == "mix":
        return values.map(lambda v: {} if _is_null(v) else dict(v)).astype(object)
    if kind == "vector":
        return values.map(
            lambda v: None if _is_null(v) else np.asarray(v, dtype=np.float32)
        ).astype(object)
    if kind == "time":
        return pd.to_datetime(values, utc=True).astype(TIME)
    if kind in ("id", "text", "choice"):
        return values.where(values.notna(), None).astype("str")
    return values.astype(_DTYPES[kind])


def _is_null(value: object) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or value is pd.NA or value is pd.NaT


@cache
def _schema(spec: TableSpec) -> pa.DataFrameSchema:
    import pandera.pandas as pa

    checks = [
        pa.Check(
            lambda frame, a=first, b=second: ~(frame[a] > frame[b]),
            name=f"{first}<={second}",
            ignore_na=False,
        )
        for first, second in spec.order
    ]
    has_currency = "currency" in spec.names
    checks += [
        pa.Check(
            lambda frame, m=column.name: frame[m].isna() | frame["currency"].notna(),
            name=f"currency of {column.name}",
            ignore_na=False,
        )
        for column in spec.columns
        if column.kind == "money" and has_currency
    ]
    return pa.DataFrameSchema(
        {c.name: _pandera_column(c) for c in spec.columns},
        checks=checks,
        unique=list(spec.key),
        report_duplicates="exclude_first",
        strict=True,
        name=spec.name,
    )


def _pandera_column(column: Column) -> pa.Column:
    import pandera.pandas as pa

    checks: list[pa.Check] = []
    if column.kind in ("number", "count", "money", "share"):
        low = 0.0 if column.low is None and column.kind != "number" else column.low
        high = 1.0 if column.kind == "share" else column.high
        checks.append(pa.Check(np.isfinite, name="finite"))
        if low is not None:
            checks.append(pa.Check.ge(low))
        if high is not None:
            checks.append(pa.Check.le(high))
        if column.above is not None:
            checks.append(pa.Check.gt(column.above))
    if column.kind == "choice":
        checks.append(pa.Check.isin(column.choices))
    if column.kind in ("id", "choice") and column.required:
        checks.append(pa.Check(lambda s: s.str.len() > 0, name="not empty"))
    if column.reserved:
        checks.append(pa.Check.notin(column.reserved))
    if column.kind == "labels" and column.choices:
        allowed = set(column.choices)
        checks.append(pa.Check(allowed.issuperset, element_wise=True, name="labels"))
    if column.kind == "mix":
        checks.append(pa.Check(_is_mix, element_wise=True, name="mix"))
    if column.kind == "vector":
        checks.append(
            pa.Check(
                lambda v: v.ndim == 1 and v.size > 0 and bool(np.isfinite(v).all()),
                element_wise=True,
                name="vector",
            )
        )
    return pa.Column(column.dtype, checks, nullable=not column.required)


def _is_mix(value: Mapping[str, float]) -> bool:
    shares = list(value.values())
    return all(0 <= s <= 1 for s in shares) and sum(shares) <= 1 + MIX_SLACK


def _reword(spec: TableSpec, frame: pd.DataFrame, cases: pd.DataFrame) -> Iterator[Fault]:
    """Turn pandera's failure cases into faults in the user's words."""
    for case in cases.to_dict("records"):
        check, position = str(case["check"]), case["index"]
        row = 0 if pd.isna(position) else int(position) + 2
        if "<=" in check and case["schema_context"] == "DataFrameSchema":
            first, second = check.split("<=")
            value = " > ".join(str(frame.at[row - 2, name]) for name in (first, second))
            yield Fault(spec.name, "", row, first, value, f"a time not after {second}")
        elif check.startswith("currency of "):
            money = check.removeprefix("currency of ")
            value = str(frame.at[row - 2, money]).removesuffix(".0")
            yield Fault(
                spec.name, "", row, money, value, "a currency beside it, such as CNY, in currency"
            )
        elif check == "multiple_fields_uniqueness" or "unique" in check:
            value = ", ".join(str(frame.at[row - 2, column]) for column in spec.key)
            yield Fault(
                spec.name, "", row, " + ".join(spec.key), value, "one row for each key, found twice"
            )
        else:
            name = str(case["column"])
            value = "" if row == 0 else str(frame.at[row - 2, name])
            if check == "not_nullable" or value == "nan":
                value = ""
            yield Fault(spec.name, "", row, name, value, spec[name].expected)
