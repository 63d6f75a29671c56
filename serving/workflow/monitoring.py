"""Sheets to fill in as a campaign runs, which `kolmatch ingest` reads back.

``collaborations.xlsx`` takes what was signed, ``outcomes.xlsx`` what came after 1, 7 and 30 days.
``mapping.toml`` beside them leaves out rows that are not filled in yet, and says in which zone
dates are told::

    kolmatch ingest monitoring --mapping monitoring/mapping.toml --lake lake
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from features.contract import COLLABORATIONS
from features.tables import Tables
from features.whole import write_whole
from matcher.names import WORDS
from matcher.wording import Language, Text
from serving.headings import SHEETS, Heading, Style
from serving.publish import Run
from serving.sheets import Sheet, open_book
from serving.workflow.calendar import HORIZONS
from serving.workflow.campaign import Campaign, known

ZONES = {"zh": "Asia/Shanghai", "en": "UTC"}
"""Zone in which a reader of each language tells dates."""
_NAMES = {
    "collaborations": Text("合作记录", "collaborations"),
    "outcomes": Text("效果数据", "outcomes"),
}
"""Names of the sheets, by which `kolmatch ingest` knows the tables."""
_KEPT_FOR = {"collaborations": "status", "outcomes": "measured_at"}
"""Rows without these are not filled in yet."""
STATUSES = ("contacted", "declined", "signed", "delivered", "cancelled")
"""Statuses to choose from."""


def _head(column: str, zh: str, style: Style, width: int, about: Text) -> Heading:
    # English headers are the contract's own names, Chinese ones its aliases; helpers are neither.
    return Heading(column, Text(zh, column), style, width, about)


_GIVEN = Text("已填好，请勿改动", "Given; leave it as it is")
_OPTIONAL = Text("没有则留空，不要填 0", "Leave empty where unknown; 0 means none came")
_TIME = Text("如 2026-07-20 或 2026-07-20 18:30", "Such as 2026-07-20 or 2026-07-20 18:30")
_SAME_DAY = Text("与提报同日签约的，请写到时分", "With its hour if signed on the day of the list")
_CHOSEN = Text("从下拉列表选；空行不会导入", "From the list; an empty row is left out")
_READ = Text("数据截取的时间；空行不会导入", "When it was read; an empty row is left out")
_SUM = Text("点赞+评论+分享+收藏", "Likes + comments + shares + saves")
_MODE = Text("改了合作形式请更新", "Change it if the mode changed")
_COST = Text("实际签约金额", "What was agreed")
_MONEY = Text("金额的币种", "Of the amounts")
_GROSS = Text("未扣退款", "Before refunds")
HEADS = {
    "collaborations": (
        _head("collaboration_id", "合作编号", "id", 22, _GIVEN),
        Heading("name", Text("达人", "KOL"), "text", 18, _GIVEN),
        _head("brief_id", "需求编号", "id", 14, _GIVEN),
        _head("kol_id", "达人ID", "id", 16, _GIVEN),
        _head("mode", "合作形式", "text", 14, _MODE),
        _head("status", "合作状态", "text", 12, _CHOSEN),
        _head("status_at", "状态时间", "id", 18, _TIME),
        _head("shown_at", "提报时间", "id", 22, _GIVEN),
        _head("position", "排名", "integer", 8, _GIVEN),
        _head("propensity", "倾向分", "decimal", 8, _GIVEN),
        _head("signed_at", "签约时间", "id", 18, _SAME_DAY),
        _head("published_at", "发布时间", "id", 18, _TIME),
        _head("cost", "成交价", "money", 12, _COST),
        _head("currency", "币种", "text", 11, _MONEY),
        Heading("planned", Text("计划价", "planned"), "money", 12, _GIVEN),
    ),
    "outcomes": (
        _head("collaboration_id", "合作编号", "id", 22, _GIVEN),
        Heading("name", Text("达人", "KOL"), "text", 18, _GIVEN),
        _head("horizon_days", "统计天数", "integer", 14, _GIVEN),
        Heading("due", Text("计划回收日", "due"), "id", 13, _GIVEN),
        _head("measured_at", "统计时间", "id", 18, _READ),
        _head("views", "播放量", "integer", 12, _OPTIONAL),
        _head("engagements", "互动量", "integer", 14, _SUM),
        _head("shares", "分享量", "integer", 10, _OPTIONAL),
        _head("saves", "收藏量", "integer", 10, _OPTIONAL),
        _head("clicks", "点击量", "integer", 10, _OPTIONAL),
        _head("orders", "订单量", "integer", 10, _OPTIONAL),
        _head("gmv", "成交额", "money", 12, _GROSS),
        _head("refunded_gmv", "退款额", "money", 15, _OPTIONAL),
        _head("currency", "币种", "text", 11, _MONEY),
    ),
}
"""Columns of the sheets."""
TO_FILL_IN = {
    "collaborations": ("status", "status_at", "signed_at", "published_at", "cost"),
    "outcomes": (
        *("measured_at", "views", "engagements", "shares", "saves"),
        *("clicks", "orders", "gmv", "refunded_gmv"),
    ),
}
"""Columns that people fill in."""


def write_monitoring(
    folder: Path,
    run: Run,
    campaign: Campaign,
    dates: pd.DataFrame,
    tables: Tables,
    language: Language,
) -> list[Path]:
    """Write the sheets of a plan and their mapping to a folder.

    Parameters
    ----------
    folder : Path
        Where to.
    run : Run
        Whose list was shown, and when.
    campaign : Campaign
        The plan.
    dates : DataFrame
        `serving.workflow.calendar.schedule` of it.
    tables : Tables
        For collaborations that are on record already.
    language : {"zh", "en"}
        Language of headers and words; `kolmatch ingest` reads both.
    """
    signed = _collaborations(run, campaign, tables, language)
    frames = {"collaborations": signed, "outcomes": _outcomes(signed, dates)}
    words = tuple(WORDS["status"][code].in_(language) for code in STATUSES)
    made = []
    for name, frame in frames.items():
        sheet = Sheet(
            name,
            _NAMES[name],
            HEADS[name],
            frame,
            fixed="name",
            fill_in=TO_FILL_IN[name],
            choices={"status": words} if name == "collaborations" else {},
        )
        made.append(folder / f"{name}.xlsx")
        with open_book(made[-1], run.run_id, run.created_at, language) as book:
            book.table(sheet)
            book.meanings(book.page(SHEETS["about"]), 0, sheet.columns)
    return [*made, write_whole(folder / "mapping.toml", _mapping(language))]


def _collaborations(
    run: Run, campaign: Campaign, tables: Tables, language: Language
) -> pd.DataFrame:
    """Return a row for each chosen KOL: what is on record of it, or else a new one."""
    known_rows = tables.collaborations.sort_values("shown_at", kind="stable")
    on_record = {(row["brief_id"], row["kol_id"]): row for row in known_rows.to_dict("records")}
    rows = []
    for member in campaign.chosen.to_dict("records"):
        kol_id = member["kol_id"]
        row = on_record.get((campaign.brief_id, kol_id)) or {
            "collaboration_id": collaboration_id(campaign.brief_id, kol_id),
            "brief_id": campaign.brief_id,
            "kol_id": kol_id,
            "mode": member["mode"],
            "shown_at": run.created_at,
            "position": member["rank"],
            "currency": member["currency"],
        }
        rows.append(row | {"name": member["display_name"], "planned": member["price"]})
    frame = pd.DataFrame(rows).reindex(columns=[*COLLABORATIONS.names, "name", "planned"])
    for column in COLLABORATIONS.columns:
        if column.kind == "time":
            frame[column.name] = frame[column.name].map(_time)
    for name in ("mode", "status"):
        told = {code: text.in_(language) for code, text in WORDS[name].items()}
        frame[name] = frame[name].map(told)
    return frame


def _outcomes(signed: pd.DataFrame, dates: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each collaboration and horizon."""
    due = dates.set_index("kol_id")
    rows = [
        {
            "collaboration_id": row["collaboration_id"],
            "name": row["name"],
            "horizon_days": days,
            "due": due.loc[row["kol_id"], f"measure_{days}"],
            "currency": row["currency"],
        }
        for row in signed.to_dict("records")
        for days in HORIZONS
    ]
    return pd.DataFrame(rows).reindex(columns=[head.column for head in HEADS["outcomes"]])


def collaboration_id(brief_id: str, kol_id: str) -> str:
    """Return the id of a new collaboration: the same for the same brief and KOL, and for no other.

    Examples
    --------
    >>> collaboration_id("b1", "k7"), collaboration_id("b:1", "k7")
    ('b1:k7', 'b%3A1:k7')
    """
    return ":".join(part.replace("%", "%25").replace(":", "%3A") for part in (brief_id, kol_id))


def _time(value: Any) -> str:
    return pd.Timestamp(value).tz_convert("UTC").isoformat() if known(value) else ""


def _mapping(language: Language) -> str:
    """Return what tells `kolmatch ingest` how to read the sheets."""
    about = {
        "zh": "# 未填写的行不导入；不带时区的日期按此时区读取。",
        "en": "# Rows that are not filled in are left out; dates without an offset are of this "
        "zone.",
    }
    parts = [about[language], f'timezone = "{ZONES[language]}"']
    for name, column in _KEPT_FOR.items():
        parts.append(
            f'\n[[table]]\nname = "{name}"\nfile = "{name}.xlsx"\n'
            f'sheet = "{_NAMES[name].in_(language)}"\nskip_if_null = ["{column}"]'
        )
    return "\n".join(parts) + "\n"
