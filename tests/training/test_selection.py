from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.tables import Tables
from training.selection import CHOSEN, PASSED, choices, inverse_propensity

Day = Callable[[float], pd.Timestamp]
ANSWERS = ("contacted", "declined", "signed", "delivered", "cancelled")


def log(day: Day, rows: list[dict[str, object]]) -> Tables:
    """Return the log of brief b1, shown on day 10, whose statuses became known on day 12."""
    usual = {"brief_id": "b1", "status": "shown", "position": None, "propensity": None}
    frame = pd.DataFrame([usual | row for row in rows])
    frame["collaboration_id"] = [f"c{i}" for i in range(len(frame))]
    frame["shown_at"] = day(10)
    frame["status_at"] = day(12)
    return Tables.of(collaborations=frame)


def told(tables: Tables, known_before: pd.Series | None = None) -> dict[str, str]:
    found = choices(tables, known_before)
    assert list(found) == ["brief_id", "kol_id", "mode", "choice", "position", "propensity"]
    return dict(zip(found["kol_id"], found["choice"], strict=True))


@pytest.mark.parametrize("status", ANSWERS)
def test_whoever_was_contacted_was_chosen_whatever_came_of_it(day: Day, status: str) -> None:
    tables = log(day, [{"kol_id": "k1", "status": status}, {"kol_id": "k2"}])
    assert told(tables) == {"k1": CHOSEN, "k2": PASSED}


def test_a_list_from_which_nobody_was_contacted_tells_nothing(day: Day) -> None:
    tables = log(day, [{"kol_id": "k1"}, {"kol_id": "k2"}])
    assert told(tables) == {}


def test_places_and_chances_come_along(day: Day) -> None:
    tables = log(
        day,
        [
            {"kol_id": "k1", "status": "declined", "position": 2, "propensity": 0.25},
            {"kol_id": "k2", "status": "shown"},
        ],
    )
    assert choices(tables)[["position", "propensity"]].fillna(-1).to_numpy().tolist() == [
        [2, 0.25],
        [0, -1],
    ]


def test_who_was_shown_twice_and_chosen_once_was_chosen(day: Day) -> None:
    rows = [
        {"kol_id": "k1", "position": 1},
        {"kol_id": "k1", "status": "contacted", "position": 9},
    ]
    found = choices(log(day, rows))
    assert found[["choice", "position"]].to_numpy().tolist() == [[CHOSEN, 9]]


def test_a_choice_counts_once_it_was_known(day: Day) -> None:
    tables = log(day, [{"kol_id": "k1", "status": "contacted"}, {"kol_id": "k2"}])
    assert told(tables, pd.Series({"b1": day(12)})) == {}
    assert len(told(tables, pd.Series({"b1": day(13)}))) == 2
    assert told(tables, pd.Series({"b2": day(13)})) == {}
    # To pass somebody over is to choose another: before that the list was open.
    late = tables.replace(
        collaborations=tables.collaborations.assign(
            status_at=[day(20), day(10)], shown_at=day(10)
        ).astype(tables.collaborations.dtypes)
    )
    assert told(late, pd.Series({"b1": day(15)})) == {}


def test_unlikely_rows_count_more_up_to_the_clip(day: Day) -> None:
    chance = pd.Series([1.0, 0.5, 0.1, 0.0, np.nan], index=list("abcde"))
    weight = inverse_propensity(chance, clip=5)
    assert weight.tolist() == [3 / 8, 6 / 8, 15 / 8, 1, 1]
    assert weight.index.equals(chance.index)
    alone = inverse_propensity(chance, clip=5, within=pd.Series(list("xxyxx")))
    assert alone.round(6).tolist() == [round(2 / 3, 6), round(4 / 3, 6), 1, 1, 1]
    assert inverse_propensity(chance, clip=1).tolist() == [1.0] * 5


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=20), st.floats(1, 50))
def test_weights_are_one_on_average_and_turn_the_chances_around(
    chances: list[float], clip: float
) -> None:
    weight = inverse_propensity(pd.Series(chances), clip)
    assert weight.mean() == pytest.approx(1)
    order = np.argsort(chances, kind="stable")
    assert (np.diff(weight.to_numpy()[order]) <= 1e-9).all()
    assert weight.max() <= clip / weight.min() or len(set(chances)) == 1


def test_weighting_by_logged_chances_finds_the_mean_of_all() -> None:
    rng = np.random.default_rng(0)
    worth = rng.normal(0, 1, 20_000)
    chance = np.clip(1 / (1 + np.exp(1 - worth)), 0.03, 0.9)
    seen = rng.random(len(worth)) < chance
    weight = inverse_propensity(pd.Series(chance[seen]), clip=40)
    naive = worth[seen].mean()
    assert naive > 0.4
    assert abs(np.average(worth[seen], weights=weight)) < naive / 10
