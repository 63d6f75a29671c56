"""How the signals that taught a model were spread, and how far others are from that.

The distance is the population stability index: with p and q the shares of two samples in the same
bins, the sum of ``(q - p) * ln(q / p)``. Bins are parted at deciles of the first sample; the
unknown is a bin of its own. Two samples of one population have an index above 0 too, the higher
the smaller they are: `SignalSummary.luck` says how high, so that few rows are no drift.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from features.statistics import effective_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARTIFACT = "signals_summary.json"
"""Name under which a training run keeps the summary of what taught its model."""
FORMAT = 1
_PARTS = np.arange(1, 10) / 10
_HALF = 0.5
"""Added to every count: an empty bin must not make the index infinite."""


@dataclass(frozen=True)
class Spread:
    """How one signal was spread.

    Attributes
    ----------
    edges : tuple of float
        Upper, inclusive ends of all bins but the last, ascending; none where all was unknown.
    counts : tuple of int
        Rows in each of the ``len(edges) + 1`` bins, and after them the rows without a value.
    effective : float
        Independent rows that would tell these shares as surely; rows of one brief are alike.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    effective: float

    @classmethod
    def of(cls, values: NDArray[np.float64], brief: NDArray[np.int64] | None) -> Self:
        """Bin values at their own deciles."""
        known = values[~np.isnan(values)]
        # Deciles that are values themselves: a flag parts where it flips, not between.
        parts = np.quantile(known, _PARTS, method="inverted_cdf") if len(known) else known
        told = cls(tuple(float(edge) for edge in np.unique(parts)), (), 0.0)
        codes = told.bins(values)
        counts = np.bincount(codes, minlength=len(told.edges) + 2)
        return cls(told.edges, tuple(int(n) for n in counts), effective_rows(codes, brief))

    def bins(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the bin of each value, the last one for the unknown."""
        found = np.searchsorted(np.array(self.edges), values, side="left")
        return np.where(np.isnan(values), len(self.edges) + 1, found).astype(np.int64)

    def psi(self, values: NDArray[np.float64]) -> float:
        """Return the stability index of other values; NaN without any."""
        if not len(values) or not sum(self.counts):
            return float("nan")
        seen = np.array(self.counts) + _HALF
        now = np.bincount(self.bins(values), minlength=len(seen)) + _HALF
        p, q = seen / seen.sum(), now / now.sum()
        return float(((q - p) * np.log(q / p)).sum())


@dataclass(frozen=True)
class SignalSummary:
    """How each signal of a sample of pairs was spread.

    Attributes
    ----------
    rows : int
        Pairs in the sample.
    spreads : mapping of str to Spread
        By signal, in the order of the columns.
    """

    rows: int
    spreads: Mapping[str, Spread]

    @classmethod
    def of(cls, signals: pd.DataFrame, briefs: pd.Series[Any] | None = None) -> Self:
        """Summarise signals.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            As `features.pipeline.FeaturePipeline` makes them; NaN is unknown.
        briefs : Series of str, shape (n,), optional
            Brief of each row. Without it rows count as independent, which makes `luck` too low.

        Examples
        --------
        >>> before = pd.DataFrame({"price.log": [1.0, 2.0, 3.0, 4.0] * 25})
        >>> summary = SignalSummary.of(before)
        >>> summary.psi(before).round(3).to_dict()
        {'price.log': 0.0}
        >>> summary.psi(before + 2).round(1).to_dict()
        {'price.log': 4.1}
        """
        brief = _codes(briefs)
        columns = {
            str(name): Spread.of(signals[name].to_numpy(dtype=np.float64), brief)
            for name in signals
        }
        return cls(len(signals), columns)

    def to_json(self) -> str:
        """Return the summary as JSON text; the same summary gives the same text."""
        spreads = {
            name: {"edges": s.edges, "counts": s.counts, "effective": s.effective}
            for name, s in self.spreads.items()
        }
        return json.dumps({"format": FORMAT, "rows": self.rows, "signals": spreads}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is something else, or was written by another version of kolmatch.
        """
        try:
            told = json.loads(text)
            if told["format"] != FORMAT:
                raise ValueError(f"format {told['format']}, expected {FORMAT}")
            spreads = {
                str(name): Spread(
                    tuple(float(edge) for edge in s["edges"]),
                    tuple(int(count) for count in s["counts"]),
                    float(s["effective"]),
                )
                for name, s in told["signals"].items()
            }
            return cls(int(told["rows"]), spreads)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"Got a summary of signals that cannot be read: {error}") from error

    def psi(self, signals: pd.DataFrame) -> pd.Series[float]:
        """Return how far other signals are from these.

        By custom below 0.1 is no change worth a thought, and from 0.25 on is a large one.

        Parameters
        ----------
        signals : DataFrame
            With at least the summary's columns.

        Returns
        -------
        Series, indexed by signal
            0 or more; NaN where either side has no rows.

        Raises
        ------
        ValueError
            If a column is missing: the model was trained on other signals.
        """
        self._check(signals)
        found = {
            name: spread.psi(signals[name].to_numpy(dtype=np.float64))
            for name, spread in self.spreads.items()
        }
        return pd.Series(found, dtype=np.float64, name="psi")

    def luck(
        self, signals: pd.DataFrame, briefs: pd.Series[Any] | None = None, level: float = 0.95
    ) -> pd.Series[float]:
        """Return the index that two samples of one population would stay below.

        For n and m independent rows in B bins the index is close to ``(1/n + 1/m)`` times a
        chi-square variable of B - 1 degrees of freedom (Yurdakul and Naranjo, Journal of Risk
        Model Validation 2020). Rows of one brief are not independent: n and m are effective
        sizes, after the first-order correction of Rao and Scott (JASA 1981).

        Parameters
        ----------
        signals : DataFrame
            What was given to `psi`.
        briefs : Series of str, optional
            Brief of each row.
        level : float
            How often it stays below, between 0 and 1.

        Returns
        -------
        Series, indexed by signal
            Infinite where rows of fewer than two briefs tell nothing.
        """
        from scipy.stats import chi2

        self._check(signals)
        brief, limits = _codes(briefs), {}
        for name, spread in self.spreads.items():
            codes = spread.bins(signals[name].to_numpy(dtype=np.float64))
            size = effective_rows(codes, brief)
            used = np.array(spread.counts) + np.bincount(codes, minlength=len(spread.counts)) > 0
            free = max(int(used.sum()) - 1, 1)
            told = min(size, spread.effective) > 0
            slack = 1 / size + 1 / spread.effective if told else np.inf
            limits[name] = float(slack * chi2.ppf(level, free))
        return pd.Series(limits, dtype=np.float64, name="luck")

    def _check(self, signals: pd.DataFrame) -> None:
        if missing := [name for name in self.spreads if name not in signals]:
            raise ValueError(
                f"Got signals without {', '.join(missing[:5])} but expected all "
                f"{len(self.spreads)} of the summary"
            )


def _codes(briefs: pd.Series[Any] | None) -> NDArray[np.int64] | None:
    return None if briefs is None else pd.factorize(briefs)[0].astype(np.int64)
