import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest

from features.columns import EPOCH
from features.errors import UserError
from features.history import History
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.registry import CHALLENGER, CHAMPION, MODEL_NAME, Registry
from training.choices import ARTIFACT
from training.evaluate import JUDGMENTS, OUTCOMES, ROSTER
from training.fit import plan_by_time, plans_by_brand
from training.job import Trained, evaluate_again, evaluate_version, train
from training.rounds import calibration_metrics

VERSIONS = {"briefs": "3", "outcomes": "7"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def trained(world: World, config: Config, embeddings: Embeddings, registry: Registry) -> Trained:
    return train(
        world.tables, VERSIONS, config, embeddings, registry, command="kolmatch train data"
    )


@pytest.fixture(scope="module")
def run(trained: Trained, registry: Registry) -> SimpleNamespace:
    """Return the tracked run, the artifacts in it and the model's."""
    version = registry.client.get_model_version(MODEL_NAME, trained.version)
    found = registry.client.get_run(version.run_id)
    artifacts = set(listed(registry, version.run_id))
    info = mlflow.models.get_model_info(f"models:/{MODEL_NAME}/{trained.version}")
    return SimpleNamespace(
        run=found,
        artifacts=artifacts,
        model=info,
        text=lambda name: registry.text(trained.version, name),
    )


def listed(registry: Registry, run_id: str, folder: str | None = None) -> Iterator[str]:
    """Yield the paths of a run's files."""
    for item in registry.client.list_artifacts(run_id, folder):
        yield from listed(registry, run_id, item.path) if item.is_dir else [item.path]


def test_a_run_tells_how_the_model_was_made(
    run: SimpleNamespace, trained: Trained, world: World, config: Config
) -> None:
    assert run.run.info.status == "FINISHED"
    params = run.run.data.params
    assert json.loads(params["data_versions"]) == VERSIONS
    assert params["command"] == "kolmatch train data"
    assert params["split"] == "time"
    assert params["encoder"] == "words"
    assert json.loads(params["config"])["training"] == config.training.model_dump()
    assert trained.cuts.items() <= params.items()
    assert trained.cuts == plan_by_time(world.tables, config).cuts


def test_a_run_tells_how_good_the_model_is(run: SimpleNamespace, trained: Trained) -> None:
    tracked = run.run.data.metrics
    assert tracked == pytest.approx({k: v for k, v in trained.metrics.items() if pd.notna(v)})
    assert {
        *("headline", "headline_best_baseline", "outcomes_gain_low", "roster_ndcg_at_10"),
        *("fit_ece", "fit_ece_noise_floor", "cvr_deviance", "cvr_deviance_of_base_rate"),
        *("briefs_train", "briefs_valid", "briefs_test"),
    } <= set(tracked)
    assert tracked["headline"] == tracked["outcomes_ndcg_at_10"]
    for end in ("", "_low", "_high"):  # the lead is worked out once
        assert tracked[f"outcomes_gain{end}"] == tracked[f"headline_lead{end}"]
    for name in ("outcomes_ndcg_at_10", "roster_map", "roster_auc", "regret", "headline_lead"):
        assert tracked[f"{name}_low"] <= tracked[name] <= tracked[f"{name}_high"]
    assert {"headline_detectable", "fit_slope", "roster_coverage", "slices_worse"} <= set(tracked)
    told = {"policy_snips", "policy_snips_low", "policy_dr", "policy_dr_high", "policy_ess"}
    assert told <= set(tracked) or run.run.data.tags["policy_not_identifiable"]


def test_a_run_keeps_page_card_tables_and_plots(run: SimpleNamespace, trained: Trained) -> None:
    views = {OUTCOMES, ROSTER, JUDGMENTS}
    assert {"evaluation.html", "card.md", "baselines/choices.json"} <= run.artifacts
    assert {item for item in run.artifacts if item.startswith("evaluation/")} == {
        *(f"evaluation/{view}{part}.csv" for view in views for part in ("", "_leads", "_slices")),
        *(
            f"evaluation/{name}.csv"
            for name in (
                *("per_brief", "lists", "rounds", "calibration", "coverage", "regret"),
                *("regret_in_money", "regret_per_brief", "exposure", "roster_coverage"),
            )
        ),
    }
    plots = {item for item in run.artifacts if item.startswith("plots/")}
    assert {f"plots/{name}.svg" for name in ("leads", "fit", "tiers")} <= plots
    page, card = (run.text(name) for name in ("evaluation.html", "card.md"))
    for told in (page, card):
        assert f"version {trained.version}" in told
        assert "kolmatch train data" in told
        assert f"{trained.metrics['headline']:.3f}" in told


def test_the_model_is_a_registered_challenger_that_says_what_it_takes(
    run: SimpleNamespace,
    trained: Trained,
    registry: Registry,
    embeddings: Embeddings,
) -> None:
    pipeline = registry.load(trained.version).pipeline(embeddings)
    assert registry.resolve(CHALLENGER) == trained.version
    assert registry.resolve(CHAMPION) is None
    assert run.model.signature.inputs.input_names() == pipeline.names
    assert {"score", "fit", "cvr"} <= set(run.model.signature.outputs.input_names())


def test_a_loaded_version_scores_alike_to_the_last_bit(
    trained: Trained, registry: Registry, world: World, embeddings: Embeddings, config: Config
) -> None:
    loaded = registry.load(trained.version)
    found = evaluate_version(
        loaded, world.tables, embeddings, choices=registry.text(trained.version, ARTIFACT)
    )
    again = found.evaluation
    pd.testing.assert_frame_equal(again.per_brief, trained.evaluation.per_brief, check_exact=True)
    pd.testing.assert_frame_equal(again.regret, trained.evaluation.regret)
    pd.testing.assert_frame_equal(again.exposure.places, trained.evaluation.exposure.places)
    pd.testing.assert_series_equal(
        found.forecasts["fit"],
        trained.report.forecasts["fit"],
        check_exact=True,
        check_index=False,
    )
    # MLflow's own door leads to the same scores.
    scorer = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}/{trained.version}")
    pipeline = loaded.pipeline(embeddings)
    pairs = world.tables.collaborations[["brief_id", "kol_id"]].tail(50).assign(as_of=world.as_of)
    signals = pipeline.transform(pairs, History(world.tables))
    pd.testing.assert_frame_equal(scorer.predict(signals), loaded.score(signals), check_exact=True)


def test_folds_by_brand_test_every_brief_once(
    world: World, config: Config, embeddings: Embeddings, tmp_path: Path, trained: Trained
) -> None:
    registry = Registry(tmp_path)
    found = train(world.tables, VERSIONS, config, embeddings, registry, split="brand")
    assert found.cuts == {"fold": "1 of 3"}
    table = found.evaluation.per_brief.query(
        "ranker == 'kolmatch' and view == 'outcomes' and slice == 'all'"
    )
    assert not table["brief_id"].duplicated().any()
    assert table["brief_id"].nunique() > trained.evaluation.per_brief["brief_id"].nunique()
    again = evaluate_again(
        found.version, world.tables, VERSIONS, embeddings, registry, command="kolmatch evaluate"
    )
    pd.testing.assert_frame_equal(
        again.report.evaluation.per_brief, found.report.rounds[0].evaluation.per_brief
    )
    # Of other data folds are dealt otherwise: still no brief tests whose brand taught.
    outcomes, done = world.tables.outcomes, world.tables.collaborations
    last, opinions = world.tables.briefs["brief_id"].tail(45), world.tables.judgments
    other = done["collaboration_id"][done["brief_id"].isin(last)]
    fewer = world.tables.replace(
        outcomes=outcomes[~outcomes["collaboration_id"].isin(other)],
        judgments=opinions[~opinions["brief_id"].isin(last)],
    )
    tested = set(found.report.rounds[0].plan.briefs("test"))
    assert not set(plans_by_brand(fewer, config)[0].briefs("test")) <= tested
    later = evaluate_again(found.version, fewer, VERSIONS, embeddings, registry)
    told = set(later.report.evaluation.per_brief["brief_id"])
    assert told
    assert told <= tested
    with pytest.raises(ValueError, match="Got split='user' but expected one of auto, time, brand"):
        train(world.tables, VERSIONS, config, embeddings, registry, split="user")


def test_an_evaluation_is_a_run_of_its_own(
    trained: Trained, registry: Registry, world: World, embeddings: Embeddings
) -> None:
    found = evaluate_again(
        trained.version, world.tables, VERSIONS, embeddings, registry, command="kolmatch evaluate x"
    )
    same = {name: value for name, value in found.metrics.items() if pd.notna(value)}
    assert same == pytest.approx({n: v for n, v in trained.metrics.items() if n in same})
    (run,) = registry.client.search_runs(
        [registry.client.get_experiment_by_name(registry.store.experiment).experiment_id],
        f"tags.model_version = '{trained.version}'",
    )
    assert run.info.run_name == f"evaluate v{trained.version}"
    assert run.info.status == "FINISHED"
    assert trained.cuts.items() <= run.data.params.items()
    assert run.data.params["command"] == "kolmatch evaluate x"
    assert {"evaluation.html", "card.md"} <= set(listed(registry, run.info.run_id))
    assert "kolmatch evaluate x" in found.page


def test_what_was_decided_since_tests_a_version_too(
    world: World, config: Config, embeddings: Embeddings, tmp_path: Path
) -> None:
    decided = world.tables.briefs["decided_at"]
    early = world.tables.as_of(decided.dropna().sort_values().iloc[-15])
    registry = Registry(tmp_path)
    made = train(early, VERSIONS, config, embeddings, registry)
    found = evaluate_again(made.version, world.tables, VERSIONS, embeddings, registry)
    before, since = (set(each.report.evaluation.per_brief["brief_id"]) for each in (made, found))
    assert before < since
    assert found.report.rounds[0].plan.cuts == made.cuts
    with pytest.raises(UserError, match=r"for 9 origins .* fewer --origins"):
        evaluate_again(made.version, early, VERSIONS, embeddings, registry, refit=9)
    rolled = evaluate_again(made.version, world.tables, VERSIONS, embeddings, registry, refit=2)
    assert [each.plan.name for each in rolled.report.rounds] == ["origin 2 of 2", "origin 1 of 2"]
    assert all(each.roster is None for each in rolled.report.rounds)  # nothing is kept of them
    tests = [set(each.plan.briefs("test")) for each in rolled.report.rounds]
    assert not tests[0] & tests[1]
    assert "fitted anew" in rolled.page
    assert registry.resolve(CHALLENGER) == made.version  # nothing was registered


def test_too_little_to_learn_from_leaves_nothing_behind(
    world: World, embeddings: Embeddings, tmp_path: Path
) -> None:
    few = world.tables.replace(
        outcomes=world.tables.outcomes.head(0), judgments=world.tables.judgments.head(0)
    )
    with pytest.raises(UserError, match="Got 0 briefs"):
        train(few, VERSIONS, Config(), embeddings, Registry(tmp_path))
    assert not list(tmp_path.iterdir())


def test_opinions_alone_train_a_model(
    world: World, config: Config, embeddings: Embeddings, tmp_path: Path
) -> None:
    opinions = world.tables.replace(outcomes=world.tables.outcomes.head(0))
    found = train(opinions, VERSIONS, config, embeddings, Registry(tmp_path))
    assert found.evaluation.views == [JUDGMENTS, ROSTER]
    assert found.split == "time"
    assert found.metrics["headline"] == found.metrics["judgments_ndcg_at_10"]
    assert found.metrics["fit_ece_noise_floor"] > 0
    assert {"likeness", "bio cosine", "shared words"} <= set(found.evaluation.per_brief["ranker"])
    ranker = Registry(tmp_path).load(found.version).ranker
    assert ranker is not None
    assert ranker.likeness is not None
    assert ranker.basis == "judgments"


def test_grades_without_any_time_are_tested_by_brand(
    world: World, config: Config, embeddings: Embeddings, tmp_path: Path
) -> None:
    timeless = world.tables.replace(
        outcomes=world.tables.outcomes.head(0),
        collaborations=world.tables.collaborations.head(0),
        briefs=world.tables.briefs.assign(decided_at=pd.NaT),
        judgments=world.tables.judgments.assign(judged_at=pd.NaT),
    )
    timeless = Tables.of(**dict(timeless))
    registry = Registry(tmp_path)
    found = train(timeless, VERSIONS, config, embeddings, registry)
    assert found.split == "brand"
    assert found.cuts == {"fold": f"1 of {config.training.folds}"}
    assert registry.params(found.version)["split"] == "brand"
    with pytest.raises(UserError, match=r"of which 0 tell when .* \(--split brand\) need no time"):
        train(timeless, VERSIONS, config, embeddings, registry, split="time")


def test_calibration_is_measured_where_something_came_of_it() -> None:
    forecasts = pd.DataFrame(
        {
            "fit": [0.25] * 4,
            "brand_id": ["x", "x", "y", "z"],
            "success": [True, False, False, False],
            "cvr": [0.1, 0.1, np.nan, 0.1],
            "orders": [1.0, 3.0, 5.0, 0.0],
            "clicks": [20.0, 20.0, 20.0, 0.0],
        }
    )
    found = calibration_metrics(forecasts)
    assert found["fit_ece"] == pytest.approx(0)
    assert found["cvr_deviance"] == pytest.approx(found["cvr_deviance_of_base_rate"])
    assert found["fit_rows"] == 4
    unknown = calibration_metrics(forecasts.assign(cvr=np.nan))
    assert set(found) - set(unknown) == {"cvr_deviance", "cvr_deviance_of_base_rate"}
    told = forecasts.assign(views=5.0, views_p10=[1, 2, 3, 6], views_p90=9.0)
    assert calibration_metrics(told)["views_coverage"] == 0.75
    assert calibration_metrics(forecasts.head(0)) == {}


def test_users_vector_spaces_become_features(
    world: World, config: Config, embeddings: Embeddings, tmp_path: Path
) -> None:
    tables = world.tables
    sides = [("brief", tables.briefs["brief_id"]), ("kol", tables.kols["kol_id"].unique())]
    video = [
        pd.DataFrame({"owner": owner, "id": ids}).assign(
            space="video", observed_at=EPOCH, vector=lambda f: [np.ones(3)] * len(f)
        )
        for owner, ids in sides
    ]
    half = video[0].assign(space="briefs only")
    registry = Registry(tmp_path)
    extended = tables.replace(
        vectors=Tables.of(
            **{n: f for n, f in tables if n != "vectors"}, vectors=pd.concat([*video, half])
        ).vectors
    )
    version = train(extended, VERSIONS, config, embeddings, registry).version
    assert registry.load(version).config.features.spaces == ("video",)


def test_outcomes_that_need_a_rate_nobody_knew_are_counted(
    world: World, config: Config, embeddings: Embeddings, tmp_path: Path
) -> None:
    sold = world.tables.collaborations.merge(world.tables.briefs[["brief_id", "goal"]])
    sold = sold[(sold["goal"] == "conversion") & sold["cost"].notna()]["collaboration_id"]
    outcomes = world.tables.outcomes
    foreign = outcomes["collaboration_id"].isin(sold) & (outcomes["horizon_days"] == 30)
    euros = outcomes.assign(currency=outcomes["currency"].mask(foreign, "EUR"))
    registry = Registry(tmp_path)
    made = train(world.tables.replace(outcomes=euros), VERSIONS, config, embeddings, registry)
    assert made.unconverted == foreign.sum() > 0
    version = registry.client.get_model_version(MODEL_NAME, made.version)
    params = registry.client.get_run(version.run_id).data.params
    assert params["outcomes_unconverted"] == str(made.unconverted)
