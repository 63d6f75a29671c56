"""Which texts a match of a whole roster reads, so that their vectors can be made before it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.history import History, roster
from features.signals.content import brief_texts
from features.timeline import micros
from features.view import View


def texts_of_roster(history: History, as_of: pd.Timestamp, posts: int) -> set[str]:
    """Return what everybody known at a moment writes: bios and latest posts.

    Parameters
    ----------
    history : History
        The past.
    as_of : Timestamp
        The moment, UTC.
    posts : int
        How many of a KOL's latest posts are read.
    """
    kols = roster(history, as_of)
    codes = history.kol_codes(kols["kol_id"])
    ends = history.posts.seen.before(codes, np.full(len(codes), micros(pd.Series([as_of]))[0]))[1]
    used = np.unique(history.posts.recent(ends, posts).texts)
    names = history.posts.texts[1]
    return {names[code] for code in used[used >= 0]} | set(kols["bio"].dropna())


def texts_of_briefs(history: History) -> set[str]:
    """Return what all briefs ask: a match compares with past briefs too."""
    briefs = history.tables.briefs["brief_id"]
    pairs = pd.DataFrame({"brief_id": briefs, "kol_id": history.kol_ids[0]})
    pairs["as_of"] = pd.Timestamp(0, tz="UTC")
    return set(brief_texts(View(pairs, history))[0])
