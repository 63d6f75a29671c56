"""What is held against the KOL."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from features.config import FeatureConfig
from features.roster import Cells
from features.signals.family import Signals
from features.statistics import where
from features.timeline import DAY, NEVER, Floats, Ints, days_between, expand, micros, pick
from features.vectors import Embeddings
from features.view import View

REPUTATION = {
    "burden": "sum of severities of known incidents, each halved every half-life",
    "worst_open": "highest severity among unresolved incidents, 0-1",
    "open": "unresolved incidents",
    "incidents": "known incidents",
    "days_since": "days since the latest incident became known",
}


def reputation(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Weigh incidents known before ``as_of``; one resolved later counts as open.

    Age is counted from when an incident became known: what has just come out weighs in full,
    however long ago it happened.
    """
    told = view.cells.once(_counted(config.incident_half_life_days))
    return {name: values[view.cell] for name, values in told.items()}


@cache
def _counted(half_life: float) -> Callable[[Cells], Signals]:
    """Return what counts incidents; one function for each half-life, to be known by."""
    return lambda cells: _of_cells(cells, half_life)


def _of_cells(cells: Cells, half_life: float) -> Signals:
    line = cells.history.incidents
    start, stop = line.before(cells.kol, cells.time)
    rows, owner = expand(start, stop)
    severity = line.frame["severity"].to_numpy(dtype=np.float64)[rows]
    resolved = micros(line.frame["resolved_at"].take(rows))
    is_open = (resolved == NEVER) | (resolved >= cells.time[owner])
    age = (cells.time[owner] - line.at[rows]) / DAY
    size = len(cells)
    decayed = severity * np.exp2(-age / half_life)
    by_cell = {
        "burden": np.bincount(owner, weights=decayed, minlength=size),
        "worst_open": _highest(np.where(is_open, severity, 0.0), owner, size),
        "open": np.bincount(owner, weights=is_open.astype(np.float64), minlength=size),
        "incidents": (stop - start).astype(np.float64),
        "days_since": days_between(cells.time, np.asarray(pick(line.at, stop - 1, NEVER))),
    }
    looked = cells.history.told("incidents", cells.time)
    return {name: where(looked, values) for name, values in by_cell.items()}


def _highest(values: Floats, owner: Ints, size: int) -> Floats:
    out = np.zeros(size)
    np.maximum.at(out, owner, values)
    return out
