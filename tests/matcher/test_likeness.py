import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from matcher.likeness import Likeness


def lists(briefs: int = 60, seed: int = 0) -> tuple[pd.DataFrame, NDArray, NDArray]:
    """Ten KOLs a brief; the one with the highest `content.top3` was chosen."""
    rng = np.random.default_rng(seed)
    signals = pd.DataFrame(
        rng.normal(size=(briefs * 10, 3)),
        columns=["content.top3", "content.bio", "price.log"],
    )
    brief = np.repeat(np.arange(briefs), 10)
    best = signals["content.top3"].groupby(brief).transform("max")
    return signals, (signals["content.top3"] == best).to_numpy(dtype=float), brief


def test_weight_goes_to_what_decided() -> None:
    learned = Likeness.fit(*lists())
    assert learned.weights["content.top3"] > 0.5
    assert abs(learned.weights["content.bio"]) < learned.weights["content.top3"] / 5
    signals, target, brief = lists(seed=1)
    first = pd.Series(learned(signals)).groupby(brief).idxmax()
    assert target[first].mean() > 0.9


def test_only_signals_of_likeness_are_learned_from() -> None:
    signals, target, brief = lists()
    assert set(Likeness.fit(signals, target, brief).weights) == {"content.top3", "content.bio"}


def test_a_space_that_was_projected_is_not_compared_as_it_is_too() -> None:
    signals, target, brief = lists()
    signals = signals.assign(**{"vectors.topic_cosine": signals["content.top3"]})
    assert "vectors.topic_cosine" in Likeness.fit(signals, target, brief).weights
    signals = signals.assign(**{"affinity.cosine_topic": signals["content.top3"]})
    assert "vectors.topic_cosine" not in Likeness.fit(signals, target, brief).weights


def test_unknown_counts_as_usual_and_a_signal_nobody_has_as_nothing() -> None:
    signals, target, brief = lists()
    signals = signals.assign(**{"content.mean": np.nan})
    learned = Likeness.fit(signals, target, brief)
    assert "content.mean" not in learned.weights
    unknown = pd.DataFrame(np.nan, index=[0], columns=signals.columns)
    assert learned(unknown).tolist() == [0.0]


def test_contributions_add_up_to_the_score() -> None:
    signals, target, brief = lists()
    learned = Likeness.fit(signals, target, brief)
    parts = learned.contributions(signals)
    assert parts.shape == signals.shape
    np.testing.assert_allclose(parts.sum(axis=1), learned(signals))


def test_nothing_to_learn_from_scores_all_alike() -> None:
    signals, _, _ = lists(briefs=2)
    none = Likeness.fit(signals.head(0), np.empty(0), np.empty(0, dtype=np.int64))
    assert none(signals).tolist() == [0.0] * 20


def test_the_order_of_rows_does_not_matter() -> None:
    signals, target, brief = lists()
    order = np.random.default_rng(3).permutation(len(signals))
    mixed = Likeness.fit(signals.iloc[order], target[order], brief[order])
    assert mixed.weights == pytest.approx(Likeness.fit(signals, target, brief).weights, abs=1e-4)
