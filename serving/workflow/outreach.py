"""Whom to ask, in which order, with which offer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from matcher.wording import Language
from serving.headings import columns
from serving.told import worded
from serving.workflow.campaign import Campaign, known

OPEN_FROM, OPEN_TO, OPEN_ALONE = 0.7, 0.9, 0.85
"""Shares of the quote: an opening offer is not below the first nor above the second; the third is
taken where nobody knows what peers ask."""
ABOVE_QUOTE = 1.2
"""Nobody pays more than this times the quote, licences and changes included."""
MIN_RESERVES = 3
"""At least as many of those left out are listed as reserves, or as many as are chosen."""

COLUMNS = columns(
    """priority outreach.place display_name platform tier mode outreach.price currency opening
    walk_away room price_low price_high accept planned.value risk talking_points caution channel
    contacted_on answer agreed_price remark rank kol_id"""
)
"""Columns of the list."""
TO_FILL_IN = ("channel", "contacted_on", "answer", "agreed_price", "remark")
"""Columns that are left empty for people."""


def outreach(campaign: Campaign, language: Language) -> pd.DataFrame:
    """Return the list, the chosen first and then reserves, with `COLUMNS`."""
    members = campaign.members
    chosen = members["chosen"].astype(bool)
    # Whom no price lets in (the second account of one person, say) is no reserve.
    reserve = ~chosen & (members["entry_price"].astype(float) > 0)
    places = max(MIN_RESERVES, int(chosen.sum()))
    listed = members[chosen | (reserve & (reserve.cumsum() <= places))].reset_index(drop=True)
    limit = walk_away(campaign, listed)
    quote = listed["price"].astype(float)
    frame = listed.assign(
        priority=np.arange(1, len(listed) + 1),
        role=listed["chosen"],
        walk_away=limit,
        opening=[
            opening(*row)
            for row in zip(quote, listed["price_low"].astype(float), limit, strict=True)
        ],
        room=limit / quote.where(quote > 0),
        talking_points=listed[f"reasons_{language}"].map(
            lambda told: "\n".join(told) if known(told) else ""
        ),
        caution=listed[f"caution_{language}"],
        **dict.fromkeys(TO_FILL_IN, ""),
    )
    frame = worded(frame, language)
    return frame.assign(place=frame["role"])[[heading.column for heading in COLUMNS]]


def walk_away(campaign: Campaign, listed: pd.DataFrame) -> pd.Series[float]:
    """Return the price above which not to sign, for rows of a campaign's members.

    Of the chosen: the price at which they bring as much for money as the weakest of the plan, and
    above the quote no more than `ABOVE_QUOTE` of it and what the dearer quarter of peers asks. Of
    those left out: the entry price. For conversion at most what the collaboration is expected to
    be worth, and never above the brief's limit for one KOL.
    """
    all_chosen = campaign.chosen
    yields = all_chosen["value"].astype(float) / all_chosen["price"].astype(float)
    weakest = yields[yields > 0].min()
    of = listed[["price", "price_high", "value", "entry_price", "worth"]].astype(float)
    # An unknown bound binds nothing: `min` and `max` pass over nulls.
    peers = of[["price", "price_high"]].max(axis=1).where(of["price_high"].notna())
    limit = pd.concat([of["price"] * ABOVE_QUOTE, peers], axis=1).min(axis=1)
    if weakest > 0:
        limit = pd.concat([limit, of["value"] / weakest], axis=1).min(axis=1)
    limit = limit.where(listed["chosen"].astype(bool), of["entry_price"])
    if campaign.brief.get("goal") == "conversion":
        limit = pd.concat([limit, of["worth"]], axis=1).min(axis=1)
    highest = campaign.brief.get("max_price_per_kol")
    if highest is not None:
        same = listed["currency"] == campaign.brief.get("currency")
        limit = limit.where(~same, limit.clip(upper=highest))
    return pd.Series([_rounded(value, 3, down=True) for value in limit], index=listed.index)


def opening(quote: float, peers_low: float, limit: float) -> float:
    """Return the first offer: what the cheaper quarter of peers asks, within reason.

    Examples
    --------
    >>> opening(12000.0, 9000.0, 14000.0), opening(1650.0, math.nan, 1650.0)
    (9000.0, 1400.0)
    """
    if math.isnan(peers_low):
        offer = OPEN_ALONE * quote
    else:
        offer = min(max(peers_low, OPEN_FROM * quote), OPEN_TO * quote)
    offer = _rounded(offer, 2)
    return offer if math.isnan(limit) else min(offer, limit)


def _rounded(value: float, digits: int, *, down: bool = False) -> float:
    """Round to significant digits, as prices are told."""
    if not (math.isfinite(value) and value > 0):
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    # What is a whole number of steps but for rounding stays.
    steps = math.floor(value / step + 1e-9) if down else round(value / step)
    return float(f"{steps * step:.12g}")
