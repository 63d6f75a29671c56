"""Whom and what a brief rules out: competitors, creators, words."""

from __future__ import annotations

import re
from functools import cache

from features.brieftext.findings import Found
from features.brieftext.plain import Plain
from features.brieftext.words import data, either
from features.cells import half_width

_LIST = r"(?P<list>[^。;!?\n]{1,160})"
_SIGN = (
    r"(?: ?(?:包括但不限于|包括|包含|主要有|主要是|主要|有|如下?|例如|比如|为|是|指|名单|列表|"
    r"品牌|方|:|\||\(|-|—|>|include|including|are|is|such as|like|e\.g\.|eg|namely)[,:]?)+ ?"
)
_COMPETITORS = tuple(
    re.compile(form)
    for form in (
        rf"(?:竞品|竞对|竞争品牌|竞争对手|对标品牌|友商|品牌排他|排他品牌)(?:达人|博主|品牌|回避|"
        rf"避开|排除|规避)*{_SIGN}{_LIST}",
        rf"(?:排竞|排他|回避品牌|避开品牌|规避品牌)(?:品牌)?{_SIGN}{_LIST}",
        r"(?:竞品|竞对|友商)(?P<list>[^,。;:!?\n]{2,40}?)(?=合作|近|代言|的|专属|签约|不|在|请|$)",
        r"(?:^|(?<=[,。;\n、]))(?P<list>[^,。;:!?\n]{2,40}?)(?:的)?(?:专属|代言|深度|长期|合作过?|"
        r"签约|恰饭|御用|常驻|带过|接过|推过|/)+(?:的)?[^,。;\n]{0,10}?(?:就|都|请|先|"
        r"一律)?(?:不用|不要|别|算了|回避|pass|不考虑|勿|除外|不可合作|不行|跳过|免)",
        rf"(?:直接|主要)(?:竞品|竞对){_SIGN}?{_LIST}",
        r"(?:没有?|未|别找|别用|不(?:能|要|得|可|用|找)?(?:有|是)?(?:同期)?)(?:接|合作|做|推|带|"
        r"发|拍|代言|推广)过(?P<list>[^,。;!?\n过]{2,60}?)(?:等?(?:品牌|竞品)?的?(?:广告|推广|"
        r"商单|合作|产品|内容|视频)|这类|等|的|$|(?=[,。;\n]))",
        r"(?:没有?|未|别|不(?:能|要|得|可|再)?(?:同期)?)(?:接|合作|做|推|带|"
        r"代言)(?P<list>[^,。;!?\n过]{2,40}?)(?:等?(?:品牌|竞品)?的?(?:广告|商单))",
        r"(?:接|合作|做|推|带|代言|推广|拍)过(?P<list>[^,。;!?\n]{2,60}?)(?:等?(?:品牌|"
        r"竞品)?的?(?:广告|推广|商单|合作|内容|达人|博主|账号|kol|号)?)?(?:的)?,?(?:的)?(?:一律|"
        r"都|就|请|全部)?(?:不要|除外|不考虑|排除|不行|不合作|pass|别)",
        r"(?:排除|不要|剔除|避开|不考虑|不接受)(?:近?[^,。;\n]{0,8}?(?:内|个月|天|"
        r"年))?(?:有)?(?:接|合作|做|推|带|代言|推广)过(?P<list>[^,。;!?\n]{2,60}?)(?:等?(?:品牌|"
        r"竞品)?的?(?:广告|推广|商单|合作|内容)?)的?(?:达人|博主|账号|kol|号|人|up主)?(?=[,。;\n]|"
        r"$)",
        rf"(?<![a-z])(?:direct |main |key |our |the |no |any )*(?:competitors?|competing brands?|"
        rf"competitive brands?|competition|rivals?)(?: brands?| list| set| exclusions?|"
        rf" exclusivity| mentions?| deals?| partnerships?)*{_SIGN}{_LIST}",
        rf"(?<![a-z])(?:exclusions?|exclusivity|brands? to avoid|avoid brands?|"
        rf"category exclusivity|conflicts?|conflicting brands?){_SIGN}{_LIST}",
        r"(?<![a-z])(?:compare|comparisons?|compared) (?:it |us )?(?:with|"
        r"to) (?P<list>[^.。;!?\n]{2,80})",
        r"(?:^|(?<=[.;!?\n] )|(?<=\n))(?P<list>[^.。;!?\n]{2,60}?) (?:partners?|ambassadors?|"
        r"creators|people|guys|talent|affiliates?) (?:are|is) (?:a no|out|off|excluded|not ok|"
        r"no go|a no-go)",
        r"(?<![a-z])no (?P<list>[^.,。;!?\n]{2,50}?) (?:partners?|ambassadors?|people|guys|"
        r"affiliates?|loyalists|reps?)(?![a-z])",
        r"(?:^|(?<=[.;!?\n] )|(?<=\n)|(?<=[,:] ))(?P<list>[^.,。;:!?\n]{2,60}?) exclusivity",
        r"(?<![a-z])(?:can't be|cannot be|not|never|nowhere) (?:seen )?(?:next to|alongside|near|"
        r"beside) (?P<list>[^.。;!?\n]{2,80})",
        r"(?:haven't|hasn't|have not|has not|not|no one|nobody|anyone|who|never|avoid|without|"
        r"those|creators|talent|people)(?: [a-z']+){0,7}? (?:worked|partnered|partnering|working|"
        r"collaborated|collab'd|collaborating|done (?:paid )?(?:work|ads|posts|deals)|partner|"
        r"promoted|promoting|posted|deals?|contracts?|partnerships?|ads|sponsored|paid|tied|"
        r"linked|signed|hosting|hosted|posting|working)(?: [a-z]+)?(?: with| for| by|"
        r" to) (?P<list>[^.。;!?\n]{2,120}?)(?= (?:in|within|over|during|this|recently|for|"
        r"since) (?:the )?(?:last|past|previous|year|\d|least)|[.;!?)\n]|$)",
    )
)
_EXCLUDED = tuple(
    re.compile(form)
    for form in (
        r"(?:排除|黑名单|拉黑|不合作|不再合作|不要|不用|剔除|不考虑|避开|屏蔽)(?:的)?(?:达人|博主|"
        r"kol|账号|红人|主播|up主|名单)(?:名单|列表|为|有|是|包括|如下|:|"
        r"\|)+ ?(?P<list>[^。;!?\n]{1,160})",
        r"黑名单(?:达人|博主|账号)?(?:为|有|是|包括|:|\|)+ ?(?P<list>[^。;!?\n]{1,160})",
        r"(?:exclude|excluded|excluding|blacklist(?:ed)?|blocklist(?:ed)?|no-go|do not contact|"
        r"do-not-contact)(?: (?:creators?|kols?|influencers?|talents?|accounts?|"
        r"list))*(?: ?(?:are|is|:|\|))+ ?(?P<list>[^。;!?\n]{1,160})",
    )
)
_RUN = re.compile(r"@[\w.\-]{2,30}(?:[,、/ ]|and |or |和|或)+$")
_HANDLE = re.compile(r"@[\w.\-]{2,30}")
_QUOTED = re.compile(
    r"\"([^\"\n]{1,30})\"|「([^」\n]{1,30})」|『([^』\n]{1,30})』|《([^》\n]{1,30})》|"
    r"(?<![a-z])'([^'\n]{1,30})'(?![a-z])"
)
_BLOCKED_LABEL = re.compile(
    r"(?:禁用词|违禁词|敏感词|屏蔽词|禁词|禁忌词|禁用语|禁用|禁|红线词?|雷区词?|不能提|禁止用词|"
    r"禁用表述|避免用词|(?<![a-z])(?:blocked|banned|forbidden|prohibited|restricted|off-limits|"
    r"do-not-use|no-go|taboo) (?:terms?|words?|phrases?|claims?|language|vocabulary|keywords?)|"
    r"(?<![a-z])(?:words?|phrases?|terms?|claims?) (?:to (?:avoid|stay away from|skip|not use|"
    r"leave out)|not to use|we (?:can't|don't) use))"
    r"(?:包括|有|如|例如|为|是|include|are|is|such as|:|\||\(|-| )+(?P<list>[^。;!?\n]{1,200})"
)
_BLOCKED_SAID = re.compile(
    r"(?:不(?:能|要|得|可以?|许|准|允许|应|再)?(?=出现|提|使?用|说|写|讲|宣称|含|有|再|涉)|禁止|"
    r"避免|切勿|切忌|勿|别|杜绝|严禁)(?:再)?(?:出现|提及|提到|提|使用|用|说|写|讲|宣称|含有?|涉及|"
    r"有)(?:任何|类似|诸如|到)*(?P<list>[^。;!?\n]{1,80})"
)
_BLOCKED_EN = re.compile(
    r"(?<![a-z])(?:avoid|don't|do not|never|no|cannot|can't|must not|mustn't|not to|should not|"
    r"shouldn't|please no|steer clear of|refrain from|without)(?: (?:ever|please|be))*"
    r"(?P<verb>(?: (?:use|used|using|say|saying|mention|mentioning|claim|claiming|claims|write|"
    r"writing|include|including|call|calling|of|like|it|anything|any|the|words?|phrases?|terms?|"
    r"language|these|following|or))*)[: ]+(?P<list>(?:(?!\. )[^。;!?\n]){1,120})"
)
_TERM_ENDS = re.compile(
    r"(?:等)?(?:这类|这些|之类|这[两几三四]个|这种)?(?:的)?(?:字样|字眼|词汇?|关键词|话术|说法|"
    r"表述|用语|宣称|等词)"
)
_SPLIT = re.compile(
    r"[、,/;|&]|(?: and | or |以及|和|与|及|或)|(?<=[\u4e00-\u9fff])\+(?=[\u4e00-\u9fff])|\+ ?"
)
_MARKS = re.compile(r"[、,/;|]|(?<=[^、])(?:以及|及|和)(?=[^、]+$)")
_NO_NAME = re.compile(
    r"预算|粉丝|平台|目标|时间|售价|毛利|\d[\d.]*(?:万|w(?![a-z])|元|%)|负面|上次|之前|往期|近|不|没|合作|达人|博主|个月|天内|过|请|需要|可以|优先|账号|的|投放|"
    r"期间|同期|半年|一年|竞品|竞对|同类|其他|其它|任何|同行|品类|友商|广告|"
    r"(?<![a-z])(?:the|last|past|days?|months?|any|other|similar|competitors?|competing|"
    r"competitor|creators?|influencers?|within|please|recent|recently|brands?|no|not|us|we|our|"
    r"them|they|who|which|you|category|someone|exclusivity|direct|paid|sponsored|posts?|who've|"
    r"should|must|have|has|or more|content)(?![a-z])"
)
_TRAIL = re.compile(
    r"(?:近?\d+个?(?:天|月|日|年)|近[半一两三]|在?合作|期间|的(?!士|卢|确)|专属|代言|深度|"
    r"这[两几三]家|过[的,]).*$"
)
_LOST = re.compile(
    r"^(?:有|是|与|跟|以及|with|for|like|including|such as|e\.g\.|and|or|the)[ :]|^(?:如|像|包括|"
    r"比如|例如)|(?:等等?品牌?|等|品牌|etc\.?|之类|这类|类|and so on|or similar|这几家|几家|这些|"
    r"他们|系列|在)$"
)


def competitors(plain: Plain) -> Found | None:
    """Return the brands whose partners are refused, by name."""
    names: dict[str, None] = {}
    quotes: dict[str, None] = {}
    for pattern in _COMPETITORS:
        for match in pattern.finditer(plain.text):
            found = _names(plain, match)
            if found:
                names |= dict.fromkeys(found)
                quotes[plain.shown(match.start(), match.end())[:80]] = None
    kept = _no_twice(names)
    return Found(kept, tuple(quotes)) if kept else None


def _no_twice(names: dict[str, None]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for name in names:
        seen.setdefault(name.casefold(), name)
    return tuple(seen.values())


def _names(plain: Plain, match: re.Match[str]) -> list[str]:
    """Return the names of a list; what is no name ends it."""
    start = match.start("list")
    out: list[str] = []
    for begin, end in _items(match["list"]):
        item = match["list"][begin:end]
        opened = item.find("(")
        stop = begin + opened if opened > 0 else end
        word = plain.shown(start + begin, start + stop).strip(" \"'「」『』《》()[]<>:.-·")
        if inner := _QUOTED.search(item):
            word = (inner[inner.lastindex or 0]).strip()
            word = plain.shown(*_where(plain, start + begin, word))
        word = _TRAIL.sub("", word)
        for _ in range(2):
            word = _LOST.sub("", word).strip(" \"'「」『』()")
        if not word or len(word) > 24 or _NO_NAME.search(word):
            if word and len(item) > 3:
                break
            continue
        if word.isascii() and not any(c.isupper() or c.isdigit() for c in word) and " " in word:
            break
        out.append(word)
        if opened > 0 or (")" in item and "(" not in item):
            break
    return out


def _where(plain: Plain, start: int, word: str) -> tuple[int, int]:
    at = plain.text.find(word, start)
    return (at, at + len(word)) if at >= 0 else (start, start)


def _items(text: str) -> list[tuple[int, int]]:
    cuts = [0]
    ends = []
    # Beside 、 the signs 和 and 与 belong to a name, as in 万和、万家乐.
    for match in (_MARKS if "、" in text else _SPLIT).finditer(text):
        ends.append(match.start())
        cuts.append(match.end())
    ends.append(len(text))
    return list(zip(cuts, ends, strict=True))


def excluded_kols(plain: Plain) -> Found | None:
    """Return the creators that are ruled out, by name or handle."""
    names: dict[str, None] = {}
    quotes: dict[str, None] = {}
    for pattern in _EXCLUDED:
        for match in pattern.finditer(plain.text):
            found = [n.lstrip("@") for n in _names(plain, match)]
            if found:
                names |= dict.fromkeys(found)
                quotes[plain.shown(match.start(), match.end())[:80]] = None
    for match in _HANDLE.finditer(plain.original):
        # In the original, where a blank ends a name in Chinese.
        begin = next((i for i, at in enumerate(plain.at) if at >= match.start()), 0)
        close = next((i for i, at in enumerate(plain.at) if at >= match.end()), len(plain.text))
        first = begin
        while run := _RUN.search(plain.text[max(0, first - 40) : first]):
            first -= len(run[0])
        start, end = plain.clause(first)[0], plain.clause(close)[1]
        before, after = plain.text[start:first], plain.text[close:end]
        if _refusing().search(before[-60:]) or _refusing().search(after[:14]):
            names[half_width(match[0]).lstrip("@").rstrip(".")] = None
            quotes[plain.shown(max(start, begin - 20), close)] = None
    kept = _no_twice(names)
    return Found(kept, tuple(quotes)) if kept else None


@cache
def _refusing() -> re.Pattern[str]:
    sides = data()["refusal"]
    return re.compile(f"{either(sides['before'])}|不合作|不要|翻车")


def blocked_terms(plain: Plain) -> Found | None:
    """Return the words that must not be said."""
    terms: dict[str, None] = {}
    quotes: dict[str, None] = {}
    for match in _BLOCKED_LABEL.finditer(plain.text):
        found = _quoted(plain, match) or _terms(plain, match)
        _note(plain, match, found, terms, quotes)
    for match in _BLOCKED_SAID.finditer(plain.text):
        found = _quoted(plain, match)
        ends = _TERM_ENDS.search(match["list"])
        if not found and ends and ends.start():
            found = _terms(plain, match, ends.start())
        _note(plain, match, found, terms, quotes)
    for match in _BLOCKED_EN.finditer(plain.text):
        if re.search(r"us|sa[yi]|mention|claim|writ|words?|phrase|term|call|includ", match["verb"]):
            found = _quoted(plain, match)
            if not found and re.search(r"words?|phrases?|terms?", match["verb"]):
                found = _terms(plain, match)
            _note(plain, match, found, terms, quotes)
    kept = _no_twice(terms)
    return Found(kept, tuple(quotes)) if kept else None


def _note(
    plain: Plain,
    match: re.Match[str],
    found: list[str],
    terms: dict[str, None],
    quotes: dict[str, None],
) -> None:
    if found:
        terms |= dict.fromkeys(found)
        quotes[plain.shown(match.start(), match.end())[:80]] = None


def _quoted(plain: Plain, match: re.Match[str]) -> list[str]:
    start = match.start("list")
    out = []
    for quoted in _QUOTED.finditer(match["list"]):
        group = quoted.lastindex or 0
        for begin, end in _items(quoted[group]):
            at = start + quoted.start(group)
            out.append(plain.shown(at + begin, at + end).strip(" .,"))
    return [word for word in out if word]


def _terms(plain: Plain, match: re.Match[str], stop: int | None = None) -> list[str]:
    start = match.start("list")
    out = []
    for begin, end in _items(match["list"][:stop]):
        word = plain.shown(start + begin, start + end).strip(" \"'「」『』()[]:.-")
        word = re.sub(r"(?:等等?|等词|等字样|etc)$|^(?:以及|包括)", "", word).strip()
        if not word or len(word) > 20:
            break
        out.append(word)
    return out
