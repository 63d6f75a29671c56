import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.simulate import World, simulate
from features.tables import Tables
from features.timeline import micros
from matcher.lifecycle import LEAST_POSTS, chances, halving, stages

NOW = pd.Timestamp("2026-01-01", tz="UTC")


@pytest.fixture(scope="module")
def market() -> World:
    return simulate(kols=250, briefs=5, seed=11)


@pytest.mark.parametrize(
    ("growth", "acceleration", "stage"),
    [
        (0.05, 0.0, "rising"),
        (0.05, -0.04, "stable"),
        (0.0, 0.04, "rising"),
        (0.01, 0.0, "stable"),
        (0.0, 0.0, "stable"),
        (-0.01, 0.0, "declining"),
        (0.01, -0.02, "declining"),
        (-0.01, 0.02, "stable"),
        (np.nan, np.nan, None),
    ],
)
def test_stages_follow_growth_and_where_it_is_heading(
    growth: float, acceleration: float, stage: str | None
) -> None:
    signals = pd.DataFrame({"growth.followers_90": [growth], "growth.acceleration": [acceleration]})
    told = stages(signals).iloc[0]
    assert told == stage if stage else pd.isna(told)


def _moment(time: pd.Timestamp) -> int:
    return int(micros(pd.Series([time]))[0])


def test_chances_look_at_nothing_later(market: World) -> None:
    at = market.as_of - pd.Timedelta(days=200)
    whole, cut = History(market.tables), History(market.tables.as_of(at))
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": cut.kol_ids, "as_of": at})
    told = halving(pairs, whole)
    pd.testing.assert_series_equal(told, halving(pairs, cut), check_exact=True)
    assert told.dropna().between(0, 1, inclusive="neither").all()
    assert told.notna().sum() > 50


def test_chances_do_not_depend_on_the_order_of_rows(market: World) -> None:
    mixed = market.tables.replace(
        **{name: frame.sample(frac=1, random_state=3) for name, frame in market.tables}
    )
    at = _moment(market.as_of)
    np.testing.assert_array_equal(chances(History(market.tables), at), chances(History(mixed), at))


def test_halving_is_the_chance_of_each_pairs_kol_at_its_moment(market: World) -> None:
    history = History(market.tables)
    earlier = market.as_of - pd.Timedelta(days=90)
    names = list(history.kol_ids[:20])
    pairs = pd.DataFrame(
        {"brief_id": "b", "kol_id": [*names, *names], "as_of": [market.as_of] * 20 + [earlier] * 20}
    )
    told = halving(pairs, history).to_numpy()
    np.testing.assert_array_equal(told[:20], chances(history, _moment(market.as_of))[:20])
    np.testing.assert_array_equal(told[20:], chances(history, _moment(earlier))[:20])


def test_too_few_posts_or_windows_tell_nothing(market: World) -> None:
    at = _moment(market.as_of)
    posts = market.tables.posts
    recent = posts["published_at"] >= market.as_of - pd.Timedelta(days=180)
    counts = posts[recent].groupby("kol_id")["post_id"].nunique()
    history = History(market.tables)
    known = chances(history, at)
    enough = counts.reindex(history.kol_ids).fillna(0).to_numpy() >= LEAST_POSTS
    np.testing.assert_array_equal(~np.isnan(known), enough)
    # In the first half-year no window has ended.
    start = posts["published_at"].min() + pd.Timedelta(days=170)
    assert np.isnan(chances(history, _moment(start))).all()


def _history(likes: dict[str, list[float]]) -> History:
    """Return KOLs with a post every ten days, the last one yesterday."""
    rows = [
        (f"{kol}-{i}", kol, NOW - pd.Timedelta(days=1 + 10 * (len(counts) - 1 - i)), count)
        for kol, counts in likes.items()
        for i, count in enumerate(counts)
    ]
    posts = pd.DataFrame(rows, columns=["post_id", "kol_id", "published_at", "likes"])
    posts = posts.assign(observed_at=posts["published_at"], views=posts["likes"] * 20)
    first = posts["published_at"].min()
    return History(
        Tables.of(
            briefs=pd.DataFrame({"brief_id": ["b"], "brand_id": "x", "text": "x"}),
            kols=pd.DataFrame({"kol_id": list(likes), "observed_at": first, "followers": 1e4}),
            posts=posts,
        )
    )


def test_who_just_had_a_hit_is_likelier_to_fall_back() -> None:
    """Teach by KOLs whose levels jump about; ask of one that stands high and of one that is low."""
    rng = np.random.default_rng(0)
    likes = {
        f"k{i:02d}": np.exp(
            np.repeat(rng.normal(7, 0.7, 5), 18)[:80] + rng.normal(0, 0.1, 80)
        ).tolist()
        for i in range(60)
    }
    likes["high"] = [1000.0] * 62 + [5000.0] * 18
    likes["low"] = [1000.0] * 62 + [300.0] * 18
    history = _history(likes)
    told = dict(zip(history.kol_ids, chances(history, _moment(NOW)), strict=True))
    assert told["high"] > 2 * told["low"]


def test_a_world_in_which_nothing_ever_halves_gives_a_small_chance() -> None:
    history = _history({f"k{i:02d}": [1000.0 + i] * 80 for i in range(40)})
    told = chances(history, _moment(NOW))
    assert (told > 0).all()
    assert (told < 0.02).all()


def test_chances_are_calibrated_on_a_simulated_world(market: World) -> None:
    """Forecast from 180 days before the end, and hold it against what came."""
    history = History(market.tables)
    at = market.as_of - pd.Timedelta(days=180)
    told = chances(history, _moment(at))
    posts = market.tables.posts.sort_values("observed_at")
    acts = posts[["likes", "comments", "shares", "saves"]].sum(axis=1)
    posts = posts.assign(acts=acts)

    def middle(frame: pd.DataFrame, start: pd.Timestamp, stop: pd.Timestamp) -> pd.Series:
        latest = frame.drop_duplicates("post_id", keep="last")
        inside = latest[(latest["published_at"] >= start) & (latest["published_at"] < stop)]
        groups = inside.groupby("kol_id")["acts"]
        return groups.median()[groups.size() >= LEAST_POSTS].reindex(history.kol_ids)

    before = middle(posts[posts["observed_at"] < at], at - pd.Timedelta(days=180), at)
    after = middle(posts, at, market.as_of)
    both = (before.notna() & after.notna()).to_numpy() & ~np.isnan(told)
    fell = (after < before / 2).to_numpy()[both]
    assert both.sum() > 80
    assert abs(told[both].mean() - fell.mean()) < 0.05
    base = told[both].mean()
    assert np.mean((told[both] - fell) ** 2) < np.mean((base - fell) ** 2) + 0.002
