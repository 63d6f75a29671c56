"""Let commands meet on one workspace, round after round; tell what held.

    python -m benchmarks.races --out races.jsonl

Two commands start within a second of each other, each in a process of its own, while a third
process reads the lake and the published runs without pause. `docs/reliability.md` has the table.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from benchmarks.survival import play, temporary_place
from tests.reliability.races import RACES, Round, make_states, races


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which they start")
    parser.add_argument("--only", default="", help="races whose name holds this text")
    parser.add_argument("--out", type=Path, help="JSON lines, written as they come")
    asked = parser.parse_args()
    chosen = [race for race in RACES if asked.only in race.name]
    with temporary_place() as place:
        make_states(place)
        report(play(races(place, chosen, asked.seed), lambda met: met.race, asked.out))


def report(done: list[Round]) -> None:
    """Print how many rounds of each race held."""
    found: dict[str, list[Round]] = defaultdict(list)
    for met in done:
        found[met.race].append(met)
    print("| race | rounds | held | exit codes |\n|---|--:|--:|---|")
    for race, rounds in found.items():
        codes = sorted({tuple(sorted(met.codes)) for met in rounds})
        told = ", ".join(f"{one} and {other}" for one, other in codes)
        print(f"| {race} | {len(rounds)} | {sum(not r.faults for r in rounds)} | {told} |")
    print(f"| all | {len(done)} | {sum(not met.faults for met in done)} | |")


if __name__ == "__main__":
    main()
