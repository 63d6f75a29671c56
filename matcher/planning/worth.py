"""What sets of options are worth: values that add up, or different people reached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matcher.planning.reach import People

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tangents:
    """Planes above a concave worth: ``y[part] <= height + slopes @ w[cells]``.

    Attributes
    ----------
    part : ndarray of int, shape (k,)
        Which part of the worth each bounds.
    slopes : ndarray, shape (k, P)
        Along the exposure of each platform in that part.
    height : ndarray, shape (k,)
        Where it meets no exposure.
    """

    part: NDArray[np.int64]
    slopes: Floats
    height: Floats


@dataclass(frozen=True)
class Sum:
    """Values that add up.

    Attributes
    ----------
    alone : ndarray, shape (n,)
        Value of each option.
    """

    alone: Floats

    def of(self, chosen: NDArray[np.bool_]) -> float:
        """Return what a set is worth."""
        return float(self.alone[chosen].sum())


@dataclass(frozen=True)
class Reach:
    """People, each counted once. ``P`` platforms, ``S`` segments.

    Attributes
    ----------
    people : People
        Whom there is to reach.
    at : ndarray of int, shape (n,)
        Platform of each option, -1 where it has none that counts.
    exposure : ndarray, shape (n, S)
        What each option adds on its platform.
    """

    people: People
    at: NDArray[np.int64]
    exposure: Floats

    @cached_property
    def apart(self) -> Floats:
        """How many people of each segment each option reaches alone, shape (n, S)."""
        each = np.zeros((len(self.at), *self.people.accounts.shape))
        known = np.flatnonzero(self.at >= 0)
        each[known, self.at[known]] = self.exposure[known]
        return self.people.reached(each)

    @cached_property
    def alone(self) -> Floats:
        """What each option is worth alone."""
        return np.asarray(self.apart.sum(axis=-1))

    def of(self, chosen: NDArray[np.bool_]) -> float:
        """Return how many people a set reaches."""
        return float(self.people.reached(self.exposed(chosen)).sum())

    def exposed(self, chosen: NDArray[np.bool_]) -> Floats:
        """Return the exposure of a set, shape (P, S)."""
        total = np.zeros(self.people.accounts.shape)
        known = chosen & (self.at >= 0)
        np.add.at(total, self.at[known], self.exposure[known])
        return total

    def added(self, chosen: NDArray[np.bool_]) -> Floats:
        """Return what each option adds to a set: of a member, what would be lost without it."""
        total = self.exposed(chosen)
        each = np.broadcast_to(total, (len(self.at), *total.shape)).copy()
        known = np.flatnonzero(self.at >= 0)
        sign = np.where(chosen, -1.0, 1.0)[known, None]
        each[known, self.at[known]] += sign * self.exposure[known]
        changed = self.people.reached(np.maximum(each, 0.0)).sum(axis=-1)
        return np.asarray(np.abs(changed - self.people.reached(total).sum()))

    def tangents(self, exposure: Floats, parts: NDArray[np.int64]) -> Tangents:
        """Return the planes that touch the worth of some segments at an exposure, shape (P, S)."""
        slopes = self.people.slopes(exposure)
        height = self.people.reached(exposure) - (slopes * exposure).sum(axis=0)
        return Tangents(parts, slopes[:, parts].T, height[parts])
