"""What may be said of one match, and how its figures are written in Chinese and English."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PEERS = 5
"""Fewer peers of the same platform and tier are nobody to be compared with."""
ABOVE = "_above"
"""Ends the name of a signal's standing: the share of the brief's candidates that it outdoes."""
BELOW = "_below"
"""Ends the name of the share of the brief's candidates that outdo it."""
ENGAGEMENTS = tuple(f"engagement.{kind}" for kind in ("likes", "comments", "shares", "saves"))


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for a match, or against it.

    Attributes
    ----------
    en, zh : str
        The sentence in both languages.
    evidence : dict
        The figures it rests on, in units that people use, by name of the signal.
    """

    en: str
    zh: str
    evidence: dict[str, float | str]


@dataclass(frozen=True)
class Post:
    """A recent post that is close to the brief.

    Attributes
    ----------
    post_id, excerpt : str
        The post, and the beginning of its text on one line.
    cosine : float
        How close it is.
    sponsored : bool
        Whether it is known to be sponsored.
    published : str
        Day of publication, ISO 8601; empty where unknown.
    """

    post_id: str
    excerpt: str
    cosine: float
    sponsored: bool = False
    published: str = ""


@dataclass(frozen=True)
class Facts:
    """What may be said about one match.

    Attributes
    ----------
    signals : mapping
        Signals by name, their standing among the brief's candidates (`ABOVE`, `BELOW`), and the
        spans they cover (`features.evidence.spans`); NaN where unknown.
    vertical, vertical_zh : str
        Vertical of the brief, and what the trade calls it in Chinese; empty where it names none.
    currency : str
        Currency of the offer; empty without an offer.
    posts : tuple of Post
        Recent posts closest to the brief, the closest first; empty without posts.
    most_posts : int
        How many of a KOL's latest posts are looked at.
    rivalry_days : int
        How many days back work for competitors counts.
    """

    signals: Mapping[str, float]
    vertical: str = ""
    vertical_zh: str = ""
    currency: str = ""
    posts: tuple[Post, ...] = field(default=())
    most_posts: int = 30
    rivalry_days: int = 180

    def known(self, *names: str) -> bool:
        """Say whether all these signals have a value."""
        return all(not math.isnan(self.signals.get(name, math.nan)) for name in names)

    def get(self, name: str) -> float:
        """Return a signal, NaN where unknown."""
        return self.signals.get(name, math.nan)

    def above(self, name: str) -> float:
        """Return the share of the brief's candidates that a known signal outdoes, else NaN."""
        return self.get(name + ABOVE) if self.known(name) else math.nan

    def below(self, name: str) -> float:
        """Return the share of the brief's candidates that outdo a known signal, else NaN."""
        return self.get(name + BELOW) if self.known(name) else math.nan

    @property
    def has_peers(self) -> bool:
        """Whether there are enough KOLs of the same platform and tier to compare with."""
        return self.get("reach.peers") >= PEERS

    @property
    def engagement_seen(self) -> float:
        """Engagements over views as they were seen; `engagement.rate` is shrunk, for the model."""
        shown = [name for name in ENGAGEMENTS if self.known(name)]
        return sum(self.signals[name] for name in shown) if shown else math.nan

    def evidence(self, *names: str) -> dict[str, float | str]:
        """Return the named signals that are known, in units that people use."""
        kept: dict[str, float | str] = {}
        for name in filter(self.known, names):
            told, plain = PLAIN.get(name, (name, float))
            kept[told] = float(f"{plain(self.signals[name]):.6g}")
        return kept


def wan(number: float) -> str:
    """Write a count as Chinese readers do: 12,345 is 1.2万, 340,000,000 is 3.4亿."""
    return _scaled(number, ((1e4, "万"), (1e8, "亿")))


def short(number: float) -> str:
    """Write a count as English readers do: 12,345 is 12.3k."""
    return _scaled(number, ((1e3, "k"), (1e6, "M"), (1e9, "bn")))


def _scaled(number: float, units: tuple[tuple[float, str], ...]) -> str:
    """Write a count in the largest unit that it fills; 999,999 is 1M, since it is not 1,000k."""
    shown, size, unit = float(round(number)), 1.0, ""
    for larger, name in units:
        if shown * size >= larger:
            shown, size, unit = round(number / larger, 1), larger, name
    return f"{shown:,.1f}".removesuffix(".0") + unit


def money(amount: float, currency: str) -> tuple[str, str]:
    """Write money in English and Chinese, with no more digits than tell something."""
    digits = 0 if amount >= 100 else 1 if amount >= 10 else 2
    figure = f"{amount:,.{digits}f}"
    if digits:
        figure = figure.rstrip("0").rstrip(".")
    return f"{figure} {currency}", f"{figure} {'元' if currency == 'CNY' else currency}"


def percent(share: float, digits: int = 0) -> str:
    """Write a share; one that is not 0 or 1 is not rounded to it."""
    told = f"{share:.{digits}%}"
    bare = told.rstrip("%")
    if float(bare) == 0 and share > 0:
        return f"<{10**-digits:g}%"
    if share < 1 and float(bare) == 100:
        return f"{100 - 10**-digits:.{digits}f}%"
    return told


def place(share: float) -> str:
    """Write the share of others that are surpassed; nobody surpasses all, himself included."""
    return f"{min(math.floor(share * 100 + 1e-9), 99)}%"


def counted(count: float, noun: str) -> str:
    """Write a count with its noun: 1 post, 2 posts."""
    return f"{count:,.0f} {noun}{'s' * (round(count) != 1)}"


def exp(value: float) -> float:
    """Return the exponential, at most 1e300: a wild figure must not stop a run."""
    return math.exp(min(value, math.log(1e300)))


def grown(log: float) -> float:
    """Turn the log of a count + 1, or of one + a growth, back."""
    return exp(log) - 1


def cost_of_views(log: float) -> float:
    """Turn the log of views per unit of cost into the cost of 1,000 views."""
    return 1000.0 * exp(-log)


PLAIN: Mapping[str, tuple[str, Callable[[float], float]]] = {
    "price.log": ("price.amount", exp),
    "price.per_view": ("price.cpm", exp),
    "price.per_engagement": ("price.cpe", exp),
    "price.against_peers": ("price.of_peers_median", exp),
    "reach.median_views": ("reach.median_views", grown),
    "growth.followers_90": ("growth.followers_a_month", grown),
    "growth.views": ("growth.views_change", grown),
    "sponsored.views": ("sponsored.of_usual_views", exp),
    "record.views_per_cost": ("record.cpm", cost_of_views),
}
"""How evidence tells a signal that is a logarithm: under which name, and turned back by what."""
