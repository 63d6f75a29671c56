"""Lists made by Dask workers are those of one process, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UserError
from features.lake import Lake, open_data
from features.simulate import World
from features.vectors import Embeddings, VectorStore
from matcher.cluster import check_same, check_software, cluster, software
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import Loaded
from serving import distributed
from serving.distributed import DaskEngine, shards_of
from serving.engine import Engine
from serving.job import HERE, Served, serve
from serving.publish import runs, stored
from tests.conftest import WordEncoder
from tests.matcher import conftest as learned

matcher, past = learned.matcher, learned.past  # fixtures: a model that learned something
NOW = pd.Timestamp("2026-07-01", tz="UTC")


@pytest.fixture(scope="module")
def here() -> Iterator[str]:
    """Return the scheduler of one worker that is a thread of this process."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as local:
        yield local.scheduler_address


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    lake = tmp_path_factory.mktemp("data") / "lake"
    Lake(lake).ingest(world.tables)
    return lake


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "SHARD_BRIEFS", 2)


def _serve(lake: Path, home: Path, engine: Engine = HERE, briefs: int = 3, **more: Any) -> Served:
    data = open_data(lake)
    ids = sorted(data.tables.briefs["brief_id"])[-briefs:]
    told: dict[str, Any] = {
        "loaded": None,
        "as_of": pd.Timestamp("2026-06-30", tz="UTC"),
        "created_at": NOW,
        "brief_ids": ids,
        "engine": engine,
        "plan": False,
    }
    embeddings = Embeddings(WordEncoder(), VectorStore(home / "vectors"))
    return serve(
        data.tables, data.versions, home, config=Config(), embeddings=embeddings, **told | more
    )


def _check_same_lists(home: Path, other: Path, run_id: str) -> None:
    content, frames = stored(home, run_id)
    other_content, others = stored(other, run_id)
    assert content == other_content
    for name, frame in frames.items():  # in the same order, too, which the hash does not tell
        pd.testing.assert_frame_equal(frame, others[name])


@pytest.mark.usefixtures("small_shards")
def test_workers_make_the_run_that_one_process_makes(tmp_path: Path, lake: Path, here: str) -> None:
    one = _serve(lake, tmp_path / "one")
    told: list[tuple[str, int, int]] = []
    many = _serve(
        lake,
        tmp_path / "many",
        DaskEngine(lake, here),
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert one.run == many.run
    _check_same_lists(tmp_path / "one", tmp_path / "many", one.run.run_id)
    assert [step for step in told if step[0] == "matching briefs"] == [
        ("matching briefs", done, 3) for done in (0, 2, 3)
    ]
    texts = next(total for what, _, total in told if what == "encoding texts")
    assert told.count(("encoding texts", texts, texts)) == 1
    assert not list((tmp_path / "many" / "results" / ".staging").iterdir())
    assert not distributed._HELD  # a worker that lives on holds no tables


@pytest.mark.usefixtures("small_shards")
def test_what_was_done_before_a_failure_is_not_done_again(
    tmp_path: Path, lake: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    write = distributed.write_part

    def failing(folder: Path, name: str, *lists: Any) -> None:
        if len(made) == 1:
            made.append("no")
            raise UserError("Got a full disk")
        made.append(name)
        write(folder, name, *lists)

    monkeypatch.setattr(distributed, "write_part", failing)
    engine = DaskEngine(lake, here)
    with pytest.raises(UserError, match="Got a full disk"):
        _serve(lake, tmp_path, engine)
    assert runs(tmp_path) == []
    served = _serve(lake, tmp_path, engine)
    assert made == ["00000-of-00002", "no", "00001-of-00002"]
    assert served.published.exclusions["brief_id"].drop_duplicates().tolist() == [
        *served.run.briefs
    ]


def test_an_erasure_meanwhile_stops_the_workers(
    tmp_path: Path, lake: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.spool import drop_spools

    write = distributed.write_part

    def erased(*given: Any) -> None:
        assert drop_spools(tmp_path) == 1
        write(*given)

    monkeypatch.setattr(distributed, "write_part", erased)
    with pytest.raises(UserError, match="an erasure removed while they were made"):
        _serve(lake, tmp_path, DaskEngine(lake, here), briefs=1)
    assert runs(tmp_path) == []


def test_workers_read_the_versions_that_the_run_names(
    tmp_path: Path, world: World, here: str
) -> None:
    lake = Lake(tmp_path / "lake")
    lake.ingest(world.tables)
    engine = DaskEngine(lake.path, here)
    before = _serve(lake.path, tmp_path / "one", briefs=1)

    def ingest(what: str, done: int, total: int) -> None:
        if what == "encoding texts" and done < total:  # after the question, before the answer
            kols = world.tables.kols
            lake.ingest(world.tables.replace(kols=kols.assign(followers=kols["followers"] * 3)))

    many = _serve(lake.path, tmp_path / "many", engine, briefs=1, progress=ingest)
    assert lake.versions()["kols"] > int(many.run.data_versions["kols"])
    _check_same_lists(tmp_path / "one", tmp_path / "many", before.run.run_id)


@given(st.lists(st.text("ab0", min_size=1, max_size=3), unique=True, max_size=30).map(sorted))
def test_shards_hold_every_brief_once_and_in_order(briefs: list[str]) -> None:
    shards = shards_of(briefs)
    assert [brief for shard in shards for brief in shard.briefs] == briefs
    assert sorted({shard.name for shard in shards}) == [shard.name for shard in shards]
    assert all(0 < len(shard.briefs) <= distributed.SHARD_BRIEFS for shard in shards)


def test_a_folder_of_files_has_no_versions_to_pin(tmp_path: Path, lake: Path) -> None:
    with pytest.raises(UserError, match=r"--engine dask expected a lake.*kolmatch ingest"):
        _serve(lake, tmp_path / "home", DaskEngine(tmp_path), briefs=1)


def test_without_dask_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(
            UserError, match=r"Dask is not installed; run: pip install 'kolmatch\[dask\]'"
        ),
        cluster(),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_told_in_words() -> None:
    for address, told in (("tcp://127.0.0.1:9", "does not answer"), ("nowhere", "such as tcp://")):
        with pytest.raises(UserError, match=told), cluster(address, patience=0.2):
            pass


def test_too_few_workers_are_told_in_words(here: str) -> None:
    told = r"Got 1 workers at .* but expected 2"
    with pytest.raises(UserError, match=told), cluster(here, workers=2, patience=0.2):
        pass


def test_a_worker_with_other_software_is_refused(here: str) -> None:
    same = software()
    check_same("tcp://a", same, same)
    other = same | {"numpy": "1.0.0"}
    with pytest.raises(UserError, match=rf"worker tcp://a with numpy 1.0.0 .* {same['numpy']}"):
        check_same("tcp://a", other, same)
    with pytest.raises(UserError, match=r"kolmatch none.*, lightgbm untold"):
        check_same("tcp://a", {"kolmatch": "none (No module named 'matcher')"}, same)
    with Client(here, set_as_default=False) as client:
        check_software(client)


def test_a_scheduler_that_goes_away_is_told_in_words() -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as local,
        pytest.raises(UserError, match="scheduler that went away"),
        cluster(local.scheduler_address) as client,
    ):
        future = client.submit(time.sleep, 0.5)
        local.close()
        future.result()


def test_workers_that_all_go_away_are_not_waited_for_without_end() -> None:
    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "100ms"}),
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as local,
        pytest.raises(UserError, match="workers that are not there any more"),
        cluster(local.scheduler_address) as client,
    ):
        client.retire_workers()
        client.submit(time.sleep, 0).result(timeout=60)


@pytest.mark.long
@pytest.mark.usefixtures("small_shards")
def test_a_worker_killed_at_work_loses_nothing_and_doubles_nothing(
    tmp_path: Path, lake: Path, matcher: Matcher
) -> None:
    loaded = Loaded(matcher, "3")
    one = _serve(lake, tmp_path / "one", briefs=12, loaded=loaded)
    killed: list[int] = []
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local,
        Client(local, set_as_default=False) as client,
    ):

        def kill(what: str, done: int, total: int) -> None:
            if what == "matching briefs" and 0 < done < total and not killed:
                pids = client.run(os.getpid)
                busy = next(worker for worker, tasks in client.processing().items() if tasks)
                killed.append(pids[busy])
                os.kill(pids[busy], signal.SIGKILL)

        engine = DaskEngine(lake, local.scheduler_address, 2)
        many = _serve(lake, tmp_path / "many", engine, briefs=12, loaded=loaded, progress=kill)
        assert killed and killed[0] not in client.run(os.getpid).values()
    assert many.run == one.run
    _check_same_lists(tmp_path / "one", tmp_path / "many", one.run.run_id)


@pytest.mark.long
def test_work_that_kills_its_workers_again_and_again_is_told_in_words() -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with (
        pytest.raises(UserError, match=r"4 workers died over.*--memory"),
        cluster(workers=1) as own,
    ):
        own.submit(die).result()
