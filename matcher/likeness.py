"""How alike a KOL and a brief are: what is known of a pair before anything was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTENT = ["content.top3", "vectors.mean_cosine"]
AUDIENCE = "audience.match"
CONTENT_WEIGHT, AUDIENCE_WEIGHT = 0.7, 0.3
"""Topic first, audience second: the field's habit, not learned."""


def likeness(signals: pd.DataFrame) -> NDArray[np.float64]:
    """Score pairs by likeness of content and audience.

    A user's own vector spaces count like the text. Unknown likeness counts as none.

    Returns
    -------
    ndarray, shape (n,)
        At most 1; higher is more alike.
    """
    content = signals[CONTENT].mean(axis=1).fillna(0)
    audience = signals[AUDIENCE].fillna(0)
    return np.asarray(CONTENT_WEIGHT * content + AUDIENCE_WEIGHT * audience, dtype=np.float64)


def likeness_contributions(signals: pd.DataFrame) -> pd.DataFrame:
    """Return what each signal adds to `likeness`; shape of `signals`."""
    parts = pd.DataFrame(0.0, index=signals.index, columns=signals.columns)
    known = signals[CONTENT].notna().sum(axis=1).clip(lower=1)
    for name in CONTENT:
        parts[name] = CONTENT_WEIGHT * signals[name].fillna(0) / known
    parts[AUDIENCE] = AUDIENCE_WEIGHT * signals[AUDIENCE].fillna(0)
    return parts
