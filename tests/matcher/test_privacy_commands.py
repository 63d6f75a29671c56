"""The commands about people's data, as a user meets them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from features.lake import Lake
from features.simulate import World
from matcher.cli import main
from matcher.commands.shared import LOST, OK, USAGE
from matcher.config import Config

KOL, OTHER = "k000013", "k000014"


@pytest.fixture
def lake(world: World, tmp_path: Path) -> Path:
    small = world.tables.only("briefs", "kols", "posts", "collaborations", "outcomes")
    Lake(tmp_path / "lake").ingest(small)
    return tmp_path / "lake"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_access_then_erase_then_nothing(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, others = tmp_path / "held.json", tmp_path / "other.json"
    assert run("access", lake, OTHER, "--out", others) == OK
    assert run("access", lake, KOL, "--out", out) == OK
    held = json.loads(out.read_text(encoding="utf-8"))
    assert held["accounts"] == [KOL] and held["tables"]["posts"]
    assert f"Accounts: {KOL}" in out.with_suffix(".txt").read_text(encoding="utf-8")
    assert run("erase", lake, KOL, "--dry-run") == OK
    assert "Nothing was removed" in capsys.readouterr().err
    assert run("erase", lake, KOL) == OK
    told = capsys.readouterr().err
    assert "The report names nobody" in told
    # What was told of the KOL goes whole, and is missed by nobody; what was told of others stays.
    assert not out.exists() and not out.with_suffix(".txt").exists()
    assert "not reached" not in told
    assert json.loads(others.read_text(encoding="utf-8"))["accounts"] == [OTHER]
    assert others.with_suffix(".txt").exists()
    for command in ("access", "erase"):
        assert run(command, lake, KOL) == OK
        assert "nothing is held any more" in capsys.readouterr().err
    assert run("erase", lake) == OK
    assert "No erasure was cut off" in capsys.readouterr().err


def test_mistakes_are_told(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("erase", lake, "nobody") == USAGE
    assert "expected an id that is in the kols table" in capsys.readouterr().err
    (lake.parent / "files").mkdir()
    assert run("access", lake.parent / "files", KOL) == USAGE
    assert "which is no lake" in capsys.readouterr().err
    assert run("prune", lake) == USAGE
    assert '[retention], such as posts = "730d"' in capsys.readouterr().err
    assert run("replay", lake, "r1") == USAGE
    assert "Got no published run 'r1'" in capsys.readouterr().err
    assert LOST not in (OK, USAGE)


def test_prune_removes_what_is_past_its_period(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text('[retention]\nposts = "200d"\noutcomes = 5000\n', encoding="utf-8")
    arguments = ("prune", lake, "--config", config, "--as-of", "2026-06-30")
    before = Lake(lake).read()
    assert run(*arguments, "--dry-run") == OK
    assert len(Lake(lake).read().posts) == len(before.posts)
    assert run(*arguments) == OK
    after = Lake(lake).read()
    cut = pd.Timestamp("2026-06-30", tz="UTC") - pd.Timedelta(days=200)
    assert 0 < len(after.posts) < len(before.posts)
    assert after.posts["observed_at"].min() >= cut
    assert after.outcomes.equals(before.outcomes)
    logs = [*(lake / "tables" / "posts" / "_delta_log").glob("*.json")]
    assert len(logs) == 1
    capsys.readouterr()
    assert run(*arguments) == OK
    assert "Nothing is past its period." in capsys.readouterr().err


@pytest.mark.parametrize("period", ['"soon"', '"0d"', "-1", "true", '"730"'])
def test_periods_that_mean_nothing_are_refused(
    tmp_path: Path, period: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(f"[retention]\nposts = {period}\n", encoding="utf-8")
    (tmp_path / "kolmatch.json").write_text('{"format": 1}', encoding="utf-8")
    assert run("prune", tmp_path, "--config", config) == USAGE
    assert 'expected a number of days such as "730d"' in capsys.readouterr().err


def test_a_retention_period_makes_no_other_model() -> None:
    kept = Config.model_validate({"retention": {"posts": "730d"}})
    assert kept.retention.days() == {"posts": 730}
    assert kept.hash == Config().hash
