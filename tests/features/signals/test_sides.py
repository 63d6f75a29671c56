"""What is said of each signal's side holds on a world: brief, KOL, or both."""

import numpy as np
import pandas as pd
import pytest

from features.config import FeatureConfig
from features.history import History
from features.pipeline import FeaturePipeline
from features.projection import Projection
from features.signals import FAMILIES, Side
from features.simulate import World
from features.vectors import Embeddings


@pytest.fixture(scope="module")
def pipeline(world: World, word_embeddings: Embeddings) -> FeaturePipeline:
    width = word_embeddings.encoder.dimension
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(width, 4))
    projection = Projection("posts", True, *_arrays(matrix, rng))
    return FeaturePipeline(FeatureConfig(), word_embeddings, projections=(projection,))


def _arrays(matrix: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    mean = np.zeros(len(matrix))
    landmarks = rng.normal(size=(12, matrix.shape[1]))
    return [mean, mean, matrix, matrix, landmarks]


@pytest.fixture(scope="module")
def told(world: World, pipeline: FeaturePipeline) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every pair of some briefs and KOLs at two moments in three modes, and its signals."""
    briefs = world.tables.briefs["brief_id"].iloc[::2]
    kols = world.tables.kols["kol_id"].drop_duplicates().iloc[::2]
    last = world.tables.collaborations["shown_at"].max()
    times = [last, last - pd.Timedelta(days=200)]
    pairs = pd.MultiIndex.from_product(
        [briefs, kols, times, ["ad_placement", "sponsorship", None]],
        names=["brief_id", "kol_id", "as_of", "mode"],
    ).to_frame(index=False)
    return pairs, pipeline.transform(pairs, History(world.tables))


@pytest.mark.parametrize(("side", "key"), [(Side.BRIEF, "brief_id"), (Side.KOL, "kol_id")])
def test_a_side_is_equal_for_all_its_pairs_at_one_moment_in_any_mode(
    side: Side,
    key: str,
    told: tuple[pd.DataFrame, pd.DataFrame],
    pipeline: FeaturePipeline,
) -> None:
    pairs, signals = told
    mine = signals[[name for name, s in pipeline.sides.items() if s == side]]
    assert mine.shape[1] > 5
    # To the bit, NaN too.
    bits = pd.DataFrame(mine.to_numpy().view(np.int64), columns=mine.columns)
    known = mine.isna().to_numpy()
    bits = bits.where(~known, -1)
    distinct = bits.groupby([pairs[key], pairs["as_of"]]).nunique()
    wrong = distinct.columns[(distinct > 1).any()]
    assert list(wrong) == []


def test_what_belongs_to_the_pair_differs_within_both_sides(
    told: tuple[pd.DataFrame, pd.DataFrame], pipeline: FeaturePipeline
) -> None:
    pairs, signals = told
    filled = signals.fillna(-9e9)
    spread = {
        key: filled.groupby([pairs[key], pairs["as_of"]]).nunique().max()
        for key in ("brief_id", "kol_id")
    }
    alone = {
        name
        for name, side in pipeline.sides.items()
        if side == Side.PAIR and min(spread["brief_id"][name], spread["kol_id"][name]) == 1
    }
    # What varies on one side only could move there, unless this world is too small to tell.
    assert {name for name in alone if filled[name].nunique() > 1} <= ALONE_IN_THIS_WORLD


ALONE_IN_THIS_WORLD = {
    *("record.views_per_cost", "record.engagements_per_cost"),  # it has one currency
    *("category.language", "category.region", "conduct.unlicensed"),  # and one country
}


def test_every_column_has_a_side_and_each_name_of_a_side_is_a_signal(
    pipeline: FeaturePipeline,
) -> None:
    assert list(pipeline.sides) == pipeline.names
    for family in FAMILIES:
        assert set(family.of_brief) | set(family.of_kol) <= set(family.signals)
        assert not set(family.of_brief) & set(family.of_kol)
