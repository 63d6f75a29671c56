"""Who is champion, who was, and what two who decide at once can do to each other."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from features.errors import UserError
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import CHALLENGER, CHAMPION, CHAMPIONS, MODEL_NAME, Registry


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Return a registry of three versions."""
    registry = Registry(tmp_path_factory.mktemp("home"))
    client = registry.client
    experiment = client.get_experiment_by_name(registry.store.experiment)
    assert experiment is not None
    client.create_registered_model(MODEL_NAME)
    for seed in range(3):
        run = client.create_run(experiment.experiment_id)
        folder = registry.store.home / "made" / str(seed)
        Matcher(Config(seed=seed), "words").save(folder)
        client.create_model_version(MODEL_NAME, folder.as_uri(), run_id=run.info.run_id)
    return registry


@pytest.fixture
def registry(made: Registry) -> Iterator[Registry]:
    """Return the registry without any champion."""
    yield made
    made.client.delete_registered_model_alias(MODEL_NAME, CHAMPION)
    made.client.set_registered_model_tag(MODEL_NAME, CHAMPIONS, "[]")


def test_a_move_names_what_it_replaces(registry: Registry) -> None:
    registry.move(CHAMPION, "1", None)
    registry.move(CHAMPION, "2", "1")
    with pytest.raises(
        UserError, match="Got champion version 2 but expected 1: somebody moved it meanwhile"
    ):
        registry.move(CHAMPION, "3", "1")
    with pytest.raises(UserError, match="Got champion version 2 but expected none"):
        registry.move(CHAMPION, "3", None)
    assert registry.resolve(CHAMPION) == "2"
    assert registry.champions() == ["1", "2"]
    with pytest.raises(UserError, match="Got model version 9 but expected one of: 1, 2, 3"):
        registry.move(CHAMPION, "9", "2")


def test_a_challenger_leaves_no_trace_among_champions(registry: Registry) -> None:
    registry.move(CHALLENGER, "3", None)
    assert registry.resolve(CHALLENGER) == "3"
    assert registry.champions() == []
    registry.client.delete_registered_model_alias(MODEL_NAME, CHALLENGER)


def test_rollback_goes_back_champion_by_champion(registry: Registry) -> None:
    expected = None
    for version in ("1", "2", "2", "3", "1"):
        registry.move(CHAMPION, version, expected)
        expected = version
    assert registry.champions() == ["1", "2", "3", "1"]
    assert registry.rollback("1") == "3"
    assert (registry.resolve(CHAMPION), registry.champions()) == ("3", ["1", "2", "3"])
    with pytest.raises(UserError, match="Got champion version 3 but expected 1"):
        registry.rollback("1")
    assert registry.rollback("3") == "2"
    registry.move(CHAMPION, "3", "2")
    assert registry.champions() == ["1", "2", "3"]
    assert [registry.rollback("3"), registry.rollback("2")] == ["2", "1"]
    with pytest.raises(UserError, match="Got champion 1, before which there was none"):
        registry.rollback("1")
    assert registry.resolve(CHAMPION) == "1"


def test_without_a_champion_there_is_nothing_to_roll_back(registry: Registry) -> None:
    with pytest.raises(UserError, match="Got no champion to roll back"):
        registry.rollback(None)


def test_an_alias_that_other_hands_moved_is_believed(registry: Registry) -> None:
    registry.move(CHAMPION, "1", None)
    registry.client.set_registered_model_alias(MODEL_NAME, CHAMPION, "3")
    assert registry.champions() == ["1", "3"]
    assert registry.rollback("3") == "1"


@pytest.mark.parametrize("version", ["1", "3"])
def test_a_promotion_that_was_killed_halfway_never_happened(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    registry.move(CHAMPION, "1", None)
    registry.move(CHAMPION, "2", "1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MlflowClient, "set_registered_model_alias", _killed)
        registry.move(CHAMPION, version, "2")
    told = json.loads(registry.client.get_registered_model(MODEL_NAME).tags[CHAMPIONS])
    assert told == ["1", "2", version]
    assert (registry.resolve(CHAMPION), registry.champions()) == ("2", ["1", "2"])
    assert registry.rollback("2") == "1"


def test_a_rollback_that_was_killed_halfway_is_done(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.move(CHAMPION, "1", None)
    registry.move(CHAMPION, "2", "1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MlflowClient, "set_registered_model_tag", _killed)
        registry.rollback("2")
    assert (registry.resolve(CHAMPION), registry.champions()) == ("1", ["1"])


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_champion_that_cannot_be_loaded_does_not_come_back(registry: Registry) -> None:
    registry.move(CHAMPION, "1", None)
    registry.move(CHAMPION, "2", "1")
    file = registry.store.home / "made" / "0" / "model.json"
    whole = file.read_bytes()
    file.write_bytes(b"{")
    try:
        with pytest.raises(UserError, match="Got model version 1, which cannot be loaded"):
            registry.rollback("2")
    finally:
        file.write_bytes(whole)
    assert registry.champions() == ["1", "2"]


def test_of_two_processes_that_decide_at_once_one_wins(registry: Registry) -> None:
    code = (
        "import sys; from pathlib import Path; from matcher.registry import CHAMPION, Registry\n"
        "registry = Registry(Path(sys.argv[1]))\n"
        "stands = registry.resolve(CHAMPION)\n"
        "print('ready', flush=True); input()\n"
        "try: registry.move(CHAMPION, sys.argv[2], stands); print('won')\n"
        "except ValueError as error: print(error)\n"
    )
    registry.move(CHAMPION, "1", None)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(registry.store.home), version],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for version in ("2", "3")
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0].strip() for process in both]
    winner = str(said.index("won") + 2)
    assert f"Got champion version {winner} but expected 1: somebody moved it" in "".join(said)
    assert registry.champions() == ["1", winner]
