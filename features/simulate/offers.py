"""What KOLs ask for their work, and what goes wrong with some of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.contract import MODES, PLATFORMS
from features.simulate.clock import CNY_PER_USD, DAYS, QUARTER, at, to_time
from features.simulate.market import MEDIAN_FOLLOWERS, PLATFORM_LEVEL, Market
from features.simulate.topics import Floats, Ints

PRICE_ELASTICITY = 0.55
"""Follower elasticity of prices. Steeper than that of views (0.10), so that smaller creators return
more for what they cost: Beichert et al., Journal of Marketing 2024."""
USUAL_PRICE = 4_500.0
"""CNY for an ad placement with a usual KOL of `MEDIAN_FOLLOWERS`."""

_OFFERED = (0.85, 0.6, 0.5, 0.3, 0.25, 0.35, 0.15, 0.2, 0.15)
_MODE_PRICE = (0.0, 0.1, 0.25, 0.35, -0.25, -0.15, 0.2, 0.4, 0.45)
"""How often each of `MODES` is offered, and log of its price against an ad placement."""
_LIVE_PLATFORMS = ("douyin", "kuaishou", "wechat_channels", "tiktok")


@dataclass(frozen=True)
class Quotes:
    """All quotes, by day. Prices are in the currency of the KOL's platform."""

    kol: Ints
    mode: Ints
    day: Floats
    price: Floats
    until: Floats
    available_from: Floats
    available_to: Floats


def draw_quotes(rng: np.random.Generator, market: Market) -> Quotes:
    """Draw quotes: two to four modes a KOL, renewed each quarter or half-year.

    The price follows followers (`PRICE_ELASTICITY`), partly what the KOL's views are worth, and
    the KOL's own idea of it. One quote in twelve is limited to a window; few KOLs let theirs lapse.
    """
    n = len(market)
    keys = np.log(_OFFERED) + rng.gumbel(size=(n, len(MODES)))
    live = np.isin(np.array(PLATFORMS)[market.platform], _LIVE_PLATFORMS)
    keys[:, MODES.index("live_commerce")] += np.where(live, 0.7, -1.2)
    rank = np.argsort(np.argsort(-keys, axis=1), axis=1)
    offers = rank < rng.integers(2, 5, n)[:, None]
    period = np.where(rng.random(n) < 0.5, QUARTER, 2 * QUARTER)
    phase = rng.uniform(0, 1, n)
    own = rng.normal(0, 0.15, n)
    lapses = np.where(rng.random(n) < 0.04, rng.uniform(0.5, 1.0, n) * DAYS, np.inf)

    kol, mode = np.nonzero(offers)
    turns = int(DAYS / QUARTER) + 2
    turn = np.tile(np.arange(turns), len(kol))
    kol, mode = np.repeat(kol, turns), np.repeat(mode, turns)
    start = np.maximum(market.joined - 1, -period * phase)[kol]
    day: Floats = start + turn * period[kol]
    keep = (day < DAYS) & (day < lapses[kol])
    kol, mode, day = kol[keep], mode[keep], day[keep]
    order = np.lexsort((mode, kol, day))
    kol, mode, day = kol[order], mode[order], day[order]

    log_price = (
        np.log(USUAL_PRICE)
        + PRICE_ELASTICITY * (at(market.log_followers[kol], day) - np.log(MEDIAN_FOLLOWERS))
        + 0.85 * market.views_quality[kol]
        + 0.9 * np.array(PLATFORM_LEVEL)[market.platform[kol]]
        + np.array(_MODE_PRICE)[mode]
        + own[kol]
        + rng.normal(0, 0.05, len(kol))
    )
    unit = np.where(market.chinese[kol], 1.0, CNY_PER_USD)
    step = np.where(market.chinese[kol], 50.0, 10.0)
    limited = rng.random(len(kol)) < 0.08
    opens = day + rng.uniform(0, 20, len(kol))
    return Quotes(
        kol=kol,
        mode=mode,
        day=day,
        price=np.maximum(np.round(np.exp(log_price) / unit / step), 1) * step,
        until=np.where(rng.random(len(kol)) < 0.1, np.nan, day + period[kol] + 10),
        available_from=np.where(limited, opens, np.nan),
        available_to=np.where(limited, opens + rng.uniform(20, 70, len(kol)), np.nan),
    )


def rates_table(market: Market, quotes: Quotes) -> pd.DataFrame:
    """Return the RATES table."""
    return pd.DataFrame(
        {
            "kol_id": market.kol_id[quotes.kol],
            "mode": np.array(MODES)[quotes.mode],
            "quoted_at": to_time(quotes.day),
            "price": quotes.price,
            "currency": np.where(market.chinese[quotes.kol], "CNY", "USD"),
            "valid_until": to_time(quotes.until),
            "available_from": to_time(quotes.available_from),
            "available_to": to_time(quotes.available_to),
        }
    )


class Board:
    """The latest quote of each KOL and mode, moved forward in time.

    Parameters
    ----------
    quotes : Quotes
        By day.
    kols : int
        Number of KOLs.
    """

    def __init__(self, quotes: Quotes, kols: int) -> None:
        self._quotes = quotes
        self._latest = np.full((kols, len(MODES)), -1)
        self._read = 0

    def prices(self, day: float) -> Floats:
        """Return prices by KOL and mode on `day`, NaN where nothing valid is on offer.

        Days must not go back from call to call. A quote made on `day` itself is not yet known.
        """
        q = self._quotes
        stop = int(np.searchsorted(q.day, day, side="left"))
        fresh = slice(self._read, stop)
        self._latest[q.kol[fresh], q.mode[fresh]] = np.arange(self._read, stop)
        self._read = stop
        rows = self._latest
        holds = (rows >= 0) & ~(q.until[rows] < day)
        holds &= ~(q.available_from[rows] > day) & ~(q.available_to[rows] < day)
        return np.where(holds, q.price[rows], np.nan)


_KINDS = (
    ("false_advertising", 0.5),
    ("inappropriate_speech", 0.6),
    ("product_quality_complaint", 0.4),
    ("fake_engagement", 0.5),
    ("contract_breach", 0.45),
    ("tax_irregularity", 0.8),
    ("plagiarism", 0.4),
)


def incidents_table(rng: np.random.Generator, market: Market) -> pd.DataFrame:
    """Return the INCIDENTS table: more of them with the unreliable, known some time later."""
    risk = 0.22 * (1 - market.reliability) + 0.3 * (market.suspicious > 0)
    kol = np.repeat(np.arange(len(market)), rng.poisson(risk))
    occurred = rng.uniform(market.joined[kol], DAYS)
    known = occurred + rng.exponential(18, len(kol)) + 0.1
    solved = np.where(
        rng.random(len(kol)) < 0.55, known + rng.exponential(60, len(kol)) + 1, np.nan
    )
    order = np.argsort(known, kind="stable")
    kind = rng.integers(0, len(_KINDS), len(kol))
    usual = np.array([severity for _, severity in _KINDS])[kind]
    frame = pd.DataFrame(
        {
            "kol_id": market.kol_id[kol],
            "occurred_at": to_time(occurred),
            "known_at": to_time(known),
            "kind": np.array([name for name, _ in _KINDS])[kind],
            "severity": np.round(rng.beta(usual * 6, (1 - usual) * 6), 2),
            "evidence": "simulated report",
            "resolved_at": to_time(solved),
        }
    ).iloc[order]
    return frame.assign(incident_id=[f"i{i:06d}" for i in range(1, len(frame) + 1)])
