"""Compiled inner loops of `matcher.factorised`: rows by blocks, trees by masks.

Only what scores many rows imports this module (`features.compiled`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.cpython.unsafe import numbers

from features.compiled import compiled
from matcher.trees import (
    IS_NAN,
    IS_ZERO,
    NAN_HIGH,
    NAN_LOW,
    NONE_OF,
    ZERO_HIGH,
    ZERO_LOW,
    Floats,
    Ints,
    Masks,
)

trailing_zeros: Any = numbers.trailing_zeros

BLOCK = 512
"""Rows worked on at a time: their columns and masks stay in the cache of a core."""
TINY = float(np.float32(1e-35))
"""LightGBM reads a number as 0 up to here."""
ALL = np.uint64(2**64 - 1)
_INT_END = 2.0**31


class Nodes(NamedTuple):
    """The nodes that ask one side of a pair, tree by tree, and the columns that they read.

    ``source`` and ``kind`` tell of each column which feature of the side it is made from and how;
    ``members`` from ``first_member`` on are its bit set. ``column``, ``threshold``, ``keep`` and
    ``below`` are of nodes, ``start`` of trees (see `matcher.trees.Trees`).
    """

    source: Ints
    kind: Ints
    first_member: Ints
    members: Ints
    column: Ints
    threshold: Floats
    keep: Masks
    below: Masks
    start: Ints


class Leaves(NamedTuple):
    """Leaf values of all trees; ``start``, ``forest`` and ``whole``, all its bits, of each tree."""

    value: Floats
    start: Ints
    forest: Ints
    whole: Masks


@compiled()
def _stand_in(values: Floats, kind: int, members: Ints, out: Floats) -> None:
    """Write a column: what stands in for the values of a feature."""
    if kind == NONE_OF:
        for row in range(out.size):
            value = values[row]
            out[row] = 1.0
            # LightGBM cuts off the fraction first: -0.5 is category 0.
            if value > -1.0 and value < _INT_END:
                category = int(value)
                word = category >> 5
                if word < members.size and (members[word] >> (category & 31)) & 1:
                    out[row] = 0.0
        return
    if kind in (IS_NAN, IS_ZERO):
        for row in range(out.size):
            value = values[row]
            zero = kind == IS_ZERO and abs(value) <= TINY
            out[row] = 1.0 if zero or np.isnan(value) else 0.0
        return
    missing = 0.0
    if kind in (NAN_LOW, ZERO_LOW):
        missing = -np.inf
    elif kind in (NAN_HIGH, ZERO_HIGH):
        missing = np.inf
    zero_or = missing if kind in (ZERO_LOW, ZERO_HIGH) else 0.0
    for row in range(out.size):
        value = values[row]
        value = zero_or if abs(value) <= TINY else value
        out[row] = missing if np.isnan(value) else value


@compiled(fastmath={"nnan", "nsz", "reassoc"})
def _ends(values: Floats) -> tuple[float, float]:
    """Return the least and the largest of values without NaN; a minimum has no rounding."""
    low, high = values[0], values[0]
    for row in range(values.size):
        low = min(low, values[row])
        high = max(high, values[row])
    return low, high


@compiled()
def _fill(
    values: Floats, first: int, width: int, nodes: Nodes, columns: Floats, ends: Floats
) -> None:
    """Write the columns of a block of rows, and the least and largest of each."""
    for column in range(nodes.source.size):
        members = nodes.members[nodes.first_member[column] : nodes.first_member[column + 1]]
        out = columns[column, :width]
        given = values[nodes.source[column], first : first + width]
        _stand_in(given, nodes.kind[column], members, out)
        ends[0, column], ends[1, column] = _ends(out)


@compiled()
def _narrow(nodes: Nodes, tree: int, mask: int, ends: Floats, open_nodes: Ints) -> tuple[int, int]:
    """Answer what is the same for all rows of a block.

    Returns the leaves that remain, those to the right of a node that all rows pass on its left
    struck out too, and how many nodes are left to ask; those are written to `open_nodes`.
    """
    count = 0
    for node in range(nodes.start[tree], nodes.start[tree + 1]):
        if nodes.below[node] & mask:
            column, threshold = nodes.column[node], nodes.threshold[node]
            if ends[0, column] > threshold:
                mask &= nodes.keep[node]
            elif ends[1, column] <= threshold:
                mask &= ~(nodes.below[node] & nodes.keep[node])
            else:
                open_nodes[count] = node
                count += 1
    left = 0
    for place in range(count):
        node = open_nodes[place]
        if nodes.below[node] & mask:
            open_nodes[left] = node
            left += 1
    return mask, left


@compiled()
def _ask(masks: Masks, values: Floats, threshold: float, keep: int) -> None:
    for row in range(masks.size):
        masks[row] &= keep if values[row] > threshold else ALL


@compiled()
def _ask_four(
    masks: Masks,
    values: tuple[Floats, Floats, Floats, Floats],
    thresholds: tuple[float, float, float, float],
    keeps: tuple[int, int, int, int],
) -> None:
    """Ask four nodes at once, which reads and writes the masks a quarter as often."""
    a, b, c, d = values
    at, bt, ct, dt = thresholds
    ak, bk, ck, dk = keeps
    for row in range(masks.size):
        first = (ak if a[row] > at else ALL) & (bk if b[row] > bt else ALL)
        second = (ck if c[row] > ct else ALL) & (dk if d[row] > dt else ALL)
        masks[row] &= first & second


@compiled()
def _ask_all(masks: Masks, columns: Floats, nodes: Nodes, open_nodes: Ints, count: int) -> None:
    width = masks.size
    place = 0
    while place + 4 <= count:
        i, j = open_nodes[place], open_nodes[place + 1]
        k, m = open_nodes[place + 2], open_nodes[place + 3]
        _ask_four(
            masks,
            (
                columns[nodes.column[i], :width],
                columns[nodes.column[j], :width],
                columns[nodes.column[k], :width],
                columns[nodes.column[m], :width],
            ),
            (nodes.threshold[i], nodes.threshold[j], nodes.threshold[k], nodes.threshold[m]),
            (nodes.keep[i], nodes.keep[j], nodes.keep[k], nodes.keep[m]),
        )
        place += 4
    while place < count:
        node = open_nodes[place]
        column = columns[nodes.column[node], :width]
        _ask(masks, column, nodes.threshold[node], nodes.keep[node])
        place += 1


@compiled()
def _add_leaves(masks: Masks, leaf: Floats, out: Floats) -> None:
    for row in range(masks.size):
        out[row] += leaf[trailing_zeros(masks[row])]


@compiled()
def mask_alone(values: Floats, nodes: Nodes, whole: Masks, out: Masks) -> None:
    """Write the masks of rows of one side, shape (rows, trees): for briefs, which are few.

    Rows stand alone, so that leaves are struck out on both sides of each node.
    """
    columns, ends = np.empty((nodes.source.size, 1)), np.empty((2, nodes.source.size))
    open_nodes = np.empty(64, dtype=np.int64)
    for row in range(out.shape[0]):
        _fill(values, row, 1, nodes, columns, ends)
        for tree in range(whole.size):
            out[row, tree] = _narrow(nodes, tree, whole[tree], ends, open_nodes)[0]


@compiled()
def mask_many(
    values: Floats, nodes: Nodes, whole: Masks, out: Masks, first: int, last: int
) -> None:
    """Write the masks of rows `first` to `last` of one side, shape (blocks, trees, BLOCK).

    What a block of pairs reads stands together; `first` begins a block.
    """
    columns, ends = np.empty((nodes.source.size, BLOCK)), np.empty((2, nodes.source.size))
    masks, open_nodes = np.empty(BLOCK, dtype=np.uint64), np.empty(64, dtype=np.int64)
    for start in range(first, last, BLOCK):
        width = min(BLOCK, last - start)
        _fill(values, start, width, nodes, columns, ends)
        for tree in range(whole.size):
            mask, count = _narrow(nodes, tree, whole[tree], ends, open_nodes)
            masks[:width] = mask
            _ask_all(masks[:width], columns, nodes, open_nodes, count)
            for row in range(width):
                out[start // BLOCK, tree, row] = masks[row]


@compiled()
def add_scores(
    values: Floats,
    brief: Masks,
    kols: Masks,
    rows: Ints,
    nodes: Nodes,
    leaves: Leaves,
    out: Floats,
    first: int,
    last: int,
) -> None:
    """Add to `out`, shape (forests, pairs), the leaves of pairs `first` to `last`.

    `brief` is one row of `mask_alone`. `kols` is of `mask_many` or empty, and `rows`, unless it is
    empty, says which KOL each pair is of; `first` begins a block. Each
    pair adds its trees in their order, as LightGBM does.
    """
    columns, ends = np.empty((nodes.source.size, BLOCK)), np.empty((2, nodes.source.size))
    masks, open_nodes = np.empty(BLOCK, dtype=np.uint64), np.empty(64, dtype=np.int64)
    for start in range(first, last, BLOCK):
        width = min(BLOCK, last - start)
        _fill(values, start, width, nodes, columns, ends)
        for tree in range(brief.size):
            mask, count = _narrow(nodes, tree, brief[tree], ends, open_nodes)
            if kols.shape[0] == 0:
                masks[:width] = mask
            elif rows.size == 0:
                for row in range(width):
                    masks[row] = mask & kols[start // BLOCK, tree, row]
            else:
                for row in range(width):
                    kol = rows[start + row]
                    masks[row] = mask & kols[kol // BLOCK, tree, kol % BLOCK]
            _ask_all(masks[:width], columns, nodes, open_nodes, count)
            leaf = leaves.value[leaves.start[tree] : leaves.start[tree + 1]]
            _add_leaves(masks[:width], leaf, out[leaves.forest[tree], start : start + width])
