import numpy as np
import pandas as pd
import pytest

from matcher.config import HeadConfig
from matcher.heads import HEADS, Head, HeadSpec

SPECS = {spec.name: spec for spec in HEADS}
CONFIG = HeadConfig(trees=120, learning_rate=0.1, least_rows=50, l2=1.0)


def _signals(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.integers(0, 2, rows).astype(float),
            "reach.usual_log_views": rng.normal(9, 1, rows),
            "engagement.rate": rng.uniform(0.02, 0.1, rows),
            "engagement.shares": rng.uniform(0.001, 0.01, rows),
            "engagement.saves": rng.uniform(0.001, 0.01, rows),
        }
    )


def _fit(spec: HeadSpec, signals: pd.DataFrame, **counts: object) -> Head:
    head = Head.fit(spec, signals, pd.DataFrame(counts, index=signals.index), CONFIG, seed=0)
    assert head is not None
    return head


def test_a_rate_is_learned_where_it_differs() -> None:
    signals = _signals(2000)
    rng = np.random.default_rng(1)
    clicks = rng.integers(100, 400, 2000).astype(float)
    orders = rng.poisson(clicks * np.where(signals["x"] == 1, 0.10, 0.02)).astype(float)
    rate = np.exp(_fit(SPECS["cvr"], signals, clicks=clicks, orders=orders).log(signals))
    assert rate[signals["x"] == 1].mean() == pytest.approx(0.10, rel=0.1)
    assert rate[signals["x"] == 0].mean() == pytest.approx(0.02, rel=0.2)


def test_a_rate_seen_on_more_clicks_counts_for_more() -> None:
    signals = _signals(1000).assign(x=0.0)
    big = np.arange(1000) % 2 == 0
    clicks = np.where(big, 1000.0, 2.0)
    orders = np.where(big, 20.0, 2.0)  # 2 % on many, 100 % on two
    rate = np.exp(_fit(SPECS["cvr"], signals, clicks=clicks, orders=orders).log(signals)).mean()
    assert rate < 0.05  # a plain mean of rates would say 51 %


def test_views_start_from_the_kols_own_level() -> None:
    signals = _signals(1000)
    views = np.expm1(signals["reach.usual_log_views"])
    head = _fit(SPECS["views"], signals, views=views)
    assert head.typical == pytest.approx(signals["reach.usual_log_views"].median())
    np.testing.assert_allclose(head.log(signals), signals["reach.usual_log_views"], atol=0.05)


def test_thresholds_are_drawn_by_chance_for_views_and_not_for_rates() -> None:
    signals = _signals(500)
    rng = np.random.default_rng(2)
    views = np.exp(rng.normal(9, 1, 500)).round()
    counts = pd.DataFrame({"views": views, "engagements": (views * 0.05).round()})
    for name, drawn in (("views", True), ("engagement_rate", False)):
        told = []
        for chance in (True, False):
            config = CONFIG.model_copy(update={"extra_trees": chance})
            head = Head.fit(SPECS[name], signals, counts, config, seed=0)
            assert head is not None
            told.append(head.log(signals))
        assert np.array_equal(*told) is not drawn


def test_an_unknown_own_level_is_the_typical_one() -> None:
    signals = _signals(1000)
    signals.loc[:99, "reach.usual_log_views"] = np.nan
    head = _fit(SPECS["views"], signals, views=np.full(1000, 9000.0))
    stranger = signals.head(1)
    departure = head.forest.predict(stranger)
    np.testing.assert_allclose(head.log(stranger), head.typical + departure)


def test_shares_alone_tell_the_own_spread() -> None:
    signals = _signals(500).assign(**{"engagement.saves": np.nan})
    head = _fit(SPECS["spread_rate"], signals, spread=np.full(500, 9.0), views=np.full(500, 1e3))
    assert head.typical == pytest.approx(np.log(signals["engagement.shares"]).median())


@pytest.mark.parametrize("spec", HEADS, ids=lambda spec: spec.name)
def test_contributions_add_up_to_the_log_up_to_a_constant(spec: HeadSpec) -> None:
    signals = _signals(300)
    rng = np.random.default_rng(2)
    counts = {spec.count: rng.integers(1, 50, 300).astype(float)}
    if spec.exposure:
        counts[spec.exposure] = rng.integers(50, 500, 300).astype(float)
    head = _fit(spec, signals, **counts)
    rest = head.log(signals) - head.contributions(signals).sum(axis=1)
    np.testing.assert_allclose(rest, rest.iloc[0], atol=1e-9)


@pytest.mark.parametrize(
    ("clicks", "orders"),
    [
        (np.full(100, 10.0), np.where(np.arange(100) < 40, 1.0, np.nan)),  # 40 measured
        (np.where(np.arange(100) < 40, 10.0, 0.0), np.full(100, 1.0)),  # 40 with clicks
        (np.full(100, 10.0), np.zeros(100)),  # nobody ever bought
    ],
)
def test_too_little_to_learn_from_gives_no_head(clicks: object, orders: object) -> None:
    outcomes = pd.DataFrame({"clicks": clicks, "orders": orders})
    assert Head.fit(SPECS["cvr"], _signals(100), outcomes, CONFIG, seed=0) is None


def test_rows_that_were_not_measured_teach_nothing() -> None:
    signals = _signals(400)
    outcomes = pd.DataFrame({"clicks": np.full(400, 50.0), "orders": np.full(400, 2.0)})
    gaps = pd.concat([outcomes, outcomes.assign(orders=np.nan)], ignore_index=True)
    doubled = pd.concat([signals, signals + 100], ignore_index=True)
    one = Head.fit(SPECS["cvr"], signals, outcomes, CONFIG, seed=0)
    two = Head.fit(SPECS["cvr"], doubled, gaps, CONFIG, seed=0)
    assert one == two


@pytest.mark.parametrize("name", ["cvr", "views"])
def test_rows_that_weigh_more_count_for_more(name: str) -> None:
    signals = _signals(1000).assign(x=0.0)
    often = np.arange(1000) % 10 != 0
    outcomes = pd.DataFrame(
        {
            "clicks": 100.0,
            "orders": np.where(often, 2.0, 20.0),
            "views": np.expm1(signals["reach.usual_log_views"] + np.where(often, 0.0, 1.0)),
        }
    )
    said = []
    for weight in (None, np.ones(1000), np.where(often, 0.1, 9.0)):
        head = Head.fit(SPECS[name], signals, outcomes, CONFIG, 0, weight)
        assert head is not None
        said.append(head.log(signals))
    np.testing.assert_allclose(said[1], said[0], atol=1e-6)
    # Nine in ten are of one kind, and the tenth weighs ten times as much as they do together.
    assert (said[2] - said[0]).mean() > 0.5
