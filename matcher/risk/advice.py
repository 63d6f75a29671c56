"""What to do about each kind of risk, and which clause to ask for, in both languages.

The words are in ``advice.toml``, by kind. They are what an agency opens talks with, not legal
advice.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from matcher.wording import Text


@dataclass(frozen=True)
class Advice:
    """About one kind of risk.

    Attributes
    ----------
    label : Text
        What people call it.
    response : Text
        What to do about it.
    clause : Text
        What to have written into the contract.
    """

    label: Text
    response: Text
    clause: Text


def _read() -> Mapping[str, Advice]:
    text = files("matcher.risk").joinpath("advice.toml").read_text(encoding="utf-8")
    return MappingProxyType(
        {
            kind: Advice(**{part: Text(**words) for part, words in told.items()})
            for kind, told in tomllib.loads(text).items()
        }
    )


ADVICE: Mapping[str, Advice] = _read()
"""Advice by kind of risk, in the order in which kinds are told."""
KINDS: tuple[str, ...] = tuple(ADVICE)
"""Every kind of risk."""
