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
from matcher.config import Config, TrainingConfig
from matcher.registry import Registry
from training.fit import Plan, labelled_pairs, ripening
from training.labels import WHENEVER, decision_times

TEST = "test"
TAUGHT = "taught.json"
"""Artifact of a training run: the briefs that taught or tuned its model, and which did which."""


def taught_by(plan: Plan) -> dict[str, str]:
    """Return the briefs that teach or tune a plan's model, for the record.

    Returns
    -------
    dict
        ``"train"``, ``"valid"`` or `training.fit.LATE` by brief_id, sorted.
    """
    return {str(brief): str(part) for brief, part in plan.part.sort_index().items() if part != TEST}


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
        cut = registry.params(version).get("test_from")
        test_from = None if cut is None else pd.Timestamp(cut)
        told = parts_in(registry.text(version, TAUGHT))
        return cls(version, test_from, None if told is None else frozenset(told))

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


def parts_in(text: str | None) -> dict[str, str] | None:
    """Read what `taught_by` told; what is no such record is as good as none.

    A record of an earlier kolmatch is a list of ids that does not tell who tuned: all taught.
    """
    try:
        told = json.loads(text or "null")
    except ValueError:
        return None
    if isinstance(told, list):
        told = dict.fromkeys(told, "train")
    return {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else None


def plan_as_taught(tables: Tables, config: Config, text: str | None) -> Plan:
    """Return the plan by brand of a model that was made earlier, as far as its record tells it.

    Folds dealt anew would test on brands that taught it as soon as a brief is new. So who taught
    and tuned is as it was, and the labelled briefs of every brand that did neither test.

    Parameters
    ----------
    text : str or None
        The record of its training (`TAUGHT`).

    Raises
    ------
    UserError
        If nobody wrote down what taught it, or every brand with labels did.
    """
    told = parts_in(text)
    if told is None:
        raise UserError(
            f"Got no {TAUGHT} of its training: nobody knows what taught it; train again"
        )
    labelled = labelled_pairs(tables, config.training.horizon_days).index
    known = tables.briefs[["brief_id", "brand_id", "decided_at"]]
    unseen = Past("", None, frozenset(told)).unseen(known).to_numpy(dtype=bool)
    asked = known["brief_id"][unseen & known["brief_id"].isin(labelled).to_numpy()]
    if asked.empty:
        raise UserError("Got no brief with labels of a brand that taught it nothing: nothing tests")
    part = pd.Series({**told, **dict.fromkeys(asked, TEST)}, name="part")
    part = part[part.index.isin(known["brief_id"])].rename_axis("brief_id")
    return Plan("brands that taught it nothing", part, pd.Series(WHENEVER, part.index), {})


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
