"""The first half of every match: whom a brief may have, and every signal about them.

Serving ranks these pairs, and evaluation ranks them again as of a past decision: one path. Where
more may serve than can be ranked in time, serving keeps those that `matcher.retrieval` chooses.
Up to here each pair is looked at in its cheapest mode of collaboration; `matcher.modes.settle` puts
those who are left into the mode that suits them best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.history import QUOTED_MODES, History, codes_in, roster
from features.memory import held_bytes
from features.offers import current_offers, quotes
from features.pipeline import FeaturePipeline
from features.timeline import Bools, Floats, Ints
from features.view import View, keep_roster
from matcher.config import Config
from matcher.eligibility import (
    ELIGIBLE,
    OUTRANKED,
    count_reasons,
    funnel,
    in_time,
    named,
    screen_offers,
    screen_profiles,
    screen_signals,
)
from matcher.retrieval import Retrieval
from matcher.risk.parts import total_risk
from matcher.scout import FAMILIES

TERMS = ["mode", "price", "currency", "quoted_at", "available_from", "available_to"]
"""What an offer says."""
_PAIR_BYTES = 40_000
"""What a pair takes at the worst moment: its signals in all its modes, some of them twice, and the
posts that its brief is compared with."""
_LEAST_PAIRS = 1000
"""Pairs held at once even if memory is spent: to go on slowly is better than to stop."""
_BLOCK = 16_384
"""KOLs screened at once: their signals are some 13 MB, and copies of them."""
_KEPT_FOR = 3
"""Briefs of one moment from which on it pays to work out all that is told of KOLs alone for
everybody known then, rather than for those who pass the first filters of each brief."""


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
    parts: list[_Part] = []
    size = 0
    screener = _Screener(questions, history, pipeline, config, retrieval)
    for brief_id, as_of in questions[["brief_id", "as_of"]].itertuples(index=False):
        part = screener.screened(brief_id, as_of)
        if parts and size + len(part.signals) > screener.room():
            yield screener.joined(parts)
            parts, size = [], 0
        parts.append(part)
        size += len(part.signals)
    if parts:
        yield screener.joined(parts)


def open_offers(pairs: pd.DataFrame, history: History, view: View | None = None) -> pd.DataFrame:
    """Return the offer that speaks for each pair: if any may pass the filters, one that does.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS.
    history : History
        The tables.
    view : View, optional
        The same pairs, if they were looked at already.

    Returns
    -------
    DataFrame, aligned to `pairs`
        As `features.offers.current_offers` gives it, but of the quotes for the campaign's time
        where there is one: the cheapest of all may be for another month.
    """
    briefs = history.tables.briefs
    offers = current_offers(pairs if view is None else view, history)
    asked = pairs[["brief_id", "as_of"]]
    away = offers["mode"].notna().to_numpy() & ~in_time(pd.concat([asked, offers], axis=1), briefs)
    if not away.any():
        return offers
    rows = np.flatnonzero(away)
    seen = None if view is None else view.of(rows, view.mode[rows])
    others = quotes(pairs[away], history, seen)
    others["row"] = pairs.index[away].to_numpy()[others["pair"]]
    # Amounts of two currencies do not compare, where the brief names none either.
    same = others["currency"].to_numpy() == offers["currency"].loc[others["row"]].to_numpy()
    others = others[same & in_time(others, briefs)].sort_values(["pair", "price", "mode"])
    others = others.drop_duplicates("pair").set_index("row")
    offers.loc[others.index, TERMS] = others[TERMS]
    return offers


@dataclass(frozen=True)
class _Part:
    """Whom one brief may have, all rows aligned; and why not the others.

    ``place`` says where in the roster each is, ascending.
    """

    brief_id: str
    place: Ints
    pairs: pd.DataFrame
    signals: pd.DataFrame
    offers: pd.DataFrame
    roster: pd.DataFrame
    risk: pd.Series[float]
    reasons: Mapping[str, int]

    @property
    def price(self) -> Floats:
        """What each asks."""
        return self.offers["price"].to_numpy(dtype=np.float64)

    def of(self, kept: Bools, reasons: Mapping[str, int]) -> _Part:
        """Keep some rows, and say why not the others."""
        return _Part(
            self.brief_id,
            self.place[kept],
            self.pairs[kept],
            self.signals[kept],
            self.offers[kept],
            self.roster[kept],
            self.risk[kept],
            reasons,
        )


def _slice(place: Ints) -> slice | Ints:
    """Return ascending positions as a slice where they are one: that copies nothing."""
    if len(place) and place[-1] - place[0] + 1 == len(place):
        return slice(int(place[0]), int(place[-1]) + 1)
    return place


class _Screener:
    """Applies all filters to rosters, a brief at a time, and chooses among those who pass."""

    def __init__(
        self,
        questions: pd.DataFrame,
        history: History,
        pipeline: FeaturePipeline,
        config: Config,
        retrieval: Retrieval | None,
    ) -> None:
        self.history, self.pipeline, self.config = history, pipeline, config
        self.retrieval = retrieval
        self.looked_up, self.compared = pipeline.parted(FAMILIES)
        self._asked = questions["as_of"].value_counts()
        self._laid_out: tuple[pd.Timestamp, pd.DataFrame, Ints] | None = None
        self._refused: tuple[str, pd.Timestamp, pd.DataFrame] | None = None

    def room(self) -> int:
        """Return how many pairs may be held at once."""
        most, memory = self.config.serving.chunk_pairs, self.config.serving.memory
        if memory is None:
            return most
        left = memory * 1e9 - held_bytes()
        return int(np.clip(left / _PAIR_BYTES, _LEAST_PAIRS, most))

    def roster(self, as_of: pd.Timestamp) -> tuple[pd.DataFrame, Ints]:
        """Return everybody known at a moment, and their codes; the last asked for is kept."""
        if self._laid_out is None or self._laid_out[0] != as_of:
            # Where there is a directory, retrieval goes by the positions in it.
            directory = None if self.retrieval is None else self.retrieval.directory(as_of)
            kols = roster(self.history, as_of) if directory is None else directory.kols
            self._laid_out = (as_of, kols, self.history.kol_codes(kols["kol_id"]))
            if self._asked[as_of] >= _KEPT_FOR:
                keep_roster(self.history, as_of, self._posts)
        return self._laid_out[1:]

    def screened(self, brief_id: str, as_of: pd.Timestamp) -> _Part:
        """Screen the roster for one brief, a block of KOLs at a time."""
        brief = self.history.tables.briefs
        brief = brief[brief["brief_id"] == brief_id]
        size = len(self.roster(as_of)[0])
        if self.retrieval is None:
            return self._screened(brief, as_of, np.arange(size))
        choice = self.retrieval.choice(brief_id, as_of)
        reasons: Counter[str] = Counter()
        for start in range(0, max(size, 1), _BLOCK):
            part = self._screened(brief, as_of, np.arange(start, min(start + _BLOCK, size)))
            choice.add(part.place, part.signals, part.price)
            reasons.update(part.reasons)
        chosen = choice.chosen()
        reasons[OUTRANKED.code] += choice.seen - len(chosen)
        reasons[ELIGIBLE.code] = len(chosen)
        # What a pair's signals are does not depend on who else is looked at.
        kept = part if size <= _BLOCK else self._screened(brief, as_of, chosen)
        return kept.of(np.isin(kept.place, chosen), reasons)

    def _screened(self, brief: pd.DataFrame, as_of: pd.Timestamp, place: Ints) -> _Part:
        """Screen some of the roster, by their positions in it."""
        history, brief_id = self.history, str(brief["brief_id"].iloc[0])
        every, codes = self.roster(as_of)
        kols = every.iloc[_slice(place)]
        pairs = pd.DataFrame({"brief_id": brief_id, "kol_id": kols["kol_id"].array})
        pairs["as_of"] = pd.Series(as_of, index=pairs.index, dtype=TIME)
        reason = screen_profiles(pairs, brief, kols, self._excluded(brief_id, as_of))
        left = np.flatnonzero(reason.isna())
        pairs = pairs.iloc[left].reset_index(drop=True)
        view = View.of_brief(history, brief_id, codes[place[left]], as_of, self._posts)
        offers = open_offers(pairs, history, view)
        if len(history.tables.rates):
            told = screen_offers(pairs, brief, offers)
            reason.iloc[left] = told.to_numpy()
            passed = np.flatnonzero(told.isna())
        else:
            passed = np.arange(len(pairs))
        mode = codes_in(pd.Index(QUOTED_MODES), offers["mode"].iloc[passed])
        signals = self.looked_up.transform(view.of(passed, mode), history)
        risk = total_risk(signals)
        late = screen_signals(
            pairs.iloc[passed], brief, signals.assign(risk=risk), self.config.eligibility
        )
        reason.iloc[left[passed]] = late.to_numpy()
        kept = np.flatnonzero(late.isna())
        rows = passed[kept]
        own = left[rows]
        return _Part(
            brief_id,
            place[own],
            pairs.iloc[rows].assign(mode=offers["mode"].iloc[rows]),
            signals.iloc[kept],
            offers.iloc[rows],
            kols.iloc[own],
            risk.iloc[kept],
            count_reasons(reason),
        )

    def _excluded(self, brief_id: str, as_of: pd.Timestamp) -> pd.DataFrame:
        """Return the accounts of the roster that a brief excludes by name; the last is kept."""
        if self._refused is None or self._refused[:2] != (brief_id, as_of):
            briefs = self.history.tables.briefs
            told = briefs.loc[briefs["brief_id"] == brief_id, "excluded_kols"].iloc[0]
            self._refused = (brief_id, as_of, named(self.roster(as_of)[0], told))
        return self._refused[2]

    @property
    def _posts(self) -> int:
        return self.pipeline.config.recent_posts

    def joined(self, parts: list[_Part]) -> Candidates:
        """Put some briefs together, and work out the signals that compare texts."""

        def every(name: str) -> Any:
            return pd.concat([getattr(part, name) for part in parts], ignore_index=True)

        pairs = every("pairs")
        rest = self.compared.transform(pairs, self.history)
        return Candidates(
            pairs=pairs,
            signals=pd.concat([every("signals"), rest], axis=1)[self.pipeline.names],
            offers=every("offers"),
            roster=every("roster"),
            risk=every("risk"),
            funnel=funnel({part.brief_id: part.reasons for part in parts}),
        )
