"""What a page tells of one brief: a published run and the tables behind it, as plain JSON.

Everything but the brief's id may be unknown. What is unknown is left out, so that a page shows
nothing where nothing is known. KOLs are named by their place in ``kols``; ids are for reading only.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from features.cells import load_toml
from features.contract import AUDIENCE
from features.tables import Tables
from matcher.reasons.contrast import sides
from matcher.risk.advice import ADVICE
from serving.plain import NAME, TEXT, amount, day, figure, lines, mix, present, words
from serving.portraits import Portraits
from serving.publish import Published, Run
from serving.results import DETAILS

INTERVALS = ("views", "engagements", "orders", "gmv", "cpm", "roi")
"""Forecasts that are told as P10, P50 and P90."""
FIGURES = {
    "clicks": "clicks_p50",
    "cpe": "cpe_p50",
    "cpa": "cpa_p50",
    "er": "engagement_rate",
    "ctr": "ctr",
    "cvr": "cvr",
    "accept": "accept",
    "refunds": "refund_rate",
    "value": "value",
}
"""Forecasts that are one number: name here, and column."""
THE_PLAN = 1.0
"""The step at which a plan has the budget that the brief has."""

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Proposal:
    """One brief's answer.

    Attributes
    ----------
    brief_id : str
        The brief, as the data has it.
    data : dict
        What the page shows: run, brief, kols, plans, funnel, names, each plain JSON.
    """

    brief_id: str
    data: dict[str, Any]

    @property
    def plan(self) -> dict[str, Any] | None:
        """The plan for the brief's own budget; ``None`` without one that can be kept to."""
        plans = [plan for plan in self.data["plans"] if plan["step"] == THE_PLAN]
        return plans[0] if plans and plans[0]["status"] != "infeasible" else None


def proposals(published: Published, tables: Tables) -> list[Proposal]:
    """Return a proposal for each brief of a run.

    Parameters
    ----------
    published : Published
        The run. Its details may be empty.
    tables : Tables
        The data it was made from; only what was known strictly before its ``as_of`` is used.

    Returns
    -------
    list of Proposal
        By brief id.
    """
    run, matches = published.run, published.matches
    portraits = Portraits(tables, matches["kol_id"], run.as_of)
    of_brief = {name: _by_brief(frame) for name, frame in published.details.items()}
    ranked, refused = _by_brief(matches), _by_brief(published.exclusions)
    about = tables.briefs.drop_duplicates("brief_id").set_index("brief_id")
    told = []
    for brief_id in sorted({*ranked, *refused}):
        details = {
            name: of_brief.get(name, {}).get(brief_id, spec.empty())
            for name, spec in DETAILS.items()
        }
        rows = ranked.get(brief_id, matches.iloc[:0]).sort_values("rank", kind="stable")
        place = {kol_id: number for number, kol_id in enumerate(rows["kol_id"])}
        brief = about.loc[brief_id].to_dict() if brief_id in about.index else {}
        funnel = refused.get(brief_id, published.exclusions.iloc[:0])
        data = {
            "run": _run(run),
            "brief": _brief(brief_id, brief),
            "kols": _kols(rows, details, portraits),
            "plans": _plans(details["plans"], details["planned"], place),
            "funnel": [_refusal(row) for row in funnel.to_dict("records")],
        }
        told.append(Proposal(brief_id, data | {"names": _names(data), "advice": _advice(data)}))
    return told


def _run(run: Run) -> dict[str, Any]:
    return present(
        {
            "id": run.run_id,
            "as_of": f"{run.as_of:%Y-%m-%d %H:%M}",
            "created_at": f"{run.created_at:%Y-%m-%d %H:%M}",
            "model_version": run.model_version,
            "trained_at": None if run.trained_at is None else f"{run.trained_at:%Y-%m-%d %H:%M}",
            "model_days": run.model_days,
            "stale": run.stale or None,
            "model_hash": run.model_hash,
            "encoder_id": run.encoder_id,
            "config_hash": run.config_hash,
            "seed": str(run.seed),
            "top": run.top,
            "basis": run.basis,
            "redacted_at": day(run.redacted_at),
            "data": " · ".join(f"{name} {v}" for name, v in sorted(run.data_versions.items())),
        }
    )


def _brief(brief_id: str, row: Row) -> dict[str, Any]:
    texts = {name: words(row.get(name), NAME) for name in ("goal", "vertical", "currency")}
    lists = {
        name: [told for told in map(words, row.get(name) or ()) if told]
        for name in ("platforms", "modes", "blocked_terms")
    }
    return present(
        {
            "id": words(brief_id, NAME) or "–",
            "brand": words(row.get("brand_name"), NAME),
            "title": words(row.get("title"), NAME * 2),
            "text": lines(row.get("text"), TEXT),
            **texts,
            **lists,
            "budget": amount(row.get("budget")),
            "max_price": amount(row.get("max_price_per_kol")),
            "wanted": amount(row.get("kols_wanted")),
            "min_followers": amount(row.get("min_followers")),
            "product_price": amount(row.get("product_price")),
            "margin": figure(row.get("gross_margin"), 3),
            "max_risk": figure(row.get("max_risk"), 3),
            "starts": day(row.get("starts_at")),
            "ends": day(row.get("ends_at")),
            "excluded": len(row.get("excluded_kols") or ()) or None,
            "competitors": len(row.get("competitor_brands") or ()) or None,
            "audience": present({d: mix(row.get(f"audience_{d}")) for d in AUDIENCE}),
        }
    )


def _kols(
    rows: pd.DataFrame, details: Mapping[str, pd.DataFrame], portraits: Portraits
) -> list[dict[str, Any]]:
    options = _by_kol(details["options"], _option)
    risks = _by_kol(details["risks"].sort_values("score", ascending=False, kind="stable"), _risk)
    precedents = _by_kol(details["precedents"].sort_values("rank", kind="stable"), _precedent)
    successors = _by_kol(details["successors"].sort_values("rank", kind="stable"), _successor)
    return [
        present(
            _match(row)
            | portraits.of(row["kol_id"])
            | {
                "options": options.get(row["kol_id"]),
                "risks": risks.get(row["kol_id"]),
                "precedents": precedents.get(row["kol_id"]),
                "successors": successors.get(row["kol_id"]),
                "posts": portraits.posts(row["kol_id"], row["evidence"]),
                "side": _side(side),
            }
        )
        for row, side in zip(rows.to_dict("records"), sides(rows), strict=True)
    ]


def _side(side: dict[str, Any]) -> dict[str, Any]:
    """Return what the page compares of a match, its name as the page shows names."""
    return side | {
        "name": words(side["name"], NAME * 2) or "–",
        "currency": words(side["currency"]),
    }


def _match(row: Row) -> dict[str, Any]:
    return {
        "id": words(row["kol_id"], NAME) or "–",
        "hue": _hue(row["kol_id"]),
        "rank": int(row["rank"]),
        "name": words(row["display_name"], NAME),
        **{name: words(row[name], NAME) for name in ("platform", "tier", "stage", "basis")},
        "followers": amount(row["followers"]),
        "median_views": amount(row["median_views"]),
        "fit": figure(row["fit"]),
        "score": figure(row["score"]),
        "risk": figure(row["risk"]),
        "halving": figure(row["halving"], 3),
        **_price(row),
        **_forecast(row),
        "reasons": _both(row, "reasons"),
        "caution": _both(row, "caution"),
        "explored": True if row["explored"] is True else None,
        "chance": figure(row["list_chance"], 3) if row["explored"] is True else None,
    }


def _price(row: Row) -> dict[str, Any]:
    return {
        "mode": words(row["mode"], NAME),
        "price": amount(row["price"]),
        "currency": words(row["currency"], NAME),
        "low": amount(row["price_low"]),
        "high": amount(row["price_high"]),
    }


def _forecast(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {name: _interval(row, name) for name in INTERVALS}
    return told | {name: figure(row[column]) for name, column in FIGURES.items()}


def _interval(row: Row, name: str) -> list[float | int | None] | None:
    """Return P10, P50 and P90; ``None`` without a median, which every bar is drawn around."""
    ends = [figure(row.get(f"{name}_{end}")) for end in ("p10", "p50", "p90")]
    return ends if ends[1] is not None else None


def _option(row: Row) -> dict[str, Any]:
    return {
        **_price(row),
        **_forecast(row),
        "recommended": bool(row["recommended"]),
        "signed": amount(row["signed"]),
        "why": _both(row, "why"),
    }


def _risk(row: Row) -> dict[str, Any]:
    return {
        "kind": words(row["kind"], NAME),
        "score": figure(row["score"], 3),
        "weight": figure(row["weight"], 3),
        "evidence": _both(row, "evidence"),
    }


def _precedent(row: Row) -> dict[str, Any]:
    return {
        "own": row["with_kol_id"] == row["kol_id"],
        "name": words(row["with_name"], NAME),
        "title": words(row["title"], NAME * 2),
        "brand": words(row["brand_name"], NAME),
        "mode": words(row["mode"], NAME),
        "status": words(row["status"], NAME),
        "at": day(row["at"]),
        "similarity": figure(row["similarity"], 3),
        "cost": amount(row["cost"]),
        "currency": words(row["currency"], NAME),
        **{name: amount(row[name]) for name in ("views", "engagements", "orders", "gmv")},
    }


def _successor(row: Row) -> dict[str, Any]:
    return {
        "name": words(row["display_name"], NAME) or words(row["successor_id"], NAME),
        "hue": _hue(row["successor_id"]),
        "platform": words(row["platform"], NAME),
        "tier": words(row["tier"], NAME),
        "similarity": figure(row["similarity"], 3),
        "price": amount(row["price"]),
        "currency": words(row["currency"], NAME),
        "growth": figure(row["growth"], 3),
    }


def _plans(
    plans: pd.DataFrame, planned: pd.DataFrame, place: Mapping[str, int]
) -> list[dict[str, Any]]:
    sets: dict[float, list[dict[Any, Any]]] = {}
    for row in planned.to_dict("records"):
        if row["kol_id"] in place:
            sets.setdefault(row["step"], []).append(row)
    told = []
    for row in plans.sort_values("step", kind="stable").to_dict("records"):
        rows = sets.get(row["step"], [])
        chosen = [_planned(r, place) for r in rows if r["chosen"]]
        left = [_planned(r, place) for r in rows if not r["chosen"]]
        told.append(
            present(
                {
                    "step": row["step"],
                    "status": row["status"],
                    "gap": figure(row["gap"], 2),
                    "currency": words(row["currency"], NAME),
                    "kols": amount(row["kols"]),
                    **{name: amount(row[name]) for name in ("budget", "spent")},
                    **{name: figure(row[name]) for name in ("value", "reach", "risk")},
                    "values": _interval(row, "value"),
                    **{name: _interval(row, name) for name in ("views", "orders", "gmv", "roi")},
                    "engagements": figure(row["engagements_p50"]),
                    "notes": _both(row, "notes"),
                }
            )
            | {
                "chosen": sorted(chosen, key=lambda p: (-(p.get("value") or 0), p["kol"])),
                "left": sorted(left, key=_nearness),
            }
        )
    return told


def _planned(row: Row, place: Mapping[str, int]) -> dict[str, Any]:
    return present(
        {
            "kol": place[row["kol_id"]],
            "mode": words(row["mode"], NAME),
            "price": amount(row["price"]),
            "currency": words(row["currency"], NAME),
            "value": figure(row["value"]),
            "reach": figure(row["reach"]),
            "entry": amount(row["entry_price"]),
        }
    )


def _nearness(planned: Mapping[str, Any]) -> tuple[float, int]:
    """Order who is left out by how little cheaper they would have to be."""
    asked, entry = planned.get("price") or 0, planned.get("entry")
    return (1 - entry / asked if entry is not None and asked else 1.0, planned["kol"])


def _refusal(row: Row) -> dict[str, Any]:
    return {
        "code": words(row["reason"], NAME),
        "kols": int(row["kols"]),
        "zh": words(row["text_zh"]),
        "en": words(row["text_en"]),
    }


def _both(row: Row, name: str) -> dict[str, Any]:
    """Return words in both languages, as one sentence or as a list of them."""
    told: dict[str, Any] = {}
    for language in ("zh", "en"):
        value = row[f"{name}_{language}"]
        if isinstance(value, tuple):
            told[language] = [sentence for sentence in map(words, value) if sentence]
        else:
            told[language] = words(value)
    return present(told)


def _hue(name: str) -> int:
    """Return a colour, in degrees, that stays with an id."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % 360


def _by_brief(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(brief_id): rows for brief_id, rows in frame.groupby("brief_id", sort=False)}


def _by_kol(
    frame: pd.DataFrame, tell: Callable[[Row], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in frame.to_dict("records"):
        found.setdefault(str(row["kol_id"]), []).append(present(tell(row)))
    return found


def _names(data: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Return what people call the regions and verticals that a page names, in both languages."""
    mixes = [data["brief"].get("audience", {}), *(kol.get("audience", {}) for kol in data["kols"])]
    regions = {name for told in mixes for name in told.get("region", {})}
    regions |= {kol["region"] for kol in data["kols"] if "region" in kol}
    verticals = {name for told in mixes for name in told.get("interest", {})}
    verticals |= {name for kol in data["kols"] for name in kol.get("verticals", ())}
    verticals |= {data["brief"]["vertical"]} if "vertical" in data["brief"] else set()
    return {
        "region": _called(regions, "region"),
        "vertical": _called(verticals, "vertical"),
    }


def _advice(data: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Return what to do about each kind of risk that a page names, in the order of telling."""
    found = {risk["kind"] for kol in data["kols"] for risk in kol.get("risks", ())}
    return {
        kind: {
            part: {"zh": text.zh, "en": text.en}
            for part, text in (
                ("label", advice.label),
                ("response", advice.response),
                ("clause", advice.clause),
            )
        }
        for kind, advice in ADVICE.items()
        if kind in found
    }


def _called(codes: Iterable[str], group: str) -> dict[str, dict[str, str]]:
    vocabulary: dict[str, list[str]] = load_toml("vocabulary.toml")["words"][group]
    told = {}
    for code in sorted(codes):
        if code not in vocabulary:
            continue
        zh = next((word for word in vocabulary[code] if not word.isascii()), code)
        en = code.replace("_", " ")
        if group == "region" and code != "overseas":
            en = next((w for w in vocabulary[code] if w.isascii() and len(w) > 3), code).title()
        told[code] = {"zh": zh, "en": en}
    return told
