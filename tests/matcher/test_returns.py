from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from matcher.forecast import Forecaster
from matcher.model import NOTHING, Matcher
from matcher.returns import RETURNS, returns

Past = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def forecaster(matcher: Matcher) -> Forecaster:
    assert matcher.forecaster is not None
    return matcher.forecaster


@pytest.fixture(scope="module")
def asked(past: Past) -> pd.DataFrame:
    pairs = past[0].head(30)
    return pairs.assign(price=np.linspace(500, 5000, 30), currency="CNY")


@pytest.fixture(scope="module")
def signals(past: Past) -> pd.DataFrame:
    return past[1].head(30)


@pytest.fixture(scope="module")
def told(forecaster: Forecaster, signals: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    return returns(forecaster, signals, asked, draws=2000, seed=0)


def test_quantiles_rise_and_counts_are_whole(told: pd.DataFrame) -> None:
    assert tuple(told) == RETURNS
    for name in ("engagements", "orders", "gmv", "cpm", "roi"):
        low, middle, high = (told[f"{name}_p{end}"] for end in (10, 50, 90))
        assert (low <= middle).all()
        assert (middle <= high).all()
    for name in ("engagements_p50", "clicks_p50", "orders_p90"):
        assert (told[name] % 1 == 0).all()
    assert (told["roi_p10"] >= -1).all()


def test_medians_are_about_what_the_forecasts_multiply_to(
    told: pd.DataFrame, forecaster: Forecaster, signals: pd.DataFrame, asked: pd.DataFrame
) -> None:
    point = forecaster.predict(signals)
    clicks = point["views_p50"] * point["ctr"]
    np.testing.assert_allclose(told["clicks_p50"] / clicks, 1, atol=0.2)
    cpm = asked["price"] / point["views_p50"] * 1000
    np.testing.assert_allclose(told["cpm_p50"] / cpm, 1, atol=0.1)
    np.testing.assert_allclose(told["cpm_p10"] * point["views_p90"] / asked["price"], 1e3, rtol=0.1)


def test_a_pairs_figures_depend_on_no_other_pair(
    told: pd.DataFrame, forecaster: Forecaster, signals: pd.DataFrame, asked: pd.DataFrame
) -> None:
    some = np.array([7, 3, 20])
    alone = returns(forecaster, signals.iloc[some], asked.iloc[some], draws=2000, seed=0)
    pd.testing.assert_frame_equal(alone, told.iloc[some], check_exact=True)
    other = returns(forecaster, signals.iloc[some], asked.iloc[some], draws=2000, seed=1)
    assert not other.equals(alone)


def test_half_the_price_costs_half_as_much_and_returns_more(
    told: pd.DataFrame, forecaster: Forecaster, signals: pd.DataFrame, asked: pd.DataFrame
) -> None:
    half = returns(forecaster, signals, asked.assign(price=asked["price"] / 2), draws=2000, seed=0)
    for name in ("cpm_p10", "cpm_p90", "cpe_p50", "cpa_p50"):
        np.testing.assert_allclose(half[name] * 2, told[name])
    np.testing.assert_allclose(half["roi_p50"] + 1, 2 * (told["roi_p50"] + 1))
    np.testing.assert_array_equal(half["gmv_p50"], told["gmv_p50"])


def test_rates_that_go_together_spread_what_comes_of_them(
    forecaster: Forecaster, signals: pd.DataFrame, asked: pd.DataFrame
) -> None:
    def width(together: float) -> float:
        matrix = np.eye(5)
        matrix[0, 1] = matrix[1, 0] = together
        rows = tuple(tuple(float(r) for r in row) for row in matrix)
        known = replace(forecaster.uncertainty, correlation=rows)
        other = replace(forecaster, uncertainty=known)
        drawn = returns(other, signals, asked, draws=2000, seed=0)
        return float(np.log(drawn["engagements_p90"] / drawn["engagements_p10"]).mean())

    assert width(-0.9) < width(0.0) < width(0.9)


@pytest.mark.parametrize(
    ("gone", "unknown", "known"),
    [
        ("cvr", ("orders_p50", "gmv_p50", "cpa_p50", "roi_p50"), ("clicks_p50", "cpm_p50")),
        ("views", RETURNS, ()),
        ("refund_rate", ("roi_p10", "roi_p50", "roi_p90"), ("gmv_p50", "cpa_p50")),
        ("engagement_rate", ("engagements_p50", "cpe_p50"), ("orders_p50", "roi_p50")),
    ],
)
def test_without_a_head_what_needs_it_is_unknown(
    forecaster: Forecaster,
    signals: pd.DataFrame,
    asked: pd.DataFrame,
    gone: str,
    unknown: tuple[str, ...],
    known: tuple[str, ...],
) -> None:
    heads = {name: head for name, head in forecaster.heads.items() if name != gone}
    drawn = returns(replace(forecaster, heads=heads), signals, asked, draws=200, seed=0)
    assert drawn[list(unknown)].isna().all(axis=None)
    assert drawn[list(known)].notna().all(axis=None)


def test_money_needs_a_price_a_currency_and_a_margin(
    forecaster: Forecaster, signals: pd.DataFrame, asked: pd.DataFrame
) -> None:
    def drawn(signals: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
        return returns(forecaster, signals, asked, draws=200, seed=0)

    free = drawn(signals, asked.assign(price=np.nan))
    assert free[["cpm_p50", "cpe_p50", "cpa_p50", "roi_p50"]].isna().all(axis=None)
    assert free["gmv_p50"].notna().all()
    nowhere = drawn(signals, asked.assign(currency=None))
    assert nowhere[["gmv_p50", "roi_p50"]].isna().all(axis=None)
    unearned = drawn(signals.assign(**{"brief.gross_margin": np.nan}), asked)
    assert unearned["roi_p50"].isna().all()
    assert unearned["gmv_p50"].notna().all()


def test_the_cost_of_an_order_that_mostly_does_not_come_is_unknown(
    forecaster: Forecaster, signals: pd.DataFrame, asked: pd.DataFrame
) -> None:
    few = replace(forecaster.heads["views"], typical=0.0)
    silent = signals.assign(**{"reach.usual_log_views": 0.7})
    drawn = returns(
        replace(forecaster, heads={**forecaster.heads, "views": few}),
        silent,
        asked,
        draws=500,
        seed=0,
    )
    assert drawn["cpa_p50"].isna().all()
    assert (drawn["orders_p50"] == 0).all()
    assert (drawn["roi_p50"] == -1).all()


def test_where_nothing_was_learned_every_figure_is_unknown(
    signals: pd.DataFrame, asked: pd.DataFrame
) -> None:
    assert returns(NOTHING, signals, asked, draws=100, seed=0).isna().all(axis=None)
    empty = returns(NOTHING, signals.head(0), asked.head(0), draws=100, seed=0)
    assert tuple(empty) == RETURNS
