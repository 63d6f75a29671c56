"""A run comes out the same from what it was made from, or it is told why not."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from features.errors import UserError
from features.lake import Lake
from features.simulate import World
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from matcher.keepsake import Loaded
from matcher.model import Matcher
from matcher.registry import Registry
from serving.job import open_briefs, serve
from serving.publish import open_table
from serving.replay import LostError, Replayed, replay
from tests.conftest import WordEncoder

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")


@pytest.fixture(scope="module")
def built(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake with a run of a kept model, one without, and newer data than both read."""
    matcher = Matcher(Config(seed=5), "words")
    lake = Lake(tmp_path_factory.mktemp("built") / "lake")
    lake.ingest(world.tables)
    registry = Registry(lake.path)
    registry.keepsake.keep(Loaded(matcher, "1"))
    versions = {name: str(version) for name, version in lake.versions().items()}
    tables = lake.read()
    for run_id, loaded in (("model", Loaded(matcher, "1")), ("content", None)):
        serve(
            tables,
            versions,
            lake.path,
            loaded,
            Config(seed=3),
            embeddings(lake.path),
            as_of=AS_OF,
            created_at=AS_OF,
            brief_ids=open_briefs(tables, AS_OF)[:1],
            top=5,
            explore_share=0.2,
            plan=None if loaded else False,
            run_id=run_id,
        )
    kols = tables.kols
    lake.ingest(tables.replace(kols=kols.assign(followers=kols["followers"] * 3)))
    return lake.path


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "lake")
    return tmp_path / "lake"


def embeddings(home: Path) -> Embeddings:
    return Embeddings(WordEncoder(), VectorStore(home / "vectors"))


def again(home: Path, run_id: str) -> Replayed:
    return replay(home, home, run_id, Registry(home), lambda config: embeddings(home))


@pytest.mark.parametrize("run_id", ["model", "content"])
def test_a_run_comes_out_the_same_though_the_data_went_on(built: Path, run_id: str) -> None:
    found = again(built, run_id)
    assert (found.equal, found.count, found.notes) == (True, 0, ())
    assert found.run.explore_share == 0.2
    assert found.run.plan is (False if run_id == "content" else None)
    assert json.loads(json.dumps(found.told()))["equal"] is True


def test_what_differs_is_told(home: Path) -> None:
    from deltalake import write_deltalake

    folder = home / "results" / "matches"
    rows = open_table(folder).to_pyarrow_table().to_pandas()
    at = rows.index[(rows["run_id"] == "content") & (rows["rank"] == 2)][0]
    rows.loc[at, "followers"] += 1.0
    rows = rows.drop(index=rows.index[(rows["run_id"] == "content") & (rows["rank"] == 1)])
    schema = open_table(folder).to_pyarrow_table().schema
    import pyarrow as pa

    table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
    write_deltalake(folder, table, mode="overwrite", partition_by=["run_id"])
    found = again(home, "content")
    assert not found.equal
    told = {(one.table, one.column) for one in found.differences}
    assert told == {("matches", "followers"), ("matches", "")}
    assert found.count == 2


def test_a_forgotten_version_is_told(home: Path) -> None:
    lake = Lake(home)
    with lake.lock():
        lake.rewrite(lambda name, frame: frame)
    with pytest.raises(LostError, match="versions of the tables are not held any more"):
        again(home, "content")


def test_a_model_that_is_gone_is_told(home: Path) -> None:
    shutil.rmtree(home / "models")
    with pytest.raises(LostError, match="whose model version 1 is gone"):
        again(home, "model")


def test_another_encoder_is_told(home: Path) -> None:
    class Other(WordEncoder):
        id = "other"

    with pytest.raises(LostError, match="Got text encoder other but run content was made with"):
        replay(home, home, "content", Registry(home), lambda config: Embeddings(Other()))


def test_a_run_that_is_not_published_is_refused(built: Path) -> None:
    with pytest.raises(UserError, match="Got no published run 'nope'"):
        again(built, "nope")
