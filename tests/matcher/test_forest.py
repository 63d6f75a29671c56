import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.forest import Forest

RNG = np.random.default_rng(0)
FEATURES = pd.DataFrame(RNG.normal(size=(400, 3)), columns=["a", "b", "c"])
FEATURES.loc[::7, "b"] = np.nan
LABEL = FEATURES["a"].to_numpy() * 2 + np.nan_to_num(FEATURES["b"].to_numpy())


@pytest.fixture(scope="module")
def forest() -> Forest:
    params = {"objective": "regression", "num_leaves": 8}
    train = {"data": FEATURES, "label": LABEL}
    return Forest.fit(params, train, None, trees=30, patience=5, seed=1)


def test_a_forest_read_back_from_its_text_scores_the_same_bits(forest: Forest) -> None:
    again = Forest(forest.text)
    assert again.names == ["a", "b", "c"]
    np.testing.assert_array_equal(again.predict(FEATURES), forest.predict(FEATURES))


def test_training_twice_gives_the_same_text(forest: Forest) -> None:
    params = {"objective": "regression", "num_leaves": 8}
    train = {"data": FEATURES, "label": LABEL}
    assert Forest.fit(params, train, None, trees=30, patience=5, seed=1).text == forest.text


@given(order=st.permutations(range(40)), size=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_row_scores_the_same_in_any_order_and_batch(
    forest: Forest, order: list[int], size: int
) -> None:
    whole = forest.predict(FEATURES)
    rows = FEATURES.iloc[order]
    parts = [forest.predict(rows.iloc[i : i + size]) for i in range(0, len(rows), size)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[order])


def test_contributions_and_the_base_add_up_to_the_margin(forest: Forest) -> None:
    parts = forest.contributions(FEATURES)
    rest = forest.predict(FEATURES) - parts.sum(axis=1)
    np.testing.assert_allclose(rest, rest.iloc[0], atol=1e-9)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["a", "b"], r"missing \['c'\]"),
        (["a", "b", "c", "d"], r"unknown \['d'\]"),
        (["b", "a", "c"], "order differs"),
    ],
)
def test_other_columns_are_refused(forest: Forest, columns: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        forest.predict(FEATURES.reindex(columns=columns))


def test_no_rows_give_no_scores(forest: Forest) -> None:
    assert forest.predict(FEATURES.head(0)).shape == (0,)


@pytest.mark.parametrize("cost", [0, 10**18])  # its own way from the first, or never
def test_columns_are_found_among_others_in_any_order(
    forest: Forest, cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = forest.predict(FEATURES)
    monkeypatch.setattr("matcher.forest.SCORER_COST", cost)
    wide = FEATURES.assign(d=1.0, e=-1.0)
    for columns in (["a", "b", "c"], ["c", "a", "b"], ["e", "c", "d", "a", "b"]):
        again = Forest(forest.text)
        np.testing.assert_array_equal(again.predict_among(wide[columns]), expected)
        assert again.predict_among(wide[columns].head(0)).shape == (0,)
    named = wide.assign(name="x")
    np.testing.assert_array_equal(Forest(forest.text).predict_among(named), expected)
    with pytest.raises(ValueError, match=r"missing \['b'\]"):
        forest.predict_among(wide[["a", "c", "d"]])
