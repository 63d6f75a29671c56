"""Work out what a platform's size asks for: machines, hours and memory, from measured rates.

    python benchmarks/internet_scale.py
    python benchmarks/internet_scale.py --kols 1000000 --briefs 1000 --markets 1

No measurement is made here: every rate below is one that docs/speed.md, docs/distributed.md or
docs/encoders.md tells with its command, and can be given anew as an option. What is assumed of the
platform (markets, how many a brief asks, share of posts that are new) are options, too.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields, replace

import pandas as pd

HOUR, DAY = 3600.0, 86_400.0


@dataclass(frozen=True)
class Load:
    """What is asked of it a day."""

    kols: float = 10e6
    briefs: float = 100_000
    posts: float = 10e9
    markets: float = 100  # parts of the roster that no brief's filters mix: platform and language
    markets_a_brief: float = 2
    new_posts: float = 0.01  # share of posts that are new each day
    night_hours: float = 8.0


@dataclass(frozen=True)
class Rates:
    """What was measured, on one thread; seconds are of the processor."""

    layout_s_a_kol: float = 0.00026
    screen_s_a_kol: float = 2.4e-6  # of the roster, for every brief
    candidates: float = 500
    candidate_s: float = 0.00004
    tell_s_a_brief: float = 0.16
    base_gb: float = 0.9
    gb_a_kol: float = 1.25e-6
    texts_a_s: float = 150
    recent_posts: float = 30
    vector_bytes: float = 2048
    key_bytes: float = (
        44  # of a row, while an ingest looks for known keys: worked out, not measured
    )


@dataclass(frozen=True)
class Machine:
    """What is rented."""

    cores: float = 16
    memory_gb: float = 128


@dataclass(frozen=True)
class Matching:
    """What matching all briefs in the night takes."""

    kols_a_process: float
    gb_a_process: float
    layout_hours: float
    brief_s: float
    brief_hours: float
    processes: float
    processes_a_machine: float
    machines: float


def matching(load: Load, rates: Rates, machine: Machine, *, parted: bool) -> Matching:
    """Return what matching takes, every process with the whole roster or with one market."""
    markets = load.markets if parted else 1.0
    asked = load.markets_a_brief if parted else 1.0
    kols = load.kols / markets
    layout = rates.layout_s_a_kol * kols
    each = asked * (
        rates.screen_s_a_kol * kols + rates.candidates * rates.candidate_s + rates.tell_s_a_brief
    )
    work = load.briefs * each
    # A process lays a roster out before its first brief: with markets, for one after the other.
    night = load.night_hours * HOUR
    if layout >= night:
        processes = math.inf
    elif parted:
        processes = math.ceil((work + markets * layout) / night)
    else:
        processes = math.ceil(work / (night - layout))
    memory = rates.base_gb + rates.gb_a_kol * kols
    fit = min(machine.cores, math.floor(machine.memory_gb / memory))
    machines = math.inf if fit < 1 else math.ceil(processes / fit)
    return Matching(
        kols, memory, layout / HOUR, each, work / HOUR, processes, max(fit, 0), machines
    )


def reading(load: Load, rates: Rates) -> dict[str, tuple[float, float]]:
    """Return core-hours and GB of vectors, of all posts and of those that signals look at."""
    sets = {
        "all posts, once": load.posts,
        "latest posts of every KOL, once": min(load.posts, load.kols * rates.recent_posts),
        "new posts, each day": load.posts * load.new_posts,
    }
    return {
        name: (count / rates.texts_a_s / HOUR, count * rates.vector_bytes / 1e9)
        for name, count in sets.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = (Load(), Rates(), Machine())
    for part in parts:
        for field in fields(part):
            flag = f"--{field.name.replace('_', '-')}"
            parser.add_argument(flag, type=float, default=getattr(part, field.name))
    given = vars(parser.parse_args())
    load, rates, machine = (
        replace(part, **{field.name: given[field.name] for field in fields(part)}) for part in parts
    )
    ways = {
        "every process holds all KOLs": matching(load, rates, machine, parted=False),
        f"{load.markets:,.0f} markets, {load.markets_a_brief:g} a brief": matching(
            load, rates, machine, parted=True
        ),
    }
    rows = [
        {
            "way": name,
            "KOLs a process": f"{way.kols_a_process:,.0f}",
            "GB a process": f"{way.gb_a_process:,.1f}",
            "hours to lay out": f"{way.layout_hours:,.2f}",
            "s a brief": f"{way.brief_s:,.1f}",
            "core-hours": f"{way.brief_hours:,.0f}",
            "processes": f"{way.processes:,.0f}",
            "a machine": f"{way.processes_a_machine:,.0f}",
            "machines": f"{way.machines:,.0f}",
        }
        for name, way in ways.items()
    ]
    print(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True), "\n")
    texts = [
        {"texts": name, "core-hours": f"{hours:,.0f}", "GB of vectors": f"{size:,.0f}"}
        for name, (hours, size) in reading(load, rates).items()
    ]
    print(pd.DataFrame(texts).to_markdown(index=False, disable_numparse=True), "\n")
    print(
        f"Keys of all posts while files are ingested: {load.posts * rates.key_bytes / 1e9:,.0f} GB"
    )


if __name__ == "__main__":
    main()
