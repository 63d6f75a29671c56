"""Search for better settings of ranker, forecast and training, on the past alone.

The briefs that test a model, at the latest origin or at earlier ones, are never looked at: they
are not even graded. Those that teach are
parted once more in time, so that what stops the trees early does not judge the settings::

    teach | stop early | judge        (test)  -> time

Settings are proposed by a seeded tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011;
`optuna`) and measured by NDCG@10 on the judging briefs. The best of many looks better than it is.
So its gain is measured again with the choice left to other brands: each fold of brands judges the
settings that were best for the rest. Only where that gain is surely above nothing, with brands
resampled, are the found settings recommended.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config
from matcher.ranker import GOOD
from training.evaluate import HEADLINE
from training.examples import Examples, orderable
from training.fit import LATE, Plan, fit_matcher, plan_examples, plans
from training.labels import decision_times
from training.metrics import ranking_metrics
from training.significance import Interval, paired_bootstrap
from training.split import brand_folds

if TYPE_CHECKING:
    import optuna

FOLDS = 5
"""Folds of brands in which the choice is judged."""
ORIGINS = 3
"""Rolling origins whose test briefs are left out, at least, so that they can still test."""
STOP_SHARE = 0.15
"""Share of the teaching briefs, the latest, that stop the trees early."""
_PER_BRIEF = "per_brief"


@dataclass(frozen=True)
class Range:
    """Where one setting is looked for.

    Attributes
    ----------
    section, name : str
        The setting.
    low, high : float
        Ends, inclusive.
    log : bool
        Whether it is the ratio of two values that counts.
    whole : bool
        Whether it is a whole number.
    """

    section: str
    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def key(self) -> str:
        """The setting's full name."""
        return f"{self.section}.{self.name}"

    def ask(self, trial: optuna.Trial) -> float:
        """Let a trial propose a value."""
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    config : Config
        Settings to train with: the found ones where they are surely better, else the given ones.
    found : Config
        The best settings, whether or not they are surely better.
    best, usual : float
        NDCG@10 on the judging briefs of the best and of the given settings.
    gain : Interval
        Gain of the choice where other brands made it, with its 95% interval.
    taken : bool
        Whether the found settings are recommended.
    trials : int
        Settings tried, the given ones among them.
    complete : bool
        Whether all trials that were asked for were made; a search cut off by the clock need not
        come out alike twice.
    origins : int
        Rolling origins whose test briefs were left out; 0 where briefs are not parted in time.
        Tested at more than these, the settings have seen some of the briefs.
    """

    config: Config
    found: Config
    best: float
    usual: float
    gain: Interval
    taken: bool
    trials: int
    complete: bool
    origins: int = 0

    @property
    def words(self) -> str:
        """What came of the search, for people."""
        gain = self.gain
        kept = "surely better: the found settings" if self.taken else "not surely better: the given"
        return (
            f"{self.trials} settings tried: NDCG@10 {self.best:.4f} at best, {self.usual:.4f} with "
            f"those given, on {gain.n} validation briefs. Where other brands chose, the gain is "
            f"{gain.mean:+.4f} (95% interval {gain.low:+.4f} to {gain.high:+.4f}). That is {kept}."
        )


def space(config: Config) -> tuple[Range, ...]:
    """Return where to look: around the usual sizes, forests around the size that is set."""

    def forest(section: str, trees: int) -> tuple[Range, ...]:
        return (
            Range(section, "trees", max(1, trees // 3), 2 * trees, log=True, whole=True),
            Range(section, "leaves", 4, 31, log=True, whole=True),
            Range(section, "learning_rate", 0.01, 0.1, log=True),
            Range(section, "min_rows_per_leaf", 5, 80, log=True, whole=True),
            Range(section, "feature_share", 0.2, 1.0),
            Range(section, "l2", 0.5, 100.0, log=True),
        )

    return (
        *forest("ranker", config.ranker.trees),
        Range("ranker", "forecast_weight", 0.0, 4.0),
        Range("ranker", "likeness_weight", 0.0, 3.0),
        *forest("forecast", config.forecast.trees),
        Range("training", "belief", 0.05, 1.0),
        Range("training", "unknown_weight", 0.05, 1.0),
    )


def with_settings(config: Config, values: Mapping[str, float]) -> Config:
    """Return settings with some of them exchanged, by full name."""
    told: dict[str, Any] = config.model_dump()
    for key, value in values.items():
        section, name = key.split(".")
        told[section][name] = value
    return Config.model_validate(told)


def tune(
    tables: Tables,
    versions: Mapping[str, str],
    config: Config,
    embeddings: Embeddings,
    store: Path | None = None,
    *,
    trials: int = 30,
    seconds: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Tuned:
    """Search for better settings.

    Parameters
    ----------
    tables : Tables
        Everything known.
    versions : mapping
        Version of each table: a search goes on only where it was about the same data.
    config : Config
        Settings to start from.
    embeddings : Embeddings
        Text vectors.
    store : Path, optional
        SQLite file that keeps the trials, so that a search that was cut off goes on; by default
        they are kept in memory alone.
    trials : int
        Settings to try in all, at least 2: the given ones are the first.
    seconds : float, optional
        Begin no trial later than this.
    seed : int
        Seed of the proposals. The same seed and trials over the same data find the same, also
        where the search was cut off in between.

    Raises
    ------
    UserError
        If there is too little to learn from or to judge by.
    """
    asked, config = config, config.with_spaces(tables)
    history = History(tables)
    plan, origins = blind_plan(tables, config)
    examples, pipeline = plan_examples(
        plan, history, FeaturePipeline(config.features, embeddings), config, progress
    )
    judges = judging(examples, plan, config)
    if judges.pairs.empty:
        raise UserError(
            f"Got {len(plan.briefs('judge'))} validation briefs, none of which has KOLs of two "
            "grades to put in order: nothing tells which settings are better"
        )
    ranges = space(config)
    about = [dict(versions), config.model_dump(mode="json"), embeddings.encoder.id, seed]
    about += [[vars(r) for r in ranges], sorted(set(judges.pairs["brief_id"].astype(str)))]
    study = _study(store, hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest())
    deadline = None if seconds is None else time.monotonic() + seconds

    def measure(values: Mapping[str, float]) -> pd.Series[float]:
        tried = with_settings(config, values)
        return ndcg_by_brief(examples, judges, plan, tried, pipeline)

    given = {r.key: float(getattr(getattr(config, r.section), r.name)) for r in ranges}
    done = _done(study)
    while len(done) < trials and (deadline is None or not done or time.monotonic() < deadline):
        progress("trying settings", len(done), trials)
        _try(study, ranges, given, measure, seed)
        done = _done(study)
    progress("trying settings", len(done), trials)
    brands = judges.pairs.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
    return replace(_chosen(asked, ranges, done[:trials], brands, seed, trials), origins=origins)


def blind_plan(tables: Tables, config: Config) -> tuple[Plan, int]:
    """Return a plan whose settings no test brief chooses, also not of earlier origins.

    Trainings and evaluations may test at several origins in time. The search keeps to what was
    decided before the earliest of `ORIGINS` began to test, or of as many as settings ask for;
    where the data is too small for that, of fewer.

    Returns
    -------
    Plan
        As `inner_plan` parts it.
    int
        Origins whose test briefs are left out; 0 where briefs are not parted in time.

    Raises
    ------
    UserError
        If there is too little to learn from or to judge by.
    """
    for origins in range(max(config.training.origins, ORIGINS), 1, -1):
        try:
            return inner_plan(plans(tables, config, "time", origins)[1][-1], tables), origins
        except UserError:  # too small for so many
            continue
    split, planned = plans(tables, config, origins=1)
    return inner_plan(planned[0], tables), int(split == "time")


def inner_plan(plan: Plan, tables: Tables) -> Plan:
    """Part a plan's past once more; its test briefs are left out.

    Returns
    -------
    Plan
        ``"train"`` teaches, ``"valid"`` stops the trees early, and ``"judge"`` judges: the plan's
        own validation briefs.

    Raises
    ------
    UserError
        If nothing would be left to teach.
    """
    decided = decision_times(tables)
    train = plan.briefs("train")
    # By time, where there is one; else by id.
    ordered = sorted(train, key=lambda b: (str(decided.get(b)), b))
    stop = ordered[len(ordered) - max(1, round(STOP_SHARE * len(ordered))) :]
    if len(stop) == len(ordered):
        raise UserError(f"Got {len(ordered)} briefs to learn from, too few to tune settings on")
    part = plan.part[~plan.part.isin(["test", LATE])].replace({"valid": "judge"})
    part[part.index.isin(stop)] = "valid"
    return replace(plan, part=part, known_before=plan.known_before.loc[part.index])


def judging(examples: Examples, plan: Plan, config: Config) -> Examples:
    """Return the pairs that judge, in lists with something to order.

    Those with outcomes where there are any, else those that people graded; where being chosen is
    all there is to learn, all pairs, the never tried as not fitting.
    """
    judges = examples.of(plan.briefs("judge"))
    if config.training.unknown != "negative":
        known = judges.pairs["known"].to_numpy(dtype=bool)
        judged = judges.pairs["judged"].to_numpy(dtype=bool)
        tried = known & ~judged
        judges = judges.where(tried if tried.any() else known)
    return judges.where(orderable(judges.pairs))


def ndcg_by_brief(
    examples: Examples, judges: Examples, plan: Plan, config: Config, pipeline: FeaturePipeline
) -> pd.Series[float]:
    """Fit with some settings and return the NDCG@10 of each judging brief."""
    matcher = fit_matcher(examples, plan, config, pipeline)
    ranked = judges.pairs[["brief_id", "kol_id"]].assign(
        score=matcher.score(judges.signals)["score"], gain=judges.pairs["grade"]
    )
    return ranking_metrics(ranked, threshold=GOOD)[HEADLINE].dropna()


def to_toml(tuned: Tuned, command: str) -> str:
    """Return the settings to train with as a TOML file that says how they were found."""
    gain = tuned.gain
    lines = [
        f"# Found by `{command}`" if command else "# Found by `kolmatch tune`",
        f"# in {tuned.trials} trials"
        + ("." if tuned.complete else ", cut off by the clock: another run may find others."),
        f"# NDCG@10 on {gain.n} validation briefs of {gain.clusters} brands (no test brief): "
        f"{tuned.best:.4f} at best, {tuned.usual:.4f} with the given settings.",
        f"# Gain where other brands made the choice: {gain.mean:+.4f}, 95% interval "
        f"{gain.low:+.4f} to {gain.high:+.4f}.",
    ]
    if tuned.origins:
        lines.append(
            f"# The test briefs of {tuned.origins} rolling origin(s) were left out: at more than "
            "that, settings have seen some of what tests them."
        )
    if tuned.taken:
        lines.append("# Surely better than the given settings, so here are the found ones.")
    else:
        lines.append("# Not surely better than the given settings, which are kept. Found were:")
        told = _toml(tuned.found).splitlines()
        lines += [f"# {line}".rstrip() for line in told]
    return "\n".join(lines) + "\n\n" + _toml(tuned.config)


def _toml(config: Config) -> str:
    """Return what differs from the defaults, as TOML."""
    told = config.model_dump(mode="json", exclude_defaults=True)
    plain = {name: value for name, value in told.items() if not isinstance(value, dict)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in plain.items()]
    for section, values in told.items():
        if isinstance(values, dict):
            lines += ["", f"[{section}]"]
            # JSON's texts, numbers and lists are TOML's too; what is null keeps its default.
            lines += [
                f"{name} = {json.dumps(value, ensure_ascii=False)}"
                for name, value in values.items()
                if value is not None
            ]
    return "\n".join(lines).strip() + "\n"


def _study(store: Path | None, name: str) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if store is not None:
        store.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=None if store is None else f"sqlite:///{store.resolve()}",
        study_name=name[:32],
        direction="maximize",
        load_if_exists=True,
    )


def _done(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _try(
    study: optuna.Study,
    ranges: tuple[Range, ...],
    given: dict[str, float],
    measure: Any,
    seed: int,
) -> None:
    """Make one more trial: the given settings first, then what the sampler proposes."""
    import optuna

    done = _done(study)
    # A sampler of its own for each trial, seeded by how many were finished: what was cut off is
    # proposed again, and an interrupted search finds what an undisturbed one does.
    study.sampler = optuna.samplers.TPESampler(
        seed=int(np.random.SeedSequence([seed, len(done)]).generate_state(1)[0]),
        constant_liar=False,
    )
    trial = study.ask()
    if done:
        values = {r.key: r.ask(trial) for r in ranges}
        found = measure(values)
    else:
        # Given settings may lie outside of where others are looked for: they are told apart.
        values, found = {}, measure({})
        trial.set_user_attr("given", given)
    mean = float(found.mean())
    if not math.isfinite(mean):
        # A trial without a value never counts as done: the search would not end.
        raise UserError(f"Got a mean {HEADLINE} of {mean} on {len(found)} validation briefs")
    trial.set_user_attr(_PER_BRIEF, {str(b): float(v) for b, v in found.items()})
    study.tell(trial, mean)


def _chosen(
    config: Config,
    ranges: tuple[Range, ...],
    done: list[optuna.trial.FrozenTrial],
    brands: pd.Series[Any],
    seed: int,
    trials: int,
) -> Tuned:
    """Choose the best settings, and judge the choice as other brands would have made it."""
    table = pd.DataFrame([pd.Series(t.user_attrs[_PER_BRIEF]) for t in done]).T.sort_index()
    best = int(np.argmax(table.mean().to_numpy()))  # the first of equals: the given settings
    briefs = pd.DataFrame({"brief_id": table.index, "brand_id": brands.loc[table.index].to_numpy()})
    folds = min(FOLDS, briefs["brand_id"].nunique())
    if folds < 2:
        raise UserError(
            f"Got validation briefs of {briefs['brand_id'].nunique()} brands but tuning needs 2: "
            "other brands than those that choose must judge"
        )
    fold = brand_folds(briefs, folds, seed).loc[table.index].to_numpy()
    judged = pd.Series(np.nan, index=table.index)
    for held in range(folds):
        rest = table[fold != held].mean().to_numpy()
        judged[fold == held] = table[fold == held].iloc[:, int(np.argmax(rest))]
    gain = paired_bootstrap(judged, table[0], brands.loc[table.index], seed=seed)
    found = with_settings(config, {} if best == 0 else _values(done[best], ranges))
    taken = best > 0 and gain.low > 0
    return Tuned(
        config=found if taken else config,
        found=found,
        best=float(table[best].mean()),
        usual=float(table[0].mean()),
        gain=gain,
        taken=taken,
        trials=len(done),
        complete=len(done) >= trials,
    )


def _values(trial: optuna.trial.FrozenTrial, ranges: tuple[Range, ...]) -> dict[str, float]:
    """Return the settings that a trial tried."""
    return {
        r.key: int(trial.params[r.key]) if r.whole else float(trial.params[r.key]) for r in ranges
    }
