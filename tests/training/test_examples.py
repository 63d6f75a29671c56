from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import features.pipeline
from features.columns import EPOCH
from features.history import QUOTED_MODES, History, roster
from features.offers import current_offers
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.tables import Tables
from matcher.config import Config, TrainingConfig
from matcher.eligibility import screen
from matcher.forecast import Forecaster
from training.examples import (
    Examples,
    build_examples,
    example_pairs,
    graded_pairs,
    unknown_pairs,
)
from training.labels import decision_times
from training.selection import CHOSEN, PASSED

Day = Callable[[float], pd.Timestamp]
Past = Callable[..., Tables]
SETTINGS = TrainingConfig()


def graded(tables: Tables, cut: pd.Timestamp, teaching: str = "b1") -> pd.DataFrame:
    known_before = pd.Series(cut, index=tables.briefs["brief_id"])
    found = graded_pairs(tables, pd.Index([teaching]), known_before, SETTINGS)
    return found.set_index(["brief_id", "kol_id"])


# -- grades ----------------------------------------------------------------------------------


def judgments(**grade_of: float) -> pd.DataFrame:
    """Return judgments of brief b1 by two judges, half a grade apart each way."""
    rows = [
        {"kol_id": kol, "judge": judge, "grade": grade + off}
        for kol, grade in grade_of.items()
        for judge, off in (("ann", -0.5), ("bo", 0.5))
    ]
    judged_at = pd.Timestamp("2025-01-12", tz="UTC")
    return pd.DataFrame(rows).assign(brief_id="b1", judged_at=judged_at)


def test_a_judgment_stands_in_where_there_is_no_graded_outcome(past: Past, day: Day) -> None:
    tables = past(
        [
            {"kol": "worst", "views": 1},
            {"kol": "best", "views": 4},
            {"kol": "priceless", "views": 4, "cost": None},
            {"kol": "unripe", "views": 4, "horizon": 7},
        ],
        judgments=judgments(worst=3.5, best=0.5, priceless=2.5, unripe=1.0),
    )
    found = graded(tables, day(100))
    assert found["grade"].to_dict() == {
        ("b1", "best"): 4.0,  # the outcome wins
        ("b1", "worst"): 1.0,
        ("b1", "priceless"): 3.0,  # 2.0 and 3.0, rounded up
        ("b1", "unripe"): 1.0,
    }
    assert found.index[found["judged"]].get_level_values(1).tolist() == ["priceless", "unripe"]
    assert found.index[found["success"]].get_level_values(1).tolist() == ["best", "priceless"]
    assert found.loc[("b1", "priceless"), "views"] == 4  # its counts still teach the forecast


def test_of_two_collaborations_of_a_pair_the_first_with_a_grade_counts(
    past: Past, day: Day
) -> None:
    again = [
        {"kol": "k1", "views": 1000, "cost": None},
        {"kol": "k1", "views": 3},
        {"kol": "k1", "views": 9},
    ]
    others = [{"kol": f"o{i}", "views": i} for i in range(10)]
    found = graded(past([*again, *others]), day(100))
    assert found.loc[("b1", "k1"), "views"] == 3


def test_only_teaching_briefs_set_the_quantiles(past: Past, day: Day) -> None:
    teaching = [{"brief": "b1", "kol": f"k{i}", "views": i} for i in range(40)]
    later = [{"brief": "b2", "kol": f"k{i}", "views": 100 + i} for i in range(40)]
    found = graded(past([*teaching, *later]), day(100))["grade"]
    assert (found["b2"] == 4).all()
    assert found["b1"].value_counts().to_dict() == {1: 10, 2: 10, 3: 10, 4: 10}


def test_a_brief_without_a_cut_is_left_out(past: Past, day: Day) -> None:
    tables = past([{"brief": "b1", "views": 1}, {"brief": "b2", "views": 1}])
    cut = pd.Series({"b1": day(100)})
    assert graded_pairs(tables, pd.Index(["b1"]), cut, SETTINGS)["brief_id"].tolist() == ["b1"]


CUT = 50
COUNT = st.none() | st.integers(0, 100)
CAMPAIGN = st.fixed_dictionaries(
    {
        "brief": st.sampled_from(["b1", "b2"]),
        "kol": st.sampled_from(["k1", "k2", "k3"]),
        "measured": st.integers(20, 80),
        "horizon": st.sampled_from([7, 30, 60]),
        "cost": st.sampled_from([None, 0, 1, 10]),
        "views": COUNT,
    }
)


@settings(max_examples=20, deadline=None)
@given(
    campaigns=st.lists(CAMPAIGN, min_size=1, max_size=8),
    later=st.lists(CAMPAIGN, max_size=4),
    shift=st.integers(0, 40),
    views=COUNT,
)
def test_what_becomes_known_from_the_cut_on_changes_no_grade(
    past: Past,
    day: Day,
    campaigns: list[dict[str, float]],
    later: list[dict[str, float]],
    shift: int,
    views: int | None,
) -> None:
    tables = past(campaigns)
    known = graded(tables, day(CUT), teaching="b1")

    changed = [
        c | {"measured": c["measured"] + shift, "views": views} if c["measured"] >= CUT else c
        for c in campaigns
    ]
    added = [c | {"measured": CUT + c["measured"]} for c in later]
    brief_of = {c["brief"] for c in campaigns}
    other = past([*changed, *(c for c in added if c["brief"] in brief_of)])
    # A further horizon of everything, and an opinion on everybody, from the cut on.
    longer = other.outcomes.assign(horizon_days=31, measured_at=day(CUT), views=views)
    opinions = pd.DataFrame(product(brief_of, ["k1"]), columns=["brief_id", "kol_id"])
    opinions = opinions.assign(judge="ann", grade=4.0, judged_at=day(CUT))
    other = other.replace(
        outcomes=pd.concat([other.outcomes, longer], ignore_index=True).astype(
            other.outcomes.dtypes
        ),
        judgments=opinions,
    )
    pd.testing.assert_frame_equal(graded(other, day(CUT), teaching="b1"), known)


# -- the unknown -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def questions(world: World) -> pd.DataFrame:
    times = decision_times(world.tables).dropna().rename_axis("brief_id").reset_index()
    return times.sort_values("as_of").iloc[[5, 25, 45, 65]].reset_index(drop=True)


def test_the_unknown_are_never_tried_and_may_be_had(
    history: History, questions: pd.DataFrame
) -> None:
    tables = history.tables
    tried = tables.collaborations[["brief_id", "kol_id"]]
    sampled = unknown_pairs(questions, tried, history, 5, seed=0)
    assert not sampled.duplicated(["brief_id", "kol_id"]).any()
    assert sampled.merge(tried, on=["brief_id", "kol_id"]).empty
    counts = sampled["brief_id"].value_counts()
    assert counts.max() == 5
    for row, own in sampled.groupby("brief_id"):
        as_of = own["as_of"].iloc[0]
        assert as_of == questions.set_index("brief_id")["as_of"][row]
        kols = roster(history, as_of).set_index("kol_id").loc[own["kol_id"]].reset_index()
        refused = screen(
            own.reset_index(drop=True),
            tables.briefs,
            kols,
            current_offers(own, history).reset_index(drop=True),
        )
        assert refused.isna().all()


def test_a_briefs_sample_depends_on_no_other_brief(
    history: History, questions: pd.DataFrame
) -> None:
    tried = history.tables.collaborations[["brief_id", "kol_id"]]
    together = unknown_pairs(questions, tried, history, 5, seed=3)
    for row in range(len(questions)):
        brief = questions.iloc[[row]]
        own = tried[tried["brief_id"].isin(brief["brief_id"])]
        alone = unknown_pairs(brief, own, history, 5, seed=3)
        same = together[together["brief_id"].isin(brief["brief_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, same)
    assert not unknown_pairs(questions, tried, history, 5, seed=4).equals(together)


def test_no_sample_of_the_unknown_may_be_asked_for(
    history: History, questions: pd.DataFrame
) -> None:
    tried = history.tables.collaborations[["brief_id", "kol_id"]]
    assert unknown_pairs(questions, tried, history, 0, seed=0).empty


def test_examples_are_graded_pairs_and_a_sample_of_the_unknown(
    history: History, pipeline: FeaturePipeline, questions: pd.DataFrame, config: Config, day: Day
) -> None:
    tables = history.tables
    known_before = pd.Series(day(4000), index=questions["brief_id"])
    pairs = graded_pairs(tables, known_before.index, known_before, config.training)
    examples = build_examples(tables, history, pipeline, pairs, config.training, seed=0)
    assert examples.signals.index.equals(examples.pairs.index)
    assert list(examples.signals) == pipeline.names
    assert len(examples.known.pairs) == len(pairs)
    unknown = examples.pairs[~examples.pairs["known"]]
    assert set(unknown["brief_id"]) <= set(pairs["brief_id"])
    assert (unknown["grade"] == 0).all()
    assert not unknown["judged"].any()
    assert not unknown["success"].any()
    for name in ("brand_id", "goal"):
        asked = examples.pairs["brief_id"].map(tables.briefs.set_index("brief_id")[name])
        assert (examples.pairs[name] == asked).all()
    brief = pairs["brief_id"].iloc[0]
    assert set(examples.of(pd.Index([brief])).pairs["brief_id"]) == {brief}


# -- what the ranker is told -----------------------------------------------------------------

FORECASTER = Forecaster({}, {"awareness": 2.0})
"""Says nothing itself; tells which goals can be forecast, and what is usual."""


def examples_of(goal: str = "awareness", **columns: list[object]) -> Examples:
    """Return pairs of one brief, none of which brought anything known unless told."""
    size = len(next(iter(columns.values())))
    told = {"grade": 0.0, "judged": False, "success": False, "known": False, "achieved": np.nan}
    told |= {"choice": "", "position": 0.0, "propensity": np.nan}
    frame = pd.DataFrame({**{n: [v] * size for n, v in told.items()}, **columns})
    pairs = frame.assign(brief_id="b1", kol_id=[f"k{i}" for i in range(size)], goal=goal)
    return Examples(pairs, pd.DataFrame({"price.relative": [np.nan] * size}))


TEN = np.arange(10) / 10
"""Forecast advantages of ten candidates, the last the best."""


def test_where_a_forecast_is_believed_grades_are_places_by_it() -> None:
    data = examples_of(known=[True] + [False] * 9).ranking(
        TEN, FORECASTER, TrainingConfig(unknown_weight=0.3)
    )
    assert data.grade.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 4]
    assert data.weight.tolist() == [1.0] + [0.3] * 9
    assert data.known.tolist() == TEN.tolist()


@pytest.mark.parametrize(("belief", "place"), [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_belief_decides_how_far_an_outcome_moves_its_pair(belief: float, place: int) -> None:
    # Three outcomes of which the middle one is as forecast; the first is far better than that.
    usual = FORECASTER.typical["awareness"]
    achieved = [*(usual + TEN[:3] + np.array([1.5, 0.0, -0.5])), *[np.nan] * 7]
    known = [True] * 3 + [False] * 7
    data = examples_of(known=known, achieved=achieved).ranking(
        TEN, FORECASTER, TrainingConfig(belief=belief)
    )
    assert data.grade.iloc[0] == place


def test_an_outcome_is_compared_per_unit_of_the_price_that_was_asked() -> None:
    price = pd.DataFrame({"price.relative": [1.0, 5.0, 3.0, np.nan]})
    advantage = np.array([0.1, 0.2, 0.3, 0.4])
    # All brought just what was forecast: full belief in outcomes moves nobody.
    achieved = 2.0 + advantage + [1.0, 5.0, 3.0, 0.0]
    examples = replace(examples_of(known=[True] * 4, achieved=list(achieved)), signals=price)
    doubted, believed = (
        examples.ranking(advantage, FORECASTER, TrainingConfig(belief=belief)).grade.tolist()
        for belief in (0.0, 1.0)
    )
    assert believed == doubted == [0.0, 1.0, 2.0, 4.0]


def test_outcomes_of_a_goal_are_centred_so_that_the_tried_look_no_worse() -> None:
    # The best candidate is the only one tried, and brought far less than forecast: so do all of
    # its goal, for all that is known.
    usual = FORECASTER.typical["awareness"]
    achieved = [*[np.nan] * 9, usual + TEN[9] - 9.0]
    data = examples_of(known=[False] * 9 + [True], achieved=achieved).ranking(
        TEN, FORECASTER, TrainingConfig(belief=1.0)
    )
    assert data.grade.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 4]


def test_a_persons_grade_stands_whatever_the_forecast() -> None:
    data = examples_of(known=[True] * 2, judged=[True, False], grade=[4.0, 2.0]).ranking(
        np.array([0.0, 1.0]), FORECASTER, TrainingConfig()
    )
    assert data.grade.tolist() == [4.0, 4.0]
    assert data.told.tolist() == [False, True]


def test_where_nothing_can_be_forecast_outcomes_keep_their_grade_and_the_unknown_go() -> None:
    data = examples_of("seeding", known=[True, True, False], grade=[1.0, 3.0, 0.0]).ranking(
        np.zeros(3), FORECASTER, TrainingConfig()
    )
    assert data.grade.tolist() == [1.0, 3.0]
    assert data.signals.index.tolist() == [0, 1]


def test_the_unknown_may_be_taken_for_bad() -> None:
    data = examples_of(known=[True, True, False], grade=[1.0, 3.0, 0.0]).ranking(
        np.array([0.0, 0.0, 9.0]), FORECASTER, TrainingConfig(unknown="negative")
    )
    # Chosen or not is what counts, and not how well it went.
    assert data.grade.tolist() == [1.0, 1.0, 0.0]
    assert data.weight.tolist() == [1.0, 1.0, 0.3]


@pytest.mark.parametrize("unknown", ["forecast", "negative"])
def test_the_unknown_without_weight_go(unknown: str) -> None:
    settings = TrainingConfig.model_validate({"unknown": unknown, "unknown_weight": 0})
    data = examples_of(known=[True, False], grade=[3.0, 0.0]).ranking(
        np.zeros(2), FORECASTER, settings
    )
    assert len(data.grade) == len(data.signals) == len(data.known) == 1


# -- choices, and whom the log leaves out ----------------------------------------------------


LIST: dict[str, list[object]] = {
    "choice": [CHOSEN, CHOSEN, PASSED, ""],
    "position": [2.0, 1.0, 3.0, 0.0],
    "known": [True, False, False, False],
    "grade": [3.0, 0.0, 0.0, 0.0],
}
"""Delivered and measured; declined or the like; passed over; never shown."""
LATE = pd.Timestamp("2030-01-01", tz="UTC")
EVEN = np.array([0.3, 0.2, 0.1, 0.0])


def test_by_default_only_outcomes_and_the_never_shown_teach() -> None:
    data = examples_of(**LIST).ranking(EVEN, FORECASTER, SETTINGS)
    assert data.signals.index.tolist() == [0, 3]
    assert data.position is None
    assert (data.weight == [1.0, SETTINGS.unknown_weight]).all()


def test_who_was_passed_over_may_count_for_less_than_forecast() -> None:
    placed = examples_of(choice=[PASSED] + [""] * 9, known=[False] * 10)
    advantage = TEN[::-1].copy()
    for below, grade in ((0.0, 4), (0.25, 2), (5.0, 0)):
        settings = TrainingConfig(passed_over=0.2, passed_over_below=below)
        data = placed.ranking(advantage, FORECASTER, settings)
        assert data.grade.iloc[0] == grade
        assert data.weight.tolist() == [0.2] + [SETTINGS.unknown_weight] * 9
        assert not data.told.any()


def test_where_choices_teach_they_are_all_that_does() -> None:
    settings = TrainingConfig(unknown="choices", position_aware=True)
    examples = examples_of(**LIST)
    data = examples.ranking(EVEN, FORECASTER, settings)
    assert data.grade.tolist() == [1.0, 1.0, 0.0]
    assert data.weight.tolist() == [1.0] * 3
    assert data.position is not None
    assert data.position.tolist() == [2, 1, 3]
    assert data.told.tolist() == [True, False, False]
    assert examples.preference(settings).fillna(-1).tolist() == [0.5, 0.5, 0.0, -1]


def test_where_not_chosen_is_bad_the_declined_still_say_nothing() -> None:
    negative = TrainingConfig(unknown="negative")
    examples = examples_of(**LIST)
    assert examples.preference(negative).fillna(-1).tolist() == [1.0, -1, -1, 0.0]
    told = negative.model_copy(update={"passed_over": 0.5})
    assert examples.preference(told).fillna(-1).tolist() == [1.0, -1, 0.0, 0.0]
    assert examples.ranking(EVEN, FORECASTER, told).weight.tolist() == [1.0, 0.5, 0.3]


def test_unlikely_outcomes_weigh_more_where_that_is_asked_for() -> None:
    known = [True, True, True, False]
    examples = examples_of(
        known=known, propensity=[0.5, 0.1, None, 0.1], grade=[2.0, 3.0, 1.0, 0.0]
    )
    plain = examples.ranking(EVEN, FORECASTER, TrainingConfig())
    assert plain.weight.tolist() == [1, 1, 1, 0.3]
    settings = TrainingConfig(propensity_weights="all", propensity_clip=6)
    assert examples.ranking(EVEN, FORECASTER, settings).weight.tolist() == [0.5, 1.5, 1, 0.3]
    other = examples_of(known=[True] * 2, propensity=[0.5, 0.1]).pairs
    two = Examples(other.assign(brief_id=["b1", "b2"]), examples.signals.head(2))
    in_brief = TrainingConfig(propensity_weights="brief")
    assert two.propensity_weight(in_brief).tolist() == [1, 1]


def test_those_on_the_lists_are_examples_where_they_teach(
    history: History, questions: pd.DataFrame, config: Config
) -> None:
    known_before = pd.Series(LATE, index=questions["brief_id"])
    told = graded_pairs(history.tables, known_before.index, known_before, config.training)
    listed = history.tables.collaborations.set_index(["brief_id", "kol_id"])

    def pairs_of(cut: pd.Timestamp = LATE, **changes: object) -> pd.DataFrame:
        settings = config.training.model_copy(update=changes)
        cuts = pd.Series(cut, index=questions["brief_id"])
        pairs = example_pairs(history.tables, history, told, settings, 0, cuts)
        assert not pairs.duplicated(["brief_id", "kol_id"]).any()
        assert pairs["known"].sum() == len(told)
        return pairs

    plain = pairs_of()
    delivered = plain[plain["known"] & ~plain["judged"]]
    assert (delivered["choice"] == CHOSEN).all()
    key = pd.MultiIndex.from_frame(delivered[["brief_id", "kol_id"]])
    assert (delivered["propensity"].to_numpy() == listed.loc[key, "propensity"]).all()
    assert (plain.loc[plain["choice"] == "", "position"] == 0).all()
    assert (plain.loc[~plain["known"], "choice"] == "").all()

    weak = pairs_of(passed_over=0.1)
    more = weak[~weak["known"] & (weak["choice"] != "")]
    assert set(more["choice"]) == {PASSED}
    key = pd.MultiIndex.from_frame(more[["brief_id", "kol_id"]])
    assert set(listed.loc[key, "status"]) == {"shown"}
    assert (pairs_of(EPOCH, passed_over=0.1)["choice"] == "").all()  # nothing was known by then

    chosen = pairs_of(unknown="choices")
    rest = chosen[~chosen["known"] & (chosen["choice"] == CHOSEN)]
    key = pd.MultiIndex.from_frame(rest[["brief_id", "kol_id"]])
    assert {"declined", "cancelled"} <= set(listed.loc[key, "status"])
    assert (chosen.loc[~chosen["judged"], "choice"] != "").all()


def test_tried_pairs_are_read_in_the_mode_that_was_really_used(
    world: World, history: History, pipeline: FeaturePipeline, config: Config
) -> None:
    tables = world.tables
    whenever = pd.Series(world.as_of, index=tables.briefs["brief_id"])
    teaching = pd.Index(tables.briefs["brief_id"])
    told = graded_pairs(tables, teaching, whenever, config.training)
    tried = told[~told["judged"]].head(200)
    used = tables.collaborations.set_index(["brief_id", "kol_id"])["mode"]
    key = pd.MultiIndex.from_frame(tried[["brief_id", "kol_id"]])
    assert tried["mode"].tolist() == used.reindex(key).tolist()
    alone = config.training.model_copy(update={"unknown_per_brief": 0})
    examples = build_examples(tables, history, pipeline, tried, alone, seed=0)
    kind = examples.signals["mode.kind"].map(dict(enumerate(QUOTED_MODES)))
    quoted = (kind == examples.pairs["mode"]).to_numpy()
    assert quoted.mean() > 0.95  # few quotes had run out
    cheapest = current_offers(examples.pairs.drop(columns="mode"), history)["mode"]
    assert (kind != cheapest).any()
    assert (kind == cheapest)[~quoted].all()


def test_where_choices_alone_teach_no_mode_tells_the_chosen_apart(
    world: World, config: Config
) -> None:
    whenever = pd.Series(world.as_of, index=world.tables.briefs["brief_id"])
    negative = config.training.model_copy(update={"unknown": "negative"})
    teaching = pd.Index(world.tables.briefs["brief_id"])
    assert graded_pairs(world.tables, teaching, whenever, negative)["mode"].isna().all()


def test_examples_come_in_chunks_and_are_those_of_one(
    world: World, pipeline: FeaturePipeline, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.pipeline, "_PAIRS", 150)
    tables, told = world.tables, []
    known_before = pd.Series(world.as_of, index=tables.briefs["brief_id"])
    graded = graded_pairs(tables, known_before.index[:40], known_before, config.training)
    examples = build_examples(
        tables,
        History(tables),
        pipeline,
        graded,
        config.training,
        seed=0,
        progress=lambda what, done, total: told.append((done, total)),
    )
    whole = pipeline.transform(examples.pairs, History(tables))
    pd.testing.assert_frame_equal(examples.signals, whole, check_exact=True)
    # It tells how far it is, chunk by chunk.
    assert told[:3] == [(0, len(whole)), (150, len(whole)), (300, len(whole))]
    assert told[-1] == (len(whole), len(whole))
