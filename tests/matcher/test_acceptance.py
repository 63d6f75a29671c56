import numpy as np
import pandas as pd
import pytest

from matcher.acceptance import Acceptance
from matcher.config import HeadConfig

CONFIG = HeadConfig(trees=80, learning_rate=0.1, l2=1.0)


def _answers(rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    signals = pd.DataFrame({"x": rng.integers(0, 2, rows).astype(float)})
    return signals, rng.random(rows) < np.where(signals["x"] == 1, 0.9, 0.4)


def _fit(rows: int = 2000) -> Acceptance:
    fitted = Acceptance.fit(*_answers(rows), CONFIG, seed=0)
    assert fitted is not None
    return fitted


def test_who_says_yes_is_learned() -> None:
    told = _fit()(pd.DataFrame({"x": [0.0, 1.0]}))
    assert told.tolist() == pytest.approx([0.4, 0.9], abs=0.05)


def test_answers_that_it_did_not_learn_from_correct_it() -> None:
    fitted, (signals, _) = _fit(), _answers(1000, 1)
    rare = np.random.default_rng(2).random(1000) < np.where(signals["x"] == 1, 0.5, 0.1)
    odds = fitted.log_odds(signals)
    better = fitted.calibrated(np.full(1000, np.nan), rare, odds, rare)
    assert better(signals).mean() == pytest.approx(rare.mean(), abs=0.03)
    assert better(signals)[signals["x"] == 1].mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("accepted", [np.ones(99, bool), np.ones(500, bool), np.zeros(500, bool)])
def test_too_few_answers_or_all_the_same_give_nothing(accepted: np.ndarray) -> None:
    signals = _answers(len(accepted))[0]
    assert Acceptance.fit(signals, accepted, CONFIG, seed=0) is None
