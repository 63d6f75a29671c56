from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.tables import Tables
from matcher.config import Config, TrainingConfig
from training.examples import Examples
from training.fit import (
    LATE,
    WHENEVER,
    Fit,
    Plan,
    cross_forecasts,
    fit_matcher,
    labelled_pairs,
    plan_by_time,
    plans,
    plans_by_brand,
    plans_by_time,
    refitted,
    ripening,
)
from training.labels import decision_times, labels_known_before, outcome_values

Day = Callable[[float], pd.Timestamp]
Past = Callable[..., Tables]
WEEKLY = [
    {"brief": f"b{i:02d}", "brand": f"brand{i % 7}", "decided": 7 * i, "shown": 7 * i, "views": i}
    | {"measured": 7 * i + 31}
    for i in range(40)
]


@pytest.fixture(scope="module")
def examples(fit: Fit) -> Examples:
    return fit.examples


# -- plans -----------------------------------------------------------------------------------


def test_labels_are_ripe_outcomes_and_judgments_of_decided_briefs(past: Past, day: Day) -> None:
    tables = past(
        [
            {"brief": "told", "kol": "k1", "views": 1},
            {"brief": "told", "kol": "k2", "views": 1},
            {"brief": "unripe", "kol": "k1", "views": 1, "horizon": 7},
            {"brief": "judged", "kol": "k1", "status": "declined"},
        ],
        judgments=pd.DataFrame(
            {
                "brief_id": ["told", "told", "judged", "judged"],
                "kol_id": ["k1", "k1", "k1", "k2"],
                "judge": ["ann", "bo", "ann", "ann"],
                "grade": 2,
                "judged_at": day(20),
            }
        ),
    )
    assert labelled_pairs(tables, 30).to_dict() == {"judged": 2, "told": 2}


def test_parts_follow_each_other_in_time(history: History, plan: Plan, config: Config) -> None:
    decided = decision_times(history.tables)
    spans = [decided[plan.briefs(part)] for part in ("train", "valid", "test")]
    assert all(len(span) for span in spans)
    embargo = pd.Timedelta(days=config.training.horizon_days)
    for earlier, later in pairwise(spans):
        assert earlier.max() < later.min() - embargo
    for part, until in (("train", spans[1].min()), ("valid", spans[2].min()), ("test", WHENEVER)):
        assert (plan.known_before[plan.briefs(part)] == until).all()
    assert plan.cuts["test_from"] == str(spans[2].min())
    late = decided[plan.briefs(LATE)]
    assert spans[1].min() - pd.Timedelta(plan.cuts["embargo"]) <= late.min()
    assert late.max() < spans[1].min()
    assert (plan.known_before[late.index] == spans[2].min()).all()
    assert set(plan.taught) == set(plan.part.index) - set(plan.briefs("test"))


def test_without_a_refit_nobody_is_late(history: History, plan: Plan, config: Config) -> None:
    off = config.model_copy(
        update={"training": config.training.model_copy(update={"refit": False})}
    )
    part = plan_by_time(history.tables, off).part
    pd.testing.assert_series_equal(part, plan.part[plan.part != LATE])


def test_no_label_known_at_or_after_its_cut_is_used(
    history: History, plan: Plan, examples: Examples
) -> None:
    done = history.tables.collaborations.merge(history.tables.outcomes, on="collaboration_id")
    ripe = done[(done["status"] == "delivered") & (done["horizon_days"] >= 30)]
    known = examples.known.pairs.query("not judged").merge(ripe, on=["brief_id", "kol_id"])
    assert (known["measured_at"] < known["brief_id"].map(plan.known_before)).all()


@pytest.fixture(scope="module")
def fifty(past: Past) -> Tables:
    """Return two campaigns of each of fifty briefs, in the order of the briefs."""
    return past([{"brief": f"b{i // 2:02d}", "kol": f"k{i % 2}", "views": 5} for i in range(100)])


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    decided=st.lists(st.integers(0, 700), min_size=50, max_size=50),
    waits=st.lists(st.integers(30, 90), min_size=50, max_size=50),
    origins=st.integers(1, 3),
)
def test_what_always_holds_of_plans_at_rolling_origins(
    fifty: Tables, day: Day, decided: list[int], waits: list[int], origins: int
) -> None:
    times = pd.Series([day(each) for each in decided])
    came = times + pd.to_timedelta(pd.Series(waits), unit="D")
    twice = np.repeat(np.arange(50), 2)
    tables = fifty.replace(
        briefs=fifty.briefs.assign(decided_at=times),
        collaborations=fifty.collaborations.assign(shown_at=times[twice].to_numpy()),
        outcomes=fifty.outcomes.assign(measured_at=came[twice].to_numpy()),
    )
    shares = TrainingConfig(valid_share=0.1, test_share=0.1, least_briefs=10)
    try:
        made = plans_by_time(tables, Config(training=shares), origins)
    except UserError:
        assume(False)
    at = decision_times(tables)
    all_told = outcome_values(tables, 30)
    tested = pd.concat([pd.Series(1, plan.briefs("test")) for plan in made])
    assert tested.index.is_unique
    for plan in made:
        cuts = {name: pd.Timestamp(cut) for name, cut in plan.cuts.items() if name != "embargo"}
        embargo = pd.Timedelta(plan.cuts["embargo"])
        known = outcome_values(labels_known_before(tables, plan.known_before), 30)
        # No outcome that teaches or tunes was known at or after its cut, or decided in an embargo.
        for part, cut in (("train", "valid_from"), ("valid", "test_from"), (LATE, "test_from")):
            own = known[known["brief_id"].isin(plan.briefs(part))]
            assert len(own) or part == LATE
            assert (own["measured_at"] < cuts[cut]).all()
            assert (at[plan.briefs(part)] < cuts[cut] - embargo).all()
        assert (at[plan.briefs("valid")] >= cuts["valid_from"]).all()
        # Nothing lost: what a window of test holds is tested by all that came of it, if it is ripe.
        window = (at >= cuts["test_from"]) & (at < cuts.get("test_until", WHENEVER))
        ripe = at <= all_told["measured_at"].max() - embargo
        assert set(plan.briefs("test")) == set(at.index[window & ripe])
        test = all_told["brief_id"].isin(plan.briefs("test"))
        assert known["brief_id"].isin(plan.briefs("test")).sum() == test.sum()


def test_a_plan_can_be_made_again_from_its_cuts_when_more_is_known(
    past: Past, config: Config
) -> None:
    plan = plan_by_time(past(WEEKLY), config)
    again = plan_by_time(past(WEEKLY), config, plan.cuts)
    pd.testing.assert_series_equal(again.part, plan.part)
    later = [{"brief": f"c{i}", "decided": 7 * i, "shown": 7 * i} for i in range(40, 50)]
    later = [row | {"measured": row["decided"] + 31, "views": 3} for row in later]
    grown = plan_by_time(past([*WEEKLY, *later]), config, plan.cuts)
    assert grown.cuts == plan.cuts
    assert set(plan.briefs("test")) < set(grown.briefs("test"))
    for part in ("train", "valid"):
        assert grown.briefs(part).equals(plan.briefs(part))


def test_origins_are_named_and_the_latest_comes_first(past: Past, config: Config) -> None:
    parted, made = plans(past(WEEKLY), config, "time", 2)
    assert (parted, [plan.name for plan in made]) == ("time", ["origin 2 of 2", "origin 1 of 2"])
    assert made[0].part.equals(plan_by_time(past(WEEKLY), config).part)
    assert made[1].cuts["test_until"] == made[0].cuts["test_from"]
    with pytest.raises(UserError, match="fewer --origins need less"):
        plans(past(WEEKLY), config, "time", 9)


@pytest.mark.parametrize("part", [plan_by_time, plans_by_brand])
def test_too_few_briefs_are_refused_with_what_to_do(
    past: Past, part: Callable[[Tables, Config], object]
) -> None:
    with pytest.raises(
        UserError, match=r"Got 19 briefs .* needs 20; until then `kolmatch match` ranks"
    ):
        part(past(WEEKLY[:19]), Config())


def test_briefs_too_close_in_time_are_refused_with_what_to_do(past: Past) -> None:
    together = [c | {"decided": 10, "shown": 10} for c in WEEKLY]
    with pytest.raises(UserError, match=r"too few or too close .* \(--split brand\) need no time"):
        plan_by_time(past(together), Config())


def test_outcomes_that_all_carry_the_exports_date_are_refused_with_what_to_do(past: Past) -> None:
    exported = [c | {"measured": 400} for c in WEEKLY]
    with pytest.raises(UserError, match=r"no outcome or judgment of the \d+ briefs .* measured_at"):
        plan_by_time(past(exported), Config())
    assert len(plans_by_brand(past(exported), Config())) == 5


def judged(past: Past, **judgments: object) -> Tables:
    """Return 40 briefs of which nothing but judgments is known."""
    tables = past([c | {"brand": c["brief"]} for c in WEEKLY])
    frame = pd.DataFrame({"brief_id": tables.briefs["brief_id"], "kol_id": "k0", "judge": "ann"})
    return Tables.of(
        briefs=tables.briefs.assign(decided_at=pd.NaT),
        kols=pd.DataFrame({"kol_id": ["k0"]}),
        judgments=frame.assign(grade=3, **judgments),
    )


def test_judgments_are_parted_by_their_own_time(past: Past, day: Day) -> None:
    weekly = judged(past, judged_at=[day(7 * i) for i in range(40)])
    split, (plan,) = plans(weekly, Config())
    assert split == "time"
    assert plan.cuts["embargo"] == "0 days 00:00:00"
    assert plan.part.value_counts().to_dict() == {"train": 26, "test": 8, "valid": 6}
    assert ripening(weekly, 30) == pd.Timedelta(0)
    later = weekly.replace(
        briefs=weekly.briefs.assign(decided_at=[day(7 * i - 4) for i in range(40)])
    )
    assert ripening(Tables.of(**dict(later)), 30) == pd.Timedelta(days=4)


@pytest.mark.parametrize("told", ["nothing", "one day"])
def test_judgments_without_an_order_in_time_are_parted_by_brand(
    past: Past, day: Day, told: str
) -> None:
    tables = judged(past, **({} if told == "nothing" else {"judged_at": day(3)}))
    split, found = plans(tables, Config())
    assert (split, len(found)) == ("brand", 5)
    with pytest.raises(UserError, match="--split brand"):
        plans(tables, Config(), "time")


def test_outcomes_are_never_parted_by_brand_unasked(past: Past) -> None:
    together = past([c | {"decided": 10, "shown": 10} for c in WEEKLY])
    with pytest.raises(UserError, match="too close"):
        plans(together, Config())
    assert plans(together, Config(), "brand")[0] == "brand"


def test_a_brand_is_in_one_part_of_each_fold_and_tests_once(past: Past) -> None:
    tables = past(WEEKLY)
    brands = tables.briefs.set_index("brief_id")["brand_id"]
    dealt = plans_by_brand(tables, Config())
    assert [plan.name for plan in dealt] == [f"fold {i}" for i in range(1, 6)]
    tested = []
    for plan in dealt:
        parts = pd.DataFrame({"brand": brands, "part": plan.part}).drop_duplicates()
        assert len(parts) == brands.nunique()
        assert set(parts["part"]) == {"train", "valid", "test"}
        tested += list(plan.briefs("test"))
    assert sorted(tested) == sorted(brands.index)


def test_folds_weigh_brands_by_their_labels(past: Past) -> None:
    # One brand with as many labels as all others together, in a single brief.
    big = [WEEKLY[0] | {"brand": "big", "kol": f"k{i}"} for i in range(39)]
    tables = past([*big, *(c | {"brand": c["brief"]} for c in WEEKLY[1:])])
    folds = TrainingConfig(folds=3)
    dealt = plans_by_brand(tables, Config(training=folds))
    sizes = sorted(len(plan.briefs("test")) for plan in dealt)
    assert sizes == [1, 19, 20]


def test_an_origin_without_much_of_a_past_is_refused(past: Past, config: Config) -> None:
    with pytest.raises(UserError, match=r"Got \d briefs to teach at origin 1 of 4, .* fewer --ori"):
        plans_by_time(past(WEEKLY), config, 4)


def test_two_folds_leave_nobody_to_teach(past: Past) -> None:
    config = Config(training=TrainingConfig(folds=2, least_briefs=5))
    with pytest.raises(UserError, match=r"Got folds = 2 .* needs 3 or more"):
        plans_by_brand(past(WEEKLY), config)


def test_fewer_brands_than_folds_are_refused_with_what_to_do(past: Past) -> None:
    with pytest.raises(UserError, match=r"Got briefs of 1 brands but 5 folds .* lower `folds`"):
        plans_by_brand(past([c | {"brand": "acme"} for c in WEEKLY]), Config())


# -- fitting ---------------------------------------------------------------------------------


def test_a_brands_outcomes_move_only_other_brands_forecasts(
    examples: Examples, config: Config
) -> None:
    brand = examples.known.pairs["brand_id"].value_counts().index[0]
    own = (examples.pairs["brand_id"] == brand).to_numpy()
    absurd = examples.pairs.copy()
    absurd.loc[own, ["views", "engagements", "spread", "clicks", "orders"]] *= [1e4, 1, 1, 1e3, 1]
    honest = cross_forecasts(examples, config)["advantage"]
    planted = cross_forecasts(Examples(absurd, examples.signals), config)["advantage"]
    assert np.array_equal(honest[own], planted[own])
    assert (honest[~own] != planted[~own]).mean() > 0.5


def test_one_brand_alone_cannot_be_forecast_by_others(examples: Examples, config: Config) -> None:
    alone = Examples(examples.pairs.assign(brand_id="acme"), examples.signals)
    told = cross_forecasts(alone, config)
    assert (told["advantage"] == 0).all()
    assert told.drop(columns="advantage").isna().all(axis=None)


def test_test_briefs_teach_nothing(
    examples: Examples, plan: Plan, config: Config, pipeline: FeaturePipeline
) -> None:
    without = examples.where(~examples.pairs["brief_id"].isin(plan.briefs("test")).to_numpy())
    assert len(without.pairs) < len(examples.pairs)
    assert (
        fit_matcher(without, plan, config, pipeline).hash
        == fit_matcher(examples, plan, config, pipeline).hash
    )


def test_the_same_examples_and_seed_give_the_same_model(
    examples: Examples, plan: Plan, config: Config, pipeline: FeaturePipeline
) -> None:
    first = fit_matcher(examples, plan, config, pipeline)
    assert first.hash == fit_matcher(examples, plan, config, pipeline).hash
    other = config.model_copy(update={"seed": 1})
    assert first.hash != fit_matcher(examples, plan, other, pipeline).hash


def test_judgments_alone_teach_a_ranker(
    examples: Examples, plan: Plan, config: Config, pipeline: FeaturePipeline
) -> None:
    judged = examples.pairs.assign(judged=True, achieved=np.nan)
    judged[["views", "engagements", "spread", "clicks", "orders"]] = np.nan
    matcher = fit_matcher(Examples(judged, examples.signals), plan, config, pipeline)
    assert matcher.forecaster is not None
    assert not matcher.forecaster.heads
    assert matcher.score(examples.signals)["score"].nunique() > 10
    assert matcher.basis == "judgments"
    assert matcher.ranker is not None
    assert matcher.ranker.likeness is not None
    tuned = examples.of(plan.briefs("valid")).known.pairs
    assert matcher.ranker.calibration.seen == len(tuned)


def test_where_there_are_outcomes_they_are_the_basis(
    examples: Examples, plan: Plan, config: Config, pipeline: FeaturePipeline
) -> None:
    matcher = fit_matcher(examples, plan, config, pipeline)
    assert matcher.basis == "outcomes"
    assert matcher.ranker is not None
    assert matcher.ranker.likeness is None
    later, past = (
        (~examples.of(plan.briefs(part)).known.pairs["judged"]).sum() for part in ("valid", "train")
    )
    # What other brands' models said of the past calibrates too.
    assert later < matcher.ranker.calibration.seen <= later + past


# -- once more, from all that was known ------------------------------------------------------


@pytest.fixture(scope="module")
def plain(fit: Fit, plan: Plan, config: Config) -> Fit:
    """Return the same before its refit."""
    return replace(fit, matcher=fit_matcher(fit.examples, plan, config, fit.pipeline, fit.answers))


def spoilt(fit: Fit, briefs: pd.Index) -> Fit:
    """Return the same fit beside other outcomes of some briefs."""
    pairs = fit.examples.pairs.copy()
    rows = pairs["brief_id"].isin(briefs)
    assert rows.any()
    pairs.loc[rows, ["views", "engagements", "spread", "clicks", "orders"]] *= [50, 1, 1, 9, 1]
    return Fit(fit.matcher, Examples(pairs, fit.examples.signals), fit.pipeline, fit.answers)


def test_refitted_forecasts_learn_from_all_but_the_test(plain: Fit, plan: Plan) -> None:
    again = refitted(plain, plan).matcher
    assert refitted(spoilt(plain, plan.briefs("test")), plan).matcher.hash == again.hash
    for part in ("train", LATE, "valid"):
        assert refitted(spoilt(plain, plan.briefs(part)), plan).matcher.hash != again.hash


def test_a_refit_keeps_what_the_validation_part_told(plain: Fit, plan: Plan) -> None:
    before, after = plain.matcher, refitted(plain, plan).matcher
    assert before.forecaster is not None
    assert after.forecaster is not None
    assert after.forecaster.heads.keys() == before.forecaster.heads.keys()
    assert after.forecaster.heads != before.forecaster.heads
    assert after.forecaster.typical.keys() == before.forecaster.typical.keys()
    assert after.forecaster.curves == before.forecaster.curves
    assert after.forecaster.uncertainty == before.forecaster.uncertainty
    assert after.ranker == before.ranker
    assert after.scout != before.scout


def test_a_refit_calibrates_a_yes_on_every_answer(plain: Fit, plan: Plan) -> None:
    before, after = plain.matcher.forecaster, refitted(plain, plan).matcher.forecaster
    assert before is not None and before.acceptance is not None and plain.answers is not None
    assert after is not None and after.acceptance is not None
    valid = len(plain.answers.of(plan.briefs("valid")).accepted)
    train = len(plain.answers.of(plan.briefs("train")).accepted)
    every = len(plain.answers.of(plan.taught).accepted)
    assert before.acceptance.calibration.seen == train + valid
    assert after.acceptance.calibration.seen == every + valid > train + valid


def test_a_refit_follows_the_truth_more_closely(plain: Fit, plan: Plan, world: World) -> None:
    test = plain.examples.of(plan.briefs("test"))
    asked = test.pairs[["brief_id", "kol_id"]].assign(mode="ad_placement")
    truth = np.log(world.truth(asked)["views"].to_numpy())
    told = np.isfinite(truth)

    def error(fit: Fit) -> float:
        assert fit.matcher.forecaster is not None
        said = fit.matcher.forecaster.heads["views"].log(test.signals)
        return float(np.std((said - truth)[told]))

    assert error(refitted(plain, plan)) < error(plain)


def test_where_nothing_is_forecast_there_is_nothing_to_refit(plain: Fit, plan: Plan) -> None:
    judged = plain.examples.pairs.assign(judged=True, achieved=np.nan)
    judged[["views", "engagements", "spread", "clicks", "orders"]] = np.nan
    examples = Examples(judged, plain.examples.signals)
    matcher = fit_matcher(examples, plan, plain.matcher.config, plain.pipeline)
    only = Fit(matcher, examples, plain.pipeline)
    assert refitted(only, plan) is only
