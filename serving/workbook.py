"""A run's lists for people: a CSV file and a workbook.

Text from briefs, profiles and posts is other people's and goes into programs that run what looks
like a formula. In the workbook every text is written as text. In the CSV file, where only the
first character tells, text that could start a formula gets an apostrophe before it. Characters
that a sheet cannot hold are left out of both.

Spreadsheets turn long ids in a CSV file into rounded numbers when they open it; the workbook
keeps them.
"""

from __future__ import annotations

import csv
import json
import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.formulas import harmless
from matcher.wording import Language, Text
from serving import headings
from serving.headings import EXCLUDED, MATCHES, WORDS, Heading
from serving.publish import check_run_id

if TYPE_CHECKING:
    from datetime import datetime

    import xlsxwriter

    from serving.publish import Run

MAX_ROWS = 1_048_575
"""Rows of a sheet, without its header."""
MAX_CHARS = 32_767
"""Characters of a cell."""
LINE_HEIGHT = 15.0
"""Points of one line of text."""
MAX_LINES = 12
"""Lines that a row shows; what is longer can still be read in its cell."""
_NUMBERS = {
    "integer": "#,##0",
    "decimal": "0.000",
    "money": "#,##0.00",
    "percent": "0.0%",
    "rate": "0.00%",
    "ratio": "0.00",
}
# Control characters but tab and line feed, halves of surrogate pairs, and non-characters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_OPTIONS = {f"strings_to_{kind}": False for kind in ("formulas", "urls", "numbers")}


def write_files(
    folder: Path,
    run: Run,
    matches: pd.DataFrame,
    exclusions: pd.DataFrame,
    briefs: pd.DataFrame,
    language: Language,
) -> list[Path]:
    """Write a run's lists to ``folder/<run_id>``, each file whole or not at all.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    run : Run
        How the run was made.
    matches : DataFrame
        `serving.results.MATCHES`, evidence as dicts.
    exclusions : DataFrame
        `serving.results.EXCLUSIONS`.
    briefs : DataFrame
        BRIEFS, for title and brand; those not in it get none.
    language : {"zh", "en"}
        Language of headings, codes and reasons.

    Returns
    -------
    list of Path
        ``matches.<language>.csv`` (UTF-8 with byte order mark) and ``.xlsx``. The same run gives
        the same bytes.

    Raises
    ------
    ValueError
        If `language` is neither.
    """
    if language not in ("zh", "en"):
        raise ValueError(f"Got language={language!r} but expected 'zh' or 'en'")
    check_run_id(run.run_id)
    listed = _for_people(matches, briefs, language)
    refused = _refused(exclusions, matches, briefs, language)
    target = folder / run.run_id
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as name:
        made = [Path(name) / f"matches.{language}.{kind}" for kind in ("csv", "xlsx")]
        _write_csv(made[0], MATCHES, listed, language)
        _write_workbook(made[1], run, listed, refused, language)
        return [path.replace(target / path.name) for path in made]


@dataclass(frozen=True)
class Sheet:
    """A table for people.

    Attributes
    ----------
    stem : str
        Name of its CSV file, without language and ending.
    name : Text
        Name of its sheet.
    columns : tuple of Heading
        Its columns.
    frame : DataFrame
        Its rows, with at least those columns.
    """

    stem: str
    name: Text
    columns: tuple[Heading, ...]
    frame: pd.DataFrame


def write_sheets(
    folder: Path, stem: str, sheets: Sequence[Sheet], created: pd.Timestamp, language: Language
) -> list[Path]:
    """Write tables to one workbook, and each to a CSV file, each file whole or not at all.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    stem : str
        Name of the workbook, without language and ending.
    sheets : sequence of Sheet
        The tables.
    created : Timestamp
        What the workbook says of when it was made; the same tables give the same bytes.
    language : {"zh", "en"}
        Language of headings.

    Returns
    -------
    list of Path
        The workbook, then the CSV files.
    """
    import xlsxwriter

    frames = [sheet.frame[[heading.column for heading in sheet.columns]] for sheet in sheets]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as name:
        made = [Path(name) / f"{stem}.{language}.xlsx"]
        with xlsxwriter.Workbook(made[0], _OPTIONS) as book:
            book.set_properties({"title": stem, "created": _stamp(created)})
            writer = _Sheets(book, language)
            for sheet, frame in zip(sheets, frames, strict=True):
                writer.plain(sheet.name, sheet.columns, frame)
            writer.meanings(heading for sheet in sheets for heading in sheet.columns)
        for sheet, frame in zip(sheets, frames, strict=True):
            made.append(Path(name) / f"{sheet.stem}.{language}.csv")
            _write_csv(made[-1], sheet.columns, frame, language)
        return [path.replace(folder / path.name) for path in made]


def _for_people(matches: pd.DataFrame, briefs: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Return matches as people read them: with brief and brand, words for codes, one cell each."""
    frame = _with_brief(matches, briefs).assign(
        reasons=matches[f"reasons_{language}"].map("\n".join).to_numpy(),
        evidence=matches["evidence"].map(_evidence).to_numpy(),
        explored=matches["explored"].map({True: "true", False: "false"}).to_numpy(),
    )
    for column, words in WORDS.items():
        told = {code: text.in_(language) for code, text in words.items()}
        frame[column] = frame[column].map(told).fillna(frame[column])
    return frame[[heading.column for heading in MATCHES]]


def _refused(
    exclusions: pd.DataFrame, matches: pd.DataFrame, briefs: pd.DataFrame, language: Language
) -> pd.DataFrame:
    """Return, for each brief, whom each filter refused, in words and as a share of the roster."""
    frame = _with_brief(exclusions, briefs)
    ids = frame["brief_id"]
    roster = frame.groupby("brief_id")["kols"].transform("sum")
    frame = frame.assign(
        text=frame[f"text_{language}"].fillna(frame["reason"]),
        share=frame["kols"] / roster.where(roster > 0),
        listed=ids.map(matches["brief_id"].value_counts()).fillna(0),
    )
    return frame[[heading.column for heading in EXCLUDED]]


def _with_brief(frame: pd.DataFrame, briefs: pd.DataFrame) -> pd.DataFrame:
    about = briefs.drop_duplicates("brief_id").set_index("brief_id")[["title", "brand_name"]]
    return frame.join(about, on="brief_id").reset_index(drop=True)


def _evidence(evidence: Mapping[str, object]) -> str:
    """Write evidence in one line: ``content.best = 0.62; price.of_budget = 0.1``."""
    figures = [
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in evidence.items()
    ]
    return "; ".join(figures)


def _clean(text: str) -> str:
    """Leave out what a sheet cannot hold."""
    text = _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def _write_csv(
    path: Path, columns: tuple[Heading, ...], frame: pd.DataFrame, language: Language
) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([heading.head.in_(language) for heading in columns])
        for row in _rows(frame):
            writer.writerow([_csv_cell(*cell) for cell in zip(columns, row, strict=True)])


def _csv_cell(heading: Heading, value: Any) -> object:
    if pd.isna(value):
        return ""
    if heading.style not in _NUMBERS:
        return harmless(_clean(str(value)))
    return int(value) if float(value).is_integer() else float(value)


def _rows(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    return frame.itertuples(index=False, name=None)


def _write_workbook(
    path: Path, run: Run, listed: pd.DataFrame, refused: pd.DataFrame, language: Language
) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(path, _OPTIONS) as book:
        # The time it was written would make two files of one run differ.
        book.set_properties({"title": run.run_id, "created": _stamp(run.created_at)})
        _Sheets(book, language).write(run, listed, refused)


def _stamp(time: pd.Timestamp) -> datetime:
    return time.tz_convert(None).floor("s").to_pydatetime()


class _Sheets:
    """The sheets of one workbook, with the formats they share."""

    def __init__(self, book: xlsxwriter.Workbook, language: Language) -> None:
        self.book = book
        self.language = language
        top = {"valign": "top"}
        self.formats = {
            style: book.add_format({"num_format": number, **top})
            for style, number in _NUMBERS.items()
        }
        self.formats["id"] = book.add_format({"num_format": "@", **top})
        # Indented, or text would touch the number to its left.
        self.formats["text"] = book.add_format({"indent": 1, **top})
        self.formats["long"] = book.add_format({"text_wrap": True, "indent": 1, **top})
        self.formats["bold"] = book.add_format({"bold": True, "text_wrap": True, **top})
        self.formats["head"] = book.add_format(
            {"bold": True, "bg_color": "#DDEBF7", "bottom": 1, "text_wrap": True, **top}
        )

    def write(self, run: Run, listed: pd.DataFrame, refused: pd.DataFrame) -> None:
        """Write all sheets."""
        ranked_by = "fit" if listed["fit"].notna().any() else "score"
        for sheet, rows in self._table(headings.SHEET_MATCHES.in_(self.language), MATCHES, listed):
            sheet.freeze_panes(1, _place(MATCHES, "display_name") + 1)
            self._bars(sheet, ranked_by, rows)
            if not rows:
                self._text(sheet, 1, 0, headings.NO_MATCHES.in_(self.language), "text")
        self.plain(headings.SHEET_EXCLUDED, EXCLUDED, refused)
        self._about(run)

    def plain(self, name: Text, columns: tuple[Heading, ...], frame: pd.DataFrame) -> None:
        """Write a table whose header stays in sight."""
        for sheet, _ in self._table(name.in_(self.language), columns, frame):
            sheet.freeze_panes(1, 0)

    def meanings(self, columns: Iterable[Heading]) -> None:
        """Write a sheet that says what each column means."""
        sheet = self.book.add_worksheet(headings.SHEET_ABOUT.in_(self.language))
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 90)
        self._meanings(sheet, 0, columns)

    def _table(
        self, name: str, columns: tuple[Heading, ...], frame: pd.DataFrame
    ) -> Iterator[tuple[Any, int]]:
        """Write a frame to a sheet, or to several where one cannot hold it.

        Yields
        ------
        tuple
            Each sheet, and its rows without the header.
        """
        for start in range(0, max(len(frame), 1), MAX_ROWS):
            part = frame.iloc[start : start + MAX_ROWS]
            sheet = self.book.add_worksheet(f"{name} {start // MAX_ROWS + 1}" if start else name)
            for column, heading in enumerate(columns):
                self._text(sheet, 0, column, heading.head.in_(self.language), "head")
                sheet.set_column(column, column, heading.width)
            for row, values in enumerate(_rows(part), start=1):
                sheet.set_row(row, LINE_HEIGHT * _lines(columns, values))
                for column, (heading, value) in enumerate(zip(columns, values, strict=True)):
                    self._cell(sheet, row, column, heading, value)
            sheet.autofilter(0, 0, len(part), len(columns) - 1)
            sheet.set_landscape()
            sheet.set_paper(9)  # A4
            sheet.fit_to_pages(1, 0)
            sheet.repeat_rows(0)
            # Ids are text on purpose; no green corner has to say so.
            sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{len(part) + 1}"})
            yield sheet, len(part)

    def _cell(self, sheet: Any, row: int, column: int, heading: Heading, value: Any) -> None:
        cell_format = self.formats[heading.style]
        if pd.isna(value) or value == "":
            sheet.write_blank(row, column, None, cell_format)
        elif heading.style in _NUMBERS:
            sheet.write_number(row, column, float(value), cell_format)
        else:
            self._text(sheet, row, column, str(value), heading.style)

    def _text(self, sheet: Any, row: int, column: int, text: str, style: str) -> None:
        sheet.write_string(row, column, _clean(text), self.formats[style])

    def _bars(self, sheet: Any, name: str, rows: int) -> None:
        """Show the size of what ranks as bars in its cells."""
        column = _place(MATCHES, name)
        bar: dict[str, object] = {"type": "data_bar", "bar_color": "#9DC3E6", "bar_solid": True}
        if name == "fit":
            bar |= {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1}
        if rows:
            sheet.conditional_format(1, column, rows, column, bar)

    def _about(self, run: Run) -> None:
        """Say what the run rests on, how it was made, and what each column means."""
        sheet = self.book.add_worksheet(headings.SHEET_ABOUT.in_(self.language))
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 90)
        rests_on = headings.RESTS_ON[run.basis]
        sheet.merge_range(0, 0, 0, 1, "", self.formats["bold"])
        self._text(sheet, 0, 0, rests_on.in_(self.language), "bold")
        row = 2
        for name, text in headings.RUN.items():
            self._text(sheet, row, 0, text.in_(self.language), "text")
            self._text(sheet, row, 1, self._told(getattr(run, name)), "long")
            row += 1
        self._meanings(sheet, row + 1, (*MATCHES, *EXCLUDED))

    def _meanings(self, sheet: Any, row: int, columns: Iterable[Heading]) -> None:
        for column, text in enumerate((headings.COLUMN, headings.MEANING)):
            self._text(sheet, row, column, text.in_(self.language), "head")
        for heading in dict.fromkeys(columns):
            row += 1
            self._text(sheet, row, 0, heading.head.in_(self.language), "text")
            self._text(sheet, row, 1, heading.about.in_(self.language), "long")

    def _told(self, value: object) -> str:
        if value is None:
            return headings.NO_MODEL.in_(self.language)
        if isinstance(value, pd.Timestamp):
            return f"{value:%Y-%m-%d %H:%M:%S}"
        if isinstance(value, Mapping):
            return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)
        return str(value)


def _lines(columns: tuple[Heading, ...], values: tuple[Any, ...]) -> int:
    """Return how many lines the longest wrapped cell of a row takes.

    Programs disagree on whether they fit a row to its text on opening, so the file says it.
    """
    most = 1
    for heading, value in zip(columns, values, strict=True):
        if heading.style == "long" and isinstance(value, str):
            wide = (sum(1 + (ord(c) > 0x2E80) for c in line) for line in value.split("\n"))
            most = max(most, sum(math.ceil(max(width, 1) / heading.width) for width in wide))
    return min(most, MAX_LINES)


def _place(columns: tuple[Heading, ...], name: str) -> int:
    return [heading.column for heading in columns].index(name)
