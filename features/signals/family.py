"""What a family of signals is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from features.config import FeatureConfig
from features.timeline import Floats
from features.vectors import Embeddings
from features.view import View

Signals: TypeAlias = Mapping[str, Floats]
"""Signals by name, each float64 of shape (pairs,), NaN where unknown."""


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
    """

    name: str
    function: Callable[[View, Embeddings, FeatureConfig], Signals]
    signals: Mapping[str, str]
    label_en: str
    label_zh: str
    by_mode: bool = False

    def meanings(self, config: FeatureConfig) -> dict[str, str]:
        """Return the meaning of each signal that these settings give, in order."""
        told: dict[str, str] = {}
        for name, meaning in self.signals.items():
            spaces = config.spaces if "{space}" in name else ("",)
            told |= {name.format(space=s): meaning.format(space=s) for s in spaces}
        return told
