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

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from matcher.candidates import candidates
from matcher.config import Config
from matcher.model import Matcher
from matcher.ranker import GOOD, JUDGMENTS, OUTCOMES
from training.baselines import BASELINES, TEXT_BASELINES
from training.examples import Examples
from training.metrics import ranking_metrics
from training.significance import paired_bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

Score = Callable[[pd.DataFrame, pd.DataFrame], "NDArray[np.float64]"]
"""Scores pairs from PAIRS and their signals; higher is better inside a brief."""
Lists = Iterable[tuple[pd.DataFrame, pd.DataFrame, "pd.Series[Any]"]]
"""Chunks of whole briefs: PAIRS, their signals, and the true grade of each, null if unknown."""

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
        view, ranker, brief_id, brand_id and one column a metric.
    """

    per_brief: pd.DataFrame

    @property
    def views(self) -> list[str]:
        """The views that have anything to measure."""
        measured = self.per_brief[self.per_brief[HEADLINE].notna()]["view"].unique()
        return [view for view in VIEWS if view in measured]

    def summary(self, view: str) -> pd.DataFrame:
        """Return each ranker's means over briefs, best NDCG@10 first.

        Returns
        -------
        DataFrame
            Indexed by ranker: the metrics' means, the median of ``first_positive_rank``, and
            ``briefs``, how many had a positive to find.
        """
        rows = self.per_brief[self.per_brief["view"] == view]
        metrics = rows.drop(columns=["view", "brief_id", "brand_id"]).groupby("ranker")
        table = metrics.mean()
        table["first_positive_rank"] = metrics["first_positive_rank"].median()
        table["briefs"] = metrics[HEADLINE].count()
        return table.sort_values([HEADLINE, "auc"], ascending=False)

    def best_baseline(self, view: str, metric: str = HEADLINE) -> str:
        """Return the simple rule with the best mean."""
        means = self.summary(view)[metric].drop(MODEL)
        return str(means.idxmax()) if means.notna().any() else str(means.index[0])

    def comparison(self, view: str, metric: str = HEADLINE, seed: int = 0) -> pd.DataFrame:
        """Compare the model with each simple rule, brief by brief, brands resampled.

        Returns
        -------
        DataFrame
            ranker, difference (model minus rule), low and high (95% interval), briefs, brands.
        """
        rows = self.per_brief[self.per_brief["view"] == view]
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
        simple rule with ``_best_baseline`` after it; and the model's lead in NDCG@10 over that
        rule, ``<view>_gain``, with its 95% interval.
        """
        values: dict[str, float] = {}
        for view in self.views:
            best = self.best_baseline(view)
            means = self.summary(view).T
            for metric, model, rule in zip(means.index, means[MODEL], means[best], strict=True):
                name = f"{view}_{metric.replace('@', '_at_')}"
                values |= {name: float(model), f"{name}_best_baseline": float(rule)}
            lead = self.comparison(view).set_index("ranker").T[best]
            values |= {
                f"{view}_gain": float(lead["difference"]),
                f"{view}_gain_low": float(lead["low"]),
                f"{view}_gain_high": float(lead["high"]),
            }
        return values


def rankers(matcher: Matcher) -> dict[str, Score]:
    """Return the model and every simple rule for data such as it was trained on, by name."""

    def model(pairs: pd.DataFrame, signals: pd.DataFrame) -> NDArray[np.float64]:
        return matcher.score(signals)["score"].to_numpy()

    rules = BASELINES + (TEXT_BASELINES if matcher.basis == JUDGMENTS else ())
    return {MODEL: model} | {baseline.name: baseline.score for baseline in rules}


def rank_lists(
    lists: Lists,
    by: Mapping[str, Score],
    brands: pd.Series[Any],
    view: str,
    *,
    threshold: float | None = None,
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
    """
    measured = []
    for pairs, signals, gain in lists:
        for name, score in by.items():
            ranked = pairs[["brief_id", "kol_id"]].assign(score=score(pairs, signals), gain=gain)
            found = ranking_metrics(ranked, recall_ks=(20, 50), threshold=threshold)
            measured.append(found.rename_axis("brief_id").reset_index().assign(ranker=name))
    table = pd.concat(measured, ignore_index=True)
    table.insert(0, "view", view)
    table.insert(1, "brand_id", table["brief_id"].map(brands))
    return Evaluation(table)


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
        # A list of equals ranks right in any order: it would only dilute every difference.
        grades = known.pairs["grade"].where(asked).groupby(known.pairs["brief_id"])
        part = known.where(asked & (grades.transform("nunique") > 1).to_numpy())
        if len(part.pairs):
            tried = [(part.pairs, part.signals, part.pairs["grade"])]
            measured.append(rank_lists(tried, by, brands, view, threshold=GOOD))
    whole = _roster_lists(known.pairs, history, pipeline, matcher.config, progress)
    # To have been chosen says that a KOL is worth finding; to have been judged does not.
    threshold = GOOD if judged.all() else None
    measured.append(rank_lists(whole, by, brands, ROSTER, threshold=threshold))
    return Evaluation(pd.concat([part.per_brief for part in measured], ignore_index=True))


def _roster_lists(
    graded: pd.DataFrame,
    history: History,
    pipeline: FeaturePipeline,
    config: Config,
    progress: Progress,
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.Series[Any]]]:
    """Yield everybody that each brief could have had, graded where a grade is known."""
    questions = graded[["brief_id", "as_of"]].drop_duplicates("brief_id")
    truth = graded.set_index(["brief_id", "kol_id"])["grade"]
    done = 0
    for found in candidates(questions, history, pipeline, config):
        key = pd.MultiIndex.from_frame(found.pairs[["brief_id", "kol_id"]])
        yield found.pairs, found.signals, truth.reindex(key).fillna(0.0).set_axis(found.pairs.index)
        done += found.funnel["brief_id"].nunique()
        progress("ranking whole rosters", done, len(questions))
