import zipfile
from datetime import datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import workbooks
from features.files import list_files, read_sheets
from features.sheets import FileError


def sheet(path):
    (only,) = read_sheets(path)
    return only


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def workbook(path, *rows, title="Sheet1"):
    book = openpyxl.Workbook()
    page = book.active
    page.title = title
    for row in rows:
        page.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(tmp_path, encoding, delimiter):
    text = f'达人ID{delimiter}"昵{delimiter}称"\n007{delimiter}小,;\n'.replace("小,;", '"小,;"')
    cells = sheet(write(tmp_path / "a.csv", text, encoding)).cells
    assert cells.to_dict("list") == {"达人ID": ["007"], f"昵{delimiter}称": ["小,;"]}


@pytest.mark.parametrize("data", [b"a,b\n\xff\xff\xff,1\n", "a,b\n1,2\n".encode("utf-16-le")])
def test_bytes_that_are_no_text_are_refused(tmp_path, data):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(FileError, match="UTF-8 or GB18030"):
        read_sheets(path)


def test_rows_are_counted_as_a_spreadsheet_does(tmp_path):
    text = 'id,text\n1,"two\nlines"\n\n ,\n2,x\n'
    read = sheet(write(tmp_path / "a.csv", text))
    assert read.rows.tolist() == [2, 5]
    assert read.cells["text"].tolist() == ["two\nlines", "x"]


def test_ragged_rows_are_faults_and_the_others_stay(tmp_path):
    read = sheet(write(tmp_path / "a.csv", "a,b\n1\n1,2\n1,2,3\n"))
    assert [(f.row, f.value) for f in read.faults] == [(2, "1 cells"), (4, "3 cells")]
    assert read.cells["b"].tolist() == ["2"]


def test_an_open_quote_is_a_fault(tmp_path):
    read = sheet(write(tmp_path / "a.csv", 'a,b\n1,2\n"3,4\n5,6\n'))
    assert [f.row for f in read.faults] == [3]
    assert "quotes" in read.faults[0].expected


def test_a_header_twice_is_a_fault(tmp_path):
    with pytest.raises(FileError, match=r"row 1, column a: .* each header once"):
        read_sheets(write(tmp_path / "a.csv", "a,b,a\n1,2,3\n"))


def test_nothing_and_next_to_nothing(tmp_path):
    assert read_sheets(write(tmp_path / "a.csv", "")) == []
    assert read_sheets(write(tmp_path / "a.csv", "\n \n")) == []
    assert read_sheets(workbook(tmp_path / "a.xlsx")) == []
    header = sheet(write(tmp_path / "b.csv", "a,b\n"))
    assert header.cells.columns.tolist() == ["a", "b"]
    assert header.cells.dtypes.astype(str).tolist() == ["str", "str"]
    assert len(header.rows) == 0


def test_more_rows_than_one_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr("features.files._CHUNK_ROWS", 3)
    read = sheet(write(tmp_path / "a.csv", "a\n" + "".join(f"{i}\n" for i in range(10))))
    assert read.cells["a"].tolist() == [str(i) for i in range(10)]
    assert read.rows.tolist() == list(range(2, 12))


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write(tmp_path / "kols.csv", "kol_id\n1\n")
    write(folder / "posts.csv", "post_id\n1\n")
    (folder / "kols.csv").symlink_to(tmp_path / "kols.csv")
    (folder / "notes.csv").symlink_to(folder / "posts.csv")
    (folder / ".hidden.csv").touch()
    (folder / "~$posts.xlsx").touch()
    (folder / "a.txt").touch()
    (folder / "old.xls").touch()
    (folder / "more").mkdir()
    files, notes, faults = list_files(folder)
    assert [path.name for path in files] == ["notes.csv", "posts.csv"]
    assert [note.partition(":")[0] for note in notes] == ["a.txt", "more/"]
    assert [fault.file for fault in faults] == ["kols.csv", "old.xls"]


def test_cells_of_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    page = book.active
    page.append(["id", "share", "time", "day", "flag", "big", "n"])
    page.append(
        [123.0, 0.12, datetime(2025, 4, 12, 18, 30), datetime(2025, 4, 12), True, 10**18, 1e-7]
    )
    page["B2"].number_format = "0.00%"
    book.save(tmp_path / "a.xlsx")
    read = sheet(tmp_path / "a.xlsx")
    assert read.cells.iloc[0].to_dict() == {
        "id": "123",
        "share": "12%",
        "time": "2025-04-12T18:30:00",
        "day": "2025-04-12",
        "flag": "TRUE",
        "big": str(10**18),
        "n": "0.0000001",
    }
    assert read.typed == {"id", "big", "n"}
    (spoiled,) = read.spoiled.items()
    assert spoiled[0] == (0, "big")
    assert "as text" in spoiled[1].expected
    assert spoiled[1].as_number


def test_a_percent_sign_in_quotes_is_no_percentage(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([0.12])
    book.active["A2"].number_format = '0.00"%"'
    book.save(tmp_path / "a.xlsx")
    assert sheet(tmp_path / "a.xlsx").cells["a"].tolist() == ["0.12"]


def test_blank_rows_titles_and_merged_cells(tmp_path):
    book = openpyxl.Workbook()
    page = book.active
    for row in (["达人库"], [], ["id", "name"], [1, "a"], [], [None, "b"]):
        page.append(row)
    page.merge_cells("A1:B1")
    page.merge_cells("A4:A6")
    book.save(tmp_path / "a.xlsx")
    read = sheet(tmp_path / "a.xlsx")
    assert read.rows.tolist() == [4, 6]
    assert read.cells["name"].tolist() == ["a", "b"]
    assert read.cells["id"].isna().tolist() == [False, True]


def test_error_cells_are_spoiled_for_every_use(tmp_path):
    read = sheet(workbook(tmp_path / "a.xlsx", ["a"], ["#N/A"], ["#DIV/0!"]))
    assert [(s.value, s.as_number) for s in read.spoiled.values()] == [
        ("#N/A", False),
        ("#DIV/0!", False),
    ]


def with_cached(path, result):
    """Write a workbook with one formula whose saved result is what a spreadsheet program saves."""
    workbook(path, ["a", "b"], [1, "=A2+1"])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    page = "xl/worksheets/sheet1.xml"
    assert b"<f>A2+1</f>" in parts[page]
    for empty in (b"<v></v>", b"<v />", b"<v/>"):
        parts[page] = parts[page].replace(
            b"<f>A2+1</f>" + empty, b"<f>A2+1</f><v>" + result + b"</v>"
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_formulas_give_the_result_that_was_saved(tmp_path):
    with_cached(tmp_path / "a.xlsx", b"2")
    assert sheet(tmp_path / "a.xlsx").cells["b"].tolist() == ["2"]


def test_formulas_without_a_result_are_refused(tmp_path):
    with pytest.raises(FileError, match=r"sheet1.xml.*saved with their results"):
        read_sheets(workbook(tmp_path / "a.xlsx", ["a", "b"], [1, "=A2+1"]))


def test_every_worksheet_is_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.create_sheet("empty")
    book.create_sheet("达人").append(["b"])
    book.save(tmp_path / "a.xlsx")
    assert [s.label for s in read_sheets(tmp_path / "a.xlsx")] == [
        "a.xlsx [Sheet]",
        "a.xlsx [达人]",
    ]


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_damaged_workbooks_are_refused(tmp_path, data):
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    with pytest.raises(FileError, match="opens in a spreadsheet program"):
        read_sheets(path)


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MAX_BYTES", 1000)
    with pytest.raises(FileError, match="unpacks to at most"):
        read_sheets(workbook(tmp_path / "a.xlsx", ["a"]))


def test_parquet_cells(tmp_path):
    frame = pd.DataFrame(
        {
            "text": ["NA", None],
            "whole": [123.0, None],
            "int": [10**18 + 1, 2],
            "float": [12.345, 2e15],
            "flag": [True, False],
            "time": pd.to_datetime(["2025-04-12 18:30", None]).tz_localize("Asia/Shanghai"),
            "list": [["a", "b"], []],
            "mix": [{"女": 0.65, "男": None}, {"女": None, "男": 0.1}],
            "vector": [np.array([0.5, 1], dtype=np.float32), None],
            "word": pd.Categorical(["x", None]),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    read = sheet(tmp_path / "a.parquet")
    rows = read.cells.astype(object).where(read.cells.notna(), None).to_dict("records")
    assert rows[0] == {
        "text": "NA",
        "whole": "123",
        "int": str(10**18 + 1),
        "float": "12.345",
        "flag": "true",
        "time": "2025-04-12T18:30:00+08:00",
        "list": '["a", "b"]',
        "mix": '{"女": 0.65}',
        "vector": "[0.5, 1.0]",
        "word": "x",
    }
    assert [name for name, value in rows[1].items() if value is None] == [
        "text", "whole", "time", "list", "vector", "word"
    ]  # fmt: skip
    assert read.typed == {"whole", "int", "float"}
    assert list(read.spoiled) == [(1, "float")]


def test_parquet_of_bytes_and_damaged_parquet_are_refused(tmp_path):
    pd.DataFrame({"a": [b"x"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(FileError, match="column a: got 'binary'"):
        read_sheets(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(FileError, match="is whole"):
        read_sheets(tmp_path / "b.parquet")


# What XLSX cannot hold is left out: control characters, lone surrogates, and `_x0041_`, its escape.
IDS = st.one_of(
    st.sampled_from(["NA", "null", "None", "007", "60e12345", "1e5", "-", "TRUE", "2025-01-01"]),
    st.integers(10**15, 10**19).map(str),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="_="),
        min_size=1,
        max_size=12,
    ),
)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(IDS, min_size=1, max_size=5))
def test_text_survives_every_format(tmp_path, ids):
    frame = pd.DataFrame({"kol_id": ids}, dtype="str")
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    book = openpyxl.Workbook()
    for row in ("kol_id", *ids):
        book.active.append([row])
        # As a spreadsheet stores what is typed into a column of text.
        book.active.cell(book.active.max_row, 1).data_type = "s"
    book.save(tmp_path / "a.xlsx")
    for suffix in ("csv", "parquet", "xlsx"):
        assert sheet(tmp_path / f"a.{suffix}").cells["kol_id"].tolist() == ids
