"""Who said yes when asked: what acceptance is learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.history import History
from features.outcomes import answers
from features.pipeline import FeaturePipeline
from features.tables import Tables, status_known_at
from training.labels import decision_times

if TYPE_CHECKING:
    from numpy.typing import NDArray


def responses(tables: Tables) -> pd.DataFrame:
    """Return how contacted KOLs answered, and when that was known.

    Whoever was only shown or contacted has not answered: unknown, not a no.

    Parameters
    ----------
    tables : Tables
        Everything known.

    Returns
    -------
    DataFrame
        PAIRS (as of the brief's decision, in the mode asked for) with accepted (bool) and known_at,
        by time; one row a pair, its first answer. Briefs that tell no time are not in it.
    """
    told = tables.collaborations
    told = told.assign(accepted=answers(told)).dropna(subset=["accepted"])
    accepted = told["accepted"].astype(bool)
    # A signature is an answer, whatever came after it.
    known_at = status_known_at(told)
    signed = told["signed_at"].where(accepted)
    rows = pd.DataFrame(
        {
            "brief_id": told["brief_id"],
            "kol_id": told["kol_id"],
            "mode": told["mode"],
            "as_of": told["brief_id"].map(decision_times(tables)).astype(TIME),
            "accepted": accepted,
            "known_at": pd.concat([signed, known_at], axis=1).min(axis=1).astype(TIME),
        }
    ).dropna(subset=["as_of", "known_at"])
    first = rows.sort_values(["known_at", "accepted"], kind="stable")
    first = first.drop_duplicates(["brief_id", "kol_id"])
    return first.sort_values(["as_of", "brief_id", "kol_id"], ignore_index=True)


@dataclass(frozen=True)
class Answers:
    """How contacted KOLs answered.

    Attributes
    ----------
    pairs : DataFrame
        As `responses` gives them, with brand_id.
    signals : DataFrame
        Signals as of each decision, aligned to `pairs`.
    """

    pairs: pd.DataFrame
    signals: pd.DataFrame

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Whether each said yes, shape (n,)."""
        return self.pairs["accepted"].to_numpy(dtype=bool)

    def of(self, briefs: pd.Index[Any]) -> Answers:
        """Keep the answers to some briefs."""
        keep = self.pairs["brief_id"].isin(briefs).to_numpy()
        return Answers(self.pairs[keep], self.signals[keep])


def answers_of(
    history: History, pipeline: FeaturePipeline, known_before: pd.Series[Any]
) -> Answers:
    """Return the answers that may teach, with the signals of each pair.

    Parameters
    ----------
    history : History
        Everything known.
    pipeline : FeaturePipeline
        Where signals come from.
    known_before : Series of datetime, indexed by brief_id
        Answers that became known at this moment or later are left out; briefs it lacks are left
        out whole.
    """
    told = responses(history.tables)
    cut = known_before.reindex(told["brief_id"]).set_axis(told.index)
    told = told[told["known_at"] < cut].reset_index(drop=True)
    brand = history.tables.briefs.set_index("brief_id")["brand_id"]
    pairs = told.assign(brand_id=told["brief_id"].map(brand))
    return Answers(pairs, pipeline.transform_in_chunks(pairs, history))
