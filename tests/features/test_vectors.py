import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import features.vectors
from features.vectors import Embeddings, Shelf, VectorStore, text_keys


class Counting:
    """An encoder that keeps what it was asked."""

    def __init__(self, name: str = "counting", fail_at: int = -1) -> None:
        self.id, self.dimension = name, 3
        self.batches: list[list[str]] = []
        self.fail_at = fail_at

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if len(self.batches) == self.fail_at:
            raise KeyboardInterrupt
        self.batches.append(list(texts))
        rows = [[len(text), ord(text[0]), 1.0] for text in texts]
        return np.array(rows, dtype=np.float32)


def test_each_distinct_text_is_encoded_once_in_order(tmp_path: Path) -> None:
    encoder = Counting()
    embeddings = Embeddings(encoder, VectorStore(tmp_path))
    found = embeddings.of(pd.Series(["b", "a", None, "b", " "]))
    assert encoder.batches == [["a", "b"]]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 1], [98, 97, 0, 98, 0])
    embeddings.of(["c", "a"])
    assert encoder.batches[1:] == [["c"]]


def test_a_second_run_encodes_nothing(tmp_path: Path) -> None:
    first = Embeddings(Counting(), VectorStore(tmp_path)).of(["猫", "cat"])
    encoder = Counting()
    second = Embeddings(encoder, VectorStore(tmp_path)).of(["cat", "猫"])
    assert encoder.batches == []
    np.testing.assert_array_equal(first, second[::-1])


def test_another_encoder_never_meets_old_vectors(tmp_path: Path) -> None:
    Embeddings(Counting("one"), VectorStore(tmp_path)).of(["cat"])
    other = Counting("two")
    Embeddings(other, VectorStore(tmp_path)).of(["cat"])
    assert other.batches == [["cat"]]


def test_an_interrupted_run_keeps_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.vectors, "SEGMENT_TEXTS", 2)
    texts = ["a", "b", "c", "d", "e"]
    with pytest.raises(KeyboardInterrupt):
        Embeddings(Counting(fail_at=2), VectorStore(tmp_path)).of(texts)
    encoder = Counting()
    told: list[tuple[int, int]] = []
    Embeddings(encoder, VectorStore(tmp_path), lambda *done: told.append(done)).of(texts)
    assert encoder.batches == [["e"]]
    assert told == [(0, 1), (1, 1)]


def test_memory_alone_will_do() -> None:
    encoder = Counting()
    embeddings = Embeddings(encoder)
    np.testing.assert_array_equal(embeddings.of(["a", "b"]), embeddings.of(["b", "a"])[::-1])
    assert len(encoder.batches) == 1
    assert embeddings.of([]).shape == (0, 3)
    assert embeddings.of([""]).shape == (1, 3)


def test_damaged_and_half_written_segments_are_passed_over(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.add(text_keys(["a"]), np.ones((1, 3), dtype=np.float32))
    shelf.add(text_keys(["b"]), np.ones((1, 3), dtype=np.float32))
    first, second = sorted(tmp_path.glob("*.keys.npy"))
    first.write_bytes(first.read_bytes()[:-5])
    (tmp_path / ".draft-x.npy").write_bytes(b"half")
    with pytest.warns(UserWarning, match="damaged vector segment"):
        assert len(Shelf(tmp_path)) == 1
    second.with_name(second.name.replace("keys", "vectors")).unlink()
    with pytest.warns(UserWarning, match="damaged vector segment"):
        assert len(Shelf(tmp_path)) == 0


def test_vectors_of_another_length_are_refused() -> None:
    shelf = Shelf(None)
    shelf.add(text_keys(["a"]), np.ones((1, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="Got vectors of length 4 but this encoder's stored"):
        shelf.add(text_keys(["b"]), np.ones((1, 4), dtype=np.float32))


def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write_many, args=(tmp_path, start)) for start in (0, 20, 40)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    encoder = Counting()
    texts = [f"text {number:03}" for number in range(100)]
    found = Embeddings(encoder, VectorStore(tmp_path)).of(texts)
    assert encoder.batches == []
    assert (found[:, 0] == 8).all()


def _write_many(folder: Path, start: int) -> None:
    features.vectors.SEGMENT_TEXTS = 7
    texts = [f"text {number:03}" for number in range(start, start + 60)]
    Embeddings(Counting(), VectorStore(folder)).of(texts)
