"""Who may serve a brief at all: hard filters, each with a reason a person understands.

Filters run as a funnel. A KOL is refused by the first filter that it fails, so the counts of a
brief add up to the roster and say where everybody went.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.config import EligibilityConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Times = NDArray[np.datetime64]


@dataclass(frozen=True)
class Reason:
    """Why a filter refuses, in both languages."""

    code: str
    en: str
    zh: str


ELIGIBLE = Reason("eligible", "may serve the brief", "符合硬性条件")

REASONS = (
    Reason("platform", "is on a platform the brief does not ask for", "平台不在投放范围内"),
    Reason("excluded", "is excluded by the brief", "在排除名单中"),
    Reason("followers", "has fewer followers than the brief asks for", "粉丝数低于要求"),
    Reason("no_price", "has no valid quote", "没有有效报价"),
    Reason("mode", "offers none of the modes the brief allows", "不提供所需的合作形式"),
    Reason("currency", "quotes in another currency than the budget's", "报价币种与预算不一致"),
    Reason("availability", "is not available in the campaign's time", "档期不符"),
    Reason("price", "asks more than the brief pays for one KOL", "报价高于单个达人上限"),
    Reason("budget", "asks more than the whole budget", "报价超出总预算"),
    Reason("audience", "reaches too little of the target audience", "受众匹配度不足"),
    Reason("competitor", "worked for a competitor too recently", "近期与竞品合作（排他期内）"),
    Reason("risk", "is riskier than the brief accepts", "风险高于上限"),
)
OUTRANKED = Reason(
    "outranked", "may serve, but was not among the likeliest that were ranked", "初筛未入围"
)
"""Not a filter: where more may serve than are ranked, `matcher.retrieval` leaves out the rest."""


def screen(
    pairs: pd.DataFrame, briefs: pd.DataFrame, kols: pd.DataFrame, offers: pd.DataFrame | None
) -> pd.Series[Any]:
    """Apply the filters that need facts only.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS.
    briefs : DataFrame
        BRIEFS, holding every brief of `pairs`.
    kols : DataFrame
        KOLS as known before each pair's ``as_of``, aligned to `pairs`.
    offers : DataFrame or None
        The offer that speaks for each pair (`matcher.candidates.open_offers`); ``None`` where no
        quotes exist at all, which leaves price out of it.

    Returns
    -------
    Series of str, aligned to `pairs`
        The code of the first filter that refuses, or null.
    """
    reason = _first(_screen_profiles(_Asked(briefs, pairs["brief_id"]), kols, kols), pairs.index)
    return reason if offers is None else reason.fillna(screen_offers(pairs, briefs, offers))


def refuse_profiles(
    brief: pd.DataFrame, kols: pd.DataFrame, known: pd.DataFrame
) -> dict[str, Mask]:
    """Apply the filters that look at profiles alone, for one brief.

    Parameters
    ----------
    brief : DataFrame
        BRIEFS, of one row.
    kols : DataFrame, shape (n, ...)
        KOLS as known before the decision.
    known : DataFrame
        KOLS among which those are that the brief excludes by id or name; other accounts of
        theirs are excluded too.

    Returns
    -------
    dict of str to ndarray of bool, shape (n,)
        Whom each filter refuses, in the order of the funnel.
    """
    return _screen_profiles(_Asked.alone(brief, len(kols)), kols, known)


def _screen_profiles(asked: _Asked, kols: pd.DataFrame, known: pd.DataFrame) -> dict[str, Mask]:
    return {
        "platform": ~asked.is_listed(kols["platform"], "platforms", empty=True),
        "excluded": _is_excluded(kols, asked, known),
        "followers": kols["followers"].to_numpy() < asked.numbers("min_followers"),
    }


def screen_offers(
    pairs: pd.DataFrame, briefs: pd.DataFrame, offers: pd.DataFrame
) -> pd.Series[Any]:
    """Apply the filters that look at offers; parameters and result as for `screen`."""
    quoted = offers["has_quote"].to_numpy(dtype=bool)
    refused = {
        "no_price": ~quoted,
        "mode": quoted & ~offers["has_mode"].to_numpy(dtype=bool),
        "currency": offers["currency_mismatch"].to_numpy(dtype=bool),
        **_screen_terms(offers, _Asked(briefs, pairs["brief_id"]), pairs["as_of"]),
    }
    return _first(refused, pairs.index)


def possible(offers: pd.DataFrame, briefs: pd.DataFrame) -> Mask:
    """Say which offers are for the campaign's time, at prices that the brief can pay.

    Parameters
    ----------
    offers : DataFrame, shape (n, ...)
        brief_id, as_of, price, available_from, available_to.
    briefs : DataFrame
        BRIEFS, holding every brief of `offers`.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    asked = _Asked(briefs, offers["brief_id"])
    refused = list(_screen_terms(offers, asked, offers["as_of"]).values())
    return np.asarray(~np.any(refused, axis=0), dtype=bool)


def in_time(offers: pd.DataFrame, briefs: pd.DataFrame) -> Mask:
    """Say which offers are for the campaign's time, whatever they cost; shape (n,)."""
    return ~_is_away(offers, _Asked(briefs, offers["brief_id"]), offers["as_of"])


class _Asked:
    """The brief of each of many rows.

    Parameters
    ----------
    briefs : DataFrame
        BRIEFS.
    brief_id : Series
        The brief of each row.
    """

    def __init__(self, briefs: pd.DataFrame, brief_id: pd.Series[Any]) -> None:
        if len(briefs) == 1 and (brief_id == briefs["brief_id"].iloc[0]).all():
            self._set(np.zeros(len(brief_id), dtype=np.int64), briefs)
            return
        which, names = pd.factorize(brief_id)
        rows = pd.Index(briefs["brief_id"]).get_indexer(pd.Index(names))
        if (rows < 0).any() or (which < 0).any():
            raise KeyError(f"Got pairs of briefs {list(names[rows < 0])} that are not given")
        self._set(which, briefs.iloc[rows])

    @classmethod
    def alone(cls, brief: pd.DataFrame, size: int) -> _Asked:
        """Return the one brief of so many rows."""
        asked = cls.__new__(cls)
        asked._set(np.zeros(size, dtype=np.int64), brief)
        return asked

    def _set(self, which: NDArray[np.int64], briefs: pd.DataFrame) -> None:
        self.which, self.briefs = which, briefs

    def numbers(self, column: str) -> Floats:
        """Return a numeric column of each row's brief."""
        return np.asarray(self.briefs[column].to_numpy(dtype=np.float64)[self.which])

    def times(self, column: str) -> Times:
        """Return a time of each row's brief, NaT where it names none."""
        return np.asarray(_utc(self.briefs[column])[self.which])

    def is_listed(self, values: pd.Series[Any], column: str, *, empty: bool) -> Mask:
        """Say whether each value is in its brief's list; an empty list answers `empty`."""
        return self.is_among(values, self.briefs[column].tolist(), empty=empty)

    def is_among(
        self, values: pd.Series[Any], lists: Sequence[Collection[Any]], *, empty: bool
    ) -> Mask:
        """Say whether each value is in the list of its brief, of which `lists` has one each."""
        out = np.full(len(values), empty, dtype=bool)
        told = [place for place, names in enumerate(lists) if names]
        if len(lists) == 1 and told:
            return np.asarray(values.isin(list(lists[0])).to_numpy(), dtype=bool)
        for place in told:
            mine = np.flatnonzero(self.which == place)
            out[mine] = values.iloc[mine].isin(list(lists[place])).to_numpy(dtype=bool)
        return out


def _screen_terms(offers: pd.DataFrame, asked: _Asked, as_of: pd.Series[Any]) -> dict[str, Mask]:
    """Say which offers each filter refuses; all rows aligned."""
    price = offers["price"].to_numpy()
    return {
        "availability": _is_away(offers, asked, as_of),
        "price": price > asked.numbers("max_price_per_kol"),
        "budget": price > asked.numbers("budget"),
    }


def screen_signals(
    pairs: pd.DataFrame, briefs: pd.DataFrame, signals: pd.DataFrame, config: EligibilityConfig
) -> pd.Series[Any]:
    """Apply the filters that need signals: audience, competitors, risk.

    What is unknown does not refuse: a KOL without audience data is not one with the wrong
    audience.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS that passed `screen`.
    briefs : DataFrame
        BRIEFS, holding every brief of `pairs`.
    signals : DataFrame
        Columns ``audience.match``, ``rivalry.days_since`` and ``risk``, aligned to
        `pairs`.

    Returns
    -------
    Series of str, aligned to `pairs`
        The code of the first filter that refuses, or null.
    """
    asked = _Asked(briefs, pairs["brief_id"])
    days = signals["rivalry.days_since"].to_numpy()
    refused = {
        "audience": signals["audience.match"].to_numpy() < asked.numbers("min_audience_match"),
        "competitor": days < config.exclusivity_days,
        "risk": signals["risk"].to_numpy() > asked.numbers("max_risk"),
    }
    return _first(refused, pairs.index)


def funnel(counts: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Tell, for each brief, whom each filter refused and who is left.

    Parameters
    ----------
    counts : mapping of str to (mapping of str to int)
        For each brief, how many each reason has (`count_reasons`).

    Returns
    -------
    DataFrame
        brief_id, reason, kols, text_en, text_zh; one row for each brief and reason that refused
        somebody, in the order of the funnel, and one with reason ``eligible``.
    """
    told = (*REASONS, OUTRANKED, ELIGIBLE)
    rows = [
        (brief_id, reason.code, count, reason.en, reason.zh)
        for brief_id in sorted(counts)
        for reason in told
        if (count := counts[brief_id].get(reason.code, 0)) or reason is ELIGIBLE
    ]
    return pd.DataFrame(rows, columns=["brief_id", "reason", "kols", "text_en", "text_zh"])


def count_reasons(reason: pd.Series[Any]) -> dict[str, int]:
    """Count the reasons of one brief's roster; null is `ELIGIBLE`."""
    counts = reason.fillna(ELIGIBLE.code).value_counts()
    return {str(code): int(count) for code, count in counts.items()}


def _first(refused: dict[str, Mask], index: pd.Index[Any]) -> pd.Series[Any]:
    """Name the first filter that refuses each pair."""
    reason = np.select(list(refused.values()), list(refused), default="")
    return pd.Series(reason, index=index, dtype="str").replace("", np.nan)


def _is_away(offers: pd.DataFrame, asked: _Asked, as_of: pd.Series[Any]) -> Mask:
    """Say whether an offer's window and the campaign do not meet; what is open-ended meets."""
    starts, ends = asked.times("starts_at"), asked.times("ends_at")
    starts = np.where(np.isnat(starts), _utc(as_of), starts)
    # A comparison with null is false: an unknown end never refuses.
    too_late = _utc(offers["available_from"]) > ends
    return np.asarray(too_late | (_utc(offers["available_to"]) < starts), dtype=bool)


def _utc(times: pd.Series[Any]) -> Times:
    return times.to_numpy(dtype="datetime64[us]")


def _is_excluded(kols: pd.DataFrame, asked: _Asked, known: pd.DataFrame) -> Mask:
    """Say whether a KOL, or another account of the same person, is on the brief's list.

    People write names where ids are meant: both count.
    """
    lists = asked.briefs["excluded_kols"].tolist()
    if not any(lists):
        return np.zeros(len(kols), dtype=bool)
    persons = [_persons(known, told) if told else set() for told in lists]
    return (
        asked.is_among(kols["kol_id"], lists, empty=False)
        | asked.is_among(kols["display_name"], lists, empty=False)
        | asked.is_among(kols["person_id"], persons, empty=False)
    )


def _persons(known: pd.DataFrame, told: Collection[str]) -> set[Any]:
    """Return the persons behind accounts that are called by id or name."""
    return set(named(known, told)["person_id"].dropna())


def named(kols: pd.DataFrame, told: Collection[str]) -> pd.DataFrame:
    """Return those of some KOLs who are called by id or name."""
    if not told:
        return kols.head(0)
    wanted = list(told)
    return kols[(kols["kol_id"].isin(wanted) | kols["display_name"].isin(wanted)).to_numpy()]
