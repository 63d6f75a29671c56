"""`kolmatch plan`, on a run that was published with made-up values."""

import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.history import History, roster
from features.lake import home_of
from features.offers import quotes
from features.simulate import World
from matcher.cli import main
from matcher.commands.shared import EXHAUSTED, INFEASIBLE, OK, USAGE
from serving.privacy.outputs import remembered
from serving.publish import Run, publish
from serving.results import MATCHES, OPTIONS

Said = tuple[int, str, str]
Kolmatch = Callable[..., Said]


@pytest.fixture(scope="module")
def planned_brief(world: World) -> str:
    """Return the brief whose run is published: the one that most quotes are for."""
    return str(offers(world)["brief_id"].value_counts().index[0])


def offers(world: World) -> pd.DataFrame:
    known = roster(History(world.tables), world.as_of)
    briefs = world.tables.briefs[world.tables.briefs["currency"] == "CNY"]
    pairs = briefs[["brief_id"]].merge(known[["kol_id"]], how="cross").assign(as_of=world.as_of)
    return quotes(pairs, History(world.tables))


@pytest.fixture(scope="module")
def folder(world: World, planned_brief: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return files of the world, beside which a run of one brief is published."""
    path = tmp_path_factory.mktemp("plan") / "files"
    world.write(path)
    known = roster(History(world.tables), world.as_of)
    rng = np.random.default_rng(0)
    options = offers(world)
    options = options[options["brief_id"] == planned_brief].drop(columns="as_of")
    options = options.assign(
        recommended=True, value=rng.lognormal(6, 0.7, len(options)), accept=0.7
    )
    for factor, end in ((0.4, "p10"), (1.0, "p50"), (2.2, "p90")):
        options[f"views_{end}"] = (20 * options["value"] * factor).round()
    first = options.drop_duplicates("kol_id").reset_index(drop=True)
    matches = first.merge(
        known[["kol_id", "platform", "display_name", "person_id", "followers"]], on="kol_id"
    )
    matches = matches.assign(
        rank=range(1, len(matches) + 1),
        basis="outcomes",
        risk=rng.uniform(0, 0.3, len(matches)),
        score=1.0,
        evidence=[{}] * len(matches),
    )
    run = Run("r1", world.as_of, "1", "h", "e", {}, "c", 0, 40, world.as_of, "outcomes")
    publish(
        path / ".kolmatch",
        run,
        matches[[name for name in MATCHES.names if name in matches]],
        pd.DataFrame({"brief_id": [planned_brief], "reason": ["eligible"], "kols": [len(matches)]}),
        {"options": options[[name for name in OPTIONS.names if name in options]]},
    )
    return path


@pytest.fixture
def kolmatch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> Iterator[Kolmatch]:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("matcher.console.QUICK", float("inf"))

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_plan_is_shown_and_written(kolmatch: Kolmatch, planned_brief: str, folder: Path) -> None:
    code, out, err = kolmatch("plan", "files", "--budget", 9000, "--kols", 4, "--steps", "50%,120%")
    assert code == OK
    assert "4,500 CNY" in out
    assert "10,800 CNY" in out
    assert "gap" in out
    made = sorted((folder / ".kolmatch" / "lists" / "r1").glob(f"plan-{planned_brief}*.en.*"))
    assert [path.suffix for path in made] == [".csv", ".csv", ".csv", ".xlsx"]
    assert f"Wrote {made[-1].relative_to(folder.parent)}" in err
    before = [path.read_bytes() for path in made]
    kolmatch("plan", "files", "--budget", 9000, "--kols", 4, "--steps", "50%,120%")
    assert [path.read_bytes() for path in made] == before


def test_a_plan_is_told_in_chinese(kolmatch: Kolmatch) -> None:
    code, out, err = kolmatch(
        "plan", "files", "--budget", 9000, "--steps", 1, "--language", "zh", "--out", "here"
    )
    assert code == OK
    assert "合作形式" in out
    assert "预算再增加 10%（¥900）" in err
    assert list(Path("here").glob("plan-*.zh.xlsx"))


def test_what_cannot_be_is_no_crash_but_a_code_and_what_would_help(
    kolmatch: Kolmatch, planned_brief: str, world: World
) -> None:
    unasked = sorted(set(world.tables.kols["kol_id"]))
    code, out, err = kolmatch(
        *("plan", "files", "--brief", planned_brief, "--budget", 100, "--kols", "5:"),
        *("--steps", 1, "--must", unasked[0]),
    )
    assert code == INFEASIBLE
    assert "no plan" in out
    assert "No plan keeps all limits." in err
    assert "raise the budget by" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--brief", "nope"), "Got --brief nope but expected one of run r1: "),
        (("--run", "r9"), "Got no published run 'r9'; the latest are: r1"),
        (("--must", "nope"), "Got KOLs nope but expected ids that are in the kols table"),
        (("--platform", "douyin"), "Got --platform 'douyin' but expected NAME=LEAST:MOST"),
        (("--tier", "huge=2"), "no tier is called 'huge'"),
        (("--diverse", "brand=60%"), "Got --diverse 'brand=60%' but expected one of platform"),
        (("--kols", "many"), "'many' is no number of KOLs such as 10, 5:10 or 5:"),
        (("--kols", "5:2"), "at least 5 but at most 2 KOLs"),
        (("--steps", "0"), "'0' are no shares of the budget"),
        (("--budget", "-1"), "should be greater than or equal to 0"),
    ],
)
def test_wrong_usage_ends_in_one_message(
    kolmatch: Kolmatch, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = kolmatch("plan", "files", *arguments)
    assert (code, out) == (USAGE, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_without_a_run_there_is_nothing_to_plan(
    kolmatch: Kolmatch, world: World, tmp_path: Path
) -> None:
    world.write(tmp_path / "bare")
    code, _, err = kolmatch("plan", tmp_path / "bare")
    assert code == USAGE
    assert "Got no published run to plan from; rank KOLs with `kolmatch match` first" in err


@pytest.mark.parametrize("command", ["plan", "reconcile"])
def test_files_elsewhere_are_announced_before_they_are_written(
    kolmatch: Kolmatch,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    def stop(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("serving.sheets.open_book", stop)
    code, _, err = kolmatch(command, folder, "--out", tmp_path / "mine")
    assert (code, "the disk is full" in err) == (EXHAUSTED, True)
    known = remembered(home_of(folder))
    name = "plan-*.en.xlsx" if command == "plan" else "ledger.json"
    assert any(Path(one).match(f"mine/{name}") for one in known)
    assert list((tmp_path / "mine").iterdir()) == []
