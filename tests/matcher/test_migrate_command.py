"""`kolmatch migrate`, and what other commands say of a lake that needs it."""

import json
from pathlib import Path

import pytest

from features.lake import Lake
from features.simulate import World
from matcher.cli import main
from matcher.commands.shared import OK, UNWELL, USAGE


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_an_older_lake_is_named_and_migrated(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, few = tmp_path / "lake", world.tables.only("briefs", "kols")
    Lake(lake).ingest(few.replace(kols=few.kols.assign(bio="write to a@example.com")))
    commit = lake / "commits" / "00000001.json"
    commit.write_text(json.dumps({"versions": json.loads(commit.read_text())["versions"]}))

    commands = ("match", "plan", "reconcile", "train", "promote", "rollback", "why", "status")
    for command in commands:
        assert run(command, lake) == USAGE, command
        assert f"run `kolmatch migrate {lake}`" in capsys.readouterr().err
    assert run("doctor", lake, "--json") == UNWELL
    assert "kolmatch migrate" in capsys.readouterr().out

    assert run("migrate", lake, "--dry-run") == OK
    assert "would be brought to contract 2" in capsys.readouterr().err
    assert Lake(lake).contract() == 1
    assert run("migrate", lake) == OK
    assert "is brought to contract 2" in capsys.readouterr().err
    assert set(Lake(lake).read().kols["bio"]) == {"write to [e-mail]"}
    assert run("migrate", lake) == OK
    assert "keeps contract 2 already" in capsys.readouterr().err
    assert run("status", lake) == OK
