"""The MLflow store of one workspace: opened once, made under a lock."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import tempfile
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import UserError

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from mlflow import MlflowClient

EXPERIMENT = "kolmatch"


class Store:
    """Where a workspace's runs and models are kept.

    Parameters
    ----------
    home : Path
        Folder of the workspace: of the default store, and of the locks.
    uri : str, optional
        Any MLflow tracking URI; by default an SQLite file under `home`.
    """

    def __init__(self, home: Path, uri: str | None = None) -> None:
        self.home = home
        self.uri = uri or f"sqlite:///{(home / 'mlflow.db').resolve()}"
        # MLflow writes absolute paths: a lake that was copied must not write into the original.
        place = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]
        self.experiment = EXPERIMENT if uri else f"{EXPERIMENT} {place}"
        self._artifacts = None if uri else (home / "mlartifacts").resolve().as_uri()

    @property
    def workspace(self) -> str:
        """Which folder of which machine this is: only there do its locks mean anything."""
        return f"{socket.gethostname()}:{self.home.resolve()}"

    def lock(self, name: str) -> BaseFileLock:
        """Return a lock of the workspace, released by the system when its holder dies."""
        from filelock import FileLock

        self.home.mkdir(parents=True, exist_ok=True)
        return FileLock(self.home / f"{name}.lock")

    @property
    def client(self) -> MlflowClient:
        """The MLflow client, with the store initialised.

        MLflow's own functions know one store at a time, and another may have been used since: from
        here on it is this one.

        Raises
        ------
        UserError
            If the store cannot be used.
        """
        client = self._client
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return client

    @cached_property
    def _client(self) -> MlflowClient:
        # Both before MLflow is imported. Nothing of ours is a pickle, so none needs to be read.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
        # What a version holds is told by our own commands; a log of every step only hides it.
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # With a server MLflow prints addresses on stdout, which is the commands' own.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        # A server that is away must not hold up the night: the last good copy serves.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
        warnings.filterwarnings("ignore", message=".*input example was not provided.*")
        import mlflow
        from mlflow.exceptions import MlflowException

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        # It logs each fault of the database, with a traceback, and raises it too.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        try:
            # Two processes that create a fresh SQLite store at once collide in its migrations.
            with self.lock("mlflow"):
                _make(self.uri)
                client = mlflow.MlflowClient(self.uri, self.uri)
                if client.get_experiment_by_name(self.experiment) is None:
                    client.create_experiment(self.experiment, artifact_location=self._artifacts)
        except MlflowException as error:
            raise UserError(
                f"Got MLflow store {self.uri}, which cannot be used: {error}"
            ) from error
        return client


def _make(uri: str) -> None:
    """Make a new SQLite store beside its place and move it there once it is whole.

    MLflow makes its tables in some seventy steps. Killed between two halves of one, it would find
    its own half-made table the next time, and never get past it.
    """
    file = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or file.exists():
        return
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH as USUAL
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:
        made = Path(folder) / file.name
        store = SqlAlchemyStore(f"sqlite:///{made.resolve()}", USUAL)  # type: ignore[no-untyped-call]
        store.engine.dispose()
        try:
            # Never over one that another workspace made meanwhile, which may hold something by now.
            os.link(made, file)
        except FileExistsError:
            return
        except OSError:  # a disk without hard links
            made.replace(file)
