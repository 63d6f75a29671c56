"""What tests of every package share: an encoder without weights, and a small world."""

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from features.simulate import World, simulate
from features.vectors import Embeddings


class WordEncoder:
    """Unit vectors that depend on the text's characters alone, the same in any batch."""

    id = "words"
    dimension = 16

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = [self._row(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)

    def _row(self, text: str) -> npt.NDArray[np.float64]:
        grams = {text[i : i + 2] for i in range(len(text))}
        seeds = sorted(zlib.crc32(gram.encode()) for gram in grams)
        total = np.sum([np.random.default_rng(seed).normal(size=16) for seed in seeds], axis=0)
        return total / (np.linalg.norm(total) or 1.0)


@pytest.fixture(scope="session")
def word_embeddings() -> Embeddings:
    return Embeddings(WordEncoder())


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(kols=40, briefs=20, seed=1)
