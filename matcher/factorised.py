"""Forests scored factorised over brief and KOL, to the same bits as LightGBM's own `predict`.

Most splits of a ranking forest look at the brief alone or the KOL alone. What they say of a brief
is worked out once for the brief, as one mask of leaves a tree (`matcher.trees`); so with a KOL.
What is left for each pair is to ask the few nodes that look at both, of these only those that the
brief's mask leaves open, and to look up a leaf::

    scorer = Scorer.of([ranker.forest, *heads], pipeline.sides)
    kols = scorer.kols(columns of a block of KOLs)          # once a KOL
    for each brief:
        brief = scorer.brief(numbers of the brief)          # once a brief
        margins = scorer.pairs(brief, kols, columns of the pairs)

A forest is used so only after it has scored rows at and around every threshold as `predict` does,
bit for bit. Otherwise `predict` itself scores it, behind the same functions.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from features.signals import Side
from matcher.probes import probe_rows
from matcher.trees import Floats, Ints, Masks, Trees, UnreadableError, read_trees

if TYPE_CHECKING:
    import lightgbm as lgb

    from matcher.treekernel import Leaves, Nodes

log = logging.getLogger(__name__)
_LEAST_ROWS = 4096
"""Rows of a thread: fewer are scored sooner than it starts."""
_NOBODY: Masks = np.empty((0, 0, 0), dtype=np.uint64)
_IN_ORDER: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Part:
    """What one side of pairs says, worked out once.

    Attributes
    ----------
    values : ndarray of float64, shape (features, n)
        What it was worked out from.
    masks : ndarray of unsigned integers
        Leaves that are left in each tree: of a brief one row, of KOLs shape (blocks, trees, block).
    """

    values: Floats
    masks: Any

    def __len__(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True)
class Scorer:
    """Forests that score the same pairs together.

    Attributes
    ----------
    boosters : tuple of Booster
        The forests, in the order of their scores.
    trees : tuple of Trees or None
        Their trees; ``None`` for those that `predict` scores.
    columns : mapping of Side to list of str
        Names of what must be told of each side, in order: what any tree reads, and no more.
    """

    boosters: tuple[lgb.Booster, ...]
    trees: tuple[Trees | None, ...]
    columns: Mapping[Side, list[str]]

    @classmethod
    def of(cls, boosters: Sequence[lgb.Booster], sides: Mapping[str, Side] | None = None) -> Self:
        """Prepare forests, and check each against `predict`.

        Parameters
        ----------
        boosters : sequence of Booster
            Forests; each reads its features by name.
        sides : mapping of str to Side, optional
            What each feature depends on; those it does not name, by default all, belong to the
            pair.
        """
        found = [_trees_of(booster) for booster in boosters]
        scorer = cls._made(boosters, found, sides or {})
        checked = [
            trees if trees is None or scorer._agrees(at) else None for at, trees in enumerate(found)
        ]
        return scorer if checked == found else cls._made(boosters, checked, sides or {})

    @classmethod
    def _made(
        cls,
        boosters: Sequence[lgb.Booster],
        trees: Sequence[Trees | None],
        sides: Mapping[str, Side],
    ) -> Self:
        columns: dict[Side, list[str]] = {side: [] for side in Side}
        for booster, read in zip(boosters, trees, strict=True):
            names = booster.feature_name()
            used = names if read is None else [names[at] for at in np.unique(read.feature)]
            for name in used:
                side = columns[sides.get(name, Side.PAIR)]
                if name not in side:
                    side.append(name)
        return cls(tuple(boosters), tuple(trees), columns)

    def brief(self, values: Floats) -> Part:
        """Work out what one brief says.

        Parameters
        ----------
        values : ndarray of float64, shape (features,)
            Its ``columns[Side.BRIEF]``.
        """
        return self._briefs(np.asarray(values, dtype=np.float64).reshape(-1, 1))

    def kols(self, values: Floats, threads: int | None = None) -> Part:
        """Work out what some KOLs say, in one to eight bytes a tree and KOL.

        Parameters
        ----------
        values : ndarray of float64, shape (features, kols)
            Their ``columns[Side.KOL]``.
        threads : int, optional
            As many as work at once, by default as LightGBM.
        """
        from matcher.treekernel import BLOCK, mask_many

        values = self._told(values, Side.KOL)
        nodes, whole = self._nodes[Side.KOL], self._leaves.whole
        if not len(nodes.column):
            return Part(values, _NOBODY)
        blocks = -(-values.shape[1] // BLOCK)
        out = np.empty((blocks, len(whole), BLOCK), dtype=self._mask_type)

        def work(first: int, last: int) -> None:
            mask_many(values, nodes, whole, out, first, last)

        _in_threads(work, values.shape[1], threads)
        return Part(values, out)

    def pairs(
        self,
        brief: Part,
        kols: Part,
        values: Floats,
        rows: Ints | None = None,
        threads: int | None = None,
    ) -> Floats:
        """Score one brief's pairs.

        Parameters
        ----------
        brief : Part
            As `brief` gives it.
        kols : Part
            As `kols` gives it.
        values : ndarray of float64, shape (features, pairs)
            Their ``columns[Side.PAIR]``; a whole array in C order is read as it stands.
        rows : ndarray of int64, shape (pairs,), optional
            Which of `kols` each pair is of, by default all in order.
        threads : int, optional
            As many as work at once, by default as LightGBM.

        Returns
        -------
        ndarray of float64, shape (forests, pairs)
            Margins, as ``predict(raw_score=True)`` gives them.
        """
        from matcher.treekernel import add_scores

        values = self._told(values, Side.PAIR)
        size = values.shape[1]
        if size != (len(kols) if rows is None else len(rows)):
            raise ValueError(f"Got {size} pairs but expected as many as there are KOLs")
        order = _IN_ORDER if rows is None else np.ascontiguousarray(rows, dtype=np.int64)
        if len(order) and not (order.min() >= 0 and order.max() < len(kols)):
            raise ValueError(f"Got rows beyond the {len(kols)} KOLs")
        out = np.zeros((len(self.boosters), size))
        nodes, leaves = self._nodes[Side.PAIR], self._leaves
        masks = brief.masks[0]

        def work(first: int, last: int) -> None:
            add_scores(values, masks, kols.masks, order, nodes, leaves, out, first, last)

        if len(masks):
            _in_threads(work, size, threads)
        for at, trees in enumerate(self.trees):
            if trees is None:
                known = kols.values if rows is None else kols.values[:, order]
                out[at] = self._predicted(at, {Side.BRIEF: brief.values, Side.KOL: known}, values)
        return out

    def rows(self, values: Floats, threads: int | None = None) -> Floats:
        """Score rows of which nobody says whose they are: for a scorer without sides.

        Parameters
        ----------
        values : ndarray of float64, shape (features, rows)
            Their ``columns[Side.PAIR]``.
        threads : int, optional
            As many as work at once, by default as LightGBM.
        """
        kols = Part(np.empty((0, values.shape[1])), _NOBODY)
        return self.pairs(self.brief(np.empty(0)), kols, values, threads=threads)

    def _briefs(self, values: Floats) -> Part:
        from matcher.treekernel import mask_alone

        values = self._told(values, Side.BRIEF)
        out = np.empty((values.shape[1], len(self._leaves.whole)), dtype=np.uint64)
        mask_alone(values, self._nodes[Side.BRIEF], self._leaves.whole, out)
        return Part(values, out)

    def _told(self, values: Floats, side: Side) -> Floats:
        if values.ndim != 2 or len(values) != len(self.columns[side]):
            raise ValueError(
                f"Got values of shape {values.shape} but expected {len(self.columns[side])} rows, "
                f"one for each feature that belongs to the {side}"
            )
        return np.ascontiguousarray(values, dtype=np.float64)

    @cached_property
    def _mask_type(self) -> type[np.unsignedinteger[Any]]:
        most = max((trees.most_leaves for trees in self.trees if trees is not None), default=1)
        kinds: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16, np.uint32)
        return next((kind for kind in kinds if most <= np.iinfo(kind).bits), np.uint64)

    @cached_property
    def _leaves(self) -> Leaves:
        from matcher.treekernel import Leaves

        read = [(at, trees) for at, trees in enumerate(self.trees) if trees is not None]
        sizes = [np.diff(trees.leaf_start) for _, trees in read]
        counts = np.concatenate([*sizes, np.empty(0, dtype=np.int64)])
        return Leaves(
            np.concatenate([*(trees.leaf for _, trees in read), np.empty(0)]),
            np.append(0, np.cumsum(counts)),
            np.repeat([at for at, _ in read], [len(size) for size in sizes]).astype(np.int64),
            np.array([(1 << int(count)) - 1 for count in counts], dtype=np.uint64),
        )

    @cached_property
    def _nodes(self) -> dict[Side, Nodes]:
        return {side: self._nodes_of(side) for side in Side}

    def _nodes_of(self, side: Side) -> Nodes:
        """Gather the nodes of one side, and the distinct columns they read."""
        from matcher.treekernel import Nodes

        place = {name: at for at, name in enumerate(self.columns[side])}
        columns: dict[tuple[int, int, tuple[int, ...]], int] = {}
        column: list[int] = []
        sizes: list[Ints] = []
        kept: list[tuple[Floats, Masks, Masks]] = []
        for booster, trees in zip(self.boosters, self.trees, strict=True):
            if trees is None:
                continue
            names = booster.feature_name()
            source = np.array([place.get(name, -1) for name in names])[trees.feature]
            mine = np.flatnonzero(source >= 0)
            for node in mine:
                key = (int(source[node]), int(trees.kind[node]), trees.sets[node])
                column.append(columns.setdefault(key, len(columns)))
            sizes.append(np.diff(np.searchsorted(mine, trees.start)))
            kept.append((trees.threshold[mine], trees.keep[mine], trees.below[mine]))
        threshold, keep, below = zip(*kept, strict=True) if kept else ((), (), ())
        members = [members for _, _, members in columns]
        return Nodes(
            np.array([source for source, _, _ in columns], dtype=np.int64),
            np.array([kind for _, kind, _ in columns], dtype=np.int64),
            np.cumsum([0, *map(len, members)]),
            np.array([word for words in members for word in words], dtype=np.int64),
            np.array(column, dtype=np.int64),
            np.concatenate([*threshold, np.empty(0)]),
            np.concatenate([*keep, np.empty(0, dtype=np.uint64)]),
            np.concatenate([*below, np.empty(0, dtype=np.uint64)]),
            np.append(0, np.cumsum(np.concatenate([*sizes, np.empty(0, dtype=np.int64)]))),
        )

    def _predicted(self, at: int, known: Mapping[Side, Floats], values: Floats) -> Floats:
        """Score with LightGBM; a feature that no tree reads is left unknown."""
        told = {
            name: row
            for side, rows in {**known, Side.PAIR: values}.items()
            for name, row in zip(self.columns[side], rows, strict=True)
        }
        booster = self.boosters[at]
        size = values.shape[1]
        if not size:
            return np.empty(0)
        frame = np.full((size, booster.num_feature()), np.nan)
        for column, name in enumerate(booster.feature_name()):
            frame[:, column] = told.get(name, np.nan)
        return np.asarray(booster.predict(frame, raw_score=True), dtype=np.float64)

    def _agrees(self, at: int) -> bool:
        """Say whether a forest scores probing rows to the bits of `predict`, with its sides."""
        trees = self.trees[at]
        assert trees is not None
        booster = self.boosters[at]
        rows = probe_rows(trees, booster.num_feature())
        names = booster.feature_name()
        told = {
            side: np.array(
                [
                    rows[:, names.index(name)] if name in names else np.zeros(len(rows))
                    for name in columns
                ]
            ).reshape(len(columns), len(rows))
            for side, columns in self.columns.items()
        }
        if self.columns[Side.BRIEF] or self.columns[Side.KOL]:
            mine = self._each_with_its_own(told)[at]
        else:
            mine = self.rows(told[Side.PAIR])[at]
        theirs = np.asarray(booster.predict(rows, raw_score=True))
        if same := np.array_equal(mine, theirs):
            return same
        _warn(f"it gives {(mine != theirs).sum()} of {len(rows)} probing rows another score")
        return same

    def _each_with_its_own(self, told: Mapping[Side, Floats]) -> Floats:
        """Score pairs each of which has a brief and a KOL of its own."""
        briefs, kols = self._briefs(told[Side.BRIEF]), self.kols(told[Side.KOL])
        both = _in_blocks(briefs.masks)
        if kols.masks.size:
            both = both & kols.masks
        any_brief = Part(briefs.values[:, :1], self._leaves.whole[None])
        return self.pairs(
            any_brief, Part(kols.values, both.astype(self._mask_type)), told[Side.PAIR]
        )


def _trees_of(booster: lgb.Booster) -> Trees | None:
    try:
        return read_trees(booster.model_to_string(num_iteration=-1))
    except UnreadableError as error:
        _warn(str(error))
        return None


def _warn(reason: str) -> None:
    log.warning("Scoring a forest with LightGBM's own predict, which is slower: %s", reason)


def _in_blocks(masks: Masks) -> Masks:
    """Lay masks of shape (rows, trees) out as those of KOLs."""
    from matcher.treekernel import BLOCK

    size, trees = masks.shape
    blocks = -(-size // BLOCK)
    out = np.zeros((blocks * BLOCK, trees), dtype=np.uint64)
    out[:size] = masks
    return np.ascontiguousarray(out.reshape(blocks, BLOCK, trees).transpose(0, 2, 1))


def threads_of(asked: int | None = None) -> int:
    """Return as many threads as LightGBM works with: ``OMP_NUM_THREADS``, or one for each core."""
    if asked is not None:
        return max(1, asked)
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if first.isdigit() and int(first) > 0:
        return int(first)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_threads(work: Callable[[int, int], None], size: int, asked: int | None) -> None:
    """Do all rows, some in each thread: a row's score depends on no other."""
    count = min(threads_of(asked), max(1, size // _LEAST_ROWS))
    if count == 1:
        work(0, size)
        return
    from matcher.treekernel import BLOCK

    blocks = np.linspace(0, -(-size // BLOCK), count + 1).astype(int)
    ends = np.minimum(blocks * BLOCK, size).tolist()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, ends[:-1], ends[1:]))
