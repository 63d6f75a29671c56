import sys
import warnings
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from training.leads import BETTER, UNSURE, WORSE
from training.plots import (
    BAD,
    GOOD,
    MUTED,
    as_svg,
    plot_families,
    plot_leads,
    plot_reliability,
    plot_rounds,
    plot_slices,
    plot_tiers,
)

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def figures() -> dict[str, Figure]:
    lead = {"lead": [0.3, 0.1, -0.2, None], "lead_low": [0.2, -0.1, -0.3, None]}
    lead |= {"lead_high": [0.4, 0.3, -0.1, None], "ranker": ["far", "near", "ahead", "kolmatch"]}
    ends = {"difference": [-0.2, 0.1, 0.3], "low": [-0.3, None, 0.2], "high": [-0.1, None, 0.4]}
    slices = pd.DataFrame(ends | {"briefs": 1200, "verdict": [WORSE, UNSURE, BETTER]})
    names = ["vertical: 美妆$x$ & <b>", "tier: mega", "tier: nano"]
    chance = pd.Series(np.random.default_rng(0).random(57))
    gain = pd.Series({"content.recent": 0.5, "content.top3": 0.2, "affinity.crowding": 0.3})
    shares = {"roster": [0.5, 0.5], "kolmatch": [0.9, 0.1], "tried": [0.6, 0.4]}
    tiers = pd.DataFrame(shares | {"value": [np.nan] * 2}, index=["nano", "mega"])
    return {
        "leads": plot_leads(pd.DataFrame(lead)),
        "slices": plot_slices(slices.assign(slice=names)),
        "rounds": plot_rounds(slices.assign(round=["c", "b", "a"]).dropna(subset=["low"])),
        "fit": plot_reliability(chance, (chance > 0.5).astype(float), "Fit"),
        "families": plot_families(gain),
        "tiers": plot_tiers(tiers, "kolmatch"),
    }


def labels(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_figures_become_svg_that_shares_a_page_with_others(figures: dict[str, Figure]) -> None:
    seen: set[str] = set()
    for name, figure in figures.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Chinese that the plot's own font lacks is no fault
            text = as_svg(figure, name, 'Who is "ahead"')
        root = ElementTree.fromstring(text)
        assert root.tag == f"{SVG}svg"
        assert "viewBox" in root.attrib
        assert not {"width", "height"} & set(root.attrib)
        assert root.attrib["aria-label"] == 'Who is "ahead"'
        ids = [node.attrib["id"] for node in root.iter() if "id" in node.attrib]
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        seen |= set(ids)
        used = {link for node in root.iter() for key, link in node.attrib.items() if "href" in key}
        assert {link.removeprefix("#") for link in used} <= set(ids)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_names_that_others_gave_stay_as_they_are(figures: dict[str, Figure]) -> None:
    root = ElementTree.fromstring(as_svg(figures["slices"], "slices", ""))
    words = ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
    assert "vertical: 美妆$x$ & <b>  (1,200 briefs)" in [word.strip() for word in words]


def test_leads_are_coloured_by_what_they_prove(figures: dict[str, Figure]) -> None:
    assert labels(figures["leads"]) == ["far", "near", "ahead"]  # from the bottom
    lines = figures["leads"].axes[0].collections[0].get_colors()
    told = [tuple(np.round(255 * color[:3]).astype(int)) for color in lines]
    assert told == [tuple(bytes.fromhex(color[1:])) for color in (GOOD, MUTED, BAD)]


def test_slices_without_an_interval_are_not_drawn(figures: dict[str, Figure]) -> None:
    assert [label.split("  ")[0] for label in labels(figures["slices"])] == [
        "tier: nano",
        "vertical: 美妆$x$ & <b>",
    ]


def test_bins_of_the_reliability_plot_hold_equally_many(figures: dict[str, Figure]) -> None:
    said, came = figures["fit"].axes[0].lines[1].get_data()
    assert len(said) == 10
    assert (np.diff(said) > 0).all()
    assert np.asarray(came)[[0, -1]].tolist() == [0.0, 1.0]


def test_few_forecasts_have_as_many_bins_as_differ() -> None:
    few = pd.Series([0.2, 0.4, 0.4])
    lines = plot_reliability(few, few, "Fit").axes[0].lines
    assert list(lines[1].get_xdata()) == [0.2, 0.4]


def test_gains_are_added_up_by_family(figures: dict[str, Figure]) -> None:
    widths = [bar.get_width() for bar in figures["families"].axes[0].patches]
    assert widths == pytest.approx([0.3, 0.7])
    assert labels(figures["families"]) == ["learned affinity", "content similarity"]


def test_shares_that_nobody_knows_have_no_bars(figures: dict[str, Figure]) -> None:
    widths = [bar.get_width() for bar in figures["tiers"].axes[0].patches]
    assert widths == pytest.approx([0.5, 0.5, 0.9, 0.1])
