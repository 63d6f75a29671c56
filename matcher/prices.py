"""Whether a price is fair: what similar KOLs ask for the same work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.history import QUOTED_MODES, History, codes_in
from features.roster import Cells
from features.timeline import expand, pick
from features.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

BAND = (0.25, 0.75)
"""Quantiles of peers' quotes between which a price is usual."""
LEAST_PEERS = 8
"""Quotes of fewer KOLs are no market; a wider group is asked instead."""


def price_bands(pairs: pd.DataFrame, offers: pd.DataFrame, history: History) -> pd.DataFrame:
    """Return the middle half of what peers ask, as of each pair's time.

    Peers are the other KOLs of the roster on the same platform and of the same tier, with a valid
    quote in the offer's mode and currency; where those are fewer than `LEAST_PEERS`, the same
    tier on any platform.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS.
    offers : DataFrame
        mode and currency of each pair's offer, aligned.
    history : History
        The past.

    Returns
    -------
    DataFrame, aligned to `pairs`
        price_low and price_high, in the offer's currency; null without an offer or where even the
        wider group is too small.
    """
    band = pd.DataFrame(np.nan, index=pairs.index, columns=["price_low", "price_high"])
    if pairs.empty or not len(history.rates):
        return band
    view = View(pairs, history)
    groups = view.peers.whole(_groups)
    own = np.column_stack(
        [
            view.cells.moment[view.cell],
            codes_in(pd.Index(QUOTED_MODES), offers["mode"]),
            codes_in(history.currencies, offers["currency"]),
            _code(view.cells.tier)[view.cell],
            _code(view.cells.platform)[view.cell],
        ]
    )
    found = np.full((len(pairs), len(BAND)), np.nan)
    for sides in (own.shape[1], own.shape[1] - 1):
        for row in np.flatnonzero(np.isnan(found[:, 0])):
            peers = groups.get(tuple(own[row, :sides].tolist()))
            if peers is None:
                continue
            others = peers[1][peers[0] != view.kol[row]]
            if len(others) >= LEAST_PEERS:
                found[row] = np.quantile(others, BAND)
    band[:] = found
    return band


_SIDES = ["moment", "mode", "currency", "tier", "platform"]
"""What makes quotes comparable; the last is given up first."""


def _groups(
    peers: Cells,
) -> dict[tuple[int, ...], tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return who asks what by what makes quotes comparable: by all sides, and by all but the last.

    KOLs and prices, aligned.
    """
    asked = _quotes(peers)
    found: dict[tuple[int, ...], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
    for sides in (len(_SIDES), len(_SIDES) - 1):
        kept = asked[(asked[_SIDES[:sides]] >= 0).all(axis=1)]
        if kept.empty:
            continue
        names = kept[_SIDES[:sides]].drop_duplicates()
        group = kept.groupby(_SIDES[:sides], sort=False).ngroup().to_numpy()
        order = np.argsort(group, kind="stable")
        bounds = np.searchsorted(group[order], np.arange(1, len(names)))
        kols = np.split(kept["kol"].to_numpy()[order], bounds)
        prices = np.split(kept["price"].to_numpy()[order], bounds)
        found |= {
            tuple(name): (kol, price)
            for name, kol, price in zip(names.to_numpy().tolist(), kols, prices, strict=True)
        }
    return found


def _quotes(peers: Cells) -> pd.DataFrame:
    """Return every valid quote of the roster at each time, with what it compares by.

    One row a quote and time: made for the one time of a run.
    """
    history = peers.history
    cell, row = peers.valid_quotes()
    # What a cell asks it asks at all moments that it stands for.
    which, place = expand(peers.moment[cell], peers.quotes_past(cell, row))
    cell, row = cell[place], row[place]
    return pd.DataFrame(
        {
            "kol": peers.kol[cell],
            "moment": which,
            "mode": pick(history.rate_mode, row, -1),
            "currency": pick(history.rate_currency, row, -1),
            "tier": _code(peers.tier)[cell],
            "platform": _code(peers.platform)[cell],
            "price": pick(history.rate_price, row),
        }
    )


def _code(place: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return positions as whole numbers, -1 where unknown."""
    return np.nan_to_num(place, nan=-1.0).astype(np.int64)
