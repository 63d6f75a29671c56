"""How likely a KOL is to harm the brand: named parts, and their total.

Each part is a number between 0 and 1 with one meaning. They combine as independent causes of
harm would: the total is the chance that none of them leaves the brand alone,
``1 - prod(1 - weight * part)``. It is this total that filters, that is shown, and that the register
(`matcher.risk.register`) adds up to. What is unknown is 0: nobody is accused of what nobody knows.
Hard refusals are `matcher.eligibility`'s and no part of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from features.timeline import Floats
from matcher.risk.advice import KINDS

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "reputation": 0.9,
        "claims": 0.4,
        "disclosure": 0.2,
        "quality": 0.2,
        "delivery": 0.5,
        "rights": 0.4,
        "exclusivity": 0.4,
        "privacy": 0.1,
        "fraud": 0.6,
        "inconsistency": 0.3,
        "security": 0.4,
        "platform_rules": 0.3,
        "over_advertising": 0.3,
    }
)
"""How far each part, at its worst, is believed to lead to harm: judgment, not learned, since no
table tells of harm that came. Misconduct takes the brand along; fraud and failed delivery cost the
fee; claims, copies, accounts that change hands and rivals cost fines, quarrels and remakes; the
others cost some of the effect."""
LADDERS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "claims_paid": (0.0, 0.5),
        "claims": (0.0, 1.0),
        "copied": (0.0, 0.3),
        "spread": (math.log(10), math.log(100)),
        "completion": (0.15, 0.05),
        "cancelled": (0.1, 0.5),
        "late": (0.1, 0.5),
        "rival_days": (180.0, 30.0),
        "people": (math.log(50), math.log(5)),
        "suspicious": (0.1, 0.6),
        "jump": (math.log(1.3), math.log(3)),
        "band": (3.0, 6.0),
        "blocked": (0.0, 3.0),
        "turned": (0.25, 0.7),
        "changed": (0.0, 3.0),
        "paid_share": (1 / 3, 2 / 3),
    }
)
"""Where each measure begins to count, and where it is at its worst:

* half of the paid posts with a forbidden claim, or all posts; three copied posts in ten;
* a tenfold gap between a good and a poor post is usual on short video, a hundredfold is a lottery;
  fewer than one viewer in twenty seeing a post to its end;
* one collaboration in ten cancelled or late is the field's usual (`features.signals.record`);
* work for a named competitor, from half a year ago to the last 30 days, which refuse;
* an audience segment of fewer than 50 people, down to 5: platforms withhold those under 100,
  official statistics those under 5 to 10;
* more than a tenth of followers who look fake, which auditing tools find with most, up to 60%;
* followers that rise by 30% or threefold between two profiles beyond the KOL's own pace;
* engagement 3 to 6 robust standard deviations off the usual of platform and tier, either way;
* three recent posts with words the brief blocks;
* posts whose subject changed for most of them (`conduct.turned`), three facts of the profile;
* two paid posts in three is where followers stop believing; below one in three nobody minds.
"""
FOREIGN, ELSEWHERE = 0.6, 0.5
"""What another language than the brief's, and another vertical than its own, count as."""
OFF_TOPIC = 0.1
"""Share of recent posts on the brief's vertical from which a KOL is not beside it."""
UNLICENSED, LIMITED = 0.8, 0.8
"""What a missing credential, and a brief of modes that the platform does not carry, count as."""
FROM_BAND, FROM_COMPLETION = 0.5, 0.5
"""How far a part may rest on engagement out of band alone, or on few watching to the end alone:
both have innocent causes."""


def risk_parts(signals: pd.DataFrame) -> pd.DataFrame:
    """Return the named risks of each pair, each 0-1; an unknown risk is 0.

    Parameters
    ----------
    signals : DataFrame
        Signals of `matcher.scout.FAMILIES`.

    Returns
    -------
    DataFrame, aligned to `signals`
        One column for each of `matcher.risk.advice.KINDS`.
    """
    parts = _parts(signals)
    return pd.DataFrame({kind: parts[kind] for kind in KINDS}, index=signals.index)


def _parts(signals: pd.DataFrame) -> dict[str, Floats]:
    told = causes(signals)
    return {kind: _any([told[name] for name in names]) for kind, names in CAUSES.items()}


def causes(signals: pd.DataFrame) -> Mapping[str, Floats]:
    """Return what the parts are made of, each 0-1 and 0 where unknown, by name; shape (n,)."""

    def value(signal: str) -> Floats:
        return signals[signal].to_numpy(dtype=np.float64)

    def on_ladder(name: str, values: Floats) -> Floats:
        start, worst = LADDERS[name]
        return np.nan_to_num(np.clip((values - start) / (worst - start), 0, 1), nan=0.0)

    def climb(name: str, signal: str) -> Floats:
        return on_ladder(name, value(signal))

    def share(signal: str) -> Floats:
        return np.nan_to_num(np.clip(value(signal), 0, 1), nan=0.0)

    beside = (value("category.vertical") == 0) & (value("category.vertical_posts") < OFF_TOPIC)
    return {
        "burden": share("reputation.burden"),
        "open": share("reputation.worst_open"),
        "claims_paid": climb("claims_paid", "conduct.claims_paid"),
        "claims": climb("claims", "conduct.claims"),
        "undisclosed": share("conduct.undisclosed"),
        "spread": climb("spread", "reach.spread"),
        "completion": FROM_COMPLETION * climb("completion", "engagement.completion"),
        "cancelled": climb("cancelled", "record.cancelled_rate"),
        "late": climb("late", "conduct.late"),
        "copied": climb("copied", "conduct.copied"),
        "rival": climb("rival_days", "rivalry.days_since"),
        "finest": climb("people", "conduct.finest"),
        "suspicious": climb("suspicious", "reach.suspicious_share"),
        "jump": climb("jump", "conduct.jump"),
        "band": FROM_BAND * on_ladder("band", np.abs(value("conduct.out_of_band"))),
        "blocked": climb("blocked", "rivalry.blocked_posts"),
        "language": FOREIGN * (value("category.language") == 0),
        "beside": ELSEWHERE * beside,
        "turned": climb("turned", "conduct.turned"),
        "changed": climb("changed", "conduct.changed"),
        "unlicensed": UNLICENSED * share("conduct.unlicensed"),
        "limited": LIMITED * (value("conduct.modes_limited") == 1),
        "paid_share": climb("paid_share", "sponsored.share"),
    }


CAUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reputation": ("burden", "open"),
        "claims": ("claims_paid", "claims"),
        "disclosure": ("undisclosed",),
        "quality": ("spread", "completion"),
        "delivery": ("cancelled", "late"),
        "rights": ("copied",),
        "exclusivity": ("rival",),
        "privacy": ("finest",),
        "fraud": ("suspicious", "jump", "band"),
        "inconsistency": ("blocked", "language", "beside"),
        "security": ("turned", "changed"),
        "platform_rules": ("unlicensed", "limited"),
        "over_advertising": ("paid_share",),
    }
)
"""What each part is made of; any of them is enough."""


def total_risk(signals: pd.DataFrame) -> pd.Series[float]:
    """Return the total risk of each pair, 0-1."""
    parts = _parts(signals)
    spared = np.prod([1 - WEIGHTS[kind] * parts[kind] for kind in KINDS], axis=0)
    return pd.Series(1 - spared, index=signals.index, name="risk")


def _any(shares: list[Floats]) -> Floats:
    """Combine causes of one kind: independent ones add up, and none takes away."""
    return np.asarray(1 - np.prod([1 - share for share in shares], axis=0))
