"""Where lists are written: an erasure has to find them outside the lake too.

Folders that a run has for itself are remembered whole, other files by their names; both before
anything is written, so that what a killed job left is found too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from features.publishing import writing
from features.whole import write_whole
from serving.privacy.models import is_weights

FILE = "outputs.json"
Door = Callable[[Iterable[Path]], AbstractContextManager[object]]
"""What is told of the files that are about to be written, and is held while they are."""


def door(home: Path, versions: Mapping[str, str]) -> Door:
    """Return the door for files that are made of some versions of the tables.

    Parameters and errors are those of `features.publishing.writing`.
    """
    return lambda paths: writing(home, versions, lambda: remember(home, paths))


def remember(home: Path, paths: Iterable[Path]) -> None:
    """Remember files and folders that lists are about to be written to, outside the workspace.

    Parameters
    ----------
    home : Path
        The workspace. What lies in it needs no remembering.
    paths : iterable of Path
        Folders that hold nothing but lists, and files.

    Call it through `door`: two that do this at once would forget each other's.
    """
    inside = home.resolve()
    mine = {str(path.resolve()) for path in paths if not path.resolve().is_relative_to(inside)}
    if not mine:
        return
    known = set(remembered(home))
    if mine - known:
        write_whole(home / FILE, json.dumps(sorted(known | mine), indent=1, ensure_ascii=False))


def forget_deleted(home: Path, lost: Iterable[str]) -> None:
    """Forget places that an erasure deleted: all that are gone save those `lost` before it."""
    known, kept = remembered(home), set(lost)
    there = [one for one in known if one in kept or Path(one).exists()]
    if there != known:
        write_whole(home / FILE, json.dumps(there, indent=1, ensure_ascii=False))


def remembered(home: Path) -> list[str]:
    """Return the files and folders that lists were written to, outside the workspace."""
    path = home / FILE
    if not path.exists():
        return []
    return [str(one) for one in json.loads(path.read_text(encoding="utf-8"))]


def files_in(home: Path) -> Iterator[Path]:
    """Yield the files of a workspace and those it remembers, that are not tables or stores.

    Tables, vectors, databases and models are looked after where they are made.
    """
    skipped = [home / name for name in ("tables", "commits", "vectors", "models", "encoders")]
    roots = [home, *map(Path, remembered(home))]
    for root in roots:
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            if path.parent == home and path.name in _OURS:
                continue
            if any(path.is_relative_to(folder) for folder in skipped):
                continue
            if path.is_relative_to(home / "results") or "_delta_log" in path.parts:
                continue
            if path.suffix == ".lock" or is_weights(path):
                continue
            yield path


_OURS = frozenset({"kolmatch.json", "erased.json", ".erasing.json", FILE})
