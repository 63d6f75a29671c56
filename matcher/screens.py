"""What the command line shows of evaluations and of matches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import pandas as pd

from matcher.accuracy import in_words
from matcher.console import Terminal
from matcher.model import CONTENT
from matcher.ranker import JUDGMENTS
from matcher.reasons.figures import short, wan

BRIEFS_SHOWN, PLACES_SHOWN, REASONS_SHOWN = 2, 5, 2
"""How much of a run is printed; the files hold all of it."""
_HEADINGS = {
    "en": ("#", "KOL", "platform", "price", "fit", "says yes", "views", "ROI", "why"),
    "zh": ("#", "达人", "平台", "报价", "匹配度", "接受概率", "播放量", "ROI", "推荐理由"),
}
_METRICS = {
    "ndcg@10": "NDCG@10",
    "recall@50": "recall@50",
    "map": "MAP",
    "mrr": "MRR",
    "auc": "AUC",
    "first_positive_rank": "first hit",
    "briefs": "briefs",
}
GROUPS_SHOWN = 20
_ACCURACY = {
    "measure": "measure",
    "verdict": "verdict",
    "ratio": "actual / forecast",
    "ratio_low": "from",
    "ratio_high": "to",
    "coverage": "in the 80% interval",
    "n": "rows",
    "briefs": "briefs",
}
_ACCURACY_BY = {"measure": "measure", "by": "by", "group": "group"} | _ACCURACY


class Check(Protocol):
    """What is shown of `training.verdict.Check`, which the matcher may not know."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def passed(self) -> bool: ...  # noqa: D102
    @property
    def words(self) -> str: ...  # noqa: D102


def show_verdict(terminal: Terminal, against: str, window: str, checks: Iterable[Check]) -> None:
    """Print what the gate found, one row a check.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    against, window : str
        What the challenger was compared with, and on which briefs.
    checks : iterable of Check
        In the order made.
    """
    rows = [(check.name, "holds" if check.passed else "NO", check.words) for check in checks]
    title = f"Gate: compared with {against} on {window}"
    terminal.table(["check", "", "found"], rows, title=title)


def show_evaluation(terminal: Terminal, views: Iterable[tuple[str, pd.DataFrame]]) -> None:
    """Print each view's metrics, one row a ranker.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    views : iterable of (str, DataFrame)
        What a view measures, and its summary indexed by ranker.
    """
    for told, summary in views:
        table = summary[list(_METRICS)]
        rows = [
            (str(name), *map(float, row))
            for name, row in zip(table.index, table.to_numpy(), strict=True)
        ]
        terminal.table(["ranker", *_METRICS.values()], rows, title=f"Test briefs: {told}")


def show_matches(
    terminal: Terminal,
    matches: pd.DataFrame,
    exclusions: pd.DataFrame,
    briefs: pd.DataFrame,
    language: str,
) -> None:
    """Print the first places of the first briefs, and why a brief got nobody."""
    nobody = exclusions[(exclusions["reason"] == "eligible") & (exclusions["kols"] == 0)]
    for brief_id in nobody["brief_id"]:
        told = _refused(exclusions, brief_id, language)
        terminal.say(f"{brief_id}: nobody may serve this brief: {told}", brief_id=brief_id)
    if (matches["basis"] == CONTENT).any():
        terminal.say(
            "There is no champion: KOLs are ranked by likeness of content and audience, and no "
            "fit or return is forecast.",
            basis=CONTENT,
        )
    if (matches["basis"] == JUDGMENTS).any():
        terminal.say(
            "The champion learned from people's grades alone: fit is the chance of a grade of 3 "
            "or 4, and no views or returns are forecast.",
            basis=JUDGMENTS,
        )
    titles = briefs.set_index("brief_id")["title"]
    shown = list(dict.fromkeys(matches["brief_id"]))[:BRIEFS_SHOWN]
    for brief_id in shown:
        first = matches[matches["brief_id"] == brief_id].head(PLACES_SHOWN)
        rows = [_row(match, language) for match in first.to_dict("records")]
        # What nobody tells, such as a price where there are texts alone, needs no column.
        filled = [at for at in range(len(_HEADINGS[language])) if any(r[at] != "" for r in rows)]
        terminal.table(
            [_HEADINGS[language][at] for at in filled],
            [tuple(row[at] for at in filled) for row in rows],
            title=f"{brief_id}  {_text(titles.get(brief_id))}".strip(),
        )


def _refused(exclusions: pd.DataFrame, brief_id: str, language: str) -> str:
    rows = exclusions[(exclusions["brief_id"] == brief_id) & (exclusions["reason"] != "eligible")]
    told = zip(rows[f"text_{language}"], rows["kols"], strict=True)
    return "; ".join(f"{text}: {kols:,}" for text, kols in told)


def _row(match: dict[Any, Any], language: str) -> tuple[object, ...]:
    price = "" if pd.isna(match["price"]) else f"{match['price']:,.0f} {_text(match['currency'])}"
    return (
        int(match["rank"]),
        _text(match["display_name"]) or match["kol_id"],
        _text(match["platform"]),
        price,
        _chance(match["fit"]),
        _chance(match["accept"]),
        _views(match, language),
        "" if pd.isna(match["roi_p50"]) else f"{match['roi_p50']:+.0%}",
        "\n".join(match[f"reasons_{language}"][:REASONS_SHOWN]),
    )


def _chance(share: float) -> str:
    """Write a chance, never rounded up: 100% would be a promise."""
    return "" if pd.isna(share) else f"{math.floor(100 * share)}%"


def _views(match: dict[Any, Any], language: str) -> str:
    """Write the median of the views expected, and between what they will lie in 8 of 10 cases."""
    write = wan if language == "zh" else short
    if pd.isna(match["views_p50"]):
        return ""
    middle = write(match["views_p50"])
    if pd.isna(match["views_p10"]):
        return middle
    return f"{middle} ({write(match['views_p10'])}–{write(match['views_p90'])})"


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def show_accuracy(terminal: Terminal, shown: pd.DataFrame, table: pd.DataFrame) -> None:
    """Print how good each forecast was over all, and the groups in which it is surely off.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    shown, table : DataFrame
        Accuracy for people and as it was measured, aligned.
    """
    whole = (table["by"] == "all").to_numpy()
    off = (table["off"] | table["short"]).to_numpy()
    parts = [
        ("Forecast against actual", _ACCURACY, shown[whole]),
        (f"Groups surely off, {GROUPS_SHOWN} of them", _ACCURACY_BY, shown[~whole & off]),
    ]
    for title, columns, part in parts:
        rows = [[_figure(name, row[name]) for name in columns] for row in _records(part)]
        if rows:
            told = title if len(rows) > GROUPS_SHOWN else title.partition(",")[0]
            terminal.table(list(columns.values()), rows[:GROUPS_SHOWN], title=told)
    judged = table[~whole]
    few = int((~judged["enough"].astype(bool)).sum())
    if few:
        terminal.say(
            f"{few:,} of {len(judged):,} groups have too few rows to be judged.",
            groups=len(judged),
            too_few=few,
        )


def show_left_out(terminal: Terminal, told: dict[str, Any]) -> None:
    """Say how many collaborations could be joined, and why others could not."""
    joined, left = int(told["joined"]), told["left_out"]
    if not joined:
        terminal.say("Nothing that came can be held against a forecast yet.", joined=0)
    else:
        terminal.say(f"{joined:,} collaborations are in the ledger.", joined=joined)
    for reason, about in left.items():
        count = int(about["collaborations"])
        if count:
            terminal.say(f"{count:,} are not: {about['why']}.", reason=reason, collaborations=count)
    if told["in_hindsight"]:
        terminal.warn(
            f"{told['in_hindsight']:,} forecasts were made after the choice (match --as-of in "
            "the past) and are not judged: the model may have seen what came",
            in_hindsight=told["in_hindsight"],
        )


def show_drift(
    terminal: Terminal, families: pd.DataFrame, signals: pd.DataFrame, forecasts: pd.DataFrame
) -> None:
    """Print how far families of signals moved, which signals most, and forecasts by month."""
    rows: list[list[object]] = [
        [f["family"], _figure("", f["importance"]), f["psi"], f["moved"], f["signals"]]
        for f in _records(families)
    ]
    heads = ["family", "importance", "PSI", "moved", "signals"]
    terminal.table(heads, rows, title="Signals of the latest briefs against those that taught")
    moved = signals[signals["moved"].astype(bool)].head(GROUPS_SHOWN // 2)
    rows = [
        [s["feature"], _figure("", s["importance"]), s["psi"], s["luck"]] for s in _records(moved)
    ]
    if rows:
        terminal.table(["signal", "importance", "PSI", "luck up to"], rows, title="Moved most")
    judged = forecasts[forecasts["enough"].astype(bool)]
    rows = [
        [f["measure"], f["group"] or "all", in_words(f), f["n"], f["briefs"]]
        for f in _records(judged)
    ]
    if rows:
        heads = ["measure", "month", "verdict", "rows", "briefs"]
        terminal.table(heads, rows, title="Forecast against actual, by month")


def _records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _figure(name: str, value: Any) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.0%}"
    return value
