"""What each contract has to settle: items common to all, by mode, and by risk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from matcher.names import WORDS
from matcher.reasons.phrases import short, wan
from matcher.risk.advice import ADVICE
from matcher.wording import Language, Text
from serving.headings import columns, read_words
from serving.told import worded
from serving.workflow.campaign import Campaign, known

LEAST_RISK = 0.1
"""Risks that score less than this ask for no clause."""
BLANK = "____"
"""What stands where a figure is unknown."""
COLUMNS = columns("display_name platform mode section item terms settled remark kol_id")
"""Columns of the list."""
TO_FILL_IN = ("settled", "remark")
SECTIONS = {
    "common": Text("通用", "common"),
    "mode": Text("按合作形式", "by mode"),
    "risk": Text("按风险", "by risk"),
}


def _read() -> dict[str, tuple[tuple[Text, Text], ...]]:
    told = read_words("contract.toml")
    groups = {"common": told["common"], **told["mode"]}
    return {
        name: tuple((Text(**entry["item"]), Text(**entry["terms"])) for entry in entries)
        for name, entries in groups.items()
    }


ITEMS: Mapping[str, tuple[tuple[Text, Text], ...]] = _read()
"""Items and the terms to ask for, under ``"common"`` and each mode."""


def checklist(campaign: Campaign, dates: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return the items of each chosen collaboration, with `COLUMNS`.

    Parameters
    ----------
    campaign : Campaign
        The plan.
    dates : DataFrame
        `serving.workflow.calendar.schedule` of it.
    language : {"zh", "en"}
        Language of the items.
    """
    rows = []
    on = dates.set_index("kol_id")
    for member in campaign.chosen.to_dict("records"):
        figures = _figures(campaign, member, on.loc[member["kol_id"]].to_dict(), language)
        head = {name: member[name] for name in ("display_name", "platform", "mode", "kol_id")}
        rows += [
            head
            | {"section": SECTIONS[section].in_(language), "item": item, "terms": terms}
            | dict.fromkeys(TO_FILL_IN, "")
            for section, item, terms in _items(campaign, member, figures, language)
        ]
    return worded(pd.DataFrame(rows), language)[[heading.column for heading in COLUMNS]]


def _items(
    campaign: Campaign, member: Mapping[Any, Any], figures: Mapping[str, str], language: Language
) -> Iterator[tuple[str, str, str]]:
    for section, name in (("common", "common"), ("mode", member["mode"])):
        for item, terms in ITEMS[name]:
            yield section, item.in_(language), terms.in_(language).format_map(figures)
    risks = campaign.risks
    own = risks[(risks["kol_id"] == member["kol_id"]) & (risks["score"] >= LEAST_RISK)]
    harm = own["score"] * own["weight"]
    for kind in own.assign(_harm=-harm).sort_values(["_harm", "kind"])["kind"]:
        if kind in ADVICE:
            advice = ADVICE[kind]
            yield "risk", advice.label.in_(language), advice.clause.in_(language)


def _figures(
    campaign: Campaign, member: Mapping[Any, Any], dates: Mapping[Any, Any], language: Language
) -> dict[str, str]:
    """Return what goes into the braces of the terms."""
    count = wan if language == "zh" else short
    platform = WORDS["platform"].get(str(member["platform"]))
    rivals = campaign.brief.get("competitor_brands")
    told = {
        "kol": str(member["display_name"]) if known(member["display_name"]) else BLANK,
        "platform": platform.in_(language) if platform else BLANK,
        "mode": WORDS["mode"][member["mode"]].in_(language),
        "price": _money(member["price"], member["currency"], language),
        "rivals": ("、" if language == "zh" else ", ").join(rivals) if rivals else BLANK,
        "refund": f"{member['refund_rate']:.0%}" if known(member["refund_rate"]) else BLANK,
    }
    for name, column in (("views_low", "views_p10"), ("views_mid", "views_p50")):
        told[name] = count(member[column]) if known(member[column]) else BLANK
    for name, column in (("gmv_low", "gmv_p10"), ("gmv_mid", "gmv_p50")):
        told[name] = _money(member[column], member["currency"], language)
    for name in ("publish_on", "script_due", "cut_due"):
        told[name] = str(dates[name]) if dates[name] else BLANK
    return told


def _money(amount: Any, currency: Any, language: Language) -> str:
    if not known(amount):
        return BLANK
    unit = "元" if language == "zh" and currency == "CNY" else f" {currency}"
    return f"{amount:,.0f}{unit}" if known(currency) else f"{amount:,.0f}"
