from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.planning.advice import Change, told, ways_out
from matcher.planning.limits import Bar, Limit
from matcher.planning.program import Problem
from tests.matcher.planning.rosters import best_of, problem_of, sets_of

Broken = frozenset[tuple[int, int]]


def violations(problem: Problem, chosen: np.ndarray) -> dict[tuple[int, int], float]:
    """Return which limits a set breaks, and by how much as a share of each."""
    broken: dict[tuple[int, int], float] = {}
    for at, limit in enumerate(problem.limits.rows):
        total = limit.row(problem.price)[chosen].sum()
        for side, end, over in (
            (1, limit.high, total - limit.high),
            (-1, limit.low, limit.low - total),
        ):
            if np.isfinite(end) and over > 1e-9:
                scale = problem.money if limit.money.any() else max(abs(end), 1.0)
                broken[at, side] = over / scale
    for at, bar in enumerate(problem.limits.bars):
        excess = bar.excess[chosen].max(initial=0.0)
        if excess > 0:
            scale = bar.limit if bar.kind == "money_per_kol" else 1.0
            broken[100 + at, 0] = excess / scale
    return broken


def by_trying_all(problem: Problem) -> tuple[int, list[float]]:
    """Return the fewest limits that must give way, and for each such choice the smallest size."""
    smallest: dict[Broken, float] = {}
    for chosen in sets_of(problem):
        broken = violations(problem, chosen)
        key = frozenset(broken)
        smallest[key] = min(smallest.get(key, np.inf), sum(broken.values()))
    fewest = min(len(key) for key in smallest)
    return fewest, sorted(size for key, size in smallest.items() if len(key) == fewest)


def contradicting(seed: int) -> Problem:
    """Return a small problem with limits that may well contradict each other."""
    rng = np.random.default_rng(seed)
    problem = problem_of(seed, persons=3, rows=True, budget=float(rng.integers(1, 12)) * 100)
    size = len(problem.price)
    zeros = np.zeros(size)
    rows = [*problem.limits.rows]
    if rng.random() < 0.6:
        rows[1] = replace(rows[1], low=2.0, high=max(rows[1].high, 2.0))
    for place in range(int(rng.integers(0, 3))):
        own = (np.arange(size) // 2 == place).astype(float)
        rows.append(Limit("must", own, zeros, low=1.0, name=f"k{place}"))
    bars = []
    if rng.random() < 0.5:
        risk = rng.random(size).round(2)
        bars.append(Bar("max_risk", np.maximum(risk - 0.4, 0), 0.4))
    if rng.random() < 0.5:
        bars.append(Bar("money_per_kol", np.maximum(problem.price - 700, 0), 700.0))
    if rng.random() < 0.3:
        bars.append(Bar("without", (np.arange(size) < 2).astype(float), name="k0"))
    limits = replace(problem.limits, rows=tuple(rows), bars=tuple(bars))
    return replace(problem, limits=limits)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000))
def test_relaxations_are_the_smallest(seed: int) -> None:
    problem = contradicting(seed)
    if best_of(problem) is not None:
        return
    ways = ways_out(problem, time_limit=30)
    fewest, sizes = by_trying_all(problem)
    assert {len(way.changes) for way in ways} == {fewest}
    assert [way.size for way in ways] == pytest.approx(sizes[: len(ways)], abs=1e-5)
    assert len(ways) == min(len(sizes), 5)


def only(kind: str, **about: object) -> Change:
    base = Change(kind, "", "", np.nan, np.nan, 1.0)
    return replace(base, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "zh", "en"),
    [
        (
            only("budget", old=300_000.0, new=312_000.0),
            "预算需增加 ¥12,000",
            "raise the budget by 12,000 CNY",
        ),
        (only("must", name="k1"), "不再必选达人 老栗子", "drop the must-have 老栗子"),
        (
            only("must", name="k9"),
            "不再必选达人 k9（不在候选名单中或没有可用报价）",
            "drop the must-have k9 (not among the candidates, or without a quote)",
        ),
        (only("without", name="k1"), "放开已排除的达人 老栗子", "allow 老栗子, who was ruled out"),
        (
            only("kols", old=8.0, new=5.0),
            "达人数量下限由 8 位降至 5 位",
            "ask for at least 5 KOLs instead of 8",
        ),
        (
            only("quota", of="platform", name="douyin", old=2.0, new=3.0),
            "抖音达人数量上限由 2 位提至 3 位",
            "allow 3 Douyin KOLs instead of 2",
        ),
        (
            only("share", of="tier", name="mid", old=0.3, new=0.4567),
            "腰部的花费占比上限提至 45.7%",
            "let mid take at most 45.7% of the money",
        ),
        (
            only("max_risk", old=0.3, new=0.4111),
            "风险上限放宽至 41.2%",
            "accept a risk of up to 41.2%",
        ),
        (
            only("money_per_kol", old=700.0, new=950.5),
            "单个达人报价上限提至 ¥950.50",
            "allow up to 950.50 CNY per KOL",
        ),
    ],
)
def test_changes_are_said_in_both_languages(change: Change, zh: str, en: str) -> None:
    text = told(change, "CNY", {"k1": "老栗子"}, {"k1"})
    assert (text.zh, text.en) == (zh, en)
