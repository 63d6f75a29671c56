"""A first look at many KOLs: what the ranker would say, guessed from what costs little to know.

Comparing a brief with every post of a KOL, and asking hundreds of trees, costs a thousand times
what a few look-ups cost. The scout draws a straight line through the ranker's own scores over the
signals that are looked up alone. It decides only who is worth ranking (`matcher.retrieval`).
Cascades of a cheap and a full ranker are common where rosters are large (Wang, Lin and Metzler,
SIGIR 2011).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.contract import GOALS
from matcher.forecast import goals_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAMILIES = (
    *("audience", "category", "price", "mode", "reach", "engagement"),
    *("growth", "sponsored", "record", "reputation", "conduct", "rivalry"),
)
"""Families of signals that are looked up: they read no text vector."""
_RESTRAINT = 10.0
"""Ridge on each weight, in pairs: signals that say the same share a weight."""


@dataclass(frozen=True)
class Scout:
    """A linear guess of the ranker's scores, for each goal.

    Attributes
    ----------
    usual : mapping of str to float
        Each signal's mean over the pairs learned from, which an unknown one counts as.
    weights : mapping of str to (mapping of str to float)
        By goal, the score per unit of each signal; ``""`` for briefs without a goal that was
        learned from.
    """

    usual: Mapping[str, float]
    weights: Mapping[str, Mapping[str, float]]

    def __call__(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Guess scores, shape (n,), on no scale but an order inside one brief."""
        total = np.zeros(len(signals))
        which, kinds = pd.factorize(signals["category.goal"])
        goals = [*goals_of(pd.DataFrame({"category.goal": kinds})).fillna(""), ""]
        for place in np.unique(which):
            goal, rows = goals[place], np.flatnonzero(which == place)
            # One column at a time: a row's sum depends on that row alone.
            for name, weight in self.weights.get(goal, self.weights[""]).items():
                values = signals[name].to_numpy(dtype=np.float64)[rows]
                total[rows] += weight * np.nan_to_num(values - self.usual[name])
        return total

    @classmethod
    def fit(
        cls, signals: pd.DataFrame, score: NDArray[np.float64], brief_id: pd.Series[Any]
    ) -> Scout:
        """Draw the line through scores as they differ inside each brief.

        One set of weights for all goals and one of each goal's own beside it, by ridge regression:
        a goal with few briefs stays near to all (Daume, ACL 2007).

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            Signals of pairs.
        score : ndarray, shape (n,)
            The ranker's scores of them.
        brief_id : Series, shape (n,)
            Brief of each pair.
        """
        from sklearn.linear_model import Ridge

        cheap = sorted(n for n in map(str, signals.columns) if n.partition(".")[0] in FAMILIES)
        usual = signals[cheap].mean()
        rows = (signals[cheap] - usual).fillna(0.0).to_numpy(dtype=np.float64)
        inside = np.column_stack([score, rows])
        brief = pd.factorize(brief_id)[0]
        inside -= pd.DataFrame(inside).groupby(brief).transform("mean").to_numpy()
        spread = inside[:, 1:].std(axis=0)
        told = np.flatnonzero(spread > 1e-9)  # what differs inside briefs, rounding aside
        if not len(told):  # text and grades alone: nothing to look up
            return cls({}, {"": {}})
        names, spread = [cheap[at] for at in told], spread[told]
        score, rows = inside[:, 0], inside[:, 1 + told] / spread

        goals = goals_of(signals).fillna("").to_numpy(dtype=object)
        asked = [goal for goal in GOALS if (goals == goal).any()]
        own = [rows * (goals == goal)[:, None] for goal in asked]
        line = Ridge(alpha=_RESTRAINT, fit_intercept=False).fit(np.hstack([rows, *own]), score)
        shared, *apart = line.coef_.reshape(len(asked) + 1, len(names)) / spread
        found = {"": shared} | {
            goal: shared + more for goal, more in zip(asked, apart, strict=True)
        }
        return cls(
            {name: float(usual[name]) for name in names},
            {goal: dict(zip(names, w.tolist(), strict=True)) for goal, w in found.items()},
        )
