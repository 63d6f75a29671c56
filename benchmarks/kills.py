"""Kill every command at every named stage and at random moments; tell what survived.

    python -m benchmarks.kills --out kills.jsonl

Each command works on a small simulated world, in a process forked from one that has imported what
it needs, with an encoder without weights. After each kill: nothing that was there before may be
lost, nothing half published may be seen, the champion must load, and the next run must leave no
orphan and end as an undisturbed one. `docs/reliability.md` has the table.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from benchmarks.survival import play, temporary_place
from tests.reliability.kills import VICTIMS, Kill, kills, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [victim.command for victim in VICTIMS]
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--where", default="", help="pattern of 'command place', for some of them")
    parser.add_argument("--out", type=Path, help="JSON lines, written as they come")
    asked = parser.parse_args()
    chosen = [victim for victim in VICTIMS if victim.command in asked.only]
    last = max(names.index(victim.command) for victim in chosen)
    with temporary_place() as place:
        seconds = prepare(place, VICTIMS[: last + 1])
        made = kills(place, seconds, chosen, asked.seed, asked.where)
        report(play(made, lambda kill: f"{kill.command}, {kill.where}", asked.out))


def report(done: list[Kill]) -> None:
    """Print how many kills each command survived, by place."""
    places: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for kill in done:
        places[kill.command, kill.where].append(not kill.faults)
    print("| command | killed | kills | survived |\n|---|---|--:|--:|")
    for (command, where), survived in places.items():
        print(f"| {command} | {where} | {len(survived)} | {sum(survived)} |")
    survived = [not kill.faults for kill in done]
    print(f"| all | | {len(survived)} | {sum(survived)} |")


if __name__ == "__main__":
    main()
