"""A Matcher as MLflow stores it, and as MLflow's generic tools see it."""

from __future__ import annotations

from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import pandas as pd

from matcher.model import Matcher
from matcher.vetting import Vetting

FOLDER = "matcher"
"""Folder of a logged model that holds what `Matcher.save` wrote."""
_PACKAGES = ("kolmatch", "lightgbm", "numpy", "pandas", "pydantic", "scipy")


class Scorer:
    """What ``mlflow.pyfunc`` and its Spark UDF see of a Matcher."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def predict(self, features: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score a frame of signals: columns score, fit and cvr, one row a pair."""
        del params
        return self._matcher.score(features)


def find(folder: Path) -> Path:
    """Return the folder inside a downloaded model that `Matcher.save` wrote.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = sorted(folder.rglob("model.json"))
    if not found:
        raise ValueError(f"Got a registered model without model.json in {folder.name}")
    return found[0].parent


def requirements() -> list[str]:
    """Return what a logged model needs, by name: letting MLflow infer it takes 10 s."""
    return [f"{package}=={installed(package)}" for package in _PACKAGES]


def _load_pyfunc(path: str) -> Scorer:
    """Load a logged model; the name is MLflow's."""
    return Scorer(Vetting().load(find(Path(path))))
