"""Texts that a spreadsheet would take for a formula, made harmless."""

from __future__ import annotations

import unicodedata

_FORMULA = ("=", "+", "-", "@")


def harmless(text: str) -> str:
    """Keep a program that opens a CSV file from taking a text for a formula.

    Full-width signs count too, and white space before a sign hides nothing.

    Examples
    --------
    >>> harmless("=HYPERLINK(1)"), harmless("a=b")
    ("'=HYPERLINK(1)", 'a=b')
    """
    start = unicodedata.normalize("NFKC", text.lstrip()[:1])
    return f"'{text}" if start.startswith(_FORMULA) or text[:1] in ("\t", "\r", "\n") else text
