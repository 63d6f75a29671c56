import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.contract import SPECS
from features.simulate import World, simulate
from features.tables import Tables, link_faults


def test_same_seed_makes_the_same_world():
    first, second = (simulate(kols=60, briefs=12, seed=3) for _ in range(2))
    for (name, a), (_, b) in zip(first.tables, second.tables, strict=True):
        assert_frame_equal(a, b, obj=name)


def test_another_seed_makes_another_world():
    first, second = (simulate(kols=60, briefs=12, seed=seed) for seed in (3, 4))
    for (name, a), (_, b) in zip(first.tables, second.tables, strict=True):
        assert not a.equals(b), name


def test_tables_keep_the_contract(world: World):
    Tables.of(**dict(world.tables))
    assert link_faults(world.tables) == []
    assert all(len(frame) for _, frame in world.tables)


@pytest.mark.parametrize(("kols", "briefs", "seed"), [(20, 1, 0), (33, 2, 5), (120, 40, 9)])
def test_small_worlds_keep_the_contract(kols: int, briefs: int, seed: int):
    small = simulate(kols=kols, briefs=briefs, seed=seed)
    Tables.of(**dict(small.tables))
    assert link_faults(small.tables) == []
    assert small.tables.kols["kol_id"].nunique() == kols


def test_nothing_is_known_after_the_end_of_history(world: World):
    for (name, frame), spec in zip(world.tables, SPECS.values(), strict=True):
        if spec.known_at is not None:
            assert (frame[spec.known_at] < world.as_of).all(), name
    for column in ("status_at", "signed_at", "published_at"):
        assert not (world.tables.collaborations[column] >= world.as_of).any()
    assert not (world.tables.incidents["resolved_at"] >= world.as_of).any()


def test_a_log_tells_nothing_of_a_brief_before_its_decision(world: World):
    log = world.tables.collaborations.merge(world.tables.briefs, on="brief_id")
    assert (log["shown_at"] >= log["decided_at"]).all()


def test_open_briefs_start_after_history(world: World):
    briefs = world.tables.briefs
    is_open = briefs["decided_at"].isna()
    assert (~is_open).sum() == 300
    assert is_open.sum() == 9
    assert (briefs.loc[is_open, "starts_at"] > world.as_of).all()


def test_every_brief_has_enough_to_choose_from(world: World):
    shown = world.tables.collaborations.groupby("brief_id").size()
    assert len(shown) >= 295
    assert (shown >= 15).mean() > 0.95


def test_the_dollar_moves_slowly_and_is_quoted_from_before_the_first_day(world: World):
    rates = world.tables.exchange_rates
    assert rates["quoted_at"].min() < world.tables.collaborations["shown_at"].min()
    assert (rates["quoted_at"] < world.as_of).all()
    assert rates["rate"].between(6, 8).all()
    assert 0 < np.log(rates["rate"]).diff().abs().max() < 0.03


def test_persons_with_two_accounts_are_on_two_platforms(world: World):
    accounts = world.tables.kols.drop_duplicates("kol_id").groupby("person_id")
    counts = accounts["platform"].agg(["size", "nunique"])
    assert counts["size"].max() == 2
    assert 40 <= (counts["size"] == 2).sum() <= 80
    assert (counts["size"] == counts["nunique"]).all()


def test_text_is_chinese_and_english(world: World):
    assert 0.6 < (world.tables.briefs["language"] == "zh").mean() < 0.9
    posts = world.tables.posts.drop_duplicates("post_id")
    chinese = posts["text"].str.contains("[一-鿿]")
    assert 0.6 < chinese.mean() < 0.9
    posts_each = posts.groupby("kol_id").size()
    assert 10 < posts_each.median() < 20


def test_truth_is_aligned_to_its_pairs(world: World):
    log = world.tables.collaborations.iloc[:500]
    pairs = log[["brief_id", "kol_id", "mode"]]
    truth = world.truth(pairs)
    order = np.random.default_rng(0).permutation(len(pairs))
    shuffled = world.truth(pairs.iloc[order])
    assert_frame_equal(shuffled, truth.iloc[order])
    one = world.truth(pairs.iloc[[7]])
    assert_frame_equal(one, truth.iloc[[7]])
    assert (truth.drop(columns=["price", "value_per_cost"]) > 0).all().all()


def test_truth_counts_what_the_goal_asks_for(world: World):
    log = world.tables.collaborations.merge(world.tables.briefs[["brief_id", "goal"]])
    truth = world.truth(log)
    counted = {
        "awareness": "views",
        "seeding": "saves_shares",
        "engagement": "engagements",
        "conversion": "net_value",
        "co_creation": "engagements",
    }
    for goal, column in counted.items():
        rows = log["goal"] == goal
        assert truth.loc[rows, "value"].tolist() == truth.loc[rows, column].tolist()
    assert np.allclose(truth["value_per_cost"], truth["value"] / truth["price"])


def test_truth_price_is_what_was_paid(world: World):
    signed = world.tables.collaborations.query("cost.notna()")
    assert np.allclose(world.truth(signed)["price"], signed["cost"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kol_id": "nobody"}, "Got kol_id 'nobody' but expected one that is in this world"),
        ({"brief_id": "b0"}, "Got brief_id 'b0'"),
        ({"mode": "skywriting"}, "Got mode 'skywriting'"),
    ],
)
def test_truth_refuses_what_it_does_not_know(world: World, change: dict[str, str], message: str):
    pairs = pd.DataFrame({"brief_id": ["b00001"], "kol_id": ["k000001"], "mode": ["ad_placement"]})
    with pytest.raises(ValueError, match=message):
        world.truth(pairs.assign(**change))


def test_truth_names_missing_columns(world: World):
    with pytest.raises(ValueError, match="Got pairs without mode but expected"):
        world.truth(pd.DataFrame({"brief_id": ["b00001"], "kol_id": ["k000001"]}))


@pytest.mark.parametrize("arguments", [(19, 5, 0), (50, 0, 0), (50, 5, -1)])
def test_arguments_out_of_range_are_refused(arguments: tuple[int, int, int]):
    with pytest.raises(ValueError, match="but expected at least"):
        simulate(*arguments)


def test_the_log_of_a_world_can_be_drawn_again():
    world = simulate(kols=60, briefs=40, seed=3)
    first, same, other = (world.redrawn(seed) for seed in (1, 1, 2))
    Tables.of(**dict(first.tables))
    assert link_faults(first.tables) == []
    assert (first.tables.collaborations["shown_at"] < world.as_of).all()
    assert (first.tables.outcomes["measured_at"] < world.as_of).all()
    for name in ("collaborations", "outcomes"):
        drawn = getattr(first.tables, name)
        assert_frame_equal(drawn, getattr(same.tables, name))
        assert not drawn.equals(getattr(other.tables, name))
        assert not drawn.equals(getattr(world.tables, name))
    lists = ["collaboration_id", "brief_id", "kol_id", "mode", "position", "propensity"]
    assert_frame_equal(first.tables.collaborations[lists], world.tables.collaborations[lists])
    pairs = world.tables.collaborations
    assert_frame_equal(first.truth(pairs), world.truth(pairs))


def test_contacts_drawn_again_keep_to_the_propensities():
    world = simulate(kols=60, briefs=40, seed=3)
    contacted = [
        world.redrawn(seed).tables.collaborations["status"] != "shown" for seed in range(40)
    ]
    rate, said = np.mean(contacted, axis=0), world.tables.collaborations["propensity"]
    assert rate.mean() == pytest.approx(said.mean(), abs=0.01)
    error = (rate - said) / np.sqrt(said * (1 - said) / len(contacted))
    assert error.std() == pytest.approx(1.0, abs=0.1)
