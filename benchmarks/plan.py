"""Measure how long plans take, and how far from the best possible they are proven to be.

A market is simulated, and each of its latest briefs may choose from all quotes that apply to it,
each worth what it is truly expected to bring. Measured are, in seconds of one core: the plan alone,
against the bound of the program whose options may be divided; the whole of what a run publishes for
a brief (every step of the budget, totals, prices of entry); what to change where nothing is
feasible; and, where values add up, what the best value for money first would earn.

    python benchmarks/plan.py --kols 3000 --candidates 1000 --briefs 20
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from features.history import History, roster
from features.offers import quotes
from features.simulate import World, simulate
from matcher.config import PlanConfig
from matcher.planning.options import FIGURES
from matcher.planning.plan import Brief, Plan, plan
from matcher.planning.request import PlanRequest

SPREAD = {"p10": 0.4, "p50": 0.9, "p90": 2.2}
"""Quantiles of a figure over what is expected of it: about those of forecasts of views."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=3000)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--briefs", type=int, default=20)
    parser.add_argument("--listed", type=int, default=20, help="KOLs with prices of entry")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    world = simulate(kols=arguments.kols, briefs=max(arguments.briefs * 2, 20), seed=arguments.seed)
    history = History(world.tables)
    known = roster(history, world.as_of)
    briefs = world.tables.briefs.tail(arguments.briefs)
    rows = []
    for brief in briefs.to_dict("records"):
        options = market(world, history, known, brief, arguments.candidates)
        rows.append(measure(brief, options, known, arguments.listed))
    report(pd.DataFrame(rows), arguments)


def market(
    world: World, history: History, known: pd.DataFrame, brief: dict[str, Any], most: int
) -> pd.DataFrame:
    """Return options of one brief: those that bring the most for their money, true values."""
    platforms = list(brief["platforms"])
    kols = known[known["platform"].isin(platforms)] if platforms else known
    pairs = kols[["kol_id"]].assign(brief_id=brief["brief_id"], as_of=world.as_of)
    options = quotes(pairs.reset_index(drop=True), history)
    truth = world.truth(options[["brief_id", "kol_id", "mode"]])
    rng = np.random.default_rng(0)
    options = options.assign(
        value=truth["value"],
        accept=truth["accept"] * truth["deliver"],
        risk=rng.beta(1.2, 9.0, len(options)),
        score=np.log(truth["value"] + 1) - np.log(options["price"]),
    )
    for name in FIGURES:
        for end, factor in SPREAD.items():
            options[f"{name}_{end}"] = truth[name] * factor
    best = options.groupby("kol_id")["score"].max().nlargest(most).index
    return options[options["kol_id"].isin(best)].reset_index(drop=True)


def measure(
    brief: dict[str, Any], options: pd.DataFrame, known: pd.DataFrame, listed: int
) -> dict[str, Any]:
    """Plan one brief alone, and then with all that a run publishes."""
    row = {str(name): value for name, value in brief.items()}
    who = Brief.of(row)
    single = PlanConfig(steps=(1.0,), entry_prices=0)
    request = PlanRequest.of_brief(row, single)
    shown = options.sort_values("score", ascending=False)["kol_id"].drop_duplicates()
    alone, seconds = timed(lambda: plan(who, options, known, request, single))
    whole, everything = timed(
        lambda: plan(
            who, options, known, request, PlanConfig(), entries_for=shown.head(listed).tolist()
        )
    )
    # Twice as many as wanted, for a tenth of the money, two of them by name.
    wanted = {"kols": None, "kols_least": 2 * (request.kols or 5), "must": tuple(shown.tail(2))}
    beyond = request.model_copy(update=wanted | {"budget": (request.budget or 1e4) / 10})
    stuck, advice = timed(lambda: plan(who, options, known, beyond, single))
    found = alone.best.solution
    bound = found.divided.worth if found.divided else np.nan
    return {
        "brief": who.brief_id,
        "goal": who.goal,
        "KOLs": options["kol_id"].nunique(),
        "options": len(options),
        "chosen": int(found.chosen.sum()),
        "status": found.status,
        "gap": found.gap,
        "below LP bound": max(0.0, 1 - found.worth / bound) if bound else 0.0,
        "s, plan": seconds,
        "s, all": everything,
        "largest gap": max(step.solution.gap for step in whole.steps),
        "entry prices": len(whole.entries),
        "s, advice": advice if stuck.ways else np.nan,
        "greedy earns": np.nan if alone.counts_once else greedy(alone, request),
    }


def timed(job: Callable[[], Plan]) -> tuple[Plan, float]:
    """Return a plan and the seconds of one core that it took."""
    started = time.process_time()
    made = job()
    return made, time.process_time() - started


def greedy(made: Plan, request: PlanRequest) -> float:
    """Return what taking the best value per price as long as money lasts is worth, as a share."""
    price, worth = made.options.floats("price"), made.worth
    persons = made.options.frame["person_id"].to_numpy()
    taken: list[int] = []
    left, most = request.budget or np.inf, request.kols or len(price)
    barred = made.options.floats("risk") > (1.0 if request.max_risk is None else request.max_risk)
    barred |= price > (request.money_per_kol or np.inf)
    for option in np.argsort(-worth / price, kind="stable"):
        free = persons[option] not in persons[taken] and not barred[option]
        if free and len(taken) < most and price[option] <= left:
            taken.append(int(option))
            left -= price[option]
    best = made.worth[made.best.solution.chosen].sum()
    return float(worth[taken].sum() / best) if best else np.nan


def report(measured: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Print one row a brief, and what they say together."""
    print(measured.round(5).to_markdown(index=False))
    print(f"\n{len(measured)} briefs, world of {arguments.kols:,} KOLs; seconds of one core:\n")
    told = {
        "plan alone": measured["s, plan"],
        "all that a run publishes": measured["s, all"],
        "what to change where nothing is feasible": measured["s, advice"].dropna(),
    }
    rows = [
        {"": name, "median": s.median(), "longest": s.max(), "together": s.sum()}
        for name, s in told.items()
    ]
    print(pd.DataFrame(rows).round(2).to_markdown(index=False))
    largest, any_step = measured["gap"].max(), measured["largest gap"].max()
    print(f"\nLargest gap {largest:.2g}, of any step {any_step:.2g}.")
    print(f"Greedy earns {measured['greedy earns'].mean():.1%} of the plan, where values add up.")


if __name__ == "__main__":
    main()
