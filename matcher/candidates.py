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
from matcher.directory import Directory
from matcher.eligibility import FAMILIES, OUTRANKED, funnel, screen, screen_signals
from matcher.retrieval import retrieve
from matcher.risk import total_risk


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
    *,
    most: int | None = None,
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
    most : int, optional
        How many to keep of each brief, those that `matcher.retrieval` chooses; by default all who
        may serve it.

    Yields
    ------
    Candidates
        Of the next briefs, in the order of `questions`.
    """
    search = _Search(history, pipeline, config, most)
    rosters: list[pd.DataFrame] = []
    size = 0
    for brief_id, as_of in questions[["brief_id", "as_of"]].itertuples(index=False):
        known = roster(history, as_of).assign(brief_id=brief_id, as_of=as_of)
        if rosters and size + len(known) > config.serving.chunk_pairs:
            yield search.screened(pd.concat(rosters, ignore_index=True))
            rosters, size = [], 0
        rosters.append(known)
        size += len(known)
    if rosters:
        yield search.screened(pd.concat(rosters, ignore_index=True))


class _Search:
    """What all chunks of one search share."""

    def __init__(
        self, history: History, pipeline: FeaturePipeline, config: Config, most: int | None
    ) -> None:
        self.history = history
        self.pipeline = pipeline
        self.config = config
        self.most = most
        self._early, self._late = pipeline.parted(FAMILIES)
        self._directory: Directory | None = None

    def screened(self, kols: pd.DataFrame) -> Candidates:
        """Apply all filters to the cross product of some briefs and their rosters."""
        history, briefs = self.history, self.history.tables.briefs
        pairs = kols[["brief_id", "kol_id", "as_of"]]
        offers = current_offers(pairs, history)
        priced = len(history.tables.rates) > 0
        reason = screen(pairs, briefs, kols, offers if priced else None)

        passed = reason.isna()
        early = self._early.transform(pairs[passed], history)
        risk = total_risk(early)
        late = screen_signals(
            pairs[passed], briefs, early.assign(risk=risk), self.config.eligibility
        )
        reason = reason.where(reason.notna(), late.reindex(reason.index))

        index = pairs.index[reason.isna()]
        if self.most is not None:
            kept = self._retrieved(pairs, index, offers["price"], self.most)
            reason[index.difference(kept)] = OUTRANKED.code
            index = kept
        signals = pd.concat(
            [early.loc[index], self._late.transform(pairs.loc[index], history)], axis=1
        )
        return Candidates(
            pairs=pairs.loc[index],
            signals=signals[self.pipeline.names],
            offers=offers.loc[index],
            roster=kols.loc[index],
            risk=risk[index],
            funnel=funnel(pairs, reason),
        )

    def _retrieved(
        self, pairs: pd.DataFrame, eligible: pd.Index[Any], price: pd.Series[Any], most: int
    ) -> pd.Index[Any]:
        """Return the rows of those who are worth ranking, of each brief `most` at the most."""
        kept = [eligible[:0]]
        own = eligible.to_series().groupby(pairs["brief_id"].loc[eligible], sort=False)
        for brief_id, rows in own:
            if len(rows) <= most:
                kept.append(pd.Index(rows))
                continue
            # Each brief's pairs are the directory's KOLs, in its order.
            first = int((pairs["brief_id"] == brief_id).to_numpy().argmax())
            chosen = retrieve(
                self._directory_at(pairs["as_of"].loc[rows.iloc[0]]),
                str(brief_id),
                rows.to_numpy() - first,
                price.loc[rows].to_numpy(dtype=np.float64),
                most,
                self.config.retrieval,
            )
            kept.append(pd.Index(chosen + first))
        return kept[0].append(kept[1:])

    def _directory_at(self, as_of: pd.Timestamp) -> Directory:
        """Return the roster at a moment; a batch asks as of one, and keeps it."""
        if self._directory is None or self._directory.as_of != as_of:
            self._directory = Directory(self.history, as_of, self.pipeline)
        return self._directory
