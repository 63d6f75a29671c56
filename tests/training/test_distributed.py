"""A ranker's forest that Dask workers grow together."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UserError
from matcher.forest import Forest
from matcher.ranker import GAINS
from training.distributed import DaskGrowing, Ndcg, best_iteration, cuts_of

PARAMS = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [10],
    "label_gain": list(GAINS),
    "lambdarank_truncation_level": 20,
    "num_leaves": 8,
    "learning_rate": 0.1,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.5,
    "lambda_l2": 5.0,
}


def _dataset(seed: int, briefs: int = 60) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    groups = rng.integers(10, 40, briefs)
    rows = int(groups.sum())
    data = pd.DataFrame(rng.normal(size=(rows, 6)), columns=[f"a.{n}" for n in range(6)])
    data = data.mask(rng.random(data.shape) < 0.05)
    known = data.fillna(0)
    told = known["a.0"] + known["a.1"] * known["a.2"] + rng.normal(size=rows)
    return {
        "data": data,
        "init_score": 0.3 * known["a.0"].to_numpy(),
        "label": np.clip(np.round(told + 2), 0, 4).to_numpy(),
        "weight": rng.uniform(0.2, 1, rows),
        "group": groups,
    }


def _booster(
    train: dict[str, Any], trees: int, valid: dict[str, Any], patience: int
) -> lgb.Booster:
    fixed = {"verbosity": -1, "seed": 0, "deterministic": True, "force_row_wise": True}
    data = lgb.Dataset(**train, params=fixed)
    return lgb.train(
        {**PARAMS, **fixed},
        data,
        trees,
        [lgb.Dataset(**valid, reference=data, params=fixed)],
        callbacks=[lgb.early_stopping(patience, verbose=False)],
        keep_training_booster=False,
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Return a client of one worker, a thread of this process: LightGBM has one network each."""
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as local,
        Client(local, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.parametrize(("seed", "patience"), [(1, 5), (2, 10), (3, 1)])
def test_a_forest_is_cut_where_early_stopping_would_stop(seed: int, patience: int) -> None:
    train, valid = _dataset(seed), _dataset(seed + 100, briefs=20)
    stopped = _booster(train, 60, valid, patience)
    assert 0 < stopped.best_iteration < 60
    assert best_iteration(_booster(train, 60, valid, 60), valid, patience) == stopped.best_iteration


@pytest.mark.parametrize("seed", range(3))
def test_ndcg_is_that_of_lightgbm(seed: int) -> None:
    train, valid = _dataset(seed), _dataset(seed + 100, briefs=20)
    found: dict[str, Any] = {}
    fixed = {"verbosity": -1, "seed": 0, "deterministic": True}
    data = lgb.Dataset(**train, params=fixed)
    booster = lgb.train(
        {**PARAMS, **fixed},
        data,
        10,
        [lgb.Dataset(**valid, reference=data, params=fixed)],
        callbacks=[lgb.record_evaluation(found)],
    )
    score = valid["init_score"] + booster.predict(valid["data"], raw_score=True)
    metric = Ndcg.of(valid["label"], valid["group"], valid["weight"])
    assert metric(score) == pytest.approx(
        found["valid_0"]["ndcg@10"][-1], rel=1e-8
    )  # its weights are float32


def test_a_brief_without_gain_moves_no_comparison() -> None:
    valid = _dataset(3, briefs=4)
    valid["label"] = np.where(np.repeat(np.arange(4), valid["group"]) == 2, 0.0, valid["label"])
    metric = Ndcg.of(valid["label"], valid["group"], valid["weight"])
    rng = np.random.default_rng(0)
    score = rng.normal(size=len(valid["label"]))
    other = np.where(
        np.repeat(np.arange(4), valid["group"]) == 2, rng.normal(size=len(score)), score
    )
    assert metric(score) == metric(other) < 1
    assert metric(valid["label"]) == 1


def test_one_worker_grows_the_trees_that_one_process_grows(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    train, valid = _dataset(5), _dataset(105, briefs=20)
    about: dict[str, Any] = {"trees": 20, "patience": 20, "seed": 3}
    grown = DaskGrowing(client)(PARAMS, train, valid, **about)
    alone = Forest.fit(PARAMS, train, valid, **about)
    assert grown.names == alone.names == list(train["data"])
    assert capfd.readouterr().out == ""  # where a command's result goes
    assert "127.0.0.1:" not in grown.text
    np.testing.assert_array_equal(grown.predict(valid["data"]), alone.predict(valid["data"]))


def test_places_on_lists_are_refused_in_words(client: Client) -> None:
    train = _dataset(1, briefs=4)
    train["position"] = np.zeros(len(train["data"]), dtype=np.int32)
    with pytest.raises(UserError, match=r"position_aware = true .* --engine single"):
        DaskGrowing(client)(PARAMS, train, None, trees=2, patience=1, seed=0)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 8))
def test_briefs_are_parted_whole_and_evenly(groups: list[int], workers: int) -> None:
    cuts = cuts_of(np.array(groups), workers)
    assert (cuts[0], cuts[-1]) == (0, len(groups))
    assert len(cuts) <= workers + 1
    parts = [sum(groups[a:b]) for a, b in pairwise(cuts)]
    assert min(parts) > 0
    assert max(parts) <= sum(groups) / workers + max(groups)


@pytest.mark.long
def test_two_processes_grow_a_forest_as_good() -> None:
    train, valid = _dataset(7, briefs=200), _dataset(107, briefs=60)
    about: dict[str, Any] = {"trees": 40, "patience": 40, "seed": 3}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local,
        Client(local, set_as_default=False) as client,
    ):
        grown = DaskGrowing(client)(PARAMS, train, valid, **about)
    alone = Forest.fit(PARAMS, train, valid, **about)
    metric = Ndcg.of(valid["label"], valid["group"], valid["weight"])
    start = metric(valid["init_score"])
    reached, here = (
        metric(valid["init_score"] + forest.predict(valid["data"])) for forest in (grown, alone)
    )
    assert reached - start > 0.8 * (here - start) > 0


@pytest.mark.long
def test_a_worker_lost_while_a_forest_grows_is_told_in_words() -> None:
    train = _dataset(7, briefs=3000)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local,
        Client(local, set_as_default=False) as client,
    ):
        pid = next(iter(client.run(os.getpid).values()))

        def kill() -> None:
            while not any(
                "_train_part" in key for keys in client.processing().values() for key in keys
            ):
                time.sleep(0.1)
            time.sleep(2)
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(UserError, match="could not grow together"):
            DaskGrowing(client)(PARAMS, train, None, trees=3000, patience=1, seed=0)
        killer.join()
