"""Measure `match` whole, and each of its steps alone on the same briefs.

    python benchmarks/steps.py --kols 10000 100000 --briefs 50 --work /tmp/match

A step gets what the steps before it made, of all briefs at once: no chunks, no progress, nothing
let go. "whole" is `Matcher.match_parts` in chunks, lists spooled to disk, as a job runs it. What it
takes beyond the sum of its steps is what holds them together. Seconds are of the processor, one
thread; the market is that of `benchmarks.match`. Both are run once to compile loops and make
scorers, on other briefs; each round takes briefs that nobody has asked about yet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from big_world import base_world, big_tables, open_ids
from machine import machine
from match import embeddings_in, matcher_in, model_in

from features.tables import Tables
from features.vectors import Embeddings
from matcher.candidates import _Screener
from matcher.describe import describe, details
from matcher.explore import choose_places
from matcher.model import Matcher, MatchResult
from matcher.reasons.comparisons import among_candidates
from serving.spool import Spool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, nargs="+", default=[10_000])
    parser.add_argument("--briefs", type=int, default=50)
    parser.add_argument("--posts", type=int, default=10, help="observations of posts a KOL, most")
    parser.add_argument("--profiles", type=int, default=2, help="profiles a KOL, at most")
    parser.add_argument("--chunk", type=int, default=5000, help="pairs held at once by the whole")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, required=True, help="folder for model and vectors")
    arguments = parser.parse_args()
    model_in(arguments.work)
    print(f"\n{machine('numpy', 'pandas', 'lightgbm', 'numba')}")
    for kols in arguments.kols:
        print(f"\n{kols:,} KOLs, {arguments.briefs} briefs a round\n")
        print(_table(kols, arguments).round(2).to_markdown(index=False))


def _table(kols: int, arguments: argparse.Namespace) -> pd.DataFrame:
    world, embeddings = base_world(), embeddings_in(arguments.work)
    size = {"posts": arguments.posts, "profiles": arguments.profiles}
    tables = big_tables(world, kols, arguments.briefs * (1 + arguments.rounds), **size)
    matcher = matcher_in(arguments.work, arguments.chunk)
    ids = np.array(open_ids(arguments.briefs * (1 + arguments.rounds))).reshape(
        -1, arguments.briefs
    )
    rounds = []
    for some in ids:
        steps = Steps(matcher, tables, embeddings, world.as_of, list(some)).run()
        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
            for part in matcher.match_parts(
                tables, list(some), world.as_of, embeddings, plan=False
            ):
                _spooled(spool, part)
        whole = time.process_time() - started
        rounds.append({**steps, "sum": sum(steps.values()), "whole": whole})
    frame = pd.DataFrame(rounds[1:])
    frame["whole, times the sum"] = frame["whole"] / frame["sum"]
    told = pd.DataFrame({"step": frame.columns, "s": frame.median(), "least": frame.min()})
    return told.assign(most=frame.max().to_numpy())


class Steps:
    """The steps of `Matcher.match_at`, one after the other, each timed."""

    def __init__(
        self,
        matcher: Matcher,
        tables: Tables,
        embeddings: Embeddings,
        as_of: pd.Timestamp,
        briefs: list[str],
    ) -> None:
        self._matcher, self._tables, self._embeddings = matcher, tables, embeddings
        self._as_of, self._briefs = as_of, briefs
        self._seconds: dict[str, float] = {}

    def run(self) -> dict[str, float]:
        """Return the seconds of each step."""
        matcher, as_of = self._matcher, self._as_of
        desk = self._timed("sort tables", lambda: matcher.desk(self._tables, self._embeddings))
        history, pipeline, retrieval = desk.history, desk.pipeline, desk.retrieval
        asked = pd.DataFrame({"brief_id": self._briefs}).assign(as_of=as_of)
        screener = _Screener(asked, history, pipeline, matcher.config, retrieval)
        directory = self._timed("lay out the roster", lambda: retrieval.directory(as_of))
        parts = self._timed(
            "screen and choose", lambda: [screener.screened(b, as_of) for b in self._briefs]
        )
        found = self._timed("compare texts", lambda: screener.joined(parts))
        found = self._timed("choose modes", lambda: matcher.settled(found, history, pipeline))
        ranked = self._timed("score", lambda: matcher._ranked(found))

        def told() -> MatchResult:
            best = choose_places(ranked, matcher.config.serving, matcher.config.seed)
            best = best.join(among_candidates(found.pairs, found.signals))
            some = found.of(best.index)
            matches = describe(matcher, some, best, history, pipeline)
            rest = details(matcher, some, history, pipeline, directory)
            return MatchResult(matches.reset_index(drop=True), found.funnel, rest)

        result = self._timed("tell and explain", told)
        with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
            self._timed("write", lambda: _spooled(spool, result))
        return self._seconds

    def _timed(self, name: str, step: Callable[[], Any]) -> Any:
        started = time.process_time()
        made = step()
        self._seconds[name] = time.process_time() - started
        return made


def _spooled(spool: Spool, part: MatchResult) -> None:
    spool.add(part.matches, part.exclusions, part.details)


if __name__ == "__main__":
    main()
