"""Measure how long plans take, and how far from the best possible they are proven to be.

A market is simulated, and each of its latest briefs may choose from all quotes that apply to it,
each worth what it is truly expected to bring. Three things are measured: the plan alone on many
candidates, against the bound of the program whose options may be divided; the whole of what a run
publishes for a brief (every step of the budget, totals, prices of entry); and how many options a
plan has that a greedy choice lacks.

    python benchmarks/plan.py --kols 3000 --candidates 1000 --briefs 20
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd

from features.history import History, roster
from features.offers import quotes
from features.simulate import World, simulate
from matcher.config import PlanConfig
from matcher.plan import Brief, plan
from matcher.plan_options import DRIVERS, FIGURES
from matcher.plan_request import PlanRequest

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
    started = time.perf_counter()
    alone = plan(who, options, known, request, single)
    seconds = time.perf_counter() - started
    shown = options.sort_values("score", ascending=False)["kol_id"].drop_duplicates()
    started = time.perf_counter()
    cpu = time.process_time()
    whole = plan(who, options, known, request, PlanConfig(), entries_for=shown.head(listed).tolist())
    everything, cpu = time.perf_counter() - started, time.process_time() - cpu
    found = alone.best.solution
    divided = found.divided
    return {
        "brief": who.brief_id,
        "goal": who.goal,
        "KOLs": options["kol_id"].nunique(),
        "options": len(options),
        "chosen": int(found.chosen.sum()),
        "status": found.status,
        "gap": found.gap,
        "below LP": 1 - found.worth / divided.worth if divided and divided.worth else np.nan,
        "s": seconds,
        "s, all": everything,
        "cpu s, all": cpu,
        "worst gap": max(step.solution.gap for step in whole.steps),
        "entries": len(whole.entries),
        "greedy": greedy(alone, request),
    }


def greedy(made: Any, request: PlanRequest) -> float:
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
    print(measured.round(6).to_markdown(index=False))
    print(
        f"\n{len(measured)} briefs, world of {arguments.kols:,} KOLs, drivers {sorted(DRIVERS)}\n"
        f"plan alone: median {measured['s'].median():.2f} s, longest {measured['s'].max():.2f} s\n"
        f"all of a brief: median {measured['s, all'].median():.2f} s, "
        f"together {measured['s, all'].sum():.1f} s ({measured['cpu s, all'].sum():.1f} s of CPU)\n"
        f"largest gap {measured['gap'].max():.2g}, of any step {measured['worst gap'].max():.2g}"
    )


if __name__ == "__main__":
    main()
