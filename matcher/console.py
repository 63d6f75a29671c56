"""What a person or a log collector sees: tables on stdout, progress and logs on stderr."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from features.errors import Fault
from features.progress import Progress

ALIKE = 5
"""Faults of one kind that are printed in full; the rest are counted, and all are in the report."""


class _JsonLines(logging.Formatter):
    """One JSON object a line, with whatever ``extra={"fields": ...}`` carries."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, "fields", {}), ensure_ascii=False, default=str)


class Terminal:
    """Where output goes.

    Parameters
    ----------
    json_logs : bool
        Whether stderr gets JSON lines instead of bars and words.
    """

    def __init__(self, json_logs: bool = False) -> None:
        self.json_logs = json_logs
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)
        handler: logging.Handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonLines() if json_logs else logging.Formatter("%(message)s"))
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(logging.WARNING)
        self.log = logging.getLogger("kolmatch")
        self.log.setLevel(logging.INFO)

    def say(self, message: str, **fields: Any) -> None:
        """Report a step on stderr: words for a person, an event with fields for a collector."""
        if self.json_logs:
            self.log.info(message, extra={"fields": fields})
        else:
            self.err.print(escape(message))

    def fail(self, message: str, **fields: Any) -> None:
        """Report what stopped the command."""
        if self.json_logs:
            self.log.error(message, extra={"fields": fields})
        else:
            self.err.print(f"[bold red]error:[/] {escape(message)}")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show bars while work goes on; in a log, one line when a tenth more is done."""
        if self.json_logs or not self.err.is_terminal:
            yield _milestones(self)
            return
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Bars(*columns, console=self.err) as bars:
            tasks: dict[str, Any] = {}

            def tell(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done, total=total)

            yield tell

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]], **style: Any) -> None:
        """Print a table; numbers are right-aligned, and nothing in a cell is markup."""
        table = Table(header_style="bold", **style)
        cells = [list(row) for row in rows]
        for position, header in enumerate(headers):
            number = bool(cells) and all(isinstance(row[position], int | float) for row in cells)
            table.add_column(header, justify="right" if number else "left", overflow="fold")
        for row in cells:
            table.add_row(*(escape(_cell(value)) for value in row))
        self.out.print(table)

    def faults(self, faults: Sequence[Fault]) -> None:
        """Print faults with their place, a few of each kind, and how many more there are."""
        if self.json_logs:
            for fault in faults:
                self.log.error("fault", extra={"fields": vars(fault)})
            return
        seen: Counter[tuple[str, str, str]] = Counter()
        rows = []
        for fault in faults:
            kind = (fault.file or fault.table, fault.column, fault.expected)
            seen[kind] += 1
            if seen[kind] <= ALIKE:
                place = (fault.file or fault.table, fault.row or "", fault.column)
                rows.append([*place, _short(fault.value), fault.expected])
        self.table(["file", "row", "column", "got", "expected"], rows, show_lines=False)
        for (file, column, expected), count in seen.items():
            if count > ALIKE:
                more = f"... and {count - ALIKE:,} more in {file}, {column}: expected {expected}"
                self.out.print(escape(more))
        self.out.print(f"[bold red]{len(faults):,} fault{'s' * (len(faults) > 1)}[/]")


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    # A file or a pipe has no width; 80 columns would fold every table in a log.
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=130)


def _milestones(terminal: Terminal) -> Progress:
    told: dict[str, int] = {}

    def tell(what: str, done: int, total: int) -> None:
        tenth = 10 if total == 0 else done * 10 // total
        if tenth > told.get(what, -1) and (tenth == 10 or what in told or done == 0):
            told[what] = tenth
            if tenth > 0:
                terminal.say(f"{what}: {done:,} of {total:,}", stage=what, done=done, total=total)
        told.setdefault(what, tenth)

    return tell


def _short(value: str, length: int = 60) -> str:
    return value if len(value) <= length else f"{value[: length - 1]}…"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
