"""The backup of docs/operations.md, taken while a job writes, gives the same lists elsewhere."""

import os
import re
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from features.history import History
from features.lake import Lake
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import CHAMPION, Registry
from serving.job import open_briefs, serve
from serving.operations.doctor import FAULT, examine
from serving.publish import stored
from serving.replay import replay
from tests.conftest import WordEncoder

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
AS_OF = pd.Timestamp("2026-06-30", tz="UTC")


def embeddings(home: Path) -> Embeddings:
    return Embeddings(WordEncoder(), VectorStore(home / "vectors"))


def match(home: Path, run_id: str, versions: Mapping[str, int] | None = None) -> str:
    """Publish a run by the champion on tables as they are, or were; return its content hash."""
    lake, loaded = Lake(home), Registry(home).champion()
    versions = versions or lake.versions()
    tables = lake.read(versions)
    assert loaded is not None
    serve(
        tables,
        {name: str(version) for name, version in versions.items()},
        home,
        loaded,
        loaded.matcher.config,
        embeddings(home),
        as_of=AS_OF,
        created_at=AS_OF,
        brief_ids=open_briefs(tables, AS_OF)[:1],
        top=5,
        run_id=run_id,
    )
    return stored(home, run_id)[0]


@pytest.mark.long
def test_a_backup_taken_while_a_job_writes_gives_the_same_lists(
    tmp_path: Path, world: World
) -> None:
    home, copy = tmp_path / "lake", tmp_path / "backup"
    lake, registry = Lake(home), Registry(home)
    lake.ingest(world.tables)
    pairs = world.tables.collaborations[["brief_id", "kol_id"]].head(2).assign(as_of=AS_OF)
    pipeline = FeaturePipeline(Config().features, Embeddings(WordEncoder()))
    sample = pipeline.transform(pairs, History(world.tables))
    with registry.run("first", {}) as run:
        version = run.register(Matcher(Config(seed=5), "words"), sample)
    registry.move(CHAMPION, version, None)
    match(home, "before")

    begun, enough, followers = threading.Event(), threading.Event(), [0]

    def write() -> None:
        while not enough.wait(0.05):
            followers[0] += 1
            kols = world.tables.kols.assign(followers=float(followers[0]))
            Lake(home).ingest(world.tables.replace(kols=kols))
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(60)
        (script,) = re.findall(r"```sh\n(# backup:.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        told = {"LAKE": str(home), "BACKUP": str(copy)}
        subprocess.run(["sh", "-c", script], env=os.environ | told, check=True, timeout=120)
    finally:
        enough.set()
        writer.join(60)

    kept = set(Lake(copy).read().kols["followers"])
    assert len(kept) == 1 and 1 <= kept.pop() <= followers[0]  # one whole ingest
    home.rename(tmp_path / "gone")
    done = replay(copy, copy, "before", Registry(copy), lambda config: embeddings(copy))
    assert done.equal, done.differences
    # The same question to the original as it was then and to the copy, elsewhere.
    elsewhere = tmp_path / "elsewhere"
    copy.rename(elsewhere)
    loaded = Registry(elsewhere).champion()
    assert loaded is not None and loaded.version == version and loaded.stale
    again = match(elsewhere, "after")
    (tmp_path / "gone").rename(home)
    original = Registry(home).champion()
    assert original is not None and not original.stale
    assert match(home, "after", Lake(elsewhere).versions()) == again
    assert not [one for one in examine(Lake(home), Registry(home)) if one.level == FAULT]
