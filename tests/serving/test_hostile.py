"""What others wrote to do harm comes out of workbooks and CSV files as text and nothing else."""

import csv
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from features.columns import TableSpec
from features.contract import BRIEFS, KOLS
from features.tables import Tables
from serving.cells import MAX_CHARS, clean, shown
from serving.publish import publish, read_run
from serving.results import DETAILS, EXCLUSIONS, MATCHES
from serving.workbook import write_files
from serving.workflow import write_workflow
from tests.hostile import HOSTILE
from tests.serving import campaign as made
from tests.serving.campaign import RUN

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")

TEXTS = list(HOSTILE.values())
GIVEN = ("brief_id", "kol_id", "step", "rank")
"""Columns that a poisoned row keeps; every other text in it is somebody else's."""


def poisoned(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """Return one row a text, each text wherever somebody could have written it."""
    rows = []
    for number, text in enumerate(TEXTS):
        row = dict(frame.iloc[0])
        for column in spec.columns:
            if column.kind in ("text", "id") and column.name != "currency":
                row[column.name] = text
            if column.kind == "labels" and not column.choices:
                row[column.name] = (text, f"x {text}")
        row |= {"brief_id": "b1", "kol_id": f"{text[:40]}{number}"}
        if "evidence" in row:
            row["evidence"] = {"content.post_1": text, text[:99]: 1.0, "price.cpm": 3.0}
        if "contributions" in row:
            row |= {"contributions": {}, "figures": {}}
        if spec.name in ("plans", "exclusions"):
            row["brief_id"] = f"b{number + 1}"
        if spec.name == "risks":
            row["kind"] = "fraud" if number % 2 else text
        rows.append(row)
    return spec.conform(pd.DataFrame(rows)) if spec.name != "matches" else pd.DataFrame(rows)


@pytest.fixture(scope="module")
def run() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame], Tables]:
    matches = poisoned(made.matches(), MATCHES)
    matches["rank"] = range(1, len(matches) + 1)
    details = {n: poisoned(f, DETAILS[n]) for n, f in made.details().items()}
    details["planned"] = details["planned"].assign(chosen=True, mode="live_commerce")
    briefs = pd.concat(
        [
            made.briefs()
            .head(1)
            .assign(
                brief_id=f"b{number + 1}",
                title=text,
                brand_name=text,
                text=text,
                competitor_brands=[(text, "rival")],
            )
            for number, text in enumerate(TEXTS)
        ]
    )
    kols = pd.DataFrame(
        {
            "kol_id": matches["kol_id"],
            "observed_at": made.day("2026-06-01"),
            "display_name": TEXTS,
            "bio": TEXTS,
        }
    )
    tables = Tables(
        **{**dict(made.tables()), "briefs": BRIEFS.conform(briefs), "kols": KOLS.conform(kols)}
    )
    return matches, poisoned(made.exclusions(), EXCLUSIONS), details, tables


@pytest.fixture(scope="module")
def files(run: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    matches, exclusions, details, tables = run
    folder, written = tmp_path_factory.mktemp("hostile"), []
    for language in ("zh", "en"):
        written += write_files(
            folder,
            RUN,
            matches,
            exclusions,
            tables.briefs,
            language,  # type: ignore[arg-type]
            details,
        )
    return [*written, *write_workflow(folder, RUN, matches, tables, "zh", details).files]


def cells(path: Path) -> Iterator[Any]:
    for sheet in openpyxl.load_workbook(path).worksheets:
        for row in sheet.iter_rows():
            yield from (cell for cell in row if cell.value is not None)


def is_formula(text: str) -> bool:
    """Tell whether a program that reads a CSV file could run a cell."""
    seen = next((c for c in text if unicodedata.category(c)[0] not in "CZ"), "")
    return unicodedata.normalize("NFKC", seen).startswith(("=", "+", "-", "@"))


def test_workbooks_hold_text_and_no_link(files: list[Path]) -> None:
    books = [path for path in files if path.suffix == ".xlsx"]
    assert len(books) == 5
    for path in books:
        for cell in cells(path):
            assert cell.data_type in ("s", "n"), (cell.coordinate, cell.value)
            assert cell.hyperlink is None
            if isinstance(cell.value, str):
                assert len(cell.value) <= MAX_CHARS
                assert clean(cell.value) == cell.value
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                active = rb"<f[ >]|<hyperlink|ddeLink|externalLink|TargetMode"
                assert not re.search(active, archive.read(name)), name
                assert not re.search("vba|external|embed|media", name)


def test_csv_files_hold_no_formula_however_they_are_divided(files: list[Path]) -> None:
    lists = [path for path in files if path.suffix == ".csv"]
    assert len(lists) == 4
    number = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
    for path in lists:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        assert len(rows) == len(TEXTS) + 1
        assert len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert number.fullmatch(cell) or not is_formula(cell), cell[:60]
        # As a program sees it that divides at semicolons or tabs and takes no notice of quotes.
        for line in path.read_text(encoding="utf-8-sig").split("\n"):
            for piece in re.split("[;\t]", line):
                assert not is_formula(piece.lstrip('" ')), line[:80]


def test_what_is_harmless_in_it_is_still_told(files: list[Path]) -> None:
    for path in files:
        if path.name == "matches.en.xlsx":
            told = {cell.value for cell in cells(path)}
            assert {shown("text", text) for text in TEXTS} <= told
            assert {clean(f"{text}\nx {text}") for text in TEXTS} <= told
        if path.name == "workflow.zh.xlsx":
            told = {cell.value for cell in cells(path)}
            assert {shown("text", text) for text in TEXTS} <= told


def test_what_was_hostile_is_published_and_read_back(run: Any, tmp_path: Path) -> None:
    matches, exclusions, details, _ = run
    publish(tmp_path, RUN, matches, exclusions, details)
    assert read_run(tmp_path, RUN.run_id).matches["display_name"].tolist() == TEXTS
