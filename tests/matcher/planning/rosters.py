"""Small plans whose best can be found by trying every set."""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from matcher.config import ReachConfig
from matcher.planning.limits import Limit, Limits
from matcher.planning.program import Problem
from matcher.planning.reach import people_of
from matcher.planning.worth import Reach, Sum

Bools = npt.NDArray[np.bool_]
PLATFORMS = ("douyin", "weibo")


def roster_of(rng: np.random.Generator, kols: int) -> pd.DataFrame:
    """Return KOLs of two platforms with audiences."""
    shares = rng.random(kols).round(2)
    return pd.DataFrame(
        {
            "kol_id": [f"k{i}" for i in range(kols)],
            "person_id": [f"p{i}" for i in range(kols)],
            "display_name": [f"name {i}" for i in range(kols)],
            "platform": rng.choice(PLATFORMS, kols),
            "followers": rng.lognormal(7, 1, kols).round(),
            "suspicious_follower_share": 0.0,
            "verticals": [("beauty",) if i % 2 else ("food", "beauty") for i in range(kols)],
            "audience_gender": [{"female": s, "male": 1 - s} for s in shares],
            "audience_age": [{"18-24": s, "25-34": 1 - s} for s in shares[::-1]],
        }
    )


def problem_of(
    seed: int,
    *,
    people: bool = False,
    persons: int = 4,
    rows: bool = False,
    budget: float | None = None,
) -> Problem:
    """Return a random problem: two options a person, a budget, a number, and maybe more limits."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), 2)
    size = len(person)
    price = rng.integers(1, 20, size) * 100.0
    value = rng.integers(1, 30, size) * 10.0
    worth: Sum | Reach = Sum(value)
    if people:
        roster = roster_of(rng, persons)
        known = people_of(roster, PLATFORMS, ReachConfig())
        ids, where = roster["kol_id"].repeat(2), roster["platform"].repeat(2)
        chance = rng.uniform(0.3, 1.0, size)
        exposure = known.exposures(ids.tolist(), where.tolist(), value * 30, chance)
        worth = Reach(known, pd.Index(PLATFORMS).get_indexer(pd.Index(where)), exposure)
    budget = float(rng.integers(4, 50)) * 100 if budget is None else budget
    zeros, ones = np.zeros(size), np.ones(size)
    limits = [
        Limit("budget", zeros, ones, high=budget),
        Limit("kols", ones, zeros, high=float(rng.integers(1, 4))),
    ]
    if rows:
        limits += _more_limits(rng, size)
    return Problem(price, Limits(person, tuple(limits), (), budget), worth)


def _more_limits(rng: np.random.Generator, size: int) -> list[Limit]:
    """Return quotas, shares of money and a must-have, some of which may contradict the others."""
    zeros = np.zeros(size)
    here = rng.integers(0, 2, size).astype(float)
    own = np.arange(size) // 2 == int(rng.integers(0, size // 2))
    share = float(rng.choice([0.3, 0.5, 0.7]))
    every = [
        Limit("quota", here, zeros, low=float(rng.integers(1, 3)), of="platform", name="douyin"),
        Limit("quota", here, zeros, high=1.0, of="platform", name="douyin"),
        Limit("share", zeros, here - share, high=0.0, of="tier", name="mid", share=share),
        Limit("share", zeros, here - share, low=0.0, of="tier", name="mid", share=share),
        Limit("must", own.astype(float), zeros, low=1.0, name="k0"),
    ]
    return [limit for limit in every if rng.random() < 0.5]


def sets_of(problem: Problem) -> Iterator[Bools]:
    """Yield every set that takes nobody twice."""
    person = problem.limits.person
    for size in range(len(set(person.tolist())) + 1):
        for members in itertools.combinations(range(len(person)), size):
            if len({int(person[m]) for m in members}) == size:
                chosen = np.zeros(len(person), dtype=bool)
                chosen[list(members)] = True
                yield chosen


def keeps(problem: Problem, chosen: Bools, price: npt.NDArray[np.float64] | None = None) -> bool:
    """Say whether a set keeps all limits."""
    asked = problem.price if price is None else price
    if (chosen & problem.limits.barred).any():
        return False
    for limit in problem.limits.rows:
        total = limit.row(asked)[chosen].sum()
        if not limit.low - 1e-6 <= total <= limit.high + 1e-6:
            return False
    return True


def best_of(problem: Problem) -> float | None:
    """Return what the best set is worth, ``None`` if no set keeps the limits."""
    worths = [problem.worth.of(chosen) for chosen in sets_of(problem) if keeps(problem, chosen)]
    return max(worths, default=None)
