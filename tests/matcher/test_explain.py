"""Which reasons are told, in which order, and what they rest on."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.comparisons import among_candidates
from matcher.config import Config
from matcher.explain import REASONS_WANTED, by_family, explain, facts_of
from matcher.figures import PLAIN, Facts
from matcher.likeness import likeness_contributions
from matcher.model import Matcher
from matcher.phrases import PHRASES

Past = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def history(world: World) -> History:
    return History(world.tables)


@pytest.fixture(scope="module")
def pipeline(word_embeddings: Embeddings) -> FeaturePipeline:
    return FeaturePipeline(Config().features, word_embeddings)


@pytest.fixture(scope="module")
def known(past: Past, history: History, pipeline: FeaturePipeline) -> list[Facts]:
    pairs, signals = past
    told = pd.concat([signals, among_candidates(pairs, signals)], axis=1)
    return facts_of(pairs, told, pd.Series("CNY", index=pairs.index), history, pipeline)


def _parts(past: Past, told: Mapping[str, float]) -> pd.DataFrame:
    """Return what each family adds to each score: as told, all others nothing."""
    nothing = pd.DataFrame(0.0, index=past[1].index, columns=past[1].columns)
    return by_family(nothing).assign(**told)


def _families(evidence: Mapping[str, object]) -> list[str]:
    """Return the families of the figures behind reasons, the posts of every match aside."""
    names = (name.split(".")[0] for name in evidence if not name.startswith("content.post_"))
    return list(dict.fromkeys(names))


def test_a_family_counts_by_the_sum_of_its_signals() -> None:
    parts = pd.DataFrame({"reach.a": [0.5], "price.a": [0.1], "reach.b": [-0.7]})
    assert by_family(parts).to_dict("records") == [
        {"price": pytest.approx(0.1), "reach": pytest.approx(-0.2)}
    ]


def test_families_speak_in_the_order_of_what_they_add(past: Past, known: list[Facts]) -> None:
    told = {"style": 0.1, "reach": 0.2, "engagement": 0.3}
    reasons = explain(known, _parts(past, told))
    spoken = 0
    for facts, evidence in zip(known, reasons["evidence"], strict=True):
        able = [family for family in ("engagement", "reach", "style") if PHRASES[family](facts)]
        if len(able) == len(told):
            spoken += 1
            assert _families(evidence) == able
    assert spoken


def test_three_families_speak_wherever_three_can(past: Past, known: list[Facts]) -> None:
    reasons = explain(known, _parts(past, {"reach": -1.0}))
    for facts, en, zh in zip(known, reasons["reasons_en"], reasons["reasons_zh"], strict=True):
        able = sum(PHRASES[family](facts) is not None for family in PHRASES)
        assert len(en) == len(zh) == min(able, REASONS_WANTED)
    assert reasons["reasons_en"].map(len).eq(3).mean() > 0.5


def test_a_family_that_lowered_the_score_speaks_last(past: Past, known: list[Facts]) -> None:
    reasons = explain(known, _parts(past, {"reach": -1.0}))
    for facts, evidence in zip(known, reasons["evidence"], strict=True):
        able = sum(PHRASES[family](facts) is not None for family in PHRASES)
        if able > REASONS_WANTED:
            assert "reach" not in _families(evidence)


def test_without_a_model_likeness_speaks_first(past: Past, known: list[Facts]) -> None:
    reasons = explain(known, by_family(likeness_contributions(past[1])))
    alike = ("content", "vectors", "audience", "category")
    for facts, parts, evidence in zip(
        known, reasons["contributions"], reasons["evidence"], strict=True
    ):
        able = [name for name in alike if parts[name] > 0 and PHRASES[name](facts)]
        assert set(_families(evidence)[: len(able)]) <= {*alike, "reach"}
    assert reasons["reasons_en"].map(len).gt(0).any()


PLAIN_NAMES = {told: (signal, plain) for signal, (told, plain) in PLAIN.items()}


def test_evidence_and_figures_are_what_the_signals_say(
    matcher: Matcher, past: Past, known: list[Facts], history: History
) -> None:
    pairs, signals = past
    parts = matcher.contributions(signals)
    assert parts is not None
    reasons = explain(known, by_family(parts))
    assert reasons.index.equals(pairs.index)
    posts = history.tables.posts.set_index("post_id")["kol_id"]
    for place, (row, told) in enumerate((reasons["evidence"]).items()):
        for name, value in (told | reasons.at[row, "figures"]).items():
            if re.fullmatch(r"content\.post_\d", name):
                assert (posts[[value]] == pairs.at[row, "kol_id"]).all()
            elif name.endswith("_cosine"):
                if name.startswith("content."):
                    assert value <= signals.at[row, "content.best"] + 1e-5
            elif name == "engagement.seen":
                assert value == pytest.approx(known[place].engagement_seen, rel=1e-5)
            elif not re.fullmatch(r"content\.post_\d_(text|day)", name):
                signal, plain = PLAIN_NAMES.get(name, (name, float))
                assert value == pytest.approx(plain(known[place].get(signal)), rel=1e-5)
        assert sum(reasons.at[row, "contributions"].values()) == pytest.approx(
            parts.loc[row].sum(), abs=1e-3
        )


def test_the_closest_posts_are_told_of_every_match(
    past: Past, known: list[Facts], history: History
) -> None:
    reasons = explain(known, _parts(past, {"content": 1.0}))
    posts = history.tables.posts.drop_duplicates("post_id").set_index("post_id")
    quoted = 0
    for en, zh, told in zip(
        reasons["reasons_en"], reasons["reasons_zh"], reasons["evidence"], strict=True
    ):
        if "content.post_1" not in told:
            continue
        closest = told["content.post_1"]
        assert str(posts.at[closest, "published_at"]).startswith(told["content.post_1_day"])
        text = told["content.post_1_text"].removesuffix("…")
        assert posts.at[closest, "text"].startswith(text)
        if "content.best" in told:
            quoted += 1
            assert text in en[0]
            assert f"「{text}" in zh[0]
    assert quoted


def test_chinese_reasons_name_the_vertical_in_chinese(
    past: Past, history: History, pipeline: FeaturePipeline
) -> None:
    pairs, signals = past
    always = signals.assign(**{"category.vertical_posts": 0.5})
    facts = facts_of(pairs, always, pd.Series("CNY", index=pairs.index), history, pipeline)
    named = history.tables.briefs.set_index("brief_id")["vertical"].reindex(pairs["brief_id"])
    reasons = explain(facts, _parts(past, {"category": 1.0}))
    told = reasons.loc[named.notna().to_numpy(), "reasons_zh"].map(lambda zh: zh[0])
    assert len(told)
    assert told.str.fullmatch(r"近(?:期| \d+ 条)作品中[\u4e00-\u9fff]+类内容占 50%").all()


def test_no_match_no_reason(past: Past, history: History, pipeline: FeaturePipeline) -> None:
    nobody = past[0].head(0)
    facts = facts_of(nobody, past[1].head(0), pd.Series([], dtype=object), history, pipeline)
    reasons = explain(facts, by_family(past[1].head(0)))
    assert reasons.shape == (0, 5)


def test_a_pair_is_explained_the_same_alone(
    matcher: Matcher,
    past: Past,
    known: list[Facts],
    history: History,
    pipeline: FeaturePipeline,
) -> None:
    pairs, signals = past
    parts = matcher.contributions(signals)
    assert parts is not None
    whole = explain(known, by_family(parts))
    told = pd.concat([signals, among_candidates(pairs, signals)], axis=1)
    for row in np.random.default_rng(0).choice(pairs.index, 5, replace=False):
        money = pd.Series("CNY", index=[row])
        facts = facts_of(pairs.loc[[row]], told.loc[[row]], money, history, pipeline)
        alone = explain(facts, by_family(parts.loc[[row]]))
        pd.testing.assert_frame_equal(alone, whole.loc[[row]])
