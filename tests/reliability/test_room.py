"""A full disk, a folder that cannot be written to, too little memory: told, and nothing is lost."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.simulate import simulate
from matcher.commands.shared import EXHAUSTED
from tests.reliability import child
from tests.reliability.kills import VICTIMS, Victim, half, prepare, whole
from tests.reliability.place import Place
from tests.reliability.processes import Commands

pytestmark = pytest.mark.long

ROOM = (0, 40, 150)
"""KiB that are left on the disk."""
CAP = 1536 * 2**20
"""Bytes of memory that `match` may take."""


def _mount(folder: Path, *options: str) -> bool:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    return done.returncode == 0


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a place whose lake lies on a disk of its own."""
    place = Place(tmp_path_factory.mktemp("place"))
    place.lake.mkdir()
    if not _mount(place.lake, "-o", "size=64m"):
        pytest.skip("no disk can be mounted here: it takes root")
    try:
        prepare(place, VICTIMS[:5])
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place.lake)], check=True)


@pytest.mark.parametrize("room", ROOM)
@pytest.mark.parametrize("victim", VICTIMS[:5], ids=lambda victim: victim.command)
def test_a_full_disk_is_told_and_room_is_all_it_takes(
    small_disk: Place, victim: Victim, room: int
) -> None:
    place = small_disk
    place.restore(victim.before)
    disk = os.statvfs(place.lake)
    filler = place.lake / ".filler"
    with filler.open("wb") as file:
        file.write(b"\0" * max(disk.f_bavail * disk.f_frsize - room * 1024, 0))
    done = place.commands.run(place.arguments(victim.command))
    filler.unlink()
    _told(done.process.exitcode, done.text, "the disk is full")
    assert half(place.seen(), place.states[victim.before], place.states[victim.after]) == []
    again = place.commands.run(place.arguments(victim.command))
    assert again.process.exitcode in victim.ends or "is the champion already" in again.text
    assert whole(place.seen(), place.states[victim.after]) == []
    print(f"{victim.command}, {room} KiB left: ended {done.process.exitcode}")


@pytest.mark.parametrize("victim", VICTIMS[:5], ids=lambda victim: victim.command)
def test_a_folder_that_cannot_be_written_to_is_told(small_disk: Place, victim: Victim) -> None:
    place = small_disk
    place.restore(victim.before)
    subprocess.run(["mount", "-o", "remount,ro", str(place.lake)], check=True)
    try:
        done = place.commands.run(place.arguments(victim.command))
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(place.lake)], check=True)
    assert done.process.exitcode == EXHAUSTED, done.text
    _told(done.process.exitcode, done.text, "cannot be written to")
    assert place.seen() == place.states[victim.before]
    again = place.commands.run(place.arguments(victim.command))
    assert again.process.exitcode in victim.ends
    assert whole(place.seen(), place.states[victim.after]) == []


def _told(code: int | None, text: str, words: str) -> None:
    """Check that a command ended well, or in one clear message."""
    if code != 0:
        assert code == EXHAUSTED, text
        assert words in text
        assert "Traceback" not in text.replace("stack backtrace", "")


def test_match_keeps_within_its_memory(tmp_path: Path) -> None:
    """With ``KOLMATCH_MEMORY=200000x200`` as large as the issue asks; 2,000 by 20 works today."""
    kols, briefs = map(int, os.environ.get("KOLMATCH_MEMORY", "2000x20").split("x"))
    world = simulate(kols=kols, briefs=max(briefs, 20), seed=3)
    world.write(tmp_path / "files", "parquet")
    commands = Commands(tmp_path)
    assert commands.run(["ingest", "files"]).process.exitcode == 0
    asked = world.tables.briefs["brief_id"].head(briefs)
    named = [word for brief_id in asked for word in ("--brief", brief_id)]
    day = f"{world.as_of:%Y-%m-%d}"
    log = tmp_path / "match.log"
    given = (["match", "lake", "--as-of", day, *named], tmp_path, log, resource.RLIMIT_DATA, CAP)
    process = commands.context.Process(target=child.capped, args=given)
    process.start()
    process.join()
    print(log.read_text().strip().splitlines()[-1])
    assert process.exitcode == 0, log.read_text()


def test_too_little_memory_leaves_the_store_whole(tmp_path: Path) -> None:
    place = Place(tmp_path)
    prepare(place, VICTIMS[:4])
    codes = []
    for most in (100, 150, 200, 250, 300):
        place.restore("promoted")
        log = tmp_path / f"{most}.log"
        typed = place.arguments("match")
        given = (typed, place.folder, log, resource.RLIMIT_DATA, most * 2**20)
        process = place.commands.context.Process(target=child.capped, args=given)
        process.start()
        process.join()
        codes.append(process.exitcode)
        assert half(place.seen(), place.states["promoted"], place.states["matched"]) == []
        assert place.commands.run(typed).process.exitcode == 0
        assert whole(place.seen(), place.states["matched"]) == []
    print(f"ended {codes}")
    assert EXHAUSTED in codes
    shutil.rmtree(place.lake)
