"""Which column, and which table, somebody's headers and file names mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from features.cells import PLAIN, RefusedError, Style, fold, half_width, load_toml, vocabulary
from features.columns import TableSpec
from features.contract import SPECS
from features.mixes import mix_name
from features.numerals import currencies

_UNIT = re.compile(r"(.*\S)\s*[(\[【]\s*([^()\[\]【】]+?)\s*[)\]】]")
_PLACE = re.compile(r"(?:v|dim|vector|向量)[._]?(\d{1,4})", re.IGNORECASE | re.ASCII)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Entry:
    """What feeds one column, or one part of a mix or vector.

    Attributes
    ----------
    column : str
        Canonical column.
    part : str
        Name of the share in a mix, or place in a vector; empty when the column is fed whole.
    headers : tuple of str
        Headers as the user wrote them; several are joined as lines of text.
    value : str or None
        What every row has, when no header feeds it.
    style : Style
        How the cells are to be taken.
    """

    column: str
    part: str = ""
    headers: tuple[str, ...] = ()
    value: str | None = None
    style: Style = PLAIN

    @property
    def name(self) -> str:
        """Canonical name with its part, as in ``audience_gender.female``."""
        return f"{self.column}.{self.part}" if self.part else self.column


def understand(headers: Iterable[str], spec: TableSpec, style: Style = PLAIN) -> list[Entry]:
    """Return what each header that means a column of the table feeds.

    Parameters
    ----------
    headers : iterable of str
        As the user wrote them. Those that mean nothing in this table are left out.
    spec : TableSpec
        The table they are in.
    style : Style
        How the cells of the table are to be taken; a unit in the header is added.

    Examples
    --------
    >>> from features.contract import KOLS
    >>> [(e.name, e.style.unit) for e in understand(["昵称", "粉丝数（万）", "QQ"], KOLS)]
    [('display_name', ''), ('followers', '万')]
    """
    found = (_entry(header, spec, style) for header in headers)
    return [entry for entry in found if entry is not None]


def _entry(header: str, spec: TableSpec, style: Style) -> Entry | None:
    name = header.strip()
    entry = _named(name, spec)
    if entry is None and (match := _UNIT.fullmatch(half_width(name))):
        # Only now, since brackets may also belong to a header that is known as a whole.
        entry = _named(match[1], spec)
        unit = _unit(match[2], entry, spec, style) if entry is not None else None
        if entry is None or unit is None:
            return None
        style = unit
    return None if entry is None else replace(entry, headers=(header,), style=style)


def _unit(unit: str, entry: Entry, spec: TableSpec, style: Style) -> Style | None:
    """Return the style with the unit of a header, or None if the unit means nothing there."""
    kind, word = spec[entry.column].kind, half_width(unit).lower()
    if kind in ("share", "mix") and word in ("%", "百分比", "percent"):
        return replace(style, unit="percent")
    if kind == "time" and word in ("s", "ms"):
        return replace(style, unit=word)
    if kind == "money":
        for scale in ("", *vocabulary().scales):
            if word.startswith(scale) and (codes := currencies(word.removeprefix(scale))):
                return replace(style, unit=scale, currency=codes[0])
    if kind in ("number", "count", "money") and word in vocabulary().scales:
        return replace(style, unit=word)
    words = vocabulary().counters
    if kind == "count" and word in words["any"] | words.get(entry.column, frozenset()):
        return style
    return style if kind in ("text", "labels", "id") and word in ("text", "文本", "id") else None


def _named(name: str, spec: TableSpec) -> Entry | None:
    known = _names(spec.name)
    if (entry := known.get(fold(name))) is not None:
        return entry
    column, dot, part = half_width(name).partition(".")
    column = column.casefold()
    if dot and part and column in spec.names:
        return part_entry(column, part, spec)
    if "vector" in spec.names and (match := _PLACE.fullmatch(half_width(name))):
        return Entry("vector", str(int(match[1])))
    plain = half_width(name).casefold()
    for prefix, column in _prefixes().items():
        if plain.startswith(prefix) and column in spec.names:
            part = plain.removeprefix(prefix).strip(" _:.")
            return _after_prefix(column, re.sub("(占比|比例)$", "", part), spec)
    return None


def _after_prefix(column: str, part: str, spec: TableSpec) -> Entry | None:
    """Return the entry of a share whose header only hints at what it is of.

    粉丝地域Top5 is no region: but for ages, which have a form, only known names hold.
    """
    group = {"interest": "vertical"}.get(dimension := column.removeprefix("audience_"), dimension)
    known = dimension == "age" or fold(part) in vocabulary().words[group]
    return part_entry(column, part, spec) if known else None


def part_entry(column: str, part: str, spec: TableSpec) -> Entry | None:
    """Return the entry of one part of a mix or vector, or None if it cannot be one."""
    kind = spec[column].kind
    if kind == "vector" and part.isdecimal():
        return Entry(column, str(int(part)))
    if kind != "mix":
        return None
    try:
        return Entry(column, mix_name(part, column.removeprefix("audience_")))
    except RefusedError:
        return None


def one_each(entries: Iterable[Entry]) -> tuple[list[Entry], list[tuple[Entry, Entry]]]:
    """Return entries of which none feeds what another does, and those left out with their rivals.

    Two columns for one interest are no rivals: their shares are added up.
    """
    kept: list[Entry] = []
    clashes = []
    for entry in entries:
        same = (other for other in kept if other.column == entry.column)
        rival = next((other for other in same if _rivals(entry, other)), None)
        if rival is None:
            kept.append(entry)
        else:
            clashes.append((entry, rival))
    return kept, clashes


def _rivals(one: Entry, other: Entry) -> bool:
    if not (one.part and other.part):
        return True
    return one.part == other.part and one.column != "audience_interest"


def aliases(spec: TableSpec, column: str) -> tuple[str, ...]:
    """Return the headers that are understood as a column, the canonical one first."""
    data = _data()
    own = data.get(spec.name, {}).get(column, [])
    return tuple(dict.fromkeys([column, *own, *data["any"].get(column, [])]))


def tables_named(name: str) -> tuple[str, ...]:
    """Return the tables that a file or sheet name could mean, in contract order.

    A whole name that is known decides alone. Otherwise each word of it may name a table, digits
    and signs dividing words, and so may two words together, which then say nothing each alone; in
    Chinese, which divides none, a known name may stand anywhere, the longest counting where one is
    part of another.

    Examples
    --------
    >>> tables_named("posts_2024"), tables_named("2025年达人名单"), tables_named("kols and posts")
    (('posts',), ('kols',), ('kols', 'posts'))
    """
    known = _table_names()
    if (whole := known.get(fold(name))) is not None:
        return (whole,)
    words = [fold(word) for word in _WORD.findall(half_width(name).replace("_", " "))]
    twos = [first + second for first, second in pairwise(words)]
    hits = {two for two in twos if two in known}
    hits |= {word for word in words if word in known and not any(word in two for two in hits)}
    spoken = {w for w in known if not w.isascii() and any(w in word for word in words)}
    hits |= {w for w in spoken if not any(w != other and w in other for other in spoken)}
    tables = {known[word] for word in hits}
    return tuple(table for table in SPECS if table in tables)


@cache
def _data() -> dict[str, dict[str, list[str]]]:
    return load_toml("headers.toml")


@cache
def _table_names() -> Mapping[str, str]:
    return {fold(w): table for table, ws in _data()["tables"].items() for w in (table, *ws)}


@cache
def _names(table: str) -> Mapping[str, Entry]:
    """Return the entry of each known header of a table, canonical names taking precedence."""
    spec = SPECS[table]
    names: dict[str, Entry] = {}
    wide: Mapping[str, list[str]] = load_toml("headers.toml")["wide"]["columns"]
    for name, words in wide.items():
        column, _, part = name.partition(".")
        if column in spec.names:
            names |= {fold(word): Entry(column, part) for word in words}
    for column in spec.names:
        for word in aliases(spec, column)[::-1]:
            # A table's own meaning of a word stands before the one it has in any table.
            if word in _data().get(table, {}).get(column, []) or fold(word) not in names:
                names[fold(word)] = Entry(column)
    return names | {fold(column): Entry(column) for column in spec.names}


@cache
def _prefixes() -> Mapping[str, str]:
    prefixes: Mapping[str, list[str]] = load_toml("headers.toml")["wide"]["prefixes"]
    pairs = [(word.casefold(), column) for column, words in prefixes.items() for word in words]
    return dict(sorted(pairs, key=lambda pair: (-len(pair[0]), pair)))
