"""Every number of a brief that may count or cost something, with its unit and currency.

What a number is of, is told by the words around it (`features.brieftext.quantities`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from features.brieftext.plain import Plain
from features.brieftext.words import MOST, data
from features.cells import PLAIN, RefusedError
from features.numerals import read_number

Unit = Literal["", "percent", "age", "time", "people", "piece"]

_DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,4}(?![\d])(?:\.\d{1,6})?|\d{1,15}(?!\d)(?:\.\d{1,6})?)"
_ONES = "一二两三四五六七八九"
# A bare 百万 counts only before what it can count: 千万不要 is no number.
_SPOKEN = (
    rf"(?:[{_ONES}][{_ONES}](?=[个位名人组])|"
    rf"[{_ONES}十][零{_ONES}十百千]*(?:[万亿][零{_ONES}十百千]*)?|[百千]?万(?=以?上?的?粉))"
)
_TEENS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ENGLISH = {word: number for number, word in enumerate(_TEENS)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
_SPELT = (
    rf"(?:(?<![a-z])(?:{'|'.join(_ENGLISH)})(?= (?:thousand|million|grand|"
    rf"hundred thousand)(?![a-z])))"
)
_SCALES = {"thousand": "k", "grand": "k", "million": "m", "mil": "m", "mn": "m"}
_SCALE = r"(?:千万|百万|十万|万|萬|千|亿|(?:kw|w|k|mn|million|mil|m|thousand|grand)(?![a-z&]))"
_ROUND = r"(?:多|来|余|几)?"
_PEOPLE = (
    r"(?:家庭|up(?![a-z])|达人|博主|kol|koc|网红|红人|up主|主播|账号|创作者|大v|素人|明星|"
    r"宝妈博主|作者|号主|号(?=[,。;\n])"
    r"|(?:creators?|influencers?|kols?|kocs?|talents?|tiktokers?|youtubers?|instagrammers?|"
    r"bloggers?"
    r"|vloggers?|streamers?|partners?|ambassadors?|accounts?|people|personalities|streamer|gamers"
    r"|reviewers?|voices|faces|names|hosts|ones|guys|experts|micros?|macros?|nanos?|"
    r"families)(?![a-z]))"
)
_UNIT_FORMS: tuple[tuple[Unit, str], ...] = (
    ("percent", r" ?(?:%|percent|per cent|个点|成(?!都|交|本|立|分|员))"),
    ("age", r" ?(?:\+ ?)?(?:周?岁|years? old|y/?o(?![a-z])|-?year-?olds?)"),
    (
        "people",
        # Up to four words, or eight signs of Chinese, may describe whom is counted.
        r"(?:\+|多|余|来)? ?(?:位|名|个|组|家|人)(?:左右|以上|以内)?的?"
        rf"(?:[^,。:;、/+()\n\d\sa-z]{{0,8}}?) ?{_PEOPLE}",
    ),
    (
        "people",
        rf"\+?(?:(?: (?!per |each |a |an |of |followers|fans|subs|for |in |on |"
        rf"to )(?:[a-z][a-z&'/-]*|&)(?: \([a-z ]+\))?(?:, (?=[a-z]+ ))?){{0,6}}?) ?{_PEOPLE}",
    ),
    ("people", r"(?:位|名)(?!额|单|称)"),
    (
        "piece",
        r" ?(?:个?sku|条|篇|支|款|场|期|套|次|单|件|集|张|代|轮|倍|字|字以|选|家门?店|周年)",
    ),
    (
        "piece",
        r" ?(?:posts?|videos?|reels?|stories|story|shorts?|tiktoks?|notes?|skus?|pieces?|"
        r"rounds?"
        r"|deliverables?|frames?|x|assets?|slides?|hashtags?|links?|revisions?)(?![a-z])",
    ),
    (
        "time",
        r" ?(?:天|周(?!年)|个?月|日|号|年|小时|秒|分钟|点|(?:days?|weeks?|wks?|months?|years?|"
        r"hours?|hrs?"
        r"|seconds?|secs?|s|minutes?|mins?|am|pm|th|st|nd|rd|days'|hz)(?![a-z]))",
    ),
)
_UNITS = tuple((unit, re.compile(form)) for unit, form in _UNIT_FORMS)


@dataclass(frozen=True)
class Amount:
    """A number, or a range of two, as it stands in a text.

    Attributes
    ----------
    start, end : int
        Where it stands in the plain text, with its sign of currency.
    low, high : float
        The same where it is no range.
    currency : str
        ISO 4217 code; empty where none is told.
    scaled : bool
        Whether a word such as 万 or k multiplies it.
    unit : Unit
        What follows it.
    about : bool
        Whether it is said to be no exact number, such as 30多万.
    plus : bool
        Whether a sign says that it is the least.
    """

    start: int
    end: int
    low: float
    high: float
    currency: str
    scaled: bool
    unit: Unit
    about: bool = False
    plus: bool = False

    @property
    def is_range(self) -> bool:
        """Whether two numbers were told."""
        return self.low < self.high

    @property
    def is_bare(self) -> bool:
        """Whether nothing tells that it is money or many."""
        return not (self.currency or self.scaled)


_ABOUT = re.compile(rf"[多来余]{_SCALE}")
_CHANGED = re.compile(
    r"(?:元|位|个|名|人)?(?:达人|博主)?,?(?:砍|减|降|调|调整|改|加|提|增|增加|减少|下调|上调|缩减|"
    r"压缩|压)(?:到|至|为|成)(?:了)?"
    r"| ?(?:down to|up to now|cut to|reduced to|raised to|increased to|lowered to) ?"
)


@cache
def currency_words() -> dict[str, str]:
    """Return the currency that each word or sign stands for in a brief."""
    return {word: code for code, words in data()["currency"].items() for word in words}


@cache
def _pattern() -> re.Pattern[str]:
    names = sorted(currency_words(), key=lambda w: (-len(w), w))
    bounded = [
        (rf"(?<![a-z]){re.escape(w)}" if w[0].isalpha() and w.isascii() else re.escape(w))
        + ("(?![a-z])" if w[-1].isalpha() and w.isascii() else "")
        for w in names
    ]
    signs = "|".join(bounded)
    number = rf"(?:{_DIGITS}|{_SPOKEN}|{_SPELT})"
    return re.compile(
        rf"(?:(?P<before>{signs}) ?)?(?<![\d.])(?P<low>{number}){_ROUND} "
        rf"?(?:个(?=[wk万]))?(?P<low_scale>{_SCALE})?"
        rf"(?P<range>(?:元|块|个|位|名|%|岁)? ?(?:-+|~|至|到|or|to|and) ?(?:(?:{signs}) ?)?"
        rf"(?P<high>{number}) ?(?P<high_scale>{_SCALE})?)?"
        rf"(?P<about>{_ROUND})(?P<plus>\+?) ?(?P<after>{signs})?"
    )


def find_amounts(plain: Plain, besides: Sequence[tuple[int, int]] = ()) -> list[Amount]:
    """Return the numbers of a text in order.

    Parameters
    ----------
    plain : Plain
        The text.
    besides : sequence of (int, int)
        Stretches that are something else, such as dates.

    Examples
    --------
    >>> [(a.low, a.high, a.currency) for a in find_amounts(Plain.of("预算20-30万元，约 $5k"))]
    [(200000.0, 300000.0, 'CNY'), (5000.0, 5000.0, 'USD')]
    """
    text, at = plain.text, 0
    found: list[Amount] = []
    while len(found) < MOST and (match := _pattern().search(text, at)):
        at = max(match.end(), match.start() + 1)
        if any(start < match.end("low") and match.start("low") < end for start, end in besides):
            at = match.end("low")
            continue
        amount = _amount(text, match)
        if amount is not None:
            if found and _CHANGED.fullmatch(text[found[-1].end : amount.start]):
                found.pop()  # 从50万砍到35万: what it was no longer counts
            found.append(amount)
            at = amount.end
    return found


def _amount(text: str, match: re.Match[str]) -> Amount | None:
    start, end = match.start(), match.start() + len(match[0].rstrip())
    span = None if _is_part(text, match, end) else _bounds(text, match)
    if span is None:
        return None
    low, high = span
    if match["range"] and high is None:
        end = match.start("range")
    rest = text[end : end + 120]
    unit: Unit = next((u for u, form in _UNITS if form.match(rest)), "")
    if unit == "percent" and rest.lstrip().startswith("成"):
        low, high = low * 10, None if high is None else high * 10
    if _is_word(match, unit, rest):
        return None
    if unit == "people" and (match["before"] or match["after"]):
        unit = ""
    sign = match["before"] or (match["after"] if high or not match["range"] else None)
    return Amount(
        start,
        end,
        low,
        low if high is None else high,
        currency_words().get(sign or "", ""),
        bool(match["low_scale"] or match["high_scale"] or "万" in match["low"]),
        unit,
        bool(match["about"]) or bool(_ABOUT.search(text[start:end])),
        bool(match["plus"]),
    )


def _is_part(text: str, match: re.Match[str], end: int) -> bool:
    """Tell whether a number belongs to something else: a name such as v2, a list's numbering."""
    start = match.start()
    before = text[max(0, start - 1) : start]
    if before == "几" or re.match(r"-\d|[a-z]\d", text[end : end + 2]):
        return True
    line = f"\n{text[:start]}" if start < 4 else text[start - 4 : start]
    if re.search(r"\n *$", line) and re.match(r"(?:\. |[.)、](?!\d))", text[end : end + 2]):
        return True
    return match["before"] is None and bool(re.match(r"[a-z_@#]", before))


def _bounds(text: str, match: re.Match[str]) -> tuple[float, float | None] | None:
    """Return the number, or both of a range, whose scale may stand behind the second alone."""
    low = _value(match["low"], match["low_scale"])
    if low is None or (match["low"] == "一" and not match["low_scale"]):
        return None
    if not match["range"]:
        return low, None
    high = _value(match["high"], match["high_scale"])
    shared = _value(match["low"], match["low_scale"] or match["high_scale"])
    if high is not None and shared is not None and shared <= high:
        low = shared
    listed = (
        " and " in match["range"]
        and "between" not in text[max(0, match.start() - 12) : match.start()]
    )
    return low, None if high is None or low > high or listed else high


def _is_word(match: re.Match[str], unit: Unit, rest: str) -> bool:
    """Tell whether a number in Chinese words only looks like one: 一线, 三星, 十分, 三农主播."""
    first, scaled = match["low"][0], match["low_scale"] or "万" in match["low"]
    counted = bool(re.match("[位名个组家人]", rest))
    if first in _ONES + "十" and not scaled and not unit and not counted:
        return True
    return unit == "people" and first in _ONES and not scaled and not counted


def _value(number: str, scale: str | None) -> float | None:
    if number in _ENGLISH:
        number = str(_ENGLISH[number])
    if number[0].isdigit():
        word = _SCALES.get(scale or "", scale or "")
        try:
            value = float(read_number(f"{number}{word}", PLAIN))
        except RefusedError:
            return None
        return value if value <= _MOST else None
    if len(number) == 2 and all(sign in _ONES for sign in number):
        number = number[1]  # 五六个: the higher of the two
    value = float(spoken(number) * spoken(scale or "一"))
    return value if value <= _MOST else None


_MOST = 1e11
"""No brief counts or costs more."""

_PLACES = {"十": 10, "百": 100, "千": 1000}


def spoken(number: str) -> Decimal:
    """Read a number in Chinese words.

    Examples
    --------
    >>> [int(spoken(n)) for n in ("五十万", "三万五", "两百", "十五")]
    [500000, 35000, 200, 15]
    """
    total, section, digit, last = 0, 0, 0, 1
    for sign in number.replace("萬", "万"):
        if sign in ("万", "亿"):
            size = 10_000 if sign == "万" else 100_000_000
            total = (total + (section + digit or 1)) * size
            section, digit, last = 0, 0, size
        elif sign in _PLACES:
            section += (digit or 1) * _PLACES[sign]
            digit, last = 0, _PLACES[sign]
        elif sign == "零":
            last = 1
        else:
            digit = (_ONES.index(sign) + 1) - (sign not in "一二") if sign in _ONES else 0
    # 三万五 is thirty-five thousand: what follows a place alone is the place below.
    return Decimal(total + section + digit * (last // 10 if last > 10 else 1))
