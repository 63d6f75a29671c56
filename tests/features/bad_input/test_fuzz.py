# ruff: noqa: E501
"""Random tables and bytes: read into the lake as documented, or refused, and nothing else."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.cells import PLAIN, RefusedError
from features.contacts import FREE_TEXT, masked
from features.contract import SPECS
from features.errors import UserError
from features.ingest import Reading, read_folder
from features.lake import Lake
from features.values import _has_value, _read
from tests.features.bad_input.cases import _NEEDS, BASE, csv_of

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=600)
LONG_BYTES = settings(QUICK, max_examples=1000)
TABLES = tuple(SPECS)
CELLS = (
    st.sampled_from(
        ("0.5", "1.2万", "12%", "¥5", "2025/4/12", "2025-01-01 10:00+08:00", "yes", "-", "NA", "007",
         "女:65%", "a;b", '["a", "\\ud800"]', "douyin", "直播", "1e308", "-0", "1 2", "1,234", "９")
    )
    | st.text(st.characters(codec="utf-8"), max_size=12)
    | st.text("0123456789.,%万-+:/eE ¥$;[]{}\"'\n\0", max_size=12)
    | st.floats(allow_nan=True).map(repr)
    | st.datetimes().map(str)
)  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """Return a table and a row of it that is good, save for one to three random cells."""
    table = draw(st.sampled_from(TABLES))
    names = draw(st.lists(st.sampled_from(SPECS[table].names), min_size=1, max_size=3))
    return table, BASE[table] | {name: draw(CELLS) for name in names}


def read(files: dict[str, bytes]) -> tuple[Reading, Lake, TemporaryDirectory[str]] | None:
    home = TemporaryDirectory()
    folder = Path(home.name) / "in"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        reading = read_folder(folder, now=pd.Timestamp("2026-01-01", tz="UTC"))
    except UserError as error:
        assert str(error)
        home.cleanup()
        return None
    lake = Lake(Path(home.name) / "lake")
    lake.ingest(reading.tables)
    return reading, lake, home


def meant(table: str, name: str, text: str) -> object:
    """Return what a cell alone says, by the rules of its kind."""
    column = SPECS[table][name]
    if not _has_value(text, column):
        return None
    value = _read(text, column, PLAIN)
    value = value[0] if column.kind == "money" else value
    return masked(value)[0] if name in FREE_TEXT.get(table, ()) else value


def check_row(case: tuple[str, dict[str, str]]) -> bool:
    """Tell whether a row was accepted; if so, each cell must stand in the lake as it reads."""
    table, row = case
    files = {f"{name}.csv": csv_of([BASE[name]]).encode() for name in _NEEDS[table]}
    done = read(files | {f"{table}.csv": csv_of([row]).encode()})
    if done is None:
        return False
    reading, lake, home = done
    with home:
        stored = getattr(lake.read(), table)
        assert len(stored) == len(getattr(reading.tables, table))
        for name, text in row.items() if len(stored) else ():
            value, spec = meant(table, name, text), SPECS[table][name]
            got = stored[name].iloc[0]
            if value is None:
                # A stand-in may take the place of a column without any value.
                currency = name == "currency"
                empty = isinstance(got, (tuple, dict)) and not got
                assert empty or spec.stand_in or currency or table == "vectors" or pd.isna(got)
            elif spec.kind == "vector":
                assert got.tolist() == value.tolist()  # type: ignore[attr-defined]
            else:
                assert got == value, (name, text)
    return True


@QUICK
@given(rows())
def test_cells_reach_the_lake_as_they_read_or_are_refused(case: tuple[str, dict[str, str]]) -> None:
    check_row(case)


@QUICK
@given(st.sampled_from(("kols.csv", "kols.xlsx", "kols.parquet")), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    if (done := read({name: data})) is not None:
        done[2].cleanup()


@pytest.mark.long
def test_many_cells_reach_the_lake_as_they_read_or_are_refused() -> None:
    count = {True: 0, False: 0}

    @LONG
    @given(rows())
    def run(case: tuple[str, dict[str, str]]) -> None:
        count[check_row(case)] += 1

    run()
    print(f"\nrows accepted {count[True]}, refused {count[False]}")
    assert count[True] and count[False]


@pytest.mark.long
def test_many_bytes_are_read_or_refused() -> None:
    good = csv_of([BASE["kols"]]).encode()
    count = {True: 0, False: 0}

    @LONG_BYTES
    @given(st.binary(max_size=40), st.integers(0, len(good)), st.integers(0, 20))
    def run(data: bytes, at: int, gone: int) -> None:
        done = read({"kols.csv": good[:at] + data + good[at + gone :]})
        count[done is not None] += 1
        if done is not None:
            done[2].cleanup()

    run()
    print(f"\nfiles accepted {count[True]}, refused {count[False]}")


def test_the_check_sees_a_changed_value() -> None:
    with pytest.raises(RefusedError):
        meant("kols", "followers", "1.234")
    assert meant("kols", "followers", "1.2万") == 12_000
