"""The written examples: what the rules were built on is read, and the sets are what they say."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("brief_text", ROOT / "benchmarks/brief_text.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["brief_text"] = module  # where dataclasses look for their module
    spec.loader.exec_module(module)
    return module


def test_what_the_rules_were_built_on_is_read(bench: ModuleType) -> None:
    as_of, briefs = bench.load("development")
    scores = bench.measure(briefs, as_of)
    told, right = (sum(getattr(s, k) for s in scores.values()) for k in ("told", "right"))
    assert right >= 0.98 * told


def test_enough_briefs_are_held_apart_and_none_is_in_two_sets(bench: ModuleType) -> None:
    sets = {name: bench.load(name)[1] for name in bench.SETS}
    apart = [brief["gold"]["language"] for brief in sets["held_apart"]]
    assert apart.count("zh") >= 35
    assert apart.count("en") >= 20
    assert len(apart) >= 60
    texts = [brief["text"] for briefs in sets.values() for brief in briefs]
    assert len(set(texts)) == len(texts)


def test_scores_count_what_they_say(bench: ModuleType) -> None:
    as_of, _ = bench.load("development")
    gold = {"budget": 300_000, "platforms": ["douyin", "weibo"], "kols_wanted": 10}
    scores = bench.measure([{"id": "zh", "text": "抖音和快手，预算30万", "gold": gold}], as_of)
    counts = {n: (s.told, s.read, s.right) for n, s in scores.items() if s.told}
    assert counts == {"budget": (1, 1, 1), "platforms": (2, 2, 1), "kols_wanted": (1, 0, 0)}
    assert len(scores["platforms"].faults) == 2
