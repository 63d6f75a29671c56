"""Search for the best set: exact, with a bound that proves how good it is.

The program is first solved with options that may be divided, which is quick and gives a bound
and, for each option, how much worth it costs at least to take it (or, of those taken, to leave it):
its loss. Only options whose loss is within the gap between that bound and the best set known can
be in a better set, so the whole numbers are sought among few options, and the losses of all others
prove that nothing was missed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from matcher.planning.program import Layout, Problem, layout, program, touch, with_rows
from matcher.planning.solver import INFEASIBLE, OPTIMAL, TIME_LIMIT, Program, best, relaxed
from matcher.planning.worth import Reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

CORE = 80
"""Options among which whole numbers are sought first."""
ROUNDS = 60
"""Tangents are added so often, at most, before a search is given up as unfinished."""
SAME = 1e-7
"""Worths closer than this share are the same: solvers tell no finer."""


@dataclass(frozen=True)
class Bound:
    """What the divided program tells.

    Attributes
    ----------
    worth : float
        No set is worth more.
    reduced : ndarray, shape (n,)
        What taking a whole option adds to that, at most; its loss, where negative.
    duals : ndarray, shape (rows,)
        What a unit of each limit is worth, in the order of `Limits.rows`.
    """

    worth: float
    reduced: Floats
    duals: Floats

    @property
    def losses(self) -> Floats:
        """What it costs at least to take each option."""
        return np.maximum(-self.reduced, 0.0)


@dataclass(frozen=True)
class Solution:
    """The best set found.

    Attributes
    ----------
    status : str
        ``"optimal"``, ``"time_limit"`` or ``"infeasible"``.
    chosen : ndarray of bool, shape (n,)
        The set; nobody where infeasible.
    worth : float
        What it is worth; NaN where infeasible.
    bound : float
        No set is worth more.
    divided : Bound or None
        What the divided program told.
    """

    status: str
    chosen: Bools
    worth: float
    bound: float
    divided: Bound | None = None

    @property
    def feasible(self) -> bool:
        """Whether there is a set at all."""
        return not np.isnan(self.worth)

    @property
    def gap(self) -> float:
        """How far from the best the set may be, as a share of the best."""
        if not self.feasible:
            return float("nan")
        return max(0.0, 1 - self.worth / self.bound) if self.bound > 0 else 0.0


def search(problem: Problem, *, gap: float, time_limit: float) -> Solution:
    """Find the best set.

    Parameters
    ----------
    problem : Problem
        What is to be planned. Its list of tangents grows.
    gap : float
        How far from the best the set may be, as a share.
    time_limit : float
        Seconds.
    """
    until = time.monotonic() + time_limit
    size, unit = len(problem.price), problem.unit
    nobody = np.zeros(size, dtype=bool)
    divided = divide(problem, gap, until)
    if divided is None:
        return Solution(INFEASIBLE, nobody, np.nan, np.nan)
    losses = divided.losses.copy()
    losses[problem.closed] = np.inf
    order = np.argsort(losses, kind="stable")
    allowed = int(np.isfinite(losses).sum())
    found = Solution(TIME_LIMIT, nobody, np.nan, divided.worth, divided)
    count = min(CORE, allowed)
    while True:
        core = np.sort(order[:count])
        inside = _among(problem, core, gap, until)
        rest = losses[order[count]] if count < allowed else np.inf
        outside = divided.worth - rest * unit
        if inside.feasible and not (found.feasible and found.worth > inside.worth):
            bound = min(divided.worth, max(inside.bound, outside))
            found = replace(inside, bound=max(bound, inside.worth), divided=divided)
        if count >= allowed:
            return replace(found, status=inside.status, divided=divided)
        if found.feasible and found.gap <= gap and inside.status == OPTIMAL:
            return replace(found, status=OPTIMAL)
        if time.monotonic() > until:
            return replace(found, status=TIME_LIMIT)
        count = _wider(found, losses, divided.worth, unit, count, allowed)


def _wider(
    found: Solution, losses: Floats, bound: float, unit: float, count: int, allowed: int
) -> int:
    """Return among how many options to seek next: those that a better set can hold."""
    if not found.feasible:
        return min(8 * count, allowed)
    needed = int((losses * unit <= bound - found.worth).sum())
    return min(max(needed, count + 1), allowed)


def divide(problem: Problem, gap: float, until: float) -> Bound | None:
    """Solve with options that may be divided; ``None`` where even so nothing is feasible."""
    place, unit = layout(problem), problem.unit
    asked = program(problem)
    told = relaxed(asked)
    for _ in range(ROUNDS):
        if told is None:
            return None
        slack = gap * told.gain / 2
        if touch(problem, told.z, place, slack) <= slack or time.monotonic() > until:
            break
        asked = program(problem)
        told = relaxed(asked)
    if told is None:
        return None
    reduced, base = _dual_bound(asked, told.duals, place)
    bars = problem.closed
    worth = base + np.maximum(reduced[~bars], 0.0).sum()
    return Bound(worth * unit, reduced, told.duals[: len(problem.limits.rows)])


def _dual_bound(asked: Program, duals: Floats, place: Layout) -> tuple[Floats, float]:
    """Return each option's reduced gain, and the bound but for them: weak duality, whatever duals.

    ``gain @ z <= duals @ bounds + (gain - duals @ rows) @ z`` for every z that keeps the rows.
    """
    held = np.where(duals > 0, asked.high, asked.low)
    # A dual on the side without a bound is the solver's dust.
    duals = np.where(np.isfinite(held), duals, 0.0)
    held = np.where(np.isfinite(held), held, 0.0)
    reduced = asked.gain - asked.rows.T @ duals
    others, ceiling = reduced[place.options :], asked.ceiling[place.options :]
    dust = np.abs(others) < 1e-9
    rest = np.where(dust, 0.0, np.maximum(others, 0.0)) * np.where(np.isfinite(ceiling), ceiling, 0)
    return reduced[: place.options], float(duals @ held + rest.sum())


def _among(problem: Problem, core: NDArray[np.int64], gap: float, until: float) -> Solution:
    """Find the best set among some options."""
    place, unit, size = layout(problem), problem.unit, len(problem.price)
    columns = np.concatenate([core, np.arange(place.options, place.size)])
    within = Layout(len(core), place.cells)
    covers: list[Bools] = []
    found = Solution(INFEASIBLE, np.zeros(size, dtype=bool), np.nan, np.nan)
    for _ in range(ROUNDS):
        asked = _with_covers(program(problem).of(columns), covers, core, size)
        told = best(asked, time_limit=until - time.monotonic(), gap=gap / 4)
        if told.z is None:
            status = TIME_LIMIT if told.status == TIME_LIMIT else found.status
            return replace(found, status=status if found.feasible else told.status)
        chosen = np.zeros(size, dtype=bool)
        chosen[core[told.z[: len(core)] > 0.5]] = True
        if not problem.affords(chosen):
            # Whole to the solver's tolerance, yet a cent too dear: of these not all may be taken.
            covers.append(chosen)
            continue
        worth, bound = problem.worth.of(chosen), told.bound * unit
        if isinstance(problem.worth, Reach):
            bound = min(bound, found.bound) if found.feasible else bound
        if not found.feasible or worth > found.worth:
            found = Solution(told.status, chosen, worth, max(bound, worth))
        else:
            found = replace(found, status=told.status, bound=max(bound, found.worth))
        if told.status != OPTIMAL or found.gap <= gap:
            return found
        if touch(problem, told.z, within, gap * found.worth / unit / 4) == 0:
            return found
    return replace(found, status=TIME_LIMIT)


def _with_covers(
    asked: Program, covers: list[Bools], core: NDArray[np.int64], size: int
) -> Program:
    """Forbid sets that are too dear, and all that hold them."""
    if not covers:
        return asked
    rows = np.zeros((len(covers), len(asked.gain)))
    for at, cover in enumerate(covers):
        rows[at, : len(core)] = cover[core]
    return with_rows(
        asked, rows, np.full(len(covers), -np.inf), np.array([c.sum() - 1.0 for c in covers])
    )
