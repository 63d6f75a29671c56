"""Text of a cell before it is a value, and how that text is to be taken."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

# Full-width forms, blanks that are not spaces, and signs that only look like a hyphen.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ",
    0x00A0: " ",
    0x202F: " ",
    0xFFE5: "¥",
    0x2010: "-",
    0x2011: "-",
    0x2012: "-",
    0x2013: "-",
    0x2014: "-",
    0x2212: "-",
    0x200B: None,
    0xFEFF: None,
}
_LOOSE = str.maketrans("", "", " \t\r\n_-")


class RefusedError(ValueError):
    """A cell that cannot be read for certain; the message says what was expected."""


@dataclass(frozen=True)
class Style:
    """How the cells of one source column are to be taken, where the cells do not say it themselves.

    Attributes
    ----------
    unit : str
        ``"percent"`` for shares, ``"s"`` or ``"ms"`` for times since 1970, a word such as ``"万"``
        for numbers, empty when the cells stand for themselves.
    decimal : str
        ``"."`` or ``","`` where the decimal sign is known; empty reads a dot as the decimal sign
        and refuses what could be either.
    separator : str
        What stands between the items of a list; empty tries the usual ones.
    timezone : str
        IANA name of the zone in which times without an offset are told.
    currency : str
        ISO 4217 code of amounts that have none of their own.
    typed : bool
        Whether the file itself stored numbers, whose text is then beyond doubt.
    """

    unit: str = ""
    decimal: Literal["", ".", ","] = ""
    separator: str = ""
    timezone: str = "UTC"
    currency: str = ""
    typed: bool = False


PLAIN = Style()


@dataclass(frozen=True)
class Vocabulary:
    """The words of ``vocabulary.toml``, folded for look-up.

    Attributes
    ----------
    nulls : frozenset of str
        Words for "unknown".
    flags : mapping of str to bool
        Words for yes and no.
    scales : mapping of str to int
        Words that multiply the number before them.
    counters : mapping of str to frozenset of str
        Words that may follow a count, by column name; those under ``"any"`` hold everywhere.
    iso_4217 : frozenset of str
        Currency codes.
    currencies : mapping of str to tuple of str
        Codes that a currency word or sign can stand for, the likeliest first.
    words : mapping of str to mapping of str to str
        Canonical values by group (``"platform"``, ``"vertical"``...) and word.
    """

    nulls: frozenset[str]
    flags: Mapping[str, bool]
    scales: Mapping[str, int]
    counters: Mapping[str, frozenset[str]]
    iso_4217: frozenset[str]
    currencies: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Mapping[str, str]]


def half_width(text: str) -> str:
    """Return text with full-width letters, digits and signs made half-width, and stripped.

    Not Unicode's NFKC, which would make ``10²`` one hundred and two.

    Examples
    --------
    >>> half_width("　１，２３４％ ")
    '1,234%'
    """
    # Nothing in ASCII is translated, and a table's every number and time comes through here.
    return (text if text.isascii() else text.translate(_HALF_WIDTH)).strip()


def is_text(text: str) -> bool:
    r"""Tell whether a text can be stored: JSON can spell halves of characters, which nothing keeps.

    Examples
    --------
    >>> is_text("😀"), is_text("\ud83d")
    (True, False)
    """
    return not any("\ud800" <= character <= "\udfff" for character in text)


def fold(text: str) -> str:
    """Return a word as words are compared: half-width, lower case, no blanks, ``_`` or ``-``.

    Examples
    --------
    >>> fold("Co-Creation")
    'cocreation'
    """
    plain = half_width(text).casefold()
    # A word made of nothing but signs, such as "-", is still that word.
    return plain.translate(_LOOSE) or plain


def load_toml(name: str) -> dict[str, Any]:
    """Read a TOML file that lies beside this module."""
    return tomllib.loads(files("features").joinpath(name).read_text(encoding="utf-8"))


@cache
def vocabulary() -> Vocabulary:
    """Return the words of ``vocabulary.toml``."""
    data = load_toml("vocabulary.toml")
    return Vocabulary(
        nulls=frozenset(map(fold, data["nulls"])),
        flags={fold(w): told == "true" for told, ws in data["flags"].items() for w in ws},
        scales=dict(data["scales"]),
        counters={column: frozenset(words) for column, words in data["counters"].items()},
        iso_4217=frozenset(data["currencies"]["iso_4217"]),
        currencies={w: tuple(codes) for w, codes in data["currencies"]["words"].items()},
        words={
            group: {fold(w): name for name, ws in names.items() for w in (name, *ws)}
            for group, names in data["words"].items()
        },
    )


def is_null(text: str) -> bool:
    """Tell whether a cell that is neither id nor text says that the value is unknown."""
    return fold(text) in vocabulary().nulls
