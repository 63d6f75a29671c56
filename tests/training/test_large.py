"""A lake too large for memory teaches what it would teach in memory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import features.roster
from features.history import History
from features.lake import Lake
from features.pipeline import FeaturePipeline
from features.ragged import Ragged
from features.simulate import World
from features.tables import Tables
from matcher.config import Config
from training.examples import Examples
from training.fit import Plan, plan_by_time, plan_examples


@pytest.fixture
def _small_blocks(in_files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at few KOLs at a time, too."""
    monkeypatch.setattr(features.roster, "_BLOCK", 256)


@pytest.mark.usefixtures("_small_blocks")
def test_examples_of_a_lake_in_files_are_those_of_one_in_memory(
    tmp_path: Path, world: World, pipeline: FeaturePipeline, config: Config
) -> None:
    lake = Lake(tmp_path / "lake")
    lake.ingest(world.tables)
    by_kol, whole = lake.read(by_kol=True), lake.read()
    assert isinstance(by_kol.posts["tags"].array, Ragged)
    training = config.training.model_copy(update={"unknown_per_brief": 1})
    config = config.model_copy(update={"training": training})
    found, expected = (_examples(tables, pipeline, config) for tables in (by_kol, whole))
    assert len(expected.pairs) > 100
    pd.testing.assert_frame_equal(found.pairs, expected.pairs, check_exact=True)
    pd.testing.assert_frame_equal(found.signals, expected.signals, check_exact=True)


def _examples(tables: Tables, pipeline: FeaturePipeline, config: Config) -> Examples:
    plan: Plan = plan_by_time(tables, config)
    return plan_examples(plan, History(tables), pipeline, config)[0]
