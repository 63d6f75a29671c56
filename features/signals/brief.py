"""What the brief is like, for signals that weigh differently in different briefs."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.signals.family import Signals
from features.statistics import log, ratio, where
from features.vectors import Embeddings
from features.view import View

BRIEF = {
    "budget": "natural log of the budget",
    "kols_wanted": "how many KOLs the brief wants",
    "budget_per_kol": "natural log of budget over KOLs wanted",
    "product_price": "natural log of the product's price",
    "gross_margin": "gross margin, 0-1",
    "platforms": "how many platforms the brief names, 0 is any",
    "modes": "how many modes the brief names, 0 is any",
    "days": "days from start to end",
    "text_length": "natural log of characters of the text + 1",
}


def brief(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Describe the brief; equal for all its KOLs, and of use to trees beside other signals."""
    briefs = view.history.briefs
    budget, wanted = view.brief_number("budget"), view.brief_number("kols_wanted")
    span = (briefs["ends_at"] - briefs["starts_at"]).dt.total_seconds().to_numpy() / 86_400.0
    return {
        "budget": log(budget),
        "kols_wanted": wanted,
        "budget_per_kol": log(ratio(budget, where(wanted > 0, wanted))),
        "product_price": log(view.brief_number("product_price")),
        "gross_margin": view.brief_number("gross_margin"),
        "platforms": briefs["platforms"].map(len).to_numpy(dtype=np.float64)[view.brief],
        "modes": briefs["modes"].map(len).to_numpy(dtype=np.float64)[view.brief],
        "days": span[view.brief],
        "text_length": np.log1p(briefs["text"].str.len().to_numpy(dtype=np.float64))[view.brief],
    }
