from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.contract import SPECS
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config, ServingConfig
from matcher.likeness import likeness
from matcher.model import Matcher, MatchResult
from serving.results import EXCLUSIONS, MATCHES

UNTRAINED = Matcher(Config(), "words")


@pytest.fixture(scope="module")
def result(
    matcher: Matcher, world: World, open_ids: list[str], word_embeddings: Embeddings
) -> MatchResult:
    return matcher.match(world.tables, open_ids, world.as_of, word_embeddings)


def _same(left: MatchResult, right: MatchResult) -> None:
    for name in ("matches", "exclusions"):
        one, two = getattr(left, name), getattr(right, name)
        pd.testing.assert_frame_equal(
            one.reset_index(drop=True), two.reset_index(drop=True), check_exact=True
        )


def _of(result: MatchResult, brief_id: str) -> MatchResult:
    return MatchResult(
        result.matches[result.matches["brief_id"] == brief_id],
        result.exclusions[result.exclusions["brief_id"] == brief_id],
    )


def test_a_list_is_ranked_by_score_and_holds_what_is_published(result: MatchResult) -> None:
    matches = result.matches
    assert len(matches)
    assert set(matches) == set(MATCHES.names)
    assert set(result.exclusions) == set(EXCLUSIONS.names)
    for _, rows in matches.groupby("brief_id"):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["score"].is_monotonic_decreasing
    assert matches["fit"].between(0, 1).all()
    assert matches["risk"].between(0, 1).all()
    assert (matches["basis"] == "outcomes").all()
    assert matches["evidence"].map(lambda told: not pd.isna(list(told.values())).any()).all()


def test_top_cuts_the_list_and_changes_no_place(
    matcher: Matcher,
    world: World,
    open_ids: list[str],
    word_embeddings: Embeddings,
    result: MatchResult,
) -> None:
    short = matcher.match(world.tables, open_ids, world.as_of, word_embeddings, top=2)
    expected = result.matches[result.matches["rank"] <= 2]
    _same(short, MatchResult(expected, result.exclusions))


def test_a_brief_gets_the_same_list_alone_as_in_a_batch_in_any_order(
    matcher: Matcher,
    world: World,
    open_ids: list[str],
    word_embeddings: Embeddings,
    result: MatchResult,
) -> None:
    backwards = matcher.match(world.tables, open_ids[::-1], world.as_of, word_embeddings)
    for brief_id in open_ids:
        alone = matcher.match(world.tables, [brief_id], world.as_of, word_embeddings)
        _same(alone, _of(result, brief_id))
        _same(alone, _of(backwards, brief_id))


@given(seed=st.integers(0, 2**32 - 1))
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_order_of_rows_in_any_table_is_irrelevant(
    matcher: Matcher,
    world: World,
    open_ids: list[str],
    word_embeddings: Embeddings,
    result: MatchResult,
    seed: int,
) -> None:
    shuffled = {
        name: frame.sample(frac=1, random_state=seed).reset_index(drop=True)
        for name, frame in world.tables
    }
    tables = Tables(**shuffled)
    _same(matcher.match(tables, open_ids, world.as_of, word_embeddings), result)


@pytest.mark.parametrize("pairs", [1, 50, 100])
def test_how_many_pairs_are_held_at_once_changes_nothing(
    matcher: Matcher,
    world: World,
    open_ids: list[str],
    word_embeddings: Embeddings,
    result: MatchResult,
    pairs: int,
) -> None:
    config = matcher.config.model_copy(update={"serving": ServingConfig(chunk_pairs=pairs)})
    told: list[tuple[int, int]] = []
    small = replace(matcher, config=config).match(
        world.tables,
        open_ids,
        world.as_of,
        word_embeddings,
        progress=lambda what, done, total: told.append((done, total)),
    )
    _same(small, result)
    assert len(told) > 1
    assert told[-1] == (len(open_ids), len(open_ids))


def test_what_becomes_known_later_changes_nothing(
    matcher: Matcher, world: World, open_ids: list[str], word_embeddings: Embeddings
) -> None:
    then = world.as_of - pd.Timedelta(days=200)
    now = matcher.match(world.tables, open_ids, then, word_embeddings)
    cut = matcher.match(world.tables.as_of(then), open_ids, then, word_embeddings)
    _same(now, cut)


def test_ties_go_by_id(world: World, open_ids: list[str], word_embeddings: Embeddings) -> None:
    # Without words, audiences and labels everybody is equally alike.
    kols = world.tables.kols.assign(bio=None, verticals=None)
    blank = [c for c in kols if c.startswith("audience_")]
    kols[blank] = SPECS["kols"].conform(kols.drop(columns=blank))[blank]
    tables = world.tables.replace(
        kols=SPECS["kols"].conform(kols), posts=SPECS["posts"].empty(), rates=SPECS["rates"].empty()
    )
    matches = UNTRAINED.match(tables, open_ids, world.as_of, word_embeddings).matches
    assert matches["score"].nunique() == 1
    for _, rows in matches.groupby("brief_id"):
        assert rows["kol_id"].is_monotonic_increasing


def test_an_untrained_matcher_ranks_by_likeness_and_says_so_in_every_row(
    world: World, open_ids: list[str], word_embeddings: Embeddings
) -> None:
    matches = UNTRAINED.match(world.tables, open_ids, world.as_of, word_embeddings).matches
    pairs = matches[["brief_id", "kol_id"]].assign(as_of=world.as_of)
    pipeline = FeaturePipeline(UNTRAINED.config.features, word_embeddings)
    signals = pipeline.transform(pairs, History(world.tables))
    np.testing.assert_array_equal(matches["score"], likeness(signals))
    assert (matches["basis"] == "content").all()
    assert matches[["fit", "cvr", "views_p50", "roi_p50", "accept"]].isna().all(axis=None)
    assert matches["reasons_en"].map(len).ge(1).mean() > 0.8
    assert matches[["caution_en", "caution_zh"]].notna().all(axis=None)


def test_every_match_has_its_reasons_a_caution_and_what_each_family_adds(
    result: MatchResult, matcher: Matcher
) -> None:
    matches = result.matches
    assert matches["reasons_zh"].map(len).eq(3).mean() > 0.5
    assert matches["caution_zh"].str.contains(r"\d").all()
    assert matches["caution_en"].str.contains(r"\d").all()
    assert matcher.ranker is not None
    families = {name.split(".")[0] for name in matcher.ranker.forest.names}
    assert matches["contributions"].map(set).eq(families).all()
    assert matches["figures"].map(len).gt(5).all()
    assert set(result.details["precedents"]["brief_id"]) <= set(matches["brief_id"])


def test_the_funnel_adds_up_to_the_roster(
    result: MatchResult, world: World, open_ids: list[str]
) -> None:
    roster = world.tables.kols["kol_id"].nunique()
    totals = result.exclusions.groupby("brief_id")["kols"].sum()
    assert totals.to_dict() == dict.fromkeys(open_ids, roster)
    eligible = result.exclusions.query("reason == 'eligible'").set_index("brief_id")["kols"]
    listed = result.matches.groupby("brief_id").size().reindex(eligible.index, fill_value=0)
    assert (listed == eligible.clip(upper=20)).all()


def test_where_nobody_is_eligible_the_funnel_still_adds_up(
    matcher: Matcher,
    world: World,
    open_ids: list[str],
    word_embeddings: Embeddings,
    result: MatchResult,
) -> None:
    first, *rest = open_ids
    impossible = world.tables.briefs["min_followers"].mask(
        world.tables.briefs["brief_id"] == first, 1e12
    )
    tables = world.tables.replace(briefs=world.tables.briefs.assign(min_followers=impossible))
    alone = matcher.match(tables, [first], world.as_of, word_embeddings)
    assert alone.matches.empty
    assert set(alone.matches) == set(MATCHES.names)
    counts = alone.exclusions.set_index("reason")["kols"]
    assert counts["eligible"] == 0
    assert counts.sum() == world.tables.kols["kol_id"].nunique()
    together = matcher.match(tables, open_ids, world.as_of, word_embeddings)
    assert first not in set(together.matches["brief_id"])
    for brief_id in rest:
        _same(_of(together, brief_id), _of(result, brief_id))


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("empty", ["posts", "rates", "collaborations", "all"])
def test_less_data_gives_a_humbler_answer_never_a_crash(
    matcher: Matcher,
    world: World,
    open_ids: list[str],
    word_embeddings: Embeddings,
    trained: bool,
    empty: str,
) -> None:
    optional = ("posts", "rates", "collaborations", "outcomes", "judgments", "incidents", "vectors")
    gone = optional if empty == "all" else (empty, "outcomes")
    tables = world.tables.replace(**{name: SPECS[name].empty() for name in gone})
    used = matcher if trained else UNTRAINED
    matches = used.match(tables, open_ids, world.as_of, word_embeddings).matches
    assert len(matches)
    assert matches["score"].notna().all()
    if "rates" in gone:
        assert matches[["price", "mode", "currency"]].isna().all(axis=None)


@pytest.mark.parametrize("trained", [True, False])
def test_one_kol_is_a_market_too(
    matcher: Matcher,
    world: World,
    open_ids: list[str],
    word_embeddings: Embeddings,
    result: MatchResult,
    trained: bool,
) -> None:
    kol = result.matches["kol_id"].iloc[0]
    tables = world.tables
    one = tables.replace(
        **{
            name: frame[frame["kol_id"] == kol].reset_index(drop=True)
            for name, frame in tables
            if "kol_id" in frame
        },
        outcomes=SPECS["outcomes"].empty(),
    )
    used = matcher if trained else UNTRAINED
    matched = used.match(one, open_ids, world.as_of, word_embeddings)
    assert set(matched.matches["kol_id"]) == {kol}
    assert matched.exclusions.groupby("brief_id")["kols"].sum().eq(1).all()


def test_before_anything_is_known_there_is_a_message(
    matcher: Matcher, world: World, open_ids: list[str], word_embeddings: Embeddings
) -> None:
    first = world.tables.kols["observed_at"].min()
    with pytest.raises(ValueError, match="no KOL was observed before that; the first was at 2024"):
        matcher.match(world.tables, open_ids, first, word_embeddings)
    just_after = first + pd.Timedelta(microseconds=1)
    found = matcher.match(world.tables, open_ids, just_after, word_embeddings)
    assert found.exclusions.groupby("brief_id")["kols"].sum().ge(1).all()


def test_a_brief_that_does_not_exist_is_refused(
    matcher: Matcher, world: World, open_ids: list[str], word_embeddings: Embeddings
) -> None:
    with pytest.raises(ValueError, match=r"Got briefs \['x', 'y'\] but expected ids"):
        matcher.match(world.tables, ["y", *open_ids, "x"], world.as_of, word_embeddings)
    with pytest.raises(ValueError, match="Got no brief"):
        matcher.match(world.tables, [], world.as_of, word_embeddings)


def test_another_encoder_is_refused(
    matcher: Matcher, world: World, open_ids: list[str], word_embeddings: Embeddings
) -> None:
    other = replace(matcher, encoder_id="other")
    with pytest.raises(ValueError, match=r"Got text encoder words .* trained with other"):
        other.match(world.tables, open_ids, world.as_of, word_embeddings)


def test_other_signals_than_those_trained_on_are_refused(
    matcher: Matcher, world: World, open_ids: list[str], word_embeddings: Embeddings
) -> None:
    features = matcher.config.features.model_copy(update={"spaces": ("video",)})
    other = replace(matcher, config=matcher.config.model_copy(update={"features": features}))
    with pytest.raises(ValueError, match="trained on other signals"):
        other.match(world.tables, open_ids, world.as_of, word_embeddings)


def test_unknown_likeness_counts_as_none_and_either_kind_of_vector_counts() -> None:
    columns = ["content.widened_top3", "vectors.mean_cosine", "content.bio"]
    columns += ["audience.match", "category.vertical"]
    nan = np.nan
    rows = [
        [0.5, nan, 0.9, 1.0, nan],
        [nan, 0.5, 0.9, 1.0, 0.0],
        [0.4, 0.6, nan, 1.0, 1.0],
        [nan, nan, 0.5, 1.0, nan],  # the bio speaks where nothing else does
        [nan, nan, nan, nan, nan],
    ]
    told = likeness(pd.DataFrame(rows, columns=columns))
    assert told.tolist() == pytest.approx([0.55, 0.55, 0.7, 0.55, 0.0])
