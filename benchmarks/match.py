"""Measure `match` end to end.

    python benchmarks/match.py --kols 10000 100000 --briefs 20 --work /tmp/match

Every row is a process of its own, so that its peak memory is that of the row alone. A market of
1,000 KOLs is simulated and a model trained on it once (kept in ``--work``); `benchmarks.big_world`
makes the rosters. Seconds are of the processor (one thread), which other work on the machine moves
less than the clock; the clock's are beside them. "fixed" is what the first brief costs more than
the others: what is worked out once for the roster. Memory is the most that the process held while
it matched, tables included; "before" is what the tables alone held.

What scoring takes beside pandas and LightGBM is measured by `benchmarks.scoring`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from big_world import DrawnEncoder, base_world, big_lake, big_tables, open_ids
from machine import machine

from features.history import History
from features.lake import Lake
from features.memory import held_bytes, peak_bytes
from features.pipeline import FeaturePipeline
from features.progress import silent
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from matcher.model import Matcher
from serving.spool import Spool

LAKE_BRIEFS = 10_000
"""Open briefs in a lake, of which a row matches the first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--briefs", type=int, nargs="+", default=[20])
    parser.add_argument("--posts", type=int, default=10, help="observations of posts a KOL, most")
    parser.add_argument("--profiles", type=int, default=2, help="profiles a KOL, at most")
    parser.add_argument("--plan", action="store_true", help="plan the budgets too")
    parser.add_argument("--chunk", type=int, default=25_000, help="pairs held at once")
    parser.add_argument("--candidates", type=int, help="KOLs of each brief that are ranked")
    parser.add_argument("--lake", action="store_true", help="write the roster, and read it by KOL")
    parser.add_argument("--memory", type=float, help="GB that the run may take")
    parser.add_argument("--stop", type=float, help="seconds after which no more briefs are begun")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--work", type=Path, required=True, help="folder for model and vectors")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(_row(arguments)))
        return
    model_in(arguments.work)
    rows = []
    for kols in arguments.kols:
        if arguments.lake:
            size = {"posts": arguments.posts, "profiles": arguments.profiles}
            big_lake(base_world(), _lake(arguments.work, kols), kols, LAKE_BRIEFS, **size)
        for briefs in arguments.briefs:
            rows.append(_asked(arguments, kols, briefs))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(f"\n{machine('numpy', 'pandas', 'lightgbm', 'scipy')}\n")
    print(pd.DataFrame(rows).to_markdown(index=False))


def _asked(arguments: argparse.Namespace, kols: int, briefs: int) -> dict[str, Any]:
    """Run one row in a process of its own."""
    flags = [f"--{name}" for name, on in vars(arguments).items() if on is True]
    command = [sys.executable, __file__, "--row", "--kols", str(kols), "--briefs", str(briefs)]
    for name in ("posts", "profiles", "chunk", "candidates", "work", "memory", "stop"):
        if getattr(arguments, name) is not None:
            command += [f"--{name}", str(getattr(arguments, name))]
    told = subprocess.run(
        [*command, *(flag.replace("_", "-") for flag in flags)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    row: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return row


def _lake(work: Path, kols: int) -> Path:
    return work / f"lake-{kols}"


def embeddings_in(work: Path) -> Embeddings:
    """Return vectors of drawn texts, kept in a folder."""
    return Embeddings(DrawnEncoder(), VectorStore(work / "vectors"))


def model_in(work: Path) -> None:
    """Train on the market that is copied, unless that was done before."""
    if (work / "model").exists():
        return
    from training.fit import fit_plan, plan_by_time

    world = base_world()
    tables = world.tables.replace(vectors=world.tables.vectors.head(0))
    config = Config(seed=0)
    pipeline = FeaturePipeline(config.features, embeddings_in(work))
    fit = fit_plan(plan_by_time(tables, config), History(tables), pipeline, config)
    fit.matcher.save(work / "model")


def matcher_in(work: Path, chunk: int, candidates: int | None = None) -> Matcher:
    """Return the model that `model_in` left in a folder, with so many pairs held at once."""
    matcher = Matcher.load(work / "model")
    config = matcher.config
    changed: dict[str, Any] = {"serving": config.serving.model_copy(update={"chunk_pairs": chunk})}
    if candidates:
        size = {"candidates": candidates}
        changed["retrieval"] = config.retrieval.model_copy(update=size)
    return replace(matcher, config=config.model_copy(update=changed))


def _row(arguments: argparse.Namespace) -> dict[str, Any]:
    (kols,), (briefs,) = arguments.kols, arguments.briefs
    world = base_world()
    size = {"posts": arguments.posts, "profiles": arguments.profiles}
    started = time.process_time()
    if arguments.lake:
        tables = Lake(_lake(arguments.work, kols)).read(by_kol=True)
    else:
        tables = big_tables(world, kols, briefs, **size)
    read = time.process_time() - started
    embeddings = embeddings_in(arguments.work)
    matcher = matcher_in(arguments.work, arguments.chunk, arguments.candidates)
    before = held_bytes()
    with Watch() as watch:
        matched = _matched(matcher, tables, world, embeddings, open_ids(briefs), arguments)
    return {
        "KOLs": kols,
        "posts": len(tables.posts),
        **matched,
        "read s": round(read, 1),
        "before GB": round(before / 1e9, 2),
        "peak GB": round(watch.most / 1e9, 2),
        "with files GB": round(peak_bytes() / 1e9, 2),
    }


def _matched(
    matcher: Matcher,
    tables: Tables,
    world: World,
    embeddings: Embeddings,
    ids: list[str],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Match briefs as a job does, lists spooled to disk; return what it took."""
    started, clock = time.process_time(), time.perf_counter()
    done: list[tuple[int, float]] = []
    digest = hashlib.sha256()
    with Spool(arguments.work) as spool:
        for part in matcher.match_parts(
            tables,
            ids,
            world.as_of,
            embeddings,
            plan=arguments.plan,
            memory=arguments.memory,
            progress=_told if arguments.verbose else silent,
        ):
            spool.add(part.matches, part.exclusions, part.details)
            listed = part.matches[["brief_id", "rank", "kol_id", "score", "fit"]]
            digest.update(listed.to_csv(float_format="%.17g").encode())
            briefs = part.exclusions["brief_id"].nunique() + (done[-1][0] if done else 0)
            done.append((briefs, time.process_time() - started))
            held, rows = held_bytes() / 1e9, spool.rows("matches")
            print(
                f"{briefs} briefs, {rows:,} matches listed, {held:.2f} GB held, "
                f"{done[-1][1]:.0f} s of processor, {time.perf_counter() - clock:.0f} by the clock",
                file=sys.stderr,
                flush=True,
            )
            if arguments.stop and time.perf_counter() - clock > arguments.stop:
                break
    (first, opening), (last, whole) = done[0], done[-1]
    # What the roster costs once is in the first chunk alone.
    each = (whole - opening) / (last - first) if last > first else float("nan")
    return {
        "briefs": last,
        "s": round(whole, 1),
        "s by the clock": round(time.perf_counter() - clock, 1),
        "fixed s": round(opening - each * first, 1),
        "s a brief": round(each, 3),
        "lists": digest.hexdigest()[:8],
    }


def _told(what: str, done: int, total: int) -> None:
    print(f"{what} {done:,}/{total:,}, {held_bytes() / 1e9:.2f} GB", file=sys.stderr, flush=True)


class Watch:
    """Looks every so often how much the process holds, files that are only mapped left aside."""

    def __init__(self, seconds: float = 0.05) -> None:
        self.most = held_bytes()
        self._seconds, self._over = seconds, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *told: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(self._seconds):
            self.most = max(self.most, held_bytes())


if __name__ == "__main__":
    main()
