"""What a model's choice from past lists would have brought, for the record of its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.history import History
from features.pipeline import FeaturePipeline
from matcher.model import Matcher
from training.counterfactual import (
    NotIdentifiable,
    Verdict,
    forecast_rewards,
    policy_value,
)
from training.labels import question_times
from training.logged import in_units, logged_lists
from training.policies import top_choice


def log_value(
    tested: Sequence[tuple[Matcher, FeaturePipeline, pd.Index[Any]]], history: History
) -> tuple[dict[str, float], str]:
    """Estimate what models would have brought on the lists of their test briefs.

    From each list the model contacts as many as the agency does on average, the best by its
    score. Its value is told relative to the agency's own policy on the same lists, per contact,
    each goal and currency counted in units of what an average contact of the whole log brings.

    Parameters
    ----------
    tested : sequence of (Matcher, FeaturePipeline, Index of brief_id)
        Each model, what makes its signals, and briefs it never saw; each brief once. Those decided
        so late that not nearly all they led to is known are left out.
    history : History
        The tables.

    Returns
    -------
    metrics : dict
        ``policy_snips`` and ``policy_dr`` (1 is the agency's own policy), each with ``_low`` and
        ``_high``, the 95% interval; ``policy_ess`` and ``policy_supported`` wherever propensities
        were logged.
    reason : str
        Why the log cannot tell; empty where it can.
    """
    log = logged_lists(history.tables, tested[0][0].config.training.horizon_days)
    log = in_units(log, log)
    parts = [
        _scored(matcher, pipeline, log[log["brief_id"].isin(briefs)], history)
        for matcher, pipeline, briefs in tested
    ]
    rows = pd.concat(parts, ignore_index=True)
    verdict = policy_value(rows, rows["policy"], forecast_rewards(rows, rows["promised"]))
    return _metrics(verdict), _reason(verdict)


def _scored(
    matcher: Matcher, pipeline: FeaturePipeline, lists: pd.DataFrame, history: History
) -> pd.DataFrame:
    """Return lists with the model's choice and what it promises of each contact."""
    if lists.empty:
        return lists.assign(policy=np.nan, promised=np.nan)
    pairs = lists[["brief_id", "kol_id"]].copy()
    pairs["as_of"] = pairs["brief_id"].map(question_times(history.tables)).astype(TIME)
    signals = pipeline.transform_in_chunks(pairs, history)
    promised = np.zeros(len(lists))  # without forecasts all are alike
    if matcher.forecaster is not None:
        promised = matcher.forecaster.advantage(signals)
    choice = top_choice(lists, matcher.score(signals)["score"])
    return lists.assign(policy=choice, promised=promised)


def _metrics(verdict: Verdict) -> dict[str, float]:
    overlap = verdict.overlap
    metrics = {}
    if overlap is not None:
        metrics = {"policy_ess": overlap.ess, "policy_supported": overlap.supported}
    if isinstance(verdict, NotIdentifiable):
        return metrics
    for name in ("snips", "dr"):
        lift = verdict.estimates[f"{name}_lift"]
        metrics[f"policy_{name}"] = lift.value
        metrics[f"policy_{name}_low"], metrics[f"policy_{name}_high"] = lift.low, lift.high
    return metrics


def _reason(verdict: Verdict) -> str:
    return "; ".join(verdict.reasons) if isinstance(verdict, NotIdentifiable) else ""
