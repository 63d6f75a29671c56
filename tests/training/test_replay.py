import numpy as np
import pandas as pd

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from matcher.config import Config
from matcher.model import Matcher
from training.fit import Fit
from training.replay import log_value

ALL = pd.Index([f"b{i:05d}" for i in range(1, 91)])


def test_a_models_choice_is_valued_against_the_agencys_own(fit: Fit, history: History) -> None:
    metrics, reason = log_value([(fit.matcher, fit.pipeline, ALL)], history)
    assert reason == ""
    assert set(metrics) == {
        *("policy_ess", "policy_supported"),
        *("policy_snips", "policy_snips_low", "policy_snips_high"),
        *("policy_dr", "policy_dr_low", "policy_dr_high"),
    }
    assert metrics["policy_supported"] == 1.0
    for name in ("policy_snips", "policy_dr"):
        assert 0.7 < metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"] < 4.0


def test_rounds_are_pooled(fit: Fit, history: History) -> None:
    rounds = [(fit.matcher, fit.pipeline, part) for part in (ALL[:45], ALL[45:])]
    assert log_value(rounds, history) == log_value([(fit.matcher, fit.pipeline, ALL)], history)


def test_a_model_that_learned_nothing_is_valued_too(
    config: Config, history: History, pipeline: FeaturePipeline
) -> None:
    metrics, reason = log_value([(Matcher(config, "words"), pipeline, ALL)], history)
    assert reason == ""
    assert np.isfinite(metrics["policy_dr"])


def test_without_propensities_there_is_a_reason_and_no_number(fit: Fit, world: World) -> None:
    log = world.tables.collaborations.assign(propensity=np.nan)
    history = History(world.tables.replace(collaborations=log))
    metrics, reason = log_value([(fit.matcher, fit.pipeline, ALL)], history)
    assert metrics == {}
    assert reason.startswith("the log tells no propensity")


def test_few_briefs_are_not_enough(fit: Fit, history: History) -> None:
    metrics, reason = log_value([(fit.matcher, fit.pipeline, ALL[:2])], history)
    assert set(metrics) == {"policy_ess", "policy_supported"}
    assert "30 are needed" in reason
    nothing = log_value([(fit.matcher, fit.pipeline, ALL[:0])], history)
    assert nothing == ({}, "there is no logged list to choose from")
