"""How good forecasts were: bias and coverage of a ledger, whole and by group.

Rows of one brief share its text, season and brand, so every interval takes briefs for what was
drawn, not rows: sample sizes are the effective ones of `features.statistics.effective_rows`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from features.statistics import effective_rows
from matcher.measures import MEASURES, Measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GROUPS = ("platform", "vertical", "tier", "model_version", "month")
"""What forecasts are looked at by, beside all together (``"all"``)."""
LEVEL = 0.95
CLAIMED = 0.8
"""Share of what comes that should lie between a forecast's low and high end."""
_ENGLISH = {
    "样本太少": "too few to tell",
    "无法比较": "cannot be compared",
    "预测过高：实际为零": "forecast too high: nothing came",
    "预测过低：预测为零": "forecast too low: nothing was expected",
    "未见明显偏差": "no bias beyond luck",
}
COLUMNS = [
    "measure",
    "by",
    "group",
    "n",
    "briefs",
    "enough",
    "log_ratio",
    "log_ratio_low",
    "log_ratio_high",
    "ranged",
    "coverage",
    "coverage_low",
    "coverage_high",
    "off",
    "short",
]


def accuracy(ledger: pd.DataFrame, least_rows: int, least_briefs: int) -> pd.DataFrame:
    """Hold every forecast against what came, all together and by group.

    Parameters
    ----------
    ledger : DataFrame
        `serving.ledger.LEDGER`.
    least_rows, least_briefs : int
        A group with fewer rows or briefs has too few to judge by.

    Returns
    -------
    DataFrame
        One row a measure and group, measures in their order, groups by name: ``measure``, ``by``,
        ``group``; ``n`` rows of ``briefs``, and whether that is ``enough``; ``log_ratio``, the
        natural log of what came over what was forecast (`bias`) with its 95% interval; and of the
        ``ranged`` rows with a low and high end the ``coverage``, the share between them, with its
        own. ``off`` says that a group with enough rows is surely biased, ``short`` that surely
        fewer rows than claimed came between low and high end.
    """
    rows = ledger.assign(
        all="", month=ledger["chosen_at"].dt.strftime("%Y-%m"), brief=ledger["brief_id"]
    )
    found = []
    for measure in MEASURES:
        known = rows[rows[f"{measure.name}_forecast"].notna()]
        known = known[known[f"{measure.name}_actual"].notna()]
        for by in ("all", *GROUPS):
            for group, part in known.groupby(known[by].fillna(""), sort=True):
                found.append(
                    {"measure": measure.name, "by": by, "group": str(group)}
                    | _accuracy(measure, part, least_rows, least_briefs)
                )
    return pd.DataFrame(found, columns=COLUMNS)


def _accuracy(
    measure: Measure, rows: pd.DataFrame, least_rows: int, least_briefs: int
) -> dict[str, Any]:
    briefs = rows["brief_id"].nunique()
    mid, low, high = bias(measure, rows)
    told: dict[str, Any] = {
        "n": len(rows),
        "briefs": briefs,
        "enough": len(rows) >= least_rows and briefs >= least_briefs,
        "log_ratio": mid,
        "log_ratio_low": low,
        "log_ratio_high": high,
        "ranged": 0,
    } | dict.fromkeys(("coverage", "coverage_low", "coverage_high"), math.nan)
    if measure.low:
        ends = rows[[f"{measure.name}_low", f"{measure.name}_high"]]
        ranged = rows[ends.notna().all(axis=1)]
        share, low, high = coverage(measure, ranged)
        told |= {
            "ranged": len(ranged),
            "coverage": share,
            "coverage_low": low,
            "coverage_high": high,
        }
    off = told["log_ratio_low"] > 0 or told["log_ratio_high"] < 0
    told["off"] = told["enough"] and bool(off)
    told["short"] = told["enough"] and bool(told["coverage_high"] < CLAIMED)
    return told


def bias(measure: Measure, rows: pd.DataFrame) -> tuple[float, float, float]:
    """Return the log of what came over what was forecast, with its 95% interval.

    Of an amount the median over rows, its interval after Woodruff (JASA 1952): the interval of the
    share below the median, read off the rows. Of a rate all that was counted over all that was
    expected, since single rows count too little, with the linearised variance of a ratio.

    Parameters
    ----------
    measure : Measure
        What was forecast.
    rows : DataFrame
        Rows of the ledger in which forecast and actual are known.

    Returns
    -------
    tuple of float
        0 is no bias, above 0 the forecast was too low. Minus infinity where nothing came, infinity
        where nothing was forecast, NaN where nothing can be told; the interval is NaN where all
        rows are of one brief.
    """
    forecast, actual = _side(measure, rows, "forecast"), _side(measure, rows, "actual")
    brief = pd.factorize(rows["brief_id"])[0].astype(np.int64)
    if measure.exposure:
        return _pooled(actual, forecast * _side(measure, rows, "exposure"), brief)
    # Rounding may take a return of -1 below it.
    top, bottom = (np.maximum(side + measure.plus, 0.0) for side in (actual, forecast))
    if not len(rows):
        return math.nan, math.nan, math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(top / bottom)
    # Nothing forecast and nothing come is a forecast that was right.
    ratio[(top == 0) & (bottom == 0)] = 0.0
    # Rows in which nothing came lie at minus infinity, those of which nothing was forecast at
    # infinity: no quantile may be halfway there.
    middle = float(np.quantile(ratio, 0.5, method="inverted_cdf"))
    below = (ratio <= middle).astype(np.int64)
    effective = effective_rows(below, brief)
    low, high = wilson(0.5, effective, int(brief.max()) + 1)
    if math.isnan(low):
        return middle, math.nan, math.nan
    ends = np.quantile(ratio, [low, high], method="inverted_cdf")
    return middle, float(ends[0]), float(ends[1])


def coverage(measure: Measure, rows: pd.DataFrame) -> tuple[float, float, float]:
    """Return the share of rows that came between low and high end, with its 95% interval."""
    if rows.empty:
        return math.nan, math.nan, math.nan
    actual = _side(measure, rows, "actual")
    low, high = _side(measure, rows, "low"), _side(measure, rows, "high")
    inside = ((low <= actual) & (actual <= high)).astype(np.int64)
    brief = pd.factorize(rows["brief_id"])[0].astype(np.int64)
    share = float(inside.mean())
    # Where all or none are inside nothing varies: rows of a brief would count as independent.
    effective = effective_rows(inside, brief) if 0 < share < 1 else float(brief.max() + 1)
    return share, *wilson(share, effective, int(brief.max()) + 1)


def wilson(share: float, effective: float, clusters: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share from so many effective rows.

    With Student's quantile for the clusters, as there are few of them; NaN for fewer than two.
    """
    from scipy.special import stdtrit

    if clusters < 2 or effective <= 0:
        return math.nan, math.nan
    z = float(stdtrit(clusters - 1, (1 + LEVEL) / 2)) ** 2 / effective
    middle = (share + z / 2) / (1 + z)
    half = math.sqrt(z * (share * (1 - share) + z / 4)) / (1 + z)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _pooled(
    counted: Floats, expected: Floats, brief: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return the log of a sum over another, with the interval that briefs drawn anew would give."""
    from scipy.special import stdtrit

    total, hoped = counted.sum(), expected.sum()
    if not hoped > 0:
        return math.nan, math.nan, math.nan
    if not total > 0:
        return -math.inf, math.nan, math.nan
    middle, briefs = math.log(total / hoped), int(brief.max()) + 1
    if briefs < 2:
        return middle, math.nan, math.nan
    departure = np.bincount(brief, counted - total / hoped * expected)
    error = math.sqrt(briefs / (briefs - 1) * float((departure**2).sum())) / total
    half = float(stdtrit(briefs - 1, (1 + LEVEL) / 2)) * error
    return middle, middle - half, middle + half


def _side(measure: Measure, rows: pd.DataFrame, part: str) -> Floats:
    return rows[f"{measure.name}_{part}"].to_numpy(dtype=np.float64)


def in_words(row: Mapping[Any, Any], language: Literal["zh", "en"] = "en") -> str:
    """Say whether a row of `accuracy` tells a forecast that is too high or too low.

    Examples
    --------
    >>> in_words({"enough": True, "off": True, "log_ratio": -0.113})
    'forecast 12% too high'
    >>> in_words({"enough": False, "off": False, "log_ratio": -0.113})
    'too few to tell'
    """
    zh, middle = language == "zh", row["log_ratio"]
    plain = {
        "样本太少": not row["enough"],
        "无法比较": math.isnan(middle),
        "预测过高：实际为零": middle == -math.inf,
        "预测过低：预测为零": middle == math.inf,
        "未见明显偏差": not row["off"],
    }
    for words, holds in plain.items():
        if holds:
            return words if zh else _ENGLISH[words]
    off = math.exp(-middle) - 1
    if off >= 1:
        return f"预测为实际的 {1 + off:.1f} 倍" if zh else f"forecast {1 + off:.1f} times what came"
    if zh:
        return f"预测{'偏高' if off > 0 else '偏低'} {abs(off):.0%}"
    return f"forecast {abs(off):.0%} too {'high' if off > 0 else 'low'}"
