"""Compiled inner loops of `features.lexicon`: words cut into pieces, and counted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Signs = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]

_SPACE = 0x20
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_GRID = 2.0**20
"""Steps of the grid in a length of 1 (`features.similarity.GRID`)."""


class Trie(NamedTuple):
    """Pieces, sign by sign.

    ``key`` and ``child`` are a table: a node and the sign after it, in one number, and the node
    that this leads to. ``told`` is what the piece tells that ends at a node, -1 where none does,
    and ``column`` its number.
    """

    key: Ints
    child: Small
    told: Small
    column: Small


@compiled()
def _slot(key: Ints, wanted: int) -> int:
    """Return where a key is, or where it may be put."""
    mask = key.size - 1
    at = int((np.uint64(wanted) * _SPREAD) >> np.uint64(24)) & mask
    while key[at] != 0 and key[at] != wanted:
        at = (at + 1) & mask
    return at


@compiled()
def _step(trie: Trie, node: int, sign: int) -> int:
    """Return the node after a sign, -1 for none."""
    wanted = (node << 21) + sign + 1
    at = _slot(trie.key, wanted)
    return int(trie.child[at]) if trie.key[at] == wanted else -1


@compiled()
def grow(signs: Signs, start: Ints, told: Small) -> Trie:
    """Lay out pieces that stand end to end, the table twice as large as needed at least."""
    size = 1024
    while size < 2 * signs.size:
        size *= 2
    key, child = np.zeros(size, dtype=np.int64), np.empty(size, dtype=np.int32)
    ends = np.empty(told.size, dtype=np.int64)
    nodes = 1
    for piece in range(told.size):
        node = 0
        for i in range(start[piece], start[piece + 1]):
            wanted = (node << 21) + int(signs[i]) + 1
            at = _slot(key, wanted)
            if key[at] == 0:
                key[at], child[at] = wanted, nodes
                nodes += 1
            node = int(child[at])
        ends[piece] = node
    value, column = np.full(nodes, -1, dtype=np.int32), np.full(nodes, -1, dtype=np.int32)
    for piece in range(told.size):
        value[ends[piece]], column[ends[piece]] = told[piece], piece
    small = 1024
    while small < 2 * nodes:
        small *= 2
    keys, children = np.zeros(small, dtype=np.int64), np.empty(small, dtype=np.int32)
    for i in range(size):
        if key[i] != 0:
            at = _slot(keys, key[i])
            keys[at], children[at] = key[i], child[i]
    return Trie(keys, children, value, column)


@compiled()
def cut(signs: Signs, trie: Trie, rarest: int, least: Ints, start: Ints, node: Ints) -> None:
    """Find the pieces of a word that tell least together.

    Of several such cuts it is the one whose last pieces are longest. A sign that is no piece
    stands alone, and tells `rarest`.

    Parameters
    ----------
    signs : ndarray of uint32, shape (n,)
        The word.
    least : ndarray of int64, shape (n + 1,)
        Room to work in.
    start, node : ndarray of int64, shape (n + 1,)
        Are told where the piece that ends at each place starts, and its node, -1 for no piece.
    """
    size = signs.size
    for i in range(size + 1):
        least[i] = size * rarest + 1
    least[0] = 0
    for i in range(size):
        at = 0
        for end in range(i + 1, size + 1):
            if at >= 0:
                at = _step(trie, at, int(signs[end - 1]))
            told = int(trie.told[at]) if at >= 0 else -1
            if told < 0 and end == i + 1:
                told = rarest
            if told >= 0 and least[i] + told < least[end]:
                least[end], start[end] = least[i] + told, i
                node[end] = at if at >= 0 and trie.told[at] >= 0 else -1
            if at < 0:
                break


@compiled()
def _count(columns: Ints, told: Ints, count: int, column: Small, weight: Ints) -> int:
    """Write each column once, with what it tells as often as it stands there; return how many."""
    order = np.argsort(columns[:count], kind="mergesort")
    found = 0
    for i in range(count):
        at = order[i]
        if found and column[found - 1] == columns[at]:
            weight[found - 1] += told[at]
        else:
            column[found], weight[found] = columns[at], told[at]
            found += 1
    return found


@compiled()
def fill_bags(
    signs: Signs,
    edges: Ints,
    trie: Trie,
    rarest: int,
    beyond: int,
    column: Small,
    weight: Ints,
    ends: Ints,
) -> None:
    """Write the bags of texts end to end, columns in order and each weighing what it tells.

    Parameters
    ----------
    signs : ndarray of uint32
        Texts end to end, of words with spaces between.
    edges : ndarray of int64, shape (texts + 1,)
        Where each starts.
    rarest, beyond : int
        What a sign that is no piece tells, and where columns of such signs begin.
    column, weight : ndarray, shape of `signs`
        Are written; room for a piece a sign.
    ends : ndarray of int64, shape (texts + 1,)
        Is told where bags start and end.
    """
    most = 1
    for text in range(edges.size - 1):
        most = max(most, edges[text + 1] - edges[text])
    least, start = np.empty(most + 1, dtype=np.int64), np.empty(most + 1, dtype=np.int64)
    node = np.empty(most + 1, dtype=np.int64)
    columns, told = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    filled = 0
    ends[0] = 0
    for text in range(edges.size - 1):
        count, first = 0, edges[text]
        while first < edges[text + 1]:
            last = first
            while last < edges[text + 1] and signs[last] != _SPACE:
                last += 1
            word = signs[first:last]
            cut(word, trie, rarest, least, start, node)
            end = word.size
            while end > 0:
                piece = node[end]
                columns[count] = trie.column[piece] if piece >= 0 else beyond + int(word[end - 1])
                told[count] = trie.told[piece] if piece >= 0 else rarest
                count += 1
                end = start[end]
            first = last + 1
        size = _count(columns, told, count, column[filled:], weight[filled:])
        filled += size
        ends[text + 1] = filled


@compiled()
def scale(weight: Ints, ends: Ints, out: npt.NDArray[np.float32]) -> None:
    """Write weights of bags of length 1 in whole steps of the grid."""
    for text in range(ends.size - 1):
        square = 0
        for i in range(ends[text], ends[text + 1]):
            square += weight[i] * weight[i]
        length = np.sqrt(np.float64(square))
        for i in range(ends[text], ends[text + 1]):
            out[i] = np.rint(weight[i] / length * _GRID)
