"""Large rosters for benchmarks, drawn from a simulated market in seconds.

`features.simulate` follows every KOL through years of market, which takes minutes for ten thousand.
Here each KOL of a large roster is a copy of a simulated one under a name of its own: the same past,
posts and quotes, with followers, views and prices moved by a factor of its own, so that no two rank
alike. Texts are those of the simulated market, so that a roster of any size has as many vectors as
that. Collaborations, outcomes, judgments and incidents stay those of the simulated KOLs. Briefs are
copies of the market's latest, with budgets of their own.

`big_lake` writes such a roster to a lake, some KOLs at a time: a million need no more memory than
that. There each audience has shares of its own too, which no two KOLs have in common.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.contract import AUDIENCE
from features.lake import Lake
from features.ragged import Ragged, ragged
from features.simulate import World, simulate
from features.tables import Tables

WIDTH = 384
BASE_KOLS, BASE_BRIEFS = 1000, 200


class DrawnEncoder:
    """Unit vectors of texts: a direction of the language and words, and noise of the text's own.

    No model is loaded, so that what is timed is not the encoder.
    """

    id = "drawn"
    dimension = WIDTH

    def __init__(self) -> None:
        self._words: dict[str, npt.NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one row a text, the same in any batch."""
        rows = np.array([self._row(text) for text in texts], dtype=np.float32)
        return rows.reshape(len(texts), WIDTH)

    def _row(self, text: str) -> npt.NDArray[np.float32]:
        pieces = sorted({text[i : i + 3] for i in range(0, max(len(text) - 2, 1), 2)})
        total = np.sum([self._piece(piece) for piece in pieces], axis=0)
        return np.asarray(total / (np.linalg.norm(total) or 1.0), dtype=np.float32)

    def _piece(self, piece: str) -> npt.NDArray[np.float32]:
        if piece not in self._words:
            rng = np.random.default_rng(zlib.crc32(piece.encode()))
            self._words[piece] = rng.normal(size=WIDTH).astype(np.float32)
        return self._words[piece]


def base_world(kols: int = BASE_KOLS, briefs: int = BASE_BRIEFS, seed: int = 0) -> World:
    """Return the market that is copied."""
    return simulate(kols, briefs, seed)


def big_tables(
    world: World,
    kols: int,
    briefs: int,
    seed: int = 0,
    posts: int | None = None,
    profiles: int = 8,
    part: slice = slice(None),
) -> Tables:
    """Return the tables of a large roster.

    Parameters
    ----------
    world : World
        The market that is copied.
    kols, briefs : int
        How many there are to be, at least as many KOLs as the market has.
    seed : int
        Seed of the factors.
    posts, profiles : int, optional
        The latest observations of posts and profiles that each KOL keeps at most.
    part : slice
        Which of the KOLs the tables of profiles, posts and quotes are to hold.
    """
    rng = np.random.default_rng(seed)
    tables = world.tables
    ids = np.sort(tables.kols["kol_id"].unique())
    names = np.concatenate([ids, np.array([f"x{n:08d}" for n in range(kols - len(ids))])])
    origin = np.arange(kols) % len(ids)
    # One factor a KOL; the originals keep their figures.
    factor = np.where(np.arange(kols) < len(ids), 1.0, np.exp(rng.normal(0.0, 0.35, kols)))
    names, origin, factor = names[part], origin[part], factor[part]

    def copied(frame: pd.DataFrame, latest: int | None, at: str) -> tuple[pd.DataFrame, Any]:
        """Return a table's rows for every copy, and the place of each row's KOL."""
        frame = frame.sort_values(["kol_id", at], kind="stable", ignore_index=True)
        if latest is not None:
            frame = frame.groupby("kol_id", sort=False).tail(latest).reset_index(drop=True)
        code = np.searchsorted(ids, frame["kol_id"].to_numpy(dtype=object).astype(str))
        start = np.searchsorted(code, np.arange(len(ids) + 1))
        sizes = np.diff(start)[origin]
        owner = np.repeat(np.arange(len(names)), sizes)
        first = np.cumsum(sizes) - sizes
        rows = np.arange(len(owner)) - np.repeat(first - start[origin], sizes)
        return frame.take(rows).assign(kol_id=names[owner]).reset_index(drop=True), owner

    people, whose = copied(tables.kols, profiles, "observed_at")
    people["followers"] = np.round(people["followers"] * factor[whose])
    people["person_id"] = "p" + people["kol_id"]
    seen, whose = copied(tables.posts, posts, "observed_at")
    for column in ("views", "likes", "comments", "shares", "saves"):
        seen[column] = np.round(seen[column] * np.maximum(factor[whose], 0.2))
    seen["post_id"] = seen["post_id"] + seen["kol_id"]
    rates, whose = copied(tables.rates, None, "quoted_at")
    rates["price"] = np.round(rates["price"] * factor[whose], 2)
    own = tables.vectors[tables.vectors["owner"] == "brief"]
    return tables.replace(
        briefs=big_briefs(world, briefs, seed),
        kols=_types(people, tables.kols),
        posts=_types(seen, tables.posts),
        rates=_types(rates, tables.rates),
        vectors=own.head(0),
    )


def big_lake(
    world: World,
    folder: Path,
    kols: int,
    briefs: int,
    posts: int | None = None,
    profiles: int = 8,
    step: int = 25_000,
) -> Lake:
    """Write a large roster to a lake, unless it is there, `step` KOLs at a time."""
    lake = Lake(folder)
    if lake.exists():
        return lake
    draft = Lake(folder.with_name(folder.name + ".draft"))
    shutil.rmtree(draft.path, ignore_errors=True)
    for start in range(0, kols, step):
        part = slice(start, min(start + step, kols))
        tables = big_tables(world, kols, briefs, posts=posts, profiles=profiles, part=part)
        rng = np.random.default_rng(start)
        mixes = {
            f"audience_{by}": _own_shares(tables.kols[f"audience_{by}"], rng) for by in AUDIENCE
        }
        tables = tables.replace(kols=tables.kols.assign(**mixes))
        if not start:
            draft.ingest(tables)
            continue
        # No key of these is there: to look for them among all others is what `ingest` would do.
        with draft.lock():
            versions = draft.versions()
            for name in ("kols", "posts", "rates"):
                table = draft._tables[name]
                versions[name] = table.upsert(getattr(tables, name), table.no_keys()).version
            draft._commit(versions)
    draft.path.rename(folder)
    return lake


def _own_shares(mixes: pd.Series[Any], rng: np.random.Generator) -> Ragged:
    flat = ragged(mixes)
    if flat.share is None:
        return flat
    share = flat.share * rng.uniform(0.9, 1.0, len(flat.share))
    return Ragged(flat.start, flat.code, flat.names, share)


def big_briefs(world: World, count: int, seed: int = 0) -> pd.DataFrame:
    """Return the market's briefs, and copies of its latest that are open at its end."""
    rng = np.random.default_rng(seed + 1)
    briefs = world.tables.briefs
    latest = briefs.sort_values("brief_id").tail(100)
    taken = latest.take(np.arange(count) % len(latest)).reset_index(drop=True)
    away = world.as_of - taken["starts_at"] + pd.Timedelta(days=7)
    size = np.exp(rng.normal(0.0, 0.3, count))
    taken = taken.assign(
        brief_id=[f"q{n:06d}" for n in range(count)],
        starts_at=taken["starts_at"] + away,
        ends_at=taken["ends_at"] + away,
        decided_at=pd.NaT,
        budget=np.round(taken["budget"] * size),
    )
    return _types(pd.concat([briefs, taken], ignore_index=True), briefs)


def open_ids(count: int) -> list[str]:
    """Return the ids of the briefs that `big_briefs` adds."""
    return [f"q{n:06d}" for n in range(count)]


def _types(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    return frame[list(like.columns)].astype(like.dtypes.to_dict())
