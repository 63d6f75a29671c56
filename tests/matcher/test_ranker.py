from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from matcher.config import RankerConfig
from matcher.forecast import Forecaster
from matcher.ranker import Calibration, FitRanker, RankingData

NOTHING_FORECAST = Forecaster({}, {})


def _data(briefs: int, seed: int) -> RankingData:
    """Ten KOLs a brief; the grade is decided by `fit`, `noise` says nothing."""
    rng = np.random.default_rng(seed)
    signals = pd.DataFrame(rng.normal(size=(briefs * 10, 2)), columns=["fit", "noise"])
    signals["category.goal"], signals["price.relative"] = 0.0, np.nan
    grade = pd.Series(np.digitize(signals["fit"], [-1, 0, 0.7, 1.3]).astype(float))
    return RankingData(
        signals=signals,
        known=np.zeros(len(signals)),
        brief_id=pd.Series(np.repeat([f"b{i}" for i in range(briefs)], 10)),
        grade=grade,
        weight=pd.Series(1.0, index=grade.index),
        told=pd.Series(True, index=grade.index),
        success=grade >= 3,
    )


def test_the_ranker_learns_what_decides_the_grade() -> None:
    config = RankerConfig(trees=40, min_rows_per_leaf=5, learning_rate=0.1)
    ranker = FitRanker.fit(_data(60, 0), _data(20, 1), None, config, seed=0)
    test = _data(20, 2).signals
    score = ranker.score(test, NOTHING_FORECAST)
    assert np.corrcoef(score, test["fit"])[0, 1] > 0.85
    assert abs(np.corrcoef(score, test["noise"])[0, 1]) < 0.2


def test_trees_start_from_the_forecast_and_have_nothing_to_add_where_it_is_right() -> None:
    config = RankerConfig(trees=40, min_rows_per_leaf=5, learning_rate=0.1)
    told = [replace(d, known=5 * d.signals["fit"].to_numpy()) for d in (_data(60, 0), _data(20, 1))]
    knowing = FitRanker.fit(*told, None, config, seed=0)
    ignorant = FitRanker.fit(_data(60, 0), _data(20, 1), None, config, seed=0)
    test = _data(20, 2).signals
    assert np.ptp(knowing.forest.predict(test)) < np.ptp(ignorant.forest.predict(test)) / 3


def test_contributions_add_up_to_the_margin_up_to_a_constant() -> None:
    ranker = FitRanker.fit(_data(30, 0), _data(10, 1), None, RankerConfig(trees=20), seed=0)
    signals = _data(5, 2).signals
    rest = ranker.score(signals, NOTHING_FORECAST) - ranker.contributions(
        signals, NOTHING_FORECAST
    ).sum(axis=1)
    np.testing.assert_allclose(rest, rest.iloc[0], atol=1e-9)


def test_rows_of_one_brief_are_put_together_in_a_stable_order() -> None:
    data = replace(_data(5, 0), position=pd.Series(np.arange(50)))
    mixed = np.random.default_rng(1).permutation(50)
    shuffled = RankingData(
        *(v[mixed] if isinstance(v, np.ndarray) else v.iloc[mixed] for v in vars(data).values())
    )
    straight, again = data.as_dataset(1.0), shuffled.as_dataset(1.0)
    assert again["group"].tolist() == [10] * 5
    for start in range(0, 50, 10):
        part = slice(start, start + 10)
        assert sorted(again["label"][part]) == sorted(straight["label"][part])
        assert sorted(again["position"][part]) == list(range(start, start + 10))


@pytest.mark.parametrize("bad", [{"grade": np.nan}, {"weight": -1.0}, {"weight": np.inf}])
def test_values_that_lightgbm_takes_without_a_word_are_refused(bad: dict[str, float]) -> None:
    data = _data(2, 0)
    for name, value in bad.items():
        getattr(data, name).iloc[3] = value
    with pytest.raises(ValueError, match="1 rows without a finite grade and weight"):
        data.as_dataset(1.0)


def test_calibration_recovers_a_logistic_curve() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(size=20_000)
    success = rng.random(20_000) < 1 / (1 + np.exp(-(1.5 * margin - 0.5)))
    curve = Calibration.fit(margin, success)
    assert curve.slope == pytest.approx(1.5, abs=0.1)
    assert curve.intercept == pytest.approx(-0.5, abs=0.1)
    assert curve.seen == 20_000


@pytest.mark.parametrize(
    ("margin", "success"),
    [
        ([1.0, 2.0, 3.0], [True, True, True]),  # one class
        (list(range(20)), [True] * 10 + [False] * 10),  # margins that mislead
        ([], []),
    ],
)
def test_a_curve_never_turns_an_order_around(margin: list[float], success: list[bool]) -> None:
    curve = Calibration.fit(np.array(margin, dtype=float), np.array(success, dtype=bool))
    told = curve(np.array([-5.0, 0.0, 5.0]))
    assert (np.diff(told) >= 0).all()
    assert ((told > 0) & (told < 1)).all()


def test_few_outcomes_never_make_a_chance_certain() -> None:
    separable = np.arange(-10.0, 10.0)
    curve = Calibration.fit(separable, separable >= 0)
    told = curve(np.array([-1e6, 1e6]))
    assert told.tolist() == pytest.approx([1 / 22, 21 / 22])


def _chosen(briefs: int, seed: int) -> RankingData:
    """Who was chosen from lists that were ordered by `noise` and luck, and read from the top."""
    data, rng = _data(briefs, seed), np.random.default_rng(seed)
    key = 0.7 * data.signals["noise"].to_numpy() + 0.7 * rng.normal(size=briefs * 10)
    place = (-key).reshape(briefs, 10).argsort(axis=1).argsort(axis=1).ravel() + 1
    pull = 2 * data.signals["fit"].to_numpy() - 0.6 * place + 2.3
    chosen = (rng.random(len(place)) < 1 / (1 + np.exp(-pull))).astype(float)
    return replace(data, grade=pd.Series(chosen), position=pd.Series(place))


def test_the_pull_of_places_is_told_apart_from_what_decides() -> None:
    train, valid, test = _chosen(150, 0), _chosen(40, 1), _chosen(40, 2).signals

    def score(train: RankingData, regularization: float = 0.0) -> dict[str, float]:
        config = RankerConfig(
            trees=100,
            min_rows_per_leaf=5,
            learning_rate=0.1,
            position_regularization=regularization,
        )
        ranker = FitRanker.fit(train, valid, None, config, seed=0)
        margin = ranker.score(test, NOTHING_FORECAST)
        return {name: float(np.corrcoef(margin, test[name])[0, 1]) for name in ("fit", "noise")}

    naive, aware = score(replace(train, position=None)), score(train)
    assert aware["fit"] > naive["fit"] + 0.03
    assert aware["noise"] < naive["noise"] - 0.1
    assert score(train, 1.0)["noise"] > aware["noise"] + 0.1
