"""What past pairs teach a text encoder: a brief, a KOL it preferred, and one it preferred less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from features.history import History
from features.signals.content import bios_of, brief_texts
from features.view import View

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class Told:
    """A text of a KOL.

    Attributes
    ----------
    kol_id : str
        Whose it is.
    text : str
        A post or the bio.
    """

    kol_id: str
    text: str


@dataclass(frozen=True)
class Triplet:
    """One lesson.

    Attributes
    ----------
    brief_id, query : str
        The brief, and what it says.
    near, far : Told
        Of a KOL that the brief preferred, and of one that it preferred less.
    """

    brief_id: str
    query: str
    near: Told
    far: Told


@dataclass(frozen=True)
class Lessons:
    """What some briefs preferred, in texts.

    Attributes
    ----------
    queries : dict
        Text of each brief, by brief_id.
    near, far : dict
        Texts of the KOLs that each brief preferred to its others, and of those others.
    """

    queries: dict[str, str]
    near: dict[str, tuple[Told, ...]]
    far: dict[str, tuple[Told, ...]]

    @classmethod
    def of(
        cls, pairs: pd.DataFrame, preference: pd.Series[float], history: History, posts: int
    ) -> Lessons:
        """Read briefs, and bios and latest posts as known strictly before each decision.

        Parameters
        ----------
        pairs : DataFrame
            PAIRS of the briefs that teach, and of no other.
        preference : Series, aligned to `pairs`
            As `training.examples.Examples.preference` gives it; pairs without one teach nothing.
        history : History
            The past.
        posts : int
            How many latest posts of a KOL to read.
        """
        pairs = pairs[preference.notna()].reset_index(drop=True)
        share = preference.dropna().reset_index(drop=True)
        lead = share - share.groupby(pairs["brief_id"].to_numpy()).transform("mean")
        queries, texts = _texts(pairs, history, posts)
        sides: tuple[dict[str, list[Told]], dict[str, list[Told]]] = {}, {}
        ids = pairs[["brief_id", "kol_id"]].itertuples(index=False, name=None)
        for (brief_id, kol_id), ahead, told in zip(ids, lead, texts, strict=True):
            if ahead != 0:
                found = sides[0 if ahead > 0 else 1].setdefault(brief_id, [])
                found.extend(Told(kol_id, text) for text in told)
        near = {brief: tuple(told) for brief, told in sides[0].items() if told}
        # A text that a preferred KOL copied from another says nothing against itself.
        liked = {brief: {told.text for told in side} for brief, side in near.items()}
        far = {
            brief: rest
            for brief, side in sides[1].items()
            if (rest := tuple(told for told in side if told.text not in liked.get(brief, set())))
        }
        teaching = [b for b, query in queries.items() if query.strip() and b in near and b in far]
        return cls(
            {brief: queries[brief] for brief in teaching},
            {brief: near[brief] for brief in teaching},
            {brief: far[brief] for brief in teaching},
        )

    def __len__(self) -> int:
        """Return how many triplets one reading gives."""
        return sum(len(told) for told in self.near.values())

    def batches(self, size: int, rng: Generator) -> Iterator[list[Triplet]]:
        """Read every text of preferred KOLs once, each against a drawn one, in batches.

        In a batch every KOL counts as a wrong answer to every brief but its own. So no brief, KOL
        or text is twice in one, and no KOL that another of its briefs preferred.
        """
        waiting = [
            Triplet(brief, query, near, self.far[brief][rng.integers(len(self.far[brief]))])
            for brief, query in self.queries.items()
            for near in self.near[brief]
        ]
        waiting = [waiting[i] for i in rng.permutation(len(waiting))]
        liked = {brief: {told.kol_id for told in side} for brief, side in self.near.items()}
        while waiting:
            batch = _Batch(liked)
            left = [t for t in waiting if len(batch.triplets) >= size or not batch.takes(t)]
            yield batch.triplets
            waiting = left


class _Batch:
    """Triplets none of which contradicts another."""

    def __init__(self, liked: dict[str, set[str]]) -> None:
        self.triplets: list[Triplet] = []
        self._liked = liked
        self._briefs: set[str] = set()
        self._kols: set[str] = set()
        self._texts: set[str] = set()
        self._wanted: set[str] = set()

    def takes(self, triplet: Triplet) -> bool:
        """Add a triplet if it contradicts none; return whether it did."""
        kols = {triplet.near.kol_id, triplet.far.kol_id}
        texts = {triplet.query, triplet.near.text, triplet.far.text}
        wanted = self._liked[triplet.brief_id]
        if self.triplets and (
            triplet.brief_id in self._briefs
            or kols & (self._kols | self._wanted)
            or texts & self._texts
            or wanted & self._kols
        ):
            return False
        self.triplets.append(triplet)
        self._briefs.add(triplet.brief_id)
        self._kols |= kols
        self._texts |= texts
        self._wanted |= wanted
        return True


def _texts(
    pairs: pd.DataFrame, history: History, posts: int
) -> tuple[dict[str, str], Sequence[tuple[str, ...]]]:
    """Return what each brief says, and the texts of each pair's KOL as known at its time."""
    view = View(pairs, history, posts)
    said, which = brief_texts(view)
    queries = {brief: said[i] for brief, i in zip(pairs["brief_id"], which, strict=True)}
    names, bio = bios_of(view.cells)
    log = history.posts.texts[1]
    rows = view.cells.recent.texts[view.cells.post_state[view.cell]]
    told = [
        ([names[own]] if own >= 0 else []) + [log[code] for code in codes if code >= 0]
        for own, codes in zip(bio[view.cell], rows, strict=True)
    ]
    return queries, [tuple(dict.fromkeys(t for t in texts if t.strip())) for texts in told]
