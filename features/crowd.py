"""How a value stands in a crowd that changes: groups of values, each there for some moments.

A roster at hundreds of moments is mostly the same values over and over. They are sorted once, each
with its spell, and only those that are there at a moment are gone over when somebody asks about it.
Results rest on the values of a group at a moment alone, exact to the last bit whatever the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.spill import spilled
from features.statistics import ratio, where
from features.timeline import Floats, Ints

Moments = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Standing:
    """How questions stand, one row each.

    Attributes
    ----------
    count, below, upto : ndarray of int64
        How many values are there, how many below the one asked about, how many below or equal.
    median, spread : ndarray of float64
        Median of the values there, and median distance from it; NaN where there is none.
    """

    count: Ints
    below: Ints
    upto: Ints
    median: Floats
    spread: Floats


@dataclass(frozen=True, eq=False)
class Crowd:
    """Known values of groups, each with the moments at which it is there.

    Attributes
    ----------
    names : ndarray of int64, shape (groups,)
        Groups, ascending.
    start : ndarray of int64, shape (groups + 1,)
        Where the values of each group start.
    value : ndarray of float64
        Values by group, ascending.
    spells : tuple of ndarray of int32, optional
        The moment from which each value is there, and the one from which it no longer is; ``None``
        where all are there at moment 0 alone.
    """

    names: Ints
    start: Ints
    value: Floats
    spells: tuple[Moments, Moments] | None

    @classmethod
    def of(cls, group: Ints, value: Floats, first: Ints, past: Ints) -> Crowd:
        """Lay out values; those of group -1 and unknown ones are left out."""
        kept = np.flatnonzero((group >= 0) & ~np.isnan(value))
        order = kept[np.lexsort((value[kept], group[kept]))]
        names, start = np.unique(group[order], return_index=True)
        spells = None
        if (first[order] != 0).any() or (past[order] != 1).any():
            spells = spilled(first[order].astype(np.int32)), spilled(past[order].astype(np.int32))
        bounds = np.append(start, len(order)).astype(np.int64)
        return cls(names, bounds, spilled(value[order]), spells)

    def stand(self, group: Ints, moment: Ints, own: Floats | None = None) -> Standing:
        """Tell how values stand in groups at moments.

        Parameters
        ----------
        group, moment : ndarray of int64, shape (n,)
            Where to look; there is nobody in group -1.
        own : ndarray of float64, shape (n,), optional
            Values to place; nothing is below or equal to one that is unknown.
        """
        counts = np.zeros((3, len(group)), dtype=np.int64)
        usual = np.full((2, len(group)), np.nan)
        if len(self.names):
            from features.crowdkernel import look_around, place_among

            at = np.minimum(np.searchsorted(self.names, group), len(self.names) - 1)
            there = np.flatnonzero(self.names[at] == group)
            value = np.full(len(group), np.nan) if own is None else own
            if self.spells is None:
                # A large roster of one moment is asked by every brief: nobody is gone over twice.
                there = there[moment[there] == 0]
                place_among(self.value, self.start, (at, value), there, counts)
                usual[:, there] = self._usual[:, at[there]]
            else:
                order = there[np.lexsort((moment[there], at[there]))]
                asked = (at, moment, value)
                look_around(self.value, self.spells, self.start, asked, order, counts, usual)
        return Standing(*counts, *usual)

    @cached_property
    def _usual(self) -> Floats:
        """Median of each group, all of it, and median distance from it."""
        from features.crowdkernel import tell_usual

        usual = np.empty((2, len(self.names)))
        tell_usual(self.value, self.start, usual)
        return usual

    def place(self, group: Ints, moment: Ints, own: Floats) -> dict[str, Floats]:
        """Return ``count`` of a group's values at a moment, and ``share`` of them below each `own`.

        Equals count half; the share is NaN where the value is unknown or nobody is there.

        Examples
        --------
        >>> one, now = np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64)
        >>> values = np.array([1.0, 5.0, 9.0, 9.0])
        >>> Crowd.of(one, values, now, now + 1).place(one, now, values)["share"].tolist()
        [0.125, 0.375, 0.75, 0.75]
        """
        found = self.stand(group, moment, own)
        below, count = (found.below + found.upto) / 2.0, found.count.astype(np.float64)
        return {"count": count, "share": where(~np.isnan(own), ratio(below, count))}

    def medians(self, group: Ints, moment: Ints) -> Floats:
        """Return the median of each group at a moment, NaN where nobody is there."""
        return self.stand(group, moment).median
