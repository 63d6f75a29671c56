"""From the text of a brief to what was understood of it."""

from __future__ import annotations

import re
from datetime import date
from itertools import islice

from features.brieftext import audience, choices, dates, names, refusals
from features.brieftext.amounts import find_amounts
from features.brieftext.findings import Conflict, Found, Understood
from features.brieftext.plain import Plain
from features.brieftext.quantities import Quantities, currency_of
from features.brieftext.words import MOST, data, either
from features.contract import BRIEFS

_MOST_WISHES = 8


def understand(text: str, today: date) -> Understood:
    """Read a brief.

    Parameters
    ----------
    text : str
        In Chinese or English.
    today : date
        When it is read: a date without a year is the next one from then on.

    Examples
    --------
    >>> brief = understand("抖音种草，预算30万，找10位达人，不投快手", date(2026, 5, 1))
    >>> {name: found.value for name, found in brief.found.items() if name != "text"}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'language': 'zh', 'goal': 'seeding', 'platforms': ('douyin',), 'budget': 300000.0,
     'currency': 'CNY', 'kols_wanted': 10.0}
    """
    plain = Plain.of(text)
    body = clean(text)
    told: dict[str, Found | None] = {
        "text": Found(body, ()),
        "language": Found(language(plain.text), (), "words") if body else None,
        "brand_name": names.brand(plain),
        "title": names.title(plain),
        "goal": choices.goal(plain),
        "vertical": choices.vertical(plain),
        "platforms": choices.platforms(plain),
        "modes": choices.modes(plain),
        "competitor_brands": refusals.competitors(plain),
        "excluded_kols": refusals.excluded_kols(plain),
        "blocked_terms": refusals.blocked_terms(plain),
        **audience.audience(plain, today.year),
    }
    spans = dates.find_dates(plain, today)
    quantities = Quantities(plain, find_amounts(plain, [(s.start, s.end) for s in spans]))
    read, conflicts, unplaced = quantities.read()
    when, clashes = dates.period(plain, spans)
    told |= read | when
    platforms = told["platforms"].value if told["platforms"] else ()
    money = quantities.money()
    quote = next(iter(read["budget"].quotes), "") if "budget" in read else ""
    told["currency"], others = currency_of(money, quote, language(plain.text), platforms)
    if others and told["currency"]:
        conflicts.append(Conflict("currency", tuple(others), str(told["currency"].value)))
    found = {name: told[name] for name in BRIEFS.names if told.get(name) is not None}
    used = {quote for f in found.values() if f for quote in f.quotes}
    wishes = [wish for wish in _wishes(plain) if not any(wish in q or q in wish for q in used if q)]
    return Understood(
        body,
        {name: f for name, f in found.items() if f},
        (*conflicts, *clashes),
        tuple(dict.fromkeys([*unplaced, *wishes]))[:_MOST_WISHES],
    )


def clean(text: str) -> str:
    """Return a text without control characters and other signs that nobody sees."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in lines if c in "\n\t\u3000" or c.isprintable())
    return kept.strip()


def language(plain: str) -> str:
    """Return the language of a text: ``"zh"`` where Chinese signs outnumber words in Latin."""
    chinese = len(re.findall(r"[\u4e00-\u9fff]", plain))
    return "zh" if chinese > len(re.findall(r"[a-z]{2,}", plain)) else "en"


def _wishes(plain: Plain) -> list[str]:
    """Return the clauses that refuse something: a person must see those that no column holds."""
    pattern = re.compile(either(data()["refusal"]["before"]))
    wishes = []
    for match in islice(pattern.finditer(plain.text), MOST):
        start, end = plain.clause(match.start())
        wish = plain.shown(start, end)
        if len(wish) > 3:
            wishes.append(wish if len(wish) <= 80 else f"{wish[:79]}…")
    return wishes
