"""Who is asked about: the accounts, what they are called, and where they occur."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import UserError
from features.lake import Lake
from features.tables import Tables
from features.vectors import text_keys
from matcher.names import WORDS
from serving.privacy.models import Seen
from serving.privacy.traces import Traces
from serving.publish import columns_of_all

_NAMED = (
    ("matches", "kol_id", "display_name"),
    ("successors", "successor_id", "display_name"),
    ("precedents", "with_kol_id", "with_name"),
)
"""Results in which a KOL is called by name: table, id, name."""


class GoneError(UserError):
    """Who is asked about was erased, and when."""


@dataclass(frozen=True)
class Subject:
    """Who is asked about.

    Attributes
    ----------
    ids : frozenset of str
        Accounts, by kol_id.
    people : frozenset of str
        The person behind them, where all accounts of a person are asked about.
    names : frozenset of str
        What they are or were called.
    done : frozenset of str
        Their collaborations.
    others : int
        Further accounts of the same person that are not asked about.
    """

    ids: frozenset[str]
    people: frozenset[str]
    names: frozenset[str]
    done: frozenset[str]
    others: int = 0


def subject_of(lake: Lake, tables: Tables, kol_id: str, person: bool) -> Subject:
    """Find who is asked about.

    Parameters
    ----------
    lake : Lake
        The lake.
    tables : Tables
        What it holds now.
    kol_id : str
        An account.
    person : bool
        Whether all accounts of the same person are meant.

    Raises
    ------
    GoneError
        If the KOL was erased.
    UserError
        If nothing is held under this id.
    """
    kols, listed = tables.kols, _listed(lake.path)
    owned = set(tables.vectors.loc[tables.vectors["owner"] == "kol", "id"])
    if kol_id not in {*kols["kol_id"], *(one for one, _ in listed)} | owned:
        when = lake.erased().when(kol_id)
        if when is not None:
            raise GoneError(f"This KOL was erased on {when[:10]}: nothing is held any more.")
        raise UserError(
            f"Got KOL {kol_id!r} but expected an id that is in the kols table of {lake.path}"
        )
    own = set(kols.loc[kols["kol_id"] == kol_id, "person_id"].dropna())
    accounts = {kol_id, *kols.loc[kols["person_id"].isin(own), "kol_id"]}
    ids = accounts if person else {kol_id}
    mine = kols[kols["kol_id"].isin(ids)]
    names = {*mine["display_name"].dropna(), *(name for one, name in listed if one in ids)}
    done = tables.collaborations
    return Subject(
        frozenset(ids),
        frozenset(own if person else ()),
        frozenset(names),
        frozenset(done.loc[done["kol_id"].isin(ids), "collaboration_id"]),
        len(accounts - ids),
    )


def traces_of(
    terms: frozenset[str], names: frozenset[str], tables: Tables, mark: str | None = None
) -> Traces:
    """Return what names some KOLs and nobody and nothing else in the tables.

    Parameters
    ----------
    terms : frozenset of str
        Their ids, and those of the persons behind them.
    names : frozenset of str
        What they are or were called.
    tables : Tables
        What the lake holds, with or without them.
    mark : str, optional
        What stands for an id; by default a new one.
    """
    kols, briefs = tables.kols, tables.briefs
    rest = kols[~kols["kol_id"].isin(terms)]
    others: set[str] = set()
    for column in (
        *(rest[name] for name in ("kol_id", "display_name", "person_id")),
        *(briefs[name] for name in ("brief_id", "brand_id", "brand_name", "title", "vertical")),
        *(kols[name] for name in ("region", "language", "mcn", "platform")),
        kols["verticals"].explode(),
    ):
        others |= set(column.dropna().unique())
    for words in WORDS.values():
        for code, word in words.items():
            others |= {code, word.zh, word.en}
    mark = mark or f"erased-{secrets.token_hex(4)}"
    return Traces.of(terms, names, others - terms, mark)


def seen_in(lake: Lake, ids: Iterable[str]) -> Seen:
    """Return in which versions of the table of KOLs somebody was."""
    wanted, held, oldest = set(ids), set(), lake.versions()["kols"]
    for version, rows in lake.history("kols", ("kol_id",), sorted(wanted)):
        oldest = version
        if len(rows):
            held.add(version)
    return Seen(frozenset(held), oldest)


def keys_of(lake: Lake, tables: Tables, ids: Iterable[str]) -> list[str]:
    """Return the keys of the vectors of what somebody writes or wrote, and nobody else does."""
    wanted = sorted(set(ids))
    mine: set[str] = set()
    for name, columns in (("kols", ("bio",)), ("posts", ("text", "tags"))):
        for _, rows in lake.history(name, ("kol_id", *columns), wanted):
            mine |= _texts(rows)
    rest = {
        name: frame[~frame["kol_id"].isin(wanted)] for name, frame in tables if "kol_id" in frame
    }
    shared = _texts(rest["kols"]) | _texts(rest["posts"])
    return [key.decode() for key in text_keys(sorted(mine - shared))]


def _texts(rows: pd.DataFrame) -> set[str]:
    """Return every text that is encoded of rows of KOLs or posts; tags stand in for no text."""
    found: set[str] = set()
    for column in ("bio", "text"):
        if column in rows:
            found |= set(rows[column].dropna())
    if "tags" in rows:
        found |= set(rows["tags"].map(" ".join))
    return found


def _listed(home: Path) -> set[tuple[str, str]]:
    """Return the ids in published runs, and what they are called there."""
    found: set[tuple[str, str]] = set()
    for table, kol, name in _NAMED:
        rows: Any = columns_of_all(home, table, ["run_id", kol, name])
        if kol in rows and name in rows:
            told = rows[[kol, name]].drop_duplicates()
            found |= {(str(k), str(n)) for k, n in told.itertuples(index=False) if k and n}
    return found
