"""A small lake with a published run, its files and vectors, and what tests do to it."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from features.lake import Lake, open_data
from features.simulate import World
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from serving.job import open_briefs, serve
from serving.ledger import reconcile
from serving.page import write_pages
from serving.privacy.outputs import remember
from serving.workbook import write_files
from serving.workflow import write_workflow
from tests.conftest import WordEncoder

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")
LATER = pd.Timestamp("2026-11-28", tz="UTC")


def publish(place: Path, run_id: str) -> None:
    """Match an open brief of a lake and write all files that `kolmatch match` writes."""
    home = place / "lake"
    data = open_data(home)
    embeddings = Embeddings(WordEncoder(), VectorStore(home / "vectors"))
    served = serve(
        data.tables,
        data.versions,
        home,
        None,
        Config(),
        embeddings,
        as_of=AS_OF,
        created_at=AS_OF,
        brief_ids=open_briefs(data.tables, AS_OF)[:1],
        run_id=run_id,
        top=4,
    )
    lists, tables = place / "lists", data.tables
    remember(home, [lists / run_id])
    found = served.published
    args = (found.matches, found.exclusions, tables.briefs, "en", found.details)
    write_files(lists, served.run, *args)
    write_workflow(lists, served.run, found.matches, tables, "en", found.details)
    write_pages(lists, served.published, tables, "en")
    reconcile(home, tables, data.versions, 30)


@pytest.fixture(scope="session")
def built(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``lake`` and ``lists``, which nobody may change."""
    place = tmp_path_factory.mktemp("built")
    lake = Lake(place / "lake")
    kols = world.tables.kols
    # Several versions, of which the log tells smallest and largest ids.
    lake.ingest(world.tables.replace(kols=kols.assign(bio="old")))
    lake.ingest(world.tables)
    publish(place, "r1")
    return place


@pytest.fixture
def place(built: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    (tmp_path / "lake" / "outputs.json").unlink()
    remember(tmp_path / "lake", [tmp_path / "lists" / "r1"])
    return tmp_path


@pytest.fixture
def bare(world: World, tmp_path: Path) -> Path:
    """Return a folder with a ``lake`` of tables alone."""
    small = world.tables.only("briefs", "kols", "collaborations", "outcomes")
    Lake(tmp_path / "lake").ingest(small)
    return tmp_path
