import numpy as np
import pandas as pd
import pytest

from matcher.config import Config, TrainingConfig
from training.evaluate import HEADLINE, IDS, JUDGMENTS, MODEL, OUTCOMES, ROSTER, Evaluation
from training.leads import (
    BETTER,
    FEW,
    METRICS,
    UNSURE,
    WORSE,
    headline_view,
    intervals,
    lead_over_rules,
    slice_leads,
    weak_slices,
)
from training.slices import ALL, LEAST_BRIEFS


def measured(
    model: float,
    rule: float,
    slice: str = ALL,
    briefs: int = 40,
    seed: int = 0,
    view: str = OUTCOMES,
) -> pd.DataFrame:
    """Return measures of a model and two rules on briefs of eight brands, with some noise."""
    rng = np.random.default_rng(seed)
    rows = []
    for brief in range(briefs):
        level = rng.normal(0, 0.05)
        for ranker, mean in ((MODEL, model), ("rule", rule), ("random", 0.1)):
            told = mean + level + rng.normal(0, 0.03)
            ids = (view, slice, ranker, f"b{brief:03d}", f"brand{brief % 8}")
            rows.append((*ids, *[told] * (len(METRICS) + 1)))
    return pd.DataFrame(rows, columns=[*IDS, *METRICS, "first_positive_rank"])


@pytest.mark.parametrize(
    ("model", "verdict", "words"),
    [
        (0.8, BETTER, "kolmatch ranks better than the best simple rule: NDCG@10"),
        (0.5, UNSURE, "It is not sure that kolmatch ranks better"),
        (0.2, WORSE, "kolmatch ranks worse than the best simple rule, rule"),
    ],
)
def test_the_verdict_is_one_sentence_with_its_interval(
    model: float, verdict: str, words: str
) -> None:
    lead = lead_over_rules(Evaluation(measured(model, 0.5)), OUTCOMES)
    assert lead.verdict == verdict
    assert lead.rule == "rule"
    assert lead.sentence.startswith(words)
    assert f"{lead.difference:+.3f} (95% interval {lead.low:+.3f} to {lead.high:+.3f})" in (
        lead.sentence
    )
    assert lead.sentence.endswith("on 40 test briefs of 8 brands.")
    assert lead.difference == pytest.approx(lead.model - lead.against)
    assert lead.low <= lead.difference <= lead.high
    assert (lead.p < 0.05) == (verdict != UNSURE)
    assert 0 < lead.detectable < 0.1


def test_one_brand_alone_proves_nothing() -> None:
    table = measured(0.8, 0.5).assign(brand_id="only")
    lead = lead_over_rules(Evaluation(table), OUTCOMES)
    assert lead.verdict == UNSURE
    assert lead.sentence.startswith("Nothing can be said for sure: 40 test briefs of 1 brands")


def test_every_metric_of_every_ranker_has_an_interval() -> None:
    evaluation = Evaluation(measured(0.8, 0.5))
    table = intervals(evaluation, OUTCOMES).set_index(["metric", "ranker"])
    assert len(table) == len(METRICS) * 3
    means = evaluation.summary(OUTCOMES)
    for metric in METRICS:
        assert table.loc[(metric, "rule"), "mean"] == pytest.approx(means.loc["rule", metric])
    assert (table["low"] <= table["mean"]).all()
    assert (table["mean"] <= table["high"]).all()
    rules = table[table.index.get_level_values("ranker") != MODEL]
    assert rules["lead"].between(rules["lead_low"], rules["lead_high"]).all()
    assert table.xs(MODEL, level="ranker")["lead"].isna().all()


@pytest.fixture
def sliced() -> Evaluation:
    parts = [
        measured(0.8, 0.5),
        measured(0.9, 0.5, "platform: douyin", 30, 1),
        measured(0.51, 0.5, "platform: tiktok", 16, 2),
        measured(0.2, 0.5, "tier: nano", 24, 3),
        measured(0.9, 0.5, "tier: mega", LEAST_BRIEFS - 1, 4),
        measured(np.nan, np.nan, "goal: seeding", 12, 5),
    ]
    return Evaluation(pd.concat(parts, ignore_index=True))


def test_slices_have_verdicts_adjusted_for_being_many(sliced: Evaluation) -> None:
    table = slice_leads(sliced, OUTCOMES).set_index("slice")
    assert table.index.tolist() == [  # the weakest first, those without a verdict last
        *("tier: nano", "platform: tiktok", "platform: douyin", "tier: mega")
    ]
    assert table["verdict"].tolist() == [WORSE, UNSURE, BETTER, FEW]
    told = table.loc[table["verdict"] != FEW]
    assert (told["p_holm"] >= told["p"]).all()
    assert told["difference"].between(told["low"], told["high"]).all()
    few = table.loc["tier: mega"]
    assert few["briefs"] == LEAST_BRIEFS - 1
    assert few[["low", "high", "p", "p_holm"]].isna().all()
    assert weak_slices(table)["verdict"].tolist() == [WORSE, UNSURE]


def test_what_chance_gives_among_many_slices_is_no_verdict() -> None:
    parts = [measured(0.5, 0.5, f"vertical: v{i:02d}", 16, seed=i) for i in range(40)]
    evaluation = Evaluation(pd.concat([measured(0.5, 0.5), *parts], ignore_index=True))
    table = slice_leads(evaluation, OUTCOMES)
    assert (table["p"] < 0.05).any()
    assert set(table["verdict"]) == {UNSURE}


def test_without_slices_there_are_no_verdicts() -> None:
    assert slice_leads(Evaluation(measured(0.8, 0.5)), OUTCOMES).empty


def test_outcomes_decide_unless_being_chosen_is_all_there_is() -> None:
    views = [measured(0.8, 0.5, view=view) for view in (ROSTER, OUTCOMES, JUDGMENTS)]
    everything = Evaluation(pd.concat(views, ignore_index=True))
    assert headline_view(everything, Config()) == OUTCOMES
    chosen = Config(training=TrainingConfig(unknown="negative"))
    assert headline_view(everything, chosen) == ROSTER
    judged = Evaluation(everything.per_brief.query("view != @OUTCOMES"))
    assert headline_view(judged, Config()) == JUDGMENTS
    assert everything.summary(OUTCOMES)[HEADLINE].index[0] == MODEL
