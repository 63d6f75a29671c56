"""Which models there are and which one serves: versions, aliases, and who was champion before.

A version is never changed; the aliases ``challenger`` and ``champion`` move. A job resolves an
alias to a version once and uses that version throughout, so that an alias that moves meanwhile
cannot split a run between two models.

In MLflow the last writer of an alias wins. Here a move names the version it believes to replace
and fails if that is no longer so (compare and set), under a lock of the workspace; those who
share a store by its URI but not the workspace are checked the same way, without the lock. Every
champion is written down in a tag of the registered model, newest last, before it becomes one.
What a crash leaves half done is therefore either not begun, or told apart by the alias itself.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from features.errors import UserError
from matcher.flavor import find
from matcher.keepsake import Keepsake, Loaded
from matcher.model import Matcher
from matcher.store import Store
from matcher.tracking import CHALLENGER, CHAMPION, MODEL_NAME, TrackedRun, sweep, track
from matcher.vetting import Vetting

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["CHALLENGER", "CHAMPION", "MODEL_NAME", "Loaded", "Registry", "TrackedRun"]

CHAMPIONS = "champions"
"""Tag of the registered model: versions that were champion, newest last."""
REMEMBERED = 100
"""Champions that are remembered."""

log = logging.getLogger(__name__)


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
        self.store = Store(home, uri)
        # Hidden: a folder that is to become a lake holds nothing else that shows.
        self.vetting = Vetting(home / ".vetted")
        self.keepsake = Keepsake(home / "models", self.vetting.load)

    @property
    def client(self) -> MlflowClient:
        """The MLflow client, with the store initialised (`matcher.store.Store.client`)."""
        return self.store.client

    def run(
        self,
        name: str,
        params: Mapping[str, Any],
        versions: Mapping[str, str] = MappingProxyType({}),
    ) -> AbstractContextManager[TrackedRun]:
        """Track one run over some versions of the tables (`matcher.tracking.track`)."""
        return track(self.store, name, params, versions)

    def sweep(self) -> list[str]:
        """Put an end to what killed runs left (`matcher.tracking.sweep`)."""
        return sweep(self.store)

    # -- aliases -----------------------------------------------------------------------------

    def resolve(self, alias: str) -> str | None:
        """Return the version an alias names now, or ``None``."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client.get_model_version_by_alias(MODEL_NAME, alias).version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def move(self, alias: str, to: str, expected: str | None) -> None:
        """Let an alias name another version, if it still names the expected one.

        Parameters
        ----------
        alias : str
            ``champion`` or ``challenger``.
        to : str
            A version.
        expected : str or None
            What `resolve` said when the decision was made.

        Raises
        ------
        UserError
            If there is no version `to`, or somebody moved the alias meanwhile.
        """
        self._made_by(to)  # is it there at all?
        with self.store.lock("aliases"):
            self._check_unmoved(alias, expected)
            if alias == CHAMPION and to != expected:
                self._write_champions([*self.champions(), to])
            self.client.set_registered_model_alias(MODEL_NAME, alias, to)
            if alias == CHAMPION:
                try:
                    self._keep(Loaded(self.load(to), to, made_at=self.made_at(to)))
                except UserError as error:  # whoever serves it finds that out again, and says so
                    log.warning("the champion could not be kept for bad days: %s", error)

    def champions(self) -> list[str]:
        """Return the versions that were champion, newest last: the last one is it now.

        Empty where there is none. One that a rollback took back is forgotten.
        """
        now = self.resolve(CHAMPION)
        if now is None:
            return []
        tags = self.client.get_registered_model(MODEL_NAME).tags
        told = [str(version) for version in json.loads(tags.get(CHAMPIONS, "[]"))]
        if now not in told:  # other hands than ours moved the alias
            return [*told, now]
        # What follows the champion was announced by a move that was killed, or taken back.
        while told[-1] != now:
            told.pop()
        return told

    def rollback(self, expected: str | None) -> str:
        """Make the previous champion champion again, forgetting the present one.

        Repeated, it goes back champion by champion.

        Parameters
        ----------
        expected : str or None
            The champion that is to go.

        Returns
        -------
        str
            The version that is champion now.

        Raises
        ------
        UserError
            If there is no previous champion or it cannot be loaded, or somebody moved the alias
            meanwhile.
        """
        with self.store.lock("aliases"):
            self._check_unmoved(CHAMPION, expected)
            before = self.champions()
            if len(before) < 2:
                raise UserError(
                    "Got no champion to roll back"
                    if not before
                    else f"Got champion {before[0]}, before which there was none: nothing to roll "
                    "back to"
                )
            back = before[-2]
            matcher = self.load(back)  # one that cannot be loaded must not become champion
            self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, back)
            self._write_champions(before[:-1])
            # On a bad day the model that was just taken back must not serve.
            self._keep(Loaded(matcher, back, made_at=self.made_at(back)))
        return back

    def _check_unmoved(self, alias: str, expected: str | None) -> None:
        now = self.resolve(alias)
        if now != expected:
            raise UserError(
                f"Got {alias} version {now or 'none'} but expected {expected or 'none'}: somebody "
                "moved it meanwhile; look at it and run the command again"
            )

    def _write_champions(self, versions: list[str]) -> None:
        told = json.dumps(versions[-REMEMBERED:])
        self.client.set_registered_model_tag(MODEL_NAME, CHAMPIONS, told)

    # -- versions ----------------------------------------------------------------------------

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

    def status(self, version: str) -> str:
        """Return how the run that made a version ended, ``FINISHED`` if well.

        Raises
        ------
        UserError
            If there is no such version.
        """
        return str(self._made_by(version).info.status)

    def made_at(self, version: str) -> datetime:
        """Return when a version was registered, UTC.

        Raises
        ------
        UserError
            If there is no such version.
        """
        self._made_by(version)  # is it there at all?
        made = self.client.get_model_version(MODEL_NAME, version)
        return datetime.fromtimestamp(made.creation_timestamp / 1000, UTC)

    def made_with(self, params: Mapping[str, str]) -> list[str]:
        """Return the versions made by runs of this workspace that ended well with some parameters.

        Returns
        -------
        list of str
            Oldest first.
        """
        client = self.client
        experiment = client.get_experiment_by_name(self.store.experiment)
        if experiment is None:
            return []
        told = [f"params.`{name}` = '{value}'" for name, value in params.items()]
        wanted = " AND ".join(["attributes.status = 'FINISHED'", *told])
        runs = client.search_runs([experiment.experiment_id], wanted, max_results=1000)
        made = {run.info.run_id for run in runs}
        found = client.search_model_versions(f"name = '{MODEL_NAME}'") if made else []
        return sorted((str(v.version) for v in found if v.run_id in made), key=int)

    def tags(self, version: str) -> dict[str, str]:
        """Return the tags of a version.

        Raises
        ------
        UserError
            If there is no such version.
        """
        self._made_by(version)  # is it there at all?
        return dict(self.client.get_model_version(MODEL_NAME, version).tags)

    def text(self, version: str, name: str) -> str | None:
        """Return a text artifact of the run that made a version; ``None`` where it has none.

        Raises
        ------
        UserError
            If there is no such version.
        """
        run = self._made_by(version)
        import mlflow

        try:
            return str(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{name}"))
        except (OSError, ValueError, mlflow.MlflowException) as error:
            log.info("version %s has no %s: %s", version, name, error)
            return None

    def note(self, version: str, texts: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Add text artifacts to the run that made a version, and tags to the version.

        Raises
        ------
        UserError
            If there is no such version.
        """
        run_id = self._made_by(version).info.run_id
        for name, text in texts.items():
            self.client.log_text(run_id, text, name)
        for key, value in tags.items():
            self.client.set_model_version_tag(MODEL_NAME, version, key, value)

    def load(self, version: str) -> Matcher:
        """Load a version, checking every file's digest, and the first time more (`Vetting`).

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
                return self.vetting.load(find(Path(local)))
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
                return self.keepsake.kept("the registry names no champion")
            loaded = Loaded(self.load(version), version, made_at=self.made_at(version))
        except Exception as error:
            # Whatever ails the registry (network, disk, damage), the night's lists must come out.
            reason = str(error) or type(error).__name__
            kept = self.keepsake.kept(reason)
            if kept is None:
                raise UserError(f"Got no champion from the registry: {reason}") from error
            return kept
        self._keep(loaded)
        return loaded

    def _keep(self, loaded: Loaded) -> None:
        try:
            self.keepsake.keep(loaded)
        except OSError as error:  # a full disk must not stop the lists
            log.warning("the champion could not be kept for bad days: %s", error)

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
