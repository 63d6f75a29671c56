"""The roster at one moment, laid out for searches: made once for all briefs of that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from features.history import History, roster
from features.pipeline import FeaturePipeline
from features.profiles import content_profiles
from features.progress import Progress, silent
from features.search import Places
from features.signals.affinity import TEXT, Sides, sides
from features.signals.content import brief_texts
from features.spill import Spill, joined
from features.timeline import Ints, micros, pick
from features.vectors import Vectors
from features.view import View
from features.widening import widened_briefs

T = TypeVar("T")
_BLOCK = 4096
"""Vectors projected at once."""
_BIOS = 65_536
"""Bios whose vectors are held at once."""


class Directory:
    """Everybody known at a moment.

    A KOL is called by its position in `kols`.

    Parameters
    ----------
    history : History
        The past.
    as_of : pandas.Timestamp
        The moment, UTC; only what was known strictly before counts.
    pipeline : FeaturePipeline
        Where vectors come from; spaces of which it holds a learned projection are searched in
        that.
    progress : Progress
        Told while topics are looked for.

    Attributes
    ----------
    kols : DataFrame
        KOLS, one row a KOL, by kol_id.
    """

    def __init__(
        self,
        history: History,
        as_of: pd.Timestamp,
        pipeline: FeaturePipeline,
        progress: Progress = silent,
    ) -> None:
        self.history = history
        self.as_of = as_of
        self.kols = roster(history, as_of)
        self._pipeline = pipeline
        self._progress = progress
        self._learned = {p.space: p for p in pipeline.projections}
        self._places: dict[str, Places] = {}

        self._made: dict[Callable[[Directory], Any], Any] = {}

    def __len__(self) -> int:
        return len(self.kols)

    def once(self, make: Callable[[Directory], T]) -> T:
        """Return ``make(self)``, worked out on the first call."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    @property
    def spaces(self) -> tuple[str, ...]:
        """Spaces in which briefs and KOLs can be near: of their texts, and users' own."""
        return (TEXT, *self._pipeline.config.spaces)

    @cached_property
    def codes(self) -> Ints:
        """Code of each KOL in `History.kol_ids`."""
        return self.history.kol_codes(self.kols["kol_id"])

    def positions(self, kol_ids: Iterable[Any]) -> Ints:
        """Return where KOLs are in `kols`, -1 for those that are not."""
        wanted = self.history.kol_codes(kol_ids)
        place = np.minimum(np.searchsorted(self.codes, wanted), max(len(self) - 1, 0))
        there = (wanted >= 0) & (pick(self.codes, place, -1) == wanted)
        return np.where(there, place, -1)

    def places(self, space: str) -> Places:
        """Return where each KOL stands in a space: in one place, or in one for each topic."""
        if space not in self._places:
            owner, vectors = self._topics() if space == TEXT else self._own(space)
            self._places[space] = Places.of(owner, vectors, len(self))
        return self._places[space]

    def brief(self, space: str, brief_id: str) -> Vectors:
        """Return where a brief stands in a space, shape (0 or 1, d)."""
        learned = self._learned.get(space)
        pair = self._asked(brief_id, self.kols["kol_id"].head(1))
        if space == TEXT:
            view, embeddings = View(pair, self.history), self._pipeline.embeddings
            texts, which = brief_texts(view)
            # A projection was learned of the brief's own vector.
            asked: Any = (
                widened_briefs(view, texts, which, embeddings)[0]
                if learned is None
                else embeddings.of(texts, role="query")
            )
        else:
            width = learned.width if learned else self.places(space).vectors.shape[1]
            found = self._sides(pair, space, width)
            asked = found.briefs[found.of[found.of >= 0]]
        return _known(asked if learned is None else learned.briefs(asked))

    def _topics(self) -> tuple[Ints, Vectors]:
        """Return each KOL's topics, the heaviest first; the bio of those who have none."""
        owners = Spill(np.int64)
        vectors = joined(self._topic_blocks(owners))
        return owners.done(), vectors

    def _topic_blocks(self, owners: Spill) -> Iterator[Vectors]:
        """Yield those vectors, and put down whose they are."""
        config, embeddings = self._pipeline.config, self._pipeline.embeddings
        at = np.full(len(self), micros(pd.Series([self.as_of]))[0])
        told, done = np.zeros(len(self), dtype=bool), 0
        for rows, profiles in content_profiles(self.history, self.codes, at, embeddings, config):
            owner, _, found = profiles.centroids()
            told[rows[owner]] = True
            owners.add(rows[owner])
            yield self._projected(TEXT, found)
            done += len(rows)
            self._progress("topics of KOLs", done, len(self))
        rest = np.flatnonzero(~told)
        for start in range(0, max(len(rest), 1), _BIOS):
            some = rest[start : start + _BIOS]
            owners.add(some)
            yield self._projected(TEXT, embeddings.of(self.kols["bio"].iloc[some]))

    def _own(self, space: str) -> tuple[Ints, Vectors]:
        learned = self._learned.get(space)
        everybody = self._asked(str(self.history.brief_ids[0]), self.kols["kol_id"])
        found = self._sides(everybody, space, learned.width if learned else None)
        there = np.flatnonzero(found.to >= 0)
        vectors = np.asarray(found.kols[found.to[there]], dtype=np.float32)
        return there, self._projected(space, vectors)

    def _projected(self, space: str, vectors: Vectors) -> Vectors:
        """Map KOLs' vectors by what was learned of a space, a block at a time.

        A projection is exact (`features.projection`): blocks change no digit, only the memory
        that its work on float64 needs.
        """
        learned = self._learned.get(space)
        if learned is None:
            return vectors
        out = np.empty((len(vectors), learned.kol_matrix.shape[1]), dtype=np.float32)
        for start in range(0, len(vectors), _BLOCK):
            part = slice(start, start + _BLOCK)
            out[part] = _known(learned.kols(vectors[part]))
        return out

    def _sides(self, pairs: pd.DataFrame, space: str, width: int | None) -> Sides:
        view = View(pairs, self.history, self._pipeline.config.recent_posts)
        return sides(view, self._pipeline.embeddings, self._pipeline.config, space, width)

    def _asked(self, brief_id: str, kols: pd.Series[Any]) -> pd.DataFrame:
        return pd.DataFrame({"brief_id": brief_id, "kol_id": kols, "as_of": self.as_of})


def _known(vectors: Any) -> Vectors:
    """Return float32 rows, zero where a map gave none."""
    return np.nan_to_num(np.asarray(vectors, dtype=np.float32))
