"""Measure the ranker's forest as workers grow it (`lightgbm.DaskLGBMRanker`) against one process.

    OMP_NUM_THREADS=1 python benchmarks/growing.py --rows 200000 --kols 300 --seeds 0 1

First a table of made-up briefs of a size where growing takes a while: the same number of trees both
ways, NDCG@10 on briefs that neither saw. Then kolmatch's own ranker on simulated markets: signals
are computed once, and both ways fit on the same training part, stop by the same validation part and
are measured on the same test part, by the grades of its known pairs. Workers are processes of one
thread each on this machine and are there before the clock runs; the single process has one thread.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from big_world import DrawnEncoder
from machine import machine

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import simulate
from features.vectors import Embeddings
from matcher.config import Config
from matcher.forest import Forest, Grow
from matcher.ranker import GAINS
from training.distributed import Ndcg, dask_growing
from training.fit import fit_matcher, plan_by_time, plan_examples
from training.metrics import ranking_metrics

PARAMS = {
    "objective": "lambdarank",
    "label_gain": list(GAINS),
    "lambdarank_truncation_level": 20,
    "num_leaves": 63,
    "learning_rate": 0.1,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.5,
    "lambda_l2": 5.0,
}
FEATURES = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="of the made-up table")
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kols", type=int, default=300, help="of each simulated market")
    parser.add_argument("--briefs", type=int, default=160)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    arguments = parser.parse_args()
    print(machine("lightgbm", "distributed", "numpy"), "\n")
    with dask_growing(workers=arguments.workers) as growing:
        ways: dict[str, Grow] = {"1 process": Forest.fit, "Dask": growing}
        rows = [row for turn in range(arguments.rounds) for row in _table(arguments, ways, turn)]
        print(pd.DataFrame(rows).to_markdown(index=False), "\n", flush=True)
        rows = [row for seed in arguments.seeds for row in _market(arguments, ways, seed)]
        print(pd.DataFrame(rows).to_markdown(index=False))


def _table(arguments: argparse.Namespace, ways: dict[str, Grow], turn: int) -> list[dict[str, Any]]:
    """Grow both ways on the same made-up briefs."""
    train, test = drawn(arguments.rows, 2 * turn), drawn(20_000, 2 * turn + 1)
    metric = Ndcg.of(test["label"], test["group"], test["weight"])
    rows = []
    for name, grow in ways.items():
        started = time.perf_counter()
        forest = grow(PARAMS, train, None, trees=arguments.trees, patience=1, seed=turn)
        seconds = time.perf_counter() - started
        ndcg = metric(test["init_score"] + forest.predict(test["data"]))
        rows.append({"round": turn, "way": name, "s": seconds, "NDCG@10": ndcg})
    for row in rows:
        row["times"] = row["s"] / rows[0]["s"]
    return [
        row
        | {"s": round(row["s"], 1), "NDCG@10": round(row["NDCG@10"], 4)}
        | {"times": round(row["times"], 2)}
        for row in rows
    ]


def drawn(rows: int, seed: int) -> dict[str, Any]:
    """Return made-up briefs of 50 KOLs each, as arguments of ``lightgbm.Dataset``."""
    rng = np.random.default_rng(seed)
    groups = np.full(rows // 50, 50)
    data = rng.normal(size=(groups.sum(), FEATURES))
    told = data[:, 0] + data[:, 1] * data[:, 2] + np.abs(data[:, 3]) + np.sin(2 * data[:, 4])
    noisy = told + rng.normal(size=len(told))
    edges = np.quantile(noisy, [0.6, 0.8, 0.9, 0.97])
    data[rng.random(data.shape) < 0.05] = np.nan
    return {
        "data": pd.DataFrame(data, columns=[f"f{n:02d}" for n in range(FEATURES)]),
        "init_score": np.zeros(len(data)),
        "label": np.searchsorted(edges, noisy).astype(np.float64),
        "weight": np.ones(len(data)),
        "group": groups,
    }


def _market(
    arguments: argparse.Namespace, ways: dict[str, Grow], seed: int
) -> list[dict[str, Any]]:
    """Fit kolmatch's own model both ways on one simulated market."""
    world = simulate(arguments.kols, arguments.briefs, seed)
    config = Config(seed=seed).with_spaces(world.tables)
    history, embeddings = History(world.tables), Embeddings(DrawnEncoder())
    plan = plan_by_time(world.tables, config)
    started = time.perf_counter()
    examples, pipeline = plan_examples(
        plan, history, FeaturePipeline(config.features, embeddings), config
    )
    signals = time.perf_counter() - started
    test = examples.of(plan.briefs("test")).known
    rows = []
    for name, grow in ways.items():
        clock = _Clock(grow)
        started = time.perf_counter()
        matcher = fit_matcher(examples, plan, config, pipeline, grow=clock)
        whole = time.perf_counter() - started
        asked = test.pairs[["brief_id", "kol_id"]].assign(
            gain=test.pairs["grade"], score=matcher.margin(test.signals)
        )
        told = ranking_metrics(asked)["ndcg@10"]
        assert matcher.ranker is not None
        rows.append(
            {
                "seed": seed,
                "way": name,
                "pairs": len(examples.pairs),
                "signals s": round(signals, 1),
                "fit s": round(whole, 1),
                "of it the ranker's forest s": round(clock.seconds, 1),
                "trees": matcher.ranker.forest.booster.num_trees(),
                "test briefs": int(told.notna().sum()),
                "NDCG@10": round(float(told.mean()), 4),
            }
        )
    return rows


class _Clock:
    """Grows as another does, and knows how long it took."""

    def __init__(self, grow: Grow) -> None:
        self._grow = grow
        self.seconds = 0.0

    def __call__(self, *given: Any, **named: Any) -> Forest:
        started = time.perf_counter()
        forest = self._grow(*given, **named)
        self.seconds += time.perf_counter() - started
        return forest


if __name__ == "__main__":
    main()
