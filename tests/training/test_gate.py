"""A gate that lets nothing bad pass and turns nothing good away."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.vectors import Embeddings
from matcher.config import Config, GateConfig, HeadConfig, RankerConfig
from matcher.registry import CHAMPION as SERVING
from matcher.registry import Registry
from training import guards, leaks
from training.contest import CHALLENGER, CHAMPION, Contest, Corner, contest
from training.examples import Examples
from training.fit import LATE, Fit, Plan, fit_matcher
from training.gate import _enough, _same_scores, decide, judge, probe, take_over
from training.job import Trained, train
from training.slices import slices_of
from training.summary import SignalSummary
from training.verdict import Check, Verdict
from training.window import Past, Window, taught_by, window

SETTINGS = GateConfig(least_briefs=5, least_brands=3, detectable=1.0, most_gain=1.0, drift=50.0)


@pytest.fixture(scope="module")
def learned(fit: Fit, plan: Plan) -> SignalSummary:
    train = fit.examples.of(plan.briefs("train"))
    return SignalSummary.of(train.signals, train.pairs["brief_id"])


@pytest.fixture(scope="module")
def met(
    fit: Fit, plan: Plan, world: World, history: History, embeddings: Embeddings, config: Config
) -> Contest:
    """Return a contest of a model with itself."""
    cut = pd.Timestamp(plan.cuts["test_from"])
    past = Past("1", cut, frozenset(taught_by(plan)))
    judges = window(world.tables, config.training, past, past, least=5)
    assert set(judges.briefs) <= set(plan.briefs("test"))
    return contest(fit.matcher, fit.matcher, judges, history, lambda _: embeddings)


def _said(
    met: Contest, learned: SignalSummary, settings: GateConfig = SETTINGS
) -> dict[str, Check]:
    _, checks = decide(met, settings, learned)
    return {check.name: check for check in checks}


def _refusals(said: dict[str, Check]) -> set[str]:
    return {name for name, check in said.items() if not check.passed}


def _scoring(corner: Corner, **columns: Any) -> Corner:
    return replace(corner, scored=corner.scored.assign(**columns))


@pytest.fixture(scope="module")
def examples(fit: Fit, plan: Plan) -> Examples:
    """Return the pairs of the training, validation and test parts."""
    some = fit.examples.of(plan.part.index[plan.part != LATE])
    return Examples(some.pairs.reset_index(drop=True), some.signals.reset_index(drop=True))


@pytest.fixture(scope="module")
def whole(met: Contest, examples: Examples, plan: Plan, config: Config, fit: Fit) -> Contest:
    """Return a contest on all of them, for scores that are made up."""
    corner = Corner.of(fit_matcher(examples, plan, config, fit.pipeline), examples.signals)
    return replace(met, pairs=examples.pairs, challenger=corner, champion=corner)


@pytest.fixture(scope="module")
def better(whole: Contest) -> Contest:
    """Return a contest in which the challenger knows the grades, and more than noise of them."""
    noise = np.random.default_rng(0).normal(0, 0.5, len(whole.pairs))
    return replace(
        whole,
        challenger=_scoring(whole.challenger, score=whole.pairs["grade"].fillna(0.0) + noise),
        champion=_scoring(whole.challenger, score=noise),
    )


def test_a_model_is_no_better_than_itself_and_nothing_else_is_wrong(
    met: Contest, learned: SignalSummary
) -> None:
    said = _said(met, learned)
    assert _refusals(said) == {"gain"}
    assert said["gain"].figures["lead"] == 0
    assert said["enough briefs"].figures["detectable"] == SETTINGS.tolerance


def test_a_better_model_passes(better: Contest, learned: SignalSummary) -> None:
    said = _said(better, learned)
    assert _refusals(said) == set()
    assert said["gain"].figures["low"] > 0
    assert "95% interval" in said["gain"].words


@pytest.mark.parametrize(
    ("asked", "check"),
    [
        ({"tolerance": 0.9}, "gain"),
        ({"least_gain": 0.9}, "gain"),
        ({"most_gain": 0.01}, "plausible"),
    ],
)
def test_as_much_is_asked_as_the_settings_say(
    better: Contest, learned: SignalSummary, asked: dict[str, float], check: str
) -> None:
    said = _said(better, learned, SETTINGS.model_copy(update=asked))
    assert check in _refusals(said)


def test_over_a_simple_rule_any_sure_lead_will_do(better: Contest, learned: SignalSummary) -> None:
    asked = SETTINGS.model_copy(update={"tolerance": 0.9, "least_gain": 0.9})
    _, checks = decide(replace(better, champion=None), asked, learned)
    assert "gain" not in {check.name for check in checks if not check.passed}
    assert "gain" in _refusals(_said(better, learned, asked))


def test_too_few_briefs_say_how_many_would_do(met: Contest, learned: SignalSummary) -> None:
    brief = pd.factorize(met.pairs["brief_id"])[0]
    # One knows the grades of every other brief, the other those of the rest.
    known = met.pairs["grade"].fillna(0.0) * np.where(brief % 2, 1.0, -1.0)
    torn = replace(
        met,
        challenger=_scoring(met.challenger, score=known),
        champion=_scoring(met.challenger, score=-known),
    )
    settings = SETTINGS.model_copy(update={"detectable": 0.001, "tolerance": 0.0})
    enough = _said(torn, learned, settings)["enough briefs"]
    assert not enough.passed
    assert enough.figures["needed"] > 100 * enough.figures["briefs"]
    assert f"a lead of 0.001 would need about {int(enough.figures['needed']):,}" in enough.words
    few = _said(met, learned, SETTINGS.model_copy(update={"least_briefs": 500}))["enough briefs"]
    assert "not enough to tell" in few.words
    assert "at least 500 of 3 brands" in few.words


def test_a_lost_slice_is_named(better: Contest, learned: SignalSummary) -> None:
    platform = slices_of(better.pairs, better.history)["platform"]
    graded = better.pairs[better.graded].assign(platform=platform[better.graded])
    broken = graded.groupby("platform")["brand_id"].nunique().idxmax()
    # Known the wrong way round on one platform, better everywhere else.
    score = better.challenger.scored["score"] - 2.5
    lost = replace(
        better,
        challenger=_scoring(better.challenger, score=score.where(platform != broken, -score)),
        champion=_scoring(better.challenger, score=score.where(platform == broken, 0.0)),
    )
    slices = _said(lost, learned)["slices"]
    assert not slices.passed
    assert f"platform: {broken}: orders" in slices.words


def test_dishonest_odds_are_refused(better: Contest, learned: SignalSummary) -> None:
    good = better.pairs["success"]
    lying = _scoring(better.challenger, fit=np.where(good, 0.05, 0.95))
    said = _said(replace(better, challenger=lying), learned)
    assert _refusals(said) == {"calibration"}
    as_bad = replace(better, challenger=lying, champion=lying)
    assert "calibration" not in _refusals(_said(as_bad, learned))
    silent = replace(better, challenger=_scoring(better.challenger, fit=np.nan))
    assert "no pair" in _said(silent, learned)["calibration"].words


def test_lists_that_show_the_largest_alone_are_refused(better: Contest) -> None:
    top = better.challenger.matcher.config.serving.top
    tiers = ["nano", "micro", "mega"] * top
    rosters = pd.DataFrame(
        {
            "brief_id": "b1",
            "kol_id": [f"k{i}" for i in range(len(tiers))],
            "tier": tiers,
            CHALLENGER: [float(tier == "mega") for tier in tiers],
            CHAMPION: [float(tier != "mega") for tier in tiers],
        }
    )
    rosters = pd.concat([rosters, rosters.assign(brief_id="b2")], ignore_index=True)
    shares = guards.tier_shares(rosters, CHALLENGER, top)
    assert shares.to_dict() == {"nano": 0, "micro": 0, "mid": 0, "macro": 0, "mega": 1}
    said = guards.exposure(replace(better, rosters=rosters), SETTINGS)
    assert not said.passed
    assert "hardly shown any more: nano 0% (champion 50%), micro 0% (champion 50%)" in said.words
    same = rosters.assign(**{CHALLENGER: rosters[CHAMPION]})
    assert guards.exposure(replace(better, rosters=same), SETTINGS).passed
    allowed = SETTINGS.model_copy(update={"exposure": 0.0})
    assert guards.exposure(replace(better, rosters=rosters), allowed).passed


def test_signals_that_died_are_named(met: Contest, learned: SignalSummary) -> None:
    first = leaks.carrying(met.challenger.matcher).index[0]
    for value, words in ((np.nan, f"{first} is unknown"), (1.0, f"{first} is the same")):
        dead = Corner.of(met.challenger.matcher, met.challenger.signals.assign(**{first: value}))
        said = leaks.alive(replace(met, challenger=dead), learned, SETTINGS)
        assert not said.passed
        assert words in said.words
    moved = met.challenger.signals.assign(**{first: met.challenger.signals[first] + 100.0})
    far = replace(met, challenger=Corner.of(met.challenger.matcher, moved))
    said = leaks.alive(far, learned, SETTINGS.model_copy(update={"drift": 2.0}))
    assert not said.passed
    assert f"far otherwise than when it learned: {first}" in said.words
    assert not leaks.alive(met, None, SETTINGS).passed


def test_what_the_score_reads_beside_its_forests_carries_it(met: Contest) -> None:
    assert "price.relative" in leaks.carrying(met.challenger.matcher).index


def test_a_lead_that_hangs_on_a_leaked_column_is_refused(
    examples: Examples,
    plan: Plan,
    whole: Contest,
    config: Config,
    pipeline: FeaturePipeline,
    learned: SignalSummary,
) -> None:
    leak, (pairs, known) = "record.conversion", (examples.pairs, examples.signals)
    signals = known.assign(**{leak: pairs["grade"].where(pairs["known"])})
    # Trees that learn fast enough to lean on it: the others take thirty small steps.
    fast = config.model_copy(
        update={
            "forecast": HeadConfig(trees=60, learning_rate=0.2, least_rows=30),
            "ranker": RankerConfig(trees=60, learning_rate=0.2),
        }
    )
    matcher = fit_matcher(Examples(pairs, signals), plan, fast, pipeline)
    plain = Corner.of(fit_matcher(examples, plan, fast, pipeline), known)
    whole = replace(whole, champion=plain)
    said = _said(replace(whole, challenger=Corner.of(matcher, signals)), learned)
    alone = said["one signal"]
    assert not alone.passed
    assert f"{leak} has" in alone.words
    assert "alone it orders 100% of the pairs rightly" in alone.words
    lenient = SETTINGS.model_copy(update={"knowledge": 5.0})
    hangs = _said(replace(whole, challenger=Corner.of(matcher, signals)), learned, lenient)
    assert f"{leak} has" in hangs["one signal"].words
    assert "without it the lead of" in hangs["one signal"].words
    assert not hangs["one signal"].passed


def test_order_is_counted_within_briefs_and_of_what_touches_a_slice() -> None:
    pairs = pd.DataFrame({"brief_id": ["b1", "b1", "b1", "b2", "b3"], "grade": [1, 2, 3, 4, 1]})

    def order(*scores: float, inside: list[bool] | None = None) -> dict[str, float]:
        within = None if inside is None else np.array(inside)
        return guards.order_by_brief(pairs, np.array(scores), within).to_dict()

    assert order(0.1, 0.2, 0.3, 0.0, 9.0) == {"b1": 1.0}
    assert order(0.3, 0.2, 0.1, 0.0, 9.0) == {"b1": 0.0}
    assert order(0.2, 0.2, 0.1, 0.0, 9.0) == {"b1": pytest.approx(1 / 6)}
    assert order(0.2, np.nan, 0.1, 0.0, 9.0) == {"b1": pytest.approx(1 / 3)}
    first = [True, False, False, True, True]
    assert order(0.25, 0.2, 0.3, 0.0, 9.0, inside=first) == {"b1": 0.5}
    assert order(0.1, 0.3, 0.2, 0.0, 9.0, inside=first) == {"b1": 1.0}


def test_without_a_champion_the_best_simple_rule_stands_in(
    better: Contest, learned: SignalSummary
) -> None:
    alone = replace(better, champion=None)
    rival, checks = decide(alone, SETTINGS, learned)
    assert rival in alone.rankers
    assert rival not in (CHALLENGER, CHAMPION)
    assert all(check.passed for check in checks)


def test_a_verdict_is_told_to_people_and_machines() -> None:
    held = Check("gain", True, "leads", {"lead": 0.1, "low": float("nan")})
    lost = Check("slices", False, "goal | seeding")
    verdict = Verdict("2", "1", "version 1", "9 briefs", (held, lost))
    assert (verdict.passed, verdict.reasons) == (False, ["slices: goal | seeding"])
    told = json.loads(verdict.to_json())
    assert (told["passed"], told["champion"]) == (False, "1")
    assert told["checks"][0]["figures"] == {"lead": 0.1, "low": None}
    assert "| slices | **no** | goal \\| seeding |" in verdict.to_markdown()
    assert "# Version 2 is refused" in verdict.to_markdown()
    assert Verdict("2", None, "", "", (held,)).passed
    assert not Verdict("2", None, "", "", ()).passed


def test_scores_must_be_those_of_training_to_the_last_bit(fit: Fit) -> None:
    text = probe(fit.matcher, fit.examples.signals.head(10))
    assert _same_scores(fit.matcher, text).passed
    assert not _same_scores(fit.matcher, None).passed
    assert "cannot be read" in _same_scores(fit.matcher, "said.score\nhigh").words
    head, first, *rest = text.splitlines()
    cells = first.split(",")
    at = head.split(",").index("said.score")
    cells[at] = repr(np.nextafter(float(cells[at]), 9.0).item())
    off = _same_scores(fit.matcher, "\n".join([head, ",".join(cells), *rest]))
    assert not off.passed
    assert "scores differ from those of its training" in off.words
    renamed = _same_scores(fit.matcher, text.replace("audience.match", "audience.mtach"))
    assert not renamed.passed
    assert "missing ['audience.match']" in renamed.words


# -- through the registry ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first(world: World, config: Config, embeddings: Embeddings, registry: Registry) -> Trained:
    return train(world.tables, {}, config, embeddings, registry)


def test_the_first_champion_beats_a_rule_and_the_same_again_beats_nobody(
    first: Trained, world: World, embeddings: Embeddings, registry: Registry, config: Config
) -> None:
    verdict = judge(registry, first.version, world.tables, lambda _: embeddings, settings=SETTINGS)
    assert verdict.champion is None
    assert verdict.against.startswith("the simple rule")
    names = [check.name for check in verdict.checks]
    assert names[:3] == ["run", "signals", "reload"]
    assert all(check.passed for check in verdict.checks[:3])
    told = json.loads(registry.text(first.version, "gate.json") or "")
    assert told == json.loads(verdict.to_json())
    tags = registry.client.get_model_version("kolmatch", first.version).tags
    assert tags["gate"] == ("passed" if verdict.passed else "refused")
    assert take_over(registry, replace(verdict, checks=verdict.checks[:3])).passed
    assert registry.resolve(SERVING) == first.version

    with registry.run("again", {"split": "time", **first.cuts}) as run:
        for name in ("taught.json", "signals_summary.json", "probe.csv"):
            run.text(registry.text(first.version, name) or "", name)
        matcher = registry.load(first.version)
        version = run.register(matcher, first_signals(registry, first.version))
    again = judge(registry, version, world.tables, lambda _: embeddings, settings=SETTINGS)
    assert again.against == f"version {first.version}"
    assert [reason.split(":")[0] for reason in again.reasons] == ["gain"]
    assert take_over(registry, again) == again
    assert registry.resolve(SERVING) == first.version
    # Somebody else was quicker.
    late = take_over(registry, replace(again, checks=again.checks[:3], champion="7"))
    assert [reason.split(":")[0] for reason in late.reasons] == ["alias"]
    assert registry.resolve(SERVING) == first.version


def first_signals(registry: Registry, version: str) -> pd.DataFrame:
    from io import StringIO

    told = pd.read_csv(StringIO(registry.text(version, "probe.csv") or ""), dtype=float)
    return told[[name for name in told if not name.startswith("said.")]]


@pytest.mark.parametrize(
    ("damage", "check"), [("status", "run"), ("taught", "run"), ("encoder", "signals")]
)
def test_what_was_not_made_well_is_not_even_compared(
    first: Trained,
    world: World,
    embeddings: Embeddings,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
    check: str,
) -> None:
    if damage == "status":
        monkeypatch.setattr(Registry, "status", lambda self, version: "KILLED")
    elif damage == "taught":
        whole = Registry.text
        monkeypatch.setattr(
            Registry,
            "text",
            lambda self, version, name: (
                None if name == "taught.json" else whole(self, version, name)
            ),
        )
    else:
        monkeypatch.setattr(type(embeddings.encoder), "id", "another")
    verdict = judge(registry, first.version, world.tables, lambda _: embeddings)
    assert [reason.split(":")[0] for reason in verdict.reasons] == [check]
    assert verdict.window == "no brief"


def test_how_many_briefs_would_do_counts_from_what_is_tolerated() -> None:
    settings = SETTINGS.model_copy(update={"detectable": 0.03, "tolerance": 0.01, "least_gain": 0})
    figures = {"briefs": 50.0, "brands": 20.0, "detectable": 0.05, "high": 0.1}
    found = _enough(figures, False, settings)
    assert found.figures["needed"] == pytest.approx(
        200, abs=1
    )  # half the reach above what is tolerated
    never = _enough(figures, False, settings.model_copy(update={"tolerance": 0.03}))
    assert not never.passed
    assert "cannot be shown" in never.words
    assert "needed" not in never.figures


def test_places_of_unknown_tier_count_as_places() -> None:
    rosters = pd.DataFrame(
        {"brief_id": "b1", "kol_id": list("abcd"), "tier": ["nano", None, "nano", "mid"], "x": 1.0}
    )
    shares = guards.tier_shares(rosters, "x", 4)
    assert shares["nano"] == 0.5
    assert shares.sum() == 0.75


def test_as_many_rosters_are_ranked_as_the_settings_of_the_day_ask(
    fit: Fit, met: Contest, history: History, embeddings: Embeddings
) -> None:
    judges = Window(pd.Index(met.pairs["brief_id"].unique()), True, "")
    few = contest(fit.matcher, None, judges, history, lambda _: embeddings, listed_briefs=2)
    assert few.rosters["brief_id"].nunique() == 2 < met.rosters["brief_id"].nunique()
