"""What a chosen set would bring in all: futures drawn, and their quantiles.

In each future every KOL says yes or no by their own chance, and of those who do, every figure is
drawn from the distribution through its published P10, P50 and P90: normal in the log of the figure
+ 1, with a width of its own on either side of the median (`matcher.uncertainty.from_normal`). The
figures of one KOL lie at the same place of their distributions; KOLs do not depend on each other.
The same KOL has the same futures in every plan of a brief, whoever else is in it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from matcher.intervals import QUANTILES
from matcher.planning.options import DRIVERS, ENDS, FIGURES, Options
from matcher.planning.worth import Reach
from matcher.uncertainty import from_normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TOLD = ("value", "views", "engagements", "orders", "gmv", "roi")


class Futures:
    """The futures of a brief's options, drawn when first asked for.

    Parameters
    ----------
    options : Options
        The options.
    brief_id : str
        Their brief, which seeds the futures together with each KOL.
    margin : float
        Gross margin of the brief; NaN where unknown.
    risk_aversion : float
        How far risk is believed to cost the value.
    draws, seed : int
        How many, and from where.
    """

    def __init__(
        self,
        options: Options,
        brief_id: str,
        margin: float,
        risk_aversion: float,
        draws: int,
        seed: int,
    ) -> None:
        self._options, self._brief_id, self._margin = options, brief_id, margin
        self._draws, self._seed = draws, seed
        self._spared = (1 - options.floats("risk")) ** risk_aversion
        self._drawn: dict[int, dict[str, Floats]] = {}

    def totals(self, chosen: NDArray[np.bool_], reach: Reach | None) -> dict[str, float]:
        """Return quantiles of what a set brings in all.

        Parameters
        ----------
        chosen : ndarray of bool, shape (n,)
            The set.
        reach : Reach or None
            Where the value is people: how they are counted once.

        Returns
        -------
        dict of str to float
            ``<figure>_p10``, ``_p50`` and ``_p90`` of `TOLD`; NaN where a figure of a member is
            unknown. Of nobody all are 0, but ROI, which is unknown.
        """
        members = [self._of(int(option)) for option in np.flatnonzero(chosen)]
        told: dict[str, Floats] = {
            name: np.sum([drawn[name] for drawn in members], axis=0)
            if members
            else np.zeros(self._draws)
            for name in (*FIGURES, "value", "cost", "kept")
        }
        if reach is not None and members:
            told["value"] = self._people(chosen, members, reach)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Where nobody says yes nothing is spent, and there is no return on nothing.
            told["roi"] = (told["kept"] - told["cost"]) / told["cost"]
        return {
            f"{name}_{end}": figure
            for name in TOLD
            for end, figure in zip(ENDS, _quantiles(told[name], name == "roi"), strict=True)
        }

    def _of(self, option: int) -> dict[str, Floats]:
        if option not in self._drawn:
            self._drawn[option] = self._draw(option)
        return self._drawn[option]

    def _draw(self, option: int) -> dict[str, Floats]:
        row = self._options.frame.iloc[option]
        keys = [zlib.crc32(i.encode()) for i in (self._brief_id, row["kol_id"], row["mode"])]
        rng = np.random.default_rng([self._seed, *keys])
        score = rng.standard_normal(self._draws)
        accepts = rng.random(self._draws) < row["accept"]
        spared = rng.random(self._draws) < self._spared[option]
        figures = {name: _figure(row, name, score) for name in FIGURES}
        value = np.full(self._draws, float(row["value"]))
        driver = figures.get(DRIVERS.get(self._options.goal, ""))
        if driver is not None and not self._options.stand_in and driver.mean() > 0:
            # No quantiles of value are told: it spreads as the figure does that it comes from.
            value = row["value"] * driver / driver.mean()
        drawn = {name: figure * accepts for name, figure in figures.items()}
        returned = 0.0 if np.isnan(row["refund_rate"]) else row["refund_rate"]
        return drawn | {
            "value": value * accepts * spared,
            "cost": row["price"] * accepts,
            "kept": drawn["gmv"] * (1 - returned) * self._margin,
        }

    def _people(
        self, chosen: NDArray[np.bool_], members: Sequence[dict[str, Floats]], reach: Reach
    ) -> Floats:
        """Return how many different people a set's values are, in each future."""
        at = np.flatnonzero(chosen)
        value = np.column_stack([drawn["value"] for drawn in members])
        frame = self._options.frame.iloc[at]
        each = reach.people.exposures(
            frame["kol_id"].tolist(), frame["platform"].tolist(), value, np.ones(len(at))
        )
        exposure = np.zeros((len(value), *reach.people.accounts.shape))
        for place, platform in enumerate(reach.at[at]):
            if platform >= 0:
                exposure[:, platform] += each[:, place]
        return np.asarray(reach.people.reached(exposure).sum(axis=-1))


def _figure(row: pd.Series[float], name: str, score: Floats) -> Floats:
    """Return a figure at places of its distribution; NaN where it is not told."""
    bounds = row[[f"{name}_{end}" for end in ENDS]].to_numpy(dtype=np.float64)
    if np.isnan(bounds[1]):
        return np.full(len(score), np.nan)
    # Where only the middle is told, nobody knows how wide the figure is.
    bounds = np.where(np.isnan(bounds), bounds[1], bounds)
    return np.asarray(np.maximum(np.expm1(from_normal(score, np.log1p(bounds))), 0.0))


def _quantiles(figure: Floats, some: bool) -> list[float]:
    """Return P10, P50 and P90; NaN where any future is unknown, or all are where some may be."""
    known = figure[~np.isnan(figure)] if some else figure
    if not len(known) or np.isnan(known).any():
        return [float("nan")] * len(QUANTILES)
    return [float(q) for q in np.quantile(known, QUANTILES)]
