"""Which briefs may judge: those that taught neither, decided after both were made."""

import json
from collections.abc import Callable

import pandas as pd
import pytest

from features.errors import UserError
from features.tables import Tables
from matcher.config import Config, TrainingConfig
from training.window import Past, plan_as_taught, window

Day = Callable[[float], pd.Timestamp]
CONFIG = TrainingConfig()


@pytest.fixture
def tables(past: Callable[..., Tables]) -> Tables:
    """Return ten briefs of five brands, decided ten days apart; the last is not ripe."""
    return past(
        [
            {
                "brief": f"b{i}",
                "brand": f"brand{i % 5}",
                "kol": f"k{i}",
                "decided": 10.0 * i,
                "shown": 10.0 * i,
                "measured": 10.0 * i + 35,
                "views": 100.0,
            }
            for i in range(10)
        ]
    )


def _past(version: str, from_: pd.Timestamp | None, *taught: int) -> Past:
    seen = frozenset(f"b{i}" for i in taught)
    return Past(version, from_, seen)


def test_by_time_the_later_of_both_cuts_counts_and_only_ripe_briefs(
    tables: Tables, day: Day
) -> None:
    challenger, champion = _past("2", day(40), 0, 1), _past("1", day(20), 0)
    found = window(tables, CONFIG, challenger, champion, least=2)
    assert (list(found.briefs), found.compared) == (["b4", "b5", "b6", "b7", "b8", "b9"], True)
    assert found.words == "6 briefs of 5 brands decided from 2025-02-10 to 2025-04-01"
    swapped = window(tables, CONFIG, champion, challenger, least=2)
    assert list(swapped.briefs) == list(found.briefs)
    waiting = tables.replace(outcomes=tables.outcomes[tables.outcomes["measured_at"] < day(100)])
    assert list(window(waiting, CONFIG, challenger, champion, least=2).briefs) == ["b4", "b5", "b6"]


def test_a_brief_that_taught_either_judges_neither(tables: Tables, day: Day) -> None:
    challenger, champion = _past("2", day(40), 5), _past("1", day(40), 7)
    found = window(tables, CONFIG, challenger, champion, least=2)
    assert list(found.briefs) == ["b4", "b6", "b8", "b9"]


def test_by_time_nothing_newer_than_both_is_a_reason_to_wait(tables: Tables, day: Day) -> None:
    with pytest.raises(UserError, match=r"decided after both version 2 and the champion.*: wait"):
        window(tables, CONFIG, _past("2", day(40)), _past("1", day(400)), least=2)
    with pytest.raises(UserError, match="did not teach version 2: there is nothing to judge it by"):
        window(tables, CONFIG, _past("2", day(400)), None, least=2)


def test_by_brand_whole_brands_are_held_out(tables: Tables) -> None:
    challenger = _past("2", None, 0, 1, 2)  # brands 0, 1 and 2
    alone = window(tables, CONFIG, challenger, None, least=2)
    assert (list(alone.briefs), alone.compared) == (["b3", "b4", "b8", "b9"], False)
    assert alone.words == "4 briefs of 2 brands that taught it nothing"
    same_fold = window(tables, CONFIG, challenger, _past("1", None, 0, 1), least=2)
    assert (list(same_fold.briefs), same_fold.compared) == (["b3", "b4", "b8", "b9"], True)


@pytest.mark.parametrize("taught", [frozenset({"b3", "b4"}), None])
def test_by_brand_a_champion_that_learned_from_them_is_not_compared(
    tables: Tables, taught: frozenset[str] | None
) -> None:
    challenger = _past("2", None, 0, 1, 2)
    found = window(tables, CONFIG, challenger, Past("1", None, taught), least=2)
    assert (list(found.briefs), found.compared) == (["b3", "b4", "b8", "b9"], False)
    assert "the champion learned from all but 0 of them and is not compared" in found.words


def test_a_model_by_brand_and_one_by_time_meet_where_both_are_blind(
    tables: Tables, day: Day
) -> None:
    found = window(tables, CONFIG, _past("2", None, 0, 1, 2), _past("1", day(70), 0), least=2)
    assert (list(found.briefs), found.compared) == (["b8", "b9"], True)


def test_a_model_by_brand_is_tested_on_brands_that_taught_it_nothing(
    tables: Tables,
) -> None:
    text = json.dumps({"b0": "train", "b1": "valid", "b5": "train", "gone": "train"})
    plan = plan_as_taught(tables, Config(), text)
    assert list(plan.briefs("train")) == ["b0", "b5"]
    assert list(plan.briefs("valid")) == ["b1"]
    # b6 is of the brand of b1, which tuned.
    assert sorted(plan.briefs("test")) == ["b2", "b3", "b4", "b7", "b8", "b9"]
    assert plan_as_taught(tables, Config(), json.dumps(["b0"])).part["b0"] == "train"
    with pytest.raises(UserError, match=r"Got no taught\.json of its training"):
        plan_as_taught(tables, Config(), None)
    with pytest.raises(UserError, match="no brief with labels of a brand that taught it nothing"):
        plan_as_taught(tables, Config(), json.dumps([f"b{i}" for i in range(5)]))
