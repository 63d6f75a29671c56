"""Bias and coverage of forecasts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.accuracy import accuracy, bias, coverage, in_words, wilson
from matcher.measures import MEASURES
from serving.ledger import LEDGER

FIRST = pd.Timestamp("2026-01-01", tz="UTC")
MEASURE = {measure.name: measure for measure in MEASURES}


def rows(forecast: list[float], actual: list[float], **columns: Any) -> pd.DataFrame:
    count = len(forecast)
    frame = pd.DataFrame(
        {
            "collaboration_id": [f"c{i}" for i in range(count)],
            "brief_id": [f"b{i % 10}" for i in range(count)],
            "kol_id": "k",
            "run_id": "r",
            "as_of": FIRST,
            "chosen_at": FIRST,
            "views_forecast": forecast,
            "views_actual": actual,
        }
        | columns
    )
    return LEDGER.conform(frame)


@given(
    st.floats(0.2, 5.0),
    st.lists(st.floats(100, 1e6), min_size=20, max_size=60),
)
def test_a_forecast_that_is_off_by_a_factor_is_told_so(
    factor: float, forecast: list[float]
) -> None:
    told = rows(forecast, [value * factor for value in forecast])
    middle, low, high = bias(MEASURE["views"], told)
    assert np.exp(middle) == pytest.approx(factor, rel=0.02)
    assert low <= middle <= high


def test_a_rate_is_all_that_was_counted_over_all_that_was_expected() -> None:
    told = LEDGER.conform(
        rows([np.nan] * 40, [np.nan] * 40).assign(
            cvr_forecast=0.02, cvr_exposure=[100.0, 300.0] * 20, cvr_actual=[0.0, 4.0] * 20
        )
    )
    middle, low, high = bias(MEASURE["cvr"], told)
    assert np.exp(middle) == pytest.approx(80 / 160)
    assert low < middle < high < 0
    assert bias(MEASURE["cvr"], told.assign(cvr_actual=0.0))[0] == -np.inf
    assert np.isnan(bias(MEASURE["cvr"], told.head(1))[1])


@pytest.mark.parametrize("name", ["gmv", "roi"])
def test_forecasts_of_nothing_count_as_too_low(name: str) -> None:
    nothing = -1.0 if name == "roi" else 0.0
    columns = {f"{name}_forecast": [nothing] * 30 + [50.0] * 10, f"{name}_actual": 50.0}
    told = LEDGER.conform(rows([np.nan] * 40, [np.nan] * 40).assign(**columns))
    table = accuracy(told, 20, 5).set_index(["measure", "by"])
    row = dict(table.loc[(name, "all")])
    assert row["n"] == 40
    assert row["off"]
    assert in_words(row) == "forecast too low: nothing was expected"
    right = told.assign(**{f"{name}_actual": told[f"{name}_forecast"]})
    assert bias(MEASURE[name], right)[0] == 0


@pytest.mark.parametrize("shared", [0.0, 1.0], ids=["rows for themselves", "briefs alike"])
def test_intervals_hold_what_they_promise(shared: float) -> None:
    rng = np.random.default_rng(0)
    right = {"views": 0, "cvr": 0, "coverage": 0}
    for _ in range(200):
        briefs = np.repeat(np.arange(30), 5)
        noise = shared * rng.normal(size=30)[briefs] + rng.normal(size=150)
        clicks = rng.integers(20, 200, 150)
        luck = rng.gamma(4, 0.25, 30)[briefs] if shared else np.ones(150)
        frame = rows([1000.0] * 150, list(1000 * np.exp(noise))).assign(
            brief_id=briefs.astype(str),
            views_low=500.0,
            views_high=2000.0,
            cvr_forecast=0.05,
            cvr_exposure=clicks.astype(float),
            cvr_actual=rng.poisson(0.05 * clicks * luck).astype(float),
        )
        for name in ("views", "cvr"):
            _, low, high = bias(MEASURE[name], frame)
            right[name] += low <= 0 <= high
        spread = np.log(2) / np.hypot(1, shared)
        truth = float(np.diff(_normal(np.array([-spread, spread])))[0])
        _, low, high = coverage(MEASURE["views"], frame)
        right["coverage"] += low <= truth <= high
    assert all(0.89 <= count / 200 <= 1.0 for count in right.values()), right


def _normal(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    from scipy.special import ndtr

    return np.asarray(ndtr(values))


def test_groups_are_judged_where_there_are_enough() -> None:
    told = rows(
        [1500.0] * 30 + [1000.0] * 6,
        [1000.0 + i for i in range(36)],
        platform=["douyin"] * 30 + ["bilibili"] * 6,
        views_low=[100.0] * 36,
        views_high=[990.0] * 36,
    )
    table = accuracy(told, 20, 5).set_index(["measure", "by", "group"])
    douyin = table.loc[("views", "platform", "douyin")]
    assert (douyin["n"], douyin["briefs"], douyin["enough"]) == (30, 10, True)
    assert in_words(dict(douyin)) == "forecast 48% too high"
    assert in_words(dict(douyin), "zh") == "预测偏高 48%"
    assert (douyin["coverage"], douyin["short"]) == (0, True)
    few = table.loc[("views", "platform", "bilibili")]
    assert in_words(dict(few)) == "too few to tell"
    assert not few["off"]
    assert table.loc[("views", "month", "2026-01"), "n"] == 36


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (np.log(0.4), "forecast 2.5 times what came"),
        (np.log(1.25), "forecast 20% too low"),
        (-np.inf, "forecast too high: nothing came"),
        (np.inf, "forecast too low: nothing was expected"),
        (np.nan, "cannot be compared"),
    ],
)
def test_bias_in_words(ratio: float, words: str) -> None:
    assert in_words({"enough": True, "off": True, "log_ratio": ratio}) == words


def test_no_bias_is_luck() -> None:
    assert in_words({"enough": True, "off": False, "log_ratio": 0.3}) == "no bias beyond luck"


@given(st.floats(0, 1), st.floats(1, 1e5), st.integers(2, 500))
def test_an_interval_holds_its_share(share: float, effective: float, clusters: int) -> None:
    low, high = wilson(share, effective, clusters)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
