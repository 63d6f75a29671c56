"""What a person or a log collector sees: tables on stdout, progress and logs on stderr."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from features.errors import Fault
from features.progress import Progress

ALIKE = 5
"""Faults of one kind that are printed in full; the rest are counted, and all are in the report."""
QUICK = 2.0
"""Seconds below which a stage is not worth a line."""
# Control characters would drive the terminal; others' text may not.
_CONTROL = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code != 0x0A}


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
        # A library's warning would be the one line that is no JSON.
        logging.captureWarnings(json_logs)
        self.log = logging.getLogger("kolmatch")
        self.log.setLevel(logging.INFO)

    def say(self, message: str, **fields: Any) -> None:
        """Report a step on stderr: words for a person, an event with fields for a collector."""
        if self.json_logs:
            self.log.info(message, extra={"fields": fields})
        else:
            self.err.print(_plain(message), soft_wrap=True)

    def warn(self, message: str, **fields: Any) -> None:
        """Report what a person should look at, though the command goes on."""
        if self.json_logs:
            self.log.warning(message, extra={"fields": fields})
        else:
            self.err.print(Text("warning: ", "bold yellow") + _plain(message), soft_wrap=True)

    def fail(self, message: str, **fields: Any) -> None:
        """Report what stopped the command."""
        if self.json_logs:
            self.log.error(message, extra={"fields": fields})
        else:
            self.err.print(Text("error: ", "bold red") + _plain(message), soft_wrap=True)

    def crash(self, error: Exception) -> None:
        """Log what nobody foresaw, with its traceback."""
        self.log.error(f"{type(error).__name__}: {error}", exc_info=error)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show bars while work goes on; in a log, a line for each tenth of what takes long."""
        if self.json_logs or not self.err.is_terminal:
            yield _Milestones(self)
            return
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Bars(*columns, console=self.err) as bars:
            yield _stages(bars)

    def table(
        self, headers: Sequence[str], rows: Iterable[Sequence[object]], title: str = ""
    ) -> None:
        """Print a table on stdout; numbers are right-aligned, and nothing in a cell is markup."""
        table = Table(header_style="bold", title=_plain(title) if title else None)
        cells = [list(row) for row in rows]
        for position, header in enumerate(headers):
            number = bool(cells) and all(isinstance(row[position], int | float) for row in cells)
            table.add_column(header, justify="right" if number else "left", overflow="fold")
        for row in cells:
            table.add_row(*(_plain(_cell(value)) for value in row))
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
                place = (fault.file or fault.table, str(fault.row or ""), fault.column)
                rows.append([*place, _short(fault.value), fault.expected])
        self.table(["file", "row", "column", "got", "expected"], rows)
        for (file, column, expected), count in seen.items():
            if count > ALIKE:
                more = f"... and {count - ALIKE:,} more in {file}, {column}: expected {expected}"
                self.out.print(_plain(more), soft_wrap=True)
        self.out.print(Text(f"{len(faults):,} fault{'s' * (len(faults) > 1)}", "bold red"))


class _JsonLines(logging.Formatter):
    """One JSON object a line, with whatever ``extra={"fields": ...}`` carries."""

    def format(self, record: logging.LogRecord) -> str:
        made = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": made, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        fields = _jsonable(getattr(record, "fields", {}))
        return json.dumps(fields | line, ensure_ascii=False, default=str, allow_nan=False)


class _Milestones:
    """Says how far a stage is at each tenth, once it has taken longer than two seconds."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._stage, self._done, self._tenth = "", 0, 0
        self._started = self._heard = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._stage or done < self._done:
            # Work on a stage begins where that on the one before it ended.
            self._stage, self._tenth, self._started = what, 0, self._heard
        self._done, self._heard = done, time.monotonic()
        tenth = done * 10 // max(total, 1)
        if tenth > self._tenth and self._heard - self._started > QUICK:
            self._tenth = tenth
            rate = done / (self._heard - self._started)
            left = (total - done) / rate
            message = f"{what}: {done:,} of {total:,}"
            if done < total:
                message += f", {rate:,.3g} a second, {left:,.0f} s left"
            self._terminal.say(
                message, stage=what, done=done, total=total, per_second=rate, seconds_left=left
            )


def _stages(bars: Bars) -> Progress:
    """Show a bar for each stage, and take away those of stages that were quick."""
    shown: dict[str, Any] = {}
    started: dict[str, float] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in shown:
            shown[what], started[what] = bars.add_task(what, total=total), time.monotonic()
        bars.update(shown[what], completed=done, total=total)
        if done >= total and time.monotonic() - started[what] < QUICK:
            bars.remove_task(shown.pop(what))

    return tell


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    # A file or a pipe has no width; 80 columns would fold every table in a log.
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=130)


def _plain(text: str) -> Text:
    """Return text that is printed as it is: no markup, no emoji names, no control characters."""
    return Text(text.replace("\t", " ").translate(_CONTROL))


def _short(value: str, length: int = 60) -> str:
    return value if len(value) <= length else f"{value[: length - 1]}…"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _jsonable(value: Any) -> Any:
    """Return a value that JSON can hold: a number that is none becomes null."""
    if isinstance(value, Mapping):
        return {str(name): _jsonable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(part) for part in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
