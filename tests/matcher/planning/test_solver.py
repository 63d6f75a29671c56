import numpy as np
import pytest

from matcher.planning.search import search
from matcher.planning.solver import INFEASIBLE, OPTIMAL, TIME_LIMIT, Program, best, quiet, relaxed
from tests.matcher.planning.rosters import keeps, problem_of, sets_of


def knapsack(budget: float, least: float = -np.inf) -> Program:
    rows = np.array([[3.0, 4.0, 2.0], [1.0, 1.0, 1.0]])
    from scipy.sparse import csr_array

    return Program(
        gain=np.array([4.0, 5.0, 3.0]),
        rows=csr_array(rows),
        low=np.array([-np.inf, least]),
        high=np.array([budget, np.inf]),
        floor=np.zeros(3),
        ceiling=np.ones(3),
        whole=np.ones(3, dtype=bool),
    )


def test_whole_and_divided_programs_are_solved() -> None:
    found = best(knapsack(6.0), time_limit=10, gap=0)
    assert found.status == OPTIMAL
    assert found.z is not None
    assert found.z.round().tolist() == [0, 1, 1]
    assert found.bound == pytest.approx(8.0)
    divided = relaxed(knapsack(6.0))
    assert divided is not None
    # 2 for 3, 3 for 4, and a quarter of what costs 4 and brings 5.
    assert divided.gain == pytest.approx(7 + 5 / 4)
    assert divided.duals.tolist() == pytest.approx([1.25, 0.0])


def test_what_presolving_loses_its_way_on_is_solved_without() -> None:
    # The HiGHS of SciPy 1.17.1 ends this one with a solve error.
    problem = problem_of(89907, persons=5, rows=True)
    solution = search(problem, gap=1e-6, time_limit=30)
    assert solution.feasible == any(keeps(problem, chosen) for chosen in sets_of(problem))


def test_what_cannot_be_is_said_so() -> None:
    assert best(knapsack(6.0, least=3.0), time_limit=10, gap=0).status == INFEASIBLE
    assert relaxed(knapsack(1.0, least=3.0)) is None
    assert best(knapsack(6.0), time_limit=0, gap=0).status in (TIME_LIMIT, OPTIMAL)


def test_columns_may_be_left_out() -> None:
    found = best(knapsack(6.0).of(np.array([0, 2])), time_limit=10, gap=0)
    assert found.z is not None
    assert found.z.round().tolist() == [1, 1]


def test_nothing_that_the_solver_writes_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    import os

    with quiet():
        os.write(1, b"noise")
    os.write(1, b"told")
    assert capfd.readouterr().out == "told"
