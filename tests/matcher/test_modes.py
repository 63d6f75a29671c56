from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.columns import TIME
from features.contract import GOALS, MODES, SPECS
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.candidates import Candidates, candidates
from matcher.config import Config
from matcher.model import NOTHING, Matcher, MatchResult
from matcher.modes import SERVES, recommended, settle
from serving.results import OPTIONS

KEY = ["brief_id", "kol_id"]


@pytest.fixture(scope="module")
def free(world: World) -> World:
    """Return the world with briefs that allow any mode, so that there is something to choose."""
    briefs = SPECS["briefs"].conform(
        world.tables.briefs.assign(modes=[()] * len(world.tables.briefs))
    )
    return replace(world, tables=world.tables.replace(briefs=briefs))


@pytest.fixture(scope="module")
def matcher(matcher: Matcher) -> Matcher:
    """Return one for which modes differ in what they bring."""
    assert matcher.forecaster is not None
    lifts = {mode: 0.3 * (place % 4) for place, mode in enumerate(sorted(MODES))}
    heads = {name: replace(head, modes=lifts) for name, head in matcher.forecaster.heads.items()}
    return replace(matcher, forecaster=replace(matcher.forecaster, heads=heads))


@pytest.fixture(scope="module")
def history(free: World) -> History:
    return History(free.tables)


@pytest.fixture(scope="module")
def pipeline(word_embeddings: Embeddings) -> FeaturePipeline:
    return FeaturePipeline(Config().features, word_embeddings)


@pytest.fixture(scope="module")
def found(
    free: World, history: History, pipeline: FeaturePipeline, open_ids: list[str]
) -> Candidates:
    asked = pd.DataFrame(
        {"brief_id": open_ids, "as_of": pd.Series([free.as_of] * len(open_ids), dtype=TIME)}
    )
    (candidates_,) = candidates(asked, history, pipeline, Config())
    return candidates_


@pytest.fixture(scope="module")
def settled(
    found: Candidates, history: History, pipeline: FeaturePipeline, matcher: Matcher
) -> Candidates:
    return matcher.settled(found, history, pipeline)


@pytest.fixture(scope="module")
def options(settled: Candidates) -> pd.DataFrame:
    assert settled.options is not None
    return settled.options


@pytest.fixture(scope="module")
def result(
    matcher: Matcher, free: World, open_ids: list[str], word_embeddings: Embeddings
) -> MatchResult:
    return matcher.match(free.tables, open_ids, free.as_of, word_embeddings)


def test_every_pair_has_one_recommended_option_and_stands_in_it(
    found: Candidates, settled: Candidates, options: pd.DataFrame
) -> None:
    assert options.groupby("row")["recommended"].sum().eq(1).all()
    assert set(options["row"]) == set(found.pairs.index)
    best = options[options["recommended"]].set_index("row")
    assert settled.pairs.index.equals(found.pairs.index)
    for name in ("mode", "price", "currency"):
        assert settled.offers[name].equals(best[name].reindex(found.pairs.index))
    assert settled.pairs["mode"].equals(settled.offers["mode"])
    assert (settled.offers["mode"] != found.offers["mode"]).any()


def test_signals_are_those_of_the_mode(
    settled: Candidates, history: History, pipeline: FeaturePipeline
) -> None:
    again = pipeline.transform(settled.pairs, history)
    pd.testing.assert_frame_equal(settled.signals, again, check_exact=True)


def test_the_best_promise_for_the_price_is_recommended(options: pd.DataFrame) -> None:
    promised = options["value"].fillna(options["brings"]) / options["price"]
    assert promised.notna().all()
    most = promised.groupby(options["row"]).transform("max")
    assert np.array_equal(promised == most, options["recommended"])


def test_options_stay_inside_what_the_brief_allows_and_pays(
    options: pd.DataFrame, history: History, found: Candidates
) -> None:
    brief = history.tables.briefs.set_index("brief_id").loc[options["brief_id"]]
    price = options["price"].to_numpy()
    assert not (price > brief["max_price_per_kol"].to_numpy()).any()
    assert not (price > brief["budget"].to_numpy()).any()
    assert (options["currency"].to_numpy() == brief["currency"].to_numpy()).all()
    assert not (options["available_from"].to_numpy() > brief["ends_at"].to_numpy()).any()
    assert not (options["available_to"].to_numpy() < brief["starts_at"].to_numpy()).any()
    assert not options.duplicated([*KEY, "mode"]).any()
    cheapest = options.groupby("row")["price"].min().reindex(found.pairs.index)
    assert (cheapest <= found.offers["price"]).all()


def test_a_named_mode_is_the_only_one(
    world: World, pipeline: FeaturePipeline, matcher: Matcher, open_ids: list[str]
) -> None:
    history = History(world.tables)
    asked = pd.DataFrame(
        {"brief_id": open_ids, "as_of": pd.Series([world.as_of] * len(open_ids), dtype=TIME)}
    )
    (found,) = candidates(asked, history, pipeline, Config())
    options = matcher.settled(found, history, pipeline).options
    assert options is not None
    allowed = world.tables.briefs.set_index("brief_id")["modes"]
    for brief_id, modes in options.groupby("brief_id")["mode"]:
        assert set(modes) <= set(allowed[brief_id] or MODES)


def test_pairs_do_not_depend_on_each_other(
    found: Candidates,
    settled: Candidates,
    options: pd.DataFrame,
    history: History,
    pipeline: FeaturePipeline,
    matcher: Matcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("matcher.modes.AT_ONCE", 7)
    rows = found.pairs.index[::-1][:20]
    some = matcher.settled(found.of(rows), history, pipeline)
    assert some.options is not None
    expected = options[options["row"].isin(rows)].sort_values(["row", "mode"])
    told = some.options.sort_values(["row", "mode"])
    pd.testing.assert_frame_equal(
        told.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
    )
    pd.testing.assert_frame_equal(some.signals, settled.signals.loc[rows], check_exact=True)


def test_without_forecasts_purpose_and_experience_decide(
    found: Candidates, history: History, pipeline: FeaturePipeline
) -> None:
    options = settle(found, history, pipeline, NOTHING).options
    assert options is not None
    assert options[["value", "brings", "views_p50"]].isna().all(axis=None)
    suits = options["serves"] + np.log2(1 + options["signed"]) / 2
    best = suits.groupby(options["row"]).transform("max")
    assert (suits == best)[options["recommended"]].all()
    # Not one mode for all, and not the cheapest for all.
    assert options.loc[options["recommended"], "mode"].nunique() > 2
    cheapest = options["price"] == options.groupby("row")["price"].transform("min")
    assert not cheapest[options["recommended"]].all()


OPTION = st.fixed_dictionaries(
    {
        "row": st.integers(0, 3),
        "mode": st.sampled_from(MODES),
        "price": st.sampled_from([0.0, 100.0, 250.0]),
        "value": st.sampled_from([np.nan, 0.0, 10.0, 20.0]),
        "brings": st.sampled_from([np.nan, 1.0, 2.0]),
        "signed": st.sampled_from([np.nan, 0.0, 1.0, 5.0]),
        "serves": st.integers(0, 2),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(OPTION, min_size=1, max_size=12, unique_by=lambda row: (row["row"], row["mode"])),
    seed=st.integers(0, 99),
)
def test_one_option_a_pair_whatever_the_order(rows: list[dict[str, object]], seed: int) -> None:
    options = pd.DataFrame(rows)
    best = options[recommended(options)]
    assert sorted(best["row"]) == sorted(options["row"].unique())
    mixed = options.sample(frac=1, random_state=seed)
    again = mixed[recommended(mixed)]
    pd.testing.assert_frame_equal(again.sort_index(), best)


def test_a_higher_price_for_the_same_never_helps() -> None:
    options = pd.DataFrame(
        {
            "row": 0,
            "mode": ["q_and_a", "co_creation", "sponsorship"],
            "price": [300.0, 200.0, 100.0],
            "value": [30.0, 30.0, 9.0],
            "brings": np.nan,
            "signed": [9.0, 0.0, 9.0],
            "serves": [2, 0, 2],
        }
    )
    assert recommended(options).tolist() == [False, True, False]
    barter = options.assign(price=[300.0, 200.0, 0.0])
    assert recommended(barter).tolist() == [False, False, True]


def test_every_goal_has_modes_that_serve_it() -> None:
    assert set(SERVES) == set(GOALS)
    for modes in SERVES.values():
        assert set(modes) <= set(MODES)
        assert max(modes.values()) == 2


def test_a_run_tells_every_option_of_its_matches(
    result: MatchResult, options: pd.DataFrame
) -> None:
    told, matches = result.details["options"], result.matches
    assert set(told) == set(OPTIONS.names)
    expected = options.merge(matches[KEY])[[*KEY, "mode"]]
    assert len(told) == len(expected)
    assert len(told.merge(expected)) == len(expected)
    assert len(told) > len(matches)
    best = told[told["recommended"]].reset_index(drop=True)
    assert best[KEY].equals(matches[KEY])
    # What a match says is what its recommended option says.
    shared = [n for n in OPTIONS.names if n in matches and n not in KEY]
    pd.testing.assert_frame_equal(best[shared], matches[shared], check_dtype=False)
    assert told[["value", "price_low", "roi_p50", "why_en", "why_zh"]].notna().any().all()
    assert not OPTIONS.faults(OPTIONS.conform(told))


def test_a_dearer_mode_is_told_at_its_own_price(result: MatchResult) -> None:
    told = result.details["options"]
    cpm = 1000 * told["price"] / told["views_p50"]
    np.testing.assert_allclose(told["cpm_p50"] / cpm, 1, atol=0.15)


@pytest.mark.parametrize("gone", ["rates", "everything"])
def test_without_quotes_there_are_no_options(
    matcher: Matcher, free: World, open_ids: list[str], word_embeddings: Embeddings, gone: str
) -> None:
    tables = free.tables.replace(rates=SPECS["rates"].empty())
    if gone == "everything":
        tables = free.tables.replace(briefs=free.tables.briefs.assign(min_followers=1e12))
    told = matcher.match(tables, open_ids, free.as_of, word_embeddings)
    assert told.details["options"].empty
    assert set(told.details["options"]) == set(OPTIONS.names)
    assert told.matches["mode"].isna().all()
