"""Learn from texts and human grades alone, and rank for brands never seen.

    python benchmarks/judged.py --briefs 200 --kols 500 --seeds 0 1 2

For each seed a set of texts and grades is made (`features.simulate.judged_set`): judges grade by
subject and by tastes of their own. Brand-grouped folds train exactly as ``kolmatch train`` does,
and every ranker orders the KOLs that people judged for a brief (``judgments``), and everybody
graded by what an unerring judge would say (``truth``: 4 for the top 5% of all KOLs, then 3 to 15%,
2 to 35%, 1 to 65%).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import JudgedSet, judged_set
from features.vectors import Embeddings, VectorStore
from matcher.candidates import candidates
from matcher.config import Config
from matcher.ranker import GOOD, JUDGMENTS
from training.evaluate import MODEL, Evaluation, rank_lists, rankers
from training.fit import plans
from training.labels import true_grades
from training.rounds import Round, calibration_metrics, forecast_tried, play

TRUTH = "truth"
SHOWN = (MODEL, "likeness", "content cosine", "bio cosine", "shared words", "random")
COLUMNS = ["ndcg@5", "ndcg@10", "recall@20", "auc"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--briefs", type=int, default=200)
    parser.add_argument("--kols", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--config", type=Path, help="TOML with settings")
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    found = [measure(arguments, seed) for seed in arguments.seeds]
    print(f"\n{arguments.briefs:,} briefs, {arguments.kols:,} KOLs, seeds {arguments.seeds}")
    for view, told in ((JUDGMENTS, "KOLs that people judged"), (TRUTH, "all KOLs, true grades")):
        pooled = Evaluation(pd.concat([e.per_brief for e, _ in found], ignore_index=True))
        print(f"\n{told}, means over briefs of all seeds\n")
        print(pooled.summary(view)[COLUMNS].round(3).to_markdown())
        print(f"\n{MODEL} minus ranker, NDCG@10, 95% interval over brands\n")
        print(pooled.comparison(view).round(3).to_markdown(index=False))
    print("\nChance of a grade of 3 or 4, test judgments\n")
    told = pd.DataFrame(
        [{"seed": s, **n} for s, (_, n) in zip(arguments.seeds, found, strict=True)]
    )
    print(told.round(4).to_markdown(index=False))


def measure(arguments: argparse.Namespace, seed: int) -> tuple[Evaluation, dict[str, float]]:
    """Train and test on every fold of one set."""
    started = time.perf_counter()
    made = judged_set(briefs=arguments.briefs, kols=arguments.kols, seed=seed)
    config = Config.load(arguments.config).model_copy(update={"seed": seed})
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(arguments.vectors))
    history, pipeline = History(made.tables), FeaturePipeline(config.features, embeddings)
    _, parted = plans(made.tables, config)
    rounds, measured = [], []
    for plan in parted:
        rounds.append(play(plan, history, pipeline, config))
        judged = rounds[-1].evaluation.per_brief
        measured += [
            judged[judged["view"] == JUDGMENTS],
            _against_truth(made, rounds[-1], history, embeddings),
        ]
        print(
            f"seed {seed}: {plan.name} after {time.perf_counter() - started:.0f} s", file=sys.stderr
        )
    table = pd.concat(measured, ignore_index=True)
    table = table[table["ranker"].isin(SHOWN)]
    # The same names are other briefs and brands in another set.
    table = table.assign(
        brief_id=f"{seed}-" + table["brief_id"], brand_id=f"{seed}-" + table["brand_id"]
    )
    told = pd.concat([forecast_tried(r.matcher, r.test) for r in rounds], ignore_index=True)
    return Evaluation(table), {"judged pairs": len(told)} | calibration_metrics(told)


def _against_truth(
    made: JudgedSet, played: Round, history: History, embeddings: Embeddings
) -> pd.DataFrame:
    """Rank everybody for the test briefs of a round, graded by the truth."""
    questions = played.test.pairs[["brief_id", "as_of"]].drop_duplicates("brief_id")
    pipeline = played.matcher.pipeline(embeddings)

    def lists() -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.Series]]:
        for found in candidates(questions, history, pipeline, played.matcher.config):
            fit = made.truth(found.pairs)
            yield found.pairs, found.signals, true_grades(fit, found.pairs["brief_id"])

    brands = made.tables.briefs.set_index("brief_id")["brand_id"]
    return rank_lists(lists(), rankers(played.matcher), brands, TRUTH, threshold=GOOD).per_brief


if __name__ == "__main__":
    main()
