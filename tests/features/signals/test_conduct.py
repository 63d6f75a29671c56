"""Each sign of conduct answers a question whose answer is obvious."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.config import FeatureConfig
from features.history import History
from features.signals.conduct import CONDUCT, conduct
from features.tables import Tables
from features.vectors import Embeddings
from features.view import View

Day = Callable[[float], pd.Timestamp]
Ask = Callable[..., pd.DataFrame]


@pytest.fixture
def ask(embeddings: Embeddings, day: Day) -> Ask:
    """Return a function from tables to the signals of all pairs of one brief, by KOL."""

    def answer(
        kols: dict[str, object],
        at: float = 100,
        brief: dict[str, object] | None = None,
        **tables: object,
    ) -> pd.DataFrame:
        size = len(kols["kol_id"])  # type: ignore[arg-type]
        asked = {"brief_id": ["b"], "brand_id": "own", "text": "serum", **(brief or {})}
        told = Tables.of(
            briefs=pd.DataFrame(asked),
            kols=pd.DataFrame({"observed_at": [day(0)] * size, "platform": "douyin", **kols}),
            **{name: pd.DataFrame(frame) for name, frame in tables.items()},  # type: ignore[call-overload]
        )
        names = told.kols["kol_id"].drop_duplicates()
        pairs = pd.DataFrame({"brief_id": "b", "kol_id": names, "as_of": day(at)})
        found = conduct(View(pairs, History(told)), embeddings, FeatureConfig())
        assert set(found) == set(CONDUCT)
        return pd.DataFrame(found, index=pd.Index(names))

    return answer


def posts(day: Day, kol: str, texts: list[str], **columns: object) -> pd.DataFrame:
    days = [day(10 + i) for i in range(len(texts))]
    ids = [f"{kol}-{i:02d}" for i in range(len(texts))]
    told = {"post_id": ids, "kol_id": kol, "published_at": days, "observed_at": days, "text": texts}
    return pd.DataFrame({**told, **columns})


def test_claims_and_copies_count_from_the_second_post_on(ask: Ask, day: Day) -> None:
    frame = pd.concat(
        [
            posts(
                day, "a", ["根治痘痘", "最近的日常", "搬运自外网"], is_sponsored=[True, True, False]
            ),
            posts(day, "b", ["根治痘痘"], is_sponsored=[True]),
        ]
    )
    found = ask({"kol_id": ["a", "b", "c"]}, posts=frame)
    assert found["claims"].tolist()[:2] == pytest.approx([1 / 5, 1 / 3])
    assert found["claims_paid"].tolist()[:2] == pytest.approx([1 / 4, 1 / 3])
    assert found.loc["a", "copied"] == pytest.approx(1 / 5)
    assert found.loc["c", ["claims", "claims_paid", "undisclosed", "copied"]].isna().all()


def test_a_paid_post_is_disclosed_by_its_text_or_its_tags(ask: Ask, day: Day) -> None:
    texts = ["x", "感谢合作", "x", "x", "x"]
    tags = [("广告",), (), (), (), ("ad",)]
    paid = [True, True, True, None, False]
    brand = [None, None, None, "rival", None]
    frame = posts(day, "a", texts, tags=tags, is_sponsored=paid, brand_id=brand)
    found = ask({"kol_id": ["a"]}, posts=frame)
    # Of four paid posts, the one of a brand among them, two bear no mark.
    assert found.loc["a", "undisclosed"] == pytest.approx(2 / 6)


def test_a_jump_stands_out_from_the_own_pace(ask: Ask, day: Day) -> None:
    followers = {
        "steady": [1e4, 1.1e4, 1.21e4, 1.331e4, 1.4641e4],
        "bought": [1e4, 1.1e4, 1.21e4, 3.63e4, 3.993e4],
    }
    rows = [
        (name, day(20 * i), count)
        for name, counts in followers.items()
        for i, count in enumerate(counts)
    ]
    kols = dict(zip(("kol_id", "observed_at", "followers"), zip(*rows, strict=True), strict=True))
    found = ask({name: list(values) for name, values in kols.items()})
    assert found.loc["steady", "jump"] == pytest.approx(0, abs=1e-3)
    assert found.loc["bought", "jump"] == pytest.approx(np.log(3 / 1.1), abs=1e-2)
    assert (
        ask({"kol_id": ["new", "new"], "observed_at": [day(0), day(9)], "followers": [1.0, 9.0]})[
            "jump"
        ]
        .isna()
        .all()
    )


def test_engagement_is_placed_among_enough_peers(ask: Ask, day: Day) -> None:
    names = [f"k{i}" for i in range(9)]
    likes = [290.0, 295.0, 300.0, 300.0, 300.0, 305.0, 310.0, 10.0, 3000.0]
    frame = pd.concat(
        [
            posts(day, k, ["x"] * 3, views=[1e4] * 3, likes=[n] * 3)
            for k, n in zip(names, likes, strict=True)
        ]
    )
    kols = {"kol_id": names, "followers": [2e4] * 9}
    found = ask(kols, posts=frame)["out_of_band"]
    assert found["k2"] == pytest.approx(0, abs=1e-9)
    assert found["k8"] > 6
    assert found["k7"] < -6
    assert found.iloc[:7].abs().max() < 1
    few = {"kol_id": names[:5], "followers": [2e4] * 5}
    assert ask(few, posts=frame[frame["kol_id"].isin(names[:5])])["out_of_band"].isna().all()


def test_an_account_that_turns_to_another_subject_is_seen(ask: Ask, day: Day) -> None:
    beauty, cars = ("美妆分享",), ("汽车",)
    frame = pd.concat(
        [
            posts(day, "turned", ["x"] * 12, tags=[beauty] * 6 + [cars] * 6),
            posts(day, "mixed", ["x"] * 12, tags=[beauty, cars] * 6),
            posts(day, "same", ["x"] * 12, tags=[beauty] * 12),
            posts(day, "few", ["x"] * 8, tags=[beauty] * 4 + [cars] * 4),
            posts(day, "daily", ["x"] * 12, tags=[("vlog",)] * 6 + [("日常",)] * 6),
        ]
    )
    found = ask({"kol_id": ["turned", "mixed", "same", "few", "daily"]}, posts=frame)["turned"]
    assert found["turned"] == 1
    assert found["same"] == 0
    assert found["mixed"] < 0.1
    assert found[["few", "daily"]].isna().all()


def test_facts_of_a_profile_that_changed_are_counted(ask: Ask, day: Day) -> None:
    kols = {
        "kol_id": ["moved", "moved", "same", "same", "once"],
        "observed_at": [day(0), day(90), day(0), day(90), day(0)],
        "display_name": ["小鹿", "小鹿优选", "桃子", "桃子", "一一"],
        "region": ["CN", "MY", "CN", "CN", "CN"],
        "verticals": [("beauty", "food"), ("beauty", "travel"), ("food",), (), ("food",)],
    }
    found = ask(kols)["changed"]
    # The second vertical is not what an account is known by, and what is not told has not changed.
    assert found[["moved", "same"]].tolist() == [2.0, 0.0]
    assert np.isnan(found["once"])


def test_lateness_is_after_the_briefs_end_or_long_after_signing(ask: Ask, day: Day) -> None:
    log = {
        "collaboration_id": ["c1", "c2", "c3", "c4"],
        "brief_id": "b",
        "kol_id": ["late", "long", "timely", "soon"],
        "status": "delivered",
        "shown_at": [day(1)] * 4,
        "signed_at": [day(50), day(2), day(2), day(2)],
        "published_at": [day(81), day(60), day(20), day(99)],
        "status_at": [day(81), day(60), day(20), day(120)],
    }
    kols = {"kol_id": ["late", "long", "timely", "soon", "none"]}
    found = ask(kols, brief={"ends_at": [day(80)]}, collaborations=log)["late"]
    assert found[["late", "long"]].tolist() == pytest.approx([1.4 / 5, 1.4 / 5])
    assert found["timely"] == pytest.approx(0.4 / 5)
    assert found[["soon", "none"]].isna().all()


def test_the_finest_segment_is_counted_in_people(ask: Ask) -> None:
    kols = {
        "kol_id": ["fine", "none"],
        "followers": [5000.0, 5000.0],
        "audience_gender": [{"female": 0.9, "male": 0.1}, {}],
        "audience_region": [{"beijing": 0.998, "tibet": 0.002}, {}],
    }
    found = ask(kols)["finest"]
    assert np.exp(found["fine"]) == pytest.approx(10)
    assert np.isnan(found["none"])


def test_rules_of_platforms_ask_for_credentials_and_modes(ask: Ask, day: Day) -> None:
    kols = {
        "kol_id": ["plain", "expert", "abroad", "reader"],
        "platform": ["douyin", "xiaohongshu", "instagram", "wechat_mp"],
        "credentials": [("verified",), ("证券从业资格",), (), ()],
    }
    brief = {"vertical": ["finance"], "modes": [("live_commerce", "ad_placement")]}
    found = ask(kols, brief=brief)
    assert found["unlicensed"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert found["modes_limited"].tolist() == [0.0, 0.0, 0.5, 0.5]
    assert ask(kols, brief={"vertical": ["beauty"]})["unlicensed"].tolist() == [0.0] * 4
    assert ask(kols, brief={"vertical": [None]})["unlicensed"].isna().all()
    # Where nobody's credentials are on file, nobody lacks one.
    untold = kols | {"credentials": [()] * 4}
    assert ask(untold, brief=brief)["unlicensed"].isna().all()
