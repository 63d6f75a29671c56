import numpy as np
import pandas as pd
import pytest

from features.contract import GOALS
from matcher.config import HeadConfig, IntervalConfig
from matcher.forecast import MOST, VALUE, Forecaster, RateCurve, expected_views
from matcher.heads import HEADS, RATES
from matcher.model import Matcher
from matcher.uncertainty import Backcast, from_normal

CONFIG = HeadConfig(trees=20, least_rows=50, min_rows_per_leaf=10)


def _signals(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "category.goal": (np.arange(rows) % len(GOALS)).astype(float),
            "price.relative": rng.normal(0, 1, rows),
            "reach.usual_log_views": rng.normal(9, 1, rows),
            "engagement.rate": rng.uniform(0.02, 0.1, rows),
            "engagement.shares": rng.uniform(0.001, 0.01, rows),
            "engagement.saves": rng.uniform(0.001, 0.01, rows),
        }
    )


def _outcomes(signals: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    views = np.exp(signals["reach.usual_log_views"]).round()
    clicks = (views * 0.02).round() + 1
    return pd.DataFrame(
        {
            "views": views,
            "engagements": rng.poisson(views * signals["engagement.rate"]),
            "spread": rng.poisson(views * 0.01),
            "clicks": clicks,
            "orders": (orders := rng.poisson(clicks * 0.03)),
            "returned": rng.binomial(orders, 0.1),
        }
    ).astype(float)


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster.fit(_signals(), _outcomes(_signals()), CONFIG, seed=0)


def test_every_goal_is_valued_by_known_heads_and_has_what_is_usual(forecaster: Forecaster) -> None:
    assert set(VALUE) == set(GOALS) == set(forecaster.typical)
    assert set(forecaster.heads) == {spec.name for spec in HEADS}


@pytest.mark.parametrize("goal", GOALS)
def test_advantage_is_the_product_of_the_goals_forecasts_per_price(
    forecaster: Forecaster, goal: str
) -> None:
    signals = _signals().assign(**{"category.goal": float(GOALS.index(goal))})
    told = forecaster.predict(signals)
    told["views"] = np.exp(forecaster.heads["views"].log(signals))
    value = told[list(VALUE[goal])].prod(axis=1) / np.exp(signals["price.relative"])
    difference = forecaster.advantage(signals) - np.log(value)
    np.testing.assert_allclose(difference, -forecaster.typical[goal], atol=1e-9)


def test_a_usual_pair_has_no_advantage_and_half_the_price_is_worth_a_doubling(
    forecaster: Forecaster,
) -> None:
    signals = _signals()
    advantage = forecaster.advantage(signals)
    assert abs(np.median(advantage)) < 0.2
    cheaper = signals.assign(**{"price.relative": signals["price.relative"] - np.log(2)})
    # The trees may see the price too; the quotient is there all the same.
    moved = forecaster.advantage(cheaper) - advantage
    assert np.median(moved) == pytest.approx(np.log(2), abs=0.1)


def test_an_unknown_price_counts_as_the_usual_one(forecaster: Forecaster) -> None:
    signals = _signals()
    unpriced = forecaster.advantage(signals.assign(**{"price.relative": np.nan}))
    usual = forecaster.advantage(signals.assign(**{"price.relative": 0.0}))
    np.testing.assert_allclose(unpriced, usual, atol=0.5)


def test_a_goal_that_lacks_a_head_has_no_advantage_and_no_contributions() -> None:
    signals = _signals()
    outcomes = _outcomes(signals).assign(orders=np.nan)
    forecaster = Forecaster.fit(signals, outcomes, CONFIG, seed=0)
    sales = (signals["category.goal"] == GOALS.index("conversion")).to_numpy()
    assert "cvr" not in forecaster.heads
    assert "conversion" not in forecaster.typical
    assert (forecaster.advantage(signals)[sales] == 0).all()
    assert (forecaster.contributions(signals)[sales] == 0).all(axis=None)
    assert (forecaster.advantage(signals)[~sales] != 0).all()
    assert forecaster.predict(signals)["cvr"].isna().all()


def test_without_any_outcome_nothing_is_forecast() -> None:
    signals = _signals(20)
    forecaster = Forecaster.fit(signals, _outcomes(signals), CONFIG, seed=0)
    assert forecaster.heads == {}
    assert (forecaster.advantage(signals) == 0).all()
    assert forecaster.predict(signals).isna().all(axis=None)
    again = _calibrated(forecaster, _outcomes(signals), signals)
    assert again.predict(signals).isna().all(axis=None)


@pytest.mark.parametrize("goal", GOALS)
def test_contributions_add_up_to_the_advantage_up_to_a_constant(
    forecaster: Forecaster, goal: str
) -> None:
    signals = _signals().assign(**{"category.goal": float(GOALS.index(goal))})
    signals.loc[::5, "price.relative"] = np.nan
    rest = forecaster.advantage(signals) - forecaster.contributions(signals).sum(axis=1)
    np.testing.assert_allclose(rest, rest.iloc[0], atol=1e-9)


def test_rates_are_shares(forecaster: Forecaster) -> None:
    wild = _signals().assign(**{"engagement.rate": 50.0})
    told = forecaster.predict(wild)[list(RATES)]
    assert ((told >= 0) & (told <= 1)).all(axis=None)


def _calibrated(
    forecaster: Forecaster, outcomes: pd.DataFrame, signals: pd.DataFrame, least: int = 50
) -> Forecaster:
    past = Backcast.of(signals, outcomes, forecaster.heads)
    return forecaster.calibrated(past, signals, outcomes, IntervalConfig(), least, seed=0)


def test_later_data_correct_a_rate_and_leave_the_ranking_alone(forecaster: Forecaster) -> None:
    signals = _signals()
    outcomes = _outcomes(signals)
    doubled = outcomes.assign(orders=outcomes["orders"] * 2)
    before = _calibrated(forecaster, outcomes, signals)
    after = _calibrated(forecaster, doubled, signals)
    ratio = after.predict(signals)["cvr"] / before.predict(signals)["cvr"]
    assert ratio.median() == pytest.approx(2, rel=0.2)
    same = ["views_p50", "engagement_rate", "spread_rate", "ctr"]
    pd.testing.assert_frame_equal(after.predict(signals)[same], before.predict(signals)[same])
    np.testing.assert_array_equal(after.advantage(signals), forecaster.advantage(signals))


def test_too_few_later_clicks_correct_nothing(forecaster: Forecaster) -> None:
    signals = _signals()
    none = _outcomes(signals).assign(clicks=0.0)
    assert "cvr" not in _calibrated(forecaster, none, signals).curves


def test_eight_of_ten_outcomes_lie_within_the_interval_of_views(forecaster: Forecaster) -> None:
    signals, rng = _signals(3000), np.random.default_rng(5)

    def outcomes(rows: int) -> pd.DataFrame:
        views = np.exp(signals["reach.usual_log_views"][:rows] + rng.normal(0.2, 0.6, rows))
        return _outcomes(signals[:rows]).assign(views=views.round())

    sure = _calibrated(forecaster, outcomes(1000), signals[:1000])
    told, came = sure.predict(signals), outcomes(3000)["views"]
    assert came.between(told["views_p10"], told["views_p90"]).mean() == pytest.approx(0.8, abs=0.04)
    assert (came < told["views_p50"]).mean() == pytest.approx(0.5, abs=0.05)


def test_a_rate_curve_recovers_its_numbers_and_keeps_the_order() -> None:
    rng = np.random.default_rng(0)
    forecast = rng.uniform(0.005, 0.05, 5000)
    clicks = np.full(5000, 400.0)
    orders = rng.poisson(clicks * 1.5 * forecast**1.2).astype(float)
    curve = RateCurve.fit(forecast, orders, clicks)
    assert curve.slope == pytest.approx(1.2, abs=0.1)
    told = curve(np.linspace(0.001, 1, 50))
    assert (np.diff(told) >= 0).all()
    assert ((told >= 0) & (told <= 1)).all()
    # Outcomes that contradict the forecast flatten it, but never turn KOLs around.
    against = RateCurve.fit(forecast, rng.poisson(clicks * (0.06 - forecast)) * 1.0, clicks)
    assert against.slope == pytest.approx(0.2)


def test_the_outlook_is_the_forecast_and_its_worth_in_the_goals_own_unit(
    matcher: Matcher, past: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    assert matcher.forecaster is not None
    forecaster, signals = matcher.forecaster, past[1]
    money = pd.Series("CNY", index=signals.index)
    told, point = forecaster.outlook(signals, money), forecaster.predict(signals)
    pd.testing.assert_frame_equal(told[list(point)], point)
    goal = signals["category.goal"].map(dict(enumerate(GOALS)))
    views = expected_views(forecaster.log_views(signals))
    for name, rate in (("seeding", "spread_rate"), ("engagement", "engagement_rate")):
        mine = (goal == name).to_numpy()
        np.testing.assert_allclose(told["value"][mine], (views * point[rate])[mine])
    mine = (goal == "awareness").to_numpy()
    np.testing.assert_allclose(told["value"][mine], views[mine])
    mine = (goal == "conversion").to_numpy()
    orders = (views * point["ctr"] * point["cvr"])[mine]
    np.testing.assert_allclose(told["brings"][mine], orders)
    product = np.exp(signals["brief.product_price"])[mine]
    margin = signals["brief.gross_margin"][mine]
    assert forecaster.order_value is not None
    kept = orders * product * (1 - point["refund_rate"][mine]) * margin
    factor = np.exp(forecaster.order_value.relative + forecaster.order_value.spread**2 / 2)
    known = product.notna()
    np.testing.assert_allclose(told["value"][mine][known], (kept * factor)[known])
    # Without a currency, or a margin, nobody knows what an order earns.
    assert forecaster.outlook(signals, money.mask(money == "CNY"))["value"][mine].isna().all()
    blank = signals.assign(**{"brief.gross_margin": np.nan})
    assert forecaster.outlook(blank, money)["value"][mine].isna().all()
    assert forecaster.outlook(blank, money)["brings"][mine].notna().all()


def test_the_mean_of_views_is_that_of_drawn_futures() -> None:
    bounds = np.log([[500.0, 1000.0, 4000.0], [900.0, 1000.0, 1100.0]])
    scores = np.random.default_rng(0).standard_normal(400_000)
    for row, mean in zip(bounds, expected_views(bounds), strict=True):
        drawn = np.exp(from_normal(scores, row)) - 1
        assert mean == pytest.approx(drawn.mean(), rel=0.02)
    blank = np.array([[np.nan, np.log(11.0), np.nan], [np.nan] * 3, [0.0, 900.0, 9000.0]])
    told = expected_views(blank)
    assert told[0] == pytest.approx(10.0)
    assert np.isnan(told[1])
    assert 1e11 < told[2] <= MOST
