"""What a collaboration is expected to bring: the law of the simulated world.

All effects are multiplicative. Fit of brand and KOL, positivity and activity act as inverted U:
best when high but not perfect (Leung et al., Journal of Marketing 2022, who also find that
originality helps). Followers raise views by an elasticity of 0.10 (Tian et al., JMR 2024) and
prices by far more, so that smaller creators return more (Beichert et al., JM 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from features.contract import MODES
from features.simulate import audience
from features.simulate.clock import CNY_PER_USD, at
from features.simulate.demand import Demand
from features.simulate.market import MEDIAN_FOLLOWERS, Market
from features.simulate.offers import Quotes
from features.simulate.topics import Floats, Ints

BEST_FIT = 0.78
"""Cosine of topics at which fit helps most."""
_FIT_LOSS, _FIT_EXCESS = 1.65, 0.4
"""Log lost with no fit at all, and with perfect fit."""
_AUDIENCE_LOSS = 1.6
"""Log lost when the audience is not the target at all."""
_AUDIENCE_RANGE = (0.3, 0.75)
"""Overlaps of audience and target that are as bad and as good as it gets."""
_CHEMISTRY = 0.25
"""Standard deviation of the log of what nobody can foresee in a pair."""
_PAID = 0.6
"""Log of views of a paid post with all in its favour, against a usual post of the same KOL."""

# Powers of the fit and the audience effect in each rate.
_FIT_POWER = {"views": 1.1, "engagement": 0.25, "click": 0.25, "order": 0.1}
_AUDIENCE_POWER = {"views": 1.05, "engagement": 0.2, "click": 0.2, "order": 0.2}
_CHEMISTRY_POWER = {"views": 0.8, "engagement": 0.3, "click": 0.3, "order": 0.2}

# Log effects of each of MODES.
_MODE = {
    "views": (0.0, -0.05, 0.15, -0.1, -0.3, -0.15, -0.1, 0.15, 0.15),
    "engagement": (0.0, 0.0, 0.25, 0.0, 0.15, 0.3, 0.15, 0.35, 0.35),
    "click": (0.0, 0.1, -0.1, 0.35, 0.15, -0.2, -0.4, 0.1, 0.1),
    "order": (0.0, 0.1, 0.0, 0.45, 0.1, -0.2, -0.2, 0.2, 0.2),
}
_CLICK, _ORDER, _REFUND = 0.030, 0.09, 0.13
_USUAL_PRODUCT = 200.0
"""CNY; what costs more is ordered less."""
_LIVE = MODES.index("live_commerce")
_CREATIVE = (
    MODES.index("co_creation"),
    MODES.index("product_co_design"),
    MODES.index("joint_development"),
)


@dataclass(frozen=True)
class Expected:
    """Expectations 30 days after publication; arrays of shape (n,), one element a pair.

    Rates multiply: ``engagements = views * engagement``, of which ``saves`` and ``shares`` are a
    share; ``clicks = views * click``; ``orders = clicks * order``; ``refund`` is the share of
    orders sent back.
    """

    views: Floats
    engagement: Floats
    shares: Floats
    saves: Floats
    click: Floats
    order: Floats
    refund: Floats


def fit(market: Market, demand: Demand, brief: Ints, kol: Ints) -> Floats:
    """Return the cosine of what brief and KOL are about, 0-1."""
    cosine: Floats = np.einsum("ij,ij->i", demand.topic[brief], market.topic[kol])
    return np.clip(cosine, 0.0, 1.0)


def fit_effect(match: Floats) -> Floats:
    """Return the log effect of fit: an inverted U with its peak, 0, at `BEST_FIT`.

    Below the peak a square loss up to `_FIT_LOSS`, above it up to `_FIT_EXCESS` (an all too
    perfect match reads as advertising).
    """
    below = _FIT_LOSS * (np.maximum(BEST_FIT - match, 0) / BEST_FIT) ** 2
    above = _FIT_EXCESS * (np.maximum(match - BEST_FIT, 0) / (1 - BEST_FIT)) ** 2
    effect: Floats = -below - above
    return effect


def audience_match(market: Market, demand: Demand, brief: Ints, kol: Ints) -> Floats:
    """Return how much of the wanted audience the KOL's covers, 0-1."""
    return audience.overlap(
        {d: mix[kol] for d, mix in market.audience.items()},
        {d: mix[brief] for d, mix in demand.target.items()},
    )


def audience_effect(match: Floats) -> Floats:
    """Return the log effect of the audience match: 0 at best, linear in the match."""
    low, high = _AUDIENCE_RANGE
    effect: Floats = -_AUDIENCE_LOSS * (1 - np.clip((match - low) / (high - low), 0, 1))
    return effect


def expect(
    market: Market, demand: Demand, brief: Ints, kol: Ints, mode: Ints, salt: int | None
) -> Expected:
    """Return what each pair is expected to bring, given the KOL's state on the day of decision.

    Parameters
    ----------
    market, demand : Market, Demand
        What is true of KOLs and briefs.
    brief, kol, mode : ndarray of int, shape (n,)
        Positions of each pair's brief, KOL and mode.
    salt : int or None
        Seed of the chemistry between a brief and a KOL; ``None`` leaves chemistry out.
    """
    day = demand.day[brief]
    topical = fit_effect(fit(market, demand, brief, kol))
    reached = audience_effect(audience_match(market, demand, brief, kol))
    chemistry = 0.0 if salt is None else _CHEMISTRY * _pair_noise(brief, kol, salt)

    def log_rate(rate: str) -> Floats:
        total: Floats = (
            _FIT_POWER[rate] * topical
            + _AUDIENCE_POWER[rate] * reached
            + _CHEMISTRY_POWER[rate] * chemistry
            + np.array(_MODE[rate])[mode]
        )
        return total

    original = market.originality[kol] - 0.5
    manner = -0.10 * market.activity[kol] ** 2 - 2.5 * (market.positivity[kol] - 0.6) ** 2
    creative = np.isin(mode, _CREATIVE)
    size = at(market.log_followers[kol], day) - np.log(MEDIAN_FOLLOWERS)
    product = np.log(
        demand.product_price[brief]
        * np.where(demand.chinese[brief], 1.0, CNY_PER_USD)
        / _USUAL_PRODUCT
    )
    # Cheap products sell through people like the buyer, dear ones through people they look up to.
    trust = 0.10 * np.clip(product, -2, 2) * np.clip(size, -3, 3)
    power = np.where(mode == _LIVE, 0.6, 0.35) * market.conversion[kol]
    engagement = market.engagement[kol] * np.exp(
        log_rate("engagement") + np.where(creative, 0.9, 0.3) * original + 0.5 * manner
    )
    kept = market.saves_shares[kol] * np.exp(0.2 * topical)
    return Expected(
        views=np.exp(
            at(market.log_views[kol], day)
            + _PAID
            + log_rate("views")
            + 0.5 * original
            + 0.5 * manner
        ),
        engagement=np.minimum(engagement, 0.6),
        shares=0.4 * kept,
        saves=0.6 * kept,
        click=np.minimum(_CLICK * np.exp(log_rate("click") + 0.2 * power), 0.3),
        order=np.minimum(_ORDER * np.exp(log_rate("order") + power - 0.6 * product + trust), 0.4),
        refund=np.clip(_REFUND * np.exp(0.8 * (0.8 - market.reliability[kol])), 0.01, 0.5),
    )


def accept_chance(market: Market, demand: Demand, brief: Ints, kol: Ints) -> Floats:
    """Return the chance that a KOL who is contacted signs: what suits them they accept."""
    suits = fit_effect(fit(market, demand, brief, kol)) + 0.5
    reliable = market.reliability[kol] - 0.8
    chance: Floats = 1 / (1 + np.exp(-(1.3 + 1.2 * suits + 1.5 * reliable)))
    return chance


def cancel_chance(market: Market, kol: Ints) -> Floats:
    """Return the chance that a KOL who signed calls it off: the reliable seldom do."""
    reliable = market.reliability[kol] - 0.8
    chance: Floats = 0.06 * np.exp(-2.5 * reliable)
    return chance


def goal_value(goal: Ints, frame: pd.DataFrame) -> Floats:
    """Return the value by the brief's goal, from the columns of `World.truth`.

    Views for awareness, saves and shares for seeding, engagements, net value for conversion, and
    engagements for co-creation, where originality counts for more of them.
    """
    names = ["views", "saves_shares", "engagements", "net_value", "engagements"]
    values: Floats = frame[names].to_numpy()[np.arange(len(frame)), goal]
    return values


def truth_frame(
    market: Market,
    demand: Demand,
    quotes: Quotes,
    brief: Ints,
    kol: Ints,
    mode: Ints,
    salt: int | None,
) -> pd.DataFrame:
    """Return the columns of `World.truth`, one row a pair; without a salt, what is foreseeable."""
    e = expect(market, demand, brief, kol, mode, salt)
    clicks = e.views * e.click
    orders = clicks * e.order
    gmv = orders * demand.product_price[brief]
    frame = pd.DataFrame(
        {
            "views": e.views,
            "engagements": e.views * e.engagement,
            "saves_shares": e.views * e.engagement * (e.saves + e.shares),
            "clicks": clicks,
            "orders": orders,
            "gmv": gmv,
            "net_value": gmv * (1 - e.refund) * demand.margin[brief],
            "price": _price(quotes, demand.day[brief], kol, mode),
            "accept": accept_chance(market, demand, brief, kol),
            "deliver": 1 - cancel_chance(market, kol),
        }
    )
    value = goal_value(demand.goal[brief], frame)
    return frame.assign(value=value, value_per_cost=value / frame["price"])


def _price(quotes: Quotes, day: Floats, kol: Ints, mode: Ints) -> Floats:
    """Return the latest quote before `day`, valid or lapsed; NaN where there is none."""
    pairs = pd.DataFrame({"day": day, "kol": kol, "mode": mode, "row": np.arange(len(day))})
    known = pd.DataFrame(
        {"day": quotes.day, "kol": quotes.kol, "mode": quotes.mode, "price": quotes.price}
    )
    found = pd.merge_asof(
        pairs.sort_values("day", kind="stable"),
        known,
        on="day",
        by=["kol", "mode"],
        allow_exact_matches=False,
    )
    price: Floats = found.sort_values("row")["price"].to_numpy(dtype=float)
    return price


def _pair_noise(brief: Ints, kol: Ints, salt: int) -> Floats:
    """Return a standard normal that depends on the pair and the salt alone (splitmix64)."""
    word = (
        brief.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        + kol.astype(np.uint64) * np.uint64(0xD1B54A32D192ED03)
        + np.uint64(salt % 2**63)
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = (word ^ (word >> np.uint64(shift))) * np.uint64(factor)
    word ^= word >> np.uint64(31)
    normal: Floats = ndtri((word >> np.uint64(11)).astype(float) / 2.0**53 + 2.0**-54)
    return normal
