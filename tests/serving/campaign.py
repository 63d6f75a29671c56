"""A published run written by hand: two briefs, a plan for one, and all there is to tell of it."""

from __future__ import annotations

import pandas as pd

from features.contract import BRIEFS
from features.tables import Tables
from serving.publish import Run
from serving.results import DETAILS, EXCLUSIONS, MATCHES


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


AS_OF = day("2026-06-30")
RUN = Run(
    run_id="20260630-v3",
    as_of=AS_OF,
    model_version="3",
    model_hash="abc",
    encoder_id="usem3",
    data_versions={"kols": "7"},
    config_hash="def",
    seed=0,
    top=20,
    created_at=AS_OF + pd.Timedelta(hours=1),
    basis="outcomes",
)
NAMES = {"k1": "小红", "k2": "阿明测评", "k3": "Lily", "k4": "老王聊车", "k5": "豆豆妈"}
PLATFORM = {
    "k1": "douyin",
    "k2": "douyin",
    "k3": "xiaohongshu",
    "k4": "bilibili",
    "k5": "xiaohongshu",
}
MODE = {
    "k1": "live_commerce",
    "k2": "ad_placement",
    "k3": "co_creation",
    "k4": "sponsorship",
    "k5": "ad_placement",
}
PRICE = {"k1": 12000.0, "k2": 8000.0, "k3": 6500.0, "k4": 20000.0, "k5": 3000.0}
VALUE = {"k1": 30000.0, "k2": 15000.0, "k3": 9000.0, "k4": 18000.0, "k5": 2000.0}


def briefs() -> pd.DataFrame:
    return BRIEFS.conform(
        pd.DataFrame(
            {
                "brief_id": ["b1", "b2"],
                "brand_id": ["sun", "car"],
                "brand_name": ["晴朗防晒", "Acme"],
                "title": ["夏季防晒上新", "Autumn launch"],
                "text": ["夏季防晒，带货为主", "Autumn launch"],
                "goal": ["conversion", "seeding"],
                "budget": [30000.0, None],
                "currency": ["CNY", "CNY"],
                "competitor_brands": [["shade"], []],
                "starts_at": [day("2026-07-10"), None],
                "ends_at": [day("2026-07-31"), None],
                "product_price": [129.0, None],
                "gross_margin": [0.6, None],
            }
        )
    )


def matches() -> pd.DataFrame:
    ids = ["k1", "k2", "k3", "k4", "k5", "k2"]
    brief = ["b1"] * 5 + ["b2"]
    frame = pd.DataFrame(
        {
            "brief_id": brief,
            "rank": [1, 2, 3, 4, 5, 1],
            "kol_id": ids,
            "platform": [PLATFORM[k] for k in ids],
            "display_name": [NAMES[k] for k in ids],
            "person_id": ids,
            "tier": ["mid", "micro", "micro", "macro", "nano", "micro"],
            "followers": [320000.0, 88000, 45000, 760000, 8000, 88000],
            "mode": [MODE[k] for k in ids],
            "price": [PRICE[k] for k in ids],
            "currency": ["CNY"] * 6,
            "price_low": [9000.0, 5000, 5000, None, 2000, 5000],
            "price_high": [14000.0, 9000, 7000, None, 2500, 9000],
            "fit": [0.91, 0.88, 0.84, 0.7, 0.5, 0.6],
            "score": [2.0, 1.5, 1.2, 0.4, -0.3, 0.1],
            "views_p10": [40000.0, 20000, 9000, 80000, 800, 20000],
            "views_p50": [120000.0, 60000, 30000, 240000, 2500, 60000],
            "views_p90": [350000.0, 180000, 90000, 700000, 7000, 180000],
            "cvr": [0.031, 0.022, 0.018, 0.012, 0.01, None],
            "accept": [0.7, 0.6, 0.8, 0.4, 0.9, 0.6],
            "roi_p10": [-0.2, -0.5, -0.6, -0.9, -1.0, None],
            "roi_p50": [1.5, 0.9, 0.4, -0.1, -1.0, None],
            "roi_p90": [3.9, 2.2, 1.6, 0.8, -0.2, None],
            "value": [VALUE[k] for k in ids[:5]] + [900.0],
            "risk": [0.05, 0.35, 0.08, 0.12, 0.0, 0.35],
            "stage": ["rising", "stable", None, "declining", "stable", "stable"],
            "reasons_zh": [("近30天播放中位数 12.4万", "报价低于同类"), ("互动率 8.1%",)]
            + [("内容相近",)] * 4,
            "reasons_en": [("Median of 124k views", "Cheaper than peers"), ("Engagement 8.1%",)]
            + [("Close to the brief",)] * 4,
            "caution_zh": ["近期商单较多", None, "样本少", None, None, None],
            "caution_en": ["Many paid posts lately", None, "Few posts", None, None, None],
            "evidence": [{"price.cpm": 100.0, "reach.percentile": 0.83}] + [{}] * 5,
            "basis": ["outcomes"] * 6,
            "list_chance": [1.0] * 6,
            "explored": [False, False, False, False, True, False],
        }
    )
    return frame.reindex(columns=MATCHES.names)


def exclusions() -> pd.DataFrame:
    return EXCLUSIONS.conform(
        pd.DataFrame(
            {
                "brief_id": ["b1", "b1", "b2"],
                "reason": ["platform", "eligible", "eligible"],
                "kols": [6, 5, 11],
                "text_en": ["other platform", "may serve", "may serve"],
                "text_zh": ["平台不符", "符合条件", "符合条件"],
            }
        )
    )


def details() -> dict[str, pd.DataFrame]:
    tables = {
        "plans": pd.DataFrame(
            {
                "brief_id": ["b1", "b1"],
                "step": [1.0, 0.5],
                "status": ["optimal", "optimal"],
                "gap": [0.0, 0.0],
                "budget": [30000.0, 15000.0],
                "currency": ["CNY", "CNY"],
                "spent": [26500.0, 12000.0],
                "kols": [3, 1],
                "value": [31000.0, 19000.0],
                "value_p10": [9000.0, 4000.0],
                "value_p90": [60000.0, 41000.0],
                "reach": [150000.0, 90000.0],
                "risk": [0.2, 0.05],
                "notes_zh": [("预算再增 10%：新增价值约 2,100 元",), ()],
                "notes_en": [("10% more budget would bring about 2,100 CNY",), ()],
            }
        ),
        "planned": pd.DataFrame(
            {
                "brief_id": ["b1"] * 6,
                "step": [1.0] * 5 + [0.5],
                "kol_id": ["k5", "k3", "k1", "k2", "k4", "k1"],
                "chosen": [False, True, True, True, False, True],
                "mode": [MODE[k] for k in ["k5", "k3", "k1", "k2", "k4", "k1"]],
                "price": [PRICE[k] for k in ["k5", "k3", "k1", "k2", "k4", "k1"]],
                "currency": ["CNY"] * 6,
                "value": [1800.0, 6600.0, 20000.0, 5900.0, 6300.0, 20000.0],
                "reach": [None, 20000.0, 90000.0, 40000.0, None, 90000.0],
                "entry_price": [900.0, None, None, None, 18000.0, None],
            }
        ),
        "options": pd.DataFrame(
            {
                "brief_id": ["b1", "b1"],
                "kol_id": ["k1", "k1"],
                "mode": ["live_commerce", "ad_placement"],
                "recommended": [True, False],
                "price": [12000.0, 9000.0],
                "currency": ["CNY", "CNY"],
                "price_low": [9000.0, 6000.0],
                "price_high": [14000.0, 11000.0],
                "value": [30000.0, 11000.0],
                "views_p10": [40000.0, 30000.0],
                "views_p50": [120000.0, 90000.0],
                "refund_rate": [0.18, 0.1],
                "signed": [4, 0],
                "why_zh": ["带过 4 场，转化高", "没有植入经验"],
                "why_en": ["Four live sales before", "No placement before"],
            }
        ),
        "risks": pd.DataFrame(
            {
                "brief_id": ["b1", "b1", "b2"],
                "kol_id": ["k2", "k1", "k2"],
                "kind": ["fraud", "over_advertising", "fraud"],
                "score": [0.5, 0.17, 0.5],
                "weight": [0.6, 0.3, 0.6],
                "evidence_zh": [("可疑粉丝占比 50%",), ("商单占比 45%",), ()],
                "evidence_en": [("50% suspicious followers",), ("45% paid posts",), ()],
            }
        ),
        "successors": pd.DataFrame(
            {
                "brief_id": ["b1"],
                "kol_id": ["k4"],
                "rank": [1],
                "successor_id": ["k9"],
                "display_name": ["新车小李"],
                "platform": ["bilibili"],
                "tier": ["micro"],
                "similarity": [0.88],
                "price": [6000.0],
                "currency": ["CNY"],
                "growth": [0.12],
            }
        ),
        "precedents": pd.DataFrame(
            {
                "brief_id": ["b1"],
                "kol_id": ["k1"],
                "rank": [1],
                "collaboration_id": ["c77"],
                "with_kol_id": ["k1"],
                "with_name": ["小红"],
                "title": ["去年防晒"],
                "brand_name": ["晴朗防晒"],
                "similarity": [0.93],
                "mode": ["live_commerce"],
                "status": ["delivered"],
                "at": [day("2025-07-02")],
                "cost": [10000.0],
                "currency": ["CNY"],
                "views": [98000],
                "orders": [310],
                "gmv": [39990.0],
            }
        ),
    }
    return {name: DETAILS[name].conform(frame) for name, frame in tables.items()}


def tables() -> Tables:
    """Return what was known: quotes with their availability, and work for a competitor."""
    kols = pd.DataFrame(
        {
            "kol_id": [*NAMES, "k9"],
            "observed_at": [day("2026-06-01")] * 6,
            "platform": [*PLATFORM.values(), "bilibili"],
            "display_name": [*NAMES.values(), "新车小李"],
        }
    )
    rates = pd.DataFrame(
        {
            "kol_id": ["k1", "k2", "k3", "k3"],
            "mode": [MODE[k] for k in ["k1", "k2", "k3", "k3"]],
            "quoted_at": [day(t) for t in ("2026-06-01", "2026-06-01", "2026-06-01", "2026-07-01")],
            "price": [12000.0, 8000.0, 6500.0, 9999.0],
            "currency": ["CNY"] * 4,
            "available_from": [None, day("2026-07-20"), day("2026-08-05"), day("2026-07-10")],
            "available_to": [None, day("2026-07-22"), day("2026-08-20"), day("2026-07-12")],
        }
    )
    rival = pd.DataFrame(
        {
            "brief_id": ["old"],
            "brand_id": ["shade"],
            "text": ["rival"],
            "decided_at": [day("2026-06-10")],
        }
    )
    works = pd.DataFrame(
        {
            "collaboration_id": ["c1"],
            "brief_id": ["old"],
            "kol_id": ["k2"],
            "status": ["signed"],
            "status_at": [day("2026-06-20")],
            "shown_at": [day("2026-06-10")],
            "signed_at": [day("2026-06-20")],
        }
    )
    return Tables.of(
        briefs=pd.concat([briefs(), BRIEFS.conform(rival)], ignore_index=True),
        kols=kols,
        rates=rates,
        collaborations=works,
    )
