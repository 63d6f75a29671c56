import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from matcher.archive import FORMAT, Fitted
from matcher.config import Config
from matcher.forest import Forest
from matcher.model import Matcher


@pytest.fixture
def saved(matcher: Matcher, tmp_path: Path) -> Path:
    matcher.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_model_read_back_scores_the_same_bits_under_the_same_hash(
    matcher: Matcher, saved: Path, past: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    again = Matcher.load(saved)
    assert again == matcher
    assert again.hash == matcher.hash
    pd.testing.assert_frame_equal(again.score(past[1]), matcher.score(past[1]), check_exact=True)
    parts, before = again.contributions(past[1]), matcher.contributions(past[1])
    np.testing.assert_array_equal(parts, before)


def test_saving_twice_writes_the_same_bytes(matcher: Matcher, saved: Path, tmp_path: Path) -> None:
    Matcher.load(saved).save(tmp_path / "again")
    for file in saved.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_the_folder_holds_text_alone(saved: Path) -> None:
    names = {file.name for file in saved.iterdir()}
    heads = ("views", "engagement_rate", "spread_rate", "ctr", "cvr", "refund_rate")
    others = ("ranker", "accept", "views_p10", "views_p50", "views_p90")
    assert names == {"model.json", *(f"{name}.txt" for name in (*heads, *others))}
    for file in saved.iterdir():
        file.read_text(encoding="utf-8")


def test_an_untrained_matcher_goes_through_the_same_door(tmp_path: Path) -> None:
    Matcher(Config(seed=3), "words").save(tmp_path)
    assert Matcher.load(tmp_path) == Matcher(Config(seed=3), "words")


def test_the_hash_tells_models_apart(matcher: Matcher) -> None:
    assert Matcher(Config(), "a").hash != Matcher(Config(), "b").hash
    assert Matcher(Config(), "a").hash != Matcher(Config(seed=1), "a").hash
    assert Matcher(matcher.config, "words", matcher.forecaster).hash != matcher.hash


@pytest.fixture
def no_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a forest is built at all."""

    def refuse(self: Forest) -> None:
        raise AssertionError("LightGBM saw a damaged model")

    monkeypatch.setattr(Forest, "booster", property(refuse))


@pytest.mark.usefixtures("no_lightgbm")
def test_one_bit_anywhere_is_noticed_before_lightgbm_sees_it(saved: Path) -> None:
    rng = np.random.default_rng(0)
    for file in sorted(saved.iterdir()):
        whole = file.read_bytes()
        for place in [0, len(whole) - 1, *rng.integers(0, len(whole), 25)]:
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(rng.integers(0, 8))
            file.write_bytes(damaged)
            with pytest.raises(ValueError, match=file.name):
                Matcher.load(saved)
        file.write_bytes(whole)


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_file_cut_short_is_noticed(saved: Path, share: float) -> None:
    for file in sorted(saved.iterdir()):
        whole = file.read_bytes()
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ValueError, match=file.name):
            Matcher.load(saved)
        file.write_bytes(whole)


@pytest.mark.usefixtures("no_lightgbm")
def test_a_missing_file_is_named(saved: Path) -> None:
    for file in sorted(saved.iterdir()):
        whole = file.read_bytes()
        file.unlink()
        with pytest.raises(ValueError, match=file.name):
            Matcher.load(saved)
        file.write_bytes(whole)


def test_files_of_two_models_do_not_mix(matcher: Matcher, saved: Path) -> None:
    views = (saved / "views.txt").read_bytes()
    (saved / "ranker.txt").write_bytes(views)
    with pytest.raises(ValueError, match=r"ranker\.txt is damaged"):
        Matcher.load(saved)


def test_a_number_changed_by_hand_is_noticed(saved: Path) -> None:
    told = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    told["model"]["fitted"]["ranker"]["calibration"]["slope"] += 1
    (saved / "model.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ValueError, match=r"model\.json is damaged"):
        Matcher.load(saved)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"model": 1}', "\ufeff{}"])
def test_another_json_file_is_refused(saved: Path, text: str) -> None:
    (saved / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"model\.json"):
        Matcher.load(saved)


def test_a_later_format_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcher.archive.FORMAT", FORMAT + 1)
    with pytest.raises(ValueError, match=f"model format {FORMAT} but expected {FORMAT + 1}"):
        Fitted.load(saved)


def test_what_it_was_learned_from_is_kept(matcher: Matcher, tmp_path: Path) -> None:
    assert matcher.ranker is not None
    judged = replace(matcher, ranker=replace(matcher.ranker, basis="judgments"))
    judged.save(tmp_path)
    assert Matcher.load(tmp_path).basis == "judgments"
    assert judged.hash != matcher.hash
