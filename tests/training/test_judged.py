"""Text and grades alone: a ranking that learned from judges beats the likeness of texts.

`benchmarks/judged.py` measures the same on larger sets with real text vectors.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import JudgedSet, judged_set
from features.simulate.topics import load_topics
from features.vectors import Embeddings
from matcher.candidates import candidates
from matcher.config import Config
from matcher.ranker import JUDGMENTS
from training.calibration import calibration_error, noise_floor
from training.evaluate import HEADLINE, ROSTER, Evaluation
from training.fit import plans
from training.rounds import Round, forecast_tried, play


class TopicEncoder:
    """Knows what phrases of the simulated world are about, and mishears: a model's stand-in."""

    id = "topics"
    dimension = 84

    def __init__(self) -> None:
        topics = load_topics()
        self._known: dict[str, npt.NDArray[np.float64]] = {
            phrase: row
            for pools in topics.phrases.values()
            for row, phrases in zip(topics.root, pools, strict=True)
            for phrase in (*phrases.brief, *phrases.post)
        }
        self._longest_first = re.compile(
            "|".join(map(re.escape, sorted(self._known, key=lambda p: (-len(p), p))))
        )

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = [self._row(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)

    def _row(self, text: str) -> npt.NDArray[np.float64]:
        heard = np.random.default_rng([*text.encode()]).normal(0, 0.08, self.dimension)
        total = heard + sum(self._known[found] for found in self._longest_first.findall(text))
        return np.asarray(total / np.linalg.norm(total))


@pytest.fixture(scope="module")
def made() -> JudgedSet:
    return judged_set(briefs=120, kols=200, seed=0)


@pytest.fixture(scope="module")
def pipeline() -> FeaturePipeline:
    return FeaturePipeline(Config().features, Embeddings(TopicEncoder()))


@pytest.fixture(scope="module")
def rounds(made: JudgedSet, pipeline: FeaturePipeline) -> list[Round]:
    history, config = History(made.tables), Config()
    return [play(plan, history, pipeline, config) for plan in plans(made.tables, config)[1]]


@pytest.fixture(scope="module")
def evaluation(rounds: list[Round]) -> Evaluation:
    return Evaluation(pd.concat([r.evaluation.per_brief for r in rounds], ignore_index=True))


def test_every_brief_is_tested_once_by_a_model_that_never_saw_its_brand(
    made: JudgedSet, rounds: list[Round]
) -> None:
    brand = made.tables.briefs.set_index("brief_id")["brand_id"]
    tested: list[str] = []
    for played in rounds:
        test = played.plan.briefs("test")
        taught = played.plan.part.index.difference(test)
        assert not set(brand[test]) & set(brand[taught])
        assert set(played.test.pairs["brief_id"]) == set(test)
        tested += list(test)
    assert sorted(tested) == sorted(brand.index)


def test_the_model_surely_beats_every_simple_rule_on_what_people_judged(
    evaluation: Evaluation,
) -> None:
    assert evaluation.views == [JUDGMENTS, ROSTER]
    lead = evaluation.comparison(JUDGMENTS).set_index("ranker")
    assert {"likeness", "content cosine", "bio cosine", "shared words"} <= set(lead.index)
    assert (lead["briefs"] == 120).all()
    assert (lead["low"] > 0).all()


def test_simple_rules_that_read_beat_chance(evaluation: Evaluation) -> None:
    means = evaluation.summary(JUDGMENTS)[HEADLINE]
    assert means["content cosine"] > means["random"] + 0.1


def test_the_model_comes_closer_to_what_judges_feel_about_everybody(
    made: JudgedSet, pipeline: FeaturePipeline, rounds: list[Round]
) -> None:
    history, played = History(made.tables), rounds[0]
    pipeline = played.matcher.pipeline(pipeline.embeddings)
    asked = played.test.pairs[["brief_id", "as_of"]].drop_duplicates("brief_id")
    gains = []
    for found in candidates(asked, history, pipeline, played.matcher.config):
        pairs = found.pairs.assign(
            truth=made.truth(found.pairs),
            model=played.matcher.score(found.signals)["score"],
            cosine=found.signals["content.recent"],
        )
        for _, own in pairs.groupby("brief_id"):
            best = {by: own.nlargest(10, by)["truth"].mean() for by in ("model", "cosine")}
            gains.append(best["model"] - best["cosine"])
    assert np.mean(gains) > 0


def test_fit_is_the_chance_that_a_judge_grades_three_or_more(rounds: list[Round]) -> None:
    told = pd.concat([forecast_tried(r.matcher, r.test) for r in rounds], ignore_index=True)
    assert told["judged"].all()
    good = (told["grade"] >= 3).to_numpy(dtype=float)
    fit = told["fit"].to_numpy()
    assert calibration_error(fit, good) < 2 * noise_floor(fit)
    assert fit.std() > 0.1
    assert np.corrcoef(fit, good)[0, 1] > 0.3


def test_nothing_but_text_and_taste_is_forecast(rounds: list[Round]) -> None:
    scored = rounds[0].matcher.score(rounds[0].test.signals)
    assert scored[["views_p50", "ctr", "cvr"]].isna().all(axis=None)
    assert rounds[0].matcher.basis == JUDGMENTS
