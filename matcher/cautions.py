"""What speaks most against a match, in words: one caution each, always with a figure.

Each rule looks at one thing and says how much it would weigh with a planner, from 0 (nothing wrong,
but least sure) to 1; `matcher.outlook.DECISIVE` outweighs all. The weightiest speaks; what lowered
the score of this match weighs a little more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd

from matcher import misgivings, outlook
from matcher.doubt import Case, Caution
from matcher.figures import Facts

LOWERED = 0.2
"""Weight added in proportion to how far a family lowered the score."""
RULES: tuple[Callable[[Case], Iterator[Caution]], ...] = (
    outlook.returns,
    misgivings.conduct,
    outlook.chances,
    outlook.answer,
    misgivings.price,
    misgivings.posts,
    misgivings.trend,
    misgivings.people,
    misgivings.record,
    misgivings.sponsored,
    misgivings.response,
    misgivings.topic,
    outlook.spread,
    outlook.least_sure,
)
"""What is looked at; of equal weights the first speaks."""


def caution(case: Case) -> Caution:
    """Return what speaks most against a match; where nothing does, what is least sure."""
    lowest = max((-part for part in case.parts.values()), default=0.0)

    def weight(told: Caution) -> float:
        part = -case.parts.get(told.family, 0.0)
        return told.weight + (LOWERED * part / lowest if part > 0 else 0.0)

    return max((told for rule in RULES for told in rule(case)), key=weight)


def cautions(
    matches: pd.DataFrame,
    facts: Sequence[Facts],
    families: pd.DataFrame,
    goals: Sequence[Any],
) -> pd.DataFrame:
    """Return the caution of each match.

    Parameters
    ----------
    matches : DataFrame
        Forecasts and chances by the columns of `serving.results.MATCHES`, as far as they are known.
    facts : sequence of Facts
        What is known of each.
    families : DataFrame
        What each family adds to each score, aligned.
    goals : sequence of str
        Goal of each match's brief, null where it names none.

    Returns
    -------
    DataFrame, aligned to `matches`
        caution_en and caution_zh.
    """
    figures = matches.select_dtypes("number").astype("float64").to_dict("records")
    told = [
        caution(
            Case(
                known,
                {str(name): value for name, value in match.items()},
                goal if isinstance(goal, str) else "",
                {str(name): float(value) for name, value in parts.items()},
            )
        )
        for known, match, goal, parts in zip(
            facts, figures, goals, families.to_dict("records"), strict=True
        )
    ]
    return pd.DataFrame(
        {"caution_en": [c.en for c in told], "caution_zh": [c.zh for c in told]},
        index=matches.index,
        dtype=object,
    )
