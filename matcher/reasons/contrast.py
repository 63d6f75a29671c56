"""Why one match stands above another: what sets them apart most, in figures of both.

A page without a server must say it of any two of some hundred matches, so that it is made of three
parts: `sides` gives each match's figures ready to be read, `TEMPLATES` the words, both as JSON has
them, and `contrast` puts them together in steps that JavaScript can take too.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import pandas as pd

from features.evidence import excerpt
from matcher.reasons.figures import money, percent, short, wan
from matcher.wording import Language

Side = dict[str, Any]
"""One match as JSON has it: ``name``, ``rank``, ``currency`` (or null), ``parts`` (family to what
it adds to the score) and ``figures`` (name to a list of the value and its words by language)."""

TEMPLATES: Mapping[str, Any] = tomllib.loads(
    files("matcher.reasons").joinpath("contrast.toml").read_text(encoding="utf-8")
)
"""The words, as JSON has them: ``words`` and ``families`` by name and language, and ``figures``, a
list of name, family, better (1 or -1), kind, zh, en."""
FOR, AGAINST = 2, 1
"""Figures that are told for who is ahead, and against."""


def contrast(one: Side, other: Side, language: Language) -> list[str]:
    """Say why one of two matches of a brief is ranked above the other.

    Whoever has the better rank is A, of equals the first given. Families of signals go by how much
    more they add to A's score than to B's, of equals the first in ``TEMPLATES["families"]``. Of
    each family the first figure speaks that both have, in one currency if it is money, that reads
    differently, and that is better on the side which the family favours. The two strongest
    families that favour A speak, and the strongest that favours B. Where none speaks for A, the
    first family does whose figure is better on A's side.

    Parameters
    ----------
    one, other : dict
        Of `sides`.
    language : str
        ``"zh"`` or ``"en"``.

    Returns
    -------
    list of str
        One to four sentences: the ranks, then figures of both.
    """
    a, b = (one, other) if one["rank"] <= other["rank"] else (other, one)
    words = {name: told[language] for name, told in TEMPLATES["words"].items()}
    lead = {
        family: a["parts"].get(family, 0.0) - b["parts"].get(family, 0.0)
        for family in TEMPLATES["families"]
    }
    ordered = sorted(lead, key=lambda family: -lead[family])
    ahead = _tellings((f for f in ordered if lead[f] > 0), a, b)[:FOR]
    ahead = ahead or _tellings(ordered, a, b)[:1]
    behind = _tellings((f for f in reversed(ordered) if lead[f] < 0), b, a)[:AGAINST]

    families = [TEMPLATES["families"][figure["family"]][language] for figure in ahead]
    told = {"a": a["name"], "b": b["name"], "i": str(a["rank"]), "j": str(b["rank"])}
    told["families"] = words["and"].join(families)
    opening = words["ahead"] if ahead else words["level"]
    return [
        _filled(opening, told),
        *(_sentence(figure, a, b, language) for figure in ahead),
        *(
            _filled(words["but"], {"sentence": _sentence(figure, b, a, language)})
            for figure in behind
        ),
    ]


def _tellings(families: Any, best: Side, rest: Side) -> list[Mapping[str, Any]]:
    """Return one figure of each family that has one better on the first side."""
    found = []
    for family in families:
        own = (figure for figure in TEMPLATES["figures"] if figure["family"] == family)
        better = (figure for figure in own if _is_better(figure, best, rest))
        if figure := next(better, None):
            found.append(figure)
    return found


def _is_better(figure: Mapping[str, Any], best: Side, rest: Side) -> bool:
    if figure["kind"] == "money" and best["currency"] != rest["currency"]:
        return False
    x, y = (side["figures"].get(figure["name"]) for side in (best, rest))
    if x is None or y is None or x[1] == y[1] or x[2] == y[2]:
        return False
    return bool((x[0] - y[0]) * figure["better"] > 0)


def _sentence(figure: Mapping[str, Any], a: Side, b: Side, language: Language) -> str:
    place = 1 if language == "zh" else 2
    x, y = (side["figures"][figure["name"]][place] for side in (a, b))
    return _filled(figure[language], {"a": a["name"], "b": b["name"], "x": x, "y": y})


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Put values in their places; what a value holds is never taken for a place."""
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)


def sides(matches: pd.DataFrame) -> list[Side]:
    """Return what `contrast` reads of each match.

    Parameters
    ----------
    matches : DataFrame
        Of one brief or more: `serving.results.MATCHES`, contributions and figures as dicts.

    Returns
    -------
    list of dict
        One a match, in the order given, as JSON has it.
    """
    names = _names(matches)
    return [
        _side(match, name) for match, name in zip(matches.to_dict("records"), names, strict=True)
    ]


def _names(matches: pd.DataFrame) -> list[str]:
    """Return what each match is called; with the id where two of a brief have one name."""
    shown = matches["display_name"].fillna("").map(excerpt)
    names = shown.where(shown != "", matches["kol_id"])
    twice = pd.DataFrame({"brief_id": matches["brief_id"], "name": names}).duplicated(keep=False)
    return names.where(~twice, names + " (" + matches["kol_id"] + ")").tolist()


def _side(match: Mapping[Any, Any], name: str) -> Side:
    currency = None if pd.isna(match["currency"]) else str(match["currency"])
    known = {name: match[name] for name in _COLUMNS if name in match}
    known |= match["figures"] if isinstance(match["figures"], Mapping) else {}
    if match["basis"] == "content":
        known["likeness"] = match["score"]
    figures = {}
    for figure in TEMPLATES["figures"]:
        value = known.get(figure["name"])
        if value is None or pd.isna(value) or not math.isfinite(value):
            continue
        if figure["kind"] == "money" and currency is None:
            continue
        en, zh = _WRITTEN[figure["kind"]](float(value), currency or "")
        figures[figure["name"]] = [float(f"{value:.6g}"), zh, en]
    parts = match["contributions"] if isinstance(match["contributions"], Mapping) else {}
    return {
        "name": name,
        "rank": int(match["rank"]),
        "currency": currency,
        "parts": {family: float(f"{part:.4g}") for family, part in parts.items()},
        "figures": figures,
    }


def _both(text: str) -> tuple[str, str]:
    return text, text


_WRITTEN: Mapping[str, Callable[[float, str], tuple[str, str]]] = {
    "money": money,
    "count": lambda value, _: (short(value), wan(value)),
    "times": lambda value, _: _both(f"{value:,.0f}"),
    "rate": lambda value, _: _both(percent(value, 1)),
    "share": lambda value, _: _both(percent(value)),
    "change": lambda value, _: _both(f"{value:+.0%}" if abs(value) >= 0.1 else f"{value:+.1%}"),
    "number": lambda value, _: _both(f"{value:.2f}"),
}
"""How each kind of figure is written, in English and Chinese."""
_COLUMNS: Sequence[str] = tuple(
    figure["name"] for figure in TEMPLATES["figures"] if "." not in figure["name"]
)
"""Figures that are columns of the matches."""
