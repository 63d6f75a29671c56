import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from features.errors import UserError
from features.simulate import World
from features.vectors import Embeddings
from matcher.config import ServingConfig
from matcher.explore import (
    choose_places,
    explored_places,
    inclusion_chances,
    systematic_draw,
    with_planned,
)
from matcher.model import Matcher, MatchResult
from serving.results import MATCHES

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")
SCORES = st.lists(st.floats(-50, 50), min_size=2, max_size=40)


def ranked(count: int, brief_id: str = "b1") -> pd.DataFrame:
    """Return candidates of a brief, scores falling by a few tenths a rank."""
    place = np.arange(1, count + 1)
    return pd.DataFrame(
        {
            "brief_id": brief_id,
            "as_of": AS_OF,
            "kol_id": [f"k{i:03d}" for i in place],
            "score": 3.0 - 0.3 * place,
            "rank": place,
        }
    )


@given(scores=SCORES, data=st.data(), share=st.floats(0.05, 1.0), heat=st.floats(0.1, 5.0))
def test_chances_sum_to_the_places_and_rise_with_the_score(
    scores: list[float], data: st.DataObject, share: float, heat: float
) -> None:
    count = data.draw(st.integers(1, len(scores) - 1))
    config = ServingConfig(explore_uniform=share, explore_temperature=heat)
    chances = inclusion_chances(np.array(scores), count, config)
    assert chances.sum() == pytest.approx(count)
    assert ((chances > 0) & (chances <= 1)).all()
    assert (np.diff(chances[np.argsort(scores, kind="stable")]) >= -1e-12).all()
    assert chances.min() >= 0.99 * share * count / len(scores) or chances.max() == 1


def test_even_scores_have_even_chances() -> None:
    assert inclusion_chances(np.zeros(8), 2, ServingConfig()).tolist() == [0.25] * 8


@given(scores=SCORES, data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_a_draw_fills_every_place(scores: list[float], data: st.DataObject, seed: int) -> None:
    count = data.draw(st.integers(1, len(scores) - 1))
    chances = inclusion_chances(np.array(scores), count, ServingConfig())
    drawn = systematic_draw(chances, np.random.default_rng(seed))
    assert drawn.sum() == count
    assert drawn[chances == 1].all()


@pytest.mark.long
def test_over_seeds_each_is_listed_as_often_as_its_list_chance_says() -> None:
    config = ServingConfig(top=10, explore_share=0.3, explore_pool=2)
    seeds = 3000
    lists = [choose_places(ranked(60), config, seed) for seed in range(seeds)]
    listed = pd.concat(lists)
    assert all(len(found) == 10 and found["kol_id"].is_unique for found in lists)
    assert listed.groupby("kol_id")["list_chance"].nunique().eq(1).all()
    chance = listed.groupby("kol_id")["list_chance"].first()
    share = listed["kol_id"].value_counts().reindex(chance.index) / seeds
    assert len(chance) == 7 + 20
    assert chance.sum() == pytest.approx(10)
    # 20 frequencies of binomial draws: four standard errors hold all of them.
    assert ((share - chance).abs() <= 4 * np.sqrt(chance * (1 - chance) / seeds)).all()


def test_the_first_places_are_by_rank_and_the_last_are_drawn() -> None:
    config = ServingConfig(top=10, explore_share=0.2)
    found = choose_places(ranked(60), config, seed=3)
    assert found["rank"].tolist() == list(range(1, 11))
    assert found["ranked"].tolist()[:8] == list(range(1, 9))
    assert found["ranked"].between(1, 58).all()
    assert found["explored"].tolist() == [False] * 8 + [True] * 2
    assert (found["list_chance"][~found["explored"]] == 1).all()
    assert found["list_chance"][found["explored"]].between(0.01, 0.5).all()
    assert found["score"].is_monotonic_decreasing


def test_a_share_of_nothing_changes_nothing() -> None:
    found = choose_places(ranked(60), ServingConfig(top=10), seed=3)
    assert_frame_equal(found[ranked(1).columns], ranked(60).head(10))
    assert (found["list_chance"] == 1).all()
    assert not found["explored"].any()


@pytest.mark.parametrize(("top", "places"), [(1, 0), (2, 1), (20, 1), (100, 2)])
def test_any_share_draws_at_least_a_place_but_never_the_only_one(top: int, places: int) -> None:
    config = ServingConfig(top=top, explore_share=0.02)
    assert explored_places(config) == places
    found = choose_places(ranked(4 * top), config, seed=3)
    assert int(found["explored"].sum()) == places


@pytest.mark.parametrize("count", [0, 1, 8, 10])
def test_where_all_are_listed_nobody_is_drawn(count: int) -> None:
    found = choose_places(ranked(count), ServingConfig(top=10, explore_share=0.5), seed=3)
    assert found["kol_id"].tolist() == ranked(count)["kol_id"].tolist()
    assert (found["list_chance"] == 1).all()
    assert not found["explored"].any()


def test_the_same_question_has_the_same_answer_in_any_company() -> None:
    config = ServingConfig(top=10, explore_share=0.5)
    alone = choose_places(ranked(60), config, seed=3)
    other = ranked(60, "b2").set_axis(range(60, 120))
    among = choose_places(pd.concat([other, ranked(60)]), config, seed=3)
    assert_frame_equal(among[among["brief_id"] == "b1"], alone)
    lists = [
        tuple(found["kol_id"])
        for found in (
            alone,
            among[among["brief_id"] == "b2"],
            choose_places(ranked(60), config, seed=4),
            choose_places(ranked(60).assign(as_of=AS_OF + pd.Timedelta(days=1)), config, seed=3),
        )
    ]
    assert len(set(lists)) == 4


def _match(matcher: Matcher, world: World, words: Embeddings, share: float | None) -> MatchResult:
    briefs = world.tables.briefs
    asked = briefs.loc[briefs["decided_at"].isna(), "brief_id"].tolist()
    return matcher.match(world.tables, asked, world.as_of, words, top=6, explore_share=share)


def test_matches_tell_who_was_drawn_and_why(
    matcher: Matcher, world: World, word_embeddings: Embeddings
) -> None:
    plain, explored = (_match(matcher, world, word_embeddings, s) for s in (None, 0.5))
    assert set(explored.matches) == set(MATCHES.names)
    for found in (plain, explored):
        planned = found.details["planned"].query("chosen")
        listed = found.matches.set_index(["brief_id", "kol_id"])["list_chance"]
        assert (listed.loc[pd.MultiIndex.from_frame(planned[["brief_id", "kol_id"]])] == 1).all()
    drawn = explored.matches[explored.matches["explored"]]
    assert len(drawn) > 0
    for match in drawn.to_dict("records"):
        assert match["rank"] > 3
        assert match["reasons_en"][0].startswith("Drawn by chance")
        assert match["reasons_zh"][0].startswith("为了解")
        rank, chance = (match["evidence"][f"explore.{name}"] for name in ("rank", "chance"))
        assert f"ranked {rank:.0f}," in match["reasons_en"][0]
        assert chance == pytest.approx(match["list_chance"], rel=1e-4)
    kept = ~explored.matches["explored"]
    assert not explored.matches["reasons_en"][kept].map(" ".join).str.contains("Drawn").any()
    first = explored.matches[explored.matches["rank"] <= 3]
    expected = plain.matches[plain.matches["rank"] <= 3]
    assert_frame_equal(first.reset_index(drop=True), expected.reset_index(drop=True))


def test_whoever_is_planned_is_listed_after_the_others_for_certain() -> None:
    ranked = pd.DataFrame(
        {
            "brief_id": ["b1"] * 4 + ["b2"] * 2,
            "kol_id": ["k1", "k2", "k3", "k4", "k1", "k2"],
            "rank": [1, 2, 3, 4, 1, 2],
        }
    )
    places = ranked.iloc[[0, 2, 4]].assign(
        list_chance=[1.0, 0.3, 1.0], explored=[False, True, False], ranked=[1, 3, 1], rank=[1, 2, 1]
    )
    listed = with_planned(places, ranked, {"b1": ["k4", "k3"]})

    assert listed["kol_id"].tolist() == ["k1", "k3", "k4", "k1"]
    assert listed["rank"].tolist() == [1, 2, 3, 1]
    assert listed["list_chance"].tolist() == [1, 1, 1, 1]
    assert not listed["explored"].any()
    assert_frame_equal(with_planned(places, ranked, {}), places)


def test_a_share_out_of_range_is_told(
    matcher: Matcher, world: World, word_embeddings: Embeddings
) -> None:
    with pytest.raises(UserError, match=r"explore_share = 0\.9: .* less than or equal to 0\.5"):
        _match(matcher, world, word_embeddings, 0.9)
