"""What is looked at for a caution: a match, and one thing that may speak against it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from matcher.figures import Facts


@dataclass(frozen=True)
class Case:
    """A match, as its cautions see it.

    Attributes
    ----------
    facts : Facts
        What is known of it.
    match : mapping
        Its forecasts and chances, by column of the matches; NaN where unknown.
    goal : str
        Goal of the brief, empty where it names none.
    parts : mapping
        What each family adds to its score.
    """

    facts: Facts
    match: Mapping[str, float] = field(default_factory=dict)
    goal: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)

    def get(self, name: str) -> float:
        """Return a figure of the match, NaN where unknown."""
        return float(self.match.get(name, math.nan))


@dataclass(frozen=True)
class Caution:
    """One thing that speaks against a match.

    Attributes
    ----------
    weight : float
        How much.
    family : str
        Family of signals it belongs to.
    en, zh : str
        The sentence in both languages.
    """

    weight: float
    family: str
    en: str
    zh: str
