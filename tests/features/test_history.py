from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.history import History, codes_in, roster, tier_codes
from features.postlog import PostLog, Recent
from features.tables import Tables
from features.timeline import Floats, Ints, Timeline, micros

Day = Callable[[float], pd.Timestamp]
Maker = Callable[[int], Tables]


def ints(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


@pytest.fixture
def line() -> Timeline:
    frame = pd.DataFrame({"name": list("edcba"), "x": [5.0, 0.1, np.nan, 0.2, 1.0]})
    return Timeline(frame, ints(1, 0, 0, 0, -1), ints(7, 5, 3, 5, 1), ties=("name",))


def test_rows_are_sorted_by_code_then_time_then_ties(line: Timeline) -> None:
    assert list(line.frame["name"]) == ["c", "b", "d", "e"]


def test_only_rows_strictly_before_count(line: Timeline) -> None:
    start, stop = line.before(ints(0, 0, 0, 0, 1, 1, 2, -1), ints(3, 4, 5, 6, 7, 8, 9, 9))
    assert (stop - start).tolist() == [0, 1, 1, 3, 0, 1, 0, 0]
    assert line.last(ints(0, 1), ints(6, 6)).tolist() == [2, -1]


def test_latest_gives_nulls_where_nothing_is_known(line: Timeline) -> None:
    found = line.latest(ints(0, 0, 1), ints(9, 1, 8), ["name"])
    assert found["name"].fillna("?").tolist() == ["d", "?", "e"]


def test_totals_take_null_as_nothing(line: Timeline) -> None:
    codes, times = ints(0, 0, 1, 1), ints(4, 6, 8, 1)
    total = line.total("x", *line.before(codes, times))
    assert total.tolist() == [0.0, 0.2 + 0.1, 5.0, 0.0]


def test_an_empty_timeline_answers() -> None:
    line = Timeline(pd.DataFrame({"x": []}), ints(), ints())
    assert line.last(ints(0, 3), ints(1, 1)).tolist() == [-1, -1]
    assert line.total("x", *line.before(ints(0), ints(1))).tolist() == [0.0]


def test_codes_of_unknown_and_null_are_minus_one() -> None:
    assert codes_in(pd.Index(["a", "b"]), pd.Series(["b", None, "c", "a"])).tolist() == [
        1,
        -1,
        -1,
        0,
    ]


def test_tiers_begin_at_their_floor() -> None:
    followers = np.array([0, 9_999, 10_000, 99_999, 100_000, 500_000, 1e6, np.nan])
    assert tier_codes(followers)[:-1].tolist() == [0, 0, 1, 1, 2, 3, 4]
    assert np.isnan(tier_codes(followers)[-1])


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), days=st.integers(0, 70))
def test_roster_is_that_of_the_cut_tables(
    random_tables: Maker, day: Day, seed: int, days: int
) -> None:
    tables = random_tables(seed)
    found = roster(History(tables), day(days))
    cut = tables.as_of(day(days)).kols.sort_values(["kol_id", "observed_at"])
    expected = cut.drop_duplicates("kol_id", keep="last").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), days=st.integers(0, 80), count=st.integers(3, 6))
def test_recent_posts_are_those_a_slow_reader_finds(
    random_tables: Maker, day: Day, seed: int, days: int, count: int
) -> None:
    history = History(random_tables(seed))
    log, at = history.posts, day(days)
    codes = np.arange(len(history.kol_ids))
    stop = log.seen.before(codes, np.full(len(codes), micros(pd.Series([at]))[0]))[1]
    recent = log.recent(stop, count)
    for kol, rows in zip(history.kol_ids, recent.rows, strict=True):
        posts = history.tables.as_of(at).posts
        posts = posts[posts["kol_id"] == kol]
        newest = posts.sort_values("observed_at").drop_duplicates("post_id", keep="last")
        newest = newest.sort_values(["published_at", "post_id"], ascending=False).head(count)
        found = log.seen.frame.iloc[rows[rows >= 0]]
        assert found["post_id"].tolist() == newest["post_id"].tolist()
        np.testing.assert_array_equal(found["views"], newest["views"])


def test_posts_seen_late_are_looked_for_as_far_back_as_need_be(day: Day) -> None:
    # Fifty newer posts become known only later: the look back must pass them all.
    late = pd.DataFrame(
        {
            "post_id": [f"late{i:02}" for i in range(50)],
            "published_at": [day(10 + i) for i in range(50)],
            "observed_at": day(200),
        }
    )
    early = pd.DataFrame(
        {
            "post_id": ["a", "b", "c"],
            "published_at": [day(1), day(2), day(3)],
            "observed_at": [day(99), day(60), day(99)],
        }
    )
    frame = pd.concat([late, early], ignore_index=True).assign(kol_id="k")
    line = Timeline(frame, np.zeros(len(frame), dtype=np.int64), micros(frame["observed_at"]))
    log = PostLog(line)
    recent = log.recent(line.before(ints(0), ints(*micros(pd.Series([day(100)]))))[1], 5)
    rows = recent.rows[0]
    assert line.frame["post_id"].iloc[rows[rows >= 0]].tolist() == ["c", "b", "a"]


def test_outcomes_count_with_the_longest_horizon_known(day: Day) -> None:
    tables = Tables.of(
        briefs=pd.DataFrame(
            {"brief_id": ["b"], "brand_id": ["x"], "text": ["t"], "goal": ["seeding"]}
        ),
        kols=pd.DataFrame({"kol_id": ["k"], "observed_at": [day(0)], "platform": ["douyin"]}),
        collaborations=pd.DataFrame(
            {
                "collaboration_id": ["c"],
                "brief_id": ["b"],
                "kol_id": ["k"],
                "status": ["delivered"],
                "shown_at": [day(1)],
                "signed_at": [day(2)],
                "cost": [10.0],
                "currency": ["CNY"],
            }
        ),
        outcomes=pd.DataFrame(
            {
                "collaboration_id": ["c", "c", "c"],
                "horizon_days": [1, 7, 30],
                # Day 7 arrives after day 30, and changes nothing then.
                "measured_at": [day(4), day(40), day(35)],
                "clicks": [10.0, 70.0, 300.0],
                "orders": [1.0, 7.0, 30.0],
            }
        ),
    )
    line = History(tables).counted("outcomes", "kol")
    times = micros(pd.Series([day(4), day(5), day(36), day(41)]))
    window = line.before(np.zeros(4, dtype=np.int64), times)
    assert line.total("clicks", *window).tolist() == [0, 10, 300, 300]
    assert line.total("measured", *window).tolist() == [0, 1, 1, 1]


def test_joint_codes_are_distinct_and_unknown_where_a_side_is(random_tables: Maker) -> None:
    history = History(random_tables(3))
    kol, brand = np.meshgrid(np.arange(5), np.arange(len(history.brand_ids)))
    codes = history.joint(kol=kol.ravel(), brand=brand.ravel())
    assert len(set(codes)) == codes.size
    assert history.joint(kol=ints(-1, 0), brand=ints(0, -1)).tolist() == [-1, -1]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_what_posts_say_is_kept_by_state_and_the_same(random_tables: Maker, seed: int) -> None:
    log = History(random_tables(seed)).posts
    ends = np.unique(np.random.default_rng(seed).integers(0, len(log.seen) + 1, 20))
    asked: list[int] = []

    def views(recent: Recent) -> dict[str, Floats]:
        asked.append(len(recent.rows))
        return {"views": recent.numbers("views").sum(axis=1)}

    expected = views(log.recent(ends, 3))["views"]
    for some in (ends[::2], ends, ends[1::3]):
        found = log.of_states(views, some, 3)["views"]
        np.testing.assert_array_equal(found, expected[np.isin(ends, some)])
    assert sum(asked[1:]) == len(ends)
    # So many others ask that it is forgotten, and worked out again.
    for other in range(40):
        log.of_states(lambda recent, n=other: {"views": np.full(len(recent.rows), n)}, ends, 3)
    np.testing.assert_array_equal(log.of_states(views, ends, 3)["views"], expected)
    assert sum(asked[1:]) == 2 * len(ends)


def test_a_brand_is_called_as_its_first_brief_says(random_tables: Maker) -> None:
    tables = random_tables(3)
    count = len(tables.briefs)
    names = pd.Series([None, *(f"name {n}" for n in range(1, count))], dtype="str")
    briefs = tables.briefs.assign(brand_id="b0", brand_name=names.array)
    history = History(tables.replace(briefs=briefs))
    first = history.briefs.dropna(subset=["brand_name"])["brand_name"].iloc[0]
    assert history.brand_names == {"b0": first}
    assert (history.brands_named(pd.Series(["b0", first, "nobody"])) >= 0).tolist() == [
        True,
        True,
        False,
    ]
