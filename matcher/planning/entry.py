"""At which price a KOL who was left out would enter the plan.

The largest price of an option for which some set that holds it keeps all limits and is worth as
much as the plan. That is one program: the option is forced in, its price becomes a column ``p``
that is maximised, in the budget and wherever else money counts, and the set must be worth no less
than the plan. For values that add up and a budget alone this finds the cheapest company in which
the option makes up for the plan: ``p`` is the budget less what that company costs.

The duals of the divided plan bound every such price from above at no cost
(`plan_search.Bound`): forced in at price ``p`` an option brings the bound down to
``bound + reduced + dual * (price - p)``, which must stay above the plan's worth. That tells which
mode of a KOL to look at first, and which other options cannot be in the company.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matcher.planning.program import Layout, Problem, layout, program, touch, with_rows
from matcher.planning.search import CORE, ROUNDS, SAME, Solution
from matcher.planning.solver import INFEASIBLE, OPTIMAL, Program, best

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NO_END = np.array([np.inf])
MANY = 300
"""Among so many options the solver is quick: fewer need not be tried first."""


@dataclass(frozen=True)
class Entry:
    """The price at which an option would enter.

    Attributes
    ----------
    option : int
        Position of the option.
    price : float
        Below it, the option would be in the best plan; NaN where not even for nothing.
    """

    option: int
    price: float


@dataclass(frozen=True)
class EntryPrices:
    """Finds prices of entry for one plan.

    Attributes
    ----------
    problem : Problem
        What was planned.
    solution : Solution
        The plan, not infeasible.
    cap : float
        No price is above this.
    time_limit : float
        Seconds for each option.
    """

    problem: Problem
    solution: Solution
    cap: float = np.inf
    time_limit: float = 2.0

    def of_kol(self, options: NDArray[np.int64]) -> Entry | None:
        """Return the mode in which a KOL is nearest to entering, and its price of entry.

        Parameters
        ----------
        options : ndarray of int
            The KOL's options; none is in the plan.

        Returns
        -------
        Entry or None
            ``None`` where the limits, or the time, allow no answer.
        """
        options = options[~self.problem.limits.barred[options]]
        if not len(options):
            return None
        price = np.maximum(self.problem.price[options], 1e-9)
        most = np.minimum([self.at_most(option) for option in options], self.cap) / price
        found: Entry | None = None
        for place in np.argsort(-most, kind="stable"):
            if found is not None and most[place] <= _share(found, self.problem):
                break
            entry = self.of_option(int(options[place]))
            if entry is None:
                return None
            if found is None or _share(entry, self.problem) > _share(found, self.problem):
                found = entry
        return found

    def at_most(self, option: int) -> float:
        """Return a price above which an option surely stays out; below 0 where at any price."""
        rate, spare = self._rate(option), self._spare(option, 0.0)
        if rate <= 0:
            # Money is not what keeps it out: no price lets it in, or any does.
            return np.inf if spare >= 0 else -np.inf
        return spare / rate

    def of_option(self, option: int) -> Entry | None:
        """Return the price at which an option would enter; ``None`` if time ran out."""
        problem, until = self.problem, time.monotonic() + self.time_limit
        mates = problem.limits.person != problem.limits.person[option]
        free = np.flatnonzero(mates & ~problem.closed)
        losses = np.zeros(len(free))
        if self.solution.divided is not None:
            losses = self.solution.divided.losses[free]
        order, losses = free[np.argsort(losses, kind="stable")], np.sort(losses)
        if self.at_most(option) < 0:
            return Entry(option, float("nan"))
        count = self._needed(option, 0.0, losses)
        if count > MANY:
            count = min(CORE, len(order))
        while True:
            price = self._largest(option, np.sort(np.append(order[:count], option)), until)
            if price is None:
                return None
            needed = self._needed(option, np.nan_to_num(price, nan=0.0), losses)
            if needed <= count:
                return Entry(option, price)
            count = needed

    def _needed(self, option: int, price: float, losses: Floats) -> int:
        """Return how many others, by loss, can be in the company at this price or a higher one."""
        return int((losses <= self._spare(option, price)).sum())

    def _spare(self, option: int, price: float) -> float:
        """Return how far above the plan's worth a set may be that has an option at a price."""
        divided = self.solution.divided
        if divided is None:
            return np.inf
        # An option that was closed to the plan is not in its bound.
        closed = self.problem.closed[option]
        forced = divided.reduced[option] if closed else min(divided.reduced[option], 0.0)
        spare = (divided.worth - self._least()) / self.problem.unit + forced
        return float(spare + self._rate(option) * (self.problem.price[option] - price))

    def _rate(self, option: int) -> float:
        """Return what a unit of money for an option costs in worth, by the duals."""
        divided, rows = self.solution.divided, self.problem.limits.rows
        if divided is None or not rows:
            return 0.0
        money = np.array([limit.money[option] for limit in rows])
        return float(money @ divided.duals / self.problem.money)

    def _least(self) -> float:
        """Return the worth that a set must have to be as good as the plan."""
        return self.solution.worth - SAME * abs(self.solution.worth)

    def _largest(self, option: int, columns: NDArray[np.int64], until: float) -> float | None:
        """Return the largest price with some options as company, NaN if none makes up for it."""
        problem = self.problem
        refused: list[NDArray[np.bool_]] = []
        within = Layout(len(columns), layout(problem).cells, extra=1)
        for _ in range(ROUNDS):
            asked = _without(self._program(option, columns, within), refused, within)
            told = best(asked, time_limit=until - time.monotonic(), gap=0.0)
            if told.status == INFEASIBLE:
                return np.nan
            if told.z is None or told.status != OPTIMAL:
                return None
            inside = told.z[: len(columns)] > 0.5
            chosen = np.zeros(len(problem.price), dtype=bool)
            chosen[columns[inside]] = True
            if problem.worth.of(chosen) >= self._least():
                return self._price(option, chosen)
            # Good enough to the solver's tolerance, or by tangents that were too high.
            touch(problem, told.z, within, 0.0)
            refused.append(inside)
        return None

    def _program(self, option: int, columns: NDArray[np.int64], within: Layout) -> Program:
        """Word the search for the largest price of an option; its price is the last column."""
        from scipy.sparse import csr_array, hstack

        problem, place = self.problem, layout(self.problem)
        base = program(problem).of(np.concatenate([columns, np.arange(place.options, place.size)]))
        own = int(np.searchsorted(columns, option))
        # In the rows of limits the price of the option gives way to the column.
        money = np.array([limit.money[option] for limit in problem.limits.rows])
        at, height = np.arange(len(money)), base.rows.shape[0]
        asking = money * problem.price[option] / problem.money
        shape = (height, base.rows.shape[1])
        freed = csr_array((asking, (at, np.full(len(at), own))), shape=shape)
        paid = csr_array((money, (at, np.zeros(len(at), dtype=np.int64))), shape=(height, 1))
        floor, ceiling = np.append(base.floor, 0.0), np.append(base.ceiling, 0.0)
        floor[own] = ceiling[own] = 1.0
        ceiling[-1] = min(self.cap, problem.limits.budget) / problem.money
        asked = Program(
            gain=(np.arange(within.size) == within.size - 1).astype(np.float64),
            rows=hstack([base.rows - freed, paid], format="csr"),
            low=base.low,
            high=base.high,
            floor=floor,
            ceiling=ceiling,
            whole=np.append(base.whole, False),
        )
        worth = np.append(base.gain, 0.0)[None]
        return with_rows(asked, worth, np.array([self._least() / problem.unit]), NO_END)

    def _price(self, option: int, chosen: NDArray[np.bool_]) -> float:
        """Return the largest price of an option in a set, without the solver's tolerance."""
        problem = self.problem
        most = min(self.cap, problem.limits.budget)
        for limit in problem.limits.rows:
            money = limit.money[option]
            rest = limit.row(problem.price)[chosen].sum() - money * problem.price[option]
            end = limit.high if money > 0 else limit.low
            if money != 0 and np.isfinite(end):
                most = min(most, (end - rest) / money)
        return float(max(most, 0.0))


def _without(asked: Program, sets: list[NDArray[np.bool_]], within: Layout) -> Program:
    """Forbid some sets."""
    if not sets:
        return asked
    rows = np.zeros((len(sets), within.size))
    rows[:, : within.options] = np.where(np.array(sets), 1.0, -1.0)
    high = np.array([chosen.sum() - 1.0 for chosen in sets])
    return with_rows(asked, rows, np.full(len(sets), -np.inf), high)


def _share(entry: Entry, problem: Problem) -> float:
    """Return an entry price as a share of the asking price."""
    share = entry.price / max(problem.price[entry.option], 1e-9)
    return -np.inf if np.isnan(share) else float(share)
