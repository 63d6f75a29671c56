"""The figures behind a match's reasons, in words.

The words are in ``evidence.toml``, by family and signal. A figure without words of its own is told
by its family's and its name, so that what is new is never lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from features.signals import FAMILIES
from matcher.wording import Language, Text
from serving.headings import read_words

STYLES = {
    "percent": "{:.1%}",
    "integer": "{:,.0f}",
    "ratio": "{:.2f}",
    "money": "{:,.2f}",
    "days": "{:,.0f}",
    "text": "{}",
}
"""How a figure is written."""
_DAYS = Text(" 天", " days")
_ENDS = {
    "_above": Text("：优于本需求候选达人的比例", ": better than this share of the candidates"),
    "_below": Text("：不及本需求候选达人的比例", ": worse than this share of the candidates"),
}
"""Endings of names that tell a standing among all candidates of the brief."""
NAMES: Mapping[str, tuple[Text, str]] = {
    f"{family}.{signal}": (Text(zh, en), style)
    for family, signals in read_words("evidence.toml").items()
    for signal, (zh, en, style) in signals.items()
}
"""Words and style of each figure, by name."""
_FAMILIES = {family.name: Text(family.label_zh, family.label_en) for family in FAMILIES}


def in_words(evidence: Mapping[str, object] | None, language: Language) -> str:
    """Write the figures behind a match's reasons in one line.

    Examples
    --------
    >>> in_words({"price.cpm": 56.1, "reach.percentile": 0.83}, "en")
    'CPM at recent reach 56.10; views above this share of peers 83.0%'
    """
    told = [_told(name, value, language) for name, value in (evidence or {}).items()]
    return ("；" if language == "zh" else "; ").join(told)


def _told(name: str, value: object, language: Language) -> str:
    end = next((end for end in _ENDS if name.endswith(end)), "")
    words, style = _named(name.removesuffix(end))
    if end:
        words, style = Text(words.zh + _ENDS[end].zh, words.en + _ENDS[end].en), "percent"
    return f"{words.in_(language)} {_figure(value, style, language)}"


def _named(name: str) -> tuple[Text, str]:
    if name in NAMES:
        return NAMES[name]
    family, _, signal = name.partition(".")
    label = _FAMILIES.get(family, Text(*[family.replace("_", " ")] * 2))
    signal = signal.replace("_", " ")
    return Text(f"{label.zh} {signal}".strip(), f"{label.en} {signal}".strip()), ""


def _figure(value: object, style: str, language: Language) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    if style in ("", "text"):
        return f"{value:.4g}"
    unit = _DAYS.in_(language) if style == "days" else ""
    return STYLES[style].format(value) + unit
