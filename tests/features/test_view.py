"""What is worked out once for a whole roster is what is worked out for some of it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import features.pipeline
import features.roster
from features.columns import TIME
from features.config import FeatureConfig
from features.history import History
from features.memory import held_bytes, peak_bytes
from features.pipeline import FeaturePipeline
from features.roster import everybody, keep_roster
from features.signals.reach import median_views
from features.simulate import World
from features.tables import Tables
from features.timeline import expand
from features.vectors import Embeddings
from features.view import View


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
    monkeypatch.setattr(features.roster, "_BLOCK", block)
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


@pytest.mark.parametrize("seed", range(6))
def test_a_roster_over_many_moments_is_that_of_each(
    random_tables: Callable[[int], Tables], day: Callable[[float], pd.Timestamp], seed: int
) -> None:
    history = History(random_tables(seed))
    drawn = np.random.default_rng(seed).choice(np.arange(-1, 65), 9, replace=False)
    times = np.sort([day(at).value // 1000 for at in drawn.tolist()])
    roster = everybody(history, times, 3)
    moment, which = expand(roster.moment, roster.past)
    for at, time in enumerate(times.tolist()):
        alone = everybody(history, np.array([time]), 3)
        mine = which[moment == at]
        assert roster.kol[mine].tolist() == alone.kol.tolist()
        for values in (lambda cells: cells.segment, median_views, lambda cells: cells.tier):
            np.testing.assert_array_equal(values(roster)[mine], values(alone))
        owner, rows = roster.valid_quotes()
        asked = (roster.moment[owner] <= at) & (at < roster.quotes_past(owner, rows))
        others, expected = alone.valid_quotes()
        found = sorted(zip(roster.kol[owner[asked]], rows[asked], strict=True))
        assert found == sorted(zip(alone.kol[others], expected, strict=True))


def test_pairs_of_many_moments_are_those_of_each(world: World, word_embeddings: Embeddings) -> None:
    rng = np.random.default_rng(5)
    # As of what was known just then, too: strictly before is before.
    known = pd.concat([world.tables.posts["observed_at"], world.tables.rates["quoted_at"]])
    times = [*known.sample(12, random_state=1), world.as_of]
    pairs = pd.concat([_pairs(world, world.as_of).head(12).assign(as_of=at) for at in times])
    pairs = pairs.reset_index(drop=True).take(rng.permutation(12 * len(times)))
    history, pipeline = History(world.tables), FeaturePipeline(FeatureConfig(), word_embeddings)
    together = pipeline.transform(pairs, history)
    for _, some in pairs.groupby("as_of"):
        alone = pipeline.transform(some, History(world.tables))
        pd.testing.assert_frame_equal(alone, together.loc[some.index], check_exact=True)


@pytest.mark.parametrize(("pairs_at_once", "moments_at_once"), [(7, 100), (100, 2), (3, 1)])
def test_chunks_change_no_digit(
    world: World,
    word_embeddings: Embeddings,
    monkeypatch: pytest.MonkeyPatch,
    pairs_at_once: int,
    moments_at_once: int,
) -> None:
    times = [world.as_of - pd.Timedelta(days=days) for days in (400, 300, 300, 90, 1, 0)]
    pairs = pd.concat([_pairs(world, time).head(9) for time in times], ignore_index=True)
    pairs = pairs.sample(frac=1, random_state=2)
    pipeline = FeaturePipeline(FeatureConfig(), word_embeddings)
    expected = pipeline.transform(pairs, History(world.tables))
    monkeypatch.setattr(features.pipeline, "_PAIRS", pairs_at_once)
    monkeypatch.setattr(features.pipeline, "_MOMENTS", moments_at_once)
    done: list[int] = []
    for asked in (pairs, pairs.sort_values("as_of"), pairs.head(0)):
        found = pipeline.transform_in_chunks(asked, History(world.tables), done.append)
        pd.testing.assert_frame_equal(found, expected.loc[asked.index], check_exact=True)
    assert done[-1] == len(pairs)
    assert len(done) >= 2 * len(pairs) / pairs_at_once


def test_a_process_knows_what_it_holds() -> None:
    before = held_bytes()
    block = np.ones(30_000_000)
    assert held_bytes() - before > 0.9 * block.nbytes
    assert peak_bytes() >= block.nbytes
