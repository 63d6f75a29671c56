"""Parts of lists that several processes may try to write: each whole, and once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.errors import TableError, UserError
from serving import spool as module
from serving.spool import Spool, is_there, write_part


def _lists(kol: str = "k1") -> tuple[pd.DataFrame, pd.DataFrame]:
    matches = pd.DataFrame({"brief_id": ["b1"], "rank": [1], "kol_id": [kol], "score": [0.5]})
    matches = matches.assign(basis="content", fit=0.5)
    exclusions = pd.DataFrame({"brief_id": ["b1"], "reason": ["eligible"], "kols": [1]})
    return matches, exclusions.assign(text_en="may", text_zh="可")


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path, "question") as spool:
        write_part(spool.folder, "b", *_lists("k2"))
        write_part(spool.folder, "a", *_lists("k1"))
        yield spool


def test_parts_come_in_the_order_in_which_they_are_taken_up(filled: Spool) -> None:
    filled.adopt("a")
    filled.adopt("b")
    assert [part["kol_id"].to_pylist() for part in filled.parts("matches")] == [["k1"], ["k2"]]
    assert filled.rows("matches") == 2
    other = Spool(filled.folder / "elsewhere")
    with other:
        other.add(*_lists("k2"))
        other.add(*_lists("k1"))
        assert other.content("matches") == filled.content("matches")
    assert not other.folder.exists()


def test_a_part_written_twice_is_there_once(filled: Spool) -> None:
    before = {path: path.stat().st_mtime_ns for path in (filled.folder / "a").iterdir()}
    write_part(filled.folder, "a", *_lists("k1"))
    assert {path: path.stat().st_mtime_ns for path in (filled.folder / "a").iterdir()} == before
    assert sorted(path.name for path in filled.folder.iterdir()) == [".lock", "a", "b"]


def test_a_part_cut_off_in_the_middle_is_not_there(
    filled: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", cut)
        with pytest.raises(KeyboardInterrupt):
            write_part(filled.folder, "c", *_lists())
    assert not is_there(filled.folder, "c")
    with pytest.raises(TableError, match="brief_id"):
        matches, exclusions = _lists()
        write_part(filled.folder, "c", matches.assign(brief_id=None), exclusions)
    assert not is_there(filled.folder, "c")
    write_part(filled.folder, "c", *_lists())
    assert is_there(filled.folder, "c")


def test_what_a_named_spool_holds_outlives_an_error_alone(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Spool(tmp_path, "question") as spool:
        write_part(spool.folder, "a", *_lists())
        _ = 1 / 0
    with Spool(tmp_path, "question") as spool:
        assert is_there(spool.folder, "a")
    assert not spool.folder.exists()


def test_one_process_at_a_time_answers_a_question(filled: Spool) -> None:
    home = filled.folder.parents[2]
    with pytest.raises(UserError, match="another process is answering"), Spool(home, "question"):
        pass
    assert is_there(filled.folder, "a")
    with Spool(home, "another"):
        pass


def test_an_erasure_stops_whoever_writes(filled: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    write = pq.write_table

    def erased(*given: Any) -> None:
        module.drop_spools(filled.folder.parents[2])
        write(*given)

    monkeypatch.setattr(pq, "write_table", erased)
    for _ in range(2):  # in the middle of a part, and before one
        with pytest.raises(UserError, match="an erasure removed"):
            write_part(filled.folder, "c", *_lists())
    with pytest.raises(UserError, match="an erasure removed"):
        filled.adopt("a")
