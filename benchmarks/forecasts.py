"""Measure what forecasts of a collaboration are worth, on outcomes of simulated worlds.

For each seed a market is simulated and a model is trained on its past exactly as ``kolmatch train``
does it. What it says of the collaborations of test briefs (decided after the cut) is held against
what they brought; prices are what was paid.

    python benchmarks/forecasts.py --kols 600 --briefs 200 --seeds 0 1 2 --out forecasts

What each seed told is kept in the folder ``--out``; run again, seeds that are there are not run
anew, and all of them are reported.

Simple rules to beat: the KOL's own recent posts (their median and tenth and ninetieth percentile of
views; their engagement rate), and base rates of all training collaborations.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept import kept

from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import simulate
from features.tables import Tables
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from matcher.model import Matcher
from matcher.returns import returns
from training.calibration import brier_score, calibration_error, noise_floor, poisson_deviance
from training.coverage import PIT, coverage, future_masses, pinball_loss, randomised_coverage
from training.examples import Examples
from training.fit import Plan, fit_plan, plan_by_time
from training.labels import WHENEVER
from training.responses import answers_of
from training.shared_luck import shared_luck

INTERVALS = ("views", "engagements", "orders", "gmv", "cpm", "roi")
RATES = {
    "engagement_rate": ("engagements", "views"),
    "ctr": ("clicks", "views"),
    "cvr": ("orders", "clicks"),
    "refund_rate": ("returned", "orders"),
}
FIRST = "pooled"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=600)
    parser.add_argument("--briefs", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    parser.add_argument("--out", type=Path, help="keep what each seed told in this folder")
    arguments = parser.parse_args()
    told = [once(arguments, seed) for seed in arguments.seeds]
    report([tried for tried, _ in told], [asked for _, asked in told], arguments)


def once(arguments: argparse.Namespace, seed: int) -> tuple[pd.DataFrame, ...]:
    """Return what `measure` does, from the folder where it is there already."""
    name = f"{arguments.kols}x{arguments.briefs}-{seed}"
    return kept(arguments.out, name, ("tried", "asked"), lambda: measure(arguments, seed))


def measure(arguments: argparse.Namespace, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train on one world; return test outcomes and test answers, each beside its forecast."""
    started = time.perf_counter()
    tables = simulate(kols=arguments.kols, briefs=arguments.briefs, seed=seed).tables
    config = Config(seed=seed).with_spaces(tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(arguments.vectors))
    history, pipeline = History(tables), FeaturePipeline(config.features, embeddings)
    plan = plan_by_time(tables, config)
    fit = fit_plan(plan, history, pipeline, config)
    tried = tried_pairs(fit.matcher, fit.examples, plan, tables)
    known_before = pd.Series(WHENEVER, index=plan.briefs("test"))
    answers = answers_of(history, fit.pipeline, known_before)
    asked = answers.pairs.assign(accept=fit.matcher.score(answers.signals)["accept"])
    taught = answers_of(history, fit.pipeline, plan.known_before[plan.briefs("train")])
    asked["base"] = taught.accepted.mean()
    print(f"seed {seed}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return tried.assign(seed=seed), asked.assign(seed=seed)


def tried_pairs(matcher: Matcher, examples: Examples, plan: Plan, tables: Tables) -> pd.DataFrame:
    """Return each outcome of a test brief beside its forecasts and those of simple rules."""
    outcomes = examples.known.where(~examples.known.pairs["judged"].to_numpy(dtype=bool))
    taught, test = outcomes.of(plan.briefs("train")), outcomes.of(plan.briefs("test"))
    paid = tables.collaborations.query("status == 'delivered'").drop_duplicates(
        ["brief_id", "kol_id"]
    )
    key = pd.MultiIndex.from_frame(test.pairs[["brief_id", "kol_id"]])
    paid = paid.set_index(["brief_id", "kol_id"])[["cost", "currency"]].reindex(key)
    asked = test.pairs[["brief_id", "kol_id"]].assign(
        price=paid["cost"].to_numpy(), currency=paid["currency"].to_numpy()
    )
    assert matcher.forecaster is not None
    brings = returns(
        matcher.forecaster,
        test.signals,
        asked,
        draws=matcher.config.serving.draws,
        seed=matcher.config.seed,
    )
    pairs, price = test.pairs, asked["price"]
    kept = pairs["gmv"] * (1 - (pairs["returned"] / pairs["orders"]).fillna(0.0))
    margin = test.signals["brief.gross_margin"]
    came = {
        "cpm": price / pairs["views"].clip(lower=1) * 1000,
        "roi": (kept * margin - price) / price,
    }
    told = matcher.score(test.signals).drop(columns="score")
    if matcher.forecaster.order_value is not None:
        product = np.exp(test.signals["brief.product_price"].to_numpy())
        worth, _ = matcher.forecaster.order_value(product, asked["currency"])
        told["order_value"] = np.exp(worth)
    frame = pd.concat([pairs.assign(**came), told, brings], axis=1)
    forecasts = frame.assign(price=asked["price"], currency=asked["currency"])
    masses = future_masses(
        matcher.forecaster,
        test.signals,
        forecasts,
        draws=matcher.config.serving.draws,
        seed=matcher.config.seed,
    )
    return frame.join(masses).assign(**_rules(taught, test))


def _rules(taught: Examples, test: Examples) -> dict[str, Any]:
    """Return what simple rules say: the KOL's own recent posts, and training's base rates."""
    signals, past = test.signals, taught.pairs
    middle = signals["reach.median_views"].fillna(np.log(past["views"].median()))
    low = signals["reach.low_views"].fillna(middle)
    rules = {
        "own_views_p10": np.expm1(low),
        "own_views_p50": np.expm1(middle),
        "own_views_p90": np.expm1(low + signals["reach.spread"].fillna(0.0)),
        "own_engagement_rate": signals["engagement.rate"],
    }
    for end, share in ((10, 0.1), (50, 0.5), (90, 0.9)):
        for name in ("views", "engagements", "orders", "gmv"):
            rules[f"base_{name}_p{end}"] = float(past[name].quantile(share))
    for name, (count, exposure) in RATES.items():
        rules[f"base_{name}"] = float(past[count].sum() / past[exposure].sum())
    return rules


def report(
    tried: list[pd.DataFrame], asked: list[pd.DataFrame], arguments: argparse.Namespace
) -> None:
    """Print every table."""
    every, answers = pd.concat(tried, ignore_index=True), pd.concat(asked, ignore_index=True)
    size = f"{arguments.kols:,} KOLs, {arguments.briefs} briefs, {len(tried)} seeds"
    print(f"\n{len(every):,} test outcomes and {len(answers):,} answers; {size}\n")
    title = "Coverage of the intervals from P10 to P90 (nominal: as stated; .8 where randomised)"
    _show(title, _coverages(every))
    _show("Pinball loss on logs, lower is better", _pinballs(every), index=True)
    _show("Rates: Poisson deviance, lower is better", _deviances(every), index=True)
    _show("Probabilities", _chances(every, answers), index=True)
    _show("Order value and refunds", _errors(every))


def _show(title: str, table: pd.DataFrame, index: bool = False) -> None:
    print(f"\n{title}\n\n{table.round(4).to_markdown(index=index)}")


def _coverages(every: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name in INTERVALS:
        low, came, high = every[f"{name}_p10"], every[name], every[f"{name}_p90"]
        by_seed = [
            coverage(part[f"{name}_p10"], part[name], part[f"{name}_p90"])
            for _, part in every.groupby("seed")
        ]
        known = low.notna() & came.notna() & high.notna()
        # A count often is its own P10, such as 0: within, yet no evidence of a wide interval.
        ties = (np.isclose(came, low) | np.isclose(came, high))[known].mean()
        rows.append(
            {
                "figure": name,
                "outcomes": int(known.sum()),
                FIRST: coverage(low, came, high),
                "stated": every.loc[known, f"{name}_stated"].mean(),
                "randomised": randomised_coverage(*(every[f"{name}{end}"] for end in PIT)),
                "ends count half": coverage(low, came, high) - ties / 2,
                "below P10": (came < low)[known].mean(),
                "above P90": (came > high)[known].mean(),
                "lowest seed": min(by_seed),
                "median seed": float(np.median(by_seed)),
                "highest seed": max(by_seed),
            }
        )
    return pd.DataFrame(rows)


def _pinballs(every: pd.DataFrame) -> pd.DataFrame:
    """Return the mean pinball loss of three quantiles, on ``log(1 + x)``: KOLs differ in size."""
    rows = {}
    for name in ("views", "engagements", "orders", "gmv"):
        rules = {"kolmatch": name, "base rate": f"base_{name}"}
        if name == "views":
            rules["own recent posts"] = "own_views"
        rows[name] = {
            rule: np.mean(
                [
                    pinball_loss(np.log1p(every[name]), np.log1p(every[f"{of}_p{end}"]), end / 100)
                    for end in (10, 50, 90)
                ]
            )
            for rule, of in rules.items()
        }
    return pd.DataFrame(rows).T


def _deviances(every: pd.DataFrame) -> pd.DataFrame:
    rows = {}
    for name, (count, exposure) in RATES.items():
        used = every[(every[exposure] > 0) & every[name].notna() & every[count].notna()]
        rules = {"kolmatch": name, "base rate": f"base_{name}"}
        if name == "engagement_rate":
            used = used[used["own_engagement_rate"].notna()]
            rules["own recent posts"] = "own_engagement_rate"
        rows[name] = {
            rule: poisson_deviance(used[column], used[count], used[exposure])
            for rule, column in rules.items()
        }
    return pd.DataFrame(rows).T


def _chances(every: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """Return calibration errors against what chance gives a perfect model, by seed and pooled.

    Luck is that of independent outcomes (``alone``), or shared by those of a brand or a brief.
    """
    rows = []
    for name, frame, came in (("fit", every, "success"), ("accept", answers, "accepted")):
        told = frame[frame[name].notna()]
        parts = [(FIRST, told), *((str(seed), part) for seed, part in told.groupby("seed"))]
        found = {part: _against_luck(some[name], some[came], some) for part, some in parts}
        seeds = pd.DataFrame([one for part, one in found.items() if part != FIRST])
        whole = found[FIRST]
        row: dict[str, Any] = {"chance": name, "pooled ECE": whole["ece"]}
        for luck in LUCK:
            row[f"floor, {luck}"] = whole[luck]
        row["median seed's ECE"] = seeds["ece"].median()
        for luck in LUCK:
            row[f"seeds below, {luck}"] = f"{(seeds['ece'] < seeds[luck]).sum()} of {len(seeds)}"
        base = told["base"] if "base" in told else np.full(len(told), 0.5)
        y = told[came].astype(float)
        row |= {"said less came": (told[name] - y).mean(), "Brier": brier_score(told[name], y)}
        rows.append(row | {"Brier of the base rate": brier_score(base, y)})
    # Beside words a column of figures is not rounded any more.
    return pd.DataFrame(rows).round(4).set_index("chance").T


LUCK = {"alone": None, "of a brand": "brand_id", "of a brief": "brief_id"}


def _against_luck(
    chance: pd.Series[Any], came: pd.Series[Any], frame: pd.DataFrame
) -> dict[str, float]:
    """Return the calibration error and its noise floor under each kind of `LUCK`."""
    y = came.astype(float)
    found = {"ece": calibration_error(chance, y)}
    for luck, column in LUCK.items():
        cluster = frame.groupby(["seed", column or "seed"]).ngroup()
        shared = shared_luck(chance, y, cluster) if column else 0.0
        found[luck] = noise_floor(chance, cluster=cluster, correlation=shared)
    return found


def _errors(every: pd.DataFrame) -> pd.DataFrame:
    sold = every[(every["orders"] > 0) & every["order_value"].notna()]
    per_order = np.log(sold["order_value"]) - np.log(sold["gmv"] / sold["orders"])
    typical = np.log(sold["gmv"] / sold["orders"])
    usual = typical - typical.groupby(sold["revenue_currency"]).transform("median")
    back = every[(every["orders"] > 0) & every["refund_rate"].notna()]
    total = back["orders"].sum()
    return pd.DataFrame(
        [
            {
                "figure": "order value, mean absolute log error",
                "kolmatch": per_order.abs().mean(),
                "base rate": usual.abs().mean(),
            },
            {
                "figure": "refunded share of all orders, forecast less actual",
                "kolmatch": (back["refund_rate"] * back["orders"] - back["returned"]).sum() / total,
                "base rate": (back["base_refund_rate"] * back["orders"] - back["returned"]).sum()
                / total,
            },
        ]
    )


if __name__ == "__main__":
    main()
