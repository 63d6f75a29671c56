"""How good a ranking is, per brief.

The metrics read a frame RANKED, one row a (brief, KOL):

=========  =======  ==========================================================
column     dtype    meaning
=========  =======  ==========================================================
brief_id   ``str``  the query
kol_id     ``str``  the item, at most once a brief
score      float64  higher is better; NaN ranks last
gain       float64  grade of relevance, 0 or more; NaN is unknown
=========  =======  ==========================================================

Four conventions on which libraries silently differ:

- **Gain** is exponential, ``2 ** grade - 1``, and the discount ``log2(rank + 1)`` (Burges et al.,
  ICML 2005). TREC tools and ir-measures' default take the grade itself.
- **Ties** in score are broken by kol_id, ascending. trec_eval breaks them by id, descending;
  scikit-learn averages over them. Only AUC gives ties half a point, as Mann and Whitney do.
- **Unknown** rows (NaN gain) are taken out before ranks are counted: a condensed list (Sakai,
  SIGIR 2007). Who never was chosen says nothing about the ranking. To count them as irrelevant,
  as trec_eval does, fill the gain with 0 first.
- **Empty** queries, those without what a metric needs, are NaN: outside the mean, and counted
  (`summarise`). LightGBM scores them 1, scikit-learn, trec_eval and ir-measures 0.

With these four put right, NDCG, MAP, MRR and recall agree with ir-measures on 1,000 random lists
with ties, unknown rows and empty queries (``tests/training/test_metrics.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_GRADE = 31.0
"""Highest grade: that of LightGBM's default ``label_gain``. A gain above is no grade but money."""


@dataclass(frozen=True)
class Ranking:
    """All briefs' known rows in ranked order, laid end to end.

    Build it with `Ranking.of`. Row arrays have shape ``(rows,)`` and are ordered by brief, then
    rank; what the metrics return has shape ``(briefs,)`` and follows ``brief_ids``.

    Attributes
    ----------
    brief_ids : pandas.Index
        Briefs, ascending. One whose rows are all unknown is there and has no rows.
    brief : int64 array
        Position in ``brief_ids`` of each row.
    rank : int64 array
        1 is the best of its brief.
    score, gain : float64 arrays
        Score (NaN has become -inf) and grade.
    positive : bool array
        Whether the row counts as relevant where a metric knows only yes and no.
    """

    brief_ids: pd.Index[Any]
    brief: Ints
    rank: Ints
    score: Floats
    gain: Floats
    positive: NDArray[np.bool_]

    @classmethod
    def of(cls, frame: pd.DataFrame, threshold: float | None = None) -> Ranking:
        """Sort RANKED rows once, for every metric to read.

        Parameters
        ----------
        frame : pandas.DataFrame
            RANKED, in any row order.
        threshold : float, optional
            Grade from which a row is positive; by default every grade above 0 is.

        Raises
        ------
        ValueError
            If a KOL appears twice in a brief, an id is null or a gain is not a grade.
        """
        if frame[["brief_id", "kol_id"]].isna().any(axis=None):
            raise ValueError("Got null ids in brief_id or kol_id but expected an id in every row")
        briefs, brief_ids = pd.factorize(frame["brief_id"], sort=True)
        kols, _ = pd.factorize(frame["kol_id"], sort=True)
        score = frame["score"].to_numpy(dtype=np.float64)
        gain = frame["gain"].to_numpy(dtype=np.float64)
        _check_gain(gain)
        _check_unique(briefs, kols, frame)
        score = np.where(np.isnan(score), -np.inf, score)
        order = np.lexsort((kols, -score, briefs))
        order = order[~np.isnan(gain[order])]
        brief, gain = briefs[order].astype(np.int64), gain[order]
        positive = gain > 0 if threshold is None else gain >= threshold
        first = np.searchsorted(brief, np.arange(len(brief_ids)))
        rank = np.arange(1, len(brief) + 1, dtype=np.int64) - first[brief]
        return cls(pd.Index(brief_ids, name="brief_id"), brief, rank, score[order], gain, positive)

    def total(self, values: NDArray[Any], of: Ints | None = None) -> Floats:
        """Sum row `values` over each brief, `of` which the rows are (by default, all)."""
        rows = self.brief if of is None else of
        return np.bincount(rows, weights=values, minlength=len(self.brief_ids)).astype(np.float64)

    @property
    def positives(self) -> Floats:
        """How many positive rows each brief has."""
        return self.total(self.positive)

    @property
    def rows(self) -> Floats:
        """How many known rows each brief has."""
        return self.total(np.ones(len(self.brief)))


def _check_gain(gain: Floats) -> None:
    wrong = (gain < 0) | (gain > MAX_GRADE)
    if wrong.any():
        raise ValueError(
            f"Got a gain of {gain[wrong][0]:g} but expected a grade from 0 to {MAX_GRADE:g} "
            "(NaN where unknown); turn amounts into grades first"
        )


def _check_unique(briefs: Ints, kols: Ints, frame: pd.DataFrame) -> None:
    if len(frame) == 0:
        return
    pair = briefs.astype(np.int64) * (int(kols.max()) + 1) + kols
    if len(np.unique(pair)) < len(pair):
        first = frame[frame.duplicated(["brief_id", "kol_id"])].iloc[0]
        raise ValueError(
            f"Got KOL {first['kol_id']!r} twice in brief {first['brief_id']!r} "
            "but expected each KOL at most once a brief"
        )


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Divide, giving NaN where there is nothing to divide by."""
    ratio: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return ratio


def ndcg(ranking: Ranking, k: int) -> Floats:
    r"""Return the normalised discounted cumulative gain of the first `k` rows.

    .. math:: NDCG@k = \frac{DCG@k}{IDCG@k}, \quad DCG@k = \sum_{r=1}^{k} \frac{2^{g_r} - 1}{\log_2(r + 1)}

    IDCG is the DCG of all the brief's known rows by falling gain. NaN where no gain is above 0.
    """  # noqa: E501
    best = np.lexsort((-ranking.gain, ranking.brief))  # rows keep their brief, so ranks fit it too
    discount = np.where(ranking.rank <= k, 1 / np.log2(ranking.rank + 1), 0.0)
    gain = np.exp2(ranking.gain) - 1
    return _ratio(ranking.total(gain * discount), ranking.total(gain[best] * discount))


def recall(ranking: Ranking, k: int) -> Floats:
    """Return the share of a brief's positives among its first `k` rows; NaN without positives.

    The divisor is all positives, so a brief with more than `k` of them cannot reach 1.
    """
    return _ratio(ranking.total(ranking.positive & (ranking.rank <= k)), ranking.positives)


def average_precision(ranking: Ranking) -> Floats:
    r"""Return the mean, over a brief's positives, of the precision at their ranks.

    .. math:: AP = \frac{1}{P} \sum_{r : positive} \frac{positives(1..r)}{r}

    NaN without positives. Its mean over briefs is MAP.
    """
    so_far = np.cumsum(ranking.positive)
    before = np.concatenate([[0], np.cumsum(ranking.positives)])[ranking.brief]
    precision = (so_far - before) / ranking.rank
    return _ratio(ranking.total(precision * ranking.positive), ranking.positives)


def first_positive_rank(ranking: Ranking) -> Floats:
    """Return the rank of a brief's best placed positive, from 1; NaN without positives."""
    rows = np.flatnonzero(ranking.positive)
    brief, at = np.unique(ranking.brief[rows], return_index=True)
    rank = np.full(len(ranking.brief_ids), np.nan)
    rank[brief] = ranking.rank[rows[at]]
    return rank


def reciprocal_rank(ranking: Ranking) -> Floats:
    """Return one over the rank of the first positive; NaN without positives.

    Its mean over briefs is MRR.
    """
    return 1 / first_positive_rank(ranking)


def auc(ranking: Ranking) -> Floats:
    r"""Return the chance that a positive scores above a negative of its brief, ties counting half.

    .. math:: AUC = \frac{\sum_{positive} \bar{r} - P(P + 1)/2}{P N}

    where :math:`\bar{r}` is the rank from the bottom, averaged over ties (Mann and Whitney,
    1947). NaN unless the brief has positives and negatives.
    """
    if len(ranking.brief) == 0:
        return np.full(len(ranking.brief_ids), np.nan)
    new = np.ones(len(ranking.brief), dtype=bool)
    new[1:] = (np.diff(ranking.brief) != 0) | (ranking.score[1:] != ranking.score[:-1])
    tie = np.cumsum(new) - 1
    from_bottom = ranking.rows[ranking.brief] + 1 - ranking.rank
    averaged = (np.bincount(tie, weights=from_bottom) / np.bincount(tie))[tie]
    positives, negatives = ranking.positives, ranking.rows - ranking.positives
    above = ranking.total(averaged * ranking.positive) - positives * (positives + 1) / 2
    return _ratio(above, positives * negatives)


def ranking_metrics(
    frame: pd.DataFrame,
    ks: Sequence[int] = (5, 10, 20),
    recall_ks: Sequence[int] = (50,),
    *,
    threshold: float | None = None,
) -> pd.DataFrame:
    """Return every ranking metric of every brief.

    Parameters
    ----------
    frame : pandas.DataFrame
        RANKED (see the module), in any row order.
    ks, recall_ks : sequence of int
        Cut-offs of NDCG and of recall, from 1.
    threshold : float, optional
        Grade from which a row is positive; by default every grade above 0 is. NDCG reads the
        grades themselves.

    Returns
    -------
    pandas.DataFrame
        Indexed by brief_id, ascending: ``ndcg@k``, ``recall@k``, ``map``, ``mrr``, ``auc`` (all
        0-1), ``first_positive_rank`` (from 1), ``n`` (known rows) and ``positives``, all float64.
        NaN where a brief has not what the metric needs.

    Raises
    ------
    ValueError
        If a KOL appears twice in a brief, an id is null, a gain is not a grade or a cut-off is
        below 1.

    Examples
    --------
    >>> ranked = pd.DataFrame(
    ...     {
    ...         "brief_id": ["b1"] * 3,
    ...         "kol_id": ["k1", "k2", "k3"],
    ...         "score": [0.3, 0.9, 0.5],
    ...         "gain": [2.0, 0.0, 1.0],
    ...     }
    ... )
    >>> ranking_metrics(ranked, ks=(2,), recall_ks=(2,)).round(3).T
    brief_id                b1
    ndcg@2               0.174
    recall@2             0.500
    map                  0.583
    mrr                  0.500
    auc                  0.000
    first_positive_rank  2.000
    n                    3.000
    positives            2.000
    """
    low = [k for k in (*ks, *recall_ks) if k < 1]
    if low:
        raise ValueError(f"Got a cut-off of {low[0]} but expected 1 or more")
    ranking = Ranking.of(frame, threshold)
    columns = {f"ndcg@{k}": ndcg(ranking, k) for k in ks}
    columns |= {f"recall@{k}": recall(ranking, k) for k in recall_ks}
    columns |= {
        "map": average_precision(ranking),
        "mrr": reciprocal_rank(ranking),
        "auc": auc(ranking),
        "first_positive_rank": first_positive_rank(ranking),
        "n": ranking.rows,
        "positives": ranking.positives,
    }
    return pd.DataFrame(columns, index=ranking.brief_ids)


def summarise(per_brief: pd.DataFrame) -> pd.DataFrame:
    """Return each metric's mean and median over the briefs that have it.

    Parameters
    ----------
    per_brief : pandas.DataFrame
        As `ranking_metrics` returns it.

    Returns
    -------
    pandas.DataFrame
        Indexed by metric: ``mean``, ``median``, ``briefs`` (counted in) and ``excluded`` (NaN,
        left out).
    """
    return pd.DataFrame(
        {
            "mean": per_brief.mean(),
            "median": per_brief.median(),
            "briefs": per_brief.notna().sum(),
            "excluded": per_brief.isna().sum(),
        }
    ).rename_axis("metric")
