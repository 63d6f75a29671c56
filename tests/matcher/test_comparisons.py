"""How a match stands among the candidates of its brief."""

import numpy as np
import pandas as pd
import pytest

from matcher.comparisons import among_candidates, standing
from matcher.figures import ABOVE, BELOW, PEERS


def stand(values: list[float], name: str = "audience.match", brief: str = "b1") -> pd.DataFrame:
    pairs = pd.DataFrame({"brief_id": brief}, index=range(len(values)))
    return among_candidates(pairs, pd.DataFrame({name: values}))


def test_shares_are_of_the_others_and_equals_are_neither_above_nor_below() -> None:
    found = stand([0.1, 0.5, 0.5, 0.9, 0.2, 0.3])
    assert found[f"audience.match{ABOVE}"].tolist() == pytest.approx([0, 0.6, 0.6, 1, 0.2, 0.4])
    assert found[f"audience.match{BELOW}"].tolist() == pytest.approx([1, 0.2, 0.2, 0, 0.8, 0.6])


def test_a_lower_cost_is_above_a_higher_one() -> None:
    found = stand([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "price.per_view")
    assert found[f"price.per_view{ABOVE}"].tolist() == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])


def test_unknown_figures_neither_stand_nor_count() -> None:
    found = stand([0.1, np.nan, 0.5, 0.9, 0.2, 0.3, 0.4])
    assert np.isnan(found[f"audience.match{ABOVE}"].iloc[1])
    assert found[f"audience.match{ABOVE}"].iloc[3] == 1.0


def test_nobody_is_compared_with_a_handful() -> None:
    assert stand([0.1] * PEERS).isna().all(axis=None)
    assert stand([0.1] * (PEERS + 1)).notna().all(axis=None)


def test_briefs_are_apart() -> None:
    values = np.random.default_rng(0).random(14)
    pairs = pd.DataFrame({"brief_id": ["b1"] * 7 + ["b2"] * 7})
    signals = pd.DataFrame({"audience.match": values, "unrelated": values})
    both = among_candidates(pairs, signals)
    alone = among_candidates(pairs.tail(7), signals.tail(7))
    pd.testing.assert_frame_equal(both.tail(7), alone)
    assert list(standing(pairs.join(both))) == list(both)
