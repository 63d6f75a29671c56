"""A roster too large for memory gets the lists that it would get in memory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import features.roster
import matcher.candidates
import matcher.retrieval
from features.lake import Lake
from features.ragged import Ragged
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.model import Matcher

_TABLES = ("kols", "posts", "rates")


@pytest.fixture(scope="module")
def lake(world: World, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(tmp_path_factory.mktemp("lake"))
    made.ingest(world.tables)
    return made


@pytest.fixture
def _small_blocks(in_files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at few KOLs at a time, too."""
    monkeypatch.setattr(features.roster, "_BLOCK", 16)
    monkeypatch.setattr(matcher.candidates, "_BLOCK", 16)
    monkeypatch.setattr(matcher.retrieval, "_BLOCK", 16)


@pytest.mark.usefixtures("_small_blocks")
def test_tables_by_kol_hold_the_same_rows(world: World, lake: Lake) -> None:
    found, whole = lake.read(by_kol=True), lake.read()
    orders = {"kols": ["kol_id", "observed_at"], "posts": ["kol_id", "observed_at", "post_id"]}
    orders["rates"] = ["kol_id", "quoted_at", "mode"]
    for name in _TABLES:
        frame = getattr(found, name)
        expected = getattr(whole, name).sort_values(orders[name], ignore_index=True)
        flat = {n: frame[n].astype(object) for n in frame if isinstance(frame[n].array, Ragged)}
        assert flat or name == "rates"
        pd.testing.assert_frame_equal(frame.assign(**flat), expected)
    pd.testing.assert_frame_equal(found.briefs, whole.briefs)


def test_an_empty_table_by_kol_is_empty(tmp_path: Path, world: World) -> None:
    lake = Lake(tmp_path / "lake")
    lake.ingest(world.tables.only("briefs", "kols"))
    found = lake.read(by_kol=True)
    assert found.posts.empty
    assert list(found.posts) == list(world.tables.posts)


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("by_kol", [True, False])
def test_lists_of_a_roster_in_files_are_those_of_one_in_memory(
    world: World,
    lake: Lake,
    matcher: Matcher,
    word_embeddings: Embeddings,
    open_ids: list[str],
    in_memory: dict[str, pd.DataFrame],
    by_kol: bool,
) -> None:
    found = _lists(matcher, lake.read(by_kol=by_kol), world, word_embeddings, open_ids)
    assert set(found) == set(in_memory)
    for name, frame in in_memory.items():
        pd.testing.assert_frame_equal(found[name], frame, obj=name, check_exact=True)


@pytest.fixture(scope="module")
def in_memory(
    world: World,
    lake: Lake,
    matcher: Matcher,
    word_embeddings: Embeddings,
    open_ids: list[str],
) -> dict[str, pd.DataFrame]:
    """Return the lists of the roster in memory."""
    return _lists(matcher, lake.read(), world, word_embeddings, open_ids)


def _lists(
    matcher: Matcher, tables: Tables, world: World, embeddings: Embeddings, open_ids: list[str]
) -> dict[str, pd.DataFrame]:
    result = matcher.match(tables, open_ids[:4], world.as_of, embeddings)
    return {"matches": result.matches, "exclusions": result.exclusions, **result.details}
