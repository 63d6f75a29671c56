"""Whom a brief wants to reach, as mixes by the names that the contract's audiences have.

Shares that are told are taken. Where none is, what is named shares the whole evenly; "mainly" is
`MAINLY`. A range of ages is spread over the usual bands by its years.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from features.brieftext.findings import Found, Why
from features.brieftext.plain import Plain
from features.brieftext.words import Hit, Words, data, is_past, is_refused, keys, words
from features.cells import load_toml

BANDS = (("0-17", 0, 17), ("18-24", 18, 24), ("25-34", 25, 34), ("35-44", 35, 44), ("45+", 45, 54))
"""Bands of age and their years, the last one as far as it counts."""
MAINLY = 0.8

_SHARE = (
    r" ?(?:占比|比例|占|用户|粉丝|群体|audience|viewers|"
    r"followers)*[:约不低于超过达到≥>=大以上在为 ]{0,6}(\d{1,3}(?:\.\d+)?|"
    r"[一二三四五六七八九]) ?(?:%|成(?!都))"
)
_SHARE_FIRST = r"(\d{1,3}(?:\.\d+)?) ?%(?: ?(?:or more|\+|以上|of|are|is|的|为|是|and above))* ?$"
_MAIN = re.compile(
    r"为主|居多|偏多|占多数|多数|大部分|主要|主力|mainly|mostly|primarily|predominantly|skew|lean|"
    r"偏女|偏男|majority|core"
)
_ABOUT_PEOPLE = re.compile(
    r"人群|用户|受众|客群|目标|粉丝|消费者|地区|地域|区域|城市|覆盖|面向|针对|画像|居住|市场|为主|"
    r"本地|同城|当地|女性|男性|女生|岁|白领|宝妈|触达|投放区域|tgi|ta(?![a-z])|本地|当地|游客|"
    r"区域:|坐标|同城|"
    r"target|audience|based|live|living|market|region|viewers|shoppers|consumer|reach|customers|"
    r"followers|women|men|people|creators|moms|mums|girls|guys|gen z|students|parents|locat|"
    r"cities|geo|countr"
)
_ORIGIN = re.compile(
    r"产地|进口|原装|总部|产自|原产|来自|品牌|工厂|奶源|研发中心|made in|import|headquarter|"
    r"founded in|from|born in|manufactur|brewed in|brand"
)
_LIVES = re.compile(
    r"用户|人群|女性|男性|粉丝|游客|客人|audience|followers|viewers|women|men(?![a-z])|based|market"
)
_RANGE = re.compile(
    r"(?<![\d.])(\d{1,2}) ?(?:岁)?(?:-+|~|至|到| to | and | ?– ?) ?(\d{1,2}) ?(?:周?岁|"
    r"years? ?old|y/?o|year-?olds?)?"
)
_OLDER = re.compile(
    r"(?<![\d.])(\d{2}) ?(?:周?岁|years?)?(?:\+|以上|及以上| and (?:over|above|up)| or older|"
    r"岁以上)"
)
_YOUNGER = re.compile(
    r"(?<![\d.])(\d{2}) ?周?岁(?:以下|以内)|under (\d{2})(?! ?(?:k|%|,|\d|usd|minutes|seconds|"
    r"days))"
)
_BORN = re.compile(
    r"(?<!\d)([6-9]0|0[05]|[6-9]5)(?:/|、|和|-|~|后|至)?(?:([6-9]0|0[05]|[6-9]5))?后"
)
_AGED = re.compile(r"岁|年龄|years? old|y/?o(?![a-z])|year-?old|(?<![a-z])age[ds]?(?![a-z])")
_LIKES = re.compile(
    r"兴趣|爱好|喜欢|喜爱|感兴趣|热爱|热衷|interests?|interested in|(?<![a-z])into(?![a-z])|"
    r"enthusiasts?|lovers?|passionate about|fans of|who love|care about"
)
_CROWD = r"(?:人群|爱好者|党|人士|群体)"


def audience(plain: Plain, year: int) -> dict[str, Found]:
    """Return the target mixes that a brief tells, by column.

    Parameters
    ----------
    plain : Plain
        The brief.
    year : int
        In which those born in some years have their age.
    """
    told = {
        "audience_gender": _gender(plain),
        "audience_age": _age(plain, year),
        "audience_region": _region(plain),
        "audience_city_tier": _city_tier(plain),
        "audience_interest": _interest(plain),
    }
    return {column: found for column, found in told.items() if found is not None}


def _gender(plain: Plain) -> Found | None:
    text = plain.text
    hits = [
        h
        for h in words("gender").find(text)
        if not re.match(
            r"达人|博主|主播|up|模特|装|鞋|包|款|士?(?:香水|护肤|内衣)|明星|kol|团|王|神|主角|友|"
            r"儿|装|号|人$",
            text[h.end :],
        )
        and not re.search(r"子|仙|美|渣|才$", text[max(0, h.start - 1) : h.start])
        and not (is_refused(plain, h, reach=8) or is_past(plain, h))
        and not re.match(
            r"(?:'s|s') (?:day|wear|shoes|clothing|grooming|fashion)| ?(?:creators|influencers)",
            text[h.end :],
        )
    ]
    if re.search(
        r"男女不限|性别不限|不限性别|男女(?:都|皆|均)?(?:行|可|可以|不拘)|all genders|any gender|"
        r"both genders|gender: ?any",
        text,
    ):
        return None
    # In lists women and men are F and M before their ages.
    hits += [
        Hit({"f": "female", "m": "male"}[m[0]], m.start(), m.end())
        for m in re.finditer(r"(?<![a-z&])[fm](?= ?\d\d ?[-+])", text)
    ]
    names = {h.name for h in hits}
    if not names:
        return None
    quotes = tuple(dict.fromkeys(plain.shown(h.start, h.end) for h in hits))[:4]
    for hit in hits:
        share = _share_beside(plain, hit)
        if share is not None:
            other = "male" if hit.name == "female" else "female"
            mix = {hit.name: share}
            if share < 1:
                mix[other] = round(1 - share, 4)
            start, end = plain.clause(hit.start)
            return Found(
                _ordered(mix), (plain.shown(max(start, hit.start - 6), min(end, hit.end + 12)),)
            )
    if len(names) == 2:
        return _two_genders(plain, hits, quotes)
    name = names.pop()
    if any(_is_mainly(plain, h) for h in hits):
        other = "male" if name == "female" else "female"
        return Found(_ordered({name: MAINLY, other: round(1 - MAINLY, 4)}), quotes, "mainly")
    return Found({name: 1.0}, quotes)


def _two_genders(plain: Plain, hits: list[Hit], quotes: tuple[str, ...]) -> Found | None:
    main = [h for h in hits if _is_mainly(plain, h)]
    if main:
        name = main[0].name
        other = "male" if name == "female" else "female"
        return Found(_ordered({name: MAINLY, other: round(1 - MAINLY, 4)}), quotes, "mainly")
    return Found({"female": 0.5, "male": 0.5}, quotes, "even")


def _ordered(mix: dict[str, float]) -> dict[str, float]:
    return dict(sorted(mix.items()))


def _is_mainly(plain: Plain, hit: Hit) -> bool:
    start, end = plain.clause(hit.start)
    around = plain.text[max(start, hit.start - 18) : min(end, hit.end + 22)]
    return bool(_MAIN.search(around))


def _share_beside(plain: Plain, hit: Hit) -> float | None:
    """Return the share that stands behind a word, or right before it."""
    text = plain.text
    behind = re.match(_SHARE, text[hit.end : hit.end + 30])
    before = re.search(_SHARE_FIRST, text[max(0, hit.start - 20) : hit.start])
    match = behind or before
    if match and not match[1][0].isdigit():
        return ("一二三四五六七八九".index(match[1]) + 1) / 10
    share = float(match[1]) / 100 if match else None
    return share if share is not None and 0 < share <= 1 else None


def spread(low: int, high: int) -> dict[str, float]:
    """Spread a range of ages over the bands, by years.

    Examples
    --------
    >>> spread(18, 30), spread(35, 120)
    ({'18-24': 0.54, '25-34': 0.46}, {'35-44': 0.5, '45+': 0.5})
    """
    years = {name: min(high, last) - max(low, first) + 1 for name, first, last in BANDS}
    years = {name: count for name, count in years.items() if count > 0}
    if not years:
        return {BANDS[-1][0]: 1.0}
    total = sum(years.values())
    shares = {name: round(count / total, 2) for name, count in years.items()}
    # Rounding must not make the whole more or less than one.
    first = next(iter(shares))
    shares[first] = round(shares[first] + 1 - sum(shares.values()), 2)
    return shares


def _age(plain: Plain, year: int) -> Found | None:
    ranges = _age_ranges(plain, year)
    if not ranges:
        return None
    shares = [(low, high, share) for low, high, share, _, _ in ranges if share is not None]
    quotes = tuple(dict.fromkeys(quote for *_, quote, _ in ranges))
    if shares:
        mix: Counter[str] = Counter()
        for low, high, share in shares:
            for name, part in spread(low, high).items():
                mix[name] += part * share  # type: ignore[assignment]
        if sum(mix.values()) <= 1.02:
            return Found(_banded({name: round(float(s), 4) for name, s in mix.items()}), quotes)
    exact = [r for r in ranges if not r[4]] or ranges
    parts: Counter[str] = Counter()
    for low, high, *_ in exact:
        for name, part in spread(low, high).items():
            parts[name] += part / len(exact)  # type: ignore[assignment]
    why: Why = "birth" if exact[0][4] else ""
    return Found(_banded({name: round(float(s), 4) for name, s in parts.items()}), quotes, why)


def _banded(mix: dict[str, float]) -> dict[str, float]:
    return {name: mix[name] for name, *_ in BANDS if name in mix}


def _age_ranges(plain: Plain, year: int) -> list[tuple[int, int, float | None, str, bool]]:
    """Return what is told of ages: from, to, share, words, and whether a word stands for them."""
    text = plain.text
    out: list[tuple[int, int, float | None, str, bool]] = []
    for pattern in (_RANGE, _OLDER, _YOUNGER):
        for match in pattern.finditer(text):
            start, end = plain.clause(match.start())
            near = text[max(start, match.start() - 14) : min(end, match.end() + 14)]
            if not _AGED.search(near) and not _bare_age(text, match):
                continue
            bounds = [int(g) for g in match.groups() if g]
            low, high = bounds[0], bounds[-1]
            if pattern is _OLDER:
                high = 120
            elif pattern is _YOUNGER:
                low, high = (18 if high > 18 else 0), high - 1
            if not (low <= high <= 120) or (pattern is not _YOUNGER and low < 3):
                continue
            if re.match(
                r" ?(?:个?月|天|months?|days|weeks|位|个|名|%|万|[wk](?![a-z]))",
                text[match.end() :],
            ):
                continue
            hit = Hit("", match.start(), match.end())
            out.append((low, high, _share_beside(plain, hit), plain.shown(*match.span()), False))
    for match in _BORN.finditer(text):
        decades = sorted(
            (1900 + int(g) if int(g) > 50 else 2000 + int(g)) for g in match.groups() if g
        )
        span = 4 if "5" in match[0][:2] and len(decades) == 1 else 9
        low, high = year - (decades[-1] + span), year - decades[0]
        out.append((max(low, 0), max(high, 0), None, plain.shown(*match.span()), True))
    for hit in keys("ages").find(text):
        if not is_refused(plain, hit, reach=8):
            low, high = data()["ages"][hit.name]
            out.append((low, high, None, plain.shown(hit.start, hit.end), True))
    return out


def _bare_age(text: str, match: re.Match[str]) -> bool:
    """Tell whether two numbers stand beside people, as in "women 25-34"."""
    start = max(text.rfind(sign, 0, match.start()) for sign in ".\n。;") + 1
    if re.fullmatch(
        r"\s*" + re.escape(match[0]) + r"\s*", re.split(r"[.\n。;]", text[start:], maxsplit=1)[0]
    ):
        return match.re is _RANGE and 13 <= int(match[1]) < int(match[2]) <= 70
    alone = match.re is _RANGE and re.match(
        r"s?(?: ?(?:across|in|who)(?![a-z])|,|$|[.;)\n。])", text[match.end() :]
    )
    if alone and 15 <= int(match[1]) < int(match[2]) <= 70:
        near = text[max(0, match.start() - 24) : match.start()]
        lead = re.search(r"(?:^|[,。;:\n(]|[a-z]\.|\d\. ?who:) ?$", near)
        who = re.search(
            rf"(?:{_PEOPLE}|households|dudes|cooks?|skew|players|就是|都行|受众|ta|users|owners|"
            rf"[^a-z][fm]) ?:?[^.\n。;]{{0,10}}$",
            near,
        )
        if who or (lead and not re.match(r"[^\n]{0,3}\d", text[match.end() :])):
            return True
    low, high = (match[1], match[2]) if match.re.groups == 2 else (match[1], match[1])
    if low is None or high is None or not (13 <= int(low) < int(high) <= 70):
        return False
    before = text[max(0, match.start() - 10) : match.start()]
    after = text[match.end() : match.end() + 8]
    return bool(
        re.search(rf"(?:{_PEOPLE})s?[,:(]? ?\(?(?:aged )?$", before)
        or re.match(rf" ?(?:的|yo )?(?:{_PEOPLE})", after)
    )


_PEOPLE = (
    r"女性?|男性?|女生|人群|受众|用户|women|female|male|men|moms|mums|adults|parents|girls|"
    r"audience|people|guys|dads|shoppers|gamers|professionals|consumers|viewers"
)


@cache
def _regions() -> Words:
    names = {code: list(ws) for code, ws in load_toml("vocabulary.toml")["words"]["region"].items()}
    for code in ("CN", "overseas"):
        names.pop(code, None)
    taken = {w.lower() for ws in names.values() for w in ws}
    groups = {key: [key] for key in data()["places"] if key not in taken}
    return Words({**names, **groups})


def _region(plain: Plain) -> Found | None:
    weights: Counter[str] = Counter()
    quotes: dict[str, None] = {}
    for hit in _regions().find(plain.text):
        start, end = plain.sentence(hit.start)
        clause = plain.text[start : min(end, hit.end + 40)]
        word = plain.text[hit.start : hit.end]
        near = plain.text[max(start, hit.start - 12) : min(end, hit.end + 8)]
        if plain.text[hit.end : hit.end + 1] == "$":
            continue
        if word in ("us", "sea", "america") and not _is_place(plain, hit):
            continue
        if is_refused(plain, hit, reach=10) or is_past(plain, hit):
            continue
        if not word.isascii() and not _ABOUT_PEOPLE.search(clause):
            continue
        if not _LIVES.search(plain.text[max(start, hit.start - 12) : min(end, hit.end + 24)]) and (
            _ORIGIN.search(near)
            or re.match(
                r"(?: [a-z]+)? (?:launch event|event|office|style|heritage|brand|label)",
                plain.text[hit.end :],
            )
        ):
            continue
        shown = plain.shown(hit.start, hit.end)
        if shown in quotes:
            continue
        quotes[shown] = None
        for code in data()["places"].get(hit.name, [hit.name]):
            # Several cities of a province weigh more; a country named twice does not.
            weights[code] = weights[code] + 1 if code.startswith("CN-") else 1
    if not weights:
        return None
    total = sum(weights.values())
    mix = {code: round(count / total, 4) for code, count in sorted(weights.items())}
    return Found(mix, tuple(quotes), "even" if len(mix) > 1 else "")


def _is_place(plain: Plain, hit: Hit) -> bool:
    """Tell the country from the pronoun: it is written in capitals."""
    written = plain.quote(hit.start, hit.end)
    return written.isupper() or (written[0].isupper() and len(written) > 3)


def _city_tier(plain: Plain) -> Found | None:
    names: dict[str, None] = {}
    quotes: dict[str, None] = {}
    for hit in keys("city_tiers").find(plain.text):
        if is_refused(plain, hit, reach=8) or re.match(
            r"品牌|大牌|明星|达人|博主|主播|kol|医|海", plain.text[hit.end :]
        ):
            continue
        names |= dict.fromkeys(data()["city_tiers"][hit.name])
        quotes[plain.shown(hit.start, hit.end)] = None
    if not names:
        return None
    order = ("tier1", "new_tier1", "tier2", "tier3", "tier3+")
    return Found(
        {name: round(1 / len(names), 4) for name in order if name in names},
        tuple(quotes),
        "even" if len(names) > 1 else "",
    )


@cache
def _interests() -> Words:
    wide = load_toml("vocabulary.toml")["words"]["vertical"]
    return Words(
        {name: [name, *ws, *data()["verticals"].get(name, ())] for name, ws in wide.items()}
    )


def _interest(plain: Plain) -> Found | None:
    names: dict[str, None] = {}
    quotes: dict[str, None] = {}
    for match in _LIKES.finditer(plain.text):
        start, end = plain.clause(match.start())
        _, stop = plain.sentence(match.start())
        if match[0] in ("enthusiast", "enthusiasts", "lover", "lovers"):
            stretch = (max(start, match.start() - 24), match.start())
        else:
            stretch = (match.end(), min(stop, match.end() + 30))
            behind = plain.text[match.end() : end]
            if match[0] == "感兴趣" and not behind.strip("的"):
                stretch = (start, match.start())
        for hit in _interests().find(plain.text, *stretch):
            names[hit.name] = None
            quotes[plain.shown(hit.start, hit.end)] = None
    for hit in _interests().find(plain.text):
        if re.match(_CROWD, plain.text[hit.end :]):
            names[hit.name] = None
            quotes[plain.shown(hit.start, hit.end + 2)] = None
    if not names:
        return None
    mix = {name: round(1 / len(names), 4) for name in sorted(names)}
    return Found(mix, tuple(quotes), "even" if len(mix) > 1 else "")
