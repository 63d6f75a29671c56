"""The data contract: nine tables, their columns, and what makes a row right.

Every fact about a column (its name, kind, range, whether it must be there) has its one home here.
Files are read (`features.ingest`), checked (`TableSpec.schema`), stored (`features.lake`) and
simulated (`features.simulate`) from these declarations.

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
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from features.errors import Fault, TableError

if TYPE_CHECKING:
    import pandera.pandas as pa

PLATFORMS = (
    "douyin",
    "kuaishou",
    "xiaohongshu",
    "bilibili",
    "weibo",
    "wechat_channels",
    "wechat_mp",
    "tiktok",
    "instagram",
    "youtube",
)
MODES = (
    "ad_placement",
    "sponsorship",
    "co_creation",
    "live_commerce",
    "q_and_a",
    "social_interaction",
    "offline_event",
    "product_co_design",
    "joint_development",
)
GOALS = ("awareness", "seeding", "engagement", "conversion", "co_creation")
STATUSES = ("shown", "contacted", "declined", "signed", "delivered", "cancelled")
AUDIENCE = ("gender", "age", "region", "city_tier", "interest")
"""Dimensions by which an audience is described, each a column ``audience_<dimension>``."""

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
    choices : tuple of str
        Allowed values of a ``choice``, or of each label in ``labels``; empty allows any.
    doc : str
        What it means, in one line.
    """

    name: str
    kind: Kind
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    doc: str = ""

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
        if self.kind in ("count", "money") and self.low and self.low > 0:
            words = words.replace("0 or more", "more than 0")
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

        Missing columns are added as null. Values are coerced to the dtype, not interpreted:
        reading what people write is `features.ingest`'s work. Columns outside the table are
        dropped.
        """
        columns = {}
        for column in self.columns:
            if column.name in frame:
                values = frame[column.name]
            else:
                values = pd.Series([None] * len(frame), index=frame.index, dtype=object)
            columns[column.name] = _coerce(values, column.kind).reset_index(drop=True)
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
    if column.kind == "choice":
        checks.append(pa.Check.isin(column.choices))
    if column.kind in ("id", "choice") and column.required:
        checks.append(pa.Check(lambda s: s.str.len() > 0, name="not empty"))
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


def _audience(of: str) -> tuple[Column, ...]:
    return tuple(
        Column(f"audience_{dimension}", "mix", doc=f"{of} by {dimension.replace('_', ' ')}")
        for dimension in AUDIENCE
    )


_CURRENCY = Column("currency", "text", doc="ISO 4217 code of every amount in the row")

BRIEFS = TableSpec(
    "briefs",
    key=("brief_id",),
    known_at=None,
    required=True,
    order=(("starts_at", "ends_at"),),
    columns=(
        Column("brief_id", "id", required=True),
        Column("brand_id", "id", required=True),
        Column("brand_name", "text"),
        Column("title", "text"),
        Column("text", "text", required=True, doc="what the brand wants, in its own words"),
        Column("language", "text", doc="language of the text, such as zh or en"),
        Column("goal", "choice", required=True, choices=GOALS),
        Column("vertical", "text", doc="product category, such as beauty"),
        Column("platforms", "labels", choices=PLATFORMS, doc="empty allows any"),
        Column("modes", "labels", choices=MODES, doc="empty allows any"),
        Column("budget", "money"),
        _CURRENCY,
        Column("max_price_per_kol", "money"),
        Column("kols_wanted", "count"),
        *_audience("target audience"),
        Column("min_followers", "count"),
        Column("min_audience_match", "share", doc="least overlap of audience and target"),
        Column("product_price", "money"),
        Column("gross_margin", "share"),
        Column("excluded_kols", "labels"),
        Column("competitor_brands", "labels", doc="brand ids whose partners are refused"),
        Column("blocked_terms", "labels"),
        Column("max_risk", "share"),
        Column("starts_at", "time"),
        Column("ends_at", "time"),
        Column("decided_at", "time", doc="when the choice was made; empty while open"),
    ),
)

KOLS = TableSpec(
    "kols",
    key=("kol_id", "observed_at"),
    known_at="observed_at",
    required=True,
    columns=(
        Column("kol_id", "id", required=True),
        Column("observed_at", "time", required=True),
        Column("person_id", "id", doc="one human over several accounts"),
        Column("platform", "choice", required=True, choices=PLATFORMS),
        Column("display_name", "text"),
        Column("bio", "text"),
        Column("language", "text"),
        Column("region", "text"),
        Column("verticals", "labels"),
        Column("credentials", "labels"),
        Column("followers", "count"),
        Column("active_follower_share", "share"),
        Column("suspicious_follower_share", "share"),
        *_audience("audience"),
        Column("mcn", "text"),
    ),
)

POSTS = TableSpec(
    "posts",
    key=("post_id", "observed_at"),
    known_at="observed_at",
    order=(("published_at", "observed_at"),),
    columns=(
        Column("post_id", "id", required=True),
        Column("observed_at", "time", required=True),
        Column("kol_id", "id", required=True),
        Column("published_at", "time", required=True),
        Column("text", "text"),
        Column("tags", "labels"),
        Column("format", "text"),
        Column("duration_s", "count"),
        Column("views", "count"),
        Column("likes", "count"),
        Column("comments", "count"),
        Column("shares", "count"),
        Column("saves", "count"),
        Column("completion_rate", "share"),
        Column("is_sponsored", "flag"),
        Column("brand_id", "id", doc="brand that paid for a sponsored post"),
    ),
)

RATES = TableSpec(
    "rates",
    key=("kol_id", "mode", "quoted_at"),
    known_at="quoted_at",
    order=(("quoted_at", "valid_until"), ("available_from", "available_to")),
    columns=(
        Column("kol_id", "id", required=True),
        Column("mode", "choice", required=True, choices=MODES),
        Column("quoted_at", "time", required=True),
        Column("price", "money", required=True),
        Column("currency", "text", required=True, doc=_CURRENCY.doc),
        Column("valid_until", "time"),
        Column("available_from", "time"),
        Column("available_to", "time"),
    ),
)

COLLABORATIONS = TableSpec(
    "collaborations",
    key=("collaboration_id",),
    known_at="shown_at",
    order=(("shown_at", "signed_at"), ("signed_at", "published_at"), ("shown_at", "status_at")),
    columns=(
        Column("collaboration_id", "id", required=True),
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("mode", "choice", choices=MODES),
        Column("status", "choice", required=True, choices=STATUSES),
        Column("status_at", "time", doc="when the status became known"),
        Column("shown_at", "time", required=True),
        Column("position", "count", doc="1 is the first in the list that was shown"),
        Column("propensity", "share", doc="chance that the log's policy chose this KOL"),
        Column("signed_at", "time"),
        Column("published_at", "time"),
        Column("cost", "money"),
        _CURRENCY,
    ),
)

OUTCOMES = TableSpec(
    "outcomes",
    key=("collaboration_id", "horizon_days"),
    known_at="measured_at",
    columns=(
        Column("collaboration_id", "id", required=True),
        Column("horizon_days", "count", required=True, low=1),
        Column("measured_at", "time", required=True),
        Column("views", "count"),
        Column("engagements", "count", doc="likes + comments + shares + saves"),
        Column("shares", "count"),
        Column("saves", "count"),
        Column("clicks", "count"),
        Column("orders", "count"),
        Column("gmv", "money"),
        Column("refunded_gmv", "money"),
        _CURRENCY,
    ),
)

JUDGMENTS = TableSpec(
    "judgments",
    key=("brief_id", "kol_id", "judge"),
    known_at="judged_at",
    columns=(
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("judge", "id", required=True),
        Column("grade", "number", required=True, low=0, high=4),
        Column("judged_at", "time", required=True),
    ),
)

INCIDENTS = TableSpec(
    "incidents",
    key=("incident_id",),
    known_at="known_at",
    order=(("occurred_at", "known_at"), ("occurred_at", "resolved_at")),
    columns=(
        Column("incident_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column("occurred_at", "time"),
        Column("known_at", "time", required=True),
        Column("kind", "text", required=True),
        Column("severity", "share", required=True),
        Column("evidence", "text"),
        Column("resolved_at", "time"),
    ),
)

VECTORS = TableSpec(
    "vectors",
    key=("owner", "id", "space", "observed_at"),
    known_at="observed_at",
    columns=(
        Column("owner", "choice", required=True, choices=("brief", "kol")),
        Column("id", "id", required=True),
        Column("space", "id", required=True),
        Column("observed_at", "time", required=True, doc="1970-01-01 when timeless"),
        Column("vector", "vector", required=True),
    ),
)

SPECS: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        BRIEFS,
        KOLS,
        POSTS,
        RATES,
        COLLABORATIONS,
        OUTCOMES,
        JUDGMENTS,
        INCIDENTS,
        VECTORS,
    )
}


@dataclass(frozen=True)
class Tables:
    """The nine tables, checked: what holds one of these can trust it.

    Build it with `Tables.of`, which conforms and checks. Frames are never changed in place.
    """

    briefs: pd.DataFrame
    kols: pd.DataFrame
    posts: pd.DataFrame
    rates: pd.DataFrame
    collaborations: pd.DataFrame
    outcomes: pd.DataFrame
    judgments: pd.DataFrame
    incidents: pd.DataFrame
    vectors: pd.DataFrame

    @classmethod
    def of(cls, **frames: pd.DataFrame) -> Tables:
        """Conform and check frames; tables not given are empty.

        Parameters
        ----------
        **frames : pandas.DataFrame
            Frames by table name, with canonical column names. Columns not given are null.

        Raises
        ------
        TableError
            Listing every fault in every frame.
        TypeError
            If a name is not one of the nine tables.
        """
        unknown = sorted(set(frames) - set(SPECS))
        if unknown:
            raise TypeError(f"Got tables {unknown} but expected names among {list(SPECS)}")
        tables, faults = {}, []
        for name, spec in SPECS.items():
            table = spec.conform(frames[name]) if name in frames else spec.empty()
            faults += spec.faults(table) if name in frames else []
            tables[name] = table
        if faults:
            raise TableError(faults)
        return cls(**tables)

    def __iter__(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield ``(name, frame)`` in contract order."""
        return ((field.name, getattr(self, field.name)) for field in fields(self))

    def replace(self, **frames: pd.DataFrame) -> Tables:
        """Return a copy with some frames exchanged, not checked again."""
        return replace(self, **frames)

    def as_of(self, time: pd.Timestamp) -> Tables:
        """Return what was known strictly before `time`.

        Rows known at `time` or later are dropped, and in the rows that stay, what happened later
        is not told: an incident is not yet resolved, a collaboration not yet signed. Briefs ask
        rather than tell, and stay.
        """
        cut = {
            name: frame[frame[spec.known_at] < time].reset_index(drop=True)
            for (name, frame), spec in zip(self, SPECS.values(), strict=True)
            if spec.known_at is not None
        }
        cut["incidents"] = _hide(cut["incidents"], "resolved_at", time)
        cut["collaborations"] = _collaborations_before(cut["collaborations"], time)
        return self.replace(**cut)


def _hide(frame: pd.DataFrame, column: str, time: pd.Timestamp) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].where(frame[column] < time)})


def status_known_at(collaborations: pd.DataFrame) -> pd.Series[Any]:
    """Return when each collaboration's status became known.

    Where ``status_at`` is null, the latest other time of the row stands in for it.
    """
    others = collaborations[["shown_at", "signed_at", "published_at"]].max(axis=1)
    return collaborations["status_at"].fillna(others)


def _collaborations_before(frame: pd.DataFrame, time: pd.Timestamp) -> pd.DataFrame:
    told = status_known_at(frame) < time
    signed = frame["signed_at"] < time
    status = frame["status"].where(told, np.where(signed, "signed", "shown")).astype("str")
    return frame.assign(
        status=status,
        status_at=frame["status_at"].where(told),
        signed_at=frame["signed_at"].where(signed),
        published_at=frame["published_at"].where(frame["published_at"] < time),
        # A price is agreed on signing; before that the row tells no cost.
        cost=frame["cost"].where(signed),
    )


LINKS = (
    ("collaborations", "brief_id", "briefs", "brief_id"),
    ("collaborations", "kol_id", "kols", "kol_id"),
    ("outcomes", "collaboration_id", "collaborations", "collaboration_id"),
    ("judgments", "brief_id", "briefs", "brief_id"),
    ("judgments", "kol_id", "kols", "kol_id"),
    ("posts", "kol_id", "kols", "kol_id"),
    ("rates", "kol_id", "kols", "kol_id"),
    ("incidents", "kol_id", "kols", "kol_id"),
)
"""References that must lead somewhere: (table, column, table it names, column there)."""


def link_faults(tables: Tables, known: Tables | None = None) -> list[Fault]:
    """List references to rows that exist neither in `tables` nor in `known`.

    Parameters
    ----------
    tables : Tables
        What is being checked.
    known : Tables, optional
        What is already stored, for files that add to it.
    """
    faults = []
    for name, column, target, target_column in LINKS:
        frame = getattr(tables, name)
        ids = set(getattr(tables, target)[target_column])
        if known is not None:
            ids |= set(getattr(known, target)[target_column])
        for position in np.flatnonzero(~frame[column].isin(ids)):
            value = str(frame[column].iloc[position])
            expected = f"a {target_column} that is in {target}"
            faults.append(Fault(name, "", int(position) + 2, column, value, expected))
    return faults
