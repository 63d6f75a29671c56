"""What to change where no plan can keep all limits: the fewest changes, and of those the smallest.

Every limit gets a slack. One program finds the smallest number of limits that must give way, a
second one how little they must with that number, and what was found is forbidden, so that the other
ways with that number come out too, by size, up to `MOST_WAYS`. How large a change is, is told as a
share of the limit: of the budget, of a number of KOLs, of a price; of risk in points; of money
shares as a share of the budget; and a must-have dropped, or a KOL allowed that was ruled out, is a
whole change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matcher.names import name_of
from matcher.planning.limits import Bar, Limit
from matcher.planning.program import Problem
from matcher.planning.solver import Program, best
from matcher.wording import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_WAYS = 5
ROUNDS = 200
DUST = 1e-6
"""A change this small is the solver's tolerance."""


@dataclass(frozen=True)
class Slack:
    """How one limit may give way.

    Attributes
    ----------
    limit : Limit or Bar
        The limit.
    sign : int
        1 where the upper end gives way, -1 the lower one, 0 a bar.
    scale : float
        What a change of 1 is, in the units of the limit.
    most : float
        A change larger than this is never needed.
    """

    limit: Limit | Bar
    sign: int
    scale: float
    most: float


@dataclass(frozen=True)
class Change:
    """One limit that gives way.

    Attributes
    ----------
    kind, of, name : str
        Of the limit.
    old, new : float
        What it was and must be; NaN where it is no number.
    size : float
        How large the change is, as a share of the limit.
    """

    kind: str
    of: str
    name: str
    old: float
    new: float
    size: float


@dataclass(frozen=True)
class Way:
    """Changes that together make a plan possible: no smaller number does."""

    changes: tuple[Change, ...]

    @property
    def size(self) -> float:
        """How large the changes are together."""
        return sum(change.size for change in self.changes)


def ways_out(problem: Problem, *, time_limit: float) -> list[Way]:
    """Find the smallest relaxations of a problem that nothing satisfies.

    Parameters
    ----------
    problem : Problem
        What was to be planned.
    time_limit : float
        Seconds for each program.

    Returns
    -------
    list of Way
        All, up to `MOST_WAYS`, with the smallest number of changes, the smallest first; empty where
        none was found in time.
    """
    slacks = _slacks(problem)
    count = len(slacks)
    cuts: list[tuple[Floats, float]] = []  # rows over the slacks' switches, and upper bounds
    ways: list[Way] = []
    fewest: int | None = None
    for _ in range(ROUNDS):
        if len(ways) == MOST_WAYS:
            break
        asked = _elastic(problem, slacks, cuts, fewest)
        found = best(asked, time_limit=time_limit, gap=0.0)
        if found.z is None:
            break
        on = found.z[-count:] > 0.5
        way = _smallest(problem, slacks, on, time_limit)
        if way is None:
            # The solver's tolerance let a limit give way unseen: one more is needed.
            cuts.append((np.where(on, 0.0, -1.0), -1.0))
        elif fewest is None:
            fewest = int(on.sum())
        else:
            ways.append(way)
            cuts.append((on.astype(np.float64), on.sum() - 1.0))
    return sorted(ways, key=lambda way: way.size)


def _slacks(problem: Problem) -> list[Slack]:
    slacks = []
    for limit in problem.limits.rows:
        row = np.abs(limit.row(problem.price))
        for sign, end in ((1, limit.high), (-1, limit.low)):
            if np.isfinite(end):
                scale = problem.money if limit.money.any() else max(abs(end), 1.0)
                # Never needed: more than all it could ever add up to, or than all that is asked.
                most = abs(end) if sign < 0 and not limit.money.any() else row.sum() + abs(end)
                slacks.append(Slack(limit, sign, scale, float(most / scale)))
    for bar in problem.limits.bars:
        scale = bar.limit if bar.kind == "money_per_kol" and bar.limit > 0 else 1.0
        if (bar.excess > 0).any():
            slacks.append(Slack(bar, 0, scale, float(bar.excess.max() / scale)))
    return slacks


def _rows(problem: Problem, slacks: list[Slack]) -> tuple[Floats, Floats, Floats]:
    """Return rows over options, slacks and switches, with their bounds."""
    size, count = len(problem.price), len(slacks)
    width = size + 2 * count
    rows, low, high = [], [], []

    def add(row: Floats, least: float, most: float) -> None:
        rows.append(row)
        low.append(least)
        high.append(most)

    for place, slack in enumerate(slacks):
        row = np.zeros(width)
        if isinstance(slack.limit, Limit):
            row[:size] = slack.limit.row(problem.price) / slack.scale
            row[size + place] = -slack.sign
            ends = slack.limit.low / slack.scale, slack.limit.high / slack.scale
            add(row, *((-np.inf, ends[1]) if slack.sign > 0 else (ends[0], np.inf)))
        else:
            for option in np.flatnonzero(slack.limit.excess > 0):
                row = np.zeros(width)
                row[option] = slack.limit.excess[option] / slack.scale
                row[size + place] = -1.0
                add(row, -np.inf, 0.0)
        row = np.zeros(width)
        row[size + place], row[size + count + place] = 1.0, -max(slack.most, DUST)
        add(row, -np.inf, 0.0)
    person = problem.limits.person
    for who in np.flatnonzero(np.bincount(person, minlength=1) > 1):
        row = np.zeros(width)
        row[:size] = person == who
        add(row, -np.inf, 1.0)
    return np.array(rows).reshape(-1, width), np.array(low), np.array(high)


def _elastic(
    problem: Problem, slacks: list[Slack], cuts: list[tuple[Floats, float]], most: int | None
) -> Program:
    """Word the search for the fewest limits to give way, or the smallest way with so many."""
    size, count = len(problem.price), len(slacks)
    rows, low, high = _rows(problem, slacks)
    cuts = cuts if most is None else [*cuts, (np.ones(count), float(most))]
    for row, end in cuts:
        rows = np.vstack([rows, np.concatenate([np.zeros(size + count), row])])
        low, high = np.append(low, -np.inf), np.append(high, end)
    gain = np.zeros(size + 2 * count)
    wanted = slice(size + count, None) if most is None else slice(size, size + count)
    gain[wanted] = -1.0
    return _program(gain, rows, low, high, size, count)


def _smallest(
    problem: Problem, slacks: list[Slack], on: NDArray[np.bool_], time_limit: float
) -> Way | None:
    """Return how little some limits must give way, ``None`` if they do not suffice."""
    size, count = len(problem.price), len(slacks)
    rows, low, high = _rows(problem, slacks)
    gain = np.zeros(size + 2 * count)
    gain[size : size + count] = -1.0
    asked = _program(gain, rows, low, high, size, count)
    asked.floor[size + count :] = asked.ceiling[size + count :] = on
    # The switch's large factor would let in what it shuts out, by the solver's tolerance.
    asked.ceiling[size : size + count] = np.where(on, np.inf, 0.0)
    for slack, free in zip(slacks, on, strict=True):
        if isinstance(slack.limit, Bar) and not free:
            asked.ceiling[:size][slack.limit.excess > 0] = 0.0
    told = best(asked, time_limit=time_limit, gap=0.0)
    if told.z is None:
        return None
    chosen = told.z[:size] > 0.5
    amounts = told.z[size : size + count]
    return Way(
        tuple(
            _change(slack, amount, chosen, problem)
            for slack, amount, free in zip(slacks, amounts, on, strict=True)
            if free
        )
    )


def _program(gain: Floats, rows: Any, low: Floats, high: Floats, size: int, count: int) -> Program:
    from scipy.sparse import csr_array

    whole = np.ones(len(gain), dtype=bool)
    whole[size : size + count] = False
    ceiling = np.where(whole, 1.0, np.inf)
    return Program(gain, csr_array(rows), low, high, np.zeros(len(gain)), ceiling, whole)


def _change(slack: Slack, amount: float, chosen: NDArray[np.bool_], problem: Problem) -> Change:
    """Tell how a limit must change for a set."""
    limit = slack.limit
    if isinstance(limit, Bar):
        excess = float(limit.excess[chosen].max(initial=0.0))
        return Change(
            limit.kind, "", limit.name, limit.limit, limit.limit + excess, excess / slack.scale
        )
    row = limit.row(problem.price)
    old = limit.high if slack.sign > 0 else limit.low
    if limit.kind == "share":
        spent = problem.price[chosen].sum()
        # The row is what the group costs beyond its share of all that is spent.
        now = limit.share + float(row[chosen].sum()) / spent if spent else limit.share
        return Change("share", limit.of, limit.name, limit.share, now, amount)
    new = float(row[chosen].sum())
    size = abs(new - old) / slack.scale
    return Change(limit.kind, limit.of, limit.name, old, new, size)


def told(change: Change, currency: str, names: dict[str, str], candidates: set[str]) -> Text:
    """Say what to change, in words.

    Parameters
    ----------
    change : Change
        The change.
    currency : str
        Of all money.
    names : dict of str to str
        What KOLs are called, by id.
    candidates : set of str
        Ids of KOLs that have an option.
    """
    who = names.get(change.name, change.name)
    if change.kind == "must":
        absent = change.name not in candidates
        return Text(
            f"不再必选达人 {who}" + ("（不在候选名单中或没有可用报价）" if absent else ""),
            f"drop the must-have {who}"
            + (" (not among the candidates, or without a quote)" if absent else ""),
        )
    if change.kind == "without":
        return Text(f"放开已排除的达人 {who}", f"allow {who}, who was ruled out")
    if change.kind == "budget":
        more = _up(change.new - change.old)
        return Text(
            f"预算需增加 {_yuan(more, currency)}",
            f"raise the budget by {_figure(more)} {currency}",
        )
    if change.kind == "money_per_kol":
        return Text(
            f"单个达人报价上限提至 {_yuan(_up(change.new), currency)}",
            f"allow up to {_figure(_up(change.new))} {currency} per KOL",
        )
    if change.kind == "max_risk":
        share = math.ceil(change.new * 1000 - 1e-6) / 1000
        return Text(f"风险上限放宽至 {share:.1%}", f"accept a risk of up to {share:.1%}")
    return _told_of_numbers(change)


def _told_of_numbers(change: Change) -> Text:
    more = change.new > change.old
    if change.kind == "share":
        group = name_of(change.of, change.name)
        share = (math.ceil if more else math.floor)(change.new * 1000 + (-1e-6 if more else 1e-6))
        end = Text("上限提至", "at most") if more else Text("下限降至", "at least")
        return Text(
            f"{group.zh}的花费占比{end.zh} {share / 1000:.1%}",
            f"let {group.en} take {end.en} {share / 1000:.1%} of the money",
        )
    old, new = round(change.old), round(change.new)
    group = Text("", "") if change.kind == "kols" else name_of(change.of, change.name)
    kols = Text(f"{group.zh}达人", f"{group.en} KOLs".strip())
    if more:
        return Text(
            f"{kols.zh}数量上限由 {old} 位提至 {new} 位", f"allow {new} {kols.en} instead of {old}"
        )
    return Text(
        f"{kols.zh}数量下限由 {old} 位降至 {new} 位",
        f"ask for at least {new} {kols.en} instead of {old}",
    )


def _up(amount: float) -> float:
    """Round money up to hundredths: less would not do."""
    return math.ceil(round(amount * 100, 4)) / 100


def _yuan(amount: float, currency: str) -> str:
    figure = _figure(amount)
    return f"¥{figure}" if currency == "CNY" else f"{figure} {currency}"


def _figure(amount: float) -> str:
    return f"{amount:,.2f}".removesuffix(".00")
