"""Values as a page may hold them: plain JSON, and no character that is not to be seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from features.evidence import excerpt

NAME, SENTENCE, CAPTION, TEXT = 60, 400, 240, 4_000
"""Widest name, sentence, caption of a post and text of a brief; full-width characters count two."""
_SEEN = 8
"""Of a text, this many times its width is read at most: the rest is cut off anyway."""


def words(value: object, most: int = SENTENCE) -> str | None:
    r"""Return text on one line, clipped, without what is not to be seen; ``None`` where unknown.

    Examples
    --------
    >>> words("safe\u202egpj.exe\x00", 20)
    'safegpj.exe'
    >>> words(float("nan"))
    """
    if value is None or (not isinstance(value, str) and bool(pd.isna(value))):  # type: ignore[call-overload]
        return None
    return excerpt(str(value)[: most * _SEEN], most) or None


def lines(value: object, most: int = TEXT) -> str | None:
    r"""Return text as `words` does, but with its line breaks.

    Examples
    --------
    >>> lines("one\r\n\r\n  two\t2")
    'one\ntwo 2'
    """
    if not isinstance(value, str):
        return None
    found = [words(line, most) for line in value[:most].splitlines()]
    return "\n".join(line for line in found if line) or None


def figure(value: Any, digits: int = 4) -> float | int | None:
    """Return a number to so many significant digits; ``None`` where it is unknown.

    Examples
    --------
    >>> figure(12345.678), figure(0.0123456), figure(float("nan")), figure(-0.0)
    (12350, 0.01235, None, 0)
    """
    if value is None or pd.isna(value) or not math.isfinite(value):
        return None
    rounded = float(f"{float(value):.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded


def amount(value: Any) -> float | int | None:
    """Return money or a count as it is, but for noise beyond what anybody writes."""
    return figure(value, 12)


def day(value: Any) -> str | None:
    """Return the day of a time, UTC; ``None`` where it is unknown."""
    return None if value is None or pd.isna(value) else f"{value:%Y-%m-%d}"


def mix(value: Mapping[str, float] | None, most: int = 8) -> dict[str, float | int]:
    """Return the largest shares of a mix, largest first; of equals, by name."""
    shares = sorted((value or {}).items(), key=lambda entry: (-entry[1], entry[0]))[:most]
    told = {words(name, NAME): figure(share, 3) for name, share in shares}
    return {name: share for name, share in told.items() if name and share}


def present(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a record: without ``None``, empty text, lists and objects."""
    return {
        name: value
        for name, value in record.items()
        if value is not None and not (isinstance(value, str | list | dict) and not value)
    }
