"""Who was erased and must not come back: salted hashes, never the ids themselves.

The salt lies beside the hashes, as each ingest has to compare: whoever has the lake and a list of
candidate ids can find out which of them were erased. What the file keeps secret is everything else.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import UserError
from features.tables import Tables
from features.whole import write_whole

FILE = "erased.json"
KINDS = ("kol", "person", "collaboration", "name")
"""What is remembered of an erased KOL."""


@dataclass(frozen=True)
class Tombstones:
    """Hashes of what was erased.

    Attributes
    ----------
    salt : str
        Makes the hashes of this lake its own.
    erased : tuple of mapping
        One for each erasure: ``at``, and lists of hashes by kind.
    """

    salt: str = ""
    erased: tuple[Mapping[str, Any], ...] = ()
    _held: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for kind in KINDS:
            found = {told for one in self.erased for told in one.get(kind, ())}
            self._held[kind] = frozenset(found)

    def __bool__(self) -> bool:
        return bool(self.erased)

    @classmethod
    def read(cls, home: Path) -> Tombstones:
        """Read those of a lake; none where nobody was erased.

        Raises
        ------
        UserError
            If the file is damaged: what it blocks would come back unseen.
        """
        path = home / FILE
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(told["salt"]), tuple(told["erased"]))
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"Got {path} that cannot be read, so that nobody knows who was erased; restore it "
                "from a copy"
            ) from error

    def adding(self, at: pd.Timestamp, values: Mapping[str, Iterable[str]]) -> Tombstones:
        """Return these and one more; itself where all of it is held already."""
        salt = self.salt or secrets.token_hex(16)
        mine = Tombstones(salt, self.erased)
        hashes = {kind: sorted({mine.hash(v) for v in values.get(kind, ())}) for kind in KINDS}
        if all(set(found) <= self._held[kind] for kind, found in hashes.items()):
            return self
        return Tombstones(salt, (*self.erased, {"at": at.isoformat(), **hashes}))

    def write(self, home: Path) -> None:
        """Write them to a lake, whole or not at all."""
        told = {"salt": self.salt, "erased": list(self.erased)}
        write_whole(home / FILE, json.dumps(told, indent=1))

    def hash(self, value: str) -> str:
        """Return the salted hash of an id or name."""
        key = bytes.fromhex(self.salt)
        raw = value.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(raw, key=key, digest_size=16).hexdigest()

    def holds(self, kind: str, values: Iterable[Any]) -> set[str]:
        """Return which of some values were erased."""
        if not self._held[kind]:
            return set()
        texts = {value for value in values if isinstance(value, str)}
        return {text for text in texts if self.hash(text) in self._held[kind]}

    def when(self, kol_id: str) -> str | None:
        """Return when a KOL was erased, ``None`` where it was not."""
        if not self.holds("kol", [kol_id]):
            return None
        told = self.hash(kol_id)
        return next(str(one["at"]) for one in self.erased if told in one["kol"])

    def who(self, tables: Tables) -> tuple[set[str], set[str]]:
        """Return the ids of erased KOLs and of their collaborations that occur in tables."""
        if not self:
            return set(), set()
        kols = tables.kols
        seen = {kol for frame in _with_kol(tables) for kol in frame["kol_id"].unique()}
        owned = tables.vectors
        seen |= set(owned.loc[owned["owner"] == "kol", "id"])
        ids = self.holds("kol", seen)
        people = self.holds("person", kols["person_id"].dropna().unique())
        ids |= set(kols.loc[kols["person_id"].isin(people), "kol_id"])
        mine = tables.collaborations
        done = set(mine.loc[mine["kol_id"].isin(ids), "collaboration_id"])
        return ids, done | self.holds("collaboration", tables.outcomes["collaboration_id"].unique())

    def strike(self, tables: Tables) -> tuple[Tables, dict[str, int]]:
        """Leave the rows of erased KOLs out.

        Returns
        -------
        tables : Tables
            What is left, the same object where nothing is struck.
        struck : dict of str to int
            Rows left out by table; ``briefs`` counts those whose ``excluded_kols`` named one.
        """
        ids, done = self.who(tables)
        struck: dict[str, int] = {}
        frames: dict[str, pd.DataFrame] = {}
        for name, frame in tables:
            left = without(name, frame, ids, done)
            if len(left) < len(frame):
                frames[name], struck[name] = left, len(frame) - len(left)
        briefs = tables.briefs
        lists = briefs["excluded_kols"]
        named = {one for some in lists for one in some}
        gone = self.holds("kol", named)
        gone |= self.holds("name", named) - set(tables.kols["display_name"].dropna())
        hit = lists.map(lambda some: bool(gone & set(some))).astype(bool)
        if hit.any():
            kept = lists.map(lambda some: tuple(one for one in some if one not in gone))
            frames["briefs"], struck["briefs"] = briefs.assign(excluded_kols=kept), int(hit.sum())
        return (tables.replace(**frames), struck) if frames else (tables, struck)


def without(name: str, frame: pd.DataFrame, ids: set[str], done: set[str]) -> pd.DataFrame:
    """Return a table without the rows of some KOLs.

    Parameters
    ----------
    name : str
        The table.
    frame : DataFrame
        Its rows.
    ids, done : set of str
        KOLs and collaborations that go.
    """
    goes = belongs(name, frame, ids, done)
    return frame[~goes].reset_index(drop=True) if goes.any() else frame


def belongs(name: str, frame: pd.DataFrame, ids: set[str], done: set[str]) -> pd.Series[bool]:
    """Return which rows of a table are about some KOLs, or outcomes of their collaborations."""
    if name == "vectors":
        return (frame["owner"] == "kol") & frame["id"].isin(ids)
    if name == "outcomes":
        return frame["collaboration_id"].isin(done)
    if "kol_id" in frame:
        return frame["kol_id"].isin(ids)
    return pd.Series(False, index=frame.index)


def _with_kol(tables: Tables) -> list[pd.DataFrame]:
    return [frame for _, frame in tables if "kol_id" in frame]
