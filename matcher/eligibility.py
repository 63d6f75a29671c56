"""Who may serve a brief at all: hard filters, each with a reason a person understands.

Filters run as a funnel. A KOL is refused by the first filter that it fails, so the counts of a
brief add up to the roster and say where everybody went.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.config import EligibilityConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


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
    brief = briefs.set_index("brief_id").loc[pairs["brief_id"]]
    refused: dict[str, Mask] = {
        "platform": ~_is_listed(kols["platform"], brief["platforms"], empty=True),
        "excluded": _is_excluded(kols, brief["excluded_kols"]),
        "followers": kols["followers"].to_numpy() < brief["min_followers"].to_numpy(),
    }
    if offers is not None:
        quoted = offers["has_quote"].to_numpy(dtype=bool)
        refused |= {
            "no_price": ~quoted,
            "mode": quoted & ~offers["has_mode"].to_numpy(dtype=bool),
            "currency": offers["currency_mismatch"].to_numpy(dtype=bool),
            **_screen_offers(offers, brief, pairs["as_of"]),
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
    brief = briefs.set_index("brief_id").loc[offers["brief_id"]]
    refused = list(_screen_offers(offers, brief, offers["as_of"]).values())
    return np.asarray(~np.any(refused, axis=0), dtype=bool)


def in_time(offers: pd.DataFrame, briefs: pd.DataFrame) -> Mask:
    """Say which offers are for the campaign's time, whatever they cost; shape (n,)."""
    brief = briefs.set_index("brief_id").loc[offers["brief_id"]]
    return ~_is_away(offers, brief, offers["as_of"])


def _screen_offers(
    offers: pd.DataFrame, brief: pd.DataFrame, as_of: pd.Series[Any]
) -> dict[str, Mask]:
    """Say which offers each filter refuses; all rows aligned."""
    price = offers["price"].to_numpy()
    return {
        "availability": _is_away(offers, brief, as_of),
        "price": price > brief["max_price_per_kol"].to_numpy(),
        "budget": price > brief["budget"].to_numpy(),
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
    brief = briefs.set_index("brief_id").loc[pairs["brief_id"]]
    days = signals["rivalry.days_since"].to_numpy()
    refused = {
        "audience": signals["audience.match"].to_numpy() < brief["min_audience_match"].to_numpy(),
        "competitor": days < config.exclusivity_days,
        "risk": signals["risk"].to_numpy() > brief["max_risk"].to_numpy(),
    }
    return _first(refused, pairs.index)


def funnel(pairs: pd.DataFrame, reason: pd.Series[Any]) -> pd.DataFrame:
    """Count, for each brief, whom each filter refused and who is left.

    Returns
    -------
    DataFrame
        brief_id, reason, kols, text_en, text_zh; one row for each brief and reason that refused
        somebody, in the order of the funnel, and one with reason ``eligible``.
    """
    told = (*REASONS, OUTRANKED, ELIGIBLE)
    codes = [r.code for r in told]
    counts = pd.crosstab(pairs["brief_id"], reason.fillna(ELIGIBLE.code)).reindex(
        columns=codes, fill_value=0
    )
    long = counts.melt(var_name="reason", value_name="kols", ignore_index=False).reset_index()
    place = long["reason"].map({code: at for at, code in enumerate(codes)})
    long = long.assign(_place=place).sort_values(["brief_id", "_place"]).drop(columns="_place")
    long = long[(long["kols"] > 0) | (long["reason"] == ELIGIBLE.code)]
    texts = {r.code: r for r in told}
    return long.assign(
        text_en=long["reason"].map(lambda code: texts[code].en),
        text_zh=long["reason"].map(lambda code: texts[code].zh),
    ).reset_index(drop=True)


def _first(refused: dict[str, Mask], index: pd.Index[Any]) -> pd.Series[Any]:
    """Name the first filter that refuses each pair."""
    reason = np.select(list(refused.values()), list(refused), default="")
    return pd.Series(reason, index=index, dtype="str").replace("", np.nan)


def _is_listed(values: pd.Series[Any], lists: pd.Series[Any], *, empty: bool) -> Mask:
    """Say whether each value is in its list; an empty list answers `empty`."""
    return np.fromiter(
        (
            value in allowed if allowed else empty
            for value, allowed in zip(values, lists, strict=True)
        ),
        dtype=bool,
        count=len(values),
    )


def _is_away(offers: pd.DataFrame, brief: pd.DataFrame, as_of: pd.Series[Any]) -> Mask:
    """Say whether an offer's window and the campaign do not meet; what is open-ended meets."""
    starts = brief["starts_at"].reset_index(drop=True).fillna(as_of.reset_index(drop=True))
    ends = brief["ends_at"].reset_index(drop=True)
    window = offers[["available_from", "available_to"]].reset_index(drop=True)
    # A comparison with null is false: an unknown end never refuses.
    too_late, over = window["available_from"] > ends, window["available_to"] < starts
    return np.asarray(too_late | over, dtype=bool)


def _is_excluded(kols: pd.DataFrame, lists: pd.Series[Any]) -> Mask:
    """Say whether a KOL, or another account of the same person, is on the brief's list.

    People write names where ids are meant: both count.
    """
    named = kols[["kol_id", "display_name", "person_id"]].drop_duplicates()
    persons = {
        told: set(
            named.loc[
                named[["kol_id", "display_name"]].isin(told).any(axis=1), "person_id"
            ].dropna()
        )
        for told in set(lists)
        if told
    }
    others = lists.map(lambda told: persons.get(told, ()))
    return (
        _is_listed(kols["kol_id"], lists, empty=False)
        | _is_listed(kols["display_name"], lists, empty=False)
        | _is_listed(kols["person_id"], others, empty=False)
    )
