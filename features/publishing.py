"""The one door through which anything that is made of people's data is written.

An erasure, or a pruning, cleans what it finds. Whoever read the data before it and wrote after it
would bring back what was taken out. So whatever writes goes through `publishing`: while it writes
an erasure waits, and once an erasure has been it is refused. What tells that is the commit that
was read: whoever takes rows out forgets all commits before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from features.errors import UserError
from features.lake import ERASING, Lake, check_no_erasure


@contextmanager
def results_lock(home: Path) -> Iterator[None]:
    """Keep other processes from writing results meanwhile."""
    from filelock import FileLock

    folder = home / "results"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
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
    with results_lock(home):
        check_no_erasure(home)
        if not still_there(home, versions):
            raise UserError(
                "Got data from which somebody was erased, or that was pruned, since it was read; "
                "nothing that was made of it is written: run the command again"
            )
        yield


def still_there(home: Path, versions: Mapping[str, str]) -> bool:
    """Say whether no row was taken out of some versions of the tables since."""
    lake = Lake(home)
    erasing = (home / ERASING).exists()
    return not versions or not lake.exists() or (not erasing and lake.remembers(versions))
