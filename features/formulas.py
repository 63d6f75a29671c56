"""Texts that a spreadsheet would take for a formula, made harmless."""

from __future__ import annotations

import re
import unicodedata

_FORMULA = ("=", "+", "-", "@")
_UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")
"""Categories of characters before a sign that hide nothing: controls, formats and blanks."""
_PIECE = re.compile("[;\t\r\n]")


def harmless(text: str) -> str:
    """Keep a program that opens a CSV file from taking a text for a formula.

    Full-width signs count too, and blanks and characters that nobody sees hide nothing.

    Examples
    --------
    >>> harmless("=HYPERLINK(1)"), harmless("a=b")
    ("'=HYPERLINK(1)", 'a=b')
    """
    return f"'{text}" if _starts_formula(text) or text[:1] in ("\t", "\r", "\n") else text


def harmless_within(text: str) -> str:
    """Do as `harmless`, and the same for what follows a semicolon, tab or line break.

    Where commas are decimal signs, spreadsheets divide a CSV file by semicolons, and quotes that
    were set round a whole text do not hold there.

    Examples
    --------
    >>> harmless_within("a;=1+1"), harmless_within("b;=1")
    ("a;'=1+1", "b;'=1")
    """
    made, start = [], 0
    for end in [*(match.end() for match in _PIECE.finditer(text)), len(text)]:
        piece = text[start:end]
        # A quote that is not set round the whole text may open the piece.
        lead = next((i for i, c in enumerate(piece) if c != '"' and not _is_unseen(c)), 0)
        guard = "'" if start and _starts_formula(piece[lead:]) else ""
        made.append(piece[:lead] + guard + piece[lead:])
        start = end
    return harmless("".join(made))


def _starts_formula(text: str) -> bool:
    seen = next((c for c in text if not _is_unseen(c)), "")
    return unicodedata.normalize("NFKC", seen).startswith(_FORMULA)


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN
