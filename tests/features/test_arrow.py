"""Frames to Arrow and back, and what a row's hash stands for."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrow import content_hash, row_hashes, to_arrow, to_frame
from features.columns import Column, TableSpec
from features.contract import SPECS

SPEC = TableSpec(
    "things",
    key=("id",),
    known_at="at",
    columns=(
        Column("id", "id", required=True),
        Column("words", "text"),
        Column("number", "number"),
        Column("flag", "flag"),
        Column("at", "time"),
        Column("labels", "labels"),
        Column("mix", "mix"),
        Column("vector", "vector"),
    ),
)

# Arrow holds Unicode scalar values: no halves of surrogate pairs.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
numbers = st.floats(allow_nan=False, width=32)
rows = st.fixed_dictionaries(
    {
        "id": texts,
        "words": st.none() | texts | st.sampled_from(["nan", "NA", "None", "a;b"]),
        "number": st.none() | st.floats(allow_nan=False),
        "flag": st.none() | st.booleans(),
        "at": st.none()
        | st.datetimes(pd.Timestamp(1970, 1, 1), pd.Timestamp(2100, 1, 1)).map(
            lambda t: pd.Timestamp(t, tz="UTC")
        ),
        "labels": st.lists(texts, max_size=3).map(tuple),
        "mix": st.dictionaries(texts, st.floats(0, 1), max_size=3),
        "vector": st.lists(numbers, max_size=3).map(lambda v: np.array(v, dtype=np.float32)),
    }
)


def frame(*given_rows: dict[str, object]) -> pd.DataFrame:
    return SPEC.conform(pd.DataFrame(list(given_rows), columns=SPEC.names))


ROW = {
    "id": "a",
    "words": "好",
    "number": 1.5,
    "flag": True,
    "at": pd.Timestamp("2026-01-01", tz="UTC"),
    "labels": ("x", "y"),
    "mix": {"f": 0.75, "m": 0.25},
    "vector": np.array([1, 2], dtype=np.float32),
}


@given(st.lists(rows, max_size=4))
def test_a_frame_comes_back_as_it_was(given_rows: list[dict[str, object]]) -> None:
    before = frame(*given_rows)

    after = to_frame(SPEC, to_arrow(SPEC, before))

    pd.testing.assert_frame_equal(after, before)
    assert (row_hashes(SPEC, after) == row_hashes(SPEC, before)).all()


@pytest.mark.parametrize("name", list(SPECS))
def test_tables_without_rows_come_back(name: str) -> None:
    empty = SPECS[name].empty()
    pd.testing.assert_frame_equal(to_frame(SPECS[name], to_arrow(SPECS[name], empty)), empty)
    assert row_hashes(SPECS[name], empty).shape == (0,)


def test_slices_of_a_table_come_back_as_slices() -> None:
    before = frame(*[ROW | {"id": i, "labels": (i,) * n} for n, i in enumerate("abcd")])

    after = to_frame(SPEC, to_arrow(SPEC, before).slice(1, 2))

    pd.testing.assert_frame_equal(after, before.iloc[1:3].reset_index(drop=True))


def test_columns_unknown_to_the_stored_table_are_null() -> None:
    stored = to_arrow(SPEC, frame(ROW)).drop_columns(["mix", "number"])

    after = to_frame(SPEC, stored)

    assert after.dtypes.equals(frame(ROW).dtypes)
    assert after.at[0, "mix"] == {}
    assert np.isnan(after.at[0, "number"])


def test_vectors_can_be_written_to() -> None:
    after = to_frame(SPEC, to_arrow(SPEC, frame(ROW)))
    assert after.at[0, "vector"].flags.writeable


@given(st.lists(rows, min_size=2, max_size=4), st.randoms())
def test_order_does_not_change_a_hash(given_rows: list[dict[str, object]], random: object) -> None:
    order = list(range(len(given_rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    turned = [given_rows[i] | {"mix": dict(reversed(given_rows[i]["mix"].items()))} for i in order]

    assert (row_hashes(SPEC, frame(*turned)) == row_hashes(SPEC, frame(*given_rows))[order]).all()
    assert content_hash(SPEC, frame(*turned)) == content_hash(SPEC, frame(*given_rows))


@pytest.mark.parametrize(
    "change",
    [
        {"words": None},
        {"words": "nan"},
        {"words": ""},
        {"number": None},
        {"number": 0.0},
        {"number": 1.5000000000000002},
        {"flag": False},
        {"flag": None},
        {"at": None},
        {"at": pd.Timestamp("2026-01-01 00:00:00.000001", tz="UTC")},
        {"labels": ()},
        {"labels": ("y", "x")},
        {"labels": ("x",)},
        {"labels": ("x", "y", "")},
        {"labels": ("xy",)},
        {"mix": {}},
        {"mix": {"f": 0.25, "m": 0.75}},
        {"mix": {"f": 0.75}},
        {"vector": [2, 1]},
        {"vector": [1, 2, 0]},
        {"number": None, "words": "1.5"},
    ],
)
def test_other_content_has_another_hash(change: dict[str, object]) -> None:
    one, other = row_hashes(SPEC, frame(ROW, ROW | change))
    assert one != other


def test_values_moved_to_another_column_have_another_hash() -> None:
    bare = dict.fromkeys(SPEC.names) | {"vector": []}
    one, other = row_hashes(
        SPEC, frame(bare | {"id": "a", "words": "b"}, bare | {"id": "b", "words": "a"})
    )
    assert one != other


def test_equal_numbers_have_equal_hashes() -> None:
    one, other = row_hashes(SPEC, frame(ROW | {"number": 0.0}, ROW | {"number": -0.0}))
    assert one == other


def test_hashes_do_not_change_between_versions() -> None:
    # A hash is stored with every row: another one would have all rows of a lake "corrected".
    assert content_hash(SPEC, frame(ROW)) == "8628e3c6c9edff31"
    assert content_hash(SPEC, frame()) == "e3b0c44298fc1c14"
