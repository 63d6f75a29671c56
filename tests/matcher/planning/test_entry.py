import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.planning.entry import EntryPrices
from matcher.planning.program import Problem
from matcher.planning.search import SAME, Solution, search
from tests.matcher.planning.rosters import keeps, problem_of, sets_of

SEEDS = st.integers(0, 100_000)


def by_trying_all(problem: Problem, solution: Solution, option: int) -> float:
    """Return the largest price at which a set with an option is as good as the plan."""
    best = np.nan
    for chosen in sets_of(problem):
        if not chosen[option] or problem.worth.of(chosen) < solution.worth * (1 - SAME):
            continue
        # Prices are in hundreds, so that what is left is too, but for shares of money.
        for price in np.arange(problem.limits.budget, -1, -50.0):
            asked = problem.price.copy()
            asked[option] = price
            if keeps(problem, chosen, asked):
                best = np.nanmax([best, price])
                break
    return float(best)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.booleans())
def test_prices_of_entry_are_those_of_trying_all(seed: int, people: bool) -> None:
    problem = problem_of(seed, people=people, persons=4)
    solution = search(problem, gap=1e-9 if people else 1e-6, time_limit=30)
    seeker = EntryPrices(problem, solution)
    inside = set(problem.limits.person[solution.chosen].tolist())
    for option in range(len(problem.price)):
        if int(problem.limits.person[option]) in inside:
            continue
        entry = seeker.of_option(option)
        assert entry is not None
        wanted = by_trying_all(problem, solution, option)
        assert entry.price == pytest.approx(wanted, abs=1e-3, nan_ok=True)
        assert not entry.price > seeker.at_most(option) + 1e-3


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_below_the_price_of_entry_the_plan_is_better_with_them(seed: int) -> None:
    """Also under quotas and shares of money: lower the price, and plan again."""
    problem = problem_of(seed, persons=5, rows=True)
    solution = search(problem, gap=1e-6, time_limit=30)
    if not solution.feasible:
        return
    seeker = EntryPrices(problem, solution)
    inside = set(problem.limits.person[solution.chosen].tolist())
    for option in range(len(problem.price)):
        entry = seeker.of_option(option)
        if int(problem.limits.person[option]) in inside or entry is None or np.isnan(entry.price):
            continue
        price = problem.price.copy()
        price[option] = entry.price
        again = Problem(price, problem.limits, problem.worth)
        forced = [
            again.worth.of(chosen)
            for chosen in sets_of(again)
            if chosen[option] and keeps(again, chosen)
        ]
        assert max(forced) >= solution.worth * (1 - 1e-6)


def test_the_mode_nearest_to_entering_is_told() -> None:
    problem = problem_of(5, persons=6)
    solution = search(problem, gap=1e-6, time_limit=30)
    seeker = EntryPrices(problem, solution)
    inside = set(problem.limits.person[solution.chosen].tolist())
    out = next(p for p in range(6) if p not in inside)
    options = np.flatnonzero(problem.limits.person == out)
    entry = seeker.of_kol(options)
    assert entry is not None
    shares = [
        np.nan_to_num(seeker.of_option(int(o)).price / problem.price[o])  # type: ignore[union-attr]
        for o in options
    ]
    told = np.nan_to_num(entry.price / problem.price[entry.option])
    assert told == pytest.approx(max(shares))


def test_a_cap_on_prices_caps_the_price_of_entry() -> None:
    problem = problem_of(5, persons=8, budget=1200.0)
    solution = search(problem, gap=1e-6, time_limit=30)
    out = np.flatnonzero(~np.isin(problem.limits.person, problem.limits.person[solution.chosen]))
    free = [EntryPrices(problem, solution).of_option(int(o)) for o in out]
    capped = [EntryPrices(problem, solution, cap=120.0).of_option(int(o)) for o in out]
    assert any(e is not None and e.price > 120 for e in free)
    assert all(e is not None and not e.price > 120 for e in capped)


def test_barred_options_have_no_price() -> None:
    problem = problem_of(5)
    solution = search(problem, gap=1e-6, time_limit=30)
    assert EntryPrices(problem, solution).of_kol(np.array([], dtype=np.int64)) is None
