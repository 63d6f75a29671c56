"""The first half of every match: whom a brief may have, and every signal about them.

Serving ranks these pairs, and evaluation ranks them again as of a past decision: one path. Where
more may serve than can be ranked in time, serving keeps those that `matcher.retrieval` chooses.
Up to here each pair is looked at in its cheapest mode of collaboration; `matcher.modes.settle` puts
those who are left into the mode that suits them best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.history import QUOTED_MODES, History, codes_in, roster
from features.memory import held_bytes
from features.offers import current_offers, quotes
from features.pipeline import FeaturePipeline
from features.roster import keep_roster
from features.timeline import Floats, Ints
from features.view import View
from matcher.config import Config
from matcher.eligibility import (
    ELIGIBLE,
    OUTRANKED,
    count_reasons,
    funnel,
    in_time,
    named,
    refuse_profiles,
    screen_offers,
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
_PROFILES = 65_536
"""Profiles asked at once whether a brief rules them out."""
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
    """Whom one brief may have, all rows aligned; and why not the others."""

    brief_id: str
    pairs: pd.DataFrame
    signals: pd.DataFrame
    offers: pd.DataFrame
    roster: pd.DataFrame
    risk: pd.Series[float]
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class _Look:
    """Some of the roster, looked at for one brief.

    ``place`` says where in the roster those who passed are; ``rows`` where they are in `pairs` and
    `offers`, and ``kept`` where in `signals` and `risk`.
    """

    pairs: pd.DataFrame
    offers: pd.DataFrame
    signals: pd.DataFrame
    risk: pd.Series[float]
    place: Ints
    rows: Ints
    kept: Ints
    reasons: Mapping[str, int]

    @property
    def price(self) -> Floats:
        """What each who passed asks."""
        return self.offers["price"].to_numpy(dtype=np.float64)[self.rows]

    def of(self, place: Ints) -> _Look:
        """Keep only some of those who passed."""
        kept = np.isin(self.place, place)
        return replace(self, place=self.place[kept], rows=self.rows[kept], kept=self.kept[kept])


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
        """Screen the roster for one brief: whoever its profile does not rule out, in blocks."""
        brief = self.history.tables.briefs
        brief = brief[brief["brief_id"] == brief_id]
        place, refused = self._open(brief, as_of)
        if self.retrieval is None:
            look = self._look(brief, as_of, place)
            return self._part(look, brief_id, as_of, {**refused, **look.reasons})
        choice = self.retrieval.choice(brief_id, as_of)
        reasons = Counter(refused)
        for start in range(0, max(len(place), 1), _BLOCK):
            look = self._look(brief, as_of, place[start : start + _BLOCK])
            choice.add(look.place, look.signals.iloc[look.kept], look.price)
            reasons.update(look.reasons)
        chosen = choice.chosen()
        reasons[OUTRANKED.code] += choice.seen - len(chosen)
        reasons[ELIGIBLE.code] = len(chosen)
        # What a pair's signals are does not depend on who else is looked at.
        if len(place) > _BLOCK:
            look = self._look(brief, as_of, chosen)
        return self._part(look.of(chosen), brief_id, as_of, reasons)

    def _open(self, brief: pd.DataFrame, as_of: pd.Timestamp) -> tuple[Ints, Mapping[str, int]]:
        """Return whom profiles do not rule out, as positions in the roster, and the reasons."""
        every, codes = self.roster(as_of)
        excluded = self._excluded(str(brief["brief_id"].iloc[0]), as_of)
        left, reasons = [np.empty(0, dtype=np.int64)], Counter[str]()
        for start in range(0, len(codes), _PROFILES):
            refused = refuse_profiles(brief, every.iloc[start : start + _PROFILES], excluded)
            there = np.ones(min(_PROFILES, len(codes) - start), dtype=bool)
            for name, mask in refused.items():
                reasons[name] += int((mask & there).sum())
                there &= ~mask
            left.append(np.flatnonzero(there) + start)
        return np.concatenate(left), +reasons

    def _look(self, brief: pd.DataFrame, as_of: pd.Timestamp, place: Ints) -> _Look:
        """Apply all other filters to some of the roster, by their positions in it."""
        history, brief_id = self.history, str(brief["brief_id"].iloc[0])
        every, codes = self.roster(as_of)
        pairs = pd.DataFrame({"brief_id": brief_id, "kol_id": every["kol_id"].array.take(place)})
        pairs["as_of"] = pd.Series(as_of, index=pairs.index, dtype=TIME)
        view = View.of_brief(history, brief_id, codes[place], as_of, self._posts)
        offers = open_offers(pairs, history, view)
        reason: pd.Series[Any] = pd.Series(np.nan, index=pairs.index, dtype="str")
        if len(history.tables.rates):
            reason = screen_offers(pairs, brief, offers)
        passed = np.flatnonzero(reason.isna())
        mode = codes_in(pd.Index(QUOTED_MODES), offers["mode"].iloc[passed])
        signals = self.looked_up.transform(view.of(passed, mode), history)
        risk = total_risk(signals)
        late = screen_signals(
            pairs.iloc[passed], brief, signals.assign(risk=risk), self.config.eligibility
        )
        reason.iloc[passed] = late.to_numpy()
        kept = np.flatnonzero(late.isna())
        rows = passed[kept]
        return _Look(pairs, offers, signals, risk, place[rows], rows, kept, count_reasons(reason))

    def _part(
        self, look: _Look, brief_id: str, as_of: pd.Timestamp, reasons: Mapping[str, int]
    ) -> _Part:
        """Lay out all that is known of those who passed."""
        offers = look.offers.iloc[look.rows]
        return _Part(
            brief_id,
            look.pairs.iloc[look.rows].assign(mode=offers["mode"]),
            look.signals.iloc[look.kept],
            offers,
            self.roster(as_of)[0].iloc[look.place],
            look.risk.iloc[look.kept],
            reasons,
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
