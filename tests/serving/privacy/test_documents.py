"""Files lose the erased, and keep everybody else."""

import csv
import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest

from serving.privacy.documents import clean_database, clean_file
from serving.privacy.traces import Traces

GONE = Traces.of(["k123", "7"], ["小桃子4"], ["k1234", "小桃子40"], "erased-1")


def test_rows_of_a_csv_go(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [["KOL ID", "name", "rank"], ["k123", "小桃子4", "1"], ["k1234", "like k123", "7"]]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([*rows, ["7", "x", "2"]])
    assert clean_file(path, GONE, apply=False) == "rewritten"
    assert "k123," in path.read_text(encoding="utf-8")
    assert clean_file(path, GONE) == "rewritten"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [rows[0], ["k1234", "like [erased]", "7"]]
    assert clean_file(path, GONE) is None


def test_rows_of_a_workbook_go_and_what_people_filled_in_stays(tmp_path: Path) -> None:
    path = tmp_path / "workflow.xlsx"
    book = openpyxl.Workbook()
    for row in (["KOL", "rank", "remark"], ["k123", 1, "hi"], ["k1234", 7, "not 小桃子4"]):
        book.active.append(row)
    book.save(path)
    assert clean_file(path, GONE) == "rewritten"
    left = openpyxl.load_workbook(path).active.values
    assert [*left] == [("KOL", "rank", "remark"), ("k1234", 7, "not [erased]")]
    assert clean_file(path, GONE) is None


def test_json_text_and_packed_text_lose_them(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"rows": [{"kol": "k123"}, {"kol": "k1234"}]}')
    (tmp_path / "a.html").write_text("<td>k123</td><td>k1234</td>")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"k123 k1234"))
    for path in tmp_path.iterdir():
        assert clean_file(path, GONE) == "rewritten"
    assert json.loads((tmp_path / "a.json").read_text()) == {"rows": [{"kol": "k1234"}]}
    assert (tmp_path / "a.html").read_text() == "<td>[erased]</td><td>k1234</td>"
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"[erased] k1234"


@pytest.mark.parametrize("name", ["a.bin", "a.json", "a.xlsx", "k123.pdf"])
def test_what_cannot_be_rewritten_is_deleted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x00\xff k123 {")
    assert clean_file(path, GONE, apply=False) == "deleted"
    assert path.exists()
    assert clean_file(path, GONE) == "deleted"
    assert not path.exists()


def test_a_file_that_names_nobody_stays_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{ "rank":7,\n"kol":"k1234" }')
    assert clean_file(path, GONE) is None
    assert path.read_bytes() == b'{ "rank":7,\n"kol":"k1234" }'


def test_a_database_loses_them_in_its_free_pages_too(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE params (key VARCHAR(9), value VARCHAR(99), n INTEGER)")
        values = [("a", "k123", 7), ("b", "with k123 or k1234", 7), ("c", "7", 7)]
        database.executemany("INSERT INTO params VALUES (?, ?, ?)", values)
        database.execute("INSERT INTO params VALUES ('d', ?, 1)", ("k123 " * 2000,))
        database.execute("DELETE FROM params WHERE key = 'd'")
        database.commit()
    assert clean_database(path, GONE, apply=False) == 2
    assert clean_database(path, GONE) == 2
    with closing(sqlite3.connect(path)) as database:
        left = database.execute("SELECT key, value FROM params").fetchall()
    assert left == [("a", "erased-1"), ("b", "with [erased] or k1234"), ("c", "7")]
    assert b"k123 " not in path.read_bytes()
