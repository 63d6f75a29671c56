"""What codes are called, in Chinese and English: the words of ``words.toml``, for every list."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from features.cells import vocabulary
from matcher.wording import Text


def _read() -> Mapping[str, Mapping[str, Text]]:
    told = tomllib.loads(files("matcher").joinpath("words.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            column: MappingProxyType({code: Text(**text) for code, text in codes.items()})
            for column, codes in told.items()
        }
    )


WORDS: Mapping[str, Mapping[str, Text]] = _read()
"""Words for the codes of a column, by column."""


@cache
def name_of(dimension: str, code: str) -> Text:
    """Return what a platform, mode, tier or vertical is called; unknown codes are their own names.

    Examples
    --------
    >>> name_of("platform", "douyin").zh, name_of("tier", "mid").zh, name_of("mode", "q_and_a").en
    ('抖音', '腰部', 'Q&A')
    """
    if (text := WORDS.get(dimension, {}).get(code)) is not None:
        return text
    words = vocabulary().words["vertical"]
    own = (word for word, name in words.items() if name == code and not word.isascii())
    return Text(next(own, code), code.replace("_", " "))
