"""What is worked out once for a whole roster is what is worked out for some of it."""

import numpy as np
import pandas as pd
import pytest

import features.view
from features.columns import TIME
from features.config import FeatureConfig
from features.history import History
from features.memory import held_bytes, peak_bytes
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from features.view import View, keep_roster


def _pairs(world: World, time: pd.Timestamp) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    known = world.tables.kols[world.tables.kols["observed_at"] < time]["kol_id"].unique()
    pairs = pd.DataFrame(
        {
            "brief_id": rng.choice(world.tables.briefs["brief_id"], 150),
            "kol_id": rng.choice(known, 150),
        }
    )
    return pairs.assign(as_of=pd.Series([time] * len(pairs), dtype=TIME))


@pytest.mark.parametrize("block", [7, 65_536])
@pytest.mark.parametrize("days", [0, 200])
def test_a_kept_roster_changes_no_digit(
    world: World,
    word_embeddings: Embeddings,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
    days: int,
) -> None:
    monkeypatch.setattr(features.view, "_BLOCK", block)
    time = world.as_of - pd.Timedelta(days=days)
    pairs = _pairs(world, time)
    config = FeatureConfig()
    pipeline = FeaturePipeline(config, word_embeddings)
    plain, kept = History(world.tables), History(world.tables)
    keep_roster(kept, time, config.recent_posts)
    expected = pipeline.transform(pairs, plain)
    for rows in (slice(0, 40), slice(40, 150), slice(0, 150)):
        found = pipeline.transform(pairs.iloc[rows], kept)
        pd.testing.assert_frame_equal(found, expected.iloc[rows], check_exact=True)
    # Of another moment, or of more posts, what is kept says nothing.
    other = pairs.assign(as_of=pairs["as_of"] + pd.Timedelta(days=1))
    pd.testing.assert_frame_equal(
        pipeline.transform(other, kept), pipeline.transform(other, plain), check_exact=True
    )


def test_one_brief_is_seen_by_codes_as_by_ids(world: World, word_embeddings: Embeddings) -> None:
    history = History(world.tables)
    kols = pd.Series(history.kol_ids[5:25])
    brief_id = str(history.brief_ids[3])
    pairs = pd.DataFrame({"brief_id": brief_id, "kol_id": kols})
    pairs = pairs.assign(as_of=pd.Series([world.as_of] * len(pairs), dtype=TIME))
    pipeline = FeaturePipeline(FeatureConfig(), word_embeddings)
    view = View.of_brief(history, brief_id, history.kol_codes(kols), world.as_of)
    pd.testing.assert_frame_equal(
        pipeline.transform(view, history), pipeline.transform(pairs, history), check_exact=True
    )
    rows = np.array([1, 4, 6])
    mode = np.array([0, -1, 3])
    told = pairs.iloc[rows].assign(mode=["ad_placement", None, "live_commerce"])
    pd.testing.assert_frame_equal(
        pipeline.transform(view.of(rows, mode), history),
        pipeline.transform(told, history).set_axis(rows),
        check_exact=True,
    )


def test_a_process_knows_what_it_holds() -> None:
    before = held_bytes()
    block = np.ones(30_000_000)
    assert held_bytes() - before > 0.9 * block.nbytes
    assert peak_bytes() >= block.nbytes
