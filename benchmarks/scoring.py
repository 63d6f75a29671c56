"""Measure scoring of candidates against pandas and LightGBM: the same candidates, the same scores.

    python benchmarks/scoring.py --kols 10000 --briefs 50 --work /tmp/match

Candidates are those that `match` would score (`benchmarks.match` says of which market). Every way
is run once a round, one after the other, so that "times" compares what was measured together;
seconds are of the processor, one thread. MB are what Python and numpy asked for beyond what was
held before, in one more round.

kolmatch makes every signal of a pair and scores it. The peer

* joins what is known of KOLs, of briefs and of pairs by `merge`;
* compares each brief with the posts of its candidates by a join, numpy and groups
  (`benchmarks.pandas_texts`), given what belongs to one side: vectors and bags of words among it;
* scores the joined table by `Booster.predict`, every forest every row; what it would take if it
  asked, as kolmatch does, only the forests that a row's goal is made of is told beside.

Whatever else a pair's columns took the peer is given for nothing: prices, audiences, the past. The
first 20 of each brief must be kolmatch's.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
import pandas as pd
from big_world import base_world, big_tables, open_ids
from machine import machine
from match import embeddings_in, model_in
from pandas_texts import PandasTexts

from features.history import History
from features.view import View
from matcher import forest
from matcher.candidates import Candidates, candidates
from matcher.forecast import VALUE, goals_of
from matcher.model import Matcher
from matcher.retrieval import Retrieval

Ways: TypeAlias = dict[str, Callable[[], Any]]
BEST = 20
OURS, THEIRS = "kolmatch, together", "pandas and LightGBM, together"
OWN_TEXTS, OWN_SCORE = "kolmatch: signals that compare texts", "kolmatch: the score"
TEXTS, PREDICT, FEW = (
    "pandas and numpy: signals that compare texts",
    "LightGBM predict: the score",
    "LightGBM predict: only the forests that a row's goal asks",
)
NEVER = 10**18
"""Rows times trees after which LightGBM would no longer score: the peer's forests go by it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=10_000)
    parser.add_argument("--briefs", type=int, default=50, help="a chunk, as served")
    parser.add_argument("--posts", type=int, default=10, help="observations of posts a KOL, most")
    parser.add_argument("--profiles", type=int, default=2, help="profiles a KOL, at most")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--families", action="store_true", help="time each family of signals")
    parser.add_argument("--work", type=Path, required=True, help="folder for model and vectors")
    arguments = parser.parse_args()
    case = Case(arguments)
    seconds, most = measured({**case.ours, **case.theirs, **case.aside}, arguments.rounds)
    rows = len(case.pairs)
    told = {name: np.array(values) / rows * 1e6 for name, values in seconds.items()}
    sums = {}
    for whole, parts in ((OURS, case.ours), (THEIRS, case.theirs)):
        sums[whole] = sum(told[name] for name in parts)
        most[whole] = max(most[name] for name in parts)
    table = [(name, np.median(us), most[name] / 1e6) for name, us in (told | sums).items()]
    print(f"\n{machine('numpy', 'pandas', 'lightgbm', 'numba')}")
    print(f"{arguments.kols:,} KOLs, {arguments.briefs} briefs, {rows:,} pairs\n")
    frame = pd.DataFrame(table, columns=["step", "us a pair", "MB beside"])
    print(frame.round(2).to_markdown(index=False))
    compared = {
        "signals that compare texts": (told[TEXTS], told[OWN_TEXTS]),
        "the score": (told[PREDICT], told[OWN_SCORE]),
        "together": (sums[THEIRS], sums[OURS]),
        "together, the peer asking each goal's forests only": (
            sums[THEIRS] - told[PREDICT] + told[FEW],
            sums[OURS],
        ),
    }
    print(f"\n{times_table(compared)}\n")
    for what, value in case.agreement().items():
        print(f"{what}: {value}")


class Case:
    """The same candidates, and every way to score them.

    Attributes
    ----------
    pairs : DataFrame
        PAIRS.
    ours, theirs : dict of str to callable
        Steps that together score the pairs, kolmatch's way and the peer's.
    aside : dict of str to callable
        Parts of kolmatch's steps.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        model_in(arguments.work)
        embeddings = embeddings_in(arguments.work)
        # Two of them, for a forest that has scored its own way does so from then on.
        self._matcher, self._slow = (Matcher.load(arguments.work / "model") for _ in range(2))
        world, matcher = base_world(), self._matcher
        size = {"posts": arguments.posts, "profiles": arguments.profiles}
        tables = big_tables(world, arguments.kols, arguments.briefs, **size)
        history, pipeline = History(tables), matcher.pipeline(embeddings)
        retrieval = Retrieval(history, pipeline, matcher.config.retrieval, matcher.scout)
        asked = pd.DataFrame({"brief_id": open_ids(arguments.briefs)}).assign(as_of=world.as_of)
        found = next(iter(candidates(asked, history, pipeline, matcher.config, retrieval)))
        self.pairs, self._found = found.pairs, found
        self._texts = PandasTexts(found.pairs, history, pipeline, matcher.projections)
        self._frames = parted(found)
        self._joined = self._merged()[list(found.signals)]
        compared = pipeline.parted({"content", "affinity"})[0]

        def seen() -> View:
            return View(found.pairs, history, pipeline.config.recent_posts)

        def anew() -> None:
            assert history.kept is not None
            history.kept._rows.clear()
            pipeline.transform(found.pairs, history)

        views = [seen() for _ in range(arguments.rounds + 2)]
        self.ours: Ways = {
            "kolmatch: every signal": lambda: pipeline.transform(found.pairs, history),
            OWN_SCORE: self._scored,
        }
        self.theirs: Ways = {
            "pandas: merge three frames": self._merged,
            TEXTS: self._texts.signals,
            PREDICT: self._predicted,
        }
        self.aside: Ways = {
            # Whose pairs are which is known, as the peer knows it.
            OWN_TEXTS: lambda: compared.transform(views.pop(), history),
            FEW: self._predicted_few,
            "kolmatch: every signal, of KOLs whom nobody asked about": anew,
        }
        for family in pipeline.families if arguments.families else ():
            self.aside[f"family {family.name}"] = lambda of=family.function: of(
                seen(), embeddings, pipeline.config
            )
        for way in (*self.ours.values(), *self.aside.values()):  # loops are compiled
            way()

    def agreement(self) -> dict[str, Any]:
        """Say how far both ways say the same."""
        mine, theirs = self._scored(), self._predicted()
        texts = self._texts.signals()
        own = self._found.signals[list(texts)]
        return {
            f"first {BEST} alike": best(self._found, mine) == best(self._found, theirs),
            "scores equal to the bit": np.array_equal(mine, theirs),
            "texts apart at most": f"{(texts - own).abs().max().max():.1e}",
            "texts known alike": bool(texts.isna().eq(own.isna()).all(axis=None)),
        }

    def _merged(self) -> pd.DataFrame:
        return (
            self.pairs[["brief_id", "kol_id"]]
            .merge(self._frames["kol"], on="kol_id", how="left")
            .merge(self._frames["brief"], on="brief_id", how="left")
            .merge(self._frames["pair"], on=["brief_id", "kol_id"], how="left")
        )

    def _scored(self) -> Any:
        # Forests score their own way from the first, as in a run of some hundred briefs.
        with patch.object(forest, "SCORER_COST", 0):
            return self._matcher.margin(self._found.signals)

    def _predicted(self) -> Any:
        """Score as by hand: every forest predicts every row, and a goal takes its own."""
        forecaster, ranker = self._slow.forecaster, self._slow.ranker
        assert forecaster is not None and ranker is not None
        with patch.object(forest, "SCORER_COST", NEVER):
            logs = {name: head.log(self._joined) for name, head in forecaster.heads.items()}
            goals = goals_of(self._joined).to_numpy()
            value = np.full(len(goals), np.nan)
            for goal, names in VALUE.items():
                rows = goals == goal
                value[rows] = np.sum([logs[name][rows] for name in names], axis=0)
            usual = pd.Series(goals).map(dict(forecaster.typical)).to_numpy(dtype=np.float64)
            known = np.nan_to_num(value - forecaster.prices(self._joined) - usual, nan=0.0)
            return ranker.start_weight * known + ranker.forest.predict(self._joined)

    def _predicted_few(self) -> Any:
        """Score by `predict`, each row only by the forests that its goal is made of."""
        with patch.object(forest, "SCORER_COST", NEVER):
            return self._slow.margin(self._joined)


def times_table(pairs_of: Mapping[str, tuple[Any, ...]]) -> str:
    """Tell how many times as long the peer takes, round by round."""
    ratios = {name: theirs / ours for name, (theirs, ours) in pairs_of.items()}
    return (
        pd.DataFrame(
            [(name, np.median(r), r.min(), r.max()) for name, r in ratios.items()],
            columns=["peer over kolmatch", "times", "least", "most"],
        )
        .round(2)
        .to_markdown(index=False)
    )


def parted(found: Candidates) -> dict[str, pd.DataFrame]:
    """Cut signals into what is one value a KOL, one a brief, and one a pair."""
    keys = found.pairs[["brief_id", "kol_id"]]
    whole = pd.concat([keys, found.signals], axis=1)
    names = list(found.signals)
    varied = {
        side: whole.groupby(side)[names].nunique(dropna=False).gt(1).any()
        for side in ("kol_id", "brief_id")
    }
    of_brief = [name for name in names if not varied["brief_id"][name]]
    of_kol = [name for name in names if not varied["kol_id"][name] and name not in of_brief]
    of_pair = [name for name in names if name not in {*of_brief, *of_kol}]
    return {
        "brief": whole[["brief_id", *of_brief]].drop_duplicates("brief_id"),
        "kol": whole[["kol_id", *of_kol]].drop_duplicates("kol_id"),
        "pair": whole[["brief_id", "kol_id", *of_pair]],
    }


def best(found: Candidates, score: Any) -> list[list[str]]:
    """Return the first KOLs of each brief by a score."""
    ranked = found.pairs.assign(score=score).sort_values(
        ["brief_id", "score", "kol_id"], ascending=[True, False, True]
    )
    return [list(own["kol_id"].head(BEST)) for _, own in ranked.groupby("brief_id")]


def measured(
    ways: Mapping[str, Callable[[], Any]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return seconds of the processor of each way in each round, and the most bytes of each."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, work in ways.items():
            started = time.process_time()
            work()
            seconds[name].append(time.process_time() - started)
    most = {}
    for name, work in ways.items():
        tracemalloc.start()
        work()
        most[name] = float(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return seconds, most


if __name__ == "__main__":
    main()
