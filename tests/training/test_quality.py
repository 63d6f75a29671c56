"""The point of it all, at a size for every day: the learned ranking against a known truth.

`benchmarks/seeded_world.py` measures the same on larger markets with real text vectors.
"""

from collections.abc import Iterator

import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import simulate
from features.vectors import Embeddings
from matcher.candidates import candidates
from matcher.config import Config
from training.evaluate import HEADLINE, MODEL, Evaluation, Score, rank_lists, rankers
from training.fit import fit_matcher, plan_by_time, plan_examples
from training.labels import true_grades

TRUTH = "truth"


@pytest.fixture(scope="module")
def evaluation(embeddings: Embeddings) -> Evaluation:
    """Return how the model, every simple rule and an oracle rank briefs decided after the cut."""
    world, config = simulate(kols=300, briefs=400, seed=1), Config()
    history, pipeline = History(world.tables), FeaturePipeline(config.features, embeddings)
    plan = plan_by_time(world.tables, config)
    examples, pipeline = plan_examples(plan, history, pipeline, config)
    matcher = fit_matcher(examples, plan, config, pipeline)
    by: dict[str, Score] = rankers(matcher)

    def lists() -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.Series]]:
        test = examples.of(plan.briefs("test")).pairs
        questions = test[["brief_id", "as_of"]].drop_duplicates("brief_id")
        for part in candidates(questions, history, pipeline, config):
            found = matcher.settled(part, history, pipeline)
            value = world.truth(found.pairs.assign(mode=found.offers["mode"]))["value_per_cost"]
            yield found.pairs, found.signals, true_grades(value, found.pairs["brief_id"])

    brands = world.tables.briefs.set_index("brief_id")["brand_id"]
    return rank_lists(lists(), by, brands, TRUTH)


def test_the_model_clearly_beats_the_best_simple_rule(evaluation: Evaluation) -> None:
    best = evaluation.best_baseline(TRUTH)
    lead = evaluation.comparison(TRUTH).set_index("ranker").loc[best]
    assert lead["briefs"] >= 40
    assert lead["low"] > 0.1


def test_the_model_comes_half_the_way_to_the_oracle(evaluation: Evaluation) -> None:
    means = evaluation.summary(TRUTH)[HEADLINE]
    rule, oracle = means[evaluation.best_baseline(TRUTH)], 1.0
    assert (means[MODEL] - rule) / (oracle - rule) > 0.5


def test_simple_rules_that_know_something_beat_chance(evaluation: Evaluation) -> None:
    means = evaluation.summary(TRUTH)[HEADLINE]
    assert means["value per price"] > means["random"] + 0.1
