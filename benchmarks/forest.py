"""Time forests: LightGBM's predict, kolmatch's flat and factorised scoring, and compiled forests.

    python benchmarks/forest.py --peers /tmp/peers/bin/python

One forest, by default 300 trees of 63 leaves over 60 features of which 12 belong to the brief, 28
to the KOL and 20 to the pair, scores 100 briefs x 10,000 KOLs. LightGBM and the flat way, which are
told nothing of sides, score the pairs of the first two briefs, in the same rounds. All times are
those of numbers at hand in memory: what stands in for missing ones is worked out inside. A line is
the median of its rounds, and "times" the median over rounds of LightGBM's time a row, of the same
round, over its own. "Apart" is the largest absolute difference of margins from LightGBM's.

`benchmarks/forest_peers.py` says how to set up the Python of ``--peers``, which cannot share an
environment with kolmatch; its own run of LightGBM is what its lines are compared with.

With ``--world`` the forests are those of a model trained on a simulated world, all together, with
the sides that `features.signals` declares.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.signals import Side
from features.simulate import simulate
from features.vectors import Embeddings
from matcher.archive import Fitted
from matcher.config import Config
from matcher.factorised import Part, Scorer
from training.fit import fit_matcher, plan_by_time, plan_examples

Floats = npt.NDArray[np.float64]
FEATURES = 60
BLOCK = 1024
"""KOLs at a time: their masks stay in the cache while briefs go by."""
SPLITS = ((12, 28, 20), (12, 43, 5), (12, 8, 40))
"""Features of brief, KOL and pair."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AsWritten)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--leaves", type=int, default=63)
    parser.add_argument("--briefs", type=int, default=100)
    parser.add_argument("--kols", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", type=Path, help="a Python that has the peers")
    parser.add_argument("--world", action="store_true", help="the forests of a trained model")
    arguments = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f} before; "
        f"Python {platform.python_version()}, lightgbm {version('lightgbm')}, numba "
        f"{version('numba')}; {arguments.threads} thread(s), {arguments.rounds} rounds\n"
    )
    if arguments.world:
        of_world(arguments)
        return
    booster = trained(arguments.trees, arguments.leaves)
    lines = []
    for at, split in enumerate(SPLITS):
        sides = dict(zip(booster.feature_name(), np.repeat(list(Side), _order(split)), strict=True))
        found = rounds([booster], {n: Side(s) for n, s in sides.items()}, arguments, made_rows)
        name = "{} + {} + {} features".format(*split)
        lines += [line | {"features of brief + KOL + pair": name} for line in found if at == 0]
        lines += [
            line | {"features of brief + KOL + pair": name}
            for line in found
            if at and line["way"].startswith("factorised")
        ]
    print(_table(lines), "\n")
    if arguments.peers is not None:
        print(_table(peers(booster, arguments)), "\n")


def _order(split: tuple[int, int, int]) -> list[int]:
    brief, kol, pair = split
    return [{Side.BRIEF: brief, Side.KOL: kol, Side.PAIR: pair}[side] for side in Side]


def trained(trees: int, leaves: int) -> lgb.Booster:
    """Train a forest whose splits are spread over all features, two of which often go together."""
    rng = np.random.default_rng(0)
    rows = _normal(rng, 20_000)
    known = np.nan_to_num(rows)
    half = FEATURES // 2
    label = known @ rng.normal(size=FEATURES) + 0.5 * (known[:, :half] * known[:, half:]).sum(1)
    params = {
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "feature_fraction": 0.5,
        "verbosity": -1,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
    }
    booster = lgb.train(params, lgb.Dataset(rows, label + rng.normal(size=len(rows))), trees)
    return lgb.Booster(model_str=booster.model_to_string())


def _normal(rng: np.random.Generator, size: int) -> Floats:
    rows = rng.normal(size=(size, FEATURES))
    rows[rng.random(rows.shape) < 0.05] = np.nan
    return rows


Rows = Callable[[Scorer, int, int], dict[Side, Floats]]
"""Gives the values of each side: briefs (b, features), KOLs (features, k) and, of some briefs,
pairs (b, features, k)."""


def made_rows(scorer: Scorer, briefs: int, kols: int) -> dict[Side, Floats]:
    rng = np.random.default_rng(1)
    sizes = {side: len(names) for side, names in scorer.columns.items()}
    pair = rng.normal(size=(min(briefs, 4), sizes[Side.PAIR], kols))
    pair[rng.random(pair.shape) < 0.05] = np.nan
    return {
        Side.BRIEF: rng.normal(size=(briefs, sizes[Side.BRIEF])),
        Side.KOL: rng.normal(size=(sizes[Side.KOL], kols)),
        Side.PAIR: pair,
    }


def rounds(
    boosters: Sequence[lgb.Booster],
    sides: dict[str, Side],
    arguments: argparse.Namespace,
    make: Rows,
) -> list[dict[str, Any]]:
    """Time LightGBM, the flat way and the factorised one in turn."""
    flat, scorer = Scorer.of(boosters), Scorer.of(boosters, sides)
    assert None not in (*flat.trees, *scorer.trees)
    told = make(scorer, arguments.briefs, arguments.kols)
    threads = arguments.threads
    frame = whole_rows(scorer, told, briefs=2)
    inputs = [np.ascontiguousarray(frame[booster.feature_name()]) for booster in boosters]
    columns = np.ascontiguousarray(frame[flat.columns[Side.PAIR]].to_numpy().T)
    blocks = [slice(at, at + BLOCK) for at in range(0, arguments.kols, BLOCK)]
    apart = {side: told[side] for side in Side}
    pair_blocks = [
        [np.ascontiguousarray(values[:, block]) for block in blocks] for values in apart[Side.PAIR]
    ]
    kol_blocks = [np.ascontiguousarray(apart[Side.KOL][:, block]) for block in blocks]

    def predicted() -> Floats:
        return np.stack(
            [
                b.predict(rows, raw_score=True, num_threads=threads)
                for b, rows in zip(boosters, inputs, strict=True)
            ]
        )

    def scored(known: Sequence[Part] | None, briefs: int) -> list[list[Floats]]:
        asked = [scorer.brief(values) for values in apart[Side.BRIEF][:briefs]]
        out: list[list[Floats]] = [[] for _ in asked]
        for at, values in enumerate(kol_blocks):
            kols = scorer.kols(values, threads) if known is None else known[at]
            for row, brief in enumerate(asked):
                pairs = pair_blocks[row % len(pair_blocks)][at]
                out[row].append(scorer.pairs(brief, kols, pairs, threads=threads))
        return out

    known = [scorer.kols(values) for values in kol_blocks]
    size, all_pairs = len(frame), arguments.briefs * arguments.kols
    ways: dict[str, tuple[Callable[[], Any], int]] = {
        "LightGBM predict": (predicted, size),
        "flat": (lambda: flat.rows(columns, threads), size),
        "factorised, all included": (lambda: scored(None, arguments.briefs), all_pairs),
        "factorised, KOLs known before": (lambda: scored(known, arguments.briefs), all_pairs),
    }
    expected = predicted()
    first_two = np.concatenate([np.concatenate(parts, axis=1) for parts in scored(None, 2)], axis=1)
    differences = {
        "LightGBM predict": 0.0,
        "flat": np.abs(flat.rows(columns, threads) - expected).max(),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, (way, count) in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append((time.perf_counter() - started) / count)
    base = taken["LightGBM predict"]
    return [
        {
            "way": name,
            "rows": ways[name][1],
            "us a row": median(seconds) * 1e6,
            "times": median(of / own for of, own in zip(base, seconds, strict=True)),
            "least": min(of / own for of, own in zip(base, seconds, strict=True)),
            "most": max(of / own for of, own in zip(base, seconds, strict=True)),
            "apart": differences.get(name, np.abs(first_two - expected).max()),
        }
        for name, seconds in taken.items()
    ]


def whole_rows(scorer: Scorer, told: dict[Side, Floats], briefs: int) -> pd.DataFrame:
    """Return the pairs of the first briefs as rows of all features; unread ones are null."""
    parts = []
    for row in range(briefs):
        columns: dict[str, Any] = dict(
            zip(scorer.columns[Side.BRIEF], told[Side.BRIEF][row], strict=True)
        )
        columns |= dict(zip(scorer.columns[Side.PAIR], told[Side.PAIR][row], strict=True))
        columns |= dict(zip(scorer.columns[Side.KOL], told[Side.KOL], strict=True))
        parts.append(pd.DataFrame(columns, index=range(told[Side.KOL].shape[1])))
    names = list(dict.fromkeys(name for b in scorer.boosters for name in b.feature_name()))
    return pd.concat(parts, ignore_index=True).reindex(columns=names)


def peers(booster: lgb.Booster, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Time other libraries on 20,000 rows, in a process of another environment."""
    script = Path(__file__).with_name("forest_peers.py")
    with tempfile.TemporaryDirectory() as folder:
        booster.save_model(Path(folder) / "model.txt")
        np.save(Path(folder) / "rows.npy", _normal(np.random.default_rng(2), 20_000))
        flags = [folder, str(arguments.threads), str(arguments.rounds)]
        done = subprocess.run(
            [str(arguments.peers), str(script), *flags],
            capture_output=True,
            text=True,
            check=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            | {"OMP_NUM_THREADS": str(arguments.threads)},
        )
    found = json.loads(done.stdout.splitlines()[-1])
    names = {"us_a_row": "us a row", "prepared": "seconds to prepare"}
    return [{names.get(key, key): value for key, value in line.items()} for line in found]


# -- a trained model -------------------------------------------------------------------------


class BigramEncoder:
    """Vectors from pairs of characters: quick, and good enough to train forests of real size."""

    id = "bigrams"
    dimension = 64

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one unit vector a text."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for at in range(len(text) - 1):
                code = zlib.crc32(text[at : at + 2].encode())
                out[row, code % self.dimension] += 1 - 2 * (code >> 16 & 1)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def of_world(arguments: argparse.Namespace) -> None:
    """Train on a simulated world and time all its forests, and the ranker's alone."""
    started = time.perf_counter()
    world = simulate(kols=300, briefs=160, seed=1)
    config = Config(seed=1).with_spaces(world.tables)
    history = History(world.tables)
    pipeline = FeaturePipeline(config.features, Embeddings(BigramEncoder()))
    plan = plan_by_time(world.tables, config)
    examples, pipeline = plan_examples(plan, history, pipeline, config)
    matcher = fit_matcher(examples, plan, config, pipeline)
    print(f"trained in {time.perf_counter() - started:.0f} s\n")

    pool = examples.signals

    def drawn(scorer: Scorer, briefs: int, kols: int) -> dict[Side, Floats]:
        """Draw each side's values from those of real pairs, each side by itself."""
        rng = np.random.default_rng(2)

        def some(side: Side, size: int) -> Floats:
            return pool[scorer.columns[side]].to_numpy()[rng.integers(0, len(pool), size)]

        pairs = [some(Side.PAIR, kols).T for _ in range(min(briefs, 4))]
        return {
            Side.BRIEF: some(Side.BRIEF, briefs),
            Side.KOL: some(Side.KOL, kols).T,
            Side.PAIR: np.array(pairs),
        }

    for title, boosters in forests_of(matcher).items():
        scorer = Scorer.of(boosters, pipeline.sides)
        nodes = {str(side): len(part.column) for side, part in scorer._nodes.items()}
        columns = {str(side): len(names) for side, names in scorer.columns.items()}
        trees = sum(b.num_trees() for b in boosters)
        print(f"{title}: {len(boosters)} forests, {trees} trees; features {columns}, nodes {nodes}")
        print(_table(rounds(boosters, pipeline.sides, arguments, drawn)), "\n")
        times = [_seconds(lambda b=boosters: Scorer.of(b)) for _ in range(5)]
        print(f"made and checked in {median(times):.2f} s\n")


def forests_of(matcher: Fitted) -> dict[str, list[lgb.Booster]]:
    assert matcher.ranker is not None
    return {
        "ranker": [matcher.ranker.forest.booster],
        "all": [forest.booster for forest in matcher._forests().values()],
    }


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _table(lines: list[dict[str, Any]]) -> str:
    frame = pd.DataFrame(lines)
    for name in ("us a row", "times", "least", "most", "seconds to prepare"):
        if name in frame:
            frame[name] = frame[name].map("{:.2f}".format)
    if "apart" in frame:
        frame["apart"] = frame["apart"].map("{:.1e}".format)
    numbers = ["right" if name not in ("way",) else "left" for name in frame]
    return str(frame.to_markdown(index=False, disable_numparse=True, colalign=numbers))


class _AsWritten(argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    main()
