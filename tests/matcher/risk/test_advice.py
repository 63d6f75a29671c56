import re
from dataclasses import fields

import pytest

from matcher.risk.advice import ADVICE, KINDS, Advice

PARTS = tuple(field.name for field in fields(Advice))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_there_is_advice_on_every_kind_of_risk() -> None:
    assert set(KINDS) == {
        "reputation",
        "claims",
        "disclosure",
        "quality",
        "delivery",
        "rights",
        "exclusivity",
        "privacy",
        "fraud",
        "inconsistency",
        "security",
        "platform_rules",
        "over_advertising",
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_told_in_both_languages(kind: str, part: str) -> None:
    text = getattr(ADVICE[kind], part)
    assert len(CHINESE.findall(text.zh)) > len(text.zh) / 2
    assert text.en
    assert not CHINESE.search(text.en)
    for words in (text.zh, text.en):
        assert words == words.strip()
        assert "\n" not in words


@pytest.mark.parametrize("kind", KINDS)
def test_chinese_is_punctuated_as_chinese_and_sentences_end(kind: str) -> None:
    advice = ADVICE[kind]
    for text in (advice.response, advice.clause):
        assert text.zh.endswith("。")
        assert text.en.endswith(".")
    for text in (advice.label, advice.response, advice.clause):
        assert not re.search(r"[\u4e00-\u9fff][,;:.!?()]|[,;:!?()][\u4e00-\u9fff]", text.zh)


def test_no_two_kinds_share_words() -> None:
    for part in PARTS:
        for language in ("zh", "en"):
            told = [getattr(getattr(advice, part), language) for advice in ADVICE.values()]
            assert len(set(told)) == len(told)
