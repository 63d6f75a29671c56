"""Tables for people, written to a workbook and to CSV files.

Headers stay in sight and filter, ids are text, numbers carry their format, and what a column is
for shows in its colour. The same tables give the same bytes.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from matcher.wording import Language, Text
from serving import headings
from serving.cells import (
    NUMBERS,
    clean,
    is_empty,
    lines_of,
    number_format,
    rows_of,
    shown,
    write_csv,
)
from serving.headings import Heading

if TYPE_CHECKING:
    from datetime import datetime

    import xlsxwriter

MAX_ROWS = 1_048_575
"""Rows of a sheet, without its header."""
UNFINISHED = ".kolmatch-"
"""How folders of unfinished files begin, so that nobody else's are taken for one."""
LINE_HEIGHT = 15.0
"""Points of one line of text."""
_OPTIONS = {f"strings_to_{kind}": False for kind in ("formulas", "urls", "numbers")} | {
    # Else each sheet goes through the system's temporary folder, where a kill leaves its names.
    "in_memory": True
}
_BLUE, _RED, _GREEN, _AMBER = "#9DC3E6", "#F4B0A8", "#E2F0D9", "#FFE699"
_YELLOW = "#FFFBE6"
_INDENTED: dict[str, object] = {"align": "left", "indent": 1}
"""Or text would touch the number to its left."""
_FONTS = {"zh": "Microsoft YaHei", "en": "Calibri"}


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
    fixed : str
        Column up to which all stay in sight; empty fixes the header alone.
    fill_in : tuple of str
        Columns that people write in.
    choices : mapping of str to tuple of str
        What they may choose from, by column.
    printed : str
        Last column that goes to paper; empty prints all.
    """

    stem: str
    name: Text
    columns: tuple[Heading, ...]
    frame: pd.DataFrame
    fixed: str = ""
    fill_in: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    printed: str = ""


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
    with unfinished(folder) as partial:
        first, *rest = made = sheet_files(partial, stem, sheets, language)
        with open_book(first, stem, created, language) as book:
            for sheet in sheets:
                book.table(sheet)
            about = book.page(headings.SHEETS["about"])
            book.meanings(about, 0, (heading for sheet in sheets for heading in sheet.columns))
        for sheet, path in zip(sheets, rest, strict=True):
            write_csv(path, sheet.columns, sheet.frame, language)
        return [path.replace(folder / path.name) for path in made]


def sheet_files(folder: Path, stem: str, sheets: Sequence[Sheet], language: Language) -> list[Path]:
    """Return the files that `write_sheets` writes."""
    names = [f"{stem}.{language}.xlsx", *(f"{sheet.stem}.{language}.csv" for sheet in sheets)]
    return [folder / name for name in names]


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Make a folder, and one in it for what is not finished, which is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as name:
        yield Path(name)


@contextmanager
def open_book(path: Path, title: str, created: pd.Timestamp, language: Language) -> Iterator[Book]:
    """Open a workbook to write to; the file is made at the end, in one go."""
    import xlsxwriter

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, _OPTIONS) as book:
        # The time it was written would make two files of one run differ.
        book.set_properties({"title": title, "created": _stamp(created)})
        yield Book(book, language)
    path.write_bytes(file.getvalue())


def _stamp(time: pd.Timestamp) -> datetime:
    return time.tz_convert(None).floor("s").to_pydatetime()


class Book:
    """One workbook, with the formats that its sheets share.

    Parameters
    ----------
    book : xlsxwriter.Workbook
        The workbook.
    language : {"zh", "en"}
        Language of what is written.
    """

    def __init__(self, book: xlsxwriter.Workbook, language: Language) -> None:
        self.book = book
        self.language = language
        self._formats: dict[tuple[tuple[str, object], ...], Any] = {}

    def table(self, sheet: Sheet) -> None:
        """Write a table to a sheet, or to several where one cannot hold it."""
        heads = sheet.columns
        frame = sheet.frame[[heading.column for heading in heads]]
        empty = [
            name not in sheet.fill_in and bool(frame[name].map(is_empty).all()) for name in frame
        ]
        name = sheet.name.in_(self.language)
        for start in range(0, max(len(frame), 1), MAX_ROWS):
            part = frame.iloc[start : start + MAX_ROWS]
            page = self.book.add_worksheet(f"{name} {start // MAX_ROWS + 1}" if start else name)
            for column, heading in enumerate(heads):
                style = "head_number" if heading.style in NUMBERS else "head"
                self.text(page, 0, column, heading.head.in_(self.language), style)
                hidden = {"hidden": len(frame) > 0 and empty[column]}
                page.set_column(column, column, heading.width, None, hidden)
            page.set_row(0, 2 * LINE_HEIGHT + 3)
            self._rows(page, heads, part, sheet.fill_in)
            page.autofilter(0, 0, len(part), len(heads) - 1)
            page.freeze_panes(1, _place(heads, sheet.fixed) + 1 if sheet.fixed else 0)
            _print_wide(page)
            if sheet.printed:
                page.print_area(0, 0, len(part), _place(heads, sheet.printed))
            # Ids are text on purpose; no green corner has to say so.
            page.ignore_errors({"number_stored_as_text": f"A1:XFD{len(part) + 1}"})
            for column, heading in enumerate(heads):
                if len(part) and heading.column in sheet.choices:
                    one_of = {"validate": "list", "source": [*sheet.choices[heading.column]]}
                    page.data_validation(1, column, len(part), column, one_of)
            if len(part):
                # What is to be filled in keeps its own colour.
                spans = _runs([heading.column not in sheet.fill_in for heading in heads])
                # What comes first wins: amber is seen in a green row.
                for look in ("bar", "scale", "risk", "loss", "warn", "chosen"):
                    for column, heading in enumerate(heads):
                        if heading.look == look and not empty[column]:
                            self._look(page, look, column, part, spans)
            elif sheet.stem in headings.ABSENT:
                self.text(page, 1, 0, headings.ABSENT[sheet.stem].in_(self.language), "text")

    def page(self, name: Text, *widths: int) -> Any:
        """Add a sheet of prose: a narrow column and a wide one."""
        page = self.book.add_worksheet(name.in_(self.language))
        for column, width in enumerate(widths or (24, 90)):
            page.set_column(column, column, width)
        _print_wide(page)
        return page

    def meanings(self, page: Any, row: int, columns: Iterable[Heading]) -> int:
        """Say what each column means, and return the row after."""
        for column, text in enumerate((headings.COLUMN, headings.MEANING)):
            self.text(page, row, column, text.in_(self.language), "head")
        for heading in dict.fromkeys(columns):
            row += 1
            about = heading.about.in_(self.language)
            self.pair(page, row, heading.head.in_(self.language), about)
        return row + 1

    def pair(self, page: Any, row: int, name: str, told: str) -> None:
        """Write a line of a sheet of prose: what it is about, and what there is to say."""
        self.text(page, row, 0, name, "long")
        self.text(page, row, 1, told, "long")
        wide = Heading("", Text("", ""), "long", 90, Text("", ""))
        page.set_row(row, LINE_HEIGHT * lines_of([wide], [told]))

    def text(self, page: Any, row: int, column: int, text: str, style: str) -> None:
        """Write text, whatever it looks like."""
        page.write_string(row, column, clean(text), self.format(style))

    def format(self, style: str, currency: Any = None, to_fill_in: bool = False) -> Any:
        """Return the format of a style, made once."""
        looks: dict[str, object] = {"valign": "top", "font_name": _FONTS[self.language]}
        if style in NUMBERS:
            looks["num_format"] = number_format(style, currency)
        elif style == "id":
            looks |= _INDENTED | {"num_format": "@"}
        elif style == "text":
            looks |= _INDENTED
        elif style == "long":
            looks |= _INDENTED | {"text_wrap": True}
        elif style == "bold":
            looks |= {"bold": True, "text_wrap": True}
        elif style in ("head", "head_number"):
            looks |= {"bold": True, "bg_color": "#DDEBF7", "bottom": 1, "text_wrap": True}
            looks |= {"align": "right"} if style == "head_number" else _INDENTED
        if to_fill_in:
            looks |= {"bg_color": _YELLOW, "border": 1, "border_color": "#D9D9D9"}
        return self._made(looks)

    def _made(self, looks: dict[str, object]) -> Any:
        key = tuple(sorted(looks.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format(looks)
        return self._formats[key]

    def _rows(
        self,
        page: Any,
        heads: tuple[Heading, ...],
        frame: pd.DataFrame,
        fill_in: tuple[str, ...],
    ) -> None:
        names = [heading.column for heading in heads]
        money = names.index("currency") if "currency" in names else None
        for row, values in enumerate(rows_of(frame), start=1):
            page.set_row(row, LINE_HEIGHT * lines_of(heads, values))
            currency = None if money is None else values[money]
            for column, (heading, value) in enumerate(zip(heads, values, strict=True)):
                cell_format = self.format(heading.style, currency, heading.column in fill_in)
                if is_empty(value):
                    page.write_blank(row, column, None, cell_format)
                elif heading.style in NUMBERS:
                    page.write_number(row, column, float(value), cell_format)
                else:
                    page.write_string(row, column, shown(heading.style, str(value)), cell_format)

    def _look(
        self,
        page: Any,
        look: str,
        column: int,
        frame: pd.DataFrame,
        spans: Sequence[tuple[int, int]],
    ) -> None:
        """Show in colour what a column is for."""
        from xlsxwriter.utility import xl_col_to_name

        rows = len(frame)
        here = (1, column, rows, column)
        if look in ("bar", "risk"):
            ends = {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1}
            page.conditional_format(*here, _bar(_RED if look == "risk" else _BLUE) | ends)
        elif look == "scale":
            # What briefs ask for is not counted in one unit.
            for first, last in _stretches(frame):
                page.conditional_format(first, column, last, column, _bar(_BLUE))
        elif look == "loss":
            red = self._made({"font_color": "#C00000"})
            page.conditional_format(
                *here, {"type": "cell", "criteria": "<", "value": 0, "format": red}
            )
        elif look == "warn":
            amber = self._made({"bg_color": _AMBER})
            page.conditional_format(*here, {"type": "no_blanks", "format": amber})
        elif look == "chosen":
            # Only words of ours are compared: what is told of who is chosen.
            cell = f"${xl_col_to_name(column)}2"
            words = ",".join(f'{cell}="{word.in_(self.language)}"' for word in headings.CHOSEN)
            green = self._made({"bg_color": _GREEN})
            rule = {"type": "formula", "criteria": f"=OR({words})", "format": green}
            for first, last in spans:
                page.conditional_format(1, first, rows, last, rule)


def _bar(colour: str) -> dict[str, object]:
    return {"type": "data_bar", "bar_color": colour, "bar_solid": True}


def _stretches(frame: pd.DataFrame) -> list[tuple[int, int]]:
    """Return the first and last row of each brief's rows that stand together."""
    if "brief_id" not in frame:
        return [(1, len(frame))]
    brief = frame["brief_id"]
    starts = [*(brief != brief.shift()).to_numpy().nonzero()[0].tolist(), len(frame)]
    return [(start + 1, end) for start, end in pairwise(starts)]


def _runs(wanted: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the first and last place of each run of places that are wanted.

    Examples
    --------
    >>> _runs([True, True, False, True])
    [(0, 1), (3, 3)]
    """
    found = []
    for is_wanted, run in groupby(range(len(wanted)), key=wanted.__getitem__):
        places = list(run)
        if is_wanted:
            found.append((places[0], places[-1]))
    return found


def _print_wide(page: Any) -> None:
    page.set_landscape()
    page.set_paper(9)  # A4
    page.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.5)
    page.set_footer("&L&9&A&R&9&P / &N")
    page.fit_to_pages(1, 0)
    page.repeat_rows(0)


def _place(heads: tuple[Heading, ...], name: str) -> int:
    return [heading.column for heading in heads].index(name)
