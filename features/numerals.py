"""Numbers, shares and money as people write them, read exactly or refused.

`Decimal` carries the value until the end, so that ``12%`` is the float 0.12 and ``1.2万`` is 12000.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from features.cells import RefusedError, Style, fold, half_width, vocabulary

MOST = 10**20
"""What no count and no amount of money exceeds: more is a mistake, and would swamp every sum."""

_SWAP = str.maketrans(",.", ".,")
# Could be one and a quarter thousand, or one and a quarter with a needless digit.
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
_MEASURED = frozenset({"duration_s"})
"""Columns of kind count that are measured: 12.345 seconds are no twelve thousand."""

_A_NUMBER = "a number such as 1234, 1,234 or 1.2万"
_DECIMAL_SIGN = (
    'a number that can be read only one way: write 1234 or 1.23, or say decimal = "." '
    '(or ",") for this column in the mapping'
)


@cache
def _pattern(counters: frozenset[str]) -> re.Pattern[str]:
    def any_of(words: frozenset[str]) -> str:
        return "|".join(re.escape(w) for w in sorted(words, key=lambda w: (-len(w), w)))

    digits = r"(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?"
    scales = any_of(frozenset(vocabulary().scales))
    tail = rf"(?:\s*(?:{any_of(counters)}))?" if counters else ""
    return re.compile(
        rf"(?P<number>[+-]?{digits})\s*(?P<scale>{scales})?\s*\+?{tail}\s*\+?",
        re.ASCII | re.IGNORECASE,
    )


def read_number(text: str, style: Style, counters: frozenset[str] = frozenset()) -> Decimal:
    """Read one number.

    Parameters
    ----------
    text : str
        Such as ``1,234``, ``1.2万``, ``10w+`` or ``３.4k``. A ``+`` after it is dropped: "100+"
        is read as 100, the most that is certain.
    style : Style
        Its ``unit`` is the scale of cells that have none; its ``decimal`` settles ``1.234``.
    counters : frozenset of str
        Words that may follow, such as ``人``.

    Raises
    ------
    RefusedError
        If the text is not one number, or could be two different ones.
    """
    plain = half_width(text)
    if style.decimal == ",":
        plain = plain.translate(_SWAP)
    match = _pattern(counters).fullmatch(plain)
    if match is None:
        doubtful = re.fullmatch(r"[+-]?\d[\d.,]*", plain, re.ASCII)
        raise RefusedError(_DECIMAL_SIGN if doubtful else _A_NUMBER)
    number = Decimal(match["number"].replace(",", ""))
    scales = vocabulary().scales
    scale = (match["scale"] or "").lower()
    if scale and style.unit in scales:
        raise RefusedError(f"a number without {match['scale']}, the column being in {style.unit}")
    number *= scales.get(scale or style.unit, 1)
    if abs(number) > MOST or (number and not float(number)):
        raise RefusedError(f"a number up to {MOST:.0e}, and 0 or more than 1e-300; mend the value")
    return number


def _whole(text: str, style: Style, counters: frozenset[str] = frozenset()) -> float:
    number = read_number(text, style, counters)
    if not style.typed and not style.decimal and not style.unit and _EITHER.fullmatch(text):
        raise RefusedError(_DECIMAL_SIGN)
    return float(number)


def read_count(text: str, style: Style, column: str) -> float:
    """Read a count, to which words such as ``人`` or, in some columns, ``天`` may be attached.

    Raises
    ------
    RefusedError
        If the text is not one number, or is one like ``1.234`` whose dot may group digits.
    """
    words = vocabulary().counters
    counters = words["any"] | words.get(column, frozenset())
    if column in _MEASURED:
        return float(read_number(text, style, counters))
    return _whole(half_width(text), style, counters)


def read_share(text: str, style: Style) -> float:
    """Read a share: a number from 0 to 1, or one with a percent sign.

    Raises
    ------
    RefusedError
        If a number above 1 has no percent sign and the column is not said to be in percent.
    """
    plain = half_width(text)
    per_cent = plain.endswith("%")
    number = read_number(plain.removesuffix("%").rstrip(), Style(decimal=style.decimal))
    if per_cent or style.unit == "percent":
        return float(number.scaleb(-2))
    if number > 1:
        raise RefusedError(
            "a share between 0 and 1, or a percentage with its % sign; for a column in percent "
            'say unit = "percent" in the mapping'
        )
    return float(number)


@cache
def _money_pattern() -> re.Pattern[str]:
    words = vocabulary()
    names = sorted({*words.currencies, *words.iso_4217}, key=lambda w: (-len(w), w))
    sign = "|".join(map(re.escape, names))
    return re.compile(
        rf"(?P<minus>[+-]?)\s*(?P<before>{sign})?\s*(?P<amount>.*?)\s*(?P<after>{sign})?",
        re.IGNORECASE | re.DOTALL,
    )


def read_money(text: str, style: Style) -> tuple[float, tuple[str, ...]]:
    """Read an amount of money and the currencies its sign can stand for.

    Returns
    -------
    amount : float
    currencies : tuple of str
        ISO 4217 codes, the likeliest first; empty when the text has no sign or code.

    Raises
    ------
    RefusedError
        If the amount is not one number, or the text names two currencies.
    """
    plain = half_width(text)
    more = plain.endswith("+")
    match = _money_pattern().fullmatch(plain.removesuffix("+"))
    if match is None:
        raise RefusedError(_A_NUMBER)
    before, after = (currencies(match[side] or "") for side in ("before", "after"))
    named = tuple(code for code in before if code in after) if before and after else before or after
    if (before or after) and not named:
        raise RefusedError("an amount in one currency")
    amount = f"{match['minus']}{match['amount']}{'+' if more else ''}"
    return _whole(amount, style), named


def currencies(word: str) -> tuple[str, ...]:
    """Return the ISO 4217 codes that a word or sign can stand for, the likeliest first.

    Examples
    --------
    >>> currencies("￥"), currencies("usd"), currencies("shells")
    (('CNY', 'JPY'), ('USD',), ())
    """
    plain = fold(word)
    if plain.upper() in vocabulary().iso_4217:
        return (plain.upper(),)
    return vocabulary().currencies.get(plain, ())


def read_currency(text: str) -> str:
    """Read a currency code, name or sign.

    Raises
    ------
    RefusedError
        If no currency is called so.
    """
    codes = currencies(text)
    if not codes:
        raise RefusedError("a currency by its ISO 4217 code, such as CNY or USD")
    return codes[0]
