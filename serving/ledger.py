"""The ledger: what was forecast before a choice, beside what came of it.

One row a collaboration whose KOL stood on a published list of its brief before the choice was
made. The ledger is worked out anew each time from published runs and the tables of today, and
lies as a versioned Delta table ``results/ledger`` beside them: a version is written in one step,
and only where something differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.arrow import content_hash, to_arrow, to_frame
from features.columns import TIME, Column, TableSpec
from features.publishing import publishing
from features.tables import Tables
from matcher.measures import MEASURES, actuals, comparable
from serving.publish import columns_of_all, open_table, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEDGER = TableSpec(
    "ledger",
    key=("collaboration_id",),
    known_at=None,
    columns=(
        Column("collaboration_id", "id", required=True),
        Column("brief_id", "id", required=True),
        Column("kol_id", "id", required=True),
        Column(
            "run_id",
            "id",
            required=True,
            doc="the last run made before the choice, else the last replay",
        ),
        Column("as_of", "time", required=True, doc="what the run knew was known before"),
        Column(
            "chosen_at", "time", required=True, doc="when the brief was decided, or the KOL shown"
        ),
        Column("measured_at", "time", doc="when the outcome was; empty where only the answer came"),
        Column("hindsight", "flag", required=True, doc="was the run made after the choice?"),
        Column("model_version", "text", doc="in its registry; empty without a model"),
        Column("model_hash", "text", doc="of everything that decides a score"),
        Column("basis", "text"),
        Column("rank", "count"),
        Column("platform", "text"),
        Column("vertical", "text"),
        Column("tier", "text"),
        Column("goal", "text"),
        Column("mode", "text", doc="that the forecast is for"),
        Column("currency", "text", doc="of the forecast's amounts"),
        *(Column(name, "number") for measure in MEASURES for name in measure.columns),
    ),
)

REASONS = {
    "no_run": "no list was published for their brief before it was decided",
    "not_listed": "the last list before the decision did not name this KOL",
    "not_forecast": "the list forecast nothing: it rests on likeness or on grades",
    "unanswered": "the KOL was listed, but no answer or result is known yet",
    "unripe": "delivered, but no outcome is old enough yet",
}
"""Why a collaboration is not in the ledger; the first that holds."""
_ABOUT = ["run_id", "brief_id", "kol_id", "rank", "platform", "tier", "mode", "currency", "basis"]


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation found.

    Attributes
    ----------
    ledger : DataFrame
        `LEDGER`, by collaboration_id.
    left_out : dict of str to int
        Collaborations that are not in it, by `REASONS`.
    version : int or None
        Version of the stored table; ``None`` where there is none, since nothing was ever joined.
    horizon_days : int
        Age at which an outcome counted as ripe.
    """

    ledger: pd.DataFrame
    left_out: dict[str, int]
    version: int | None
    horizon_days: int

    @property
    def honest(self) -> pd.DataFrame:
        """Rows of the ledger whose run was made before the choice: what forecasts are judged by."""
        return self.ledger[~self.ledger["hindsight"].astype(bool)]


def reconcile(
    home: Path,
    tables: Tables,
    versions: Mapping[str, str],
    horizon_days: int,
    success: pd.Series[bool] | None = None,
) -> Reconciled:
    """Join published forecasts with what came, and keep that as the ledger.

    Parameters
    ----------
    home : Path
        Where published runs live.
    tables : Tables
        Everything known.
    versions : mapping of str to str
        Version of each table.
    horizon_days, success
        As `matcher.measures.actuals` takes them.

    Raises
    ------
    UserError
        If published results are damaged, or rows were taken out since the tables were read.
    """
    with publishing(home, versions):
        ledger, left_out = join(home, tables, horizon_days, success)
        version = _store(home, ledger)
    return Reconciled(ledger, left_out, version, horizon_days)


def join(
    home: Path, tables: Tables, horizon_days: int, success: pd.Series[bool] | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the ledger, and how many collaborations are left out of it for which reason."""
    chosen = _choices(tables)
    chosen["run_id"] = _last_runs(chosen, _asked(home))
    rows = _with_forecasts(chosen, home)
    came = actuals(tables, horizon_days, success)
    rows = _with_actuals(rows, came, tables)

    told = [rows[f"{measure.name}_forecast"].notna() for measure in MEASURES]
    both = [t & rows[f"{m.name}_actual"].notna() for t, m in zip(told, MEASURES, strict=True)]
    # A price is not a forecast by itself: a list without any says what was asked, no more.
    forecast = _any([t for t, m in zip(told, MEASURES, strict=True) if m.name != "price"])
    reason = np.select(
        [
            rows["run_id"].isna(),
            rows["rank"].isna(),
            ~forecast,
            _any(both),
            rows["status"] == "delivered",
        ],
        ["no_run", "not_listed", "not_forecast", "", "unripe"],
        default="unanswered",
    )
    counts = pd.Series(reason).value_counts()
    left_out = {name: int(counts.get(name, 0)) for name in REASONS}
    ledger = LEDGER.conform(rows[reason == ""].sort_values("collaboration_id"))
    return ledger, left_out


def read_ledger(home: Path, version: int | None = None) -> pd.DataFrame:
    """Return the stored ledger, of one version or the latest; empty where there is none."""
    folder = _folder(home)
    if not _is_table(folder):
        return LEDGER.empty()
    table = open_table(folder, version).to_pyarrow_table()
    return to_frame(LEDGER, table.sort_by("collaboration_id"))


def _choices(tables: Tables) -> pd.DataFrame:
    """Return every collaboration with the moment before which a list could still sway it."""
    rows = tables.collaborations[["collaboration_id", "brief_id", "kol_id", "status", "shown_at"]]
    briefs = tables.briefs.set_index("brief_id")
    decided = rows["brief_id"].map(briefs["decided_at"])
    chosen = pd.concat([decided, rows["shown_at"]], axis=1).min(axis=1).astype(TIME)
    return rows.assign(
        chosen_at=chosen,
        vertical=rows["brief_id"].map(briefs["vertical"]),
        goal=rows["brief_id"].map(briefs["goal"]),
    ).drop(columns="shown_at")


def _asked(home: Path) -> pd.DataFrame:
    """Return which published run was asked about which brief, in the order of runs."""
    about = pd.DataFrame(
        [(run.run_id, run.as_of, run.created_at) for run in runs(home)],
        columns=["run_id", "as_of", "created_at"],
    )
    # A brief that got nobody has exclusions and no match: its last list is an empty one.
    listed = [
        columns_of_all(home, name, ["run_id", "brief_id"]) for name in ("matches", "exclusions")
    ]
    asked = pd.concat(listed).drop_duplicates()
    asked = asked.merge(about, on="run_id")
    return asked.sort_values(["as_of", "created_at", "run_id"], ignore_index=True)


def _last_runs(chosen: pd.DataFrame, asked: pd.DataFrame) -> pd.Series[Any]:
    """Return the last run about each collaboration's brief before the choice, null without one.

    A run knows nothing of its own moment, so one as of the very moment of the choice counts. One
    made after the choice, a replay, counts only where there was none: nobody chose by it, and its
    model may have learned from what came.
    """
    if asked.empty or chosen.empty:
        return pd.Series(None, index=chosen.index, dtype="str")
    times = chosen[["brief_id", "chosen_at"]].rename_axis("row").reset_index()
    both = times.merge(asked.rename_axis("order").reset_index(), on="brief_id")
    both = both[both["as_of"] <= both["chosen_at"]]
    both = both.assign(in_time=both["created_at"] <= both["chosen_at"])
    last = both.sort_values(["in_time", "order"]).drop_duplicates("row", keep="last")
    return last.set_index("row")["run_id"].reindex(chosen.index)


def _with_forecasts(chosen: pd.DataFrame, home: Path) -> pd.DataFrame:
    """Add what the chosen run said of each pair; null where it did not list the KOL."""
    needed = dict.fromkeys(name for measure in MEASURES for name in measure.needs)
    matches = columns_of_all(home, "matches", [*dict.fromkeys([*_ABOUT, *needed])])
    matches = matches.reindex(columns=[*dict.fromkeys([*_ABOUT, *needed])])
    columns: dict[str, Any] = {name: matches[name] for name in _ABOUT}
    for measure in MEASURES:
        columns[f"{measure.name}_forecast"] = matches[measure.forecast].astype("float64")
        if measure.low:
            columns[f"{measure.name}_low"] = matches[measure.low].astype("float64")
            columns[f"{measure.name}_high"] = matches[measure.high].astype("float64")
    made = {run.run_id: run for run in runs(home)}
    rows = chosen.merge(
        pd.DataFrame(columns), on=["run_id", "brief_id", "kol_id"], how="left", validate="m:1"
    )
    for name in ("as_of", "created_at"):
        of_run: Mapping[str, Any] = {run_id: getattr(run, name) for run_id, run in made.items()}
        rows[name] = rows["run_id"].map(of_run).astype(TIME)
    for name in ("model_version", "model_hash"):
        of_run = {run_id: getattr(run, name) for run_id, run in made.items()}
        rows[name] = rows["run_id"].map(of_run)
    return rows


def _with_actuals(rows: pd.DataFrame, came: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add what came, where it is about what was forecast."""
    came = came.reindex(rows["collaboration_id"]).set_index(rows.index)
    compared = rows[["mode", "currency"]].assign(
        actual_mode=came["mode"],
        actual_currency=came["currency"],
        revenue_currency=came["currency_of_revenue"],
    )
    columns: dict[str, Any] = {}
    for measure in MEASURES:
        same = comparable(measure, compared)
        actual = came[measure.actual].where(same)
        if measure.exposure:
            exposure = came[measure.exposure].where(came[measure.exposure] > 0)
            columns[f"{measure.name}_exposure"] = exposure.where(actual.notna())
            actual = actual.where(exposure.notna())
        columns[f"{measure.name}_actual"] = actual
    measured = came["measured_at"].astype(TIME)
    columns |= {
        "measured_at": measured,
        "hindsight": (rows["created_at"] > rows["chosen_at"]).astype("boolean"),
    }
    return pd.concat([rows, pd.DataFrame(columns, index=rows.index)], axis=1)


def _any(masks: list[pd.Series[bool]]) -> NDArray[np.bool_]:
    return pd.concat(masks, axis=1).any(axis=1).to_numpy(dtype=bool)


def _folder(home: Path) -> Path:
    return home / "results" / LEDGER.name


def _is_table(folder: Path) -> bool:
    from deltalake import DeltaTable

    return bool(DeltaTable.is_deltatable(str(folder)))


def _store(home: Path, ledger: pd.DataFrame) -> int | None:
    """Make `ledger` all that the stored table holds, in one version; none where nothing differs."""
    from deltalake import write_deltalake

    folder, there = _folder(home), _is_table(_folder(home))
    if there:
        stored = read_ledger(home)
        if content_hash(LEDGER, stored) == content_hash(LEDGER, ledger):
            return int(open_table(folder).version())
    elif ledger.empty:
        return None
    rows = to_arrow(LEDGER, ledger)
    write_deltalake(folder, rows, mode="overwrite", schema_mode="overwrite")
    return int(open_table(folder).version())
