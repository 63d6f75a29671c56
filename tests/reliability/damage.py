"""A registered champion whose files lose a bit or their end, and what serving makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import UserError
from matcher.model import Matcher
from matcher.registry import CHAMPION, Registry

REGISTRY, COPY = "registry", "local copy"


@dataclass
class Damages:
    """A workspace with a champion, to be damaged.

    Attributes
    ----------
    home : Path
        Empty.
    matcher : Matcher
        The champion.
    signals : DataFrame
        Pairs that are scored.
    """

    home: Path
    matcher: Matcher
    signals: pd.DataFrame
    found: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        registry = Registry(self.home)
        with registry.run("train", {}) as run:
            version = run.register(self.matcher, self.signals.head(5))
        registry.move(CHAMPION, version, None)
        self.right = self.matcher.score(self.signals)

    @property
    def files(self) -> dict[str, list[Path]]:
        """Every file of the model, in the registry and in the local copy."""
        stored = (self.home / "mlartifacts" / "models").rglob("*")
        kept = (self.home / "models").rglob("*")
        return {
            REGISTRY: sorted(path for path in stored if path.is_file()),
            COPY: sorted(path for path in kept if path.is_file()),
        }

    def all(self, flips: int, cuts: int, seed: int = 0) -> None:
        """Flip so many bits and cut so many ends, spread over the files of each place."""
        rng = np.random.default_rng(seed)
        for where, files in self.files.items():
            for kind, times in (("flip", flips), ("cut", cuts)):
                for number in range(times):
                    file = files[number % len(files)]
                    self._one(where, kind, file, rng)

    def _one(self, where: str, kind: str, file: Path, rng: np.random.Generator) -> None:
        whole = file.read_bytes()
        damaged = bytearray(whole)
        if kind == "flip" and damaged:
            damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        else:
            del damaged[int(rng.integers(max(len(damaged), 1))) :]
        # The copy is looked at only where the registry cannot give the model: hide it there.
        hidden = list(self._hidden()) if where == COPY else []
        file.write_bytes(damaged)
        try:
            self.found[where, kind, self._came(where)] += 1
        finally:
            file.write_bytes(whole)
            for path, name in hidden:
                name.rename(path)

    def _hidden(self) -> Iterator[tuple[Path, Path]]:
        for path in self.files[REGISTRY]:
            if path.name == "model.json":
                yield path, path.rename(path.with_name("hidden"))

    def _came(self, where: str) -> str:
        """Say what serving made of the damage."""
        try:
            loaded = Registry(self.home).champion()
        except UserError as error:
            return "refused in words" if "Got " in str(error) else f"unclear: {error}"
        if loaded is None:
            return "forgotten"
        told = loaded.matcher.score(self.signals)
        same = told.equals(self.right) and (loaded.version, loaded.matcher) == ("1", self.matcher)
        if not same:
            return "another score"
        if not loaded.stale:
            return "harmless: no byte that is read"
        return "served by the copy, and said so" if where == REGISTRY else "harmless in the copy"


GOOD = (
    "refused in words",
    "harmless: no byte that is read",
    "harmless in the copy",
    "served by the copy, and said so",
)
"""What may come of damage."""
