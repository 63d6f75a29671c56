"""Whom else the KOL works for, and what a brief does not want said."""

from __future__ import annotations

import numpy as np

from features.config import FeatureConfig
from features.history import codes_in
from features.signals.family import Signals
from features.statistics import where
from features.timeline import DAY, NEVER, Bools, Floats, Ints, days_between, expand, micros
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
    owner, labels = view.brief_labels("competitor_brands")
    last, count = _work(view, owner, view.history.brands_named(labels), config.rivalry_days)
    named = np.bincount(owner, minlength=len(view)) > 0
    return {
        "days_since": days_between(view.time, last),
        "recent": where(named, count.astype(np.float64)),
        "brands": _brands(view, config.rivalry_days),
        "blocked_posts": _blocked(view),
    }


def _work(view: View, owner: Ints, brand: Ints, days: int) -> tuple[Ints, Ints]:
    """Return when each pair's KOL last worked for any of its listed brands, and how often."""
    line = view.history.brand_work
    code = view.history.joint(kol=view.kol[owner], brand=brand)
    rows, which = expand(*line.before(code, view.time[owner]))
    worked, pair = micros(line.frame["worked_at"])[rows], owner[which]
    last = np.full(len(view), NEVER)
    np.maximum.at(last, pair, worked)
    within = worked >= view.time[pair] - days * DAY
    return last, np.bincount(pair[within], minlength=len(view))


def _brands(view: View, days: int) -> Floats:
    """Count distinct brands of each cell's recent work."""
    line, cells = view.history.brand_work_by_kol, view.cells
    rows, cell = expand(*line.before(cells.kol, cells.time))
    within = micros(line.frame["worked_at"])[rows] >= cells.time[cell] - days * DAY
    brand = codes_in(view.history.brand_ids, line.frame["brand_id"])[rows]
    size = max(len(view.history.brand_ids), 1)
    distinct = np.unique(cell[within] * size + brand[within]) // size
    return np.bincount(distinct, minlength=len(cells)).astype(np.float64)[view.cell]


def _blocked(view: View) -> Floats:
    """Count recent posts with a blocked term, letter case aside; null where none is blocked."""
    recent, texts = view.cells.recent, view.history.posts.texts[1]
    used = np.unique(recent.texts)
    used = used[used >= 0]
    lowered = [texts[code].lower() for code in used]
    place = np.where(recent.texts < 0, -1, np.searchsorted(used, recent.texts))
    lists = view.history.briefs["blocked_terms"]
    out = np.full(len(view), np.nan)
    holds: dict[str, Bools] = {}
    for brief in np.unique(view.brief):
        terms = [term.lower() for term in lists.iloc[brief] if term.strip()]
        for term in terms:
            if term not in holds:
                holds[term] = np.array([*(term in text for text in lowered), False], dtype=bool)
        if terms:
            mine = np.flatnonzero(view.brief == brief)
            blocked = np.logical_or.reduce([holds[term] for term in terms])
            out[mine] = blocked[place[view.cells.post_state[view.cell[mine]]]].sum(axis=1)
    return out
