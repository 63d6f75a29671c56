from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from matcher.candidates import candidates
from matcher.config import Config
from matcher.model import Matcher
from training.baselines import BASELINES
from training.evaluate import (
    HEADLINE,
    JUDGMENTS,
    MODEL,
    OUTCOMES,
    ROSTER,
    Evaluation,
    evaluate,
    rank_lists,
    rankers,
)
from training.examples import Examples, graded_pairs
from training.leads import lead_over_rules

Day = Callable[[float], pd.Timestamp]

BRIEFS, KOLS = 12, 20


@pytest.fixture
def pairs() -> pd.DataFrame:
    """Return lists of KOLs with random grades."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "brief_id": np.repeat([f"b{i:02d}" for i in range(BRIEFS)], KOLS),
            "kol_id": np.tile([f"k{i:02d}" for i in range(KOLS)], BRIEFS),
            "grade": rng.integers(0, 5, BRIEFS * KOLS).astype(float),
        }
    )


@pytest.fixture
def brands() -> pd.Series:
    return pd.Series({f"b{i:02d}": f"brand{i % 4}" for i in range(BRIEFS)})


@pytest.fixture
def measured(pairs: pd.DataFrame, brands: pd.Series) -> Evaluation:
    """Return rankers that know everything, half of it, nothing, and the opposite."""
    noise = np.random.default_rng(1).normal(size=(2, len(pairs)))
    by = {
        MODEL: lambda pairs, signals: pairs["grade"].to_numpy(),
        "good": lambda pairs, signals: pairs["grade"].to_numpy() + noise[0],
        "random": lambda pairs, signals: noise[1],
        "worst": lambda pairs, signals: -pairs["grade"].to_numpy(),
    }
    return rank_lists([(pairs, pairs, pairs["grade"])], by, brands, "all")


def test_an_oracle_has_an_ndcg_of_1_and_others_less(measured: Evaluation) -> None:
    means = measured.summary("all")[HEADLINE]
    assert means.index.tolist() == [MODEL, "good", "random", "worst"]
    assert means[MODEL] == 1.0
    assert 1.0 > means["good"] > means["random"] > means["worst"]


def test_every_ranker_is_measured_on_every_brief(measured: Evaluation, brands: pd.Series) -> None:
    table = measured.per_brief
    assert len(table) == 4 * BRIEFS
    assert not table.duplicated(["ranker", "brief_id"]).any()
    assert (table["brand_id"] == table["brief_id"].map(brands)).all()


def test_chunks_give_what_one_list_gives(pairs: pd.DataFrame, brands: pd.Series) -> None:
    by = {MODEL: lambda pairs, signals: signals["grade"].to_numpy() % 3}
    whole = rank_lists([(pairs, pairs, pairs["grade"])], by, brands, "all")
    parts = [(own, own, own["grade"]) for _, own in pairs.groupby("brief_id")]
    pd.testing.assert_frame_equal(rank_lists(parts, by, brands, "all").per_brief, whole.per_brief)


def test_the_lead_is_the_models_score_less_the_rules(measured: Evaluation) -> None:
    lead = measured.comparison("all").set_index("ranker")
    means = measured.summary("all")[HEADLINE]
    assert lead.index.tolist() == ["good", "random", "worst"]  # the closest first
    for rule in lead.index:
        assert lead["difference"][rule] == pytest.approx(means[MODEL] - means[rule])
    assert (lead["low"] <= lead["difference"]).all()
    assert (lead["difference"] <= lead["high"]).all()
    assert (lead["briefs"] == BRIEFS).all()
    assert (lead["brands"] == 4).all()


def test_a_model_that_is_worse_has_a_negative_lead(measured: Evaluation) -> None:
    names = {MODEL: "worst", "worst": MODEL}
    turned = Evaluation(measured.per_brief.replace({"ranker": names}).assign(view=OUTCOMES))
    found = turned.metrics()
    assert turned.best_baseline(OUTCOMES) == "worst"
    lead = lead_over_rules(turned, OUTCOMES)
    assert lead.high < 0
    assert lead.difference == pytest.approx(
        found["outcomes_ndcg_at_10"] - found["outcomes_ndcg_at_10_best_baseline"]
    )


def test_what_is_tracked_has_names_that_mlflow_takes(measured: Evaluation) -> None:
    found = Evaluation(measured.per_brief.assign(view=ROSTER)).metrics()
    assert {"roster_ndcg_at_10", "roster_recall_at_50_best_baseline"} <= set(found)
    assert all(name.replace("_", "").isalnum() for name in found)
    assert all(isinstance(value, float) for value in found.values())


def test_a_view_with_nothing_to_measure_is_left_out(pairs: pd.DataFrame, brands: pd.Series) -> None:
    by = {MODEL: lambda pairs, signals: np.zeros(len(pairs))}
    nothing = rank_lists([(pairs, pairs, pairs["grade"] * 0)], by, brands, ROSTER)
    assert nothing.views == []
    assert nothing.metrics() == {}


def test_a_higher_threshold_looks_for_fewer(pairs: pd.DataFrame, brands: pd.Series) -> None:
    by = {MODEL: lambda pairs, signals: np.zeros(len(pairs))}
    lists = [(pairs, pairs, pairs["grade"])]
    for threshold, least in ((None, 1), (3.0, 3)):
        found = rank_lists(lists, by, brands, "all", threshold=threshold).per_brief
        expected = (pairs["grade"] >= least).groupby(pairs["brief_id"]).sum()
        assert found.set_index("brief_id")["positives"].to_dict() == expected.to_dict()


@pytest.fixture(scope="module")
def graded(history: History, pipeline: FeaturePipeline, config: Config, day: Day) -> Examples:
    briefs = history.tables.judgments["brief_id"].drop_duplicates().head(8)
    whenever = pd.Series(day(4000), index=pd.Index(briefs))
    pairs = graded_pairs(history.tables, whenever.index, whenever, config.training)
    pairs = pairs.assign(known=True)
    return Examples(pairs, pipeline.transform(pairs, history))


def test_the_three_views_of_a_log(
    history: History, pipeline: FeaturePipeline, graded: Examples, config: Config
) -> None:
    calls: list[tuple[str, int, int]] = []
    matcher = Matcher(config, pipeline.embeddings.encoder.id)
    found = evaluate(
        matcher,
        graded,
        history,
        pipeline,
        lambda *call: calls.append(call),
        others={"none": lambda pairs, signals: np.zeros(len(pairs))},
    )
    assert found.views == [OUTCOMES, JUDGMENTS, ROSTER]
    assert set(found.per_brief["ranker"]) == {MODEL, "none", *(b.name for b in BASELINES)}
    model = found.per_brief.query("ranker == @MODEL and slice == 'all'").set_index("brief_id")
    listed = {view: own.to_dict() for view, own in model.groupby("view")["n"]}
    for view, asked in ((OUTCOMES, ~graded.pairs["judged"]), (JUDGMENTS, graded.pairs["judged"])):
        grades = graded.pairs[asked].groupby("brief_id")["grade"]
        # Where all grades are equal any order is right, and nothing is measured.
        assert listed[view] == grades.size()[grades.nunique() > 1].to_dict()
    # Everybody who may be had, tried or not, as serving finds them.
    asked = graded.pairs[["brief_id", "as_of"]].drop_duplicates()
    served = pd.concat([c.pairs for c in candidates(asked, history, pipeline, config)])
    assert listed[ROSTER] == served["brief_id"].value_counts().to_dict()
    assert calls[-1] == ("ranking whole rosters", len(asked), len(asked))


def test_the_model_scores_as_in_serving(graded: Examples, config: Config) -> None:
    matcher = Matcher(config, "words")
    score = rankers(matcher)[MODEL](graded.pairs, graded.signals)
    assert np.array_equal(score, matcher.score(graded.signals)["score"])


def test_a_rule_that_ranked_only_some_briefs_is_not_the_best(measured: Evaluation) -> None:
    table = measured.per_brief
    first = table["brief_id"] == table["brief_id"].iloc[0]
    lucky = table[first & (table["ranker"] == MODEL)].assign(ranker="lucky")
    lucky[HEADLINE] = 2.0
    more = Evaluation(pd.concat([table, lucky], ignore_index=True))
    assert more.best_baseline("all") == measured.best_baseline("all") != "lucky"


def test_a_world_in_which_nobody_may_serve_is_told() -> None:
    with pytest.raises(UserError, match=r"no test brief that anybody .* measure \(all\)"):
        rank_lists([], {}, pd.Series(dtype="str"), "all")
