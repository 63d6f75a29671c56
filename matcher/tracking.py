"""Training runs in MLflow: tracked while they live, swept once they died.

A run that is killed stays RUNNING in MLflow for ever. So each holds a *lease* while it lives: a
lock file of the workspace, named in the run's tags, that the system releases when the process
ends, however it ends. Whoever can take the lease of a running run has proof that nobody is there.
"""

from __future__ import annotations

import json
import logging
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.formulas import harmless
from features.publishing import publishing
from matcher import flavor
from matcher.model import Matcher
from matcher.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MODEL_NAME = "kolmatch"
CHALLENGER, CHAMPION = "challenger", "champion"
LEASE, WORKSPACE = "kolmatch.lease", "kolmatch.workspace"
"""Tags of a run: the name of its lock file, and where that file means anything."""
_LEASES = "leases"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackedRun:
    """One open MLflow run."""

    client: MlflowClient
    run_id: str

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics; those without a value are left out."""
        import mlflow

        mlflow.log_metrics({k: float(v) for k, v in values.items() if pd.notna(v)})

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        import mlflow

        mlflow.log_params({key: str(value)[:6000] for key, value in values.items()})

    def tag(self, name: str, text: str) -> None:
        """Say something of the run in words."""
        import mlflow

        mlflow.set_tag(name, text[:5000])

    def table(self, frame: pd.DataFrame, name: str) -> None:
        """Log a frame as a CSV artifact; no text in it is a formula to who opens it."""
        words = frame.select_dtypes(exclude=["number", "bool", "datetime", "datetimetz"]).columns
        safe = {word: frame[word].map(_harmless) for word in words}
        self.text(frame.assign(**safe).to_csv(index=False), name)

    def text(self, text: str, name: str) -> None:
        """Log a text artifact."""
        import mlflow

        mlflow.log_text(text, name)

    def json(self, content: Any, name: str) -> None:
        """Log a JSON artifact, keys sorted."""
        self.text(json.dumps(content, ensure_ascii=False, sort_keys=True), name)

    def register(self, matcher: Matcher, sample: pd.DataFrame) -> str:
        """Log and register a model as a new version.

        It is no challenger yet: that is `challenge`, once all is known of it.

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
            folder = Path(temporary) / flavor.FOLDER
            matcher.save(folder)
            info = mlflow.pyfunc.log_model(
                name="model",
                loader_module="matcher.flavor",
                data_path=str(folder),
                signature=infer_signature(sample, flavor.Scorer(matcher).predict(sample)),
                pip_requirements=flavor.requirements(),
            )
        with suppress(MlflowException):  # it exists already
            self.client.create_registered_model(MODEL_NAME)
        made = self.client.create_model_version(
            MODEL_NAME, info.model_uri, run_id=self.run_id, model_id=info.model_id
        )
        return str(made.version)

    def challenge(self, version: str) -> None:
        """Let the alias ``challenger`` name a version, once the run that made it has ended well.

        A run that dies earlier leaves the alias where it was.
        """
        self.client.set_registered_model_alias(MODEL_NAME, CHALLENGER, version)


@contextmanager
def track(
    store: Store,
    name: str,
    params: Mapping[str, Any],
    versions: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[TrackedRun]:
    """Track one training run; what is raised inside marks it failed.

    Before it begins, what killed runs of this workspace left is swept. While it goes on nobody can
    be erased.

    Parameters
    ----------
    store : Store
        Where.
    name : str
        What people call the run.
    params : mapping
        Its parameters.
    versions : mapping of str to str
        Version of each table that was read.

    Raises
    ------
    UserError
        If somebody was erased since these were read: what is logged would bring the name back.
    """
    client = store.client
    import mlflow

    sweep(store)
    token = uuid.uuid4().hex
    # The lease comes before the run: a run that nobody holds yet would look dead.
    with _lease(store, token):
        experiment = mlflow.set_experiment(store.experiment)
        tags = {LEASE: token, WORKSPACE: store.workspace}
        with publishing(store.home, versions):
            begun = mlflow.start_run(
                experiment_id=experiment.experiment_id, run_name=name, tags=tags
            )
        with begun as active:
            tracked = TrackedRun(client, active.info.run_id)
            tracked.params(params)
            yield tracked


def sweep(store: Store) -> list[str]:
    """Put an end to what killed runs of this workspace left.

    Their runs become KILLED, their half-made logged models are deleted, and so are versions that
    they registered of which no file is there. Runs of other machines or workspaces, and those
    whose lease somebody holds, are let be: they may be alive.

    Returns
    -------
    list of str
        Ids of the runs that were swept.
    """
    client = store.client
    swept = []
    for run in _dead(store):
        _bury(client, run)
        swept.append(run.info.run_id)
    if swept:
        log.warning("swept %d training run(s) that were killed: %s", len(swept), ", ".join(swept))
    return swept


def killed(store: Store) -> list[str]:
    """Return the ids of the runs that `sweep` would put an end to; change nothing."""
    return [run.info.run_id for run in _dead(store)]


def _dead(store: Store) -> Iterator[Run]:
    """Yield running runs of this workspace that no process holds, holding each meanwhile."""
    client = store.client
    experiment = client.get_experiment_by_name(store.experiment)
    if experiment is None:
        return
    mine = f"attributes.status = 'RUNNING' AND tags.`{WORKSPACE}` = '{_quoted(store.workspace)}'"
    for run in client.search_runs([experiment.experiment_id], mine, max_results=1000):
        with _taken(store, run.data.tags.get(LEASE, "")) as dead:
            # It may have ended well between the search and the taking of its lease.
            if dead and client.get_run(run.info.run_id).info.status == "RUNNING":
                yield run


def _bury(client: MlflowClient, run: Run) -> None:
    """Delete what a dead run made by halves, then mark it: a sweep that is killed starts anew."""
    run_id = run.info.run_id
    made = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run_id}'", max_results=1000
    )
    for model in made:
        if str(model.status) != "READY":
            client.delete_logged_model(model.model_id)
    for version in client.search_model_versions(f"name = '{MODEL_NAME}' AND run_id = '{run_id}'"):
        if not _has_files(str(version.version)):
            client.delete_model_version(MODEL_NAME, str(version.version))
    client.set_terminated(run_id, "KILLED")


def _has_files(version: str) -> bool:
    from mlflow.artifacts import list_artifacts
    from mlflow.exceptions import MlflowException

    try:
        return bool(list_artifacts(artifact_uri=f"models:/{MODEL_NAME}/{version}"))
    except (MlflowException, OSError):
        return False


@contextmanager
def _lease(store: Store, token: str) -> Iterator[None]:
    (store.home / _LEASES).mkdir(parents=True, exist_ok=True)
    try:
        with store.lock(f"{_LEASES}/{token}"):
            yield
    finally:
        (store.home / _LEASES / f"{token}.lock").unlink(missing_ok=True)


@contextmanager
def _taken(store: Store, token: str) -> Iterator[bool]:
    """Take the lease of a run, saying whether nobody held it."""
    from filelock import Timeout

    # A token comes from a store that others may write: it must name a file and nothing else.
    if not token.isalnum():
        yield False
        return
    (store.home / _LEASES).mkdir(parents=True, exist_ok=True)
    try:
        lock = store.lock(f"{_LEASES}/{token}")
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
        (store.home / _LEASES / f"{token}.lock").unlink(missing_ok=True)


def _harmless(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
