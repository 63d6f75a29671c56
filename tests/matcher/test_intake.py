"""`kolmatch brief`: what it shows, and that nothing is written that nobody confirmed."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from features.ingest import read_folder
from features.lake import Lake
from matcher.cli import main
from matcher.commands.shared import BAD_DATA, OK, USAGE

BRIEF = (
    "品牌：花西子\n小红书种草，预算30万，找10位达人，不投快手，不要数据造假的账号，6月1日-6月20日"
)
AS_OF = ("--as-of", "2026-05-06")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    Path("oat.txt").write_text(BRIEF, encoding="utf-8")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["brief", *words, *AS_OF])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def test_it_shows_what_was_read_and_from_which_words(run: Run) -> None:
    code, out, err = run("oat.txt")
    assert code == OK
    for words in ("总预算", "300,000 CNY", "小红书", "种草", "2026-06-20", "推断：未写年份"):
        assert words in out
    assert "没有对应字段，请人工留意: 不要数据造假的账号" in err
    assert "有则更好" in err
    assert "Nothing was written" in err
    assert [path.name for path in Path.cwd().iterdir()] == ["oat.txt"]


def test_what_is_missing_is_told_in_the_language_asked_for(run: Run) -> None:
    Path("short.txt").write_text("想种草", encoding="utf-8")
    _, out, err = run("short.txt", "--language", "en")
    assert "seeding" in out
    assert "missing: budget (without it there is no plan)" in err


@pytest.mark.parametrize("name", ["brief_oat.csv", "oat.xlsx"])
def test_a_draft_can_be_ingested(run: Run, tmp_path: Path, name: str) -> None:
    code, _, err = run("oat.txt", "--draft", f"drafts_{name}")
    assert (code, f"Wrote drafts_{name}" in err) == (OK, True)
    folder = tmp_path / "files"
    folder.mkdir()
    Path(f"drafts_{name}").rename(folder / name)
    briefs = read_folder(folder).tables.briefs
    assert briefs[["brief_id", "brand_id", "budget"]].iloc[0].tolist() == [
        "oat",
        "花西子",
        300_000.0,
    ]


def test_a_draft_that_exists_is_replaced_only_with_yes(run: Run) -> None:
    assert run("oat.txt", "--draft", "brief.csv")[0] == OK
    Path("brief.csv").write_text("mine")
    code, _, err = run("oat.txt", "--draft", "brief.csv")
    assert (code, Path("brief.csv").read_text()) == (USAGE, "mine")
    assert "exists already" in err
    assert run("oat.txt", "--draft", "brief.csv", "--yes")[0] == OK


def test_nothing_enters_a_lake_unconfirmed(run: Run) -> None:
    code, _, err = run("oat.txt", "--ingest", "lake")
    assert (code, Path("lake").exists()) == (OK, False)
    assert "not confirmed" in err


def test_a_confirmed_brief_enters_the_lake_and_knows_its_brand(run: Run) -> None:
    past = {"brief_id": "b0", "brand_id": "b77", "brand_name": "花西子", "text": "x"}
    told = {"decided_at": "2026-01-01"}
    folder = Path("files")
    folder.mkdir()
    pd.DataFrame([past | told]).to_csv(folder / "briefs.csv", index=False)
    lake = Lake(Path("lake"))
    lake.ingest(read_folder(folder).tables)
    assert run("oat.txt", "--ingest", "lake", "--yes", "--id", "b1")[0] == OK
    briefs = lake.read().briefs.set_index("brief_id")
    assert briefs.loc["b1", ["brand_id", "budget", "goal"]].tolist() == [
        "b77",
        300_000.0,
        "seeding",
    ]
    code, _, err = run("oat.txt", "--ingest", "lake", "--yes", "--id", "b0")
    assert code == USAGE
    assert "decided already" in err


def test_a_person_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.confirm", lambda question, **_: bool(asked.append(question)) or True)
    assert run("oat.txt", "--ingest", "lake")[0] == OK
    assert asked == ["Is this right? Then add it to lake"]
    assert run("oat.txt", "--ingest", "lake")[0] == OK
    assert asked[1] == "Is this right? Then replace brief oat in lake"


def test_an_amount_without_a_currency_does_not_enter_a_lake(run: Run) -> None:
    Path("en.txt").write_text("Our budget is 50k for TikTok.", encoding="utf-8")
    code, out, err = run("en.txt", "--ingest", "lake", "--yes")
    assert (code, Path("lake").exists()) == (BAD_DATA, False)
    assert "a currency beside it" in out
    assert "missing: currency" in err


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("none.txt", None, USAGE, "does not exist"),
        ("empty.txt", "", BAD_DATA, "a brief in words"),
        ("long.txt", "预算" * 25_000, BAD_DATA, "50,000 characters"),
        ("brief.pdf", "x", USAGE, "expected a brief as .txt"),
    ],
)
def test_files_that_cannot_be_read(
    run: Run, name: str, content: str | None, code: int, words: str
) -> None:
    if content is not None:
        Path(name).write_text(content, encoding="utf-8")
    got, out, err = run(name)
    assert got == code
    assert words in " ".join((out + err).split())
