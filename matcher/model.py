"""The Matcher: from briefs and tables to ranked KOLs with reasons.

Read `Matcher.match` to follow one brief from the roster to its list:

    candidates (who may, who is worth ranking, every signal)  ->  settle (in which mode)
        ->  rank  ->  draft (whom to book for the budget)  ->  list  ->  describe, tell the plan
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.columns import TIME
from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.archive import Fitted
from matcher.candidates import Candidates, candidates
from matcher.describe import describe, details
from matcher.directory import Directory
from matcher.explore import choose_places, with_planned
from matcher.forecast import Forecaster
from matcher.likeness import likeness
from matcher.modes import settle
from matcher.planning.plan import Draft, draft_briefs, tell_drafts
from matcher.planning.reach import Crowd
from matcher.reasons.comparisons import among_candidates
from matcher.retrieval import Retrieval

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING = Forecaster({}, {})
"""Forecasts where nothing was learned: all unknown."""
CONTENT = "content"
"""What a ranking rests on where nothing was learned: likeness of content and audience."""


@dataclass(frozen=True)
class MatchResult:
    """Ranked lists.

    Attributes
    ----------
    matches : DataFrame
        One row a match, by brief and rank: brief_id, rank, kol_id, platform, display_name, tier,
        followers, mode, price, currency, price_low, price_high, fit, score, the forecasts of
        `matcher.forecast.Forecaster.predict` but spread_rate, those of `matcher.returns.RETURNS`,
        risk, median_views; reasons_en, reasons_zh, evidence, contributions and figures
        (`matcher.reasons.explain`); caution_en and caution_zh; basis; list_chance and explored, the
        chance to be in the list and whether it was drawn (`matcher.explore`).
    exclusions : DataFrame
        For each brief, how many of the roster each filter refused (`matcher.eligibility.funnel`).
    details : mapping of str to DataFrame
        What there is to tell beside, by the table's name (`serving.results.DETAILS`).
    """

    matches: pd.DataFrame
    exclusions: pd.DataFrame
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """What one process keeps between questions to one model about the same tables.

    Attributes
    ----------
    history : History
        The tables.
    pipeline : FeaturePipeline
        What makes the model's signals of them.
    retrieval : Retrieval
        Who is worth ranking; keeps what is worked out once a moment.
    """

    history: History
    pipeline: FeaturePipeline
    retrieval: Retrieval


@dataclass(frozen=True)
class Matcher(Fitted):
    """Everything that was fitted, and how to use it.

    Attributes are those of `matcher.archive.Fitted`, which also saves and loads.
    """

    @property
    def basis(self) -> str:
        """What rankings rest on: ``"outcomes"``, ``"judgments"`` or ``"content"``."""
        return CONTENT if self.ranker is None else self.ranker.basis

    def pipeline(self, embeddings: Embeddings) -> FeaturePipeline:
        """Return what makes the signals this model reads, its own projections among them."""
        return FeaturePipeline(self.config.features, embeddings, projections=self.projections)

    def match(
        self,
        tables: Tables,
        brief_ids: Sequence[str],
        as_of: pd.Timestamp,
        embeddings: Embeddings,
        *,
        top: int | None = None,
        explore_share: float | None = None,
        plan: bool | None = None,
        progress: Progress = silent,
    ) -> MatchResult:
        """Rank KOLs for briefs with what was known before a moment, and hold all their lists.

        Parameters and errors are those of `match_parts`.
        """
        return joined(
            list(
                self.match_parts(
                    tables,
                    brief_ids,
                    as_of,
                    embeddings,
                    top=top,
                    explore_share=explore_share,
                    plan=plan,
                    progress=progress,
                )
            )
        )

    def match_parts(
        self,
        tables: Tables,
        brief_ids: Sequence[str],
        as_of: pd.Timestamp,
        embeddings: Embeddings,
        *,
        top: int | None = None,
        explore_share: float | None = None,
        plan: bool | None = None,
        memory: float | None = None,
        progress: Progress = silent,
    ) -> Iterator[MatchResult]:
        """Rank KOLs for briefs with what was known before a moment, some briefs at a time.

        A brief gets the same list alone as among others.

        Parameters
        ----------
        tables : Tables
            The data.
        brief_ids : sequence of str
            Briefs to match, at least one.
        as_of : Timestamp
            Moment of the decision, UTC.
        embeddings : Embeddings
            Text vectors of the encoder that the model was trained on.
        top : int, optional
            Places by rank per brief, by default ``config.serving.top``. Whoever the plan books at
            any budget and has no such place comes after them.
        explore_share : float, optional
            Share of the places drawn by chance, 0-0.5; by default ``config.serving``'s.
        plan : bool, optional
            Whether to plan each brief's budget, by default ``config.serving.plan``. Without plans
            nobody is listed for being booked, and the run takes a third of the time or less.
        memory : float, optional
            GB that the process may take, by default ``config.serving.memory``.
        progress : Progress
            Told after each chunk of briefs.

        Yields
        ------
        MatchResult
            Of the next briefs.

        Raises
        ------
        UserError
            If a brief does not exist, nobody was known at that moment, the encoder is another
            one, or the model was trained on other signals.
        """
        yield from self.match_at(
            self.desk(tables, embeddings, progress),
            brief_ids,
            as_of,
            top=top,
            explore_share=explore_share,
            plan=plan,
            memory=memory,
            progress=progress,
        )

    def desk(self, tables: Tables, embeddings: Embeddings, progress: Progress = silent) -> Desk:
        """Lay out tables for several calls of `match_at`, which then share what a roster costs.

        Raises
        ------
        UserError
            If the encoder is another one, or the model was trained on other signals.
        """
        pipeline = self.pipeline(embeddings)
        self._check_use(pipeline)
        history = History(tables)
        scout, settings = self.scout, self.config.retrieval
        return Desk(history, pipeline, Retrieval(history, pipeline, settings, scout, progress))

    def match_at(
        self,
        desk: Desk,
        brief_ids: Sequence[str],
        as_of: pd.Timestamp,
        *,
        top: int | None = None,
        explore_share: float | None = None,
        plan: bool | None = None,
        memory: float | None = None,
        progress: Progress = silent,
    ) -> Iterator[MatchResult]:
        """Do what `match_parts` does, with what a process has laid out before."""
        history, pipeline, retrieval = desk.history, desk.pipeline, desk.retrieval
        _check_question(history.tables, brief_ids, as_of)
        questions = pd.DataFrame({"brief_id": list(dict.fromkeys(brief_ids))})
        questions["as_of"] = pd.Series([as_of] * len(questions), dtype=TIME)

        serving = self.config.serving.changed(
            top=top, explore_share=explore_share, plan=plan, memory=memory
        )
        config = self.config.model_copy(update={"serving": serving})
        done = 0
        progress("matching briefs", done, len(questions))
        for part in candidates(questions, history, pipeline, config, retrieval):
            found = self.settled(part, history, pipeline)
            directory = retrieval.directory(as_of)
            ranked = self._ranked(found)
            drafts = self._drafts(found, ranked, directory) if serving.plan else []
            best = choose_places(ranked, serving, self.config.seed)
            best = with_planned(best, ranked, {d.brief.brief_id: d.kols for d in drafts})
            best = best.join(among_candidates(found.pairs, found.signals))
            shortlist = found.of(best.index)
            matches = describe(self, shortlist, best, history, pipeline)
            told = details(self, shortlist, history, pipeline, directory)
            plans, planned = tell_drafts(
                drafts,
                directory.kols,
                seed=self.config.seed,
                figures=told["options"],
                listed={str(b): list(k) for b, k in matches.groupby("brief_id")["kol_id"]},
            )
            yield MatchResult(
                matches.reset_index(drop=True),
                found.funnel,
                {name: frame.reset_index(drop=True) for name, frame in told.items()}
                | {"plans": plans, "planned": planned},
            )
            done += found.funnel["brief_id"].nunique()
            progress("matching briefs", done, len(questions))

    def settled(self, found: Candidates, history: History, pipeline: FeaturePipeline) -> Candidates:
        """Put each candidate into the mode of collaboration that suits it best, and tell all."""
        return settle(found, history, pipeline, self.forecasts)

    @property
    def forecasts(self) -> Forecaster:
        """What forecasts; heads are missing where nothing was learned."""
        return NOTHING if self.ranker is None else self.forecaster or NOTHING

    def margin(self, signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return what orders KOLs inside a brief, shape (n,): the ``score`` of `score` alone."""
        if self.ranker is None or self.forecaster is None:
            return likeness(signals)
        return self.ranker.score(signals, self.forecaster)

    def score(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Score pairs from their signals alone.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            As `features.pipeline.FeaturePipeline` makes them.

        Returns
        -------
        DataFrame, aligned to `signals`
            score, which orders KOLs inside a brief; fit, the calibrated chance 0-1 that a
            collaboration lands in the upper half of comparable ones or, where `basis` is
            ``"judgments"``, that a judge grades it 3 or 4; and the forecasts of
            `matcher.forecast.Forecaster.predict`. Null is what was not learned.
        """
        score = self.margin(signals)
        told = self.forecasts.predict(signals)
        return told.assign(score=score, fit=self._fit(score, signals))

    def _fit(self, score: NDArray[np.float64], signals: pd.DataFrame) -> NDArray[np.float64]:
        """Return the chance of a success at each score, null where nothing was learned."""
        if self.ranker is None or self.forecaster is None:
            return np.full(len(score), np.nan)
        return self.ranker.chance(score, signals)

    def contributions(self, signals: pd.DataFrame) -> pd.DataFrame | None:
        """Return what each signal adds to each score, or ``None`` where nothing was learned."""
        if self.ranker is None or self.forecaster is None:
            return None
        return self.ranker.contributions(signals, self.forecaster)

    def _ranked(self, found: Candidates) -> pd.DataFrame:
        """Rank all candidates of each brief, by brief and rank."""
        score = self.margin(found.signals)
        ranked = found.pairs.assign(score=score, fit=self._fit(score, found.signals))
        # Briefs in their given order; ties by id, so that a list never depends on row order.
        ranked["_brief"] = pd.factorize(ranked["brief_id"])[0]
        ranked = ranked.sort_values(["_brief", "score", "kol_id"], ascending=[True, False, True])
        return ranked.assign(rank=ranked.groupby("_brief").cumcount() + 1)

    def _drafts(self, found: Candidates, ranked: pd.DataFrame, directory: Directory) -> list[Draft]:
        """Choose whom to book for each brief's budget, among all candidates in all their modes."""
        if found.options is None or found.options.empty:
            return []
        about = ranked[["score", "fit"]].assign(risk=found.risk)
        options = found.options.join(about, on="row")
        crowd = directory.once(_crowd)
        return draft_briefs(options, directory.history.tables.briefs, crowd, self.config.plan)

    def _check_use(self, pipeline: FeaturePipeline) -> None:
        """Refuse vectors or signals that the model was not trained on."""
        encoder_id = pipeline.embeddings.encoder.id
        if encoder_id != self.encoder_id:
            raise UserError(
                f"Got text encoder {encoder_id} but the model was trained with {self.encoder_id}; "
                "train again or set the same encoder"
            )
        trained = None if self.ranker is None else self.ranker.forest.names
        if trained not in (None, pipeline.names):
            raise UserError(
                "Got a model that was trained on other signals than this kolmatch computes; "
                "train again or use the kolmatch that trained it"
            )


def joined(parts: Sequence[MatchResult]) -> MatchResult:
    """Put the lists of some briefs, at least one part, behind one another."""
    return MatchResult(
        pd.concat([part.matches for part in parts], ignore_index=True),
        pd.concat([part.exclusions for part in parts], ignore_index=True),
        {name: _concat([part.details[name] for part in parts]) for name in parts[0].details},
    )


def _crowd(directory: Directory) -> Crowd:
    return Crowd(directory.kols)


def _check_question(tables: Tables, brief_ids: Sequence[str], as_of: pd.Timestamp) -> None:
    """Refuse a question that no table can answer."""
    if not brief_ids:
        raise UserError("Got no brief but expected the id of at least one")
    unknown = sorted(set(brief_ids) - set(tables.briefs["brief_id"]))
    if unknown:
        raise UserError(f"Got briefs {unknown} but expected ids that are in the briefs table")
    first = tables.kols["observed_at"].min()
    if not first < as_of:
        raise UserError(
            f"Got as-of {as_of} but no KOL was observed before that; the first was at {first}"
        )


def _concat(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Put parts together; those without rows say nothing of what columns hold."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]
