from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.ingest import read_folder
from features.simulate import World, simulate
from features.simulate.export import FORMATS, write_tables

READERS = {"csv": pd.read_csv, "parquet": pd.read_parquet, "xlsx": pd.read_excel}


@pytest.fixture(scope="module")
def small() -> World:
    return simulate(kols=40, briefs=10, seed=2)


@pytest.mark.parametrize("format", FORMATS)
def test_files_have_all_rows_and_columns(small: World, tmp_path: Path, format: str):
    paths = small.write(tmp_path / "data", format)
    assert [path.name for path in paths] == [f"{name}.{format}" for name, _ in small.tables]
    for path, (_, frame) in zip(paths, small.tables, strict=True):
        read = READERS[format](path)
        assert len(read) == len(frame)
        assert list(read.columns) == list(frame.columns)


@pytest.mark.parametrize("format", FORMATS)
def test_files_are_read_back_as_they_were(small: World, tmp_path: Path, format: str):
    small.write(tmp_path, format)
    reading = read_folder(tmp_path)
    for (name, read), (_, frame) in zip(reading.tables, small.tables, strict=True):
        assert_frame_equal(read, frame, obj=name)


def test_values_are_written_as_people_can_read_them(small: World, tmp_path: Path):
    small.write(tmp_path)
    options = {"dtype": str, "keep_default_na": False}
    briefs = pd.read_csv(tmp_path / "briefs.csv", **options)
    posts = pd.read_csv(tmp_path / "posts.csv", **options)
    vectors = pd.read_csv(tmp_path / "vectors.csv", **options)
    first = small.tables.briefs.iloc[0]
    assert briefs["modes"][0] == ";".join(first["modes"])
    mix = ";".join(f"{name}:{share:g}" for name, share in first["audience_age"].items())
    assert briefs["audience_age"][0] == mix
    assert briefs["decided_at"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").sum() == 10
    assert set(posts["is_sponsored"]) == {"true", "false"}
    assert vectors["vector"].str.fullmatch(r"\[-?\d.*\]").all()
    assert "nan" not in set(briefs["max_price_per_kol"]) | set(posts["brand_id"])


def test_a_sheet_does_not_run_what_a_post_says(small: World, tmp_path: Path):
    from openpyxl import load_workbook

    bad = small.tables.posts.assign(text="=1+1")
    write_tables(small.tables.replace(posts=bad), tmp_path, "xlsx")
    sheet = load_workbook(tmp_path / "posts.xlsx").active
    column = [cell.value for cell in sheet[1]].index("text") + 1
    cell = sheet.cell(2, column)
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_unknown_formats_are_refused(small: World, tmp_path: Path):
    with pytest.raises(ValueError, match="Got format 'json' but expected one of csv, parquet"):
        small.write(tmp_path, "json")
