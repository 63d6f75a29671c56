"""Measure what corrections for selection and for places on a list bring, against the truth.

A simulated agency chooses whom to contact from the lists it is shown, and logs the exact chance of
each choice. In one half of the worlds places do not matter to it (``attention 0``), in the other it
looks at a place with a chance of ``1 / place`` (``attention 1``). For each world models are trained
with and without corrections, rank the whole eligible rosters of the test briefs, and are graded by
the true expected value per price, as in ``benchmarks/seeded_world.py``.

    python benchmarks/bias.py --kols 400 --briefs 160 --seeds 1 2 3

Models that learn from choices are also asked what they are really after: to order each test
brief's list as the agency would if it read it whole, which the logged chances tell once the
attention to each place is taken out of them.

The last part asks for quantities rather than rankings: how many views those on the lists would
bring, estimated from the collaborations that happened, and how far view forecasts are off on the
whole roster.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import digamma

from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World, simulate
from features.simulate.clock import CNY_PER_USD
from features.tables import Tables
from features.vectors import Embeddings, VectorStore
from matcher.candidates import candidates
from matcher.config import Config, TrainingConfig
from matcher.model import Matcher
from training.evaluate import HEADLINE, MODEL, Evaluation, Score, rank_lists
from training.examples import Examples
from training.fit import Plan, fit_matcher, plan_by_time, plan_examples
from training.labels import outcome_values, question_times, true_grades
from training.selection import CHOSEN, choices, inverse_propensity

NAIVE, CHOICES = "naive", "choices"
PASSED: dict[str, Any] = {"passed_over": 0.3}
VARIANTS: dict[str, dict[str, Any]] = {
    NAIVE: {},
    "weights, clip 3": {"propensity_weights": "all", "propensity_clip": 3},
    "weights, clip 10": {"propensity_weights": "all", "propensity_clip": 10},
    "weights, clip 30": {"propensity_weights": "all", "propensity_clip": 30},
    "weights in each brief, clip 10": {"propensity_weights": "brief", "propensity_clip": 10},
    "passed over 0.3": PASSED,
    "passed over 1.0": {"passed_over": 1.0},
    "passed over 0.3, places": PASSED | {"position_aware": True},
    "passed over 0.3, places and weights": PASSED
    | {"position_aware": True, "propensity_weights": "all", "propensity_clip": 10},
    CHOICES: {"unknown": "choices"},
    "choices, places": {"unknown": "choices", "position_aware": True},
    "choices, places, shrunk": {"unknown": "choices", "position_aware": True},
}
SHRUNK = 1.0
"""Regularisation of the pull of places in the last of them."""
CLIPS = (3.0, 10.0, 30.0)
LUCK = float(digamma(8.0) - np.log(8.0))
"""Mean log of the luck of views, a gamma of shape 8 and mean 1 (`features.simulate.outcomes`)."""
PARTS = ("outcomes", "choices", "estimates")
TRUTH, PREFERENCE = "truth", "preference"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=600)
    parser.add_argument("--briefs", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--attention", type=float, nargs="+", default=[0.0, 1.0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    print(
        f"\n{arguments.kols:,} KOLs, {arguments.briefs:,} briefs, seeds {arguments.seeds}: "
        "means over worlds"
    )
    for attention in arguments.attention:
        print(f"\n## attention {attention:g}")
        found = [measure(arguments, seed, attention) for seed in arguments.seeds]
        tables = [pd.concat(part[0]) for part in found if part[0]]
        if "outcomes" in arguments.parts:
            print(f"\nNDCG@10 against the truth, and the difference to {NAIVE}\n")
            print(_rankings(tables, TRUTH, NAIVE).round(3).to_markdown(index=False))
            print("\nLog of forecast views, whole rosters of test briefs: error\n")
            print(_mean(part[1] for part in found).round(3).to_markdown())
        if "choices" in arguments.parts:
            print(f"\nNDCG@10 against the truth, and the difference to {CHOICES}\n")
            print(_rankings(tables, TRUTH, CHOICES).round(3).to_markdown(index=False))
            print("\nNDCG@10 against the agency's preference, lists of test briefs\n")
            print(_rankings(tables, PREFERENCE, CHOICES).round(3).to_markdown(index=False))
        if "estimates" in arguments.parts:
            print("\nMean log views of everybody on the lists, from those who delivered: error\n")
            print(_mean(part[2] for part in found).round(3).to_markdown())


def measure(
    arguments: argparse.Namespace, seed: int, attention: float
) -> tuple[list[pd.DataFrame], pd.DataFrame, pd.DataFrame]:
    """Train the variants on one world; return metrics by brief, errors of views, estimates."""
    started = time.perf_counter()
    world = simulate(arguments.kols, arguments.briefs, seed, attention=attention)
    tables = world.tables
    base = Config(seed=seed).with_spaces(tables)
    embeddings = Embeddings(SentenceEncoder(base.encoder), VectorStore(arguments.vectors))
    history, pipeline = History(tables), FeaturePipeline(base.features, embeddings)
    plan = plan_by_time(tables, base)
    measured, errors = [], pd.DataFrame()
    for part in ("outcomes", "choices"):
        if part not in arguments.parts:
            continue
        names = [
            n for n, changes in VARIANTS.items() if ("unknown" in changes) == (part == "choices")
        ]
        # Those on the lists are in the examples whether a variant counts them or not.
        wide = _config(base, VARIANTS[names[0]] | {"passed_over": 1.0})
        examples, learned = plan_examples(plan, history, pipeline, wide)
        fitted = {}
        for name in names:
            config = _config(base, VARIANTS[name], SHRUNK if name.endswith("shrunk") else 0.0)
            fitted[name] = fit_matcher(examples, plan, config, learned)
        _say(seed, attention, f"{len(fitted)} models trained", started)
        evaluation, views = _against_truth(world, plan, history, learned, fitted, base)
        measured.append(evaluation.per_brief)
        if part == "outcomes":
            errors = pd.DataFrame(views).T
        else:
            listed = examples.of(plan.briefs("test"))
            preferred = _against_preference(listed, fitted, tables, attention)
            measured.append(preferred.per_brief)
        _say(seed, attention, "measured", started)
    # The same names are other briefs and brands in another world.
    told = [
        table.assign(
            brief_id=f"{seed}-" + table["brief_id"], brand_id=f"{seed}-" + table["brand_id"]
        )
        for table in measured
    ]
    return told, errors, estimates(world)


def estimates(world: World) -> pd.DataFrame:
    """Estimate what everybody on the lists would bring from those who were chosen.

    Returns
    -------
    DataFrame
        Indexed by estimate: the error of mean log views and of mean log views per CNY, and how
        many collaborations of equal weight theirs are worth. The log tells the chance of being
        contacted; the last estimate also knows what no log tells, the true chances of accepting
        and delivering.
    """
    tables = world.tables
    told = outcome_values(tables, 30).merge(choices(tables), on=["brief_id", "kol_id"])
    told = told[(told["choice"] == CHOSEN) & told["cost"].notna()]
    listed = tables.collaborations[["brief_id", "kol_id", "mode", "currency"]]
    # Lists of the last weeks have no ripe outcomes, of anybody.
    listed = listed[listed["brief_id"].isin(told["brief_id"])].reset_index(drop=True)
    truth = world.truth(listed)
    price = truth["price"] * listed["currency"].map({"CNY": 1.0, "USD": CNY_PER_USD})
    true_views = np.log(truth["views"]) + LUCK
    aims = {
        "log views": true_views.mean(),
        "log views per CNY": (true_views - np.log(price)).mean(),
    }

    views = np.log(told["views"] + 0.5)
    seen = {"log views": views, "log views per CNY": views - np.log(told["cost"])}
    weights = {"naive": pd.Series(1.0, index=told.index)}
    weights |= {
        f"weights, clip {clip:g}": inverse_propensity(told["propensity"], clip) for clip in CLIPS
    }
    yes = truth.assign(**listed).set_index(["brief_id", "kol_id"])[["accept", "deliver"]]
    yes = yes.loc[pd.MultiIndex.from_frame(told[["brief_id", "kol_id"]])].prod(axis=1).to_numpy()
    weights["and true chances of yes"] = inverse_propensity(told["propensity"] * yes, 1e9)
    rows = {}
    for name, weight in weights.items():
        errors = {k: np.average(v, weights=weight) - aims[k] for k, v in seen.items()}
        size = weight.sum() ** 2 / (weight**2).sum()
        rows[name] = errors | {"outcomes": len(told), "effective": size}
    return pd.DataFrame(rows).T


def _against_truth(
    world: World,
    plan: Plan,
    history: History,
    pipeline: FeaturePipeline,
    fitted: dict[str, Matcher],
    config: Config,
) -> tuple[Evaluation, dict[str, dict[str, float]]]:
    """Rank the whole rosters of the test briefs, and forecast everybody's views."""
    briefs = world.tables.briefs.set_index("brief_id")
    as_of = plan_times(plan, history)
    lists, off = [], {name: [] for name in fitted}
    for found in candidates(as_of, history, pipeline, config):
        asked = found.pairs[["brief_id", "kol_id"]].assign(mode=found.offers["mode"])
        truth = world.truth(asked)
        grades = true_grades(truth["value_per_cost"], found.pairs["brief_id"])
        lists.append((found.pairs, found.signals, grades))
        for name, matcher in fitted.items():
            views = matcher.score(found.signals)["views"]
            off[name].append(np.log(views) - np.log(truth["views"]) - LUCK)
    errors = {}
    for name, parts in off.items():
        error = pd.concat(parts)
        errors[name] = {"bias": error.mean(), "spread": error.std(), "pairs": len(error)}
    return rank_lists(lists, _scores(fitted), briefs["brand_id"], TRUTH), errors


def _against_preference(
    test: Examples, fitted: dict[str, Matcher], tables: Tables, attention: float
) -> Evaluation:
    """Order the lists of test briefs, graded by whom the agency would choose at equal places."""
    test = test.where((test.pairs["choice"] != "").to_numpy())
    chance = test.pairs["propensity"] * test.pairs["position"] ** attention
    grades = true_grades(chance, test.pairs["brief_id"])
    brands = tables.briefs.set_index("brief_id")["brand_id"]
    return rank_lists([(test.pairs, test.signals, grades)], _scores(fitted), brands, PREFERENCE)


def _scores(fitted: dict[str, Matcher]) -> dict[str, Score]:
    return {
        name: lambda pairs, signals, m=matcher: m.score(signals)["score"].to_numpy()
        for name, matcher in fitted.items()
    }


def plan_times(plan: Plan, history: History) -> pd.DataFrame:
    """Return the test briefs and when each was decided."""
    times = question_times(history.tables)[plan.briefs("test")]
    return times.rename("as_of").rename_axis("brief_id").reset_index()


def _config(base: Config, changes: dict[str, Any], shrink: float = 0.0) -> Config:
    training = TrainingConfig.model_validate(base.training.model_dump() | changes)
    ranker = base.ranker.model_copy(update={"position_regularization": shrink})
    return base.model_copy(update={"training": training, "ranker": ranker})


def _rankings(tables: list[pd.DataFrame], view: str, plain: str) -> pd.DataFrame:
    """Return means over briefs of all worlds, and 95% intervals of the differences over brands."""
    table = pd.concat(tables, ignore_index=True)
    # Models that learn from choices are compared among each other.
    table = table[table["ranker"].str.startswith(CHOICES) == (plain == CHOICES)]
    table = table[table["view"] == view]
    means = table.groupby("ranker")[HEADLINE].mean()
    pooled = Evaluation(table.assign(ranker=table["ranker"].replace(plain, MODEL)))
    against = pooled.comparison(view).set_index("ranker")
    rows = []
    for name in (name for name in VARIANTS if name in means):
        row: dict[str, Any] = {"model": name, "NDCG@10": means[name]}
        if name != plain:
            less = against.loc[name]
            row |= {"difference": -less["difference"], "low": -less["high"], "high": -less["low"]}
        rows.append(row)
    return pd.DataFrame(rows)


def _mean(parts: Any) -> pd.DataFrame:
    """Return means over worlds, with the mean size of the errors and how far it is reduced."""
    worlds = list(parts)
    stack = pd.concat(worlds, keys=range(len(worlds)), names=["world"])
    told = stack.groupby(level=1, sort=False).mean()
    for column in [c for c in stack if c.startswith(("log", "bias"))]:
        size = stack[column].abs().groupby(level=1, sort=False).mean()
        told[f"size of {column}"] = size
        told[f"{column}, times less"] = size.iloc[0] / size
    return told


def _say(seed: int, attention: float, what: str, started: float) -> None:
    spent = time.perf_counter() - started
    print(f"seed {seed}, attention {attention:g}: {what} after {spent:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
