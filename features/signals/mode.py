"""In which mode of collaboration the offer is."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.offers import choose_offers, quoted_modes
from features.signals.family import Signals
from features.statistics import where
from features.vectors import Embeddings
from features.view import View

MODE = {"kind": "position of the offer's mode among the modes by name"}


def mode(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Say in which mode the offer that applies is; null where none does."""
    row = view.once(choose_offers).row
    return {"kind": where(row >= 0, quoted_modes(view.history, row).astype(np.float64))}
