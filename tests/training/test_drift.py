"""Whether the world has moved, on a small one that has and has not."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config, UpkeepConfig
from training.drift import (
    RETRAIN,
    STEADY,
    WATCH,
    Drift,
    _about_forecasts,
    latest_briefs,
    measure_drift,
    roster_summary,
)
from training.fit import Fit, Plan
from training.summary import SignalSummary

SETTINGS = UpkeepConfig(least_rows=10, least_briefs=3, recent_briefs=25)


@pytest.fixture(scope="module")
def summary(fit: Fit, plan: Plan, history: History, config: Config) -> SignalSummary:
    return roster_summary(fit, plan, history, config)


@pytest.fixture(scope="module")
def taught(plan: Plan) -> frozenset[str]:
    return frozenset(plan.taught)


def look(
    tables: Tables,
    world: World,
    fit: Fit,
    summary: SignalSummary | None,
    taught: frozenset[str],
    embeddings: Embeddings,
) -> Drift:
    return measure_drift(
        fit.matcher, summary, taught, tables, embeddings, world.as_of, settings=SETTINGS
    )


@pytest.fixture(scope="module")
def calm(
    world: World,
    fit: Fit,
    summary: SignalSummary,
    taught: frozenset[str],
    embeddings: Embeddings,
) -> Drift:
    return look(world.tables, world, fit, summary, taught, embeddings)


def psi(drift: Drift, family: str) -> float:
    return float(drift.families.set_index("family").loc[family, "psi"])


def test_what_stays_as_it_was_is_no_drift(calm: Drift, taught: frozenset[str]) -> None:
    # Records grow in any young world; whom audiences and categories suit does not change.
    assert max(psi(calm, family) for family in ("audience", "category", "brief")) < 0.1
    assert psi(calm, "record") > 0.25
    assert calm.figures["taught"] == len(taught)
    assert calm.signals["importance"].sum() == pytest.approx(1)
    assert calm.families["signals"].sum() == len(calm.signals)


def test_a_world_whose_views_jump_asks_for_training_and_says_why(
    world: World,
    fit: Fit,
    summary: SignalSummary,
    taught: frozenset[str],
    embeddings: Embeddings,
    calm: Drift,
) -> None:
    posts = world.tables.posts
    late = posts["observed_at"] > world.as_of - pd.Timedelta(days=300)
    more = posts.assign(views=posts["views"].where(~late, posts["views"] * 40))
    moved = look(world.tables.replace(posts=more), world, fit, summary, taught, embeddings)
    assert moved.overall > calm.overall
    assert psi(moved, "reach") > 2 * psi(calm, "reach")
    assert moved.advice == RETRAIN
    (told,) = [reason for reason in moved.reasons if reason.startswith("what it looks at")]
    assert "reach" in told
    assert "should learn anew" in told
    assert json.loads(json.dumps(moved.told(), allow_nan=False))["advice"] == RETRAIN


def test_forecasts_of_briefs_that_did_not_teach_are_held_against_what_came(
    world: World,
    fit: Fit,
    summary: SignalSummary,
    taught: frozenset[str],
    embeddings: Embeddings,
    calm: Drift,
) -> None:
    whole = calm.forecasts.query("by == 'all'").set_index("measure")
    assert {"views", "cvr", "fit"} <= set(whole.index)
    outcomes = world.tables.outcomes
    mine = world.tables.collaborations.set_index("collaboration_id")["brief_id"].isin(taught)
    views = outcomes["views"].where(outcomes["collaboration_id"].map(mine), outcomes["views"] / 10)
    fewer = world.tables.replace(outcomes=outcomes.assign(views=views.round()))
    moved = look(fewer, world, fit, summary, taught, embeddings)
    assert moved.advice == RETRAIN
    assert any(
        reason.startswith("views") and "times what came" in reason for reason in moved.reasons
    )


def test_published_rows_count_before_what_the_model_says_now(
    world: World,
    fit: Fit,
    summary: SignalSummary,
    taught: frozenset[str],
    embeddings: Embeddings,
    calm: Drift,
) -> None:
    from training.drift import tested

    history = History(world.tables)
    rows = tested(fit.matcher, world.tables, history, fit.pipeline, taught)
    ids = pd.Series(np.arange(len(rows))).astype("str")
    published = rows.assign(views_forecast=rows["views_actual"] * 4, collaboration_id=ids)
    published = published.assign(hindsight=False, measured_at=world.as_of - pd.Timedelta(days=1))
    found = measure_drift(
        fit.matcher, summary, taught, world.tables, embeddings, world.as_of, published,
        settings=SETTINGS,
    )  # fmt: skip
    told = found.forecasts.query("by == 'all' and measure == 'views'").iloc[0]
    assert np.exp(told["log_ratio"]) == pytest.approx(0.25, rel=0.02)
    before = calm.forecasts.query("by == 'all' and measure == 'views'").iloc[0]
    assert told["n"] == before["n"]

    # What the model could know of, or we cannot know yet, tells nothing of its forecasts.
    known = sorted(taught)[0]
    seen = published.assign(brief_id=known, views_forecast=published["views_actual"] * 100)
    later = published.assign(measured_at=world.as_of)
    never = published["measured_at"].mask(published["hindsight"].eq(False))
    unknown = published.assign(measured_at=never, collaboration_id="nobody's")
    for blind in (seen, published.assign(hindsight=True), later, unknown):
        found = measure_drift(
            fit.matcher, summary, taught, world.tables, embeddings, world.as_of, blind,
            settings=SETTINGS,
        )  # fmt: skip
        pd.testing.assert_frame_equal(found.forecasts, calm.forecasts)


def test_an_answer_counts_once_it_is_known_though_nothing_was_measured(
    day: Callable[[float], pd.Timestamp],
) -> None:
    from training.drift import _foreseen

    said = pd.DataFrame({"collaboration_id": ["a", "b", "c"], "brief_id": "x", "hindsight": False})
    answered = [day(3), day(20), day(3)]
    rows = said[["collaboration_id"]].assign(
        brief_id="x", kol_id="k", status="declined", shown_at=day(1), status_at=answered
    )
    tables = Tables.of(collaborations=rows)
    measured = pd.Series([pd.NaT, pd.NaT, day(15)], dtype="datetime64[us, UTC]")
    found = _foreseen(said.assign(measured_at=measured), tables, frozenset(), day(10))
    assert found["collaboration_id"].tolist() == ["a"]


def test_without_a_summary_or_briefs_it_says_so(
    world: World, fit: Fit, summary: SignalSummary, taught: frozenset[str], embeddings: Embeddings
) -> None:
    blind = look(world.tables, world, fit, None, taught, embeddings)
    assert any("kept no summary of its signals" in reason for reason in blind.reasons)
    assert blind.overall == 0
    everybody = frozenset(world.tables.briefs["brief_id"])
    still = look(world.tables, world, fit, summary, everybody, embeddings)
    assert still.advice == STEADY
    assert still.reasons[0].startswith("no brief has come since it was trained")
    assert still.forecasts.empty


def test_the_latest_briefs_are_open_ones_first_and_never_those_that_taught(
    world: World, taught: frozenset[str]
) -> None:
    found = latest_briefs(world.tables, taught, world.as_of, 10)
    assert len(found) == 10
    assert not set(found["brief_id"]) & taught
    assert found["as_of"].is_monotonic_decreasing
    briefs = world.tables.briefs.set_index("brief_id").loc[found["brief_id"]]
    still_open = briefs["decided_at"].isna().to_numpy()
    assert still_open.any()
    assert (found["as_of"][still_open] == world.as_of).all()
    decided = briefs["decided_at"][~still_open].to_numpy()
    assert (found["as_of"][~still_open].to_numpy() == decided).all()


def test_a_mild_finding_of_the_latest_month_hides_no_grave_one_over_all() -> None:
    row = {"measure": "views", "enough": True, "off": True, "short": False, "coverage": 0.8}
    row |= {"n": 200, "briefs": 40, "low": 0.2, "high": 0.3}
    month = row | {"by": "month", "group": "2026-01", "log_ratio": np.log(1 / 1.1)}
    whole = row | {"by": "all", "group": "", "log_ratio": np.log(0.25)}
    for rows, advice, when in (
        ([whole, month], RETRAIN, "over all"),
        ([whole | {"log_ratio": month["log_ratio"]}, month], WATCH, "in 2026-01"),
    ):
        ((found, words),) = _about_forecasts(pd.DataFrame(rows), SETTINGS)
        assert found == advice
        assert when in words
