import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.config import Config
from matcher.explain import REASONS_WANTED, explain
from matcher.model import Matcher
from matcher.phrases import PLAIN

Past = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def history(world: World) -> History:
    return History(world.tables)


@pytest.fixture(scope="module")
def pipeline(word_embeddings: Embeddings) -> FeaturePipeline:
    return FeaturePipeline(Config().features, word_embeddings)


def _explain(
    past: Past, history: History, pipeline: FeaturePipeline, parts: pd.DataFrame | None
) -> pd.DataFrame:
    pairs, signals = past
    money = pd.Series("CNY", index=pairs.index)
    return explain(pairs, signals, money, parts, history, pipeline)


def _parts(signals: pd.DataFrame, told: Mapping[str, float]) -> pd.DataFrame:
    parts = pd.DataFrame(0.0, index=signals.index, columns=signals.columns)
    return parts.assign(**told)


def test_families_speak_in_the_order_of_what_they_add(
    past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    told = {"style.posts_90": 0.1, "reach.median_views": 0.2, "engagement.rate": 0.3}
    reasons = _explain(past, history, pipeline, _parts(past[1], told))
    first = reasons["reasons_en"].map(len).eq(3)
    assert first.any()
    for en in reasons.loc[first, "reasons_en"]:
        assert en[0].startswith("Engagement rate")
        assert en[1].startswith("Median of")
        assert "in the last 90 days" in en[2]


def test_a_family_counts_by_the_sum_of_its_signals(
    past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    told = {"reach.median_views": 0.5, "reach.tier": -0.6, "engagement.rate": 0.1}
    reasons = _explain(past, history, pipeline, _parts(past[1], told))
    for en in reasons["reasons_en"]:
        assert all(line.startswith("Engagement rate") for line in en)


def test_families_that_lowered_the_score_are_silent(
    past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    reasons = _explain(past, history, pipeline, _parts(past[1], {"reach.median_views": -1.0}))
    assert reasons["reasons_en"].map(len).eq(0).all()
    assert reasons["evidence"].map(len).eq(0).all()


def test_without_a_model_likeness_explains(
    past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    reasons = _explain(past, history, pipeline, None)
    evidence = {name.split(".")[0] for told in reasons["evidence"] for name in told}
    assert evidence <= {"content", "vectors", "audience", "category"}
    assert reasons["reasons_en"].map(len).gt(0).any()


PLAIN_NAMES = {told: (signal, plain) for signal, (told, plain) in PLAIN.items()}


def test_evidence_is_what_the_signals_say(
    matcher: Matcher, past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    pairs, signals = past
    reasons = _explain(past, history, pipeline, matcher.contributions(signals))
    assert reasons.index.equals(pairs.index)
    assert reasons["reasons_en"].map(len).le(REASONS_WANTED).all()
    assert (reasons["reasons_en"].map(len) == reasons["reasons_zh"].map(len)).all()
    posts = history.tables.posts.set_index("post_id")["kol_id"]
    for row, told in reasons["evidence"].items():
        for name, value in told.items():
            if re.fullmatch(r"content\.post_\d", name):
                assert (posts[[value]] == pairs.at[row, "kol_id"]).all()
            elif name.endswith("_cosine"):
                assert value <= told["content.best"]
            else:
                signal, plain = PLAIN_NAMES.get(name, (name, float))
                assert value == pytest.approx(plain(signals.at[row, signal]), rel=1e-5)


def test_the_closest_post_is_quoted_in_both_languages(
    past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    reasons = _explain(past, history, pipeline, _parts(past[1], {"content.best": 1.0}))
    posts = history.tables.posts.drop_duplicates("post_id").set_index("post_id")["text"]
    quoted = [(en, zh, told) for en, zh, told in reasons.itertuples(index=False) if told]
    assert quoted
    for (en,), (zh,), told in quoted:
        quote = re.search("“(.+?)…?”", en)
        assert quote is not None
        assert posts[told["content.post_1"]].startswith(quote[1])
        assert f"「{quote[1]}" in zh


def test_chinese_reasons_name_the_vertical_in_chinese(
    past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    pairs, signals = past
    always = (pairs, signals.assign(**{"category.vertical_posts": 0.5}))
    parts = _parts(signals, {"category.vertical_posts": 1.0})
    reasons = _explain(always, history, pipeline, parts)
    named = history.tables.briefs.set_index("brief_id")["vertical"].reindex(pairs["brief_id"])
    told = reasons.loc[named.notna().to_numpy(), "reasons_zh"].map("".join)
    assert len(told)
    assert told.str.fullmatch(r"近期作品中[\u4e00-\u9fff]+类内容占 50%").all()


def test_no_match_no_reason(past: Past, history: History, pipeline: FeaturePipeline) -> None:
    nobody = (past[0].head(0), past[1].head(0))
    reasons = _explain(nobody, history, pipeline, nobody[1])
    assert reasons.shape == (0, 3)


def test_a_pair_is_explained_the_same_alone(
    matcher: Matcher, past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    pairs, signals = past
    whole = _explain(past, history, pipeline, matcher.contributions(signals))
    for row in np.random.default_rng(0).choice(pairs.index, 5, replace=False):
        one = (pairs.loc[[row]], signals.loc[[row]])
        alone = _explain(one, history, pipeline, matcher.contributions(one[1]))
        pd.testing.assert_frame_equal(alone, whole.loc[[row]])
