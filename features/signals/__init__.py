"""Signals of fit, in families: one function a family, one list.

To add a family, write a function that takes ``(view, embeddings, config)`` and returns its signals
by name, say what each means, and put it in `FAMILIES`. Everything a signal may know of the past
comes from `features.view.View`, which shows what was known strictly before each pair's ``as_of``.
"""

from __future__ import annotations

from features.signals.affinity import affinity_family
from features.signals.audience import AUDIENCE_SIGNALS, audience
from features.signals.brief import BRIEF, brief
from features.signals.category import CATEGORY, category
from features.signals.conduct import CONDUCT, HABITS, conduct
from features.signals.content import CONTENT, content
from features.signals.engagement import ENGAGEMENT, engagement
from features.signals.family import Family, Side, Signals
from features.signals.growth import GROWTH, growth
from features.signals.mode import MODE, mode
from features.signals.price import PRICE, price
from features.signals.reach import REACH, reach
from features.signals.record import MANNERS, RECORD, record
from features.signals.reputation import REPUTATION, reputation
from features.signals.rivalry import RIVALRY, rivalry
from features.signals.sponsored import SPONSORED, sponsored
from features.signals.style import STYLE, style
from features.signals.vectors import VECTORS, vectors

FAMILIES: tuple[Family, ...] = (
    Family(
        "content",
        content,
        CONTENT,
        "content similarity",
        "内容相似度",
        of_kol=("concentration", "drift"),
    ),
    Family("vectors", vectors, VECTORS, "similarity of own vectors", "自有向量相似度"),
    Family("audience", audience, AUDIENCE_SIGNALS, "audience overlap", "受众重合度"),
    Family(
        "category",
        category,
        CATEGORY,
        "category and platform",
        "品类与平台",
        of_brief=("goal",),
        of_kol=("platform", "verticals", "credentials"),
    ),
    Family("price", price, PRICE, "price and budget", "报价与预算", by_mode=True),
    Family("mode", mode, MODE, "form of collaboration", "合作形式", by_mode=True),
    Family("reach", reach, REACH, "reach", "触达规模", of_kol=REACH),
    Family("engagement", engagement, ENGAGEMENT, "engagement", "互动表现", of_kol=ENGAGEMENT),
    Family("growth", growth, GROWTH, "growth", "成长趋势", of_kol=GROWTH),
    Family("sponsored", sponsored, SPONSORED, "sponsored posts", "商单表现", of_kol=SPONSORED),
    Family(
        "record",
        record,
        RECORD,
        "past collaborations",
        "合作履历",
        by_mode=True,
        of_brief=("brand_experience",),
        of_kol=MANNERS,
    ),
    Family("reputation", reputation, REPUTATION, "reputation", "声誉", of_kol=REPUTATION),
    Family("conduct", conduct, CONDUCT, "conduct", "行为合规", of_kol=HABITS),
    Family("style", style, STYLE, "originality and rhythm", "原创与更新节奏", of_kol=STYLE),
    Family("rivalry", rivalry, RIVALRY, "competitors", "竞品合作", of_kol=("brands",)),
    Family("brief", brief, BRIEF, "the brief itself", "需求本身", of_brief=BRIEF),
)

__all__ = ["FAMILIES", "Family", "Side", "Signals", "affinity_family"]
