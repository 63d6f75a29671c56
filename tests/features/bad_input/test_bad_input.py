"""Every case of bad input is refused, or noted, where it stands and with its remedy."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest

from features.brieftext.document import read_document
from features.errors import Fault, TableError, UserError
from features.ingest import read_folder
from matcher.cli import main
from matcher.commands.shared import BAD_DATA
from matcher.config import Config
from tests.features.bad_input.cases import BASE, CELLS, Cell, sheet
from tests.features.bad_input.files import DOCUMENTS, FILES, KOLS, SETTINGS, Case


@cache
def faults_of(table: str) -> tuple[Fault, ...]:
    cells = [cell for cell in CELLS if cell.table == table]
    with TemporaryDirectory() as home:
        for name, text in sheet(table, cells).items():
            (Path(home) / name).write_text(text, encoding="utf-8")
        with pytest.raises(TableError) as caught:
            read_folder(Path(home))
    return caught.value.faults


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_bad_cell_is_refused_where_it_stands(cell: Cell) -> None:
    row = 3 + [other for other in CELLS if other.table == cell.table].index(cell)
    here = [f for f in faults_of(cell.table) if f.row == row]
    fault = next((f for f in here if f.column == cell.column), None)
    assert fault is not None, here
    assert (fault.table, fault.file) == (cell.table, f"{cell.table}.csv")
    assert cell.value.strip() in fault.value or fault.value.startswith(cell.value[:10])
    assert cell.says in fault.expected
    assert fault.expected


@pytest.mark.parametrize("table", BASE)
def test_the_good_row_beside_them_is_not_refused(table: str) -> None:
    assert [fault for fault in faults_of(table) if fault.row == 2] == []


NOW = pd.Timestamp("2026-01-01", tz="UTC")


def written(home: Path, case: Case) -> Path:
    for name, data in case.files.items():
        (home / name).write_bytes(data.encode() if isinstance(data, str) else data)
    if case.setup is not None:
        case.setup(home)
    return home


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)
def test_a_bad_file_is_refused_or_noted(tmp_path: Path, case: Case) -> None:
    home = written(tmp_path, case)
    began = time.process_time()
    if case.noted:
        told = "\n".join(read_folder(home, now=NOW).notes)
    else:
        with pytest.raises(TableError) as caught:
            read_folder(home, now=NOW)
        told = str(caught.value)
    for words in case.says:
        assert words in told
    # What looks for patterns must not look from each character anew.
    assert time.process_time() - began < 5


def test_a_long_bio_is_kept_whole(tmp_path: Path) -> None:
    case = next(case for case in FILES if case.name == "a bio of 50,000 characters")
    assert read_folder(written(tmp_path, case)).tables.kols["bio"].tolist() == ["护肤😀 b" * 10_000]


@pytest.mark.parametrize("case", SETTINGS, ids=lambda case: case.name)
def test_a_bad_settings_file_is_refused(tmp_path: Path, case: Case) -> None:
    home = written(tmp_path, case)
    (home / "kols.csv").write_text(KOLS, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        if case.kind == "mapping":
            read_folder(home, home / "map.toml")
        else:
            Config.load(home / "kolmatch.toml")
    for words in case.says:
        assert words in str(caught.value)


@pytest.mark.parametrize("case", DOCUMENTS, ids=lambda case: case.name)
def test_a_bad_document_is_refused(tmp_path: Path, case: Case) -> None:
    (name,) = case.files
    with pytest.raises(UserError) as caught:
        read_document(written(tmp_path, case) / name)
    for words in case.says:
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["link to nothing", "open quote", "same row twice", "no Parquet"])
def test_the_command_ends_with_code_3_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "in").mkdir()
    case = next(case for case in FILES if case.name == name)
    home = written(tmp_path / "in", case)
    for words in (["check", str(home)], ["ingest", str(home), "--lake", str(tmp_path / "lake")]):
        with pytest.raises(SystemExit) as end:
            main(words)
        said = "".join(capsys.readouterr())
        assert end.value.code == BAD_DATA
        assert "nothing was written" in said
        assert "Traceback" not in said
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
