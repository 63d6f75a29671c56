"""The plots that go with a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.signals import FAMILIES
from training.evaluate import HEADLINE, MODEL, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, ACCENT = "#1f2933", "#9aa5b1", "#0b7285"


def _axes(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    # The object interface: pyplot would keep every figure of a long job alive.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def plot_rankers(evaluation: Evaluation, view: str) -> Figure:
    """Draw every ranker's mean NDCG@10 with the 95% interval of the model's lead over it."""
    table = evaluation.summary(view)[HEADLINE].sort_values()
    lead = evaluation.comparison(view).set_index("ranker")
    figure, axes = _axes(7, 0.35 * len(table) + 1.2, f"NDCG@10 on test briefs ({view})")
    colors = [ACCENT if name == MODEL else MUTED for name in table.index]
    axes.barh(list(table.index), table.to_numpy(), color=colors)
    for position, (name, mean) in enumerate(table.items()):
        text = f"{mean:.3f}"
        if name != MODEL:
            low, high = lead.loc[str(name), ["low", "high"]]
            text += f"   (lead {low:+.3f} to {high:+.3f})"
        axes.text(mean + 0.005, position, text, va="center", fontsize=8, color=INK)
    axes.set_xlim(0, max(table.max() * 1.45, 0.1))
    return figure


def plot_reliability(predicted: pd.Series[float], actual: pd.Series[float], title: str) -> Figure:
    """Draw how often things happened against how likely they were said to be, in ten equal bins."""
    figure, axes = _axes(5, 4.5, title)
    order = np.argsort(predicted.to_numpy(), kind="stable")
    bins = [part for part in np.array_split(order, 10) if len(part)]
    said = [float(predicted.to_numpy()[part].mean()) for part in bins]
    came = [float(actual.to_numpy()[part].mean()) for part in bins]
    axes.plot([0, max(said + came)], [0, max(said + came)], color=MUTED, linestyle=":")
    axes.plot(said, came, color=ACCENT, marker="o")
    axes.set_xlabel("forecast")
    axes.set_ylabel("came true")
    return figure


def plot_families(gain: pd.Series[float]) -> Figure:
    """Draw how much each family of signals lowered the ranker's loss."""
    labels = {family.name: family.label_en for family in FAMILIES}
    families = gain.groupby(gain.index.str.split(".").str[0]).sum().rename(index=labels)
    families = families.sort_values()
    figure, axes = _axes(6.5, 0.32 * len(families) + 1, "What the ranker looks at (share of gain)")
    axes.barh(list(families.index), families.to_numpy(), color=ACCENT)
    return figure
