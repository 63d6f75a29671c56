"""Models and the MLflow store: who was taught by an erased KOL, and what files tell of one."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from features.errors import UserError
from matcher.registry import MODEL_NAME, Registry
from matcher.tracking import LEASE, WORKSPACE

ERASURE = "erasure"
"""Tag of a version that learned from the data of somebody who was erased since."""


@dataclass(frozen=True)
class Seen:
    """Versions of the table of KOLs in which somebody was.

    Attributes
    ----------
    versions : frozenset of int
        Those that could be read and held one of the erased.
    oldest : int
        The oldest that could be read; of earlier ones nobody knows.
    """

    versions: frozenset[int]
    oldest: int

    def taught(self, data_versions: str) -> bool:
        """Tell whether a model trained on these versions may have learned from them."""
        try:
            version = int(json.loads(data_versions)["kols"])
        except (ValueError, KeyError, TypeError):
            return True  # trained on files, or by hand: nobody knows
        return version < self.oldest or version in self.versions


def has_store(registry: Registry) -> bool:
    """Tell whether anything was ever tracked; to look must not make a store."""
    file = sqlite_file(registry.store.uri)
    return file is None or file.exists()


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite store, ``None`` for another kind."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def taught_versions(registry: Registry, seen: Seen) -> list[str]:
    """Return the versions of this workspace that may have learned from the erased."""
    client = registry.client
    own = sqlite_file(registry.store.uri) == registry.store.home.resolve() / "mlflow.db"
    found = []
    for version in client.search_model_versions(f"name = '{MODEL_NAME}'"):
        data = client.get_run(str(version.run_id)).data
        # Others may share a store of a given address; the default one is the workspace's alone,
        # wherever it was when the model was made.
        mine = own or data.tags.get(WORKSPACE) == registry.store.workspace
        if mine and seen.taught(data.params.get("data_versions", "")):
            found.append(str(version.version))
    return sorted(found, key=int)


def mark(registry: Registry, versions: Collection[str], day: str) -> None:
    """Say of versions that they should be trained anew."""
    told = f"retrain: learned from the data of a KOL who was erased on {day}"
    for version in versions:
        registry.note(version, {}, {ERASURE: told})


def check_nobody_trains(registry: Registry) -> None:
    """Refuse while a training of this workspace is at work: it would log what it read before.

    Raises
    ------
    UserError
        If one is.
    """
    client, store = registry.client, registry.store
    registry.sweep()
    experiment = client.get_experiment_by_name(store.experiment)
    if experiment is None:
        return
    alive = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
    mine = [r for r in alive if r.data.tags.get(WORKSPACE) == store.workspace]
    if any(LEASE in run.data.tags for run in mine):
        raise UserError("Got a training at work on this lake; erase when it has ended")


def is_weights(path: Path) -> bool:
    """Tell whether a file belongs to a saved model: weights, and a digest of them."""
    return (path.parent / "model.json").is_file()


def artifact_folders(registry: Registry) -> tuple[list[Path], list[str]]:
    """Return where artifacts lie on this machine, and the addresses of those that do not."""
    experiment = registry.client.get_experiment_by_name(registry.store.experiment)
    if experiment is None:
        return [], []
    place = str(experiment.artifact_location)
    told = urlparse(place)
    if told.scheme not in ("", "file"):
        return [], [place]
    folder = Path(unquote(told.path))
    return ([folder] if folder.is_dir() else []), []
