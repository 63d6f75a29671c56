"""Nothing is written that was made of data from which somebody was erased since."""

import threading
import time
from pathlib import Path

import pytest

from features.errors import UserError
from features.lake import ERASING, Lake, open_data
from features.publishing import publishing, results_lock, still_there, writing
from features.simulate import World


@pytest.fixture
def lake(world: World, tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    made.ingest(world.tables.only("briefs", "kols"))
    return made


def take_out(lake: Lake) -> None:
    """Take a row out of a table, as an erasure or a pruning does."""
    lake.rewrite(lambda name, frame: frame.iloc[1:] if name == "kols" else frame)


def test_what_was_read_before_rows_were_taken_out_is_not_written(lake: Lake) -> None:
    read = open_data(lake.path)
    with publishing(lake.path, read.versions):
        pass
    take_out(lake)
    assert not still_there(lake.path, read.versions)
    with (
        pytest.raises(
            UserError, match=r"Got data from which somebody was erased.* run the command"
        ),
        publishing(lake.path, read.versions),
    ):
        raise AssertionError("this must not be reached")
    with publishing(lake.path, open_data(lake.path).versions):
        pass


def test_what_was_read_before_an_ingest_is_written(lake: Lake, world: World) -> None:
    read = open_data(lake.path)
    lake.ingest(world.tables)
    assert open_data(lake.path).versions != read.versions
    with publishing(lake.path, read.versions):
        pass


def test_while_an_erasure_is_unfinished_nothing_is_written(lake: Lake) -> None:
    read = open_data(lake.path)
    (lake.path / ERASING).write_text("{}", encoding="utf-8")
    assert not still_there(lake.path, read.versions)
    with (
        pytest.raises(UserError, match="in which an erasure is at work or was cut off"),
        publishing(lake.path, read.versions),
    ):
        raise AssertionError("this must not be reached")


def test_a_folder_of_files_has_nobody_erased(tmp_path: Path) -> None:
    with publishing(tmp_path, {"kols": "a hash of its content"}):
        assert still_there(tmp_path, {"kols": "a hash of its content"})


def test_an_erasure_waits_for_what_is_being_written(lake: Lake) -> None:
    read, order = open_data(lake.path), list[str]()

    def erase() -> None:
        with results_lock(lake.path):
            order.append("erased")

    with publishing(lake.path, read.versions):
        other = threading.Thread(target=erase)
        other.start()
        time.sleep(0.2)
        order.append("written")
    other.join()
    assert order == ["written", "erased"]


def test_an_erasure_waits_for_files_that_are_being_written(lake: Lake) -> None:
    read, order = open_data(lake.path), list[str]()

    def erase() -> None:
        with results_lock(lake.path):
            order.append("erased")

    with writing(lake.path, read.versions, lambda: order.append("announced")):
        # Others publish, and write files too, while these are written.
        with publishing(lake.path, read.versions):
            order.append("published")
        with writing(lake.path, read.versions):
            order.append("written beside")
        other = threading.Thread(target=erase)
        other.start()
        time.sleep(0.2)
        order.append("written")
    other.join()
    assert order == ["announced", "published", "written beside", "written", "erased"]


def test_files_of_what_was_taken_out_are_neither_announced_nor_written(lake: Lake) -> None:
    read = open_data(lake.path)
    take_out(lake)
    announced: list[str] = []
    with (
        pytest.raises(UserError, match="Got data from which somebody was erased"),
        writing(lake.path, read.versions, lambda: announced.append("somewhere")),
    ):
        raise AssertionError("this must not be reached")
    assert announced == []


def test_who_comes_after_an_erasure_that_waits_is_refused(lake: Lake) -> None:
    read, order = open_data(lake.path), list[str]()

    def erase() -> None:
        with results_lock(lake.path):
            take_out(lake)
            order.append("erased")

    def write() -> None:
        try:
            with writing(lake.path, read.versions):
                order.append("written late")
        except UserError:
            order.append("refused")

    with writing(lake.path, read.versions):
        threads = [threading.Thread(target=work) for work in (erase, write)]
        for thread in threads:
            thread.start()
            time.sleep(0.2)
        order.append("written")
    for thread in threads:
        thread.join()
    assert order == ["written", "erased", "refused"]
