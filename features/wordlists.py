"""Words that give a post away: forbidden claims, marks of a paid post, marks of others' work.

The words are in ``wordlists.toml``. What a list says of a text depends on that text alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from features.cells import load_toml
from features.timeline import Bools

WORDLISTS = ("claims", "disclosed", "copied")
"""The lists there are."""
_BLANK = "\u0001"
"""What stands where harmless words stood: no word of any list reaches across it."""


@dataclass(frozen=True)
class Wordlist:
    """Regular expressions that count, and what to take out of a text before.

    Attributes
    ----------
    says, harmless : str
        Alternatives, in the syntax that RE2 and `re` share.

    Examples
    --------
    >>> claims = wordlist("claims")
    >>> claims.found("最近入手，行业第一，根治痘痘")
    ('行业第一', '根治')
    >>> claims.flags(["最近的日常", "Guaranteed results!"]).tolist()
    [False, True]
    """

    says: str
    harmless: str

    def found(self, text: str) -> tuple[str, ...]:
        """Return what a text says, in order and once each, in lower case and half width."""
        plain = re.sub(self.harmless, _BLANK, _fold(text), flags=re.ASCII)
        found = re.finditer(self.says, plain, flags=re.ASCII)
        said = (match.group().strip(" 【[:") for match in found)
        return tuple(dict.fromkeys(said))

    def flags(self, texts: Sequence[str]) -> Bools:
        """Return whether each text says anything.

        The bulk is passed over by RE2, which takes one look at each character whatever the list.
        """
        import pyarrow as pa
        from pyarrow import compute

        folded = pa.array([_fold(text) for text in texts], type=pa.string())
        maybe = compute.match_substring_regex(folded, pattern=self.says)
        out = np.zeros(len(texts), dtype=bool)
        for place in np.flatnonzero(maybe.to_numpy(zero_copy_only=False)).tolist():
            out[place] = bool(self.found(texts[place]))
        return out


@cache
def wordlist(name: str) -> Wordlist:
    """Return a list of ``wordlists.toml``, one of `WORDLISTS`."""
    told = load_toml("wordlists.toml")[name]
    return Wordlist(_any(told["says"]), _any(told["harmless"]))


def _any(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def _fold(text: str) -> str:
    # Curly quotes are what phones write.
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text).replace("’", "'")
    return plain.lower()
