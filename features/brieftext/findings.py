"""What was read, from which words, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Why = Literal[
    "",
    "range_high",
    "range_low",
    "sum",
    "tier",
    "even",
    "mainly",
    "season",
    "year",
    "about",
    "currency",
    "no_cue",
    "main",
    "words",
    "birth",
    "first",
    "heading",
]
"""Why a value is a guess: each is a convention that `matcher.briefing` puts in words."""


@dataclass(frozen=True)
class Found:
    """One field as it was understood.

    Attributes
    ----------
    value : object
        As the column of BRIEFS holds it.
    quotes : tuple of str
        The words of the brief that it was read from.
    why : str
        Empty where the brief says it; otherwise the convention by which it was guessed.
    """

    value: Any
    quotes: tuple[str, ...]
    why: Why = ""

    @property
    def sure(self) -> bool:
        """Whether the brief says it, so that nothing was guessed."""
        return not self.why


@dataclass(frozen=True)
class Conflict:
    """Words that say of one field what cannot both hold; `taken` is what was made of them."""

    field: str
    quotes: tuple[str, ...]
    taken: str


@dataclass(frozen=True)
class Understood:
    """A brief that was read.

    Attributes
    ----------
    text : str
        The brief, controls left out.
    found : mapping of str to Found
        What was understood, by column of BRIEFS in the order of the contract.
    conflicts : tuple of Conflict
        What the brief says in two ways.
    unplaced : tuple of str
        Wishes and limits that were seen but that no column holds, for a person to heed.
    """

    text: str
    found: Mapping[str, Found]
    conflicts: tuple[Conflict, ...] = ()
    unplaced: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What the brief does not say and a plan needs."""
        return tuple(name for name in NEEDED if name not in self.found)

    @property
    def useful(self) -> tuple[str, ...]:
        """What the brief does not say and would make the answer better."""
        return tuple(name for name in USEFUL if name not in self.found)


NEEDED = ("goal", "platforms", "budget", "currency", "kols_wanted")
USEFUL = (
    *("brand_name", "vertical", "modes", "audience_gender", "audience_age", "product_price"),
    *("gross_margin", "competitor_brands", "starts_at", "ends_at"),
)
