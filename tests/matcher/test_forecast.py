import numpy as np
import pandas as pd
import pytest

from matcher.config import ConversionConfig
from matcher.forecast import ConversionModel, CountData, Knots


def _clicks(rows: int, seed: int) -> CountData:
    rng = np.random.default_rng(seed)
    features = pd.DataFrame({"power": rng.normal(size=rows), "noise": rng.normal(size=rows)})
    rate = 0.02 * np.exp(0.6 * features["power"])
    clicks = pd.Series(rng.integers(0, 2000, rows), dtype=float)
    return CountData(features, pd.Series(rng.poisson(rate * clicks), dtype=float), clicks)


def test_rates_are_learned_and_calibrated() -> None:
    model = ConversionModel.fit(_clicks(2000, 0), _clicks(800, 1), ConversionConfig(), seed=0)
    assert model is not None
    test = _clicks(2000, 2).exposed()
    predicted = model.predict(test.features)
    assert np.corrcoef(np.log(predicted), test.features["power"])[0, 1] > 0.9
    expected = float((predicted * test.exposure).sum())
    assert expected == pytest.approx(float(test.events.sum()), rel=0.05)


def test_too_few_outcomes_give_no_model() -> None:
    config = ConversionConfig(least_rows=100)
    assert ConversionModel.fit(_clicks(90, 0), _clicks(90, 1), config, seed=0) is None


def test_rows_without_clicks_or_orders_teach_nothing() -> None:
    data = CountData(
        pd.DataFrame({"a": [1.0, 2.0, 3.0]}),
        pd.Series([1.0, np.nan, 2.0]),
        pd.Series([0.0, 5.0, 8.0]),
    )
    assert data.exposed().events.tolist() == [2.0]


def test_knots_rise_and_stay_flat_outside() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.random(500)
    actual = predicted**2 + rng.normal(0, 0.05, 500)
    curve = Knots.fit(predicted, actual, np.ones(500))
    told = curve(np.linspace(-1, 2, 50))
    assert (np.diff(told) >= 0).all()
    assert told[0] == curve.y[0]
    assert told[-1] == curve.y[-1]
