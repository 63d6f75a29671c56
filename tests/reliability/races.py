"""Two commands at once on one workspace, while a third process reads it without pause.

Both must end as documented, nothing that either did may be lost, no reader may see anything but a
state between two whole ones, and versions and commits must have no gaps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.reliability import child
from tests.reliability.kills import INGEST, MATCH, PROMOTE, TRAIN, named, prepare
from tests.reliability.place import Place

BUSY = 6


@dataclass(frozen=True)
class Race:
    """Two commands, from where they start, and how both may end.

    Attributes
    ----------
    one, other : str
        Commands, as `Place.arguments` takes them.
    before : str
        State of the workspace that they start from.
    tables, runs, champion : str
        States of which the end may show the tables, the runs and the champion; several where it
        depends on who was first.
    commits, versions : int
        How many there must be at the end.
    rounds : int
        How often they meet.
    ends : tuple of (int, int)
        Exit codes, in any order.
    erases : bool
        Whether one of them takes somebody out, whom nothing may name at the end.
    apart : float
        Seconds within which the other starts after the one.
    """

    one: str
    other: str
    before: str
    tables: tuple[str, ...]
    runs: tuple[str, ...]
    champion: tuple[str, ...]
    commits: int
    versions: int
    rounds: int
    ends: tuple[tuple[int, int], ...] = ((0, 0),)
    erases: bool = False
    apart: float = 1.0

    @property
    def name(self) -> str:
        """What people call it."""
        fresh = {"nothing": ", new lake", "ingested": ", new store"}.get(self.before, "")
        return f"{self.one} and {self.other}{fresh}"


_I, _T, _P, _M = ("ingested",), ("trained",), ("promoted",), ("matched",)
_E, _F = ("erased",), ("erased first",)
_BOTH = ((0, 0),)
_LATE = ((0, 0), (0, 2))
"""What an erasure overtakes is refused."""
RACES = (
    Race("ingest one", "ingest two", "nothing", ("both",), _I, _I, 2, 0, 10),
    Race("ingest files", "ingest files", "nothing", _I, _I, _I, 1, 0, 5),
    Race("match", "match", "ingested", _I, ("content",), _I, 1, 0, 8),
    Race("match", "match", "promoted", _I, _M, _P, 1, 1, 7),
    Race("promote", "match", "trained", _I, ("content", *_M), _P, 1, 1, 8),
    Race("promote", "promote", "trained", _I, _T, _P, 1, 1, 4, ((0, 0), (0, 2))),
    Race("train", "train", "ingested", _I, _I, _I, 1, 2, 2),
    Race("retrain", "retrain", "ingested", _I, _I, _I, 1, 1, 4, ((4, BUSY), (0, 4))),
    Race("retrain", "match", "ingested", _I, ("content",), _I, 1, 1, 4, ((4, 0),)),
    Race("match", "erase", "promoted", _E, (*_P, *_E, *_F), _P, 1, 1, 8, _LATE, True, 8.0),
    Race("plan", "erase", "matched", _E, _E, _P, 1, 1, 4, _LATE, True, 3.0),
    Race("ingest files", "erase", "matched", _E, _E, _P, 1, 1, 4, _BOTH, True),
)


@dataclass
class Round:
    """One meeting, and what came of it.

    Attributes
    ----------
    race : str
        Which.
    codes : tuple of int
        How both ended.
    looks : int
        Different states that the reader saw.
    faults : list of str
        What did not hold.
    """

    race: str
    codes: tuple[int, int] = (0, 0)
    looks: int = 0
    faults: list[str] = field(default_factory=list)


def make_states(place: Place) -> None:
    """Keep the states that races start from and may lead to."""
    prepare(place, (INGEST, TRAIN, PROMOTE, MATCH))
    typed = {
        "one": ("nothing", ["ingest one"]),
        "two": ("nothing", ["ingest two"]),
        "both": ("nothing", ["ingest one", "ingest two"]),
        "content": ("ingested", ["match"]),
        "erased": ("matched", ["erase"]),
        "erased first": ("promoted", ["erase", "match"]),
    }
    for name, (before, commands) in typed.items():
        place.restore(before)
        for command in commands:
            done = place.commands.run(place.arguments(command))
            if done.process.exitcode:
                raise AssertionError(f"{command}: {done.text}")
        place.keep(name)


def races(place: Place, chosen: Sequence[Race] = RACES, seed: int = 0) -> Iterator[Round]:
    """Let commands meet, the second starting a random while after the first."""
    rng = np.random.default_rng(seed)
    for race in chosen:
        for _ in range(race.rounds):
            yield _met(place, race, race.apart * float(rng.random()))


def _met(place: Place, race: Race, delay: float) -> Round:
    place.restore(race.before)
    end = place.folder / "ended"
    end.unlink(missing_ok=True)
    made = Round(race.name)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(place.commands.ask, child.watch, place.lake, end)
        one = place.commands.start(place.arguments(race.one))
        time.sleep(delay)
        other = place.commands.start(place.arguments(race.other))
        try:
            made.codes = one.end(), other.end()
        finally:
            end.touch()
        try:
            seen = reader.result()
        except AssertionError as error:
            made.faults.append(f"a reader met: {error}")
            seen = []
    made.looks = len(seen)
    if made.codes not in race.ends and made.codes[::-1] not in race.ends:
        made.faults.append(f"ended {made.codes}: {one.text[-1500:]} {other.text[-1500:]}")
    made.faults += [*_torn(place, seen), *_wrong_at_end(place, race)]
    return made


def _torn(place: Place, seen: Sequence[Any]) -> Iterator[str]:
    """Tell what readers saw that no whole state holds."""
    states = place.states.values()
    runs = [state["runs"] for state in states]
    for tables, found in seen:
        if tables not in [state["tables"] for state in states]:
            yield f"torn tables: {tables}"
        if found not in runs:
            yield f"torn runs: {found}"


def _wrong_at_end(place: Place, race: Race) -> Iterator[str]:
    """Tell what the end lacks, or has too much of."""
    found = place.seen()
    for name in ("tables", "runs", "champion"):
        allowed = [place.states[state][name] for state in getattr(race, name)]
        if found[name] not in allowed:
            yield f"{name} end as {found[name]}, not as any of {allowed}"
    # An erasure forgets all commits but its own.
    first = race.commits + 1 if race.erases else 1
    if found["commits"] != [*range(first, first + race.commits)]:
        yield f"commits are {found['commits']}"
    if race.erases:
        yield from named(place)
    versions = sorted(map(int, found["versions"]))
    if versions != [*range(1, race.versions + 1)]:
        yield f"versions are {versions}"
    if any(status != "FINISHED" for status, _ in found["versions"].values()):
        yield f"versions are {found['versions']}"
    for name in ("running", "half_models", "empty_versions", "stray"):
        if found[name]:
            yield f"orphans: {name} {found[name]}"
