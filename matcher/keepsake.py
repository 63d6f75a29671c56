"""The last good local copy of the champion, for nights on which the registry is away."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from matcher.model import Matcher

_PARTIAL = "tmp"
"""How names of folders that are being written begin."""
_ABANDONED = 24 * 3600
"""Seconds after which whoever was writing one must be dead."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A model ready to serve.

    Attributes
    ----------
    matcher : Matcher
        The model.
    version : str
        Its version in the registry.
    stale : str
        Why an older local copy is served instead of the registry's; empty when it is not.
    made_at : datetime or None
        When it was registered, UTC; ``None`` where that is not known.
    """

    matcher: Matcher
    version: str
    stale: str = ""
    made_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Keepsake:
    """A folder of whole models, and a pointer to the one that was champion last.

    Attributes
    ----------
    folder : Path
        Made when needed.
    load : callable
        Loads a model from its folder, or raises ValueError.
    """

    folder: Path
    load: Callable[[Path], Matcher] = Matcher.load

    def keep(self, loaded: Loaded) -> None:
        """Keep a champion; where it is kept already, only the pointer moves.

        Raises
        ------
        OSError
            If the disk is full or refuses; what was kept before still stands.
        """
        # Named by content: another store gives the same version number to another model.
        name = loaded.matcher.hash
        folder = self.folder / name
        if not _is_whole(folder):
            self._sweep()
            # Not by `tempfile`, whose folders only this user may read: others may serve as well.
            temporary = self.folder / f"{_PARTIAL}{uuid.uuid4().hex}"
            loaded.matcher.save(temporary)
            shutil.rmtree(folder, ignore_errors=True)
            try:
                temporary.replace(folder)
            except OSError:  # another process kept the same model first
                shutil.rmtree(temporary)
        pointer = self.folder / f"champion.{os.getpid()}.tmp"
        made_at = None if loaded.made_at is None else loaded.made_at.isoformat()
        told = {"version": loaded.version, "hash": name, "made_at": made_at}
        pointer.write_text(json.dumps(told | {"sha256": _digest(told)}), encoding="utf-8")
        pointer.replace(self.folder / "champion.json")

    def _sweep(self) -> None:
        """Delete what killed processes left half written."""
        for path in self.folder.glob(f"{_PARTIAL}*/"):
            with suppress(OSError):  # another process sweeps as well
                if path.stat().st_mtime < time.time() - _ABANDONED:
                    shutil.rmtree(path)

    def find(self, model_hash: str) -> Matcher | None:
        """Return a model by its hash; ``None`` where it is not kept, or not whole."""
        try:
            matcher = Matcher.load(self.folder / model_hash)
        except ValueError:
            return None
        return matcher if matcher.hash == model_hash else None

    def kept(self, reason: str) -> Loaded | None:
        """Return the last good copy as stale for a reason; ``None`` where none is whole."""
        try:
            told = json.loads((self.folder / "champion.json").read_text(encoding="utf-8"))
            if told.pop("sha256") != _digest(told):
                raise ValueError("champion.json is damaged: its digest differs")
            made_at = told["made_at"] and datetime.fromisoformat(told["made_at"]).astimezone(UTC)
            matcher = self.load(self.folder / told["hash"])
            return Loaded(matcher, str(told["version"]), reason, made_at)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.info("no good local copy of the champion: %s", error)
            return None


def _digest(told: dict[str, str | None]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _is_whole(folder: Path) -> bool:
    try:
        Matcher.load(folder)
    except ValueError:
        return False
    return True
