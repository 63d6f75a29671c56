"""Why a mode of collaboration is recommended, or not, in both languages and with its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from matcher.names import WORDS
from matcher.reasons.phrases import short, wan
from matcher.wording import Text

COUNTED: Mapping[str, Text] = MappingProxyType(
    {
        "awareness": Text("次播放", "views"),
        "seeding": Text("次收藏与分享", "saves and shares"),
        "engagement": Text("次互动", "engagements"),
        "co_creation": Text("次互动", "engagements"),
        "conversion": Text("单", "orders"),
    }
)
"""What each goal counts."""
CLOSE = 0.95
"""Who promises more than this share of the best is hardly worse."""
UNITS = (100.0, 1_000.0, 10_000.0)
"""Amounts of money by which a promise is told: the least that brings something worth a figure."""


@dataclass(frozen=True)
class Option:
    """What may be said of one option.

    Attributes
    ----------
    mode, goal, currency : str
        Of the option and its brief; an unknown goal is empty.
    price : float
        What it costs.
    value, brings : float
        Expected worth, and what the goal counts; NaN where unknown.
    signed : float
        Collaborations the KOL signed in this mode; NaN where nobody knows.
    serves : int
        How far the mode serves the goal (`matcher.modes.SERVES`).
    """

    mode: str
    goal: str
    currency: str
    price: float
    value: float
    brings: float
    signed: float
    serves: int

    @property
    def is_money(self) -> bool:
        """Whether its worth is told in money."""
        return self.goal == "conversion" and not math.isnan(self.value)

    @property
    def promised(self) -> float:
        """What one unit of its price promises; NaN where nothing does."""
        worth = self.brings if math.isnan(self.value) else self.value
        return worth / self.price if self.price > 0 else math.nan

    @property
    def label(self) -> Text:
        """What people call its mode."""
        return WORDS["mode"][self.mode]


def explain_options(options: pd.DataFrame, goals: pd.Series[Any]) -> pd.DataFrame:
    """Say of each option why it is the recommended one of its pair, or why not.

    Parameters
    ----------
    options : DataFrame, shape (n, ...)
        row, mode, price, currency, value, brings, signed, serves and recommended; one recommended
        a row.
    goals : Series, shape (n,)
        Goal of each option's brief, aligned; null where it has none.

    Returns
    -------
    DataFrame, aligned to `options`
        why_en and why_zh.
    """
    said: list[Text] = [Text("", "")] * len(options)
    told = [
        Option(
            mode=str(row["mode"]),
            goal=goal if isinstance(goal, str) else "",
            currency=str(row["currency"]),
            price=float(row["price"]),
            value=float(row["value"]),
            brings=float(row["brings"]),
            signed=float(row["signed"]),
            serves=int(row["serves"]),
        )
        for row, goal in zip(options.to_dict("records"), goals, strict=True)
    ]
    flags = options["recommended"].to_numpy(dtype=bool)
    for places in options.reset_index(drop=True).groupby("row", sort=False).indices.values():
        best = next(told[at] for at in places if flags[at])
        others = [told[at] for at in places if not flags[at]]
        for at in places:
            said[at] = _best(best, others) if flags[at] else _other(told[at], best)
    return pd.DataFrame(
        {"why_en": [text.en for text in said], "why_zh": [text.zh for text in said]},
        index=options.index,
        dtype=object,
    )


def _best(best: Option, others: list[Option]) -> Text:
    """Say why an option is the best of its pair."""
    parts = [_figures(best)]
    promised = [other for other in others if not math.isnan(other.promised)]
    if not others:
        parts.append(
            Text(
                "需求允许的形式中，该达人仅报价这一种",
                "the only mode this KOL quotes that the brief allows and can pay",
            )
        )
    elif promised and not math.isnan(best.promised):
        second = max(promised, key=lambda other: other.promised)
        told = _promise(second, _unit(best))
        close = second.promised > CLOSE * best.promised
        more = Text("略高于", "slightly more than") if close else Text("高于", "more than")
        parts.append(
            Text(
                f"{more.zh}次优的{second.label.zh}（{told.zh}）",
                f"{more.en} the next best, {second.label.en} ({told.en})",
            )
        )
    elif math.isnan(best.promised):
        parts.append(
            Text(
                "尚无成效数据，按目标契合与合作经验综合首选",
                "first by purpose and experience, since no results have been learned from",
            )
        )
    parts.append(_experience(best))
    return _joined(parts)


def _other(option: Option, best: Option) -> Text:
    """Say why an option is not the best of its pair."""
    parts = [_figures(option)]
    if option.promised < best.promised:
        share = math.floor(100 * option.promised / best.promised)
        parts.append(
            Text(
                f"为推荐形式{best.label.zh}的 {share}%",
                f"{share}% of what {best.label.en} promises",
            )
        )
    parts.append(_experience(option))
    return _joined(parts)


def _figures(option: Option) -> Text:
    """Say what an option promises for its price or, where nothing does, what it is for."""
    if not math.isnan(option.promised):
        amount = _unit(option)
        each, promise = f"{amount:,.0f}", _promise(option, amount)
        money = _money_word(option.currency)
        return Text(
            f"每 {each} {money}报价预计带来 {promise.zh}",
            f"about {promise.en} expected per {each} {option.currency} of price",
        )
    aim = WORDS["goal"].get(option.goal)
    if aim is None:
        return Text("", "")
    return (
        Text(f"形式与{aim.zh}目标关联不大", f"not made for {aim.en}"),
        Text(f"有助于{aim.zh}目标", f"helps {aim.en}"),
        Text(f"契合{aim.zh}目标", f"made for {aim.en}"),
    )[option.serves]


def _unit(option: Option) -> float:
    """Return the least amount of money for which an option promises two digits, if any does."""
    return next((unit for unit in UNITS if option.promised * unit >= 10), UNITS[-1])


def _promise(option: Option, amount: float) -> Text:
    """Say what an amount of an option's price promises."""
    count = option.promised * amount
    figure = (f"{count:.1f}", f"{count:.1f}") if count < 10 else (wan(count), short(count))
    if option.is_money:
        return Text(
            f"{figure[0]} {_money_word(option.currency)}毛利",
            f"{figure[1]} {option.currency} of margin",
        )
    counted = COUNTED[option.goal]
    return Text(f"{figure[0]} {counted.zh}", f"{figure[1]} {counted.en}")


def _experience(option: Option) -> Text:
    """Say how often the KOL signed for a mode, where anybody knows."""
    if math.isnan(option.signed):
        return Text("", "")
    count, label = round(option.signed), option.label
    if not count:
        return Text(f"暂无{label.zh}合作记录", f"no {label.en} on record")
    times = "collaboration" if count == 1 else "collaborations"
    return Text(f"已签约{label.zh} {count} 次", f"{count} {label.en} {times} signed")


def _money_word(currency: str) -> str:
    return "元" if currency == "CNY" else f"{currency} "


def _joined(parts: list[Text]) -> Text:
    zh = "；".join(part.zh for part in parts if part.zh)
    en = "; ".join(part.en for part in parts if part.en)
    return Text(zh, en[:1].upper() + en[1:])
