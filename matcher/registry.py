"""Where models live: MLflow runs, versions and aliases. The only module that knows MLflow.

A version is never changed; the aliases ``challenger`` and ``champion`` move. A job resolves an
alias to a version once and uses that version throughout, so that an alias that moves meanwhile
cannot split a run between two models.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.errors import UserError
from matcher.model import Matcher

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Run

MODEL_NAME = "kolmatch"
EXPERIMENT = "kolmatch"
CHALLENGER, CHAMPION = "challenger", "champion"
_FOLDER = "matcher"

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
    """

    matcher: Matcher
    version: str
    stale: str = ""


class Registry:
    """The models of one workspace.

    Parameters
    ----------
    home : Path
        Folder for the default store and for the last good local copy of the champion.
    uri : str, optional
        Any MLflow tracking URI; by default an SQLite file under `home`.
    """

    def __init__(self, home: Path, uri: str | None = None) -> None:
        self.home = home
        self.uri = uri or f"sqlite:///{(home / 'mlflow.db').resolve()}"
        # MLflow writes absolute paths: a lake that was copied must not write into the original.
        place = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]
        self._experiment = EXPERIMENT if uri else f"{EXPERIMENT} {place}"
        self._artifacts = None if uri else (home / "mlartifacts").resolve().as_uri()

    @cached_property
    def client(self) -> MlflowClient:
        """The MLflow client, with the store initialised.

        Raises
        ------
        UserError
            If the store cannot be used.
        """
        from filelock import FileLock

        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        # What a version holds is told by our own commands; a log of every step only hides it.
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # A server that is away must not hold up the night: the last good copy serves.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
        warnings.filterwarnings("ignore", message=".*input example was not provided.*")
        import mlflow
        from mlflow.exceptions import MlflowException

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)

        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            # Two processes that create a fresh SQLite store at once collide in its migrations.
            with FileLock(self.home / "mlflow.lock"):
                client = mlflow.MlflowClient(self.uri, self.uri)
                if client.get_experiment_by_name(self._experiment) is None:
                    client.create_experiment(self._experiment, artifact_location=self._artifacts)
        except MlflowException as error:
            raise UserError(
                f"Got MLflow store {self.uri}, which cannot be used: {error}"
            ) from error
        return client

    @contextmanager
    def run(self, name: str, params: Mapping[str, Any]) -> Iterator[TrackedRun]:
        """Track one training run; what is raised inside marks it failed."""
        client = self.client
        import mlflow

        experiment = mlflow.set_experiment(self._experiment)
        with mlflow.start_run(experiment_id=experiment.experiment_id, run_name=name) as active:
            tracked = TrackedRun(client, active.info.run_id)
            mlflow.log_params({key: str(value)[:6000] for key, value in params.items()})
            yield tracked

    def promote(self, version: str) -> None:
        """Make `version` the champion."""
        self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, version)

    def resolve(self, alias: str) -> str | None:
        """Return the version an alias names now, or ``None``."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client.get_model_version_by_alias(MODEL_NAME, alias).version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def metrics(self, version: str) -> dict[str, float]:
        """Return the metrics of the run that made a version.

        Raises
        ------
        UserError
            If there is no such version.
        """
        return dict(self._made_by(version).data.metrics)

    def params(self, version: str) -> dict[str, str]:
        """Return the parameters of the run that made a version, such as ``split``.

        Raises
        ------
        UserError
            If there is no such version.
        """
        return dict(self._made_by(version).data.params)

    def _made_by(self, version: str) -> Run:
        from mlflow.exceptions import MlflowException

        try:
            made = self.client.get_model_version(MODEL_NAME, version)
        except MlflowException as error:
            raise UserError(
                f"Got model version {version} but expected one of: {self._versions()}"
            ) from error
        return self.client.get_run(str(made.run_id))

    def _versions(self) -> str:
        found = self.client.search_model_versions(f"name = '{MODEL_NAME}'")
        return ", ".join(sorted((str(v.version) for v in found), key=int)) or "none"

    def load(self, version: str) -> Matcher:
        """Load a version, checking every file's digest.

        Raises
        ------
        UserError
            If there is no such version, or its files are missing or damaged.
        """
        self._made_by(version)  # is it there at all?
        import mlflow

        try:
            with tempfile.TemporaryDirectory() as temporary:
                local = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{MODEL_NAME}/{version}", dst_path=temporary
                )
                return Matcher.load(_find(Path(local)))
        except (OSError, ValueError, mlflow.MlflowException) as error:
            raise UserError(
                f"Got model version {version}, which cannot be loaded: {error}"
            ) from error

    def champion(self) -> Loaded | None:
        """Load the champion, or its last good local copy where the registry cannot give it.

        Returns
        -------
        Loaded or None
            ``None`` if no model was ever promoted here.

        Raises
        ------
        UserError
            If the registry cannot give the champion and there is no good copy.
        """
        try:
            version = self.resolve(CHAMPION)
            if version is None:
                # A store that forgot its champion (moved, emptied, mistyped) is no new store.
                return self._kept("the registry names no champion")
            loaded = Loaded(self.load(version), version)
        except Exception as error:
            # Whatever ails the registry (network, disk, damage), the night's lists must come out.
            reason = str(error) or type(error).__name__
            kept = self._kept(reason)
            if kept is None:
                raise UserError(f"Got no champion from the registry: {reason}") from error
            return kept
        try:
            self._keep(loaded)
        except OSError as error:  # a full disk must not stop the lists
            log.warning("the champion could not be kept for bad days: %s", error)
        return loaded

    @property
    def _local(self) -> Path:
        return self.home / "models"

    def _keep(self, loaded: Loaded) -> None:
        # Named by content: another store gives the same version number to another model.
        name = loaded.matcher.hash
        folder = self._local / name
        if not _is_whole(folder):
            self._local.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=self._local))
            loaded.matcher.save(temporary)
            shutil.rmtree(folder, ignore_errors=True)
            try:
                temporary.replace(folder)
            except OSError:  # another process kept the same model first
                shutil.rmtree(temporary)
        pointer = self._local / f"champion.{os.getpid()}.tmp"
        told = {"version": loaded.version, "hash": name}
        pointer.write_text(json.dumps(told), encoding="utf-8")
        pointer.replace(self._local / "champion.json")

    def _kept(self, reason: str) -> Loaded | None:
        """Return the last good copy, or ``None`` where there is none that is whole."""
        try:
            told = json.loads((self._local / "champion.json").read_text(encoding="utf-8"))
            return Loaded(Matcher.load(self._local / told["hash"]), str(told["version"]), reason)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.info("no good local copy of the champion: %s", error)
            return None


@dataclass(frozen=True)
class TrackedRun:
    """One open MLflow run."""

    client: MlflowClient
    run_id: str

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics; those without a value are left out."""
        import mlflow

        mlflow.log_metrics({k: float(v) for k, v in values.items() if pd.notna(v)})

    def tag(self, name: str, text: str) -> None:
        """Say something of the run in words."""
        import mlflow

        mlflow.set_tag(name, text[:5000])

    def table(self, frame: pd.DataFrame, name: str) -> None:
        """Log a frame as a CSV artifact."""
        import mlflow

        mlflow.log_text(frame.to_csv(index=False), name)

    def figure(self, figure: Figure, name: str) -> None:
        """Log a plot."""
        import mlflow

        mlflow.log_figure(figure, name)

    def register(self, matcher: Matcher, sample: pd.DataFrame) -> str:
        """Log and register a model as a new version under the alias ``challenger``.

        Parameters
        ----------
        matcher : Matcher
            A trained model.
        sample : DataFrame
            A few rows of signals, for the signature.

        Returns
        -------
        str
            The new version.
        """
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.models import infer_signature

        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / _FOLDER
            matcher.save(folder)
            info = mlflow.pyfunc.log_model(
                name="model",
                loader_module="matcher.registry",
                data_path=str(folder),
                signature=infer_signature(sample, _Scorer(matcher).predict(sample)),
                pip_requirements=_requirements(),
            )
        with suppress(MlflowException):  # it exists already
            self.client.create_registered_model(MODEL_NAME)
        made = self.client.create_model_version(
            MODEL_NAME, info.model_uri, run_id=self.run_id, model_id=info.model_id
        )
        version = str(made.version)
        self.client.set_registered_model_alias(MODEL_NAME, CHALLENGER, version)
        return version


def _requirements() -> list[str]:
    # Named explicitly: letting MLflow infer them imports the world and takes 10 s.
    packages = ("kolmatch", "lightgbm", "numpy", "pandas", "pydantic", "scipy")
    return [f"{package}=={installed(package)}" for package in packages]


def _is_whole(folder: Path) -> bool:
    try:
        Matcher.load(folder)
    except ValueError:
        return False
    return True


def _find(folder: Path) -> Path:
    """Return the folder inside a downloaded artifact that `Matcher.save` wrote."""
    found = sorted(folder.rglob("model.json"))
    if not found:
        raise ValueError(f"Got a registered model without model.json in {folder.name}")
    return found[0].parent


class _Scorer:
    """What MLflow's generic tools (``mlflow.pyfunc``, its Spark UDF) see of a Matcher."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def predict(self, features: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score a frame of signals: columns score, fit and cvr, one row a pair."""
        del params
        return self._matcher.score(features)


def _load_pyfunc(path: str) -> _Scorer:
    return _Scorer(Matcher.load(_find(Path(path))))
