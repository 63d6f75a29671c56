"""The lake: idempotent, all or nothing, and readable at any version."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.contract import SPECS
from features.delta import VersionedTable
from features.errors import TableError, UserError
from features.ingest import read_folder
from features.lake import Lake, home_of, open_data
from features.simulate.export import write_tables
from features.steps import CONTRACT
from features.tables import Tables

DAY = pd.Timestamp("2026-01-01", tz="UTC")


def tables(**changes: pd.DataFrame) -> Tables:
    frames = {
        "briefs": pd.DataFrame(
            {
                "brief_id": ["b2", "b1"],
                "brand_id": ["NA", "60e12345"],
                "text": ["防晒霜", "running shoes"],
                "goal": ["seeding", "conversion"],
                "platforms": [("douyin", "bilibili"), ()],
                "audience_age": [{"18-24": 0.6, "25-34": 0.25}, {}],
                "budget": [1000.5, None],
                "currency": ["CNY", None],
                "ends_at": [DAY, None],
            }
        ),
        "kols": pd.DataFrame(
            {
                "kol_id": ["k1", "k1", "1234567890123456789"],
                "observed_at": [DAY + pd.Timedelta("1us"), DAY, DAY],
                "platform": ["douyin"] * 3,
                "followers": [10.0, None, 5e6],
            }
        ),
        "posts": pd.DataFrame(
            {
                "post_id": ["p1"],
                "observed_at": [DAY],
                "kol_id": ["k1"],
                "published_at": [DAY],
                "tags": [("美妆",)],
                "is_sponsored": [True],
            }
        ),
        "collaborations": pd.DataFrame(
            {
                "collaboration_id": ["c1"],
                "brief_id": ["b1"],
                "kol_id": ["k1"],
                "status": ["delivered"],
                "shown_at": [DAY],
            }
        ),
        "outcomes": outcomes([1.0, 7.0], orders=[1.0, None]),
        "vectors": pd.DataFrame(
            {
                "owner": ["kol"],
                "id": ["k1"],
                "space": ["video"],
                "observed_at": [pd.Timestamp(0, tz="UTC")],
                "vector": [np.array([0.5, -1], dtype=np.float32)],
            }
        ),
    }
    return Tables.of(**frames | changes)


def outcomes(days: list[float], orders: list[float | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "collaboration_id": "c1",
            "horizon_days": days,
            "measured_at": DAY,
            "orders": orders,
        }
    )


def assert_same(one: Tables, other: Tables) -> None:
    for (name, frame), (_, expected) in zip(one, other, strict=True):
        key = list(SPECS[name].key)
        pd.testing.assert_frame_equal(frame, expected.sort_values(key, ignore_index=True))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_what_goes_in_comes_out_in_the_order_of_the_key(lake: Lake) -> None:
    assert not lake.exists()

    changes = lake.ingest(tables())

    assert lake.exists()
    assert_same(lake.read(), tables())
    assert (changes["kols"].inserted, changes["kols"].version) == (3, 1)
    assert (changes["incidents"].inserted, changes["incidents"].version) == (0, 0)


def test_the_same_tables_twice_change_nothing(lake: Lake) -> None:
    lake.ingest(tables())
    before = {path: path.stat().st_mtime_ns for path in lake.path.rglob("*") if path.is_file()}
    turned = {
        name: frame.iloc[::-1].reset_index(drop=True) for name, frame in tables() if len(frame)
    }

    changes = lake.ingest(Tables.of(**turned))

    assert {c.inserted + c.updated for c in changes.values()} == {0}
    assert changes["kols"].unchanged == 3
    after = {path: path.stat().st_mtime_ns for path in lake.path.rglob("*") if path.is_file()}
    assert after == before


def test_a_later_row_replaces_the_earlier_one_whole(lake: Lake) -> None:
    lake.ingest(tables())
    later = Tables.of(
        outcomes=outcomes([7.0, 30.0], orders=[5.0, 9.0]),
        briefs=pd.DataFrame(
            {"brief_id": ["b2"], "brand_id": ["x"], "text": ["t"], "goal": ["seeding"]}
        ),
    )

    changes = lake.ingest(later)

    change = changes["outcomes"]
    assert (change.inserted, change.updated, change.unchanged, change.version) == (1, 1, 0, 2)
    read = lake.read()
    assert read.outcomes["orders"].tolist() == [1, 5, 9]
    brief = read.briefs.set_index("brief_id").loc["b2"]
    assert brief["platforms"] == ()
    assert brief["audience_age"] == {}
    assert np.isnan(brief["budget"])
    assert len(read.kols) == 3
    assert lake.ingest(later)["outcomes"].version == 2


def test_any_past_version_can_be_read(lake: Lake) -> None:
    lake.ingest(tables())
    first = lake.versions()
    lake.ingest(tables(outcomes=outcomes([1.0], orders=[99.0])))

    assert lake.versions() == first | {"outcomes": 2}
    assert_same(lake.read(first), tables())
    assert lake.read().outcomes["orders"].tolist()[0] == 99
    with pytest.raises(UserError, match="version 7 at"):
        lake.read(first | {"kols": 7})
    with pytest.raises(UserError, match=r"versions of \['kols'\] but expected one of each of"):
        lake.read({"kols": 1})


def test_references_may_lead_to_what_is_stored_and_must_lead_somewhere(lake: Lake) -> None:
    stray = Tables.of(outcomes=outcomes([1.0], orders=[1.0]))
    with pytest.raises(TableError, match="got 'c1', expected a collaboration_id"):
        lake.ingest(stray)
    assert not lake.exists()

    lake.ingest(tables())
    assert lake.ingest(stray)["outcomes"].unchanged == 1

    before = lake.versions()
    posts = tables().posts.assign(kol_id="nobody", post_id="p2")
    with pytest.raises(TableError, match="got 'nobody', expected a kol_id that is in kols"):
        lake.ingest(tables(posts=posts, outcomes=outcomes([30.0], orders=[1.0])))
    assert lake.versions() == before
    assert_same(lake.read(), tables())


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("rerun", [True, False])
def test_an_ingest_cut_off_is_not_seen_and_the_next_makes_good(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, first: bool, rerun: bool
) -> None:
    if not first:
        lake.ingest(tables())
    more = tables(kols=tables().kols.assign(followers=7.0), outcomes=outcomes([30.0], orders=[3.0]))
    real = VersionedTable.upsert

    def cut_off(self: VersionedTable, *args: object) -> object:
        if self.spec.name == "collaborations":
            raise KeyboardInterrupt
        return real(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(VersionedTable, "upsert", cut_off)
        with pytest.raises(KeyboardInterrupt):
            lake.ingest(more)

    if first:
        with pytest.raises(UserError, match="first ingest was cut off; run it again"):
            lake.read()
    else:
        assert_same(lake.read(), tables())
    lake.ingest(more if rerun else tables())
    expected = more if rerun else tables()
    if rerun and not first:
        expected = tables(kols=more.kols, outcomes=outcomes([1, 7, 30], orders=[1, None, 3]))
    assert_same(lake.read(), expected)
    versions = lake.versions()
    lake.ingest(more if rerun else tables())
    assert lake.versions() == versions


def test_ingests_at_the_same_time_wait_for_each_other(lake: Lake) -> None:
    def ingest(day: int) -> None:
        Lake(lake.path).ingest(tables(outcomes=outcomes([float(day)], orders=[float(day)])))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ingest, range(1, 5)))

    assert lake.read().outcomes["orders"].tolist() == [1, 2, 3, 4]
    assert len(lake.read().kols) == 3


def test_a_lake_from_before_a_column_takes_it_up(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replace(SPECS["outcomes"], columns=SPECS["outcomes"].columns[:-1])
    with monkeypatch.context() as patch:
        patch.setitem(SPECS, "outcomes", old)
        Lake(lake.path).ingest(tables())

    assert lake.read().outcomes["currency"].isna().all()
    assert lake.ingest(tables())["outcomes"].unchanged == 2

    paid = outcomes([7.0, 30.0], orders=[5.0, None]).assign(gmv=[10.0, None], currency="CNY")
    added = outcomes([14.0], orders=[2.0]).assign(gmv=1.0, currency="USD")
    lake.ingest(Tables.of(outcomes=paid))
    lake.ingest(Tables.of(outcomes=added))
    assert lake.read().outcomes["currency"].fillna("-").tolist() == ["-", "CNY", "USD", "CNY"]


def test_a_lake_from_before_a_table_opens_and_takes_it_up(lake: Lake) -> None:
    lake.ingest(tables())
    commit = lake.path / "commits" / "00000001.json"
    told = json.loads(commit.read_text())["versions"]
    old = {name: version for name, version in told.items() if name != "exchange_rates"}
    commit.write_text(json.dumps({"versions": old, "contract": CONTRACT}))
    shutil.rmtree(lake.path / "tables" / "exchange_rates")

    assert_same(lake.read(), tables())
    assert_same(lake.read(old), tables())
    assert lake.ingest(tables())["kols"].unchanged == 3
    rates = pd.DataFrame(
        {"currency": ["USD"], "to_currency": ["CNY"], "quoted_at": [DAY], "rate": [7.1]}
    )
    change = lake.ingest(Tables.of(exchange_rates=rates))["exchange_rates"]
    assert (change.inserted, change.version) == (1, 1)
    assert_same(lake.read(), tables(exchange_rates=rates))
    assert_same(lake.read(old), tables())

    commit.with_name("00000009.json").write_text(json.dumps({"versions": {"kols": 1}}))
    with pytest.raises(UserError, match=r"00000009\.json that cannot be read"):
        lake.read()


def test_folders_that_are_no_lake_are_refused(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(UserError, match=r"no lake at .*make one with `kolmatch ingest`"):
        lake.read()

    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "kols.csv").write_text("kol_id\n")
    with pytest.raises(UserError, match=r"other files, such as kols\.csv; a lake needs a folder"):
        Lake(tmp_path / "files").ingest(tables())
    assert [p.name for p in (tmp_path / "files").iterdir()] == ["kols.csv"]

    with pytest.raises(UserError, match=r"Got the file .*kols\.csv but expected a folder"):
        Lake(tmp_path / "files" / "kols.csv").ingest(tables())


def test_damage_is_told_with_its_remedy(lake: Lake) -> None:
    lake.ingest(tables())
    marker = lake.path / "kolmatch.json"

    marker.write_text(json.dumps({"format": 2}))
    with pytest.raises(
        UserError, match=r"format 2 .* but expected format 1; use the kolmatch that"
    ):
        lake.read()
    marker.write_text("{")
    with pytest.raises(UserError, match=r"kolmatch\.json that cannot be read; restore it"):
        lake.ingest(tables())
    marker.unlink()
    with pytest.raises(UserError, match=r"without its kolmatch\.json; restore it from a copy"):
        lake.ingest(tables())
    marker.write_text(json.dumps({"format": 1}))

    (next((lake.path / "tables" / "kols").glob("*.parquet"))).unlink()
    with pytest.raises(UserError, match=r"version 1 of .*kols that cannot be read"):
        lake.read()
    (lake.path / "commits" / "00000002.json").write_text("")
    with pytest.raises(UserError, match=r"00000002\.json that cannot be read; remove it"):
        lake.read()


def test_a_folder_opens_as_the_lake_made_of_it(tmp_path: Path, lake: Lake) -> None:
    files = tmp_path / "files"
    write_tables(tables(), files, "parquet")
    lake.ingest(tables())

    direct, stored = open_data(files), open_data(lake.path)

    assert_same(direct.tables, stored.tables)
    assert direct.home == home_of(files) == files / ".kolmatch"
    assert stored.home == home_of(lake.path) == lake.path
    assert stored.versions == {name: str(v) for name, v in lake.versions().items()}
    assert {len(version) for version in direct.versions.values()} == {16}
    assert direct.versions == open_data(files).versions


def test_files_that_only_add_may_refer_to_what_is_stored(tmp_path: Path, lake: Lake) -> None:
    assert len(lake.known().kols) == 0
    lake.ingest(tables())
    (tmp_path / "new").mkdir()
    outcome = "collaboration_id,horizon_days,measured_at,orders\nc1,90,2026-04-01,12\n"
    (tmp_path / "new" / "outcomes.csv").write_text(outcome)

    with pytest.raises(TableError, match="no collaborations"):
        read_folder(tmp_path / "new")
    told = []
    reading = read_folder(tmp_path / "new", known=lake.known())
    changes = lake.ingest(reading.tables, lambda *progress: told.append(progress))

    assert (changes["outcomes"].inserted, changes["kols"].inserted) == (1, 0)
    assert told[-1] == ("writing tables", 10, 10)


def test_what_cannot_be_opened_says_why(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(
        FileNotFoundError, match="nowhere, which does not exist, but expected a lake"
    ):
        open_data(tmp_path / "nowhere")
    (tmp_path / "kols.csv").write_text("kol_id\n")
    with pytest.raises(NotADirectoryError, match=r"Got the file .*kols\.csv but expected a lake"):
        open_data(tmp_path / "kols.csv")
    lake.ingest(tables())
    with pytest.raises(UserError, match="columns are mapped at ingest"):
        open_data(lake.path, tmp_path / "map.toml")
