"""Let commands meet on one workspace, round after round; tell what held.

    python -m benchmarks.races --out races.jsonl

Two commands start within a second of each other, each in a process of its own, while a third
process reads the lake and the published runs without pause. `docs/reliability.md` has the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from tests.reliability.place import Place
from tests.reliability.races import RACES, Round, make_states, races


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which they start")
    parser.add_argument("--only", default="", help="races whose name holds this text")
    parser.add_argument("--out", type=Path, help="JSON lines, written as they come")
    asked = parser.parse_args()
    done: list[Round] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        make_states(place)
        began = time.monotonic()
        chosen = [race for race in RACES if asked.only in race.name]
        for met in races(place, chosen, asked.seed):
            done.append(met)
            if asked.out:
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(met), ensure_ascii=False) + "\n")
            if met.faults:
                print(f"{met.race}: {'; '.join(met.faults)}", flush=True)
    report(done)
    print(f"{time.monotonic() - began:.0f} s")


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
