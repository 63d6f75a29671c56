"""What was understood of a brief, in the words of the two languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any

from features.brieftext.findings import Found, Understood
from features.cells import load_toml
from features.columns import MIX_SLACK
from features.contract import BRIEFS
from matcher.wording import Language, Text

FIELDS: Mapping[str, Text] = {
    "brand_name": Text("品牌", "brand"),
    "title": Text("项目名称", "title"),
    "language": Text("语言", "language"),
    "goal": Text("投放目标", "goal"),
    "vertical": Text("品类", "category"),
    "platforms": Text("平台", "platforms"),
    "modes": Text("合作形式", "modes"),
    "budget": Text("总预算", "budget"),
    "currency": Text("币种", "currency"),
    "max_price_per_kol": Text("单个达人价格上限", "most per KOL"),
    "kols_wanted": Text("达人数量", "KOLs wanted"),
    "audience_gender": Text("人群：性别", "audience: gender"),
    "audience_age": Text("人群：年龄", "audience: age"),
    "audience_region": Text("人群：地域", "audience: region"),
    "audience_city_tier": Text("人群：城市线级", "audience: city tier"),
    "audience_interest": Text("人群：兴趣", "audience: interests"),
    "min_followers": Text("最低粉丝量", "least followers"),
    "product_price": Text("产品售价", "product price"),
    "gross_margin": Text("毛利率", "gross margin"),
    "excluded_kols": Text("排除达人", "excluded KOLs"),
    "competitor_brands": Text("竞品", "competitors"),
    "blocked_terms": Text("禁用词", "blocked terms"),
    "starts_at": Text("开始日期", "starts"),
    "ends_at": Text("结束日期", "ends"),
}
WHY: Mapping[str, Text] = {
    "range_high": Text("给的是区间，取上限", "a range was told; its upper end"),
    "range_low": Text("给的是区间，取下限", "a range was told; its lower end"),
    "sum": Text("原文分项，这里求和", "told in parts; their sum"),
    "tier": Text("按达人量级折算粉丝量", "the least followers of the tier named"),
    "even": Text("未写占比，按等分处理", "no shares were told; split evenly"),
    "mainly": Text("“为主”按八成处理", '"mainly" is taken as 80%'),
    "season": Text("按大促或月份的常用起止日", "the usual days of the season or month"),
    "year": Text("未写年份，取下一个", "no year was told; the next one"),
    "about": Text("约数，按写明的数取", "said to be about this much"),
    "currency": Text("未写币种，按人民币", "no currency was told; yuan, in a Chinese brief"),
    "no_cue": Text("原文没点明是什么，按大小推断", "not said what it is; by its size"),
    "main": Text("提到多个目标，取主要的", "several goals were named; the main one"),
    "words": Text("按用词推断", "by the words used"),
    "birth": Text("按年代或人群称呼折算年龄", "ages of a generation"),
    "heading": Text("取首行为名称", "the first line"),
    "first": Text("有多处说法，取其一", "told in several ways; one of them"),
}
MISSING: Mapping[str, Text] = {
    "goal": Text(
        "缺了就无法按目标排序和预测价值", "without it nothing is ranked or valued by a goal"
    ),
    "platforms": Text("不填即所有平台都可以", "left empty, every platform is allowed"),
    "budget": Text("缺了就排不出投放方案", "without it there is no plan"),
    "currency": Text("有金额就必须有币种", "amounts need one"),
    "kols_wanted": Text("缺了就只按预算凑人数", "without it the budget alone decides how many"),
}
SUMMARY = Text(
    "读出 {fields} 项，其中 {guesses} 项是推断，请核对。",
    "{fields} fields were read, {guesses} of them guesses: check those.",
)
SURE, GUESS = Text("原文写明", "said"), Text("推断", "a guess")
HEADS = (
    Text("字段", "field"),
    Text("理解为", "understood"),
    Text("原文", "read from"),
    Text("依据", "how"),
)
_QUOTE = 60
_GROUPS = {
    "goal": "goal",
    "platforms": "platform",
    "modes": "mode",
    "vertical": "vertical",
    "language": "language",
    "audience_gender": "gender",
    "audience_city_tier": "city_tier",
    "audience_region": "region",
    "audience_interest": "vertical",
}


def rows(understood: Understood, language: Language) -> Iterator[tuple[str, str, str, str]]:
    """Yield what was understood: field, value, the words it was read from, and how."""
    currency = understood.found.get("currency")
    for name, found in understood.found.items():
        if name in FIELDS:
            money = BRIEFS[name].kind == "money" and currency is not None
            value = in_words(name, found.value, language)
            shown = f"{value} {currency.value}" if money and currency else value
            yield FIELDS[name].in_(language), shown, _quoted(found), _how(found, language)


def _quoted(found: Found) -> str:
    words = " … ".join(dict.fromkeys(" ".join(quote.split()) for quote in found.quotes))
    return words if len(words) <= _QUOTE else f"{words[: _QUOTE - 1]}…"


def _how(found: Found, language: Language) -> str:
    if found.sure:
        return SURE.in_(language)
    colon = "：" if language == "zh" else ": "
    return f"{GUESS.in_(language)}{colon}{WHY[found.why].in_(language)}"


def in_words(name: str, value: Any, language: Language) -> str:
    """Return the value of a column of BRIEFS as a person reads it."""
    comma = "、" if language == "zh" else ", "
    kind = BRIEFS[name].kind
    if isinstance(value, Mapping):
        parts = [f"{_word(name, part, language)} {share:.0%}" for part, share in value.items()]
        rest = 1 - sum(value.values())
        if rest > MIX_SLACK:
            parts.append(f"{'其余' if language == 'zh' else 'others'} {rest:.0%}")
        return comma.join(parts)
    if isinstance(value, tuple):
        return comma.join(_word(name, part, language) for part in value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return _word(name, value, language)
    return f"{value:.0%}" if kind == "share" else f"{value:,.10g}"


def _word(name: str, code: str, language: Language) -> str:
    """Return a code of the contract in words: the first Chinese one of the vocabulary."""
    group = _GROUPS.get(name)
    if group is None:
        return code
    words = _vocabulary()[group].get(code, [])
    if language == "zh":
        return next((word for word in words if not word.isascii()), code)
    return code.replace("_", " ")


@cache
def _vocabulary() -> Mapping[str, Mapping[str, list[str]]]:
    words: Mapping[str, Mapping[str, list[str]]] = load_toml("vocabulary.toml")["words"]
    return words
