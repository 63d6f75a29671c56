"""The ranker's forest, grown by several Dask workers together: `lightgbm.DaskLGBMRanker`.

Every worker holds some briefs whole, and finds splits together with the others over sockets of
LightGBM's own. What Dask's interface of LightGBM lacks is done here or refused: it does not stop
early, so all trees are grown and then cut where the validation briefs say; it takes no places on
lists (position bias).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import UserError
from matcher.cluster import cluster
from matcher.forest import REPRODUCIBLE, Forest

if TYPE_CHECKING:
    import lightgbm as lgb
    from distributed import Client
    from numpy.typing import NDArray

DEPTH = 10
"""Places of a list that decide where a forest is cut, as early stopping's metric has it."""
SILENCE = 2
"""Minutes after which LightGBM's workers give up one that does not answer."""
_NAMES = {
    "feature_fraction": "colsample_bytree",
    "lambda_l2": "reg_lambda",
    "min_data_in_leaf": "min_child_samples",
}
"""LightGBM's parameters under the names of its scikit-learn interface."""
_ABOUT_METRICS = ("metric", "eval_at")


@contextmanager
def dask_growing(scheduler: str | None = None, workers: int | None = None) -> Iterator[DaskGrowing]:
    """Open workers that grow forests; parameters and errors are `matcher.cluster.cluster`'s."""
    with cluster(scheduler, workers) as client:
        yield DaskGrowing(client)


@dataclass(frozen=True)
class DaskGrowing:
    """Grows forests as `matcher.forest.Forest.fit` does, on workers.

    Attributes
    ----------
    client : Client
        Of the workers.
    """

    client: Client

    def __call__(
        self,
        params: Mapping[str, Any],
        train: Mapping[str, Any],
        valid: Mapping[str, Any] | None,
        *,
        trees: int,
        patience: int,
        seed: int,
    ) -> Forest:
        """Train on whole briefs, parted among workers; parameters are those of ``Forest.fit``.

        Raises
        ------
        UserError
            If places on lists are to be learned from, or a worker is lost on the way.
        """
        if "position" in train:
            raise UserError(
                "Got position_aware = true under [training], which --engine dask cannot learn "
                "from; train with --engine single, or set it to false"
            )
        import lightgbm as lgb
        from distributed import CancelledError

        own = {name: value for name, value in params.items() if name not in _ABOUT_METRICS}
        ranker = lgb.DaskLGBMRanker(
            client=self.client,
            n_estimators=trees,
            random_state=seed,
            time_out=SILENCE,
            # Which worker finds which bins is still for Dask to choose.
            **REPRODUCIBLE,
            **{_NAMES.get(name, name): value for name, value in own.items()},
        )
        rows = self._parted(train)
        names = list(train["data"].columns)
        _hush()
        self.client.run(_hush)
        try:
            # LightGBM's code asks for the current client, too.
            with self.client.as_current():
                ranker.fit(**rows, feature_name=names)
        except (lgb.basic.LightGBMError, CancelledError, OSError) as error:
            raise UserError(
                f"Got a forest that the workers could not grow together ({error}); each needs free "
                "ports that the others reach, and all must stay: run the command again, or train "
                "with --engine single"
            ) from error
        booster = ranker.booster_
        kept = trees if valid is None else best_iteration(booster, valid, patience)
        return Forest(_without_addresses(booster.model_to_string(num_iteration=kept)))

    def _parted(self, train: Mapping[str, Any]) -> dict[str, Any]:
        """Hand each worker its briefs, and return LightGBM's view of them all."""
        import dask.array as da

        groups = np.asarray(train["group"])
        addresses = sorted(self.client.scheduler_info(n_workers=-1)["workers"])
        cuts = cuts_of(groups, len(addresses))
        ends = np.concatenate([[0], np.cumsum(groups)])
        told = {
            "X": train["data"].to_numpy(dtype=np.float64),
            "y": np.asarray(train["label"]),
            "sample_weight": np.asarray(train["weight"]),
            "init_score": np.asarray(train["init_score"]),
        }
        found: dict[str, list[Any]] = {name: [] for name in [*told, "group"]}
        for number, (start, stop) in enumerate(pairwise(cuts)):
            mine = {name: values[ends[start] : ends[stop]] for name, values in told.items()}
            mine["group"] = groups[start:stop]
            for name, values in mine.items():
                # Not hashed: equal columns of two workers must not become one.
                part = self.client.scatter(values, workers=[addresses[number]], hash=False)
                found[name].append(da.from_delayed(part, values.shape, values.dtype))
        return {name: da.concatenate(parts) for name, parts in found.items()}


def _hush() -> None:
    """Keep what LightGBM tells of its network from standard output, where results go."""
    import lightgbm as lgb

    log = logging.getLogger("lightgbm")
    log.setLevel(logging.ERROR)
    lgb.register_logger(log)


def cuts_of(groups: NDArray[np.int64], workers: int) -> list[int]:
    """Cut briefs into at most so many runs of about as many rows each.

    Parameters
    ----------
    groups : ndarray of int64, shape (briefs,)
        Rows of each brief.
    workers : int
        How many runs are wanted.

    Returns
    -------
    list of int
        Where runs begin, and the end of the last: no run is empty.
    """
    ends = np.cumsum(groups)
    wanted = ends[-1] * np.arange(1, workers) / workers
    inner = np.searchsorted(ends, wanted, side="left") + 1
    return sorted({0, *(int(cut) for cut in inner), len(groups)})


def best_iteration(booster: lgb.Booster, valid: Mapping[str, Any], patience: int) -> int:
    """Return how many trees rank the validation briefs best, where early stopping would stop.

    Parameters
    ----------
    booster : Booster
        All trees.
    valid : mapping
        As in ``Forest.fit``.
    patience : int
        Trees without a better NDCG after which no more are looked at.
    """
    groups, score = np.asarray(valid["group"]), np.array(valid["init_score"], dtype=np.float64)
    data = valid["data"].to_numpy(dtype=np.float64)
    metric = Ndcg.of(np.asarray(valid["label"]), groups, np.asarray(valid["weight"]))
    best, told = 0, -np.inf
    for tree in range(booster.num_trees()):
        one = booster.predict(data, raw_score=True, start_iteration=tree, num_iteration=1)
        score += np.asarray(one)
        now = metric(score)
        if now > told:
            best, told = tree + 1, now
        if tree + 1 - best >= patience:
            break
    return best


@dataclass(frozen=True)
class Ndcg:
    """Mean NDCG of briefs as LightGBM counts it: each by the mean weight of its rows.

    Attributes
    ----------
    brief : ndarray of int64, shape (rows,)
        Each row's brief.
    place : ndarray of int64, shape (rows,)
        Places of the rows of a brief, from 0, in any order.
    gain : ndarray, shape (rows,)
        What each row is worth.
    ideal : ndarray, shape (briefs,)
        The most that a brief's first places can hold.
    weight : ndarray, shape (briefs,)
        How much each brief counts.
    """

    brief: NDArray[np.int64]
    place: NDArray[np.int64]
    gain: NDArray[np.float64]
    ideal: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(
        cls, label: NDArray[np.float64], groups: NDArray[np.int64], weight: NDArray[np.float64]
    ) -> Ndcg:
        """Prepare rows that come brief by brief."""
        brief = np.repeat(np.arange(len(groups)), groups)
        place = np.arange(len(brief)) - np.repeat(np.cumsum(groups) - groups, groups)
        gain = np.exp2(label) - 1
        mean = np.bincount(brief, weight) / groups
        plain = cls(brief, place, gain, np.ones(len(groups)), mean)
        return cls(brief, place, gain, plain.gained(gain), mean)

    def __call__(self, score: NDArray[np.float64]) -> float:
        """Return the mean over briefs of some scores; a brief without any gain is always 1."""
        some = self.ideal > 0
        told = np.divide(self.gained(score), self.ideal, out=np.ones(len(some)), where=some)
        return float(np.average(told, weights=self.weight))

    def gained(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the first places of each brief hold, shape (briefs,), ties in given order."""
        order = np.lexsort((self.place, -score, self.brief))
        worth = np.where(self.place < DEPTH, self.gain[order] / np.log2(self.place + 2), 0.0)
        return np.asarray(np.bincount(self.brief, worth), dtype=np.float64)


def _without_addresses(text: str) -> str:
    """Return a forest's text without what LightGBM notes of the machines that grew it."""
    text = re.sub(r"^\[machines: .*\]$", "[machines: ]", text, flags=re.MULTILINE)
    return re.sub(r"^\[local_listen_port: .*\]$", "[local_listen_port: 0]", text, flags=re.M)
