"""The same lists, bit for bit, whatever the threads, chunks, row orders and hash seeds."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from features.simulate import simulate
from tests.reliability.place import SETTINGS

pytestmark = pytest.mark.long

_RUN = """
import os, sys
from pathlib import Path
import features.encoder
from tests.conftest import WordEncoder
from tests.reliability.child import lists
from matcher.cli import main
from matcher.registry import Registry
features.encoder.SentenceEncoder = lambda config: WordEncoder()
os.chdir(sys.argv[1])
for typed in (
    ["ingest", "files"],
    ["train", "lake", "--config", "settings.toml"],
    ["promote", "lake", "--force"],
    ["match", "lake", "--as-of", sys.argv[2], "--run-id", "r"],
):
    try:
        main(["--json", *typed])
    except SystemExit as ended:
        assert not ended.code, ended.code
print("told", Registry(Path("lake")).load("1").hash, lists(Path("lake")))
"""


def test_the_same_lists_over_threads_chunks_row_orders_and_restarts(tmp_path: Path) -> None:
    world = simulate(kols=30, briefs=24, seed=2)
    models: dict[str, set[str]] = {}
    lists = set()
    cases = list(product((1, 2), (0, 7), (200_000, 50)))
    for number, (threads, seed, chunk) in enumerate(cases):
        # Half of all combinations: each two settings meet in every way.
        order = number if (threads + seed + chunk // 50) % 2 else None
        place = tmp_path / str(number)
        tables = world.tables
        if order is not None:
            tables = tables.replace(
                **{
                    name: frame.sample(frac=1, random_state=order).reset_index(drop=True)
                    for name, frame in tables
                }
            )
        replace(world, tables=tables).write(place / "files", "parquet")
        settings = SETTINGS.replace("[serving]", f"[serving]\nchunk_pairs = {chunk}")
        (place / "settings.toml").write_text(settings, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(place), f"{world.as_of:%Y-%m-%d}"],
            env=os.environ
            | {
                "OMP_NUM_THREADS": str(threads),
                "PYTHONHASHSEED": str(seed),
                "PYTHONPATH": str(Path(__file__).parents[2]),
            },
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        told, model, digest = done.stdout.splitlines()[-1].split()
        assert told == "told"
        models.setdefault(str(chunk), set()).add(model)
        lists.add(digest)
    print(f"{len(cases)} processes, {len(lists)} digest of lists, models {models}")
    assert all(len(found) == 1 for found in models.values()), models
    assert len(lists) == 1
