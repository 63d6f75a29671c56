from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.simulate import World
from features.tables import Tables
from training.logged import LISTS, OWN, in_units, logged_lists

DAY = pd.Timestamp("2025-01-01", tz="UTC")
BRIEFS = pd.Index(["b1", "b2"])


def make_log(rows: list[dict[str, Any]], goal: str = "awareness") -> Tables:
    """Return tables of one row a collaboration: brief, kol, status, and views after 30 days."""
    frame = pd.DataFrame([{"brief": "b1", "cost": None, "views": None} | row for row in rows])
    log = pd.DataFrame(
        {
            "collaboration_id": [f"c{i}" for i in range(len(frame))],
            "brief_id": frame["brief"],
            "kol_id": frame["kol"],
            "status": frame["status"],
            "shown_at": DAY,
            "propensity": 0.5,
            "cost": frame["cost"].astype(float),
            "currency": "CNY",
        }
    )
    measured = frame["views"].notna()
    outcomes = log.loc[measured, ["collaboration_id"]].assign(
        horizon_days=30,
        measured_at=DAY + pd.Timedelta(days=40),
        views=frame["views"][measured].astype(float),
        orders=3.0,
        gmv=100.0,
        refunded_gmv=40.0,
        currency="CNY",
    )
    return Tables.of(
        briefs=pd.DataFrame(
            {
                "brief_id": BRIEFS,
                "brand_id": ["acme", "bolt"],
                "text": "serum",
                "goal": goal,
                "currency": "CNY",
                "gross_margin": 0.5,
                "decided_at": DAY,
            }
        ),
        kols=pd.DataFrame({"kol_id": frame["kol"].unique(), "observed_at": DAY}),
        collaborations=log,
        outcomes=outcomes,
    )


SIX = [
    {"kol": "k1", "status": "shown"},
    {"kol": "k2", "status": "declined"},
    {"kol": "k3", "status": "cancelled"},
    {"kol": "k4", "status": "delivered", "views": 1000},
    {"kol": "k5", "status": "delivered"},
    {"kol": "k6", "status": "signed"},
]


def test_refusals_bring_nothing_and_the_unknown_stays_unknown() -> None:
    lists = logged_lists(make_log(SIX), 30, briefs=BRIEFS)
    assert tuple(lists) == LISTS
    assert lists["contacted"].tolist() == [False, True, True, True, True, True]
    expected = [np.nan, 0.0, 0.0, 1000.0, np.nan, np.nan]
    np.testing.assert_array_equal(lists["reward"], expected)
    assert lists["unit"].unique().tolist() == ["views"]


def test_deliveries_stand_for_deliveries_and_the_known_for_what_still_runs() -> None:
    lists = logged_lists(make_log(SIX), 30, briefs=BRIEFS)
    # Two delivered, one measured: it counts twice; four of five ended: each counts 5/4 times.
    np.testing.assert_allclose(lists["stands_for"], [0, 1.25, 1.25, 2.5, 0, 0])
    assert lists["stands_for"].sum() == lists["contacted"].sum()


def test_conversion_counts_money_net_of_refunds() -> None:
    lists = logged_lists(make_log(SIX, goal="conversion"), 30, briefs=BRIEFS)
    assert lists["reward"][3] == pytest.approx((100 - 40) * 0.5)
    assert lists["unit"].unique().tolist() == ["net revenue, CNY"]


def test_rewards_are_per_cost_where_costs_are_told() -> None:
    rows = [*SIX[:3], {"kol": "k4", "status": "delivered", "views": 1000, "cost": 50.0}]
    tables = make_log(rows)
    per_cost = logged_lists(tables, 30, briefs=BRIEFS)
    assert per_cost["reward"][3] == 20.0
    assert per_cost["unit"][3] == "views per CNY"
    assert logged_lists(tables, 30, briefs=BRIEFS, measure="value")["reward"][3] == 1000.0


def test_a_pair_shown_twice_counts_once() -> None:
    twice = [{"kol": "k1", "status": "declined"}, {"kol": "k1", "status": "shown"}]
    lists = logged_lists(make_log(twice), 30, briefs=BRIEFS)
    assert lists[["kol_id", "contacted"]].to_numpy().tolist() == [["k1", True]]


def test_a_list_that_waits_is_no_choice() -> None:
    tables = make_log([*SIX, {"brief": "b2", "kol": "k1", "status": "shown"}])
    decided = logged_lists(tables, 30, briefs=BRIEFS)
    waiting = tables.briefs.assign(decided_at=tables.briefs["decided_at"].where([True, False]))
    lists = logged_lists(tables.replace(briefs=waiting), 30, briefs=BRIEFS)
    assert decided["brief_id"].unique().tolist() == ["b1", "b2"]
    assert lists["brief_id"].unique().tolist() == ["b1"]


def test_units_are_what_an_average_contact_brings() -> None:
    rows = [*SIX, {"brief": "b2", "kol": "k4", "status": "delivered", "views": 500}]
    log = logged_lists(make_log(rows), 30, briefs=BRIEFS)
    counted = in_units(log, log)
    assert counted["unit"].unique().tolist() == [OWN]
    weights = counted["stands_for"].where(counted["reward"].notna(), 0.0)
    assert np.average(counted["reward"].fillna(0.0), weights=weights) == pytest.approx(1.0)
    assert counted["reward"][3] == 2 * counted["reward"][6]


def test_goals_for_which_the_log_brought_nothing_have_no_unit() -> None:
    log = logged_lists(make_log(SIX[:3]), 30, briefs=BRIEFS)
    assert in_units(log, log).empty


def test_briefs_decided_of_late_are_left_out(world: World) -> None:
    tables = world.tables
    lists = logged_lists(tables, 30)
    decided = tables.briefs.set_index("brief_id")["decided_at"]
    latest = decided[lists["brief_id"]].max()
    assert latest <= tables.outcomes["measured_at"].max() - pd.Timedelta(days=30)
    shown = tables.collaborations["brief_id"].unique()
    assert set(lists["brief_id"]) == set(shown) & set(decided.index[decided <= latest])
    assert 0.7 < lists["brief_id"].nunique() / len(shown) < 1.0
    known = lists[lists["contacted"]]["reward"].notna()
    assert known.mean() > 0.9


def test_lists_keep_what_they_promise(world: World, past: Callable[..., Tables]) -> None:
    lists = logged_lists(world.tables, 30)
    assert not lists.duplicated(["brief_id", "kol_id"]).any()
    assert lists["reward"].dropna().ge(0).all()
    assert lists.loc[~lists["contacted"], "reward"].isna().all()
    assert logged_lists(past([{"views": 10.0}]), 30, briefs=pd.Index([])).empty
