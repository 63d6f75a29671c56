"""What was understood, in both languages."""

from datetime import date
from typing import get_args

import pytest

from features.brieftext.findings import NEEDED, USEFUL, Why
from features.brieftext.reader import understand
from features.contract import BRIEFS
from matcher.briefing import FIELDS, MISSING, WHY, in_words, rows
from matcher.wording import Language


def test_every_field_guess_and_want_has_words() -> None:
    assert set(FIELDS) <= set(BRIEFS.names)
    assert set(WHY) == set(get_args(Why)) - {""}
    assert set(MISSING) == set(NEEDED)
    assert {*NEEDED, *USEFUL} <= set(FIELDS)
    for text in (*FIELDS.values(), *WHY.values(), *MISSING.values()):
        assert text.zh
        assert not text.zh.isascii()
        assert text.en.isascii()


@pytest.mark.parametrize(
    ("name", "value", "zh", "en"),
    [
        ("platforms", ("douyin", "xiaohongshu"), "抖音、小红书", "douyin, xiaohongshu"),
        ("goal", "co_creation", "共创", "co creation"),
        ("audience_gender", {"female": 0.8, "male": 0.2}, "女 80%、男 20%", "female 80%, male 20%"),
        ("audience_age", {"18-24": 0.6}, "18-24 60%、其余 40%", "18-24 60%, others 40%"),
        ("budget", 1_200_000.0, "1,200,000", "1,200,000"),
        ("product_price", 59.9, "59.9", "59.9"),
        ("gross_margin", 0.65, "65%", "65%"),
        ("starts_at", date(2026, 6, 1), "2026-06-01", "2026-06-01"),
    ],
)
def test_values_in_words(name: str, value: object, zh: str, en: str) -> None:
    assert (in_words(name, value, "zh"), in_words(name, value, "en")) == (zh, en)


@pytest.mark.parametrize(
    ("language", "row"),
    [
        ("zh", ("总预算", "300,000 CNY", "预算20-30万", "推断：给的是区间，取上限")),
        (
            "en",
            ("budget", "300,000 CNY", "预算20-30万", "a guess: a range was told; its upper end"),
        ),
    ],
)
def test_rows_give_value_words_and_how(language: Language, row: tuple[str, ...]) -> None:
    assert row in list(rows(understand("预算20-30万", date(2026, 5, 6)), language))
