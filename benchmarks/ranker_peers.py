"""Other libraries' rankers, each grown from what `lightgbm.Dataset` takes; see `rankers.py`.

Needs ``make peers``. All use one thread. None but LightGBM takes a weight for each row of a brief
(XGBoost's and CatBoost's weights are those of whole briefs), so that none gets any. A start is a
margin for each row that boosting begins at; what is returned scores without it.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from machine import machine

from features.history import tier_codes
from features.tables import Tables
from matcher.ranker import GOOD
from training.distributed import Ndcg

Floats = npt.NDArray[np.float64]
Dataset = Mapping[str, Any]
"""Rows that come brief by brief: data, label, group and, where boosting has a start, init_score."""


@dataclass(frozen=True)
class Size:
    """How large a forest may get; what is ``None`` is left as the library has it."""

    name: str
    trees: int
    leaves: int | None = None
    rate: float | None = None
    rows: int | None = None
    share: float | None = None
    l2: float | None = None
    patience: int = 60


@dataclass(frozen=True)
class Grown:
    """A forest: what scores rows, how many trees it has and, of LightGBM's, its text."""

    score: Callable[[pd.DataFrame], Floats]
    trees: int
    text: str = ""


def busy_machine() -> str:
    """Tell what measures and how busy it is, and import it, so that no clock counts that."""
    for name in ("lightgbm", "xgboost", "catboost", "lightfm"):
        import_module(name)
    told = machine("lightgbm", "xgboost", "catboost", "rectools-lightfm")
    return f"{told}; load {os.getloadavg()[0]:.1f} before"


def processor_seconds(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return what something gives, and the seconds it took of the processor."""
    started = time.process_time()
    result = run()
    return result, time.process_time() - started


def without(given: Dataset, *names: str) -> Dataset:
    """Leave out parts of a data set."""
    return {name: value for name, value in given.items() if name not in names}


Peer = Callable[[Dataset, Dataset | None, Size, int], Grown]


def grow_lightgbm(train: Dataset, valid: Dataset | None, size: Size, seed: int) -> Grown:
    """Grow by LambdaRank."""
    import lightgbm as lgb

    params = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [10], "verbosity": -1}
    params |= {"seed": seed, "num_threads": 1}
    params |= _told(
        num_leaves=size.leaves,
        learning_rate=size.rate,
        min_data_in_leaf=size.rows,
        feature_fraction=size.share,
        lambda_l2=size.l2,
    )
    data = lgb.Dataset(**train, params=params)
    seen, stop = [], []
    if valid is not None:
        seen = [lgb.Dataset(**valid, reference=data, params=params)]
        stop = [lgb.early_stopping(size.patience, verbose=False)]
    booster = lgb.train(params, data, size.trees, valid_sets=seen, callbacks=stop)
    best = booster.best_iteration or booster.num_trees()
    text = booster.model_to_string(num_iteration=best)
    return Grown(lambda rows: booster.predict(rows, raw_score=True, num_iteration=best), best, text)


def grow_xgboost(train: Dataset, valid: Dataset | None, size: Size, seed: int) -> Grown:
    """Grow by ``rank:ndcg``, leaf by leaf where the number of leaves is told."""
    import xgboost as xgb

    def matrix(given: Dataset) -> Any:
        start = given.get("init_score")
        made = xgb.DMatrix(given["data"], given["label"], base_margin=start, nthread=1)
        made.set_group(given["group"])
        return made

    params = {"objective": "rank:ndcg", "eval_metric": "ndcg@10", "tree_method": "hist"}
    params |= {"seed": seed, "nthread": 1, "verbosity": 0}
    params |= _told(eta=size.rate, colsample_bytree=size.share, reg_lambda=size.l2)
    if size.leaves is not None:
        params |= {"grow_policy": "lossguide", "max_leaves": size.leaves, "max_depth": 0}
    told: dict[str, Any] = {}
    if valid is not None:
        told = {"evals": [(matrix(valid), "valid")], "early_stopping_rounds": size.patience}
    booster = xgb.train(params, matrix(train), size.trees, verbose_eval=False, **told)
    best = size.trees if valid is None else booster.best_iteration + 1

    def score(rows: pd.DataFrame) -> Floats:
        asked = xgb.DMatrix(rows, nthread=1)
        return booster.predict(asked, output_margin=True, iteration_range=(0, best))

    return Grown(score, best)


def grow_catboost(train: Dataset, valid: Dataset | None, size: Size, seed: int) -> Grown:
    """Grow by YetiRank: level by level (trees of one question a level), CatBoost's own way."""
    leaves = None if size.leaves is None else {"depth": round(np.log2(size.leaves + 1))}
    return _catboost(train, valid, size, seed, leaves or {})


def grow_catboost_by_leaf(train: Dataset, valid: Dataset | None, size: Size, seed: int) -> Grown:
    """Grow by YetiRank, leaf by leaf as LightGBM does."""
    settings = {"grow_policy": "Lossguide", "max_leaves": size.leaves, "depth": 16}
    return _catboost(train, valid, size, seed, settings | _told(min_data_in_leaf=size.rows))


def _catboost(
    train: Dataset, valid: Dataset | None, size: Size, seed: int, settings: dict[str, Any]
) -> Grown:
    from catboost import CatBoost, Pool

    def pool(given: Dataset) -> Any:
        brief = np.repeat(np.arange(len(given["group"])), given["group"])
        start = given.get("init_score")
        return Pool(given["data"], given["label"], group_id=brief, baseline=start, thread_count=1)

    params = {"loss_function": "YetiRank", "eval_metric": "NDCG:top=10;type=Exp"}
    params |= {"iterations": size.trees, "random_seed": seed, "thread_count": 1, "verbose": False}
    params |= {"allow_writing_files": False}
    params |= _told(learning_rate=size.rate, rsm=size.share, l2_leaf_reg=size.l2) | settings
    told: dict[str, Any] = {}
    if valid is not None:
        told = {"eval_set": pool(valid), "early_stopping_rounds": size.patience}
    model = CatBoost(params).fit(pool(train), **told)
    return Grown(lambda rows: model.predict(rows, thread_count=1), model.tree_count_)


def _told(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True)
class Factorisation:
    """LightFM: briefs, KOLs and what is told of each as vectors whose product orders."""

    model: Any
    briefs: pd.Index[Any]
    kols: pd.Index[Any]
    of_brief: Any
    of_kol: Any
    epochs: int

    def score(self, pairs: pd.DataFrame) -> Floats:
        """Score pairs; a brief that taught nothing by what is told of it."""
        asked = self.briefs.get_indexer(pairs["brief_id"]).astype(np.int32)
        found = self.kols.get_indexer(pairs["kol_id"]).astype(np.int32)
        told = {"user_features": self.of_brief, "item_features": self.of_kol}
        return np.asarray(self.model.predict(asked, found, **told), dtype=np.float64)


def factorised(
    train: pd.DataFrame,
    valid: pd.DataFrame,
    tables: Tables,
    known_before: pd.Timestamp,
    seed: int,
    factors: int = 30,
    epochs: int = 150,
    patience: int = 30,
) -> Factorisation:
    """Fit by WARP on collaborations in the upper half, stopped by the validation part's NDCG@10.

    Parameters
    ----------
    train, valid : DataFrame
        Pairs with brief_id, kol_id and grade.
    tables : Tables
        Where side features come from: goal, vertical and platforms of briefs; platform, tier and
        verticals of KOLs, which also have a vector each of their own.
    known_before : Timestamp
        Profiles observed later count only for KOLs that have no earlier one.
    """
    from lightfm import LightFM
    from scipy.sparse import coo_matrix

    briefs, kols = pd.Index(tables.briefs["brief_id"]), pd.Index(tables.kols["kol_id"].unique())
    of_brief = _one_hot(_about_briefs(tables.briefs))
    of_kol = _one_hot(_about_kols(tables.kols, known_before).loc[kols])
    good = train[train["grade"] >= GOOD]
    cells = (briefs.get_indexer(good["brief_id"]), kols.get_indexer(good["kol_id"]))
    liked = coo_matrix((np.ones(len(good)), cells), shape=(len(briefs), len(kols)))
    model = LightFM(no_components=factors, loss="warp", random_state=seed)
    valid = valid.sort_values("brief_id", kind="stable")
    groups = valid.groupby("brief_id").size().to_numpy()
    metric = Ndcg.of(valid["grade"].to_numpy(dtype=np.float64), groups, np.ones(len(valid)))
    best, reached = None, -1.0
    for epoch in range(1, epochs + 1):
        model.fit_partial(liked, user_features=of_brief, item_features=of_kol)
        now = Factorisation(model, briefs, kols, of_brief, of_kol, epoch)
        found = metric(now.score(valid))
        if found > reached:
            best, reached = Factorisation(copy.deepcopy(model), *_rest(now)), found
        elif best is not None and epoch - best.epochs >= patience:
            break
    assert best is not None
    return best


def _rest(of: Factorisation) -> tuple[Any, ...]:
    return of.briefs, of.kols, of.of_brief, of.of_kol, of.epochs


def _about_briefs(briefs: pd.DataFrame) -> list[list[str]]:
    return [
        [f"goal {goal}", f"vertical {vertical}", *(f"on {name}" for name in platforms)]
        for goal, vertical, platforms in briefs[["goal", "vertical", "platforms"]].itertuples(
            index=False
        )
    ]


def _about_kols(kols: pd.DataFrame, known_before: pd.Timestamp) -> pd.Series[Any]:
    ordered = kols.sort_values(["kol_id", "observed_at"], kind="stable")
    first = ordered.drop_duplicates("kol_id", keep="first")
    known = ordered[ordered["observed_at"] < known_before]
    last = known.drop_duplicates("kol_id", keep="last")
    told = pd.concat([last, first]).drop_duplicates("kol_id")
    tier = tier_codes(told["followers"].to_numpy(dtype=np.float64))
    about = [
        [kol, f"on {platform}", f"tier {size}", *(f"of {name}" for name in verticals)]
        for kol, platform, size, verticals in zip(
            told["kol_id"], told["platform"], tier, told["verticals"], strict=True
        )
    ]
    return pd.Series(about, index=told["kol_id"].to_numpy())


def _one_hot(about: Sequence[list[str]] | pd.Series[Any]) -> Any:
    """Return labels as rows that sum to 1, as LightFM's own data sets do."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    counted = CountVectorizer(analyzer=list, dtype=np.float32).fit_transform(list(about))
    return normalize(counted, norm="l1")
