from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.simulate import World
from features.tables import Tables
from training.regret import (
    REGRET,
    best_choice,
    logged_choices,
    regret,
    regret_in_money,
    regret_summary,
)

BRANDS = pd.Series({"a": "x", "b": "y", "c": "y"})


def choices(brief: str, value: list[float], cost: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"value": value, "cost": cost}).assign(brief_id=brief, currency="CNY")
    return frame.assign(kol_id=[f"k{i}" for i in range(len(frame))])


def test_a_list_is_followed_from_the_top_as_far_as_the_money_goes() -> None:
    asked = choices("a", [9.0, 5.0, 4.0, 1.0], [8.0, 5.0, 5.0, 1.0])
    scores = {"dear first": np.array([4.0, 3, 2, 1]), "cheap first": np.array([1.0, 3, 3, 4])}
    found = regret(asked, scores, pd.Series({"a": 10.0}), BRANDS)
    assert list(found) == REGRET
    told = found.set_index("ranker")
    # The dearest leaves 2, which pays for the last alone; the best are the second and third, or
    # the first and last, who bring 10.
    assert told.loc["dear first", ["best", "brought", "regret"]].tolist() == [10.0, 10.0, 0.0]
    assert told.loc["cheap first", ["best", "brought"]].tolist() == [10.0, 6.0]
    assert told.loc["cheap first", "regret"] == pytest.approx(0.4)


def test_a_brief_may_want_no_more_than_so_many() -> None:
    asked = choices("a", [3.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    scores = {"wrong": np.array([0.0, 1.0, 2.0])}
    found = regret(asked, scores, pd.Series({"a": 5.0}), BRANDS, wanted=pd.Series({"a": 1}))
    assert found[["best", "brought"]].to_numpy().tolist() == [[3.0, 2.0]]


def test_briefs_without_a_choice_to_make_are_left_out() -> None:
    asked = pd.concat(
        [
            choices("a", [1.0, 2.0], [5.0, 6.0]),  # nobody can be paid
            choices("b", [1.0, 2.0], [1.0, 1.0]),  # all can
            choices("c", [0.0, 0.0], [2.0, 2.0]),  # nobody brought anything
        ],
        ignore_index=True,
    )
    budget = pd.Series({"a": 3.0, "b": 3.0, "c": 3.0})
    assert regret(asked, {"any": np.zeros(6)}, budget, BRANDS).empty


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(1, 90)), min_size=1, max_size=8),
    st.integers(1, 200),
    st.integers(1, 8),
)
def test_the_best_choice_is_the_best_of_all(
    offers: list[tuple[int, int]], budget: int, most: int
) -> None:
    value, cost = (np.array(column, dtype=float) for column in zip(*offers, strict=True))
    chosen = best_choice(value, cost, float(budget), most)
    assert cost @ chosen <= budget
    assert chosen.sum() <= most
    sets = np.array(list(product([0, 1], repeat=len(value))))
    sets = sets[(sets @ cost <= budget) & (sets.sum(axis=1) <= most)]
    assert value @ chosen == pytest.approx((sets @ value).max())


def test_the_solver_finds_what_trying_every_set_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        value, cost = np.exp(rng.normal(8, 2, 10)), np.exp(rng.normal(6, 1, 10))
        tried = best_choice(value, cost, cost.sum() / 2, 6)
        with monkeypatch.context() as patch:
            patch.setattr("training.regret._FEW", 0)
            solved = best_choice(value, cost, cost.sum() / 2, 6)
        assert value @ solved == pytest.approx(value @ tried, rel=1e-9)


def test_logged_pairs_need_a_value_a_cost_and_one_currency(past: Callable[..., Tables]) -> None:
    tables = past(
        [
            {"brief": "b1", "kol": "k1", "views": 50, "cost": 10.0},
            {"brief": "b1", "kol": "k2", "views": 70, "cost": None},
            {"brief": "b1", "kol": "k3", "views": None},
            {"brief": "b2", "kol": "k1", "views": 5, "currency": "CNY"},
            {"brief": "b2", "kol": "k2", "views": 6, "currency": "USD"},
        ]
    )
    pairs = tables.collaborations[["brief_id", "kol_id"]].set_axis([9, 8, 7, 6, 5])
    found = logged_choices(tables, pairs, 30)
    assert found.to_dict("index") == {
        9: {"brief_id": "b1", "kol_id": "k1", "value": 50.0, "cost": 10.0, "currency": "CNY"}
    }


def test_regret_is_summed_up_by_ranker_and_by_currency() -> None:
    rows = [
        ("m", "a", "x", "CNY", 100.0, 10.0, 9.0, 0.1),
        ("m", "b", "y", "CNY", 300.0, 10.0, 7.0, 0.3),
        ("m", "c", "y", "USD", 50.0, 10.0, 10.0, 0.0),
        ("r", "a", "x", "CNY", 100.0, 10.0, 5.0, 0.5),
    ]
    found = pd.DataFrame(rows, columns=REGRET)
    told = regret_summary(found).set_index("ranker")
    assert told.index.tolist() == ["m", "r"]
    assert told.loc["m", "regret"] == pytest.approx(0.4 / 3)
    assert told.loc["m", "low"] <= told.loc["m", "regret"] <= told.loc["m", "high"]
    assert told["briefs"].tolist() == [3, 1]
    money = regret_in_money(found).set_index(["currency", "ranker"])
    assert money.loc[("CNY", "m"), ["budget", "lost", "share"]].tolist() == [400.0, 100.0, 0.25]
    assert money.loc[("USD", "m"), "lost"] == 0.0


def test_on_a_simulated_world_regret_is_exact(world: World) -> None:
    briefs = world.tables.briefs.dropna(subset=["decided_at", "budget"]).head(6)
    kols = world.tables.kols["kol_id"].drop_duplicates()
    pairs = briefs[["brief_id"]].merge(pd.DataFrame({"kol_id": kols}), how="cross")
    truth = world.truth(pairs.assign(mode="ad_placement"))
    asked = pairs.assign(value=truth["value"], cost=truth["price"], currency="").dropna()
    asked = asked.reset_index(drop=True)
    told = briefs.set_index("brief_id")
    rng = np.random.default_rng(0)
    scores = {
        "value for money": (asked["value"] / asked["cost"]).to_numpy(),
        "chance": rng.random(len(asked)),
    }
    found = regret(asked, scores, told["budget"], told["brand_id"], told["kols_wanted"])
    assert (found["brought"] <= found["best"] * (1 + 1e-9)).all()
    means = regret_summary(found).set_index("ranker")["regret"]
    assert means["value for money"] < means["chance"]
