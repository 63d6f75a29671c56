"""What the KOL costs, alone, against the budget, and against peers."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.crowd import Crowd
from features.history import QUOTED_MODES, History
from features.money import currency_codes
from features.offers import choose_offers
from features.roster import Cells
from features.signals.engagement import engagement_rate
from features.signals.family import Signals
from features.signals.reach import median_views
from features.statistics import log, ratio, where
from features.timeline import NEVER, Floats, Ints, days_between, pick
from features.vectors import Embeddings
from features.view import View

PRICE = {
    "log": "natural log of the offer's price",
    "of_budget": "price over the brief's budget",
    "of_max": "price over the brief's highest price for one KOL",
    "against_peers": "log price less the log of the roster's median in the same platform, tier, "
    "mode and currency",
    "relative": "log price less the log of the roster's median in the same currency",
    "currency": "letters of the offer's currency as a number in base 26",
    "per_view": "natural log of price per 1,000 median views",
    "per_engagement": "natural log of price per expected engagement",
    "modes": "modes in which the KOL has an offer for this brief",
    "quote_age": "days since the offer was quoted",
}


def price(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Describe the offer that applies; all null but ``modes`` where none does."""
    offers = view.once(choose_offers)
    amount = np.asarray(pick(view.history.rate_price, offers.row))
    views = view.cells.once(median_views)[view.cell]
    engagements = views * view.cells.once(engagement_rate)[view.cell]
    quoted = np.asarray(pick(view.history.rates.at, offers.row, NEVER))
    # Budgets are in the brief's currency; where it names none they compare with nothing.
    same = view.history.brief_currency[view.brief] >= 0
    return {
        "log": log(amount),
        "of_budget": where(same, ratio(amount, view.brief_number("budget"))),
        "of_max": where(same, ratio(amount, view.brief_number("max_price_per_kol"))),
        "against_peers": log(amount) - _peer_log_price(view, offers.row),
        "relative": log(amount) - _currency_log_price(view, offers.row),
        "currency": np.asarray(
            pick(
                currency_codes(view.history.currencies),
                pick(view.history.rate_currency, offers.row, -1),
            )
        ),
        "per_view": log(ratio(amount * 1000.0, views)),
        "per_engagement": log(ratio(amount, engagements)),
        "modes": offers.modes.astype(np.float64),
        "quote_age": days_between(view.time, quoted),
    }


def _peer_log_price(view: View, row: Ints) -> Floats:
    """Return the median log price of the roster's valid quotes that are like the offer."""
    own = _like(view.history, view.cells.segment[view.cell], row)
    return view.peers.whole(_alike).medians(own, view.cells.moment[view.cell])


def _alike(peers: Cells) -> Crowd:
    owner, rows = peers.valid_quotes()
    return _quoted(peers, _like(peers.history, peers.segment[owner], rows), owner, rows)


def _quoted(peers: Cells, group: Ints, owner: Ints, rows: Ints) -> Crowd:
    """Lay out log prices of valid quotes by group."""
    asked = log(np.asarray(pick(peers.history.rate_price, rows)))
    return Crowd.of(group, asked, peers.moment[owner], peers.quotes_past(owner, rows))


def _currency_log_price(view: View, row: Ints) -> Floats:
    """Return the median log price of the roster's valid quotes in the offer's currency.

    Money of two currencies does not compare; a price in units of what is usual does.
    """
    own = np.asarray(pick(view.history.rate_currency, row, -1), dtype=np.int64)
    return view.peers.whole(_of_currency).medians(own, view.cells.moment[view.cell])


def _of_currency(peers: Cells) -> Crowd:
    owner, rows = peers.valid_quotes()
    group = np.asarray(pick(peers.history.rate_currency, rows, -1), dtype=np.int64)
    return _quoted(peers, group, owner, rows)


def _like(history: History, segment: Ints, rows: Ints) -> Ints:
    """Return one code for segment, mode and currency of quotes, -1 where any is unknown."""
    currencies = max(len(history.currencies), 1)
    mode, currency = pick(history.rate_mode, rows, -1), pick(history.rate_currency, rows, -1)
    code = (segment * len(QUOTED_MODES) + mode) * currencies + currency
    return np.where((segment < 0) | (rows < 0), -1, code)
