from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.columns import EPOCH
from features.contract import GOALS, STATUSES
from features.tables import Tables
from matcher.forecast import VALUE
from matcher.heads import HEADS
from training.labels import (
    FORECAST,
    LEAST_PEERS,
    VALUED,
    WHENEVER,
    Grader,
    decision_times,
    in_usual_currency,
    labels_known_before,
    outcome_values,
    question_times,
    successes,
    true_grades,
    usual_currency,
)

Day = Callable[[float], pd.Timestamp]
Past = Callable[..., Tables]


def only(tables: Tables, horizon_days: int = 30) -> pd.Series:
    values = outcome_values(tables, horizon_days)
    assert len(values) == 1
    return values.iloc[0]


BROUGHT = {
    "views": 1000,
    "engagements": 50,
    "saves": 7,
    "shares": 3,
    "clicks": 20,
    "orders": 4,
    "gmv": 500,
    "refunded_gmv": 100,
    "margin": 0.5,
}


@pytest.mark.parametrize(
    ("goal", "value", "count"),
    [
        ("awareness", 1000, 1000),
        ("seeding", 10, 10),
        ("engagement", 50, 50),
        ("co_creation", 50, 50),
        ("conversion", 200, 4),
    ],
)
def test_each_goal_values_what_it_is_after(
    past: Past, goal: str, value: float, count: float
) -> None:
    found = only(past([BROUGHT | {"goal": goal, "cost": 100}]))
    assert found["value"] == value
    assert found["value_per_cost"] == value / 100
    assert found["achieved"] == pytest.approx(np.log(count + 0.5))


def test_every_goal_has_a_value_and_a_forecast_of_the_same_count() -> None:
    assert set(VALUED) == set(FORECAST) == set(VALUE) == set(GOALS)
    last = {goal: heads[-1] for goal, heads in VALUE.items()}
    counts = {spec.name: spec.count for spec in HEADS}
    assert {goal: counts[head] for goal, head in last.items()} == dict(FORECAST)


@pytest.mark.parametrize(
    ("brought", "value"),
    [
        ({"gmv": 500}, 500),  # neither refunds nor margin told
        ({"gmv": 500, "refunded_gmv": 600}, 0),  # more came back than was sold
        ({"gmv": None, "refunded_gmv": 600}, np.nan),
    ],
)
def test_what_a_conversion_brings_is_net_of_refunds(
    past: Past, brought: dict[str, Any], value: float
) -> None:
    found = only(past([{"goal": "conversion", **brought}]))["value"]
    assert found == value or (np.isnan(found) and np.isnan(value))


def test_spread_is_engagements_where_no_platform_tells_it(past: Past) -> None:
    seeding = {"goal": "seeding", "engagements": 50}
    assert only(past([seeding]))["value"] == 50
    assert only(past([seeding | {"saves": 4}]))["value"] == 4


@pytest.mark.parametrize("cost", [None, 0.0])
def test_without_a_cost_there_is_no_value_per_cost(past: Past, cost: float | None) -> None:
    found = only(past([{"views": 10, "cost": cost}]))
    assert np.isnan(found["value_per_cost"])
    assert found["value"] == 10


ABROAD = {"gmv": 500, "views": 10, "revenue_currency": "USD"}
"""Cost is 100 CNY, measured on day 45."""


def rates(day: Day, *quotes: tuple[str, str, float, float]) -> pd.DataFrame:
    """Return EXCHANGE_RATES of (currency, to_currency, day, rate)."""
    frame = pd.DataFrame(quotes, columns=["currency", "to_currency", "quoted_at", "rate"])
    return frame.assign(quoted_at=[day(at) for at in frame["quoted_at"]])


def test_revenue_in_another_currency_than_the_cost_is_refused_without_a_rate(
    past: Past, day: Day
) -> None:
    late = rates(day, ("USD", "CNY", 45, 7.0))
    for tables in (
        past([ABROAD | {"goal": "conversion"}]),
        past([ABROAD | {"goal": "conversion"}], exchange_rates=late),
    ):
        found = only(tables)
        assert np.isnan(found["value_per_cost"])
        assert np.isnan(found["value"])  # it would be neither CNY nor USD
        assert found["unconverted"]
    # Views have no currency.
    views = only(past([ABROAD | {"goal": "awareness"}]))
    assert (views["value_per_cost"], views["unconverted"]) == (0.1, False)


def test_revenue_is_converted_by_the_last_rate_before_it_was_measured(past: Past, day: Day) -> None:
    quoted = rates(day, ("USD", "CNY", 1, 6.0), ("USD", "CNY", 44, 7.0), ("USD", "CNY", 45, 9.0))
    found = only(past([ABROAD | {"goal": "conversion"}], exchange_rates=quoted))
    assert (found["value"], found["cost"], found["currency"]) == (3500, 100, "CNY")
    assert (found["value_per_cost"], found["unconverted"]) == (35, False)


def test_costs_are_told_in_the_currency_that_most_are_paid_in(past: Past, day: Day) -> None:
    paid = [
        {"kol": "k1", "views": 70, "cost": 7.0},
        {"kol": "k2", "views": 70, "cost": 7.0},
        {"kol": "k3", "views": 70, "cost": 1.0, "currency": "USD"},
        {"kol": "k4", "views": 70, "cost": 1.0, "currency": "EUR"},
    ]
    tables = past(paid, exchange_rates=rates(day, ("CNY", "USD", 1, 0.125)))
    own = outcome_values(tables, 30)
    assert own["cost"].tolist() == [7, 7, 1, 1]
    values = in_usual_currency(own, tables)
    assert values["currency"].tolist() == ["CNY", "CNY", "CNY", "EUR"]
    assert values["cost"].tolist() == [7, 7, 8, 1]
    assert values["value_per_cost"].tolist() == [10, 10, 70 / 8, 70]
    assert usual_currency(tables) == "CNY"
    # What is sold in the cost's own currency is worth as much in any.
    sold = {"goal": "conversion", "gmv": 500, "cost": 100, "currency": "USD"}
    abroad = past([*paid, sold | {"brief": "b2", "revenue_currency": "USD"}])
    abroad = abroad.replace(exchange_rates=tables.exchange_rates)
    values = outcome_values(abroad, 30)
    found = values.set_index("goal").loc["conversion"]
    assert (found["value"], found["value_per_cost"], found["currency"]) == (500, 5, "USD")
    found = in_usual_currency(values, abroad).set_index("goal").loc["conversion"]
    assert (found["value"], found["value_per_cost"], found["currency"]) == (4000, 5, "CNY")


def test_currencies_with_a_rate_are_graded_together_and_those_without_alone(
    past: Past, day: Day
) -> None:
    # A dollar is ten yuan: campaigns in dollars cost as much and bring a tenth more.
    yuan = campaigns(40, "beauty", 100)
    dollars = [
        c | {"cost": 0.1, "views": c["views"] * 1.1} for c in campaigns(40, "beauty", 100, "USD")
    ]
    for quoted, among in ((rates(day, ("USD", "CNY", 1, 10.0)), 80), (None, 40)):
        tables = past([*yuan, *dollars])
        tables = (
            tables
            if quoted is None
            else tables.replace(exchange_rates=Tables.of(exchange_rates=quoted).exchange_rates)
        )
        values = in_usual_currency(outcome_values(tables, 30), tables)
        grades = Grader.fit(values).grade(values)
        assert grades.value_counts().to_dict() == {1: 20, 2: 20, 3: 20, 4: 20}
        best = values.loc[grades == 4, "brief_id"].value_counts()
        assert (best.get("beauty USD", 0) > 10) == (among == 80)
        good = tables.collaborations.set_index("collaboration_id")["brief_id"]
        good = good[successes(tables, 30)[lambda s: s].index].value_counts()
        assert (good["beauty USD"] > 20) == (among == 80)


def test_unripe_outcomes_are_left_out_and_are_not_zero(past: Past) -> None:
    assert outcome_values(past([{"views": 10, "horizon": 7}]), 30).empty


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "delivered"])
def test_only_what_was_delivered_tells_of_fit(past: Past, status: str) -> None:
    assert outcome_values(past([{"views": 10, "status": status}]), 30).empty


def test_of_several_ripe_outcomes_the_earliest_horizon_counts(past: Past, day: Day) -> None:
    tables = past([{"views": 40, "horizon": 30}])
    others = pd.concat(
        [tables.outcomes.assign(horizon_days=h, views=v) for h, v in ((90, 90), (7, 7), (45, 45))]
    )
    tables = tables.replace(outcomes=pd.concat([others, tables.outcomes], ignore_index=True))
    assert only(tables, 30)["views"] == 40
    assert only(tables, 31)["views"] == 45


def test_the_choice_was_prepared_when_decided_or_first_shown(past: Past, day: Day) -> None:
    tables = past(
        [
            {"brief": "shown first", "decided": 20, "shown": 15},
            {"brief": "shown first", "kol": "k2", "shown": 18},
            {"brief": "decided first", "decided": 20, "shown": 25},
            {"brief": "never decided", "decided": None, "shown": 30},
        ]
    )
    silent = tables.briefs.head(1).assign(brief_id="open", decided_at=pd.NaT)
    briefs = pd.concat([tables.briefs, silent], ignore_index=True)
    times = decision_times(tables.replace(briefs=briefs.astype(tables.briefs.dtypes)))
    assert times.dropna().to_dict() == {
        "shown first": day(15),
        "decided first": day(20),
        "never decided": day(30),
    }
    assert times.index.tolist() == briefs["brief_id"].tolist()


def test_labels_count_until_just_before_their_briefs_time(past: Past, day: Day) -> None:
    tables = past(
        [
            {"brief": "b1", "kol": "early", "measured": 40},
            {"brief": "b1", "kol": "late", "measured": 41},
            {"brief": "b2", "kol": "early", "measured": 40},
            {"brief": "b3", "kol": "early", "measured": 1},
        ],
        judgments=pd.DataFrame(
            {
                "brief_id": ["b1", "b1", "b2", "b3"],
                "kol_id": ["early", "late", "late", "late"],
                "judge": "ann",
                "grade": 2,
                "judged_at": [day(40), day(41), day(40), day(40)],
            }
        ),
    )
    cut = labels_known_before(tables, pd.Series({"b1": day(41), "b2": day(40)}))
    assert cut.outcomes["collaboration_id"].tolist() == ["c0"]
    assert cut.judgments["kol_id"].tolist() == ["early"]
    assert cut.collaborations is tables.collaborations


def campaigns(
    size: int, vertical: str | None, start: float, currency: str = "CNY"
) -> list[dict[str, Any]]:
    """Return as many campaigns, whose views per cost rise from `start` in steps of 1."""
    return [
        {
            "brief": f"{vertical} {currency}",
            "kol": f"k{i}",
            "vertical": vertical,
            "views": start + i,
            "cost": 1.0,
            "currency": currency,
        }
        for i in range(size)
    ]


def test_grades_are_quarters_among_peers(past: Past) -> None:
    values = outcome_values(past(campaigns(LEAST_PEERS, "beauty", 1)), 30)
    grades = Grader.fit(values).grade(values).set_axis(values["views"])
    assert grades.value_counts().to_dict() == {1: 10, 2: 10, 3: 10, 4: 10}
    assert grades.sort_index().is_monotonic_increasing


def test_verticals_and_currencies_have_their_own_quarters(past: Past) -> None:
    rich, poor = campaigns(40, "beauty", 1000), campaigns(40, "gaming", 1)
    dollars = campaigns(40, "beauty", 5000, "USD")
    values = outcome_values(past([*rich, *poor, *dollars]), 30)
    grades = Grader.fit(values).grade(values)
    for _, own in grades.groupby([values["vertical"], values["currency"]]):
        assert own.value_counts().to_dict() == {1: 10, 2: 10, 3: 10, 4: 10}


def test_too_few_peers_in_a_vertical_are_graded_within_the_goal(past: Past) -> None:
    many, few = campaigns(LEAST_PEERS, "beauty", 1), campaigns(2, "gaming", 1000)
    unnamed = campaigns(2, None, 1000)
    values = outcome_values(past([*many, *few, *unnamed]), 30)
    grades = Grader.fit(values).grade(values)
    assert (grades[values["vertical"] != "beauty"] == 4).all()
    assert grades[values["vertical"] == "beauty"].value_counts()[4] == 10  # their own quarters


def test_what_has_no_value_or_no_peers_has_no_grade(past: Past) -> None:
    teaching = outcome_values(past(campaigns(50, "beauty", 1)), 30)
    asked = [
        {"kol": "unknown", "brief": "x", "views": None},
        {"kol": "free", "brief": "x", "views": 100, "cost": 0},
        {"kol": "no peers", "brief": "y", "goal": "seeding", "saves": 5},
        {"kol": "no peers", "brief": "x", "views": 100, "currency": "EUR"},
    ]
    values = outcome_values(past(asked), 30)
    assert Grader.fit(teaching).grade(values).isna().all()
    assert Grader.fit(teaching.head(0)).grade(values).isna().all()


def test_where_nobody_tells_a_cost_value_alone_is_compared(past: Past) -> None:
    told = [c | {"cost": None, "currency": None} for c in campaigns(40, "beauty", 1)]
    sold = [c | {"goal": "conversion", "gmv": c["views"], "brief": "sold"} for c in told]
    values = outcome_values(past([*told, *sold]), 30)
    grader = Grader.fit(values)
    assert grader.measure == "value"
    grades = grader.grade(values)
    assert grades.groupby(values["goal"]).value_counts().eq(10).all()
    # A single cost, and only what costs is compared.
    values = outcome_values(past([*told, {"kol": "paid", "views": 1}]), 30)
    assert Grader.fit(values).grade(values).notna().sum() == 1


def test_true_grades_are_places_in_the_brief() -> None:
    value = pd.Series(np.arange(100.0), index=range(100, 200))
    grades = true_grades(value, pd.Series(["b1"] * 100))
    assert grades.value_counts().to_dict() == {0: 35, 1: 30, 2: 20, 3: 10, 4: 5}
    assert grades.is_monotonic_increasing
    assert grades.index.equals(value.index)
    assert true_grades(value.where(value > 0), pd.Series(["b1"] * 100)).isna().sum() == 1


@given(
    st.lists(st.tuples(st.integers(-1000, 1000), st.sampled_from("abc")), min_size=1, max_size=30)
)
def test_true_grades_need_only_the_order_within_a_brief(rows: list[tuple[int, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["value", "brief"]).astype({"value": float})
    grades = true_grades(frame["value"], frame["brief"])
    offset = frame["brief"].map({"a": 0.0, "b": 5000.0, "c": -70.0})
    pd.testing.assert_series_equal(true_grades(frame["value"] * 3 + offset, frame["brief"]), grades)
    for _, own in frame.assign(grade=grades).sort_values("value").groupby("brief"):
        assert own["grade"].is_monotonic_increasing


# -- judgments, and briefs that tell no time -------------------------------------------------


def undated(day: Day, judged: list[float | None]) -> Tables:
    """Return one brief a judgment, told no time but when it was judged, if that."""
    briefs = [f"b{i}" for i in range(len(judged))]
    times = [None if at is None else day(at) for at in judged]
    return Tables.of(
        briefs=pd.DataFrame({"brief_id": briefs, "text": "serum"}),
        kols=pd.DataFrame({"kol_id": ["k1"], "observed_at": [day(5)]}),
        judgments=pd.DataFrame(
            {"brief_id": briefs, "kol_id": "k1", "grade": 3, "judged_at": times}
        ),
    )


def test_a_brief_that_tells_nothing_else_is_of_its_first_judgment(day: Day) -> None:
    tables = undated(day, [2, 9, None])
    again = tables.judgments.assign(judge="two", judged_at=day(20))
    tables = tables.replace(judgments=pd.concat([tables.judgments, again.head(1)]))
    assert decision_times(tables).tolist() == [day(2), day(9), pd.NaT]
    end = day(20) + pd.Timedelta("1us")
    assert question_times(tables).tolist() == [day(2), day(9), end]


def test_a_brief_without_any_time_is_asked_at_the_end_of_all_that_is_known(day: Day) -> None:
    assert question_times(undated(day, [None])).tolist() == [day(5) + pd.Timedelta("1us")]
    timeless = undated(day, [None])
    timeless = timeless.replace(kols=timeless.kols.assign(observed_at=EPOCH))
    assert question_times(timeless).tolist() == [EPOCH + pd.Timedelta("1us")]


def test_a_grade_of_unknown_time_teaches_only_where_time_does_not_matter(day: Day) -> None:
    tables = undated(day, [2, None, None])
    times = pd.Series({"b0": day(3), "b1": day(3), "b2": WHENEVER})
    told = labels_known_before(tables, times).judgments
    assert told["brief_id"].tolist() == ["b0", "b2"]
    assert tables.as_of(day(99)).judgments["brief_id"].tolist() == ["b0"]
