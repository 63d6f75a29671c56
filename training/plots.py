"""The plots of an evaluation, and how they become part of a page."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.signals import FAMILIES, affinity_family
from training.leads import BETTER, WORSE
from training.reliability import reliability_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

INK, MUTED, ACCENT, GOOD, BAD = "#1f2933", "#7b8794", "#0b7285", "#2b8a3e", "#c92a2a"
_WIDTH, _SMALL = 6.6, 9
"""Inches and points: as wide as a page's column, and still read on a phone."""


def plot_leads(lead: pd.DataFrame, metric: str = "NDCG@10") -> Figure:
    """Draw the model's lead over every rule with its 95% interval, the closest rule first.

    Parameters
    ----------
    lead : DataFrame
        ranker, lead, lead_low and lead_high of one metric (`training.leads.intervals`).
    """
    told = lead.dropna(subset=["lead"]).sort_values("lead", ascending=False)
    figure, axes = _axes(0.3 * len(told) + 1.1, f"Lead in {metric} over each rule, 95% interval")
    colors = np.select([told["lead_low"] > 0, told["lead_high"] < 0], [GOOD, BAD], MUTED)
    _intervals(axes, told["ranker"], told["lead"], told["lead_low"], told["lead_high"], colors)
    return figure


def plot_slices(leads: pd.DataFrame) -> Figure:
    """Draw the lead in each slice that has an interval, coloured by its verdict."""
    told = leads.dropna(subset=["low"]).iloc[::-1]
    title = "Lead in NDCG@10 by slice, 95% interval"
    figure, axes = _axes(0.26 * len(told) + 1.1, title)
    colors = np.select([told["verdict"] == BETTER, told["verdict"] == WORSE], [GOOD, BAD], MUTED)
    names = told["slice"] + told["briefs"].map("  ({:,} briefs)".format)
    _intervals(axes, names, told["difference"], told["low"], told["high"], colors)
    return figure


def plot_rounds(rounds: pd.DataFrame) -> Figure:
    """Draw the lead over the best rule in each round of testing.

    Parameters
    ----------
    rounds : DataFrame
        round, difference, low and high, the latest first.
    """
    told = rounds.iloc[::-1]
    figure, axes = _axes(0.3 * len(told) + 1.1, "Lead over the best rule in each round")
    colors = np.select([told["low"] > 0, told["high"] < 0], [GOOD, BAD], MUTED)
    _intervals(axes, told["round"], told["difference"], told["low"], told["high"], colors)
    return figure


def plot_reliability(chance: pd.Series[Any], success: pd.Series[Any], title: str) -> Figure:
    """Draw how often things happened against how likely they were said to be, in ten equal bins."""
    table = reliability_bins(chance, success)
    figure, axes = _axes(4.2, title)
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    reach = np.abs(table[["low", "high"]].to_numpy() - table[["came"]].to_numpy()).T
    axes.errorbar(table["said"], table["came"], yerr=reach, color=ACCENT, fmt="o-", capsize=2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("forecast chance", fontsize=_SMALL, color=INK)
    axes.set_ylabel("came true (95% interval)", fontsize=_SMALL, color=INK)
    return figure


def plot_tiers(tiers: pd.DataFrame, ranker: str) -> Figure:
    """Draw each tier's share of places beside its share of the roster and of what was brought.

    Parameters
    ----------
    tiers : DataFrame
        As `training.exposure.Exposure.by_tier` gives it.
    ranker : str
        The column of places.
    """
    names = {"roster": "of the roster", ranker: "of the places", "value": "of the value brought"}
    told = {column: label for column, label in names.items() if tiers[column].notna().any()}
    figure, axes = _axes(0.62 * len(tiers) + 1.2, "Share of each follower tier")
    height = 0.8 / len(told)
    colors = dict(zip(names, (MUTED, ACCENT, GOOD), strict=True))
    place = np.arange(len(tiers))[::-1]
    for number, (column, label) in enumerate(told.items()):
        at = place + 0.4 - height * (number + 0.5)
        axes.barh(at, tiers[column], height=height * 0.9, color=colors[column], label=label)
    axes.set_yticks(place, list(tiers.index))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.legend(frameon=False, fontsize=_SMALL - 1, loc="lower right")
    return figure


def plot_families(gain: pd.Series[float]) -> Figure:
    """Draw how much each family of signals lowered the ranker's loss."""
    families = by_family(gain).sort_values()
    figure, axes = _axes(
        0.28 * len(families) + 1, "What the ranker's trees look at (share of gain)"
    )
    axes.barh(list(families.index), families.to_numpy(), color=ACCENT)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    return figure


def by_family(gain: pd.Series[float]) -> pd.Series[float]:
    """Add the gains of signals up by family, called as a person calls it, highest first."""
    labels = {family.name: family.label_en for family in (*FAMILIES, affinity_family(()))}
    families = gain.groupby(gain.index.str.split(".").str[0]).sum()
    return families.rename(index=labels).sort_values(ascending=False)


def as_svg(figure: Figure, name: str, label: str) -> str:
    """Return a figure as SVG that may stand in a page among others.

    Text stays text; identifiers begin with `name`, so that no two figures share one; figures that
    were drawn alike give the same bytes.

    Parameters
    ----------
    name : str
        Letters, digits, ``-`` and ``_``; unlike that of any other figure of the page.
    label : str
        What the figure shows, for those who cannot see it.
    """
    from html import escape

    import matplotlib as mpl

    held = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's reader draws the letters: what the plot's own font lacks does not matter.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        figure.savefig(held, format="svg", metadata={"Date": None}, transparent=True)
    text = held.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    # Without a fixed size it takes the width that the page gives it.
    head, tail = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(label, quote=True)}">{tail}'


def _axes(height: float, title: str) -> tuple[Figure, Axes]:
    # The object interface: pyplot would keep every figure of a long job alive.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=INK, fontsize=_SMALL + 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=_SMALL, colors=INK)
    return figure, axes


def _intervals(
    axes: Axes,
    names: pd.Series[str],
    mean: pd.Series[float],
    low: pd.Series[float],
    high: pd.Series[float],
    colors: NDArray[np.str_],
) -> None:
    """Draw one interval a row, from the bottom, and a line where there is no difference."""
    axes.axvline(0, color=MUTED, linewidth=0.8)
    place = np.arange(len(mean))
    axes.hlines(place, low, high, colors=list(colors), linewidth=2)
    axes.scatter(mean, place, c=list(colors), s=22, zorder=3)
    # A name that somebody else gave may hold a dollar sign, which is no formula.
    axes.set_yticks(place, [_short(str(name)) for name in names], parse_math=False)
    axes.set_ylim(-0.7, len(mean) - 0.3)


def _short(name: str, length: int = 60) -> str:
    """Leave room for the plot, whatever a slice is called."""
    if len(name) <= length:
        return name
    return f"{name[: length - 15].rstrip()}…{name[-14:]}"
