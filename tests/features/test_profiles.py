from collections.abc import Callable, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import profiles as module
from features.clusters import WEIGHT_STEPS
from features.config import FeatureConfig
from features.history import History
from features.pipeline import FeaturePipeline
from features.profiles import (
    Posts,
    Profiles,
    content_profiles,
    halves,
    post_weights,
    posts_of,
    profile,
    recent_centroids,
    response,
)
from features.roster import Cells
from features.tables import Tables
from features.vectors import Embeddings
from features.view import View

Day = Callable[[float], pd.Timestamp]
Maker = Callable[[int], Tables]
AXES = ("skin", "game", "food", "sale")
CONFIG = FeatureConfig()


class AxisEncoder:
    """Each word is a direction of its own; a text is the sum of its words."""

    id = "axes"
    dimension = len(AXES)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        counts = np.array([[text.split().count(axis) for axis in AXES] for text in texts], float)
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


AXIS_EMBEDDINGS = Embeddings(AxisEncoder())


def world(day: Day, brief: str = "skin", **kols: Sequence[str]) -> Tables:
    """Return KOLs with a post a day, the first on day 1, seen at once; "$" marks sponsored ones."""
    rows = [
        (f"{kol}-{i}", kol, day(i), day(i), text.strip("$ "), "$" in text)
        for kol, texts in kols.items()
        for i, text in enumerate(texts, start=1)
    ]
    columns = ["post_id", "kol_id", "published_at", "observed_at", "text", "is_sponsored"]
    return Tables.of(
        briefs=pd.DataFrame({"brief_id": ["b"], "brand_id": "x", "text": brief, "goal": "seeding"}),
        kols=pd.DataFrame({"kol_id": list(kols), "observed_at": day(0), "platform": "douyin"}),
        posts=pd.DataFrame(rows, columns=columns),
    )


def profiles_at(
    tables: Tables, time: pd.Timestamp, embeddings: Embeddings = AXIS_EMBEDDINGS
) -> Profiles:
    """Return the profile of every KOL, in the order of their ids."""
    history = History(tables)
    kol = np.arange(len(history.kol_ids))
    return collect(content_profiles(history, kol, at(time, len(kol)), embeddings, CONFIG))


def at(time: pd.Timestamp, count: int) -> npt.NDArray[np.int64]:
    return np.full(count, time.value // 1000)


def collect(parts: object) -> Profiles:
    rows, found = zip(*parts, strict=True)  # type: ignore[call-overload]
    order = np.argsort(np.concatenate(rows))
    assert np.array_equal(np.concatenate(rows)[order], np.arange(len(order)))
    names = [field.name for field in fields(Profiles)]
    return Profiles(*(np.concatenate([getattr(p, n) for p in found])[order] for n in names))


def assert_identical(left: Profiles, right: Profiles) -> None:
    for field in fields(Profiles):
        np.testing.assert_array_equal(getattr(left, field.name), getattr(right, field.name))


def signals(tables: Tables, time: pd.Timestamp) -> pd.DataFrame:
    pairs = tables.kols[["kol_id"]].assign(brief_id="b", as_of=time)
    found = FeaturePipeline(CONFIG, AXIS_EMBEDDINGS).transform(pairs, tables)
    return (
        found.filter(like="content.")
        .rename(columns=lambda n: n.split(".")[1])
        .set_axis(tables.kols["kol_id"])
    )


# -- what a profile says ---------------------------------------------------------------------


def test_two_topics_are_two_centroids_and_one_is_one(day: Day) -> None:
    found = profiles_at(world(day, both=["skin", "game", "skin"] * 4, one=["food"] * 9), day(20))
    np.testing.assert_allclose(found.topics[0, :2], np.eye(4)[[0, 1]], atol=1e-6)
    assert found.shares[0, 0] > 0.6
    assert found.shares.sum(axis=1).tolist() == [1.0, 1.0]
    np.testing.assert_array_equal(found.subject_shares, found.shares)
    np.testing.assert_allclose(found.topics[1, 0], np.eye(4)[2], atol=1e-6)
    assert found.shares[1].tolist() == [1.0, 0.0, 0.0]
    assert not found.topics[1, 1:].any()
    assert found.concentration[1] == pytest.approx(1.0, abs=1e-6)
    assert found.concentration[0] < 0.8


def test_sponsored_posts_stand_apart_and_one_of_unknown_kind_does_not(day: Day) -> None:
    tables = world(day, kol=["skin", "skin", "sale $", "skin"], paid=["sale $", "food $"])
    posts = tables.posts.assign(
        is_sponsored=tables.posts["is_sponsored"].where(tables.posts["post_id"] != "kol-1")
    )
    found = profiles_at(tables.replace(posts=posts), day(20))
    np.testing.assert_allclose(found.topics[0, 0], np.eye(4)[0], atol=1e-6)
    np.testing.assert_allclose(found.organic[0], np.eye(4)[0], atol=1e-6)
    np.testing.assert_allclose(found.sponsored[0], np.eye(4)[3], atol=1e-6)
    assert found.sponsored_share.round(2).tolist() == [0.25, 1.0]
    assert not found.topics[1].any()
    owner, weight, vectors = found.centroids()
    assert owner.tolist() == [0, 0, 1]
    assert weight.round(2).tolist() == [0.75, 0.25, 1.0]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_who_posts_nothing_has_no_direction(day: Day) -> None:
    tables = world(day, a=["skin"], blank=[" "], mute=[])
    found = profiles_at(tables, day(20))
    assert not found.recent[1:].any()
    assert np.isnan(found.concentration[1:]).all()
    assert np.isnan(found.sponsored_share[1:]).all()
    assert np.isnan(found.drift).all(), "one post has no halves"
    assert found.centroids()[0].tolist() == [0]
    # Before anything is seen nobody has a profile, and nothing fails.
    assert not profiles_at(tables, day(1)).topics.any()


def test_drift_is_told_from_mere_variety(day: Day) -> None:
    tables = world(
        day,
        moving=["game"] * 6 + ["skin"] * 6,
        leaving=["skin"] * 6 + ["game"] * 6,
        varied=["game", "skin", "skin", "game"] * 3,
        steady=["skin"] * 12,
    )
    found = signals(tables, day(20))
    assert found["drift"].round(3).loc[["moving", "leaving"]].tolist() == [1.0, 1.0]
    assert found["drift"].abs().loc[["varied", "steady"]].max() < 0.1
    assert found["drift_to_brief"].round(3).tolist() == [1.0, -1.0, 0.0, 0.0]


def test_signals_of_topics_see_what_the_mean_blurs(day: Day) -> None:
    tables = world(
        day,
        half=["skin", "game"] * 6,
        blend=["skin game"] * 12,
        paid=["game", "skin $"] * 6,
    )
    found = signals(tables, day(20))
    assert found["recent"].loc[["half", "blend"]].round(1).tolist() == [0.7, 0.7]
    assert found["topic"].round(2).tolist() == [1.0, 0.71, 0.0]
    assert found["topic_share"].round(1).tolist() == [0.5, 1.0, 1.0]
    assert found["organic"].round(2).tolist()[2] == 0.0
    assert found["sponsored"].round(2).loc["paid"] == 1.0
    assert found["sponsored"].isna().tolist() == [True, True, False]


def test_what_is_split_by_chance_alone_is_one_subject() -> None:
    rng = np.random.default_rng(0)
    strays = rng.normal(size=(30, 128)) / np.sqrt(128)
    vectors = np.sqrt(0.5) * (np.eye(128)[0] + strays).astype(np.float32)
    place, all_alike = np.arange(30)[None], np.full((1, 30), WEIGHT_STEPS)
    posts = Posts([""] * 30, vectors, place, all_alike, np.zeros((1, 30), dtype=bool))
    found = profile(posts, most=3)
    assert (found.shares > 0).all()
    assert found.subject_shares[0].tolist() == pytest.approx([1.0] * 3)


# -- what a post weighs ----------------------------------------------------------------------


def weights(tables: Tables, time: pd.Timestamp) -> npt.NDArray[np.float64]:
    pairs = tables.kols[["kol_id"]].assign(brief_id="b", as_of=time)
    recent = View(pairs, History(tables), CONFIG.recent_posts).cells.recent
    return post_weights(recent, CONFIG)[0] / WEIGHT_STEPS


def test_a_post_weighs_half_after_a_half_life_and_never_nothing(day: Day) -> None:
    tables = world(day, kol=["skin", "skin", "skin"])
    published = [day(0), day(910), day(1000)]
    posts = tables.posts.assign(published_at=published, observed_at=published)
    found = weights(tables.replace(posts=posts), day(2000))
    assert found[:3].tolist() == [1.0, 0.5, 1 / WEIGHT_STEPS]
    assert not found[3:].any()


def test_response_counts_within_bounds_and_unknown_is_usual(day: Day) -> None:
    tables = world(day, kol=["skin"] * 5)
    views = [999.0, 1.0, None, 999.0, 3e6]
    frame = tables.posts.assign(views=pd.array(views, dtype=tables.posts["views"].dtype))
    recent = History(tables.replace(posts=frame)).posts.recent(np.array([5]), 6)
    assert response(recent)[0].tolist() == [2.0, 1.0, 1.0, 0.5, 1.0, 1.0]


def test_where_views_are_not_told_engagements_speak(day: Day) -> None:
    tables = world(day, kol=["skin"] * 3)
    dtype = tables.posts["likes"].dtype
    frame = tables.posts.assign(
        likes=pd.array([9.0, 99.0, 5.0], dtype=dtype),
        saves=pd.array([None, 125.0, 4.0], dtype=dtype),
    )
    recent = History(tables.replace(posts=frame)).posts.recent(np.array([3]), 3)
    assert response(recent)[0].tolist() == [1.0, 2.0, 1.0]


def test_views_that_come_later_change_nothing_before(day: Day) -> None:
    tables = world(day, kol=["skin", "game", "skin", "game"])
    dtype = tables.posts["views"].dtype
    early = tables.posts.assign(views=pd.array([100.0] * 4, dtype=dtype))
    later = early.tail(1).assign(observed_at=day(30), views=pd.array([1e6], dtype=dtype))
    grown = pd.concat([early, later], ignore_index=True)
    before = profiles_at(tables.replace(posts=early), day(30))
    assert_identical(profiles_at(tables.replace(posts=grown), day(30)), before)
    after = profiles_at(tables.replace(posts=grown), day(31))
    assert after.shares[0, 0] > before.shares[0, 0]


def test_halves_leave_out_the_middle_and_what_is_too_few() -> None:
    told = np.array([[1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0]], dtype=bool)
    assert halves(told).tolist() == [[1, 1, 0, 0, -1, -1], [0] * 6]


# -- the same whatever is beside it ------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), days=st.lists(st.integers(1, 70), min_size=2, max_size=3))
def test_a_profile_alone_is_as_in_a_batch_and_rows_have_no_order(
    embeddings: Embeddings, random_tables: Maker, day: Day, seed: int, days: list[int]
) -> None:
    tables = random_tables(seed)
    history = History(tables)
    rng = np.random.default_rng(seed)
    kol = rng.permutation(np.tile(np.arange(len(history.kol_ids)), len(days)))
    time = rng.permutation(np.concatenate([at(day(d), len(kol) // len(days)) for d in days]))
    whole = collect(content_profiles(history, kol, time, embeddings, CONFIG))
    for row in range(0, len(kol), 4):
        one = slice(row, row + 1)
        alone = collect(content_profiles(history, kol[one], time[one], embeddings, CONFIG))
        for field in fields(Profiles):
            np.testing.assert_array_equal(
                getattr(alone, field.name)[0], getattr(whole, field.name)[row]
            )
    mixed = tables.replace(posts=tables.posts.sample(frac=1, random_state=seed))
    again = content_profiles(History(mixed), kol, time, embeddings, CONFIG)
    assert_identical(collect(again), whole)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), days=st.integers(1, 70))
def test_what_is_known_later_changes_no_profile(
    embeddings: Embeddings, random_tables: Maker, day: Day, seed: int, days: int
) -> None:
    tables = random_tables(seed)
    cut = tables.replace(posts=tables.as_of(day(days)).posts)
    assert_identical(
        profiles_at(tables, day(days), embeddings), profiles_at(cut, day(days), embeddings)
    )


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_sizes_of_blocks_change_nothing(
    embeddings: Embeddings, random_tables: Maker, day: Day, seed: int
) -> None:
    tables = random_tables(seed)
    whole = profiles_at(tables, day(40), embeddings)
    with pytest.MonkeyPatch.context() as patch:
        for name, size in {"_BLOCK": 1, "_STATES": 2, "_KOLS": 3}.items():
            patch.setattr(module, name, size)
        assert_identical(profiles_at(tables, day(40), embeddings), whole)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_shares_are_shares(
    embeddings: Embeddings, random_tables: Maker, day: Day, seed: int
) -> None:
    found = profiles_at(random_tables(seed), day(50), embeddings)
    total = found.shares.sum(axis=1)
    assert np.isclose(total, 1).sum() + (total == 0).sum() == len(found)
    assert (np.diff(found.shares, axis=1) <= 0).all()
    assert (found.subject_shares >= found.shares).all()
    assert found.subject_shares.max() <= 1 + 1e-12
    assert ((found.subject_shares > 0) == (found.shares > 0)).all()
    owner, weight, vectors = found.centroids()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (np.bincount(owner, weight) <= 1 + 1e-12).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), days=st.integers(5, 70))
def test_the_centroid_of_all_posts_is_the_same_alone(
    random_tables: Maker, embeddings: Embeddings, day: Day, seed: int, days: int
) -> None:
    history = History(random_tables(seed))
    kol = np.arange(len(history.kol_ids))
    time = at(day(days), len(kol))
    recent = Cells(history, kol, time, np.unique(time), 4).recent
    for _, posts in posts_of(recent, embeddings, CONFIG):
        np.testing.assert_array_equal(recent_centroids(posts), profile(posts, 3).recent)
