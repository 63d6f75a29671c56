import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.wordlists import wordlist

SENTENCES = tomllib.loads((Path(__file__).parent / "sentences.toml").read_text(encoding="utf-8"))
CLAIMS = wordlist("claims")


def _measured(part: str) -> tuple[float, float, int]:
    claims, harmless = SENTENCES[part]["claims"], SENTENCES[part]["harmless"]
    hits, false = CLAIMS.flags(claims).sum(), CLAIMS.flags(harmless).sum()
    return hits / (hits + false), hits / len(claims), len(claims) + len(harmless)


@pytest.mark.parametrize(
    ("part", "precision", "recall"), [("tuned", 0.99, 0.95), ("held_out", 0.95, 0.65)]
)
def test_claims_are_found_and_harmless_words_are_not(
    part: str, precision: float, recall: float
) -> None:
    found, caught, sentences = _measured(part)
    assert sentences >= 80
    assert found >= precision
    assert caught >= recall


def test_the_held_out_sentences_are_no_copies() -> None:
    tuned, held = (
        {text for texts in SENTENCES[part].values() for text in texts}
        for part in ("tuned", "held_out")
    )
    assert not tuned & held


@pytest.mark.parametrize("text", ["最近", "最后一天", "第一次", "第一天上班", "最好提前预约", ""])
def test_usual_words_are_no_superlatives(text: str) -> None:
    assert CLAIMS.found(text) == ()


def test_width_and_case_hide_nothing() -> None:
    assert CLAIMS.found("Ｇｕａｒａｎｔｅｅｄ results") == ("guaranteed",)
    assert CLAIMS.found("１００％有效") == ("100%有效",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("感谢露诺华的合作", True),
        ("my routine #ad", True),
        ("paid partnership with Lunova", True),
        ("本期无广，纯自用", False),
        ("this is not sponsored", False),
        ("感谢快手 #作品推广", False),
        ("new adidas shoes", False),
        ("今天去爬山", False),
    ],
)
def test_marks_of_paid_posts(text: str, told: bool) -> None:
    assert bool(wordlist("disclosed").found(text)) is told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("视频搬运自油管，侵删", True),
        ("图源：微博", True),
        ("repost, credit to the owner", True),
        ("原创内容，禁止搬运", False),
        ("未经授权禁止转载", False),
        ("please do not repost", False),
        ("看官网图以为很硬挺", False),
        ("工人帮忙搬运家具", False),
        ("new credit card, new me", False),
    ],
)
def test_marks_of_others_work(text: str, told: bool) -> None:
    assert bool(wordlist("copied").found(text)) is told


PIECES = st.lists(
    st.sampled_from(
        ["根治", "最近", "不能", "全网最低价", "，", "。", "guaranteed", " not ", "#1 brand"]
    ),
    max_size=6,
).map("".join)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=12))
def test_the_quick_look_agrees_with_the_close_one(texts: list[str]) -> None:
    assert CLAIMS.flags(texts).tolist() == [bool(CLAIMS.found(text)) for text in texts]
