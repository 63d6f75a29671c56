"""The main path, whole, through the real command line and with the bundled encoder."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from features.lake import Lake
from matcher.cli import main
from matcher.registry import CHAMPION, Registry
from serving.page import page_name
from serving.publish import read_run, runs

SETTINGS = """
[training]
least_briefs = 10
unknown_per_brief = 10

[forecast]
trees = 20
least_rows = 30

[ranker]
trees = 20
"""
AS_OF = "2026-06-30"


def _run(*arguments: object) -> None:
    # MLflow leaves the store of the command before in the environment.
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        main([str(argument) for argument in arguments])
    assert not ended.value.code


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder in which everything up to the first lists has been done."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    place = tmp_path_factory.mktemp("place")
    (place / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    files, lake = place / "files", place / "lake"
    _run("simulate", files, "--kols", "60", "--briefs", "40", "--seed", "3")
    _run("check", files)
    _run("ingest", files, "--lake", lake)
    told = {job: ("--metrics", place / f"{job}.prom") for job in ("train", "match")}
    _run("train", lake, "--config", place / "settings.toml", *told["train"])
    _run("promote", lake, "--force")  # so small a world may teach nothing; the gate has its tests
    to = ("--out", place / "lists", "--run-id", "first")
    _run("match", lake, "--as-of", AS_OF, *to, *told["match"])
    yield place
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_same_files_again_change_nothing(place: Path) -> None:
    before = Lake(place / "lake").versions()
    _run("ingest", place / "files", "--lake", place / "lake")
    assert Lake(place / "lake").versions() == before


def test_the_trained_model_is_tracked_and_is_the_champion(place: Path) -> None:
    registry = Registry(place / "lake")
    version = registry.resolve(CHAMPION)
    assert version == "1"
    metrics = registry.metrics(version)
    assert {"headline", "headline_best_baseline", "briefs_train"} <= set(metrics)
    made = registry.client.get_model_version("kolmatch", version)
    told = registry.client.get_run(str(made.run_id)).data.params
    assert told["split"] == "time"
    assert '"kols"' in told["data_versions"]
    assert told["command"].startswith("kolmatch train")


def test_the_run_is_published_whole(place: Path) -> None:
    published = read_run(place / "lake", "first")
    assert (published.run.model_version, published.run.basis) == ("1", "outcomes")
    assert published.run.as_of == pd.Timestamp(AS_OF, tz="UTC")
    tables = Lake(place / "lake").read()
    waiting = tables.briefs[tables.briefs["decided_at"].isna()]
    assert set(published.exclusions["brief_id"]) <= set(waiting["brief_id"])
    roster = tables.kols["kol_id"].nunique()
    assert published.exclusions.groupby("brief_id")["kols"].sum().eq(roster).all()
    assert published.matches["reasons_zh"].map(len).gt(0).any()
    assert published.matches["fit"].between(0, 1).all()


def test_the_jobs_tell_how_they_went(place: Path) -> None:
    published = read_run(place / "lake", "first")
    told = (place / "match.prom").read_text(encoding="utf-8")
    for name, value in (
        ("kolmatch_job_success", 1),
        ("kolmatch_briefs", len(published.run.briefs)),
        ("kolmatch_matches", len(published.matches)),
        ("kolmatch_model_version", 1),
        ("kolmatch_model_stale", 0),
    ):
        assert f'{name}{{job="match"}} {float(value)}\n' in told
    assert 'kolmatch_model_age_seconds{job="match"} ' in told
    headline = Registry(place / "lake").metrics("1")["headline"]
    assert f'{{job="train",metric="headline"}} {headline!r}\n' in (place / "train.prom").read_text()


def test_people_get_the_lists_with_ids_as_text(place: Path) -> None:
    published = read_run(place / "lake", "first").matches
    table = pd.read_csv(place / "lists" / "first" / "matches.en.csv", dtype=str)
    assert table["KOL ID"].tolist() == published["kol_id"].tolist()
    book = openpyxl.load_workbook(place / "lists" / "first" / "matches.en.xlsx")
    assert book.sheetnames[:3] == ["Plans", "Plan", "Matches"]
    assert book.sheetnames[-2:] == ["Excluded", "About"]
    head, *rows = book["Matches"].iter_rows()
    at = [cell.value for cell in head].index("KOL ID")
    assert [row[at].value for row in rows] == published["kol_id"].tolist()
    assert {(row[at].data_type, row[at].number_format) for row in rows} == {("s", "@")}


def test_the_same_run_again_changes_no_byte_and_ends_with_the_page_to_open(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / "lists" / "first"
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    listed = runs(place / "lake")
    _run("match", place / "lake", "--as-of", AS_OF, "--out", place / "lists", "--run-id", "first")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert runs(place / "lake") == listed
    told = capsys.readouterr().err.replace("\n", "")  # a console folds long lines
    assert told.endswith(f"Open {folder / 'index.html'} in a browser.")
    published = read_run(place / "lake", "first")
    pages = {file.name for file in folder.glob("brief-*.html")}
    assert pages == {page_name(brief_id) for brief_id in set(published.exclusions["brief_id"])}


def test_the_lists_can_be_had_in_chinese(place: Path) -> None:
    out = place / "中文"
    _run(
        *("match", place / "lake", "--as-of", AS_OF, "--language", "zh"),
        *("--out", out, "--run-id", "first"),
    )
    table = pd.read_csv(out / "first" / "matches.zh.csv", dtype=str)
    assert {"需求编号", "达人昵称", "推荐理由", "达人ID"} <= set(table)
    assert table["推荐理由"].dropna().str.contains(r"[\u4e00-\u9fff]").all()
    assert table["达人ID"].tolist() == read_run(place / "lake", "first").matches["kol_id"].tolist()


def test_files_that_were_never_ingested_give_the_same_lists(place: Path) -> None:
    store = f"sqlite:///{place / 'lake' / 'mlflow.db'}"
    _run(
        *("match", place / "files", "--as-of", AS_OF, "--tracking-uri", store),
        *("--out", place / "direct", "--run-id", "first"),
    )
    lists = [(place / out / "first" / "matches.en.csv").read_bytes() for out in ("lists", "direct")]
    assert lists[0] == lists[1]


def test_without_a_champion_the_lists_rest_on_content(place: Path) -> None:
    files = place / "files alone"
    shutil.copytree(place / "files", files, ignore=shutil.ignore_patterns(".kolmatch"))
    _run("match", files, "--as-of", AS_OF, "--run-id", "humble")
    published = read_run(files / ".kolmatch", "humble")
    assert published.run.model_version is None
    assert len(published.matches)
    assert (published.matches["basis"] == "content").all()
    lists = files / ".kolmatch" / "lists" / "humble" / "matches.en.csv"
    assert set(pd.read_csv(lists, dtype=str)["Basis"]) == {"content only"}


def test_the_champion_can_be_measured_again(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run("evaluate", place / "lake")
    told = capsys.readouterr()
    assert "kolmatch" in told.out
    assert "NDCG@10" in told.out
    assert "Evaluated version 1." in told.err
    page = (place / "lake" / "evaluation-v1.html").read_text(encoding="utf-8")
    assert "Evaluation of kolmatch model version 1" in page
    assert f"kolmatch evaluate {place / 'lake'}" in page
    _run("evaluate", place / "lake", "--out", place / "pages" / "one.html")
    assert (place / "pages" / "one.html").is_file()


# -- text and people's grades, nothing else ----------------------------------------------------


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder in which grades have taught a champion, and new briefs have their lists."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    place = tmp_path_factory.mktemp("judged")
    files, lake = place / "files", place / "lake"
    _run("simulate", files, "--judged", "--kols", "80", "--briefs", "40", "--seed", "3")
    _run("check", files)
    _run("ingest", files, "--lake", lake)
    _run("train", lake)
    _run("promote", lake, "--force")  # as above
    new = place / "new"
    new.mkdir()
    briefs = "brief_id,text\n新1,敏感肌修护面霜，想找成分党\nnew2,running shoes for beginners\n"
    (new / "briefs.csv").write_text(briefs, encoding="utf-8")
    _run("check", new)
    _run("ingest", new, "--lake", lake)
    _run("match", lake, "--brief", "新1", "--brief", "new2", "--run-id", "judged")
    yield place
    root.handlers[:] = handlers
    root.setLevel(level)


def test_four_files_of_text_and_grades_are_all_there_is(judged: Path) -> None:
    files = {file.name: list(pd.read_csv(file)) for file in (judged / "files").glob("*.csv")}
    assert files == {
        "briefs.csv": ["brief_id", "brand_id", "text"],
        "kols.csv": ["kol_id", "bio"],
        "posts.csv": ["post_id", "kol_id", "text"],
        "judgments.csv": ["brief_id", "kol_id", "judge", "grade"],
    }


def test_what_grades_taught_is_tested_on_brands_never_seen(judged: Path) -> None:
    registry = Registry(judged / "lake")
    version = registry.resolve(CHAMPION)
    assert version is not None
    metrics = registry.metrics(version)
    assert registry.params(version)["split"] == "brand"
    assert metrics["headline"] == metrics["judgments_ndcg_at_10"]
    assert metrics["headline"] > 0.5
    assert metrics["fit_ece"] < 2 * metrics["fit_ece_noise_floor"]


def test_new_briefs_are_matched_by_what_grades_taught(judged: Path) -> None:
    published = read_run(judged / "lake", "judged")
    assert published.run.basis == "judgments"
    matches = published.matches
    assert set(matches["brief_id"]) == {"新1", "new2"}
    assert (matches["basis"] == "judgments").all()
    assert matches["fit"].between(0, 1).all()
    assert matches["fit"].nunique() > 5
    assert matches[["cvr", "views_p50", "price"]].isna().all(axis=None)
    assert matches[matches["rank"] == 1]["reasons_zh"].map(len).gt(0).all()
    table = pd.read_csv(judged / "lake" / "lists" / "judged" / "matches.en.csv", dtype=str)
    assert set(table["Basis"]) == {"judgments"}


def test_a_champion_that_grades_taught_can_be_measured_again(
    judged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run("evaluate", judged / "lake")
    told = capsys.readouterr()
    assert "the KOLs that people graded" in told.out
    assert "Evaluated version 1." in told.err
