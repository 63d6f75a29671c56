"""Rows go when their time is over, with what rests on them."""

import pandas as pd

from features.columns import EPOCH
from features.retention import expire
from features.simulate import World
from features.tables import Tables

NOW = pd.Timestamp("2026-06-30", tz="UTC")


def test_what_is_older_goes_and_nothing_else(world: World) -> None:
    found = expire(world.tables, {"posts": 180}, NOW)
    cut = NOW - pd.Timedelta(days=180)
    assert found.tables.posts["observed_at"].min() >= cut
    assert found.gone == {"posts": int((world.tables.posts["observed_at"] < cut).sum())}
    assert found.orphans == {}
    assert found.tables.kols.equals(world.tables.kols)


def test_what_refers_to_nothing_goes_too(world: World) -> None:
    found = expire(world.tables, {"collaborations": 300}, NOW)
    kept = found.tables
    assert set(found.orphans) == {"outcomes"}
    assert kept.outcomes["collaboration_id"].isin(kept.collaborations["collaboration_id"]).all()
    assert len(kept.outcomes)


def test_nobody_who_is_still_observed_goes(world: World) -> None:
    found = expire(world.tables, {"kols": 200}, NOW)
    assert (
        found.gone["kols"]
        and 0 < found.tables.kols["kol_id"].nunique() <= world.tables.kols["kol_id"].nunique()
    )
    for name in ("posts", "rates", "collaborations", "judgments", "incidents"):
        frame = getattr(found.tables, name)
        assert frame["kol_id"].isin(found.tables.kols["kol_id"]).all()


def test_a_brief_counts_from_its_decision_and_open_ones_stay(world: World) -> None:
    found = expire(world.tables, {"briefs": 300}, NOW)
    assert found.tables.briefs["decided_at"].min() >= NOW - pd.Timedelta(days=300)
    waiting = world.tables.briefs["decided_at"].isna().sum()
    assert found.tables.briefs["decided_at"].isna().sum() == waiting


def test_rows_without_a_time_stay_and_are_counted() -> None:
    kols = pd.DataFrame({"kol_id": ["a", "b"], "observed_at": [EPOCH, NOW - pd.Timedelta(days=9)]})
    briefs = pd.DataFrame({"brief_id": ["x"], "brand_id": ["x"], "text": ["x"]})
    found = expire(Tables.of(kols=kols, briefs=briefs), {"kols": 5, "briefs": 5}, NOW)
    assert found.tables.kols["kol_id"].tolist() == ["a"]
    assert found.undated == {"kols": 1, "briefs": 1}
    assert found.gone == {"kols": 1}
