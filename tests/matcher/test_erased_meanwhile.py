"""A command that read the data before an erasure writes nothing of it afterwards."""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.lake import Data, Lake
from features.simulate import World
from features.vectors import Embeddings
from matcher.cli import main
from matcher.commands.shared import OK, USAGE
from matcher.registry import Registry
from serving.privacy.erase import erase
from serving.publish import read_run, runs
from tests.bytesearch import find_bytes

DAY = ("--as-of", "2026-06-30")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, word_embeddings: Embeddings) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("features.encoder.SentenceEncoder", lambda config: word_embeddings.encoder)


@pytest.fixture(scope="module")
def matched(
    world: World, word_embeddings: Embeddings, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a lake with a published run, which nobody may change."""
    lake = tmp_path_factory.mktemp("matched") / "lake"
    Lake(lake).ingest(world.tables)
    open_one = world.tables.briefs.loc[world.tables.briefs["decided_at"].isna(), "brief_id"].min()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("features.encoder.SentenceEncoder", lambda c: word_embeddings.encoder)
        told = ("match", lake, *DAY, "--brief", open_one, "--run-id", "r1", "--top", 4)
        assert run(*told, "--no-files", "--no-plan") == OK
    return lake


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("lists", ["match", *DAY, "--run-id", "r2", "--no-plan"]),
        ("planning", ["plan", "--run", "r1"]),
        ("upkeep", ["reconcile"]),
        ("models", ["train", "--config", "settings.toml"]),
    ],
    ids=lambda told: told[0] if isinstance(told, list) else "",
)
def test_nothing_that_was_read_before_an_erasure_is_written_after_it(
    matched: Path,
    tmp_path: Path,
    module: str,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(matched, lake)
    first = read_run(lake, "r1").matches.iloc[0]
    commands: Any = import_module(f"matcher.commands.{module}")
    read = commands.open_source

    def read_and_erase(*given: Any, **named: Any) -> Data:
        source: Data = read(*given, **named)
        now = pd.Timestamp("2026-11-28", tz="UTC")
        erase(Lake(lake), str(first["kol_id"]), Registry(lake), at=now)
        return source

    monkeypatch.setattr(commands, "open_source", read_and_erase)
    vectors = sorted((lake / "vectors").rglob("*.segment"))
    assert vectors
    monkeypatch.chdir(tmp_path)
    Path("settings.toml").write_text("[training]\nleast_briefs = 5\n", encoding="utf-8")
    name, *options = command
    assert run(name, lake, *options) == USAGE
    assert "from which somebody was erased" in capsys.readouterr().err
    assert find_bytes([tmp_path], [str(first["kol_id"]), str(first["display_name"])]) == []
    assert [each.run_id for each in runs(lake)] == ["r1"]
    # What the command encoded it had from the KOL's texts as well.
    assert len(sorted((lake / "vectors").rglob("*.segment"))) <= len(vectors)
