"""Whose brief it is and what it is called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from features.brieftext.findings import Found, Why
from features.brieftext.plain import Plain
from features.brieftext.words import Hit, is_refused, keys, words
from features.cells import half_width

_MARK = r"^[ >\-+•·#\d.、|)(一二三四五六七八九十]*"
_BRAND_LABEL = re.compile(
    rf"(?:{_MARK}|(?<=[。;,!]))(?:合作|推广|投放|委托|甲方|the )*(?:品牌(?:名称?|方|信息)?|"
    rf"客户(?:名称)?|甲方|brand(?: ?(?:name|/ ?product))?|client(?: name)?|company(?: name)?|"
    rf"advertiser)"
    r" ?[:|] ?(?P<name>[^\n|。;]{1,60})",
    re.MULTILINE,
)
_TITLE_LABEL = re.compile(
    rf"{_MARK}(?:项目(?:名称)?|标题|主题|活动名称?|推广项目|需求名称|campaign(?: name| title)?|"
    rf"title|subject(?: line)?|project(?: name)?|re)"
    r" ?[:|] ?(?P<name>[^\n|。;]{2,80})",
    re.MULTILINE,
)
_CUT = re.compile(
    r"[,(;|/]| - | – |——|--|是(?:一|国|新|做)|新品|旗下|的| is | are |, |\.(?: |$)| for | by | x |"
    r" × "
)
_BEHIND_LABEL = re.compile(
    rf"{_MARK}品牌(?P<name>[^\s,。;:方是为将拟的名信|(\n][^\s,。;:|(\n]{{1,11}})", re.MULTILINE
)
_QUOTED = re.compile(
    r"(?:品牌|店|馆|公司|叫|牌|手游|端游|游戏|app|软件|帮|给|替|是|客户|产品|酸奶|咖啡|面馆|民宿|"
    r"酒店|机构|实验室|老板)(?:叫|是|为|,)?[\"「《](?P<name>[^\"」》\n]{2,12})[\"」》]"
)
_BEFORE_PRODUCT = re.compile(
    rf"{_MARK}(?:brief:|产品(?:名称?)?:|项目:|主推:|推广产品:|"
    rf"需求:)?(?P<name>[\u4e00-\u9fff]{{2,5}}$)"
)
_PLAIN_WORDS = re.compile(
    r"[我们的想找做推款新请帮要在给和与是有为了求招各位老师您好大家一个全国本这那产品项目需求推广投放合作达人博主通知达人]"
)
_LATIN = re.compile(
    r"(?:品牌|客户|甲方|旗下|小众|香水|国货|国产|进口)(?:是|为|叫|"
    r"方)?[^,。;:\n]{0,8}?(?P<name>[A-Z][\w&'-]+(?: [A-Z][\w&'-]+){0,2})"
)
_SAID_ZH = tuple(
    re.compile(form)
    for form in (
        r"(?:我们|我司|我方|这边|客户|本品|甲方)(?:家)?(?:的)?(?:品牌)?(?:是|叫做?|"
        r"为)(?P<name>(?!一|做|国|新|个|家|主|专|想|要|希|计|不|在|准|通|"
        r"为)[^\s,。;:!?()\d]{2,10}?)(?=[,。;(!\n]|品牌|的|$|这|,)",
        r"(?:我们|我司|这边)(?:家)?(?:是)?(?:做[^,。;\n]{1,10}的)?(?:品牌)(?:名)?(?:叫|是|"
        r"为)?[\"「]?(?P<name>[^\s,。;:\"」]{2,10})(?=[\"」,。;\n])",
        r"(?:品牌名?|名字|店名|牌子)叫(?:做)?[\"「《]?(?P<name>[^\s,。;:\"」》()]{2,12})",
        r"(?:我们|我司|我方|这边)是?(?:一家)?(?:做|卖|生产|"
        r"主营)[^,。;\n]{1,12}的(?P<name>[^\s,。;:()\d公品企厂商]{2,8})(?=[,。;(\n])",
        r"品牌(?:方)?[:]?[\"「《](?P<name>[^\"」》\n]{2,14})[\"」》]",
        r"品牌方(?:是|为)?(?P<name>[^\s,。;:\"「」()]{2,10})(?=[,。;(\n])",
        r"[\"「【《\[](?P<name>[^\"」】》\]\n]{2,12})[\"」】》\]](?:这个|是一|品牌|新品|即将|准备|"
        r"计划|要)",
        r"(?:这边是|我是|这里是|代表)(?P<name>[^\s,。;:()]{2,10}?)(?:品牌|市场|的|媒介|公关|运营|"
        r"团队)",
        r"(?:帮|给|替|为)(?:客户|品牌方?)?(?P<name>(?!我|大家|他|你|这|了|粉|女|男|用|一|新|"
        r"其)[^\s,。;:()\d]{2,8}?)(?:找|招募?|征集|投|做一?[波轮批]|物色|约)",
        r"(?P<name>(?<![^\s,。;:()【\n])[^\s,。;:()\d【】]{2,10})品牌(?:方)?(?:计划|拟|将|希望|想|"
        r"要|现|招募|需求|brief|投放)",
    )
)
_NAME_EN = (
    r"(?<!\w)(?P<name>[A-Z0-9][\w&'’.+-]{0,24}"
    r"(?: (?:[A-Z0-9&][\w&'’.+-]{0,24}|of|and|the|&)){0,3})"
)
_SAID_EN = tuple(
    re.compile(form)
    for form in (
        rf"(?:[Ww]e are|[Ww]e['’]re|[Ii]t['’]s|[Hh]ere at|[Oo]n behalf of|our client,?|"
        rf"[Cc]lient is|[Bb]rand is|[Bb]rand:|called|team at|[Aa]bout|[Ii]ntroducing|[Mm]eet|"
        rf"working with|writing from|I['’]m \w+ (?:from|at|with)|[Tt]his is \w+(?: \w+)? (?:from|"
        rf"at|with)|\w+ here (?:from|at)|I (?:run|own|lead|manage|work|handle) (?:marketing|"
        rf"social|partnerships|growth|influencer|comms|brand)?(?: \w+)? ?(?:for|at)) {_NAME_EN}",
        rf"(?:^|[.!?]\s+|\n){_NAME_EN}(?:,? \([^)]*\),?|, [^,.\n]{{3,60}},)? (?:is|are) (?:a|an|"
        rf"the|launching|looking|planning|rolling|introducing|expanding|running|seeking|back|"
        rf"releasing|opening|bringing|entering|gearing|getting|ready|about)",
        rf"(?:^|[.!?]\s+|\n){_NAME_EN} (?:wants?|needs?|makes?|sells?|would like|invites?|seeks?|"
        rf"launches|will|has)(?![a-z])",
        rf"\n?(?:from|for) (?:the )?{_NAME_EN}(?: team| \(|,? (?:a|an|the|our) |"
        rf"(?: [a-z-]+){{1,3}} \()",
        rf"(?:^|\n)(?:Hey|Hi|Hello)?[ \w]{{0,6}}\W*{_NAME_EN} here(?![a-z])",
        rf"(?:[Ll]abel|[Bb]rand|[Ss]tudio|[Aa]pp|[Gg]ame|[Cc]ompany|[Ss]tartup|[Hh]otel|[Mm]aker|"
        rf"[Cc]lient|[Cc]ookware|[Ss]hop|[Ss]tore|[Cc]af[eé]|[Ss]erum|earbuds for) {_NAME_EN}",
        rf"(?:[Oo]ur|[Ii]ntroduce the|"
        rf"[Ll]aunch(?:ing)? the) (?:new )?{_NAME_EN}(?: [a-z-]+){{1,3}}",
        rf"(?:^|[.!?]\s+|\n){_NAME_EN} \(",
        rf"\({_NAME_EN}, [$£€]",
        rf"^{_NAME_EN} / ",
        rf"(?:^|\n)\W*{_NAME_EN}(?: x | × | – | — | - |: | \| )",
        rf"(?:[Bb]rief|BRIEF|[Cc]ampaign|RFP|[Pp]roposal)(?: for| from)?(?: –| —| -|:|"
        rf" \|)? {_NAME_EN}",
        rf"{_NAME_EN}(?:['’]s) (?:new|first|summer|winter|spring|fall|autumn|holiday|upcoming|"
        rf"launch|latest|next)",
    )
)
_NO_BRAND = re.compile(
    r"^(?:hi|hey|hello|dear|team|the|a|an|we|our|this|that|it|i|you|for|campaign|creator|"
    r"influencer|kol|brief|brand|budget|platforms?|goals?|objectives?|target|audience|timeline|"
    r"dates?|deliverables?|subject|re|fw|fwd|q[1-4]|tiktok|instagram|youtube|xiaohongshu|douyin|"
    r"kuaishou|weibo|bilibili|ig|yt|red|product|about|background|overview|us|uk|summer|winter|"
    r"spring|fall|new|launch|please|need|looking|paid|project|request|rfp|what|who|where|when|how|"
    r"thanks|client|title|key|content|must|no|not|here|there|media|social|marketing|"
    r"request for proposal|gen|ugc|main kpi|kpi|need|seeking|quick|holiday|re|total|rates|markets|"
    r"ask|when|how many|how much|max|start|end|project|window|scope|product|objective|january|"
    r"february|march|april|may|june|july|august|september|october|november|december|christmas|"
    r"black friday|thanksgiving|english|chinese|american|british|french|german|sydney|london|"
    r"new york|china|hong kong|singapore|usd|gbp|eur|rmb|prefer\w*|desired.*|target.*|follower.*|"
    r"brands.*|what it is|goals?|don.?ts?|posting.*|channels?|hero|sku|gm|must|blocked.*|"
    r"individual|some|any|every|each|live|only|all|nobody|no one|women|men|students|parents|young|"
    r"people|influencer brief|creator brief|sponsorship|sponsorship enquiry|client confirmed|"
    r"first|second|app|apps|kol|koc|gmv|roi|united states|united kingdom|us|uk|up|ta|cpm|cpa|spf|"
    r"ip|suv|vip|pro|plus|max)$",
    re.IGNORECASE,
)
_BRAND_ENDS = re.compile(
    r"\s*(?:20\d\d|brief|新品|推广|投放|种草|达人|需求|kol|koc|项目|campaign|creator|influencer|"
    r"launch|summer|winter|spring|fall|holiday|q[1-4]|上市|招募|合作|品牌|年度|春季|夏季|秋季|"
    r"冬季|直播|营销|传播|launches|[x×](?![a-z])|-|:|\|)",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^(?:hi|hey|hello|dear|good (?:morning|afternoon)|您好|你好|哈喽|hello|亲|老师|各位|大家好|"
    r"在吗|morning|嗨|hi,|@)",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"brief|需求|项目|推广|投放|招募|种草|合作|计划|方案|营销|传播|铺量|kol|koc|达人|campaign|"
    r"launch|rfp|request|wanted|promotion|partnership|collab",
    re.IGNORECASE,
)
_LONGEST_TITLE = 60
_HEAD = 4000
"""Characters within which a brief says whose it is."""
_NO_TITLE = re.compile(
    r"(?:项目)?背景.*|概述|需求项.*|overview|background|introduction|context", re.IGNORECASE
)
_NO_LABELLED = re.compile(r".*背景|概述|内容|详情|说明|要求|具体内容|details?|content|value")
_LABELLED = re.compile(r"[^:：]{1,8}[:：]|【(?:品牌|产品|平台|预算|客户|诉求)】")
_STOPS = re.compile(r"[。!?！？;；，]|[.,:] |：")
_LABEL = re.compile(
    r"(?:投放|推广|合作|营销|项目|传播)?(?:平台|预算|目标|目的|诉求|时间|周期|需求|产品|方式|形式|"
    r"达人|模式|渠道|节点)|campaign|launch(?: date)?|(?:campaign )?(?:budget|goals?|objective|"
    r"dates?)|kols?",
    re.IGNORECASE,
)


def brand(plain: Plain) -> Found | None:
    """Return the brand, labelled, said in a sentence, or standing first in the title."""
    plain = Plain.of(plain.original[:_HEAD])
    for match in _BRAND_LABEL.finditer(plain.text):
        name = _tidy(plain.shown(match.start("name"), match.end("name")))
        if _may_be_brand(name):
            return Found(name, (plain.shown(match.start(), match.end())[:60],))
    return (
        _said(plain, _SAID_ZH)
        or _said(plain, (_BEHIND_LABEL, _QUOTED), "words")
        or _written(plain, (_LATIN,), "words")
        or _written(plain, _SAID_EN)
        or _brand_of_title(plain)
        or _brand_of_product(plain)
    )


def _said(plain: Plain, patterns: Iterable[re.Pattern[str]], why: Why = "") -> Found | None:
    """Return the first name that patterns find in the plain text."""
    for pattern in patterns:
        for match in pattern.finditer(plain.text):
            name = _tidy(plain.shown(match.start("name"), match.end("name")))
            hit = Hit("", match.start("name"), match.end())
            fits = not is_refused(plain, hit) if pattern is _QUOTED else not _is_common(name)
            if fits and _may_be_brand(name):
                return Found(name, (plain.shown(match.start(), match.end()),), why)
    return None


def _written(plain: Plain, patterns: Iterable[re.Pattern[str]], why: Why = "") -> Found | None:
    """Return the first name that patterns find in the original, by its capitals."""
    for pattern in patterns:
        for match in pattern.finditer(plain.original):
            name = _tidy(match["name"])
            if _may_be_brand(name) and not _is_common(name):
                return Found(name, (" ".join(match[0].split()),), why)
    return None


def _brand_of_product(plain: Plain) -> Found | None:
    """Return the word that stands at the start of a line, before a product: 眠山床垫今年..."""
    for hit in words("verticals").find(plain.text)[:4]:
        start = plain.text.rfind("\n", 0, hit.start) + 1
        match = _BEFORE_PRODUCT.match(plain.text[start : hit.start])
        if match and not _PLAIN_WORDS.search(match["name"]):
            at = start + match.start("name")
            name = plain.shown(at, hit.start)
            if _may_be_brand(name) and not _is_common(name):
                return Found(name, (plain.shown(at, hit.end),), "words")
    return None


def _brand_of_title(plain: Plain) -> Found | None:
    heading = title(plain)
    if heading is None:
        return None
    text = half_width(str(heading.value))
    if framed := re.match(r"[【\[「《]([^】\]」》]{2,16})[】\]」》]", text):
        text = framed[1]
        if _may_be_brand(text) and not _is_common(text) and not _HEADING.search(text):
            return Found(text, (str(heading.value),), "words")
    match = _BRAND_ENDS.search(text)
    ends = [match.start()] if match else []
    plain_title = Plain.of(text)
    for section in ("platforms", "verticals", "goals"):
        ends += [plain_title.at[h.start] for h in words(section).find(plain_title.text)]
    ends += [plain_title.at[h.start] for h in keys("seasons").find(plain_title.text)]
    if not ends:
        return None
    name = _tidy(text[: min(ends)])
    if not _may_be_brand(name) or _is_common(name):
        return None
    return Found(name, (text,), "words")


def _tidy(name: str) -> str:
    if cut := _CUT.search(name.strip(" ")):
        name = name[: cut.start()] if cut.start() else name
    # Of "Orchard Row hard cider" the words in capitals are the name.
    if capitals := re.match(
        r"((?:[A-Z0-9][\w&'’.-]*|&|of|and|the)(?: (?:[A-Z0-9][\w&'’.-]*|&|of|and|"
        r"the))*)(?: [a-z]+)+$",
        name,
    ):
        name = capitals[1]
    return " ".join(name.split()).strip(" \"'“”「」【】《》[]:*.,、-#")


def _may_be_brand(name: str) -> bool:
    if name.startswith(("一家", "一个", "一款", "国内", "我们")):
        return False
    return 1 < len(name) <= 30 and not _NO_BRAND.match(name) and any(c.isalpha() for c in name)


def _is_common(name: str) -> bool:
    """Tell whether a name is nothing but words for products, platforms, goals or months."""
    plain = Plain.of(name)
    hits = [
        h for s in ("platforms", "verticals", "goals", "modes") for h in words(s).find(plain.text)
    ]
    covered = {i for h in hits for i in range(h.start, h.end)}
    left = [c for i, c in enumerate(plain.text) if i not in covered and c.isalnum()]
    months = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?: \d+)?"
    return not left or bool(re.fullmatch(months, plain.text)) or plain.text.isdigit()


def title(plain: Plain) -> Found | None:
    """Return the title, labelled or standing on the first line."""
    for match in _TITLE_LABEL.finditer(plain.text):
        name = plain.shown(match.start("name"), match.end("name")).strip(" *#-")
        if name and not _NO_LABELLED.fullmatch(name.lower()):
            return Found(name, (plain.shown(match.start(), match.end()),))
    lines = (line.strip() for line in plain.original.splitlines())
    filled = [line for line in lines if line.strip("#=-* |")]
    # A label and its value may stand above the title, but not many.
    for line in filled[:3]:
        name = " ".join(line.strip("#*=- |").split())
        if line.startswith("|") or _NO_TITLE.fullmatch(line.strip("#* :：")):
            return None
        if line.startswith(("# ", "##")) and len(name) <= _LONGEST_TITLE:
            return Found(name, (name,))
        if _is_title(name):
            return Found(name, (name,), "heading")
        if not _LABELLED.match(name):
            return None
    return None


def _is_title(name: str) -> bool:
    if len(name) > _LONGEST_TITLE:
        return False
    before, colon, _ = name.replace("：", ":").partition(":")
    if colon and _HEADING.search(before) and not _LABEL.fullmatch(before):
        return True
    if _LABELLED.match(name) or _GREETING.match(name) or _STOPS.search(name):
        return False
    return bool(_HEADING.search(name) or re.match(r"[【《\[]", name))
