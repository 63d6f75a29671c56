"""What the simulated market talks about: verticals, their subtopics, and how near these are."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LANGUAGES = ("zh", "en")

_SAME, _NEAR, _FAR = 0.15, 0.08, 0.02
"""Similarity of two subtopics of one vertical, of neighbouring verticals, and of any others."""


@dataclass(frozen=True)
class Phrases:
    """How a brand (`brief`) and a creator (`post`, `tags`) put one subtopic into words."""

    brief: tuple[str, ...]
    post: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Topics:
    """The subtopics of the world, in a fixed order.

    Attributes
    ----------
    verticals : tuple of str
        Names, in order.
    subtopics : tuple of str
        ``vertical.subtopic``, in order.
    vertical_of : ndarray of int, shape (subtopics,)
        Position of each subtopic's vertical.
    root : ndarray, shape (subtopics, subtopics)
        Square root of the similarity matrix: ``w @ root`` embeds topic weights ``w`` so that the
        cosine of two embeddings is how near two mixtures of subtopics are.
    phrases : dict of str to tuple of Phrases
        By language, then subtopic.
    facts : dict of str to dict
        What is typical of each vertical (see verticals.toml).
    filler : dict of str to dict
        By language: words that tell nothing of the subject.
    """

    verticals: tuple[str, ...]
    subtopics: tuple[str, ...]
    vertical_of: Ints
    root: Floats
    phrases: dict[str, tuple[Phrases, ...]]
    facts: dict[str, dict[str, Any]]
    filler: dict[str, dict[str, Any]]

    def embed(self, weights: Floats) -> Floats:
        """Return unit vectors, one row for each row of subtopic weights."""
        vectors = weights @ self.root
        unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


@cache
def load_topics() -> Topics:
    """Read the topics that come with the package."""
    facts = read_toml("verticals")
    said = {language: read_toml(f"phrases_{language}") for language in LANGUAGES}
    tags = read_toml("hashtags")
    verticals = tuple(facts)
    names = [(v, s) for v in verticals for s in said["zh"][v]]
    vertical_of = np.array([verticals.index(v) for v, _ in names])
    return Topics(
        verticals=verticals,
        subtopics=tuple(f"{v}.{s}" for v, s in names),
        vertical_of=vertical_of,
        root=_root(facts, vertical_of),
        phrases={
            language: tuple(
                Phrases(
                    brief=tuple(pool[v][s]["brief"]),
                    post=tuple(pool[v][s]["post"]),
                    tags=tuple(tags[language][f"{v}.{s}"]),
                )
                for v, s in names
            )
            for language, pool in said.items()
        },
        facts=facts,
        filler=read_toml("filler"),
    )


def read_toml(name: str) -> dict[str, Any]:
    """Read a TOML file that lies beside this module."""
    text = files(__package__ or __name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _root(facts: dict[str, dict[str, Any]], vertical_of: Ints) -> Floats:
    verticals = list(facts)
    between = np.full((len(verticals), len(verticals)), _FAR)
    for i, name in enumerate(verticals):
        for near in facts[name]["near"]:
            j = verticals.index(near)
            between[i, j] = between[j, i] = _NEAR
    np.fill_diagonal(between, _SAME)
    similarity = between[np.ix_(vertical_of, vertical_of)]
    np.fill_diagonal(similarity, 1.0)
    values, vectors = np.linalg.eigh(similarity)
    root: Floats = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root
