"""Why a KOL is on the list, in words and in figures: three reasons, and what each family adds."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from features.evidence import best_posts, excerpt, spans
from features.history import History
from features.pipeline import FeaturePipeline
from matcher.names import name_of
from matcher.reasons.figures import Facts, Post, Reason
from matcher.reasons.phrases import PHRASES, drawn

REASONS_WANTED = 3
FIGURES = (
    *("content.best", "content.top3", "content.topic_share", "content.bio"),
    *("affinity.posts_recent", "vectors.mean_cosine", "audience.match", "category.vertical_posts"),
    *("price.per_view", "engagement.completion", "growth.followers_90", "growth.views"),
    *("sponsored.views", "record.delivered", "record.views_per_cost", "record.conversion"),
    *("style.posts_90", "reputation.incidents", "rivalry.recent"),
)
"""Signals of a match that are told to whoever compares it with another."""


def facts_of(
    pairs: pd.DataFrame,
    signals: pd.DataFrame,
    currency: pd.Series[Any],
    history: History,
    pipeline: FeaturePipeline,
) -> list[Facts]:
    """Gather what may be said about each match.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS of the matches.
    signals : DataFrame
        Their signals, their standing (`matcher.reasons.comparisons.among_candidates`) and the band
        of prices (``price.low``, ``price.high``), aligned.
    currency : Series
        Currency of each offer, null without one.
    history : History
        The tables.
    pipeline : FeaturePipeline
        Where the signals came from.
    """
    config = pipeline.config
    posts = _posts(best_posts(pairs, history, pipeline.embeddings, config), len(pairs))
    vertical = history.tables.briefs.set_index("brief_id")["vertical"].reindex(pairs["brief_id"])
    known = pd.concat([signals, spans(pairs, history, config)], axis=1)
    return [
        Facts(
            {str(name): float(value) for name, value in values.items()},
            vertical=_text(topic),
            vertical_zh=name_of("vertical", _text(topic)).zh,
            currency=_text(money),
            posts=shown,
            most_posts=config.recent_posts,
            rivalry_days=config.rivalry_days,
        )
        for values, shown, money, topic in zip(
            known.to_dict("records"), posts, currency, vertical, strict=True
        )
    ]


def by_family(contributions: pd.DataFrame) -> pd.DataFrame:
    """Add up what the signals of each family add to a score.

    Of a model these are exact SHAP values (Lundberg et al., 2018), whose sum over a family is what
    it adds to the margin of a pair.
    """
    return contributions.T.groupby(contributions.columns.str.split(".").str[0]).sum().T


def explain(facts: list[Facts], families: pd.DataFrame) -> pd.DataFrame:
    """Give three reasons for each match, or as many as can be proven.

    Families that raised the score speak first, the strongest first; where fewer than three of them
    have something to tell, so do the others, in the same order. None tells what is not in favour.

    Parameters
    ----------
    facts : list of Facts
        Of each match.
    families : DataFrame
        What each family adds to each score (`by_family`), aligned.

    Returns
    -------
    DataFrame, aligned to `families`
        reasons_en and reasons_zh (tuples of str); evidence, the figures behind them and the posts
        closest to the brief; contributions, what each family adds; figures, those by which a match
        is compared with another. The last three are dicts.
    """
    parts = families.to_dict("records")
    told = [
        _reasons(known, {str(name): float(value) for name, value in row.items()})
        for known, row in zip(facts, parts, strict=True)
    ]
    return pd.DataFrame(
        {
            "reasons_en": [tuple(r.en for r in reasons) for reasons in told],
            "reasons_zh": [tuple(r.zh for r in reasons) for reasons in told],
            "evidence": [
                _quoted(known.posts)
                | {name: value for r in reasons for name, value in r.evidence.items()}
                for known, reasons in zip(facts, told, strict=True)
            ],
            "contributions": [
                {str(name): float(f"{value:.6g}") for name, value in row.items()} for row in parts
            ],
            "figures": [_figures(known) for known in facts],
        },
        index=families.index,
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
    # Day 0 stands for a time that nobody told.
    told = best["published_at"] > pd.Timestamp(0, tz="UTC")
    days = best["published_at"].dt.strftime("%Y-%m-%d").where(told, "")
    # Many matches quote the same post.
    shown = best["text"].map({text: excerpt(text) for text in best["text"].unique()})
    columns = (best["pair"], best["post_id"], shown, best["cosine"], paid, days)
    for pair, post_id, text, cosine, sponsored, day in zip(*columns, strict=True):
        found[pair].append(Post(post_id, text, cosine, sponsored, day))
    return [tuple(posts) for posts in found]


def _quoted(posts: tuple[Post, ...]) -> dict[str, float | str]:
    """Return which posts show the fit."""
    told: dict[str, float | str] = {}
    for place, post in enumerate(posts, start=1):
        told[f"content.post_{place}"] = post.post_id
        told[f"content.post_{place}_cosine"] = float(f"{post.cosine:.6g}")
        told |= {f"content.post_{place}_text": post.excerpt} if post.excerpt else {}
        told |= {f"content.post_{place}_day": post.published} if post.published else {}
    return told


def _figures(facts: Facts) -> dict[str, float | str]:
    seen = facts.engagement_seen
    own = {} if math.isnan(seen) else {"engagement.seen": float(f"{seen:.6g}")}
    return facts.evidence(*FIGURES) | own


def _reasons(facts: Facts, parts: dict[str, float]) -> list[Reason]:
    reasons: list[Reason] = []
    # Of equals, such as all those that do not rank where there is no model, as `PHRASES` has them.
    for family in sorted(PHRASES, key=lambda name: -parts.get(name, 0.0)):
        reason = PHRASES[family](facts)
        if reason is not None:
            reasons.append(reason)
        if len(reasons) == REASONS_WANTED:
            break
    return reasons


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)
