"""The first load of a model: what a well-digested but harmful one can do, and what stops it."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.config import EncoderConfig
from matcher import archive, vetting
from matcher.flavor import _load_pyfunc
from matcher.forest import Forest
from matcher.model import Matcher
from matcher.registry import CHAMPION, Registry
from matcher.vetting import TRUST, Vetting, faults, try_out

Past = tuple[pd.DataFrame, pd.DataFrame]


def _forest(matcher: Matcher, change: Callable[[str], str]) -> Forest:
    """Return the ranker's forest with its text changed, and sizes as they then are."""
    assert matcher.ranker is not None
    text = change(matcher.ranker.forest.text)
    head, _, rest = text.partition("\n\n")
    body = rest.partition("end of trees")[0]
    trees = [f"Tree={part}" for part in body.split("Tree=")[1:]]
    sizes = " ".join(str(len(tree.encode())) for tree in trees)
    return Forest(re.sub("tree_sizes=.*", f"tree_sizes={sizes}", head) + "\n\n" + rest)


def _with(matcher: Matcher, forest: Forest) -> Matcher:
    assert matcher.ranker is not None
    return replace(matcher, ranker=replace(matcher.ranker, forest=forest))


def _first(name: str, value: str) -> Callable[[str], str]:
    """Return a change of the first number in the first tree's row of a name."""
    return lambda text: re.sub(rf"(?m)^{name}=\S+", f"{name}={value}", text, count=1)


HARMFUL = {
    "its own parent": (_first("left_child", "0"), "children that are no tree"),
    "a child outside": (_first("left_child", "1000000"), "children that are no tree"),
    "a leaf outside": (_first("right_child", "-1000000"), "children that are no tree"),
    "a feature outside": (_first("split_feature", "999999"), "a feature that has no name"),
    "a feature below": (_first("split_feature", "-5"), "a feature that has no name"),
    "a category": (_first("num_cat", "3"), "categories"),
    "a category in a split": (_first("decision_type", "1"), "never does"),
    "more leaves than told": (_first("num_leaves", "70"), "values of 70 leaves"),
    "a leaf without a number": (_first("leaf_value", "nan"), "no numbers"),
    "a word for a threshold": (_first("threshold", "x"), "cannot be read"),
    "words for numbers": (_first("split_feature", "x"), "cannot be read"),
    "linear leaves": (_first("is_linear", "1"), "linear"),
    "two classes": (_first("num_class", "2"), "more than one number"),
    "more features than named": (_first("max_feature_idx", "9999"), "largest feature is 9999"),
    "no trees' end": (lambda text: text.replace("end of trees", "end"), "no 'end of trees'"),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_a_harmful_forest_is_named_before_lightgbm_reads_it(
    matcher: Matcher, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    change, words = HARMFUL[what]

    def refuse(*given: Any, **named: Any) -> None:
        raise AssertionError("LightGBM read it")

    monkeypatch.setattr(vetting, "try_out", refuse)
    with pytest.raises(ValueError, match=rf"ranker\.txt is no forest: .*{words}"):
        Vetting().vet(_with(matcher, _forest(matcher, change)))


@pytest.mark.parametrize("sizes", ["1", "99999999", "-4", "0 0"])
def test_sizes_that_lead_elsewhere_are_noticed(matcher: Matcher, sizes: str) -> None:
    assert matcher.ranker is not None
    text = re.sub("tree_sizes=.*", f"tree_sizes={sizes}", matcher.ranker.forest.text)
    assert [*faults(Forest(text))]


def test_sound_forests_have_no_faults(matcher: Matcher) -> None:
    for forest in matcher.forests.values():
        assert [*faults(forest)] == []
        assert forest.names == forest.booster.feature_name()
    try_out(matcher.forests)
    try_out({})


def test_what_hangs_or_crashes_lightgbm_does_so_elsewhere(matcher: Matcher) -> None:
    endless = {"ranker.txt": _forest(matcher, HARMFUL["its own parent"][0])}
    with pytest.raises(ValueError, match="had not read and tried within 1 s"):
        try_out(endless, timeout=1.0)
    broken = {"ranker.txt": _forest(matcher, _first("num_leaves", "x"))}
    with pytest.raises(ValueError, match=r"LightGBM cannot use|crashes LightGBM"):
        try_out(broken)
    wild = {"ranker.txt": _forest(matcher, _first("left_child", "1000000000"))}
    with pytest.raises(ValueError, match=r"crashes LightGBM \(signal 11\)|cannot use"):
        try_out(wild)


def test_a_model_is_tried_once_a_workspace(
    matcher: Matcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher.save(tmp_path / "model")
    tried = []
    real = subprocess.run

    def run(*given: Any, **named: Any) -> Any:
        tried.append(given)
        return real(*given, **named)

    monkeypatch.setattr(subprocess, "run", run)
    careful = Vetting(tmp_path / "vetted")
    assert careful.load(tmp_path / "model") == matcher
    assert careful.load(tmp_path / "model") == matcher
    assert Vetting(tmp_path / "vetted").load(tmp_path / "model") == matcher
    assert len(tried) == 1
    careful.vet(replace(matcher, config=matcher.config.model_copy(update={"seed": 8})))
    assert len(tried) == 2


def test_generic_tools_are_as_careful(matcher: Matcher, tmp_path: Path) -> None:
    _with(matcher, _forest(matcher, HARMFUL["a child outside"][0])).save(tmp_path)
    with pytest.raises(ValueError, match="children that are no tree"):
        _load_pyfunc(str(tmp_path))


def test_a_harmful_champion_never_serves(tmp_path: Path, matcher: Matcher, past: Past) -> None:
    registry = Registry(tmp_path)
    for version, model in (
        ("1", matcher),
        ("2", _with(matcher, _forest(matcher, _first("split_feature", "133")))),
    ):
        with registry.run("train", {}) as run:
            assert run.register(model, past[1].head(5)) == version
    registry.move(CHAMPION, "1", None)
    for text in tmp_path.glob("mlartifacts/models/*/artifacts/data/matcher/ranker.txt"):
        if (sick := _with(matcher, _forest(matcher, HARMFUL["its own parent"][0]))).ranker is None:
            raise AssertionError
        if "=133" in text.read_text():
            sick.save(text.parent)
    registry.move(CHAMPION, "2", "1")
    loaded = Registry(tmp_path).champion()
    assert loaded is not None
    assert (loaded.matcher, loaded.version) == (matcher, "1")
    assert "children that are no tree" in loaded.stale


def _rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a saved model's manifest, and its digest as well."""
    file = folder / "model.json"
    model = json.loads(file.read_text(encoding="utf-8"))["model"]
    change(model)
    told = {"model": model, "sha256": archive._digest(model)}
    file.write_text(json.dumps(told), encoding="utf-8")


SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("name", ["../secret.txt", "/dev/zero", "a/b.txt", "a.pkl", "A.TXT", ""])
def test_a_manifest_cannot_name_files_elsewhere(
    matcher: Matcher, tmp_path: Path, name: str
) -> None:
    matcher.save(tmp_path)
    _rewritten(tmp_path, lambda model: model["files"].update({name: SHA}))
    with pytest.raises(ValueError, match="not one of its own"):
        Matcher.load(tmp_path)


def test_a_link_is_not_followed(matcher: Matcher, tmp_path: Path) -> None:
    matcher.save(tmp_path)
    (tmp_path / "ranker.txt").rename(tmp_path / "elsewhere")
    (tmp_path / "ranker.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"ranker\.txt', which is not one of its own"):
        Matcher.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in ("fitted", "config", "files") for value in (None, 3, [], "x")),
        *(("encoder_id", value) for value in (None, 3, [])),
    ],
)
def test_a_manifest_of_another_shape_is_refused(
    matcher: Matcher, tmp_path: Path, key: str, value: object
) -> None:
    matcher.save(tmp_path)
    _rewritten(tmp_path, lambda model: model.update({key: value}))
    with pytest.raises(ValueError, match=r"Got a model|validation error"):
        Matcher.load(tmp_path)


@pytest.mark.parametrize("key", ["fitted", "config", "encoder_id", "files"])
def test_a_manifest_that_lacks_something_is_refused(
    matcher: Matcher, tmp_path: Path, key: str
) -> None:
    matcher.save(tmp_path)
    _rewritten(tmp_path, lambda model: model.pop(key))
    with pytest.raises(ValueError, match="does not tell what it should"):
        Matcher.load(tmp_path)


def test_a_model_cannot_decide_that_foreign_code_runs(
    matcher: Matcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = EncoderConfig(model="somebody/encoder", trust_remote_code=True)
    config = matcher.config.model_copy(update={"encoder": encoder})
    foreign = replace(matcher, config=config)
    foreign.save(tmp_path)
    with pytest.raises(
        ValueError, match=f"'somebody/encoder' runs code of its own.* set {TRUST}=1"
    ):
        Vetting().load(tmp_path)
    monkeypatch.setenv(TRUST, "1")
    assert Vetting().load(tmp_path) == foreign
