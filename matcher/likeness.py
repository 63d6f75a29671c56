"""How alike a KOL and a brief are: what ranks where no outcome can be forecast.

A sum over a few signals of likeness. Before anything was learned the weights are the field's
habit; where people's grades or choices are known, they are learned from those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTENT = ["content.widened_top3", "vectors.mean_cosine"]
BIO, AUDIENCE, VERTICAL = "content.bio", "audience.match", "category.vertical"
LOOKED_UP = [AUDIENCE, VERTICAL]
"""Signals that `quick_likeness` reads."""
CONTENT_WEIGHT, AUDIENCE_WEIGHT, VERTICAL_WEIGHT = 0.6, 0.25, 0.15
"""Topic first, audience second, the label last: the field's habit, not learned."""
_ALIKE = ("affinity.", "content.", AUDIENCE, VERTICAL)
"""Signals that compare a brief and a KOL, and so may be learned from."""
_PLAIN, _PROJECTED = "vectors.", "affinity.cosine_"
"""Users' own vectors are compared as they are only where nothing was learned of their spaces."""
_RESTRAINT = 20.0
"""Ridge on each weight, in briefs: signals that say the same share a weight rather than fight."""


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


def quick_likeness(signals: pd.DataFrame, content: NDArray[np.float64]) -> NDArray[np.float64]:
    """Guess `likeness` from what is looked up, and a cosine of the content where one is at hand.

    Parameters
    ----------
    signals : DataFrame, shape (n, ...)
        With the likeness of audience and vertical.
    content : ndarray, shape (n,)
        Cosine of the brief and the KOL's closest topic; 0 where none is known.

    Returns
    -------
    ndarray, shape (n,)
        NaN where nothing speaks for a KOL: to be first by chance is no guess.
    """
    told = signals.reindex(columns=[*CONTENT, BIO, AUDIENCE, VERTICAL])
    guess = likeness(told.assign(**{CONTENT[0]: np.where(content != 0, content, np.nan)}))
    return np.where(guess > 0, guess, np.nan)


@dataclass(frozen=True)
class Likeness:
    """Likeness with learned weights.

    Attributes
    ----------
    weights : mapping of str to float
        Margin per unit of each signal.
    usual : mapping of str to float
        What an unknown signal counts as: its mean over the pairs learned from.
    """

    weights: Mapping[str, float]
    usual: Mapping[str, float]

    def __call__(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Score pairs, shape (n,): higher is more alike inside one brief."""
        total = np.zeros(len(signals))
        for _, part in self._parts(signals):
            total += part
        return total

    def contributions(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Return what each signal adds to the score; shape of `signals`."""
        parts = pd.DataFrame(0.0, index=signals.index, columns=signals.columns)
        for name, part in self._parts(signals):
            parts[name] = part
        return parts

    def _parts(self, signals: pd.DataFrame) -> list[tuple[str, NDArray[np.float64]]]:
        # One column at a time, in one order: a row's sum then depends on that row alone.
        return [
            (name, weight * np.nan_to_num(signals[name].to_numpy() - self.usual[name]))
            for name, weight in self.weights.items()
        ]

    @classmethod
    def fit(
        cls, signals: pd.DataFrame, target: NDArray[np.float64], brief: NDArray[np.int64]
    ) -> Likeness:
        """Learn the weights under which each brief's own choice is likeliest.

        A conditional logit (McFadden, 1974), which is ListNet (Cao et al., 2007) with a linear
        score: each brief spreads one unit of preference over its list, and the softmax of the
        scores should do the same.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            Signals of each brief's list.
        target : ndarray, shape (n,)
            How a brief's preference is spread over its list; sums to 1 over each brief.
        brief : ndarray of int64, shape (n,)
            Codes of briefs, 0 to b - 1.
        """
        from scipy.optimize import minimize

        projected = any(name.startswith(_PROJECTED) for name in signals.columns)
        prefixes = _ALIKE if projected else (*_ALIKE, _PLAIN)
        # Sorted, as a saved model gives them back: the order of a sum is part of it.
        alike = sorted(name for name in signals.columns if name.startswith(prefixes))
        usual = signals[alike].mean()
        spread = signals[alike].std(ddof=0)
        alike = [name for name in alike if spread[name] > 0]
        usual, spread = usual[alike], spread[alike]
        rows = ((signals[alike] - usual) / spread).fillna(0.0).to_numpy(dtype=np.float64)
        order = np.argsort(brief, kind="stable")
        rows, target, brief = rows[order], target[order], brief[order]
        start = np.searchsorted(brief, np.unique(brief))
        lists = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(brief))))

        def loss(weight: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            margin = rows @ weight
            margin -= np.maximum.reduceat(margin, start)[lists]
            total = np.add.reduceat(np.exp(margin), start)[lists]
            chance = np.exp(margin) / total
            value = -float(target @ (margin - np.log(total)))
            value += _RESTRAINT * float(weight @ weight)
            return value, rows.T @ (chance - target) + 2 * _RESTRAINT * weight

        if not len(start) or not alike:
            return cls({}, {})
        found = minimize(loss, np.zeros(len(alike)), jac=True, method="L-BFGS-B").x
        weights = dict(zip(alike, (found / spread.to_numpy()).tolist(), strict=True))
        return cls(weights, dict(zip(alike, usual.to_list(), strict=True)))
