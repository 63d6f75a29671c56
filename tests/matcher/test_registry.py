import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from features.errors import UserError
from matcher.keepsake import Keepsake, Loaded
from matcher.model import Matcher
from matcher.registry import CHALLENGER, CHAMPION, Registry

Past = tuple[pd.DataFrame, pd.DataFrame]


def _register(registry: Registry, matcher: Matcher, signals: pd.DataFrame, **metrics: float) -> str:
    with registry.run("train time", {"split": "time", "long": "x" * 9000}) as run:
        run.metrics({"headline": 0.5, "absent": float("nan")} | metrics)
        run.table(pd.DataFrame({"a": [1]}), "evaluation/a.csv")
        version = run.register(matcher, signals.head(5))
    run.challenge(version)
    return version


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, matcher: Matcher, past: Past) -> Path:
    """Return a workspace with two versions, of which the first is the champion."""
    home = tmp_path_factory.mktemp("home") / "made" / "when needed"
    registry = Registry(home)
    assert _register(registry, matcher, past[1]) == "1"
    registry.move(CHAMPION, "1", None)
    other = replace(matcher, config=matcher.config.model_copy(update={"seed": 9}))
    assert _register(registry, other, past[1], headline=0.7) == "2"
    return home


@pytest.fixture
def broken(home: Path) -> Iterator[Path]:
    """Return the workspace with the store's artifacts destroyed."""
    artifacts, kept = home / "mlartifacts", home / "elsewhere"
    shutil.copytree(artifacts, kept)
    for file in artifacts.rglob("*.txt"):
        file.write_bytes(b"damaged")
    yield home
    shutil.rmtree(artifacts)
    kept.rename(artifacts)


def test_a_fresh_workspace_has_no_models(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home")
    assert registry.resolve(CHAMPION) is None
    assert registry.champion() is None
    with pytest.raises(ValueError, match="Got model version 3 but expected one of: none"):
        registry.load("3")


def test_aliases_move_and_versions_stay(home: Path, matcher: Matcher, past: Past) -> None:
    registry = Registry(home)
    assert (registry.resolve(CHALLENGER), registry.resolve(CHAMPION)) == ("2", "1")
    first = registry.load("1")
    assert first == matcher
    pd.testing.assert_frame_equal(first.score(past[1]), matcher.score(past[1]), check_exact=True)
    assert registry.load("2").hash != first.hash
    assert registry.metrics("1") == {"headline": 0.5}
    assert registry.metrics("2") == {"headline": 0.7}


def test_generic_tools_score_the_same(home: Path, matcher: Matcher, past: Past) -> None:
    _ = Registry(home).client
    import mlflow

    loaded = mlflow.pyfunc.load_model("models:/kolmatch/1")
    told = loaded.predict(past[1])
    pd.testing.assert_frame_equal(told, matcher.score(past[1]), check_exact=True)
    assert loaded.metadata.signature.inputs.input_names() == list(past[1])
    wanted = mlflow.artifacts.load_text(
        mlflow.artifacts.download_artifacts("models:/kolmatch/1/requirements.txt")
    )
    assert "kolmatch==" in wanted
    assert "lightgbm==" in wanted


@pytest.mark.parametrize("version", ["99", "0", "x", "-1", ""])
def test_a_version_that_is_not_there_is_refused(home: Path, version: str) -> None:
    with pytest.raises(ValueError, match="but expected one of: 1, 2"):
        Registry(home).load(version)


def test_the_champion_comes_from_the_registry_and_a_copy_is_kept(
    home: Path, matcher: Matcher
) -> None:
    loaded = Registry(home).champion()
    assert loaded is not None
    assert (loaded.matcher, loaded.version, loaded.stale) == (matcher, "1", "")
    assert Matcher.load(home / "models" / matcher.hash) == matcher
    again = Registry(home).champion()
    assert again == loaded
    assert {p.name for p in (home / "models").iterdir()} == {matcher.hash, "champion.json"}


def test_when_the_artifacts_are_destroyed_the_last_good_copy_serves_and_says_why(
    home: Path, broken: Path, matcher: Matcher
) -> None:
    loaded = Registry(home).champion()
    assert loaded is not None
    assert (loaded.matcher, loaded.version) == (matcher, "1")
    assert "cannot be loaded" in loaded.stale
    assert "damaged" in loaded.stale


def test_after_a_promotion_and_a_rollback_the_copy_is_of_the_champion(
    tmp_path: Path, home: Path, matcher: Matcher, past: Past
) -> None:
    registry = Registry(tmp_path)
    other = replace(matcher, config=matcher.config.model_copy(update={"seed": 9}))
    for model in (matcher, other):
        _register(registry, model, past[1])
    for version, before, model in (("1", None, matcher), ("2", "1", other)):
        registry.move(CHAMPION, version, before)
        assert registry.keepsake.kept("away") == Loaded(model, version, "away")
    assert registry.rollback("2") == "1"
    assert registry.keepsake.kept("away") == Loaded(matcher, "1", "away")


def test_what_killed_jobs_left_goes_and_every_user_may_read_the_copy(
    tmp_path: Path, matcher: Matcher
) -> None:
    models = tmp_path / "models"
    old, fresh = models / "tmpold", models / "tmpnew"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / "views.txt").write_text("half", encoding="utf-8")
    os.utime(old, (0, 0))
    (tmp_path / "usual").mkdir()
    Keepsake(models).keep(Loaded(matcher, "1"))
    assert {p.name for p in models.iterdir()} == {matcher.hash, "champion.json", "tmpnew"}
    mode = (models / matcher.hash).stat().st_mode
    assert mode == (tmp_path / "usual").stat().st_mode


def test_a_model_of_another_format_says_what_to_do(
    tmp_path: Path, matcher: Matcher, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path)
    _register(registry, matcher, past[1])
    registry.move(CHAMPION, "1", None)
    monkeypatch.setattr("matcher.archive.FORMAT", 99)
    with pytest.raises(UserError, match=r"Got no champion .* train and promote anew"):
        registry.champion()


def test_a_stale_copy_serves_until_the_new_champion_can_be_had(
    home: Path, broken: Path, matcher: Matcher
) -> None:
    registry = Registry(home)
    registry.move(CHAMPION, "2", "1")
    try:
        loaded = registry.champion()
        assert loaded is not None
        assert (loaded.matcher, loaded.version) == (matcher, "1")
        assert "version 2" in loaded.stale
    finally:
        registry.move(CHAMPION, "1", "2")


def test_a_store_that_forgot_its_champion_is_no_new_store(
    home: Path, matcher: Matcher, tmp_path: Path
) -> None:
    assert Registry(home).champion() is not None
    mistyped = Registry(home, f"sqlite:///{tmp_path / 'other.db'}").champion()
    assert mistyped is not None
    assert (mistyped.matcher, mistyped.stale) == (matcher, "the registry names no champion")


@pytest.mark.parametrize("damage", ["model.json", "views.txt", "champion.json", "all"])
def test_a_damaged_copy_never_serves(
    home: Path, broken: Path, matcher: Matcher, damage: str
) -> None:
    models, kept = home / "models", home / "models kept"
    shutil.copytree(models, kept)
    if damage == "all":
        shutil.rmtree(models)
    else:
        file = models / damage if damage == "champion.json" else models / matcher.hash / damage
        file.write_bytes(b"{")
    try:
        with pytest.raises(ValueError, match=r"Got no champion from the registry: .*damaged"):
            Registry(home).champion()
    finally:
        shutil.rmtree(models, ignore_errors=True)
        kept.rename(models)


def test_what_fails_inside_a_run_is_marked_failed_and_registers_nothing(home: Path) -> None:
    registry = Registry(home)

    def fail() -> None:
        with registry.run("broken", {}):
            raise RuntimeError("in training")

    with pytest.raises(RuntimeError, match="in training"):
        fail()
    (experiment,) = registry.client.search_experiments(filter_string="name LIKE 'kolmatch %'")
    runs = registry.client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs if run.info.run_name == "broken"} == {"FAILED"}
    assert registry.resolve(CHALLENGER) == "2"


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database", encoding="utf-8")
    with pytest.raises(ValueError, match=r"Got (MLflow store|no champion).*sqlite"):
        Registry(tmp_path).champion()


def test_two_processes_may_make_a_fresh_store_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from matcher.registry import Registry\n"
        "print(Registry(Path(sys.argv[1])).champion())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out.strip()) == (0, "None"), err
