"""Trees of LightGBM's text format as flat arrays, in which a leaf is one bit of a mask.

Leaves are numbered from left to right. A row that goes right at a node can end in none of the
leaves to the node's left; once all those are struck out, the leaf where the row ends is the lowest
that is left (QuickScorer: Lucchese et al., SIGIR 2015). Nodes may be asked in any order and by
halves, which is what `matcher.factorised` makes use of.

Every question is put in one form, ``value > threshold`` goes right: where a value is missing, or is
a category, a column made from it stands in (`COLUMN_KINDS`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Masks: TypeAlias = npt.NDArray[np.uint64]

MOST_LEAVES = 64
COLUMN_KINDS = tuple(range(8))
"""What stands in for a value: NaN as the lowest, the highest or 0; NaN and 0 both as the lowest or
the highest; 1 for NaN, for NaN and 0, or for any but a set of categories, and 0 for the others."""
NAN_LOW, NAN_HIGH, NAN_ZERO, ZERO_LOW, ZERO_HIGH, IS_NAN, IS_ZERO, NONE_OF = COLUMN_KINDS
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_ZERO, _MISSING_NAN = 1, 2
_HIGH = {NAN_HIGH: IS_NAN, ZERO_HIGH: IS_ZERO}


class UnreadableError(ValueError):
    """A forest that masks cannot stand for; the message says why."""


@dataclass(frozen=True)
class Trees:
    """The nodes and leaves of a forest, tree by tree, parents before children.

    Attributes
    ----------
    start : ndarray of int64, shape (trees + 1,)
        First node of each tree.
    feature : ndarray of int64, shape (nodes,)
        Position of the feature that a node asks about.
    kind : ndarray of int64, shape (nodes,)
        Which of `COLUMN_KINDS` it asks of it.
    threshold : ndarray of float64, shape (nodes,)
        Above it a row goes right.
    sets : tuple of tuple of int, one a node
        Bit sets of categories, in words of 32 bits, of nodes of kind `NONE_OF`; others are empty.
    keep : ndarray of uint64, shape (nodes,)
        Leaves that remain for a row that goes right: all but those to the left of the node.
    below : ndarray of uint64, shape (nodes,)
        Leaves under the node.
    leaf_start : ndarray of int64, shape (trees + 1,)
        First leaf of each tree.
    leaf : ndarray of float64, shape (leaves,)
        Values of leaves, from left to right.
    """

    start: Ints
    feature: Ints
    kind: Ints
    threshold: Floats
    sets: tuple[tuple[int, ...], ...]
    keep: Masks
    below: Masks
    leaf_start: Ints
    leaf: Floats

    @property
    def most_leaves(self) -> int:
        """Leaves of the largest tree."""
        return int(np.diff(self.leaf_start).max(initial=1))


def read_trees(text: str) -> Trees:
    """Read a model as LightGBM writes it.

    Raises
    ------
    UnreadableError
        If a tree has more than 64 leaves or is linear, or scores are no plain sums of leaves.
    """
    header, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    told = _lines(header)
    if told.get("num_tree_per_iteration") != "1":
        raise UnreadableError("it gives several numbers a row")
    if "average_output" in header.splitlines():
        raise UnreadableError("it averages its trees")
    nodes: list[_Node] = []
    leaves: list[float] = []
    start, leaf_start = [0], [0]
    for block in blocks:
        tree = _lines(block)
        nodes += _nodes_of(tree, leaves)
        start.append(len(nodes))
        leaf_start.append(len(leaves))
    return Trees(
        np.array(start, dtype=np.int64),
        np.array([node.feature for node in nodes], dtype=np.int64),
        np.array([node.kind for node in nodes], dtype=np.int64),
        np.array([node.threshold for node in nodes], dtype=np.float64),
        tuple(node.members for node in nodes),
        np.array([node.keep for node in nodes], dtype=np.uint64),
        np.array([node.below for node in nodes], dtype=np.uint64),
        np.array(leaf_start, dtype=np.int64),
        np.array(leaves, dtype=np.float64),
    )


@dataclass
class _Node:
    feature: int
    kind: int
    threshold: float
    members: tuple[int, ...]
    keep: int = 0
    below: int = 0


def _lines(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _nodes_of(tree: Mapping[str, str], leaves: list[float]) -> list[_Node]:
    """Return the nodes of a tree, parents first, and append the values of its leaves."""
    values = _numbers(tree, "leaf_value", float)
    if int(tree["num_leaves"]) > MOST_LEAVES:
        raise UnreadableError(f"a tree has {tree['num_leaves']} leaves, more than {MOST_LEAVES}")
    if tree.get("is_linear", "0") != "0":
        raise UnreadableError("its leaves are linear")
    if int(tree["num_leaves"]) == 1:
        leaves.append(values[0])
        return []
    nodes = list(_questions(tree))
    left, right = (_numbers(tree, f"{side}_child", int) for side in ("left", "right"))
    ordered: list[_Node] = []
    order: list[int] = []

    def number(child: int) -> int:
        """Give the leaves under a child their numbers, and return their bits."""
        if child < 0:
            order.append(~child)
            return 1 << (len(order) - 1)
        node = nodes[child]
        ordered.append(node)
        lesser = number(left[child])
        node.keep = ~lesser & (2**64 - 1)
        node.below = lesser | number(right[child])
        return node.below

    number(0)
    leaves += [values[leaf] for leaf in order]
    return ordered


def _questions(tree: Mapping[str, str]) -> Iterator[_Node]:
    """Yield the nodes of a tree in the file's order, without their leaves."""
    bounds = _numbers(tree, "cat_boundaries", int)
    words = _numbers(tree, "cat_threshold", int)
    for feature, threshold, how in zip(
        _numbers(tree, "split_feature", int),
        _numbers(tree, "threshold", float),
        _numbers(tree, "decision_type", int),
        strict=True,
    ):
        if how & _CATEGORICAL:
            place = int(threshold)
            yield _Node(feature, NONE_OF, 0.5, tuple(words[bounds[place] : bounds[place + 1]]))
            continue
        if np.isnan(threshold):
            raise UnreadableError("a threshold is no number")
        kind = _kind(how)
        if threshold == np.inf and kind in _HIGH:
            # All that is told goes left, an infinite value too: only what is missing goes right.
            yield _Node(feature, _HIGH[kind], 0.5, ())
        else:
            yield _Node(feature, kind, threshold, ())


def _kind(how: int) -> int:
    """Return what stands in for a value, by how LightGBM says it treats what is missing."""
    missing, left = how >> 2 & 3, bool(how & _DEFAULT_LEFT)
    if missing == _MISSING_ZERO:
        return ZERO_LOW if left else ZERO_HIGH
    if missing == _MISSING_NAN:
        return NAN_LOW if left else NAN_HIGH
    return NAN_ZERO


def _numbers(tree: Mapping[str, str], name: str, kind: type[Any]) -> list[Any]:
    return [kind(number) for number in tree.get(name, "").split()]
