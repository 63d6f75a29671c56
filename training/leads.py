"""How far the model leads, and how sure that is: over the rules, by metric, in every slice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from matcher.config import Config
from training.evaluate import HEADLINE, MODEL, Evaluation, view_that_decides
from training.significance import (
    chance_of_no_harm,
    holm,
    minimum_detectable_effect,
    paired_bootstrap,
    paired_permutation,
)
from training.slices import ALL, LEAST_BRANDS, LEAST_BRIEFS

METRICS = ("ndcg@5", "ndcg@10", "ndcg@20", "recall@20", "recall@50", "map", "mrr", "auc")
"""Metrics whose means get intervals."""
ALPHA = 0.05
"""How often one verdict among all slices may be wrong by chance."""
VERDICTS = ("better", "worse", "not sure", "too few to tell")
BETTER, WORSE, UNSURE, FEW = VERDICTS


@dataclass(frozen=True)
class Lead:
    """The model's lead over the best simple rule.

    Attributes
    ----------
    view : str
        The lists it is on.
    rule : str
        The rule with the best mean.
    model, against : float
        Mean NDCG@10 of the model and of the rule.
    difference, low, high : float
        Model minus rule with its 95% interval, brands resampled.
    p : float
        Of "which is which makes no difference", by swapping whole brands.
    detectable : float
        Smallest true lead that as many briefs would show four times out of five.
    briefs, brands : int
        That have something to tell.
    """

    view: str
    rule: str
    model: float
    against: float
    difference: float
    low: float
    high: float
    p: float
    detectable: float
    briefs: int
    brands: int

    @property
    def verdict(self) -> str:
        """``"better"``, ``"worse"`` or ``"not sure"``, as the interval says."""
        if self.low > 0:
            return BETTER
        return WORSE if self.high < 0 else UNSURE

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, with its interval."""
        how = {
            BETTER: "kolmatch ranks better than the best simple rule",
            WORSE: f"kolmatch ranks worse than the best simple rule, {self.rule}",
            UNSURE: "It is not sure that kolmatch ranks better than the best simple rule",
        }
        if not math.isfinite(self.low):
            return (
                f"Nothing can be said for sure: {self.briefs} test briefs of {self.brands} brands "
                "have something to tell, and what is drawn anew for an interval is the brand."
            )
        return (
            f"{how[self.verdict]}: NDCG@10 {self.model:.3f} against {self.against:.3f} of "
            f"{self.rule}, a lead of {self.difference:+.3f} (95% interval {self.low:+.3f} to "
            f"{self.high:+.3f}) "
            f"on {self.briefs} test briefs of {self.brands} brands."
        )


def headline_view(evaluation: Evaluation, config: Config) -> str:
    """Return the view that decides (`training.evaluate.view_that_decides`)."""
    return view_that_decides(evaluation.views, config)


def lead_over_rules(evaluation: Evaluation, view: str, seed: int = 0) -> Lead:
    """Return the model's lead over the best simple rule in one view."""
    means = evaluation.summary(view)[HEADLINE]
    rule = evaluation.best_baseline(view)
    by_ranker, brands = _by_ranker(evaluation, view, HEADLINE)
    model, against = by_ranker[MODEL], by_ranker[rule]
    between = paired_bootstrap(model, against, brands, seed=seed)
    return Lead(
        view,
        rule,
        float(means[MODEL]),
        float(means[rule]),
        between.mean,
        between.low,
        between.high,
        paired_permutation(model, against, brands, seed=seed),
        minimum_detectable_effect(model - against, brands),
        between.n,
        between.clusters,
    )


def intervals(evaluation: Evaluation, view: str, seed: int = 0) -> pd.DataFrame:
    """Return every ranker's mean of every metric, and the model's lead in it, with intervals.

    Returns
    -------
    DataFrame
        ranker, metric, mean, low, high (95%, brands resampled), lead (model minus ranker; null of
        the model itself), lead_low, lead_high, briefs, brands.
    """
    rows = []
    for metric in METRICS:
        by_ranker, brands = _by_ranker(evaluation, view, metric)
        nothing = by_ranker[MODEL] * 0
        for ranker in by_ranker:
            own = paired_bootstrap(by_ranker[ranker], nothing, brands, seed=seed)
            told = [ranker, metric, own.mean, own.low, own.high]
            if ranker == MODEL:
                told += [np.nan] * 3
            else:
                lead = paired_bootstrap(by_ranker[MODEL], by_ranker[ranker], brands, seed=seed)
                told += [lead.mean, lead.low, lead.high]
            rows.append([*told, own.n, own.clusters])
    columns = ["ranker", "metric", "mean", "low", "high", "lead", "lead_low", "lead_high"]
    return pd.DataFrame(rows, columns=[*columns, "briefs", "brands"])


def slice_leads(evaluation: Evaluation, view: str, seed: int = 0) -> pd.DataFrame:
    """Return the model's lead over the best simple rule of the whole view in each slice.

    The rule is that of the whole: the best of each slice would be chosen by luck. p-values are of
    Student's t over brands, for permuting the few brands of a slice cannot give a small one, and
    Holm's method adjusts them for being many, so that the chance of even one wrong verdict is at
    most `ALPHA`.

    Returns
    -------
    DataFrame
        slice, briefs (with something to tell), brands, model and rule (mean NDCG@10), difference
        with low and high (95%, not adjusted), p, p_holm, detectable (the smallest true lead that
        such a slice would mostly show) and verdict; the weakest slices with a verdict first.
        Slices of fewer than `training.slices.LEAST_BRIEFS` briefs or ``LEAST_BRANDS`` brands tell
        their counts and means alone.
    """
    rule = evaluation.best_baseline(view)
    table = evaluation.per_brief
    found = []
    for name in sorted(set(table["slice"][table["view"] == view]) - {ALL}):
        by_ranker, brands = _by_ranker(evaluation, view, HEADLINE, name)
        model, against = by_ranker[MODEL], by_ranker[rule]
        told = model.dropna().index
        owners = brands[told].nunique()
        row = {
            "slice": name,
            "briefs": len(told),
            "brands": owners,
            "model": model.mean(),
            "rule": against.mean(),
            "difference": (model - against).mean(),
        }
        if len(told) >= LEAST_BRIEFS and owners >= LEAST_BRANDS:
            between = paired_bootstrap(model, against, brands, seed=seed)
            row |= {
                "low": between.low,
                "high": between.high,
                "p": _p_of_no_difference(model - against, brands),
                "detectable": minimum_detectable_effect(model - against, brands),
            }
        found.append(row)
    columns = ["slice", "briefs", "brands", "model", "rule", "difference", "low", "high", "p"]
    leads = pd.DataFrame(found, columns=[*columns, "detectable"])
    leads = leads[leads["briefs"] > 0].astype({"p": np.float64, "difference": np.float64})
    leads.insert(9, "p_holm", holm(leads["p"]))
    sure = leads["p_holm"] <= ALPHA
    leads["verdict"] = np.select(
        [leads["p"].isna(), sure & (leads["difference"] > 0), sure], [FEW, BETTER, WORSE], UNSURE
    )
    order = leads.assign(few=leads["p"].isna()).sort_values(["few", "difference", "slice"])
    return leads.loc[order.index].reset_index(drop=True)


def weak_slices(leads: pd.DataFrame) -> pd.DataFrame:
    """Return the slices in which the model is surely worse, or not surely better."""
    return leads[leads["verdict"].isin([WORSE, UNSURE])]


def _p_of_no_difference(difference: pd.Series[float], brands: pd.Series[str]) -> float:
    worse, better = (chance_of_no_harm(sign * difference, brands) for sign in (1, -1))
    return min(2 * min(worse, better), 1.0)


def _by_ranker(
    evaluation: Evaluation, view: str, metric: str, slice: str = ALL
) -> tuple[pd.DataFrame, pd.Series[str]]:
    """Return one metric by brief (rows) and ranker (columns), and the brand of each brief."""
    rows = evaluation.of(view, slice)
    brands = rows.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
    return rows.pivot(index="brief_id", columns="ranker", values=metric), brands
