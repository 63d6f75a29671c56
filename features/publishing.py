"""The one door through which anything that is made of people's data is written.

An erasure, or a pruning, cleans what it finds. Whoever read the data before it and wrote after it
would bring back what was taken out. So whatever writes goes through `publishing`, or `writing`
where it takes long: while it writes an erasure waits, and once an erasure has been it is refused.
What tells that is the commit that was read: whoever takes rows out forgets all commits before.

There are two locks. Who publishes tables holds the first alone, for moments. Who writes files
holds the second together with other writers, however long it takes, and the first only to enter.
An erasure holds both alone: it waits for the writers that are inside, and whoever comes later
waits for it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from features.errors import UserError
from features.lake import ERASING, Lake, check_no_erasure


@contextmanager
def results_lock(home: Path) -> Iterator[None]:
    """Keep other processes from writing results, and files made of them, meanwhile."""
    with _turn(home), _files_lock(home, fcntl.LOCK_EX):
        yield


@contextmanager
def publishing(home: Path, versions: Mapping[str, str]) -> Iterator[None]:
    """Write inside this what was made of some versions of the tables.

    It does not nest. What is written in it an erasure finds, or it was never written.

    Parameters
    ----------
    home : Path
        Folder for what is made from the data.
    versions : mapping of str to str
        Version of each table that was read, as `features.lake.Data` tells.

    Raises
    ------
    UserError
        If rows were taken out since, by an erasure or a pruning, or one was cut off.
    """
    with _turn(home):
        check_no_erasure(home)
        if not still_there(home, versions):
            raise UserError(
                "Got data from which somebody was erased, or that was pruned, since it was read; "
                "nothing that was made of it is written: run the command again"
            )
        yield


@contextmanager
def writing(
    home: Path, versions: Mapping[str, str], announce: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Write inside this, beside others, files that were made of some versions of the tables.

    What holds of `publishing` holds of it, save that others publish and write meanwhile; inside
    it nothing is published.

    Parameters
    ----------
    home : Path
        Folder for what is made from the data.
    versions : mapping of str to str
        Version of each table that was read.
    announce : callable
        Writes down where an erasure has to look, even if the writing is cut off; called alone.

    Raises
    ------
    UserError
        As `publishing` does.
    """
    with ExitStack() as inside:
        with publishing(home, versions):
            announce()
            # No erasure is inside: it would hold the lock that is held here.
            inside.enter_context(_files_lock(home, fcntl.LOCK_SH))
        yield


def still_there(home: Path, versions: Mapping[str, str]) -> bool:
    """Say whether no row was taken out of some versions of the tables since."""
    lake = Lake(home)
    erasing = (home / ERASING).exists()
    return not versions or not lake.exists() or (not erasing and lake.remembers(versions))


@contextmanager
def _turn(home: Path) -> Iterator[None]:
    from filelock import FileLock

    folder = home / "results"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield


@contextmanager
def _files_lock(home: Path, kind: int) -> Iterator[None]:
    """Hold the lock of those who write files: together with others, or alone."""
    file = os.open(home / "results" / ".files.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, kind)
        yield
    finally:
        os.close(file)  # and with it the lock
