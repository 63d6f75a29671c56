"""What lists say: headings, sheet names and the words for codes, in Chinese and English.

The words themselves are in ``headings.toml``; those of codes in `matcher.names`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, get_args

from matcher.names import WORDS
from matcher.wording import Text

Style = Literal[
    "text",
    "id",
    "long",
    "integer",
    "number",
    "decimal",
    "money",
    "percent",
    "rate",
    "ratio",
]
"""How cells are written: numbers by what they count, texts in one line or in several."""
Look = Literal["", "bar", "scale", "risk", "loss", "warn", "chosen"]
"""How a sheet shows a column; ``headings.toml`` says what each means."""


@dataclass(frozen=True)
class Heading:
    """One column of a list.

    Attributes
    ----------
    column : str
        Column of the frame.
    head, about : Text
        What stands over it, and what it means.
    style : str
        How its cells are written.
    width : int
        In characters of a sheet's default font.
    look : str
        How a sheet shows it.
    """

    column: str
    head: Text
    style: Style
    width: int
    about: Text
    look: Look = ""


_ENDS = (
    ("p50", Text("", ""), Text("中位数", "median")),
    (
        "p10",
        Text("（低）", ", low"),
        Text("十分之九的情形高于此值", "nine in ten futures lie above"),
    ),
    (
        "p90",
        Text("（高）", ", high"),
        Text("十分之一的情形高于此值", "one in ten futures lies above"),
    ),
)
"""Quantiles of a figure: the usual one first, then the ends."""


def read_words(name: str) -> dict[str, Any]:
    """Read a TOML file that lies beside this module."""
    return tomllib.loads(files("serving").joinpath(name).read_text(encoding="utf-8"))


def _columns() -> Iterator[tuple[str, Heading]]:
    for name, told in read_words("headings.toml").items():
        head, about = Text(**told["head"]), Text(**told["about"])
        style, width, look = told["style"], told["width"], told.get("look", "")
        if style not in get_args(Style) or look not in get_args(Look):
            raise ValueError(f"Got style={style!r}, look={look!r} of {name} in headings.toml")
        column = name.rpartition(".")[2]
        if not told.get("quantiles"):
            yield name, Heading(column, head, style, width, about, look)
            continue
        for end, which, means in _ENDS:
            yield (
                f"{name}_{end}",
                Heading(
                    f"{column}_{end}",
                    Text(head.zh + which.zh, head.en + which.en),
                    style,
                    width + 2 * bool(which.en),
                    Text(f"{about.zh}（{means.zh}）", f"{about.en} ({means.en})"),
                    look,
                ),
            )


COLUMNS: Mapping[str, Heading] = MappingProxyType(dict(_columns()))
"""Every column that a list may have, by its name in ``headings.toml`` and quantile."""
CHOSEN = tuple(
    dict.fromkeys(WORDS[name]["true"] for name in ("in_plan", "place", "role", "recommended"))
)
"""What a column of look ``chosen`` says of a row that is to be green."""


def columns(names: str) -> tuple[Heading, ...]:
    """Return headings by their names, which blanks divide; ``views_`` stands for its quantiles."""
    ends = [end for end, _, _ in _ENDS]
    found: list[Heading] = []
    for name in names.split():
        wanted = [f"{name}{end}" for end in ends] if name.endswith("_") else [name]
        found += [COLUMNS[one] for one in wanted]
    if len({heading.column for heading in found}) < len(found):
        raise ValueError(f"Got a column twice among {names}")
    return tuple(found)


BRIEF = "brief_id title brand_name"
KOL = "display_name platform tier"
RETURNS = (
    "engagement_rate engagements_ ctr clicks_p50 cvr orders_ gmv_ refund_rate cpm_ cpe_p50 cpa_p50"
)
_TELLING = f"""
    {BRIEF} rank {KOL} followers in_plan marks mode price currency
    value value_unit value_per_thousand views_ roi_ accept risk fit
    reasons caution stage halving price_low price_high median_views
"""
_RECORD = "evidence basis score explored list_chance person_id kol_id"
MATCHES = columns(f"{_TELLING} cpm_p50 cpe_p50 cpa_p50 {_RECORD}")
"""What a sheet shows of a match: what a planner decides by comes first."""
MATCHES_FILE = columns(f"{_TELLING} {RETURNS} {_RECORD}")
"""What its CSV file holds: the forecasts too, which have a sheet of their own."""
PLANS = columns(
    f"""{BRIEF} goal status budget spent currency plan.kols plan.value plan.value_p10
    plan.value_p90 reach views_ roi_ orders_ gmv_ plan.risk notes gap"""
)
STEPS = columns(
    f"""{BRIEF} goal step status budget spent currency plan.kols plan.value plan.value_p10
    plan.value_p90 reach views_p50 roi_p50 plan.risk"""
)
PLANNED = columns(
    f"""{BRIEF} place rank {KOL} mode planned.price currency planned.value reach
    entry_price cut views_ roi_p50 accept risk marks reasons caution kol_id"""
)
OPTIONS = columns(
    f"""{BRIEF} rank {KOL} mode recommended price currency price_low price_high value value_unit
    value_per_thousand views_ roi_ accept signed why engagement_rate cvr gmv_p50 cpm_p50 cpe_p50
    cpa_p50 kol_id"""
)
FORECAST = columns(
    f"{BRIEF} rank {KOL} in_plan mode price currency views_ {RETURNS} roi_ accept kol_id"
)
RISKS = columns(
    f"""{BRIEF} rank {KOL} in_plan total.risk kind risk.score weight risk.evidence response clause
    kol_id"""
)
SUCCESSORS = columns(
    f"""{BRIEF} rank display_name other_rank other_name platform tier similarity
    growth price currency successor_id kol_id"""
)
PRECEDENTS = columns(
    f"""{BRIEF} rank display_name with_name past_title past_brand similarity mode
    precedent.status precedent.at precedent.cost currency precedent.views precedent.engagements
    precedent.orders precedent.gmv collaboration_id kol_id"""
)
EXCLUDED = columns(f"{BRIEF} text kols share listed")

SHEETS = {
    "matches": Text("匹配结果", "Matches"),
    "plans": Text("方案总览", "Plans"),
    "planned": Text("投放方案", "Plan"),
    "steps": Text("预算测算", "Budget steps"),
    "options": Text("合作形式", "Modes"),
    "forecast": Text("效果预估", "Forecast"),
    "risks": Text("风险清单", "Risks"),
    "successors": Text("接替人选", "Successors"),
    "precedents": Text("同类案例", "Precedents"),
    "exclusions": Text("排除情况", "Excluded"),
    "about": Text("说明", "About"),
}
"""Names of sheets."""
ABSENT = {
    "matches": Text(
        "本次没有符合条件的达人，原因见“排除情况”",
        "No KOL may serve these briefs; see the sheet Excluded",
    ),
    "plans": Text(
        "没有投放方案：需求没有预算，或达人没有可用的报价与预期价值",
        "No plan: the briefs have no budget, or the KOLs no quote or expected value",
    ),
    "planned": Text("没有入选达人", "Nobody was chosen"),
    "steps": Text("没有其他预算档位的测算", "No other budgets were tried"),
    "options": Text("没有合作形式的对比", "No modes were compared"),
    "forecast": Text(
        "没有效果预估：没有可学习的合作结果", "No forecast: there are no outcomes to learn from"
    ),
    "risks": Text("没有发现具名风险", "No named risk was found"),
    "successors": Text(
        "没有内容相近、报价更低且处于上升期的达人", "No rising, cheaper look-alike was found"
    ),
    "precedents": Text("没有可参考的同类合作", "No similar past campaign was found"),
    "exclusions": Text("没有排除记录", "Nobody was screened"),
}
"""What is said of a sheet that has no rows."""
LEFT_OUT = Text("本表未含", "Not in this workbook")

CONTENT_ONLY = Text(
    "注意：没有可学习的历史成效，本次仅按内容与受众相似度排序，不预测效果。",
    "Note: without past outcomes to learn from, KOLs are ranked by likeness of content and "
    "audience only; nothing here predicts results.",
)
FROM_OUTCOMES = Text(
    "排序由模型从以往合作的实际结果中学习得到。",
    "The ranking was learned from what past collaborations really brought.",
)
FROM_JUDGMENTS = Text(
    "排序由模型从人工评分中学习得到，不预测合作效果。",
    "The ranking was learned from the grades that people gave; nothing here predicts results.",
)
RESTS_ON = {
    "outcomes": FROM_OUTCOMES,
    "judgments": FROM_JUDGMENTS,
    "content": CONTENT_ONLY,
}
"""What a run says of its basis."""
METHOD = (
    Text(
        "预估均给出区间：低值为十分之一分位，高值为十分之九分位；请以区间而非单点向品牌方承诺。",
        "Forecasts are intervals: low is the tenth percentile, high the ninetieth; promise a "
        "brand the interval, not the point.",
    ),
    Text(
        "空白为未知，不是 0；整列空白的列已隐藏。绿色行为方案入选，琥珀色为需要留意，红字为负。",
        "An empty cell is unknown, not 0; columns that are empty throughout are hidden. Green "
        "rows are in the plan, amber is to be looked at, red figures are negative.",
    ),
)
"""How to read the figures."""
RUN = {
    "run_id": Text("批次", "Run"),
    "as_of": Text("数据截至（UTC）", "Known before (UTC)"),
    "created_at": Text("生成时间（UTC）", "Made at (UTC)"),
    "model_version": Text("模型版本", "Model version"),
    "model_hash": Text("模型指纹", "Model digest"),
    "encoder_id": Text("文本编码器", "Text encoder"),
    "config_hash": Text("配置指纹", "Settings digest"),
    "seed": Text("随机种子", "Seed"),
    "top": Text("每个需求最多推荐", "Matches per brief, at most"),
    "data_versions": Text("数据版本", "Data versions"),
}
REDACTED = Text(
    "因删除个人信息，本名单于 {time} 移除了达人：其余排名与各项合计保持发布时的数值，不再重算。",
    "On {time} a KOL was erased from this list, as personal data: ranks of the others and all "
    "totals stay as they were published and are not reckoned anew.",
)
"""What a run says from which somebody was erased."""
NO_MODEL = Text("无模型", "none")
COLUMN, MEANING = Text("列", "Column"), Text("含义", "Meaning")
