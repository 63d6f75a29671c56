"""How a lake stands and what ails it, as its commands tell; and what a sweep takes."""

import json
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable

from features.history import History
from features.lake import ERASING, Lake
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings, VectorStore
from matcher.cli import main
from matcher.commands.shared import BUSY, OK, UNWELL, USAGE
from matcher.config import Config
from matcher.keepsake import Loaded
from matcher.model import Matcher
from matcher.registry import CHAMPION, Registry
from serving.job import open_briefs, serve
from serving.operations import doctor
from serving.operations.doctor import Finding, examine
from serving.operations.orphans import DAY, HOUR, orphans
from serving.publish import read_run
from tests.conftest import WordEncoder
from training.retrain import alone

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")


@pytest.fixture(scope="module")
def built(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake with two versions of a table, a champion and a published run."""
    lake = Lake(tmp_path_factory.mktemp("operated") / "lake")
    lake.ingest(world.tables)
    lake.ingest(world.tables.replace(kols=world.tables.kols.assign(followers=5.0)))
    registry = Registry(lake.path)
    matcher = Matcher(Config(seed=5), "words")
    with registry.run("first", {}) as run:
        version = run.register(matcher, sample(world))
    registry.move(CHAMPION, version, None)
    publish(lake, Loaded(matcher, version), "r1")
    return lake.path


def sample(world: World) -> pd.DataFrame:
    """Return signals of two pairs."""
    tables = world.tables
    pairs = tables.collaborations[["brief_id", "kol_id"]].head(2).assign(as_of=AS_OF)
    pipeline = FeaturePipeline(Config().features, Embeddings(WordEncoder()))
    return pipeline.transform(pairs, History(tables))


def publish(lake: Lake, loaded: Loaded | None, run_id: str) -> None:
    tables = lake.read()
    serve(
        tables,
        {name: str(version) for name, version in lake.versions().items()},
        lake.path,
        loaded,
        Config(seed=5),
        Embeddings(WordEncoder(), VectorStore(lake.path / "vectors")),
        as_of=AS_OF,
        created_at=AS_OF,
        brief_ids=open_briefs(tables, AS_OF)[:1],
        top=5,
        run_id=run_id,
    )


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def ill(home: Path) -> dict[str, Finding]:
    found = examine(Lake(home), Registry(home))
    return {finding.check: finding for finding in found if finding.level != doctor.OK}


def aged(path: Path, seconds: float = 2 * HOUR) -> Path:
    then = time.time() - seconds
    for one in [*path.rglob("*"), path]:
        os.utime(one, (then, then))
    return path


def test_status_tells_what_is_there(
    home: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    report = {"champion": "1", "drift": {"advice": "watch", "reasons": ["so"], "overall_psi": 0.1}}
    for name, told in (("v1", report), ("v2", {"champion": "1", "drift": None})):
        (home / "reports").mkdir(exist_ok=True)
        (home / "reports" / f"retrain-{name}.json").write_text(json.dumps(told))
    assert run("status", home, "--json") == OK
    told = json.loads(capsys.readouterr().out)
    tables = {row["table"]: row for row in told["tables"]}
    assert {name: row["rows"] for name, row in tables.items()} == {
        name: len(frame) for name, frame in world.tables
    }
    assert tables["kols"]["version"] == 2
    assert tables["posts"]["latest"] == world.tables.posts["observed_at"].max().isoformat()
    assert [one["run_id"] for one in told["runs"]] == ["r1"]
    assert told["models"]["champion"]["version"] == "1"
    assert told["models"]["challenger"] is None
    assert (told["drift"]["advice"], told["drift"]["psi"]) == ("watch", 0.1)
    assert told["open_briefs"] == open_briefs(world.tables, pd.Timestamp(told["at"]))
    assert run("status", home) == OK
    assert "drift of version 1: watch" in capsys.readouterr().out


def test_status_of_a_new_lake_makes_no_store(tmp_path: Path, world: World) -> None:
    Lake(tmp_path / "lake").ingest(world.tables.only("briefs", "kols"))
    assert run("status", tmp_path / "lake") == OK
    assert run("doctor", tmp_path / "lake") in (OK, UNWELL)
    assert not (tmp_path / "lake" / "mlflow.db").exists()
    assert run("status", tmp_path) == USAGE


def test_a_sound_lake_is_well(built: Path) -> None:
    found = {finding.check for finding in examine(Lake(built), Registry(built))}
    assert ill(built).keys() <= {"libraries", "disk"}  # these tell of the machine
    assert {"tables", "results", "registry", "champion", "copy", "trainings"} <= found


def test_each_ailment_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, check in (("tables/posts", "tables"), ("results/matches", "results")):
        file = next((home / folder).rglob("*.parquet"))
        file.write_bytes(file.read_bytes()[:-100])
        assert ill(home)[check].level == doctor.FAULT
        assert Path(folder).name in ill(home)[check].words
    weights = next((home / "mlartifacts").rglob("model.json"))
    weights.write_text(weights.read_text().replace("words", "swords"))
    # A copy of a lake names its original's files: the registry of this one is the original's.
    shutil.rmtree(home / "models")
    (home / ERASING).write_text("{}")
    found = ill(home)
    assert {"copy", "erasure"} <= found.keys()
    assert f"kolmatch erase {home}" in found["erasure"].remedy
    assert run("doctor", home, "--json") == UNWELL
    told = json.loads(capsys.readouterr().out)
    assert not told["well"] and all(one["level"] for one in told["findings"])


def test_a_damaged_champion_is_a_fault(tmp_path: Path, world: World) -> None:
    lake = Lake(tmp_path / "lake")
    lake.ingest(world.tables.only("briefs", "kols"))
    registry = Registry(lake.path)
    with registry.run("first", {}) as tracked:
        version = tracked.register(Matcher(Config(), "words"), sample(world))
    registry.move(CHAMPION, version, None)
    file = next((lake.path / "mlartifacts").rglob("model.json"))
    file.write_bytes(file.read_bytes()[:-5])
    found = ill(lake.path)
    assert found["champion"].level == doctor.FAULT
    assert "rollback" in found["champion"].remedy
    assert found["copy"].level == doctor.WARNING


def test_a_full_disk_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    assert ill(home)["disk"].level == doctor.FAULT


def leave(home: Path, seconds: float) -> list[Path]:
    """Leave what killed jobs leave, as old as told."""
    posts, staging = home / "tables" / "posts", home / "results" / ".staging" / "dead"
    source = next(posts.glob("*.parquet"))
    left = [posts / "part-00000-dead-c000.snappy.parquet", posts / "_delta_log" / "_commit_x.tmp"]
    left += [home / "commits" / ".00000009.json.77", home / "models" / "tmpdead"]
    left += [home / "lists" / "r1" / ".kolmatch-ab12_xyz", home / ".outputs.json.12"]
    for path in left[:3] + left[-1:]:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    for folder in (staging, left[3], left[4]):
        folder.mkdir(parents=True)
        (folder / "x.parquet").write_bytes(b"x")
    left.append(staging)
    for path in left:
        aged(path, seconds)
    return left


def test_a_sweep_takes_what_is_dead_and_nothing_else(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert orphans(home, time.time() + 2 * DAY) == []
    left = leave(home, 2 * DAY)
    assert sorted(orphan.path for orphan in orphans(home, time.time())) == sorted(left)
    assert "left-overs" in ill(home)
    before = DeltaTable(home / "tables" / "kols", version=1).to_pyarrow_table().num_rows
    with alone(home, 0):
        assert run("doctor", home, "--sweep") == BUSY
    assert all(path.exists() for path in left)
    run("doctor", home, "--sweep", "--json")
    told = json.loads(capsys.readouterr().out)
    assert sum(told["swept"].values()) == len(left)
    assert not any(path.exists() for path in left)
    assert "left-overs" not in ill(home)
    # Earlier versions are no orphans.
    assert DeltaTable(home / "tables" / "kols", version=1).to_pyarrow_table().num_rows == before
    assert Lake(home).unreadable() == {}
    assert len(read_run(home, "r1").matches)


def test_what_is_young_is_let_be(home: Path) -> None:
    leave(home, HOUR / 2)
    assert orphans(home, time.time()) == []


def test_history_that_an_erasure_forgot_makes_no_orphans(home: Path) -> None:
    lake = Lake(home)
    with lake.lock():
        lake.rewrite(lambda name, frame: frame)
    assert orphans(home, time.time() + 2 * DAY) == []
