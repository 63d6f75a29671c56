"""Measure off-policy estimates against the truth of simulated worlds.

For each seed a market is simulated and a model is trained on its past exactly as ``kolmatch
train`` does it. Policies are then fixed: from each logged list contact the best by the model's
score, those with the most followers, or the cheapest, as many as the agency contacts on average.
The log is drawn again and again on the same lists (contacts, answers, outcomes), every draw is
read as a real log would be, and its estimates are compared with the policy's true value.

    python benchmarks/counterfactual.py --kols 600 --briefs 400 --seeds 0 1 --draws 100

Values are per contact and in units of what the log's own average contact brings for the same
goal and currency (`training.logged.in_units`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from training.counterfactual import (
    NotIdentifiable,
    PolicyValue,
    Verdict,
    forecast_rewards,
    policy_value,
    values_by_group,
)
from training.fit import fit_plan, plan_by_time
from training.logged import in_units, logged_lists
from training.policies import top_choice

CLIP = 10.0
SHOWN = {
    "naive": "naive",
    "direct": "direct",
    "ips": "IPS",
    "snips": "SNIPS",
    "clipped": f"SNIPS, 1/p <= {CLIP:g}",
    "dr": "doubly robust",
    "weighted_dr": "doubly robust, weighted",
    "snips_lift": "SNIPS, over the log's own",
    "dr_lift": "doubly robust, over the log's own",
    "weighted_dr_lift": "weighted, over the log's own",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=600)
    parser.add_argument("--briefs", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--draws", type=int, default=100, help="draws of each world's log")
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()

    found = pd.concat([measure(arguments, seed) for seed in arguments.seeds], ignore_index=True)
    draws = len(arguments.seeds) * arguments.draws
    for read, rows in found.groupby("read", sort=False):
        briefs = rows.groupby("seed")["briefs"].first().sum()
        print(f"\n{read}: {briefs:.0f} briefs in {len(arguments.seeds)} worlds, {draws} draws\n")
        print(_errors(rows).round(3).to_markdown(index=False))
    print("\nOne draw by goal and currency, and where the log cannot tell\n")
    _show_verdicts(arguments)


def measure(arguments: argparse.Namespace, seed: int) -> pd.DataFrame:
    """Estimate every policy on every draw of one world's log."""
    started = time.perf_counter()
    world, plan_test, policies = _fixed(arguments, seed)
    _say(seed, "trained", started)
    rows: list[dict[str, Any]] = []
    for draw in range(arguments.draws):
        drawn = world.redrawn(draw)
        log = logged_lists(drawn.tables, 30)
        for read, briefs in (("all briefs", None), ("test briefs", plan_test)):
            lists = logged_lists(drawn.tables, 30, briefs=briefs)
            rows += [
                {"seed": seed, "draw": draw, "read": read} | told
                for told in _draw(world, lists, log, policies)
            ]
    _say(seed, f"{arguments.draws} draws read", started)
    return pd.DataFrame(rows)


def _fixed(arguments: argparse.Namespace, seed: int) -> tuple[World, pd.Index[Any], pd.DataFrame]:
    """Train a model and fix what every policy thinks of every pair on a list.

    Returns
    -------
    World
        The market.
    Index
        The test briefs.
    DataFrame
        brief_id, kol_id, a column of scores for each policy, and what the model promises.
    """
    world = simulate(kols=arguments.kols, briefs=arguments.briefs, seed=seed)
    config = Config(seed=seed).with_spaces(world.tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(arguments.vectors))
    history, pipeline = History(world.tables), FeaturePipeline(config.features, embeddings)
    plan = plan_by_time(world.tables, config)
    fit = fit_plan(plan, history, pipeline, config)
    lists = logged_lists(world.tables, 30)
    decided = world.tables.briefs.set_index("brief_id")["decided_at"]
    pairs = lists[["brief_id", "kol_id"]].assign(as_of=lists["brief_id"].map(decided))
    signals = fit.pipeline.transform(pairs, history)
    scores = pairs[["brief_id", "kol_id"]].assign(
        kolmatch=fit.matcher.score(signals)["score"],
        followers=signals["reach.followers"],
        cheapest=-signals["price.log"],
        promised=fit.matcher.forecaster.advantage(signals),  # type: ignore[union-attr]
    )
    return world, plan.briefs("test"), scores


def _draw(
    world: World, lists: pd.DataFrame, log: pd.DataFrame, policies: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    lists, truth, told = _in_units(world, lists, log, policies)
    forecast = forecast_rewards(lists, told["promised"])
    for name in ("kolmatch", "followers", "cheapest"):
        policy = top_choice(lists, told[name])
        true = float((policy * truth).sum() / policy.sum())
        own = float((lists["propensity"] * truth).sum() / lists["propensity"].sum())
        verdict = policy_value(lists, policy, forecast, draws=1000)
        clipped = policy_value(lists, policy, clip=CLIP, draws=1000)
        if isinstance(verdict, NotIdentifiable) or isinstance(clipped, NotIdentifiable):
            yield {"policy": name, "estimate": "none", "briefs": lists["brief_id"].nunique()}
            continue
        estimates = verdict.estimates | {"clipped": clipped.estimates["snips"]}
        for estimate in SHOWN:
            found = estimates[estimate]
            yield {
                "policy": name,
                "estimate": estimate,
                "briefs": lists["brief_id"].nunique(),
                "ess": verdict.overlap.ess,
                "true": true / own if estimate.endswith("_lift") else true,
                "value": found.value,
                "low": found.low,
                "high": found.high,
            }


def _in_units(
    world: World, lists: pd.DataFrame, log: pd.DataFrame, policies: pd.DataFrame
) -> tuple[pd.DataFrame, pd.Series[Any], pd.DataFrame]:
    """Return lists in units of the log's own, true rewards in them, and what policies think."""
    modes = world.tables.collaborations[["brief_id", "kol_id", "mode"]]
    true = world.truth(lists.merge(modes, on=["brief_id", "kol_id"], how="left"))
    reward = true["accept"] * true["deliver"] * true["value_per_cost"]
    truth = in_units(lists.assign(reward=reward.to_numpy()), log)["reward"]
    lists = in_units(lists, log)
    return lists, truth, lists.merge(policies, on=["brief_id", "kol_id"], how="left")


def _errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Return bias, error and coverage of each estimate for each policy."""
    rows = rows[rows["estimate"] != "none"]
    found = []
    for (policy, estimate), part in rows.groupby(["policy", "estimate"], sort=False):
        error = part["value"] - part["true"]
        found.append(
            {
                "policy": policy,
                "estimate": SHOWN[estimate],
                "true": part["true"].mean(),
                "mean": part["value"].mean(),
                "bias": error.mean(),
                "RMSE": np.sqrt((error**2).mean()),
                "covered": part["true"].between(part["low"], part["high"]).mean(),
                "width": (part["high"] - part["low"]).mean(),
                "ESS": part["ess"].mean(),
            }
        )
    table = pd.DataFrame(found)
    naive = table[table["estimate"] == "naive"].set_index("policy")
    table["ESS"] = table["ESS"].round()
    for name in ("bias", "RMSE"):
        ratio = table["policy"].map(naive[name]).abs() / table[name].abs()
        # A lift is another figure than the one that the naive mean is of.
        table[f"naive {name} / {name}"] = ratio.round(1).where(
            ~table["estimate"].str.contains("own")
        )
    return table


def _show_verdicts(arguments: argparse.Namespace) -> None:
    """Print values by goal in their own units, and the reasons where there is no value."""
    world = simulate(kols=arguments.kols, briefs=arguments.briefs, seed=arguments.seeds[0])
    lists = logged_lists(world.tables, 30)
    last = world.tables.kols.drop_duplicates("kol_id", keep="last").set_index("kol_id")
    followers = lists["kol_id"].map(last["followers"])
    policy = top_choice(lists, -followers)
    for (goal, currency), verdict in values_by_group(lists, policy).items():
        print(f"* fewest followers first, {goal}, {currency}: {_told(verdict)}")
    whole = in_units(lists, lists)
    policy = top_choice(whole, -whole["kol_id"].map(last["followers"]))
    silent = whole.assign(propensity=np.nan)
    print(f"* no chances logged: {_told(policy_value(silent, policy))}")
    # An agency without a chance in it: always the best known, never anybody else.
    best = top_choice(whole, whole["kol_id"].map(last["followers"]))
    greedy = whole[best.astype(bool) <= whole["contacted"]].assign(
        propensity=best, contacted=best.astype(bool)
    )
    greedy = greedy.reset_index(drop=True)
    smallest = top_choice(greedy, -greedy["kol_id"].map(last["followers"]))
    print(f"* always the most followers: {_told(policy_value(greedy, smallest))}")
    wrong = whole.assign(propensity=1 - whole["propensity"])
    print(f"* chances that are not the log's: {_told(policy_value(wrong, policy))}")


def _told(verdict: Verdict) -> str:
    if isinstance(verdict, PolicyValue):
        found = verdict.estimates["snips"]
        return (
            f"SNIPS {found.value:.4g} ({found.low:.4g} to {found.high:.4g}) {verdict.unit}; the "
            f"log's own {verdict.estimates['log'].value:.4g}; ESS {verdict.overlap.ess:.0f}"
        )
    return "not identifiable: " + "; ".join(verdict.reasons)


def _say(seed: int, what: str, started: float) -> None:
    print(f"seed {seed}: {what} after {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
