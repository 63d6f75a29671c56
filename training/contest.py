"""Two models before the same briefs: the same pairs, each read with its own signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.history import TIER_FLOORS, History, tier_codes
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.vectors import Embeddings
from matcher.candidates import candidates
from matcher.config import Config
from matcher.model import Matcher
from matcher.ranker import GOOD, JUDGMENTS, OUTCOMES
from training.baselines import BASELINES, TEXT_BASELINES
from training.evaluate import ROSTER, Evaluation, Score, rank_lists, view_that_decides
from training.examples import Examples, build_examples, graded_pairs, orderable
from training.labels import WHENEVER
from training.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHALLENGER, CHAMPION = "challenger", "champion"

EmbeddingsOf = Callable[[Config], Embeddings]
"""Opens the text vectors that a model's settings name."""


@dataclass(frozen=True)
class Corner:
    """One of the two.

    Attributes
    ----------
    matcher : Matcher
        The model.
    signals : DataFrame, shape (n, f)
        What its own pipeline makes of the contest's pairs.
    scored : DataFrame, shape (n, ...)
        What it says of them, as `matcher.model.Matcher.score` does.
    """

    matcher: Matcher
    signals: pd.DataFrame
    scored: pd.DataFrame

    @classmethod
    def of(cls, matcher: Matcher, signals: pd.DataFrame) -> Corner:
        """Let a model score what its signals say."""
        return cls(matcher, signals, matcher.score(signals))


@dataclass(frozen=True)
class Contest:
    """Both models before the same briefs.

    Attributes
    ----------
    pairs : DataFrame
        Pairs of the briefs that judge, tried and not, as in `training.examples.Examples`.
    challenger : Corner
        The model that would be champion.
    champion : Corner or None
        The one that is; ``None`` where there is none that can be compared.
    view : str
        What decides: ``"outcomes"``, ``"judgments"`` or ``"roster"``, as in `training.evaluate`.
    rosters : DataFrame
        Everybody some of the briefs could have had: brief_id, kol_id, as_of, tier, gain, and one
        column of scores a ranker.
    history : History
        The tables.
    """

    pairs: pd.DataFrame
    challenger: Corner
    champion: Corner | None
    view: str
    rosters: pd.DataFrame
    history: History

    @property
    def tried(self) -> NDArray[np.bool_]:
        """Which pairs say what became of them, on what the challenger learned from."""
        judged = self.challenger.matcher.basis == JUDGMENTS
        return np.asarray(self.pairs["known"] & (self.pairs["judged"] == judged), dtype=bool)

    @property
    def graded(self) -> NDArray[np.bool_]:
        """Which pairs are in the short lists that decide; where rosters do, in those of `tried`."""
        judged = self.view == JUDGMENTS
        if self.view == ROSTER:
            judged = self.challenger.matcher.basis == JUDGMENTS
        rows = (self.pairs["known"] & (self.pairs["judged"] == judged)).to_numpy(dtype=bool)
        return orderable(self.pairs, rows)

    def scores(self, ranker: str) -> NDArray[np.float64]:
        """Return what a model or a simple rule says of the contest's pairs."""
        if ranker == CHALLENGER:
            return self.challenger.scored["score"].to_numpy(dtype=np.float64)
        if ranker == CHAMPION and self.champion is not None:
            return self.champion.scored["score"].to_numpy(dtype=np.float64)
        return rules(self.challenger.matcher)[ranker](self.pairs, self.challenger.signals)

    @property
    def rankers(self) -> list[str]:
        """Names of all who are compared: both models, or the challenger and the simple rules."""
        if self.champion is not None:
            return [CHALLENGER, CHAMPION]
        return [CHALLENGER, *rules(self.challenger.matcher)]

    def evaluation(self, others: Mapping[str, NDArray[np.float64]] | None = None) -> Evaluation:
        """Measure all who are compared, and other scores, on the lists that decide.

        Parameters
        ----------
        others : mapping of str to ndarray, shape (n,), optional
            Scores of `pairs` by further rankers; left out where whole rosters decide.
        """
        if self.view == ROSTER:
            scores = {name: self.rosters[name].to_numpy() for name in self.rankers}
            threshold = GOOD if self.pairs["judged"][self.pairs["known"]].all() else None
            lists = self.rosters[["brief_id", "kol_id", "as_of"]]
            return self._measured(lists, self.rosters["gain"], scores, threshold)
        rows = self.graded
        scores = {name: self.scores(name)[rows] for name in self.rankers}
        scores |= {name: score[rows] for name, score in (others or {}).items()}
        part = self.pairs[rows]
        return self._measured(part, part["grade"], scores, GOOD)

    def _measured(
        self,
        pairs: pd.DataFrame,
        gain: pd.Series[Any],
        scores: Mapping[str, NDArray[np.float64]],
        threshold: float | None,
    ) -> Evaluation:
        brands = self.history.tables.briefs.set_index("brief_id")["brand_id"]
        by: dict[str, Score] = {name: _given(score) for name, score in scores.items()}
        lists = [(pairs, pairs, gain)]
        return rank_lists(lists, by, brands, self.view, threshold=threshold)


def rules(matcher: Matcher) -> Mapping[str, Score]:
    """Return the simple rules a model is compared with, by name."""
    told = BASELINES + (TEXT_BASELINES if matcher.basis == JUDGMENTS else ())
    return MappingProxyType({rule.name: rule.score for rule in told})


def contest(
    challenger: Matcher,
    champion: Matcher | None,
    judges: Window,
    history: History,
    embeddings: EmbeddingsOf,
    progress: Progress = silent,
    *,
    listed_briefs: int | None = None,
) -> Contest:
    """Bring two models before the briefs that judge.

    Parameters
    ----------
    challenger, champion : Matcher
        The models; without a champion that can be compared, ``None``.
    judges : Window
        The briefs.
    history : History
        The tables.
    embeddings : callable
        Opens the vectors that a model's settings name: each reads texts with its own encoder.
    listed_briefs : int, optional
        Briefs whose whole rosters are ranked, where not all are; by default as the challenger was
        told.
    """
    config, tables = challenger.config, history.tables
    listed = config.gate.listed_briefs if listed_briefs is None else listed_briefs
    before = tables.briefs["brief_id"][~tables.briefs["brief_id"].isin(judges.briefs)]
    whenever = pd.Series(WHENEVER, index=pd.Index(tables.briefs["brief_id"]))
    graded = graded_pairs(tables, pd.Index(before), whenever, config.training)
    graded = graded[graded["brief_id"].isin(judges.briefs)].reset_index(drop=True)
    own = challenger.pipeline(embeddings(config))
    other = None if champion is None else champion.pipeline(embeddings(champion.config))
    examples = build_examples(tables, history, own, graded, config.training, config.seed, progress)
    return Contest(
        examples.pairs,
        Corner.of(challenger, examples.signals),
        None
        if champion is None or other is None
        else Corner.of(champion, _read(other, examples.pairs, history, own, examples.signals)),
        deciding_view(examples, config),
        rosters(challenger, champion, examples, history, own, other, listed, progress),
        history,
    )


def deciding_view(examples: Examples, config: Config) -> str:
    """Return the view that decides (`training.evaluate.view_that_decides`)."""
    known = examples.known.pairs
    judged = known["judged"].to_numpy(dtype=bool)
    views = ((OUTCOMES, ~judged), (JUDGMENTS, judged))
    return view_that_decides({view for view, rows in views if orderable(known, rows).any()}, config)


def rosters(
    challenger: Matcher,
    champion: Matcher | None,
    examples: Examples,
    history: History,
    own: FeaturePipeline,
    other: FeaturePipeline | None,
    listed_briefs: int,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Let both models rank everybody that some of the briefs could have had.

    Each model ranks a KOL in the mode of collaboration that it recommends itself.

    All briefs where rosters decide, else `listed_briefs` of them, evenly through time.

    Returns
    -------
    DataFrame
        `Contest.rosters`.
    """
    known, config = examples.known.pairs, challenger.config
    questions = known[["brief_id", "as_of"]].drop_duplicates("brief_id")
    view = deciding_view(examples, config)
    if view != ROSTER and len(questions) > listed_briefs:
        at = np.linspace(0, len(questions) - 1, listed_briefs).round()
        questions = questions.iloc[at.astype(int)]
    truth = known.set_index(["brief_id", "kol_id"])["grade"]
    simple = rules(challenger) if view == ROSTER and champion is None else {}
    found, done = [], 0
    for screened in candidates(questions, history, own, config):
        part = challenger.settled(screened, history, own)
        key = pd.MultiIndex.from_frame(part.pairs[["brief_id", "kol_id"]])
        tier = tier_codes(part.roster["followers"].to_numpy(dtype=np.float64))
        told = part.pairs.assign(
            tier=pd.Series(tier, index=part.pairs.index).map(dict(enumerate(TIER_FLOORS))),
            gain=truth.reindex(key).fillna(0.0).to_numpy(),
        )
        told[CHALLENGER] = challenger.margin(part.signals)
        if champion is not None and other is not None:
            signals = _read(other, screened.pairs, history, own, screened.signals)
            theirs = champion.settled(replace(screened, signals=signals), history, other)
            told[CHAMPION] = champion.margin(theirs.signals)
        for name, score in simple.items():
            told[name] = score(part.pairs, part.signals)
        found.append(told)
        done += part.funnel["brief_id"].nunique()
        progress("ranking whole rosters", done, len(questions))
    return pd.concat(found, ignore_index=True)


def _read(
    pipeline: FeaturePipeline,
    pairs: pd.DataFrame,
    history: History,
    other: FeaturePipeline,
    signals: pd.DataFrame,
) -> pd.DataFrame:
    """Return the signals of pairs, which are those of another pipeline if that is the same."""
    same = (
        pipeline.config == other.config
        and pipeline.embeddings.encoder.id == other.embeddings.encoder.id
        and pipeline.projections == other.projections
    )
    if same:
        return signals
    return pipeline.transform_in_chunks(pairs, history)


def _given(score: NDArray[np.float64]) -> Score:
    """Return a ranker that says what is known already, of one chunk of lists."""
    return lambda pairs, signals: score
