"""With MLflow on Postgres and an S3 every command ends as it does with SQLite and a folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.reliability import servers
from tests.reliability.place import SETTINGS, Place
from tests.reliability.processes import Running

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(servers.lacking()), reason=servers.lacking()),
]


def told_by(lake: Path, uri: str) -> dict[str, Any]:
    """Return versions, runs and aliases as the server has them."""
    from matcher.registry import CHAMPION, MODEL_NAME, Registry

    registry = Registry(lake, uri)
    client = registry.client
    (experiment,) = client.search_experiments(filter_string=f"name = '{registry.store.experiment}'")
    versions = client.search_model_versions(f"name = '{MODEL_NAME}'")
    return {
        "versions": sorted(int(one.version) for one in versions),
        "runs": sorted(r.info.status for r in client.search_runs([experiment.experiment_id])),
        "champion": registry.resolve(CHAMPION),
        "marked": [v for v in map(str, (1, 2)) if "erasure" in registry.tags(v)],
        "copy": None if (loaded := registry.champion()) is None else loaded.stale,
    }


def test_every_command_works_with_postgres_and_an_object_store(tmp_path: Path) -> None:
    place = Place(tmp_path)
    codes: list[tuple[str, int | None]] = []

    def typed(command: str, *more: str) -> list[str]:
        victim = [place.victim] if command == "access" else []
        asked = {
            "replay": ["--json", "replay", "lake", "run"],
            "doctor": ["--json", "doctor", "lake"],
            "status": ["--json", "status", "lake"],
            "rollback": ["--json", "rollback", "lake"],
            "access": ["--json", "access", "lake", *victim],
        }
        return [*(asked.get(command) or place.arguments(command)), *more]

    def run(command: str, *more: str) -> Running:
        done = place.commands.run(typed(command, *more, "--tracking-uri", uri))
        codes.append((" ".join([command, *more]), done.process.exitcode))
        return done

    def ends(done: Running, *expected: int) -> None:
        assert done.process.exitcode in expected, done.text[-3000:]

    with ExitStack() as up:
        database = up.enter_context(servers.postgres())
        s3 = up.enter_context(servers.bucket(tmp_path))
        with servers.mlflow_server(tmp_path, database, s3) as uri:
            assert place.commands.run(place.arguments("ingest")).process.exitcode == 0
            ends(run("train"), 0)
            ends(run("promote"), 0)
            ends(run("match"), 0)
            place.keep("matched")
            ends(run("replay"), 0)
            # Two at once: one works, the other says so.
            both = [place.commands.start(typed("retrain", "--tracking-uri", uri)) for _ in range(2)]
            ended = sorted(one.end() for one in both)
            assert ended in ([0, 6], [4, 6], [0, 4], [0, 0])
            codes += [("retrain, two at once", code) for code in ended]
            assert not (tmp_path / "lake" / "mlflow.db").exists()
            ends(run("doctor"), 0)
            ends(run("access"), 0)
            erased = run("erase")
            ends(erased, 0)
            assert "not reached" in erased.text
            told = place.commands.ask(told_by, place.lake, uri)
            assert told["marked"] == ["1", "2"]
            ends(run("retrain"), 0, 4)
            before = place.commands.ask(told_by, place.lake, uri)
            if before["champion"] == "1":
                ends(run("promote"), 0)
            ends(run("rollback"), 0)
            ends(run("match", "--run-id", "later"), 0)
            ends(run("status"), 0)
            # One tree and a search: what it finds does not matter here.
            (tmp_path / "settings.toml").write_text(SETTINGS + "\n", encoding="utf-8")
            ends(run("retrain", "--tune", "2"), 0, 4)
            told = place.commands.ask(told_by, place.lake, uri)
            assert told["versions"] == [*range(1, len(told["versions"]) + 1)]
            assert set(told["runs"]) == {"FINISHED"}
            assert told["copy"] == ""
            count = servers.objects(s3)
            assert count > 3 * len(told["versions"])
        # The server is away: the last good copy serves, and says so.
        ends(run("match", "--run-id", "last"), 5)
    for command, code in codes:
        print(f"{command}: {code}")
    print(f"{len(told['versions'])} versions, {len(told['runs'])} runs, {count} objects")
