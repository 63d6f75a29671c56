"""The retraining job: once for the same data, whole after a kill, and never two at once."""

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from features.errors import UserError
from features.lake import open_data
from features.simulate import World, simulate
from features.vectors import Embeddings
from matcher.cli import main
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import CHAMPION, Registry
from training import retrain as module
from training.drift import RETRAIN, WATCH
from training.retrain import (
    DEALT,
    KEPT,
    NOTHING,
    PROMOTED,
    STAGES,
    BusyError,
    Retrained,
    Search,
    alone,
    champion_drift,
    retrain,
)
from training.significance import Interval
from training.tune import Tuned
from training.verdict import Check, Verdict

SETTINGS = """
[training]
least_briefs = 10
unknown_per_brief = 4
folds = 2

[forecast]
trees = 5
least_rows = 30

[ranker]
trees = 5

[affinity]
strength = [0.0]
"""
# The command line as it is, but for an encoder without weights.
COMMAND = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.conftest import WordEncoder
import features.encoder
features.encoder.SentenceEncoder = lambda config: WordEncoder()
from matcher.cli import main
main(sys.argv[1:])
"""


@dataclass
class Job:
    """One retraining of a small world in this process."""

    world: World
    registry: Registry
    embeddings: Embeddings
    config: Config

    def __call__(self, **changes: Any) -> Retrained:
        stages: list[str] = []
        told: dict[str, Any] = {
            "tables": self.world.tables,
            "versions": {"briefs": "1"},
            "config": self.config,
            "embeddings_of": lambda config: self.embeddings,
            "registry": self.registry,
            "as_of": self.world.as_of,
            "stage": stages.append,
        }
        done = retrain(**told | changes)
        self.stages = stages
        return done


@pytest.fixture(scope="module")
def small() -> World:
    return simulate(kols=40, briefs=40, seed=2)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("settings") / "settings.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    return file


@pytest.fixture
def job(small: World, settings: Path, embeddings: Embeddings, tmp_path: Path) -> Job:
    return Job(small, Registry(tmp_path / "home"), embeddings, Config.load(settings))


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Let a test decide what the gate finds."""

    def put(passes: bool) -> None:
        def judge(registry: Registry, version: str, *given: Any, **named: Any) -> Verdict:
            from training.gate import write_down

            check = Check("gain", passes, "leads by a mile" if passes else "trails")
            stands = registry.resolve(CHAMPION)
            verdict = Verdict(version, stands, "nobody", "no brief", (check,))
            write_down(registry, verdict)
            return verdict

        monkeypatch.setattr(module, "judge", judge)

    return put


def test_what_is_new_is_trained_once_and_promoted_if_the_gate_lets_it(
    job: Job, gate: Callable[[bool], None]
) -> None:
    gate(True)
    asked: list[str] = []
    first = job(published=asked.append)
    assert asked == [job.registry.load("1").hash]
    assert job.stages == [name for name in STAGES if name != "tune"]
    assert (first.result, first.version, first.champion) == (PROMOTED, "1", "1")
    assert first.verdict["passed"]
    assert "Version 1 was trained and is the champion now." in first.words
    assert first.drift is not None
    assert "Drift of version 1" in first.words
    kept = job.registry.text("1", "retrain.json")
    assert kept is not None
    assert json.loads(kept) == json.loads(json.dumps(first.told()))

    again = job()
    assert job.stages == ["sweep"]
    assert (again.result, again.version, again.drift) == (NOTHING, "1", None)

    # Other settings are something new; refused, the old champion stays.
    gate(False)
    job.config = job.config.model_copy(update={"seed": 1})
    other = job()
    assert (other.result, other.version, other.champion) == (KEPT, "2", "1")
    assert "Version 2 was trained but refused; version 1 stays champion." in other.words
    assert "trails" in other.words
    assert job().result == NOTHING

    # What a person did with the champion meanwhile is let be.
    job.registry.move(CHAMPION, "2", "1")
    assert (job().result, job().champion) == (NOTHING, "2")
    job.registry.rollback("2")
    assert (job().result, job().champion) == (NOTHING, "1")


def test_settings_are_searched_first_where_that_is_asked_for(
    job: Job, gate: Callable[[bool], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate(True)
    better = job.config.model_copy(update={"seed": 5})
    given: dict[str, Any] = {}

    def search(tables: Any, versions: Any, config: Config, *rest: Any, **named: Any) -> Tuned:
        given.update(named, store=rest[1])
        gain = Interval(0.1, 0.05, 0.15, 30, 8, 0)
        return Tuned(better, better, 0.6, 0.5, gain, True, named["trials"], True)

    monkeypatch.setattr("training.tune.tune", search)
    asked = Search(7, tmp_path / "tuning.db")
    done = job(search=asked)
    assert job.stages == list(STAGES)
    assert (given["trials"], given["store"]) == (7, asked.store)
    assert job.registry.load("1").config.seed == 5
    assert done.tuned == done.told()["tuned"]
    assert done.tuned is not None and done.tuned in done.words
    assert "7 settings tried: NDCG@10 0.6000 at best, 0.5000 with those given" in done.words
    # The same search over the same data is nothing new; another is.
    assert job(search=asked).result == NOTHING

    def refuse(*_: Any, **__: Any) -> Tuned:
        raise UserError("Got 3 validation briefs but expected more")

    monkeypatch.setattr("training.tune.tune", refuse)
    other = job(search=Search(8))
    assert other.tuned == "no settings were searched: Got 3 validation briefs but expected more"
    assert job.registry.load("2").config.seed == job.config.seed


def test_what_was_cut_off_goes_on_where_it_was(job: Job, gate: Callable[[bool], None]) -> None:
    gate(True)

    for at in ("judge", "promote", "drift", "report"):

        def cut(name: str, at: str = at) -> None:
            if name == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            job(stage=cut)
        assert job.registry.champions() == (["1"] if at in ("drift", "report") else [])
        assert DEALT not in job.registry.tags("1")
    done = job()
    assert job.stages == ["sweep", "drift", "report"]
    assert (done.result, done.version, done.champion) == (PROMOTED, "1", "1")
    assert job.registry.tags("1")[DEALT] == PROMOTED


def test_no_look_at_drift_stops_a_retraining(
    job: Job, gate: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any, **named: Any) -> None:
        raise ValueError("columns differ")

    gate(True)
    monkeypatch.setattr(module, "measure_drift", fail)
    done = job()
    assert (done.result, job.registry.tags("1")[DEALT]) == (PROMOTED, PROMOTED)
    assert "drift could not be looked for: ValueError: columns differ" in done.words
    assert json.loads(job.registry.text("1", "retrain.json") or "")["drift"]["advice"] == WATCH

    # A champion of an older kolmatch is told in words: it never comes to measuring.
    matcher = job.registry.load("1")
    features = matcher.config.features.model_copy(update={"spaces": ("video",)})
    other = matcher.config.model_copy(update={"features": features})
    unusable: list[tuple[Matcher | UserError, str]] = [
        (UserError("Got model version 1, which cannot be loaded"), "cannot be loaded"),
        (replace(matcher, config=other), "trained on other signals than this kolmatch computes"),
        (replace(matcher, encoder_id="other"), "with encoder other, which is now words"),
    ]
    for loaded, words in unusable:

        def load(registry: Registry, version: str, it: Matcher | UserError = loaded) -> Matcher:
            if isinstance(it, UserError):
                raise it
            return it

        monkeypatch.setattr(Registry, "load", load)
        given = (job.registry, "1", job.world.tables, lambda config: job.embeddings)
        found = champion_drift(*given, job.world.as_of)
        assert found is not None
        assert found.advice == RETRAIN
        (reason,) = found.reasons
        assert words in reason
        assert json.loads(json.dumps(found.told(), allow_nan=False))["reasons"] == [reason]


def test_one_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path, 0), pytest.raises(BusyError), alone(tmp_path, 0):
        pass
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with alone(tmp_path, 0):
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    threading.Timer(0.2, release.set).start()
    with alone(tmp_path, 30):
        assert release.is_set()
    thread.join()


# -- real processes ------------------------------------------------------------------------------


class Process:
    """A retraining in a process of its own, of which the log lines are read."""

    def __init__(self, place: Path, *more: str) -> None:
        asked = ["--json", "retrain", "files", "--lake", "lake", "--as-of", "2026-06-30"]
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        self.lines: list[dict[str, Any]] = []
        self.running = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *asked, "--config", "settings.toml", *more],
            cwd=place,
            env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reach(self, stage: str) -> None:
        """Read the log until a stage begins."""
        assert self.running.stderr is not None
        for line in self.running.stderr:
            self.lines.append(json.loads(line))
            if self.lines[-1].get("stage") == stage:
                return
        raise AssertionError(f"ended before {stage}: {self.lines}")

    def kill(self) -> None:
        self.running.send_signal(signal.SIGKILL)
        assert self.running.wait() == -signal.SIGKILL
        assert self.running.stderr is not None
        self.running.stderr.close()

    def end(self) -> int:
        """Read the log to the end and return the exit code."""
        assert self.running.stderr is not None
        self.lines += [json.loads(line) for line in self.running.stderr]
        return self.running.wait()

    @property
    def stages(self) -> list[str]:
        return [str(line["stage"]) for line in self.lines if "stage" in line and "done" not in line]


@pytest.fixture
def place(small: World, settings: Path, tmp_path: Path) -> Iterator[Path]:
    small.write(tmp_path / "files", "parquet")
    (tmp_path / "settings.toml").write_bytes(settings.read_bytes())
    yield tmp_path


def _wait_for_training(lake: Path) -> None:
    """Wait until a training run is tracked: then there is something to sweep."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if list((lake / "leases").glob("*.lock")):
            registry = Registry(lake)
            (experiment,) = registry.client.search_experiments(
                filter_string=f"name = '{registry.store.experiment}'"
            )
            if registry.client.search_runs([experiment.experiment_id]):
                return
        time.sleep(0.05)
    raise AssertionError("no training run began")


def _code(arguments: list[str]) -> int:
    """Run a command in this process and return its exit code."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        # MLflow leaves the store of the job before in the environment.
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            main(arguments)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    return int(ended.value.code or 0)


@pytest.mark.long
def test_killed_at_any_stage_the_next_run_ends_as_an_undisturbed_one(
    place: Path,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    embeddings: Embeddings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from matcher.commands.shared import BUSY, OK, REFUSED

    first = Process(place)
    first.reach("ingest")
    first.kill()

    second = Process(place)
    second.reach("train")
    _wait_for_training(place / "lake")
    monkeypatch.chdir(place)
    monkeypatch.setattr("features.encoder.SentenceEncoder", lambda config: embeddings.encoder)
    asked = ["retrain", "files", "--lake", "lake", "--config", "settings.toml"]
    assert _code(asked) == BUSY  # twice at once: the later one says so and leaves
    assert "error: another retraining of lake is at work" in capsys.readouterr().err
    second.kill()

    third = Process(place)
    third.reach("judge")
    assert "train" in third.stages  # what was killed in training is trained again
    third.kill()

    last = Process(place)
    code = last.end()
    assert "train" not in last.stages  # what was finished is not
    registry = Registry(place / "lake")
    (experiment,) = registry.client.search_experiments(
        filter_string=f"name = '{registry.store.experiment}'"
    )
    runs = registry.client.search_runs([experiment.experiment_id])
    assert sorted(run.info.status for run in runs) == ["FINISHED", "KILLED"]
    assert not list((place / "lake" / "leases").glob("*.lock"))

    # An undisturbed run elsewhere comes to the same.
    calm = job()
    version = str(last.lines[-1]["version"])
    assert registry.load(version).hash == job.registry.load(calm.version).hash
    assert last.lines[-1]["result"] == calm.result
    assert code == (OK if calm.result == PROMOTED else REFUSED)
    assert (registry.resolve(CHAMPION) is None) == (calm.champion is None)
    report = json.loads((place / "lake" / "reports" / f"retrain-v{version}.json").read_text())
    found = [check["passed"] for check in report["verdict"]["checks"]]
    assert found == [check["passed"] for check in calm.verdict["checks"]]

    # And once more: nothing is new, and what was found when it was stays on record.
    assert _code(asked) == OK
    assert "Nothing is new" in capsys.readouterr().err
    file = place / "lake" / "reports" / f"retrain-v{version}.json"
    assert json.loads(file.read_text()) == report
    assert len(registry.client.search_runs([experiment.experiment_id])) == 2

    # Killed between the tag and the file, the file is owed still.
    file.unlink()
    assert _code(asked) == OK
    assert json.loads(file.read_text()) == report


@pytest.mark.long
def test_settings_really_found_are_those_the_new_model_is_trained_with(
    tmp_path: Path, embeddings: Embeddings
) -> None:
    from matcher.commands.shared import OK, REFUSED
    from training.tune import tune

    # One tree that follows likeness alone: nearly any other settings are surely better.
    poor = SETTINGS.replace("least_briefs = 10", "least_briefs = 10\nvalid_share = 0.4").replace(
        "[ranker]\ntrees = 5",
        "[ranker]\ntrees = 1\nlearning_rate = 0.01\nforecast_weight = 0.0\nlikeness_weight = 3.0",
    )
    (tmp_path / "settings.toml").write_text(poor, encoding="utf-8")
    simulate(kols=60, briefs=200, seed=2).write(tmp_path / "files", "parquet")
    given = Config.load(tmp_path / "settings.toml")
    store = tmp_path / "lake" / "tuning.db"

    first = Process(tmp_path, "--tune", "5")
    first.reach("tune")
    deadline = time.monotonic() + 300
    while not store.exists() or not _tried(store):
        assert time.monotonic() < deadline, first.lines
        time.sleep(0.05)
    first.kill()
    assert 0 < _tried(store) < 5

    second = Process(tmp_path, "--tune", "5")
    code = second.end()
    assert code in (OK, REFUSED), second.lines
    assert _tried(store) == 5
    assert "tune" in second.stages and "train" in second.stages
    registry = Registry(tmp_path / "lake")
    used = registry.load("1").config

    data = open_data(tmp_path / "lake")
    calm = tune(data.tables, data.versions, given, embeddings, trials=5, seed=given.seed)
    assert calm.taken
    assert calm.config.ranker != given.ranker
    assert used.ranker == calm.config.ranker
    assert used.forecast == calm.config.forecast
    report = json.loads((tmp_path / "lake" / "reports" / "retrain-v1.json").read_text())
    assert report["tuned"] == calm.words
    assert "surely better: the found settings" in calm.words
    print(f"retrain --tune ended {code}: {calm.words}")

    last = Process(tmp_path, "--tune", "5")
    assert last.end() == OK
    assert "train" not in last.stages  # the same search over the same data is nothing new


def _tried(store: Path) -> int:
    """Return how many settings a search has tried so far."""
    with closing(sqlite3.connect(store, timeout=60)) as database:
        try:
            (count,) = database.execute(
                "SELECT count(*) FROM trials WHERE state = 'COMPLETE'"
            ).fetchone()
        except sqlite3.OperationalError:  # it is being made
            return 0
    return int(count)
