import numpy as np
import pandas as pd
import pytest

from matcher.config import RankerConfig
from matcher.ranker import Calibration, FitRanker, RankingData


def _data(briefs: int, seed: int) -> RankingData:
    """Ten KOLs a brief; the grade is decided by `fit`, `noise` says nothing."""
    rng = np.random.default_rng(seed)
    features = pd.DataFrame(rng.normal(size=(briefs * 10, 2)), columns=["fit", "noise"])
    grade = pd.Series(np.digitize(features["fit"], [-1, 0, 0.7, 1.3]).astype(float))
    return RankingData(
        features=features,
        brief_id=pd.Series(np.repeat([f"b{i}" for i in range(briefs)], 10)),
        grade=grade,
        weight=pd.Series(1.0, index=grade.index),
        known=pd.Series(True, index=grade.index),
        success=grade >= 3,
    )


def test_the_ranker_learns_what_decides_the_grade() -> None:
    config = RankerConfig(trees=40, min_rows_per_leaf=5)
    ranker = FitRanker.fit(_data(60, 0), _data(20, 1), config, seed=0)
    test = _data(20, 2)
    score = ranker.score(test.features)
    assert np.corrcoef(score, test.features["fit"])[0, 1] > 0.85
    assert abs(np.corrcoef(score, test.features["noise"])[0, 1]) < 0.2


def test_row_order_of_the_training_data_changes_no_order_of_briefs_rows() -> None:
    data = _data(5, 0)
    mixed = np.random.default_rng(1).permutation(50)
    shuffled = RankingData(
        *(getattr(data, name).iloc[mixed] for name in vars(data))  # type: ignore[arg-type]
    ).as_dataset()
    assert shuffled["group"].tolist() == [10] * 5
    assert sorted(shuffled["label"]) == sorted(data.as_dataset()["label"])


@pytest.mark.parametrize("bad", [{"grade": np.nan}, {"weight": -1.0}, {"weight": np.inf}])
def test_values_that_lightgbm_takes_without_a_word_are_refused(bad: dict[str, float]) -> None:
    data = _data(2, 0)
    for name, value in bad.items():
        getattr(data, name).iloc[3] = value
    with pytest.raises(ValueError, match="1 rows without a finite grade and weight"):
        data.as_dataset()


def test_calibration_recovers_a_logistic_curve() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(size=20_000)
    success = rng.random(20_000) < 1 / (1 + np.exp(-(1.5 * margin - 0.5)))
    curve = Calibration.fit(margin, success)
    assert curve.slope == pytest.approx(1.5, abs=0.1)
    assert curve.intercept == pytest.approx(-0.5, abs=0.1)


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
    assert (np.diff(told) > 0).all()
    assert ((told > 0) & (told < 1)).all()
