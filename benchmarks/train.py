"""Measure training: signals of past pairs, the ranker's forest at millions of rows, history joins.

    python benchmarks/train.py pairs --asked 400x50 400x500 40000x50 --work /tmp/training
    python benchmarks/train.py forest --rows 200000 2000000 --work /tmp/training
    python benchmarks/train.py joins --kols 500000 --seen 100 --peers --work /tmp/training

Every row is a process of its own, so that its peak memory is that of the row alone. Seconds are of
the processor, one thread.

``pairs``: pairs of a simulated market's KOLs and of briefs, so many a brief, each asked about as of
its brief's decision as training asks, and as many as of one moment as serving asks, by the same
`FeaturePipeline.transform_in_chunks` into one table. More briefs than the market has are copies of
its briefs with texts and moments of their own. All texts are encoded before, and timelines built;
nothing else is known of anybody (serving keeps its roster: `benchmarks/match.py`).

``forest``: `Forest.fit` on a made-up table.

``joins``: a lake of posts (`benchmarks/post_lake.py`), read by KOL as matching and training read it
(`Lake.read(by_kol=True)`), and 100,000 questions about the latest observation of a KOL's posts
before a moment of its own. DuckDB and Arrow answer the same from the lake's Parquet files; their
answers must be the same. They need `duckdb`, which kolmatch does not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from big_world import DrawnEncoder
from growing import PARAMS
from machine import machine
from match import Watch
from post_lake import BEGUN, kol_names, post_lake

from features.columns import TIME
from features.history import History
from features.lake import Lake
from features.memory import held_bytes, peak_bytes
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.tables import Tables
from features.timeline import DAY
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from matcher.forest import Forest
from training.labels import question_times

LIST = 50
"""Rows of a brief in the made-up table."""
QUESTIONS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["pairs", "forest", "joins"])
    asked = ["400x50", "400x500", "40000x50"]
    parser.add_argument("--asked", nargs="+", default=asked, help="briefs x pairs of each")
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 2_000_000])
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--trees", type=int, default=20)
    parser.add_argument("--kols", type=int, default=500_000, help="of a lake")
    parser.add_argument("--seen", type=int, default=100, help="observations of posts a KOL")
    parser.add_argument("--peers", action="store_true", help="ask DuckDB and Arrow too")
    parser.add_argument("--only", nargs="*", help="ways of joining")
    parser.add_argument("--work", type=Path, required=True, help="folder for lakes and vectors")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        named = dict(arguments.row)
        print(json.dumps(_ROWS[named.pop("way")](arguments, **named)))
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.what == "joins":
        post_lake(_lake(arguments), arguments.kols, arguments.seen)
    told = []
    for row in _asked(arguments):
        told.append(_own_process(arguments, row))
        print(json.dumps(told[-1]), file=sys.stderr, flush=True)
    print(f"\n{machine('numpy', 'pandas', 'lightgbm')} \n")
    print(pd.DataFrame(told).to_markdown(index=False))


def _asked(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    if arguments.what == "pairs":
        ways = ("training", "serving")
        sizes = [tuple(map(int, size.split("x"))) for size in arguments.asked]
        return [
            {"way": "pairs", "as_of": way, "briefs": briefs, "each": each}
            for briefs, each in sizes
            for way in ways
        ]
    if arguments.what == "forest":
        return [{"way": "forest", "rows": n} for n in arguments.rows]
    ways = ["kolmatch", *(["DuckDB", "Arrow"] if arguments.peers else [])]
    return [{"way": way} for way in arguments.only or ways]


def _own_process(arguments: argparse.Namespace, row: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, arguments.what, "--row", json.dumps(row)]
    for name in ("columns", "trees", "kols", "seen", "work"):
        command += [f"--{name}", str(getattr(arguments, name))]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    told = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | threads
    )
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


@contextmanager
def _timed(told: dict[str, Any], name: str, unit: str = "s", of: float = 1.0) -> Iterator[None]:
    """Note the processor's time that something took, and what it held at most."""
    started = time.process_time()
    with Watch() as watch:
        yield
    told[f"{name} {unit}"] = round((time.process_time() - started) / of, 2)
    told[f"{name} GB"] = round(watch.most / 1e9, 2)


# -- signals ---------------------------------------------------------------------------------


def _pairs(arguments: argparse.Namespace, as_of: str, briefs: int, each: int) -> dict[str, Any]:
    """Make signals of drawn pairs, as of each brief's decision or of one moment."""
    world = simulate(kols=1_000, briefs=400, seed=0)
    tables, asked = _asking(world, briefs)
    history = History(tables)
    embeddings = Embeddings(DrawnEncoder(), VectorStore(arguments.work / "vectors"))
    _encode(history, embeddings)
    pipeline = FeaturePipeline(Config(seed=0).features, embeddings)
    count = briefs * each
    brief = np.repeat(np.arange(briefs), each)
    kol = np.random.default_rng(0).integers(0, len(history.kol_ids), count)
    pairs = pd.DataFrame(
        {
            "brief_id": asked.index.to_numpy()[brief],
            "kol_id": history.kol_ids.to_numpy()[kol],
            "as_of": asked.array[brief],
        }
    )
    if as_of == "serving":
        pairs["as_of"] = pd.Series(world.as_of, index=pairs.index).astype(TIME)
    # Timelines and compiled loops, at moments that nobody asks about.
    few = pairs.iloc[:: count // 20]
    pipeline.transform(few.assign(as_of=few["as_of"] - pd.Timedelta(1, unit="us")), history)
    told: dict[str, Any] = {"as of": as_of, "briefs": briefs, "pairs": count}
    told["moments"] = int(pairs["as_of"].nunique())
    held = held_bytes()
    with _timed(told, "signals", "us a pair", count / 1e6):
        signals = pipeline.transform_in_chunks(pairs, history)
    told["s"] = round(told["signals us a pair"] * count / 1e6, 1)
    told["before GB"] = round(held / 1e9, 2)
    told["table GB"] = round(signals.shape[0] * signals.shape[1] * 8 / 1e9, 2)
    total = sum(float(np.nansum(signals[name].to_numpy())) for name in signals)
    return told | {"columns": signals.shape[1], "posts": len(tables.posts), "sum": total}


def _asking(world: World, count: int) -> tuple[Tables, pd.Series[Any]]:
    """Return tables with so many briefs that ask, and when each does, in the order of time.

    The market's own, or copies of them: each with a text of its own, decided at a moment of its
    own, drawn evenly from the time over which the market's were.
    """
    tables = world.tables
    asked = question_times(tables).dropna().sort_values(kind="stable")
    if count <= len(asked):
        return tables, asked.head(count)
    span = (asked.max() - asked.min()) / pd.Timedelta(1, unit="us")
    drawn = np.sort(np.random.default_rng(1).integers(0, int(span), count))
    own = tables.briefs.set_index("brief_id", drop=False).loc[asked.index]
    made = own.take(np.arange(count) % len(own)).reset_index(drop=True)
    names = pd.Series([f"m{n:06d}" for n in range(count)])
    made = made.assign(brief_id=names, text=made["text"].fillna("") + " " + names)
    briefs = pd.concat([tables.briefs, made], ignore_index=True)
    times = asked.min() + pd.to_timedelta(drawn, unit="us")
    tables = tables.replace(briefs=briefs.astype(tables.briefs.dtypes.to_dict()))
    return tables, pd.Series(times, index=names).astype(TIME)


def _encode(history: History, embeddings: Embeddings) -> None:
    """Put the vectors of all texts into the store: the encoder is not what is timed."""
    embeddings.places(history.posts.texts[1])
    embeddings.places(history.kols.frame["bio"].dropna().unique())
    briefs = history.briefs[["title", "text"]].fillna("")
    embeddings.places(["\n".join(parts) for parts in briefs.itertuples(index=False)], "query")


# -- forest ----------------------------------------------------------------------------------


def _forest(arguments: argparse.Namespace, rows: int) -> dict[str, Any]:
    """Grow the ranker's forest on made-up briefs."""
    Forest.fit(PARAMS, _made_up(5_000, 2), None, trees=1, patience=1, seed=0)  # imports
    train = _made_up(rows, arguments.columns)
    told: dict[str, Any] = {"rows": rows, "columns": arguments.columns, "trees": arguments.trees}
    told["table GB"] = round(held_bytes() / 1e9, 2)
    for trees, name in ((1, "first tree, binning"), (arguments.trees, "all")):
        with _timed(told, name):
            forest = Forest.fit(PARAMS, train, None, trees=trees, patience=1, seed=0)
        assert forest.booster.num_trees() == trees
    more = told["all s"] - told["first tree, binning s"]
    return told | {"s a tree": round(more / max(arguments.trees - 1, 1), 2)}


def _made_up(rows: int, columns: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    groups = np.full(rows // LIST, LIST)
    # One column after the other: a table of normal numbers and its mask at once are two tables.
    data = np.empty((columns, groups.sum()))
    for column in data:
        column[:] = rng.standard_normal(len(column), dtype=np.float32)
    told = data[0] + data[1] * np.abs(data[-1]) + rng.normal(size=data.shape[1])
    for column in data:
        column[rng.random(len(column), dtype=np.float32) < 0.05] = np.nan
    edges = np.nanquantile(told, [0.6, 0.8, 0.9, 0.97])
    return {
        "data": pd.DataFrame(data.T, columns=[f"f{n:02d}" for n in range(columns)], copy=False),
        "init_score": np.zeros(data.shape[1]),
        "label": np.searchsorted(edges, told).astype(np.float64),
        "weight": np.ones(data.shape[1]),
        "group": groups,
    }


# -- history joins ---------------------------------------------------------------------------


def _lake(arguments: argparse.Namespace) -> Path:
    return Path(arguments.work / f"posts-{arguments.kols}x{arguments.seen}")


def _questions(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Return whom is asked about, by place, and when, in microseconds."""
    rng = np.random.default_rng(1)
    over = arguments.seen * 7 * DAY // 2 + 14 * DAY
    kol = rng.integers(0, arguments.kols, QUESTIONS)
    return kol, BEGUN + rng.integers(0, over, QUESTIONS)


def _ours(arguments: argparse.Namespace) -> dict[str, Any]:
    told: dict[str, Any] = {"way": "kolmatch"}
    kol, at = _questions(arguments)
    with _timed(told, "read"):
        tables = Lake(_lake(arguments)).read(by_kol=True)
    history = History(tables)
    with _timed(told, "sort"):
        line = history._of_kols(tables.posts, "observed_at", "post_id")
    for name in ("first", "again"):
        with _timed(told, f"{name} 100,000,", "us a question", QUESTIONS / 1e6):
            rows = line.last(kol, at)
            found = np.where(rows >= 0, line.at[rows], 0)
    with _timed(told, "posts behind"):
        assert history.posts.post is not None
    return _answered(told, len(line), found)


def _answered(told: dict[str, Any], posts: int, at: Any) -> dict[str, Any]:
    """Add what must be the same for all: when each answer was seen, 0 for none, as one number."""
    told["with files GB"] = round(peak_bytes() / 1e9, 2)
    seen = np.asarray(at, dtype=np.int64)
    return told | {"posts": posts, "answers": hashlib.sha256(seen.tobytes()).hexdigest()[:8]}


def _files(arguments: argparse.Namespace) -> list[str]:
    stored = Lake(_lake(arguments))._tables["posts"]._open()
    return [uri.removeprefix("file://") for uri in stored.file_uris()]


def _duckdb(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask DuckDB: an as-of join over the Parquet files, then over a table sorted once."""
    import duckdb

    told: dict[str, Any] = {"way": "DuckDB"}
    kol, at = _questions(arguments)
    names = kol_names(arguments.kols)
    asked = pd.DataFrame({"n": range(QUESTIONS), "kol_id": names[kol], "at": at})
    asked["at"] = pd.to_datetime(asked["at"], unit="us", utc=True)
    store = arguments.work / "posts.duckdb"
    store.unlink(missing_ok=True)
    db = duckdb.connect(str(store))
    db.execute("SET threads = 1; SET memory_limit = '3GB'; SET TimeZone = 'UTC'")
    db.register("asked", asked)
    ask = (
        "SELECT n, coalesce(epoch_us(p.observed_at), 0) AS seen FROM asked a ASOF LEFT JOIN {} p "
        "ON a.kol_id = p.kol_id AND a.at > p.observed_at ORDER BY n"
    )
    columns = "kol_id, observed_at, post_id"
    files = f"read_parquet({_files(arguments)})"
    for name in ("first", "again"):
        with _timed(told, f"{name} 100,000,", "us a question", QUESTIONS / 1e6):
            found = db.execute(ask.format(files)).df()["seen"]
    posts = db.execute(f"SELECT count(*) FROM {files}").fetchone()
    with _timed(told, "sort"):
        db.execute(f"CREATE TABLE posts AS SELECT {columns} FROM {files} ORDER BY {columns}")
    with _timed(told, "of the sorted table,", "us a question", QUESTIONS / 1e6):
        db.execute(ask.format("posts")).df()
    return _answered(told, int(posts[0]) if posts else 0, found)


def _arrow(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask Arrow, which holds and sorts what it joins."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    pa.set_cpu_count(1)
    told: dict[str, Any] = {"way": "Arrow"}
    kol, at = _questions(arguments)
    # In the order of time, as it wants them; known strictly before is known a microsecond before.
    order = np.argsort(at, kind="stable")
    names = pa.array(kol_names(arguments.kols), pa.string())
    asked = pa.table({"kol": pa.array(kol[order]), "at": pa.array(at[order] - 1), "n": order})
    with _timed(told, "read"):
        seen = ds.dataset(_files(arguments)).to_table(columns=["kol_id", "observed_at"])
        seen = pa.table(
            {
                "kol": pc.index_in(seen["kol_id"], names).cast(pa.int64()),
                "at": seen["observed_at"].cast(pa.int64()),
                "seen": seen["observed_at"].cast(pa.int64()),
            }
        )
    with _timed(told, "sort"):
        seen = seen.sort_by("at")
    for name in ("first", "again"):
        with _timed(told, f"{name} 100,000,", "us a question", QUESTIONS / 1e6):
            joined = asked.join_asof(seen, on="at", by="kol", tolerance=-(2**62))
    found = np.empty(QUESTIONS, dtype=np.int64)
    found[joined["n"].to_numpy()] = joined["seen"].fill_null(0).to_numpy()
    return _answered(told, len(seen), found)


_ROWS: dict[str, Callable[..., dict[str, Any]]] = {
    "pairs": _pairs,
    "forest": _forest,
    "kolmatch": _ours,
    "DuckDB": _duckdb,
    "Arrow": _arrow,
}

if __name__ == "__main__":
    main()
