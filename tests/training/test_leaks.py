"""Planting a column that knows the future must fail the check that every example has to pass."""

from typing import Any

import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.signals import FAMILIES, Family
from features.tables import Tables
from matcher.config import Config
from training.examples import Examples, build_examples, graded_pairs
from training.fit import plan_by_time


def examples_of(history: History, pipeline: FeaturePipeline, config: Config) -> Examples:
    plan = plan_by_time(history.tables, config)
    graded = graded_pairs(history.tables, plan.briefs("train"), plan.known_before, config.training)
    few = graded[graded["brief_id"].isin(graded["brief_id"].drop_duplicates().iloc[::12])]
    return build_examples(history.tables, history, pipeline, few, config.training, config.seed)


def assert_signals_are_of_their_time(
    examples: Examples, pipeline: FeaturePipeline, tables: Tables
) -> None:
    """Assert that what a model learns from was known at each decision, to the last bit."""
    for as_of, pairs in examples.pairs.groupby("as_of"):
        then = pipeline.transform(pairs, tables.as_of(as_of))
        pd.testing.assert_frame_equal(examples.signals.loc[pairs.index], then, check_exact=True)


def test_examples_know_nothing_of_what_came_later(
    history: History, pipeline: FeaturePipeline, config: Config
) -> None:
    examples = examples_of(history, pipeline, config)
    assert examples.pairs["as_of"].nunique() >= 4
    assert_signals_are_of_their_time(examples, pipeline, history.tables)


def _outcome(view: Any, embeddings: Any, config: Any) -> dict[str, Any]:
    """Tell what the collaboration of the pair itself brought."""
    tables = view.history.tables
    done = tables.outcomes.merge(tables.collaborations, on="collaboration_id")
    views = done.groupby(["brief_id", "kol_id"])["views"].max()
    pair = pd.MultiIndex.from_arrays(
        [view.history.brief_ids[view.brief], view.history.kol_ids[view.kol]]
    )
    return {"views": views.reindex(pair).to_numpy()}


def _shown(view: Any, embeddings: Any, config: Any) -> dict[str, Any]:
    """Tell how often the KOL was shown, ever."""
    shown = view.history.tables.collaborations["kol_id"].value_counts()
    return {"times": shown.reindex(view.history.kol_ids[view.kol]).fillna(0).to_numpy()}


@pytest.mark.parametrize(("leak", "signal"), [(_outcome, "views"), (_shown, "times")])
def test_a_planted_leak_is_caught(
    history: History, pipeline: FeaturePipeline, config: Config, leak: Any, signal: str
) -> None:
    family = Family("leak", leak, {signal: "of all times"}, "leak", "泄漏")
    leaky = FeaturePipeline(config.features, pipeline.embeddings, (*FAMILIES, family))
    examples = examples_of(history, leaky, config)
    with pytest.raises(AssertionError, match=f"leak.{signal}"):
        assert_signals_are_of_their_time(examples, leaky, history.tables)
