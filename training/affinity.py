"""Learn a projection of each space of vectors from past pairs, and give every pair its signals.

How far past pairs turn a space (`features.projection`) is chosen by what that would have said of
brands they had not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.projection import Projection, Spread
from features.signals.affinity import TEXT, Sides, sides
from features.view import View
from matcher.config import Config
from training.examples import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHARPNESS = 2.0 ** np.arange(0, 7)
"""Factors of a cosine that turn it into a margin; the best one is taken."""


@dataclass(frozen=True)
class Lesson:
    """One space, as the training pairs show it.

    Attributes
    ----------
    space : str
        Name of the space.
    briefs, kols : ndarray, shape (n, d)
        Both vectors of each pair that tells a preference.
    pairs : DataFrame
        brief_id, brand_id and ``preference`` of each.
    spread : Spread
        Of all the vectors known by then.
    """

    space: str
    briefs: NDArray[np.float64]
    kols: NDArray[np.float64]
    pairs: pd.DataFrame
    spread: Spread

    def projection(self, rank: int, strength: float, of: NDArray[np.bool_]) -> Projection:
        """Return a projection that some of the pairs teach."""
        share = self.pairs["preference"][of]
        pull = share - share.groupby(self.pairs["brief_id"][of].to_numpy()).transform("mean")
        first = self.pairs[of].drop_duplicates("brief_id").index
        plain = self.spread.projection(rank).seen_from(
            self.briefs[self.pairs.index.get_indexer(first)]
        )
        return plain.corrected(self.briefs[of], self.kols[of], pull.to_numpy(), strength)

    def evidence(self, projection: Projection, of: NDArray[np.bool_]) -> float:
        """Return the mean log-likelihood of the preferences of some briefs, at its sharpest."""
        near = np.einsum(
            "ij,ij->i", projection.briefs(self.briefs[of]), projection.kols(self.kols[of])
        )
        pairs = self.pairs[of].assign(near=near)
        # Where no cosine is known, all are as near: the preferences say nothing of the projection.
        pairs["near"] = pairs["near"].fillna(pairs["near"].mean()).fillna(0.0)
        brief = pairs["brief_id"].to_numpy()
        found = []
        for sharpness in _SHARPNESS:
            margin = sharpness * pairs["near"]
            total = np.exp(margin).groupby(brief).transform("sum")
            found.append(float((pairs["preference"] * (margin - np.log(total))).sum()))
        return max(found) / pairs["brief_id"].nunique()


def learn_affinity(
    examples: Examples,
    teaching: pd.Index[str],
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
) -> tuple[Examples, FeaturePipeline]:
    """Learn projections from the briefs that teach, and add their signals to every example.

    The signals of a teaching pair come from projections that other brands taught: what was
    learned from a pair says too much of it.

    Parameters
    ----------
    examples : Examples
        Pairs of all parts.
    teaching : Index of brief_id
        Briefs whose pairs may teach.
    history, pipeline, config
        Of the training run.

    Returns
    -------
    examples : Examples
        With the signals of the family ``affinity`` after the others.
    pipeline : FeaturePipeline
        With the learned projections; the given one where there is nothing to learn them from.
    """
    taught = examples.of(teaching)
    lessons = list(_lessons(taught, history, pipeline, config))
    if not lessons:
        return examples, pipeline
    folds = _brand_folds(taught.pairs["brand_id"], config.training.folds)
    chosen = [(lesson, _strength(lesson, config)) for lesson in lessons]

    def with_projections(brands: set[str] | None) -> FeaturePipeline:
        """Return the pipeline that the pairs of some brands teach; of all, for ``None``."""
        learned = tuple(
            lesson.projection(config.affinity.rank, strength, _of_brands(lesson, brands))
            for lesson, strength in chosen
        )
        return FeaturePipeline(pipeline.config, pipeline.embeddings, (), learned)

    learned = with_projections(None)
    columns = pd.DataFrame(np.nan, index=examples.signals.index, columns=learned.names)
    pairs = examples.pairs
    rest = ~examples.pairs["brief_id"].isin(teaching).to_numpy()
    columns[rest] = learned.transform_in_chunks(pairs[rest], history)
    for held in folds:
        mine = ~rest & examples.pairs["brand_id"].isin(held).to_numpy()
        others = set(taught.pairs["brand_id"]) - held
        taught_by = with_projections(others)
        columns[mine] = taught_by.transform_in_chunks(pairs[mine], history)
    whole = FeaturePipeline(
        pipeline.config, pipeline.embeddings, pipeline.families, learned.projections
    )
    return Examples(examples.pairs, pd.concat([examples.signals, columns], axis=1)), whole


def _lessons(
    taught: Examples, history: History, pipeline: FeaturePipeline, config: Config
) -> Iterator[Lesson]:
    """Return what each space has to teach, where it has enough vectors."""
    pairs = taught.pairs.assign(preference=taught.preference(config.training))
    pairs = pairs[pairs["preference"].notna()]
    if pairs["brand_id"].nunique() < 2:
        return
    # Whoever was known when the last of these briefs was decided.
    latest = pairs.sort_values("as_of").iloc[-1]
    kols = history.kol_ids
    every = np.unique(np.linspace(0, len(kols) - 1, config.affinity.sample).astype(int))
    roster = pd.DataFrame({"kol_id": kols[every]}).assign(
        brief_id=latest["brief_id"], as_of=latest["as_of"]
    )
    for space in (TEXT, *config.features.spaces):
        around = _sides(roster, history, pipeline, space).kols
        found = _sides(pairs, history, pipeline, space)
        there = (found.of >= 0) & (found.to >= 0)
        # Who wrote nothing, and a blank brief, stand at zero and tell of no spread.
        seen, asked = around.any(axis=1).sum(), found.briefs.any(axis=1).sum()
        enough = min(seen, 3 * asked) >= config.affinity.least_vectors
        if not enough or not there.any() or around.shape[1] != found.kols.shape[1]:
            continue
        spread = Spread.of(space, found.briefs, around)
        yield Lesson(
            space,
            found.briefs[found.of[there]].astype(np.float64),
            found.kols[found.to[there]].astype(np.float64),
            pairs[there].reset_index(drop=True),
            spread,
        )


def _sides(pairs: pd.DataFrame, history: History, pipeline: FeaturePipeline, space: str) -> Sides:
    view = View(pairs, history, pipeline.config.recent_posts)
    return sides(view, pipeline.embeddings, pipeline.config, space)


def _strength(lesson: Lesson, config: Config) -> float:
    """Return the strength under which the preferences of unseen brands are likeliest."""
    folds = _brand_folds(lesson.pairs["brand_id"], config.training.folds)
    found = []
    for strength in config.affinity.strength:
        total = 0.0
        for held in folds:
            mine = _of_brands(lesson, held)
            projection = lesson.projection(config.affinity.rank, strength, ~mine)
            total += lesson.evidence(projection, mine)
        found.append(total)
    return config.affinity.strength[int(np.argmax(found))]


def _of_brands(lesson: Lesson, brands: set[str] | None) -> NDArray[np.bool_]:
    if brands is None:
        return np.ones(len(lesson.pairs), dtype=bool)
    return lesson.pairs["brand_id"].isin(brands).to_numpy()


def _brand_folds(brands: pd.Series[str], folds: int) -> list[set[str]]:
    """Deal brands into folds, in the order of their ids."""
    names = np.array(sorted(set(brands)), dtype=object)
    return [set(names[start :: min(folds, len(names))]) for start in range(min(folds, len(names)))]
