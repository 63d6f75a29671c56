"""Text that stays where Markdown puts it."""

from __future__ import annotations

import pandas as pd

_MARKS = ("\\", "|", "`", "[", "]", "*", "_", "#")
_TAGS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def cell(value: object) -> str:
    """Return text that stays inside its cell, whatever it holds; a dash for what is missing."""
    text = "–" if pd.isna(value) else " ".join(str(value).split())  # type: ignore[call-overload]
    for sign, told in _TAGS.items():
        text = text.replace(sign, told)
    for mark in _MARKS:
        text = text.replace(mark, f"\\{mark}")
    return text
