"""Measure Dask's workers against one process on the same lake, and hold their lists to be the same.

    OMP_NUM_THREADS=1 python benchmarks/engine.py --kols 10000 --briefs 16 64 --work /tmp/engine

A lake is made once (kept in ``--work``): a roster by `benchmarks.big_world`, and the model that
`benchmarks/match.py` trains. Vectors are in the store before anything is measured. Every row is a
process of its own that publishes a run: "1 process" without Dask, the others with so many workers
on this machine. Lists are without plans.

"start s" goes by until the command has read the lake and workers are there and have told their
versions. "s" is all that follows, by the clock: tables and model are read by every worker, and what
is told of the roster is worked out by every worker. "publish s" is the part of it that goes into
Delta tables. "cpu s" is the processor's time of all
processes together, from start to end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
from big_world import DrawnEncoder, base_world, big_tables, open_ids
from machine import machine
from match import model_in

from features.history import History
from features.lake import Lake, open_data
from features.reading import texts_of_briefs, texts_of_roster
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from matcher.model import Matcher
from matcher.registry import Loaded
from serving.distributed import DaskEngine
from serving.job import HERE, serve
from serving.publish import stored

AS_OF = pd.Timestamp("2026-06-30", tz="UTC")
"""When the simulated market ends."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=10_000)
    parser.add_argument("--briefs", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="0: no Dask")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True, help="folder for lake and model")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(_row(arguments)))
        return
    _prepare(arguments)
    rows = [
        _asked(arguments, briefs, workers) | {"round": turn}
        for turn in range(arguments.rounds)
        for briefs in arguments.briefs
        for workers in arguments.workers
    ]
    for briefs in arguments.briefs:
        for turn in range(arguments.rounds):
            _compare(rows, briefs, turn)
    print(f"\n{machine('distributed', 'numpy', 'pandas')}\n")
    shown = pd.DataFrame(rows).drop(columns=["content", "workers"])
    print(shown.to_markdown(index=False))


def _prepare(arguments: argparse.Namespace) -> None:
    """Make model, lake and vectors, unless that was done before."""
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    model_in(work)
    lake = _lake(arguments)
    if not lake.exists():
        world = base_world()
        tables = big_tables(world, arguments.kols, max(arguments.briefs), posts=10, profiles=2)
        Lake(lake).ingest(tables)
    history, embeddings = History(open_data(lake).tables), _embeddings(arguments)
    embeddings.of(sorted(texts_of_roster(history, AS_OF, 30)))
    embeddings.of(sorted(texts_of_briefs(history)), role="query")


def _lake(arguments: argparse.Namespace) -> Path:
    return Path(arguments.work) / f"lake-{arguments.kols}"


def _embeddings(arguments: argparse.Namespace) -> Embeddings:
    return Embeddings(DrawnEncoder(), VectorStore(_lake(arguments) / "vectors"))


def _asked(arguments: argparse.Namespace, briefs: int, workers: int) -> dict[str, Any]:
    """Run one row in a process of its own."""
    command = [sys.executable, __file__, "--row", "--kols", str(arguments.kols)]
    command += ["--briefs", str(briefs), "--workers", str(workers), "--work", str(arguments.work)]
    told = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    row: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def _row(arguments: argparse.Namespace) -> dict[str, Any]:
    (briefs,), (workers,) = arguments.briefs, arguments.workers
    lake, home = _lake(arguments), Path(arguments.work) / f"run-{briefs}-{workers}"
    shutil.rmtree(home, ignore_errors=True)
    loaded = Loaded(Matcher.load(arguments.work / "model"), "1")
    began: list[float] = []
    started = time.perf_counter()
    data = open_data(lake)

    def tell(what: str, done: int, total: int) -> None:
        if what == "matching briefs" and (not began or done == total):
            began.append(time.perf_counter())

    served = serve(
        data.tables,
        data.versions,
        home,
        loaded,
        Config(),
        _embeddings(arguments),
        as_of=AS_OF,
        created_at=pd.Timestamp("2026-11-28", tz="UTC"),
        brief_ids=open_ids(briefs),
        plan=False,
        engine=DaskEngine(lake, workers=workers) if workers else HERE,
        progress=tell,
    )
    ended = time.perf_counter()
    # Workers have ended by now, and count as children.
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    content, frames = stored(home, served.run.run_id)
    return {
        "engine": f"Dask, {workers} workers" if workers else "1 process",
        "workers": workers,
        "briefs": briefs,
        "matches": len(frames["matches"]),
        "start s": round(began[0] - started, 1),
        "s": round(ended - began[0], 1),
        "publish s": round(ended - began[-1], 1),
        "cpu s": round(sum(each.ru_utime + each.ru_stime for each in used), 1),
        "largest process GB": round(max(each.ru_maxrss for each in used) / 1e6, 2),
        "content": content,
    }


def _compare(rows: list[dict[str, Any]], briefs: int, turn: int) -> None:
    """Add how many times one process takes, and refuse lists that differ."""
    mine = [row for row in rows if row["briefs"] == briefs and row["round"] == turn]
    if len({row["content"] for row in mine}) != 1:
        raise SystemExit(f"Got lists of {briefs} briefs that differ between engines")
    alone = next((row for row in mine if not row["workers"]), None)
    for row in mine if alone else ():
        row["times"] = round(row["s"] / alone["s"], 2)
        row["times with start"] = round(
            (row["s"] + row["start s"]) / (alone["s"] + alone["start s"]), 2
        )
        row["cpu times"] = round(row["cpu s"] / alone["cpu s"], 2)


if __name__ == "__main__":
    main()
