"""The first half of every match: whom a brief may have, and every signal about them.

Serving ranks these pairs, and evaluation ranks them again as of a past decision: one path. Where
more may serve than can be ranked in time, serving keeps those that `matcher.retrieval` chooses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.history import History, roster
from features.offers import current_offers
from features.pipeline import FeaturePipeline
from matcher.config import Config
from matcher.eligibility import OUTRANKED, funnel, screen, screen_signals
from matcher.retrieval import Retrieval
from matcher.risk import total_risk
from matcher.scout import FAMILIES


@dataclass(frozen=True)
class Candidates:
    """Eligible pairs of some briefs.

    Attributes
    ----------
    pairs : DataFrame
        PAIRS, of those who passed every filter.
    signals : DataFrame
        Signals, aligned to `pairs`.
    offers : DataFrame
        mode, price, currency: the quote that applies, aligned to `pairs`.
    roster : DataFrame
        KOLS as known at each pair's ``as_of``, aligned to `pairs`.
    risk : Series
        Total risk 0-1, aligned to `pairs`.
    funnel : DataFrame
        Whom each filter refused, as `matcher.eligibility.funnel` tells it.
    """

    pairs: pd.DataFrame
    signals: pd.DataFrame
    offers: pd.DataFrame
    roster: pd.DataFrame
    risk: pd.Series[float]
    funnel: pd.DataFrame

    def of(self, rows: pd.Index[Any]) -> Candidates:
        """Keep some pairs, in the order given; the funnel stays that of all."""
        return Candidates(
            self.pairs.loc[rows],
            self.signals.loc[rows],
            self.offers.loc[rows],
            self.roster.loc[rows],
            self.risk.loc[rows],
            self.funnel,
        )


def candidates(
    questions: pd.DataFrame,
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    retrieval: Retrieval | None = None,
) -> Iterator[Candidates]:
    """Screen the whole roster for each brief, some briefs at a time.

    Parameters
    ----------
    questions : DataFrame
        brief_id and as_of, one row a brief.
    history : History
        The tables.
    pipeline : FeaturePipeline
        Where signals come from.
    config : Config
        ``serving.chunk_pairs`` bounds how many pairs are held at once.
    retrieval : Retrieval, optional
        Chooses whom to keep of those who may serve; by default all.

    Yields
    ------
    Candidates
        Of the next briefs, in the order of `questions`.
    """
    rosters: list[pd.DataFrame] = []
    size = 0
    for brief_id, as_of in questions[["brief_id", "as_of"]].itertuples(index=False):
        known = roster(history, as_of).assign(brief_id=brief_id, as_of=as_of)
        if rosters and size + len(known) > config.serving.chunk_pairs:
            yield _screened(rosters, history, pipeline, config, retrieval)
            rosters, size = [], 0
        rosters.append(known)
        size += len(known)
    if rosters:
        yield _screened(rosters, history, pipeline, config, retrieval)


def _screened(
    rosters: list[pd.DataFrame],
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    retrieval: Retrieval | None,
) -> Candidates:
    """Apply all filters to some briefs and their rosters, and choose among those who pass."""
    briefs = history.tables.briefs
    kols = pd.concat(rosters, ignore_index=True)
    pairs = kols[["brief_id", "kol_id", "as_of"]]
    offers = current_offers(pairs, history)
    priced = len(history.tables.rates) > 0
    reason = screen(pairs, briefs, kols, offers if priced else None)

    passed = reason.isna()
    looked_up, compared = pipeline.parted(FAMILIES)
    signals = looked_up.transform(pairs[passed], history)
    risk = total_risk(signals)
    late = screen_signals(pairs[passed], briefs, signals.assign(risk=risk), config.eligibility)
    reason = reason.where(reason.notna(), late.reindex(reason.index))

    if retrieval is not None:
        start = 0
        for known in rosters:
            # A roster is laid out as the directory is.
            own = np.flatnonzero(reason.iloc[start : start + len(known)].isna())
            rows = pairs.index[start + own]
            if len(rows):
                asked = pairs.iloc[start]
                price = offers["price"].loc[rows].to_numpy(dtype=np.float64)
                chosen = retrieval.choose(
                    asked["brief_id"], asked["as_of"], own, signals.loc[rows], price
                )
                reason[rows.delete(chosen)] = OUTRANKED.code
            start += len(known)
    index = pairs.index[reason.isna()]
    rest = compared.transform(pairs.loc[index], history)
    return Candidates(
        pairs=pairs.loc[index],
        signals=pd.concat([signals.loc[index], rest], axis=1)[pipeline.names],
        offers=offers.loc[index],
        roster=kols.loc[index],
        risk=risk[index],
        funnel=funnel(pairs, reason),
    )
