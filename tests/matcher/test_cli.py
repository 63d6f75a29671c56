import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock

from features.errors import UserError
from features.simulate import World
from features.vectors import Embeddings
from matcher.cli import main
from matcher.commands.shared import BAD_DATA, BUSY, OK, REFUSED, STALE, USAGE
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import CHALLENGER, CHAMPION, Loaded, Registry
from serving.publish import Run, latest_run, publish, read_run
from training.retrain import Retrained
from training.verdict import Check, Verdict

AS_OF = ("--as-of", "2026-06-30")
COMMANDS = (
    *("check", "ingest", "simulate", "train", "evaluate", "promote", "rollback", "match"),
    *("reconcile", "drift", "tune", "retrain", "plan", "why", "successors", "brief"),
    *("access", "erase", "prune", "replay", "status", "doctor", "migrate"),
)


@dataclass
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.err.splitlines()]


Kolmatch = Callable[..., Said]


@pytest.fixture
def kolmatch(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    word_embeddings: Embeddings,
    tmp_path: Path,
) -> Iterator[Kolmatch]:
    """Run the command line in this process, in a folder of its own, with a quick encoder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("features.encoder.SentenceEncoder", lambda config: word_embeddings.encoder)

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Said(int(ended.value.code or 0), told.out, told.err)

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def written(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "files"
    world.write(folder)
    # A fresh MLflow store takes a second; the tests share a copy of one.
    assert Registry(folder / ".kolmatch").champion() is None
    return folder


@pytest.fixture
def files(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "files")
    return tmp_path / "files"


@pytest.fixture
def faulty(files: Path) -> Path:
    shutil.rmtree(files / ".kolmatch")
    rates = files / "rates.csv"
    lines = rates.read_text(encoding="utf-8-sig").splitlines()
    place = lines[0].split(",").index("price")
    for row in range(1, 9):
        cells = lines[row].split(",")
        cells[place] = "=cheap"
        lines[row] = ",".join(cells)
    rates.write_text("\n".join(lines), encoding="utf-8")
    return files


def test_help_is_told_without_loading_anything_heavy() -> None:
    code = f"""
import sys
from matcher.cli import main
for command in {COMMANDS!r}:
    try:
        main([command, "--help"])
    except SystemExit as ended:
        assert not ended.code, command
heavy = "torch", "mlflow", "lightgbm", "pandas", "numpy", "deltalake", "pyarrow", "sklearn"
print("LOADED", [name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout
    for command in COMMANDS:
        assert f"Usage: kolmatch {command}" in done.stdout
    assert done.stdout.count("Exit codes: 0 done, 2 wrong usage, 3 bad data") == len(COMMANDS)


def test_without_a_command_the_help_names_all(kolmatch: Kolmatch) -> None:
    said = kolmatch()
    assert said.code == USAGE
    assert said.err == ""
    assert all(command in said.out for command in COMMANDS)
    assert kolmatch("--help").code == OK
    assert kolmatch("--version").out.startswith("kolmatch 0.")


def test_every_command_of_the_help_is_known_here(kolmatch: Kolmatch) -> None:
    from matcher.cli import app

    assert sorted(c.callback.__name__ for c in app.registered_commands if c.callback) == sorted(
        COMMANDS
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nope",), "No such command 'nope'. (`kolmatch --help` tells more)"),
        (("match", "--nope"), "No such option: --nope"),
        (("check",), "Missing argument 'folder'."),
        (("check", "absent"), "Got absent but expected a folder"),
        (("check", "files/kols.csv"), "kols.csv but expected a folder"),
        (("ingest", "absent"), "Got absent but expected a folder"),
        (("match", "absent"), "Got absent but expected a folder: a lake made by"),
        (("train",), "Got lake but expected a folder"),
        (("check", "files", "--mapping", "absent.toml"), "file 'absent.toml' does not exist"),
        (("match", "files", "--mapping", "files"), "file 'files' is a directory"),
        (("train", "files", "--config", "absent.toml"), "file 'absent.toml' does not exist"),
        (("train", "files", "--split", "x"), "'x' is not one of 'auto', 'time', 'brand'"),
        (("simulate", "new", "--format", "x"), "'x' is not one of 'csv', 'parquet', 'xlsx'"),
        (("simulate", "new", "--kols", "19"), "should be greater than or equal to 20"),
        (("simulate", "new", "--judged", "--kols", "25"), "Got kols=25 but expected at least 30"),
        (("simulate", "files/kols.csv"), "is a file"),
        (("ingest", "files", "--lake", "files"), "which holds other files"),
        (("match", "files", "--language", "fr"), "'fr' is not one of 'zh', 'en'"),
        (("match", "files", "--top", "0"), "should be greater than or equal to 1"),
        (("match", "files", "--explore", "0.6"), "should be less than or equal to 0.5"),
        (("match", "files", "--as-of", "12"), "'12' is not a date or time such as 2026-06-30"),
        (("match", "files", "--as-of", "NaT"), "'NaT' is not a date or time"),
        (("match", "files", "--out", "files/kols.csv"), "is a file"),
        (("match", "files", "--as-of", "2020-01-01"), "no KOL was observed before that"),
        (("match", "files", *AS_OF, "--brief", "nope"), "Got briefs ['nope'] but expected ids"),
        (("match", "files", *AS_OF, "--run-id", "a/b"), "Got run id 'a/b' but expected"),
        (("train", "files"), "but training needs 20; until then"),
        (("promote", "files"), "Got no challenger to promote; run `kolmatch train` first"),
        (("promote", "files", "--version", "7"), "Got model version 7 but expected one of: none"),
        (("rollback", "files"), "Got no champion to roll back"),
        (("rollback", "absent"), "Got absent but expected a folder"),
        (("evaluate", "files"), "Got no champion; train and promote a model"),
        (("evaluate", "files", "--version", "7"), "Got model version 7 but expected one of"),
        (("evaluate", "files", "--origins", "2"), "only --refit looks at several moments"),
        (("match", "files", "--workers", "2"), "only --engine dask has workers"),
        (("match", "files", *AS_OF, "--engine", "dask"), "--engine dask expected a lake"),
    ],
)
def test_wrong_usage_ends_in_one_message(
    kolmatch: Kolmatch,
    files: Path,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("matcher.console.QUICK", float("inf"))  # a slow machine reports stages
    said = kolmatch(*arguments)
    assert said.code == USAGE
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert message in said.err


@pytest.mark.parametrize(
    "arguments",
    [("nope",), ("match", "--nope"), ("check", "absent"), ("promote", "files"), ("x", "[b")],
)
def test_wrong_usage_in_json_is_one_line(
    kolmatch: Kolmatch,
    files: Path,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("matcher.console.QUICK", float("inf"))
    said = kolmatch("--json", *arguments)
    assert (said.code, said.out) == (USAGE, "")
    (line,) = said.lines
    assert line["level"] == "error"


def test_a_wrong_setting_is_named(kolmatch: Kolmatch, files: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[ranker]\ntreees = 3\n", encoding="utf-8")
    for command in ("train", "match"):
        said = kolmatch(command, files, "--config", "c.toml")
        assert said.code == USAGE
        assert "ranker.treees is not a setting; expected one of trees, leaves" in said.err


def test_check_says_what_was_understood(kolmatch: Kolmatch, files: Path) -> None:
    said = kolmatch("check", files, "--report", "faults.csv")
    assert said.code == OK
    assert "No faults." in said.err
    assert "collaborations.csv" in said.out
    written = pd.read_csv("faults.csv")
    assert list(written) == ["table", "file", "row", "column", "value", "expected"]
    assert written.empty


def test_check_lists_every_fault_and_writes_them_all(kolmatch: Kolmatch, faulty: Path) -> None:
    said = kolmatch("check", faulty, "--report", "faults.csv")
    assert said.code == BAD_DATA
    assert "8 faults" in said.out
    assert "... and 3 more in rates.csv, price" in said.out
    assert said.err == "error: The data has faults; nothing was written.\n"
    written = pd.read_csv("faults.csv")
    assert written["row"].tolist() == list(range(2, 10))
    assert written["value"].unique().tolist() == ["'=cheap"]


def test_faults_in_json_are_lines(kolmatch: Kolmatch, faulty: Path) -> None:
    said = kolmatch("--json", "check", faulty)
    assert (said.code, said.out) == (BAD_DATA, "")
    assert [line["message"] for line in said.lines[:-1]] == ["fault"] * 8
    assert said.lines[-1]["faults"] == 8


@pytest.mark.parametrize("command", ["ingest", "train", "match"])
def test_with_a_fault_nothing_is_written(kolmatch: Kolmatch, faulty: Path, command: str) -> None:
    said = kolmatch(command, faulty)
    assert said.code == BAD_DATA
    assert not Path("lake").exists()
    assert not (faulty / ".kolmatch").exists()


def test_ingest_tells_what_changed(kolmatch: Kolmatch, files: Path) -> None:
    first = kolmatch("--json", "ingest", files, "--lake", "made")
    again = kolmatch("--json", "ingest", files, "--lake", "made")
    assert (first.code, again.code) == (OK, OK)
    told = [said.lines[-1]["changes"] for said in (first, again)]
    assert told[0]["kols"]["inserted"] == told[1]["kols"]["unchanged"] > 0  # type: ignore[index]
    assert all(t["inserted"] + t["updated"] == 0 for t in told[1].values())  # type: ignore[attr-defined]


def test_match_without_a_champion_ranks_by_likeness(kolmatch: Kolmatch, files: Path) -> None:
    said = kolmatch("match", files, *AS_OF, "--out", "lists", "--run-id", "night", "--top", "3")
    assert said.code == OK
    assert "There is no champion" in said.err
    assert "Run night is published." in said.err
    table = pd.read_csv("lists/night/matches.en.csv", dtype=str)
    assert set(table["Basis"]) == {"content only"}
    # Three by rank, and then whoever else the plan books.
    listed = table.groupby("Brief ID")["Rank"].apply(list)
    assert all(ranks == [str(n + 1) for n in range(len(ranks))] for ranks in listed)
    assert Path("lists/night/matches.en.xlsx").is_file()


def test_why_one_is_above_another_is_told_by_a_published_run(
    kolmatch: Kolmatch, files: Path
) -> None:
    none = kolmatch("why", files, "--kols", "a", "b")
    assert none.code == USAGE
    assert "without a published run; make one with `kolmatch match`" in none.err
    assert kolmatch("match", files, *AS_OF, "--out", "lists", "--top", "3").code == OK
    latest = latest_run(files / ".kolmatch")
    assert latest is not None
    matches = read_run(files / ".kolmatch", latest.run_id).matches
    brief = matches["brief_id"].value_counts().idxmax()
    first, second = matches.loc[matches["brief_id"] == brief, "kol_id"].iloc[[2, 0]]
    asked = ("why", files, "--run", latest.run_id, "--brief", brief, "--kols", first, second)
    said = kolmatch(*asked, "--language", "zh")
    assert (said.code, said.err) == (OK, "")
    assert re.search("排第 1 位，.*排第 3 位", said.out)
    assert re.search(r"ranks 1, .* ranks 3", kolmatch(*asked).out)

    unknown = kolmatch("why", files, "--brief", brief, "--kols", first, "nope")
    assert unknown.code == USAGE
    assert f"two of the {(matches['brief_id'] == brief).sum()} matches" in unknown.err
    assert "Got KOLs ['nope'] but expected --kols" in unknown.err
    assert "expected --brief with one of" in kolmatch("why", files, "--kols", first, second).err


def test_no_open_brief_is_no_fault(kolmatch: Kolmatch, files: Path) -> None:
    said = kolmatch("--json", "match", files, "--as-of", "2036-01-01", "--out", "lists")
    assert (said.code, said.out) == (OK, "")
    assert said.lines[-1]["briefs"] == 0
    assert "No brief is open at 2036-01-01 00:00 UTC" in str(said.lines[-1]["message"])
    assert not Path("lists").exists()
    assert latest_run(files / ".kolmatch") is None


def test_json_after_the_command_asks_for_no_logs_in_json(kolmatch: Kolmatch, files: Path) -> None:
    for asked in (("nope", "--json"), ("drift", "files", "--json", "--nope")):
        said = kolmatch(*asked)
        assert said.code == USAGE
        assert said.err.startswith("error: ")
        (line,) = kolmatch("--json", *asked).lines
        assert line["level"] == "error"


def test_what_to_type_next_can_be_typed(
    kolmatch: Kolmatch, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.rename("my files")
    Path("my map.toml").write_text("", encoding="utf-8")
    trained = SimpleNamespace(
        version="4",
        evaluation=None,
        unconverted=0,
        split="time",
        report=SimpleNamespace(lead=SimpleNamespace(sentence="It leads.", verdict="leads")),
        metrics={},
    )
    monkeypatch.setattr("training.job.train", lambda *given, **named: trained)
    monkeypatch.setattr("matcher.commands.models._show_evaluation", lambda *given: None)
    said = kolmatch("train", "my files", "--mapping", "my map.toml")
    assert "`kolmatch promote 'my files' --mapping 'my map.toml'` makes it champion" in said.err


def test_match_in_json_keeps_the_table_on_stdout(kolmatch: Kolmatch, files: Path) -> None:
    said = kolmatch("--json", "match", files, *AS_OF, "--out", "lists")
    assert said.code == OK
    assert "┃ KOL" in said.out
    assert {"info"} == {line["level"] for line in said.lines}
    assert said.lines[-2]["run_id"].startswith("20260630T000000Z-content-")
    assert Path(said.lines[-1]["page"]).is_file()


def test_a_time_with_a_zone_is_the_same_moment(kolmatch: Kolmatch, files: Path) -> None:
    for time in ("2026-06-30T08:00+08:00", "2026-06-30 00:00", "20260630"):
        said = kolmatch("match", files, "--as-of", time)
        assert "Run 20260630T000000Z-content-" in said.err


def test_an_older_copy_of_the_model_is_told_and_has_its_own_code(
    kolmatch: Kolmatch, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made_at = pd.Timestamp.now(tz="UTC") - pd.Timedelta(days=12, hours=1)
    stale = Loaded(Matcher(Config(), "words"), "4", "connection refused", made_at.to_pydatetime())
    monkeypatch.setattr(Registry, "champion", lambda self: stale)
    (tmp_path / "c.toml").write_text("seed = 1\n", encoding="utf-8")
    said = kolmatch("match", files, *AS_OF, "--config", "c.toml")
    assert said.code == STALE
    assert "Run 20260630T000000Z-v4-" in said.err
    assert "warning: the registry could not give the champion (connection refused)" in said.err
    assert "served the last good copy, version 4, 12 days old" in said.err
    assert "warning: --config c.toml is not used" in said.err


@pytest.fixture
def challenger(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str | None]]]:
    """Make version 3 the challenger of 2, let the gate say something; return what gets promoted."""

    def make(*checks: Check, loads: bool = True, now: str = "2") -> list[tuple[str, str | None]]:
        def load(self: Registry, version: str) -> Matcher:
            if not loads:
                raise UserError(f"Got model version {version}, which cannot be loaded: damaged")
            return Matcher(Config(), "words")

        def move(self: Registry, alias: str, to: str, expected: str | None) -> None:
            if expected != now:
                raise UserError(f"Got champion version {now} but expected {expected}")
            promoted.append((to, expected))

        promoted: list[tuple[str, str | None]] = []
        aliases = {CHALLENGER: "3", CHAMPION: "2"}
        verdict = Verdict("3", "2", "version 2", "50 briefs of 9 brands", checks)
        monkeypatch.setattr(Registry, "resolve", lambda self, alias: aliases[alias])
        monkeypatch.setattr(Registry, "load", load)
        monkeypatch.setattr(Registry, "status", lambda self, version: "FINISHED")
        monkeypatch.setattr(Registry, "move", move)
        monkeypatch.setattr(Registry, "note", lambda self, version, texts, tags: None)
        monkeypatch.setattr("training.gate.judge", lambda *_, **__: verdict)
        return promoted

    return make


GAIN = Check("gain", True, "NDCG@10 0.610 against 0.580")
LOST = Check("slices", False, "clearly worse: goal: seeding")
Challenger = Callable[..., list[tuple[str, str | None]]]


def test_what_the_gate_lets_pass_is_promoted_and_every_check_is_told(
    kolmatch: Kolmatch, files: Path, challenger: Challenger
) -> None:
    promoted = challenger(GAIN)
    said = kolmatch("promote", files)
    assert (said.code, promoted) == (OK, [("3", "2")])
    assert said.err == "Model version 3 is the champion.\n"
    for word in ("version 2 on 50 briefs", "gain", "holds", "NDCG@10 0.610 against 0.580"):
        assert word in said.out


def test_what_the_gate_refuses_is_not_promoted_unless_forced(
    kolmatch: Kolmatch, files: Path, challenger: Challenger
) -> None:
    promoted = challenger(GAIN, LOST)
    said = kolmatch("promote", files)
    assert (said.code, promoted) == (REFUSED, [])
    assert "version 3 is not promoted: slices: clearly worse: goal: seeding" in said.err
    assert "NO" in said.out
    told = kolmatch("--json", "promote", files)
    assert told.code == REFUSED
    assert told.lines[-1]["reasons"] == ["slices: clearly worse: goal: seeding"]
    assert promoted == []
    forced = kolmatch("promote", files, "--force")
    assert (forced.code, promoted) == (OK, [("3", "2")])
    assert "was promoted by force: slices: clearly worse" in forced.err


def test_a_model_that_cannot_be_loaded_is_refused_even_if_forced(
    kolmatch: Kolmatch, files: Path, challenger: Challenger
) -> None:
    promoted = challenger(Check("files", False, "damaged"), loads=False)
    said = kolmatch("promote", files, "--force")
    assert (said.code, promoted) == (REFUSED, [])
    assert "not promoted: Got model version 3, which cannot be loaded" in said.err


def test_a_champion_that_somebody_moved_meanwhile_is_left_alone(
    kolmatch: Kolmatch, files: Path, challenger: Challenger
) -> None:
    promoted = challenger(GAIN, now="4")
    said = kolmatch("promote", files)
    assert (said.code, promoted) == (REFUSED, [])
    assert "alias: Got champion version 4 but expected 2" in said.err


def test_the_champion_is_no_challenger(
    kolmatch: Kolmatch, files: Path, challenger: Challenger
) -> None:
    challenger(GAIN)
    said = kolmatch("promote", files, "--version", "2")
    assert said.code == USAGE
    assert "Got version 2, which is the champion already" in said.err


def test_rollback_says_who_is_champion_again(
    kolmatch: Kolmatch, files: Path, challenger: Challenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenger()
    monkeypatch.setattr(Registry, "rollback", lambda self, expected: f"before {expected}")
    said = kolmatch("rollback", files)
    assert said.code == OK
    assert said.err == "Model version before 2 is the champion again, after version 2.\n"


def test_what_nobody_foresaw_is_a_traceback_for_people_and_a_line_for_logs(
    kolmatch: Kolmatch, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Registry) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(Registry, "champion", fail)
    said = kolmatch("--json", "match", files, *AS_OF)
    assert said.code == 1
    assert said.lines[-1]["message"] == "RuntimeError: unforeseen"
    assert "Traceback" in str(said.lines[-1]["error"])
    with pytest.raises(RuntimeError, match="unforeseen"):
        main(["match", str(files), *AS_OF])


def test_a_simulated_world_can_be_checked_at_once(kolmatch: Kolmatch) -> None:
    said = kolmatch("simulate", "new", "--kols", "20", "--briefs", "5", "--format", "parquet")
    assert said.code == OK
    assert "match with --as-of 2026-06-30" in said.err
    assert kolmatch("check", "new").code == OK


def test_nothing_to_reconcile_is_told_in_words_with_counts(kolmatch: Kolmatch, files: Path) -> None:
    said = kolmatch("reconcile", files)
    assert (said.code, said.out) == (OK, "")
    assert "Nothing that came can be held against a forecast yet." in said.err
    assert "are not: no list was published for their brief before it was decided." in said.err
    kolmatch("match", files, "--as-of", "2025-06-30", "--run-id", "past")
    said = kolmatch("reconcile", files, "--json", "--language", "zh", "--out", "told")
    told = json.loads(said.out)
    assert told["joined"] == 0
    assert told["left_out"]["not_forecast"]["collaborations"] > 0
    assert sorted(file.name for file in Path("told").iterdir()) == [
        *("accuracy.zh.csv", "ledger.json", "ledger.zh.csv", "ledger.zh.xlsx")
    ]


def test_outcomes_count_at_the_age_that_the_champion_forecasts(
    kolmatch: Kolmatch, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def horizon(*arguments: object) -> object:
        return json.loads(kolmatch("reconcile", files, "--json", *arguments).out)["horizon_days"]

    week = Matcher(Config.model_validate({"training": {"horizon_days": 7}}), "words")
    monkeypatch.setattr(Registry, "champion", lambda self: Loaded(week, "4"))
    assert horizon() == 7
    (tmp_path / "c.toml").write_text("[training]\nhorizon_days = 14\n", encoding="utf-8")
    assert horizon("--config", "c.toml") == 14

    def damaged(self: Registry) -> None:
        raise UserError("Got no champion from the registry: damaged")

    monkeypatch.setattr(Registry, "champion", damaged)
    said = kolmatch("reconcile", files, "--json")
    assert json.loads(said.out)["horizon_days"] == Config().training.horizon_days
    assert "damaged; the default settings count, or give --config" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("drift", "files"), "Got no champion to look at; train and promote a model first"),
        (("drift", "files", "--as-of", "12"), "'12' is not a date or time such as 2026-06-30"),
        (("tune", "files", "--trials", "1"), "should be greater than or equal to 2"),
        (("tune", "files"), "but training needs 20; until then"),
        (("retrain", "absent"), "Got absent but expected a folder"),
        (("retrain",), "Got lake but expected a folder"),
        (("retrain", "files", "--wait", "-1"), "should be greater than or equal to 0"),
    ],
)
def test_wrong_usage_of_upkeep_ends_in_one_message(
    kolmatch: Kolmatch, files: Path, arguments: tuple[str, ...], message: str
) -> None:
    said = kolmatch(*arguments)
    assert said.code == USAGE
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_retraining_of_faulty_files_changes_nothing(kolmatch: Kolmatch, faulty: Path) -> None:
    said = kolmatch("--json", "retrain", faulty, "--lake", "lake")
    assert said.code == BAD_DATA
    assert said.lines[-1]["faults"] == 8
    assert not (Path("lake") / "kolmatch.json").exists()


def test_a_retraining_makes_the_ledger_and_leaves_old_reports(
    kolmatch: Kolmatch, world: World, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[pd.DataFrame] = []

    def work(*given: Any, published: Callable[[str], pd.DataFrame | None], **named: Any) -> Any:
        found = published("m")
        assert found is not None
        made.append(found)
        return Retrained(results.pop(0), "4", "3", {}, "Words.\n", None)

    def text(registry: object, version: str, name: str) -> str:
        return "Words.\n" if name.endswith(".md") else "{}"

    results = ["kept", "nothing new"]
    monkeypatch.setattr("training.retrain.retrain", work)
    monkeypatch.setattr("matcher.registry.Registry.text", text)
    assert kolmatch("ingest", files, "--lake", "lake").code == OK
    rows = world.tables.collaborations.merge(world.tables.briefs[["brief_id", "decided_at"]])
    ripe = rows["collaboration_id"].isin(
        world.tables.outcomes.query("horizon_days == 30")["collaboration_id"]
    )
    row = rows[ripe & rows["decided_at"].notna()].iloc[0]
    before = row["decided_at"] - pd.Timedelta(days=1)
    listed = {"brief_id": row["brief_id"], "kol_id": row["kol_id"], "rank": 1, "basis": "outcomes"}
    run = Run("r", before, "3", "m", "words", {}, "c", 0, 1, before, "outcomes")
    excluded = pd.DataFrame([{"brief_id": row["brief_id"], "reason": "eligible", "kols": 1}])
    publish(Path("lake"), run, pd.DataFrame([listed | {"views_p50": 800.0}]), excluded)

    first = kolmatch("--json", "retrain", "--lake", "lake")
    assert first.code == REFUSED
    assert [line["stage"] for line in first.lines if "stage" in line] == ["reconcile"]
    assert made[0]["collaboration_id"].tolist() == [row["collaboration_id"]]
    report = Path("lake/reports/retrain-v4.md")
    assert report.read_text(encoding="utf-8") == "Words.\n"
    report.write_text("as it was", encoding="utf-8")
    assert kolmatch("retrain", "--lake", "lake").code == OK
    assert report.read_text(encoding="utf-8") == "as it was"

    # Damaged results are told and keep no model from being trained.
    (log,) = Path("lake/results/matches/_delta_log").glob("*0.json")
    log.write_text("{", encoding="utf-8")
    results.append("promoted")
    said = kolmatch("retrain", "--lake", "lake")
    assert said.code == OK
    assert "warning: the ledger stays as it was: Got a damaged table" in said.err


def test_a_second_search_says_that_one_is_at_work(kolmatch: Kolmatch, files: Path) -> None:
    with FileLock(files / ".kolmatch" / "tuning.lock"):
        said = kolmatch("tune", files)
    assert said.code == BUSY
    # A busy machine is told how far reading is before that.
    assert said.err.splitlines()[-1].startswith(f"error: another search over {files} is at work")


def test_a_second_retraining_says_that_one_is_at_work(kolmatch: Kolmatch, files: Path) -> None:
    from training.retrain import alone

    with alone(Path("lake"), 0):
        said = kolmatch("--json", "retrain", files)
    assert said.code == BUSY
    assert said.lines[-1]["message"] == (
        "another retraining of lake is at work; wait for it with --wait SECONDS"
    )


def test_successors_are_listed_in_the_readers_language(
    kolmatch: Kolmatch, files: Path, world: World
) -> None:
    ids = world.tables.kols["kol_id"].unique()
    told = [kolmatch("successors", kol_id, files, *AS_OF, "--language", "zh") for kol_id in ids[:6]]
    assert {said.code for said in told} == {OK}
    shown = " ".join(said.out for said in told)
    assert "的接替人选" in shown
    assert "CNY" in shown or "USD" in shown
    nobody = kolmatch("successors", "k999", files, *AS_OF)
    assert nobody.code == USAGE
    assert "Got KOL 'k999' but expected the id of one that was known" in nobody.err + nobody.out
