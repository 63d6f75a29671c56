"""Text as the rules read it, every character of which knows where it stood."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from features.cells import half_width

_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\u3001-\u303f]")
_LINE_ENDS = "\n\u2028\u2029\x0b\x0c\x85"
_DROPPED = "*`\r【"
"""Signs that make letters bold, half of a line's end, and what opens a label in brackets."""
_SAME = str.maketrans(
    {"“": '"', "”": '"', "’": "'", "‘": "'", "～": "~", "〜": "~", "，": ",", "】": ":"}
)


@dataclass(frozen=True)
class Plain:
    """A text made half-width and lower case, with blanks beside Chinese and controls left out.

    Attributes
    ----------
    original : str
        As it was written.
    text : str
        As the rules read it.
    at : tuple of int
        Where each character of `text` stands in `original`.

    Examples
    --------
    >>> plain = Plain.of("预算 ３０ 万")
    >>> plain.text, plain.quote(2, 5)
    ('预算30万', '３０ 万')
    """

    original: str
    text: str
    at: tuple[int, ...]

    @classmethod
    def of(cls, original: str) -> Plain:
        """Return the plain form of a text."""
        kept: list[tuple[str, int]] = []
        blank: int | None = None
        for position, character in enumerate(original):
            sign = _plain(character)
            if not sign:
                continue
            if sign == " ":
                blank = position if blank is None else blank
                continue
            last = kept[-1][0] if kept else "\n"
            if blank is not None and not (_sheds(last) or _sheds(sign)):
                kept.append((" ", blank))
            blank = None
            kept.append((sign, position))
        return cls(original, "".join(c for c, _ in kept), tuple(p for _, p in kept))

    def quote(self, start: int, end: int) -> str:
        """Return the words of the original that a part of the plain text was made of."""
        if start >= end:
            return ""
        return self.original[self.at[start] : self.at[end - 1] + 1]

    def shown(self, start: int, end: int) -> str:
        """Return those words in one line, half-width, as a name or a list is kept."""
        return " ".join(half_width(self.quote(start, end)).replace("*", "").split())

    def sentence(self, position: int) -> tuple[int, int]:
        """Return where the sentence around a position starts and ends."""
        return _around(_SENTENCE_ENDS, self.text, position)

    def clause(self, position: int) -> tuple[int, int]:
        """Return where the clause around a position, with no comma in it, starts and ends."""
        return _around(_CLAUSE_ENDS, self.text, position)


_SENTENCE_ENDS = re.compile(r"[。!?;\n]|\.(?=\s|$)")
_CLAUSE_ENDS = re.compile(r"[。!?;\n]|\.(?=\s|$)|,(?!\d{3}(?!\d))|但是?|\bbut\b")


_LONGEST = 400


def _around(ends: re.Pattern[str], text: str, position: int) -> tuple[int, int]:
    # Nobody's sentence is longer; a text without a stop is not read through at every word.
    start = max(0, position - _LONGEST)
    for match in ends.finditer(text, start, position):
        start = match.end()
    last = min(len(text), position + _LONGEST)
    end = ends.search(text, position, last)
    return start, end.start() if end else last


def _sheds(character: str) -> bool:
    return character == "\n" or bool(_CJK.match(character))


@cache
def _plain(character: str) -> str:
    """Return one character as the rules read it; empty drops it."""
    if character in _LINE_ENDS:
        return "\n"
    if character in _DROPPED:
        return ""
    if character in " \t":
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Mn"):
        return ""
    if character.isspace():
        return " "
    plain = half_width(f"x{character}x")[1:-1].translate(_SAME)
    lower = plain.lower()
    return lower if len(lower) == 1 else plain
