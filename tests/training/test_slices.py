from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.simulate import World
from features.tables import Tables
from training.evaluate import IDS, MODEL, Evaluation, rank_lists
from training.labels import decision_times
from training.slices import ALL, COLD_BRAND, COLD_KOL, OF_BRIEFS, OF_KOLS, slices_of, sublists

Day = Callable[[float], pd.Timestamp]


@pytest.fixture
def market(past: Callable[..., Tables], day: Day) -> History:
    """Return four briefs of one brand and one of another; k2 grows from micro to mega."""
    kols = pd.DataFrame(
        {
            "kol_id": ["k1", "k2", "k2", "k3"],
            "observed_at": [day(0), day(0), day(30), day(0)],
            "platform": ["douyin", "bilibili", "bilibili", None],
            "followers": [500.0, 20_000.0, 2e6, None],
        }
    )
    campaigns = [
        {"brief": f"b{i}", "kol": "k1", "decided": 10.0 * i, "shown": 10.0 * i} for i in range(1, 5)
    ]
    other = {"brief": "z", "brand": "zeta", "kol": "k2", "decided": 35.0, "shown": 35.0}
    tables = past([*campaigns, other | {"vertical": None, "goal": "seeding"}], kols=kols)
    signed = tables.collaborations.assign(signed_at=lambda f: f["shown_at"])
    return History(tables.replace(collaborations=signed))


def asked(history: History, *pairs: tuple[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(pairs, columns=["brief_id", "kol_id"])
    return frame.assign(as_of=frame["brief_id"].map(decision_times(history.tables)))


def test_a_pair_is_in_the_slices_of_its_moment(market: History) -> None:
    found = slices_of(asked(market, ("b2", "k2"), ("b4", "k2"), ("z", "k3")), market)
    assert found.columns.tolist() == [*OF_BRIEFS, *OF_KOLS]
    assert found["tier"].tolist()[:2] == ["micro", "mega"]
    assert found["platform"].tolist()[:2] == ["bilibili", "bilibili"]
    assert found["goal"].tolist() == ["awareness", "awareness", "seeding"]
    assert found["vertical"].tolist()[:2] == ["beauty", "beauty"]
    assert found.loc[2, ["vertical", "platform", "tier"]].isna().all()


def test_who_is_new_counts_what_came_strictly_before(market: History) -> None:
    pairs = asked(market, *((f"b{i}", "k1") for i in range(1, 5)), ("z", "k1"), ("z", "k2"))
    found = slices_of(pairs, market)
    assert found[COLD_BRAND].tolist() == ["0", "1-2", "1-2", "3+", "0", "0"]
    # Before the first collaboration of anybody was known, nobody's record can be told.
    assert found[COLD_KOL].isna().tolist() == [True, False, False, False, False, False]
    assert found[COLD_KOL].tolist()[1:] == ["1-2", "1-2", "3+", "3+", "0"]


def test_where_no_time_is_told_nobody_can_say_who_is_new(past: Callable[..., Tables]) -> None:
    tables = past([{}])
    timeless = tables.replace(
        briefs=tables.briefs.assign(decided_at=pd.Series(pd.NaT, dtype="datetime64[us, UTC]")),
        collaborations=tables.collaborations.head(0),
        outcomes=tables.outcomes.head(0),
    )
    pairs = pd.DataFrame({"brief_id": ["b1"], "kol_id": ["k1"]}).assign(
        as_of=pd.Timestamp("2026-01-01", tz="UTC")
    )
    found = slices_of(pairs, History(timeless))
    assert found[[COLD_BRAND, COLD_KOL]].isna().all(axis=None)


def test_lists_of_equals_and_of_unknown_value_are_left_out() -> None:
    ranked = pd.DataFrame(
        {
            "brief_id": list("aaaaabb"),
            "kol_id": list("1234567"),
            "gain": [0.0, 1.0, 2.0, 2.0, 3.0, 1.0, 2.0],
        }
    )
    labels = pd.DataFrame("x", index=ranked.index, columns=list(OF_KOLS))
    labels["tier"] = ["nano", "nano", "mega", "mega", None, "nano", "nano"]
    by = {name: (rows, lists) for name, rows, lists in sublists(ranked, labels)}
    assert list(by) == list(OF_KOLS)
    rows, lists = by["tier"]
    assert rows["kol_id"].tolist() == ["1", "2", "6", "7"]
    found = lists.loc[rows["brief_id"]]
    assert found["brief_id"].tolist() == ["a", "a", "b", "b"]
    assert set(found["value"]) == {"nano"}


@pytest.fixture(scope="module")
def measured(history: History, world: World) -> Evaluation:
    tried = world.tables.collaborations.drop_duplicates(["brief_id", "kol_id"])
    times = decision_times(world.tables)
    pairs = tried[["brief_id", "kol_id"]].reset_index(drop=True)
    pairs["as_of"] = pairs["brief_id"].map(times)
    rng = np.random.default_rng(0)
    grade = pd.Series(rng.integers(0, 5, len(pairs)).astype(float))
    by = {
        MODEL: lambda pairs, signals: grade.to_numpy(),
        "noise": lambda pairs, signals: rng.normal(size=len(pairs)),
    }
    brands = world.tables.briefs.set_index("brief_id")["brand_id"]
    return rank_lists([(pairs, pairs, grade)], by, brands, "all", history=history)


def test_a_slice_of_briefs_has_the_measures_of_their_whole_lists(
    measured: Evaluation, world: World
) -> None:
    table = measured.per_brief
    goal = world.tables.briefs.set_index("brief_id")["goal"]
    own = table[table["slice"] == "goal: conversion"].set_index(["ranker", "brief_id"])
    whole = table[table["slice"] == ALL].dropna(subset="ndcg@10").set_index(["ranker", "brief_id"])
    whole = whole[whole.index.get_level_values("brief_id").map(goal) == "conversion"]
    pd.testing.assert_frame_equal(own.drop(columns="slice"), whole.drop(columns="slice"))


def test_a_slice_of_kols_is_ranked_among_itself(measured: Evaluation) -> None:
    table = measured.per_brief
    model = table[table["ranker"] == MODEL]
    assert not model.duplicated(["slice", "brief_id"]).any()
    assert (model["ndcg@10"].dropna() == 1.0).all()  # the oracle is one in every part
    whole = model[model["slice"] == ALL].set_index("brief_id")["n"]
    parts = model[model["slice"].str.startswith("tier: ")]
    sizes = parts.groupby("brief_id")["n"].sum()
    assert (sizes <= whole.loc[sizes.index]).all()
    assert (parts["n"] > 1).all()


def test_what_is_told_of_all_is_told_of_the_slice_all_alone(measured: Evaluation) -> None:
    table = measured.per_brief
    assert table.columns.tolist()[: len(IDS)] == IDS
    alone = Evaluation(table[table["slice"] == ALL])
    pd.testing.assert_frame_equal(measured.summary("all"), alone.summary("all"))
    pd.testing.assert_frame_equal(measured.comparison("all"), alone.comparison("all"))
