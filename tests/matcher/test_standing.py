import numpy as np
import pandas as pd
import pytest

from features.contract import GOALS
from matcher.calibration import Calibration
from matcher.standing import SOLD, Standing

CONVERSION = float(GOALS.index(SOLD))


def _signals(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "category.goal": rng.integers(0, len(GOALS), rows).astype(float),
            "brief.product_price": rng.normal(5, 1, rows),
            "brief.gross_margin": rng.uniform(0.3, 0.7, rows),
            "price.log": rng.normal(8, 1, rows),
            "price.relative": rng.normal(0, 1, rows),
        }
    ).assign(**{"price.log": lambda f: 8 + f["price.relative"]})


def _past(rows: int = 4000) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
    """Return margins, signals and successes: dear products sell for more, awareness is easy."""
    rng, signals = np.random.default_rng(1), _signals(rows)
    margin = rng.normal(size=rows)
    sells = (signals["category.goal"] == CONVERSION).to_numpy()
    logit = margin + 0.8 * sells * (signals["brief.product_price"].to_numpy() - 5)
    logit += 0.5 * (signals["category.goal"] == 0).to_numpy()
    return margin, signals, rng.random(rows) < 1 / (1 + np.exp(-logit))


def test_what_a_brief_adds_is_learned() -> None:
    standing, offset = Standing.fit(*_past(), past=np.zeros(4000, dtype=bool))
    assert standing.worth == pytest.approx(0.8, abs=0.15)
    others = [adds for name, adds in standing.goals.items() if name != GOALS[0]]
    assert standing.goals[GOALS[0]] - np.mean(others) == pytest.approx(0.5, abs=0.2)
    margin, signals, success = _past()
    np.testing.assert_allclose(standing(signals), offset, atol=1e-9)
    curve = Calibration.fit(margin, success, offset=offset)
    assert curve.slope == pytest.approx(1, abs=0.1)
    assert curve(margin, offset).mean() == pytest.approx(success.mean(), abs=0.01)


def test_a_dearer_product_helps_a_brief_that_sells_and_no_other() -> None:
    standing, _ = Standing.fit(*_past(), past=np.zeros(4000, dtype=bool))
    signals = _signals(100)
    dearer = signals.assign(**{"brief.product_price": signals["brief.product_price"] + 1})
    adds = standing(dearer) - standing(signals)
    sells = (signals["category.goal"] == CONVERSION).to_numpy()
    np.testing.assert_allclose(adds[sells], standing.worth)
    assert (adds[~sells] == 0).all()


def test_all_kols_of_a_brief_get_the_same() -> None:
    standing, _ = Standing.fit(*_past(), past=np.zeros(4000, dtype=bool))
    one = _signals(50).assign(
        **{"category.goal": CONVERSION, "brief.product_price": 6.0, "brief.gross_margin": 0.5}
    )
    np.testing.assert_allclose(standing(one), standing(one)[0])


def test_the_past_may_lie_on_another_level() -> None:
    margin, signals, success = _past()
    past = np.arange(4000) < 2000
    rare = success & (np.random.default_rng(2).random(4000) < np.where(past, 0.4, 1.0))
    standing, offset = Standing.fit(margin, signals, rare, past)
    assert (offset - standing(signals))[past].mean() < -0.5
    np.testing.assert_allclose((offset - standing(signals))[~past], 0, atol=1e-9)
    told = Calibration.fit(margin, rare, offset=offset)(margin, standing(signals))
    assert told[~past].mean() == pytest.approx(success[~past].mean(), abs=0.05)


def test_what_is_unknown_adds_nothing() -> None:
    standing, _ = Standing.fit(*_past(), past=np.zeros(4000, dtype=bool))
    signals = _signals(20).assign(**{"category.goal": CONVERSION, "brief.product_price": np.nan})
    np.testing.assert_allclose(standing(signals), standing.goals[SOLD])
    assert (standing(_signals(20).assign(**{"category.goal": np.nan})) == 0).all()
    assert (Standing()(_signals(20)) == 0).all()


def test_too_few_of_either_teach_nothing() -> None:
    margin, signals, _ = _past(50)
    standing, offset = Standing.fit(margin, signals, np.arange(50) < 4, np.zeros(50, dtype=bool))
    assert standing == Standing()
    assert (offset == 0).all()
