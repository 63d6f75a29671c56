"""Commands that are killed, and what must hold after each kill.

A command starts from a kept state of a workspace, is killed, and is run again. Nothing may be seen
that is neither of before nor of after; what was there before must be there still; and the run that
comes next must end as one that nobody disturbed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.bytesearch import find_bytes
from tests.reliability import child
from tests.reliability.child import Stop
from tests.reliability.place import Place


@dataclass(frozen=True)
class Victim:
    """A command, from where it starts, and where it is killed.

    Attributes
    ----------
    command : str
        Its name.
    before : str
        State of the workspace that it starts from.
    after : str
        State that it leads to.
    stops : tuple of Stop
        Named places.
    random : int
        How often it is killed at random moments.
    ends : tuple of int
        Exit codes with which an undisturbed one may end.
    redacts : bool
        Whether it takes somebody out. While it is unfinished the lake is refused, instead of as
        before or as after; and at the end nothing may name who it was.
    """

    command: str
    before: str
    after: str
    stops: tuple[Stop, ...]
    random: int
    ends: tuple[int, ...] = (0,)
    redacts: bool = False


INGEST = Victim(
    "ingest",
    "nothing",
    "ingested",
    (
        Stop("before the lake is marked", "features.lake:write_whole"),
        Stop("first table made", "features.delta:VersionedTable.create", before=False),
        Stop("half of the tables made", "features.delta:VersionedTable.create", nth=6),
        Stop("before the first table", "features.delta:VersionedTable.upsert"),
        Stop("after the first table", "features.delta:VersionedTable.upsert", before=False),
        Stop("between tables", "features.delta:VersionedTable.upsert", nth=4),
        Stop("before the commit", "features.lake:Lake._commit"),
        Stop("the commit written beside", "os:fsync", nth=2),
        Stop("after the commit", "features.lake:Lake._commit", before=False),
    ),
    random=11,
)
TRAIN = Victim(
    "train",
    "ingested",
    "trained",
    (
        Stop("before vectors are written", "features.shelf:_write"),
        Stop("vectors written", "features.shelf:_write", before=False),
        Stop(
            "MLflow's tables half made",
            "alembic.runtime.migration:HeadMaintainer.update_to_step",
            nth=20,
        ),
        Stop("MLflow's store made", "matcher.tracking:sweep"),
        Stop("the run begins", "matcher.tracking:TrackedRun.params", before=False),
        Stop("metrics logged", "matcher.tracking:TrackedRun.metrics", before=False),
        Stop("before the model is logged", "mlflow.pyfunc:log_model"),
        Stop("the model is half logged", "mlflow.pyfunc:save_model", before=False),
        Stop("the model is logged", "mlflow.pyfunc:log_model", before=False),
        Stop("the version is registered", "matcher.tracking:TrackedRun.register", before=False),
        Stop("before it is challenger", "matcher.tracking:TrackedRun.challenge"),
        Stop("challenger", "matcher.tracking:TrackedRun.challenge", before=False),
    ),
    random=5,
)
PROMOTE = Victim(
    "promote",
    "trained",
    "promoted",
    (
        Stop("before the verdict", "training.gate:write_down"),
        Stop("verdict written", "training.gate:write_down", before=False),
        Stop("before the move", "matcher.registry:Registry.move"),
        Stop("announced", "matcher.registry:Registry._write_champions", before=False),
        Stop("moved, no copy yet", "matcher.registry:Registry._keep"),
        Stop("copy half written", "matcher.archive:Fitted.save", nth=2),
        Stop("copy written, not pointed at", "matcher.archive:Fitted.save", nth=2, before=False),
        Stop("copy kept", "matcher.registry:Registry._keep", before=False),
        Stop("before the note of force", "matcher.registry:Registry.note", nth=2),
        Stop("done", "matcher.registry:Registry.note", nth=2, before=False),
    ),
    random=8,
)
MATCH = Victim(
    "match",
    "promoted",
    "matched",
    (
        Stop("the champion loaded", "matcher.registry:Registry.champion", before=False),
        Stop("before publishing", "serving.job:publish_spooled"),
        Stop("before the matches", "serving.publish:_write_rows"),
        Stop("matches written", "serving.publish:_write_rows", before=False),
        Stop("half of the details", "serving.publish:_write_rows", nth=5),
        Stop("before the run's row", "serving.publish:_write_run"),
        Stop("published", "serving.publish:_write_run", before=False),
        Stop("before the workbook", "serving.workbook:write_files"),
        Stop("workbook written", "serving.workbook:write_files", before=False),
        Stop("workflow written", "serving.workflow:write_workflow", before=False),
        Stop("before a page", "serving.page:write_whole"),
        Stop("pages half written", "serving.page:write_whole", before=False),
        Stop("pages written", "serving.page:write_pages", before=False),
    ),
    random=12,
)
PLAN = Victim(
    "plan",
    "matched",
    "planned",
    (
        Stop("before the files", "serving.plan_files:write_sheets"),
        Stop("workbook written", "serving.sheets:write_csv"),
        Stop("one file in its place", "pathlib:Path.replace", before=False),
        Stop("files written", "serving.plan_files:write_sheets", before=False),
    ),
    random=8,
)
RETRAIN = Victim(
    "retrain",
    "promoted",
    "retrained",
    (
        *(
            Stop(f"stage {name}", "matcher.console:Terminal.say", said=f"stage: {name}")
            for name in ("reconcile", "sweep", "train", "judge", "promote", "drift", "report")
        ),
        Stop("before the tag", "matcher.registry:Registry.note", nth=2),
        Stop("dealt with", "matcher.registry:Registry.note", nth=2, before=False),
        Stop("before the report's file", "matcher.commands.upkeep:write_whole"),
    ),
    random=5,
    ends=(0, 4),
)
ERASE = Victim(
    "erase",
    "matched",
    "erased",
    (
        Stop("half of what there is to do", "os:fsync"),
        Stop("before anything", "serving.privacy.erase:Intent.write"),
        Stop("told what to do", "serving.privacy.erase:Intent.write", before=False),
        Stop("tombstone", "features.tombstones:Tombstones.write", before=False),
        *(
            Stop(f"stage {name}", "matcher.console:Terminal.say", said=f"stage: {name}")
            for name in ("tables", "vectors", "results", "files", "models", "report")
        ),
        Stop("half of the tables", "features.delta:VersionedTable.overwrite", nth=4),
        Stop("tables written, not committed", "features.lake:Lake._commit"),
        Stop("committed, all history there", "features.lake:Lake._commit", before=False),
        Stop("half of the history forgotten", "features.lake:forget_history", nth=4),
        Stop("runs marked, rows still there", "serving.privacy.lists:_overwrite", nth=2),
        Stop("half of the results", "serving.privacy.lists:_overwrite", nth=4),
        Stop("results' history", "serving.privacy.lists:forget_history", nth=3),
        Stop("before lists are rewritten", "serving.privacy.erase:rewrite_lists"),
        Stop("lists rewritten", "serving.privacy.erase:rewrite_lists", before=False),
        Stop("before a file", "serving.privacy.erase:clean_file", nth=3),
        Stop("before the versions are marked", "serving.privacy.models:mark"),
        Stop("a database cleaned", "serving.privacy.erase:clean_database", before=False),
        Stop("before the report", "serving.privacy.erase:write_whole", nth=8),
    ),
    random=14,
    redacts=True,
)
VICTIMS = (INGEST, TRAIN, PROMOTE, MATCH, PLAN, RETRAIN, ERASE)
"""In the order in which each leads to the state that a later one starts from."""


@dataclass
class Kill:
    """One kill, and what came of it.

    Attributes
    ----------
    command, where : str
        What was killed, and where.
    faults : list of str
        What did not hold; empty if it survived.
    """

    command: str
    where: str
    faults: list[str] = field(default_factory=list)


def prepare(place: Place, victims: Sequence[Victim] = VICTIMS) -> dict[str, float]:
    """Run each command undisturbed, keep the states they lead to, return the seconds they took."""
    seconds = {}
    place.keep("nothing")
    for victim in victims:
        place.restore(victim.before)
        done = place.commands.run(place.arguments(victim.command))
        if done.process.exitcode not in victim.ends:
            raise AssertionError(f"{victim.command} ended {done.process.exitcode}: {done.text}")
        seconds[victim.command] = done.seconds
        place.keep(victim.after)
    return seconds


def kills(
    place: Place,
    seconds: dict[str, float],
    victims: Sequence[Victim] = VICTIMS,
    seed: int = 0,
    where: str = "",
) -> Iterator[Kill]:
    """Kill each command at its named places and at random moments, and look at what is left.

    A pattern of ``"command place"`` leaves out all that it does not match.
    """
    rng = np.random.default_rng(seed)
    for victim in victims:
        for stop in victim.stops:
            if re.match(where, f"{victim.command} {stop.name}"):
                yield _killed(place, victim, stop, None)
        for number in range(victim.random):
            # Spread over its usual duration: one moment in each of equal parts.
            share = (number + rng.random()) / victim.random
            if re.match(where, f"{victim.command} random"):
                yield _killed(place, victim, None, share * seconds[victim.command])


def _killed(place: Place, victim: Victim, stop: Stop | None, after: float | None) -> Kill:
    place.restore(victim.before)
    typed = place.arguments(victim.command)
    if stop is not None:
        kill = Kill(victim.command, stop.name)
        code = place.commands.run(typed, stop).process.exitcode
        if code != -9:
            kill.faults.append(f"never came to {stop.target}: it ended {code}")
    else:
        assert after is not None
        kill = Kill(victim.command, "random")
        place.commands.start(typed).kill_at(after)
    before, wanted = place.states[victim.before], place.states[victim.after]
    try:
        if not (victim.redacts and unfinished(place)):
            kill.faults += half(place.seen(), before, wanted)
        again = place.commands.run(typed)
        # A promotion that was done already is refused a second time, in words.
        told = "is the champion already" in again.text
        if again.process.exitcode not in victim.ends and not told:
            kill.faults.append(f"the next run ended {again.process.exitcode}: {again.text[-2000:]}")
        found = place.seen()
        if victim.redacts:
            # One that was cut off writes the tables again: it is the last commit that counts.
            wanted = wanted | {"commits": found["commits"][-1:]}
            kill.faults += named(place)
        kill.faults += whole(found, wanted)
    except AssertionError as error:
        kill.faults.append(str(error))
    return kill


def unfinished(place: Place) -> bool:
    """Say whether an erasure was cut off, which has to be refused by whoever reads the lake."""
    return bool(place.commands.ask(child.refused, place.lake))


def named(place: Place) -> list[str]:
    """Say where something still names the KOL who was erased, and what else an erasure owes."""
    found = find_bytes([place.lake], [place.victim, place.victims_name])
    faults = [f"{path} names {term}" for path, term in found]
    if not list((place.lake / "erasures").glob("*.json")):
        faults.append("there is no report of the erasure")
    return faults


def half(found: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Say what readers see after a kill that is neither of before nor of after."""
    faults = [
        f"{name} is neither as before nor as after: {found[name]}"
        for name in ("tables", "champion", "commits")
        if found[name] not in (before[name], after[name])
    ]
    for name in ("runs", "files"):
        known = before[name] | after[name]
        faults += [
            f"{name}: {key} is {value}, not {known.get(key)}"
            for key, value in found[name].items()
            if value not in (known.get(key), before[name].get(key))
        ]
        faults += [f"{name}: {key} is lost" for key in before[name] if key not in found[name]]
    hashes = {told for state in (before, after) for told in state["versions"].values()}
    for version, (status, hash_) in found["versions"].items():
        if status == "FINISHED" and (status, hash_) not in hashes:
            faults.append(f"version {version} is finished, but {hash_}")
    if found["challenger"] and found["versions"][found["challenger"]][0] != "FINISHED":
        faults.append(f"challenger {found['challenger']} comes of a run that did not end well")
    return faults


def whole(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Say in what the end differs from that of an undisturbed run."""
    faults = [
        f"{name} is {found[name]}, but {wanted[name]} without the kill"
        for name in ("tables", "commits", "runs", "files")
        if found[name] != wanted[name]
    ]
    orphans = ("running", "half_models", "empty_versions", "stray")
    faults += [f"orphans: {name} {found[name]}" for name in orphans if found[name]]
    for name in ("champion", "challenger"):
        one, other = _hash_of(found, name), _hash_of(wanted, name)
        if one != other:
            faults.append(f"{name} is {one}, but {other} without the kill")
    numbers = sorted(map(int, found["versions"]))
    if numbers != [*range(1, len(numbers) + 1)]:
        faults.append(f"versions are {numbers}")
    return faults


def _hash_of(seen: dict[str, Any], name: str) -> str | None:
    """Return the hash of a champion or challenger: its number may be another after a kill."""
    told = seen[name]
    if name == "champion":
        return None if told is None else f"{told[2]} {told[3]}"
    return None if told is None else str(seen["versions"][told][1])
