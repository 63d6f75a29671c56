"""The pairs a model learns from: what was tried, what was judged, and a sample of what was not.

Collaborations with a ripe outcome carry their grade, a person's judgment carries the person's.
KOLs that a brief could have had but never tried are *unknown*, which is not bad. What they are
taken for is a setting (`matcher.config.TrainingConfig.unknown`):

* ``"forecast"``: as good as the forecast says. A grade is then a place among the brief's own
  candidates, tried or not, by a value that an outcome moves only in part, since one campaign is a
  noisy witness. This is the direct method of Dudik et al. (ICML 2011) for logged choices.
* ``"negative"``: not fitting, with a declared weight. For data that holds nothing but the
  collaborations that happened, where being chosen is all there is to learn from.
* ``"choices"``: nothing. What is learned is who was contacted of those that were shown, whatever
  came of it. For logs of lists; what is learned is the taste of whoever chose.

Those who were shown but passed over are a weak opinion that may be taken for less than the
forecast says (``passed_over``). What each status means is told in `training.labels`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.columns import TIME
from features.history import History, roster
from features.offers import current_offers
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from matcher.config import TrainingConfig
from matcher.eligibility import screen
from matcher.forecast import Forecaster
from matcher.ranker import GOOD, JUDGMENTS, OUTCOMES, Basis, RankingData
from training.labels import (
    COUNTS,
    MONEY,
    Grader,
    in_usual_currency,
    labels_known_before,
    outcome_values,
    question_times,
    true_grades,
)
from training.selection import CHOSEN, PASSED, choices, inverse_propensity

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Examples:
    """Graded pairs and their signals.

    Attributes
    ----------
    pairs : DataFrame
        PAIRS, those that were tried in the mode really used, with brand_id, goal, grade, judged (a
        person's grade), success (is the grade `matcher.ranker.GOOD`), achieved, known (was the
        grade observed), the counts and sales of `training.labels.COUNTS` and ``MONEY``, and what
        `training.selection.choices` tells: choice, position and propensity, ``""``, 0 and null for
        who was not shown; by time of decision.
    signals : DataFrame
        Signals, aligned to `pairs`.
    """

    pairs: pd.DataFrame
    signals: pd.DataFrame

    def of(self, briefs: pd.Index[Any]) -> Examples:
        """Keep the pairs of some briefs."""
        return self.where(self.pairs["brief_id"].isin(briefs).to_numpy())

    def where(self, keep: NDArray[np.bool_]) -> Examples:
        """Keep some rows."""
        return Examples(self.pairs[keep], self.signals[keep])

    @property
    def known(self) -> Examples:
        """The pairs whose grade was observed."""
        return self.where(self.pairs["known"].to_numpy(dtype=bool))

    @property
    def says_nothing(self) -> NDArray[np.bool_]:
        """Whether a pair was chosen but has no grade, shape (n,): that tells nothing of fit."""
        pairs = self.pairs
        return np.asarray((pairs["choice"] == CHOSEN) & ~pairs["known"], dtype=bool)

    @property
    def passed_over(self) -> NDArray[np.bool_]:
        """Whether a pair was shown, not chosen and not judged, shape (n,)."""
        pairs = self.pairs
        return np.asarray((pairs["choice"] == PASSED) & ~pairs["known"], dtype=bool)

    def propensity_weight(self, config: TrainingConfig) -> pd.Series[float]:
        """Return how much the log's chances make each pair count, aligned to `pairs`.

        1 but for outcomes with a known propensity (`training.selection.inverse_propensity`).
        """
        pairs = self.pairs
        if config.propensity_weights == "none":
            return pd.Series(1.0, index=pairs.index)
        logged = pairs["propensity"].where(pairs["known"] & ~pairs["judged"])
        within = pairs["brief_id"] if config.propensity_weights == "brief" else None
        return inverse_propensity(logged, config.propensity_clip, within)

    def preference(self, config: TrainingConfig) -> pd.Series[float]:
        """Return how each brief's preference is spread over the pairs it can be read from.

        Grades count by their gain, 2**grade - 1, as in NDCG. Never tried is no part of it, unless
        being chosen is all that the data tells (``config.unknown``); then who was passed over is a
        part where that counts.

        Returns
        -------
        Series, aligned to `pairs`
            Sums to 1 over a brief; null where a pair or a whole brief tells no preference.
        """
        pairs = self.pairs
        gain = (2.0 ** pairs["grade"] - 1.0).where(pairs["known"])
        if config.unknown == "choices":
            gain = pairs["choice"].map({CHOSEN: 1.0, PASSED: 0.0}).astype(np.float64)
        elif config.unknown == "negative":
            gain = gain.mask(pairs["known"] & ~pairs["judged"], 1.0).fillna(0.0)
            gain = gain.mask(self.says_nothing | (self.passed_over & (config.passed_over == 0)))
        brief = pairs["brief_id"].to_numpy()
        total = gain.groupby(brief).transform("sum")
        tells = gain.groupby(brief).transform("nunique") > 1
        return (gain / total).where(tells)

    def ranking(
        self,
        known: NDArray[np.float64],
        forecaster: Forecaster,
        config: TrainingConfig,
        basis: Basis = OUTCOMES,
    ) -> RankingData:
        """Return what the ranker learns from.

        Parameters
        ----------
        known : ndarray, shape (n,)
            What ranking starts from: what a forecast that did not see these outcomes says of each
            pair where the unknown is taken for ``"forecast"``, else its likeness.
        forecaster : Forecaster
            Tells which goals can be forecast, and what is usual for each.
        config : TrainingConfig
            What the unknown is taken for.
        basis : str
            Whether outcomes or judgments decide what a success is.
        """
        pairs, grade, keep = self.pairs, self.pairs["grade"], pd.Series(True, self.pairs.index)
        weight = pairs["known"].map({True: 1.0, False: config.unknown_weight})
        weight = weight.mask(self.passed_over, config.passed_over).mask(self.says_nothing, 0.0)
        if config.unknown == "forecast":
            value = config.belief * self._surprise(known, forecaster) + known
            value -= config.passed_over_below * self.passed_over
            # A person's grade stands. Where nothing can be forecast an outcome's own grade does,
            # and the unknown says nothing.
            forecast = pairs["goal"].isin(forecaster.typical)
            grade = grade.mask(forecast & ~pairs["judged"], true_grades(value, pairs["brief_id"]))
            keep = pairs["known"] | forecast
        elif config.unknown == "choices":
            chosen = pairs["choice"].map({CHOSEN: 1.0, PASSED: 0.0}).astype(np.float64)
            keep, grade = chosen.notna(), chosen
            weight = pd.Series(1.0, index=pairs.index)
        else:
            # To have been chosen is what there is to learn; how well it went says little of whom
            # a brand would choose.
            grade = grade.mask(pairs["known"] & ~pairs["judged"], 1.0)
        weight = weight * self.propensity_weight(config)
        keep &= weight > 0
        return RankingData(
            signals=self.signals[keep],
            known=known[keep],
            brief_id=pairs["brief_id"][keep],
            grade=grade[keep],
            weight=weight[keep],
            told=(pairs["known"] & (pairs["judged"] == (basis == JUDGMENTS)))[keep],
            success=pairs["success"][keep],
            position=pairs["position"][keep] if config.position_aware else None,
        )

    def _surprise(self, advantage: NDArray[np.float64], forecaster: Forecaster) -> pd.Series[float]:
        """Return how much more each outcome brought than its forecast, in logs; 0 without one."""
        usual = self.pairs["goal"].map(dict(forecaster.typical)).astype(np.float64)
        # What came, against what was forecast: the price that was asked is in both and cancels.
        surprise = self.pairs["achieved"] - forecaster.prices(self.signals) - usual - advantage
        # A count is skewed and its forecast a median: centre, or the tried would look worse.
        centre = surprise.groupby(self.pairs["goal"]).transform("median")
        return (surprise - centre).fillna(0.0)


def orderable(pairs: pd.DataFrame, asked: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return which pairs stand in a list with something to order.

    A list of equals ranks right in any order: it would only dilute every difference.

    Parameters
    ----------
    pairs : DataFrame, shape (n, ...)
        brief_id and grade.
    asked : ndarray of bool, shape (n,), optional
        The pairs that make the lists; by default all.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for pairs that are not asked about.
    """
    rows = np.ones(len(pairs), dtype=bool) if asked is None else asked
    grades = pairs["grade"].where(rows).groupby(pairs["brief_id"])
    return np.asarray(rows & (grades.transform("nunique") > 1).to_numpy(), dtype=bool)


def graded_pairs(
    tables: Tables, teaching: pd.Index[Any], known_before: pd.Series[Any], config: TrainingConfig
) -> pd.DataFrame:
    """Return every pair whose fit was observed, graded among the collaborations that teach.

    Parameters
    ----------
    tables : Tables
        Everything known.
    teaching : Index of brief_id
        Briefs whose outcomes set the grades' quantiles.
    known_before : Series of datetime, by brief_id
        Outcomes and judgments of a brief that became known at this moment or later are left out;
        briefs it lacks are left out whole.
    config : TrainingConfig
        Horizon.

    Returns
    -------
    DataFrame
        PAIRS, in the mode really used where one is told, with grade (1-4, or the judges' 0-4),
        judged, success, achieved, counts and sales; one row a pair, by as_of, brief_id and kol_id.
        A judgment (the mean of several, rounded) stands in where there is no graded outcome: what
        a campaign brought says more than what was expected of it.
    """
    told = labels_known_before(tables, known_before)
    tried = outcome_values(told, config.horizon_days)
    peers = in_usual_currency(tried, told)
    tried["grade"] = Grader.fit(peers[peers["brief_id"].isin(teaching)]).grade(peers)
    # Of several collaborations of one pair the first that has a grade counts.
    graded_first = tried["grade"].isna().sort_values(kind="stable").index
    tried = tried.loc[graded_first].drop_duplicates(["brief_id", "kol_id"])

    opinions = told.judgments.groupby(["brief_id", "kol_id"])["grade"].mean()
    opinions = np.floor(opinions + 0.5).rename("opinion")
    pairs = tried.drop(columns="as_of").merge(
        opinions.reset_index(), how="outer", on=["brief_id", "kol_id"]
    )
    pairs["as_of"] = pairs["brief_id"].map(question_times(tables)).astype(TIME)
    pairs["judged"] = pairs["grade"].isna()
    pairs["grade"] = pairs["grade"].fillna(pairs["opinion"])
    pairs["success"] = pairs["grade"] >= GOOD
    pairs = pairs[pairs["grade"].notna()]
    if config.unknown == "negative":
        # Nobody knows in which mode the others would have been chosen: it would tell them apart.
        pairs["mode"] = None
    columns = ["brief_id", "kol_id", "as_of", "mode", "grade", "judged", "success", "achieved"]
    columns += [*COUNTS, *MONEY]
    return pairs[columns].sort_values(["as_of", "brief_id", "kol_id"], ignore_index=True)


def unknown_pairs(
    questions: pd.DataFrame, taken: pd.DataFrame, history: History, count: int, seed: int
) -> pd.DataFrame:
    """Sample, for each brief, KOLs it could have had but never tried.

    Parameters
    ----------
    questions : DataFrame
        brief_id and as_of.
    taken : DataFrame
        brief_id and kol_id of pairs that may not be sampled.
    history : History
        The tables.
    count : int
        KOLs per brief; fewer where there are fewer.
    seed : int
        With the brief's id it seeds the draw, so that a brief's sample depends on no other brief.

    Returns
    -------
    DataFrame
        PAIRS.
    """
    tables = history.tables
    priced = len(tables.rates) > 0
    tried = taken.groupby("brief_id")["kol_id"].agg(set)
    sampled = []
    for brief_id, as_of in questions[["brief_id", "as_of"]].itertuples(index=False):
        kols = roster(history, as_of).assign(brief_id=brief_id, as_of=as_of)
        kols = kols[~kols["kol_id"].isin(tried.get(brief_id, set()))].reset_index(drop=True)
        # Screening costs more than drawing: draw generously, screen, keep the first ones.
        rng = np.random.default_rng([seed, zlib.crc32(brief_id.encode())])
        drawn = kols.iloc[rng.permutation(len(kols))[: 20 * count]].reset_index(drop=True)
        pairs = drawn[["brief_id", "kol_id", "as_of"]]
        offers = current_offers(pairs, history) if priced else None
        sampled.append(pairs[screen(pairs, tables.briefs, drawn, offers).isna()].head(count))
    return pd.concat(sampled, ignore_index=True)


def example_pairs(
    tables: Tables,
    history: History,
    graded: pd.DataFrame,
    config: TrainingConfig,
    seed: int,
    known_before: pd.Series[Any] | None = None,
) -> pd.DataFrame:
    """Add the unknown and what choices tell to the graded pairs, giving the pairs of `Examples`.

    Parameters
    ----------
    known_before : Series of datetime, by brief_id, optional
        When a choice had to be known to count, as in `graded_pairs`; by default they all count.
    """
    questions = graded[["brief_id", "as_of"]].drop_duplicates("brief_id")
    tried = pd.concat(
        [graded[["brief_id", "kol_id"]], tables.collaborations[["brief_id", "kol_id"]]]
    )
    # Where no outcome allows a forecast of them, the unknown would only be thrown away again.
    silent_unknown = config.unknown == "forecast" and bool(graded["judged"].all())
    silent_unknown |= config.unknown == "choices"
    count = 0 if silent_unknown else config.unknown_per_brief
    unknown = unknown_pairs(questions, tried, history, count, seed)
    listed = choices(tables, known_before)
    wanted = {PASSED: config.passed_over > 0, CHOSEN: False}
    if config.unknown == "choices":
        wanted = {PASSED: True, CHOSEN: True}
    seen = listed.loc[listed["choice"].map(wanted).astype(bool), ["brief_id", "kol_id", "mode"]]
    if config.unknown == "negative":
        seen = seen.assign(mode=None)
    seen = seen.merge(questions, on="brief_id").merge(
        graded[["brief_id", "kol_id"]], how="left", indicator="told"
    )
    seen = seen[seen.pop("told") == "left_only"]
    ungraded = pd.concat([unknown, seen], ignore_index=True)
    ungraded = ungraded.assign(grade=0.0, judged=False, known=False, success=False)
    pairs = pd.concat([graded.assign(known=True), ungraded], ignore_index=True)
    pairs = pairs.merge(listed.drop(columns="mode"), how="left", on=["brief_id", "kol_id"])
    pairs = pairs.fillna({"choice": "", "position": 0.0})
    pairs = pairs.astype({"success": bool, "known": bool, "judged": bool})
    asked = tables.briefs.set_index("brief_id").loc[pairs["brief_id"], ["brand_id", "goal"]]
    pairs[["brand_id", "goal"]] = asked.to_numpy()
    return pairs.sort_values(["as_of", "brief_id", "kol_id"], ignore_index=True)


def build_examples(
    tables: Tables,
    history: History,
    pipeline: FeaturePipeline,
    graded: pd.DataFrame,
    config: TrainingConfig,
    seed: int,
    progress: Progress = silent,
    known_before: pd.Series[Any] | None = None,
) -> Examples:
    """Complete the graded pairs (`example_pairs`), with every pair's signals as of its decision."""
    pairs = example_pairs(tables, history, graded, config, seed, known_before)

    def done(count: int) -> None:
        progress("signals of past pairs", count, len(pairs))

    done(0)
    signals = pipeline.transform_in_chunks(pairs, history, done)
    return Examples(pairs, signals)
