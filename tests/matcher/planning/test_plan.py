from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.contract import BRIEFS
from matcher.config import PlanConfig
from matcher.planning.options import FIGURES
from matcher.planning.plan import Brief, Plan, draft_briefs, plan, tell_drafts
from matcher.planning.request import PlanRequest, Quota
from matcher.planning.tables import frames_of
from matcher.planning.words import notes_of
from serving.results import PLANNED, PLANS
from tests.matcher.planning.rosters import roster_of

CONFIG = PlanConfig(steps=(0.6, 1.0, 1.1), draws=500, entry_prices=4)
KOLS = 14


@pytest.fixture(scope="module")
def roster() -> pd.DataFrame:
    return roster_of(np.random.default_rng(3), KOLS)


@pytest.fixture(scope="module")
def options(roster: pd.DataFrame) -> pd.DataFrame:
    """Two modes of each KOL, with figures of every kind."""
    rng = np.random.default_rng(4)
    frame = roster[["kol_id"]].merge(
        pd.DataFrame({"mode": ["ad_placement", "sponsorship"]}), how="cross"
    )
    size = len(frame)
    views = rng.lognormal(8, 0.6, size).round()
    frame = frame.assign(
        brief_id="b1",
        price=rng.integers(5, 40, size) * 100.0,
        currency="CNY",
        value=views,
        accept=rng.uniform(0.4, 0.95, size),
        risk=rng.uniform(0, 0.3, size),
        score=np.log(views),
        refund_rate=0.1,
    )
    for share, name in zip((1.0, 0.05, 0.002, 0.3), FIGURES, strict=True):
        for factor, end in ((0.4, "p10"), (1.0, "p50"), (2.2, "p90")):
            frame[f"{name}_{end}"] = views * share * factor
    return frame


def brief(**cells: object) -> dict[str, Any]:
    row = {"brief_id": "b1", "goal": "engagement", "budget": 6000.0, "currency": "CNY"}
    row |= {"kols_wanted": 5.0, "excluded_kols": (), "max_risk": np.nan, "gross_margin": 0.5}
    return row | {"max_price_per_kol": np.nan} | cells


def made(
    options: pd.DataFrame, roster: pd.DataFrame, config: PlanConfig = CONFIG, **cells: Any
) -> Plan:
    row = brief(**{name: cells.pop(name) for name in list(cells) if name in brief()})
    request = PlanRequest.of_brief(row, config).changed(**cells)
    return plan(Brief.of(row), options, roster, request, config)


def briefs_of(*rows: dict[str, Any]) -> pd.DataFrame:
    return BRIEFS.conform(pd.DataFrame(rows).assign(brand_id="x", text="t"))


def test_a_run_of_briefs_gives_its_tables(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    second = options.assign(brief_id="b2")
    rows = briefs_of(brief(), brief(brief_id="b2", goal="awareness"), brief(brief_id="b3"))
    listed = {"b1": ["k0", "k1", "k2"], "b2": []}
    both = pd.concat([options, second], ignore_index=True)
    plans, planned = tell_drafts(draft_briefs(both, rows, roster, CONFIG), roster, listed=listed)
    for spec, frame in ((PLANS, plans), (PLANNED, planned)):
        assert list(frame) == list(spec.names)
        assert spec.faults(spec.conform(frame)) == []
    assert plans.groupby("brief_id")["step"].apply(list).loc["b1"] == list(CONFIG.steps)
    assert set(planned.loc[~planned["chosen"], "kol_id"]) <= {"k0", "k1", "k2"}
    again = tell_drafts(draft_briefs(both, rows, roster, CONFIG), roster, listed=listed)
    pd.testing.assert_frame_equal(plans, again[0])
    pd.testing.assert_frame_equal(planned, again[1])


def test_steps_never_spend_more_nor_bring_less(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    for goal in ("engagement", "awareness"):
        steps = made(options, roster, goal=goal).steps
        worths = [step.solution.worth for step in steps]
        assert worths == sorted(worths)
        price = options.sort_values(["kol_id", "mode"])["price"].to_numpy()
        for step in steps:
            assert step.budget is not None
            assert price[step.solution.chosen].sum() <= step.budget
            assert step.solution.chosen.sum() <= 5


def test_accounts_and_modes_of_a_person_count_as_one(
    options: pd.DataFrame, roster: pd.DataFrame
) -> None:
    one = roster.assign(person_id="p0")
    assert made(options, one).best.solution.chosen.sum() == 1
    unknown = roster.assign(person_id=np.nan)
    assert made(options, unknown).best.solution.chosen.sum() > 1


def test_quotas_musts_and_diversity_are_kept(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    found = made(
        options,
        roster,
        budget=20_000.0,
        kols=6,
        kols_least=5,
        quotas=(
            Quota.read("platform", "douyin=3"),
            Quota.read("mode", "sponsorship=:2"),
            Quota.read("vertical", "food=2:"),
        ),
        must=("k1",),
        without=("k2",),
        max_risk=0.25,
        money_per_kol=3500.0,
        diversity={"platform": 0.7},
    )
    chosen = found.options.frame[found.best.solution.chosen]
    assert 5 <= len(chosen) <= 6
    assert (chosen["platform"] == "douyin").sum() == 3
    assert (chosen["mode"] == "sponsorship").sum() <= 2
    assert sum("food" in verticals for verticals in chosen["verticals"]) >= 2
    assert "k1" in set(chosen["kol_id"])
    assert "k2" not in set(chosen["kol_id"])
    assert chosen["risk"].max() <= 0.25
    assert chosen["price"].max() <= 3500
    money = chosen.groupby("platform")["price"].sum() / chosen["price"].sum()
    assert money.max() <= 0.7 + 1e-6


def test_people_count_once_only_where_people_are_the_goal(
    options: pd.DataFrame, roster: pd.DataFrame
) -> None:
    people, adding = made(options, roster, goal="awareness"), made(options, roster)
    assert people.counts_once
    assert people.best.solution.worth < people.worth[people.best.solution.chosen].sum()
    assert not adding.counts_once
    chosen = adding.best.solution.chosen
    assert adding.best.solution.worth == pytest.approx(adding.worth[chosen].sum())
    # Who is missed would be missed by no more than they reach.
    assert 0 < adding.best.reach < adding.options.floats("views_p50")[chosen].sum()
    assert (adding.best.added[chosen] > 0).all()


def test_risk_aversion_shuns_risk(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    calm, afraid = (made(options, roster, risk_aversion=power) for power in (0.0, 20.0))
    risk = calm.options.floats("risk")
    assert risk[afraid.best.solution.chosen].mean() < risk[calm.best.solution.chosen].mean()
    assert calm.worth == pytest.approx(calm.options.floats("value") * calm.options.floats("accept"))


def test_intervals_are_of_the_plan(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    for goal in ("engagement", "awareness", "conversion"):
        best = made(options, roster, goal=goal).best
        totals = best.totals
        for name in ("value", "views", "orders", "gmv", "roi"):
            ends = [totals[f"{name}_{end}"] for end in ("p10", "p50", "p90")]
            assert ends == sorted(ends)
        assert totals["value_p10"] < best.solution.worth < totals["value_p90"]


def test_what_is_unknown_is_told_by_no_figure(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    unknown = options.assign(orders_p10=np.nan, orders_p50=np.nan, orders_p90=np.nan)
    totals = made(unknown, roster).best.totals
    assert np.isnan(totals["orders_p50"])
    assert totals["views_p50"] > 0


def test_without_values_a_stand_in_is_planned_by_and_told(
    options: pd.DataFrame, roster: pd.DataFrame
) -> None:
    found = made(options.assign(value=np.nan, accept=np.nan), roster, goal="awareness")
    assert found.options.stand_in
    assert not found.counts_once
    notes = [note.en for note in notes_of(found, {})]
    assert any("place in the ranking" in note for note in notes)
    assert any("No chance of a yes" in note for note in notes)
    graded = made(options.assign(value=np.nan, fit=0.5), roster)
    assert any("sum of fit" in note.en for note in notes_of(graded, {}))


def test_options_of_unknown_value_or_other_money_are_left_out_and_told(
    options: pd.DataFrame, roster: pd.DataFrame
) -> None:
    some = options.copy()
    some.loc[some["kol_id"] == "k0", "value"] = np.nan
    some.loc[some["kol_id"] == "k1", "currency"] = "USD"
    some.loc[some["kol_id"] == "k2", "price"] = np.nan
    found = made(some, roster)
    assert not {"k0", "k1", "k2"} & set(found.options.frame["kol_id"])
    notes = " ".join(note.en for note in notes_of(found, {}))
    assert "1 KOLs quote in another currency than CNY" in notes
    assert "What 1 KOLs would bring is not forecast" in notes


def test_a_brief_without_budget_or_currency_is_planned_by_number(
    options: pd.DataFrame, roster: pd.DataFrame
) -> None:
    found = made(options, roster, budget=np.nan, currency=np.nan)
    assert [step.share for step in found.steps] == [1.0]
    assert found.best.solution.chosen.sum() == 5
    assert found.entries == {}
    plans, _ = frames_of([found], roster)
    assert plans["budget"].isna().all()
    assert plans["currency"].tolist() == ["CNY"]


def test_without_options_nobody_is_chosen(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    found = made(options.iloc[:0], roster)
    assert found.best.solution.status == "optimal"
    assert not found.best.solution.chosen.any()
    assert any("Nobody is chosen" in note.en for note in notes_of(found, {}))


def test_infeasible_plans_say_what_to_change(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    found = made(options, roster, must=("k0", "nobody"))
    assert not found.best.solution.feasible
    assert [[c.name for c in way.changes] for way in found.ways] == [["nobody"]]
    plans, planned = frames_of([found], roster)
    assert planned.empty
    best = plans[plans["step"] == 1].iloc[0]
    assert best["status"] == "infeasible"
    assert "drop the must-have nobody" in best["notes_en"][1]
    assert "不再必选达人 nobody" in best["notes_zh"][1]
    assert PLANS.faults(PLANS.conform(plans)) == []


def test_the_next_tenth_of_the_budget_is_told(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    found = made(options, roster)
    more = found.step(1.1)
    assert more is not None
    gain = more.solution.worth / found.best.solution.worth - 1
    first = notes_of(found, {})[0]
    assert first.en.startswith("10% more budget (600 CNY) brings")
    assert f"{gain:.1%}" in first.en
    assert f"{gain:.1%}" in first.zh


def test_whoever_is_left_out_enters_at_their_price(
    options: pd.DataFrame, roster: pd.DataFrame
) -> None:
    options = options[options["mode"] == "sponsorship"]
    quick = PlanConfig(steps=(1.0,), draws=100, entry_prices=0)
    found = made(options, roster)
    chosen = set(found.options.frame["kol_id"][found.best.solution.chosen])
    known = {kol_id: entry.price for kol_id, entry in found.entries.items() if entry.price > 1}
    assert len(known) >= 2
    assert not chosen & set(known)
    for kol_id, price in known.items():
        own = options["kol_id"] == kol_id

        def forced(price: float, own: pd.Series = own, kol_id: str = kol_id) -> float:
            offered = options.assign(price=options["price"].mask(own, price))
            return made(offered, roster, quick, must=(kol_id,)).best.solution.worth

        best = found.best.solution.worth
        assert forced(price - 1) >= best * (1 - 1e-6)
        assert not forced(price + 1) >= best * (1 + 1e-6)


def test_every_note_is_in_both_languages(options: pd.DataFrame, roster: pd.DataFrame) -> None:
    for plan_made in (
        made(options, roster),
        made(options, roster, goal="awareness"),
        made(options, roster, goal="conversion"),
        made(options, roster, must=("nobody",)),
        made(options.assign(value=np.nan), roster),
    ):
        for note in notes_of(plan_made, {}):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in note.zh)
            assert not any("\u4e00" <= letter <= "\u9fff" for letter in note.en)
