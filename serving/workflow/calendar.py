"""When to publish what: spread over the campaign, inside everybody's dates, clashes named.

The campaign's days are shared out evenly in the order of priority. Whoever can least choose, being
free on the fewest days, is placed first: on the day closest to their share that crowds no
platform and repeats no person. Where no such day is left the closest one is taken, and the clash
is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.tables import Tables
from matcher.wording import Language, Text
from serving.headings import columns
from serving.told import worded
from serving.workflow.campaign import Campaign, known
from serving.workflow.rivals import Work, rival_work

LEAD_DAYS = 10
"""Days that signing, script and final cut take before anything can be published."""
SCRIPT_DAYS, CUT_DAYS = 7, 3
"""Days before publication at which script and final cut are due."""
OPEN_DAYS = 28
"""How long a campaign without an end is taken to last."""
PERSON_DAYS = 3
"""Days that two posts of one person shall lie apart."""
EXCLUSIVITY_DAYS = 30
"""Days around work for a competitor in which publishing clashes with it."""
HORIZONS = (1, 7, 30)
"""Days after publication at which results are measured."""

COLUMNS = columns(
    """publish_on weekday display_name platform tier mode outreach.price currency script_due
    cut_due measure_1 measure_7 measure_30 window clashes kol_id"""
)
"""Columns of the calendar."""
WEEKDAYS = (
    *(Text("周一", "Mon"), Text("周二", "Tue"), Text("周三", "Wed"), Text("周四", "Thu")),
    *(Text("周五", "Fri"), Text("周六", "Sat"), Text("周日", "Sun")),
)
CLASHES = {
    "no_dates": Text(
        "需求未写明完整的投放周期，暂按 4 周排期",
        "the brief does not tell all its dates; four weeks are assumed",
    ),
    "short_notice": Text(
        f"距签约不足 {LEAD_DAYS} 天，脚本与成片时间不够",
        f"fewer than {LEAD_DAYS} days to sign, write and cut",
    ),
    "over": Text("投放周期已结束，无法排期", "the campaign is over; no day can be given"),
    "outside_window": Text(
        "达人可约档期（{window}）不在投放周期内，须改期或换人",
        "not available in the campaign (only {window}); move the date or replace",
    ),
    "crowded": Text(
        "同日同平台已有：{names}，建议错开", "same day and platform as {names}; better apart"
    ),
    "same_person": Text(
        "同一达人 {days} 天内另有发布：{names}", "same person publishes within {days} days: {names}"
    ),
    "rival": Text(
        "{at} 为竞品 {brand} 做过推广，不足 {days} 天排他期",
        "worked for competitor {brand} on {at}, within {days} days of exclusivity",
    ),
    "rival_pending": Text(
        "{at} 与竞品 {brand} 签约且未见发布，须先确认排期",
        "signed with competitor {brand} on {at} and not yet published; settle dates first",
    ),
}
"""What can be in the way, in the words of a calendar."""
Placed = dict[str, list[tuple[date, str, str]]]
"""By person: when they publish, under which name, and for which brief."""


def schedule(
    campaign: Campaign,
    tables: Tables,
    as_of: pd.Timestamp,
    language: Language,
    placed: Placed | None = None,
) -> pd.DataFrame:
    """Give each chosen collaboration a day, with `COLUMNS`, by day.

    Parameters
    ----------
    campaign : Campaign
        The plan.
    tables : Tables
        For what is known of work for competitors.
    as_of : Timestamp
        Moment of the decision.
    language : {"zh", "en"}
        Language of clashes and days.
    placed : dict, optional
        Who publishes when for other briefs; what is decided here is added.
    """
    placed = {} if placed is None else placed
    chosen = campaign.chosen.to_dict("records")
    days, troubles = campaign_days(campaign.brief, as_of)
    on = _placed(chosen, days, placed, campaign.brief_id)
    works = rival_work(campaign.brief, tables, as_of)
    told: dict[str, list[str]] = {}
    for row in chosen:
        kol_id = row["kol_id"]
        told[kol_id] = own = [CLASHES[name].in_(language) for name in troubles]
        if kol_id not in on:
            continue
        if not free_days(row, days):
            own.append(CLASHES["outside_window"].in_(language).format(window=window(row)))
        own += _clashes(row, on, chosen, placed, campaign.brief_id, language)
        own += _against(works.get(kol_id, ()), on[kol_id], language)
    return _table(chosen, on, told, language)


def _placed(
    chosen: Sequence[Mapping[Any, Any]], days: Sequence[date], placed: Placed, brief_id: str
) -> dict[str, date]:
    """Give each KOL a day, whoever can least choose first; nobody where there is no day."""
    on: dict[str, date] = {}
    taken: Counter[tuple[str, date]] = Counter()
    by_choice = sorted(
        zip(chosen, _shares(days, len(chosen)), strict=True),
        key=lambda both: (len(free_days(both[0], days)) or len(days), both[0]["priority"]),
    )
    for row, target in by_choice if days else ():
        person, platform = _person(row), str(row["platform"])
        near = [at for at, _, _ in placed.get(person, [])]

        def cost(
            at: date, near: list[date] = near, platform: str = platform, target: date = target
        ) -> tuple[int, int, date]:
            repeats = any(abs((at - other).days) < PERSON_DAYS for other in near)
            return taken[platform, at] + repeats, abs((at - target).days), at

        best = min(free_days(row, days) or days, key=cost)
        on[row["kol_id"]] = best
        taken[platform, best] += 1
        placed.setdefault(person, []).append((best, str(row["display_name"]), brief_id))
    return on


def campaign_days(brief: Mapping[str, Any], as_of: pd.Timestamp) -> tuple[list[date], list[str]]:
    """Return the days on which to publish, and what is wrong with them by `CLASHES`."""
    starts, ends = brief.get("starts_at"), brief.get("ends_at")
    troubles = ["no_dates"] if starts is None or ends is None else []
    today = as_of.date()
    ready, start = today + timedelta(days=LEAD_DAYS), today if starts is None else starts.date()
    end = max(start, ready) + timedelta(days=OPEN_DAYS - 1) if ends is None else ends.date()
    first = max(start, ready)
    if first > end:
        first = max(start, today + timedelta(days=1))
        troubles.append("short_notice" if first <= end else "over")
    count = (end - first).days + 1
    return [first + timedelta(days=day) for day in range(count)], troubles


def free_days(row: Mapping[Any, Any], days: Sequence[date]) -> list[date]:
    """Return the days of a campaign on which a KOL is available."""
    first, last = row["available_from"], row["available_to"]
    return [
        day
        for day in days
        if not (known(first) and day < first.date()) and not (known(last) and day > last.date())
    ]


def window(row: Mapping[Any, Any]) -> str:
    """Write when a KOL is available; empty where nothing was told."""
    ends = [f"{row[name]:%Y-%m-%d}" if known(row[name]) else "" for name in _WINDOW]
    return " – ".join(ends).strip() if any(ends) else ""


_WINDOW = ("available_from", "available_to")


def _shares(days: Sequence[date], count: int) -> list[date]:
    """Share a campaign's days out evenly: the middle of each one's part."""
    if not days:
        return [date.min] * count
    return [days[int((place + 0.5) * len(days) / count)] for place in range(count)]


def _person(row: Mapping[Any, Any]) -> str:
    return str(row["person_id"] if known(row["person_id"]) else row["kol_id"])


def _clashes(
    row: Mapping[Any, Any],
    on: Mapping[str, date],
    chosen: Sequence[Mapping[Any, Any]],
    placed: Placed,
    brief_id: str,
    language: Language,
) -> list[str]:
    """Say who else publishes on a KOL's day and platform, and what else the person publishes."""
    told, own = [], on[row["kol_id"]]
    crowd = [
        str(other["display_name"])
        for other in chosen
        if other["kol_id"] != row["kol_id"]
        and other["platform"] == row["platform"]
        and on.get(other["kol_id"]) == own
    ]
    if crowd:
        told.append(CLASHES["crowded"].in_(language).format(names=_joined(crowd, language)))
    again = [
        f"{name} {at:%m-%d} ({brief})"
        for at, name, brief in placed[_person(row)]
        if (at, name, brief) != (own, str(row["display_name"]), brief_id)
        and abs((at - own).days) < PERSON_DAYS
    ]
    if again:
        words = CLASHES["same_person"].in_(language)
        told.append(words.format(days=PERSON_DAYS, names=_joined(again, language)))
    return told


def _against(works: Iterable[Work], day: date, language: Language) -> list[str]:
    """Say which work for competitors lies too close to a day."""
    told = []
    for work in works:
        if not work.published:
            name = "rival_pending"
        elif abs((day - work.at).days) <= EXCLUSIVITY_DAYS:
            name = "rival"
        else:
            continue
        words = CLASHES[name].in_(language)
        told.append(words.format(at=work.at, brand=work.brand, days=EXCLUSIVITY_DAYS))
    return told


def _table(
    chosen: Sequence[Mapping[Any, Any]],
    on: Mapping[str, date],
    told: Mapping[str, Sequence[str]],
    language: Language,
) -> pd.DataFrame:
    rows = []
    for row in chosen:
        day = on.get(row["kol_id"])
        after = {f"measure_{days}": _told(day, days) for days in HORIZONS}
        rows.append(
            dict(row)
            | after
            | {
                "publish_on": _told(day, 0),
                "weekday": WEEKDAYS[day.weekday()].in_(language) if day else "",
                "script_due": _told(day, -SCRIPT_DAYS),
                "cut_due": _told(day, -CUT_DAYS),
                "window": window(row),
                "clashes": "\n".join(told[row["kol_id"]]),
            }
        )
    frame = pd.DataFrame(rows).sort_values(["publish_on", "priority"], ignore_index=True)
    return worded(frame, language)[[heading.column for heading in COLUMNS]]


def _told(day: date | None, shift: int) -> str:
    return "" if day is None else f"{day + timedelta(days=shift):%Y-%m-%d}"


def _joined(names: Iterable[str], language: Language) -> str:
    return ("、" if language == "zh" else ", ").join(names)
