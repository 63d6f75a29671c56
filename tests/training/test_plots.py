import io
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from training.evaluate import MODEL, Evaluation, rank_lists
from training.plots import plot_families, plot_rankers, plot_reliability


def png(figure: Figure) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png")
    return held.getvalue()


@pytest.fixture
def figures() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame(
        {"brief_id": np.repeat(["a", "b", "c"], 5), "kol_id": list("12345") * 3}
    ).assign(grade=rng.integers(0, 5, 15).astype(float))
    by = {
        MODEL: lambda pairs, signals: pairs["grade"].to_numpy(),
        "random": lambda pairs, signals: np.arange(len(pairs), dtype=float),
    }
    brands = pd.Series({"a": "x", "b": "y", "c": "y"})
    evaluation: Evaluation = rank_lists([(pairs, pairs, pairs["grade"])], by, brands, "outcomes")
    chance = pd.Series(rng.random(57))
    gain = pd.Series({"content.recent": 0.5, "content.top3": 0.2, "price.log": 0.3})
    return {
        "rankers": plot_rankers(evaluation, "outcomes"),
        "reliability": plot_reliability(chance, (chance > 0.5).astype(float), "Fit"),
        "families": plot_families(gain),
    }


def test_figures_become_images_without_pyplot(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        assert png(figure).startswith(b"\x89PNG")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_the_lead_is_told_for_every_rule_but_the_model(figures: dict[str, Figure]) -> None:
    axes = figures["rankers"].axes[0]
    told = dict(
        zip(
            (label.get_text() for label in axes.get_yticklabels()),
            (text.get_text() for text in axes.texts),
            strict=True,
        )
    )
    assert told[MODEL] == "1.000"
    assert "lead +" in told["random"]


def test_bins_of_the_reliability_plot_hold_equally_many(figures: dict[str, Figure]) -> None:
    said, came = figures["reliability"].axes[0].lines[1].get_data()
    assert len(said) == 10
    assert (np.diff(said) > 0).all()
    assert np.asarray(came)[[0, -1]].tolist() == [0.0, 1.0]


def test_few_forecasts_have_as_many_bins() -> None:
    few = pd.Series([0.2, 0.4, 0.4])
    lines = plot_reliability(few, few, "Fit").axes[0].lines
    assert len(lines[1].get_xdata()) == 3


def test_gains_are_added_up_by_family(figures: dict[str, Figure]) -> None:
    widths = [bar.get_width() for bar in figures["families"].axes[0].patches]
    assert widths == pytest.approx([0.3, 0.7])
