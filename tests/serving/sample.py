"""A published run made by hand: 30 matches with every detail, and the tables behind them.

`sample` is deterministic. With `hostile` every text that somebody else could have written is one
of `tests.hostile.HOSTILE`, in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd

from features.contract import SPECS
from features.tables import Tables
from serving import results
from serving.publish import Published, Run
from tests.hostile import HOSTILE

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")
BRIEF, NOBODY, BARE = "b1", "b2", "../b3 <i>"
"""A brief with matches, one without, and one of which nothing is known but its id."""
STEPS = np.round(np.arange(0.5, 1.51, 0.1), 1)
NAMES = [
    "栗子护肤日记",
    "成分党阿May",
    "小鹿不上班",
    "老陈测评",
    "Mia的化妆包",
    "橘子汽水",
    "林深见鹿",
    "一只薯仔",
]
NAMES += [
    "敏感肌自救指南",
    "皮皮家的日常",
    "实验室女孩",
    "王大锤说护肤",
    "夏夏Summer",
    "甜橙课代表",
    "北方姑娘",
    "江小白不白",
]
NAMES += [
    "Dr.林皮肤科",
    "糯米糍",
    "晚风与猫",
    "周周试色",
    "豆浆油条",
    "木子的梳妆台",
    "阿ken",
    "南瓜马车",
    "小满测评室",
]
NAMES += ["苏苏", "美妆冷知识", "一颗柚子", "空瓶记", "拾光"]
BIOS = "成分党｜敏感肌｜每周三更新｜商务请私信"
POSTS = [
    "换季泛红怎么办？这支面霜我回购了三次",
    "成分表拆解：神经酰胺到底要多少才有用",
    "早C晚A踩坑合集，敏感肌千万别学",
]


def run(basis: str = "outcomes") -> Run:
    learned = basis != "content"
    return Run(
        run_id="20260630-v3",
        as_of=AS_OF,
        model_version="3" if learned else None,
        model_hash="8f14e45fceea167a" if learned else None,
        encoder_id="usem3",
        data_versions={"kols": "7", "posts": "9"},
        config_hash="c4ca4238a0b92382",
        seed=0,
        top=30,
        created_at=AS_OF + pd.Timedelta(hours=1),
        basis=basis,
    )


def sample(
    count: int = 30, *, hostile: bool = False, goal: str = "seeding"
) -> tuple[Published, Tables]:
    """Return a run and its tables."""
    made = _Made(count, hostile, goal)
    details = {
        "options": made.options(),
        "risks": made.risks(),
        "successors": made.successors(),
        "precedents": made.precedents(),
        "plans": made.plans(),
        "planned": made.planned(),
    }
    published = Published(
        run(),
        _conformed(results.MATCHES, made.matches),
        _conformed(results.EXCLUSIONS, made.exclusions()),
        {name: _conformed(results.DETAILS[name], frame) for name, frame in details.items()},
    )
    return published, made.tables()


def bare(basis: str = "content") -> tuple[Published, Tables]:
    """Return a run of which nothing is known that may be unknown."""
    matches = pd.DataFrame({"brief_id": BARE, "rank": [1, 2], "kol_id": ["k1", "k2"]})
    exclusions = pd.DataFrame({"brief_id": [BARE], "reason": ["eligible"], "kols": [2]})
    published = Published(
        run(basis),
        _conformed(results.MATCHES, matches.assign(basis=basis)),
        _conformed(results.EXCLUSIONS, exclusions),
        {name: spec.empty() for name, spec in results.DETAILS.items()},
    )
    return published, Tables.of()


def _conformed(spec: Any, frame: pd.DataFrame) -> pd.DataFrame:
    conformed = spec.conform(frame)
    for name in ("rank", "kols"):  # as `serving.publish.read_run` has them
        if name in conformed and spec.name in ("matches", "exclusions"):
            conformed[name] = conformed[name].astype(np.int64)
    if spec.name == "matches":
        for name in ("evidence", "contributions", "figures"):
            given = frame.get(name, pd.Series([None] * len(frame)))
            conformed[name] = given.astype(object).reset_index(drop=True)
    return conformed


class _Made:
    def __init__(self, count: int, hostile: bool, goal: str) -> None:
        self.random = np.random.default_rng(5)
        self.count, self.goal = count, goal
        self.texts: Iterator[str] | None = cycle(HOSTILE.values()) if hostile else None
        self.ids = [f"k{number:03d}" for number in range(count)]
        self.matches = self._matches()

    def says(self, text: str) -> str:
        """Return a text that somebody else wrote: this, or something harmful."""
        return next(self.texts) if self.texts else text

    def _matches(self) -> pd.DataFrame:
        draw, n = self.random, self.count
        followers = np.round(np.exp(draw.normal(11.4, 1.2, n)), -2)
        views = np.round(followers**0.8 * np.exp(draw.normal(1.6, 0.5, n)))
        price = np.round(followers**0.7 * np.exp(draw.normal(1.0, 0.3, n)), -2) + 300
        tiers = pd.cut(
            followers, [0, 1e4, 1e5, 5e5, 1e6, np.inf], labels=[*results.MATCHES["tier"].choices]
        )
        frame = pd.DataFrame(
            {
                "brief_id": BRIEF,
                "rank": np.arange(1, n + 1),
                "kol_id": self.ids,
                "platform": draw.choice(["xiaohongshu", "douyin", "bilibili", "kuaishou"], n),
                "display_name": [self.says(NAMES[i % len(NAMES)]) for i in range(n)],
                "person_id": self.ids,
                "tier": tiers.astype(str),
                "followers": followers,
                "mode": draw.choice(["ad_placement", "co_creation", "live_commerce"], n),
                "price": price,
                "currency": "CNY",
                "price_low": np.round(price * 0.8, -2),
                "price_high": np.round(price * draw.uniform(0.95, 1.6, n), -2),
                "fit": np.sort(draw.uniform(0.35, 0.98, n))[::-1],
                "score": -np.arange(n) / 10,
                "engagement_rate": draw.uniform(0.03, 0.12, n),
                "ctr": draw.uniform(0.004, 0.03, n),
                "cvr": draw.uniform(0.01, 0.05, n),
                "accept": draw.uniform(0.45, 0.9, n),
                "refund_rate": draw.uniform(0.03, 0.2, n),
                "value": np.round(views * draw.uniform(0.02, 0.05, n)),
                "risk": draw.beta(1.4, 6, n),
                "median_views": np.round(views * 0.9),
                "stage": draw.choice(["rising", "stable", "declining"], n, p=[0.4, 0.45, 0.15]),
                "halving": draw.uniform(0.05, 0.4, n),
                "basis": "outcomes",
                "list_chance": 1.0,
                "explored": [i == n - 1 for i in range(n)],
            }
        )
        spread(frame, "views", views, 0.4, 2.4)
        spread(frame, "engagements", views * 0.07, 0.35, 2.6)
        spread(frame, "orders", views * 0.0004, 0.2, 3.2)
        spread(frame, "gmv", views * 0.08, 0.2, 3.2)
        spread(frame, "cpm", price / views * 1000, 0.45, 2.2)
        roi = draw.normal(0.6, 0.9, n)
        frame = frame.assign(roi_p10=roi - 0.8, roi_p50=roi, roi_p90=roi + 1.6)
        frame = frame.assign(clicks_p50=views * 0.012, cpe_p50=price / (views * 0.07), cpa_p50=80.0)
        frame["reasons_zh"] = [self._reasons_zh(i) for i in range(n)]
        frame["reasons_en"] = [self._reasons_en(i) for i in range(n)]
        frame["caution_zh"] = [
            self.says("近90天商单占比 41%，高于同量级 72% 的达人") for _ in range(n)
        ]
        frame["caution_en"] = [
            self.says("41% of posts in 90 days were paid, above 72% of the tier") for _ in range(n)
        ]
        frame["evidence"] = [
            {"content.post_1": f"{k}-p0", "content.post_2": f"{k}-p1"} for k in self.ids
        ]
        families = ("price", "reach", "content", "growth", "audience", "sponsored")
        added = draw.normal(0, 0.3, (n, len(families)))
        frame["contributions"] = [dict(zip(families, row, strict=True)) for row in added.tolist()]
        figures = ("content.top3", "audience.match", "growth.followers_a_month", "style.posts_90")
        drawn = draw.uniform(0.05, 0.9, (n, len(figures))).round(3)
        frame["figures"] = [dict(zip(figures, row, strict=True)) for row in drawn.tolist()]
        return frame

    def _reasons_zh(self, i: int) -> tuple[str, ...]:
        return (
            self.says(f"近30天播放中位数 {12.4 + i / 10:.1f}万，高于同量级 83% 的达人"),
            self.says("目标人群重合 68%：女性 25–34 岁、一线与新一线城市占比突出"),
            self.says(f"预估 CPM 56.1 元，处于同类报价区间，性价比高于名单中 {70 - i}% 的达人"),
        )

    def _reasons_en(self, i: int) -> tuple[str, ...]:
        return (
            self.says(f"Median views of 30 days {124 + i}k, above 83% of the tier"),
            self.says("68% of the audience is the target: women 25–34 in first-tier cities"),
            self.says(
                f"CPM about 56.1 CNY within the usual band, better than {70 - i}% of the list"
            ),
        )

    def options(self) -> pd.DataFrame:
        found = []
        for row in self.matches.to_dict("records"):
            others = [m for m in ("q_and_a", "sponsorship") if m != row["mode"]]
            for place, mode in enumerate([row["mode"], *others]):
                factor = 1 - 0.15 * place
                told = {c: row[c] for c in results.OPTIONS.names if c in row}
                told |= {
                    "mode": mode,
                    "recommended": place == 0,
                    "price": round(row["price"] * factor),
                    "value": row["value"] * factor * (0.9 if place else 1),
                    "signed": 6.0 - 2 * place,
                    "why_zh": "做过 6 次该形式，单位费用产出最高"
                    if place == 0
                    else "做过的次数少，把握不足",
                    "why_en": "6 done in this mode, most value per yuan"
                    if place == 0
                    else "Seldom done",
                }
                found.append(told)
        return pd.DataFrame(found)

    def risks(self) -> pd.DataFrame:
        kinds = ("claims", "over_advertising", "fraud")
        return pd.DataFrame(
            [
                {
                    "brief_id": BRIEF,
                    "kol_id": kol_id,
                    "kind": kind,
                    "score": (0.55, 0.3, 0.12)[place],
                    "weight": 0.5,
                    "evidence_zh": (
                        self.says(
                            f"2026-05-1{place} 作品 {kol_id}-p{place} 出现绝对化用语“最有效”"
                        ),
                    ),
                    "evidence_en": (
                        self.says(f"Post {kol_id}-p{place} of 2026-05-1{place} says ‘best’"),
                    ),
                }
                for number, kol_id in enumerate(self.ids)
                for place, kind in enumerate(kinds[: 1 + number % 3])
            ]
        )

    def successors(self) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {
                    "brief_id": BRIEF,
                    "kol_id": kol_id,
                    "rank": rank,
                    "successor_id": f"s{rank}",
                    "display_name": self.says(("晴天小筑", "阿圆护肤")[rank - 1]),
                    "platform": "xiaohongshu",
                    "tier": "micro",
                    "similarity": 0.8 - rank / 20,
                    "price": 900.0 + 100 * rank,
                    "currency": "CNY",
                    "growth": 0.12 / rank,
                }
                for kol_id in self.ids
                for rank in (1, 2)
            ]
        )

    def precedents(self) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {
                    "brief_id": BRIEF,
                    "kol_id": kol_id,
                    "rank": rank,
                    "collaboration_id": f"{kol_id}-c{rank}",
                    "with_kol_id": kol_id if rank == 1 else "k000",
                    "with_name": self.says("栗子护肤日记"),
                    "title": self.says("春季修护精华种草"),
                    "brand_name": self.says("澜心"),
                    "similarity": 0.7,
                    "mode": "ad_placement",
                    "status": "delivered",
                    "at": AS_OF - pd.Timedelta(days=90 * rank),
                    "cost": 5200.0,
                    "currency": "CNY",
                    "views": 182_000.0,
                    "engagements": 9_100.0,
                    "orders": 260.0,
                    "gmv": 41_000.0,
                }
                for kol_id in self.ids
                for rank in (1, 2)
            ]
        )

    def _sets(self) -> dict[float, list[int]]:
        each = self.matches["value"] * self.matches["accept"] / self.matches["price"]
        order = each.sort_values(ascending=False, kind="stable").index
        spent = self.matches["price"].loc[order].cumsum()
        return {float(step): list(order[spent <= self.budget * step]) for step in STEPS}

    @property
    def budget(self) -> float:
        return float(np.round(self.matches["price"].sum() / 3, -4))

    def plans(self) -> pd.DataFrame:
        rows = []
        for step, members in self._sets().items():
            of = self.matches.loc[members]
            value = float((of["value"] * of["accept"]).sum())
            views = float(of["views_p50"].sum())
            rows.append(
                {
                    "brief_id": BRIEF,
                    "step": step,
                    "status": "optimal",
                    "gap": 0.0,
                    "budget": self.budget * step,
                    "currency": "CNY",
                    "spent": of["price"].sum(),
                    "kols": len(of),
                    "value": value,
                    "reach": views * 0.62,
                    "risk": float(of["risk"].mean()),
                    "engagements_p50": views * 0.07,
                    **{f"value_{end}": value * f for end, f in ENDS},
                    **{f"views_{end}": views * f for end, f in ENDS},
                    **{f"orders_{end}": views * 0.0004 * f for end, f in ENDS},
                    **{f"gmv_{end}": views * 0.08 * f for end, f in ENDS},
                    **{f"roi_{end}": f - 0.5 for end, f in ENDS},
                    "notes_zh": ("预算再增加 10%，预期收藏与分享约多 6.2%",),
                    "notes_en": ("Another 10% of budget would bring about 6.2% more",),
                }
            )
        rows.append(
            {**rows[0], "brief_id": NOBODY, "step": 1.0, "status": "infeasible", "kols": 0.0}
        )
        return pd.DataFrame(rows)

    def planned(self) -> pd.DataFrame:
        rows = []
        for step, members in self._sets().items():
            for number, row in enumerate(self.matches.to_dict("records")):
                chosen = number in members
                if not chosen and step != 1:
                    continue
                told = {
                    "brief_id": BRIEF,
                    "step": step,
                    "kol_id": row["kol_id"],
                    "chosen": chosen,
                    "mode": row["mode"],
                    "price": row["price"],
                    "currency": "CNY",
                    "value": row["value"] * row["accept"],
                    "reach": row["views_p50"] * 0.62 if chosen else np.nan,
                    "entry_price": np.nan if chosen else round(row["price"] * (0.95 - number / 80)),
                }
                rows.append(told)
        return pd.DataFrame(rows)

    def exclusions(self) -> pd.DataFrame:
        counts = {"platform": 412, "price": 96, "audience": 140, "risk": 12, "eligible": 340}
        words = {
            "platform": ("is on a platform the brief does not ask for", "平台不在投放范围内"),
            "price": ("asks more than the brief pays for one KOL", "报价高于单个达人上限"),
            "audience": ("reaches too little of the target audience", "受众匹配度不足"),
            "risk": ("is riskier than the brief accepts", "风险高于上限"),
            "eligible": ("may serve the brief", "符合硬性条件"),
        }
        return pd.DataFrame(
            [
                {
                    "brief_id": b,
                    "reason": code,
                    "kols": k,
                    "text_en": words[code][0],
                    "text_zh": words[code][1],
                }
                for b in (BRIEF, NOBODY)
                for code, k in counts.items()
            ]
        )

    def tables(self) -> Tables:
        brief = {
            "brand_id": "brand",
            "brand_name": self.says("澜心 LANXIN"),
            "title": self.says("屏障修护面霜 · 秋季种草"),
            "text": self.says(
                "新品屏障修护面霜，主打敏感肌换季维稳。希望找真实分享型达人，突出成分与使用感，"
                "避免夸大功效。优先小红书与抖音，B站做一条深度测评。"
            ),
            "language": "zh",
            "goal": self.goal,
            "vertical": "skincare",
            "platforms": ("xiaohongshu", "douyin", "bilibili", "kuaishou"),
            "modes": ("ad_placement", "co_creation", "live_commerce", "q_and_a", "sponsorship"),
            "budget": self.budget,
            "currency": "CNY",
            "max_price_per_kol": 60_000.0,
            "kols_wanted": 12.0,
            "product_price": 298.0,
            "gross_margin": 0.62,
            "audience_gender": {"female": 0.85, "male": 0.15},
            "audience_age": {"25-34": 0.6, "18-24": 0.4},
            "audience_city_tier": {"tier1": 0.5, "new_tier1": 0.5},
            "starts_at": pd.Timestamp("2026-09-01", tz="UTC"),
            "ends_at": pd.Timestamp("2026-10-15", tz="UTC"),
        }
        briefs = pd.DataFrame([{"brief_id": b, **brief} for b in (BRIEF, NOBODY)])
        kols, posts = [], []
        for number, kol_id in enumerate(self.ids):
            kols += self._profiles(number, kol_id)
            posts += self._posts(kol_id)
        frames = {"briefs": briefs, "kols": pd.DataFrame(kols), "posts": pd.DataFrame(posts)}
        return Tables.of(**{name: SPECS[name].conform(frame) for name, frame in frames.items()})

    def _profiles(self, number: int, kol_id: str) -> list[dict[str, Any]]:
        followers = float(self.matches["followers"][number])
        female = float(self.random.uniform(0.55, 0.92))
        growth = {"rising": 0.05, "stable": 0.01, "declining": -0.02}[self.matches["stage"][number]]
        bio = self.says(BIOS)
        return [
            {
                "kol_id": kol_id,
                "observed_at": AS_OF - pd.Timedelta(days=30 * back + 1),
                "platform": self.matches["platform"][number],
                "display_name": self.matches["display_name"][number],
                "bio": bio,
                "region": "CN-SH",
                "mcn": bio if self.texts else ("无忧传媒" if number % 3 == 0 else None),
                "verticals": ("skincare", "beauty"),
                "followers": round(
                    followers / (1 + growth) ** back * (1 + 0.01 * np.sin(back + number))
                ),
                "active_follower_share": 0.62,
                "suspicious_follower_share": 0.04 + 0.01 * (number % 10),
                "audience_gender": {"female": round(female, 3), "male": round(1 - female, 3)},
                "audience_age": {"18-24": 0.38, "25-34": 0.42, "35-44": 0.14, "45+": 0.06},
                "audience_region": {"CN-SH": 0.16, "CN-GD": 0.14, "CN-ZJ": 0.11, "CN-JS": 0.1},
                "audience_city_tier": {"tier1": 0.31, "new_tier1": 0.33, "tier2": 0.2},
                "audience_interest": {"beauty": 0.4, "fashion": 0.2, "food": 0.12},
            }
            for back in range(12)
        ]

    def _posts(self, kol_id: str) -> list[dict[str, Any]]:
        return [
            {
                "post_id": f"{kol_id}-p{number}",
                "observed_at": AS_OF - pd.Timedelta(days=14 * number + 2),
                "kol_id": kol_id,
                "published_at": AS_OF - pd.Timedelta(days=14 * number + 5),
                "text": self.says(POSTS[number % 3]),
                "views": float(round(40_000 * np.exp(self.random.normal(0, 0.4)))),
                "likes": 2_300.0,
                "comments": 210.0,
                "shares": 180.0,
                "saves": 940.0,
                "completion_rate": 0.41,
                "is_sponsored": number % 2 == 1,
            }
            for number in range(20)
        ]


ENDS = (("p10", 0.62), ("p50", 1.0), ("p90", 1.55))


def spread(frame: pd.DataFrame, name: str, median: Any, low: float, high: float) -> None:
    """Set the three columns of an uncertain figure."""
    for end, factor in (("p10", low), ("p50", 1.0), ("p90", high)):
        frame[f"{name}_{end}"] = np.round(median * factor, 2)
