from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.columns import TIME
from features.history import History
from features.pipeline import FeaturePipeline
from features.projection import Projection, Spread
from features.search import Places
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.candidates import candidates
from matcher.config import Config, RetrievalConfig
from matcher.eligibility import OUTRANKED
from matcher.model import Matcher
from matcher.retrieval import Retrieval, winners
from matcher.scout import FAMILIES, Scout

SOURCES = ("likely", "content", "lookalikes", "efficient", "rising", "new")
NOW = pd.Timestamp("2026-01-10", tz="UTC")
KOLS = ["k0", "k1", "k2", "k3", "k4", "k5"]


def only(source: str, count: int = 2) -> RetrievalConfig:
    shares = {name: float(name == source) for name in SOURCES}
    return RetrievalConfig(candidates=count, **shares)


def small(goal: str = "engagement", **tables: pd.DataFrame) -> Tables:
    """Six KOLs and a brief; the later a KOL, the fewer its views and the later first observed."""
    briefs = pd.DataFrame(
        {"brief_id": ["b", "old"], "brand_id": ["x", "x"], "text": ["cream", "serum"]}
    ).assign(goal=goal, vertical="beauty", currency="CNY")
    first = NOW - pd.to_timedelta([60, 50, 40, 30, 20, 10], unit="D")
    seen = [
        pd.DataFrame(
            {
                "kol_id": KOLS,
                "observed_at": first,
                "platform": "douyin",
                "followers": [100, 100, 100, 100, 100, 100],
            }
        ),
        pd.DataFrame(
            {
                "kol_id": KOLS[:3],
                "observed_at": NOW - pd.Timedelta(days=1),
                "platform": "douyin",
                "followers": [100, 900, 300],
            }
        ),
    ]
    posts = pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(6)],
            "kol_id": KOLS,
            "published_at": NOW - pd.Timedelta(days=5),
            "observed_at": NOW - pd.Timedelta(days=4),
            "text": ["game", "cream", "travel", "a cream", "cat", "dog"],
            "views": [9000, 5000, 4000, 3000, 2000, 1000],
            "likes": [90, 50, 400, 30, 20, 10],
        }
    )
    given = {"briefs": briefs, "kols": pd.concat(seen), "posts": posts}
    return Tables.of(**(given | tables))


def retrieval_of(
    tables: Tables,
    embeddings: Embeddings,
    config: RetrievalConfig,
    scout: Scout | None = None,
    projections: tuple[Projection, ...] = (),
) -> Retrieval:
    features = Config().with_spaces(tables).features
    pipeline = FeaturePipeline(features, embeddings, projections=projections)
    return Retrieval(History(tables), pipeline, config, scout)


def winners_of(tables: Tables, embeddings: Embeddings, config: RetrievalConfig) -> list[int]:
    return winners(retrieval_of(tables, embeddings, config).directory(NOW), "b", config).tolist()


def chosen(
    tables: Tables,
    embeddings: Embeddings,
    config: RetrievalConfig,
    price: list[float] | None = None,
    projections: tuple[Projection, ...] = (),
) -> set[str]:
    retrieval = retrieval_of(tables, embeddings, config, None, projections)
    looked_up, _ = retrieval.pipeline.parted(FAMILIES)
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": KOLS, "as_of": NOW})
    signals = looked_up.transform(pairs, retrieval.history)
    prices = np.array(price or [np.nan] * len(KOLS))
    return {KOLS[at] for at in retrieval.choose("b", NOW, np.arange(6), signals, prices)}


def paid_off(**values: object) -> dict[str, pd.DataFrame]:
    """k4 brought most per cost for an earlier brief, k5 least."""
    rows = {"collaboration_id": ["c4", "c5"], "brief_id": "old", "kol_id": ["k4", "k5"]}
    at = {name: NOW - pd.Timedelta(days=40) for name in ("shown_at", "signed_at", "published_at")}
    done = pd.DataFrame(rows | at | {"cost": 100.0, "currency": "CNY", **values})
    outcomes = pd.DataFrame(
        {
            "collaboration_id": ["c4", "c5"],
            "horizon_days": 30,
            "measured_at": NOW - pd.Timedelta(days=3),
            "views": [90_000, 900],
            "engagements": [9_000, 90],
        }
    )
    collaborations = done.assign(mode="sponsorship", status="delivered")
    return {"collaborations": collaborations, "outcomes": outcomes}


def test_content_takes_who_posts_about_it(word_embeddings: Embeddings) -> None:
    assert chosen(small(), word_embeddings, only("content")) == {"k1", "k3"}


def test_the_bio_stands_for_who_has_no_post(word_embeddings: Embeddings) -> None:
    tables = small()
    kols = tables.kols.assign(bio=tables.kols["kol_id"].map({"k5": "cream"}))
    posts = tables.posts[tables.posts["kol_id"] != "k5"]
    told = tables.replace(kols=kols, posts=posts)
    found = chosen(told, word_embeddings, only("content"))
    assert "k5" in found


def turned(space: str, width: int, brief: float, kol: float) -> Projection:
    """A projection that leaves vectors as they are, or turns a side's round."""
    none, map_ = np.zeros(width), 2.0**17 * np.eye(width)
    return Projection(space, False, none, none, brief * map_, kol * map_, np.empty((0, width)))


@pytest.mark.parametrize(
    ("brief", "kol", "found"),
    [(1, 1, {"k1", "k3"}), (1, -1, {"k0", "k2", "k4", "k5"}), (-1, 1, {"k0", "k2", "k4", "k5"})],
)
def test_content_is_searched_in_what_was_learned_of_texts(
    word_embeddings: Embeddings, brief: float, kol: float, found: set[str]
) -> None:
    projections = (turned("posts", 16, brief, kol),)
    config = only("content", len(found))
    assert chosen(small(), word_embeddings, config, projections=projections) == found


@pytest.mark.parametrize(
    ("brief", "kol", "found"), [(1, 1, "k0"), (1, -1, "k5"), (-1, 1, "k5"), (0, 0, "k0")]
)
def test_content_is_searched_in_what_was_learned_of_a_users_space(
    word_embeddings: Embeddings, brief: float, kol: float, found: str
) -> None:
    angle = np.linspace(0, np.pi, 6)
    owners = [("brief", "b", [1.0, 0.0])]
    owners += [("kol", k, [np.cos(a), np.sin(a)]) for k, a in zip(KOLS, angle, strict=True)]
    vectors = pd.DataFrame(owners, columns=["owner", "id", "vector"])
    vectors = vectors.assign(space="video", observed_at=NOW - pd.Timedelta(days=9))
    # Without a post or a bio the users' own space alone speaks.
    tables = small(vectors=vectors)
    tables = tables.replace(posts=tables.posts.head(0))
    learned = (turned("video", 2, brief, kol),) if brief else ()
    assert chosen(tables, word_embeddings, only("content", 1), projections=learned) == {found}


def test_topics_are_projected_block_by_block_without_changing_a_digit(
    world: World, word_embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    learned = Spread.of("posts", rng.normal(size=(9, 16)), rng.normal(size=(30, 16))).projection(5)

    def places(*projections: Projection) -> Places:
        retrieval = retrieval_of(
            world.tables, word_embeddings, RetrievalConfig(), None, projections
        )
        return retrieval.directory(world.as_of).places("posts")

    whole, plain = places(learned), places()
    at_once = Places(learned.kols(plain.vectors).astype(np.float32), plain.start)
    assert np.abs(whole.vectors - at_once.vectors).max() < 1e-5
    monkeypatch.setattr("matcher.directory._BLOCK", 2)
    assert len(whole.vectors) > len(whole)
    assert places(learned).vectors.tobytes() == whole.vectors.tobytes()


def test_efficient_takes_what_the_goal_counts_for_its_price(word_embeddings: Embeddings) -> None:
    price = [100.0, 100.0, 100.0, 100.0, 1.0, 100.0]
    engagement, awareness, efficient = small("engagement"), small("awareness"), only("efficient")
    # The cheapest and the most liked; the cheapest and the most seen; without prices, most seen.
    assert chosen(engagement, word_embeddings, efficient, price) == {"k4", "k2"}
    assert chosen(awareness, word_embeddings, efficient, price) == {"k4", "k0"}
    assert chosen(awareness, word_embeddings, efficient) == {"k0", "k1"}


def test_rising_takes_whose_followers_grow(word_embeddings: Embeddings) -> None:
    assert chosen(small(), word_embeddings, only("rising", 1)) == {"k1"}


def test_new_takes_who_was_observed_last(word_embeddings: Embeddings) -> None:
    assert chosen(small(), word_embeddings, only("new")) == {"k4", "k5"}


def test_lookalikes_take_whom_such_briefs_did_well_with(word_embeddings: Embeddings) -> None:
    tables = small(**paid_off())
    few = only("lookalikes").model_copy(update={"winners": 1})
    assert winners_of(tables, word_embeddings, few) == [4]
    assert "k4" in chosen(tables, word_embeddings, few)


def with_old(tables: Tables, brand: str, vertical: str) -> Tables:
    """Let the earlier brief be of another brand and vertical."""
    old = tables.briefs["brief_id"] == "old"
    told = {"brand_id": brand, "vertical": vertical}
    briefs = tables.briefs.assign(**{n: tables.briefs[n].mask(old, v) for n, v in told.items()})
    return tables.replace(briefs=briefs)


@pytest.mark.parametrize(
    ("brand", "vertical", "found"),
    [("x", "beauty", [4, 5]), ("x", "games", [4, 5]), ("y", "beauty", [4]), ("y", "games", [])],
)
def test_who_paid_off_in_the_vertical_or_for_the_brand_is_a_winner(
    word_embeddings: Embeddings, brand: str, vertical: str, found: list[int]
) -> None:
    # k4 paid off best; k5 is a winner only as the one whom the brand signed last.
    signed = NOW - pd.to_timedelta([40, 39], unit="D")
    past = paid_off(signed_at=signed, published_at=signed)
    tables = with_old(small(**past), brand, vertical)
    assert winners_of(tables, word_embeddings, RetrievalConfig(winners=1)) == found


@pytest.mark.parametrize(("brand", "found"), [("x", [4, 5]), ("y", [])])
def test_whom_the_brand_signed_last_is_a_winner(
    word_embeddings: Embeddings, brand: str, found: list[int]
) -> None:
    tables = with_old(small(**paid_off()), brand, "games")
    told = tables.replace(outcomes=tables.outcomes.head(0))
    assert winners_of(told, word_embeddings, RetrievalConfig()) == found


def test_what_came_at_or_after_the_moment_makes_no_winner(word_embeddings: Embeddings) -> None:
    past = paid_off()
    late = past["outcomes"].assign(measured_at=NOW)
    signed = past["collaborations"].assign(brief_id="old", signed_at=NOW, published_at=NOW)
    directory = retrieval_of(
        small(outcomes=late, collaborations=signed), word_embeddings, RetrievalConfig()
    ).directory(NOW)
    assert winners(directory, "b", RetrievalConfig()).tolist() == []


def test_a_brief_learns_nothing_from_its_own_end(word_embeddings: Embeddings) -> None:
    directory = retrieval_of(
        small(**paid_off(brief_id="b")), word_embeddings, RetrievalConfig()
    ).directory(NOW)
    assert winners(directory, "b", RetrievalConfig()).tolist() == []


def test_whom_judges_liked_in_the_vertical_is_a_winner(word_embeddings: Embeddings) -> None:
    judgments = pd.DataFrame(
        {
            "brief_id": "old",
            "kol_id": ["k2", "k3"],
            "judge": "j",
            "grade": [4, 2],
            "judged_at": NOW - pd.Timedelta(days=2),
        }
    )
    directory = retrieval_of(
        small(judgments=judgments), word_embeddings, RetrievalConfig()
    ).directory(NOW)
    assert winners(directory, "b", RetrievalConfig()).tolist() == [2]


@pytest.mark.parametrize(
    "told", [{"judged_at": NOW}, {"brief_id": "b"}], ids=["at the moment", "of the brief itself"]
)
def test_judgments_that_may_not_be_known_make_no_winner(
    told: dict[str, object], word_embeddings: Embeddings
) -> None:
    row = {"brief_id": "old", "kol_id": "k2", "judge": "j", "grade": 4}
    judgments = pd.DataFrame([row | {"judged_at": NOW - pd.Timedelta(days=2)} | told])
    assert winners_of(small(judgments=judgments), word_embeddings, RetrievalConfig()) == []


@pytest.mark.parametrize(("currency", "found"), [("CNY", [4, 5]), ("USD", [])])
def test_returns_in_another_currency_are_not_compared(
    word_embeddings: Embeddings, currency: str, found: list[int]
) -> None:
    tables = with_old(small(**paid_off(currency=currency)), "y", "beauty")
    assert winners_of(tables, word_embeddings, RetrievalConfig()) == found


@pytest.fixture(scope="module")
def everybody(world: World, word_embeddings: Embeddings) -> tuple[Retrieval, pd.DataFrame]:
    """Return a retrieval and all signals of all pairs that are looked up."""
    config = Config().with_spaces(world.tables)
    history, pipeline = (
        History(world.tables),
        FeaturePipeline(config.features, word_embeddings),
    )
    retrieval = Retrieval(history, pipeline, config.retrieval)
    kols = retrieval.directory(world.as_of).kols["kol_id"]
    pairs = pd.DataFrame({"brief_id": world.tables.briefs["brief_id"]}).merge(kols, how="cross")
    pairs["as_of"] = world.as_of
    signals = pipeline.parted(FAMILIES)[0].transform(pairs, history)
    return retrieval, signals.set_index([pairs["brief_id"]])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_as_many_come_back_as_were_asked_for(
    everybody: tuple[Retrieval, pd.DataFrame], world: World, data: st.DataObject
) -> None:
    retrieval, signals = everybody
    eligible = np.array(sorted(data.draw(st.sets(st.integers(0, 39), min_size=1))))
    count = data.draw(st.integers(1, 45))
    shares = {name: data.draw(st.sampled_from([0.0, 0.5, 3.0])) for name in SOURCES}
    shares["new"] = max(shares["new"], 0.5)
    retrieval.config = RetrievalConfig(candidates=count, **shares)
    brief = str(data.draw(st.sampled_from(list(retrieval.history.brief_ids))))
    price = np.where(np.arange(len(eligible)) % 3, 100.0, np.nan)
    own = signals.loc[brief].iloc[eligible]
    found = retrieval.choose(brief, world.as_of, eligible, own, price)
    assert len(found) == min(count, len(eligible))
    assert (np.diff(found) > 0).all()
    assert set(found.tolist()) <= set(range(len(eligible)))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_it_does_not_matter_how_many_kols_are_shown_at_once(
    everybody: tuple[Retrieval, pd.DataFrame], world: World, data: st.DataObject
) -> None:
    retrieval, signals = everybody
    eligible = np.array(sorted(data.draw(st.sets(st.integers(0, 39), min_size=1))))
    shares = {name: data.draw(st.sampled_from([0.0, 0.5, 3.0])) for name in SOURCES}
    shares["new"] = max(shares["new"], 0.5)
    config = RetrievalConfig(candidates=data.draw(st.integers(1, 12)), **shares)
    # Followers by tier: many are equal, and the first of equals is taken.
    scout = Scout({"reach.tier": 0.0}, {"": {"reach.tier": 1.0}})
    one = Retrieval(
        retrieval.history, retrieval.pipeline, config, data.draw(st.sampled_from([None, scout]))
    )
    one._directory = retrieval.directory(world.as_of)
    brief = str(data.draw(st.sampled_from(list(retrieval.history.brief_ids))))
    known = data.draw(st.sampled_from([2, 40]))
    price = np.where((np.arange(len(eligible)) % known) == 1, 100.0, np.nan)
    own = signals.loc[brief].iloc[eligible]
    expected = one.choose(brief, world.as_of, eligible, own, price)
    cuts = sorted(data.draw(st.sets(st.integers(1, 39), max_size=5)) | {0, 40})
    choice = one.choice(brief, world.as_of)
    for first, last in pairwise(cuts):
        part = slice(first, last)
        choice.add(eligible[part], own.iloc[part], price[part])
    assert choice.seen == len(eligible)
    assert choice.chosen().tolist() == eligible[expected].tolist()


def test_what_the_scout_thinks_likely_is_taken(
    everybody: tuple[Retrieval, pd.DataFrame], world: World
) -> None:
    retrieval, signals = everybody
    brief = str(retrieval.history.brief_ids[0])
    scout = Scout({"reach.followers": 0.0}, {"": {"reach.followers": 1.0}})
    guessing = Retrieval(retrieval.history, retrieval.pipeline, only("likely", 7), scout)
    own = signals.loc[brief]
    found = guessing.choose(brief, world.as_of, np.arange(40), own, np.full(40, np.nan))
    most = own["reach.followers"].reset_index(drop=True).nlargest(7).index
    assert set(found.tolist()) == set(most)


def test_without_a_model_who_matches_in_vertical_and_audience_is_likely(
    word_embeddings: Embeddings,
) -> None:
    tables = small()
    verticals = [("beauty",) if k in ("k3", "k5") else ("games",) for k in tables.kols["kol_id"]]
    told = tables.replace(kols=tables.kols.assign(verticals=verticals), posts=tables.posts.head(0))
    assert chosen(told, word_embeddings, only("likely")) == {"k3", "k5"}
    assert {"k3", "k5"} <= chosen(told, word_embeddings, RetrievalConfig(candidates=4))


def test_no_source_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one must be above"):
        RetrievalConfig(likely=0, content=0, lookalikes=0, efficient=0, rising=0, new=0)


def test_candidates_are_some_of_all_with_the_same_signals(
    world: World, word_embeddings: Embeddings
) -> None:
    config = Config()
    history, pipeline = History(world.tables), FeaturePipeline(config.features, word_embeddings)
    briefs = world.tables.briefs["brief_id"].tolist()[-6:]
    asked = pd.DataFrame(
        {"brief_id": briefs, "as_of": pd.Series([world.as_of] * len(briefs), dtype=TIME)}
    )
    (every,) = candidates(asked, history, pipeline, config)
    few = Retrieval(history, pipeline, RetrievalConfig(candidates=5))
    (some,) = candidates(asked, history, pipeline, config, few)
    sizes = every.pairs.groupby("brief_id").size()
    assert (some.pairs.groupby("brief_id").size() == sizes.clip(upper=5)).all()
    assert (sizes > 5).any()
    places = pd.MultiIndex.from_frame(every.pairs[["brief_id", "kol_id"]]).get_indexer(
        pd.MultiIndex.from_frame(some.pairs[["brief_id", "kol_id"]])
    )
    same = every.signals.iloc[places].set_axis(some.signals.index)
    pd.testing.assert_frame_equal(some.signals, same)
    assert list(some.signals.columns) == pipeline.names
    for name in ("pairs", "offers", "roster", "risk"):
        assert getattr(some, name).index.equals(some.signals.index)
    counts = some.funnel.pivot(index="brief_id", columns="reason", values="kols").fillna(0)
    outranked = (sizes - 5).clip(lower=0).reindex(counts.index).fillna(0)
    assert (counts[OUTRANKED.code] == outranked).all()
    everybody = every.funnel.groupby("brief_id")["kols"].sum()
    assert (counts.sum(axis=1) == everybody.reindex(counts.index)).all()


def test_a_brief_gets_the_same_list_alone_as_among_others(
    matcher: Matcher, world: World, word_embeddings: Embeddings, open_ids: list[str]
) -> None:
    few = matcher.config.model_copy(update={"retrieval": RetrievalConfig(candidates=6)})
    narrow = replace(matcher, config=few)
    together = narrow.match(world.tables, open_ids, world.as_of, word_embeddings).matches
    for brief_id in open_ids:
        alone = narrow.match(world.tables, [brief_id], world.as_of, word_embeddings).matches
        own = together[together["brief_id"] == brief_id].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, own)


def test_as_many_candidates_as_may_serve_change_no_list(
    matcher: Matcher, world: World, word_embeddings: Embeddings, open_ids: list[str]
) -> None:
    few = matcher.config.model_copy(update={"retrieval": RetrievalConfig(candidates=40)})
    wide = replace(matcher, config=few)
    for name in ("matches", "exclusions"):
        pd.testing.assert_frame_equal(
            *(
                getattr(m.match(world.tables, open_ids, world.as_of, word_embeddings), name)
                for m in (matcher, wide)
            )
        )
