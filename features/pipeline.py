"""Pairs to features: one path for training and serving.

There is no mode. What a pair may know depends on its ``as_of`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.history import History
from features.projection import Projection
from features.signals import FAMILIES, Family, Side, affinity_family
from features.tables import Tables
from features.timeline import Ints, micros
from features.vectors import Embeddings
from features.view import View, check_pairs

_PAIRS = 16_384
"""Pairs of a chunk at most: no more cells than `features.roster` looks at in one go."""
_MOMENTS = 512
"""Moments of a chunk at most. What became known of the roster from the first to the last is laid
out at once, and some of it gone over for each moment."""


class FeaturePipeline:
    """Turn pairs of brief and KOL into numbers.

    Parameters
    ----------
    config : FeatureConfig
        What the signals look at.
    embeddings : Embeddings
        Vectors of text.
    families : tuple of Family, optional
        Families of signals, in the order of their columns; by default all.
    projections : tuple of Projection, optional
        What was learned of each space; they add a family of their own, after the others.

    Notes
    -----
    A pair's features depend on the pair and its mode, on its brief, and on rows known strictly
    before its ``as_of``; to the last bit, neither on the other pairs nor on the order of anything.
    """

    def __init__(
        self,
        config: FeatureConfig,
        embeddings: Embeddings,
        families: tuple[Family, ...] = FAMILIES,
        projections: tuple[Projection, ...] = (),
    ) -> None:
        self.config = config
        self.embeddings = embeddings
        self.projections = projections
        self.families = (*families, affinity_family(projections)) if projections else families

    def parted(self, names: Collection[str]) -> tuple[FeaturePipeline, FeaturePipeline]:
        """Return two pipelines, of the named families and of all others.

        Their columns together are those of this one; each column holds the same in either.
        """
        named = tuple(family for family in self.families if family.name in names)
        others = tuple(family for family in self.families if family.name not in names)
        return (
            FeaturePipeline(self.config, self.embeddings, named),
            FeaturePipeline(self.config, self.embeddings, others),
        )

    def in_mode(self, signals: pd.DataFrame, pairs: pd.DataFrame, history: History) -> pd.DataFrame:
        """Look at pairs in other modes of collaboration.

        Parameters
        ----------
        signals : pandas.DataFrame
            As `transform` gives them, of the same pairs in any mode.
        pairs : pandas.DataFrame
            PAIRS with ``mode``, aligned.
        history : History
            The past.

        Returns
        -------
        pandas.DataFrame
            What `transform` would give of these pairs, at a small part of its cost.
        """
        changing = self.parted({family.name for family in self.families if family.by_mode})[0]
        told = changing.transform(pairs, history)
        return signals.drop(columns=told.columns).join(told)[list(signals.columns)]

    @property
    def names(self) -> list[str]:
        """Columns of `transform`, in order: ``<family>.<signal>``."""
        return list(self.describe()["feature"])

    def describe(self) -> pd.DataFrame:
        """Return ``feature``, ``family``, ``meaning``, ``label_en``, ``label_zh`` of each column.

        The labels are the family's.
        """
        return pd.DataFrame(
            [
                (f"{f.name}.{signal}", f.name, meaning, f.label_en, f.label_zh)
                for f in self.families
                for signal, meaning in f.meanings(self.config).items()
            ],
            columns=["feature", "family", "meaning", "label_en", "label_zh"],
        )

    @property
    def sides(self) -> dict[str, Side]:
        """What each column of `transform` depends on: brief, KOL or both."""
        return {
            f"{family.name}.{signal}": side
            for family in self.families
            for signal, side in family.sides(self.config).items()
        }

    def transform(self, pairs: pd.DataFrame | View, tables: Tables | History) -> pd.DataFrame:
        """Compute the features of pairs.

        Parameters
        ----------
        pairs : pandas.DataFrame or View
            PAIRS: ``brief_id``, ``kol_id``, ``as_of`` (with a time zone) and, where a pair is to
            be looked at in one mode of collaboration, ``mode``. Other columns are left aside.
        tables : Tables or History
            The past. Pass a `History` to ask again without sorting again.

        Returns
        -------
        pandas.DataFrame
            float64, columns `names`, index of `pairs`; NaN is unknown.

        Raises
        ------
        ValueError
            If a column is missing, a time is null or without a zone, or an id is in no table.
        """
        if isinstance(pairs, View):
            view = pairs
        else:
            history = tables if isinstance(tables, History) else History(tables)
            view = View(pairs, history, self.config.recent_posts)
        columns = {}
        for family in self.families:
            if family.listens is not None:
                family.listens(view, self.embeddings, self.config)
        for family in self.families:
            signals = family.function(view, self.embeddings, self.config)
            expected = family.meanings(self.config)
            if set(signals) != set(expected):
                raise ValueError(
                    f"Got signals {sorted(signals)} from family {family.name} but expected "
                    f"{sorted(expected)}"
                )
            for name in expected:
                columns[f"{family.name}.{name}"] = np.asarray(signals[name], dtype=np.float64)
        return pd.DataFrame(columns, index=view.index, columns=self.names, dtype="float64")

    def transform_in_chunks(
        self,
        pairs: pd.DataFrame,
        history: History,
        done: Callable[[int], None] = lambda pairs: None,
    ) -> pd.DataFrame:
        """Return what `transform` does, to the last bit, whatever the number of pairs and moments.

        Pairs are looked at in the order of time, some at once: beside the result, memory does not
        grow with them. Texts that no store holds yet are encoded chunk by chunk.

        Parameters
        ----------
        pairs : pandas.DataFrame
            PAIRS, in any order.
        history : History
            The past.
        done : callable
            Told after each chunk how many pairs are done.
        """
        check_pairs(pairs)
        time = micros(pairs["as_of"])
        order = np.argsort(time, kind="stable")
        sorted_already = bool((order[1:] > order[:-1]).all())
        # Column by column, as frames hold it.
        table = np.empty((len(self.names), len(pairs)))
        for chunk in _chunks(time[order]):
            rows = chunk if sorted_already else order[chunk]
            table[:, rows] = self.transform(pairs.iloc[rows], history).to_numpy().T
            done(chunk.stop)
        return pd.DataFrame(table.T, index=pairs.index, columns=self.names, copy=False)


def _chunks(time: Ints) -> Iterator[slice]:
    """Cut ascending times into slices of so many rows and distinct times at most."""
    moment = np.cumsum(np.diff(time, prepend=time[:1]) != 0)
    start = 0
    while start < len(time):
        past = int(np.searchsorted(moment, moment[start] + _MOMENTS))
        stop = min(start + _PAIRS, past)
        yield slice(start, stop)
        start = stop
