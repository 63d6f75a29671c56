"""Who KOLs are, how they grew and what they post: nothing of it later than the decision."""

from typing import Any

import pandas as pd
import pytest

from features.contract import SPECS
from features.tables import Tables
from serving.portraits import Portraits

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")


def ago(days: float) -> pd.Timestamp:
    return AS_OF - pd.Timedelta(days=days)


def tables(**frames: list[dict[str, Any]]) -> Tables:
    return Tables.of(
        **{name: SPECS[name].conform(pd.DataFrame(rows)) for name, rows in frames.items()}
    )


def profile(days: float, followers: float, **more: object) -> dict[str, Any]:
    return {"kol_id": "k1", "observed_at": ago(days), "followers": followers, **more}


def post(post_id: str, days: float, views: float | None = None, **more: Any) -> dict[str, Any]:
    told = {"post_id": post_id, "kol_id": "k1", "published_at": ago(days), "views": views}
    return told | {"observed_at": ago(days), "text": f"text of {post_id}"} | more


def test_the_latest_profile_that_was_known_speaks() -> None:
    told = Portraits(
        tables(
            kols=[
                profile(40, 100, bio="old"),
                profile(10, 200, bio="new", verticals=("beauty",), audience_gender={"female": 1.0}),
                profile(0, 300, bio="not yet known"),
            ]
        ),
        ["k1"],
        AS_OF,
    ).of("k1")
    assert (told["bio"], told["verticals"]) == ("new", ["beauty"])
    assert told["audience"] == {"gender": {"female": 1}}


def test_lines_take_one_point_a_step_oldest_first() -> None:
    days = [profile(day, 1000 - day) for day in (50, 31, 16, 14.5, 1)] + [profile(400, 5)]
    growth = Portraits(tables(kols=days), ["k1"], AS_OF).of("k1")["growth"]
    points = growth["followers"]
    assert [number for _, number in points] == [950, 969, 984, 999]
    assert [day for day, _ in points] == sorted(day for day, _ in points)


def test_views_are_medians_of_what_was_published_in_a_month_as_last_seen() -> None:
    posts = [
        post("a", 10, 100.0, observed_at=ago(9)),
        post("a", 10, 300.0, observed_at=ago(2)),
        post("b", 12, 500.0),
        post("c", 40, 50.0),
        post("late", 5, 9e9, observed_at=AS_OF),
    ]
    growth = Portraits(tables(kols=[profile(1, 5)], posts=posts), ["k1"], AS_OF).of("k1")["growth"]
    assert [number for _, number in growth["views"]] == [50, 400]


def test_a_lone_point_is_no_line_and_an_unknown_kol_nobody() -> None:
    portraits = Portraits(tables(kols=[profile(1, 5, bio="x")]), ["k1", "k2"], AS_OF)
    assert portraits.of("k1") == {"bio": "x"}
    assert portraits.of("k2") == {}
    assert portraits.posts("k2", {"content.post_1": "a"}) == []


@pytest.mark.parametrize("evidence", [None, float("nan"), {}, {"x": 1.0, "y": None}])
def test_evidence_without_posts_shows_none(evidence: object) -> None:
    portraits = Portraits(tables(kols=[profile(1, 5)], posts=[post("a", 1)]), ["k1"], AS_OF)
    assert portraits.posts("k1", evidence) == []


def test_posts_are_those_that_the_evidence_names_and_the_kols_own() -> None:
    posts = [
        post("a", 3, 10.0),
        post("b", 2, 20.0, is_sponsored=True, text=None, tags=("护肤",)),
        post("other", 2, kol_id="k2"),
        post("late", 1, observed_at=AS_OF),
    ]
    portraits = Portraits(tables(kols=[profile(1, 5)], posts=posts), ["k1", "k2"], AS_OF)
    evidence = {"1": "b", "2": "a", "3": "b", "4": "other", "5": "late", "6": "nothing"}
    told = portraits.posts("k1", evidence)
    assert [(one["id"], one["text"]) for one in told] == [("b", "#护肤"), ("a", "text of a")]
    assert (told[0]["sponsored"], told[0]["views"], told[0]["at"]) == (True, 20, "2026-06-28")
    assert "likes" not in told[0]
