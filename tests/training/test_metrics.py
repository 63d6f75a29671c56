from __future__ import annotations

import math

import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.metrics import Ranking, auc, ndcg, ranking_metrics, summarise

RATES = ["ndcg@5", "ndcg@10", "ndcg@20", "recall@50", "map", "mrr", "auc"]


def ranked(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["brief_id", "kol_id", "score", "gain"])


def one_brief(scores: list[float], gains: list[float]) -> pd.DataFrame:
    kols = [f"k{i:03d}" for i in range(len(scores))]
    return pd.DataFrame({"brief_id": "b", "kol_id": kols, "score": scores, "gain": gains})


def random_lists(briefs: int, seed: int, levels: int = 5) -> pd.DataFrame:
    """Lists of 1 to 60 KOLs, grades 0 to 4, mostly 0, scores without ties."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 61, briefs)
    rows = int(sizes.sum())
    return pd.DataFrame(
        {
            "brief_id": np.repeat([f"b{i:04d}" for i in range(briefs)], sizes),
            "kol_id": np.concatenate([[f"k{i:03d}" for i in range(size)] for size in sizes]),
            "score": rng.permutation(rows) / rows,
            "gain": rng.integers(0, levels, rows) * rng.integers(0, 2, rows).astype(float),
        }
    )


def test_ndcg_by_hand():
    frame = one_brief([0.9, 0.8, 0.7], [0.0, 2.0, 1.0])
    got = ranking_metrics(frame, ks=(2,)).loc["b", "ndcg@2"]
    # (2^2 - 1) / log2(3), over 3 / log2(2) + 1 / log2(3)
    assert got == pytest.approx((3 / math.log2(3)) / (3 + 1 / math.log2(3)))


def test_the_ideal_is_over_all_rows_not_the_first_k():
    frame = one_brief([0.9, 0.8, 0.7], [1.0, 0.0, 4.0])
    assert ranking_metrics(frame, ks=(1,)).loc["b", "ndcg@1"] == pytest.approx(1 / 15)


def test_yes_and_no_metrics_by_hand():
    frame = one_brief([5, 4, 3, 2, 1], [0.0, 1.0, 0.0, 1.0, 0.0])
    row = ranking_metrics(frame, recall_ks=(1, 2, 50)).loc["b"]
    assert row["recall@1"] == 0
    assert row["recall@2"] == 0.5
    assert row["recall@50"] == 1
    assert row["map"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert row["mrr"] == 0.5
    assert row["first_positive_rank"] == 2
    assert row["auc"] == pytest.approx(3 / 6)  # first positive beats two negatives, second one
    assert (row["n"], row["positives"]) == (5, 2)


def test_ties_break_by_kol_id_and_give_auc_a_half():
    frame = ranked(("b", "k2", 0.5, 1.0), ("b", "k1", 0.5, 0.0))
    row = ranking_metrics(frame).loc["b"]
    assert row["first_positive_rank"] == 2
    assert row["auc"] == 0.5


def test_nan_scores_rank_last_and_tie_with_each_other():
    frame = one_brief([math.nan, math.nan, -1e300], [1.0, 0.0, 0.0])
    row = ranking_metrics(frame).loc["b"]
    assert row["first_positive_rank"] == 2
    assert row["auc"] == 0.25


def test_unknown_rows_leave_the_list_before_ranks_are_counted():
    frame = one_brief([0.9, 0.8, 0.7], [math.nan, 1.0, 0.0])
    row = ranking_metrics(frame).loc["b"]
    assert row["first_positive_rank"] == 1
    assert row["n"] == 2


def test_a_brief_without_positives_is_nan_outside_the_mean_and_counted():
    frame = ranked(
        ("b1", "k1", 0.9, 1.0), ("b1", "k2", 0.1, 0.0), ("b2", "k1", 0.9, 0.0), ("b3", "k1", 1, 1.0)
    )
    per_brief = ranking_metrics(frame)
    assert per_brief.loc["b2", [*RATES, "first_positive_rank"]].isna().all()
    assert per_brief.loc["b2", "positives"] == 0
    assert math.isnan(per_brief.loc["b3", "auc"])  # no negative to be above of
    summary = summarise(per_brief)
    assert summary.loc["ndcg@10"].to_dict() == {"mean": 1, "median": 1, "briefs": 2, "excluded": 1}
    assert summary.loc["auc", ["briefs", "excluded"]].tolist() == [1, 2]


def test_a_brief_of_unknown_rows_is_still_there():
    frame = ranked(("b1", "k1", 0.9, math.nan), ("b2", "k1", 0.9, 1.0), ("b3", "k1", 0, math.nan))
    per_brief = ranking_metrics(frame)
    assert per_brief.index.tolist() == ["b1", "b2", "b3"]
    assert per_brief["n"].tolist() == [0, 1, 0]
    assert per_brief.loc[["b1", "b3"], RATES].isna().all(axis=None)


def test_an_empty_frame_has_the_same_columns_and_no_rows():
    full = one_brief([0.5], [1.0])
    got = ranking_metrics(full.iloc[:0])
    assert got.columns.tolist() == ranking_metrics(full).columns.tolist()
    assert len(got) == 0
    assert (got.dtypes == "float64").all()


def test_a_threshold_makes_low_grades_negative():
    frame = one_brief([3, 2, 1], [1.0, 3.0, 0.0])
    row = ranking_metrics(frame, threshold=2.0).loc["b"]
    assert (row["positives"], row["first_positive_rank"]) == (1, 2)
    assert row["ndcg@5"] == ranking_metrics(frame).loc["b", "ndcg@5"]


@pytest.mark.parametrize("levels", [None, 4], ids=["no ties", "ties"])
def test_agrees_with_ir_measures_on_a_thousand_lists(levels: int | None):
    """All metrics but AUC, which has no counterpart there, in our conventions.

    ir-measures counts a query without positives as 0, we leave it out; its ``gains`` option gets
    our exponential gain, its nDCG having the grade itself; it breaks ties by id, descending, so it
    is told ids in the reverse of our order; and the unknown, which we take out, is not told to it.
    """
    frame = random_lists(briefs=1000, seed=7)
    if levels is not None:
        frame["score"] = np.floor(frame["score"] * levels)  # a dozen KOLs share a score
    rng = np.random.default_rng(8)
    frame.loc[rng.random(len(frame)) < 0.1, "gain"] = np.nan
    ours = ranking_metrics(frame, ks=(5, 10, 20), recall_ks=(5, 20, 50))
    told = frame.dropna(subset="gain")
    rows = list(
        zip(
            told["brief_id"],
            "k" + (999 - told["kol_id"].str[1:].astype(int)).astype(str).str.zfill(3),
            told["gain"].astype(int),
            told["score"],
            strict=True,
        )
    )
    qrels = [ir_measures.Qrel(brief, kol, grade) for brief, kol, grade, _ in rows]
    run = [ir_measures.ScoredDoc(brief, kol, score) for brief, kol, _, score in rows]
    gains = {grade: 2**grade - 1 for grade in range(5)}
    names = {ir_measures.nDCG(cutoff=k, gains=gains): f"ndcg@{k}" for k in (5, 10, 20)}
    names |= {ir_measures.R @ k: f"recall@{k}" for k in (5, 20, 50)}
    names |= {ir_measures.AP: "map", ir_measures.RR: "mrr"}
    theirs = pd.DataFrame(
        [
            (found.query_id, names[found.measure], found.value)
            for found in ir_measures.iter_calc(list(names), qrels, run)
        ],
        columns=["brief_id", "metric", "value"],
    ).pivot_table(index="brief_id", columns="metric", values="value")
    assert len(theirs) > 950  # of the others every row was unknown
    ours = ours.loc[theirs.index]
    empty = ours["positives"] == 0
    assert 10 < empty.sum() < 200
    assert (theirs[empty] == 0).all(axis=None)
    assert ours.loc[empty, theirs.columns].isna().all(axis=None)
    pd.testing.assert_frame_equal(
        ours.loc[~empty, theirs.columns], theirs[~empty], check_names=False, atol=1e-9
    )


def test_auc_agrees_with_scikit_learn_with_ties():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    frame = random_lists(briefs=50, seed=4).assign(score=lambda f: rng.integers(0, 6, len(f)))
    ours = ranking_metrics(frame)["auc"].dropna()
    for brief, rows in frame.groupby("brief_id"):
        if brief in ours.index:
            assert ours[brief] == pytest.approx(roc_auc_score(rows["gain"] > 0, rows["score"]))


@given(st.integers(0, 2**32 - 1))
def test_row_order_is_irrelevant(seed: int):
    frame = random_lists(briefs=5, seed=seed)
    rng = np.random.default_rng(seed)
    frame["score"] = rng.integers(0, 4, len(frame))  # plenty of ties
    frame.loc[rng.random(len(frame)) < 0.2, "gain"] = np.nan
    shuffled = frame.sample(frac=1, random_state=seed % 1000)
    pd.testing.assert_frame_equal(
        ranking_metrics(frame), ranking_metrics(shuffled), check_exact=True
    )


@given(st.integers(0, 2**32 - 1))
def test_a_brief_scores_alone_as_with_others_and_stays_in_bounds(seed: int):
    frame = random_lists(briefs=6, seed=seed)
    together = ranking_metrics(frame)
    apart = pd.concat([ranking_metrics(rows) for _, rows in frame.groupby("brief_id")])
    pd.testing.assert_frame_equal(together, apart)
    assert together[RATES].min().min() >= 0
    assert together[RATES].max().max() <= 1 + 1e-12


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30))
def test_the_ideal_order_is_one_and_its_reverse_is_no_better(gains: list[int]):
    grades = [float(g) for g in gains]
    best = Ranking.of(one_brief(grades, grades))
    worst = Ranking.of(one_brief([-g for g in grades], grades))
    if max(grades) == 0:
        assert np.isnan(ndcg(best, 10)).all()
        return
    assert ndcg(best, 10)[0] == pytest.approx(1)
    assert ndcg(worst, 10)[0] <= 1
    if min(grades) == 0:
        assert auc(best)[0] == 1
        assert auc(worst)[0] == 0


def test_does_not_change_the_frame():
    frame = random_lists(briefs=3, seed=1)
    before = frame.copy(deep=True)
    ranking_metrics(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_takes_grades_only():
    with pytest.raises(ValueError, match="Got a gain of -1 but expected a grade from 0 to 31"):
        ranking_metrics(one_brief([0.5], [-1.0]))
    with pytest.raises(ValueError, match=r"Got a gain of 12500 .* turn amounts into grades"):
        ranking_metrics(one_brief([0.5], [12500.0]))


def test_takes_a_kol_once_a_brief():
    frame = ranked(("b1", "k1", 0.1, 0.0), ("b2", "k1", 0.1, 0.0), ("b2", "k1", 0.2, 0.0))
    with pytest.raises(ValueError, match="Got KOL 'k1' twice in brief 'b2'"):
        ranking_metrics(frame)


def test_refuses_null_ids_and_cut_offs_below_one():
    with pytest.raises(ValueError, match="Got null ids"):
        ranking_metrics(one_brief([0.5], [1.0]).assign(kol_id=None))
    with pytest.raises(ValueError, match="Got a cut-off of 0"):
        ranking_metrics(one_brief([0.5], [1.0]), ks=(0,))
