import numpy as np
import pandas as pd
import pytest

from training.exposure import Exposure


@pytest.fixture
def pairs() -> pd.DataFrame:
    """Return two briefs that might have the same four KOLs, in no order."""
    frame = pd.DataFrame({"brief_id": list("aaaabbbb"), "kol_id": ["k1", "k2", "k3", "k4"] * 2})
    frame["tier"] = ["nano", "nano", "mega", None] * 2
    frame["same"] = [1.0, 2.0, 3.0, np.nan] * 2
    frame["tied"] = 0.0
    return frame.sample(frac=1, random_state=1)


@pytest.fixture
def seen(pairs: pd.DataFrame) -> Exposure:
    scores = {name: pairs[name].to_numpy() for name in ("same", "tied")}
    return Exposure.of(pairs, pairs["tier"], scores, top=2)


def test_the_first_places_are_counted_ties_by_id_and_nan_last(seen: Exposure) -> None:
    places = seen.places.groupby("ranker")[["kol_id", "briefs"]].apply(
        lambda own: dict(own.to_numpy())
    )
    assert places["same"] == {"k2": 2, "k3": 2}
    assert places["tied"] == {"k1": 2, "k2": 2}
    assert seen.eligible.set_index("kol_id")["briefs"].to_dict() == dict.fromkeys(
        ["k1", "k2", "k3", "k4"], 2
    )


def test_chunks_add_up_to_the_whole(pairs: pd.DataFrame, seen: Exposure) -> None:
    parts = [
        Exposure.of(own, own["tier"], {n: own[n].to_numpy() for n in ("same", "tied")}, top=2)
        for _, own in pairs.groupby("brief_id")
    ]
    whole = Exposure.together([*parts, Exposure.empty()])
    for name in ("eligible", "places"):
        mine, theirs = (
            getattr(each, name).sort_values(list(getattr(each, name)), ignore_index=True)
            for each in (whole, seen)
        )
        pd.testing.assert_frame_equal(mine[theirs.columns], theirs, check_like=True)


def test_places_stand_beside_the_roster_and_what_was_brought(seen: Exposure) -> None:
    brought = pd.DataFrame(
        {
            "brief_id": ["a", "a", "b", "b", "c"],
            "tier": ["nano", "mega", "nano", "nano", "mega"],
            "value": [1.0, 3.0, 50.0, 50.0, 0.0],
            "cost": [2.0, 2.0, 1.0, 1.0, 9.0],
        }
    )
    table = seen.by_tier(brought, ["same", "tied"])
    assert table.index.tolist() == ["nano", "mega", "unknown"]  # only those that are there
    assert np.allclose(table.sum(), 1.0)
    assert table["roster"].tolist() == [0.5, 0.25, 0.25]
    assert table["same"].tolist() == [0.5, 0.5, 0.0]
    # Every brief counts alike, whatever its goal counts; one that got nothing tells nothing.
    assert table["tried"].tolist() == [0.75, 0.25, 0.0]
    assert table["cost"].tolist() == [0.75, 0.25, 0.0]
    assert table["value"].tolist() == [(0.25 + 1) / 2, 0.75 / 2, 0.0]


def test_where_nothing_was_tried_value_is_unknown(seen: Exposure) -> None:
    table = seen.by_tier(pd.DataFrame(columns=["brief_id", "tier", "cost", "value"]), ["same"])
    assert table[["tried", "cost", "value"]].isna().all(axis=None)
    assert table["same"].sum() == 1.0


def test_coverage_and_gini(seen: Exposure) -> None:
    told = seen.coverage().loc["same"]
    assert told[["eligible", "listed", "coverage"]].tolist() == [4, 2, 0.5]
    assert told["gini"] == pytest.approx(0.5)  # half of the roster shares all places alike
    everybody = pd.DataFrame({"brief_id": list("abcd"), "kol_id": list("wxyz")})
    tier = pd.Series(["nano"] * 4)
    even = Exposure.of(everybody, tier, {"even": np.zeros(4)}, top=1).coverage().loc["even"]
    assert even[["coverage", "gini"]].tolist() == [1.0, 0.0]


def test_nothing_seen_tells_nothing() -> None:
    nothing = Exposure.together([])
    assert nothing.coverage().empty
    assert nothing.by_tier(pd.DataFrame(columns=["brief_id", "tier", "cost", "value"]), []).empty
