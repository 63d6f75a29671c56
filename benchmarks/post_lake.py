"""A lake of very many observations of posts, written in minutes.

`benchmarks.big_world` copies the posts of a simulated market, with a hash of every cell: too slow
for tens of millions. Here each KOL has one profile and posts of made-up figures, captions of a
fixed number of texts, each post seen a day after it came out and a week later. Rows come in the
order of a lake that was filled week by week: what one KOL's history needs lies in every file.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.arrow import arrow_schema
from features.columns import TIME
from features.contract import SPECS
from features.delta import _append
from features.lake import Lake
from features.tables import Tables
from features.timeline import DAY

BEGUN = 1_600_000_000_000_000
"""When the first posts came out, in microseconds since 1970."""
STEPS = 20
"""Parts in which posts are written: commits of the table."""
_TEXTS = 2_000


def post_lake(folder: Path, kols: int, seen: int) -> Lake:
    """Write a lake of `kols` times `seen` observations of posts, unless it is there."""
    lake = Lake(folder)
    if lake.exists():
        return lake
    draft = Lake(folder.with_name(folder.name + ".draft"))
    shutil.rmtree(draft.path, ignore_errors=True)
    names = kol_names(kols)
    at = pd.Series(pd.to_datetime(np.full(kols, BEGUN), unit="us", utc=True)).astype(TIME)
    draft.ingest(Tables.of(kols=pd.DataFrame({"kol_id": names, "observed_at": at})))
    with draft.lock():
        versions, posts = draft.versions(), draft._tables["posts"]
        rng = np.random.default_rng(0)
        offset = rng.integers(0, 7 * DAY, kols)
        for sightings in np.array_split(np.arange(seen), min(STEPS, seen)):
            _append(posts._open(), _observed(names, offset, sightings, rng))
        draft._commit(versions | {"posts": posts._open().version()})
    draft.path.rename(folder)
    return lake


def kol_names(kols: int) -> npt.NDArray[np.object_]:
    """Return the ids of the KOLs, ascending."""
    return np.array([f"k{n:07d}" for n in range(kols)], dtype=object)


def _observed(
    names: npt.NDArray[np.object_],
    offset: npt.NDArray[np.int64],
    sightings: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Any:
    """Return some observations of every KOL as they are stored, by post."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kol = np.repeat(np.arange(len(names)), len(sightings))
    sighting = np.tile(sightings, len(names))
    post, again = sighting // 2, sighting % 2
    published = BEGUN + post * 7 * DAY + offset[kol]
    count = len(kol)
    views = np.floor(np.exp(rng.normal(9.0, 1.0, count)) * (1 + again))
    number = pa.array(post * 10_000_000 + kol).cast(pa.string())
    ids = pc.binary_join_element_wise(pa.scalar("p"), number, "")
    told: dict[str, Any] = {
        "post_id": ids,
        "observed_at": pa.array(published + DAY + again * 7 * DAY),
        "kol_id": pa.array(names, pa.string()).take(pa.array(kol)),
        "published_at": pa.array(published),
        "text": _drawn([f"caption {n} of spring" for n in range(_TEXTS)], rng, count),
        "tags": _drawn([[f"tag{n % 37}", f"tag{n % 11}"] for n in range(200)], rng, count),
        "views": pa.array(views),
        "likes": pa.array(np.floor(views * rng.uniform(0.01, 0.1, count))),
        "comments": pa.array(np.floor(views * rng.uniform(0.0, 0.01, count))),
        "is_sponsored": pa.array(rng.random(count) < 0.1),
    }
    schema = arrow_schema(SPECS["posts"])
    columns = [
        told[field.name].cast(field.type) if field.name in told else pa.nulls(count, field.type)
        for field in schema
    ]
    columns.append(pa.array(rng.integers(0, 2**62, count)))
    schema = schema.append(pa.field("_hash", pa.int64()))
    return pa.Table.from_arrays(columns, schema=schema).sort_by("post_id")


def _drawn(values: list[Any], rng: np.random.Generator, count: int) -> Any:
    import pyarrow as pa

    return pa.array(values).take(pa.array(rng.integers(0, len(values), count)))
