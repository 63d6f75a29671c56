"""How well briefs in free text are read: precision and recall of every field.

    python benchmarks/brief_text.py                 # the set that no rule was built on
    python benchmarks/brief_text.py first --faults  # another, with what is read wrong

A set is a TOML file of `benchmarks/brief_text`: made-up briefs, each with what a person reads in
it. A field counts as read right when its value is the person's: lists item by item, mixes when
each share is within 0.05, everything else whole. *Sure* is what the reader did not mark as a guess.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from features.brieftext.audience import MAINLY, spread
from features.brieftext.findings import Understood
from features.brieftext.reader import understand
from features.contract import BRIEFS

HERE = Path(__file__).parent / "brief_text"
SETS = ("development", "first", "held_apart")
_FIELDS = [name for name in BRIEFS.names if name not in ("brief_id", "brand_id", "text")]
_EASY = ("language",)
"""Fields that are always read right, and would only flatter the sum."""
_SLACK = 0.05


@dataclass
class Score:
    """How often one field was told, read and read right."""

    told: int = 0
    read: int = 0
    right: int = 0
    sure: int = 0
    sure_right: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Count what another counted."""
        self.told += other.told
        self.read += other.read
        self.right += other.right
        self.sure += other.sure
        self.sure_right += other.sure_right

    @property
    def precision(self) -> float:
        """Share of what was read that is right."""
        return self.right / self.read if self.read else float("nan")

    @property
    def recall(self) -> float:
        """Share of what was told that was read right."""
        return self.right / self.told if self.told else float("nan")


def load(name: str) -> tuple[date, list[dict[str, Any]]]:
    """Return the day on which the briefs of a set are read, and the briefs."""
    data = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
    for brief in data["brief"]:
        brief["gold"].setdefault("language", brief["id"][:2])
        brief["gold"] = {name: _spelt_out(name, told) for name, told in brief["gold"].items()}
        unknown = set(brief["gold"]) - set(_FIELDS)
        if unknown:
            raise SystemExit(f"{name}, {brief['id']}: no such field: {', '.join(sorted(unknown))}")
    return data["as_of"], data["brief"]


def _spelt_out(name: str, told: Any) -> Any:
    """Return a mix that is told in short: "18-30", "mainly female", or names of equal shares."""
    if not name.startswith("audience_") or isinstance(told, dict):
        return told
    if isinstance(told, list):
        return {part: 1 / len(told) for part in told}
    if name == "audience_age":
        first, _, last = told.partition("-")
        return spread(int(first), int(last))
    gender = told.removeprefix("mainly ")
    if gender == told:
        return {gender: 1.0}
    return {gender: MAINLY, {"female": "male", "male": "female"}[gender]: 1 - MAINLY}


def measure(briefs: list[dict[str, Any]], as_of: date) -> dict[str, Score]:
    """Read briefs and hold each field against what a person read."""
    scores: dict[str, Score] = {name: Score() for name in _FIELDS}
    for brief in briefs:
        understood = understand(brief["text"], as_of)
        for name in _FIELDS:
            for told, read in _pairs(name, brief["gold"], understood):
                _count(scores[name], brief["id"], told, read, understood, name)
    return scores


def _pairs(name: str, gold: dict[str, Any], understood: Understood) -> Iterator[tuple[Any, Any]]:
    told = gold.get(name)
    found = understood.found.get(name)
    read = None if found is None else found.value
    if isinstance(told, list) or isinstance(read, tuple):
        wanted = {_key(item): item for item in told or ()}
        got = {_key(item): item for item in read or ()}
        for key in sorted(wanted.keys() | got.keys()):
            yield wanted.get(key), got.get(key)
    elif told is not None or read is not None:
        yield told, read


def _count(
    score: Score, brief_id: str, told: Any, read: Any, understood: Understood, name: str
) -> None:
    right = told is not None and read is not None and _same(told, read)
    found = understood.found.get(name)
    sure = read is not None and found is not None and found.sure
    score.told += told is not None
    score.read += read is not None
    score.right += right
    score.sure += sure
    score.sure_right += sure and right
    if not right:
        quotes = " / ".join(found.quotes) if found else ""
        score.faults.append(f"{brief_id} {name}: told {told!r}, read {read!r} ({quotes})")


def _key(item: str) -> str:
    return "".join(item.casefold().split())


def _same(told: Any, read: Any) -> bool:
    if isinstance(told, dict):
        names = told.keys() | read.keys()
        return all(abs(told.get(n, 0) - read.get(n, 0)) <= _SLACK for n in names)
    if isinstance(told, str):
        return _key(told) == _key(read)
    if isinstance(told, date):
        return bool(told == read)
    return abs(float(told) - float(read)) < 1e-6


def table(scores: dict[str, Score]) -> str:
    """Return the scores as Markdown."""
    lines = ["| field | told | read | right | precision | recall |", "|---|--:|--:|--:|--:|--:|"]
    total = Score()
    for name, score in scores.items():
        if not (score.told or score.read):
            continue
        if name not in _EASY:
            total.add(score)
        lines.append(_line(name, score))
    lines.append(_line("**all**", total))
    sure = total.sure_right / total.sure if total.sure else float("nan")
    guesses = Counter(read=total.read - total.sure, right=total.right - total.sure_right)
    guess = guesses["right"] / guesses["read"] if guesses["read"] else float("nan")
    lines.append("")
    lines.append(
        f"Read as sure: {total.sure}, of which right {sure:.1%}. "
        f"Read as a guess: {guesses['read']}, of which right {guess:.1%}."
    )
    return "\n".join(lines)


def _line(name: str, score: Score) -> str:
    def share(value: float) -> str:
        return "" if math.isnan(value) else f"{value:.1%}"

    counts = f"{score.told} | {score.read} | {score.right}"
    return f"| {name} | {counts} | {share(score.precision)} | {share(score.recall)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", help=f"Sets to read: {', '.join(SETS)}.")
    parser.add_argument("--faults", action="store_true", help="List what was read wrong.")
    options = parser.parse_args()
    for name in options.sets or SETS[-1:]:
        as_of, briefs = load(name)
        languages = Counter(brief["gold"]["language"] for brief in briefs)
        told = ", ".join(f"{count} {lang}" for lang, count in sorted(languages.items()))
        print(f"## {name}: {len(briefs)} briefs ({told})\n")
        for language in ("zh", "en"):
            part = [b for b in briefs if b["gold"]["language"] == language]
            total = Score()
            for field_name, score in measure(part, as_of).items():
                if field_name not in _EASY:
                    total.add(score)
            print(f"{language}: precision {total.precision:.1%}, recall {total.recall:.1%}")
        scores = measure(briefs, as_of)
        print(f"\n{table(scores)}\n")
        if options.faults:
            for score in scores.values():
                print("\n".join(f"- {fault}" for fault in score.faults))


if __name__ == "__main__":
    main()
