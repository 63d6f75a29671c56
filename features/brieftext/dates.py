"""When a campaign runs: days, parts of months, quarters and seasons, in the year that is next.

A date without a year is the next one that has not ended at the moment of reading.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

from features.brieftext.findings import Conflict, Found, Why
from features.brieftext.plain import Plain
from features.brieftext.words import MOST, Hit, data, is_past, keys

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",),
            ("june", "jun"), ("july", "jul"), ("august", "aug"), ("september", "sept", "sep"),
            ("october", "oct"), ("november", "nov"), ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}  # fmt: skip
_MONTH = rf"(?:{'|'.join(sorted(_MONTHS, key=lambda m: -len(m)))})\.?"
_YEAR = r"(?:20\d\d)"
_DAY = r"(?:[12]\d|3[01]|0?[1-9])"
_NUMBER = r"(?:1[0-2]|0?[1-9])"
_CN_NUMBER = r"(?:十[一二]?|[一二三四五六七八九])"
_TO = r"(?: ?(?:-+|~|至|到|until|till|through|thru|to|and) ?(?:the )?)"
_PART = r"(?:上旬|中旬|下旬|初|底|末|中)"
_EARLY = (
    r"(?:early|mid|late|the beginning of|beginning of|the end of|end of|the middle of|start of|"
    r"the start of)[ -]?"
)

_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(form))
    for name, form in (
        (
            "numeric",
            rf"(?<![\d.])(?P<y1>{_YEAR})[-/.](?P<m1>{_NUMBER})[-/.](?P<d1>{_DAY})(?!\d)"
            rf"(?:{_TO}(?:(?P<y2>{_YEAR})[-/.])?(?P<m2>{_NUMBER})[-/.](?P<d2>{_DAY})(?!\d))?",
        ),
        (
            "chinese_part",
            rf"(?<!\d)(?P<m1>{_NUMBER})月(?P<d1>{_DAY})[日号]?{_TO}(?P<m2>{_NUMBER})月(?:份)?(?P<p2>{_PART})",
        ),
        (
            "chinese",
            rf"(?:(?P<y1>{_YEAR}|今|明)年)?(?P<m1>{_NUMBER}|{_CN_NUMBER})月(?P<d1>{_DAY})[日号]?"
            rf"(?:(?:{_TO}|、)(?:(?P<y2>{_YEAR}|"
            rf"明)年)?(?:(?P<m2>{_NUMBER})月)?(?P<d2>{_DAY})[日号]?"
            rf"(?![\d.%万wk元位个]))?",
        ),
        (
            "chinese_part",
            rf"(?:(?P<y1>{_YEAR}|今|明)年)?(?P<m1>{_NUMBER}|{_CN_NUMBER})月(?:份)?(?P<p1>{_PART})"
            rf"(?:{_TO}(?:(?P<m2>{_NUMBER}|{_CN_NUMBER})月(?:份)?)?(?P<p2>{_PART}))?",
        ),
        (
            "chinese_month",
            rf"(?:(?P<y1>{_YEAR}|今|明)年)?(?<!\d)(?P<m1>{_NUMBER}|{_CN_NUMBER})(?:月(?:份)?)?"
            rf"{_TO}(?P<m2>{_NUMBER}|{_CN_NUMBER})月(?:份)?(?P<p2>{_PART})?(?!\d)",
        ),
        (
            "chinese_month",
            rf"(?:(?P<y1>{_YEAR}|今|明)年)?(?<!\d)(?P<m1>{_NUMBER}|{_CN_NUMBER})月(?:份)?(?!\d|销|"
            rf"活|均)",
        ),
        (
            "dotted",
            rf"(?<![\d.,$¥])(?P<m1>{_NUMBER})(?P<sep>[./])(?P<d1>{_DAY}){_TO}"
            rf"(?:(?P<m2>{_NUMBER})(?P=sep))?(?P<d2>{_DAY})(?![\d.%万wkm元]| ?[km](?![a-z]))",
        ),
        (
            "us",
            rf"(?<![\d.])(?P<m1>{_NUMBER})\.(?P<d1>{_DAY})(?=号|日|开|截|前|起|上线|发|结束|启动|"
            rf"之前|晚|当天)",
        ),
        (
            "english_days",
            rf"(?<![a-z])(?P<mo1>{_MONTH}) (?P<d1>{_DAY})(?:st|nd|rd|th)?(?!\d|"
            rf",\d{{3}}(?!\d))(?:,? (?P<y1>{_YEAR}))?"
            rf"(?:{_TO}(?:(?P<mo2>{_MONTH}) )?(?P<d2>{_DAY})(?:st|nd|rd|"
            rf"th)?(?![\d%k])(?:,? (?P<y2>{_YEAR}))?)?",
        ),
        (
            "english_days",
            rf"(?<![\d.,$])(?P<d1>{_DAY})(?:st|nd|rd|"
            rf"th)?(?: (?:of )?(?P<mo1>{_MONTH})(?![a-z]),?(?: (?P<y1>{_YEAR}))?)?"
            rf"{_TO}(?P<d2>{_DAY})(?:st|nd|rd|"
            rf"th)? (?:of )?(?P<mo2>{_MONTH})(?![a-z])(?:,? (?P<y2>{_YEAR}))?",
        ),
        (
            "english_days",
            rf"(?<![\d.,$])(?P<d1>{_DAY})(?:st|nd|rd|"
            rf"th)? (?:of )?(?P<mo1>{_MONTH})(?![a-z])(?:,? (?P<y1>{_YEAR}))?",
        ),
        (
            "english_part",
            rf"(?<![a-z])(?P<e1>{_EARLY})(?P<mo1>{_MONTH})(?![a-z])(?:,? (?P<y1>{_YEAR}))?"
            rf"(?:{_TO}(?P<e2>{_EARLY})?(?P<mo2>{_MONTH})(?![a-z])(?:,? (?P<y2>{_YEAR}))?)?",
        ),
        (
            "english_month",
            rf"(?<![a-z])(?P<mo1>{_MONTH})(?![a-z])(?:,? (?P<y1>{_YEAR}))?"
            rf"(?:{_TO}(?P<e2>{_EARLY})?(?P<mo2>{_MONTH})(?![a-z])(?:,? (?P<y2>{_YEAR}))?)?",
        ),
        ("relative", r"下个?月|本月|这个月|当月|(?<![a-z])(?:next|this) month(?![a-z])"),
        ("us", (
            rf"(?<![\d.$¥,/])(?P<m1>{_NUMBER})/(?P<d1>{_DAY})(?:/(?P<y1>{_YEAR}))?(?![\d/.%]|人|"
            rf"条|篇)"
        )),
    )
)  # fmt: skip
_LABEL = re.compile(
    r"投放(?:时间|周期|日期|期|档期|节奏)|推广(?:时间|周期|期)|合作(?:时间|周期|档期)|活动(?:时间|"
    r"周期|日期|期间)|执行(?:时间|周期|期)|发布(?:时间|日期|窗口|档期)|上线(?:时间|日期)?|档期|"
    r"时间(?:安排|节点|周期|线|窗口|要求)?[:|]|周期|排期|campaign (?:dates?|period|window|timing|"
    r"runs?|flight|timeline)|(?<![a-z])(?:dates?|timing|flight|timeline|when|schedule|runs?|"
    r"running|go(?:es)? live|going live|live (?:dates?|window|between|from)|"
    r"post(?:ing)? (?:window|dates?|between|period)|window|period|publish)(?![a-z])"
)
_OTHER = re.compile(
    r"提报|报价截止|回复|反馈|初稿|脚本|大纲|样品|寄样|寄出|发货|结案|复盘|签约|签合同|拍摄|审核|"
    r"定稿|确认(?:达人|名单)|名单|付款|截稿|出片|见面|生产|保质期|成立|创立|上市于|shortlist|"
    r"proposals?|pitch|quotes?|drafts?|scripts?|briefing call|samples?|ship|sign|"
    r"deadline for (?:applications|replies)|respond|reply|applications?|founded|launched in|"
    r"contracts?|invoice|report|submissions?|rates by|get back|send (?:me|us|over)|content due|"
    r"first cut|review"
)
_BY = re.compile(
    r"(?:截止(?:到|至)?|截至|之前|不晚于|最晚|最迟|赶在|即日起(?:-+|至|到)|(?<![a-z])(?:by|before|"
    r"until|till|ahead of|in time for|leading up to|in the run-up to|no later than|ends?|ending|"
    r"wraps? (?:up )?(?:by|on)?|through|up to|latest|wrap(?:ped)? by))(?: ?(?:the|on|"
    r":))* ?[:到于]?$"
)
_FROM = re.compile(
    r"(?:从|自|开始(?:于|时间)?:?|起始|(?<![a-z])(?:from|starting|starts?|after|beginning|"
    r"kick(?:s|ing)? off|launch(?:es|ing)?|launch is|as of|begin(?:s|ning)?|live from|"
    r"onwards from))(?: ?(?:on|in|at|the|:))* ?$"
)
_ENDS = re.compile(
    r"^(?:日|号|当天)?(?:内|之?前(?!后)|以前|截止|结束|为止|前|收官| ?(?:at the latest|latest|"
    r"deadline|is the (?:deadline|last day)))"
)
_STARTS = re.compile(
    r"^(?:日|号|当天)?(?:起|开始|以后|之后|后|启动|开启|正式|开播|上线|发布|首发|开售|"
    r" ?(?:onwards?|start|launch|kick-?off))"
)
_ONWARDS = re.compile(r"^(?:份)?(?:起|开始|以后|之后|后|启动|开启| ?onwards?)")
_LABEL_END = re.compile(r"(?:结束|截止)(?:时间|日期)?[:|]$|(?<![a-z])(?:end|end date|ends)[:|] ?$")
_LABEL_START = re.compile(
    r"(?:开始|起始|启动)(?:时间|日期)?[:|]$|(?<![a-z])(?:start|start date|starts)[:|] ?$"
)


@dataclass(frozen=True)
class Span:
    """Days that a text names, from the first to the last.

    Attributes
    ----------
    start, end : int
        Where the words stand in the plain text.
    first, last : date
        The days.
    why : Why
        The convention by which they were guessed, if any.
    exact : bool
        Whether days were named rather than months or seasons.
    """

    start: int
    end: int
    first: date
    last: date
    why: Why
    exact: bool


def find_dates(plain: Plain, today: date) -> list[Span]:
    """Return the dates of a text in order, none within another."""
    taken: list[Span] = []
    for name, form in _FORMS:
        for match in form.finditer(plain.text):
            if len(taken) >= MOST:
                break
            if any(s.start < match.end() and match.start() < s.end for s in taken):
                continue
            span = _span(name, match, today)
            if span is not None:
                taken.append(span)
    for section in ("seasons", "moving"):
        for hit in keys(section).find(plain.text):
            if any(s.start < hit.end and hit.start < s.end for s in taken):
                continue
            span = _season(plain.text, hit, section, today)
            if span is not None:
                taken.append(span)
    return sorted(taken, key=lambda s: s.start)


def _span(name: str, match: re.Match[str], today: date) -> Span | None:
    try:
        days = _days(name, match.groupdict(), match[0], today)
    except (ValueError, OverflowError):
        return None
    if days is None:
        return None
    first, last, told_year = days
    exact = name in ("numeric", "chinese", "dotted", "english_days", "us")
    why: Why = "" if told_year and exact else "year" if exact else "season"
    return Span(match.start(), match.end(), first, last, why, exact)


def _days(
    name: str, part: dict[str, str | None], words: str, today: date
) -> tuple[date, date, bool] | None:
    if name == "relative":
        month = today.replace(day=1)
        if words.startswith(("下", "next")):
            month = (month + timedelta(days=32)).replace(day=1)
        return month, _month_end(month.year, month.month), False
    m2 = _month(part.get("m2") or part.get("mo2"))
    m1 = _month(part.get("m1") or part.get("mo1")) or m2
    if m1 is None:
        return None
    y1, y2 = _year(part.get("y1"), today), _year(part.get("y2"), today)
    d1, d2 = part.get("d1"), part.get("d2")
    if name == "us" and not part.get("y1") and int(d1 or 0) == 0:
        return None
    low, high = _within(name, part, d1, "1")
    _, high2 = _within(name, part, d2, "2")
    ranged = bool(part.get("m2") or part.get("mo2") or d2 or part.get("p2"))
    year = y1 or y2 or today.year
    if y2 and not y1 and m2 and m2 < m1:
        year = y2 - 1
    end_month = (m2 or m1) if ranged else m1
    end_year = y2 or (year + 1 if end_month < m1 else year)

    def made(shift: int) -> tuple[date, date]:
        first = _day(year + shift, m1, low)
        last = _day(end_year + shift, end_month, high2 if ranged else high)
        return first, last

    first, last = made(0)
    if not (y1 or y2) and last < today:
        first, last = made(1)
    return (first, last, bool(y1 or y2)) if first <= last else None


def _within(name: str, part: dict[str, str | None], day: str | None, which: str) -> tuple[int, int]:
    """Return the first and last day of the month that a part of a date means; 31 is the last."""
    if day:
        return int(day), int(day)
    word = part.get(f"p{which}") or part.get(f"e{which}") or ""
    return next((days for sign, days in _PARTS if sign in word), (1, 31))


_PARTS = (
    ("上旬", (1, 10)), ("中旬", (11, 20)), ("下旬", (21, 31)), ("初", (1, 10)), ("底", (21, 31)),
    ("末", (21, 31)), ("中", (11, 20)), ("early", (1, 10)), ("beginning", (1, 10)),
    ("start", (1, 10)), ("mid", (11, 20)), ("late", (21, 31)), ("end", (21, 31)),
)  # fmt: skip


def _day(year: int, month: int, day: int) -> date:
    last = calendar.monthrange(year, month)[1]
    if day == 31:
        day = last
    return date(year, month, day)


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _month(word: str | None) -> int | None:
    if not word:
        return None
    if word.isdigit():
        return int(word)
    if word[0] == "十":
        return 10 + ("一二".index(word[1]) + 1 if len(word) > 1 else 0)
    return _MONTHS.get(word.rstrip(".")) or "一二三四五六七八九".index(word) + 1


def _year(word: str | None, today: date) -> int | None:
    if not word:
        return None
    return {"今": today.year, "明": today.year + 1}.get(word) or int(word)


def _season(text: str, hit: Hit, section: str, today: date) -> Span | None:
    if hit.name.isdigit() and text[hit.end : hit.end + 1] in tuple("元块万wk"):
        return None
    year = re.search(r"(20\d\d)年?[ 的]?$", text[max(0, hit.start - 6) : hit.start])
    year = year or re.match(r"[ ,]*(20\d\d)(?!\d)", text[hit.end : hit.end + 8])
    told = int(year[1]) if year else None
    if section == "moving":
        entry = data()[section][hit.name]
        ends = [date.fromisoformat(d) for d in entry["ends"]]
        last = next((d for d in ends if (d.year == told if told else d >= today)), None)
        if last is None:
            return None
        first = last - timedelta(days=entry["days"] - 1)
        return Span(hit.start, hit.end, first, last, "season", False)
    opens, closes = data()[section][hit.name]
    at = told or today.year
    if not told and date.fromisoformat(f"{at}-{closes}") < today:
        at += 1
    first, last = (date.fromisoformat(f"{at}-{d}") for d in (opens, closes))
    return Span(hit.start, hit.end, first, last, "season", False)


def period(plain: Plain, spans: list[Span]) -> tuple[dict[str, Found], list[Conflict]]:
    """Return when the campaign starts and ends, by what the words around each date say.

    Days count before months and seasons, and dates with a label before others; of several the
    first and the last day are taken.
    """
    roles = [(span, *_role(plain, span)) for span in spans]
    kept = [(s, role, label) for s, role, label in roles if role != "other"]
    if not kept:
        return {}, []
    chosen = _chosen(kept)
    found: dict[str, Found] = {}
    starts = [s for s, role in chosen if role in ("both", "from")]
    ends = [s for s, role in chosen if role in ("both", "by")]
    if starts:
        span = min(starts, key=lambda s: (s.first, s.start))
        found["starts_at"] = Found(span.first, (plain.shown(span.start, span.end),), span.why)
    if ends:
        span = max(ends, key=lambda s: (s.last, -s.start))
        found["ends_at"] = Found(span.last, (plain.shown(span.start, span.end),), span.why)
    _complete(plain, found, kept)
    if (
        "starts_at" in found
        and "ends_at" in found
        and found["starts_at"].value > found["ends_at"].value
    ):
        both = (*found["starts_at"].quotes, *found["ends_at"].quotes)
        del found["starts_at"]
        return found, [Conflict("starts_at", both, "")]
    return found, []


def _chosen(kept: list[tuple[Span, str, bool]]) -> list[tuple[Span, str]]:
    """Return the dates that count: days before months, with a label before those without."""
    ranges = [(s, role) for s, role, _ in kept if s.exact and s.first < s.last]
    if ranges:
        labelled = [(s, role) for s, role, label in kept if label and s.exact and s.first < s.last]
        last = max(s.last for s, _ in labelled or ranges)
        later = [
            (s, r) for s, r, label in kept if label and s.exact and r == "by" and s.last > last
        ]
        return (labelled or ranges) + later
    for exact in (True, False):
        for labelled_only in (True, False):
            chosen = [
                (s, role) for s, role, label in kept if s.exact >= exact and label >= labelled_only
            ]
            if chosen:
                # Of a month and a season beside it the first that is named counts.
                whole = not exact and chosen[0][1] == "both"
                return chosen[:1] if whole else chosen
    return []


def _complete(plain: Plain, found: dict[str, Found], kept: list[tuple[Span, str, bool]]) -> None:
    """Take the end that is still unknown from a day that has no label."""
    if "starts_at" not in found and "ends_at" in found:
        days = [s for s, role, _ in kept if role == "from" and s.first <= found["ends_at"].value]
        if days:
            span = min(days, key=lambda s: s.first)
            found["starts_at"] = Found(span.first, (plain.shown(span.start, span.end),), span.why)
    if "ends_at" not in found and "starts_at" in found:
        days = [s for s, role, _ in kept if role == "by" and s.last >= found["starts_at"].value]
        if days:
            span = max(days, key=lambda s: s.last)
            found["ends_at"] = Found(span.last, (plain.shown(span.start, span.end),), span.why)


def _role(plain: Plain, span: Span) -> tuple[str, bool]:
    """Return what a date is of the campaign (both ends, from, by, other), and if it is labelled."""
    text = plain.text
    start, end = plain.clause(span.start)
    line_start, _ = plain.sentence(span.start)
    before = text[max(line_start, span.start - 40) : span.start]
    clause_before = text[start : span.start]
    after = text[span.end : min(end, span.end + 14)]
    lead = before
    if not before.strip(" |:-+•·") and line_start:
        above, _ = plain.sentence(max(0, line_start - 2))
        lead = text[max(above, span.start - 40) : span.start]
    hit = Hit("", span.start, span.end)
    label = bool(_LABEL.search(lead))
    near = clause_before[-18:] + " " + after
    if is_past(plain, hit) or (_OTHER.search(near) and not _LABEL.search(clause_before)):
        return "other", False
    if _LABEL_END.search(before) or _BY.search(before[-14:]) or _ENDS.match(after):
        return ("by", True) if span.first == span.last or not span.exact else ("both", True)
    if _LABEL_START.search(before):
        return "from", True
    if span.first == span.last or not span.exact:
        # A month in which it goes live is the whole of it; only a day begins anything.
        if (_STARTS if span.exact else _ONWARDS).match(after) or (
            _FROM.search(before[-14:]) and span.exact
        ):
            return "from", True
        if span.first == span.last:
            # One day alone is when it goes live.
            return "from", label
    return "both", label
