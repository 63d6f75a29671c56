"""How much more one mode of collaboration brings than another, whoever the KOL.

Most KOLs were tried in one mode or none, and a forest that meets nine modes among a hundred signals
learns next to nothing of any. So a head takes one factor a mode out of what its forest leaves
unexplained, each pulled towards 1 where few collaborations tell of it, and the forest then learns
the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.history import QUOTED_MODES

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "mode.kind"
"""The signal that tells the mode of a pair."""
PRICED = (
    *("price.log", "price.relative", "price.per_view", "price.per_engagement"),
    *("price.of_budget", "price.of_max"),
)
"""Signals that change with the mode because its price does. Heads do not read them: a KOL does not
bring more in the dearer mode because dear KOLs bring more. ``price.against_peers`` compares prices
of one mode and stays."""
PASSES = 2
"""Rounds in which forest and lifts explain what the other leaves."""
HASTE = 3
"""How many times fewer and larger steps a forest takes that only serves to find the lifts."""


def lift(signals: pd.DataFrame, lifts: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the log of what each pair's mode adds, shape (n,); 0 where it is not known."""
    if not lifts or KIND not in signals:
        return np.zeros(len(signals))
    by_kind = {place: lifts.get(name, 0.0) for place, name in enumerate(QUOTED_MODES)}
    return signals[KIND].map(by_kind).fillna(0.0).to_numpy(dtype=np.float64)


def learn_lifts(
    signals: pd.DataFrame,
    unexplained: Callable[
        [NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64] | None]
    ],
    rows: float,
) -> dict[str, float]:
    """Learn what each mode adds.

    Parameters
    ----------
    signals : DataFrame, shape (n, ...)
        Signals of finished collaborations.
    unexplained : callable
        Takes the log that modes add so far, shape (n,); returns how much came of each row and how
        much was expected without modes. Either in logs, with ``None`` for the second, or as
        amounts whose mean is 1.
    rows : float
        Collaborations at which half of what is seen of a mode is believed.

    Returns
    -------
    dict of str to float
        By mode, in logs; those that nobody tried are missing.
    """
    lifts: dict[str, float] = {}
    kind = signals[KIND] if KIND in signals else pd.Series(np.nan, index=signals.index)
    if kind.nunique() < 2:
        return lifts
    for _ in range(PASSES):
        came, expected = unexplained(lift(signals, lifts))
        told = pd.DataFrame({"came": came, "expected": 1.0 if expected is None else expected})
        found = told.groupby(kind.to_numpy()).agg(["sum", "size"])
        came_of, count = found["came", "sum"], found["came", "size"]
        if expected is None:
            centre = float(np.mean(came))
            seen = (came_of - centre * count) / (count + rows)
        else:
            centre = float(np.sum(came) / np.sum(expected))
            seen = np.log((came_of / centre + rows) / (found["expected", "sum"] + rows))
        lifts = {QUOTED_MODES[int(place)]: float(value) for place, value in seen.items()}
    return lifts
