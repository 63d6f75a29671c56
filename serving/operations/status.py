"""How a lake stands: data, runs, models, the last word on drift."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from features.columns import EPOCH
from features.contract import SPECS
from features.errors import UserError
from features.lake import ERASING, Lake
from features.retention import expires_from, times_of
from matcher.registry import CHALLENGER, CHAMPION, Registry
from serving.privacy.models import has_store
from serving.publish import Run, runs

SHOWN = 5
"""Runs that are told, the latest."""


def status(lake: Lake, registry: Registry, now: pd.Timestamp) -> dict[str, Any]:
    """Return how a lake stands, as JSON has it; nothing is written.

    Parameters
    ----------
    lake : Lake
        The lake.
    registry : Registry
        Its models. Where there is no store none is made.
    now : Timestamp
        The present, UTC: ages count to it, and briefs are open at it.

    Raises
    ------
    UserError
        If there is no lake, or a table of it cannot be read.
    """
    home = lake.path
    models, fault = _models(registry, now)
    return {
        "lake": str(home),
        "at": now.isoformat(),
        "tables": _tables(lake, now),
        "open_briefs": _open_briefs(lake, now),
        "runs": [_run(run, now) for run in reversed(runs(home)[-SHOWN:])],
        "models": models,
        "registry_fault": fault,
        "drift": _drift(home, now),
        "erasure_unfinished": (home / ERASING).exists(),
    }


def _tables(lake: Lake, now: pd.Timestamp) -> list[dict[str, Any]]:
    found = []
    for name, version in lake.versions().items():
        columns = list(dict.fromkeys([*SPECS[name].key, *times_of(name)]))
        frame = lake.part(name, columns)
        # Of what a row says of later than now, such as the end of a campaign, nothing is learned.
        since = expires_from(name, frame)
        latest = since[since <= now].max()
        known = None if pd.isna(latest) or latest == EPOCH else latest
        found.append(
            {
                "table": name,
                "version": version,
                "rows": len(frame),
                "latest": None if known is None else known.isoformat(),
                "age_days": _days(known, now),
            }
        )
    return found


def _open_briefs(lake: Lake, now: pd.Timestamp) -> list[str]:
    from serving.job import still_open

    return still_open(lake.part("briefs", ["brief_id", "decided_at", "ends_at"]), now)


def _run(run: Run, now: pd.Timestamp) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "created_at": run.created_at.isoformat(),
        "age_days": _days(run.created_at, now),
        "briefs": len(run.briefs) or None,
        "basis": run.basis,
        "model_version": run.model_version,
        "stale": run.stale or None,
        "redacted": run.redacted_at is not None,
    }


def _models(
    registry: Registry, now: pd.Timestamp
) -> tuple[dict[str, dict[str, Any] | None], str | None]:
    """Return champion and challenger, and why they cannot be told if they cannot."""
    models: dict[str, dict[str, Any] | None] = {CHAMPION: None, CHALLENGER: None}
    if not has_store(registry):
        return models, None
    try:
        for alias in models:
            version = registry.resolve(alias)
            if version is not None:
                made = pd.Timestamp(registry.made_at(version))
                age = _days(made, now)
                models[alias] = {"version": version, "made_at": made.isoformat(), "age_days": age}
    except Exception as error:  # network, disk, damage: the rest is worth telling all the same
        return models, str(error) or type(error).__name__
    return models, None


def _drift(home: Path, now: pd.Timestamp) -> dict[str, Any] | None:
    """Return the advice of the latest report of a retraining that looked for drift."""
    files = sorted((home / "reports").glob("retrain-v*.json"), key=lambda p: p.stat().st_mtime_ns)
    for file in reversed(files):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            drift = told["drift"]
            if drift is None:
                continue
            made = pd.Timestamp(datetime.fromtimestamp(file.stat().st_mtime, UTC))
            return {
                "advice": str(drift["advice"]),
                "reasons": [str(reason) for reason in drift["reasons"]],
                "champion": told["champion"],
                "psi": drift["overall_psi"],
                "report": str(file),
                "age_days": _days(made, now),
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"Got the report {file} that cannot be read ({error}); remove it: the next "
                "`kolmatch retrain` writes it again"
            ) from error
    return None


def _days(time: pd.Timestamp | None, now: pd.Timestamp) -> float | None:
    return None if time is None else round(max((now - time) / pd.Timedelta(days=1), 0.0), 2)
