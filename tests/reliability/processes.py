"""Processes that are forked from one that has imported all they need, to be run and killed."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.reliability import child
from tests.reliability.child import Stop

PATIENCE = 300.0
"""Seconds after which a process hangs."""


@dataclass
class Commands:
    """Starts commands of kolmatch in one folder, each in a process of its own.

    Attributes
    ----------
    place : Path
        Folder in which they start.
    """

    place: Path
    count: int = 0
    context: ForkServerContext = field(
        default_factory=lambda: multiprocessing.get_context("forkserver")
    )

    def __post_init__(self) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"
        # Arrow's usual allocator reserves 1 GiB of addresses, which limits on memory would count.
        os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
        self.context.set_forkserver_preload([*child.PRELOAD])

    def start(self, arguments: list[str], stop: Stop | None = None) -> Running:
        """Start a command."""
        self.count += 1
        log = self.place / f"{self.count}.log"
        given = (arguments, self.place, log, stop)
        process = self.context.Process(target=child.command, args=given)
        process.start()
        return Running(process, log, time.monotonic())

    def run(self, arguments: list[str], stop: Stop | None = None) -> Running:
        """Run a command to its end, whichever it is."""
        running = self.start(arguments, stop)
        running.end()
        return running

    def ask(self, function: Callable[..., Any], *given: Any) -> Any:
        """Return what a function says, asked in a process of its own."""
        mine, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_answer, args=(theirs, function, given))
        process.start()
        theirs.close()
        try:
            said, value = mine.recv()
        finally:
            process.join(PATIENCE)
        if said == "raised":
            raise AssertionError(value)
        return value


@dataclass
class Running:
    """A command at work, or ended."""

    process: BaseProcess
    log: Path
    began: float
    seconds: float = 0.0

    def end(self) -> int:
        """Wait for the end and return the exit code, that of a killed one below 0."""
        self.process.join(PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError(f"hangs: {self.text}")
        self.seconds = time.monotonic() - self.began
        return self.process.exitcode

    def kill_at(self, seconds: float) -> int:
        """Kill it so many seconds after its start, and return its exit code."""
        self.process.join(max(0.0, self.began + seconds - time.monotonic()))
        self.process.kill()
        return self.end()

    @property
    def text(self) -> str:
        """What it said."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""


def _answer(pipe: Any, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    import traceback

    try:
        pipe.send(("returned", function(*given)))
    except BaseException:
        pipe.send(("raised", traceback.format_exc()))
    pipe.close()
