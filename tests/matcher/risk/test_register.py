import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.tables import Tables
from features.vectors import Embeddings
from matcher.candidates import Candidates, candidates
from matcher.config import Config
from matcher.risk.evidence import EVIDENCE
from matcher.risk.parts import CAUSES, WEIGHTS, causes
from matcher.risk.register import MOST_EVIDENCE, risk_register
from serving.results import RISKS

CONFIG = Config()
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def market() -> World:
    return simulate(kols=100, briefs=30, seed=4)


def found_in(tables: Tables, as_of: pd.Timestamp, embeddings: Embeddings) -> Candidates:
    """Return everybody for the open briefs, whatever their risk."""
    is_open = tables.briefs["decided_at"].isna()
    briefs = tables.briefs.assign(max_risk=np.nan, competitor_brands=[()] * len(tables.briefs))
    asked = pd.DataFrame({"brief_id": briefs.loc[is_open, "brief_id"], "as_of": as_of})
    pipeline = FeaturePipeline(CONFIG.features, embeddings)
    history = History(tables.replace(briefs=briefs))
    (found,) = candidates(asked, history, pipeline, CONFIG)
    return found


@pytest.fixture(scope="module")
def found(market: World, word_embeddings: Embeddings) -> Candidates:
    return found_in(market.tables, market.as_of, word_embeddings)


@pytest.fixture(scope="module")
def register(market: World, found: Candidates) -> pd.DataFrame:
    return risk_register(found, History(market.tables), CONFIG.features)


def test_it_keeps_the_contract_and_adds_up_to_the_total_that_filters(
    register: pd.DataFrame, found: Candidates
) -> None:
    assert RISKS.faults(RISKS.conform(register)) == []
    spared = (1 - register["weight"] * register["score"]).groupby(
        [register["brief_id"], register["kol_id"]]
    )
    total = 1 - spared.prod()
    shown = found.pairs.assign(risk=found.risk).set_index(["brief_id", "kol_id"])["risk"]
    pd.testing.assert_series_equal(
        total.reindex(shown.index).fillna(0.0), shown, check_names=False, atol=1e-12
    )


def test_every_risk_has_evidence_with_a_number_in_both_languages(register: pd.DataFrame) -> None:
    assert {"claims", "disclosure", "delivery", "fraud"} <= set(register["kind"])
    for en, zh in zip(register["evidence_en"], register["evidence_zh"], strict=True):
        assert 1 <= len(en) == len(zh) <= MOST_EVIDENCE
        assert all(CHINESE.search(text) for text in zh)
        assert all(text and text == text.strip() for text in (*en, *zh))
    counted = register[register["kind"] != "inconsistency"]
    for text in counted["evidence_en"].explode():
        assert re.search(r"\d", text)


def test_posts_that_are_named_are_the_kols_own(register: pd.DataFrame, market: World) -> None:
    owner = market.tables.posts.groupby("post_id")["kol_id"].first()
    for kol_id, texts in zip(register["kol_id"], register["evidence_en"], strict=True):
        for post_id in re.findall(r"\bn\d{8}\b", " ".join(texts)):
            assert owner[post_id] == kol_id


def test_nothing_later_than_the_moment_is_told(market: World, word_embeddings: Embeddings) -> None:
    at = market.as_of - pd.Timedelta(days=150)
    whole = found_in(market.tables, at, word_embeddings)
    cut = found_in(market.tables.as_of(at), at, word_embeddings)
    pd.testing.assert_frame_equal(
        risk_register(whole, History(market.tables), CONFIG.features),
        risk_register(cut, History(market.tables.as_of(at)), CONFIG.features),
    )


def test_what_a_kol_writes_is_quoted_without_tricks(
    market: World, found: Candidates, register: pd.DataFrame
) -> None:
    bad = "\u202e<script>alert(1)</script>\n=cmd|' /C calc'!A0\u200b根治"
    posts = market.tables.posts.assign(text=bad)
    incidents = market.tables.incidents.assign(evidence=bad, kind=bad)
    history = History(market.tables.replace(posts=posts, incidents=incidents))
    worst = found.signals.assign(**{"conduct.claims": 1.0})
    told = risk_register(replace(found, signals=worst), history, CONFIG.features)
    said = [*told["evidence_en"].explode().dropna(), *told["evidence_zh"].explode().dropna()]
    texts = " ".join(said)
    assert "根治" in texts
    assert "\u202e" not in texts
    assert "\u200b" not in texts
    assert "\n" not in texts


def test_every_cause_can_say_what_it_rests_on() -> None:
    assert set(EVIDENCE) == {cause for names in CAUSES.values() for cause in names}


def test_a_list_without_matches_has_no_risks(found: Candidates, market: World) -> None:
    told = risk_register(found.of(found.pairs.index[:0]), History(market.tables), CONFIG.features)
    assert told.empty
    assert list(told) == RISKS.names


def test_the_heaviest_risk_comes_first(register: pd.DataFrame) -> None:
    told = register["weight"] * register["score"]
    for _, rows in told.groupby([register["brief_id"], register["kol_id"]]):
        assert rows.is_monotonic_decreasing


# -- causes that the simulated world does not hold ---------------------------------------------


def _case(word_embeddings: Embeddings, **tables: pd.DataFrame) -> pd.DataFrame:
    """Return the register of one KOL and one brief."""
    told = Tables.of(**tables)
    pairs = pd.DataFrame(
        {"brief_id": ["b"], "kol_id": ["k"], "as_of": pd.Timestamp("2026-06-01", tz="UTC")}
    )
    history = History(told)
    pipeline = FeaturePipeline(CONFIG.features, word_embeddings)
    signals = pipeline.transform(pairs, history)
    empty = pd.DataFrame(index=pairs.index)
    found = Candidates(pairs, signals, empty, empty, pd.Series(0.0, pairs.index), empty)
    assert set(causes(signals)) == set(EVIDENCE)
    return risk_register(found, history, CONFIG.features).set_index("kind")


def _day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def test_a_brief_is_told_of_rivals_blocked_words_languages_and_rules(
    word_embeddings: Embeddings,
) -> None:
    brief = {
        "brief_id": ["b", "other"],
        "brand_id": ["own", "rival"],
        "brand_name": ["自家", "对家"],
        "text": "理财课",
        "language": ["en", "zh"],
        "vertical": ["finance", "finance"],
        "modes": [("live_commerce",), ()],
        "competitor_brands": [("rival",), ()],
        "blocked_terms": [("智商税",), ()],
    }
    kols = {
        "kol_id": ["k", "k", "z"],
        "observed_at": [_day("2025-01-01"), _day("2026-03-01"), _day("2025-01-01")],
        "platform": ["wechat_mp", "wechat_mp", "douyin"],
        "language": ["zh", "zh", "zh"],
        "display_name": ["旧名", "新名", "z"],
        "verticals": [("pets",), ("pets",), ()],
        "credentials": [("verified",), ("verified",), ()],
    }
    posts = {
        "post_id": ["p1", "p2", "p3"],
        "kol_id": "k",
        "observed_at": [_day("2026-04-02"), _day("2026-04-03"), _day("2026-03-03")],
        "published_at": [_day("2026-04-01"), _day("2026-04-02"), _day("2026-03-02")],
        "text": ["这就是智商税", "对家新品", "日常"],
        "brand_id": [None, "rival", None],
        "completion_rate": [0.02, 0.03, 0.025],
        "views": [10.0, 90_000.0, 10.0],
        "likes": [1.0, 1.0, 1.0],
    }
    incidents = {
        "incident_id": ["i1", "i2"],
        "kol_id": "k",
        "known_at": [_day("2026-05-01"), _day("2026-05-20")],
        "kind": ["plagiarism", "rumour"],
        "severity": [0.4, 0.6],
        "evidence": ["被指抄袭", None],
        "resolved_at": [_day("2026-05-10"), None],
    }
    told = _case(
        word_embeddings,
        briefs=pd.DataFrame(brief),
        kols=pd.DataFrame(kols),
        posts=pd.DataFrame(posts),
        incidents=pd.DataFrame(incidents),
    )
    en, zh = told["evidence_en"].map("|".join), told["evidence_zh"].map("|".join)
    assert "for the competitor 对家 on 2026-04-02 (paid post p2)" in en["exclusivity"]
    assert "竞品「对家」" in zh["exclusivity"]
    assert "Post p1 (“这就是智商税”), 2026-04-01" in en["inconsistency"]
    assert "达人使用中文，需求为英文" in zh["inconsistency"]
    assert "达人垂类为宠物，近期没有作品带有财经类标签" in zh["inconsistency"]
    assert (
        "公众号对财经类内容要求相应认证或资质，档案中未见（现有：verified）" in zh["platform_rules"]
    )
    assert (
        "The brief allows only live commerce, which WeChat Official Account does not carry"
        in en["platform_rules"]
    )
    assert "昵称「旧名」改为「新名」" in zh["security"]
    assert (
        "事件 i1（抄袭）：严重度 0.40，2026-05-01 获知，2026-05-10 了结：「被指抄袭」"
        in zh["reputation"]
    )
    assert "Incident i2 (rumour): severity 0.60, known 2026-05-20, not resolved" in en["reputation"]
    assert "平均完播率仅 2.5%" in zh["quality"]
    assert "P90 是 P10 的" in zh["quality"]
    assert (told["weight"] == pd.Series(WEIGHTS).reindex(told.index)).all()


def test_engagement_subject_and_cancellations_are_told_with_their_figures(
    word_embeddings: Embeddings,
) -> None:
    names = ["k", *(f"p{i}" for i in range(9))]
    kols = {
        "kol_id": names,
        "observed_at": _day("2025-01-01"),
        "platform": "douyin",
        "followers": 20_000.0,
        "suspicious_follower_share": [0.4, *[0.02] * 9],
        "audience_interest": [{"beauty": 0.9995, "tea": 0.0005}, *[{}] * 9],
    }
    rows = [
        (
            f"{name}-{i:02d}",
            name,
            _day("2026-04-01") + pd.Timedelta(days=i),
            3000.0 if name == "k" else 300.0,
        )
        for name in names
        for i in range(12)
    ]
    posts = pd.DataFrame(rows, columns=["post_id", "kol_id", "published_at", "likes"])
    posts = posts.assign(
        observed_at=posts["published_at"], views=10_000.0, text="x", is_sponsored=True
    )
    posts["tags"] = [
        ("美妆",) if int(post_id[-2:]) < 6 else ("汽车",) for post_id in posts["post_id"]
    ]
    log = {
        "collaboration_id": ["c1", "c2", "c3"],
        "brief_id": "b",
        "kol_id": "k",
        "status": ["cancelled", "cancelled", "delivered"],
        "shown_at": _day("2025-06-01"),
        "status_at": [_day("2025-07-01"), _day("2025-08-01"), _day("2025-09-01")],
    }
    brief = {"brief_id": ["b"], "brand_id": "own", "text": "x", "vertical": "beauty"}
    told = _case(
        word_embeddings,
        briefs=pd.DataFrame(brief),
        kols=pd.DataFrame(kols),
        posts=posts,
        collaborations=pd.DataFrame(log),
    )
    zh = told["evidence_zh"].map("|".join)
    assert "可疑粉丝占 40%（2025-01-01 数据）" in zh["fraud"]
    assert re.search(r"互动率 \d+\.\d%，比同平台同量级达人的中位水平高 \d", zh["fraud"])
    assert "由美妆转向汽车" in zh["security"]
    assert "较新的 6 条有 6 条属汽车、0 条属美妆" in zh["security"]
    assert "已知 3 次合作中取消 2 次，最近一次 c2（2025-08-01）" in zh["delivery"]
    assert "受众画像细到约 10 人：兴趣「tea」占 0.05%" in zh["privacy"]
    assert "近期 12 条作品中有 12 条商单，占 100%" in zh["over_advertising"]
