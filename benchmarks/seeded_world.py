"""Measure the learned ranking against the truth of simulated worlds.

For each seed a market is simulated, a model is trained on its past exactly as ``kolmatch train``
does it, and every test brief (decided after the cut) ranks its whole eligible roster. Grades come
from the true expected value per price, which no ranker sees: 4 for the top 5% of a brief's
candidates, then 3 to 15%, 2 to 35%, 1 to 65%.

    python benchmarks/seeded_world.py --kols 2000 --briefs 400 --seeds 0 1 2

The ablations take parts of the model away: ``forecast alone`` has no LambdaRank on top,
``LambdaRank from zero`` does not start at the forecast, and ``never tried = bad`` moreover takes
every KOL that was not tried for a bad one, which is the field's habit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.vectors import Embeddings, VectorStore
from matcher.candidates import candidates
from matcher.config import Config, RankerConfig, TrainingConfig
from training.baselines import BASELINES
from training.evaluate import HEADLINE, MODEL, Evaluation, Score, rank_lists, rankers
from training.fit import fit_matcher, plan_by_time, plan_examples
from training.labels import true_grades
from training.rounds import calibration_metrics, forecast_tried

ABLATIONS = {
    "LambdaRank from zero": Config(ranker=RankerConfig(forecast_weight=0)),
    "never tried = bad": Config(
        ranker=RankerConfig(likeness_weight=0), training=TrainingConfig(unknown="negative")
    ),
}
TRUTH = "truth"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=2000)
    parser.add_argument("--briefs", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    parser.add_argument("--plot", type=Path, help="draw the first table to this PNG file")
    arguments = parser.parse_args()
    found = [measure(arguments, seed) for seed in arguments.seeds]

    rules = [baseline.name for baseline in BASELINES]
    table = pd.concat(
        [evaluation.summary(TRUTH)[HEADLINE].rename(seed) for seed, evaluation, _ in found], axis=1
    )
    table.columns = [f"seed {seed}" for seed in table.columns]
    table["mean"] = table.mean(axis=1)
    print(f"\nNDCG@10 against the truth, {arguments.kols:,} KOLs, {arguments.briefs:,} briefs\n")
    print(table.sort_values("mean", ascending=False).round(3).to_markdown())

    if arguments.plot:
        draw(table["mean"].sort_values(), arguments)

    print(
        "\nThe way from the best simple rule to the oracle, and the model's lead over that rule\n"
    )
    ways = pd.DataFrame([_way(evaluation, rules, seed) for seed, evaluation, _ in found])
    print(ways.round(3).to_markdown(index=False))

    print("\nProbabilities on test outcomes\n")
    told = pd.DataFrame([{"seed": seed, **numbers} for seed, _, numbers in found])
    print(told.round(4).to_markdown(index=False))


def measure(arguments: argparse.Namespace, seed: int) -> tuple[int, Evaluation, dict[str, float]]:
    """Train on one world and rank its test briefs' rosters."""
    started = time.perf_counter()
    world = simulate(kols=arguments.kols, briefs=arguments.briefs, seed=seed)
    tables = world.tables
    config = Config(seed=seed).with_spaces(tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(arguments.vectors))
    history, pipeline = History(tables), FeaturePipeline(config.features, embeddings)
    plan = plan_by_time(tables, config)
    examples, pipeline = plan_examples(plan, history, pipeline, config)
    matcher = fit_matcher(examples, plan, config, pipeline)
    _say(seed, "trained", started)

    by: dict[str, Score] = rankers(matcher)
    by["forecast alone"] = lambda pairs, signals: matcher.forecaster.advantage(signals)  # type: ignore[union-attr]
    for name, changed in ABLATIONS.items():
        other = fit_matcher(
            examples,
            plan,
            changed.model_copy(update={"seed": seed}).with_spaces(tables),
            pipeline,
        )
        by[name] = rankers(other)[MODEL]
    _say(seed, "ablations trained", started)

    test = examples.of(plan.briefs("test"))
    questions = test.pairs[["brief_id", "as_of"]].drop_duplicates("brief_id")
    oracle: dict[int, Any] = {}

    def lists() -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.Series[Any]]]:
        for part in candidates(questions, history, pipeline, config):
            found = matcher.settled(part, history, pipeline)
            truth = _true_values(world, found.pairs, found.offers)
            oracle["value"] = truth.to_numpy()
            yield found.pairs, found.signals, true_grades(truth, found.pairs["brief_id"])

    by["oracle"] = lambda pairs, signals: oracle["value"]
    brands = tables.briefs.set_index("brief_id")["brand_id"]
    evaluation = rank_lists(lists(), by, brands, TRUTH)
    _say(seed, "measured", started)

    told = forecast_tried(matcher, test)
    metrics = calibration_metrics(told)
    names = {
        "fit_ece": "fit ECE",
        "fit_ece_noise_floor": "its noise floor",
        "cvr_deviance": "CVR deviance",
        "cvr_deviance_of_base_rate": "of the base rate",
    }
    numbers = {"outcomes": len(told)} | {shown: metrics[name] for name, shown in names.items()}
    return seed, evaluation, numbers


def draw(means: pd.Series[Any], arguments: argparse.Namespace) -> None:
    """Draw each ranker's mean NDCG@10, the model in colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colors = ["#0b7285" if name == MODEL else "#b8c2cc" for name in means.index]
    bars = axes.barh(list(means.index), means.to_numpy(), color=colors)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8, color="#1f2933")
    axes.set_xlim(0, 1.08)
    axes.spines[["top", "right"]].set_visible(False)
    worlds = len(arguments.seeds)
    size = f"{arguments.kols:,} KOLs, {arguments.briefs} briefs, {worlds} simulated worlds"
    axes.set_title(f"NDCG@10 against true value per price\n{size}", loc="left", fontsize=10)
    arguments.plot.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.plot)


def _true_values(world: World, pairs: pd.DataFrame, offers: pd.DataFrame) -> pd.Series[Any]:
    asked = pairs[["brief_id", "kol_id"]].assign(mode=offers["mode"])
    return world.truth(asked)["value_per_cost"]


def _way(evaluation: Evaluation, rules: list[str], seed: int) -> dict[str, Any]:
    means = evaluation.summary(TRUTH)[HEADLINE]
    best = means[rules].idxmax()
    lead = evaluation.comparison(TRUTH).set_index("ranker").loc[best]
    return {
        "seed": seed,
        "best simple rule": best,
        "rule": means[best],
        MODEL: means[MODEL],
        "share of the way": (means[MODEL] - means[best]) / (means["oracle"] - means[best]),
        "lead, low": lead["low"],
        "lead, high": lead["high"],
        "briefs": int(lead["briefs"]),
        "brands": int(lead["brands"]),
    }


def _say(seed: int, what: str, started: float) -> None:
    print(f"seed {seed}: {what} after {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
