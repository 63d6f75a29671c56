"""Who makes the lists of a run: an engine turns a question into spooled lists.

The same question gives the same lists, and the same run, whichever engine answers it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from features.progress import Progress
from features.tables import Tables
from features.vectors import Embeddings
from matcher.model import Desk, Matcher, MatchResult
from serving.spool import Spool


@dataclass(frozen=True)
class Asked:
    """What of a question changes lists, beside the data and the model.

    Attributes are parameters of `matcher.model.Matcher.match_parts`.
    """

    as_of: pd.Timestamp
    top: int | None = None
    explore_share: float | None = None
    plan: bool | None = None
    memory: float | None = None

    def parts(
        self, matcher: Matcher, desk: Desk, briefs: Sequence[str], progress: Progress
    ) -> Iterator[MatchResult]:
        """Match briefs, some at a time."""
        return matcher.match_at(
            desk,
            briefs,
            self.as_of,
            top=self.top,
            explore_share=self.explore_share,
            plan=self.plan,
            memory=self.memory,
            progress=progress,
        )


@dataclass(frozen=True)
class Question:
    """What a run asks.

    Attributes
    ----------
    matcher : Matcher
        The model.
    tables : Tables
        The data.
    versions : mapping of str to str
        Version of each table.
    embeddings : Embeddings
        Text vectors.
    briefs : tuple of str
        Briefs to match, in the order of their ids.
    asked : Asked
        The rest.
    """

    matcher: Matcher
    tables: Tables
    versions: Mapping[str, str]
    embeddings: Embeddings
    briefs: tuple[str, ...]
    asked: Asked

    @property
    def digest(self) -> str:
        """Return what tells this question from any other, but for where and when it is asked."""
        asked, top = self.asked, self.asked.top or self.matcher.config.serving.top
        told: list[Any] = [list(self.briefs), dict(self.versions), self.matcher.hash, top]
        if asked.explore_share is not None:
            told.append(asked.explore_share)
        if asked.plan is not None:
            told.append({"plan": asked.plan})
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class Engine(Protocol):
    """What makes lists."""

    def spooled(
        self, question: Question, home: Path, progress: Progress
    ) -> AbstractContextManager[Spool]:
        """Return all lists of a question on disk, in the order of its briefs, to be published.

        Parameters
        ----------
        question : Question
            What is asked.
        home : Path
            Folder for what is made from the data.
        progress : Progress
            Told how many briefs are done.
        """
        ...


class OneProcess:
    """Makes lists here, one chunk of briefs after the other."""

    @contextmanager
    def spooled(self, question: Question, home: Path, progress: Progress) -> Iterator[Spool]:
        """Return all lists on disk, as `Engine` tells."""
        with Spool(home) as spool:
            desk = question.matcher.desk(question.tables, question.embeddings, progress)
            for part in question.asked.parts(question.matcher, desk, question.briefs, progress):
                spool.add(part.matches, part.exclusions, part.details)
            yield spool
