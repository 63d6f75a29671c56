"""One brief's plan, with all that is known of who is in it: what the workflow files are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.tables import Tables
from serving.results import DETAILS

_OF_MATCH = (
    *("rank", "display_name", "platform", "tier", "person_id", "accept", "risk"),
    *("reasons_en", "reasons_zh", "caution_en", "caution_zh"),
)
TERMS = (
    *("price_low", "price_high", "worth", "views_p10", "views_p50"),
    *("gmv_p10", "gmv_p50", "refund_rate"),
)
"""What a mode costs and brings: of the plan's own mode, or null."""


@dataclass(frozen=True)
class Campaign:
    """A brief with a plan.

    Attributes
    ----------
    brief : mapping
        What is known of its row of BRIEFS.
    brief_id : str
        Its id.
    members : DataFrame
        The plan's rows, in the order in which to ask: ``priority`` from 1, `PLANNED` (``value`` is
        what they bring), what `MATCHES` tells of the KOL, `TERMS`, and ``available_from`` and
        ``available_to`` of the quote.
    risks : DataFrame
        `RISKS` of the brief.
    """

    brief: Mapping[str, Any]
    brief_id: str
    members: pd.DataFrame
    risks: pd.DataFrame

    @property
    def chosen(self) -> pd.DataFrame:
        """Members that are in the plan."""
        return self.members[self.members["chosen"].astype(bool)].reset_index(drop=True)


def campaigns(
    matches: pd.DataFrame,
    details: Mapping[str, pd.DataFrame],
    tables: Tables,
    as_of: pd.Timestamp,
) -> Iterator[Campaign]:
    """Yield the briefs that have somebody in their plan, in the order of the plans.

    Parameters
    ----------
    matches : DataFrame
        `serving.results.MATCHES`.
    details : mapping of str to DataFrame
        Tables of `serving.results.DETAILS` by name; those not given have no rows.
    tables : Tables
        The data the run read.
    as_of : Timestamp
        Quotes known before it count.
    """
    parts = {name: details.get(name, spec.empty()) for name, spec in DETAILS.items()}
    planned = parts["planned"][parts["planned"]["step"] == 1]
    about = tables.briefs.drop_duplicates("brief_id").set_index("brief_id", drop=False)
    for brief_id, rows in planned.groupby("brief_id", sort=False):
        if not rows["chosen"].astype(bool).any():
            continue
        members = _members(rows, matches, parts["options"])
        members = members.merge(
            _availability(tables.rates, as_of), on=["kol_id", "mode", "currency"], how="left"
        )
        told = about.loc[[brief_id]].to_dict("records")[0] if brief_id in about.index else {}
        brief = {str(name): value for name, value in told.items() if known(value)}
        risks = parts["risks"]
        yield Campaign(brief, str(brief_id), _ranked(members), risks[risks["brief_id"] == brief_id])


def _members(rows: pd.DataFrame, matches: pd.DataFrame, options: pd.DataFrame) -> pd.DataFrame:
    """Add what is known of each KOL, and of the plan's mode."""
    key = ["brief_id", "kol_id"]
    members = rows.merge(matches[[*key, *_OF_MATCH]], on=key, how="left")
    # A plan may take another mode than the match's own, whose figures then say nothing of it.
    of_modes = pd.concat([options, matches]).rename(columns={"value": "worth"})
    of_modes = of_modes.drop_duplicates([*key, "mode"])[[*key, "mode", *TERMS]]
    return members.merge(of_modes, on=[*key, "mode"], how="left")


def _availability(rates: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return when each KOL is free, by the latest quote of each mode and currency."""
    known = rates[rates["quoted_at"] < as_of].sort_values("quoted_at", kind="stable")
    latest = known.drop_duplicates(["kol_id", "mode", "currency"], keep="last")
    return latest[["kol_id", "mode", "currency", "available_from", "available_to"]]


def _ranked(members: pd.DataFrame) -> pd.DataFrame:
    """Put the chosen first, by what they bring, then those left out by the cut they need."""
    chosen = members["chosen"].astype(bool)
    price = members["price"].astype(float)
    entry = members["entry_price"].astype(float)
    cut = 1 - entry / price.where(price > 0)
    ordered = members.assign(
        _out=~chosen,
        _brings=-members["value"].astype(float).where(chosen, 0.0),
        _cut=cut.where(~chosen, 0.0),
    ).sort_values(["_out", "_brings", "_cut", "rank", "kol_id"], kind="stable", ignore_index=True)
    ordered["priority"] = np.arange(1, len(ordered) + 1)
    return ordered.drop(columns=["_out", "_brings", "_cut"])


def known(value: Any) -> bool:
    """Tell whether a value is there."""
    return value is not None and not (pd.api.types.is_scalar(value) and pd.isna(value))
