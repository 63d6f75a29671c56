import numpy as np
import pandas as pd
import pytest

from features.contract import GOALS
from features.signals import FAMILIES as EVERY
from matcher.model import Matcher
from matcher.scout import FAMILIES, Scout


def pairs(seed: int = 0, briefs: int = 40, each: int = 30) -> pd.DataFrame:
    """Signals of which two decide, the second the other way round for one goal."""
    rng = np.random.default_rng(seed)
    size = briefs * each
    brief = np.repeat(np.arange(briefs), each)
    return pd.DataFrame(
        {
            "category.goal": (brief % 2).astype(float),
            "reach.median_views": rng.normal(8, 1, size) + brief,  # briefs differ in level
            "price.log": rng.normal(6, 2, size),
            "growth.views": rng.normal(0, 1, size),
            "content.best": rng.normal(0, 1, size),
            "reach.tier": 1.0,
        },
        index=[f"b{b}" for b in brief],
    )


def said(signals: pd.DataFrame) -> np.ndarray:
    turned = np.where(signals["category.goal"] == 0, 1.0, -1.0)
    level = 50.0 * signals.groupby(level=0)["price.log"].transform("mean")
    return (signals["reach.median_views"] - turned * signals["price.log"] + level).to_numpy()


def test_it_orders_as_the_ranker_does_inside_each_brief_and_goal() -> None:
    learned = pairs()
    scout = Scout.fit(learned, said(learned), learned.index.to_series())
    asked = pairs(seed=1)
    frame = pd.DataFrame({"said": said(asked), "guess": scout(asked)}, index=asked.index)
    alike = [own.corr(method="spearman").loc["said", "guess"] for _, own in frame.groupby(level=0)]
    assert min(alike) > 0.98
    assert np.median(alike) > 0.99


def test_it_reads_only_what_is_looked_up_and_varies() -> None:
    learned = pairs()
    scout = Scout.fit(learned, said(learned), learned.index.to_series())
    assert set(scout.usual) == {"reach.median_views", "price.log", "growth.views"}
    assert set(scout.weights) == {"", GOALS[0], GOALS[1]}
    assert set(FAMILIES) < {family.name for family in EVERY}


def test_an_unknown_signal_counts_as_the_usual_and_an_unknown_goal_as_any() -> None:
    learned = pairs()
    scout = Scout.fit(learned, said(learned), learned.index.to_series())
    row = pairs(seed=2).head(1)
    unknown, usual = (
        row.assign(**{"price.log": np.nan}),
        row.assign(**{"price.log": scout.usual["price.log"]}),
    )
    assert scout(unknown) == pytest.approx(scout(usual))
    other = Scout(scout.usual, {"": scout.weights[""]})
    assert scout(row.assign(**{"category.goal": np.nan}))[0] == pytest.approx(
        other(row.assign(**{"category.goal": np.nan}))[0]
    )


def test_a_row_is_guessed_the_same_alone_to_the_last_bit() -> None:
    learned = pairs()
    scout = Scout.fit(learned, said(learned), learned.index.to_series())
    whole = scout(learned)
    assert [scout(learned.iloc[[i]])[0] for i in (0, 31, 1199)] == whole[[0, 31, 1199]].tolist()
    np.testing.assert_array_equal(scout(learned.iloc[::-1]), whole[::-1])


def test_where_nothing_is_looked_up_it_guesses_everybody_alike() -> None:
    texts = pairs().assign(**{"category.goal": np.nan})[["category.goal", "content.best"]]
    scout = Scout.fit(texts, texts["content.best"].to_numpy(), texts.index.to_series())
    assert scout(texts).tolist() == [0.0] * len(texts)


def test_it_is_saved_with_the_model(matcher: Matcher, tmp_path, past) -> None:
    _, signals = past
    assert matcher.ranker is not None
    assert matcher.forecaster is not None
    scout = Scout.fit(
        signals, matcher.ranker.score(signals, matcher.forecaster), past[0]["brief_id"]
    )
    with_scout = Matcher(
        matcher.config, matcher.encoder_id, matcher.forecaster, matcher.ranker, scout=scout
    )
    with_scout.save(tmp_path)
    again = Matcher.load(tmp_path)
    assert again.scout == scout
    assert again.hash == with_scout.hash != matcher.hash
