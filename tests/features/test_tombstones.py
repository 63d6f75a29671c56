"""Erased KOLs do not come back."""

from pathlib import Path

import pandas as pd
import pytest

from features.errors import UserError
from features.ingest import read_folder
from features.lake import Lake
from features.simulate import World
from features.tombstones import FILE, Tombstones

AT = pd.Timestamp("2026-11-28", tz="UTC")
GONE = "k000013"


@pytest.fixture
def tombstones(world: World) -> Tombstones:
    done = world.tables.collaborations
    mine = done.loc[done["kol_id"] == GONE, "collaboration_id"]
    return Tombstones().adding(AT, {"kol": [GONE], "collaboration": mine, "name": ["阿三"]})


def test_they_hold_hashes_and_no_ids(tombstones: Tombstones, tmp_path: Path) -> None:
    tombstones.write(tmp_path)
    assert GONE not in (tmp_path / FILE).read_text(encoding="utf-8")
    again = Tombstones.read(tmp_path)
    assert again == tombstones
    assert again.holds("kol", [GONE, f"{GONE}1", "k00000"]) == {GONE}
    assert again.when(GONE) == AT.isoformat()
    assert again.when("k000004") is None


def test_the_same_again_adds_nothing(tombstones: Tombstones) -> None:
    assert tombstones.adding(AT, {"kol": [GONE]}) is tombstones
    assert Tombstones().adding(AT, {"kol": [GONE]}).hash(GONE) != tombstones.hash(GONE)


def test_all_rows_of_the_erased_are_struck(tombstones: Tombstones, world: World) -> None:
    left, struck = tombstones.strike(world.tables)
    assert struck["kols"] == (world.tables.kols["kol_id"] == GONE).sum()
    assert {"posts", "rates", "collaborations", "outcomes"} <= set(struck)
    for name, frame in left:
        if "kol_id" in frame:
            assert GONE not in set(frame["kol_id"])
            assert len(frame) + struck.get(name, 0) == len(getattr(world.tables, name))
    assert left.outcomes["collaboration_id"].isin(left.collaborations["collaboration_id"]).all()


def test_a_person_takes_new_accounts_along(world: World) -> None:
    kols = world.tables.kols
    (person,) = set(kols.loc[kols["kol_id"] == GONE, "person_id"])
    left, _ = Tombstones().adding(AT, {"person": [person]}).strike(world.tables)
    assert person not in set(left.kols["person_id"])
    assert GONE not in set(left.posts["kol_id"])


def test_lists_of_excluded_kols_lose_them(tombstones: Tombstones, world: World) -> None:
    lists = [(GONE, "k000001", "阿三")] + [()] * (len(world.tables.briefs) - 1)
    briefs = world.tables.briefs.assign(excluded_kols=lists)
    left, struck = tombstones.strike(world.tables.replace(briefs=briefs))
    assert left.briefs["excluded_kols"].iloc[0] == ("k000001",)
    assert struck["briefs"] == 1


def test_without_tombstones_tables_are_what_they_were(world: World) -> None:
    assert Tombstones().strike(world.tables) == (world.tables, {})


def test_an_ingest_leaves_them_out_and_says_so(
    tombstones: Tombstones, world: World, tmp_path: Path
) -> None:
    files, lake = tmp_path / "files", Lake(tmp_path / "lake")
    lake.path.mkdir()
    tombstones.write(lake.path)
    (lake.path / FILE).rename(tmp_path / FILE)  # a lake begins in an empty folder
    lake.ingest(tombstones.strike(world.tables)[0])
    (tmp_path / FILE).rename(lake.path / FILE)
    before = lake.versions()
    world.write(files, "csv")
    # Posts alone: the KOL they belong to is no longer anywhere.
    (files / "kols.csv").unlink()
    reading = read_folder(files, None, lake.known(), erased=lake.erased())
    posts = int((world.tables.posts["kol_id"] == GONE).sum())
    assert f"posts: {posts} rows of erased KOLs left out" in reading.notes
    lake.ingest(reading.tables)
    lake.ingest(world.tables)  # whatever door it comes through
    after = lake.versions()
    assert {name for name in after if after[name] != before[name]} <= {"briefs"}  # 0% of men


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="nobody knows who was erased; restore it from a copy"):
        Tombstones.read(tmp_path)
