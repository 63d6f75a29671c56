"""Test the gate: how often does it let pass what is luck, what is broken, and what is better.

In each simulated world many models are fitted on the same examples and compared pairwise by
`training.gate.decide`, exactly as ``kolmatch promote`` does it:

* ``A/A``: the same recipe with another seed, each on its own random 80% of the training briefs.
  Neither is better; what passes is luck.
* planted degradations, of a challenger that is otherwise an A/A model, or better than that:
  ``shuffled labels`` (outcomes dealt to other pairs before training); ``stale features`` (of some
  families the challenger, and in every other case the champion too, reads nothing, one value,
  another pair's, or those of half a year ago); ``leaked column`` (a signal tells the grade, more
  or less noisily, when the challenger learns and when both are judged); and ``broken slice`` (one
  goal, vertical or platform with 8 briefs or more is ranked the wrong way round; everywhere else
  the champion is the same model plus noise as below, so that the challenger is better there).
* ``better``: a champion that is a good model plus noise, as much of it that the challenger's lead,
  averaged over noise, is the smallest that the gate's power analysis says these briefs would show
  80% of the time.

    python benchmarks/gate.py --worlds 8 --out gate.jsonl

Results are written as they come; run again, it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.encoder import SentenceEncoder
from features.history import TIER_FLOORS, History, tier_codes
from features.pipeline import FeaturePipeline
from features.simulate import simulate
from features.vectors import Embeddings, VectorStore
from matcher.candidates import candidates
from matcher.config import Config, HeadConfig, RankerConfig, TrainingConfig
from matcher.model import Matcher
from training.contest import CHALLENGER, CHAMPION, Contest, Corner, deciding_view
from training.examples import Examples
from training.fit import Plan, fit_matcher, plan_by_time, plan_examples
from training.gate import decide
from training.guards import order_by_brief
from training.leaks import carrying
from training.significance import minimum_detectable_effect
from training.slices import LEAST_BRANDS, slices_of
from training.summary import SignalSummary

KOLS, BRIEFS = 600, 200
TAUGHT = 0.8
"""Share of the training briefs that each model learns from."""
MODELS, DEGRADED, IMPROVED = 26, 7, 8
"""Comparisons a world: A/A, of each degradation, and with a better model."""
BROKEN_BRIEFS = 8
"""Briefs in which a slice that is broken must at least be asked about."""
LISTED = 8
"""Briefs whose whole rosters are ranked for the exposure guard."""
# Smaller forests than the default: hundreds are fitted, and the gate does not care.
CONFIG = Config(
    forecast=HeadConfig(trees=60, learning_rate=0.1),
    ranker=RankerConfig(trees=60, learning_rate=0.1, patience=20),
    training=TrainingConfig(folds=3),
)
OUTCOME = ["grade", "success", "achieved", "views", "engagements", "spread", "clicks", "orders"]
AGE = pd.Timedelta(days=180)


@dataclass(frozen=True)
class Arena:
    """One world, and what every comparison in it shares."""

    seed: int
    history: History
    plan: Plan
    examples: Examples
    pipeline: FeaturePipeline
    judging: Examples
    rosters: pd.DataFrame
    roster_signals: pd.DataFrame
    summary: SignalSummary

    def rng(self, *place: int) -> np.random.Generator:
        """Return the source of luck of one place in this world."""
        return np.random.default_rng([self.seed, *place])

    def fit(self, number: int, examples: Examples | None = None) -> Matcher:
        """Fit one model of the recipe, on its own briefs with its own seed."""
        train = self.plan.briefs("train")
        keep = self.rng(1, number).random(len(train)) < TAUGHT
        part = self.plan.part.drop(train[~keep])
        plan = replace(self.plan, part=part)
        config = CONFIG.model_copy(update={"seed": number}).with_spaces(self.history.tables)
        return fit_matcher(examples or self.examples, plan, config, self.pipeline)

    def corner(self, matcher: Matcher, signals: pd.DataFrame | None = None) -> Corner:
        """Let a model score the pairs that judge, by their own signals or by given ones."""
        return Corner.of(matcher, self.judging.signals if signals is None else signals)

    def listed(self, matcher: Matcher, signals: pd.DataFrame | None = None) -> pd.Series[Any]:
        """Let a model score whole rosters."""
        return matcher.score(self.roster_signals if signals is None else signals)["score"]

    def contest(self, challenger: Corner, champion: Corner, lists: tuple[Any, Any]) -> Contest:
        """Bring two models before the briefs that judge."""
        rosters = self.rosters.assign(**{CHALLENGER: lists[0], CHAMPION: lists[1]})
        view = deciding_view(self.judging, CONFIG)
        return Contest(self.judging.pairs, challenger, champion, view, rosters, self.history)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="seed of the first world")
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    parser.add_argument(
        "--out", type=Path, default=Path("gate.jsonl"), help="results, line by line"
    )
    arguments = parser.parse_args()
    for seed in range(arguments.first, arguments.first + arguments.worlds):
        done = {tuple(row["id"]) for row in _read(arguments.out)}
        if sum(place[0] == seed for place in done) < MODELS + 4 * DEGRADED + IMPROVED:
            run(arena(seed, arguments.vectors), arguments.out, done)
    report(pd.DataFrame(_read(arguments.out)))


def arena(seed: int, vectors: Path | None) -> Arena:
    """Simulate a world and compute every signal that its comparisons read."""
    started = time.perf_counter()
    world = simulate(kols=KOLS, briefs=BRIEFS, seed=seed)
    tables = world.tables
    config = CONFIG.with_spaces(tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(vectors))
    history = History(tables)
    pipeline = FeaturePipeline(config.features, embeddings)
    plan = plan_by_time(tables, config)
    examples, pipeline = plan_examples(plan, history, pipeline, config)
    train = examples.of(plan.briefs("train"))
    judging = examples.of(plan.briefs("test"))
    judging = Examples(judging.pairs.reset_index(drop=True), judging.signals.reset_index(drop=True))
    asked = judging.known.pairs[["brief_id", "as_of"]].drop_duplicates("brief_id")
    at = np.linspace(0, len(asked) - 1, LISTED).round().astype(int)
    parts = list(candidates(asked.iloc[at], history, pipeline, config))
    rosters = pd.concat([part.pairs for part in parts], ignore_index=True)
    followers = pd.concat([part.roster["followers"] for part in parts], ignore_index=True)
    tier = pd.Series(tier_codes(followers.to_numpy(dtype=float)))
    rosters = rosters.assign(tier=tier.map(dict(enumerate(TIER_FLOORS))), gain=0.0)
    _say(seed, f"examples after {time.perf_counter() - started:.0f} s")
    return Arena(
        seed,
        history,
        plan,
        examples,
        pipeline,
        judging,
        rosters,
        pd.concat([part.signals for part in parts], ignore_index=True),
        SignalSummary.of(train.signals, train.pairs["brief_id"]),
    )


def run(world: Arena, out: Path, done: set[tuple[Any, ...]]) -> None:
    """Make every comparison of a world that has not been made."""
    started = time.perf_counter()
    models = [world.fit(number) for number in range(MODELS)]
    _say(world.seed, f"{MODELS} models after {time.perf_counter() - started:.0f} s")
    corners = [world.corner(model) for model in models]
    lists = [world.listed(model) for model in models]
    plain = list(zip(corners, lists, strict=True))
    for kind, comparisons in (
        ("broken slice", _broken_slice(world, plain)),
        ("better", _better(world, plain)),
        ("A/A", _same(world, plain)),
        ("stale features", _stale(world, plain)),
        ("shuffled labels", _shuffled(world, plain)),
        ("leaked column", _leaked(world, plain)),
    ):
        for number, (detail, make) in enumerate(comparisons):
            place = (world.seed, kind, number)
            if place in done:
                continue
            made = make()
            met, summary = made if isinstance(made, tuple) else (made, world.summary)
            _, checks = decide(met, CONFIG.gate, summary)
            figures = {check.name: dict(check.figures) for check in checks}["gain"]
            row = {
                "id": place,
                "world": world.seed,
                "kind": kind,
                "detail": detail,
                "refused": [check.name for check in checks if not check.passed],
                "words": [check.words for check in checks if not check.passed],
                **{name: figures[name] for name in ("lead", "low", "detectable", "briefs")},
            }
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        _say(world.seed, f"{kind} after {time.perf_counter() - started:.0f} s")


Plain = list[tuple[Corner, "pd.Series[Any]"]]
Comparisons = Iterator[tuple[str, Callable[[], "Contest | tuple[Contest, SignalSummary]"]]]


def _same(world: Arena, plain: Plain) -> Comparisons:
    for number, (corner, listed) in enumerate(plain):
        other, others = plain[(number + 1) % len(plain)]
        yield "", partial(world.contest, corner, other, (listed, others))


def _pair(plain: Plain, number: int) -> tuple[Matcher, Corner, Any, Any]:
    """Return a challenger's model and lists, and a champion's corner and lists."""
    (corner, listed), (other, others) = plain[number], plain[number + DEGRADED]
    return corner.matcher, other, listed, others


def _stale(world: Arena, plain: Plain) -> Comparisons:
    modes = ("unknown", "one value", "of other pairs", "half a year old")
    for number in range(DEGRADED):
        matcher, other, _, others = _pair(plain, number)
        rng, mode = world.rng(2, number), modes[(number + world.seed) % len(modes)]
        families = list(dict.fromkeys(name.split(".")[0] for name in carrying(matcher).index))
        family = families[int(rng.integers(min(3, len(families))))]
        both = number % 2 == 1
        detail = f"{mode}, {'both' if both else 'challenger'}: {family}"

        def make(
            matcher: Matcher = matcher,
            other: Corner = other,
            others: Any = others,
            both: bool = both,
            spoil: Any = (mode, family, rng),
        ) -> Contest:
            judged = _spoilt(world, world.judging.pairs, world.judging.signals, *spoil)
            listed = _spoilt(world, world.rosters, world.roster_signals, *spoil)
            if both:
                others = world.listed(other.matcher, listed)
                other = world.corner(other.matcher, judged)
            own = world.corner(matcher, judged)
            return world.contest(own, other, (world.listed(matcher, listed), others))

        yield detail, make


def _spoilt(
    world: Arena,
    pairs: pd.DataFrame,
    signals: pd.DataFrame,
    mode: str,
    family: str,
    rng: np.random.Generator,
) -> pd.DataFrame:
    if mode == "half a year old":
        return world.pipeline.transform(pairs.assign(as_of=pairs["as_of"] - AGE), world.history)
    columns = [name for name in signals if name.startswith(f"{family}.")]
    if mode == "unknown":
        return signals.assign(**dict.fromkeys(columns, np.nan))
    if mode == "one value":
        return signals.assign(**{name: signals[name].median() for name in columns})
    order = rng.permutation(len(signals))
    return signals.assign(**{name: signals[name].to_numpy()[order] for name in columns})


def _broken_slice(world: Arena, plain: Plain) -> Comparisons:
    pairs = world.judging.pairs
    labels = slices_of(pairs, world.history)
    tried = (pairs["known"] & ~pairs["judged"]).to_numpy(dtype=bool)
    found = []
    for dimension in ("goal", "vertical", "platform"):
        for value in sorted(labels[dimension].dropna().unique()):
            inside = (labels[dimension] == value).to_numpy()[tried]
            asked = order_by_brief(pairs[tried], np.zeros(tried.sum()), inside).index
            brands = pairs.drop_duplicates("brief_id").set_index("brief_id")["brand_id"][asked]
            if len(brands) >= BROKEN_BRIEFS and brands.nunique() >= LEAST_BRANDS:
                found.append((dimension, value))
    rng = world.rng(3)
    spread = _noise_for_power(world, plain[0][0])
    for number in range(DEGRADED):
        dimension, value = found[int(rng.integers(len(found)))]
        matcher, _, listed, _ = _pair(plain, number)
        noise = rng.normal(0, spread, len(tried))
        reversed_ = (labels[dimension] == value).to_numpy()

        def make(
            matcher: Matcher = matcher,
            listed: Any = listed,
            wrong: Any = reversed_,
            noise: Any = noise,
        ) -> Contest:
            own = world.corner(matcher)
            score = own.scored["score"].to_numpy()
            broken = replace(own, scored=own.scored.assign(score=np.where(wrong, -score, score)))
            noisy = np.where(wrong, score, score + noise)
            weak = replace(own, scored=own.scored.assign(score=noisy))
            return world.contest(broken, weak, (listed, listed))

        yield f"{dimension}: {value}", make


def _better(world: Arena, plain: Plain) -> Comparisons:
    for number in range(IMPROVED):
        corner, listed = plain[number]
        rng = world.rng(4, number)
        spread = _noise_for_power(world, corner)
        noise = rng.normal(0, spread, len(corner.scored))

        def make(corner: Corner = corner, listed: Any = listed, noise: Any = noise) -> Contest:
            weak = replace(
                corner, scored=corner.scored.assign(score=corner.scored["score"] + noise)
            )
            return world.contest(corner, weak, (listed, listed))

        yield f"noise {spread:.2f}", make


def _noise_for_power(world: Arena, corner: Corner, draws: int = 24) -> float:
    """Return how much noise makes the mean lead over it the smallest detectable one."""
    rng = world.rng(5)
    pairs = world.judging.pairs
    tried = (pairs["known"] & ~pairs["judged"]).to_numpy(dtype=bool)
    rows, score = pairs[tried], corner.scored["score"].to_numpy()[tried]
    brands = rows.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
    noise = rng.normal(0, 1, (draws, len(rows)))
    own = _ndcg(rows, score)

    def excess(spread: float) -> float:
        """Return the mean over draws of the lead less what is asked of it."""
        over = []
        for drawn in noise:
            difference = own - _ndcg(rows, score + spread * drawn)
            smallest = minimum_detectable_effect(difference, brands, power=CONFIG.gate.power)
            asked = max(CONFIG.gate.tolerance + smallest, CONFIG.gate.least_gain)
            over.append(difference.mean() - asked)
        return float(np.mean(over))

    low, high = 0.0, 8.0
    for _ in range(7):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return high


def _ndcg(rows: pd.DataFrame, score: Any) -> pd.Series[float]:
    from training.metrics import Ranking, ndcg

    frame = rows[["brief_id", "kol_id"]].assign(score=score, gain=rows["grade"])
    tells = frame.groupby("brief_id")["gain"].transform("nunique") > 1
    ranking = Ranking.of(frame[tells])
    return pd.Series(ndcg(ranking, 10), index=ranking.brief_ids)


def _shuffled(world: Arena, plain: Plain) -> Comparisons:
    pairs = world.examples.pairs
    for number in range(DEGRADED):
        _, other, _, others = _pair(plain, number)

        def make(number: int = number, other: Corner = other, others: Any = others) -> Contest:
            rng, dealt = world.rng(6, number), pairs.copy()
            for _, rows in pairs[pairs["known"]].groupby("judged"):
                from_ = rng.permutation(rows.index.to_numpy())
                dealt.loc[rows.index, OUTCOME] = pairs.loc[from_, OUTCOME].to_numpy()
            dealt = dealt.astype({name: pairs[name].dtype for name in OUTCOME})
            matcher = world.fit(100 + number, Examples(dealt, world.examples.signals))
            return world.contest(world.corner(matcher), other, (world.listed(matcher), others))

        yield "", make


def _leaked(world: Arena, plain: Plain) -> Comparisons:
    for number in range(DEGRADED):
        model, other, _, _ = _pair(plain, number)
        rng = world.rng(7, number)
        weak = sorted(set(world.judging.signals) - set(carrying(model).index))
        column, error = weak[int(rng.integers(len(weak)))], (0.0, 0.5, 1.0)[number % 3]

        def make(
            number: int = number,
            other: Corner = other,
            leak: Any = (column, error, rng),
        ) -> tuple[Contest, SignalSummary]:
            column, error, rng = leak
            told = world.examples.pairs["grade"].where(world.examples.pairs["known"])
            told = told + rng.normal(0, error, len(told)) if error else told
            signals = world.examples.signals.assign(**{column: told})
            matcher = world.fit(200 + number, Examples(world.examples.pairs, signals))
            leaked = Examples(world.examples.pairs, signals)
            judged = leaked.of(world.plan.briefs("test")).signals.reset_index(drop=True)
            train = leaked.of(world.plan.briefs("train"))
            summary = SignalSummary.of(train.signals, train.pairs["brief_id"])
            own, rival = world.corner(matcher, judged), world.corner(other.matcher, judged)
            # Of KOLs that were never tried a leak tells nothing.
            listed = world.roster_signals.assign(**{column: np.nan})
            lists = (world.listed(matcher, listed), world.listed(other.matcher, listed))
            return world.contest(own, rival, lists), summary

        yield f"noise {error:g}: {column}", make


def report(results: pd.DataFrame) -> None:
    """Print what passed of each kind, and which checks refused the rest."""
    results["passed"] = results["refused"].map(len) == 0
    rows = []
    for kind, part in results.groupby("kind", sort=False):
        low, high = _wilson(int(part["passed"].sum()), len(part))
        rows.append(
            {
                "kind": kind,
                "comparisons": len(part),
                "passed": f"{part['passed'].mean():.1%}",
                "95% interval": f"{low:.1%} to {high:.1%}",
                "mean lead": part["lead"].mean(),
                "detectable": part["detectable"].mean(),
            }
        )
    worlds = results["world"].nunique()
    print(f"\n{len(results)} comparisons in {worlds} worlds of {KOLS} KOLs and {BRIEFS} briefs\n")
    print(pd.DataFrame(rows).round(3).to_markdown(index=False))
    print("\nShare of the comparisons that each check refused\n")
    told = results.explode("refused").dropna(subset="refused")
    counts = told.groupby(["kind", "refused"], sort=False).size().unstack(fill_value=0)
    shares = counts.div(results.groupby("kind").size(), axis=0).reindex(counts.index)
    print(shares.map(lambda share: f"{share:.0%}" if share else "").to_markdown())
    planted = results[results["detail"] != ""]
    planted = planted[~planted["kind"].isin(["better"])]
    variant = planted["detail"].str.split(":").str[0]
    by = planted.groupby([planted["kind"], variant])["passed"].agg(["size", "sum"])
    print("\nOf each variant, how many passed\n")
    print(by.set_axis(["comparisons", "passed"], axis=1).reset_index().to_markdown(index=False))


def _wilson(passed: int, of: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(passed, of).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _say(seed: int, what: str) -> None:
    print(f"world {seed}: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
