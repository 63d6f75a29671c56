"""A small workspace at a fixed place, whose states can be kept and restored."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from features.simulate import World, simulate
from tests.reliability import child
from tests.reliability.processes import Commands

SETTINGS = """
[training]
least_briefs = 5
unknown_per_brief = 2
folds = 2

[forecast]
trees = 3
least_rows = 20

[ranker]
trees = 3

[intervals]
trees = 2

[affinity]
strength = [0.0]

[plan]
steps = [1.0]
entry_prices = 0
draws = 100

[serving]
draws = 100
top = 5
"""
MATCH = "run"
"""Id of the run that commands publish."""


@dataclass
class Place:
    """A folder with files to ingest, settings, and a lake.

    Attributes
    ----------
    folder : Path
        Empty. States of the lake are kept beside it, since MLflow writes absolute paths: a lake
        is always restored to where it was.
    """

    folder: Path
    kols: int = 30
    briefs: int = 24
    states: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world: World = simulate(kols=self.kols, briefs=self.briefs, seed=2)
        self.world.write(self.folder / "files", "parquet")
        (self.folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
        posts = self.world.tables.posts
        first = posts["post_id"] < posts["post_id"].sort_values().iloc[len(posts) // 2]
        for name, half in (("one", first), ("two", ~first)):
            tables = self.world.tables.replace(posts=posts[half].reset_index(drop=True))
            replace(self.world, tables=tables).write(self.folder / name, "parquet")

    @cached_property
    def commands(self) -> Commands:
        """What starts commands here."""
        return Commands(self.folder)

    @property
    def lake(self) -> Path:
        """The lake."""
        return self.folder / "lake"

    @property
    def day(self) -> str:
        """The day on which the world ends."""
        return f"{self.world.as_of:%Y-%m-%d}"

    @cached_property
    def brief(self) -> str:
        """A brief that is open on that day."""
        briefs = self.world.tables.briefs
        return str(briefs.loc[briefs["decided_at"].isna(), "brief_id"].min())

    @cached_property
    def victim(self) -> str:
        """Who is erased, by id: the first on the list that `match` publishes for the brief."""
        told: str = self.commands.ask(child.first_of_run, self.folder / "kept" / "matched", MATCH)
        return told

    @cached_property
    def victims_name(self) -> str:
        """What that KOL is called."""
        kols = self.world.tables.kols.set_index("kol_id")["display_name"]
        return str(kols[self.victim])

    def arguments(self, command: str) -> list[str]:
        """Return how a command is typed here, in its usual form; with what it reads, if asked."""
        settings = ["--config", "settings.toml"]
        typed = {
            "ingest": ["files"],
            "train": ["lake", *settings],
            "promote": ["lake", "--force"],
            "match": ["lake", "--as-of", self.day, "--run-id", MATCH, "--brief", self.brief],
            "plan": ["lake", "--brief", self.brief, *settings],
            "erase": ["lake", self.victim] if command == "erase" else [],
            "retrain": ["--lake", "lake", "--as-of", self.day, *settings],
        }
        name, _, files = command.partition(" ")
        return ["--json", name, *([files] if files else typed[name])]

    def keep(self, name: str) -> dict[str, Any]:
        """Keep the lake as it is now under a name, and return what readers see of it."""
        self.states[name] = self.seen()
        shutil.rmtree(self._kept(name), ignore_errors=True)
        if self.lake.exists():
            shutil.copytree(self.lake, self._kept(name))
        return self.states[name]

    def restore(self, name: str) -> None:
        """Make the lake as it was when it was kept."""
        shutil.rmtree(self.lake, ignore_errors=True)
        if self._kept(name).exists():
            shutil.copytree(self._kept(name), self.lake, dirs_exist_ok=True)

    def seen(self) -> dict[str, Any]:
        """Return what readers see of the lake now."""
        told: dict[str, Any] = self.commands.ask(child.seen, self.lake)
        return told

    def _kept(self, name: str) -> Path:
        return self.folder / "kept" / name
