"""The words of ``words.toml``, as patterns over plain text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from features.brieftext.plain import Plain

MOST = 300
"""Words, numbers or dates of one kind that are read: no brief says more, and a text made of nothing
else must not keep anybody waiting."""


@dataclass(frozen=True)
class Hit:
    """A word that was found.

    Attributes
    ----------
    name : str
        What it stands for.
    start, end : int
        Where it stands in the plain text.
    """

    name: str
    start: int
    end: int


@cache
def data() -> Mapping[str, Any]:
    """Return what ``words.toml`` holds."""
    text = files("features.brieftext").joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


class Words:
    """Words, each of which stands for something, to be looked for all at once.

    Where one word is part of another the longer one counts.

    Parameters
    ----------
    names : mapping of str to iterable of str
        Words by what they stand for.

    Examples
    --------
    >>> words = Words({"tier1": ["一线"], "new_tier1": ["新一线"], "men": ["men"]})
    >>> [hit.name for hit in words.find("新一线和一线 women")]
    ['new_tier1', 'tier1']
    """

    def __init__(self, names: Mapping[str, Iterable[str]]) -> None:
        named = {w.lower(): name for name, words in names.items() for w in words}
        self._by_first: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        for word in sorted(named, key=lambda w: (-len(w), w)):
            self._by_first.setdefault(word[0], []).append((_pattern(word), named[word]))
        self._starts = re.compile(f"[{re.escape(''.join(sorted(self._by_first)))}]")

    def find(self, text: str, start: int = 0, end: int | None = None) -> list[Hit]:
        """Return the words in a stretch of plain text, in order."""
        stop = len(text) if end is None else end
        hits: list[Hit] = []
        at = start
        while len(hits) < MOST and (match := self._starts.search(text, at, stop)):
            at = match.end()
            if _is_inside(text, match.start()):
                continue
            for pattern, name in self._by_first[match[0]]:
                if word := pattern.match(text, match.start(), stop):
                    hits.append(Hit(name, word.start(), word.end()))
                    at = word.end()
                    break
        return hits


def _is_inside(text: str, position: int) -> bool:
    """Tell whether a sign in Latin is within a word, or a digit within a number."""
    sign, before = text[position], text[position - 1 : position]
    if not sign.isascii() or not before.isascii():
        return False
    if sign.isalpha():
        return before.isalnum()
    return sign.isdigit() and (before.isdigit() or before == ".")


def _pattern(word: str) -> re.Pattern[str]:
    body = re.escape(word).replace(r"\ ", r"[ -]").replace(r"\-", "[ -]?")
    if word[-1].isascii() and word[-1].isalpha():
        body += r"s?(?![a-z0-9])"
    elif word[-1].isdigit():
        body += r"(?![\d%])"
    return re.compile(body)


@cache
def words(section: str) -> Words:
    """Return the words of one section."""
    return Words(data()[section])


@cache
def keys(section: str) -> Words:
    """Return the words that are themselves the keys of a section."""
    return Words({key: [key] for key in data()[section]})


@cache
def cues(section: str, *fields: str) -> re.Pattern[str]:
    """Return the pattern of the cues of fields: a named group for each."""
    return re.compile(
        "|".join(f"(?P<{field}>{either(data()[section][field])})" for field in fields)
    )


def either(patterns: Iterable[str]) -> str:
    """Return a pattern of any of several; one in Latin letters is not found inside a word."""
    return "|".join(
        rf"(?<![a-z])(?:{p})(?![a-z])"
        if p.isascii() and re.match(r"[(?:]*[a-z]", p)
        else f"(?:{p})"
        for p in patterns
    )


@cache
def _refusal(side: str) -> re.Pattern[str]:
    return re.compile(either(data()["refusal"][side]))


@cache
def _tail() -> re.Pattern[str]:
    # A list may stand between what is refused and the word that refuses it.
    return re.compile(rf"[^,。;\n]{{0,6}}?(?:{either(data()['refusal']['after'])})")


def is_refused(plain: Plain, hit: Hit, reach: int = 24) -> bool:
    """Tell whether a word stands where a text says what it does not want.

    Such as 不投快手, 快手先不做, no TikTok or "YouTube is out", not 不仅投快手.
    """
    text = plain.text
    start, end = plain.clause(hit.start)
    before = text[max(start, hit.start - reach) : hit.start]
    inclusive = re.match(r"[^,。;\n]{0,8}(?:之外|以外|外),?(?:还|也|再)", text[hit.end :])
    if not inclusive and _refusal("before").search(_unless().sub("", before)):
        return True
    return bool(_tail().match(text[hit.end : end]))


def is_past(plain: Plain, hit: Hit) -> bool:
    """Tell whether a word stands in a clause about earlier campaigns."""
    start, end = plain.clause(hit.start)
    return bool(_refusal("past").search(plain.text[start:end]))


@cache
def _unless() -> re.Pattern[str]:
    return re.compile(either(data()["refusal"]["unless"]))
