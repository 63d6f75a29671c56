"""Platforms, goal, modes and category: what a brief picks from lists that the contract knows."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from features.brieftext.findings import Found, Why
from features.brieftext.plain import Plain
from features.brieftext.words import Hit, Words, is_past, is_refused, words
from features.cells import load_toml
from features.contract import GOALS, MODES, PLATFORMS

_GOAL_LABEL = re.compile(
    r"目标(?!人群|用户|受众|客群|消费|地区|城市|平台|市场)|目的|诉求|kpi|考核|"
    r"(?<![a-z])(?:goals?|objectives?|aim|purpose|looking to|want to|hoping to|kpis?|trying to|"
    r"we need to|primary)(?![a-z])"
)
_MAINLY = re.compile(
    r"为主|为核心|优先|第一|首要|主要|核心|重点|primar|mainly|main|first|above all|most important|"
    r"focus|all about|really"
)
_SECOND = re.compile(
    r"兼顾|其次|辅|顺便|顺带|附带|second|also|nice to have|bonus|as well|along the way|不看|不是|"
    r"不以|not "
)
_WHO = re.compile(
    r"[^,。;\n]{0,6}(?:类|垂类|赛道|领域|方向|区)?(?:的)?(?:达人|博主|kol|koc|up主|账号|红人|"
    r"创作者|主播|号)"
    r"|(?: ?(?:and|&|/|,) ?[a-z]+)? (?:creators?|influencers?|kols?|bloggers?|accounts?|"
    r"youtubers?|tiktokers?)"
)
_CATEGORY_LABEL = re.compile(
    r"(?:类目|品类|行业|产品类别|所属行业|赛道|(?<![a-z])(?:category|vertical|industry|sector))[:|"
    r"]?$"
)
_RED = re.compile(r"(?<![A-Za-z])RED(?![A-Za-z])")
_NO_GOALS = ("product_co_design", "joint_development", "offline_event")
_LEAST = 0.4
"""Weight below which nothing is said of a category: whom to hire tells not what is sold."""
_WIDE = 0.5
"""What the name of a category weighs against a product that belongs to one."""


def platforms(plain: Plain) -> Found | None:
    """Return the platforms that are asked for, those refused or of earlier campaigns left out."""
    hits = words("platforms").find(plain.text)
    for match in _RED.finditer(plain.original):
        # In capitals it is what Xiaohongshu calls itself abroad; in small letters a colour.
        place = next((i for i, at in enumerate(plain.at) if at >= match.start()), None)
        if place is not None:
            hits.append(Hit("xiaohongshu", place, place + 3))
    kept = [h for h in hits if not (_refused_in_list(plain, h, hits) or is_past(plain, h))]
    if not kept:
        return None
    names = {hit.name for hit in kept}
    quotes = dict.fromkeys(plain.shown(h.start, h.end) for h in sorted(kept, key=lambda h: h.start))
    return Found(tuple(p for p in PLATFORMS if p in names), tuple(quotes))


def _refused_in_list(plain: Plain, hit: Hit, hits: list[Hit]) -> bool:
    if is_refused(plain, hit):
        return True
    # "no Facebook, Kwai or YouTube" refuses each of them, commas or not.
    before = [h for h in hits if h.end <= hit.start]
    if not before:
        return False
    last = max(before, key=lambda h: h.end)
    between = plain.text[last.end : hit.start]
    english = re.fullmatch(r", ?(?:and |or )?| (?:and|or) ", between)
    return bool(english) and between.isascii() and _refused_in_list(plain, last, hits)


def goal(plain: Plain) -> Found | None:
    """Return the main goal: what is said to be it, or else what most words are of."""
    hits = [h for h in words("goals").find(plain.text) if not is_past(plain, h)]
    # 不要硬带货 tells how, not that selling is no goal; what is refused still is no goal.
    hits = [h for h in hits if not is_refused(plain, h)]
    # 产品共创 is a mode, and no goal.
    modes = [h for h in words("modes").find(plain.text) if h.name in _NO_GOALS]
    hits = [h for h in hits if not any(m.start <= h.start < m.end for m in modes)]
    if not hits:
        return None
    weights: Counter[str] = Counter()
    labelled = set()
    for place, hit in enumerate(hits):
        weight, is_told = _goal_weight(plain, hit, hits[place - 1].end if place else 0)
        weights[hit.name] += weight  # type: ignore[assignment]
        if is_told:
            labelled.add(hit.name)
    first = {h.name: -h.start for h in hits[::-1]}
    best = max(weights, key=lambda name: (weights[name], first[name], -GOALS.index(name)))
    quotes = tuple(dict.fromkeys(plain.shown(h.start, h.end) for h in hits if h.name == best))
    others = {name for name, weight in weights.items() if name != best and weight >= 1}
    why: Why = "" if best in labelled and not others else "main" if others else "words"
    if len(weights) == 1 and sum(h.name == best for h in hits) > 1:
        why = ""
    return Found(best, quotes, why)


def _goal_weight(plain: Plain, hit: Hit, last_end: int) -> tuple[float, bool]:
    start, end = plain.sentence(hit.start)
    text = plain.text
    before = text[max(start, last_end, hit.start - 24) : hit.start]
    after = text[hit.end : min(end, hit.end + 6)]
    line = text[start : hit.start]
    if not line.strip(" |:-+•·0123456789.") and start:
        above, _ = plain.sentence(max(0, start - 2))
        line = text[above : hit.start]
    weight = 1.0
    label = list(_GOAL_LABEL.finditer(line[-60:]))
    if label:
        # What is named first after the label is the goal, the rest follows from it.
        between = line[-60:][label[-1].end() :]
        weight += 3.0 if not words("goals").find(between) else 1.2
    if _MAINLY.search(before) or re.match(
        r"(?:量|率|度)?(?:为|是)?(?:主|核心|优先|第一|首要)", after
    ):
        weight += 2.5
    if _SECOND.search(before):
        weight *= 0.3
    number = re.match(r"[^,。;\n]{0,4}\d", text[hit.end : hit.end + 6])
    if number and not label:
        weight *= 0.6
    return weight, bool(label)


def modes(plain: Plain) -> Found | None:
    """Return the modes of collaboration that are asked for."""
    hits = [
        h
        for h in words("modes").find(plain.text)
        if not (is_refused(plain, h) or is_past(plain, h) or _is_no_mode(plain, h))
    ]
    if not hits:
        return None
    names = {hit.name for hit in hits}
    quotes = tuple(dict.fromkeys(plain.shown(h.start, h.end) for h in hits))
    return Found(tuple(m for m in MODES if m in names), quotes)


def _is_no_mode(plain: Plain, hit: Hit) -> bool:
    """Tell whether a word of a mode is said of something else: a store, a price, a goal."""
    after = plain.text[hit.end : hit.end + 6]
    before = plain.text[max(0, hit.start - 5) : hit.start]
    if re.match(r"门店|渠道|商超|药店|零售|价|专柜|销售|店(?!打卡)| stores?| retail", after):
        return True
    if hit.name == "offline_event" and re.search(r"门店|线上$|线上和$", before):
        return True
    quoted = plain.text[hit.start : hit.end]
    return (
        quoted in ("challenge", "challenges")
        and not re.match(r"s? ?(?:on|with|video|#|:)", after)
        and not re.search(r"[a-z#] $", before)
    )


@cache
def _categories() -> tuple[Words, Words]:
    wide = load_toml("vocabulary.toml")["words"]["vertical"]
    names = {name: [name, *ws] for name, ws in wide.items()}
    # Words of other meanings in running text: a car may be a game's, work is what creators do.
    common = {"work", "job", "love", "style", "digital", "family", "business", "science", "news"}
    common |= {"car", "cars", "trip", "learning", "tv", "photo", "celebrity", "property", "design"}
    common |= {
        "校园",
        "科普",
        "知识",
        "时事",
        "资讯",
        "生活",
        "日常",
        "设计",
        "学习",
        "明星",
        "商业",
        "科技",
        "潮流",
        "车",
        "剧",
        "酒",
        "拍照",
        "剧情",
        "投资",
        "人文",
        "健康",
        "运动",
        "娱乐",
        "幽默",
        "恋爱",
        "情感",
        "vlog",
        "drink",
        "dating",
        "entertainment",
        "career",
        "comedy",
        "kids",
        "mom",
        "lifestyle",
        "出行",
        "居家",
        "制造",
        "diy",
        "f",
        "m",
        "reading",
        "animals",
        "game",
        "games",
        "sport",
        "sports",
        "art",
        "work",
        "funny",
        "humor",
        "music",
        "dance",
    }
    kept = {name: [w for w in ws if w not in common] for name, ws in names.items()}
    return words("verticals"), Words({name: ws for name, ws in kept.items() if ws})


def vertical(plain: Plain) -> Found | None:
    """Return the category of the product: what is labelled so, or what its words belong to."""
    products, names = _categories()
    weights: Counter[str] = Counter()
    quotes: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    told: str | None = None
    known = products.find(plain.text)
    taken = {h.start for h in known}
    wide = [h for h in names.find(plain.text) if h.start not in taken]
    for hits, weight in ((known, 1.0), (wide, _WIDE)):
        for hit in hits:
            start, _ = plain.sentence(hit.start)
            # What stands early is what the brief is about.
            early = 2.0 if hit.start < 60 else 1.3 if hit.start < 160 else 1.0
            share = 0.15 if _WHO.match(plain.text[hit.end :]) else 1.0
            if is_refused(plain, hit) or is_past(plain, hit):
                share = 0.0
            if _CATEGORY_LABEL.search(plain.text[start : hit.start]):
                told = told or hit.name
            weights[hit.name] += weight * early * share  # type: ignore[assignment]
            first[hit.name] = min(hit.start, first.get(hit.name, hit.start))
            quotes.setdefault(hit.name, []).append(plain.shown(hit.start, hit.end))
    # Of two that weigh the same the one that is named first.
    best = told or max(weights, key=lambda name: (weights[name], -first[name]), default=None)
    if best is None or not (told or weights[best] >= _LEAST):
        return None
    return Found(best, tuple(dict.fromkeys(quotes[best]))[:4], "" if told else "words")
