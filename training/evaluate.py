"""Is a ranking better, and how sure is that: the same lists for the model and every simple rule.

Three views, because no log answers the whole question:

* ``outcomes``: each brief ranks the KOLs it tried, graded by what each brought. No assumption
  about anybody else, but the lists are short and somebody chose them.
* ``judgments``: each brief ranks the KOLs that people graded.
* ``roster``: each brief ranks everybody it could have had, and looks for those that were tried or
  judged. Who was never tried counts as grade 0, so this rewards agreeing with the choices of the
  past; those that a filter refuses are not looked for. It is the view for data that holds nothing
  but collaborations that happened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from matcher.candidates import candidates
from matcher.config import Config
from matcher.model import Matcher
from matcher.ranker import GOOD, JUDGMENTS, OUTCOMES
from training.baselines import BASELINES, TEXT_BASELINES
from training.examples import Examples, orderable
from training.exposure import Exposure
from training.metrics import ranking_metrics
from training.regret import CHOICES, REGRET, SPEND, logged_choices, regret
from training.significance import paired_bootstrap
from training.slices import ALL, OF_BRIEFS, slices_of, sublists

if TYPE_CHECKING:
    from numpy.typing import NDArray

Score = Callable[[pd.DataFrame, pd.DataFrame], "NDArray[np.float64]"]
"""Scores pairs from PAIRS and their signals; higher is better inside a brief."""
Lists = Iterable[tuple[pd.DataFrame, pd.DataFrame, "pd.Series[Any]"]]
"""Chunks of whole briefs: PAIRS, their signals, and the true grade of each, null if unknown."""

IDS = ["view", "slice", "ranker", "brief_id", "brand_id"]
"""Columns of an evaluation that say what was measured; the others are metrics."""
MODEL = "kolmatch"
HEADLINE = "ndcg@10"
ROSTER = "roster"
VIEWS = {
    OUTCOMES: "the KOLs that were tried, graded by what they brought",
    JUDGMENTS: "the KOLs that people graded",
    ROSTER: "the eligible roster, never tried or judged = 0",
}


@dataclass(frozen=True)
class Evaluation:
    """Metrics of every ranker on every brief.

    Attributes
    ----------
    per_brief : DataFrame
        The columns of `IDS` (``slice`` is ``"all"`` or ``"<dimension>: <value>"``,
        `training.slices`) and one column a metric.
    exposure : Exposure
        Who is in the lists over whole rosters.
    choices : DataFrame
        The tried pairs whose value and cost are known: brief_id, kol_id, tier, value, cost and
        currency (`training.regret.logged_choices`).
    regret : DataFrame
        What choices among those would have cost, by ranker and brief (`training.regret.regret`).
    """

    per_brief: pd.DataFrame
    exposure: Exposure = field(default_factory=Exposure.empty)
    choices: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CHOICES))
    regret: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REGRET))

    @classmethod
    def together(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """Put rounds together that tested different briefs."""
        frames = {
            name: pd.concat(
                [frame for frame in (getattr(part, name) for part in parts) if len(frame)]
                or [getattr(parts[0], name)],
                ignore_index=True,
            )
            for name in ("per_brief", "choices", "regret")
        }
        return cls(**frames, exposure=Exposure.together(part.exposure for part in parts))

    def of(self, view: str, slice: str = ALL) -> pd.DataFrame:
        """Return the rows of one view and slice."""
        table = self.per_brief
        return table[(table["view"] == view) & (table["slice"] == slice)]

    @property
    def views(self) -> list[str]:
        """The views that have anything to measure."""
        told = self.per_brief[HEADLINE].notna() & (self.per_brief["slice"] == ALL)
        measured = self.per_brief["view"][told].unique()
        return [view for view in VIEWS if view in measured]

    def summary(self, view: str) -> pd.DataFrame:
        """Return each ranker's means over briefs, best NDCG@10 first.

        Returns
        -------
        DataFrame
            Indexed by ranker: the metrics' means, the median of ``first_positive_rank``, and
            ``briefs``, how many had a positive to find.
        """
        rows = self.of(view)
        metrics = rows.drop(columns=IDS).groupby(rows["ranker"])
        table = metrics.mean()
        table["first_positive_rank"] = metrics["first_positive_rank"].median()
        table["briefs"] = metrics[HEADLINE].count()
        return table.sort_values([HEADLINE, "auc"], ascending=False)

    def best_baseline(self, view: str, metric: str = HEADLINE) -> str:
        """Return the simple rule with the best mean, of those that ranked whatever the model did.

        A rule that only some rounds have would be compared over other briefs.
        """
        rows = self.of(view)
        ranked = rows.groupby("ranker")["brief_id"].nunique()
        alike = ranked.index[ranked == ranked[MODEL]].drop(MODEL)
        means = self.summary(view)[metric].drop(MODEL)
        means = means[means.index.isin(alike)] if len(alike) else means
        return str(means.idxmax()) if means.notna().any() else str(means.index[0])

    def comparison(self, view: str, metric: str = HEADLINE, seed: int = 0) -> pd.DataFrame:
        """Compare the model with each simple rule, brief by brief, brands resampled.

        Returns
        -------
        DataFrame
            ranker, difference (model minus rule), low and high (95% interval), briefs, brands.
        """
        rows = self.of(view)
        brands = rows.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
        metrics = rows.pivot(index="brief_id", columns="ranker", values=metric)
        found = []
        for ranker in metrics.columns.drop(MODEL):
            between = paired_bootstrap(metrics[MODEL], metrics[ranker], brands, seed=seed)
            limits = (between.mean, between.low, between.high)
            found.append((ranker, *limits, between.n, between.clusters))
        columns = ["ranker", "difference", "low", "high", "briefs", "brands"]
        return pd.DataFrame(found, columns=columns).sort_values("difference", ignore_index=True)

    def metrics(self) -> dict[str, float]:
        """Return the numbers worth tracking, by name.

        For each view and metric the model's mean as ``<view>_<metric>`` and that of the best
        simple rule with ``_best_baseline`` after it. Leads are `training.leads`.
        """
        values: dict[str, float] = {}
        for view in self.views:
            best = self.best_baseline(view)
            means = self.summary(view).T
            for metric, model, rule in zip(means.index, means[MODEL], means[best], strict=True):
                name = f"{view}_{metric.replace('@', '_at_')}"
                values |= {name: float(model), f"{name}_best_baseline": float(rule)}
        return values


def view_that_decides(told: Collection[str], config: Config) -> str:
    """Return which of the views that have something to tell decides.

    Outcomes where there are any to compare, for they are what the agency is paid for; else
    judgments; the roster where being chosen is all that the data tells.
    """
    if config.training.unknown == "negative":
        return ROSTER
    return next((view for view in (OUTCOMES, JUDGMENTS) if view in told), ROSTER)


def rankers(matcher: Matcher) -> dict[str, Score]:
    """Return the model and every simple rule for data such as it was trained on, by name."""

    def model(pairs: pd.DataFrame, signals: pd.DataFrame) -> NDArray[np.float64]:
        return matcher.margin(signals)

    rules = BASELINES + (TEXT_BASELINES if matcher.basis == JUDGMENTS else ())
    return {MODEL: model} | {baseline.name: baseline.score for baseline in rules}


def rank_lists(
    lists: Lists,
    by: Mapping[str, Score],
    brands: pd.Series[Any],
    view: str,
    *,
    threshold: float | None = None,
    history: History | None = None,
    top: int | None = None,
) -> Evaluation:
    """Score lists with every ranker and measure each brief.

    Parameters
    ----------
    lists : Lists
        What to rank.
    by : mapping
        Rankers by name.
    brands : Series, indexed by brief_id
        Brand of each brief.
    view : str
        Name of these lists.
    threshold : float, optional
        Grade from which a pair is worth finding; by default any above 0.
    history : History, optional
        Where to look up what tells slices apart; without it only ``"all"`` is measured.
    top : int, optional
        Places of a list, to see who gets them; needs `history`.

    Raises
    ------
    UserError
        If there are no lists: nobody may serve any of the briefs.
    """
    measured, seen = [], []
    for pairs, signals, gain in lists:
        labels = None if history is None else slices_of(pairs, history)
        scores = {name: score(pairs, signals) for name, score in by.items()}
        if top is not None and labels is not None:
            seen.append(Exposure.of(pairs, labels["tier"], scores, top))
        for name, score in scores.items():
            ranked = pairs[["brief_id", "kol_id"]].assign(score=score, gain=gain)
            found = _measured(ranked, threshold).assign(slice=ALL)
            parts = [found]
            if labels is not None:
                parts += _by_brief(found, labels.assign(brief_id=pairs["brief_id"]))
                parts += _by_kol(ranked, labels, threshold)
            measured += [part.assign(ranker=name) for part in parts]
    if not measured:
        raise UserError(
            "Got no test brief that anybody known by then may serve, so nothing to measure "
            f"({view}); give more briefs with outcomes, or more KOLs"
        )
    table = pd.concat(measured, ignore_index=True).assign(view=view)
    table["brand_id"] = table["brief_id"].map(brands)
    table = table[IDS + [name for name in table.columns if name not in IDS]]
    return Evaluation(table, Exposure.together(seen))


def _measured(ranked: pd.DataFrame, threshold: float | None) -> pd.DataFrame:
    metrics = ranking_metrics(ranked, recall_ks=(20, 50), threshold=threshold)
    return metrics.rename_axis("brief_id").reset_index()


def _by_brief(measured: pd.DataFrame, labels: pd.DataFrame) -> list[pd.DataFrame]:
    """Hand the measures of whole lists to the slices of briefs that they are in."""
    of_brief = labels.drop_duplicates("brief_id").set_index("brief_id")
    told = measured[measured[HEADLINE].notna()]
    parts = []
    for dimension in OF_BRIEFS:
        value = told["brief_id"].map(of_brief[dimension])
        parts.append(
            told[value.notna()].assign(slice=f"{dimension}: " + value.dropna().astype(str))
        )
    return parts


def _by_kol(
    ranked: pd.DataFrame, labels: pd.DataFrame, threshold: float | None
) -> list[pd.DataFrame]:
    """Measure the KOLs of each slice among themselves."""
    parts = []
    for dimension, rows, lists in sublists(ranked, labels):
        if rows.empty:
            continue
        found = _measured(rows, threshold)
        own = lists.loc[found["brief_id"]]
        found["slice"] = f"{dimension}: " + own["value"].to_numpy(dtype=object)
        parts.append(found.assign(brief_id=own["brief_id"].to_numpy()))
    return parts


def evaluate(
    matcher: Matcher,
    test: Examples,
    history: History,
    pipeline: FeaturePipeline,
    progress: Progress = silent,
    others: Mapping[str, Score] = MappingProxyType({}),
) -> Evaluation:
    """Measure a model and every simple rule on briefs it never saw, in all views.

    Parameters
    ----------
    matcher : Matcher
        A trained model.
    test : Examples
        Pairs of the test briefs; those with known grades are the truth.
    others : mapping
        Further rankers to compare with, by name.
    """
    by = rankers(matcher) | dict(others)
    brands = history.tables.briefs.set_index("brief_id")["brand_id"]
    known = test.known
    judged = known.pairs["judged"].to_numpy(dtype=bool)
    measured = []
    for view, asked in ((OUTCOMES, ~judged), (JUDGMENTS, judged)):
        part = known.where(orderable(known.pairs, asked))
        if len(part.pairs):
            tried = [(part.pairs, part.signals, part.pairs["grade"])]
            measured.append(rank_lists(tried, by, brands, view, threshold=GOOD, history=history))
    whole = _roster_lists(known.pairs, history, pipeline, matcher, progress)
    # To have been chosen says that a KOL is worth finding; to have been judged does not.
    threshold = GOOD if judged.all() else None
    top, horizon = matcher.config.serving.top, matcher.config.training.horizon_days
    measured.append(
        rank_lists(whole, by, brands, ROSTER, threshold=threshold, history=history, top=top)
    )
    choices, regrets = _regrets(known.where(~judged), by, history, horizon)
    return replace(Evaluation.together(measured), choices=choices, regret=regrets)


def _regrets(
    tried: Examples, by: Mapping[str, Score], history: History, horizon_days: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what the tried pairs brought, and what choices among them would have cost."""
    choices = logged_choices(history.tables, tried.pairs, horizon_days)
    if choices.empty:
        return pd.DataFrame(columns=CHOICES), pd.DataFrame(columns=REGRET)
    pairs, signals = tried.pairs.loc[choices.index], tried.signals.loc[choices.index]
    scores = {name: score(pairs, signals) for name, score in by.items()}
    budget = SPEND * choices.groupby("brief_id")["cost"].sum()
    brands = history.tables.briefs.set_index("brief_id")["brand_id"]
    tier = slices_of(pairs, history)["tier"]
    choices = choices.assign(tier=tier)
    regrets = regret(choices, scores, budget, brands)
    return choices[CHOICES].reset_index(drop=True), regrets


def _roster_lists(
    graded: pd.DataFrame,
    history: History,
    pipeline: FeaturePipeline,
    matcher: Matcher,
    progress: Progress,
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.Series[Any]]]:
    """Yield everybody that each brief could have had, graded where a grade is known.

    Each in the mode that the model recommends: all rankers order the same offers.
    """
    questions = graded[["brief_id", "as_of"]].drop_duplicates("brief_id")
    truth = graded.set_index(["brief_id", "kol_id"])["grade"]
    done = 0
    for part in candidates(questions, history, pipeline, matcher.config):
        found = matcher.settled(part, history, pipeline)
        key = pd.MultiIndex.from_frame(found.pairs[["brief_id", "kol_id"]])
        yield found.pairs, found.signals, truth.reindex(key).fillna(0.0).set_axis(found.pairs.index)
        done += found.funnel["brief_id"].nunique()
        progress("ranking whole rosters", done, len(questions))
