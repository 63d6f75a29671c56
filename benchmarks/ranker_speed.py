"""Time other libraries' rankers beside LightGBM's and kolmatch's: to grow, to score, to search.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/ranker_speed.py --rows 200000

One made-up table of a size where growing takes a while (that of `growing.py`), the same number of
trees of the same leaves, no early stopping; NDCG@10 on made-up briefs that none of them saw.
CatBoost is there twice, with its own trees (one question a level) and grown leaf by leaf.

Then the best of a roster for each of 32 briefs by factors, as LightFM gives them, against
kolmatch's exact search of the same vectors. Factors are drawn, not learned; nothing is filtered.

Seconds are those of the processor, one thread. Needs ``make peers``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from growing import PARAMS, drawn
from ranker_peers import (
    Dataset,
    Floats,
    Grown,
    Peer,
    Size,
    busy_machine,
    grow_catboost,
    grow_catboost_by_leaf,
    grow_lightgbm,
    grow_xgboost,
    processor_seconds,
    without,
)

from features.search import Places
from matcher.forest import SCORER_COST, Forest
from training.distributed import Ndcg

TESTED = 20_000
"""Rows of the briefs that nobody saw."""
OURS = "LightGBM as kolmatch grows it"
SIZED = ("num_leaves", "learning_rate", "min_data_in_leaf", "feature_fraction", "lambda_l2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="of the made-up table")
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kols", type=int, default=100_000, help="of the roster to search")
    arguments = parser.parse_args()
    print(busy_machine(), "\n")
    rows = [row for turn in range(arguments.rounds) for row in _table(arguments, turn)]
    if rows:
        print(_over_rounds(pd.DataFrame(rows)).to_markdown(index=False), "\n", flush=True)
    if arguments.kols:
        print(_top(arguments.kols).to_markdown(index=False), "\n")


def _table(arguments: argparse.Namespace, turn: int) -> Iterator[dict[str, Any]]:
    """Grow the same number of trees of the same leaves from made-up briefs."""
    train, test = (
        without(drawn(rows, 2 * turn + at), "init_score", "weight")
        for at, rows in enumerate((arguments.rows, TESTED))
    )
    metric = Ndcg.of(test["label"], test["group"], np.ones(TESTED))
    size = Size("table", arguments.trees, *(PARAMS[name] for name in SIZED))
    first: dict[str, Any] | None = None
    for name, peer in PEERS.items():
        grown, seconds = processor_seconds(lambda peer=peer: peer(train, None, size, turn))
        assert grown.trees == arguments.trees
        for way, score in ((name, grown.score), *_ours(name, grown, test["data"])):
            us = 1e6 * median(_seconds(score, test["data"]) for _ in range(5)) / TESTED
            ndcg = metric(np.asarray(score(test["data"]), dtype=np.float64))
            first = first or {"train s": seconds, "us a pair": us}
            yield {
                "way": way,
                "train s": seconds,
                "train, times": seconds / first["train s"],
                "us a pair": us,
                "score, times": us / first["us a pair"],
                "NDCG@10": ndcg,
            }
        print(f"{name}: {seconds:.0f} s", file=sys.stderr)


def _over_rounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Return medians over rounds; of ratios, which compare runs of one round, their range too."""
    ways = rows.groupby("way", sort=False)
    table = ways.median().round(2)
    table["NDCG@10"] = ways["NDCG@10"].mean().round(4)
    for name in ("train, times", "score, times"):
        least, most = ways[name].min().round(2), ways[name].max().round(2)
        table.insert(list(table).index(name) + 1, name.replace("times", "least"), least)
        table.insert(list(table).index(name) + 2, name.replace("times", "most"), most)
    return table.reset_index()


def _seconds(score: Callable[[pd.DataFrame], Floats], rows: pd.DataFrame) -> float:
    return processor_seconds(lambda: score(rows))[1]


def _grow_ours(train: Dataset, valid: Dataset | None, size: Size, seed: int) -> Grown:
    """Grow as kolmatch does: the same objective, told to give the same trees on any machine."""
    plain = {"init_score": np.zeros(len(train["label"])), "weight": np.ones(len(train["label"]))}
    forest = Forest.fit(
        PARAMS, {**train, **plain}, valid, trees=size.trees, patience=size.patience, seed=seed
    )
    return Grown(forest.booster.predict, forest.booster.num_trees(), forest.text)


def _ours(
    name: str, grown: Grown, rows: pd.DataFrame
) -> list[tuple[str, Callable[[pd.DataFrame], Floats]]]:
    """Return kolmatch's way to score its forest, after so many rows that it pays."""
    if name != OURS:
        return []
    forest = Forest(grown.text)
    for _ in range(SCORER_COST // (len(rows) * grown.trees) + 1):
        forest.predict(rows)
    return [(f"{OURS}, scored by kolmatch", forest.predict)]


PEERS: dict[str, Peer] = {
    "LightGBM lambdarank": grow_lightgbm,
    OURS: _grow_ours,
    "XGBoost rank:ndcg": grow_xgboost,
    "CatBoost YetiRank": grow_catboost,
    "CatBoost YetiRank, leaf by leaf": grow_catboost_by_leaf,
}


def _top(kols: int, briefs: int = 32, factors: int = 64, count: int = 500) -> pd.DataFrame:
    """Find the best of a roster by the factors of a LightFM model, and by kolmatch's search."""
    from lightfm import LightFM
    from scipy.sparse import coo_matrix

    rng = np.random.default_rng(0)
    units = rng.normal(size=(kols + briefs, factors)).astype(np.float32)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    roster, asked = units[:kols], units[kols:]
    model = LightFM(no_components=factors)
    model.fit_partial(coo_matrix((briefs, kols)))  # of nothing: it only lays out its factors
    model.item_embeddings, model.user_embeddings = roster, asked
    model.item_biases, model.user_biases = (np.zeros(n, np.float32) for n in (kols, briefs))
    everybody = np.arange(kols)
    places = Places.of(everybody, roster, kols)

    def first(scores: Any) -> Any:
        return np.argpartition(-scores, count)[:count]

    ways: dict[str, Callable[[], Any]] = {
        "kolmatch's exact search": lambda: [
            each.owners for each in places.nearest([one[None] for one in asked], everybody, count)
        ],
        "LightFM predict, argpartition": lambda: [
            first(model.predict(brief, everybody)) for brief in range(briefs)
        ],
        "factors multiplied, argpartition": lambda: [first(scores) for scores in asked @ roster.T],
    }
    truth = [set(first(scores)) for scores in asked.astype(float) @ roster.T.astype(float)]
    rows = []
    for name, way in ways.items():
        found = way()
        recall = np.mean([len(t & set(f)) / count for t, f in zip(truth, found, strict=True)])
        ms = 1e3 * median(processor_seconds(way)[1] for _ in range(5)) / briefs
        rows.append({"way": name, f"recall@{count}": round(recall, 3), "ms a brief": round(ms, 2)})
        rows[-1]["times"] = round(ms / rows[0]["ms a brief"], 2)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
