"""Arrays and frames in files: the same values, whatever their size."""

from __future__ import annotations

import errno

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import features.mapped
import features.spill
from features.columns import TIME
from features.errors import UserError
from features.mapped import FrameSpill, spilled_frame, taken
from features.ragged import Ragged, ragged
from features.spill import FirstAsked, Spill, Texts, TextSpill, blank, joined, spilled

LABELS = st.lists(st.lists(st.sampled_from("abcd"), max_size=3).map(tuple), max_size=12)
MIXES = st.lists(st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1), max_size=3), max_size=12)


@pytest.fixture(autouse=True)
def _everything_to_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.spill, "LEAST", 1)
    monkeypatch.setattr(features.mapped, "LARGE", 1)


def test_blocks_come_back_in_order_and_read_only() -> None:
    spill = Spill(np.int32, (2,))
    spill.add(np.array([[1, 2]]))
    spill.add(np.empty((0, 2)))
    spill.add(np.array([[3, 4], [5, 6]]))
    found = spill.done()
    assert found.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0


def test_a_spill_without_rows_is_empty() -> None:
    assert Spill(np.float64, (3,)).done().shape == (0, 3)


def test_arrays_of_any_shape_are_equal_to_what_was_spilled() -> None:
    values = np.random.default_rng(0).normal(size=(50, 7))
    assert np.array_equal(spilled(values), values)
    assert np.array_equal(joined([values[:20], values[20:]]), values)


def test_nothing_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="Got no block"):
        joined([])


def test_a_full_disk_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, piece: memoryview) -> int:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(UserError, match="set TMPDIR to a folder on a larger disk"):
        Spill(np.int64).add(np.arange(3))


@given(st.lists(st.text(), max_size=10))
def test_texts_come_back_letter_by_letter(texts: list[str]) -> None:
    spill = TextSpill()
    spill.add(texts[:3])
    spill.add(texts[3:])
    found = spill.done()
    assert isinstance(found, Texts)
    assert list(found) == texts
    assert found[1:4] == texts[1:4]
    with pytest.raises(IndexError):
        found[len(texts)]


@given(LABELS | MIXES, st.data())
def test_lists_read_as_the_objects_they_stand_for(rows: list[object], data: st.DataObject) -> None:
    flat = Ragged.of(rows)
    plain = pd.Series(rows, dtype=object)
    column = pd.Series(flat)
    assert list(column) == list(plain)
    assert flat.sizes.tolist() == [len(row) for row in plain]
    if not rows:
        return
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    assert list(column.take(chosen)) == [plain[place] for place in chosen]
    assert list(pd.concat([column, column.take(chosen)])) == [*plain, *plain.take(chosen)]
    assert [column.iloc[place] for place in chosen] == [plain[place] for place in chosen]
    assert list(column[plain.map(len) > 1]) == list(plain[plain.map(len) > 1])
    assert list(column.iloc[1:]) == list(plain.iloc[1:])
    assert column.map(len).tolist() == plain.map(len).tolist()


def test_a_hole_among_lists_is_null() -> None:
    frame = pd.DataFrame({"labels": Ragged.of([("a",), ()])})
    assert list(frame.reindex([1, 0])["labels"]) == [(), ("a",)]
    found = list(frame.reindex([0, -1])["labels"])
    assert found[0] == ("a",)
    assert pd.isna(found[1])


def _frame() -> pd.DataFrame:
    times = pd.Series(["2025-01-01", None, "2025-03-01"])
    return pd.DataFrame(
        {
            "id": pd.Series(["x", None, "小红书"], dtype="str"),
            "number": [1.5, np.nan, 3.0],
            "flag": pd.array([True, None, False], dtype="boolean"),
            "time": pd.to_datetime(times, utc=True).astype(TIME),
            "labels": pd.Series([("a", "b"), (), ("b",)], dtype=object),
            "mix": pd.Series([{"f": 0.5}, {}, {"m": 1.0, "f": 0.0}], dtype=object),
        }
    )


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 0], [1], []])
def test_a_frame_in_files_is_the_frame(rows: list[int]) -> None:
    frame = _frame()
    found = taken(frame, np.array(rows, dtype=np.int64))
    expected = frame.take(rows).reset_index(drop=True)
    assert isinstance(found["labels"].array, Ragged) == bool(rows)
    flat = found.assign(**{name: found[name].astype(object) for name in ("labels", "mix")})
    pd.testing.assert_frame_equal(flat, expected)


def test_frames_are_put_down_one_after_the_other() -> None:
    frame, spill = _frame(), FrameSpill()
    spill.add(frame.take([0, 1]))
    spill.add(spilled_frame(frame, np.array([2])))
    found = spill.done()
    assert list(found["labels"]) == list(frame["labels"])
    assert list(found["mix"]) == list(frame["mix"])
    names = ["id", "number", "flag", "time"]
    pd.testing.assert_frame_equal(found[names], frame[names])
    assert ragged(found["mix"]).share is not None


def test_rows_are_worked_out_for_whom_they_are_asked() -> None:
    rows = FirstAsked(10)
    assert rows.missing(np.array([7, 2, 7])).tolist() == [2, 7]
    rows.put(np.array([2, 7]), {"a": np.array([1.5, 2.5]), "b": np.array([[1, 2], [3, 4]])})
    assert rows.missing(np.array([2, 3, 7])).tolist() == [3]
    rows.put(np.array([3]), {"a": np.array([9.0]), "b": np.array([[5, 6]])})
    found = rows.take(np.array([3, 2, 3]))
    assert found["a"].tolist() == [9.0, 1.5, 9.0]
    assert found["b"].tolist() == [[5, 6], [1, 2], [5, 6]]


def test_blank_rows_of_any_size_can_be_written_to() -> None:
    for shape in ((3, 2), (0, 2), (5,)):
        found = blank(shape, np.int16)
        assert found.shape == shape and not found.any()
        found[:] = 7
        assert (found == 7).all()


def test_blank_rows_on_a_full_disk_are_refused_before_they_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*told: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(features.spill.os, "posix_fallocate", full)
    with pytest.raises(UserError, match="set TMPDIR to a folder on a larger disk"):
        blank((10,), np.float64)
