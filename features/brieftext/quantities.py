"""What each number of a brief is of: budget, price per KOL, product, followers, KOLs, margin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from features.brieftext.amounts import Amount
from features.brieftext.findings import Conflict, Found, Why
from features.brieftext.plain import Plain
from features.brieftext.words import cues, data, either, keys, words

_BEFORE = cues(
    "cues", "max_price", "followers", "product_price", "kols", "margin", "budget", "other"
)
_LEAD = (
    r" ?(?:以内|以下|以上|左右|上下|封顶|之内|flat|fees?|max|maximum|or so|ish|or less|or under|"
    r"tops|\+)? ?\(?"
)
_KOLS_BEFORE = re.compile(
    r"(?:头部|肩部|腰部|尾部|素人|达人|博主|kol|koc|红人|主播|up主|账号|创作者|号)(?:们|数量?|共|"
    r"一?共计?|约|大概|大约|需要|要|选|找|在|定|需)*[:|]? ?$"
)
_FEW = (
    r"(?:个|位|名)(?:人|号)?(?:左右|以内|以上)?(?:吧|就行|就够|就好|即可|够了)?(?:[,。;\n]|$)"
    r"| of (?:them|these|those)(?![a-z])"
)
_PART_OF = r"其中|每|各|(?<![a-z])(?:of which|per|each)(?![a-z])"
_AND_MORE = r"再找|再加|另找|另外|外加|加上|另有|以及|粉以上|[^。;\n]\+|(?<![a-z])plus(?![a-z])"
_REACH = 44
_LEAST_BUDGET = 1000
_MOST_KOLS = 5000
_BELOW = re.compile(
    r"^(?:人|个|粉丝?)?(?:及)?(?:以下|以内)|^ ?(?:or (?:less|fewer|under|below)|max)", re.ASCII
)
_UNDER = re.compile(
    r"(?:不超过|(?<!不)低于|(?<!不)小于|(?<!不)少于|不高于|<|(?<!one )(?<!nobody )under|below|"
    r"less than|fewer than|up to|at most)[ =]*$"
)


def _is_large(amount: Amount) -> bool:
    """Tell whether a number has a currency or a scale, as no count of KOLs has."""
    return not amount.is_bare


class Quantities:
    """The numbers of one brief, each given to the field that the words around it name.

    Parameters
    ----------
    plain : Plain
        The brief.
    amounts : sequence of Amount
        Its numbers.
    """

    def __init__(self, plain: Plain, amounts: Sequence[Amount]) -> None:
        self._plain = plain
        self._amounts = tuple(amounts)
        self._of: dict[str, list[Amount]] = {}
        for place, amount in enumerate(amounts):
            field = self._field(place, amount)
            if field:
                self._of.setdefault(field, []).append(amount)

    def read(self) -> tuple[dict[str, Found], list[Conflict], list[str]]:
        """Return what was found, what contradicts itself, and what no column holds."""
        found: dict[str, Found] = {}
        conflicts: list[Conflict] = []
        for name, pick in (
            ("budget", self._budget),
            ("max_price_per_kol", self._max_price),
            ("kols_wanted", self._kols),
            ("min_followers", self._followers),
            ("product_price", self._product_price),
            ("gross_margin", self._margin),
        ):
            value, others = pick()
            if value is not None:
                found[name] = value
                if others:
                    conflicts.append(
                        Conflict(name, (*value.quotes, *others), f"{value.value:,.10g}")
                    )
        return found, conflicts, self._most_followers()

    def money(self) -> list[Amount]:
        """Return the amounts that are taken as money, budget first."""
        fields = ("budget", "max_price", "product_price", "unnamed")
        return [amount for field in fields for amount in self._of.get(field, ())]

    def _field(self, place: int, amount: Amount) -> str:
        """Return what a number is of; empty where it is of nothing that matters."""
        if amount.unit == "people" and not self._is_told_of_others(amount):
            return "kols"
        if amount.unit in ("age", "time", "people"):
            return ""
        cue = self._cue_before(place, amount)
        if amount.unit == "percent":
            return "margin" if cue == "margin" or self._is_margin(amount) else ""
        if self._is_count_of_kols(amount) or (cue == "kols" and not _is_large(amount)):
            return "kols"
        if amount.unit != "piece" and self._is_size(place, amount, cue):
            return "followers"
        return "" if amount.unit == "piece" else self._of_money(amount, cue)

    def _of_money(self, amount: Amount, cue: str) -> str:
        after = self._plain.text[amount.end : amount.end + 60]
        for field in ("followers", "other", "product_price", "max_price", "budget"):
            if _after(field).match(after) and not (field == "followers" and amount.currency):
                return "" if field == "other" else field
        if cue in ("other", "margin", "kols") or (cue == "followers" and amount.currency):
            return ""
        if cue in ("max_price", "product_price", "budget"):
            return cue if self._is_money(amount, cue) else ""
        return cue or ("unnamed" if _is_large(amount) else "")

    def _is_margin(self, amount: Amount) -> bool:
        after = self._plain.text[amount.end : amount.end + 30]
        return bool(_after("margin").match(re.sub(r"^ ?(?:%|成|percent)", "", after)))

    def _is_size(self, place: int, amount: Amount, cue: str) -> bool:
        """Tell whether a number is of followers though none are named: "8 creators (10-50k)"."""
        if amount.currency or not amount.scaled or cue in ("budget", "max_price", "other"):
            return False
        if cue == "followers":
            return True
        last = self._amounts[place - 1] if place else None
        beside = last is not None and last.unit == "people" and amount.start - last.end < 40
        return amount.plus or (beside and self._plain.text[amount.start - 1] == "(")

    def _is_count_of_kols(self, amount: Amount) -> bool:
        """Tell whether a number stands right behind a word for KOLs, as in 达人10-12个."""
        if amount.currency or amount.scaled or amount.high > _MOST_KOLS:
            return False
        text = self._plain.text
        before = text[max(0, amount.start - 12) : amount.start]
        if re.match(r"(?:个|位|名|组|人)(?![月赞])", text[amount.end :]):
            hits = words("platforms").find(before)
            return bool(_KOLS_BEFORE.search(before)) or bool(hits and hits[-1].end == len(before))
        return bool(_KOLS_BEFORE.search(before)) and (
            amount.plus or bool(re.match(r"(?:左右|以上)?(?:[,。;\n]|$)", text[amount.end :]))
        )

    @staticmethod
    def _is_money(amount: Amount, cue: str) -> bool:
        if not amount.is_bare:
            return True
        return amount.high >= (9 if cue == "product_price" else 100)

    def _is_told_of_others(self, amount: Amount) -> bool:
        start, _ = self._plain.clause(amount.start)
        before = self._plain.text[start : amount.start]
        return bool(re.search(either(data()["refusal"]["past"]), before))

    def _cue_before(self, place: int, amount: Amount) -> str:
        """Return the field of the last cue before a number, in its sentence or the line above."""
        text = self._plain.text
        start, _ = self._plain.sentence(amount.start)
        if not re.search(r"[^\s|:\-+•·\d.()]", text[start : amount.start]) and start:
            # A heading or the label of a table's cell may stand on the line above.
            above, _ = self._plain.sentence(max(0, start - 2))
            start = above if start - above <= _REACH else start
        if place:
            start = max(start, self._amounts[place - 1].end)
        start = max(start, amount.start - _REACH)
        last = ""
        for match in _BEFORE.finditer(text, start, amount.start):
            last = match.lastgroup or ""
        return last

    def _quote(self, amount: Amount) -> str:
        """Return a number with the words of its clause before it and the word behind."""
        text = self._plain.text
        start, end = self._plain.clause(amount.start)
        start = max(start, amount.start - 16)
        last = re.match(r"[^,。;!?\n]{0,10}", text[amount.end : end])
        stop = amount.end + (last.end() if last else 0)
        while start > 0 and text[start].isascii() and text[start - 1 : start + 1].isalnum():
            start -= 1
        while stop < len(text) and text[stop].isascii() and text[stop - 1 : stop + 1].isalnum():
            stop += 1
        return self._plain.shown(start, stop)

    def _one(
        self, amounts: Sequence[Amount], high: bool = True
    ) -> tuple[Found | None, tuple[str, ...]]:
        if not amounts:
            return None, ()
        first = amounts[0]
        value = first.high if high else first.low
        why: Why = "about" if first.about else ""
        if first.is_range:
            why = "range_high" if high else "range_low"
        others = tuple(
            self._quote(other)
            for other in amounts[1:]
            if (other.low, other.high) != (first.low, first.high)
        )
        return Found(value, (self._quote(first),), why), others

    def _budget(self) -> tuple[Found | None, tuple[str, ...]]:
        told = [a for a in self._of.get("budget", ()) if a.high >= _LEAST_BUDGET]
        if not told:
            unnamed = [a for a in self._of.get("unnamed", ()) if a.high >= _LEAST_BUDGET]
            # What names its currency is money before what does not; of several the largest.
            unnamed.sort(key=lambda a: (not a.currency, -a.high))
            if not unnamed:
                return None, ()
            return Found(unnamed[0].high, (self._quote(unnamed[0]),), "no_cue"), ()
        if len(told) == 1 and (parts := self._parts(told[0])):
            quotes = tuple(self._quote(part) for part in parts)
            return Found(sum(part.high for part in parts), quotes, "sum"), ()
        total = re.compile(r"总|合计|共|整体|total|overall|all[- ]in")
        told.sort(key=lambda a: not total.search(self._quote(a)))
        return self._one(told)

    def _parts(self, first: Amount) -> list[Amount]:
        """Return the budgets of several platforms that stand side by side, for want of a total."""
        text = self._plain.text
        start, end = self._plain.sentence(first.start)
        parts: list[Amount] = []
        for amount in self._amounts:
            if not (first.start <= amount.start < end) or amount.is_bare:
                continue
            if amount is not first:
                start = parts[-1].end if parts else start
            if words("platforms").find(text, max(start, amount.start - 12), amount.start):
                parts.append(amount)
        return parts if len(parts) > 1 else []

    def _max_price(self) -> tuple[Found | None, tuple[str, ...]]:
        return self._one(self._of.get("max_price", ()))

    def _product_price(self) -> tuple[Found | None, tuple[str, ...]]:
        told = self._of.get("product_price", []) or self._unnamed_price()
        paid = re.compile(
            r"专属|到手|活动|券后|促销|大促|直播|首发|团购|预售|promo|launch|discount|sale|now"
        )
        ordered = sorted(told, key=lambda a: not paid.search(self._label(a)))
        found, others = self._one(ordered, high=False)
        if found is not None and not self._of.get("product_price"):
            return Found(found.value, found.quotes, "no_cue"), ()
        # Two prices of a product are a range of goods or a rebate, and no contradiction.
        if found is not None and others:
            found = Found(found.value, (*found.quotes, *others), "first")
        return found, ()

    def _label(self, amount: Amount) -> str:
        """Return the few words before a number, back to the number before it."""
        ends = [other.end for other in self._amounts if other.end <= amount.start]
        start, _ = self._plain.clause(amount.start)
        return self._plain.text[max(start, amount.start - 10, *ends[-1:]) : amount.start]

    def _unnamed_price(self) -> list[Amount]:
        """Return the first amount that is told of nothing and too small for a budget."""
        budget = max((a.high for a in self._of.get("budget", ())), default=0.0)
        unnamed = self._of.get("unnamed", [])
        if not budget:
            # Without one, what is small is taken to be no budget.
            budget = max([a.high for a in unnamed if a.high >= _LEAST_BUDGET], default=5000.0)
        small = [a for a in unnamed if a.currency and 1 <= a.low <= min(20_000.0, budget / 5)]
        return small[:1]

    def _kols(self) -> tuple[Found | None, tuple[str, ...]]:
        told = [
            a
            for a in self._of.get("kols", ())
            if 1 <= a.high <= _MOST_KOLS and a.high == int(a.high)
        ]
        if not told:
            return self._few() or self._in_words()
        text = self._plain.text

        def said_with(amount: Amount) -> str:
            start, end = self._plain.clause(amount.start)
            return text[max(start, amount.start - 14) : min(end, amount.end + 24)]

        total = [
            a
            for a in told
            if re.search(r"总|合计|共(?!创|同|研)|total|overall|in all", said_with(a))
        ]
        if total:
            return self._one(total[:1])
        tiers = [a for a in told if keys("tiers").find(said_with(a))]
        told = [a for a in told if not re.search(_PART_OF, self._label(a))] or told
        alike = tiers if len(tiers) > 1 else self._by_platform(told) or self._side_by_side(told)
        if len(alike) > 1:
            quotes = tuple(self._quote(a) for a in alike)
            return Found(sum(a.high for a in alike), quotes, "sum"), ()
        return self._one(told)

    def _by_platform(self, told: Sequence[Amount]) -> list[Amount]:
        named = []
        for place, amount in enumerate(told):
            start, _ = self._plain.clause(amount.start)
            start = max(start, told[place - 1].end if place else 0)
            _, stop = self._plain.sentence(amount.start)
            later = [a.start for a in told if a.start > amount.start]
            stop = min([stop, amount.end + 16, *later])
            hits = words("platforms").find(self._plain.text, max(start, amount.start - 10), stop)
            if hits:
                named.append((amount, hits[0].name))
        return [a for a, _ in named] if len({name for _, name in named}) == len(named) else []

    def _side_by_side(self, told: Sequence[Amount]) -> list[Amount]:
        """Return counts that add up: 2位参与设计，再找10位; "one creator plus 5 others"."""
        text, out = self._plain.text, list(told[:1])
        for last, amount in pairwise(told):
            if not re.search(_AND_MORE, text[last.end : amount.start]):
                break
            out.append(amount)
        return out if len(out) > 1 else []

    def _few(self) -> tuple[Found | None, tuple[str, ...]] | None:
        """Return a count of nobody in particular, as in 大概25个, where none is told otherwise."""
        text = self._plain.text
        for amount in self._amounts:
            bare = amount.is_bare and amount.unit == "" and 2 <= amount.high <= 500
            if bare and re.match(_FEW, text[amount.end :]):
                return Found(amount.high, (self._quote(amount),), "no_cue"), ()
        return None

    def _in_words(self) -> tuple[Found | None, tuple[str, ...]]:
        for match in _WORDED.finditer(self._plain.text):
            value = 6.0 if "half" in match[0] else _COUNTS.get(match["count"] or "", 12.0)
            if match["more"]:
                value = max(value, _COUNTS[match["more"]])
            why: Why = "range_high" if match["more"] else ""
            return Found(value, (self._plain.shown(match.start(), match.end()),), why), ()
        return None, ()

    def _followers(self) -> tuple[Found | None, tuple[str, ...]]:
        told = [a for a in self._of.get("followers", ()) if not self._is_upper(a) and a.low >= 100]
        if told:
            told.sort(key=lambda a: a.low)
            found, _ = self._one(told, high=False)
            if found is not None and len({a.low for a in told}) > 1:
                return Found(found.value, tuple(map(self._quote, told)), "range_low"), ()
            # The lower end of a range is the least; nothing is guessed.
            return (Found(found.value, found.quotes) if found else None), ()
        hits = [h for h in keys("tiers").find(self._plain.text) if not self._is_aside(h.start)]
        if not hits:
            return None, ()
        least = min(data()["tiers"][hit.name] for hit in hits)
        quotes = tuple(dict.fromkeys(self._plain.shown(h.start, h.end) for h in hits))
        return Found(float(least), quotes, "tier"), ()

    def _is_aside(self, position: int) -> bool:
        start, end = self._plain.clause(position)
        clause = self._plain.text[start:end]
        return bool(re.search(either(data()["refusal"]["before"]), clause))

    def _is_upper(self, amount: Amount) -> bool:
        text = self._plain.text
        if amount.is_range:
            return False
        return bool(
            _BELOW.search(text[amount.end : amount.end + 16])
            or _UNDER.search(text[max(0, amount.start - 16) : amount.start])
        )

    def _most_followers(self) -> list[str]:
        told = [a for a in self._of.get("followers", ()) if a.is_range or self._is_upper(a)]
        return [self._quote(amount) for amount in told]

    def _margin(self) -> tuple[Found | None, tuple[str, ...]]:
        told = [a for a in self._of.get("margin", ()) if 0 < a.high <= 100]
        found, others = self._one(told, high=False)
        if found is None:
            return None, ()
        return Found(round(found.value / 100, 6), found.quotes, found.why), others


_COUNTS = {
    name: float(value)
    for value, names in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=1
    )
    for name in [names]
} | {"twelve": 12.0, "fifteen": 15.0, "twenty": 20.0, "thirty": 30.0, "a dozen": 12.0}
_NOUN = (
    r"(?:creators?|influencers?|kols?|kocs?|talents?|youtubers?|tiktokers?|bloggers?|partners?|"
    r"streamers?|ambassadors?)"
)
_WORDED = re.compile(
    rf"(?<![a-z])(?P<count>{'|'.join(sorted(_COUNTS, key=len, reverse=True))}|(?:half a )dozen)"
    rf"(?:(?: to |-|"
    rf" or )(?P<more>{'|'.join(_COUNTS)}))?(?: [a-z][a-z&/-]*){{0,4}}? {_NOUN}(?![a-z])"
)


@cache
def _after(field: str) -> re.Pattern[str]:
    return re.compile(f"{_LEAD}(?:{either(data()['after'][field])})")


def currency_of(
    amounts: Sequence[Amount], quote: str, language: str, platforms: Sequence[str]
) -> tuple[Found | None, list[str]]:
    """Return the currency of the amounts, and the others that are told beside it.

    Chinese briefs mean yuan where they name none, unless all their platforms are abroad.
    """
    told = list(dict.fromkeys(a.currency for a in amounts if a.currency))
    if told:
        return Found(told[0], (quote,)), told[1:]
    abroad = {"tiktok", "instagram", "youtube"}
    if amounts and language == "zh" and not (platforms and set(platforms) <= abroad):
        return Found("CNY", (), "currency"), []
    return None, []
