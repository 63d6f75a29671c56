import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.summary import SignalSummary

VALUES = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, np.nan])), min_size=1, max_size=60
)


def frame(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"reach.x": values}, dtype="float64")


@given(VALUES, VALUES)
def test_the_index_is_never_negative_and_nothing_moves_from_itself(
    before: list[float], after: list[float]
) -> None:
    summary = SignalSummary.of(frame(before))
    assert summary.psi(frame(before))["reach.x"] == 0
    assert 0 <= summary.psi(frame(after))["reach.x"] < np.inf


@given(VALUES)
def test_a_summary_counts_every_row_and_survives_its_file(values: list[float]) -> None:
    summary = SignalSummary.of(frame(values), pd.Series(["b1", "b2"] * 60).head(len(values)))
    assert sum(summary.spreads["reach.x"].counts) == summary.rows == len(values)
    assert SignalSummary.from_json(summary.to_json()) == summary
    assert SignalSummary.from_json(summary.to_json()).to_json() == summary.to_json()


def test_the_index_is_what_the_formula_says() -> None:
    # Half of each against a fifth and four fifths; a half count more in every bin, one of them
    # above all that was seen and one of the unknown.
    summary = SignalSummary.of(frame([0.0, 1.0] * 50))
    p, q = np.array([50.5, 50.5, 0.5, 0.5]) / 102, np.array([20.5, 80.5, 0.5, 0.5]) / 102
    expected = ((q - p) * np.log(q / p)).sum()
    assert summary.psi(frame([0.0] * 20 + [1.0] * 80))["reach.x"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([np.nan] * 50 + [1.0] * 50, id="what was known is unknown"),
        pytest.param(list(np.linspace(0.5, 1.5, 100)), id="moved"),
        pytest.param([2.0] * 100, id="beyond all that was seen"),
    ],
)
def test_what_has_moved_is_seen(after: list[float]) -> None:
    summary = SignalSummary.of(frame(list(np.linspace(0, 1, 200))))
    assert summary.psi(frame(after))["reach.x"] > 0.25
    assert summary.psi(frame(after))["reach.x"] > summary.luck(frame(after))["reach.x"]


def test_a_signal_nobody_knew_is_told_apart_once_somebody_does() -> None:
    summary = SignalSummary.of(frame([np.nan] * 100))
    assert summary.psi(frame([np.nan] * 30))["reach.x"] == pytest.approx(0, abs=0.02)
    assert summary.psi(frame([7.0] * 30))["reach.x"] > 1
    assert np.isnan(summary.psi(frame([]))["reach.x"])


@pytest.mark.parametrize("shared", [0.0, 0.9], ids=["rows for themselves", "rows of a brief alike"])
def test_luck_is_mistaken_as_often_as_it_says(shared: float) -> None:
    rng = np.random.default_rng(0)
    briefs = pd.Series(np.repeat(np.arange(40), 10)).astype(str)

    def draw() -> pd.DataFrame:
        common = np.repeat(rng.normal(size=40), 10)
        own = rng.normal(size=400)
        return frame(list(np.sqrt(shared) * common + np.sqrt(1 - shared) * own))

    above = {True: 0, False: 0}
    for _ in range(150):
        before, after = draw(), draw()
        summary = SignalSummary.of(before, briefs)
        index = summary.psi(after)["reach.x"]
        above[True] += index > summary.luck(after, briefs)["reach.x"]
        above[False] += index > SignalSummary.of(before).luck(after)["reach.x"]
    assert above[True] / 150 < 0.12
    if shared:  # taken as independent, they would raise the alarm nearly every time
        assert above[False] / 150 > 0.8


def test_one_brief_alone_tells_no_drift() -> None:
    summary = SignalSummary.of(frame([0.0, 1.0] * 20), pd.Series(["b1", "b2"] * 20))
    after = frame([5.0] * 10)
    assert summary.luck(after, pd.Series(["b9"] * 10))["reach.x"] == np.inf


def test_other_signals_and_other_files_are_refused() -> None:
    summary = SignalSummary.of(frame([1.0]))
    with pytest.raises(ValueError, match=r"Got signals without reach\.x but expected all 1"):
        summary.psi(pd.DataFrame({"price.y": [1.0]}))
    for text in ("{", "[]", '{"format": 9}', '{"format": 1, "rows": 1, "signals": {"a": {}}}'):
        with pytest.raises(ValueError, match="Got a summary of signals that cannot be read"):
            SignalSummary.from_json(text)
