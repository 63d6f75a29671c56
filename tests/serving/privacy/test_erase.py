"""After an erasure no byte names the KOL, and everybody else is where they were."""

import json
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from features.delta import VersionedTable
from features.errors import UserError
from features.lake import ERASING, Lake, open_data
from features.simulate import World
from matcher.registry import CHAMPION, Registry
from serving.ledger import read_ledger, reconcile
from serving.privacy.access import access, as_words
from serving.privacy.erase import STAGES, Erased, erase
from serving.privacy.find import GoneError
from serving.privacy.outputs import door
from serving.publish import publish as publish_rows
from serving.publish import read_run
from tests.bytesearch import find_bytes
from tests.serving.privacy.conftest import LATER, publish


def top_of(place: Path) -> tuple[str, str]:
    """Return id and name of the first match of the run."""
    first = read_run(place / "lake", "r1").matches.iloc[0]
    return str(first["kol_id"]), str(first["display_name"])


def erased(place: Path, kol_id: str | None, **options: object) -> Erased | None:
    lake = Lake(place / "lake")
    return erase(lake, kol_id, Registry(lake.path), at=LATER, **options)  # type: ignore[arg-type]


def first_of(place: Path) -> tuple[str, str]:
    """Return id and name of a KOL with results."""
    tables = Lake(place / "lake").read()
    done = tables.collaborations.merge(tables.outcomes, on="collaboration_id")
    kol_id = str(done["kol_id"].iloc[0])
    kols = tables.kols.set_index("kol_id")["display_name"]
    return kol_id, str(kols[kol_id].iloc[0])


def contents(place: Path) -> dict[Path, bytes]:
    """Return every file but locks."""
    files = (path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path: path.read_bytes() for path in files if path.name != ".lock"}


def named(place: Path, *terms: str) -> list[tuple[str, str]]:
    return find_bytes([place / "lake", place / "lists"], list(terms))


def test_no_byte_names_the_erased_and_nobody_else_is_gone(place: Path) -> None:
    kol_id, name = top_of(place)
    before, run = Lake(place / "lake").read(), read_run(place / "lake", "r1")
    kinds = {Path(path).suffix for path, _ in named(place, kol_id, name)}
    assert {".parquet", ".json", ".html", ".csv", ".xlsx"} <= kinds  # the search finds things
    told = erased(place, kol_id)
    assert named(place, kol_id, name) == []
    after, left = Lake(place / "lake").read(), read_run(place / "lake", "r1")
    for (table, frame), (_, rest) in zip(before, after, strict=True):
        if "kol_id" in frame:
            expected = frame[frame["kol_id"] != kol_id].reset_index(drop=True)
            pd.testing.assert_frame_equal(rest[["kol_id"]], expected[["kol_id"]])
        assert told is not None
        gone = len(frame) - len(rest)
        assert gone == told.removed.get(f"tables/{table}", {}).get("rows", 0)
    others = run.matches[run.matches["kol_id"] != kol_id].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        left.matches[["kol_id", "rank", "score"]], others[["kol_id", "rank", "score"]]
    )
    assert left.run.redacted_at == LATER
    pd.testing.assert_frame_equal(left.details["plans"], run.details["plans"])
    assert kol_id not in set(read_ledger(place / "lake")["kol_id"])
    assert told.report is not None and told.report.exists()
    assert not (place / "lake" / ERASING).exists()
    table = pd.read_csv(place / "lists" / "r1" / "matches.en.csv", dtype=str)
    assert table["KOL ID"].tolist() == left.matches["kol_id"].tolist()
    about = openpyxl.load_workbook(place / "lists" / "r1" / "matches.en.xlsx")["About"]
    words = " ".join(str(cell.value) for row in about.iter_rows(max_row=8) for cell in row)
    assert "On 2026-11-28 a KOL was erased from this list" in words
    page = (place / "lists" / "r1" / "index.html").read_text(encoding="utf-8")
    assert '"redacted_at":"2026-11-28"' in page.replace(": ", ":")


def test_what_was_erased_does_not_come_back(place: Path, world: World) -> None:
    kol_id, name = top_of(place)
    erased(place, kol_id)
    lake = Lake(place / "lake")
    versions = lake.versions()
    lake.ingest(world.tables)
    assert lake.versions() == versions
    publish(place, "r2")
    assert named(place, kol_id, name) == []
    assert read_run(lake.path, "r2").run.redacted_at is None
    with pytest.raises(GoneError, match="erased on 2026-11-28: nothing is held"):
        erased(place, kol_id)


def test_a_dry_run_tells_the_same_and_changes_nothing(bare: Path) -> None:
    kol_id, _ = first_of(bare)
    before = contents(bare)
    told = erased(bare, kol_id, dry_run=True)
    assert contents(bare) == before
    done = erased(bare, kol_id)
    assert told is not None and done is not None
    assert (told.report, told.removed) == (None, done.removed)


@pytest.mark.parametrize(
    "stage", [pytest.param(s, marks=() if s == "results" else pytest.mark.long) for s in STAGES]
)
def test_an_erasure_cut_off_is_ended_by_the_next(place: Path, stage: str) -> None:
    kol_id, name = top_of(place)

    def cut(begun: str) -> None:
        if begun == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erased(place, kol_id, stage=cut)
    with pytest.raises(UserError, match="an erasure is at work or was cut off; end it with"):
        open_data(place / "lake")
    told = erased(place, None)
    assert told is not None and told.removed["tables/kols"]["rows"] > 0
    assert named(place, kol_id, name) == []
    assert read_run(place / "lake", "r1").run.redacted_at == LATER
    assert erased(place, None) is None


@pytest.mark.parametrize("at", [1, 3])
def test_tables_cut_off_half_way_are_ended_too(
    bare: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kol_id, name = first_of(bare)
    plain, calls = VersionedTable.overwrite, []

    def cut(table: VersionedTable, frame: pd.DataFrame) -> int:
        calls.append(table)
        if len(calls) == at:
            raise KeyboardInterrupt
        return plain(table, frame)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(VersionedTable, "overwrite", cut)
        erased(bare, kol_id)
    erased(bare, None)
    assert find_bytes([bare], [kol_id, name]) == []


def test_what_a_killed_job_left_half_written_goes(place: Path) -> None:
    kol_id, _ = top_of(place)
    half = place / "lists" / "r1" / ".abcdefgh" / "lists.en.xlsx"
    half.parent.mkdir()
    # Cut short it cannot be read, and what names the KOL in it is compressed.
    half.write_bytes(next((place / "lists" / "r1").glob("*.xlsx")).read_bytes()[:-400])
    # Beside a file that was announced, in a folder of the user's, where only ours may go.
    beside, strange = (place / "mine" / name for name in (".kolmatch-ab12_xyz", ".ab12_xyz"))
    for folder in (beside, strange):
        folder.mkdir(parents=True)
        (folder / "plan.en.xlsx").write_bytes(half.read_bytes())
    with door(place / "lake", {})([place / "mine" / "plan.en.xlsx"]):
        pass
    dry = erased(place, kol_id, dry_run=True)
    assert half.exists() and beside.exists()
    told = erased(place, kol_id)
    assert not half.parent.exists() and not beside.exists() and strange.exists()
    for one in (dry, told):
        assert one is not None
        assert one.removed["lists elsewhere"]["unfinished files deleted"] == 2
        assert one.unreached == [
            "a place where lists were written, or were to be, which is not there"
        ]


def test_ids_that_contain_the_id_survive(world: World, tmp_path: Path) -> None:
    kols = world.tables.kols.replace({"kol_id": {"k000002": "k1", "k000003": "k12"}})
    kols.loc[kols["kol_id"] == "k1", "display_name"] = "阿七"
    kols.loc[kols["kol_id"] == "k12", ["display_name", "bio"]] = ["阿七七", "和阿七、k1、阿七七"]
    lake = Lake(tmp_path / "lake")
    lake.ingest(world.tables.only("briefs").replace(kols=kols))
    erased(tmp_path, "k1")
    left = lake.read().kols.set_index("kol_id")
    assert "k1" not in left.index
    assert set(left.loc["k12", "display_name"]) == {"阿七七"}
    assert set(left.loc["k12", "bio"]) == {"和[erased]、k1、阿七七"}  # k1: too short a word


def test_the_whole_person_goes_where_asked(bare: Path) -> None:
    kol_id, _ = first_of(bare)
    lake = Lake(bare / "lake")
    tables = lake.read()
    kols = tables.kols
    person = kols.loc[kols["kol_id"] == kol_id, "person_id"].iloc[0]
    other = next(k for k in kols["kol_id"].unique() if k != kol_id)
    changed = kols.assign(person_id=kols["person_id"].mask(kols["kol_id"] == other, person))
    lake.ingest(tables.replace(kols=changed))
    told = erased(bare, kol_id, person=True, dry_run=True)
    assert told is not None and (told.accounts, told.others) == (2, 0)
    told = erased(bare, kol_id)
    assert told is not None and (told.accounts, told.others) == (1, 1)
    told = erased(bare, other, person=True)
    assert find_bytes([bare], [kol_id, other, person]) == []


def test_models_taught_by_the_erased_are_marked_and_mlflow_is_cleaned(bare: Path) -> None:
    kol_id, name = first_of(bare)
    lake = Lake(bare / "lake")
    registry = Registry(lake.path)
    versions = json.dumps({n: str(v) for n, v in lake.versions().items()})
    with registry.run("train", {"data_versions": versions, "command": f"of {kol_id}"}) as run:
        run.table(pd.DataFrame({"kol_id": [kol_id, "k9"], "name": [name, "x"]}), "lists.csv")
        run.text(f"<td>{kol_id}</td><td>{name}</td>", "evaluation.html")
        run.tag("note", f"about {name}")
        version = _registered(run.run_id, registry)
    assert {Path(p).name for p, _ in find_bytes([bare], [kol_id])} >= {"mlflow.db", "lists.csv"}
    told = erased(bare, kol_id)
    assert find_bytes([bare], [kol_id, name]) == []
    assert told is not None and told.models == [version]
    assert registry.tags(version)["erasure"].startswith("retrain: ")
    assert registry.resolve(CHAMPION) is None


def _registered(run_id: str, registry: Registry) -> str:
    """Register a version without a model: only what is told of it matters here."""
    client = registry.client
    client.create_registered_model("kolmatch")
    return str(client.create_model_version("kolmatch", f"runs:/{run_id}/m", run_id).version)


def test_an_id_that_is_not_held_is_refused(place: Path) -> None:
    with pytest.raises(UserError, match="Got KOL 'nobody' but expected an id that is in the kols"):
        erased(place, "nobody")
    assert not (place / "lake" / ERASING).exists()


def test_lists_made_of_what_was_read_before_are_not_published(place: Path) -> None:
    home = place / "lake"
    read, old = open_data(home), read_run(home, "r1")
    run = replace(old.run, run_id="r2", data_versions=read.versions)
    erased(place, top_of(place)[0])
    with pytest.raises(UserError, match="Got data from which somebody was erased"):
        publish_rows(home, run, old.matches, old.exclusions, old.details)
    with pytest.raises(UserError, match="Got data from which somebody was erased"):
        reconcile(home, read.tables, read.versions, 30)


def test_access_tells_all_that_is_held(place: Path) -> None:
    kol_id, name = top_of(place)
    lake = Lake(place / "lake")
    told = access(lake, kol_id, Registry(lake.path))
    tables = lake.read()
    for table in ("kols", "posts", "rates", "collaborations"):
        frame = getattr(tables, table)
        assert len(told["tables"][table]) == (frame["kol_id"] == kol_id).sum()
    assert {"run_id": "r1", "brief_id": told["runs"][0]["brief_id"], "rank": 1.0} == {
        key: told["runs"][0][key] for key in ("run_id", "brief_id", "rank")
    }
    assert told["vectors"] > 0
    assert told["models"] == []
    assert str(place / "lists" / "r1" / "matches.en.csv") in told["files"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    words = as_words(told)
    assert name in words and "run r1" in words
