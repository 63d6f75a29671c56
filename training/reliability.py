"""Whether what was forecast can be believed: chances against what came, intervals against counts.

Rows of one brand are alike, so the brand is the unit of intervals (of a recalibration, and of the
share that a forecast interval held), and the noise floor of the calibration error lets outcomes of
a brand succeed and fail together as much as these did. The limits of single bins take rows as
independent and are therefore too narrow where brands differ much.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from training.calibration import (
    brier_score,
    calibration_error,
    equal_mass_bins,
    noise_floor,
)
from training.coverage import PIT, STATED, randomised_coverage
from training.shared_luck import shared_luck
from training.significance import paired_bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOW, MIDDLE, HIGH = "_p10", "_p50", "_p90"
"""How the columns of a forecast's quantiles end."""
NOMINAL = 0.8
"""Share of outcomes that should lie between P10 and P90."""
LEAST_OF_EACH = 5
"""With fewer successes or failures no recalibration is fitted."""


@dataclass(frozen=True)
class Reliability:
    """How chances compare with what came of them.

    Attributes
    ----------
    rows, brands : int
        Forecasts of which something came, and the brands they are of.
    base_rate : float
        Share that came true.
    ece, ece_noise_floor, ece_noise_floor_alone : float
        Calibration error over bins of equal mass, and the 95th percentile of what chance alone
        gives a perfect model (`training.calibration.noise_floor`): below it nothing speaks against
        the chances. The last is that of outcomes that are independent of each other.
    shared_luck : float
        How far outcomes of a brand succeed and fail together (`training.shared_luck`), 0-1.
    brier, brier_base : float
        Mean squared error, and that of saying the base rate to everybody.
    slope, slope_low, slope_high : float
        Of the logit in a logistic recalibration (Cox, Biometrika 1958), with its 95% interval: 1
        is right, below 1 the chances are too far apart.
    intercept, intercept_low, intercept_high : float
        Of the same with a slope of 1: 0 is right, above 0 the chances are too low altogether.
    """

    rows: int
    brands: int
    base_rate: float
    ece: float
    ece_noise_floor: float
    ece_noise_floor_alone: float
    shared_luck: float
    brier: float
    brier_base: float
    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    intercept_low: float
    intercept_high: float

    @classmethod
    def of(
        cls, chance: pd.Series[Any], success: pd.Series[Any], brand: pd.Series[Any]
    ) -> Reliability:
        """Compare chances with outcomes.

        Parameters
        ----------
        chance : Series, shape (n,)
            Forecast, 0-1, without nulls; n is 1 or more.
        success, brand : Series, shape (n,)
            Whether it came true, and whose brief it was; rows as in `chance`.
        """
        p = chance.to_numpy(dtype=np.float64)
        y = success.to_numpy(dtype=np.float64)
        codes, names = pd.factorize(brand)
        base, shared, alone = float(y.mean()), shared_luck(p, y, codes), noise_floor(p)
        return cls(
            len(p),
            len(names),
            base,
            calibration_error(p, y),
            noise_floor(p, cluster=codes, correlation=shared) if shared else alone,
            alone,
            shared,
            brier_score(p, y),
            brier_score(np.full(len(p), base), y),
            *_recalibrated(p, y, codes, free_slope=True),
            *_recalibrated(p, y, codes, free_slope=False),
        )

    @property
    def believable(self) -> bool:
        """Whether the calibration error is no more than chance gives a perfect model."""
        return self.ece <= self.ece_noise_floor

    def metrics(self, name: str) -> dict[str, float]:
        """Return every number as ``<name>_<number>``."""
        return {f"{name}_{number}": float(value) for number, value in asdict(self).items()}


def _recalibrated(
    p: Floats, y: Floats, cluster: NDArray[np.int64], *, free_slope: bool
) -> tuple[float, float, float]:
    """Fit ``logit(chance of y) = intercept + slope * logit(p)`` by likelihood.

    Returns
    -------
    estimate, low, high : float
        The slope, or the intercept where the slope is held at 1, with limits from a sandwich
        variance over clusters and Student's t. NaN where there is too little to fit on.
    """
    from scipy.special import expit, logit, stdtrit

    nothing = (float("nan"),) * 3
    if min(y.sum(), (1 - y).sum()) < LEAST_OF_EACH:
        return nothing
    logits = logit(np.clip(p, 1e-6, 1 - 1e-6))
    if free_slope and np.ptp(logits) < 1e-9:
        return nothing
    ones = np.ones_like(logits)
    design = np.column_stack([logits, ones]) if free_slope else ones[:, None]
    offset = 0.0 if free_slope else logits
    found = np.array([1.0, 0.0]) if free_slope else np.zeros(1)
    for _ in range(50):
        chance = expit(design @ found + offset)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, design.T @ (y - chance), rcond=None)[0]
        found = found + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    else:
        return nothing  # chances that part yes from no have no finite slope
    count = int(cluster.max()) + 1
    if count < 2:
        return float(found[0]), float("nan"), float("nan")
    residual = y - expit(design @ found + offset)
    scores = np.zeros((count, design.shape[1]))
    np.add.at(scores, cluster, design * residual[:, None])
    bread = np.linalg.pinv(curvature)
    variance = (bread @ (scores.T @ scores) @ bread)[0, 0] * count / (count - 1)
    reach = float(stdtrit(count - 1, 0.975)) * float(np.sqrt(variance))
    return float(found[0]), float(found[0]) - reach, float(found[0]) + reach


def reliability_bins(
    chance: pd.Series[Any], success: pd.Series[Any], bins: int = 10
) -> pd.DataFrame:
    """Return what was said and what came in the bins of `calibration_error`.

    Returns
    -------
    DataFrame
        One row a bin, fewer where fewer forecasts differ: rows, said (mean forecast), came
        (share that came true), low and high (its 95% interval by Wilson, 1927, rows taken as
        independent).
    """
    p, y = (side.to_numpy(dtype=np.float64) for side in (chance, success))
    told = pd.DataFrame({"said": p, "came": y}).groupby(equal_mass_bins(p, np.ones(len(p)), bins))
    said, came = (told.mean()[name].to_numpy() for name in ("said", "came"))
    rows = told.size().to_numpy()
    z = 1.959964
    centre = (came + z**2 / (2 * rows)) / (1 + z**2 / rows)
    reach = z / (1 + z**2 / rows) * np.sqrt(came * (1 - came) / rows + z**2 / (4 * rows**2))
    return pd.DataFrame(
        {"rows": rows, "said": said, "came": came, "low": centre - reach, "high": centre + reach}
    )


def interval_coverage(forecasts: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return how often each forecast interval held what came.

    Parameters
    ----------
    forecasts : DataFrame
        brand_id; for each forecast ``<name>``, whichever there are, ``<name>_p10`` and
        ``<name>_p90``, perhaps ``<name>_p50``, and what came as ``<name>``; perhaps what
        `training.coverage.future_masses` tells of it.

    Returns
    -------
    DataFrame
        One row a forecast: forecast, rows, brands, coverage with low and high (95% interval,
        brands resampled), below and above (shares outside on either side), ratio (median of what
        came over P50; null without one), width (median of P90 over P10), stated (mean share of
        futures inside: what `coverage` should be, for counts more than `NOMINAL`) and randomised
        (`training.coverage.randomised_coverage`, which should be `NOMINAL`); both null if unknown.
    """
    names = [
        name.removesuffix(LOW)
        for name in forecasts.columns
        if name.endswith(LOW) and {name.removesuffix(LOW), name[: -len(LOW)] + HIGH} <= {*forecasts}
    ]
    rows = []
    for name in names:
        told = forecasts.dropna(subset=[name, name + LOW, name + HIGH]).reset_index(drop=True)
        if told.empty:
            continue
        came, low, high = (told[name + end].astype(np.float64) for end in ("", LOW, HIGH))
        inside = ((came >= low) & (came <= high)).astype(np.float64)
        sure = paired_bootstrap(inside, inside * 0, told["brand_id"], seed=seed)
        middle = told[name + MIDDLE] if name + MIDDLE in told else came * np.nan
        rows.append(
            {
                "forecast": name,
                "rows": len(told),
                "brands": sure.clusters,
                "coverage": sure.mean,
                "low": sure.low,
                "high": sure.high,
                "below": float((came < low).mean()),
                "above": float((came > high).mean()),
                "ratio": float((came / middle.where(middle > 0)).median()),
                "width": float((high / low.where(low > 0)).median()),
                "stated": float(told[name + STATED].mean()) if name + STATED in told else np.nan,
                "randomised": randomised_coverage(
                    *(told[name + end] if name + end in told else came * np.nan for end in PIT)
                ),
            }
        )
    columns = ["forecast", "rows", "brands", "coverage", "low", "high", "below", "above"]
    return pd.DataFrame(rows, columns=[*columns, "ratio", "width", "stated", "randomised"])
