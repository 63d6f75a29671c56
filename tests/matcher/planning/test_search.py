import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.planning.program import Problem
from matcher.planning.search import search
from tests.matcher.planning.rosters import best_of, keeps, problem_of

SEEDS = st.integers(0, 100_000)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans())
def test_the_best_set_is_that_of_trying_all(seed: int, rows: bool) -> None:
    problem = problem_of(seed, rows=rows)
    found = search(problem, gap=1e-6, time_limit=30)
    best = best_of(problem)
    if best is None:
        assert found.status == "infeasible"
        assert not found.feasible
        return
    assert found.status == "optimal"
    assert found.worth == pytest.approx(best, rel=1e-6)
    assert found.gap <= 1e-6
    assert keeps(problem, found.chosen)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.booleans())
def test_people_are_counted_once_to_the_stated_gap(seed: int, rows: bool) -> None:
    problem = problem_of(seed, people=True, rows=rows)
    found = search(problem, gap=1e-3, time_limit=30)
    best = best_of(problem)
    if best is None:
        assert found.status == "infeasible"
        return
    assert found.worth >= best * (1 - 1e-3) - 1e-9
    assert found.bound >= best * (1 - 1e-9)
    assert keeps(problem, found.chosen)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.booleans())
def test_nothing_is_over_budget_and_nobody_is_there_twice(seed: int, people: bool) -> None:
    problem = problem_of(seed, people=people, persons=12)
    found = search(problem, gap=1e-3, time_limit=30)
    assert problem.price[found.chosen].sum() <= problem.limits.budget
    persons = problem.limits.person[found.chosen]
    assert len(set(persons)) == len(persons)
    assert found.divided is not None
    assert found.worth <= found.bound * (1 + 1e-9)
    assert found.bound <= found.divided.worth * (1 + 1e-9)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans())
def test_more_budget_never_lowers_the_best(seed: int, people: bool) -> None:
    less = problem_of(seed, people=people, budget=1500.0)
    more = problem_of(seed, people=people, budget=1900.0)
    gap = 1e-6
    worths = [search(problem, gap=gap, time_limit=30).worth for problem in (less, more)]
    assert worths[1] >= worths[0] * (1 - gap)


def test_a_cent_over_the_budget_is_over() -> None:
    problem = problem_of(0)
    price = np.full(len(problem.price), 100_000.0)
    price[::2] += 0.01
    zeros, ones = np.zeros(len(price)), np.ones(len(price))
    from matcher.planning.limits import Limit, Limits

    limits = Limits(
        problem.limits.person, (Limit("budget", zeros, ones, high=200_000.0),), (), 200_000.0
    )
    worth = type(problem.worth)(np.where(price > 100_000, 2.0, 1.0))  # type: ignore[call-arg]
    found = search(Problem(price, limits, worth), gap=1e-6, time_limit=30)
    assert price[found.chosen].sum() <= 200_000
    assert found.worth == pytest.approx(2.0)


def test_many_candidates_are_proven_best_against_the_divided_bound() -> None:
    problem = problem_of(3, persons=400, budget=9000.0)
    found = search(problem, gap=1e-6, time_limit=30)
    assert found.status == "optimal"
    assert found.divided is not None
    assert found.worth <= found.divided.worth
    assert found.worth >= 0.9 * found.divided.worth


def test_nobody_is_chosen_without_money_or_options() -> None:
    broke = search(problem_of(0, budget=0.0), gap=1e-6, time_limit=30)
    assert (broke.status, broke.worth, broke.chosen.any()) == ("optimal", 0.0, False)
    nobody = search(problem_of(0, persons=0), gap=1e-6, time_limit=30)
    assert (nobody.status, nobody.worth, len(nobody.chosen)) == ("optimal", 0.0, 0)


def test_without_time_the_best_so_far_is_told_with_its_gap() -> None:
    found = search(problem_of(3, persons=300, people=True), gap=1e-9, time_limit=0.0)
    assert found.status in ("time_limit", "optimal")
    if found.feasible:
        assert 0 <= found.gap <= 1
