import numpy as np
import pandas as pd
import pytest

from features.history import QUOTED_MODES
from matcher.config import HeadConfig
from matcher.heads import HEADS, Head
from matcher.lifts import PRICED, learn_lifts, lift

SPECS = {spec.name: spec for spec in HEADS}
CONFIG = HeadConfig(trees=60, learning_rate=0.1, least_rows=50, l2=1.0)
LIVE, TALK = QUOTED_MODES.index("live_commerce"), QUOTED_MODES.index("q_and_a")


def _signals(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kind = rng.choice([0, LIVE, TALK], rows, p=[0.6, 0.3, 0.1]).astype(float)
    return pd.DataFrame(
        {
            "reach.median_views": rng.normal(9, 1, rows),
            "reach.usual_log_views": rng.normal(9, 1, rows),
            "price.log": rng.normal(8, 1, rows) + (kind == LIVE),
            "mode.kind": kind,
        }
    )


def _orders(signals: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    clicks = rng.integers(100, 400, len(signals)).astype(float)
    rate = np.select(
        [signals["mode.kind"] == LIVE, signals["mode.kind"] == TALK], [0.08, 0.03], 0.04
    )
    return pd.DataFrame({"clicks": clicks, "orders": rng.poisson(clicks * rate).astype(float)})


def test_a_head_tells_modes_of_one_kol_apart() -> None:
    signals = _signals(600)
    head = Head.fit(SPECS["cvr"], signals, _orders(signals), CONFIG, seed=0)
    assert head is not None
    one = signals.head(1)
    rates = {
        name: float(np.exp(head.log(one.assign(**{"mode.kind": kind}))[0]))
        for name, kind in (("usual", 0.0), ("live", LIVE), ("talk", TALK))
    }
    assert rates["live"] / rates["usual"] == pytest.approx(2.0, rel=0.15)
    assert 0.7 < rates["talk"] / rates["usual"] < 0.92  # 0.75, but of 60 rows


def test_what_a_mode_costs_says_nothing_of_what_it_brings() -> None:
    signals = _signals(600)
    head = Head.fit(SPECS["cvr"], signals, _orders(signals), CONFIG, seed=0)
    assert head is not None
    assert not set(head.forest.names) & {"mode.kind", *PRICED}
    dear = signals.assign(**{"price.log": signals["price.log"] + 3})
    np.testing.assert_array_equal(head.log(dear), head.log(signals))


def test_views_too_are_lifted() -> None:
    signals = _signals(600)
    boost = np.where(signals["mode.kind"] == LIVE, -0.5, 0.0)
    views = np.expm1(signals["reach.usual_log_views"] + boost)
    head = Head.fit(SPECS["views"], signals, pd.DataFrame({"views": views}), CONFIG, seed=0)
    assert head is not None
    assert head.modes["live_commerce"] - head.modes["ad_placement"] == pytest.approx(-0.5, abs=0.1)


def test_the_modes_share_of_a_forecast_is_told_as_the_modes() -> None:
    signals = _signals(600)
    head = Head.fit(SPECS["cvr"], signals, _orders(signals), CONFIG, seed=0)
    assert head is not None
    parts = head.contributions(signals)
    assert list(parts) == list(signals)
    np.testing.assert_allclose(parts["mode.kind"], lift(signals, head.modes))
    assert (parts["price.log"] == 0).all()


def test_few_collaborations_move_little_and_none_nothing() -> None:
    kind = np.repeat([0.0, float(LIVE)], [50, 2])
    signals = pd.DataFrame({"mode.kind": kind})
    came = np.where(kind == LIVE, 1.0, 0.0)
    lifts = learn_lifts(signals, lambda added: (came, None), rows=10.0)
    assert 0 < lifts["live_commerce"] < 0.2  # not 1, of two
    assert set(lifts) == {"ad_placement", "live_commerce"}
    unknown = pd.DataFrame({"mode.kind": [np.nan, float(TALK)]})
    assert lift(unknown, lifts).tolist() == [0.0, 0.0]


def test_one_mode_alone_has_nothing_to_be_compared_with() -> None:
    signals = pd.DataFrame({"mode.kind": [3.0, 3.0, np.nan]})
    assert learn_lifts(signals, lambda added: (np.ones(3), None), rows=10.0) == {}
    assert lift(pd.DataFrame({"x": [1.0]}), {"q_and_a": 1.0}).tolist() == [0.0]
