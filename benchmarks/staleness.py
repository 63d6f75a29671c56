"""Measure how much a model loses with its age, on simulated worlds that move on.

For each seed a market is simulated, and all briefs of its last days are the test. Models are
trained as ``kolmatch train`` does it at the moment the test begins and every 30 days before: none
knows what became known after its own moment. All rank the same eligible rosters of the same briefs
with the signals of the day, as ``kolmatch match`` does with an old champion. Lists are held against
the true value per price, which no ranker sees.

    python -m benchmarks.staleness --kols 120 --briefs 240 --seeds 0 1 2

An older model has also learned from less. ``as few as the oldest`` is a new model that learned from
the latest briefs alone, as many as the oldest had: against that one, the oldest differs by age.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.vectors import Embeddings, VectorStore
from matcher.candidates import candidates
from matcher.config import Config
from matcher.model import Matcher
from training.evaluate import HEADLINE, MODEL, rankers
from training.fit import Plan, fit_plan, plan_by_time, ripening
from training.labels import decision_times, true_grades
from training.metrics import ranking_metrics
from training.significance import paired_bootstrap

MONTH = pd.Timedelta(days=30)
TEST, VALID = 2 * MONTH, 2 * MONTH
"""How long briefs test, and for how long those were decided that a model is tuned on."""
ALL, FEW = "all that was known", "as few as the oldest"
TOP = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=120)
    parser.add_argument("--briefs", type=int, default=240)
    parser.add_argument("--ages", type=int, nargs="+", default=[0, 2, 4, 6], help="in months")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    found = []
    for seed in arguments.seeds:
        found.append(measure(arguments, seed))
        report(pd.concat(found, ignore_index=True), arguments)


def report(found: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Print what lists are worth, by age, in the worlds that were measured so far."""
    found["brand"] = found["seed"].astype(str) + " " + found["brand_id"]
    briefs = found[["seed", "brief_id"]].drop_duplicates()
    print(
        f"\nWhat age costs: {briefs['seed'].nunique()} worlds of {arguments.kols:,} KOLs and "
        f"{arguments.briefs} briefs, {len(briefs)} test briefs\n"
    )
    shown = [*((ALL, age) for age in arguments.ages), (FEW, 0)]
    rows = [_row(found, way, age) for way, age in shown]
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3f"), flush=True)


def measure(arguments: argparse.Namespace, seed: int) -> pd.DataFrame:
    """Return what each model's list of each test brief is worth.

    Returns
    -------
    DataFrame
        ``seed``, ``way``, ``age``, ``brief_id``, ``brand_id``, ``taught`` (briefs that the model
        learned from), ``ndcg`` (NDCG@10 by true grades), ``worth`` (true value per price of the
        first ten, over that of the best ten).
    """
    started = time.perf_counter()
    world = simulate(kols=arguments.kols, briefs=arguments.briefs, seed=seed)
    config = Config(seed=seed).with_spaces(world.tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(arguments.vectors))
    history = History(world.tables)
    pipeline = FeaturePipeline(config.features, embeddings)
    decided = decision_times(world.tables).dropna()
    begins = decided.max() - TEST
    asked = decided[decided >= begins].rename("as_of").rename_axis("brief_id").reset_index()
    made = {(ALL, age): _plan(world, config, begins - age * MONTH) for age in arguments.ages}
    least = min(len(plan.briefs("train")) for plan in made.values())
    made[FEW, 0] = _latest(made[ALL, 0], decided, least)
    parts = []
    for (way, age), plan in made.items():
        fit = fit_plan(plan, history, pipeline, config)
        told = _lists(world, fit.matcher, asked, history, fit.pipeline)
        count = len(plan.briefs("train"))
        parts.append(told.assign(seed=seed, way=way, age=age, taught=count))
        spent = time.perf_counter() - started
        print(f"seed {seed}: {way}, {age} months, {spent:.0f} s", file=sys.stderr)
    brands = world.tables.briefs.set_index("brief_id")["brand_id"]
    found = pd.concat(parts, ignore_index=True)
    return found.assign(brand_id=found["brief_id"].map(brands))


def _plan(world: World, config: Config, moment: pd.Timestamp) -> Plan:
    """Return the plan of a model that was made at a moment; nothing decided later tests it."""
    embargo = ripening(world.tables, config.training.horizon_days)
    begins = moment - embargo - VALID
    cuts = {"valid_from": begins, "test_from": moment, "embargo": embargo}
    return plan_by_time(world.tables, config, {name: str(cut) for name, cut in cuts.items()})


def _latest(plan: Plan, decided: pd.Series[Any], count: int) -> Plan:
    """Leave out all but the latest of the briefs that teach."""
    order = decided[plan.briefs("train")].sort_values(kind="stable").index
    gone = order[: len(order) - count]
    return replace(
        plan, part=plan.part.drop(gone), known_before=plan.known_before.drop(gone, errors="ignore")
    )


def _lists(
    world: World,
    matcher: Matcher,
    asked: pd.DataFrame,
    history: History,
    pipeline: FeaturePipeline,
) -> pd.DataFrame:
    score = rankers(matcher)[MODEL]
    parts = []
    for part in candidates(asked, history, pipeline, matcher.config):
        found = matcher.settled(part, history, pipeline)
        pairs = found.pairs[["brief_id", "kol_id"]]
        truth = world.truth(pairs.assign(mode=found.offers["mode"]))["value_per_cost"]
        grade = true_grades(truth, pairs["brief_id"])
        parts.append(pairs.assign(score=score(found.pairs, found.signals), gain=grade, truth=truth))
    ranked = pd.concat(parts, ignore_index=True)
    measured = ranking_metrics(ranked[["brief_id", "kol_id", "score", "gain"]])[HEADLINE]
    truths = ranked.dropna(subset="truth")
    first = _of_first(truths, ["score", "kol_id"], [False, True])
    best = _of_first(truths, ["truth", "kol_id"], [False, True])
    told = pd.DataFrame({"ndcg": measured, "worth": first / best})
    return told.rename_axis("brief_id").reset_index()


def _of_first(ranked: pd.DataFrame, by: list[str], up: list[bool]) -> pd.Series[Any]:
    listed = ranked.sort_values(by, ascending=up, kind="stable")
    return listed.groupby("brief_id").head(TOP).groupby("brief_id")["truth"].sum()


def _row(found: pd.DataFrame, way: str, age: int) -> dict[str, Any]:
    keys = ["seed", "brief_id"]
    one = found[(found["way"] == way) & (found["age"] == age)].set_index(keys)
    new = found[(found["way"] == ALL) & (found["age"] == 0)].set_index(keys)
    row: dict[str, Any] = {"model": way, "age, months": age, "briefs": one["taught"].mean()}
    for name in ("ndcg", "worth"):
        gain = paired_bootstrap(one[name], new[name], one["brand"], seed=0)
        told = f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        row |= {name: one[name].mean(), f"{name} against the newest": told}
    return row


if __name__ == "__main__":
    main()
