"""What a family of signals is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from features.config import FeatureConfig
from features.timeline import Floats
from features.vectors import Embeddings
from features.view import View

Signals: TypeAlias = Mapping[str, Floats]
"""Signals by name, each float64 of shape (pairs,), NaN where unknown."""


class Side(StrEnum):
    """What a signal depends on at one ``as_of``: the brief alone, the KOL alone, or the pair."""

    BRIEF = "brief"
    KOL = "kol"
    PAIR = "pair"


@dataclass(frozen=True)
class Family:
    """Signals that are worked out together.

    Attributes
    ----------
    name : str
        First part of the column names, ``<name>.<signal>``.
    function : callable
        Takes the pairs as a view, embeddings and settings; gives the signals.
    signals : mapping of str to str
        What each signal means, with its unit, in the order of the columns. A name with
        ``{space}`` in it stands for one signal for each of `FeatureConfig.spaces`.
    label_en, label_zh : str
        What a person calls the family.
    by_mode : bool
        Whether its signals may differ between two modes of collaboration of one pair.
    of_brief, of_kol : collection of str
        Signals, as `signals` names them, that are the same for all pairs of one brief or of one
        KOL at one ``as_of``, whatever the mode. All others belong to the pair.
    listens : callable, optional
        Called with what `function` takes before any signal of the view is worked out: a family
        that needs posts' vectors may ask for them while another reads them (`View.readers`).
    """

    name: str
    function: Callable[[View, Embeddings, FeatureConfig], Signals]
    signals: Mapping[str, str]
    label_en: str
    label_zh: str
    by_mode: bool = False
    of_brief: Collection[str] = ()
    of_kol: Collection[str] = ()
    listens: Callable[[View, Embeddings, FeatureConfig], None] | None = None

    def meanings(self, config: FeatureConfig) -> dict[str, str]:
        """Return the meaning of each signal that these settings give, in order."""
        told: dict[str, str] = {}
        for name, meaning in self.signals.items():
            spaces = config.spaces if "{space}" in name else ("",)
            told |= {name.format(space=s): meaning.format(space=s) for s in spaces}
        return told

    def sides(self, config: FeatureConfig) -> dict[str, Side]:
        """Return what each signal that these settings give depends on, in order."""
        found: dict[str, Side] = {}
        for name in self.signals:
            spaces = config.spaces if "{space}" in name else ("",)
            side = Side.BRIEF if name in self.of_brief else Side.PAIR
            side = Side.KOL if name in self.of_kol else side
            found |= {name.format(space=space): side for space in spaces}
        return found
