"""Which briefs may judge between two models: those that taught neither, decided after both.

A model is compared on briefs that it never saw. By time these were decided at or after the latest
moment at which either model's own test began, and have ripe outcomes. Where a model was tested by
brand, they are the briefs of brands that taught it nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from features.errors import UserError
from features.tables import Tables
from matcher.config import TrainingConfig
from matcher.registry import Registry
from training.fit import Plan, labelled_pairs, ripening
from training.labels import decision_times

TAUGHT = "taught.json"
"""Artifact of a training run: ids of the briefs that taught or tuned its model."""


def taught_by(plan: Plan) -> list[str]:
    """Return the briefs that teach or tune a plan's model, for the record, sorted."""
    return sorted([*plan.briefs("train"), *plan.briefs("valid")])


@dataclass(frozen=True)
class Past:
    """What a version has seen.

    Attributes
    ----------
    version : str
        The version.
    test_from : Timestamp or None
        Moment from which on no brief taught it; ``None`` where it was tested by brand.
    taught : frozenset of str or None
        Briefs that taught or tuned it; ``None`` where nobody wrote that down.
    """

    version: str
    test_from: pd.Timestamp | None
    taught: frozenset[str] | None

    @classmethod
    def of(cls, registry: Registry, version: str) -> Self:
        """Read what the training run of a version wrote down.

        Raises
        ------
        UserError
            If there is no such version.
        """
        told = registry.params(version).get("test_from")
        test_from = None if told is None else pd.Timestamp(told)
        return cls(version, test_from, _ids(registry.text(version, TAUGHT)))

    def unseen(self, briefs: pd.DataFrame) -> pd.Series[bool]:
        """Return which briefs may judge this version.

        Parameters
        ----------
        briefs : DataFrame
            brief_id, brand_id and decided_at.
        """
        taught = self.taught or frozenset()
        fresh = ~briefs["brief_id"].isin(taught)
        if self.test_from is not None:
            return fresh & (briefs["decided_at"] >= self.test_from)
        if self.taught is None:  # who taught it nobody knows: anybody may have
            return fresh & False
        brands = set(briefs["brand_id"][~fresh])
        return fresh & ~briefs["brand_id"].isin(brands)


def _ids(text: str | None) -> frozenset[str] | None:
    """Read a list of ids; what is no such list is as good as none."""
    try:
        told = json.loads(text or "null")
    except ValueError:
        return None
    return frozenset(str(brief) for brief in told) if isinstance(told, list) else None


@dataclass(frozen=True)
class Window:
    """The briefs that judge.

    Attributes
    ----------
    briefs : Index of brief_id
        Labelled, ripe, and unseen by all who are compared.
    compared : bool
        Whether the champion can be compared on them.
    words : str
        Which they are, for a person.
    """

    briefs: pd.Index[Any]
    compared: bool
    words: str


def window(
    tables: Tables,
    config: TrainingConfig,
    challenger: Past,
    champion: Past | None,
    least: int,
) -> Window:
    """Choose the briefs that judge a challenger.

    Parameters
    ----------
    tables : Tables
        Everything known.
    config : TrainingConfig
        The challenger's; its horizon says when an outcome is ripe.
    challenger, champion : Past
        Who is compared; without a champion the challenger meets simple rules.
    least : int
        Where folds by brand leave fewer briefs than this that taught the champion nothing, the
        challenger meets simple rules instead. By time there is no such way out: newer briefs come.

    Raises
    ------
    UserError
        If no brief with a ripe outcome or a judgment is left to judge by.
    """
    told = labelled_pairs(tables, config.horizon_days).index
    briefs = tables.briefs[tables.briefs["brief_id"].isin(told)][["brief_id", "brand_id"]]
    briefs = briefs.assign(decided_at=briefs["brief_id"].map(decision_times(tables)))
    # Of the youngest briefs only what came quickly is known; they would test on that alone.
    ripe = tables.outcomes["measured_at"].max() - ripening(tables, config.horizon_days)
    by_time = challenger.test_from is not None
    if by_time:
        briefs = briefs[~(briefs["decided_at"] > ripe)]
    own = briefs[challenger.unseen(briefs)]
    if own.empty:
        raise UserError(
            f"Got no brief with a ripe outcome or a judgment that did not teach version "
            f"{challenger.version}: there is nothing to judge it by"
        )
    if champion is None:
        return Window(pd.Index(own["brief_id"]), False, _words(own, by_time))
    both = own[champion.unseen(own)]
    if len(both) < least and not (by_time and champion.test_from is not None):
        words = (
            f"{_words(own, by_time)}; the champion learned from all but {len(both)} of them and "
            "is not compared"
        )
        return Window(pd.Index(own["brief_id"]), False, words)
    if both.empty:
        raise UserError(
            f"Got no brief with a ripe outcome that was decided after both version "
            f"{challenger.version} and the champion, version {champion.version}, were made: wait "
            "for newer outcomes"
        )
    return Window(pd.Index(both["brief_id"]), True, _words(both, by_time))


def _words(briefs: pd.DataFrame, by_time: bool) -> str:
    counted = f"{len(briefs)} briefs of {briefs['brand_id'].nunique()} brands"
    if not by_time:
        return f"{counted} that taught it nothing"
    first, last = briefs["decided_at"].min(), briefs["decided_at"].max()
    return f"{counted} decided from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
