"""Whom else KOLs work for: what was known of their work for a brief's competitors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from features.tables import Tables


@dataclass(frozen=True, order=True)
class Work:
    """One piece of work for a competitor.

    Attributes
    ----------
    at : date
        When it was published, or else signed.
    brand : str
        The competitor.
    published : bool
        Whether it is out.
    """

    at: date
    brand: str
    published: bool


def rival_work(
    brief: Mapping[str, Any], tables: Tables, as_of: pd.Timestamp
) -> dict[str, list[Work]]:
    """Return what each KOL, on any account, did for the competitors that a brief names.

    Parameters
    ----------
    brief : mapping
        A row of BRIEFS; ``competitor_brands`` may name brands by id or by name.
    tables : Tables
        Sponsored posts and collaborations; only what was known before `as_of` counts.
    as_of : Timestamp
        Moment of the decision.
    """
    named = set(brief.get("competitor_brands") or ())
    if not named:
        return {}
    known = tables.only("briefs", "kols", "posts", "collaborations").as_of(as_of)
    people = _people(known.kols)
    accounts: dict[str, list[str]] = defaultdict(list)
    for kol_id, person in people.items():
        accounts[person].append(kol_id)
    found: dict[str, set[Work]] = defaultdict(set)
    for kol_id, work in (*_posts(known, named), *_signed(known, named)):
        for account in accounts.get(people.get(kol_id, ""), [kol_id]):
            found[account].add(work)
    return {kol_id: sorted(works) for kol_id, works in found.items()}


def _people(kols: pd.DataFrame) -> dict[str, str]:
    """Return the person behind each account; the account where unknown."""
    latest = kols.sort_values("observed_at", kind="stable").drop_duplicates("kol_id", keep="last")
    person = latest["person_id"].fillna(latest["kol_id"])
    return dict(zip(latest["kol_id"], person, strict=True))


def _posts(known: Tables, named: set[str]) -> Iterator[tuple[str, Work]]:
    posts = known.posts
    names = _names(known.briefs)
    brand = posts["brand_id"].map(lambda one: {one, names.get(one, "")} & named or None)
    seen = posts[brand.notna()]
    columns = (seen[name] for name in ("kol_id", "published_at", "brand_id"))
    for kol_id, at, brand_id in zip(*columns, strict=True):
        yield kol_id, Work(at.date(), names.get(brand_id) or brand_id, published=True)


def _signed(known: Tables, named: set[str]) -> Iterator[tuple[str, Work]]:
    briefs, names = known.briefs, _names(known.briefs)
    brands = dict(zip(briefs["brief_id"], briefs["brand_id"], strict=True))
    for row in known.collaborations.to_dict("records"):
        brand_id = brands.get(row["brief_id"], "")
        if not {brand_id, names.get(brand_id, "")} & named:
            continue
        brand = names.get(brand_id) or brand_id
        published, signed = row["published_at"], row["signed_at"]
        if pd.notna(published):
            yield row["kol_id"], Work(published.date(), brand, published=True)
        elif pd.notna(signed) and row["status"] not in ("cancelled", "declined"):
            yield row["kol_id"], Work(signed.date(), brand, published=False)


def _names(briefs: pd.DataFrame) -> dict[str, str]:
    """Return what brands call themselves, by id."""
    named = briefs.dropna(subset=["brand_name"]).drop_duplicates("brand_id", keep="last")
    return dict(zip(named["brand_id"], named["brand_name"], strict=True))
