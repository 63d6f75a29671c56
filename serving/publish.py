"""Published runs: whole, or not there.

Delta tables under ``home/results``: ``matches``, ``exclusions`` and those of
`serving.results.DETAILS`, partitioned by run, and ``runs``. The row in ``runs`` is written last,
and readers see only runs that have one. What a killed job left is overwritten when its run is
published again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.arrow import (
    arrow_schema,
    content_hash,
    to_arrow,
    to_frame,
)
from features.columns import EPOCH, TableSpec
from features.errors import UserError
from features.publishing import publishing
from serving.results import BASES, DETAILS, EXCLUSIONS, MATCHES, RUNS
from serving.spool import SPECS, Spool, with_objects

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_RUN, _ROW = "run_id", "_row"
"""Columns beside those of the table: the run, and the place of the row in it."""
_RENAMED = {"matches": {"forecast_views": "views_p50", "propensity": "list_chance"}}
"""Columns of earlier runs, and what they are called by now."""
_RUN_ID = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,80}")


@dataclass(frozen=True)
class Run:
    """How a run was made.

    Attributes
    ----------
    run_id : str
        Its name, also that of its folder of files: 1 to 80 of ``A-Z a-z 0-9 . _ -``, the first
        not a dot.
    as_of : Timestamp
        Moment of the decision, with a time zone; kept in UTC to the microsecond.
    model_version : str or None
        Version in the registry; ``None`` without a model.
    model_hash : str or None
        Digest of everything that decides a score.
    encoder_id : str
        Text encoder.
    data_versions : mapping of str to str
        Version of each table it read.
    config_hash : str
        Digest of the settings.
    seed : int
        Seed of everything random.
    top : int
        Matches kept per brief.
    created_at : Timestamp
        When it was made, with a time zone; for the record alone.
    basis : str
        One of `serving.results.BASES`.
    trained_at : Timestamp or None
        When the model was registered, with a time zone; for the record alone.
    stale : str
        Why an older copy of the model served; empty where none did. For the record alone: the
        lists are those of `model_version` either way.
    briefs : tuple of str
        Briefs that were asked for; empty for runs of earlier kolmatch.
    explore_share : float or None
        Share of places drawn by chance, as asked; ``None`` takes the settings'.
    plan : bool or None
        Whether budgets were planned, as asked; ``None`` takes the settings'.
    settings : str or None
        The settings as JSON, where no model brought them.
    software : str or None
        kolmatch and its code that made the lists; for the record alone.
    redacted_at : Timestamp or None
        When a KOL was erased from the run last: since then its lists are not whole.

    Raises
    ------
    UserError
        If `run_id` is not such a name.
    ValueError
        If a time has no zone, or `basis` is none of those.
    """

    run_id: str
    as_of: pd.Timestamp
    model_version: str | None
    model_hash: str | None
    encoder_id: str
    data_versions: Mapping[str, str]
    config_hash: str
    seed: int
    top: int
    created_at: pd.Timestamp
    basis: str
    trained_at: pd.Timestamp | None = None
    stale: str = ""
    briefs: tuple[str, ...] = ()
    explore_share: float | None = None
    plan: bool | None = None
    settings: str | None = None
    software: str | None = None
    redacted_at: pd.Timestamp | None = None

    def __post_init__(self) -> None:
        check_run_id(self.run_id)
        if self.basis not in BASES:
            raise ValueError(f"Got basis={self.basis!r} but expected one of {', '.join(BASES)}")
        for name in ("as_of", "created_at", "trained_at"):
            time: pd.Timestamp | None = getattr(self, name)
            if time is None:
                continue
            if time.tzinfo is None:
                raise ValueError(f"Got {name}={time} but expected a time with its zone")
            object.__setattr__(self, name, time.tz_convert("UTC").as_unit("us"))

    @property
    def model_days(self) -> int | None:
        """Whole days from the model's registration to the run; ``None`` where that is unknown."""
        return None if self.trained_at is None else max((self.created_at - self.trained_at).days, 0)


@dataclass(frozen=True)
class Published:
    """A run and its lists.

    Attributes
    ----------
    run : Run
        How it was made.
    matches : DataFrame
        `MATCHES` by brief and rank: rank is int64, reasons are tuples, evidence,
        contributions and figures are dicts.
    exclusions : DataFrame
        `EXCLUSIONS` by brief, in the order of the funnel; kols is int64.
    details : mapping of str to DataFrame
        Every table of `serving.results.DETAILS`, by name; empty where the run has none.
    """

    run: Run
    matches: pd.DataFrame
    exclusions: pd.DataFrame
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def check_run_id(run_id: str) -> None:
    """Refuse a run id that could not name a folder everywhere.

    Raises
    ------
    UserError
        Saying what is allowed.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UserError(
            f"Got run id {run_id!r} but expected 1 to 80 letters A-Z, digits, dots, dashes or "
            "underscores, the first not a dot"
        )


def publish(
    home: Path,
    run: Run,
    matches: pd.DataFrame,
    exclusions: pd.DataFrame,
    details: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> None:
    """Publish a run: afterwards all of it can be read; if this is cut off, nothing.

    Parameters
    ----------
    home : Path
        Folder for what is made from the data.
    run : Run
        How the run was made. Publishing the same run again, whenever it was made, does nothing.
    matches : DataFrame
        `MATCHES`, with evidence, contributions and figures as dicts. Columns not given are null.
    exclusions : DataFrame
        `EXCLUSIONS`.
    details : mapping of str to DataFrame
        Tables of `serving.results.DETAILS`, by name.

    Raises
    ------
    UserError
        If a run of that id with other content is published already.
    TableError
        If rows break the table they are for.
    ValueError
        If there are columns, or tables, of other names.
    """
    with Spool(home) as spool:
        spool.add(matches, exclusions, details)
        publish_spooled(home, run, spool)


def publish_spooled(home: Path, run: Run, spool: Spool) -> None:
    """Publish a run whose lists were spooled; errors are those of `publish`."""
    content = _content(run, [spool.content(name) for name in spool.tables])
    with publishing(home, run.data_versions):
        spool.check()
        published = _runs_frame(home).set_index("run_id")["content"].get(run.run_id)
        if published == content:
            return
        if published is not None:
            raise UserError(
                f"Got run id {run.run_id}, which is published already with other content (from "
                "other data, settings or model); give this run an id of its own"
            )
        for name in spool.tables:
            _write_rows(home, SPECS[name], run.run_id, spool)
        _write_run(home, run, content)


def stored(home: Path, run_id: str) -> tuple[str, dict[str, pd.DataFrame]]:
    """Return the hash of what a run was published as, and its tables as they are stored now."""
    hashes = _runs_frame(home).set_index("run_id")["content"]
    frames = {name: _read_rows(home, spec, run_id) for name, spec in SPECS.items()}
    return str(hashes[run_id]), frames


def runs(home: Path) -> list[Run]:
    """Return the published runs, by when they were made and then by id."""
    frame = _runs_frame(home).sort_values(["created_at", "run_id"])
    return [_to_run(row) for row in frame.to_dict("records")]


def latest_run(home: Path) -> Run | None:
    """Return the run that was made last, or None if none is published."""
    return next(reversed(runs(home)), None)


def read_run(home: Path, run_id: str) -> Published:
    """Return a published run.

    Raises
    ------
    UserError
        If no run of that id is published.
    """
    known = {run.run_id: run for run in runs(home)}
    if run_id not in known:
        names = ", ".join([*known][-5:]) or "none"
        raise UserError(f"Got no published run {run_id!r}; the latest are: {names}")
    matches = with_objects(_read_rows(home, MATCHES, run_id), json.loads)
    exclusions = _read_rows(home, EXCLUSIONS, run_id)
    return Published(
        known[run_id],
        matches.assign(rank=matches["rank"].astype(np.int64)),
        exclusions.assign(kols=exclusions["kols"].astype(np.int64)),
        {name: _read_rows(home, spec, run_id) for name, spec in DETAILS.items()},
    )


def count_matches(home: Path, run_id: str) -> int:
    """Return how many matches a published run has, over all briefs."""
    table = open_table(home / "results" / MATCHES.name)
    filters = [(_RUN, "=", run_id)]
    return int(table.to_pyarrow_table(columns=[_ROW], filters=filters).num_rows)


def columns_of_all(home: Path, table: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return columns of a table over all published runs.

    Parameters
    ----------
    home : Path
        Folder for what is made from the data.
    table : str
        ``"matches"`` or ``"exclusions"``.
    columns : sequence of str
        Those wanted, by the names they have now, ``run_id`` among them. What the table never had
        is left out.
    """
    from deltalake import DeltaTable

    published = [run.run_id for run in runs(home)]  # first: what is added meanwhile stays out
    folder = home / "results" / table
    if not published or not DeltaTable.is_deltatable(str(folder)):
        return pd.DataFrame({name: pd.Series([], dtype="str") for name in columns})
    stored = open_table(folder)
    known = {field.name for field in stored.schema().fields}
    before = {new: old for old, new in _RENAMED.get(table, {}).items() if old in known}
    wanted = [name for name in columns if name in known]
    wanted += [before[name] for name in columns if name in before]
    frame: pd.DataFrame = stored.to_pyarrow_table(columns=wanted).to_pandas()
    frame = frame[frame["run_id"].isin(published)].reset_index(drop=True)
    for new, old in before.items():
        if old in frame:
            earlier = frame.pop(old)
            frame[new] = frame[new].fillna(earlier) if new in frame else earlier
    return frame


def content_of(run: Run, frames: Mapping[str, pd.DataFrame]) -> str:
    """Return a hash of all that makes a run what it is.

    Not when it was made, on how bad a night, or by which code.
    """
    return _content(run, [content_hash(SPECS[name], frame) for name, frame in frames.items()])


def _content(run: Run, hashes: Sequence[str]) -> str:
    plain = replace(
        run, created_at=EPOCH, trained_at=None, stale="", software=None, redacted_at=None
    )
    parts = [content_hash(RUNS, _run_row(plain, content="")), *hashes]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _run_row(run: Run, content: str) -> pd.DataFrame:
    row = {field.name: getattr(run, field.name) for field in fields(run)}
    row["data_versions"] = json.dumps(dict(run.data_versions), sort_keys=True, ensure_ascii=False)
    row["seed"] = str(run.seed)  # text, since a large one would be rounded as a float
    row["stale"] = run.stale or None
    return RUNS.conform(pd.DataFrame([row | {"content": content}]))


def _to_run(row: Mapping[Any, Any]) -> Run:
    briefs = tuple(row["briefs"])
    values = {name: None if pd.isna(row[name]) else row[name] for name in row if name != "briefs"}
    versions = json.loads(row["data_versions"])
    del values["content"]
    exact = {"data_versions": versions, "seed": int(row["seed"]), "top": int(row["top"])}
    return Run(**values | exact | {"briefs": briefs, "stale": values["stale"] or ""})


def _write_rows(home: Path, spec: TableSpec, run_id: str, spool: Spool) -> None:
    """Make what was spooled all that the table holds of a run."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    marks = [pa.field(_RUN, pa.string()), pa.field(_ROW, pa.int64())]
    schema = pa.schema([*marks, *arrow_schema(spec)])

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        for part in spool.parts(spec.name):
            size = part.num_rows
            marked = [pa.repeat(run_id, size), pa.array(range(done, done + size), pa.int64())]
            rows = pa.Table.from_arrays([*marked, *part.columns], schema=schema)
            yield from rows.to_batches()
            done += size

    folder = home / "results" / spec.name
    table = DeltaTable.create(folder, schema, mode="ignore", partition_by=[_RUN])
    table.delete(f"{_RUN} = '{run_id}'")  # what a killed job left
    if spool.rows(spec.name):
        rows = pa.RecordBatchReader.from_batches(schema, batches())
        write_deltalake(table, rows, mode="append", schema_mode="merge")


def _write_run(home: Path, run: Run, content: str) -> None:
    from deltalake import write_deltalake

    rows = to_arrow(RUNS, _run_row(run, content))
    write_deltalake(home / "results" / RUNS.name, rows, mode="append", schema_mode="merge")


def _read_rows(home: Path, spec: TableSpec, run_id: str) -> pd.DataFrame:
    """Return a run's rows as they were given; none of a table that no run had so far."""
    folder = home / "results" / spec.name
    if spec.name in DETAILS and not folder.exists():
        return spec.empty()
    table = open_table(folder)
    rows = table.to_pyarrow_table(filters=[(_RUN, "=", run_id)]).sort_by(_ROW)
    frame = to_frame(spec, rows)
    for old, new in _RENAMED.get(spec.name, {}).items():
        if old in rows.column_names:
            frame[new] = frame[new].fillna(rows[old].to_pandas().astype(frame[new].dtype))
    return frame


def _runs_frame(home: Path) -> pd.DataFrame:
    from deltalake import DeltaTable

    folder = home / "results" / RUNS.name
    if not DeltaTable.is_deltatable(str(folder)):
        return RUNS.empty()
    return to_frame(RUNS, open_table(folder).to_pyarrow_table())


def open_table(folder: Path, version: int | None = None) -> DeltaTable:
    """Return a table of results, of one version or the latest.

    Raises
    ------
    UserError
        If it is damaged, or there is no such version.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(folder, version=version)
    except DeltaError as error:
        raise UserError(
            f"Got a damaged table of results at {folder} ({error}); restore it from a copy, or "
            f"move {folder.parent} away to start afresh"
        ) from error
