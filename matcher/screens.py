"""What the command line shows of evaluations and of matches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import pandas as pd

from matcher.console import Terminal
from matcher.model import CONTENT
from matcher.ranker import JUDGMENTS

BRIEFS_SHOWN, PLACES_SHOWN, REASONS_SHOWN = 2, 5, 2
"""How much of a run is printed; the files hold all of it."""
_HEADINGS = {
    "en": ("#", "KOL", "platform", "followers", "price", "fit", "CVR", "why"),
    "zh": ("#", "达人", "平台", "粉丝数", "报价", "匹配度", "转化率", "推荐理由"),
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
            "fit or conversion is forecast.",
            basis=CONTENT,
        )
    if (matches["basis"] == JUDGMENTS).any():
        terminal.say(
            "The champion learned from people's grades alone: fit is the chance of a grade of 3 "
            "or 4, and no views or conversion are forecast.",
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
        "" if pd.isna(match["followers"]) else float(match["followers"]),
        price,
        "" if pd.isna(match["fit"]) else f"{math.floor(100 * match['fit'])}%",
        "" if pd.isna(match["cvr"]) else f"{match['cvr']:.2%}",
        "\n".join(match[f"reasons_{language}"][:REASONS_SHOWN]),
    )


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
