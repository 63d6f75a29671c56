"""A plan as a mixed integer program, exact for values that add up and for people counted once.

Columns are the options (1 is chosen) and, where people count, the exposure of each segment on each
platform, the people reached in each segment, and nothing else. People reached are bounded from
above by tangents: as the worth is concave in exposures, which are sums over the chosen, the
program's best is an upper bound, and tangents where it was found close the gap (outer
approximation: Duran and Grossmann, Mathematical Programming 36, 1986). Tangents hold for every set
and so serve all budgets of a brief.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from matcher.planning.limits import Limit, Limits
from matcher.planning.solver import Program
from matcher.planning.worth import Reach, Sum, Tangents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """What is to be planned. ``n`` options.

    Attributes
    ----------
    price : ndarray, shape (n,)
        Of each option.
    limits : Limits
        What a set must keep.
    worth : Sum or Reach
        What a set is worth.
    tangents : list of Tangents
        Found so far; shared by all problems with the same worth.
    """

    price: Floats
    limits: Limits
    worth: Sum | Reach
    tangents: list[Tangents] = field(default_factory=list)

    @cached_property
    def money(self) -> float:
        """Return the unit in which the program counts money: no price is a large number."""
        budget = self.limits.budget
        usual = float(self.price.max(initial=0.0))
        return budget if 0 < budget < np.inf else usual or 1.0

    @cached_property
    def unit(self) -> float:
        """Return the unit in which the program counts worth."""
        return float(np.max(self.worth.alone, initial=0.0)) or 1.0

    @cached_property
    def closed(self) -> NDArray[np.bool_]:
        """Options that no set can hold: barred, or dearer alone than the budget."""
        return np.asarray(self.limits.barred | (self.price > self.limits.budget * (1 + 1e-9)))

    @cached_property
    def fixed(self) -> Program:
        """The program without tangents, in units of `money` and `unit`."""
        return _fixed(self)

    def affords(self, chosen: NDArray[np.bool_]) -> bool:
        """Say whether a set keeps the budget, to the hundredth of a hundredth."""
        spent, budget = np.ceil(self.price * 1e4 - 1e-3), self.limits.budget
        return not np.isfinite(budget) or bool(spent[chosen].sum() <= np.floor(budget * 1e4 + 1e-3))


@dataclass(frozen=True)
class Layout:
    """Where columns lie: options first, then exposures, then people, then free columns."""

    options: int
    cells: tuple[int, int]
    extra: int = 0

    @property
    def exposures(self) -> int:
        """How many columns are exposures."""
        return self.cells[0] * self.cells[1]

    @property
    def size(self) -> int:
        """How many columns there are."""
        return self.options + self.exposures + self.cells[1] + self.extra

    def split(self, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Return options, exposures of shape (P, S) and people of shape (S,)."""
        end = self.options + self.exposures
        return (
            z[: self.options],
            z[self.options : end].reshape(self.cells),
            z[end:][: self.cells[1]],
        )


def layout(problem: Problem, extra: int = 0) -> Layout:
    """Return where the columns of a problem lie."""
    cells = (0, 0)
    if isinstance(problem.worth, Reach):
        cells = (len(problem.worth.people.platforms), len(problem.worth.people.segments))
    return Layout(len(problem.price), cells, extra)


def program(problem: Problem) -> Program:
    """Word a problem as a program that maximises worth, in `Problem.unit`."""
    fixed = problem.fixed
    if not problem.tangents or not isinstance(problem.worth, Reach):
        return fixed
    rows, high = _tangent_rows(problem, problem.worth, layout(problem))
    return with_rows(fixed, rows, np.full(len(high), -np.inf), high)


def with_rows(asked: Program, rows: Any, low: Floats, high: Floats) -> Program:
    """Add rows to a program."""
    from scipy.sparse import csr_array, vstack

    return replace(
        asked,
        rows=vstack([asked.rows, csr_array(rows)], format="csr"),
        low=np.concatenate([asked.low, low]),
        high=np.concatenate([asked.high, high]),
    )


def _fixed(problem: Problem) -> Program:
    from scipy.sparse import csr_array, vstack

    place, worth = layout(problem), problem.worth
    low, high, rows = limit_rows(problem, problem.limits.rows, place)
    once = _person_rows(problem, place)
    parts = [csr_array(rows), once]
    low = np.concatenate([low, np.full(once.shape[0], -np.inf)])
    high = np.concatenate([high, np.ones(once.shape[0])])
    ceiling = np.full(place.size, np.inf)
    ceiling[: place.options] = ~problem.closed
    if isinstance(worth, Reach):
        tied, apart = _exposure_rows(problem, worth, place), _apart_rows(problem, worth, place)
        parts += [tied, apart]
        low = np.concatenate([low, np.zeros(tied.shape[0]), np.full(apart.shape[0], -np.inf)])
        high = np.concatenate([high, np.zeros(tied.shape[0] + apart.shape[0])])
        ceiling[place.options + place.exposures :] = worth.people.people / problem.unit
    return Program(
        gain=worth_row(problem, place),
        rows=vstack(parts, format="csr"),
        low=low,
        high=high,
        floor=np.zeros(place.size),
        ceiling=ceiling,
        whole=np.arange(place.size) < place.options,
    )


def _person_rows(problem: Problem, place: Layout) -> Any:
    """Return a row for each person with several options."""
    from scipy.sparse import csr_array

    person = problem.limits.person
    several = np.flatnonzero(np.bincount(person, minlength=1) > 1)
    row = np.searchsorted(several, person)
    here = np.flatnonzero(np.isin(person, several))
    shape = (len(several), place.size)
    return csr_array((np.ones(len(here)), (row[here], here)), shape=shape)


def limit_rows(
    problem: Problem, limits: tuple[Limit, ...], place: Layout
) -> tuple[Floats, Floats, Floats]:
    """Return bounds and left sides of limits; those on money are counted in `Problem.money`."""
    rows = np.zeros((len(limits), place.size))
    low, high = np.full(len(limits), -np.inf), np.full(len(limits), np.inf)
    for at, limit in enumerate(limits):
        unit = problem.money if limit.money.any() else 1.0
        rows[at, : place.options] = limit.row(problem.price) / unit
        low[at], high[at] = limit.low / unit, limit.high / unit
    return low, high, rows


def worth_row(problem: Problem, place: Layout) -> Floats:
    """Return the left side that is a set's worth, in `Problem.unit`."""
    row = np.zeros(place.size)
    if isinstance(problem.worth, Reach):
        start = place.options + place.exposures
        row[start : start + place.cells[1]] = 1.0
    else:
        row[: place.options] = problem.worth.alone / problem.unit
    return row


def cell_units(problem: Problem, worth: Reach) -> Floats:
    """Return people per unit of exposure, so that exposures count in `Problem.unit` too."""
    return np.asarray(np.maximum(np.nan_to_num(worth.people.accounts), 1e-9) / problem.unit)


def _exposure_rows(problem: Problem, worth: Reach, place: Layout) -> Any:
    """Return rows that tie exposures to the options chosen."""
    from scipy.sparse import csr_array

    platforms, segments = place.cells
    units = cell_units(problem, worth)
    known = np.flatnonzero(worth.at >= 0)
    cell = worth.at[known, None] * segments + np.arange(segments)
    put = worth.exposure[known] * units[worth.at[known]]
    option = np.broadcast_to(known[:, None], cell.shape)
    every = np.arange(platforms * segments)
    entries = np.concatenate([put.ravel(), np.full(len(every), -1.0)])
    row = np.concatenate([cell.ravel(), every])
    column = np.concatenate([option.ravel(), place.options + every])
    return csr_array((entries, (row, column)), shape=(len(every), place.size))


def _apart_rows(problem: Problem, worth: Reach, place: Layout) -> Any:
    """Return rows that bound people reached by the sum of those that each option reaches alone.

    Nobody needs them to be right, but tangents at few exposures think well of a tenth of a star.
    """
    from scipy.sparse import csr_array, hstack

    options = csr_array(-worth.apart.T / problem.unit)
    nothing = csr_array((place.cells[1], place.exposures))
    return hstack([options, nothing, csr_array(np.eye(place.cells[1]))], format="csr")


def _tangent_rows(problem: Problem, worth: Reach, place: Layout) -> tuple[Any, Floats]:
    """Return rows of all tangents, and their upper bounds."""
    from scipy.sparse import csr_array

    platforms, segments = place.cells
    part = np.concatenate([t.part for t in problem.tangents])
    slopes = np.concatenate([t.slopes for t in problem.tangents])
    height = np.concatenate([t.height for t in problem.tangents])
    scaled = slopes / problem.unit / cell_units(problem, worth)[:, part].T
    exposed = place.options + np.arange(platforms) * segments + part[:, None]
    at = np.arange(len(part))
    entries = np.concatenate([np.ones(len(part)), -scaled.ravel()])
    row = np.concatenate([at, np.repeat(at, platforms)])
    reached = place.options + place.exposures + part
    column = np.concatenate([reached, exposed.ravel()])
    rows = csr_array((entries, (row, column)), shape=(len(part), place.size))
    return rows, height / problem.unit


def touch(problem: Problem, z: Floats, place: Layout, slack: float) -> float:
    """Add tangents where a point claims more people than its exposures reach.

    Returns
    -------
    float
        By how much it claims too much, in `Problem.unit`; 0 for values that add up.
    """
    if not isinstance(problem.worth, Reach):
        return 0.0
    _, exposure, claimed = place.split(z)
    exposure = np.maximum(exposure, 0.0) / cell_units(problem, problem.worth)
    excess = claimed - problem.worth.people.reached(exposure) / problem.unit
    parts = np.flatnonzero(excess > slack / max(len(excess), 1))
    if len(parts):
        problem.tangents.append(problem.worth.tangents(exposure, parts))
    return float(np.maximum(excess, 0.0).sum())
