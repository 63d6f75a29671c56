"""A brief read together with the posts that are closest to it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.history import History
from features.signals.content import brief_texts
from features.tables import Tables
from features.vectors import Embeddings
from features.view import View
from features.widening import widened_briefs

DAY_1, DAY_9, DAY_20 = (pd.Timestamp(f"2025-01-{day:02}", tz="UTC") for day in (1, 9, 20))


class Plane:
    """Vectors that a text spells out: ``"0.6 0.8 cream"`` is the vector (0.6, 0.8)."""

    id = "plane"
    dimension = 3

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([[float(word) for word in text.split()[:3]] for text in texts], np.float32)


def tables(late: Sequence[str] = (), unseen: Sequence[str] = ()) -> Tables:
    """Forty posts of no account and three close to the brief, which share a second direction."""
    plain = [f"0 0 1 {i}" for i in range(40)]
    close = [f"0.8 0.6 0 {i}" for i in range(40, 43)]
    texts = [*plain, *close, *late, *unseen]
    known = [DAY_1] * 43 + [DAY_9] * len(late) + [DAY_1] * len(unseen)
    posts = pd.DataFrame({"post_id": [f"p{i}" for i in range(len(texts))], "text": texts})
    posts = posts.assign(published_at=DAY_1, observed_at=known, kol_id="k")
    posts.loc[posts["text"].isin(unseen), "kol_id"] = "later"
    kols = pd.DataFrame({"kol_id": ["k", "later"], "observed_at": [DAY_1, DAY_20]})
    briefs = pd.DataFrame({"brief_id": ["b", "far"], "text": ["1 0 0 x", "0 -1 0 y"]})
    return Tables.of(
        briefs=briefs.assign(brand_id="x", goal="seeding"),
        kols=kols.assign(platform="douyin"),
        posts=posts,
    )


def read(told: Tables, at: pd.Timestamp = DAY_9, briefs: Sequence[str] = ("b",)) -> np.ndarray:
    pairs = pd.DataFrame({"brief_id": list(briefs), "kol_id": "k", "as_of": at})
    view = View(pairs, History(told))
    vectors, which = widened_briefs(view, *brief_texts(view), Embeddings(Plane()))
    return vectors[which]


def test_a_brief_leans_towards_what_sets_its_closest_posts_apart() -> None:
    (found,) = read(tables())
    apart = np.array([0.8, 0.6, 0]) - np.array([0.8 * 3 / 43, 0.6 * 3 / 43, 40 / 43])
    expected = np.array([1, 0, 0]) + apart / np.linalg.norm(apart)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_brief_that_nothing_is_close_to_stays_as_it_is() -> None:
    alike = tables().replace(posts=tables().posts.head(40))
    assert read(alike).tolist() == [[1.0, 0.0, 0.0]]
    assert read(tables().replace(posts=tables().posts.head(0))).tolist() == [[1.0, 0.0, 0.0]]


def test_what_was_not_known_strictly_before_is_not_heard() -> None:
    late = [f"0.8 0 -0.6 {i}" for i in range(50, 53)]
    assert (read(tables(late)) == read(tables())).all()
    assert (read(tables(late), at=DAY_20) != read(tables(), at=DAY_20)).any()
    # Nor is a post of somebody whose profile nobody had seen.
    assert (read(tables(unseen=late)) == read(tables())).all()


def test_each_brief_is_widened_by_itself() -> None:
    both = read(tables(), briefs=("b", "far"))
    assert (both[0] == read(tables())[0]).all()
    assert (both[1] == read(tables(), briefs=("far",))[0]).all()


def test_a_sample_is_chosen_by_content_alone() -> None:
    told = tables()
    mixed = told.replace(posts=told.posts.sample(frac=1, random_state=1))
    at = int(DAY_9.value // 1000)
    few = sampled(told, at, 5)
    assert len(few) == 5
    assert few == sampled(mixed, at, 5)
    assert few == sampled(told, at, 10)[:5]


def sampled(told: Tables, at: int, count: int) -> list[str]:
    history = History(told)
    return [history.posts.texts[1][code] for code in history.sampled_texts(at, count).tolist()]
