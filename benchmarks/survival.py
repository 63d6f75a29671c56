"""The loop that kills and races share: play, keep each line as it comes, tell faults at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar

from tests.reliability.place import Place


class Played(Protocol):
    """One kill or one round: a dataclass with its faults."""

    faults: list[str]


AnyPlayed = TypeVar("AnyPlayed", bound=Played)


@contextmanager
def temporary_place() -> Iterator[Place]:
    """Make a workspace that goes afterwards."""
    with TemporaryDirectory() as folder:
        yield Place(Path(folder))


def play(
    rounds: Iterable[AnyPlayed], name: Callable[[AnyPlayed], str], out: Path | None
) -> list[AnyPlayed]:
    """Play all rounds, and return them.

    Parameters
    ----------
    rounds : iterable
        Each is played as it is asked for.
    name : callable
        What people call one.
    out : Path, optional
        JSON lines are added to it as they come.
    """
    began = time.monotonic()
    done = []
    for one in rounds:
        done.append(one)
        if out:
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")  # type: ignore[call-overload]
        if one.faults:
            print(f"{name(one)}: {'; '.join(one.faults)}", flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    return done
