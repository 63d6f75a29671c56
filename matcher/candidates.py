"""The first half of every match: whom a brief may have, and every signal about them.

Serving ranks these pairs, and evaluation ranks them again as of a past decision: one path. Where
more may serve than can be ranked in time, serving keeps those that `matcher.retrieval` chooses.
Up to here each pair is looked at in its cheapest mode of collaboration; `matcher.modes.settle` puts
those who are left into the mode that suits them best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.history import History, roster
from features.offers import current_offers, quotes
from features.pipeline import FeaturePipeline
from matcher.config import Config
from matcher.eligibility import OUTRANKED, funnel, in_time, screen, screen_signals
from matcher.retrieval import Retrieval
from matcher.risk.parts import total_risk
from matcher.scout import FAMILIES

TERMS = ["mode", "price", "currency", "quoted_at", "available_from", "available_to"]
"""What an offer says."""


@dataclass(frozen=True)
class Candidates:
    """Eligible pairs of some briefs.

    Attributes
    ----------
    pairs : DataFrame
        PAIRS with ``mode``, of those who passed every filter.
    signals : DataFrame
        Signals, aligned to `pairs`.
    offers : DataFrame
        mode, price, currency: the quote in that mode, aligned to `pairs`.
    roster : DataFrame
        KOLS as known at each pair's ``as_of``, aligned to `pairs`.
    risk : Series
        Total risk 0-1, aligned to `pairs`.
    funnel : DataFrame
        Whom each filter refused, as `matcher.eligibility.funnel` tells it.
    options : DataFrame or None
        Every mode that each pair may be had in, as `matcher.modes.settle` tells it; ``row`` is the
        index of the pair. ``None`` before that.
    """

    pairs: pd.DataFrame
    signals: pd.DataFrame
    offers: pd.DataFrame
    roster: pd.DataFrame
    risk: pd.Series[float]
    funnel: pd.DataFrame
    options: pd.DataFrame | None = None

    def of(self, rows: pd.Index[Any]) -> Candidates:
        """Keep some pairs, in the order given; the funnel stays that of all."""
        return Candidates(
            self.pairs.loc[rows],
            self.signals.loc[rows],
            self.offers.loc[rows],
            self.roster.loc[rows],
            self.risk.loc[rows],
            self.funnel,
            None if self.options is None else self.options[self.options["row"].isin(rows)],
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


def open_offers(pairs: pd.DataFrame, history: History) -> pd.DataFrame:
    """Return the offer that speaks for each pair: if any may pass the filters, one that does.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS.
    history : History
        The tables.

    Returns
    -------
    DataFrame, aligned to `pairs`
        As `features.offers.current_offers` gives it, but of the quotes for the campaign's time
        where there is one: the cheapest of all may be for another month.
    """
    briefs = history.tables.briefs
    offers = current_offers(pairs, history)
    asked = pairs[["brief_id", "as_of"]]
    away = offers["mode"].notna().to_numpy() & ~in_time(pd.concat([asked, offers], axis=1), briefs)
    if not away.any():
        return offers
    others = quotes(pairs[away], history)
    others["row"] = pairs.index[away].to_numpy()[others["pair"]]
    # Amounts of two currencies do not compare, where the brief names none either.
    same = others["currency"].to_numpy() == offers["currency"].loc[others["row"]].to_numpy()
    others = others[same & in_time(others, briefs)].sort_values(["pair", "price", "mode"])
    others = others.drop_duplicates("pair").set_index("row")
    offers.loc[others.index, TERMS] = others[TERMS]
    return offers


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
    offers = open_offers(pairs, history)
    pairs = pairs.assign(mode=offers["mode"])
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
