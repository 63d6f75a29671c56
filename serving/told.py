"""A run's tables as people read them: with brief and brand, words for codes, one cell each."""

from __future__ import annotations

from typing import Any

import pandas as pd

from matcher.names import WORDS
from matcher.risk.advice import ADVICE
from matcher.wording import Language
from serving.evidence import in_words

HIGH_RISK = 0.3
"""Total risk from which a match is marked."""
_ABOUT_BRIEF = ("title", "brand_name", "goal")
_OWN = {
    "rank": "other_rank",
    "display_name": "other_name",
    "title": "past_title",
    "brand_name": "past_brand",
}
"""What successors and precedents tell of themselves, beside the same of the match."""
_ABOUT_MATCH = (
    *("rank", "display_name", "platform", "tier", "followers", "price_low", "price_high"),
    *("accept", "risk", "marks", "reasons", "caution", "value_unit", "in_plan"),
    *("views_p10", "views_p50", "views_p90", "roi_p50"),
)


def matches_told(
    matches: pd.DataFrame, planned: pd.DataFrame, briefs: pd.DataFrame, language: Language
) -> pd.DataFrame:
    """Return matches with who is in the plan, what money buys, and what to look at twice.

    Parameters
    ----------
    matches : DataFrame
        `serving.results.MATCHES`, evidence as dicts.
    planned : DataFrame
        `serving.results.PLANNED`.
    briefs : DataFrame
        BRIEFS, for title, brand and goal; those not in it get none.
    language : {"zh", "en"}
        Language of words.
    """
    frame = with_brief(matches, briefs)
    chosen = planned[(planned["step"] == 1) & planned["chosen"].astype(bool)]
    keys = pd.MultiIndex.from_frame(frame[["brief_id", "kol_id"]])
    in_plan = keys.isin(pd.MultiIndex.from_frame(chosen[["brief_id", "kol_id"]]))
    frame = frame.assign(
        in_plan=in_plan,
        value_unit=frame["goal"],
        value_per_thousand=per_thousand(frame),
        marks=marks(frame, language),
        reasons=matches[f"reasons_{language}"].map("\n".join).to_numpy(),
        caution=matches[f"caution_{language}"].to_numpy(),
        evidence=[in_words(evidence, language) for evidence in matches["evidence"]],
    )
    return worded(frame, language)


def options_told(options: pd.DataFrame, told: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return modes with who offers them; `told` is of `matches_told`."""
    frame = _with_match(options, told)
    frame = frame.assign(value_per_thousand=per_thousand(frame), why=options[f"why_{language}"])
    return worded(frame, language)


def risks_told(risks: pd.DataFrame, told: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return risks with whom they are of, what to do and which clause to ask for."""
    frame = _with_match(risks, told)
    advice = {
        part: {kind: getattr(of, part).in_(language) for kind, of in ADVICE.items()}
        for part in ("label", "response", "clause")
    }
    kind = risks["kind"]
    return frame.assign(
        kind=kind.map(advice["label"]).fillna(kind),
        evidence=risks[f"evidence_{language}"].map("\n".join),
        response=kind.map(advice["response"]),
        clause=kind.map(advice["clause"]),
    )


def plans_told(plans: pd.DataFrame, briefs: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return plans with their briefs, words and notes; steps other than the plan too."""
    frame = with_brief(plans, briefs)
    states = {code: text.in_(language) for code, text in WORDS["step_status"].items()}
    frame = frame.assign(
        value_unit=frame["goal"],
        status=plans["status"].map(states).to_numpy(),
        notes=plans[f"notes_{language}"].map("\n".join).to_numpy(),
    )
    return worded(frame, language, but=("status",))


def planned_told(planned: pd.DataFrame, told: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return who is in the plan, by what they bring, then who is not, by the cut they need."""
    frame = _with_match(planned[planned["step"] == 1].reset_index(drop=True), told)
    chosen = frame["chosen"].astype(bool)
    entry = frame["entry_price"].where(~chosen)
    frame = frame.assign(
        place=chosen,
        cut=(1 - entry / frame["price"].where(frame["price"] > 0)).clip(lower=0),
        _brief=pd.factorize(frame["brief_id"])[0],
        _out=~chosen,
        _brings=frame["value"].where(chosen, 0),
    )
    frame = frame.sort_values(
        ["_brief", "_out", "_brings", "cut", "rank", "kol_id"],
        ascending=[True, True, False, True, True, True],
        kind="stable",
    )
    return worded(frame.reset_index(drop=True), language)


def related_told(related: pd.DataFrame, told: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return successors, or precedents, with the match that each belongs to."""
    frame = _with_match(related.rename(columns=_OWN), told)
    if "at" in frame:
        frame["at"] = frame["at"].dt.strftime("%Y-%m-%d")
    return worded(frame, language)


def exclusions_told(
    exclusions: pd.DataFrame, matches: pd.DataFrame, briefs: pd.DataFrame, language: Language
) -> pd.DataFrame:
    """Return, for each brief, whom each filter refused, in words and as a share of the roster."""
    frame = with_brief(exclusions, briefs)
    roster = frame.groupby("brief_id")["kols"].transform("sum")
    return frame.assign(
        text=frame[f"text_{language}"].fillna(frame["reason"]),
        share=frame["kols"] / roster.where(roster > 0),
        listed=frame["brief_id"].map(matches["brief_id"].value_counts()).fillna(0),
    )


def with_brief(frame: pd.DataFrame, briefs: pd.DataFrame) -> pd.DataFrame:
    """Add title, brand and goal of each row's brief."""
    about = briefs.drop_duplicates("brief_id").set_index("brief_id")
    told = about.reindex(columns=[*_ABOUT_BRIEF])
    return frame.join(told, on="brief_id").reset_index(drop=True)


def worded(frame: pd.DataFrame, language: Language, but: tuple[str, ...] = ()) -> pd.DataFrame:
    """Replace codes by words, column by column."""
    changed: dict[str, Any] = {}
    for column in [name for name in WORDS if name in frame and name not in but]:
        told = {code: text.in_(language) for code, text in WORDS[column].items()}
        values = frame[column].map(_code, na_action="ignore").astype(object)
        changed[column] = values.map(told).fillna(values)
    return frame.assign(**changed)


def per_thousand(frame: pd.DataFrame) -> pd.Series[Any]:
    """Return what 1,000 of the price is expected to be worth; null without a price."""
    price = frame["price"].astype(float)
    return 1000 * frame["value"].astype(float) / price.where(price > 0)


def marks(frame: pd.DataFrame, language: Language) -> list[str]:
    """Return what to look at twice in each match, in words; `frame` has `goal`."""
    told = {
        "loss": (frame["goal"] == "conversion") & (frame["roi_p50"] < 0),
        "risk": frame["risk"] >= HIGH_RISK,
        "dear": frame["price"] > frame["price_high"] * (1 + 1e-9),
        "declining": frame["stage"] == "declining",
        "drawn": frame["explored"].fillna(False).astype(bool),
    }
    words = WORDS["mark"]
    separator = "、" if language == "zh" else "; "
    rows = pd.DataFrame(told).to_dict("records")
    return [
        separator.join(words[str(name)].in_(language) for name, holds in row.items() if holds)
        for row in rows
    ]


def _with_match(frame: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Add what is told of the match of each row, where the row does not tell it itself."""
    extra = [name for name in (*_ABOUT_BRIEF, *_ABOUT_MATCH) if name in told and name not in frame]
    about = told.drop_duplicates(["brief_id", "kol_id"]).set_index(["brief_id", "kol_id"])
    return frame.join(about[extra], on=["brief_id", "kol_id"]).reset_index(drop=True)


def _code(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
