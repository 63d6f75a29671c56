"""Why a KOL is on the list: the families of signals that raised its score most, in words."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pandas as pd

from features.cells import vocabulary
from features.evidence import best_posts, excerpt
from features.history import History
from features.pipeline import FeaturePipeline
from matcher.phrases import PHRASES, Facts, Post, Reason, drawn

REASONS_WANTED = 3
LIKENESS = ("content", "vectors", "audience", "category")
"""Families that decide where there is no model."""


def explain(
    pairs: pd.DataFrame,
    signals: pd.DataFrame,
    currency: pd.Series[Any],
    contributions: pd.DataFrame | None,
    history: History,
    pipeline: FeaturePipeline,
) -> pd.DataFrame:
    """Give up to three reasons for each match.

    A family counts by the sum of its signals' exact SHAP values (Lundberg et al., 2018): what it
    adds to the margin of this pair. Only families that raised the score speak.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS of the matches.
    signals : DataFrame
        Their signals.
    currency : Series
        Currency of each offer, null without one.
    contributions : DataFrame or None
        What each signal adds to each score; ``None`` explains a ranking by likeness.
    history : History
        The tables.
    pipeline : FeaturePipeline
        Where the signals came from.

    Returns
    -------
    DataFrame, aligned to `pairs`
        reasons_en and reasons_zh (tuples of str) and evidence (dict of the figures behind them).
    """
    posts = _posts(best_posts(pairs, history, pipeline.embeddings, pipeline.config), len(pairs))
    vertical = history.tables.briefs.set_index("brief_id")["vertical"]
    raised = _raised(signals, contributions)
    told: list[list[Reason]] = []
    for values, families, shown, money, topic in zip(
        signals.to_dict("records"),
        raised,
        posts,
        currency,
        vertical.reindex(pairs["brief_id"]),
        strict=True,
    ):
        facts = Facts(
            {str(name): float(value) for name, value in values.items()},
            vertical=_text(topic),
            vertical_zh=_in_chinese(_text(topic)),
            currency=_text(money),
            posts=shown,
        )
        told.append(_reasons(facts, families))
    return pd.DataFrame(
        {
            "reasons_en": [tuple(r.en for r in reasons) for reasons in told],
            "reasons_zh": [tuple(r.zh for r in reasons) for reasons in told],
            "evidence": [
                {name: value for r in reasons for name, value in r.evidence.items()}
                for reasons in told
            ],
        },
        index=pairs.index,
        dtype=object,
    )


def explain_draw(reasons: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Say first of those whose place was drawn that it was, by which chance and from which rank.

    Parameters
    ----------
    reasons : DataFrame
        As `explain` gives them.
    places : DataFrame
        explored, list_chance and ranked (`matcher.explore.choose_places`), aligned.
    """
    told = reasons.to_dict("list")
    for place, (explored, chance, rank) in enumerate(
        zip(places["explored"], places["list_chance"], places["ranked"], strict=True)
    ):
        if explored:
            said = drawn(float(chance), float(rank))
            told["reasons_en"][place] = (said.en, *told["reasons_en"][place])
            told["reasons_zh"][place] = (said.zh, *told["reasons_zh"][place])
            told["evidence"][place] = said.evidence | told["evidence"][place]
    return pd.DataFrame(told, index=reasons.index, dtype=object)


def _posts(best: pd.DataFrame, pairs: int) -> list[tuple[Post, ...]]:
    """Return the posts of each pair, closest first."""
    found: list[list[Post]] = [[] for _ in range(pairs)]
    paid = best["is_sponsored"].fillna(False).astype(bool)
    columns = (best[name] for name in ("pair", "post_id", "text", "cosine"))
    for pair, post_id, text, cosine, sponsored in zip(*columns, paid, strict=True):
        found[pair].append(Post(post_id, excerpt(text), cosine, sponsored))
    return [tuple(posts) for posts in found]


def _raised(signals: pd.DataFrame, parts: pd.DataFrame | None) -> list[list[str]]:
    """Return, for each row, the families that raised its score, strongest first."""
    if parts is None:
        return [list(LIKENESS)] * len(signals)
    families = parts.T.groupby(parts.columns.str.split(".").str[0]).sum().T
    found = []
    for row in families.to_dict("records"):
        raising = [(-value, str(name)) for name, value in row.items() if value > 0]
        found.append([name for _, name in sorted(raising)])
    return found


def _reasons(facts: Facts, families: list[str]) -> list[Reason]:
    reasons = []
    for family in families:
        reason = PHRASES[family](facts) if family in PHRASES else None
        if reason is not None:
            reasons.append(reason)
        if len(reasons) == REASONS_WANTED:
            break
    return reasons


@cache
def _in_chinese(vertical: str) -> str:
    """Return the first Chinese word for a vertical, or the vertical as it is written."""
    words = vocabulary().words["vertical"]
    own = (word for word, name in words.items() if name == vertical and not word.isascii())
    return next(own, vertical)


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)
