import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import features.vectors
from features.similarity import laid_on_grid
from features.vectors import Embeddings, VectorStore


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
    monkeypatch.setattr(features.vectors, "REPORT_TEXTS", 2)
    texts = ["a", "b", "c", "d", "e"]
    with pytest.raises(KeyboardInterrupt):
        Embeddings(Counting(fail_at=2), VectorStore(tmp_path)).of(texts)
    encoder = Counting()
    told: list[tuple[int, int]] = []
    Embeddings(encoder, VectorStore(tmp_path), lambda *done: told.append(done)).of(texts)
    assert encoder.batches == [["e"]]
    assert told == [(0, 1), (1, 1)]


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
import features.vectors
from features.vectors import Embeddings, VectorStore

features.vectors.REPORT_TEXTS, features.vectors.SEGMENT_TEXTS = 2, 4

class Slow:
    id, dimension, calls = "slow", 1, 0

    def encode(self, texts):
        self.calls += 1
        if self.calls == 4:  # half of the second segment is done
            print("hangs", flush=True)
            time.sleep(60)
        return np.array([[len(text)] for text in texts], dtype=np.float32)

Embeddings(Slow(), VectorStore(Path(sys.argv[1]))).of([str(10 + i) for i in range(10)])
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "hangs\n"
        process.kill()
    monkeypatch.setattr(features.vectors, "REPORT_TEXTS", 2)
    encoder = Counting("slow")
    found = Embeddings(encoder, VectorStore(tmp_path)).store.shelf("slow")
    assert len(found) == 4
    encoder.encode = lambda texts: np.array([[len(text)] for text in texts], dtype=np.float32)  # type: ignore[method-assign]
    told: list[tuple[int, int]] = []
    texts = [str(10 + i) for i in range(10)]
    vectors = Embeddings(encoder, VectorStore(tmp_path), lambda *done: told.append(done)).of(texts)
    np.testing.assert_array_equal(vectors, np.full((10, 1), 2.0))
    assert told == [(0, 6), (2, 6), (4, 6), (6, 6)]


class Batchy(Counting):
    """An encoder whose vectors tell which batch a text was in."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.batches.append(list(texts))
        return np.array([[len(text), len(texts), ord(texts[0][0]) % 97] for text in texts], "f4")


@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(st.text("ab猫 ", max_size=6), max_size=40),
    cut=st.integers(0, 20),
    data=st.data(),
)
def test_neither_order_nor_repetition_nor_a_stop_changes_a_vector(
    texts: list[str], cut: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(features.vectors, "REPORT_TEXTS", 3)
        patch.setattr(features.vectors, "REPORT_CHARS", 12)
        patch.setattr(features.vectors, "SEGMENT_TEXTS", 5)
        whole = dict(zip(texts, Embeddings(Batchy()).of(texts).tolist(), strict=True))
        turned = data.draw(st.permutations(texts + texts[:3]))
        vectors = Embeddings(Batchy()).of(turned).tolist()
        assert vectors == [whole[text] for text in turned]
        stopped = Batchy()
        encode = stopped.encode

        def until_cut(asked: Sequence[str]) -> npt.NDArray[np.float32]:
            if len(stopped.batches) == cut:
                raise KeyboardInterrupt
            return encode(asked)

        stopped.encode = until_cut  # type: ignore[method-assign]
        with suppress(KeyboardInterrupt):
            Embeddings(stopped, VectorStore(Path(folder))).of(turned)
        again = Embeddings(Batchy(), VectorStore(Path(folder))).of(texts).tolist()
        assert again == [whole[text] for text in texts]


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text("ab猫 ", max_size=6), max_size=40), data=st.data())
def test_shards_encoded_anywhere_give_the_digits_of_one_call(
    texts: list[str], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(features.vectors, "REPORT_TEXTS", 3)
        patch.setattr(features.vectors, "REPORT_CHARS", 12)
        patch.setattr(features.vectors, "SEGMENT_TEXTS", 7)
        whole = Embeddings(Batchy()).of(texts)
        asking = Embeddings(Batchy(), VectorStore(Path(folder)))
        shards = asking.missing(texts)
        assert sorted(text for shard in shards for text in shard) == sorted(
            {text for text in texts if text.strip()}
        )
        assert max(map(len, shards), default=0) <= 7
        for shard in data.draw(st.permutations(shards)):
            Embeddings(Batchy(), VectorStore(Path(folder))).of(shard)
        asking.store.reopen()
        assert asking.missing(texts) == []
        np.testing.assert_array_equal(asking.of(texts), whole)
        assert isinstance(asking.encoder, Batchy)
        assert asking.encoder.batches == []


def test_long_texts_come_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.vectors, "REPORT_CHARS", 6)
    encoder = Counting()
    Embeddings(encoder).of(["eeeeeeeee", "ccc", "a", "ddd", "b"])
    assert encoder.batches == [["a", "b"], ["ccc", "ddd"], ["eeeeeeeee"]]


def test_what_is_encoded_is_written_before_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.vectors, "REPORT_TEXTS", 1)
    monkeypatch.setattr(features.vectors, "WRITE_SECONDS", -1.0)
    seen: list[int] = []
    encoder = Counting()
    Embeddings(
        encoder,
        VectorStore(tmp_path),
        lambda *_: seen.append(len(list(tmp_path.rglob("*.segment")))),
    ).of(["a", "b", "c"])
    assert seen == [0, 1, 2, 3]


class Asking(Counting):
    """An encoder with prompts."""

    def __init__(self, query_id: str) -> None:
        super().__init__("asking")
        self.query_id = query_id

    def encode_query(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self.encode([f"? {text}" for text in texts])


def test_queries_and_documents_are_kept_apart(tmp_path: Path) -> None:
    encoder = Asking("asking-query")
    embeddings = Embeddings(encoder, VectorStore(tmp_path))
    query, document = embeddings.of(["cat"], role="query"), embeddings.of(["cat"])
    assert encoder.batches == [["? cat"], ["cat"]]
    assert (query != document).any()
    np.testing.assert_array_equal(embeddings.of(["cat"], role="query"), query)
    assert len(encoder.batches) == 2


def test_queries_share_vectors_where_there_is_no_difference() -> None:
    for encoder in (Counting(), Asking("asking")):
        embeddings = Embeddings(encoder)
        embeddings.of(["cat"])
        embeddings.of(["cat"], role="query")
        assert encoder.batches == [["cat"]]


def test_memory_alone_will_do() -> None:
    encoder = Counting()
    embeddings = Embeddings(encoder)
    np.testing.assert_array_equal(embeddings.of(["a", "b"]), embeddings.of(["b", "a"])[::-1])
    assert len(encoder.batches) == 1
    assert embeddings.of([]).shape == (0, 3)
    assert embeddings.of([""]).shape == (1, 3)


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


def test_vectors_on_the_grid_are_the_same_whoever_asked_before() -> None:
    embeddings = Embeddings(Counting())
    places = np.append(embeddings.places(["cat", "dog", "bee"]), -1)
    whole, told = laid_on_grid(embeddings.at(places))
    for wanted in ([0], [2, 3, 0], [0, 1, 2, 3], [3], [1, 1]):
        grid, points = embeddings.on_grid(places[wanted])
        np.testing.assert_array_equal(grid, whole[wanted])
        np.testing.assert_array_equal(points, told[wanted])


def test_vectors_on_the_grid_outlive_the_merging_of_segments(tmp_path: Path) -> None:
    embeddings = Embeddings(Counting(), VectorStore(tmp_path))
    texts = [f"{letter}at" for letter in "abcdefghijklmnopqrst"]
    for count in range(1, len(texts) + 1):
        places = embeddings.places(texts[:count])
        grid, _ = embeddings.on_grid(places)
        np.testing.assert_array_equal(grid, laid_on_grid(embeddings.at(places))[0])
        embeddings.shelf().compact()
    assert len(embeddings.shelf()._segments) < len(texts)
