"""What a killed training leaves, and who may clear it away."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from matcher.model import Matcher
from matcher.registry import CHALLENGER, MODEL_NAME, Registry, TrackedRun
from matcher.tracking import LEASE, WORKSPACE

Past = tuple[pd.DataFrame, pd.DataFrame]

_TRAINING = """
import sys
from pathlib import Path
from matcher.registry import Registry
registry = Registry(Path(sys.argv[1]))
with registry.run("victim", {}) as run:
    if sys.argv[2] == "half made":
        registry.client.create_logged_model(
            registry.client.get_run(run.run_id).info.experiment_id, source_run_id=run.run_id
        )
    print(run.run_id, flush=True)
    input()
"""


def _training(home: Path, state: str = "running") -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _TRAINING, str(home), state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _status(registry: Registry, run_id: str) -> str:
    return str(registry.client.get_run(run_id).info.status)


def test_the_next_training_sweeps_a_killed_one_and_lets_a_living_one_be(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    _ = registry.client
    killed, dead = _training(tmp_path, "half made")
    living, alive = _training(tmp_path)
    killed.kill()
    killed.wait()
    assert (_status(registry, dead), _status(registry, alive)) == ("RUNNING", "RUNNING")
    experiment = registry.client.get_run(dead).info.experiment_id
    assert len(registry.client.search_logged_models([experiment])) == 1

    with registry.run("next", {}) as run:
        assert (_status(registry, dead), _status(registry, alive)) == ("KILLED", "RUNNING")
        assert _status(registry, run.run_id) == "RUNNING"
        assert registry.sweep() == []
    assert registry.client.search_logged_models([experiment]) == []
    assert _status(registry, run.run_id) == "FINISHED"
    living.communicate("end\n", timeout=60)
    assert _status(registry, alive) == "FINISHED"
    assert list((tmp_path / "leases").iterdir()) == []
    assert registry.sweep() == []


def test_a_training_that_fails_gives_its_lease_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path)

    def fail() -> None:
        with registry.run("fails", {}):
            assert len(list((tmp_path / "leases").iterdir())) == 1
            raise RuntimeError("in training")

    with pytest.raises(RuntimeError, match="in training"):
        fail()
    assert list((tmp_path / "leases").iterdir()) == []


def test_runs_of_other_places_and_without_a_lease_are_let_be(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    experiment = registry.client.get_experiment_by_name(registry.store.experiment)
    assert experiment is not None
    for tags in (
        {},
        {WORKSPACE: registry.store.workspace},
        {WORKSPACE: registry.store.workspace, LEASE: "../aliases"},
        {WORKSPACE: "elsewhere:/lake", LEASE: "abc"},
    ):
        registry.client.create_run(experiment.experiment_id, tags=tags)
    assert registry.sweep() == []
    found = registry.client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in found} == {"RUNNING"}


@pytest.mark.parametrize("whole", [True, False])
def test_a_version_of_a_killed_run_stays_if_its_files_are_there(
    tmp_path: Path, matcher: Matcher, past: Past, whole: bool
) -> None:
    registry = Registry(tmp_path)
    with registry.run("train", {}) as run:
        version = run.register(matcher, past[1].head(3))
        assert registry.resolve(CHALLENGER) is None  # a run that is not over has no challenger
    run.challenge(version)
    # As a kill right after the registering would have left it.
    client = registry.client
    client.set_tag(run.run_id, LEASE, "0123abc")
    client.set_terminated(run.run_id, "RUNNING")
    if not whole:
        shutil.rmtree(tmp_path / "mlartifacts")
    assert registry.sweep() == [run.run_id]
    assert _status(registry, run.run_id) == "KILLED"
    left = [str(v.version) for v in client.search_model_versions(f"name = '{MODEL_NAME}'")]
    assert left == ([version] if whole else [])
    assert registry.resolve(CHALLENGER) == (version if whole else None)


def test_no_text_of_a_table_is_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, str] = {}
    monkeypatch.setattr(TrackedRun, "text", lambda self, text, name: told.__setitem__(name, text))
    frame = pd.DataFrame({"name": ["=HYPERLINK(1)", "@a", "a=b", None], "lead": [-0.5, 1, 2, 3]})
    TrackedRun(None, "").table(frame, "a.csv")  # type: ignore[arg-type]
    assert told["a.csv"] == "name,lead\n'=HYPERLINK(1),-0.5\n'@a,1.0\na=b,2.0\n,3.0\n"


_MAKING = """
import os, signal, sys
from pathlib import Path
from alembic.runtime.migration import HeadMaintainer
steps = 0
def deadly(self, step, real=HeadMaintainer.update_to_step):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):  # the tables of this step are there, its mark is not
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, step)
HeadMaintainer.update_to_step = deadly
from matcher.registry import Registry
Registry(Path(sys.argv[1])).client
"""


def test_a_store_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _MAKING, str(tmp_path), "30"], check=False, capture_output=True
    )
    assert killed.returncode == -9, killed.stderr
    assert not (tmp_path / "mlflow.db").exists()
    registry = Registry(tmp_path)
    assert registry.resolve(CHALLENGER) is None
    with registry.run("first", {}) as run:
        assert _status(registry, run.run_id) == "RUNNING"
