"""Who gets the places of the lists: by size of following, and over how much of the roster.

A ranking may be good and yet send every brief to the same few, or leave a tier out that brings
its share. So the share of places that go to each tier stands beside the tier's share of the
roster, of those who were tried, and of what they brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.history import TIER_FLOORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TIERS = (*TIER_FLOORS, "unknown")


@dataclass(frozen=True)
class Exposure:
    """How often KOLs could be listed, and were.

    Attributes
    ----------
    eligible : DataFrame
        kol_id, tier, briefs: for how many briefs a KOL might have been listed while in that tier.
    places : DataFrame
        ranker, kol_id, tier, briefs: in how many lists it was.
    """

    eligible: pd.DataFrame
    places: pd.DataFrame

    @classmethod
    def empty(cls) -> Exposure:
        """Return what nothing was seen of."""
        return cls(
            pd.DataFrame(columns=["kol_id", "tier", "briefs"]),
            pd.DataFrame(columns=["ranker", "kol_id", "tier", "briefs"]),
        )

    @classmethod
    def together(cls, parts: Iterable[Exposure]) -> Exposure:
        """Add up what was seen in several rounds or chunks of briefs."""
        seen = [part for part in parts if len(part.eligible)]
        if not seen:
            return cls.empty()
        eligible = pd.concat([part.eligible for part in seen])
        places = pd.concat([part.places for part in seen])
        return cls(
            eligible.groupby(["kol_id", "tier"])["briefs"].sum().reset_index(),
            places.groupby(["ranker", "kol_id", "tier"])["briefs"].sum().reset_index(),
        )

    @classmethod
    def of(
        cls, pairs: pd.DataFrame, tier: pd.Series[str], scores: Mapping[str, Floats], top: int
    ) -> Exposure:
        """Count the first `top` of each brief in every ranker's list.

        Parameters
        ----------
        pairs : DataFrame, shape (n, ...)
            brief_id and kol_id of everybody eligible.
        tier : Series of str, shape (n,)
            Null is counted as unknown.
        scores : mapping of str to ndarray, shape (n,)
            By ranker; higher is better, ties go by kol_id, NaN is last.
        top : int
            Places of a list.
        """
        rows = pairs[["brief_id", "kol_id"]].assign(tier=tier.fillna("unknown"))
        # In order of brief and KOL once, so that a stable sort by score leaves ties by kol_id.
        order = rows.reset_index(drop=True).sort_values(["brief_id", "kol_id"]).index.to_numpy()
        rows = rows.iloc[order].reset_index(drop=True)
        brief = pd.factorize(rows["brief_id"])[0]
        start = np.flatnonzero(np.diff(brief, prepend=-1))
        places = []
        for ranker, score in scores.items():
            ranked = np.lexsort((-np.where(np.isnan(score), -np.inf, score)[order], brief))
            rank = np.arange(len(ranked)) - start[brief[ranked]]
            first = rows.iloc[ranked[rank < top]]
            places.append(_counted(first).assign(ranker=ranker))
        return cls(_counted(rows), pd.concat(places)[["ranker", "kol_id", "tier", "briefs"]])

    def by_tier(self, brought: pd.DataFrame, rankers: Iterable[str]) -> pd.DataFrame:
        """Set each tier's share of places beside its share of the roster and of the value.

        Parameters
        ----------
        brought : DataFrame
            brief_id, tier, cost and value of the tried pairs.
        rankers : iterable of str
            Whose lists to look at.

        Returns
        -------
        DataFrame
            Indexed by tier, smallest first, those that are there: ``roster`` (share of the
            eligible), one column a ranker (share of its places), ``tried``, ``cost`` and ``value``
            (share of the tried, of what they cost and of what they brought, every brief counting
            alike; null where nothing is known). Columns sum to 1.
        """
        table = pd.DataFrame(index=pd.Index(TIERS, name="tier"))
        table["roster"] = self.eligible.groupby("tier")["briefs"].sum()
        for ranker in rankers:
            own = self.places[self.places["ranker"] == ranker]
            table[ranker] = own.groupby("tier")["briefs"].sum()
        table = table.fillna(0.0).astype(np.float64)
        told = brought[brought.groupby("brief_id")["value"].transform("sum") > 0].assign(tried=1.0)
        tier_of = told["tier"].fillna("unknown")
        for name in ("tried", "cost", "value"):
            share = told[name] / told.groupby("brief_id")[name].transform("sum")
            table[name] = share.groupby(tier_of).sum().reindex(table.index, fill_value=0.0)
        table = table.loc[table.sum(axis=1) > 0]
        return table / table.sum().replace(0.0, np.nan)

    def coverage(self) -> pd.DataFrame:
        """Return over how much of the roster each ranker's lists spread.

        Returns
        -------
        DataFrame
            Indexed by ranker, widest first: eligible (KOLs that some brief could have had), listed
            (that are in some list), coverage (their share) and gini (of the places over the
            eligible: 0 where all have as many, near 1 where few have all).
        """
        pool = self.eligible["kol_id"].nunique()
        rows = {}
        for ranker, own in self.places.groupby("ranker"):
            counts = own.groupby("kol_id")["briefs"].sum().to_numpy(dtype=np.float64)
            even = np.sort(np.append(np.zeros(pool - len(counts)), counts))
            place = np.arange(1, pool + 1)
            gini = (2 * place - pool - 1) @ even / (pool * even.sum())
            rows[ranker] = (pool, len(counts), len(counts) / pool, float(gini))
        table = pd.DataFrame.from_dict(
            rows, orient="index", columns=["eligible", "listed", "coverage", "gini"]
        )
        return table.rename_axis("ranker").sort_values("coverage", ascending=False)


def _counted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby(["kol_id", "tier"]).size().rename("briefs").reset_index()
