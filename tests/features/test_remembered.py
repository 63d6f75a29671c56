"""Rows that are kept are the rows that would be worked out."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from features.remembered import Remembered

Ints = npt.NDArray[np.int64]


def _rows(names: Ints) -> dict[str, npt.NDArray[np.generic]]:
    return {
        "square": names.astype(np.float64) ** 2,
        "near": np.column_stack([names, names + 1]).astype(np.int8),
    }


@given(
    room=st.integers(0, 2_000),
    asked=st.lists(st.sets(st.integers(0, 60), max_size=30), max_size=12),
)
def test_whatever_was_asked_before_rows_are_the_same(room: int, asked: list[set[int]]) -> None:
    kept = Remembered(room)
    for names in asked:
        wanted = np.array(sorted(names), dtype=np.int64)
        found, expected = kept.ask(wanted, _rows), _rows(wanted)
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)


def test_rows_are_worked_out_once_while_there_is_room() -> None:
    seen: list[int] = []

    def make(names: Ints) -> dict[str, npt.NDArray[np.generic]]:
        seen.extend(names.tolist())
        return _rows(names)

    # A row takes 26 bytes, its name and place counted in: there is room for four.
    kept = Remembered(110)
    for names in ([1, 2], [2, 3], [1, 2, 4]):
        kept.ask(np.array(names), make)
    assert seen == [1, 2, 3, 4]
    kept.ask(np.array([4, 5]), make)
    assert seen == [1, 2, 3, 4, 4, 5]
