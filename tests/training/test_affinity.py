import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from matcher.config import Config
from training.affinity import learn_affinity
from training.examples import Examples, build_examples, graded_pairs
from training.fit import Plan, plan_by_time


@pytest.fixture(scope="module")
def plan(history: History, config: Config) -> Plan:
    return plan_by_time(history.tables, config)


@pytest.fixture(scope="module")
def settings(history: History, config: Config) -> Config:
    return config.with_spaces(history.tables)


@pytest.fixture(scope="module")
def base(pipeline: FeaturePipeline, settings: Config) -> FeaturePipeline:
    return FeaturePipeline(settings.features, pipeline.embeddings)


@pytest.fixture(scope="module")
def examples(history: History, base: FeaturePipeline, plan: Plan, settings: Config) -> Examples:
    tables, teaching = history.tables, plan.briefs("train")
    graded = graded_pairs(tables, teaching, plan.known_before, settings.training)
    return build_examples(tables, history, base, graded, settings.training, settings.seed)


def affinity(examples: Examples) -> pd.DataFrame:
    return examples.signals.filter(regex=r"^affinity\.")


def test_every_space_gives_signals_that_the_pipeline_gives_again(
    examples: Examples, plan: Plan, history: History, base: FeaturePipeline, settings: Config
) -> None:
    found, learned = learn_affinity(examples, plan.briefs("train"), history, base, settings)
    assert {p.space for p in learned.projections} == {"posts", "image"}
    assert list(found.signals) == learned.names
    assert affinity(found).notna().mean().min() > 0.2
    test = found.of(plan.briefs("test"))
    again = learned.transform(test.pairs, history)
    pd.testing.assert_frame_equal(again, test.signals, check_exact=True)


def test_a_teaching_pair_is_told_only_what_other_brands_taught(
    examples: Examples, plan: Plan, history: History, base: FeaturePipeline, settings: Config
) -> None:
    always = settings.model_copy(
        update={"affinity": settings.affinity.model_copy(update={"strength": (1.0,)})}
    )
    teaches = examples.pairs["brief_id"].isin(plan.briefs("train"))
    brand = examples.pairs.loc[teaches & examples.pairs["known"], "brand_id"].mode()[0]
    own = ((examples.pairs["brand_id"] == brand) & teaches).to_numpy()
    turned = examples.pairs.copy()
    turned.loc[own, "grade"] = 4 - turned.loc[own, "grade"]
    teaching = plan.briefs("train")
    honest, _ = learn_affinity(examples, teaching, history, base, always)
    planted, _ = learn_affinity(Examples(turned, examples.signals), teaching, history, base, always)
    one, other = affinity(honest), affinity(planted)
    pd.testing.assert_frame_equal(one[own], other[own], check_exact=True)
    rest = ~own & teaches.to_numpy()
    assert (one[rest].fillna(0) != other[rest].fillna(0)).any(axis=None)


def test_briefs_that_do_not_teach_leave_no_trace(
    examples: Examples, plan: Plan, history: History, base: FeaturePipeline, settings: Config
) -> None:
    teaching = plan.briefs("train")
    _, whole = learn_affinity(examples, teaching, history, base, settings)
    _, alone = learn_affinity(examples.of(teaching), teaching, history, base, settings)
    assert whole.projections == alone.projections


def test_without_a_preference_nothing_is_learned(
    examples: Examples, plan: Plan, history: History, base: FeaturePipeline, settings: Config
) -> None:
    silent = Examples(examples.pairs.assign(grade=1.0), examples.signals)
    found, learned = learn_affinity(silent, plan.briefs("train"), history, base, settings)
    assert learned is base
    assert found is silent


def test_preference_is_spread_by_gain_over_what_is_known(config: Config) -> None:
    pairs = pd.DataFrame(
        {
            "brief_id": ["a", "a", "a", "b", "b", "c"],
            "grade": [2.0, 1.0, 0.0, 3.0, 3.0, 4.0],
            "known": [True, True, False, True, True, True],
            "judged": [True, True, False, True, True, True],
            "choice": "",
        }
    )
    told = Examples(pairs, pd.DataFrame(index=pairs.index)).preference(config.training)
    np.testing.assert_allclose(told, [0.75, 0.25] + [np.nan] * 4)
    chosen = config.training.model_copy(update={"unknown": "negative"})
    pairs["judged"] = False
    told = Examples(pairs, pd.DataFrame(index=pairs.index)).preference(chosen)
    np.testing.assert_allclose(told, [0.5, 0.5, 0.0] + [np.nan] * 3)


def test_a_space_in_which_nobody_stands_anywhere_teaches_nothing(
    examples: Examples, plan: Plan, history: History, base: FeaturePipeline, settings: Config
) -> None:
    tables = history.tables
    zero = [np.zeros(len(vector)) for vector in tables.vectors["vector"]]
    silent = tables.replace(
        posts=tables.posts.assign(text=pd.NA, tags=[()] * len(tables.posts)),
        vectors=tables.vectors.assign(vector=zero),
    )
    found, learned = learn_affinity(examples, plan.briefs("train"), History(silent), base, settings)
    assert learned is base
    assert found is examples
