"""Plans: which KOLs, in which modes, bring the most for a budget.

Read `draft` and `Draft.told` to follow one brief:

    options  ->  limits  ->  worth  ->  search, at every step of the budget
             ->  totals with intervals, prices of entry, or what to change where nothing is feasible
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.config import PlanConfig
from matcher.planning.advice import Way, ways_out
from matcher.planning.entry import Entry, EntryPrices
from matcher.planning.limits import limits_of
from matcher.planning.options import Options, options_of
from matcher.planning.outcomes import Futures
from matcher.planning.program import Problem
from matcher.planning.reach import Crowd, People, people_of
from matcher.planning.request import PlanRequest
from matcher.planning.search import Solution, search
from matcher.planning.worth import Reach, Sum, Tangents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

THE_PLAN = 1.0
"""The step that is the plan itself; the others are for smaller and larger budgets."""
NEXT = 1.1
"""The step that tells what the next tenth of the budget would bring."""


@dataclass(frozen=True)
class Step:
    """What one budget buys.

    Attributes
    ----------
    share : float
        Of the budget.
    budget : float or None
        In money; ``None`` without one.
    solution : Solution
        The set.
    totals : dict of str to float
        Quantiles of what it brings (`matcher.planning.outcomes`).
    reach : float
        Different people it is expected to reach; NaN where unknown.
    added : ndarray, shape (n,)
        What each option adds to those, or is missed without it.
    """

    share: float
    budget: float | None
    solution: Solution
    totals: Mapping[str, float]
    reach: float
    added: Floats


@dataclass(frozen=True)
class Plan:
    """The plan of one brief.

    Attributes
    ----------
    brief_id : str
        Its brief.
    options : Options
        What could be chosen.
    request : PlanRequest
        What was asked for.
    worth : ndarray, shape (n,)
        Expected value of each option alone, the chance of a yes and risk included.
    counts_once : bool
        Whether the value of a set is people, each counted once; else values add up.
    steps : tuple of Step
        By share of the budget; `THE_PLAN` is among them.
    entries : dict of str to Entry
        By KOL, the price at which who was left out would enter.
    ways : tuple of Way
        Where nothing is feasible: the smallest relaxations.
    """

    brief_id: str
    options: Options
    request: PlanRequest
    worth: Floats
    counts_once: bool
    steps: tuple[Step, ...]
    entries: Mapping[str, Entry] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()

    def step(self, share: float) -> Step | None:
        """Return a step, if it was planned."""
        return next((s for s in self.steps if abs(s.share - share) < 1e-9), None)

    @property
    def best(self) -> Step:
        """The plan itself."""
        found = self.step(THE_PLAN)
        if found is None:
            raise LookupError("a plan without its own step")
        return found


@dataclass(frozen=True)
class Brief:
    """What a planner must know of a brief.

    Attributes
    ----------
    brief_id : str
        Its id.
    goal : str or None
        What its value is.
    margin : float
        Gross margin; NaN where unknown.
    """

    brief_id: str
    goal: str | None
    margin: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Brief:
        """Read a row of BRIEFS."""
        goal = row["goal"]
        return cls(row["brief_id"], goal if isinstance(goal, str) else None, row["gross_margin"])


def plan(
    brief: Brief,
    options: pd.DataFrame,
    roster: pd.DataFrame,
    request: PlanRequest,
    config: PlanConfig,
    *,
    seed: int = 0,
    entries_for: Collection[str] | None = None,
) -> Plan:
    """Plan one brief: choose, and tell what was chosen.

    Parameters
    ----------
    brief, options, roster, request, config
        As for `draft`.
    seed, entries_for
        As for `Draft.told`.
    """
    return draft(brief, options, roster, request, config).told(seed=seed, entries_for=entries_for)


def draft(
    brief: Brief,
    options: pd.DataFrame,
    roster: pd.DataFrame | Crowd,
    request: PlanRequest,
    config: PlanConfig,
) -> Draft:
    """Choose the best set at every budget.

    Parameters
    ----------
    brief : Brief
        The brief.
    options : DataFrame
        `serving.results.OPTIONS` of this brief, with each KOL's ``risk`` and ``score`` for it.
        Quantiles of engagements, orders and sales may be left to `Draft.told`.
    roster : DataFrame or Crowd
        KOLS as known at the time, one row a KOL, of all who are known: it also tells how many
        people there are to reach.
    request : PlanRequest
        Limits.
    config : PlanConfig
        Settings.
    """
    crowd = roster if isinstance(roster, Crowd) else Crowd(roster)
    ready = options_of(options, crowd.roster, brief.goal, request.currency)
    trust = ready.trust(request.risk_aversion)
    people = people_of(crowd, ready.frame["platform"].tolist(), config.reach)
    planner = _Planner(
        ready,
        request,
        config,
        worth=_worth(ready, people, trust),
        seen=_reach(ready, people, ready.floats("views_p50"), ready.floats("accept")),
    )
    return Draft(brief, planner, planner.solved())


@dataclass(frozen=True)
class Draft:
    """Chosen sets of which nothing else is told yet.

    Attributes
    ----------
    brief : Brief
        Whose they are.
    planner : _Planner
        Who chose them.
    solved : mapping of float to tuple
        Problem and solution at every share of the budget.
    """

    brief: Brief
    planner: _Planner
    solved: Mapping[float, tuple[Problem, Solution]]

    @property
    def kols(self) -> list[str]:
        """Whoever is chosen at any budget, by id."""
        ids = self.planner.options.frame["kol_id"].to_numpy()
        return sorted({str(k) for _, s in self.solved.values() for k in ids[s.chosen]})

    def told(
        self,
        *,
        seed: int = 0,
        figures: pd.DataFrame | None = None,
        entries_for: Collection[str] | None = None,
    ) -> Plan:
        """Tell what the sets would bring, and at which price others would enter.

        Parameters
        ----------
        seed : int
            Seed of the futures.
        figures : DataFrame, optional
            `serving.results.OPTIONS` of at least the chosen, where the options were given without
            their quantiles.
        entries_for : collection of str, optional
            KOLs whose price of entry is wanted; by default all, the dearest to leave out first, up
            to ``config.entry_prices``.
        """
        planner, request = self.planner, self.planner.request
        if figures is not None:
            planner = replace(planner, options=planner.options.with_figures(figures))
        options, config = planner.options, planner.config
        futures = Futures(
            options,
            self.brief.brief_id,
            self.brief.margin,
            request.risk_aversion,
            config.draws,
            seed,
        )
        best = self.solved[THE_PLAN]
        feasible = best[1].feasible
        return Plan(
            self.brief.brief_id,
            options,
            request,
            options.floats("value") * options.trust(request.risk_aversion),
            isinstance(planner.worth, Reach),
            tuple(
                planner.step(share, *self.solved[share], futures) for share in sorted(self.solved)
            ),
            planner.entries(*best, entries_for) if feasible else {},
            () if feasible else tuple(ways_out(best[0], time_limit=config.time_limit)),
        )


@dataclass(frozen=True)
class _Planner:
    """Plans one brief at several budgets."""

    options: Options
    request: PlanRequest
    config: PlanConfig
    worth: Sum | Reach
    seen: Reach | None
    tangents: list[Tangents] = field(default_factory=list)

    def solved(self) -> dict[float, tuple[Problem, Solution]]:
        """Return problem and solution at every share of the budget."""
        shares = {THE_PLAN}
        if self.request.budget is not None:
            shares |= {round(share, 6) for share in (*self.config.steps, NEXT)}
        found: dict[float, tuple[Problem, Solution]] = {}
        for share in sorted(shares):
            problem = self._problem(share)
            solution = self._search(problem)
            if found:
                solution = _no_worse(solution, found[max(found)][1])
            found[share] = problem, solution
        return found

    def _problem(self, share: float) -> Problem:
        request = self.request
        if request.budget is not None:
            request = request.model_copy(update={"budget": round(request.budget * share, 2)})
        limits = limits_of(self.options, request)
        return Problem(self.options.floats("price"), limits, self.worth, self.tangents)

    def _search(self, problem: Problem) -> Solution:
        gap = self.config.gap if isinstance(self.worth, Sum) else self.config.reach_gap
        return search(problem, gap=gap, time_limit=self.config.time_limit)

    def step(self, share: float, problem: Problem, solution: Solution, futures: Futures) -> Step:
        """Tell what a budget buys."""
        reach, added = float("nan"), np.full(len(self.options), np.nan)
        if self.seen is not None and solution.feasible:
            reach, added = self.seen.of(solution.chosen), self.seen.added(solution.chosen)
        counted = self.worth if isinstance(self.worth, Reach) else None
        totals = futures.totals(solution.chosen, counted) if solution.feasible else {}
        budget = None if np.isinf(problem.limits.budget) else problem.limits.budget
        return Step(share, budget, solution, totals, reach, added)

    def entries(
        self, problem: Problem, solution: Solution, wanted: Collection[str] | None
    ) -> dict[str, Entry]:
        """Return the price of entry of those left out."""
        ids = self.options.frame["kol_id"].to_numpy()
        persons = set(problem.limits.person[solution.chosen])
        cap = self.request.money_per_kol
        seeker = EntryPrices(problem, solution, np.inf if cap is None else cap)
        out = [o for o in range(len(ids)) if problem.limits.person[o] not in persons]
        if np.isinf(problem.limits.budget):
            return {}
        near = {kol_id: 0.0 for kol_id in ids[out] if wanted is None or kol_id in wanted}
        for option in out:
            if ids[option] in near:
                share = seeker.at_most(option) / max(problem.price[option], 1e-9)
                near[ids[option]] = max(near[ids[option]], share)
        found = {}
        for kol_id in sorted(near, key=lambda k: (-near[k], k))[: self.config.entry_prices]:
            entry = seeker.of_kol(np.array([o for o in out if ids[o] == kol_id], dtype=np.int64))
            if entry is not None:
                found[str(kol_id)] = entry
        return found


def _no_worse(solution: Solution, before: Solution) -> Solution:
    """Keep the set of a smaller budget where it is better: what it allowed, a larger one does."""
    if not before.feasible or (solution.feasible and solution.worth >= before.worth):
        return solution
    bound = max(np.nan_to_num(solution.bound, nan=before.worth), before.worth)
    return replace(solution, chosen=before.chosen, worth=before.worth, bound=float(bound))


def _worth(options: Options, people: People, trust: Floats) -> Sum | Reach:
    """Return what sets are worth: people where people are the goal and can be counted."""
    if options.counts_people:
        reach = _reach(options, people, options.floats("value"), trust)
        if reach is not None:
            return reach
    return Sum(options.floats("value") * trust)


def _reach(options: Options, people: People, views: Floats, chance: Floats) -> Reach | None:
    """Return how people are counted, ``None`` where some views or followers are unknown."""
    frame = options.frame
    at = pd.Index(people.platforms).get_indexer(pd.Index(frame["platform"]))
    told = np.asarray(np.isfinite(people.accounts).all(axis=1))
    if not len(frame) or np.isnan(views).any() or not told[at].all():
        return None
    exposure = people.exposures(frame["kol_id"].tolist(), frame["platform"].tolist(), views, chance)
    return Reach(people, np.asarray(at, dtype=np.int64), exposure)


def draft_briefs(
    options: pd.DataFrame, briefs: pd.DataFrame, roster: pd.DataFrame | Crowd, config: PlanConfig
) -> list[Draft]:
    """Choose for every brief, by its own budget and number of KOLs.

    Parameters
    ----------
    options : DataFrame
        As for `draft`, of any briefs; those without options get no plan.
    briefs : DataFrame
        BRIEFS.
    roster, config
        As for `draft`.
    """
    roster = roster if isinstance(roster, Crowd) else Crowd(roster)
    rows = briefs.drop_duplicates("brief_id").set_index("brief_id", drop=False)
    drafts = []
    for brief_id, own in options.groupby("brief_id", sort=False):
        row = {str(name): value for name, value in rows.loc[str(brief_id)].items()}
        request = PlanRequest.of_brief(row, config)
        drafts.append(draft(Brief.of(row), own, roster, request, config))
    return drafts


def tell_drafts(
    drafts: Sequence[Draft],
    roster: pd.DataFrame,
    *,
    seed: int = 0,
    figures: pd.DataFrame | None = None,
    listed: Mapping[str, Sequence[str]] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell what was chosen for every brief.

    Parameters
    ----------
    drafts : sequence of Draft
        One a brief.
    roster : DataFrame
        KOLS as known at the time, one row a KOL.
    seed, figures
        As for `Draft.told`.
    listed : mapping of str to sequence of str, optional
        By brief, the KOLs whose price of entry is wanted: those that people see.

    Returns
    -------
    tuple of DataFrame
        `serving.results.PLANS` and `serving.results.PLANNED`, by brief and step.
    """
    from matcher.planning.tables import frames_of

    own = {} if figures is None else dict(list(figures.groupby("brief_id", sort=False)))
    plans = []
    for one in drafts:
        brief_id = one.brief.brief_id
        wanted = None if listed is None else listed.get(brief_id, ())
        plans.append(one.told(seed=seed, figures=own.get(brief_id), entries_for=wanted))
    shown = None if listed is None else {b: set(ids) for b, ids in listed.items()}
    return frames_of(plans, roster, shown)
