"""What names a KOL, and how it is told from what only looks like it.

Texts of several kinds have to be searched for an id or a name: captions, pages, parameters. Other
ids that contain this one as a part must survive, and so must figures that happen to look like it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

TEXT_MARK = "[erased]"
"""What stands in running text in place of a name."""
_LEAST = {"words": 6, "codes": 4, "signs": 2}
"""Characters by which a term tells itself from common words and figures: all digits or all Latin
letters, both of them, and others such as Chinese."""
_OPENS, _CLOSES = r"(?<![^\">,;\t\n])", r"(?![^\"<,;\t\r\n])"
"""Between these a text is a cell of a page, of JSON or of CSV."""


@dataclass(frozen=True)
class Traces:
    """What names the KOLs that are erased.

    Attributes
    ----------
    ids : frozenset of str
        Their ids, and with the person that of the person.
    names : frozenset of str
        What they are or were called, where nobody else is called so.
    others : frozenset of str
        Ids and names of others that contain one of these; they stay.
    mark : str
        What stands in an id's place in a cell: the same for each of them, and of nobody else.
    """

    ids: frozenset[str]
    names: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    mark: str = "erased"

    @classmethod
    def of(
        cls, ids: Iterable[str], names: Iterable[str], everybody: Iterable[str], mark: str
    ) -> Traces:
        """Return traces, given the ids and names of everybody else."""
        mine, rest = frozenset(ids), frozenset(everybody)
        called = frozenset(name for name in names if name.strip()) - rest
        terms = mine | called
        longer = frozenset(o for o in rest - terms if any(term in o for term in terms))
        return cls(mine, called, longer, mark)

    @property
    def terms(self) -> frozenset[str]:
        """Everything that names them."""
        return self.ids | self.names

    @cached_property
    def searched(self) -> frozenset[str]:
        """Terms that can be told from figures in running text: all but short numbers."""
        return frozenset(t for t in self.terms if _telling(t) or not t.isdecimal())

    @cached_property
    def telling(self) -> frozenset[str]:
        """Terms that are no common word or figure, wherever they stand."""
        return frozenset(filter(_telling, self.terms))

    def is_one(self, cell: Any, figures: bool = True) -> bool:
        """Tell whether a cell is an id or a name, nothing else.

        Parameters
        ----------
        cell : object
            Its content.
        figures : bool
            Whether a short number is taken for an id: not where it may count something.
        """
        if not isinstance(cell, str):
            return False
        text = cell.strip().removeprefix("'")
        return text in self.terms and (figures or text in self.searched)

    def within(self, text: str) -> bool:
        """Tell whether running text names one."""
        return self.cleaned(text) != text

    def cleaned(self, text: str) -> str:
        """Return running text with names and ids replaced."""
        if not any(term in text for term in self._spellings):
            return text
        return self._pattern.sub(lambda m: TEXT_MARK if m["term"] else m[0], text)

    def cell(self, text: str) -> str:
        """Return a cell: an id or name alone becomes `mark`, within a text `TEXT_MARK`."""
        return self.mark if self.is_one(text) else self.cleaned(text)

    def deep(self, told: Any) -> Any:
        """Return what JSON told, with entries left out that are about one of them."""
        if isinstance(told, Mapping):
            return {
                self.cleaned(key): self.deep(value)
                for key, value in told.items()
                if not self.is_one(key, figures=False)
            }
        if isinstance(told, list):
            return [self.deep(one) for one in told if not self._about(one)]
        return self.cell(told) if isinstance(told, str) else told

    def _about(self, told: Any) -> bool:
        if isinstance(told, Mapping):
            return any(self.is_one(value) for value in told.values())
        return self.is_one(told)

    @cached_property
    def _spellings(self) -> tuple[str, ...]:
        return tuple(sorted({s for term in self.searched for s in spellings(term)}))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        other = sorted({s for o in self.others for s in spellings(o)}, key=_longest)
        mine = sorted(self._spellings, key=_longest)
        # Whatever is longer is tried first: an id inside another's id is not this id.
        parts = [f"(?P<term>{'|'.join(map(_bounded, mine))})"]
        if other:
            parts.insert(0, "|".join(map(_bounded, other)))
        return re.compile("|".join(parts))


def spellings(term: str) -> set[str]:
    """Return how a term may be written in JSON, HTML and CSV."""
    written = {json.dumps(term, ensure_ascii=to)[1:-1] for to in (False, True)}
    pages = set()
    for text in written:
        page = text
        for sign in "<>&":
            page = page.replace(sign, f"\\u{ord(sign):04x}")
        pages.add(page)
    marked = {html.escape(term), html.escape(term, quote=False), term.replace('"', '""')}
    return {term} | written | pages | marked


def _telling(term: str) -> bool:
    if term.isdecimal() or (term.isascii() and term.isalpha()):
        return len(term) >= _LEAST["words"]
    return len(term) >= _LEAST["codes" if term.isascii() else "signs"]


def _longest(term: str) -> tuple[int, str]:
    return -len(term), term


def _bounded(term: str) -> str:
    """Return a pattern of a term that is no part of a longer word of ASCII letters and digits.

    One so short that it may be a word of any text must be the whole of a cell.
    """
    if not _telling(term):
        return f"{_OPENS}{re.escape(term)}{_CLOSES}"
    word = re.compile("[A-Za-z0-9_]")
    before = "(?<![A-Za-z0-9_])" if word.match(term[0]) else ""
    after = "(?![A-Za-z0-9_])" if word.match(term[-1]) else ""
    return f"{before}{re.escape(term)}{after}"
