"""The Matcher: from briefs and tables to ranked KOLs with reasons.

Read `Matcher.match` to follow one brief from the roster to its list:

    candidates (who may, who is worth ranking, every signal)  ->  score  ->  rank  ->  describe
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.errors import UserError
from features.history import TIER_FLOORS, History, tier_codes
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.archive import Fitted
from matcher.candidates import Candidates, candidates
from matcher.cautions import cautions
from matcher.comparisons import among_candidates, standing
from matcher.config import ServingConfig
from matcher.explain import by_family, explain, explain_draw, facts_of
from matcher.explore import choose_places
from matcher.forecast import VIEWS, Forecaster
from matcher.likeness import likeness, likeness_contributions
from matcher.precedents import precedents
from matcher.prices import price_bands
from matcher.retrieval import Retrieval
from matcher.returns import returns

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN_RATES = ("engagement_rate", "ctr", "cvr", "accept", "refund_rate")
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
        (`matcher.explain.explain`); caution_en and caution_zh; basis; list_chance and explored, the
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
        progress: Progress = silent,
    ) -> MatchResult:
        """Rank KOLs for briefs with what was known before a moment.

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
            Matches kept per brief; by default ``config.serving.top``.
        explore_share : float, optional
            Share of the places drawn by chance, 0-0.5; by default ``config.serving``'s.
        progress : Progress
            Told after each chunk of briefs.

        Raises
        ------
        UserError
            If a brief does not exist, nobody was known at that moment, the encoder is another
            one, or the model was trained on other signals.
        """
        pipeline = self.pipeline(embeddings)
        self._check_use(pipeline)
        _check_question(tables, brief_ids, as_of)
        history = History(tables)
        questions = pd.DataFrame({"brief_id": list(dict.fromkeys(brief_ids))})
        questions["as_of"] = pd.Series([as_of] * len(questions), dtype=TIME)

        serving = self.config.serving.changed(top=top, explore_share=explore_share)
        lists, funnels, done = [], [], 0
        details: list[dict[str, pd.DataFrame]] = []
        retrieval = Retrieval(history, pipeline, self.config.retrieval, self.scout, progress)
        for found in candidates(questions, history, pipeline, self.config, retrieval):
            best = self._best(found, serving)
            best = best.join(among_candidates(found.pairs, found.signals))
            shortlist = found.of(best.index)
            lists.append(self._described(shortlist, best, history, pipeline))
            details.append(self._details(shortlist, history, pipeline))
            funnels.append(found.funnel)
            done += found.funnel["brief_id"].nunique()
            progress("matching briefs", done, len(questions))
        return MatchResult(
            pd.concat(lists, ignore_index=True),
            pd.concat(funnels, ignore_index=True),
            {n: pd.concat([d[n] for d in details], ignore_index=True) for n in details[0]},
        )

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
        if self.ranker is None or self.forecaster is None:
            return NOTHING.predict(signals).assign(score=score, fit=np.nan)
        fit = self.ranker.chance(score, signals)
        return self.forecaster.predict(signals).assign(score=score, fit=fit)

    def contributions(self, signals: pd.DataFrame) -> pd.DataFrame | None:
        """Return what each signal adds to each score, or ``None`` where nothing was learned."""
        if self.ranker is None or self.forecaster is None:
            return None
        return self.ranker.contributions(signals, self.forecaster)

    def _best(self, found: Candidates, serving: ServingConfig) -> pd.DataFrame:
        """Rank candidates and keep the best of each brief, by brief and rank."""
        scored = found.pairs.assign(score=self.margin(found.signals))
        # Briefs in their given order; ties by id, so that a list never depends on row order.
        scored["_brief"] = pd.factorize(scored["brief_id"])[0]
        scored = scored.sort_values(["_brief", "score", "kol_id"], ascending=[True, False, True])
        scored["rank"] = scored.groupby("_brief").cumcount() + 1
        return choose_places(scored, serving, self.config.seed)

    def _described(
        self,
        found: Candidates,
        best: pd.DataFrame,
        history: History,
        pipeline: FeaturePipeline,
    ) -> pd.DataFrame:
        """Say of each match who it is, what it costs and would bring, and why it is there."""
        kols, offers, told = found.roster, found.offers, self.score(found.signals)
        described = pd.DataFrame(
            {
                "brief_id": found.pairs["brief_id"],
                "rank": best["rank"],
                "kol_id": found.pairs["kol_id"],
                "platform": kols["platform"],
                "display_name": kols["display_name"],
                "person_id": kols["person_id"].fillna(kols["kol_id"]),
                "tier": _tiers(kols["followers"]),
                "followers": kols["followers"],
                "mode": offers["mode"],
                "price": offers["price"],
                "currency": offers["currency"],
                "fit": told["fit"],
                "score": told["score"],
                "risk": found.risk,
                "median_views": np.expm1(found.signals["reach.median_views"]).round(),
            }
        )
        band = price_bands(found.pairs, offers, history)
        brings = returns(
            NOTHING if self.ranker is None else self.forecaster or NOTHING,
            found.signals,
            described,
            draws=self.config.serving.draws,
            seed=self.config.seed,
        )
        shown = told[[*VIEWS, *SHOWN_RATES]]
        usual = {"price.low": band["price_low"], "price.high": band["price_high"]}
        known = pd.concat([found.signals.assign(**usual), standing(best)], axis=1)
        facts = facts_of(found.pairs, known, offers["currency"], history, pipeline)
        parts = self.contributions(found.signals)
        families = by_family(likeness_contributions(found.signals) if parts is None else parts)
        reasons = explain_draw(explain(facts, families), best)
        matches = pd.concat(
            [described, band, shown.assign(**shown[list(VIEWS)].round()), brings, reasons], axis=1
        ).assign(
            value=np.nan,
            stage=None,
            halving=np.nan,
            basis=self.basis,
            list_chance=best["list_chance"],
            explored=best["explored"],
        )
        goals = history.tables.briefs.set_index("brief_id")["goal"].reindex(matches["brief_id"])
        return pd.concat([matches, cautions(matches, facts, families, goals.tolist())], axis=1)

    def _details(
        self, found: Candidates, history: History, pipeline: FeaturePipeline
    ) -> dict[str, pd.DataFrame]:
        """Tell more of the matches of some briefs, by the name of a table."""
        horizon = self.config.training.horizon_days
        return {
            "precedents": precedents(found.pairs, history, pipeline, horizon),
        }

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


def _tiers(followers: pd.Series[Any]) -> pd.Series[Any]:
    codes = pd.Series(tier_codes(followers.to_numpy(dtype=np.float64)), index=followers.index)
    return codes.map(dict(enumerate(TIER_FLOORS)))
