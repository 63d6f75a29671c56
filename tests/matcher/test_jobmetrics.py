"""The metrics file of a job: its form, and that it is written however the job ends."""

import re
from pathlib import Path

import pytest

from features.simulate import World
from matcher.cli import main
from matcher.commands.shared import BAD_DATA, BUSY, OK, REFUSED, USAGE
from matcher.jobmetrics import HELP, JobMetrics

_SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (\S+)')


def read(file: Path) -> dict[tuple[str, str], float]:
    """Parse the format strictly: a line that is neither comment nor sample is a fault."""
    found = {}
    text = file.read_text(encoding="utf-8")
    assert text.endswith("\n")
    for line in text.splitlines():
        if not line.startswith(("# HELP ", "# TYPE ")):
            match = _SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] in HELP
            found[match[1], match[2]] = float(match[3])
    return found


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_labels_are_escaped_and_what_is_unknown_is_left_out(tmp_path: Path) -> None:
    times = iter([100.0, 103.5])
    job = JobMetrics("match", tmp_path / "match.prom", lambda: next(times))
    job.set("kolmatch_metric", 0.5, metric='a"b\\c\nd')
    job.set("kolmatch_drift_psi", float("nan"))
    job.set("kolmatch_matches", None)
    with pytest.raises(KeyError):
        job.set("kolmatch_nobody_knows", 1)
    job.write(5)
    found = read(tmp_path / "match.prom")
    assert found["kolmatch_metric", r'job="match",metric="a\"b\\c\nd"'] == 0.5
    assert found["kolmatch_job_duration_seconds", 'job="match"'] == 3.5
    assert found["kolmatch_job_success", 'job="match"'] == 1
    assert found["kolmatch_job_exit_code", 'job="match"'] == 5
    assert {name for name, _ in found}.isdisjoint({"kolmatch_drift_psi", "kolmatch_matches"})
    assert [path.name for path in tmp_path.iterdir()] == ["match.prom"]


def test_an_ingest_tells_rows_and_a_failed_one_tells_that(tmp_path: Path, world: World) -> None:
    files, file = tmp_path / "files", tmp_path / "ingest.prom"
    files.mkdir()
    world.tables.kols.to_parquet(files / "kols.parquet")
    world.tables.briefs.to_parquet(files / "briefs.parquet")
    job = 'job="ingest"'
    assert run("ingest", files, "--lake", tmp_path / "lake", "--metrics", file) == OK
    found = read(file)
    assert found["kolmatch_job_success", job] == 1
    rows = found["kolmatch_ingest_rows", f'{job},table="kols",change="inserted"']
    assert rows == len(world.tables.kols)
    for wrong, code in (("kol_id,platform\nk1,nowhere\n", BAD_DATA), (None, USAGE)):
        if wrong:
            (files / "kols.parquet").unlink()
            (files / "kols.csv").write_text(wrong)
        folder = files if wrong else tmp_path / "nowhere"
        assert run("ingest", folder, "--lake", tmp_path / "lake", "--metrics", file) == code
        found = read(file)
        assert found["kolmatch_job_success", job] == 0
        assert found["kolmatch_job_exit_code", job] == code
        assert not any(name == "kolmatch_ingest_rows" for name, _ in found)


def test_metrics_that_cannot_be_written_do_not_fail_the_job(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    world.tables.kols.to_parquet(files / "kols.parquet")
    world.tables.briefs.to_parquet(files / "briefs.parquet")
    (tmp_path / "taken").write_text("a file")
    file = tmp_path / "taken" / "ingest.prom"
    assert run("ingest", files, "--lake", tmp_path / "lake", "--metrics", file) == OK
    assert "the metrics could not be written" in capsys.readouterr().err


def test_a_retraining_tells_drift_and_a_busy_one_leaves_the_file(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.lake import Lake
    from matcher.commands import upkeep
    from training import retrain as module
    from training.drift import WATCH, Drift

    lake, file = tmp_path / "lake", tmp_path / "retrain.prom"
    Lake(lake).ingest(world.tables.only("briefs", "kols"))  # nothing to reconcile yet
    done = module.Retrained(module.KEPT, "3", "2", {}, "kept", Drift.unseen(WATCH, "so"))
    monkeypatch.setattr(module, "retrain", lambda *_, **__: done)
    monkeypatch.setattr(upkeep, "_write_report", lambda *_: None)
    assert run("retrain", "--lake", lake, "--metrics", file) == REFUSED
    found, job = read(file), 'job="retrain"'
    assert found["kolmatch_job_success", job] == 1
    assert found["kolmatch_job_exit_code", job] == REFUSED
    assert found["kolmatch_model_promoted", job] == 0
    assert found["kolmatch_model_version", job] == 3
    assert found["kolmatch_drift_advice", f'{job},advice="watch"'] == 1
    assert found["kolmatch_drift_advice", f'{job},advice="retrain"'] == 0
    before = file.read_bytes()
    with module.alone(lake, 0):
        assert run("retrain", "--lake", lake, "--metrics", file) == BUSY
    assert file.read_bytes() == before
