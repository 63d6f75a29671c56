"""Parts of the market in which a model is measured on its own.

A slice is ``"<dimension>: <value>"``, such as ``"platform: douyin"``. Some dimensions are of the
brief: the slice holds its whole lists. Others are of the KOL: of each list the slice holds the
KOLs that are in it, ranked among themselves, since a place between KOLs of two slices tells
nothing about either. All are as known at the pair's ``as_of``.

Who is new counts by what came before: a brand without earlier briefs and a KOL without earlier
collaborations are where a ranking that lives on its record has nothing to go by.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from features.history import TIER_FLOORS, History, codes_in, tier_codes
from features.timeline import Floats, Timeline, micros
from training.labels import decision_times

ALL = "all"
"""The slice that holds everything."""
COLD_BRAND, COLD_KOL = "briefs of the brand before", "collaborations of the KOL before"
OF_BRIEFS = (COLD_BRAND, "vertical", "goal")
"""Dimensions by which whole lists are told apart."""
OF_KOLS = (COLD_KOL, "platform", "tier")
"""Dimensions by which the KOLs of a list are told apart."""
LEAST_BRIEFS = 10
"""A slice with fewer lists that tell anything gets no verdict."""
LEAST_BRANDS = 5
"""Nor does one whose lists come from fewer brands: what is drawn anew is the brand."""
_BOUNDS, _COUNTS = (1, 3), ("0", "1-2", "3+")


def slices_of(pairs: pd.DataFrame, history: History) -> pd.DataFrame:
    """Return the value of every dimension for each pair.

    Parameters
    ----------
    pairs : DataFrame
        PAIRS.
    history : History
        The tables.

    Returns
    -------
    DataFrame of str, aligned to `pairs`
        One column a dimension, those of `OF_BRIEFS` first; null where unknown.
    """
    time = micros(pairs["as_of"])
    kol = history.kol_codes(pairs["kol_id"])
    profile = history.kols.latest(kol, time, ["platform", "followers"])
    briefs = history.tables.briefs.set_index("brief_id").loc[pairs["brief_id"]]
    start, stop = history.counted("signings", "kol").before(kol, time)
    signed = np.where(history.told("collaborations", time), stop - start, np.nan)
    tier = pd.Series(tier_codes(profile["followers"].to_numpy(dtype=np.float64)))
    columns = {
        COLD_BRAND: _in_words(_earlier_briefs(pairs, history)),
        "vertical": briefs["vertical"].to_numpy(),
        "goal": briefs["goal"].to_numpy(),
        COLD_KOL: _in_words(signed),
        "platform": profile["platform"].to_numpy(),
        "tier": tier.map(dict(enumerate(TIER_FLOORS))).to_numpy(),
    }
    return pd.DataFrame(columns, index=pairs.index, dtype=object)


def sublists(
    ranked: pd.DataFrame, labels: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield, for each dimension of KOLs, the lists that it cuts the briefs' lists into.

    Parameters
    ----------
    ranked : DataFrame
        brief_id and gain, one row a pair; further columns are kept.
    labels : DataFrame
        As `slices_of` gives it, aligned.

    Yields
    ------
    dimension : str
        One of `OF_KOLS`.
    rows : DataFrame
        Rows of `ranked` whose ``brief_id`` has become the number of their list. Lists of equals
        are left out: they rank right in any order.
    lists : DataFrame
        brief_id and value of each list, indexed by its number.
    """
    for dimension in OF_KOLS:
        value = labels[dimension]
        known = (value.notna() & ranked["gain"].notna()).to_numpy()
        rows = ranked[known].assign(value=value[known])
        lists = rows.groupby(["brief_id", "value"], sort=True)
        told = (lists["gain"].transform("nunique") > 1).to_numpy()
        number = lists.ngroup()
        names = rows[["brief_id", "value"]].set_axis(number)[told]
        names = names[~names.index.duplicated()].sort_index()
        yield dimension, rows.assign(brief_id=number)[told].drop(columns="value"), names


def _earlier_briefs(pairs: pd.DataFrame, history: History) -> Floats:
    """Count the briefs that the pair's brand had decided on before; NaN where nobody tells when."""
    decided = decision_times(history.tables).dropna()
    if decided.empty:
        return np.full(len(pairs), np.nan)
    brand_of = history.tables.briefs.set_index("brief_id")["brand_id"]
    codes, names = pd.factorize(brand_of.loc[decided.index])
    known = Timeline(decided.to_frame(), codes.astype(np.int64), micros(decided))
    asked = codes_in(pd.Index(names), brand_of.loc[pairs["brief_id"]])
    # A brand of which no brief tells when it was decided is new as far as anybody knows.
    start, stop = known.before(asked, micros(pairs["as_of"]))
    return (stop - start).astype(np.float64)


def _in_words(count: Floats) -> list[str | None]:
    words = np.array(_COUNTS)[np.searchsorted(_BOUNDS, count, side="right")]
    return [None if np.isnan(n) else str(word) for n, word in zip(count, words, strict=True)]
