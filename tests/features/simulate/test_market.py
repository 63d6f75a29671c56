import numpy as np
import pandas as pd
import pytest

from features.contract import PLATFORMS
from features.simulate import World, simulate


def test_views_follow_followers_with_an_elasticity_of_a_tenth():
    big = simulate(kols=6000, briefs=5, seed=11)
    posts = big.tables.posts.query("~is_sponsored").drop_duplicates("post_id")
    views = np.log(posts["views"] + 1).groupby(posts["kol_id"]).median()
    kols = big.tables.kols.drop_duplicates("kol_id", keep="last").set_index("kol_id")
    kols = kols[kols["suspicious_follower_share"] < 0.2].join(views)
    kols = kols[kols["views"].notna()]
    dummies = pd.get_dummies(kols["platform"], dtype=float)
    x = np.column_stack([np.log(kols["followers"]), dummies])
    elasticity = np.linalg.lstsq(x, kols["views"].to_numpy(), rcond=None)[0][0]
    assert elasticity == pytest.approx(0.10, abs=0.03)


def test_prices_follow_followers_more_steeply(world: World):
    rates = world.tables.rates.query("mode == 'ad_placement'")
    rates = rates.drop_duplicates("kol_id", keep="last")
    kols = world.tables.kols.drop_duplicates("kol_id", keep="last")
    both = rates.merge(kols, on="kol_id")
    x = np.column_stack([np.log(both["followers"]), pd.get_dummies(both["platform"], dtype=float)])
    elasticity = np.linalg.lstsq(x, np.log(both["price"]), rcond=None)[0][0]
    assert elasticity == pytest.approx(0.55, abs=0.08)


def test_tiers_and_platforms_are_mixed(world: World):
    kols = world.tables.kols.drop_duplicates("kol_id", keep="last")
    tier = pd.cut(kols["followers"], [0, 1e4, 1e5, 5e5, 1e6, np.inf], labels=False)
    shares = tier.value_counts(normalize=True).sort_index()
    assert shares.to_numpy() == pytest.approx([0.07, 0.58, 0.30, 0.035, 0.015], abs=0.03)
    assert set(kols["platform"]) == set(PLATFORMS)


def test_kols_are_seen_over_time_and_change(world: World):
    kols = world.tables.kols
    assert kols.groupby("kol_id").size().median() >= 8
    ends = kols.groupby("kol_id")["followers"].agg(["first", "last"])
    grown = np.log(ends["last"] / ends["first"])
    assert (grown > 0.2).mean() > 0.3
    assert (grown < -0.2).mean() > 0.1


def test_some_of_the_roster_is_unknown(world: World):
    kols = world.tables.kols.drop_duplicates("kol_id")
    assert 0.04 < (kols["audience_age"].map(len) == 0).mean() < 0.12
    assert 0.02 < kols["bio"].isna().mean() < 0.12


def test_incidents_become_known_after_they_happen(world: World):
    incidents = world.tables.incidents
    assert (incidents["known_at"] > incidents["occurred_at"]).all()
    assert incidents["resolved_at"].isna().any()
