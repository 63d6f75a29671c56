"""Has the world moved away from what the champion learned? Signals, forecasts, and new outcomes.

Signals are looked at on KOLs drawn at random from those that a brief could have had, for the
briefs that taught and for the latest ones alike: whom an agency chose is its own affair, and would
look like drift of the market whenever it changes its mind. How far they moved is the population
stability index (`training.summary`), and what luck would do to samples of that size is no drift.
A signal counts by its share in how much the champion's scores differ: what it does not look at may
move.

Forecasts are held against what came for briefs that did not teach the champion: as its lists told
them before the choice, and elsewhere as it would have told them at the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from features.history import History
from features.jsonable import figure
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables, status_known_at
from features.vectors import Embeddings
from matcher.accuracy import COLUMNS, accuracy, in_words
from matcher.config import Config, UpkeepConfig
from matcher.measures import MEASURES
from matcher.model import Matcher
from training.examples import graded_pairs, unknown_pairs
from training.fit import Fit, Plan, labelled_pairs
from training.labels import WHENEVER, decision_times
from training.summary import SignalSummary

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROSTER = "roster_summary.json"
"""Artifact of a training run: how signals were spread over KOLs that its briefs could have had."""
STEADY, WATCH, RETRAIN = "steady", "watch", "retrain"
"""What to do, from nothing to training anew."""
CONFIDENCE = 0.95
DRAWN = 15
"""KOLs drawn per brief."""
REFERENCE = 300
"""Teaching briefs that they are drawn for, the latest."""


@dataclass(frozen=True)
class Drift:
    """How far the world has moved since a champion was trained.

    Attributes
    ----------
    advice : str
        `STEADY`, `WATCH` or `RETRAIN`.
    reasons : tuple of str
        Why, in words; the gravest first.
    signals : DataFrame
        feature, family, psi, luck, importance (share in how much scores differ) and moved (is it
        more than luck?), the ones that moved most first.
    families : DataFrame
        family, importance, psi (mean of those of its signals that moved by more than luck, the
        others as 0, by importance), moved (how many did), signals (how many there are).
    overall : float
        That mean over all signals.
    forecasts : DataFrame
        `matcher.accuracy.accuracy` of the champion's forecasts, by month and over all.
    figures : dict of str to float
        Briefs and pairs that were looked at, and labelled briefs since training.
    """

    advice: str
    reasons: tuple[str, ...]
    signals: pd.DataFrame
    families: pd.DataFrame
    overall: float
    forecasts: pd.DataFrame
    figures: dict[str, float]

    @classmethod
    def unseen(cls, advice: str, reason: str) -> Self:
        """Return what can be told of a champion that cannot be looked at."""
        signals = ["feature", "family", "psi", "luck", "importance", "moved"]
        families = ["family", "importance", "moved", "signals", "psi"]
        return cls(
            advice,
            (reason,),
            pd.DataFrame(columns=signals),
            pd.DataFrame(columns=families),
            math.nan,
            pd.DataFrame(columns=COLUMNS),
            {},
        )

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON has it; what is no number is null."""
        frames = {"signals": self.signals, "families": self.families, "forecasts": self.forecasts}
        return {
            "advice": self.advice,
            "reasons": list(self.reasons),
            "overall_psi": figure(self.overall),
            "figures": {name: figure(value) for name, value in self.figures.items()},
        } | {name: _records(frame) for name, frame in frames.items()}


def roster_summary(fit: Fit, plan: Plan, history: History, config: Config) -> SignalSummary:
    """Summarise the signals of KOLs that the briefs that teach could have had.

    Of the latest `REFERENCE` such briefs, tried or not: what the market looked like, not the
    choices.
    """
    taught = fit.examples.of(plan.briefs("train")).pairs
    questions = taught[["brief_id", "as_of"]].drop_duplicates("brief_id").tail(REFERENCE)
    pairs = _drawn(questions, history, config)
    return SignalSummary.of(fit.pipeline.transform_in_chunks(pairs, history), pairs["brief_id"])


def measure_drift(
    matcher: Matcher,
    summary: SignalSummary | None,
    taught: frozenset[str],
    tables: Tables,
    embeddings: Embeddings,
    as_of: pd.Timestamp,
    published: pd.DataFrame | None = None,
    *,
    settings: UpkeepConfig | None = None,
    progress: Progress = silent,
) -> Drift:
    """Look for drift since a model was trained.

    Parameters
    ----------
    matcher : Matcher
        The champion.
    summary : SignalSummary or None
        `roster_summary` of its training; ``None`` where none was kept.
    taught : frozenset of str
        Briefs that taught or tuned it.
    tables : Tables
        Everything known.
    embeddings : Embeddings
        Text vectors of its encoder.
    as_of : Timestamp
        The present, UTC.
    published : DataFrame, optional
        Rows of the ledger about its published lists; those about briefs that taught it, of lists
        made after the choice, and of what was not known before `as_of` are left out.
    settings : UpkeepConfig, optional
        Thresholds; by default those it was trained with.
    """
    settings = settings or matcher.config.upkeep
    known = tables.as_of(as_of)
    # Decisions are asked about as they were; what is open, as of now.
    history = History(known)
    pipeline = matcher.pipeline(embeddings)
    questions = latest_briefs(known, taught, as_of, settings.recent_briefs)
    pairs = _drawn(questions, history, matcher.config)
    progress("signals of latest briefs", 0, 1)
    signals = pipeline.transform_in_chunks(pairs, history)
    progress("signals of latest briefs", 1, 1)
    moved = _moved(matcher, pipeline, summary, signals, pairs["brief_id"])
    families = _families(moved)
    overall = float((moved["psi"].where(moved["moved"], 0.0) * moved["importance"]).sum())
    rows = tested(matcher, known, history, pipeline, taught)
    if published is not None:
        published = _foreseen(published, tables, taught, as_of)
        key = pd.MultiIndex.from_frame(published[["brief_id", "kol_id"]])
        mine = pd.MultiIndex.from_frame(rows[["brief_id", "kol_id"]])
        rows = pd.concat([published[rows.columns], rows[~mine.isin(key)]], ignore_index=True)
    table = accuracy(rows, settings.least_rows, settings.least_briefs)
    forecasts = table[table["by"].isin(["all", "month"])].reset_index(drop=True)
    labelled = labelled_pairs(known, matcher.config.training.horizon_days)
    figures = {
        "briefs": float(pairs["brief_id"].nunique()),
        "pairs": float(len(pairs)),
        "taught": float(len(taught)),
        "since": float(len(labelled.index.difference(list(taught)))),
    }
    told = [
        *_about_signals(moved, families, overall, summary, settings),
        *_about_forecasts(forecasts, settings),
        *_about_growth(figures, settings),
    ]
    told.sort(key=_grave)
    advice = told[0][0] if told else STEADY
    reasons = tuple(words for _, words in told)
    return Drift(advice, reasons, moved, families, overall, forecasts, figures)


def latest_briefs(
    tables: Tables, taught: frozenset[str], as_of: pd.Timestamp, count: int
) -> pd.DataFrame:
    """Return the latest briefs that did not teach, and the moment each is asked about.

    Open ones first, as of now; then those decided last.

    Returns
    -------
    DataFrame
        brief_id and as_of, at most `count` rows.
    """
    briefs = tables.briefs[~tables.briefs["brief_id"].isin(taught)]
    asked = briefs["brief_id"].map(decision_times(tables))
    over = briefs["ends_at"] < as_of
    asked = asked.where(asked < as_of).mask(asked.isna() | (asked >= as_of), as_of)
    latest: pd.DataFrame = pd.DataFrame({"brief_id": briefs["brief_id"], "as_of": asked})
    latest = latest[~(over & (latest["as_of"] == as_of))]
    seen = latest["as_of"] > tables.kols["observed_at"].min()
    order = ["as_of", "brief_id"]
    latest = latest[seen].sort_values(order, ascending=[False, True], ignore_index=True)
    return latest.head(count)


def tested(
    matcher: Matcher,
    tables: Tables,
    history: History,
    pipeline: FeaturePipeline,
    taught: frozenset[str],
) -> pd.DataFrame:
    """Return what a model would have forecast for tried pairs that did not teach it.

    Returns
    -------
    DataFrame
        Columns of the ledger that `matcher.accuracy.accuracy` reads, null where nothing is told.
    """
    briefs = tables.briefs["brief_id"]
    whenever = pd.Series(WHENEVER, index=pd.Index(briefs))
    graded = graded_pairs(tables, pd.Index(sorted(taught)), whenever, matcher.config.training)
    graded = graded[~graded["judged"] & ~graded["brief_id"].isin(taught)].reset_index(drop=True)
    said = matcher.score(pipeline.transform_in_chunks(graded, history))
    came = graded.assign(success=graded["success"].astype(float), graded=1.0)
    about = graded[["brief_id", "kol_id"]].assign(chosen_at=graded["as_of"])
    columns: dict[str, Any] = dict.fromkeys(("platform", "vertical", "tier", "model_version"), "")
    for measure in MEASURES:
        told = [name for name in (f"{measure.name}_p50", measure.name) if name in said]
        known = told and measure.actual in came and (measure.exposure or "graded") in came
        columns[f"{measure.name}_forecast"] = said[told[0]] if known else np.nan
        columns[f"{measure.name}_actual"] = came[measure.actual] if known else np.nan
        if measure.exposure:
            exposure = came[measure.exposure] if known else pd.Series(np.nan, graded.index)
            columns[f"{measure.name}_exposure"] = exposure.where(exposure > 0)
            columns[f"{measure.name}_actual"] = pd.Series(
                columns[f"{measure.name}_actual"], graded.index
            ).where(exposure > 0)
        if measure.low:
            for end, name in (("low", f"{measure.name}_p10"), ("high", f"{measure.name}_p90")):
                columns[f"{measure.name}_{end}"] = said[name] if known and name in said else np.nan
    return pd.concat([about, pd.DataFrame(columns, index=graded.index)], axis=1)


def _foreseen(
    published: pd.DataFrame, tables: Tables, taught: frozenset[str], as_of: pd.Timestamp
) -> pd.DataFrame:
    """Return the rows of the ledger whose outcome the model could not know, and we do."""
    answers = tables.collaborations.set_index("collaboration_id")
    # Where only the answer came, nothing was measured: it is as old as its status.
    answered = published["collaboration_id"].map(status_known_at(answers))
    came = published["measured_at"].fillna(answered) < as_of
    late = published["hindsight"].astype("boolean").fillna(False).astype(bool)
    rows: pd.DataFrame = published[came & ~late & ~published["brief_id"].isin(taught)]
    return rows


def _drawn(questions: pd.DataFrame, history: History, config: Config) -> pd.DataFrame:
    """Draw KOLs that briefs could have had."""
    if questions.empty:
        return pd.DataFrame({"brief_id": [], "kol_id": [], "as_of": questions["as_of"]})
    nobody = pd.DataFrame({"brief_id": [], "kol_id": []})
    return unknown_pairs(questions, nobody, history, DRAWN, config.seed)


def _moved(
    matcher: Matcher,
    pipeline: FeaturePipeline,
    summary: SignalSummary | None,
    signals: pd.DataFrame,
    briefs: pd.Series[Any],
) -> pd.DataFrame:
    """Return how far each signal moved, and whether that is more than luck."""
    about = pipeline.describe().set_index("feature")
    table = pd.DataFrame({"family": about["family"]})
    table["importance"] = _importance(matcher, signals, table.index)
    if summary is None or not len(signals):
        table = table.assign(psi=np.nan, luck=np.nan, moved=False)
    else:
        # So many signals are asked that some would pass any single limit by luck.
        level = 1 - (1 - CONFIDENCE) / max(len(summary.spreads), 1)
        table["psi"] = summary.psi(signals).reindex(table.index)
        table["luck"] = summary.luck(signals, briefs, level).reindex(table.index)
        table["moved"] = table["psi"] > table["luck"]
    table = table.rename_axis("feature").reset_index()
    order = ["moved", "psi", "feature"]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)


def _importance(
    matcher: Matcher, signals: pd.DataFrame, names: pd.Index[Any]
) -> NDArray[np.float64]:
    """Return each signal's share in how much scores differ; all alike where nothing is told.

    That is the spread of what it adds to the scores of these pairs, by the ranker's trees and by
    the forecasts that ranking starts from.
    """
    parts = matcher.contributions(signals) if len(signals) else None
    spread = pd.Series(0.0, index=names) if parts is None else parts.std(ddof=0).reindex(names)
    if not spread.sum() > 0:
        return np.full(len(names), 1 / max(len(names), 1))
    shares = spread.fillna(0.0) / spread.sum()
    return shares.to_numpy(dtype=np.float64)


def _families(moved: pd.DataFrame) -> pd.DataFrame:
    told = moved.assign(
        weighted=moved["psi"].where(moved["moved"], 0.0) * moved["importance"],
        signals=1,
    )
    families = told.groupby("family")[["importance", "weighted", "moved", "signals"]].sum()
    share = families["importance"].where(families["importance"] > 0)
    families["psi"] = (families["weighted"] / share).fillna(0.0)
    # What weighs most in the whole first.
    families = families.sort_values(["weighted", "importance"], ascending=False)
    return families.drop(columns="weighted").reset_index()


Reason = tuple[str, str]


def _about_signals(
    moved: pd.DataFrame,
    families: pd.DataFrame,
    overall: float,
    summary: SignalSummary | None,
    settings: UpkeepConfig,
) -> list[Reason]:
    if summary is None:
        words = "its training kept no summary of its signals, so their drift cannot be told"
        return [(WATCH, f"{words}; train again")]
    if moved["psi"].isna().all():
        return [(STEADY, "no brief has come since it was trained whose signals could have moved")]
    heavy = families[(families["psi"] >= settings.psi_watch) & (families["moved"] > 0)]
    named = ", ".join(f"{f.family} ({f.psi:.2f})" for f in heavy.head(3).itertuples())
    looks = f"what it looks at has moved: stability index {overall:.2f} by importance"
    if overall >= settings.psi_retrain:
        limit = f"from {settings.psi_retrain:g} on it should learn anew"
        return [(RETRAIN, f"{looks}, most of all {named}; {limit}")]
    if overall >= settings.psi_watch:
        return [(WATCH, f"{looks}, most of all {named}; below {settings.psi_retrain:g}: watch it")]
    if len(heavy):
        return [(WATCH, f"signals of {named} have moved by more than luck, but weigh little")]
    return [(STEADY, f"what it looks at has not moved: {overall:.2f} by importance")]


def _about_forecasts(table: pd.DataFrame, settings: UpkeepConfig) -> list[Reason]:
    """Say which forecasts are off, over all or in the latest month that tells: the graver."""
    told: list[Reason] = []
    measures = {measure.name: measure.en for measure in MEASURES}
    for name, rows in table[table["enough"].astype(bool)].groupby("measure", sort=False):
        whole, months = rows[rows["by"] == "all"], rows[rows["by"] == "month"]
        latest = months.sort_values("group").tail(1)
        found: list[Reason] = []
        for row in pd.concat([latest, whole]).to_dict("records"):
            when = f"in {row['group']}" if row["by"] == "month" else "over all"
            words = f"{measures[str(name)]} {when}: {in_words(row)} (n = {row['n']:,})"
            off = abs(math.expm1(-row["log_ratio"])) if math.isfinite(row["log_ratio"]) else 1.0
            if row["off"] and off >= settings.bias_retrain:
                found.append((RETRAIN, words))
            elif row["off"]:
                found.append((WATCH, words))
            elif row["short"]:
                share = f"{row['coverage']:.0%} of what came lies in the 80% interval"
                found.append((WATCH, f"{measures[str(name)]} {when}: {share}"))
        told += sorted(found, key=_grave)[:1]  # the latest month's, of two as grave
    return told


def _grave(reason: Reason) -> int:
    """Return the place of a reason, the gravest first."""
    return (RETRAIN, WATCH, STEADY).index(reason[0])


def _about_growth(figures: dict[str, float], settings: UpkeepConfig) -> list[Reason]:
    taught, since = figures["taught"], figures["since"]
    if not taught or not since:
        return []
    words = f"{since:,.0f} briefs with outcomes taught it nothing yet, {since / taught:.0%} of"
    words += f" the {taught:,.0f} that did"
    # The latest briefs are always kept back for tests; only what goes beyond them is news.
    return [(RETRAIN if since / taught >= settings.growth_retrain else STEADY, words)]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): figure(value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
