"""Cells of lists: what is left out of other people's text, and how CSV files are written.

Text from briefs, profiles and posts is other people's and goes into programs that run what looks
like a formula. In a workbook every text is written as text. In a CSV file, where characters alone
tell, text that could start a formula gets an apostrophe before it. Characters that a sheet cannot
hold, that nobody sees or that turn the writing round are left out of both.

Spreadsheets turn long ids in a CSV file into rounded numbers when they open it; workbooks keep
them.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from features.formulas import harmless_within
from matcher.wording import Language
from serving.headings import Heading

MAX_CHARS = 32_767
"""Characters of a cell."""
MAX_LINES = 12
"""Lines that a row shows; what is longer can still be read in its cell."""
NUMBERS = {
    "integer": "#,##0",
    "number": "[<100]#,##0.0;#,##0",
    "decimal": "0.000",
    "money": "[<100]#,##0.00;#,##0",
    "percent": "0.0%",
    "rate": "0.00%",
    "ratio": "0.00",
}
"""Styles that are numbers, and their format in a spreadsheet; small amounts keep their decimals."""
_SIGNS = {
    "CNY": "¥",
    "USD": "US$",
    "EUR": "€",
    "GBP": "£",
    "HKD": "HK$",
    "JPY": "JP¥",
    "KRW": "₩",
    "SGD": "S$",
    "TWD": "NT$",
    "VND": "₫",
}
# Control characters but tab and line feed, halves of surrogate pairs, non-characters, what
# overrides the direction of writing, and blanks without a width. Joiners stay: scripts need them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_FOLDED = re.compile(r"[ \t]*\n\s*")
_BREAKS = re.compile("\r\n|[\r\u0085\u2028\u2029]")


def clean(text: str) -> str:
    """Leave out what a sheet cannot hold and what would show another text than there is.

    Examples
    --------
    >>> clean("a" + chr(0) + "b" + chr(0x202E) + "c")
    'abc'
    """
    text = _UNWANTED.sub("", _BREAKS.sub("\n", text))
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def shown(style: str, text: str) -> str:
    r"""Return text as a cell of a style holds it: lines only where cells have several.

    Examples
    --------
    >>> shown("text", "a\n b"), shown("long", "a\n b")
    ('a b', 'a\n b')
    """
    return clean(text) if style == "long" else _FOLDED.sub(" ", clean(text)).strip("\n ")


def number_format(style: str, currency: Any = None) -> str:
    """Return the spreadsheet's format of a style of numbers, with the sign of a currency.

    Examples
    --------
    >>> number_format("money", "CNY"), number_format("percent")
    ('[<100]"¥"#,##0.00;"¥"#,##0', '0.0%')
    """
    if style != "money" or not re.fullmatch("[A-Z]{3}", str(currency)):
        return NUMBERS[style]
    sign = _SIGNS.get(currency, f"{currency} ")
    return f'[<100]"{sign}"#,##0.00;"{sign}"#,##0'


def rows_of(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a frame."""
    return frame.itertuples(index=False, name=None)


def is_empty(value: Any) -> bool:
    """Tell whether a cell holds nothing."""
    return bool(pd.isna(value)) or value == ""


def lines_of(columns: Sequence[Heading], values: Sequence[Any]) -> int:
    """Return how many lines the longest wrapped cell of a row takes, at most `MAX_LINES`.

    Programs disagree on whether they fit a row to its text on opening, so the file says it.
    """
    most = 1
    for heading, value in zip(columns, values, strict=True):
        if heading.style == "long" and isinstance(value, str):
            # What is longer than a cell is cut, and counts no further.
            wide = (1.05 * _width(line) for line in value[:MAX_CHARS].split("\n"))
            most = max(most, sum(math.ceil(max(width, 1) / (heading.width - 2)) for width in wide))
    return min(most, MAX_LINES)


def _width(line: str) -> int:
    return sum(1 + (ord(character) > 0x2E80) for character in line)


def write_csv(
    path: Path, columns: Sequence[Heading], frame: pd.DataFrame, language: Language
) -> None:
    """Write the columns of a frame to a CSV file: UTF-8 with byte order mark, plain numbers."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([heading.head.in_(language) for heading in columns])
        for row in rows_of(frame[[heading.column for heading in columns]]):
            writer.writerow([_csv_cell(*cell) for cell in zip(columns, row, strict=True)])


def _csv_cell(heading: Heading, value: Any) -> object:
    if is_empty(value):
        return ""
    if heading.style not in NUMBERS:
        return harmless_within(shown(heading.style, str(value)))
    return int(value) if float(value).is_integer() else float(value)
