"""Damaged models: refused, or the last good copy serves; never another score in silence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from matcher.model import Matcher
from matcher.vetting import Vetting
from tests.reliability.damage import COPY, GOOD, REGISTRY, Damages

Past = tuple[pd.DataFrame, pd.DataFrame]


def _damaged(home: Path, model: Matcher, signals: pd.DataFrame, flips: int, cuts: int) -> Damages:
    made = Damages(home, model, signals)
    made.all(flips, cuts)
    assert {came for _, _, came in made.found} <= set(GOOD), made.found
    assert sum(made.found.values()) == 2 * (flips + cuts)
    return made


def test_a_few_damages_of_each_kind(tmp_path: Path, matcher: Matcher, past: Past) -> None:
    found = _damaged(tmp_path, matcher, past[1].head(20), 3, 2).found
    assert found[COPY, "cut", "refused in words"] == 2


@pytest.mark.long
def test_damages_of_the_registry_and_of_the_copy(
    tmp_path: Path, matcher: Matcher, past: Past
) -> None:
    made = _damaged(tmp_path, matcher, past[1].head(20), 200, 50)
    for (where, kind, came), times in sorted(made.found.items()):
        print(f"{where}, {kind}: {came}: {times}")
    assert made.found[REGISTRY, "cut", "served by the copy, and said so"] > 0


@pytest.mark.long
def test_two_hundred_flips_and_fifty_cuts_of_every_file(tmp_path: Path, matcher: Matcher) -> None:
    matcher.save(tmp_path / "model")
    careful = Vetting(tmp_path / "vetted")
    careful.load(tmp_path / "model")
    rng = np.random.default_rng(0)
    refused = harmless = 0
    files = sorted((tmp_path / "model").iterdir())
    for file in files:
        whole = file.read_bytes()
        for number in range(250):
            damaged = bytearray(whole)
            if number < 200:
                damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
            else:
                del damaged[int(rng.integers(len(whole))) :]
            file.write_bytes(damaged)
            try:
                same = careful.load(tmp_path / "model") == matcher
            except ValueError as error:
                assert str(error).startswith("Got a model")
                refused += 1
            else:
                assert same
                harmless += 1
        file.write_bytes(whole)
    print(f"{len(files)} files: {refused} refused, {harmless} read as the same model")
    assert refused + harmless == 250 * len(files)
    assert refused > 0.99 * 250 * len(files)
