"""The ledger for people and programs: a workbook, CSV files, and one JSON object."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.columns import EPOCH
from features.jsonable import figure
from features.whole import write_whole
from matcher.accuracy import in_words
from matcher.measures import MEASURES
from matcher.names import WORDS
from matcher.wording import Language, Text
from serving.headings import COLUMNS, Heading, Style
from serving.ledger import REASONS, Reconciled
from serving.privacy.outputs import Door
from serving.sheets import Sheet, sheet_files, write_sheets

GROUP_WORDS = {
    "all": Text("全部", "all"),
    "platform": Text("平台", "platform"),
    "vertical": Text("品类", "vertical"),
    "tier": Text("达人量级", "tier"),
    "model_version": Text("模型版本", "model version"),
    "month": Text("月份", "month"),
}
"""What forecasts are looked at by."""
_NAMES = {measure.name: Text(measure.zh, measure.en) for measure in MEASURES}


def _text(column: str, zh: str, en: str, about_zh: str, about_en: str, width: int = 14) -> Heading:
    return Heading(column, Text(zh, en), "text", width, Text(about_zh, about_en))


def _figure(
    column: str, zh: str, en: str, about_zh: str, about_en: str, style: Style = "percent"
) -> Heading:
    return Heading(column, Text(zh, en), style, 12, Text(about_zh, about_en))


ACCURACY = (
    _text("measure", "指标", "Measure", "所预测的指标", "What was forecast", 22),
    _text("by", "维度", "By", "按何种维度分组", "What the rows are grouped by"),
    _text("group", "分组", "Group", "该维度的取值", "Which group"),
    _text("verdict", "结论", "Verdict", "预测是否有偏", "Whether the forecast is off", 34),
    _figure("n", "样本数", "Rows", "可比较的合作数", "Collaborations compared", "integer"),
    _figure("briefs", "需求数", "Briefs", "涉及的需求数", "Briefs they belong to", "integer"),
    _figure(
        "ratio",
        "实际/预测",
        "Actual over forecast",
        "数量取中位数，比率取总和之比；投入产出比为（1＋实际）/（1＋预测）；100% 为无偏",
        "Median of amounts, totals of rates; of return on cost (1 + actual) over "
        "(1 + forecast); 100% is no bias",
    ),
    _figure("ratio_low", "下限", "Low", "其 95% 区间下限", "Lower end of its 95% interval"),
    _figure("ratio_high", "上限", "High", "其 95% 区间上限", "Upper end of its 95% interval"),
    _figure(
        "coverage",
        "区间覆盖率",
        "Coverage",
        "实际值落入预测区间的比例，应为 80%",
        "Share of actuals inside the forecast's interval; 80% is claimed",
    ),
    _figure("coverage_low", "覆盖率下限", "Coverage, low", "其 95% 区间下限", "Lower end, 95%"),
    _figure("coverage_high", "覆盖率上限", "Coverage, high", "其 95% 区间上限", "Upper end, 95%"),
)
ROWS = (
    _text("collaboration_id", "合作编号", "Collaboration", "合作的编号", "Id of the collaboration"),
    COLUMNS["brief_id"],
    COLUMNS["kol_id"],
    _text("run_id", "批次", "Run", "决策前的最后一批名单", "The last list before the choice", 26),
    _text(
        "as_of", "数据截至（UTC）", "Known before (UTC)", "名单的数据时点", "Moment of the list", 18
    ),
    _text("chosen_at", "决策时间（UTC）", "Chosen (UTC)", "决策或展示时间", "Decided or shown", 18),
    _text(
        "measured_at", "测量时间（UTC）", "Measured (UTC)", "结果的测量时间", "When measured", 18
    ),
    _text("model_version", "模型版本", "Model version", "无模型时为空", "Empty without a model"),
    *(COLUMNS[name] for name in ("rank", "platform", "tier", "mode", "currency", "basis")),
    _text("vertical", "品类", "Vertical", "需求的品类", "Vertical of the brief"),
    _text("goal", "目标", "Goal", "需求的目标", "Goal of the brief"),
)
_PARTS = {
    "forecast": Text("预测", "forecast"),
    "actual": Text("实际", "actual"),
    "low": Text("预测下限", "low"),
    "high": Text("预测上限", "high"),
    "exposure": Text("基数", "out of"),
}


def ledger_told(found: Reconciled, table: pd.DataFrame) -> dict[str, Any]:
    """Return all that a reconciliation found, as JSON has it; what is no number is null.

    Parameters
    ----------
    found : Reconciled
        The ledger.
    table : DataFrame
        `matcher.accuracy.accuracy` of its honest rows.
    """
    groups = [
        {name: figure(value) for name, value in row.items()} | {"verdict": in_words(row)}
        for row in table.to_dict("records")
    ]
    return {
        "joined": len(found.ledger),
        "left_out": {
            reason: {"collaborations": count, "why": REASONS[reason]}
            for reason, count in found.left_out.items()
        },
        "in_hindsight": in_hindsight(found.ledger),
        "horizon_days": found.horizon_days,
        "version": found.version,
        "accuracy": groups,
    }


def in_hindsight(ledger: pd.DataFrame) -> int:
    """Count the rows whose list was made after the choice."""
    return int(ledger["hindsight"].sum())


def write_ledger(
    folder: Path,
    found: Reconciled,
    table: pd.DataFrame,
    language: Language,
    door: Door = nullcontext,
) -> list[Path]:
    """Write a ledger and its accuracy to a folder, each file whole or not at all.

    `door` is told the files before they are written, and held meanwhile.

    Returns
    -------
    list of Path
        ``ledger.<language>.xlsx`` with both, ``accuracy`` and ``ledger`` as CSV, and
        ``ledger.json``. The same ledger gives the same bytes.
    """
    rows = found.ledger
    made = max([EPOCH + pd.Timedelta(days=3653), *rows["as_of"]])  # workbooks begin in 1980
    sheets = [
        Sheet(
            "accuracy",
            Text("预测准确度", "Accuracy"),
            ACCURACY,
            for_people(table, language),
        ),
        Sheet("ledger", Text("对账明细", "Ledger"), *_rows(rows, language)),
    ]
    text = json.dumps(ledger_told(found, table), indent=1, ensure_ascii=False, allow_nan=False)
    last = folder / "ledger.json"
    with door([*sheet_files(folder, "ledger", sheets, language), last]):
        files = write_sheets(folder, "ledger", sheets, made, language)
        return [*files, write_whole(last, text)]


def for_people(table: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return `matcher.accuracy.accuracy` with words for codes, ratios for logs, and a verdict."""
    shown = table.assign(
        measure=[_NAMES[name].in_(language) for name in table["measure"]],
        by=[GROUP_WORDS[name].in_(language) for name in table["by"]],
        group=[
            _word(by, group, language)
            for by, group in zip(table["by"], table["group"], strict=True)
        ],
        verdict=[in_words(row, language) for row in table.to_dict("records")],
    )
    for end in ("", "_low", "_high"):
        logs = table[f"log_ratio{end}"].astype(float)
        # Where nothing was forecast there is no ratio that a cell could hold.
        shown[f"ratio{end}"] = np.exp(logs.replace(math.inf, math.nan))
    return shown


def _rows(ledger: pd.DataFrame, language: Language) -> tuple[tuple[Heading, ...], pd.DataFrame]:
    """Return the columns that hold anything, and the rows as people read them."""
    frame = ledger.copy()
    for column in [name for name in WORDS if name in ledger]:
        frame[column] = [_word(column, code, language) for code in ledger[column]]
    for column in ("as_of", "chosen_at", "measured_at"):
        frame[column] = ledger[column].dt.strftime("%Y-%m-%d %H:%M")
    figures = [
        _measured(measure.name, column, measure.exposure != "")
        for measure in MEASURES
        for column in measure.columns
        if ledger[column].notna().any()
    ]
    return (*ROWS, *figures), frame


def _measured(name: str, column: str, is_rate: bool) -> Heading:
    part = column.removeprefix(f"{name}_")
    head = Text(*(f"{_NAMES[name].in_(lang)} {_PARTS[part].in_(lang)}" for lang in ("zh", "en")))
    rate = is_rate and part == "forecast"
    return Heading(column, head, "rate" if rate else "money", 13, head)


def _word(column: str, code: Any, language: Language) -> str:
    if pd.isna(code):
        return ""
    word = WORDS.get(column, {}).get(str(code))
    return str(code) if word is None else word.in_(language)
