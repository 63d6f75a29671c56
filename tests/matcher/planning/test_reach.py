import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.config import ReachConfig
from matcher.planning.reach import MOST_SEGMENTS, People, people_of
from tests.matcher.planning.rosters import PLATFORMS, roster_of


def people(seed: int = 0, **settings: float) -> People:
    roster = roster_of(np.random.default_rng(seed), 12)
    return people_of(roster, PLATFORMS, ReachConfig(**settings))  # type: ignore[arg-type]


def test_expected_reach_is_what_chance_brings() -> None:
    """Throw views at people one by one, often, and count who got any."""
    rng = np.random.default_rng(0)
    accounts, views = 400, [300, 500, 200]
    chance = np.array([0.6, 0.9, 0.5])
    where = ["douyin", "douyin", "weibo"]
    known = People(
        PLATFORMS,
        ("all",),
        np.full((2, 1), float(accounts)),
        np.array([600.0]),
        pd.DataFrame({"all": [1.0] * 3}, index=["a", "b", "c"]),
    )
    exposure = known.exposures(["a", "b", "c"], where, np.array(views, dtype=float), chance)
    total = np.array([exposure[:2].sum(axis=0), exposure[2]])
    reached = []
    for _ in range(3000):
        seen = np.zeros(600, dtype=bool)
        for platform in PLATFORMS:
            users = rng.random(600) < accounts / 600
            got = np.zeros(600, dtype=bool)
            for place, name in enumerate(where):
                if name == platform and rng.random() < chance[place]:
                    got |= rng.poisson(views[place] / accounts, 600) > 0
            seen |= users & got
        reached.append(seen.sum())
    assert known.reached(total).sum() == pytest.approx(np.mean(reached), rel=0.02)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_reach_is_concave_and_below_its_tangents(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = people(seed % 7)
    here, there = rng.exponential(1, (2, *known.accounts.shape))
    middle = known.reached((here + there) / 2)
    assert (middle >= (known.reached(here) + known.reached(there)) / 2 - 1e-6).all()
    tangent = known.reached(here) + (known.slopes(here) * (there - here)).sum(axis=0)
    assert (tangent >= known.reached(there) - 1e-6).all()
    assert (known.reached(here) <= known.people + 1e-6).all()


def test_slopes_are_those_of_reach() -> None:
    known, at = people(), np.random.default_rng(1).exponential(1, (2, 4))
    step = np.zeros_like(at)
    step[1, 2] = 1e-5
    change = (known.reached(at + step) - known.reached(at - step)).sum() / 2e-5
    assert known.slopes(at)[1, 2] == pytest.approx(change, rel=1e-4)


def test_the_same_people_on_two_platforms_count_once() -> None:
    everybody = np.full((2, 4), 50.0)
    alone, both = people(platforms_each=1.0), people(platforms_each=2.0)
    assert alone.people.sum() == pytest.approx(alone.accounts.sum())
    assert both.people.sum() < alone.people.sum()
    assert both.reached(everybody).sum() < alone.reached(everybody).sum()


def test_people_are_estimated_from_followers() -> None:
    roster = roster_of(np.random.default_rng(0), 12)
    few, many = people(follows=4.0), people(follows=1.0)
    douyin = roster[roster["platform"] == "douyin"]["followers"]
    assert many.accounts[0].sum() == pytest.approx(douyin.sum())
    assert few.accounts[0].sum() >= douyin.max() * 0.99
    told = people_of(roster, PLATFORMS, ReachConfig(audiences={"douyin": 1e6}))
    assert told.accounts[0].sum() == pytest.approx(1e6)
    roster["suspicious_follower_share"] = 0.5
    bought = people_of(roster, PLATFORMS, ReachConfig(follows=1.0))
    assert bought.accounts[0].sum() == pytest.approx(douyin.sum() / 2)


def test_unknown_audiences_are_the_platforms_usual_ones() -> None:
    roster = roster_of(np.random.default_rng(0), 6).assign(platform="douyin")
    roster.at[0, "audience_gender"] = {}
    known = people_of(roster, ["douyin"], ReachConfig())
    women = [name for name in known.segments if name.startswith("female")]
    others = known.mixes.loc[roster["kol_id"][1:], women].sum(axis=1).mean()
    assert known.mixes.loc["k0", women].sum() == pytest.approx(others)
    nobody = roster.assign(audience_gender=[{}] * 6, audience_age=[{}] * 6)
    assert people_of(nobody, ["douyin"], ReachConfig()).segments == ("any gender any age",)


def test_rare_segments_are_merged() -> None:
    roster = roster_of(np.random.default_rng(0), 40)
    roster["audience_age"] = [{f"{i}-{i + 1}": 1.0} for i in range(40)]
    known = people_of(roster, PLATFORMS, ReachConfig())
    assert len(known.segments) == MOST_SEGMENTS
    assert np.allclose(known.mixes.sum(axis=1), 1)


def test_where_no_followers_are_known_nothing_is_counted() -> None:
    roster = roster_of(np.random.default_rng(0), 6).assign(platform="douyin", followers=np.nan)
    known = people_of(roster, ["douyin"], ReachConfig())
    assert np.isnan(known.accounts).all()
    assert (known.exposures(["k0"], ["douyin"], np.ones(1), np.ones(1)) == 0).all()
