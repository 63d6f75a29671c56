"""Past campaigns like a match's."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.precedents import CAMPAIGNS, COLUMNS, MOST, campaigns, in_words, precedents
from serving.results import PRECEDENTS

HORIZON = 30


@pytest.fixture(scope="module")
def pipeline(word_embeddings: Embeddings) -> FeaturePipeline:
    return FeaturePipeline(Config().features, word_embeddings)


@pytest.fixture(scope="module")
def as_of(world: World) -> pd.Timestamp:
    """Return a moment in the midst of the log."""
    return world.tables.outcomes["measured_at"].quantile(0.7)


def ask(tables: Tables, as_of: pd.Timestamp, briefs: int = 4) -> pd.DataFrame:
    ids = tables.briefs["brief_id"].tail(briefs)
    kols = np.sort(tables.kols["kol_id"].unique())
    pairs = pd.DataFrame([(b, k) for b in ids for k in kols], columns=["brief_id", "kol_id"])
    return pairs.assign(as_of=pd.Series([as_of] * len(pairs), dtype="datetime64[us, UTC]"))


@pytest.fixture(scope="module")
def found(world: World, as_of: pd.Timestamp, pipeline: FeaturePipeline) -> pd.DataFrame:
    pairs = ask(world.tables, as_of)
    return precedents(pairs, History(world.tables), pipeline, HORIZON)


def test_it_is_what_a_run_publishes(found: pd.DataFrame) -> None:
    assert list(found) == PRECEDENTS.names == list(COLUMNS)
    assert PRECEDENTS.faults(PRECEDENTS.conform(found)) == []


def test_each_match_has_a_few_of_which_none_is_told_twice(found: pd.DataFrame) -> None:
    by_match = found.groupby(["brief_id", "kol_id"])
    assert by_match.size().max() == MOST
    for _, told in by_match:
        assert told["rank"].tolist() == list(range(1, len(told) + 1))
        assert told["collaboration_id"].is_unique
        others = told.loc[told["with_kol_id"] != told["kol_id"], "with_kol_id"]
        assert others.is_unique


def test_no_brief_is_its_own_precedent(world: World, found: pd.DataFrame) -> None:
    brief = world.tables.collaborations.set_index("collaboration_id")["brief_id"]
    assert (brief[found["collaboration_id"]].to_numpy() != found["brief_id"]).all()


def test_own_campaigns_for_similar_briefs_come_first(world: World, found: pd.DataFrame) -> None:
    own = found["with_kol_id"] == found["kol_id"]
    assert own.any()
    assert not own.all()
    briefs = world.tables.briefs.set_index("brief_id")
    past = world.tables.collaborations.set_index("collaboration_id")["brief_id"]
    behind = found["collaboration_id"].map(past)
    same = pd.concat(
        [
            found["brief_id"].map(briefs[side]) == behind.map(briefs[side])
            for side in ("brand_id", "vertical")
        ],
        axis=1,
    ).any(axis=1)
    similar = same | (found["similarity"] >= 0.5)
    kind = np.select([own & similar, ~own], [0, 1], 2)
    assert similar[~own].all()
    ordered = found.assign(kind=kind).groupby(["brief_id", "kol_id"])["kind"]
    assert ordered.apply(lambda kinds: kinds.is_monotonic_increasing).all()


def test_look_alikes_are_told_for_their_results(found: pd.DataFrame) -> None:
    other = found[found["with_kol_id"] != found["kol_id"]]
    assert other["views"].notna().all()


def test_figures_are_those_of_the_ripe_outcome_known_by_then(
    world: World, as_of: pd.Timestamp, found: pd.DataFrame
) -> None:
    tables = world.tables
    known = tables.outcomes[tables.outcomes["measured_at"] < as_of]
    ripe = known[known["horizon_days"] >= HORIZON].sort_values("horizon_days")
    ripe = ripe.drop_duplicates("collaboration_id").set_index("collaboration_id")
    for name in ("views", "engagements", "orders", "gmv"):
        expected = ripe[name].reindex(found["collaboration_id"]).to_numpy()
        np.testing.assert_array_equal(found[name].to_numpy(dtype=float), expected)
    assert (found["at"] < as_of).all()
    assert set(found["status"]) <= set(CAMPAIGNS)


def later(tables: Tables, as_of: pd.Timestamp, seed: int) -> Tables:
    """Return tables in which whatever was not known by then is otherwise."""
    rng = np.random.default_rng(seed)
    outcomes = tables.outcomes.copy()
    after = outcomes["measured_at"] >= as_of
    outcomes.loc[after, "views"] = rng.integers(0, 10**6, int(after.sum())).astype(float)
    collaborations = tables.collaborations.copy()
    unsigned = ~(collaborations["signed_at"] < as_of)
    collaborations.loc[unsigned, "cost"] = 1.0
    posts = tables.posts
    more = posts.tail(50).assign(
        post_id=[f"later{n}" for n in range(50)],
        observed_at=as_of + pd.Timedelta(days=1),
        text="全新的内容",
    )
    new = collaborations.tail(5).assign(
        collaboration_id=[f"later{n}" for n in range(5)],
        shown_at=as_of,
        signed_at=as_of,
        published_at=as_of,
        status_at=as_of,
        status="delivered",
    )
    return tables.replace(
        outcomes=outcomes.sample(frac=1.0, random_state=seed),
        collaborations=pd.concat([collaborations, new]).sample(frac=1.0, random_state=seed),
        posts=pd.concat([posts, more], ignore_index=True),
    )


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 99))
def test_what_comes_later_changes_nothing(
    world: World, as_of: pd.Timestamp, pipeline: FeaturePipeline, found: pd.DataFrame, seed: int
) -> None:
    tables = later(world.tables, as_of, seed)
    again = precedents(ask(world.tables, as_of), History(tables), pipeline, HORIZON)
    pd.testing.assert_frame_equal(again, found)


def test_a_match_has_the_same_alone(
    world: World, as_of: pd.Timestamp, pipeline: FeaturePipeline, found: pd.DataFrame
) -> None:
    history = History(world.tables)
    pairs = ask(world.tables, as_of)
    for row in (3, 50, 121):
        alone = precedents(pairs.iloc[[row]], history, pipeline, HORIZON)
        same = (found[["brief_id", "kol_id"]] == pairs.loc[row, ["brief_id", "kol_id"]]).all(axis=1)
        pd.testing.assert_frame_equal(alone, found[same].reset_index(drop=True))


def bare(world: World) -> Iterator[Tables]:
    tables = world.tables
    yield tables.replace(outcomes=tables.outcomes.head(0))
    yield tables.replace(posts=tables.posts.head(0))
    yield tables.replace(
        collaborations=tables.collaborations.head(0), outcomes=tables.outcomes.head(0)
    )


def test_less_data_gives_less_and_breaks_nothing(
    world: World, as_of: pd.Timestamp, pipeline: FeaturePipeline
) -> None:
    without_results, without_posts, without_campaigns = (
        precedents(ask(world.tables, as_of), History(tables), pipeline, HORIZON)
        for tables in bare(world)
    )
    assert (without_results["kol_id"] == without_results["with_kol_id"]).all()
    assert len(without_results)
    assert (without_posts["kol_id"] == without_posts["with_kol_id"]).all()
    assert without_campaigns.empty
    assert list(without_campaigns) == list(COLUMNS)
    nobody = ask(world.tables, as_of).head(0)
    assert precedents(nobody, History(world.tables), pipeline, HORIZON).empty


def test_sales_in_another_currency_than_the_cost_are_not_told(
    world: World, as_of: pd.Timestamp
) -> None:
    tables = world.tables
    abroad = tables.replace(outcomes=tables.outcomes.assign(currency="USD"))
    told = campaigns(History(abroad), as_of, HORIZON)
    assert (told["gmv"].isna() | told["currency"].eq("USD")).all()
    assert told["gmv"].isna().sum() > campaigns(History(tables), as_of, HORIZON)["gmv"].isna().sum()


def test_how_it_went_is_said_in_both_languages() -> None:
    row = {
        "at": pd.Timestamp("2026-03-05", tz="UTC"),
        "status": "delivered",
        "cost": 5000.0,
        "currency": "CNY",
        "views": 124_000.0,
        "engagements": 6200.0,
        "orders": 1.0,
        "gmv": np.nan,
    }
    told = in_words(row)
    assert told.zh == "2026 年 3 月：已履约，费用 5,000 元，播放 12.4万，互动 6,200，订单 1"
    assert told.en == "March 2026: delivered, cost 5,000 CNY, 124k views, 6.2k engagements, 1 order"
    unknown = row | dict.fromkeys(("cost", "views", "engagements", "orders"))
    assert in_words(unknown).zh == "2026 年 3 月：已履约，效果数据未知"
    assert in_words(unknown | {"status": "cancelled"}).en == "March 2026: cancelled"
