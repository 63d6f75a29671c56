import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

import features.shelf
from features.errors import UserError
from features.shelf import FANOUT, Shelf
from features.vectors import text_keys


def _put(folder: Path | None, *texts: str, shelf: Shelf | None = None) -> Shelf:
    shelf = shelf or Shelf(folder)
    shelf.add(text_keys(texts), np.array([[len(t), ord(t[0]), ord(t[-1])] for t in texts], "f4"))
    return shelf


def test_what_was_put_is_found_again(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        shelf = _put(folder, "cat", "dog")
        _put(folder, "bee", shelf=shelf)
        places = shelf.find(text_keys(["bee", "ant", "cat"]))
        assert places[1] == -1
        np.testing.assert_array_equal(
            shelf.take(places), [[3, ord("b"), ord("e")], [0, 0, 0], [3, ord("c"), ord("t")]]
        )
        assert len(shelf) == 3


def test_vectors_are_mapped_and_not_held(tmp_path: Path) -> None:
    shelf = _put(tmp_path, "cat")
    for opened in (shelf, Shelf(tmp_path)):
        assert all(isinstance(segment.vectors, np.memmap) for segment in opened._segments)


def test_damaged_and_half_written_segments_are_passed_over(tmp_path: Path) -> None:
    _put(tmp_path, "cat")
    _put(tmp_path, "dog")
    first, second = sorted(tmp_path.glob("*.segment"))
    first.write_bytes(first.read_bytes()[:-5])
    (tmp_path / ".draft-x").write_bytes(b"half")
    with pytest.warns(UserWarning, match="damaged vector segment"):
        assert len(Shelf(tmp_path)) == 1
    second.write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged vector segment"):
        assert len(Shelf(tmp_path)) == 0


def test_vectors_of_another_length_are_refused(tmp_path: Path) -> None:
    shelf = _put(None, "cat")
    with pytest.raises(ValueError, match="Got vectors of length 4 but this encoder's stored"):
        shelf.add(text_keys(["dog"]), np.ones((1, 4), dtype=np.float32))
    _put(tmp_path, "cat")
    (tmp_path / "other").mkdir()
    Shelf(tmp_path / "other").add(text_keys(["dog"]), np.ones((1, 4), dtype=np.float32))
    for path in (tmp_path / "other").glob("*.segment"):
        path.rename(tmp_path / path.name)
    with pytest.raises(UserError, match=r"Got vectors of lengths \[3, 4\]"):
        Shelf(tmp_path)


def test_the_first_vector_of_a_text_stays(tmp_path: Path) -> None:
    shelf = _put(tmp_path, "cat")
    shelf.add(text_keys(["cat", "dog"]), np.zeros((2, 3), dtype=np.float32))
    found = shelf.take(shelf.find(text_keys(["cat", "dog"])))
    np.testing.assert_array_equal(found, [[3, ord("c"), ord("t")], [0, 0, 0]])
    assert len(shelf) == 2


def test_many_small_segments_become_one(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(FANOUT * FANOUT + 3)]
    opened: list[Shelf] = []
    for text in texts:
        shelf = _put(tmp_path, text, shelf=Shelf(tmp_path))
        opened.append(Shelf(tmp_path))
        shelf.compact()
    assert len(list(tmp_path.glob("*.segment"))) < 2 * FANOUT
    expected = [[len(t), ord(t[0]), ord(t[-1])] for t in texts]
    whole = Shelf(tmp_path)
    np.testing.assert_array_equal(whole.take(whole.find(text_keys(texts))), expected)
    assert len(whole) == len(texts)
    # Who opened the shelf before its segments were merged reads on.
    for count, before in enumerate(opened, start=1):
        found = before.take(before.find(text_keys(texts[:count])))
        np.testing.assert_array_equal(found, expected[:count])


def test_a_kill_between_merging_and_removing_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"text {number}" for number in range(FANOUT)]
    for text in texts:
        shelf = _put(tmp_path, text, shelf=Shelf(tmp_path))

    def kill(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(features.shelf, "_settle", kill)
        shelf.compact()
    assert len(list(tmp_path.glob("*.segment"))) == FANOUT + 1
    assert len(Shelf(tmp_path)) == FANOUT
    shelf.compact()
    assert len(list(tmp_path.glob("*.segment"))) <= 2
    whole = Shelf(tmp_path)
    assert (whole.find(text_keys(texts)) >= 0).all()


def test_damaged_segments_are_not_merged_away(tmp_path: Path) -> None:
    for number in range(FANOUT):
        shelf = _put(tmp_path, f"text {number}", shelf=Shelf(tmp_path))
    damaged = sorted(tmp_path.glob("*.segment"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    shelf.compact()
    assert len(list(tmp_path.glob("*.segment"))) == FANOUT
    _put(tmp_path, "one more", shelf=shelf)
    shelf.compact()
    assert damaged.exists()
    assert len(list(tmp_path.glob("*.segment"))) == 2


def test_a_long_run_holds_few_segments_and_loses_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    texts = [f"text {number}" for number in range(300)]
    for number, text in enumerate(texts):
        shelf.add(text_keys([text]), np.full((1, 2), number, dtype=np.float32))
    assert len(shelf._segments) < 80
    places = shelf.find(text_keys(texts))
    assert (places >= 0).all()
    assert shelf.take(places)[:, 0].tolist() == list(range(300))
    assert len(Shelf(tmp_path)) == 300


def test_a_place_holds_while_segments_are_merged_around_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    texts = [f"text {number}" for number in range(100)]
    places = []
    for number, text in enumerate(texts):
        shelf.add(text_keys([text]), np.full((1, 2), number, dtype=np.float32))
        places += shelf.find(text_keys([text])).tolist()
        # Another process merges, and this one takes up what is there now.
        Shelf(tmp_path).compact()
        shelf.compact()
    assert len(shelf._segments) < 40
    assert shelf.find(text_keys(texts)).tolist() == places
    assert shelf.take(np.array(places))[:, 0].tolist() == list(range(100))


def test_what_is_held_outlives_a_folder_that_went_away(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "vectors")
    for number in range(FANOUT):
        shelf.add(text_keys([f"text {number}"]), np.full((1, 2), number, dtype=np.float32))
    for path in (tmp_path / "vectors").glob("*.segment"):
        path.unlink()
    shelf.compact()
    places = shelf.find(text_keys([f"text {number}" for number in range(FANOUT)]))
    assert shelf.take(places)[:, 0].tolist() == list(range(FANOUT))


def test_old_drafts_are_swept(tmp_path: Path) -> None:
    shelf = _put(tmp_path, "cat")
    old, new = tmp_path / ".draft-old", tmp_path / ".draft-new"
    for draft in (old, new):
        draft.write_bytes(b"half")
    os.utime(old, (0, 0))
    shelf.compact()
    assert not old.exists()
    assert new.exists()


def test_writers_readers_and_mergers_go_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, start)) for start in (0, 60, 120)]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        count = len(Shelf(tmp_path))
        assert count >= seen  # what was there once is never away
        seen = count
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    texts = [f"text {number}" for number in range(220)]
    whole = Shelf(tmp_path)
    found = whole.take(whole.find(text_keys(texts)))
    np.testing.assert_array_equal(found[:, 0], [len(text) for text in texts])


def _write(folder: Path, start: int) -> None:
    for number in range(start, start + 100, 2):
        shelf = _put(folder, f"text {number}", f"text {number + 1}", shelf=Shelf(folder))
        shelf.compact()


def test_where_it_may_not_write_what_is_added_stays_in_memory(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, lambda: False)
    shelf.add(text_keys(["cat"]), np.ones((1, 3), "f4"))
    assert len(shelf) == 1 and (shelf.find(text_keys(["cat"])) == 0).all()
    assert len(Shelf(tmp_path)) == 0
