"""What are chances that engagement halves worth? Against the usual rate, on simulated worlds.

    python benchmarks/lifecycle.py --worlds 6 --kols 600

Each world is asked twice, 180 and 240 days before its end, with what was known then, and held
against what came.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from features.history import History
from features.simulate import simulate
from features.timeline import DAY, micros
from matcher.lifecycle import HALF, LEAST_POSTS, STEP_DAYS, WINDOW_DAYS, Past, chances

BACK = (180, 240)
BINS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=6)
    parser.add_argument("--kols", type=int, default=600)
    parser.add_argument("--first-seed", type=int, default=21)
    asked = parser.parse_args()
    told, usual, came = [], [], []
    for seed in range(asked.first_seed, asked.first_seed + asked.worlds):
        world = simulate(kols=asked.kols, briefs=20, seed=seed)
        history, end = History(world.tables), int(micros(pd.Series([world.as_of]))[0])
        past = Past(history)
        for back in BACK:
            moment = end - back * DAY
            chance = chances(history, moment)
            fell = halved(past, moment, end)
            both = ~np.isnan(fell) & ~np.isnan(chance)
            before = np.concatenate(
                [
                    halved(past, moment - (WINDOW_DAYS + step * STEP_DAYS) * DAY, moment)
                    for step in range(8)
                ]
            )
            told.append(chance[both])
            came.append(fell[both])
            usual.append(np.full(int(both.sum()), np.nanmean(before)))
    report(np.concatenate(told), np.concatenate(usual), np.concatenate(came))


def halved(past: Past, moment: int, known: int) -> np.ndarray:
    """Return 1 where engagement halved after a moment, 0 where not, NaN where nobody can tell."""
    before = past.levels(past.known(moment), moment - WINDOW_DAYS * DAY, moment)
    after = past.levels(past.known(known), moment, moment + WINDOW_DAYS * DAY)
    both = (before.posts >= LEAST_POSTS) & (after.posts >= LEAST_POSTS)
    return np.where(both, after.middle - before.middle < np.log(HALF), np.nan)


def report(told: np.ndarray, usual: np.ndarray, came: np.ndarray) -> None:
    from sklearn.metrics import roc_auc_score

    brier, base = np.mean((told - came) ** 2), np.mean((usual - came) ** 2)
    place = np.argsort(np.argsort(told, kind="stable"), kind="stable") * BINS // len(told)
    bins = [(told[place == b].mean(), came[place == b].mean()) for b in range(BINS)]
    ece = np.mean([abs(said - was) for said, was in bins])
    rng = np.random.default_rng(0)
    drawn = rng.random((200, len(told))) < told
    floor = np.mean(
        [
            np.mean([abs(said - row[place == b].mean()) for b, (said, _) in enumerate(bins)])
            for row in drawn
        ]
    )
    print(f"pairs {len(told):,}, halved {came.mean():.3f}, told {told.mean():.3f}")
    print(f"Brier {brier:.4f}, of the usual rate {base:.4f}, skill {1 - brier / base:+.1%}")
    print(f"AUC {roc_auc_score(came, told):.3f}")
    print(f"ECE {ece:.4f}; a perfect forecast's of this size {floor:.4f}")
    for said, was in bins:
        print(f"  told {said:.3f}  came {was:.3f}")


if __name__ == "__main__":
    main()
