"""Audience mixes: shares by name, in one cell or spread over columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from features.cells import RefusedError, Style, fold, half_width, is_text, vocabulary
from features.numerals import read_share

_MIX = "shares by name, such as female:65%;male:35% or 1 广东 12.96% | 2 江苏 7.7%"
_BLANKS = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n\s*")
_ENTRIES = re.compile(r"\s*[|;；\n]\s*|(?<=%)\s*[,，、\s]\s*|\s*[,，、]\s*(?=[^\d\s])")
_GLUED = re.compile(r"(.*[^\d.\s:=])(\d+(?:\.\d+)?%)")
_AGE_RANGE = re.compile(r"(\d{1,2})\s*[-~至到]\s*(\d{1,2})")
_AGE_BELOW = re.compile(r"(?:<|小于|低于)\s*(\d{1,2})|(\d{1,2})\s*以下")
_AGE_ABOVE = re.compile(r"(>=|≥|>|大于)\s*(\d{1,2})|(\d{1,2})\s*(\+|及以上|以上)")


def read_mix(text: str, style: Style, dimension: str) -> dict[str, float]:
    """Read a mix from one cell.

    Parameters
    ----------
    text : str
        A JSON object, or entries of name and share: ``female:65%;male:35%``,
        ``女 65% | 男 35%``, or with a rank before the name as platforms export them,
        ``1 海外 15.88% | 2 广东 12.96%``.
    style : Style
        ``unit = "percent"`` says that shares without a sign are in percent.
    dimension : str
        ``"gender"``, ``"age"``, ``"region"``, ``"city_tier"`` or ``"interest"``.

    Returns
    -------
    dict of str to float
        Shares 0-1 by canonical name. Interests that are one vertical in the vocabulary are added.

    Raises
    ------
    RefusedError
        If an entry has no name or no share, or a name other than an interest comes twice.
    """
    plain = half_width(text)
    if plain.startswith("{"):
        entries = _from_json(plain)
    else:
        # A long run of blanks would be searched for a divider from each of them.
        plain = _BREAKS.sub("\n", _BLANKS.sub(" ", plain))
        parts = [part for part in _ENTRIES.split(plain) if part.strip()]
        entries = [_entry(part, position) for position, part in enumerate(parts, start=1)]
    shares = [(mix_name(name, dimension), read_share(share, style)) for name, share in entries]
    return add_up(shares, dimension)


def add_up(shares: Iterable[tuple[str, float]], dimension: str) -> dict[str, float]:
    """Put named shares together, and complete a gender mix that has one side.

    Platforms count the followers whose gender they know as female or male, so when exactly one of
    the two is told, the other is the rest. No other mix is completed: lists of regions and
    interests are the top few.

    Raises
    ------
    RefusedError
        If a name other than an interest comes twice.

    Examples
    --------
    >>> add_up([("female", 0.65)], "gender")
    {'female': 0.65, 'male': 0.35}
    """
    mix: dict[str, float] = {}
    for name, share in shares:
        if name in mix and dimension != "interest":
            raise RefusedError(f"each name once, found {name} twice")
        mix[name] = round(mix[name] + share, 10) if name in mix else share
    if dimension == "gender" and len(mix) == 1:
        (name, share), *_ = mix.items()
        other = {"female": "male", "male": "female"}.get(name)
        if other is not None and 0 <= share <= 1:
            mix[other] = round(1 - share, 10)
    return mix


def mix_name(name: str, dimension: str) -> str:
    """Return the canonical name of one part of an audience.

    Ages become ``18-24``, ``0-17`` (``<18`` being the same) or ``45+`` (``>44``); genders, city
    tiers, regions and interests are looked up in the vocabulary and stay as written when not found.

    Raises
    ------
    RefusedError
        If the name is empty or a gender or age is not one.

    Examples
    --------
    >>> [mix_name(age, "age") for age in ("18～24岁", "18岁以下", ">44")]
    ['18-24', '0-17', '45+']
    """
    plain = half_width(name)
    if not plain:
        raise RefusedError(_MIX)
    if dimension == "age":
        return _age(plain)
    group = "vertical" if dimension == "interest" else dimension
    found = vocabulary().words[group].get(fold(plain))
    if found is None and dimension == "gender":
        raise RefusedError("shares of female and male (女, 男)")
    return found or plain


def _age(plain: str) -> str:
    text = plain.replace("岁", "").strip()
    if match := _AGE_RANGE.fullmatch(text):
        return f"{int(match[1])}-{int(match[2])}"
    if match := _AGE_BELOW.fullmatch(text):
        return f"0-{int(match[1] or match[2]) - 1}"
    if match := _AGE_ABOVE.fullmatch(text):
        least = int(match[2] or match[3])
        return f"{least + 1 if match[1] in ('>', '大于') else least}+"
    raise RefusedError("shares by age, such as <18, 18-24 or 45+")


def _from_json(text: str) -> list[tuple[str, str]]:
    try:
        # Pairs rather than a dict, which would keep the last of two equal names in silence.
        # Numbers stay text: json's own floats would read NaN and lose what was written.
        told = json.loads(text, object_pairs_hook=list, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise RefusedError(_MIX) from error
    if not all(isinstance(share, str) and is_text(name) for name, share in told):
        raise RefusedError(_MIX)
    return [(str(name), share) for name, share in told]


def _entry(part: str, position: int) -> tuple[str, str]:
    name, sign, share = part.strip(), "", ""
    for mark in (":", "="):
        name, sign, share = part.rpartition(mark)
        if sign:
            break
    if not sign:
        words = part.split()
        # The rank of a ranked list counts up from 1; anything else is part of the name.
        if len(words) > 2 and words[0].rstrip(".") == str(position):
            words = words[1:]
        name, share = " ".join(words[:-1]), words[-1]
        if not name and (glued := _GLUED.fullmatch(share)):
            name, share = glued[1], glued[2]
    if not name.strip() or not share.strip():
        raise RefusedError(_MIX)
    return name.strip(), share.strip()
