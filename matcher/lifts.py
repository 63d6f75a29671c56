"""How much more one mode of collaboration brings than another, whoever the KOL.

Most KOLs were tried in one mode or none, and a forest that meets nine modes among a hundred signals
learns next to nothing of any. So a head takes one factor a mode out of what its forest leaves
unexplained, each pulled towards 1 where few collaborations tell of it, and the forest then learns
the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from features.history import QUOTED_MODES

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "mode.kind"
"""The signal that tells the mode of a pair."""
PRICED = (
    *("price.log", "price.relative", "price.per_view", "price.per_engagement"),
    *("price.of_budget", "price.of_max", "price.currency"),
)
"""Signals that change with the mode because its price does. Heads do not read them: a KOL does not
bring more in the dearer mode because dear KOLs bring more. ``price.against_peers`` compares prices
of one mode and stays."""
PASSES = 2
"""Rounds in which forest and lifts explain what the other leaves."""
HASTE = 5
"""How many times fewer and larger steps a forest takes that only serves to find the lifts."""


Unexplained: TypeAlias = Callable[
    ["NDArray[np.float64]"], tuple["NDArray[np.float64]", "NDArray[np.float64] | None"]
]
"""Takes the log that modes add so far, shape (n,); returns how much came of each row and how much
was expected of it without modes: as amounts whose mean is about 1, or both in logs, as their
difference and ``None``."""


def lift(signals: pd.DataFrame, lifts: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the log of what each pair's mode adds, shape (n,); 0 where it is not known."""
    kind = _kind(signals)
    added = np.array([lifts.get(name, 0.0) for name in QUOTED_MODES])
    return np.asarray(np.where(kind < 0, 0.0, added[kind]), dtype=np.float64)


def learn_lifts(signals: pd.DataFrame, unexplained: Unexplained, rows: float) -> dict[str, float]:
    """Learn what each mode adds.

    Parameters
    ----------
    signals : DataFrame, shape (n, ...)
        Signals of finished collaborations.
    unexplained : callable
        What is left when a forest has learned all but the modes.
    rows : float
        Collaborations at which half of what is seen of a mode is believed.

    Returns
    -------
    dict of str to float
        By mode, in logs; those that nobody tried are missing, and all are where only one was.
    """
    kind = _kind(signals)
    known, lifts = kind >= 0, dict[str, float]()
    tried = np.unique(kind[known])
    if len(tried) < 2:
        return lifts

    def by_mode(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.bincount(kind[known], weights=values[known], minlength=len(QUOTED_MODES))
        return total.astype(np.float64)

    for _ in range(PASSES):
        came, expected = unexplained(lift(signals, lifts))
        if expected is None:
            count = by_mode(np.ones(len(came)))
            seen = by_mode(came - came.mean()) / (count + rows)
        else:
            usual = came.sum() / expected.sum()
            seen = np.log((by_mode(came) / usual + rows) / (by_mode(expected) + rows))
        lifts = {QUOTED_MODES[place]: float(seen[place]) for place in tried}
    return lifts


def _kind(signals: pd.DataFrame) -> NDArray[np.int64]:
    """Return the position of each pair's mode in `QUOTED_MODES`, -1 where it is not known."""
    if KIND not in signals:
        return np.full(len(signals), -1, dtype=np.int64)
    kind: NDArray[np.float64] = np.nan_to_num(signals[KIND].to_numpy(dtype=np.float64), nan=-1.0)
    return kind.astype(np.int64)
