"""Measure how well the mode of a collaboration is chosen, against the truth of simulated worlds.

For each seed a market is simulated and a model is trained on its past exactly as ``kolmatch
train`` does it. Every test brief then looks at all eligible KOLs in every mode that they quote and
the brief allows; where a KOL has at least two, one is chosen. The truth, which no rule sees, tells
which would have brought most for its price.

    python benchmarks/modes.py --kols 800 --briefs 400 --seeds 0 1 2

``nothing learned`` goes by what a mode is for and by experience, as before any outcome is known;
``modes left out`` does not learn what a mode adds. ``per money`` is what the chosen modes bring for
the same money, as a share of what the best ones would; ``of the best twenty`` the same for the KOLs
that the model ranks first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.columns import TIME
from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.vectors import Embeddings, VectorStore
from matcher.candidates import Candidates, candidates
from matcher.config import Config
from matcher.forecast import Forecaster
from matcher.model import NOTHING, Matcher
from matcher.modes import settle
from training.examples import Examples
from training.fit import fit_plan, plan_by_time
from training.labels import decision_times, true_grades
from training.metrics import ranking_metrics

MODEL, BLIND, UNLEARNED = "kolmatch", "kolmatch, modes left out", "kolmatch, nothing learned"
CHEAPEST, RANDOM, BEST = "always the cheapest", "random", "the truly best"
TOP = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=800)
    parser.add_argument("--briefs", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    told = [measure(arguments, seed) for seed in arguments.seeds]
    found = pd.concat([choices for choices, _ in told], ignore_index=True)

    size = f"{arguments.kols:,} KOLs, {arguments.briefs} briefs, seeds {arguments.seeds}"
    choices = found[found["way"] == CHEAPEST].drop_duplicates(["seed", "row"])
    print(f"\nModes chosen for {len(choices):,} pairs with two or more, worlds of {size}\n")
    table = pd.DataFrame([_row(str(way), rows) for way, rows in found.groupby("way")])
    print(table.set_index("way").loc[_ordered(table["way"])].round(3).to_markdown())
    print("\nHow often the chosen mode is the truly best, by goal\n")
    best = found.groupby(["way", "goal"])["best"].mean().unstack().astype(float)
    print(best.loc[_ordered(best.index)].round(3).to_markdown())
    print("\nForecasts by mode against the truth\n")
    print(pd.DataFrame([figures for _, figures in told]).round(3).to_markdown(index=False))


def measure(arguments: argparse.Namespace, seed: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """Train on one world and choose the modes of its test briefs in every way.

    Returns
    -------
    choices : DataFrame
        One row a pair and way: seed, brief_id, row, goal, way; best (is the chosen mode the truly
        best), kept (its value per price over that of the best) and first (is the KOL among the
        best twenty by the model).
    figures : dict
        How the forecasts follow the truth.
    """
    started = time.perf_counter()
    world = simulate(kols=arguments.kols, briefs=arguments.briefs, seed=seed)
    tables, config = world.tables, Config(seed=seed).with_spaces(world.tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(arguments.vectors))
    history, pipeline = History(tables), FeaturePipeline(config.features, embeddings)
    plan = plan_by_time(tables, config)
    fit = fit_plan(plan, history, pipeline, config)
    taught = fit.examples.of(plan.briefs("train"))
    blind = _without_modes(taught, config)
    _say(seed, "trained", started)

    questions = pd.DataFrame({"brief_id": plan.briefs("test")})
    questions["as_of"] = questions["brief_id"].map(decision_times(tables)).astype(TIME)
    heads = {MODEL: fit.matcher.forecasts, BLIND: blind, UNLEARNED: NOTHING}
    choices, lists = [], []
    for part in candidates(questions, history, fit.pipeline, config):
        settled = {way: settle(part, history, fit.pipeline, told) for way, told in heads.items()}
        options = {way: _options(found) for way, found in settled.items()}
        frame = _with_truth(options[MODEL], world).assign(blind=options[BLIND]["value"])
        frame["score"] = frame["row"].map(_scores(fit.matcher, settled[MODEL]))
        place = (
            frame["score"]
            .where(frame["recommended"])
            .groupby(frame["brief_id"])
            .rank(ascending=False, method="first")
        )
        frame["first"] = frame["row"].isin(frame.loc[place <= TOP, "row"])
        chosen = {way: told["recommended"].to_numpy(dtype=bool) for way, told in options.items()}
        choices.append(_chosen(frame, chosen).assign(seed=seed))
        lists.append(frame)
    _say(seed, "measured", started)
    every = pd.concat(lists, ignore_index=True)
    return pd.concat(choices, ignore_index=True), {"seed": seed, **_figures(every)}


def _options(found: Candidates) -> pd.DataFrame:
    assert found.options is not None
    return found.options


def _with_truth(options: pd.DataFrame, world: World) -> pd.DataFrame:
    truth = world.truth(options)
    goals = world.tables.briefs.set_index("brief_id")["goal"]
    return options.assign(
        truth=truth["value_per_cost"],
        worth=truth["value"],
        goal=options["brief_id"].map(goals),
    )


def _scores(matcher: Matcher, found: Candidates) -> pd.Series[Any]:
    return pd.Series(matcher.margin(found.signals), index=found.pairs.index)


def _without_modes(taught: Examples, config: Config) -> Forecaster:
    """Return heads that believe nothing of what a mode adds."""
    known, heads = taught.known, config.forecast.model_copy(update={"mode_rows": 1e12})
    return Forecaster.fit(known.signals, known.pairs, heads, config.seed)


def _chosen(options: pd.DataFrame, chosen: Mapping[str, NDArray[np.bool_]]) -> pd.DataFrame:
    """Return what each way of choosing gets of each pair that has a choice."""
    of_row = options.groupby("row")
    most = of_row["truth"].transform("max")
    options = options.assign(best=options["truth"] == most, kept=options["truth"] / most)
    choice = (of_row["mode"].transform("size") > 1).to_numpy()
    cheapest = options.sort_values(["row", "price", "mode"]).drop_duplicates("row").index
    ways = dict(chosen) | {
        CHEAPEST: options.index.isin(cheapest),
        BEST: options["best"].to_numpy() & ~options.duplicated(["row", "best"]).to_numpy(),
    }
    shown = ["brief_id", "row", "goal", "best", "kept", "first"]
    parts = [options.loc[took & choice, shown].assign(way=way) for way, took in ways.items()]
    # A draw among the modes, told by its expectation.
    numbers = options[choice].astype({"best": float})
    drawn = numbers.groupby(["brief_id", "row", "goal"], as_index=False)[["best", "kept", "first"]]
    return pd.concat([*parts, drawn.mean().assign(way=RANDOM)], ignore_index=True)


def _figures(options: pd.DataFrame) -> dict[str, float]:
    """Return how forecasts follow the truth: over the modes of a pair, and over a brief's KOLs."""
    pair = [options["brief_id"], options["kol_id"]]
    several = options.groupby(pair)["mode"].transform("size") > 1
    inside = {}
    for name in ("value", "blind", "worth"):
        log = np.log(options[name].astype(float))
        inside[name] = (log - log.groupby(pair).transform("mean"))[several]
    best = options[options["recommended"]]
    ranked = best.assign(gain=true_grades(best["truth"], best["brief_id"]))
    ratio = (best["worth"] / best["value"])[best["first"]]
    return {
        "correlation over a pair's modes": inside["value"].corr(inside["worth"]),
        "the same, modes left out": inside["blind"].corr(inside["worth"]),
        "NDCG@10": ranking_metrics(ranked)["ndcg@10"].mean(),
        "true value over forecast, of the best twenty": ratio.mean(),
    }


def _row(way: str, rows: pd.DataFrame) -> dict[str, Any]:
    first = rows[rows["first"].astype(bool)]
    by_seed = rows.groupby("seed")["best"].mean()
    return {
        "way": way,
        "best mode": rows["best"].mean(),
        "lowest seed": by_seed.min(),
        "highest seed": by_seed.max(),
        "per money": rows["kept"].mean(),
        "best mode, of the best twenty": first["best"].mean(),
        "per money, of the best twenty": first["kept"].mean(),
    }


def _ordered(ways: Iterable[str]) -> list[str]:
    order = [BEST, MODEL, BLIND, UNLEARNED, RANDOM, CHEAPEST]
    return [way for way in order if way in set(ways)]


def _say(seed: int, what: str, started: float) -> None:
    print(f"seed {seed}: {what} after {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
