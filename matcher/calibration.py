"""From a score to the chance of a success."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_EACH = 5
"""Fewer successes, or failures, than this tell no slope."""
ISOTONIC_ROWS = 2000
"""From so many outcomes on a step function says more than a curve of two numbers."""
BLOCK_ROWS = 100
"""Outcomes that a step must rest on: with fewer it ties KOLs who are not equal."""


@dataclass(frozen=True)
class Calibration:
    """A logistic curve from margin to probability (Platt, 1999), corrected where much was seen.

    Attributes
    ----------
    slope, intercept : float
        Of the logit; the slope is positive, so a higher margin never gets a lower probability.
    seen : float
        Outcomes it was fitted on. By the rule of succession n of them cannot tell a chance from
        one beyond ``1 / (n + 2)`` and its complement, where the curve ends.
    knots : tuple of pairs of float
        What the curve says and what came, both rising, with lines between: an isotonic regression
        of wide steps. Empty where too little was seen.
    """

    slope: float
    intercept: float
    seen: float
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(
        self, margin: NDArray[np.float64], offset: NDArray[np.float64] | float = 0.0
    ) -> NDArray[np.float64]:
        """Map margins, shape (n,), to probabilities in (0, 1), shape (n,).

        Parameters
        ----------
        margin : ndarray, shape (n,)
            Scores.
        offset : ndarray, shape (n,), or float
            What is added to the log odds of each, known without the score.
        """
        from scipy.special import expit

        end = 1 / (self.seen + 2)
        chance = np.asarray(expit(self.slope * margin + self.intercept + offset), dtype=np.float64)
        if self.knots:
            said, came = np.array([(0.0, 0.0), *self.knots, (1.0, 1.0)]).T
            chance = np.interp(chance, said, came)
        return np.asarray(np.clip(chance, end, 1 - end), dtype=np.float64)

    @classmethod
    def fit(
        cls,
        margin: NDArray[np.float64],
        success: NDArray[np.bool_],
        weight: NDArray[np.float64] | None = None,
        offset: NDArray[np.float64] | float = 0.0,
    ) -> Calibration:
        """Fit by likelihood with Platt's smoothed targets.

        Smoothing keeps the curve finite when margins separate the classes. Where the margins
        order nothing (too few rows, one class, or a slope that is not positive) the curve says
        the base rate, nudged upwards by the margin so that order survives.

        Parameters
        ----------
        margin : ndarray, shape (n,)
            Scores by a model that did not see the outcomes.
        success : ndarray of bool, shape (n,)
            Whether the pair was a success.
        weight : ndarray, shape (n,), optional
            How many outcomes each row counts for; by default 1.
        offset : ndarray, shape (n,), or float
            What is known of each row's log odds without the score.
        """
        from scipy.optimize import minimize

        each = np.ones(len(margin)) if weight is None else weight
        n_good, n_bad = float(each[success].sum()), float(each[~success].sum())
        base = (n_good + 1) / (n_good + n_bad + 2)
        flat = cls(1e-6, float(np.log(base / (1 - base))), n_good + n_bad)
        if min(n_good, n_bad) < LEAST_EACH:
            return flat
        target = np.where(success, (n_good + 1) / (n_good + 2), 1 / (n_bad + 2))

        def loss(curve: NDArray[np.float64]) -> float:
            logit = curve[0] * margin + curve[1] + offset
            return float(each @ (np.logaddexp(0, logit) - target * logit))

        best = minimize(loss, x0=np.array([1.0, flat.intercept]), method="L-BFGS-B").x
        if not best[0] > flat.slope:
            return flat
        curve = cls(float(best[0]), float(best[1]), n_good + n_bad)
        if n_good + n_bad < ISOTONIC_ROWS:
            return curve
        knots = _knots(curve(margin, offset), success, each)
        return cls(curve.slope, curve.intercept, curve.seen, knots)


def _knots(
    said: NDArray[np.float64], success: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[tuple[float, float], ...]:
    """Return what was said and what came in blocks of rising forecasts, made to rise."""
    from sklearn.isotonic import isotonic_regression

    order = np.argsort(said, kind="stable")
    # Blocks of equal weight, each a point of the regression: no step rests on fewer outcomes.
    blocks = max(int(weight.sum() / BLOCK_ROWS), 2)
    block = np.minimum(np.cumsum(weight[order]) / weight.sum() * blocks, blocks - 1).astype(int)
    mass = np.bincount(block, weights=weight[order])
    mean = np.bincount(block, weights=(weight * said)[order]) / mass
    came = np.bincount(block, weights=(weight * success)[order]) / mass
    risen = isotonic_regression(came, sample_weight=mass, y_min=0.0, y_max=1.0)
    # A step's ends say the same: one knot in its middle leaves lines that rise between steps.
    knots = {}
    for value in np.unique(risen):
        step = risen == value
        knots[float(np.average(mean[step], weights=mass[step]))] = float(value)
    return tuple(knots.items())
