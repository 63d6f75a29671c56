"""From text to the value it stands for, by the kind of the column.

`parse` reads a whole column over its distinct texts: what is read right becomes a value, what
could be wrong is refused with what was expected, and nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.cells import PLAIN, RefusedError, Style, fold, is_null, is_text, vocabulary
from features.columns import TIME, Column
from features.mixes import read_mix
from features.numerals import (
    read_count,
    read_currency,
    read_money,
    read_number,
    read_share,
)
from features.times import read_time

ID_LISTS = frozenset({"excluded_kols", "competitor_brands"})
"""Lists whose items are ids, to which no word for "unknown" applies."""

_CURRENCIES = frozenset({"currency", "to_currency"})
_WORDS = _CURRENCIES | {"vertical"}
"""Text columns that hold a word of the vocabulary, so that "-" there is unknown."""

_GROUPS = {"platforms": "platform", "modes": "mode", "verticals": "vertical"}
# What Excel makes of a long number in a file that passed through it; the digits are gone.
_SHORTENED = re.compile(r"\d(?:\.\d+)?E\+\d{2}", re.ASCII)
# How exports keep Excel from doing so.
_PROTECTED = re.compile(r'="([^"]*)"')
_SHORT = frozenset({"number", "count", "money", "share", "flag", "time", "choice"})
_LONGEST = 100
LONGEST_ID = 500
"""Characters of an id; what is longer is a text in the wrong column."""
# Controls, and signs without width or that turn the direction of writing: two ids that look the
# same would differ. The joiner of emoji stays allowed.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_EXACT_DIGITS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Parsed:
    """A column that was read.

    Attributes
    ----------
    values : pandas.Series
        Values, indexed as the texts were; null where there was none or it was refused.
    refused : ndarray of object, shape (rows,)
        What was expected instead, ``None`` where the text was read.
    currencies : ndarray of object, shape (rows,), or None
        For money, the tuple of currencies that the amount's own sign can stand for, the likeliest
        first, empty without a sign. ``None`` for other kinds.
    """

    values: pd.Series[Any]
    refused: npt.NDArray[np.object_]
    currencies: npt.NDArray[np.object_] | None = None


def parse(texts: pd.Series[Any], column: Column, style: Style = PLAIN) -> Parsed:
    """Read the texts of one column.

    Parameters
    ----------
    texts : pandas.Series of str
        Null or blank is null.
    column : Column
        What they should be.
    style : Style
        How they are to be taken where they do not say it themselves.

    Examples
    --------
    >>> from features.contract import KOLS
    >>> parse(pd.Series(["1.2万", "10w+", "-"]), KOLS["followers"]).values.tolist()
    [12000.0, 100000.0, nan]
    """
    codes, distinct = pd.factorize(texts)
    values: list[Any] = []
    refused: list[str | None] = []
    for text in distinct:
        value, expected = None, None
        if _has_value(text, column):
            try:
                value = _read(text, column, style)
            except RefusedError as refusal:
                expected = str(refusal)
        values.append(value)
        refused.append(expected)
    signs = None
    if column.kind == "money":
        signs = _objects([v[1] if v else () for v in values], ())[codes]
        values = [v[0] if v else None for v in values]
    taken = _array(values, column)[codes]
    # Code -1 is null, and picks the null that stands last in each array.
    return Parsed(
        pd.Series(taken, index=texts.index, dtype=column.dtype),
        _objects(refused, None)[codes],
        signs,
    )


def _read(text: str, column: Column, style: Style) -> Any:
    if column.kind == "count" and not style.unit and len(text) < _EXACT_DIGITS and _is_plain(text):
        return float(text)
    if len(text) > _LONGEST and column.kind in _SHORT:
        raise RefusedError(column.expected)
    return _READERS[column.kind](text, column, style)


def _is_plain(text: str) -> bool:
    """Tell whether a text is digits and nothing else, as most numbers are."""
    return text.isascii() and text.isdigit()


def _has_value(text: str, column: Column) -> bool:
    if not text.strip():
        return False
    verbatim = column.kind in ("id", "text") and column.name not in _WORDS
    if "0" <= text[0] <= "9" or verbatim or column.name in ID_LISTS:
        return True
    # "无" is a no to a yes-or-no question, and unknown elsewhere.
    return not is_null(text) or (column.kind == "flag" and fold(text) in vocabulary().flags)


def _objects(values: list[Any], null: object) -> npt.NDArray[np.object_]:
    out = np.empty(len(values) + 1, dtype=object)
    out[:-1] = np.fromiter(values, dtype=object, count=len(values))
    out[-1] = null
    return out


def _array(values: list[Any], column: Column) -> npt.NDArray[Any] | Any:
    if column.kind in ("number", "count", "money", "share"):
        return np.array([*(np.nan if v is None else v for v in values), np.nan], dtype=np.float64)
    if column.kind == "time":
        ticks = [None if v is None else (v - _EPOCH) // _MICROSECOND for v in (*values, None)]
        stamps = np.array(
            [np.datetime64("NaT", "us") if t is None else np.datetime64(t, "us") for t in ticks]
        )
        return pd.DatetimeIndex(stamps, tz="UTC").astype(TIME).array
    if column.kind == "flag":
        return pd.array([*values, None], dtype="boolean")
    if column.kind in ("id", "text", "choice"):
        return pd.array([*values, None], dtype="str")
    nulls: dict[str, object] = {"labels": (), "mix": {}, "vector": None}
    null = nulls[column.kind]
    return _objects([null if v is None else v for v in values], null)


_MICROSECOND = pd.Timedelta(1, "us").to_pytimedelta()


def _read_id(text: str, column: Column, style: Style) -> str:
    plain = text.strip()
    if protected := _PROTECTED.fullmatch(plain):
        plain = protected[1].strip()
    if _SHORTENED.fullmatch(plain):
        raise RefusedError(
            "the whole id; a spreadsheet has shortened it. Export it again with the column as text"
        )
    if len(plain) > LONGEST_ID:
        raise RefusedError(f"an id of at most {LONGEST_ID} characters; is this another column?")
    if hidden := _HIDDEN.search(plain):
        raise RefusedError(
            f"an id that shows all its characters; U+{ord(hidden[0]):04X} in it cannot be seen: "
            "delete it"
        )
    return plain


def _read_text(text: str, column: Column, style: Style) -> str:
    if column.name in _CURRENCIES:
        return read_currency(text)
    return vocabulary().words.get(column.name, {}).get(fold(text), text)


def _read_choice(text: str, column: Column, style: Style) -> str:
    found = _word(text, column.name)
    if found not in column.choices:
        raise RefusedError(column.expected)
    return found


def _word(text: str, name: str) -> str:
    plain = text.strip()
    return vocabulary().words.get(_GROUPS.get(name, name), {}).get(fold(plain), plain)


def _read_flag(text: str, column: Column, style: Style) -> bool:
    flag = vocabulary().flags.get(fold(text))
    if flag is None:
        raise RefusedError(column.expected)
    return flag


def _read_labels(text: str, column: Column, style: Style) -> tuple[str, ...]:
    if column.name == "tags":
        # 话题 are marked as #one or, on Weibo, #one#.
        items = [item.strip().strip("#").strip() for item in _items(text, column, style)]
    else:
        items = [_word(item, column.name) for item in _items(text, column, style)]
    labels = tuple(dict.fromkeys(item for item in items if item))
    if column.choices and not set(labels) <= set(column.choices):
        raise RefusedError(column.expected)
    return labels


def _items(text: str, column: Column, style: Style) -> list[str]:
    plain = text.strip()
    if plain.startswith("[") and plain.endswith("]"):
        return _json_list(plain, column)
    if style.separator:
        return plain.split(style.separator)
    if column.name == "tags" and plain.startswith("#") and not re.search(r"[;；|\n]", plain):
        return re.split(r"[#\s,，、]+", plain)
    signs = r"[;；|\n、,，/]" if column.choices else r"[;；|\n、]"
    items = re.split(signs, plain)
    # A comma divides only what nothing stronger divides: "Los Angeles, CA; New York" is two.
    return re.split(r"[,，]", plain) if len(items) == 1 else items


def _json_list(plain: str, column: Column) -> list[str]:
    try:
        # Numbers stay as they are written: ids among them may be longer than a float is exact.
        items = json.loads(plain, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise RefusedError(column.expected) from error
    if not all(isinstance(item, str) and is_text(item) for item in items):
        raise RefusedError(column.expected)
    return list(items)


def _read_vector(text: str, column: Column, style: Style) -> npt.NDArray[np.float32]:
    parts = re.split(r"\s*[,;]\s*|\s+", text.strip().removeprefix("[").removesuffix("]").strip())
    if "_" in text:  # which Python takes to group digits, and nobody else
        raise RefusedError(column.expected)
    try:
        with np.errstate(over="ignore"):
            vector = np.array([float(part) for part in parts], dtype=np.float32)
    except ValueError as error:
        raise RefusedError(column.expected) from error
    if not np.isfinite(vector).all():
        raise RefusedError(column.expected)
    return vector


def _read_plain_number(text: str, column: Column, style: Style) -> float:
    return float(read_number(text, style))


_READERS: dict[str, Callable[[str, Column, Style], Any]] = {
    "id": _read_id,
    "text": _read_text,
    "choice": _read_choice,
    "number": _read_plain_number,
    "count": lambda text, column, style: read_count(text, style, column.name),
    "money": lambda text, column, style: read_money(text, style),
    "share": lambda text, column, style: read_share(text, style),
    "flag": _read_flag,
    "time": lambda text, column, style: read_time(text, style, closes=column.closes),
    "labels": _read_labels,
    "mix": lambda text, column, style: read_mix(text, style, column.name.removeprefix("audience_")),
    "vector": _read_vector,
}
