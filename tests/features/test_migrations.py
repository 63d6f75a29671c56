"""A lake that an older kolmatch wrote is brought up to the contract of today, or left as it is."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features import migrations, steps
from features.columns import Column
from features.contract import SPECS
from features.delta import VersionedTable
from features.errors import UserError
from features.lake import Lake, home_of, open_data
from features.migrations import migrate
from features.simulate import World
from features.steps import CONTRACT, STEPS, Step, mask_contacts
from tests.bytesearch import find_bytes

PHONE = "13812345678"


@pytest.fixture(scope="module")
def older(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake as it was before contact details were masked and rates had a table."""
    lake = Lake(tmp_path_factory.mktemp("older") / "lake")
    few = world.tables.only("briefs", "kols", "collaborations")
    lake.ingest(few)
    lake.ingest(few.replace(kols=few.kols.assign(bio=[f"call {PHONE}", *few.kols["bio"][1:]])))
    for commit in (lake.path / "commits").glob("*.json"):
        told = json.loads(commit.read_text())["versions"]
        del told["exchange_rates"]
        commit.write_text(json.dumps({"versions": told}))
    shutil.rmtree(lake.path / "tables" / "exchange_rates")
    return lake.path


@pytest.fixture
def lake(older: Path, tmp_path: Path) -> Lake:
    shutil.copytree(older, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def files(lake: Lake) -> dict[Path, bytes]:
    found = {p: p.read_bytes() for p in lake.path.rglob("*") if p.is_file()}
    return {path: held for path, held in found.items() if path.name != ".lock"}


def holds_phone(lake: Lake) -> bool:
    """Say whether any byte of the lake tells the number."""
    return bool(find_bytes([lake.path], [PHONE]))


def test_the_steps_lead_to_the_contract_of_today_one_by_one() -> None:
    assert [step.version for step in STEPS] == [*range(2, CONTRACT + 1)]


@pytest.mark.parametrize(
    "read",
    [Lake.read, Lake.known, Lake.versions, lambda lake: open_data(lake.path)],
    ids=["read", "known", "versions", "open"],
)
def test_an_older_lake_is_refused_until_it_is_migrated(
    lake: Lake, read: Callable[[Lake], Any]
) -> None:
    with pytest.raises(UserError, match=r"of contract 1 .* expected contract 2; .*kolmatch migr"):
        read(lake)
    migrate(lake)
    read(lake)


def test_an_older_lake_takes_no_rows(lake: Lake, world: World) -> None:
    before = files(lake)
    with pytest.raises(UserError, match="kolmatch migrate"):
        lake.ingest(world.tables)
    with pytest.raises(UserError, match="kolmatch migrate"):
        home_of(lake.path)
    assert files(lake) == before


def test_a_later_lake_is_refused_and_not_migrated(lake: Lake) -> None:
    last = sorted((lake.path / "commits").glob("*.json"))[-1]
    told = json.loads(last.read_text())
    last.write_text(json.dumps(told | {"contract": CONTRACT + 1}))
    before = files(lake)
    for read in (Lake.read, migrate):
        with pytest.raises(UserError, match=r"of contract 3 .* up to 2; use the kolmatch that wr"):
            read(lake)
    assert files(lake) == before


def test_a_dry_run_tells_what_would_change_and_changes_nothing(lake: Lake) -> None:
    before = files(lake)
    (told,) = migrate(lake, dry_run=True)
    assert (told.step, told.rows) == (STEPS[0], {"kols": 1})
    assert files(lake) == before


def test_after_a_migration_all_rows_are_there_as_the_contract_has_them(
    lake: Lake, world: World
) -> None:
    assert holds_phone(lake)
    (told,) = migrate(lake)
    assert told.rows == {"kols": 1}
    assert not holds_phone(lake)
    read = lake.read()
    assert read.kols["bio"].iloc[0] == "call [phone]"
    for name, frame in world.tables.only("briefs", "kols", "collaborations"):
        expected = frame.sort_values(list(SPECS[name].key), ignore_index=True)
        columns = [column for column in frame if (name, column) != ("kols", "bio")]
        pd.testing.assert_frame_equal(getattr(read, name)[columns], expected[columns])
    before = files(lake)
    assert migrate(lake) == []
    assert files(lake) == before
    same = lake.ingest(read)
    assert all(change.inserted == change.updated == 0 for change in same.values())


@pytest.mark.parametrize(
    ("place", "calls"),
    [
        ("features.delta.VersionedTable.overwrite", 1),
        ("features.delta.VersionedTable.overwrite", 2),
        ("features.lake.Lake._commit", 1),
        ("features.lake.Lake.end_rewrite", 2),
        ("features.lake.forget_history", 1),
        ("features.lake.forget_history", 3),
    ],
)
def test_a_migration_cut_off_is_ended_by_the_next(
    lake: Lake, place: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = Lake(lake.path.with_name("whole")), 0
    shutil.copytree(lake.path, whole.path)
    migrate(whole)
    owner, _, name = place.rpartition(".")
    real = getattr(_found(owner), name)

    def dies(*given: Any, **named: Any) -> Any:
        nonlocal cut
        cut += 1
        if cut == calls:
            raise KeyboardInterrupt
        return real(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(place, dies)
        with pytest.raises(KeyboardInterrupt):
            migrate(lake)
    assert lake.contract() in (1, 2)
    migrate(lake)
    assert not holds_phone(lake)
    assert lake.contract() == CONTRACT
    assert len(list((lake.path / "commits").glob("*.json"))) == 1
    for (_, one), (_, other) in zip(lake.read(), whole.read(), strict=True):
        pd.testing.assert_frame_equal(one, other)


def _found(path: str) -> Any:
    from features import delta
    from features import lake as module

    return {
        "features.delta.VersionedTable": VersionedTable,
        "features.delta": delta,
        "features.lake.Lake": Lake,
        "features.lake": module,
    }[path]


def _renamed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(bio=frame["about"]).drop(columns="about") if "about" in frame else frame


def test_a_step_is_given_columns_that_the_contract_no_longer_has(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, lake = SPECS["kols"], Lake(tmp_path / "lake")
    columns = tuple(
        Column("about", "text") if column.name == "bio" else column for column in now.columns
    )
    with monkeypatch.context() as patched:
        patched.setitem(SPECS, "kols", replace(now, columns=columns))
        written = world.tables.only("kols")
        kols = written.kols.rename(columns={"bio": "about"})
        before = Lake(lake.path)
        before._prepare({})
        table = before._tables["kols"]
        table.upsert(kols, table.no_keys())
    versions = dict.fromkeys(SPECS, 0) | {"kols": 1}
    (lake.path / "commits").mkdir()
    (lake.path / "commits" / "00000001.json").write_text(json.dumps({"versions": versions}))
    monkeypatch.setattr(migrations, "steps_from", lambda version: iter((STEPS[0],)))
    with pytest.raises(ValueError, match=r"columns \['about'\] of kols but expected a step that"):
        migrate(lake)
    step = Step(2, "bio has its name", _renamed)
    monkeypatch.setattr(migrations, "steps_from", lambda version: iter((step,)))
    (told,) = migrate(lake)
    assert told.rows == {"kols": len(written.kols)}
    expected = written.kols.sort_values(list(now.key), ignore_index=True)
    pd.testing.assert_frame_equal(lake.read().kols, expected)


def test_masking_twice_is_masking_once() -> None:
    frame = pd.DataFrame({"display_name": ["a"], "bio": [f"微信 abc12345, {PHONE}"]}, dtype="str")
    once = mask_contacts("kols", frame)
    assert PHONE not in once["bio"].iloc[0]
    assert mask_contacts("kols", once) is once
    assert mask_contacts("rates", frame) is frame
    assert 1 + len(STEPS) == steps.CONTRACT
