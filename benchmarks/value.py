"""Measure what a brief's budget earns when spent by a ranking, against the best that was possible.

For each seed a market is simulated and a model is trained on its past exactly as ``kolmatch
train`` does it. Every test brief then spends its budget on KOLs of its eligible roster: at most as
many as it wants, each at the quoted price, no person twice. A set is worth the true expected value
of its contacts by the brief's goal: what each would bring times the chance that it accepts and
delivers. What a set earns is told as a share of the oracle's, which knows that truth.

    python benchmarks/value.py --kols 1000 --briefs 300 --seeds 0 1 2

``greedy`` takes the best of a score as long as money lasts; ``exact`` is the set of the highest
total value by a rule that tells one, found by integer programming. The model's value is what
``kolmatch match`` tells and plans by: what the goal is after, times the chance of a yes. ``true
acceptance`` has the true chance instead. ``foreseeable`` is an oracle that lacks the chemistry of
brief and KOL, which nothing in the data tells.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept import kept
from numpy.typing import NDArray

from features.columns import TIME
from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.vectors import Embeddings, VectorStore
from matcher.candidates import Candidates, candidates
from matcher.config import Config
from matcher.model import Matcher
from matcher.planning.limits import Limit, Limits
from matcher.planning.program import Problem
from matcher.planning.search import search
from matcher.planning.worth import Sum
from training.baselines import BASELINES
from training.fit import fit_plan, plan_by_time
from training.labels import decision_times
from training.significance import tail_share

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]

ORACLE, FORESEEABLE = "oracle", "foreseeable"
MODEL = "kolmatch"
COLD = "likeness"
"""How kolmatch ranks where nothing was learned: no rule of thumb."""
EXACT = ", exact"
TRUE = "kolmatch, true acceptance"
TELL_VALUE = ("value per price", "price per view", "past return")
"""Rules whose score is the log of something per unit of price."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=1000)
    parser.add_argument("--briefs", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    parser.add_argument("--out", type=Path, help="keep what each seed told in this folder")
    arguments = parser.parse_args()

    spent = pd.concat([once(arguments, seed) for seed in arguments.seeds], ignore_index=True)
    report(spent, arguments)


def report(spent: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Print what each way earns as a share of the oracle's, and against the best simple rule."""
    best = spent["earned"].where(spent["way"] == ORACLE)
    best = best.groupby([spent["seed"], spent["brief_id"]]).transform("max")
    spent["share"] = spent["earned"] / best
    shares = spent.pivot(index=["seed", "brief_id", "brand_id"], columns="way", values="share")

    size = f"{arguments.kols:,} KOLs, {arguments.briefs} briefs"
    print(f"\nShare of the oracle's value earned, {len(shares)} test briefs of worlds of {size}\n")
    told = pd.DataFrame([_row(shares, spent, way) for way in shares.columns])
    print(told.sort_values("earned", ascending=False).round(3).to_markdown(index=False))

    rules = [way for way in shares if not way.startswith((MODEL, ORACLE, FORESEEABLE, COLD))]
    kinds = {
        "best rule, taken greedily": [way for way in rules if not way.endswith(EXACT)],
        "best rule, with the same planner": [way for way in rules if way.endswith(EXACT)],
        "kolmatch before it has learned": [COLD],
    }
    ratios = []
    for kind, names in kinds.items():
        rule = str(shares[names].mean().idxmax())
        by_seed = shares.groupby("seed")[[MODEL, rule]].sum()
        each = {f"seed {seed}": row[MODEL] / row[rule] for seed, row in by_seed.iterrows()}
        ratios.append({"against": f"{kind}: {rule}", **_times(shares, MODEL, rule), **each})
    print(f"\nTimes what {MODEL} earns\n")
    print(pd.DataFrame(ratios).round(3).to_markdown(index=False))

    kept = (spent["earned"] / spent["told"])[spent["way"] == MODEL].groupby(spent["seed"])
    print(f"\nWhat the set of {MODEL} is truly worth, over what it was told to be worth\n")
    print(kept.describe()[["25%", "50%", "75%"]].round(3).to_markdown())


def once(arguments: argparse.Namespace, seed: int) -> pd.DataFrame:
    """Return what `measure` does, from the folder where it is there already."""
    name = f"{arguments.kols}x{arguments.briefs}-{seed}"
    return kept(arguments.out, name, ("spent",), lambda: (measure(arguments, seed),))[0]


def measure(arguments: argparse.Namespace, seed: int) -> pd.DataFrame:
    """Train on one world and spend each test brief's budget in every way.

    Returns
    -------
    DataFrame
        seed, brief_id, brand_id, way, earned; told, what the set is forecast to be worth; kols;
        and spent, a share of the budget.
    """
    started = time.perf_counter()
    world = simulate(kols=arguments.kols, briefs=arguments.briefs, seed=seed)
    config = Config(seed=seed).with_spaces(world.tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(arguments.vectors))
    history, pipeline = History(world.tables), FeaturePipeline(config.features, embeddings)
    plan = plan_by_time(world.tables, config)
    fit = fit_plan(plan, history, pipeline, config)
    _say(seed, "trained", started)

    questions = pd.DataFrame({"brief_id": plan.briefs("test")})
    questions["as_of"] = questions["brief_id"].map(decision_times(world.tables)).astype(TIME)
    rows: list[dict[str, Any]] = []
    for part in candidates(questions, history, fit.pipeline, config):
        found = fit.matcher.settled(part, history, fit.pipeline)
        values, scores = ways(world, fit.matcher, found)
        rows += spend(world, found, values, scores)
    _say(seed, "spent", started)
    return pd.DataFrame(rows).assign(seed=seed)


def ways(
    world: World, matcher: Matcher, found: Candidates
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return what each way takes every pair for: values to add up, and scores to go by."""
    asked = found.pairs[["brief_id", "kol_id"]].assign(mode=found.offers["mode"])
    price = found.offers["price"].to_numpy(dtype=np.float64)

    def true_value(foreseeable: bool) -> Floats:
        told = world.truth(asked, foreseeable=foreseeable)
        return (told["value"] * told["accept"] * told["deliver"]).to_numpy(dtype=np.float64)

    score = matcher.score(found.signals)["score"].to_numpy(dtype=np.float64)
    value, accept = told_worth(found)
    scores = {rule.name: rule.score(found.pairs, found.signals) for rule in BASELINES}
    truth = world.truth(asked)
    values = {
        ORACLE: true_value(False),
        FORESEEABLE: true_value(True),
        MODEL: value * accept,
        TRUE: value * (truth["accept"] * truth["deliver"]).to_numpy(dtype=np.float64),
    }
    values |= {f"{name}{EXACT}": np.exp(scores[name]) * price for name in TELL_VALUE}
    return values, {f"{MODEL}, greedy": score} | scores


def told_worth(found: Candidates) -> tuple[Floats, Floats]:
    """Return what each pair is told to be worth if delivered, and its chance of a yes."""
    assert found.options is not None
    best = found.options[found.options["recommended"]].set_index("row").reindex(found.pairs.index)
    accept = best["accept"].fillna(1.0)
    return best["value"].to_numpy(dtype=np.float64), accept.to_numpy(dtype=np.float64)


def spend(
    world: World,
    found: Candidates,
    values: dict[str, Floats],
    scores: dict[str, Floats],
) -> list[dict[str, Any]]:
    """Spend each brief's budget in every way."""
    briefs = world.tables.briefs.set_index("brief_id")
    prices = found.offers["price"].to_numpy(dtype=np.float64)
    persons = pd.factorize(found.roster["person_id"].fillna(found.roster["kol_id"]))[0]
    rows = []
    for brief_id, at in found.pairs.reset_index(drop=True).groupby("brief_id").indices.items():
        asked = briefs.loc[brief_id]
        price, person, budget = prices[at], persons[at], float(asked["budget"])
        most = int(asked["kols_wanted"])
        sets = {way: exact(value[at], price, person, most, budget) for way, value in values.items()}
        share = price / budget
        sets |= {way: greedy(score[at], share, person, most) for way, score in scores.items()}
        for way, chosen in sets.items():
            rows.append(
                {
                    "brief_id": brief_id,
                    "brand_id": asked["brand_id"],
                    "way": way,
                    "earned": values[ORACLE][at][chosen].sum(),
                    "told": values[MODEL][at][chosen].sum(),
                    "kols": int(chosen.sum()),
                    "spent": share[chosen].sum(),
                }
            )
    return rows


def exact(
    value: Floats, price: Floats, person: NDArray[np.int64], most: int, budget: float
) -> Chosen:
    """Return the set of the highest total value within a budget, nobody twice."""
    nothing, one = np.zeros(len(price)), np.ones(len(price))
    limits = (
        Limit("budget", nothing, one, high=budget),
        Limit("kols", one, nothing, high=float(most)),
    )
    worth = Sum(np.nan_to_num(value, nan=0.0))
    problem = Problem(price, Limits(person, limits, (), budget), worth)
    found = search(problem, gap=1e-6, time_limit=60.0)
    if found.status != "optimal":
        raise RuntimeError(f"no best set found: {found.status}")
    return found.chosen


def greedy(score: Floats, price: Floats, person: NDArray[np.int64], most: int) -> Chosen:
    """Return the set that takes the best by score as long as money and places last."""
    chosen, left = np.zeros(len(score), dtype=bool), 1.0
    for i in np.argsort(-score, kind="stable"):
        if chosen.sum() < most and price[i] <= left and person[i] not in person[chosen]:
            chosen[i] = score[i] > -np.inf
            left -= price[i] * chosen[i]
    return chosen


def _row(shares: pd.DataFrame, spent: pd.DataFrame, way: str) -> dict[str, Any]:
    rows = spent[spent["way"] == way]
    mean, low, high = _ratio(shares[way], pd.Series(1.0, index=shares.index))
    by_seed = shares[way].groupby("seed").mean()
    return (
        {"way": way, "earned": mean, "low": low, "high": high}
        | {f"seed {seed}": share for seed, share in by_seed.items()}
        | {"KOLs": rows["kols"].mean(), "of budget": rows["spent"].mean()}
    )


def _times(shares: pd.DataFrame, way: str, rule: str) -> dict[str, float]:
    times, low, high = _ratio(shares[way], shares[rule])
    return {"times": times, "low": low, "high": high}


def _ratio(above: pd.Series[float], below: pd.Series[float]) -> tuple[float, float, float]:
    """Return a ratio of sums over briefs and its 95% interval, brands of each world drawn anew."""
    parts = [part.groupby(["seed", "brand_id"]).sum().to_numpy() for part in (above, below)]
    count = len(parts[0])
    times = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=2000)
    drawn = (times @ parts[0]) / (times @ parts[1])
    tail = tail_share(count, 0.95)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(above.sum() / below.sum()), float(low), float(high)


def _say(seed: int, what: str, started: float) -> None:
    print(f"seed {seed}: {what} after {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
