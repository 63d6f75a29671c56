"""Measure other libraries' rankers beside kolmatch's: what they cost and how well they rank.

    OMP_NUM_THREADS=1 python benchmarks/rankers.py --seeds 0 1 2 3 4

Simulated markets: signals are computed once, all learn from the same training part, stop by the
same validation part and rank the same test briefs, by the outcomes of what those tried and by the
truth of everybody they could have had (grades as in `seeded_world.py`).

Peers learn from "known grades", of outcomes and people's judgments, or from "kolmatch's table",
which has a sample of the never tried as well, graded by forecasts; from nothing or, as kolmatch's
ranker does, from the forecast. Each has two sizes, kolmatch's and the library's own, and the one
with the higher NDCG@10 on its validation rows is kept. "Before" is what forecasting takes, without
which there is no such table.

Seconds are those of the processor, one thread. Needs ``make peers``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from big_world import DrawnEncoder
from ranker_peers import (
    Dataset,
    Floats,
    Grown,
    Peer,
    Size,
    busy_machine,
    factorised,
    grow_catboost,
    grow_lightgbm,
    grow_xgboost,
    processor_seconds,
    without,
)

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.vectors import Embeddings
from matcher.candidates import candidates
from matcher.config import Config, RankerConfig
from matcher.forest import SCORER_COST, Forest
from matcher.model import Matcher
from training.distributed import Ndcg
from training.evaluate import HEADLINE, MODEL, Evaluation, Score, rank_lists
from training.examples import Examples, orderable
from training.fit import Plan, fit_matcher, plan_by_time, plan_examples
from training.labels import true_grades

OURS = RankerConfig()
SIZES = (
    Size(
        "kolmatch's",
        OURS.trees,
        OURS.leaves,
        OURS.learning_rate,
        OURS.min_rows_per_leaf,
        OURS.feature_share,
        OURS.l2,
    ),
    Size("own", 1000),
)
PEERS: dict[str, Peer] = {
    "LightGBM lambdarank": grow_lightgbm,
    "XGBoost rank:ndcg": grow_xgboost,
    "CatBoost YetiRank": grow_catboost,
}
TRIED, TRUTH, ORACLE, FORECAST = "outcomes", "truth", "oracle", "forecast, no ranker"
KNOWN = "known grades"
TIMED = 20_000
"""Rows that are scored to time it, the market's own over and over."""


@dataclass
class Found:
    """What was learned of one market: each way's scores, and what it cost."""

    by: dict[str, Score] = field(default_factory=dict)
    costs: list[dict[str, Any]] = field(default_factory=list)

    def add(self, way: str, score: Score, **costs: Any) -> None:
        """Add a way."""
        self.by[way] = score
        self.costs.append({"way": way} | costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=300, help="of each simulated market")
    parser.add_argument("--briefs", type=int, default=160)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    print(busy_machine(), "\n")
    _markets(arguments)


def _markets(arguments: argparse.Namespace) -> None:
    costs, parts = [], []
    for seed in arguments.seeds:
        of_market, evaluation = _market(arguments, seed)
        costs += of_market
        # Briefs and brands bear the same names in every market.
        ids = {
            name: f"{seed} " + evaluation.per_brief[name].astype(str)
            for name in ("brief_id", "brand_id")
        }
        parts.append(replace(evaluation, per_brief=evaluation.per_brief.assign(**ids)))
        print(f"market {seed} measured", file=sys.stderr)
    whole = Evaluation.together(parts)
    cost = pd.DataFrame(costs).groupby("way", sort=False)
    sizes = cost["size"].agg(lambda told: f"{(told == SIZES[0].name).sum()} of {len(told)}")
    table = cost[["trees", "before s", "train s", "us a pair"]].mean()
    table.insert(0, "kolmatch's size", sizes.where(table.index.isin(_sized(costs)), ""))
    print(table.round(2).reset_index().to_markdown(index=False), "\n")
    for view in (TRIED, TRUTH):
        told = whole.summary(view)[[HEADLINE]].rename_axis("way").reset_index()
        lead = whole.comparison(view).rename(columns={"ranker": "way"})
        lead = lead.rename(columns={"difference": "kolmatch minus it"})
        told = told.merge(lead, how="left", on="way")
        print(f"By {view}\n\n{told.round(3).to_markdown(index=False)}\n", flush=True)


def _sized(costs: list[dict[str, Any]]) -> set[str]:
    return {row["way"] for row in costs if row["size"]}


def _market(arguments: argparse.Namespace, seed: int) -> tuple[list[dict[str, Any]], Evaluation]:
    """Train all ways on one market and rank its test briefs."""
    world = simulate(arguments.kols, arguments.briefs, seed)
    config = Config(seed=seed).with_spaces(world.tables)
    history, embeddings = History(world.tables), Embeddings(DrawnEncoder())
    plan = plan_by_time(world.tables, config)
    examples, pipeline = plan_examples(
        plan, history, FeaturePipeline(config.features, embeddings), config
    )
    matcher, found = _fitted(examples, plan, config, pipeline, world)
    test = examples.of(plan.briefs("test"))
    known = test.known.where(orderable(test.known.pairs, ~test.known.pairs["judged"].to_numpy()))
    brands = world.tables.briefs.set_index("brief_id")["brand_id"]
    tried = rank_lists(
        [(known.pairs, known.signals, known.pairs["grade"])], found.by, brands, TRIED
    )
    lists, values = _rosters(test, world, history, pipeline, matcher)
    by = found.by | {ORACLE: lambda pairs, _: values[pairs.index]}
    rosters = rank_lists(lists, by, brands, TRUTH)
    _time(found, pd.concat([each[0] for each in lists]), pd.concat([each[1] for each in lists]))
    return found.costs, Evaluation.together([tried, rosters])


def _rosters(
    test: Examples, world: World, history: History, pipeline: FeaturePipeline, matcher: Matcher
) -> tuple[list[tuple[pd.DataFrame, pd.DataFrame, pd.Series[Any]]], Any]:
    """Return everybody that the test briefs could have had, and their true values."""
    questions = test.pairs[["brief_id", "as_of"]].drop_duplicates("brief_id")
    lists, values = [], []
    for part in candidates(questions, history, pipeline, matcher.config):
        found = matcher.settled(part, history, pipeline)
        asked = found.pairs[["brief_id", "kol_id"]].assign(mode=found.offers["mode"])
        value = world.truth(asked)["value_per_cost"]
        rows = np.arange(len(value)) + sum(len(each) for each in values)
        grades = true_grades(value, found.pairs["brief_id"])
        lists.append(
            (found.pairs.set_axis(rows), found.signals.set_axis(rows), grades.set_axis(rows))
        )
        values.append(value.to_numpy(dtype=np.float64))
    return lists, np.concatenate(values)


def _fitted(
    examples: Examples, plan: Plan, config: Config, pipeline: FeaturePipeline, world: World
) -> tuple[Matcher, Found]:
    """Train kolmatch and every peer on the same parts."""
    kept = _Kept()
    matcher, whole = processor_seconds(
        lambda: fit_matcher(examples, plan, config, pipeline, grow=kept)
    )
    assert matcher.ranker is not None and matcher.forecaster is not None
    start, before = matcher.ranker.start_weight, whole - kept.seconds
    forecast = matcher.forecaster.advantage
    found = Found()
    trees = matcher.ranker.forest.booster.num_trees()
    costs = {"size": "", "before s": before, "train s": kept.seconds, "trees": trees}
    found.add(MODEL, lambda _, signals: matcher.margin(signals), **costs)
    costs = {"size": "", "before s": before, "train s": 0.0, "trees": 0}
    found.add(FORECAST, lambda _, signals: forecast(signals), **costs)
    parts = [examples.of(plan.briefs(name)).known for name in ("train", "valid")]
    known = [_dataset(part) for part in parts]
    table = [without(each, "weight", "init_score") for each in kept.parts]
    started = [without(each, "weight") for each in kept.parts]
    for name, peer in PEERS.items():
        for told, given in ((KNOWN, known), ("kolmatch's table", table)):
            grown, costs = _better(peer, given, config.seed)
            score = _plain(grown)
            found.add(f"{name}, {told}", score, **costs | {"before s": before * (given is table)})
        grown, costs = _better(peer, started, config.seed)
        score = _from_start(grown, lambda signals: start * forecast(signals))
        found.add(
            f"{name}, kolmatch's table from the forecast", score, **costs | {"before s": before}
        )
    cut = pd.Timestamp(plan.cuts["test_from"])
    train, valid = (part.pairs for part in parts)
    factors, seconds = processor_seconds(
        lambda: factorised(train, valid, world.tables, cut, config.seed)
    )
    costs = {"size": "", "before s": 0.0, "train s": seconds, "trees": np.nan}
    found.add(f"LightFM WARP, {KNOWN}", lambda pairs, _: factors.score(pairs), **costs)
    return matcher, found


def _plain(grown: Grown) -> Score:
    return lambda _, signals: grown.score(signals)


def _from_start(grown: Grown, start: Callable[[pd.DataFrame], Floats]) -> Score:
    return lambda _, signals: start(signals) + grown.score(signals)


def _better(peer: Peer, parts: list[Dataset], seed: int) -> tuple[Grown, dict[str, Any]]:
    """Grow in both sizes and keep the one that ranks the validation part better."""
    train, valid = parts
    metric = Ndcg.of(valid["label"], valid["group"], np.ones(len(valid["label"])))
    best, reached, costs = None, -1.0, {}
    for size in SIZES:
        grown, seconds = processor_seconds(lambda size=size: peer(train, valid, size, seed))
        found = metric(valid.get("init_score", 0.0) + grown.score(valid["data"]))
        if found > reached:
            best, reached = grown, found
            costs = {"size": size.name, "train s": seconds, "trees": grown.trees}
    assert best is not None
    return best, costs


class _Kept:
    """Grows as `Forest.fit` does, and keeps what it was given and how long it took."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.parts: list[Dataset] = []

    def __call__(self, params: Any, train: Any, valid: Any, **named: Any) -> Forest:
        self.parts = [train, valid]
        forest, self.seconds = processor_seconds(lambda: Forest.fit(params, train, valid, **named))
        return forest


def _dataset(part: Examples) -> Dataset:
    order = np.argsort(part.pairs["brief_id"].to_numpy(dtype=object), kind="stable")
    groups = part.pairs["brief_id"].iloc[order].value_counts(sort=False)
    return {
        "data": part.signals.iloc[order].reset_index(drop=True),
        "label": part.pairs["grade"].to_numpy(dtype=np.float64)[order],
        "group": groups.to_numpy(),
    }


def _time(found: Found, pairs: pd.DataFrame, signals: pd.DataFrame) -> None:
    """Time each way on the pairs of the rosters, repeated until there are enough."""
    times = -(-TIMED // len(pairs))
    pairs, signals = (pd.concat([each] * times, ignore_index=True) for each in (pairs, signals))
    for _ in range(SCORER_COST // len(pairs) // 20):
        found.by[MODEL](pairs, signals)  # until kolmatch's own scorers pay, as in a run they do
    for costs in found.costs:
        score = found.by[costs["way"]]
        taken = [processor_seconds(lambda score=score: score(pairs, signals))[1] for _ in range(3)]
        costs["us a pair"] = 1e6 * median(taken) / len(pairs)


if __name__ == "__main__":
    main()
