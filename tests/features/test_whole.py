import os
from pathlib import Path
from typing import Any

import pytest

from features.whole import write_whole


def test_a_file_is_replaced_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "told.json"
    assert [write_whole(path, text) for text in ("one", "二")] == [path, path]
    assert path.read_text(encoding="utf-8") == "二"
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_whole(tmp_path / "told.json", "one")

    def full(*given: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space left"):
            write_whole(path, "two")
    assert path.read_text(encoding="utf-8") == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_two_processes_at_once_do_not_share_a_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "told.json"
    sync, mine = os.fsync, os.getpid()

    def other_meanwhile(file: int) -> None:
        sync(file)
        if os.getpid() == mine:
            monkeypatch.setattr(os, "getpid", lambda: mine + 1)
            write_whole(path, "theirs")

    monkeypatch.setattr(os, "fsync", other_meanwhile)
    write_whole(path, "mine")
    assert path.read_text(encoding="utf-8") == "mine"
    assert list(tmp_path.iterdir()) == [path]
