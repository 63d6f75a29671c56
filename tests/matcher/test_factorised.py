import logging
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.compiled import compiled
from features.signals import Side
from matcher import factorised
from matcher.factorised import Scorer, threads_of
from matcher.forest import SCORER_COST, Forest
from matcher.model import Matcher
from matcher.probes import probe_rows
from matcher.trees import UnreadableError, read_trees

NAMES = ["a", "b", "c", "d", "e", "f", "kind", "kind2"]
SIDES = {
    **dict.fromkeys(("a", "b", "kind"), Side.BRIEF),
    **dict.fromkeys(("c", "d", "kind2"), Side.KOL),
}
CATEGORICAL = [6, 7]
OBJECTIVES = ("regression", "quantile", "poisson", "binary", "lambdarank", "regression_l1")
MISSING = {
    "as LightGBM does": {},
    "0 is missing": {"zero_as_missing": True},
    "nothing is missing": {"use_missing": False},
}
Rows = npt.NDArray[np.float64]


def rows_of(seed: int, size: int) -> Rows:
    """Return features with ties, unknowns, zeros, float32 numbers, infinities and categories."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(size, len(NAMES)))
    rows[:, 1] = np.round(rows[:, 1])
    rows[:, 2] = rows[:, 2].astype(np.float32)
    rows[:, 3] = np.abs(rows[:, 3])
    rows[:, 6:] = rng.integers(0, 40, size=(size, 2))
    draw = rng.random(rows.shape)
    rows[draw < 0.1] = np.nan
    rows[(draw > 0.1) & (draw < 0.2)] = 0.0
    rows[(draw > 0.2) & (draw < 0.22)] = 1e-36
    known = rows[:, :6]
    known[(draw[:, :6] > 0.98) & (draw[:, :6] < 0.99)] = np.inf
    known[draw[:, :6] > 0.99] = -np.inf
    return rows


@cache
def booster_of(
    objective: str = "regression",
    missing: str = "as LightGBM does",
    leaves: int = 16,
    trees: int = 12,
    seed: int = 0,
) -> lgb.Booster:
    rng = np.random.default_rng(seed)
    rows = rows_of(seed + 1, 1500)
    plain = np.nan_to_num(rows, posinf=3.0, neginf=-3.0)
    label = plain[:, :6] @ rng.normal(size=6) + np.sin(plain[:, 6]) * 3 + rng.normal(size=1500)
    label += 2.0 * np.isnan(rows[:, 0])
    data: dict[str, object] = {"label": label}
    if objective == "poisson":
        data["label"] = np.exp(label / 4)
    elif objective == "binary":
        data["label"] = label > 0
    elif objective == "lambdarank":
        data |= {"label": pd.qcut(label, 4, labels=False), "group": [50] * 30}
    params = {
        "objective": objective,
        "num_leaves": leaves,
        "min_data_in_leaf": 3,
        "min_data_per_group": 5,
        "verbosity": -1,
        "seed": seed,
        "num_threads": 1,
        **MISSING[missing],
    }
    train = lgb.Dataset(rows, feature_name=NAMES, categorical_feature=CATEGORICAL, **data)
    return lgb.Booster(model_str=lgb.train(params, train, trees).model_to_string())


def asked(scorer: Scorer, side: Side, rows: Rows) -> Rows:
    return rows[:, [NAMES.index(name) for name in scorer.columns[side]]].T


def scored_apart(scorer: Scorer, rows: Rows, picked: npt.NDArray[np.int64] | None = None) -> Rows:
    """Score rows, all of the brief that the first row tells of."""
    kols = scorer.kols(asked(scorer, Side.KOL, rows))
    brief = scorer.brief(asked(scorer, Side.BRIEF, rows[:1])[:, 0])
    told = asked(scorer, Side.PAIR, rows)
    return scorer.pairs(brief, kols, told if picked is None else told[:, picked], picked)


def of_one_brief(rows: Rows) -> Rows:
    rows = rows.copy()
    columns = [NAMES.index(name) for name, side in SIDES.items() if side == Side.BRIEF]
    rows[:, columns] = rows[0, columns]
    return rows


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_scores_are_those_of_lightgbm_to_the_bit(objective: str, missing: str) -> None:
    booster = booster_of(objective, missing)
    scorer = Scorer.of([booster])
    assert scorer.trees[0] is not None
    rows = np.concatenate([rows_of(9, 700), probe_rows(scorer.trees[0], len(NAMES), seed=3)])
    expected = booster.predict(rows, raw_score=True)
    assert len(np.unique(expected)) > 50
    np.testing.assert_array_equal(
        scorer.rows(asked(scorer, Side.PAIR, rows))[0].view(np.int64), expected.view(np.int64)
    )


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("leaves", [2, 8, 64])
def test_sides_change_no_bit(missing: str, leaves: int) -> None:
    booster = booster_of(missing=missing, leaves=leaves)
    scorer = Scorer.of([booster], SIDES)
    assert scorer.trees[0] is not None
    assert leaves == 2 or scorer.trees[0].most_leaves == leaves
    rows = of_one_brief(np.concatenate([rows_of(5, 600), probe_rows(scorer.trees[0], 8)]))
    np.testing.assert_array_equal(
        scored_apart(scorer, rows)[0], booster.predict(rows, raw_score=True)
    )


@given(
    seed=st.integers(0, 3),
    sides=st.lists(st.sampled_from(Side), min_size=8, max_size=8),
    size=st.integers(1, 1200),
    leaves=st.sampled_from([3, 8, 31, 64]),
)
@settings(max_examples=25, deadline=None)
def test_any_split_of_sides_in_any_order_of_kols_changes_no_bit(
    seed: int, sides: list[Side], size: int, leaves: int
) -> None:
    booster = booster_of(leaves=leaves, seed=seed)
    told = dict(zip(NAMES, sides, strict=True))
    scorer = Scorer.of([booster], told)
    assert scorer.trees[0] is not None
    rows = rows_of(seed + 20, size)
    briefs = [NAMES.index(name) for name, side in told.items() if side == Side.BRIEF]
    rows[:, briefs] = rows[0, briefs]
    picked = np.random.default_rng(seed).integers(0, size, size + 3)
    np.testing.assert_array_equal(
        scored_apart(scorer, rows, picked)[0], booster.predict(rows[picked], raw_score=True)
    )


@given(
    st.lists(
        st.lists(
            st.one_of(st.floats(), st.floats(width=32), st.integers(-3, 45).map(float)),
            min_size=8,
            max_size=8,
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=50, deadline=None)
def test_any_number_that_a_float_holds_is_read_as_lightgbm_reads_it(
    numbers: list[list[float]],
) -> None:
    booster = booster_of(leaves=31)
    scorer = _scorer_of(booster)
    rows = np.array(numbers)
    np.testing.assert_array_equal(
        scorer.rows(asked(scorer, Side.PAIR, rows))[0], booster.predict(rows, raw_score=True)
    )


@cache
def _scorer_of(booster: lgb.Booster) -> Scorer:
    return Scorer.of([booster])


def test_several_forests_score_the_same_pairs_each_by_its_own_features() -> None:
    first, second = booster_of(leaves=64), booster_of("poisson", leaves=8, seed=2)
    alone = lgb.train(
        {"verbosity": -1, "num_threads": 1, "num_leaves": 5},
        lgb.Dataset(rows_of(3, 400)[:, [5, 2]], np.arange(400.0), feature_name=["f", "c"]),
        7,
    )
    scorer = Scorer.of([first, alone, second], SIDES)
    assert None not in scorer.trees
    rows = of_one_brief(rows_of(4, 900))
    found = scored_apart(scorer, rows)
    for at, (booster, read) in enumerate([(first, rows), (alone, rows[:, [5, 2]]), (second, rows)]):
        np.testing.assert_array_equal(found[at], booster.predict(read, raw_score=True))


def test_only_what_a_tree_reads_is_asked_for() -> None:
    rows = rows_of(0, 300)
    rows[:, 3:] = 0.0
    params = {"verbosity": -1, "num_threads": 1}
    booster = lgb.train(params, lgb.Dataset(rows, rows_of(0, 300)[:, 2], feature_name=NAMES), 3)
    assert set(Scorer.of([booster], SIDES).columns[Side.KOL]) <= {"c"}


def test_trees_of_one_leaf_are_constants() -> None:
    rows = rows_of(0, 200)
    params = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 200}
    booster = lgb.train(params, lgb.Dataset(rows, np.full(200, 3.7), feature_name=NAMES), 4)
    scorer = Scorer.of([booster], SIDES)
    assert scorer.trees[0] is not None
    assert scorer.trees[0].most_leaves == 1
    found = scored_apart(scorer, rows)
    np.testing.assert_array_equal(found[0], booster.predict(rows, raw_score=True))


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factorised, "_LEAST_ROWS", 600)
    scorer = _scorer_of(booster_of(leaves=31))
    rows = asked(scorer, Side.PAIR, rows_of(6, 2500))
    one = scorer.rows(rows, threads=1)
    for threads in (2, 3):
        np.testing.assert_array_equal(scorer.rows(rows, threads=threads), one)


@pytest.mark.parametrize(("told", "threads"), [("1", 1), ("2", 2), ("3,1", 3)])
def test_as_many_threads_work_as_for_lightgbm(
    told: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert threads_of() == threads


@pytest.mark.parametrize("told", ["", "many", "0"])
def test_without_a_number_every_core_works(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert threads_of() >= 1


# -- where masks cannot stand for a forest ---------------------------------------------------


def _wide() -> lgb.Booster:
    return booster_of(leaves=90, trees=2)


def _linear() -> lgb.Booster:
    rows = rows_of(0, 400)[:, :6]
    data = lgb.Dataset(np.nan_to_num(rows, posinf=1, neginf=-1), rows[:, 3] * 2 + 1)
    data.label = np.nan_to_num(rows[:, 3] * 2 + 1, posinf=1, neginf=-1)
    return lgb.train({"verbosity": -1, "linear_tree": True, "num_threads": 1}, data, 3)


def _averaged() -> lgb.Booster:
    params = {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1, "verbosity": -1}
    return lgb.train(params, lgb.Dataset(rows_of(0, 400), np.arange(400.0)), 3)


def _several() -> lgb.Booster:
    params = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    return lgb.train(params, lgb.Dataset(rows_of(0, 400), np.arange(400) % 3), 3)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_wide, r"a tree has \d+ leaves, more than 64"),
        (_linear, "its leaves are linear"),
        (_averaged, "it averages its trees"),
        (_several, "it gives several numbers a row"),
    ],
)
def test_what_masks_cannot_say_is_refused_with_the_reason(make: object, reason: str) -> None:
    assert callable(make)
    with pytest.raises(UnreadableError, match=reason):
        read_trees(make().model_to_string())


def test_such_a_forest_is_scored_by_predict_behind_the_same_functions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wide, other = _wide(), booster_of(leaves=8)
    with caplog.at_level(logging.WARNING):
        scorer = Scorer.of([other, wide], SIDES)
    assert len(caplog.records) == 1
    assert "LightGBM's own predict, which is slower: a tree has" in caplog.text
    rows = of_one_brief(rows_of(8, 500))
    picked = np.arange(499, -1, -2)
    found = scored_apart(scorer, rows, picked)
    np.testing.assert_array_equal(found[0], other.predict(rows[picked], raw_score=True))
    np.testing.assert_array_equal(found[1], wide.predict(rows[picked], raw_score=True))


@pytest.mark.parametrize("sides", [{}, SIDES])
@pytest.mark.parametrize("what", ["threshold", "leaf", "kind", "keep"])
def test_a_wrong_reading_is_found_before_it_scores_anything(
    what: str,
    sides: dict[str, Side],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booster = booster_of(leaves=8)
    trees = read_trees(booster.model_to_string())
    numeric = int(np.flatnonzero(trees.kind != 7)[0])
    values = getattr(trees, what).copy()
    place = 0 if what == "leaf" else numeric
    values[place] = {
        "threshold": np.nextafter(trees.threshold[numeric], np.inf),
        "leaf": trees.leaf[0] + 1e-12,
        "kind": (trees.kind[numeric] + 1) % 2,
        "keep": np.uint64(2**64 - 1),
    }[what]
    wrong = replace(trees, **{what: values})
    monkeypatch.setattr(factorised, "read_trees", lambda text: wrong)
    with caplog.at_level(logging.WARNING):
        scorer = Scorer.of([booster], sides)
    assert scorer.trees == (None,)
    assert "probing rows another score" in caplog.text
    rows = of_one_brief(rows_of(8, 300))
    np.testing.assert_array_equal(
        scored_apart(scorer, rows)[0], booster.predict(rows, raw_score=True)
    )


def test_probing_rows_hold_every_threshold_its_neighbours_and_what_is_special() -> None:
    trees = read_trees(booster_of(leaves=16).model_to_string())
    rows = probe_rows(trees, len(NAMES))
    assert len(rows) >= 1000
    for feature in range(6):
        at = trees.threshold[trees.feature == feature]
        for wanted in (at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf)):
            assert set(wanted) <= set(rows[:, feature])
        assert {0.0, np.inf, -np.inf, 1e-36} <= set(rows[:, feature])
        assert np.isnan(rows[:, feature]).any()


@pytest.mark.parametrize(
    ("features", "pairs", "rows", "message"),
    [
        (1, 4, None, r"Got values of shape \(1, 4\) but expected \d rows, one for each feature"),
        (2, 3, None, "Got 3 pairs but expected as many as there are KOLs"),
        (2, 2, np.array([0, 4]), "Got rows beyond the 4 KOLs"),
        (2, 2, np.array([-1, 0]), "Got rows beyond the 4 KOLs"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    features: int, pairs: int, rows: npt.NDArray[np.int64] | None, message: str
) -> None:
    scorer = Scorer.of([booster_of(leaves=64)], SIDES)
    assert len(scorer.columns[Side.PAIR]) == 2
    brief = scorer.brief(np.zeros(len(scorer.columns[Side.BRIEF])))
    kols = scorer.kols(np.zeros((len(scorer.columns[Side.KOL]), 4)))
    with pytest.raises(ValueError, match=message):
        scorer.pairs(brief, kols, np.zeros((features, pairs)), rows)


# -- forests ---------------------------------------------------------------------------------


def test_a_forest_asked_much_is_scored_with_masks_and_no_bit_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forest = Forest(booster_of(leaves=31).model_to_string())
    frame = pd.DataFrame(rows_of(2, 600), columns=NAMES)
    before = forest.predict(frame)
    assert "scorer" not in vars(forest)
    monkeypatch.setattr("matcher.forest.SCORER_COST", 1)
    np.testing.assert_array_equal(forest.predict(frame).view(np.int64), before.view(np.int64))
    assert "scorer" in vars(forest)
    monkeypatch.setattr(lgb.Booster, "predict", None)
    whole = frame.fillna(0.0).replace([np.inf, -np.inf], 1.0).astype("int32")
    for told in (frame, frame.astype("float32"), whole):
        assert np.isfinite(forest.predict(told)).all()


@pytest.mark.parametrize("kind", ["float32", "int64", "bool", "Float64"])
def test_other_types_of_columns_score_as_with_lightgbm(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame(np.abs(np.nan_to_num(rows_of(2, 300), posinf=2.0)), columns=NAMES)
    frame = frame.clip(upper=50.0).astype(dict.fromkeys(NAMES[:5], kind))  # type: ignore[call-overload]
    forest = Forest(booster_of(leaves=31).model_to_string())
    expected = forest.booster.predict(frame, raw_score=True)
    monkeypatch.setattr("matcher.forest.SCORER_COST", 1)
    np.testing.assert_array_equal(forest.predict(frame), expected)


def test_many_small_questions_pay_for_the_scorer_as_one_large_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert SCORER_COST > 1_000_000
    forest = Forest(booster_of(leaves=31).model_to_string())
    frame = pd.DataFrame(rows_of(2, 100), columns=NAMES)
    monkeypatch.setattr("matcher.forest.SCORER_COST", 3 * 100 * forest.booster.num_trees())
    made = []
    for _ in range(3):
        forest.predict(frame)
        made.append("scorer" in vars(forest))
    assert made == [False, False, True]


def test_the_forests_of_a_trained_matcher_score_factorised(
    matcher: Matcher, past: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    from features.pipeline import FeaturePipeline
    from features.vectors import Embeddings
    from tests.conftest import WordEncoder

    _, signals = past
    assert matcher.ranker is not None
    assert matcher.forecaster is not None
    forests = [matcher.ranker.forest, *(h.forest for h in matcher.forecaster.heads.values())]
    pipeline = FeaturePipeline(matcher.config.features, Embeddings(WordEncoder()))
    scorer = Scorer.of([forest.booster for forest in forests], pipeline.sides)
    assert None not in scorer.trees
    # Whatever the sides are, the KOLs of these rows are given in their order.
    kols = scorer.kols(signals[scorer.columns[Side.KOL]].to_numpy().T)
    row = 3
    brief = scorer.brief(signals[scorer.columns[Side.BRIEF]].to_numpy()[row])
    told = signals[scorer.columns[Side.PAIR]].to_numpy().T
    found = scorer.pairs(brief, kols, told)
    asked_of_one = signals.copy()
    asked_of_one[scorer.columns[Side.BRIEF]] = signals[scorer.columns[Side.BRIEF]].to_numpy()[row]
    for at, forest in enumerate(forests):
        expected = forest.predict(asked_of_one[forest.names])
        np.testing.assert_array_equal(found[at], expected)


# -- compiled code on disk -------------------------------------------------------------------


def test_without_a_folder_to_write_code_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import numba

    def njit(**options: object) -> object:
        def make(function: object) -> object:
            if options.get("cache"):
                raise RuntimeError("cannot cache function: no locator available")
            return function

        return make

    monkeypatch.setattr(numba, "njit", njit)
    function = compiled()(lambda: 7)
    assert function() == 7


def test_compiled_code_is_kept_where_the_user_says(tmp_path: Path) -> None:
    code = "from matcher import treekernel; print(treekernel._ask.stats.cache_path)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={"NUMBA_CACHE_DIR": str(tmp_path), "PATH": "/usr/bin", "PYTHONPATH": "."},
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
