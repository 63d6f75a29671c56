"""Each family answers a question whose answer is obvious."""

from collections.abc import Callable
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from features.columns import EPOCH
from features.config import FeatureConfig
from features.evidence import best_posts
from features.history import History
from features.money import currency_codes
from features.pipeline import FeaturePipeline
from features.signals import FAMILIES
from features.signals.category import vertical_words
from features.signals.vectors import _stack
from features.tables import Tables
from features.timeline import Floats, Ints, Timeline
from features.vectors import Embeddings

Day = Callable[[float], pd.Timestamp]
Ask = Callable[..., pd.DataFrame]


@pytest.fixture
def ask(embeddings: Embeddings, day: Day) -> Ask:
    """Return a function from tables to the features of all pairs, by brief and KOL, on day 100."""

    def answer(
        briefs: dict[str, object], kols: dict[str, object], at: float = 100, **tables: object
    ) -> pd.DataFrame:
        size = len(kols["kol_id"])  # type: ignore[arg-type]
        world = Tables.of(
            briefs=pd.DataFrame(
                {"brief_id": ["b"], "brand_id": "own", "text": "serum", "goal": "seeding", **briefs}
            ),
            kols=pd.DataFrame({"observed_at": [day(0)] * size, "platform": "douyin", **kols}),
            **{name: pd.DataFrame(frame) for name, frame in tables.items()},  # type: ignore[call-overload]
        )
        pairs = world.briefs[["brief_id"]].merge(
            world.kols[["kol_id"]].drop_duplicates(), how="cross"
        )
        pairs = pairs.assign(as_of=day(at))
        config = FeatureConfig(spaces=("video",))
        found = FeaturePipeline(config, embeddings).transform(pairs, world)
        return found.set_axis(pd.MultiIndex.from_frame(pairs[["brief_id", "kol_id"]]))

    return answer


def posts(day: Day, kol: str, texts: list[str], **columns: object) -> pd.DataFrame:
    size = len(texts)
    return pd.DataFrame(
        {
            "post_id": [f"{kol}-{i}" for i in range(size)],
            "kol_id": kol,
            "published_at": [day(10 + 10 * i) for i in range(size)],
            "observed_at": [day(11 + 10 * i) for i in range(size)],
            "text": texts,
            **columns,
        }
    )


def test_content_prefers_who_writes_of_it_and_names_the_post(
    ask: Ask, embeddings: Embeddings, day: Day
) -> None:
    frame = pd.concat(
        [
            posts(day, "near", ["cat", "serum", "game"], is_sponsored=[True, False, None]),
            posts(day, "far", ["game", "game", "game"]),
        ]
    )
    kols = {"kol_id": ["near", "far", "mute"], "bio": ["serum", "game", None]}
    found = ask({}, kols, posts=frame).loc["b"]
    assert found.loc["near", "content.best"] == pytest.approx(1.0, abs=1e-5)
    told = ("best", "top3", "mean", "recent", "bio", "lexical_best", "lexical_bio")
    for signal in (*told, "widened_best", "widened_top3"):
        assert found.loc["near", f"content.{signal}"] > found.loc["far", f"content.{signal}"]
    assert found.loc["near", "content.sponsored_best"] < 0.9
    assert found.loc["far", "content.concentration"] == pytest.approx(1.0, abs=1e-5)
    assert found.loc["near", "content.concentration"] < 0.95
    assert found.loc["mute"].filter(like="content.").isna().all()

    tables = Tables.of(
        briefs=pd.DataFrame(
            {"brief_id": ["b"], "brand_id": "x", "text": "serum", "goal": "seeding"}
        ),
        kols=pd.DataFrame({**kols, "observed_at": [day(0)] * 3, "platform": "douyin"}),
        posts=frame,
    )
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": ["near", "mute"], "as_of": day(100)})
    best = best_posts(pairs, History(tables), embeddings, FeatureConfig())
    assert best["pair"].tolist() == [0, 0, 0]
    assert best["rank"].tolist() == [1, 2, 3]
    assert best["post_id"].iloc[0] == "near-1"
    assert best["text"].iloc[0] == "serum"
    assert best["published_at"].iloc[0] == day(20)
    paid = best.set_index("post_id")["is_sponsored"]
    assert paid["near-0"]
    assert not paid["near-1"]
    assert paid.isna()["near-2"]
    assert best["cosine"].iloc[0] == found.loc["near", "content.best"]
    assert best["cosine"].mean() == pytest.approx(found.loc["near", "content.top3"])


def test_audience_overlap_is_jensen_shannon(ask: Ask) -> None:
    mixes = [{"f": 1.0}, {"m": 1.0}, {"f": 0.25, "m": 0.25}, {}]
    kols = {"kol_id": ["same", "other", "half", "none"], "audience_gender": mixes}
    found = ask({"audience_gender": [{"f": 0.8}]}, kols).loc["b"]
    assert found["audience.gender"].iloc[:2].tolist() == [1.0, 0.0]
    # Half of one against all of it: JSD = 0.3113 bits.
    assert found.loc["half", "audience.gender"] == pytest.approx(1 - 0.31128**0.5, abs=1e-4)
    assert found["audience.target_share"].iloc[:3].tolist() == [1.0, 0.0, 0.5]
    assert np.isnan(found.loc["none", "audience.match"])


def test_category_compares_kinds(ask: Ask, day: Day) -> None:
    frame = pd.concat(
        [
            posts(day, "a", ["x", "y"], tags=[("护肤日记",), ()]),
            posts(day, "b", ["see #skincare", "z"]),
        ]
    )
    kols = {
        "kol_id": ["a", "b"],
        "verticals": [("skincare", "beauty"), ("gaming",)],
        "language": ["zh-CN", "en"],
        "region": ["beijing", "tibet"],
    }
    brief = {
        "vertical": ["skincare"],
        "language": ["zh"],
        "platforms": [("douyin",)],
        "audience_region": [{"beijing": 0.5, "shanghai": 0.5}],
    }
    found = ask(brief, kols, posts=frame).loc["b"]
    assert found["category.vertical"].tolist() == [1.0, 0.0]
    assert found["category.vertical_first"].tolist() == [1.0, 0.0]
    assert found["category.vertical_posts"].tolist() == [0.5, 0.5]
    assert found["category.language"].tolist() == [1.0, 0.0]
    assert found["category.region"].tolist() == [0.5, 0.0]
    assert found["category.platform_asked"].tolist() == [1.0, 1.0]
    assert {"skincare", "护肤"} <= vertical_words("skincare")
    assert vertical_words("space travel") == {"space travel"}


def test_price_is_set_against_budget_views_and_peers(ask: Ask, day: Day) -> None:
    names = ["cheap", "usual", "dear", "free"]
    frame = pd.concat([posts(day, k, ["x"], views=[1000.0], likes=[50.0]) for k in names])
    rates = {
        "kol_id": names[:3],
        "mode": "sponsorship",
        "quoted_at": [day(90)] * 3,
        "price": [100.0, 200.0, 800.0],
        "currency": "CNY",
    }
    kols = {"kol_id": names, "followers": 50_000.0}
    brief = {"budget": [1000.0], "currency": ["CNY"], "max_price_per_kol": [400.0]}
    found = ask(brief, kols, posts=frame, rates=rates).loc["b"]
    assert found["price.of_budget"].iloc[:3].tolist() == [0.1, 0.2, 0.8]
    assert found["price.of_max"].iloc[:3].tolist() == [0.25, 0.5, 2.0]
    assert found.loc["usual", "price.against_peers"] == 0.0
    assert found.loc["dear", "price.against_peers"] == pytest.approx(np.log(4))
    assert found.loc["cheap", "price.per_view"] == pytest.approx(np.log(100.0))
    assert found["price.quote_age"].iloc[0] == 10.0
    assert (found["price.currency"].iloc[:3] == currency_codes(pd.Index(["CNY"]))[0]).all()
    assert found.loc["free"].filter(like="price.").drop("price.modes").isna().all()
    assert found.loc["free", "price.modes"] == 0


def test_reach_and_engagement_place_a_kol_among_its_peers(ask: Ask, day: Day) -> None:
    frame = pd.concat(
        [
            posts(day, "low", ["x"] * 3, views=[10.0, 1000.0, 1990.0], likes=[1.0, 10.0, 19.0]),
            posts(day, "high", ["x"] * 3, views=[9e3] * 3, likes=[900.0] * 3),
            posts(day, "star", ["x"] * 3, views=[9e6] * 3, likes=[9.0] * 3),
        ]
    )
    kols = {"kol_id": ["low", "high", "star"], "followers": [2e4, 2e4, 2e6]}
    found = ask({}, kols, posts=frame).loc["b"]
    assert found["reach.percentile"].tolist() == [0.25, 0.75, 0.5]
    assert found["engagement.percentile"].tolist() == [0.25, 0.75, 0.5]
    assert found["reach.tier"].tolist() == [1.0, 1.0, 4.0]
    assert found.loc["low", "reach.median_views"] == pytest.approx(np.log(1001.0))
    assert found.loc["low", "engagement.rate"] == pytest.approx((30 + 30) / (3000 + 1000))
    assert found.loc["low", "engagement.likes"] == pytest.approx(0.01)
    assert found.loc["high", "reach.spread"] == 0.0


def test_newer_posts_say_more_about_usual_views(ask: Ask, day: Day) -> None:
    old, new = np.log1p(100.0), np.log1p(1000.0)
    frame = pd.concat(
        [
            posts(day, "riser", ["x"] * 2, views=[100.0, 1000.0]),
            posts(day, "hidden", ["x"] * 2, views=[100.0, None]),
            posts(day, "undated", ["x"] * 2, views=[100.0, 1000.0], published_at=EPOCH),
        ]
    )
    kols = {"kol_id": ["riser", "hidden", "undated"], "followers": [1e4] * 3}
    usual = ask({}, kols, posts=frame).loc["b", "reach.usual_log_views"]
    faded = np.exp(-10 / 200)
    assert usual["riser"] == pytest.approx((new + faded * old) / (1 + faded))
    assert usual["hidden"] == pytest.approx(old)
    assert usual["undated"] == pytest.approx((new + old) / 2)


def test_growth_sees_rise_and_decline(ask: Ask, day: Day) -> None:
    kols = {
        "kol_id": ["up", "up", "down", "down", "new"],
        "observed_at": [day(0), day(95), day(0), day(95), day(95)],
        "followers": [1000.0, 2000.0, 2000.0, 1000.0, 5.0],
    }
    views = posts(day, "up", ["x"] * 9 + ["y"] * 3, views=[10.0] * 2 + [100.0] * 10)
    views["published_at"] = views["observed_at"] = [day(i) for i in range(12)]
    found = ask({}, kols, posts=views).loc["b"]
    rise = found["growth.followers_90"]
    assert rise["up"] == pytest.approx(np.log(2001 / 1001) * 30 / 95)
    assert rise["down"] == -rise["up"]
    assert np.isnan(rise["new"])
    assert found.loc["up", "growth.views"] == pytest.approx(np.log(101 / 11))
    assert found.loc["new", "growth.observed_days"] == 5.0


def test_sponsored_posts_are_set_against_organic_ones(ask: Ask, day: Day) -> None:
    frame = posts(
        day,
        "k",
        ["x"] * 4,
        is_sponsored=[True, False, False, None],
        views=[100.0, 400.0, 400.0, 9.0],
        likes=[1.0, 40.0, 40.0, 9.0],
    )
    found = ask({}, {"kol_id": ["k"]}, posts=frame).loc[("b", "k")]
    assert found["sponsored.share"] == pytest.approx(1 / 3)
    assert found["sponsored.views"] == pytest.approx(np.log(101 / 401))
    assert found["sponsored.engagement"] < 0


def test_record_keeps_brand_vertical_mode_and_currency_apart(ask: Ask, day: Day) -> None:
    briefs = {
        "brief_id": ["b", "old", "other"],
        "brand_id": ["own", "own", "rival"],
        "text": "x",
        "vertical": ["skincare", "gaming", "skincare"],
        "currency": ["CNY"] * 3,
    }
    collaborations = {
        "collaboration_id": ["c1", "c2", "c3", "c4"],
        "brief_id": ["old", "other", "other", "old"],
        "kol_id": ["k", "k", "k", "refuses"],
        "status": ["delivered", "cancelled", "delivered", "declined"],
        "shown_at": [day(1)] * 4,
        "signed_at": [day(2), day(2), day(2), None],
        "status_at": [day(30)] * 4,
        "cost": [100.0, 100.0, 100.0, None],
        "currency": ["CNY", "CNY", "USD", None],
    }
    outcomes = {
        "collaboration_id": ["c1", "c3"],
        "horizon_days": [7, 7],
        "measured_at": [day(40)] * 2,
        "views": [99.0, 9999.0],
        "clicks": [100.0, 100.0],
        "orders": [10.0, 0.0],
        "gmv": [50.0, 100.0],
        "refunded_gmv": [25.0, 0.0],
        "currency": "CNY",
    }
    judgments = {
        "brief_id": ["b", "other", "old"],
        "kol_id": "k",
        "judge": "ann",
        "grade": [0.0, 3.0, 4.0],
        "judged_at": [day(5)] * 3,
    }
    found = ask(
        briefs,
        {"kol_id": ["k", "refuses"]},
        collaborations=collaborations,
        outcomes=outcomes,
        judgments=judgments,
    ).loc["b"]
    record = found.loc["k"].filter(like="record.").rename(lambda name: name.split(".")[1])
    assert record["delivered"] == 2
    assert record["cancelled_rate"] == pytest.approx(1.5 / 8)
    assert record["measured"] == 2
    assert record["views_per_cost"] == pytest.approx(np.log(1.0)), "the dollar deal is apart"
    assert record["conversion"] == pytest.approx((10 + 2) / (200 + 200))
    assert record["refunded"] == 0.25
    assert (record["brand_signed"], record["vertical_signed"]) == (1, 2)
    assert record["brand_views_per_cost"] == 0.0
    assert np.isnan(record["vertical_views_per_cost"])
    assert record["brand_experience"] == 1
    assert (record["grade"], record["grades"]) == (3.0, 1.0), "never the brief's own grade"
    assert found["record.declined_rate"].tolist() == [pytest.approx(1 / 5), pytest.approx(2 / 3)]
    assert np.isnan(found.loc["refuses", "record.conversion"])


def test_reputation_fades_and_tells_open_from_resolved(ask: Ask, day: Day) -> None:
    incidents = {
        "incident_id": ["a", "b", "c"],
        "kol_id": ["fresh", "faded", "faded"],
        "known_at": [day(99), day(1), day(2)],
        "kind": "fraud",
        "severity": [0.8, 0.8, 0.2],
        "resolved_at": [None, day(50), day(200)],
    }
    kols = {"kol_id": ["clean", "faded", "fresh"]}
    found = ask({}, kols, at=181, incidents=incidents).loc["b"]
    assert found["reputation.burden"].is_monotonic_increasing
    assert found.loc["faded", "reputation.burden"] == pytest.approx(
        0.8 * 0.5 + 0.2 * 0.5 ** (179 / 180)
    )
    assert found["reputation.worst_open"].tolist() == [0.0, 0.2, 0.8]
    assert found["reputation.open"].tolist() == [0.0, 1.0, 1.0]
    assert found.loc["fresh", "reputation.days_since"] == 82.0


def test_without_times_there_is_no_rhythm_and_no_age(ask: Ask) -> None:
    posts = {"post_id": ["p1", "p2"], "kol_id": "k", "text": ["one", "two"]}
    found = ask({}, {"kol_id": ["k"], "observed_at": [EPOCH]}, posts=posts).loc[("b", "k")]
    assert found["style.distinct"] == 1.0
    timed = ["gap_days", "gap_spread", "median_gap_days", "days_since_post", "posts_90"]
    assert found[[f"style.{name}" for name in timed]].isna().all()
    assert found[["growth.observed_days", "growth.profile_age"]].isna().all()


def test_style_sees_copies_and_rhythm(ask: Ask, day: Day) -> None:
    frame = pd.concat(
        [posts(day, "copy", ["sale"] * 4), posts(day, "new", ["cat", "game", "serum", "travel"])]
    )
    found = ask({}, {"kol_id": ["copy", "new", "mute"]}, posts=frame).loc["b"]
    assert found["style.distinct"].iloc[:2].tolist() == [0.25, 1.0]
    assert found.loc["copy", "style.novelty"] == pytest.approx(0.0, abs=1e-5)
    assert found.loc["new", "style.novelty"] > 0.3
    assert found.loc["new", "style.gap_days"] == 10.0
    assert found.loc["new", "style.gap_spread"] == 0.0
    assert found.loc["new", "style.days_since_post"] == 60.0
    assert found.loc["new", "style.posts_90"] == 4
    assert found.loc["mute"].filter(like="style.").isna().all()


def test_rivalry_counts_work_for_named_competitors_only(ask: Ask, day: Day) -> None:
    frame = pd.concat(
        [
            posts(day, "rival", ["Big SALE", "cat"], brand_id=["enemy", "enemy"]),
            posts(day, "friend", ["cat"], brand_id=["neutral"]),
        ]
    )
    briefs = {"brief_id": ["b", "open"], "text": "x", "blocked_terms": [("sale", "博彩"), ()]}
    briefs |= {"brand_id": "own", "competitor_brands": [("enemy", "unheard of"), ()]}
    found = ask(briefs, {"kol_id": ["rival", "friend"]}, posts=frame)
    named = found.loc["b"]
    assert named["rivalry.days_since"].fillna(-1).tolist() == [80.0, -1.0]
    assert named["rivalry.recent"].tolist() == [2.0, 0.0]
    assert named["rivalry.brands"].tolist() == [1.0, 1.0]
    assert named["rivalry.blocked_posts"].tolist() == [1.0, 0.0]
    assert found.loc["open"][["rivalry.recent", "rivalry.blocked_posts"]].isna().all(axis=None)


def test_own_vectors_are_compared_space_by_space(ask: Ask, day: Day) -> None:
    vectors = {
        "owner": ["brief", "kol", "kol", "kol", "kol"],
        "id": ["b", "same", "same", "wide", "same"],
        "space": ["video", "video", "video", "video", "other"],
        "observed_at": [day(0), day(0), day(50), day(0), day(0)],
        "vector": [[1, 0], [0, 1], [2, 0], [1, 0, 0], [0, 1]],
    }
    found = ask({}, {"kol_id": ["same", "wide"]}, vectors=vectors).loc["b"]
    assert found.loc["same", "vectors.video_cosine"] == 1.0
    assert found.loc["same", "vectors.max_cosine"] == 1.0
    assert np.isnan(found.loc["wide", "vectors.video_cosine"])
    assert np.isnan(found.loc["wide", "vectors.mean_cosine"])


def test_brief_tells_what_it_is(ask: Ask, day: Day) -> None:
    brief = {
        "budget": [1000.0],
        "currency": ["CNY"],
        "kols_wanted": [10],
        "starts_at": [day(1)],
        "ends_at": [day(31)],
        "modes": [("sponsorship",)],
    }
    found = ask(brief, {"kol_id": ["k"]}).loc[("b", "k")]
    assert found["brief.budget_per_kol"] == pytest.approx(np.log(100.0))
    assert found["brief.days"] == 30.0
    assert (found["brief.modes"], found["brief.platforms"]) == (1.0, 0.0)


def test_only_the_vectors_that_pairs_see_are_stacked(
    embeddings: Embeddings, day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    kols = [f"k{i}" for i in range(6)]
    vectors = pd.DataFrame({"owner": "kol", "id": kols, "vector": [[1.0, i] for i in range(6)]})
    vectors = pd.concat([vectors, pd.DataFrame([{"owner": "brief", "id": "b", "vector": [3, 4]}])])
    briefs = pd.DataFrame({"brief_id": ["b"], "brand_id": "x", "text": "serum", "goal": "seeding"})
    tables = Tables.of(
        briefs=briefs,
        kols=pd.DataFrame({"kol_id": kols, "observed_at": day(0), "platform": "douyin"}),
        vectors=vectors.assign(space="video", observed_at=day(0)),
    )
    stacked = []

    def stack(timeline: Timeline, rows: Ints) -> Floats:
        stacked.append(len(rows))
        return _stack(timeline, rows)

    # By name: the package's attribute is the family, which is called as its module is.
    monkeypatch.setattr(import_module("features.signals.vectors"), "_stack", stack)
    families = tuple(family for family in FAMILIES if family.name == "vectors")
    pipeline = FeaturePipeline(FeatureConfig(spaces=("video",)), embeddings, families)
    pairs = pd.DataFrame({"brief_id": "b", "kol_id": ["k4", "k1"], "as_of": day(9)})
    found = pipeline.transform(pairs, tables)["vectors.video_cosine"]
    assert found.tolist() == pytest.approx([19 / 5 / 17**0.5, 7 / 5 / 2**0.5], abs=1e-6)
    assert stacked == [1, 2]
