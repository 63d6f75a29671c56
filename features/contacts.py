"""Contact details, which kolmatch does not keep.

Columns of them are refused; what stands of them in free text is masked, and told. A column's owner
can leave it out, and nothing here would use it. Captions and bios cannot be mended by hand:
creators write their numbers into thousands of them. What is masked says so in its place, and the
notes of the reading count it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import pandas as pd

from features.cells import fold, half_width, load_toml

FREE_TEXT = {
    "briefs": ("title", "text"),
    "kols": ("display_name", "bio"),
    "posts": ("text",),
    "incidents": ("evidence",),
}
"""Columns in which people write what they like."""
FEW = 0.2
"""Share of a column's filled cells that make it a column of contact details."""

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_DIGITS = "10X98765432"
_FREE = r"(?<![0-9_.=/-])"
"""Not inside a longer number, a decimal one or an address of the web."""
_KINDS = {
    # Lengths have limits, as those of addresses do: without them a long text of nothing but
    # letters is searched anew from each.
    "e-mail": r"[A-Za-z0-9._%+-]{1,64}[@＠][A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}"
    r"\.[A-Za-z]{2,63}",
    "id number": _FREE
    + r"[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![A-Za-z0-9])",
    "phone": _FREE
    + r"(?:(?:\+|00)?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)"
    + r"|(?<!\w)\+[1-9](?:[ ()-]{0,2}\d){9,14}(?!\d)",
    "wechat": r"(?:微信|薇信|[vV]信|\b[vVwW][xX]|\b[wW]e(?:[cC]hat|ixin))\s*(?:号|[iI][dD])?"
    r"\s*[:：]\s*[A-Za-z][-_A-Za-z0-9]{5,19}",
}
_ANY = re.compile(
    "|".join(
        f"(?P<{kind.replace('-', '').replace(' ', '')}>{pattern})"
        for kind, pattern in _KINDS.items()
    )
)
_MASKS = {kind.replace("-", "").replace(" ", ""): f"[{kind}]" for kind in _KINDS}
# Nearly every text holds neither: a search for these costs a fraction of one for the patterns.
_HINT = re.compile(r"[@＠]|\d(?:[ ()-]{0,2}\d){9}|[:：]\s*[A-Za-z]")


def masked(text: str) -> tuple[str, list[str]]:
    """Return a text with contact details masked, and which kinds there were.

    Examples
    --------
    >>> masked("商务合作 me@example.com 或 13800138000，7日播放 12345678901")
    ('商务合作 [e-mail] 或 [phone]，7日播放 12345678901', ['[e-mail]', '[phone]'])
    """
    if not _HINT.search(text):
        return text, []
    found: list[str] = []

    def mask(match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        if kind == "idnumber" and not _is_id_number(match[0]):
            return match[0]
        found.append(_MASKS[kind])
        return _MASKS[kind]

    return _ANY.sub(mask, text), found


def mask_column(texts: pd.Series[Any]) -> tuple[pd.Series[Any], int, dict[str, int]]:
    """Mask a column of text.

    Returns
    -------
    texts : Series
        The same object where nothing was masked.
    rows : int
        Rows in which something was.
    kinds : dict of str to int
        How much of each kind, by its mask.
    """
    hits = [at for at, text in enumerate(texts) if isinstance(text, str) and _HINT.search(text)]
    kinds: dict[str, int] = {}
    changed: dict[int, str] = {}
    for at in hits:
        text, found = masked(str(texts.iat[at]))
        if found:
            changed[at] = text
            for kind in found:
                kinds[kind] = kinds.get(kind, 0) + 1
    if not changed:
        return texts, 0, {}
    copy = texts.copy()
    copy.iloc[list(changed)] = list(changed.values())
    return copy, len(changed), kinds


def contact_of(header: str) -> str | None:
    """Return what kind of contact detail a header announces, ``None`` if it announces none.

    Examples
    --------
    >>> contact_of("联系电话"), contact_of("E-mail"), contact_of("wechat_mp_followers")
    ('phone numbers', 'e-mail addresses', None)
    """
    name = fold(re.sub(r"[(\[【].*", "", half_width(header)))
    whole, within = _words()
    if name in whole:
        return whole[name]
    return next((kind for word, kind in within.items() if word in name), None)


def contacts_in(cells: Iterable[Any]) -> str | None:
    """Return what kind of contact details fill a column that nobody knows, ``None`` if none do."""
    filled = [cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()]
    counts: dict[str, int] = {}
    for cell in filled:
        match = _ANY.fullmatch(cell)
        if match is not None and (match.lastgroup != "idnumber" or _is_id_number(cell)):
            counts[str(match.lastgroup)] = counts.get(str(match.lastgroup), 0) + 1
    if not counts or sum(counts.values()) < FEW * len(filled):
        return None
    most = max(sorted(counts), key=lambda kind: counts[kind])
    return {
        "email": "e-mail addresses",
        "idnumber": "numbers of identity cards",
        "phone": "phone numbers",
        "wechat": "WeChat ids",
    }[most]


def _is_id_number(text: str) -> bool:
    """Tell whether the check digit of a Chinese identity number is right."""
    total = sum(w * int(d) for w, d in zip(_ID_WEIGHTS, text[:17], strict=True))
    return _ID_DIGITS[total % 11] == text[17].upper()


@cache
def _words() -> tuple[dict[str, str], dict[str, str]]:
    """Return headers of contact details, and words that announce them within any header."""
    told = load_toml("contacts.toml")
    whole = {fold(w): kind["name"] for kind in told["kind"] for w in kind["whole"]}
    within = {fold(w): kind["name"] for kind in told["kind"] for w in kind["within"]}
    return whole, within
