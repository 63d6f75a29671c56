"""How alike a KOL and a brief are: what is known of a pair before anything was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTENT = ["content.top3", "vectors.mean_cosine"]
BIO, AUDIENCE, VERTICAL = "content.bio", "audience.match", "category.vertical"
CONTENT_WEIGHT, AUDIENCE_WEIGHT, VERTICAL_WEIGHT = 0.6, 0.25, 0.15
"""Topic first, audience second, the label last: the field's habit, not learned."""


def likeness(signals: pd.DataFrame) -> NDArray[np.float64]:
    """Score pairs by likeness of content and audience.

    A user's own vector spaces count like the posts; the bio speaks where neither is known. Unknown
    likeness counts as none.

    Returns
    -------
    ndarray, shape (n,)
        At most 1; higher is more alike.
    """
    return np.asarray(likeness_contributions(signals).sum(axis=1), dtype=np.float64)


def likeness_contributions(signals: pd.DataFrame) -> pd.DataFrame:
    """Return what each signal adds to `likeness`; shape of `signals`."""
    parts = pd.DataFrame(0.0, index=signals.index, columns=signals.columns)
    known = signals[CONTENT].notna().sum(axis=1)
    for name in CONTENT:
        parts[name] = CONTENT_WEIGHT * signals[name].fillna(0) / known.clip(lower=1)
    parts[BIO] = CONTENT_WEIGHT * signals[BIO].fillna(0).where(known == 0, 0.0)
    parts[AUDIENCE] = AUDIENCE_WEIGHT * signals[AUDIENCE].fillna(0)
    parts[VERTICAL] = VERTICAL_WEIGHT * signals[VERTICAL].fillna(0)
    return parts
