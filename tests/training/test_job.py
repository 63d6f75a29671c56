import json
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
from training.evaluate import JUDGMENTS, MODEL, OUTCOMES, ROSTER, Evaluation
from training.fit import plan_by_time
from training.job import Trained, calibration_metrics, evaluate_version, headline, train

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
    artifacts = {
        item.path
        for folder in registry.client.list_artifacts(version.run_id)
        for item in registry.client.list_artifacts(version.run_id, folder.path)
    }
    info = mlflow.models.get_model_info(f"models:/{MODEL_NAME}/{trained.version}")
    return SimpleNamespace(run=found, artifacts=artifacts, model=info)


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
    told = {"policy_snips", "policy_snips_low", "policy_dr", "policy_dr_high", "policy_ess"}
    assert told <= set(tracked) or "of equal weight" in run.run.data.tags["policy_not_identifiable"]
    views = {OUTCOMES, ROSTER, JUDGMENTS}
    assert run.artifacts == {
        "evaluation/per_brief.csv",
        *(f"evaluation/{view}.csv" for view in views),
        *(f"evaluation/{view}_comparison.csv" for view in views),
        *(f"plots/{name}.png" for name in (*views, "fit", "families")),
    }


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
    found = evaluate_version(loaded, world.tables, embeddings)
    pd.testing.assert_frame_equal(found.per_brief, trained.evaluation.per_brief, check_exact=True)
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
        "ranker == @MODEL and view == @OUTCOMES and slice == 'all'"
    )
    assert not table["brief_id"].duplicated().any()
    assert table["brief_id"].nunique() > trained.evaluation.per_brief["brief_id"].nunique()
    again = evaluate_version(registry.load(found.version), world.tables, embeddings, split="brand")
    mine = set(again.per_brief["brief_id"])
    first = found.evaluation.per_brief
    pd.testing.assert_frame_equal(
        again.per_brief, first[first["brief_id"].isin(mine)].reset_index(drop=True)
    )
    with pytest.raises(ValueError, match="Got split='user' but expected one of auto, time, brand"):
        train(world.tables, VERSIONS, config, embeddings, registry, split="user")


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


def test_the_headline_is_about_outcomes_unless_being_chosen_is_all_there_is(
    config: Config,
) -> None:
    rows = [
        {"view": view, "ranker": ranker, "ndcg@10": value, "first_positive_rank": 1.0, "auc": 0.5}
        for view, ranker, value in (
            *((OUTCOMES, MODEL, 0.9), (OUTCOMES, "random", 0.4)),
            *((JUDGMENTS, MODEL, 0.7), (JUDGMENTS, "random", 0.1)),
            *((ROSTER, MODEL, 0.6), (ROSTER, "random", 0.2)),
        )
    ]
    ids = [{"slice": "all", "brief_id": f"b{i}", "brand_id": f"x{i}"} for i in range(3)]
    rows = [row | own for row in rows for own in ids]
    evaluation = Evaluation(pd.DataFrame(rows))
    told = headline(evaluation, config)
    assert told == pytest.approx(
        {"headline": 0.9, "headline_best_baseline": 0.4, "headline_lead_low": 0.5}
    )
    chosen = config.training.model_copy(update={"unknown": "negative"})
    negative = config.model_copy(update={"training": chosen})
    told = headline(evaluation, negative)
    assert (told["headline"], told["headline_best_baseline"]) == pytest.approx((0.6, 0.2))
    unpaid = Evaluation(evaluation.per_brief.query("view != @OUTCOMES"))
    told = headline(unpaid, config)
    assert (told["headline"], told["headline_best_baseline"]) == pytest.approx((0.7, 0.1))


def test_calibration_is_measured_where_something_came_of_it() -> None:
    forecasts = pd.DataFrame(
        {
            "fit": [0.25] * 4,
            "success": [True, False, False, False],
            "cvr": [0.1, 0.1, np.nan, 0.1],
            "orders": [1.0, 3.0, 5.0, 0.0],
            "clicks": [20.0, 20.0, 20.0, 0.0],
        }
    )
    found = calibration_metrics(forecasts)
    assert found["fit_ece"] == pytest.approx(0)
    assert found["cvr_deviance"] == pytest.approx(found["cvr_deviance_of_base_rate"])
    assert set(calibration_metrics(forecasts.assign(cvr=np.nan))) == {
        "fit_ece",
        "fit_ece_noise_floor",
    }
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
