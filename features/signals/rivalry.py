"""Whom else the KOL works for, and what a brief does not want said."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.history import History, codes_in
from features.ragged import ragged
from features.roster import Cells
from features.signals.family import Signals
from features.statistics import where
from features.timeline import DAY, NEVER, Floats, Ints, days_between, expand, micros
from features.vectors import Embeddings
from features.view import View

RIVALRY = {
    "days_since": "days since the KOL last worked for a competitor that the brief names",
    "recent": "works for such competitors in the days that count",
    "brands": "distinct brands the KOL worked for in the days that count",
    "blocked_posts": "recent posts that hold a term the brief blocks",
}


def rivalry(view: View, embeddings: Embeddings, config: FeatureConfig) -> Signals:
    """Count work for competitors; null where the brief names none."""
    start, brands = view.history.once(_rivals)
    rows, owner = expand(start[view.brief], start[view.brief + 1])
    last, count = _work(view, owner, brands[rows], config.rivalry_days)
    named = np.bincount(owner, minlength=len(view)) > 0
    return {
        "days_since": days_between(view.time, last),
        "recent": where(named, count.astype(np.float64)),
        "brands": view.cells.once(_brands(config.rivalry_days))[view.cell],
        "blocked_posts": _blocked(view),
    }


def _rivals(history: History) -> tuple[Ints, Ints]:
    """Return the brands of each brief's competitors, and where those of each brief start."""
    lists = ragged(history.briefs["competitor_brands"])
    return lists.start, history.brands_named(pd.Series(lists.names))[lists.code]


def _work(view: View, owner: Ints, brand: Ints, days: int) -> tuple[Ints, Ints]:
    """Return when each pair's KOL last worked for any of its listed brands, and how often."""
    line = view.history.brand_work
    code = view.history.joint(kol=view.kol[owner], brand=brand)
    rows, which = expand(*line.before(code, view.time[owner]))
    worked, pair = micros(line.frame["worked_at"].take(rows)), owner[which]
    last = np.full(len(view), NEVER)
    np.maximum.at(last, pair, worked)
    within = worked >= view.time[pair] - days * DAY
    return last, np.bincount(pair[within], minlength=len(view))


@cache
def _brands(days: int) -> Callable[[Cells], Floats]:
    """Return what counts distinct brands of each cell's recent work."""

    def count(cells: Cells) -> Floats:
        history = cells.history
        line = history.brand_work_by_kol
        rows, cell = expand(*line.before(cells.kol, cells.time))
        within = micros(line.frame["worked_at"].take(rows)) >= cells.time[cell] - days * DAY
        brand = history.once(_worked_for)[rows]
        size = max(len(history.brand_ids), 1)
        distinct = np.unique(cell[within] * size + brand[within]) // size
        return np.bincount(distinct, minlength=len(cells)).astype(np.float64)

    return count


def _worked_for(history: History) -> Ints:
    """Return the brand of each row of `History.brand_work_by_kol`."""
    return codes_in(history.brand_ids, history.brand_work_by_kol.frame["brand_id"])


def _blocked(view: View) -> Floats:
    """Count recent posts with a blocked term, letter case aside; null where none is blocked."""
    lists = view.history.briefs["blocked_terms"]
    out = np.full(len(view), np.nan)
    for brief in np.unique(view.brief):
        terms = tuple(term.lower() for term in lists.iloc[brief] if term.strip())
        if terms:
            mine = np.flatnonzero(view.brief == brief)
            cells, which = np.unique(view.cell[mine], return_inverse=True)
            recent = view.cells.recent
            state, back = np.unique(view.cells.post_state[cells], return_inverse=True)
            holding = view.history.posts.holding(terms, recent.texts[state])
            out[mine] = holding.sum(axis=1)[back][which]
    return out
