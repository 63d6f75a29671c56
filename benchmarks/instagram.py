"""Measure on real brands and influencers: whom does a brand that was never seen work with.

The public pairs of brands and the influencers they featured, brand-grouped 5-fold: each brand's
list ranks every influencer of the data set. The same code as ``kolmatch train --split brand``.

    python benchmarks/instagram.py                  # measure, print the table
    python benchmarks/instagram.py --write FOLDER   # only write canonical files, for the commands

A positive means that the brand featured the influencer; who was not featured is unknown, not bad.
The data set tells no times: every decision is dated alike, so nothing that other brands brought
counts as known.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.columns import EPOCH
from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate.export import write_tables
from features.tables import Tables
from features.vectors import Embeddings, VectorStore
from matcher.config import Config, TrainingConfig
from training.evaluate import MODEL, ROSTER, Evaluation, evaluate
from training.examples import Examples
from training.fit import Plan, fit_matcher, plan_examples, plans_by_brand

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "instagram_brand_influencer"
SHOWN = [
    *(MODEL, "plain LightGBM", "popularity", "random"),
    *("bio cosine", "topic cosine", "concept cosine", "vector sum"),
]
DECIDED = pd.Timestamp("2020-01-01", tz="UTC")
CONFIG = Config(training=TrainingConfig(unknown="negative", unknown_per_brief=60))
"""The data holds only collaborations that happened: being chosen is all there is to learn."""
SEEN = 1_000_000
"""Views that an engagement rate is told over; only its order within a brand matters."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--write", type=Path, help="only write canonical files to this folder")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"This benchmark needs the data set in {arguments.data}, which is not there.")
    tables = read(arguments.data)
    if arguments.write:
        write_tables(tables, arguments.write)
        return
    measure(tables, CONFIG.model_copy(update={"seed": arguments.seed}))


def read(folder: Path) -> Tables:
    """Read the data set as tables of the contract: a brand is a brief."""
    brands = pd.read_csv(folder / "brands.csv", dtype=str, keep_default_na=False)
    people = pd.read_csv(folder / "influencers.csv", dtype=str, keep_default_na=False)
    pairs = pd.read_csv(folder / "pairs.csv", dtype={"brand_id": str, "influencer_id": str})
    told = ["business_category", "bio_tokens", "bio_concepts"]
    briefs = pd.DataFrame(
        {
            "brief_id": "brand-" + brands["brand_id"],
            "brand_id": brands["brand_id"],
            "brand_name": brands["brand"],
            "text": brands[["brand", "category", *told]].agg(" ".join, axis=1),
            "language": "en",
            "goal": "engagement",
            "vertical": brands["category"],
            "platforms": [("instagram",)] * len(brands),
            "decided_at": DECIDED,
        }
    )
    kols = pd.DataFrame(
        {
            "kol_id": people["influencer_id"],
            "observed_at": DECIDED - pd.Timedelta(days=1),
            "platform": "instagram",
            "bio": people[told].agg(" ".join, axis=1).str.strip(),
            "language": "en",
        }
    )
    done = pd.DataFrame(
        {
            "collaboration_id": pairs["brand_id"] + "-" + pairs["influencer_id"],
            "brief_id": "brand-" + pairs["brand_id"],
            "kol_id": pairs["influencer_id"],
            "mode": "sponsorship",
            "status": "delivered",
            "shown_at": DECIDED,
            "signed_at": DECIDED,
            "published_at": DECIDED,
        }
    )
    outcomes = pd.DataFrame(
        {
            "collaboration_id": done["collaboration_id"],
            "horizon_days": 30,
            "measured_at": DECIDED + pd.Timedelta(days=30),
            "views": SEEN,
            "engagements": (pairs["endorsement_er"] * SEEN).round(),
        }
    )
    return Tables.of(
        briefs=briefs,
        kols=kols,
        collaborations=done,
        outcomes=outcomes,
        vectors=_vectors(folder / "vectors.npz"),
    )


def _vectors(path: Path) -> pd.DataFrame:
    held = np.load(path)
    frames = []
    for owner, theirs in (("brief", "brand"), ("kol", "influencer")):
        ids = held[f"{theirs}_id"].astype(str)
        names = [f"brand-{name}" for name in ids] if owner == "brief" else list(ids)
        for space in ("topic", "concept"):
            vectors = list(held[f"{theirs}_{space}"])
            # A row of zeros says nothing; the contract calls that null, by leaving it out.
            frame = pd.DataFrame({"owner": owner, "id": names, "space": space, "vector": vectors})
            frames.append(frame[[bool(np.any(vector)) for vector in vectors]])
    return pd.concat(frames).assign(observed_at=EPOCH)


def measure(tables: Tables, config: Config) -> None:
    """Run all folds and print the table."""
    config = config.with_spaces(tables)
    embeddings = Embeddings(SentenceEncoder(config.encoder), VectorStore())
    history = History(tables)
    pipeline = FeaturePipeline(config.features, embeddings)
    found = []
    for plan in plans_by_brand(tables, config):
        examples, learned = plan_examples(plan, history, pipeline, config)
        matcher = fit_matcher(examples, plan, config, learned)
        others = _others(tables, examples, plan, config)
        test = examples.of(plan.briefs("test"))
        evaluation = evaluate(matcher, test, history, learned, others=others)
        found.append(evaluation.per_brief)
        print(f"{plan.name} done", file=sys.stderr)
    evaluation = Evaluation(pd.concat(found, ignore_index=True))
    # Without posts, prices or past results the rules that need them cannot tell anybody apart.
    shown = evaluation.per_brief["ranker"].isin(SHOWN)
    evaluation = Evaluation(evaluation.per_brief[shown])
    columns = ["ndcg@10", "recall@50", "auc", "first_positive_rank"]
    print(evaluation.summary(ROSTER)[columns].round(3).to_markdown())
    print()
    print(evaluation.comparison(ROSTER).round(3).to_markdown(index=False))
    print(f"\n{MODEL} minus ranker, NDCG@10, 95% interval over brands; seed {config.seed}")


def _others(tables: Tables, examples: Examples, plan: Plan, config: Config) -> Mapping[str, Any]:
    """Return peers that must see the training brands: popularity and a plain LightGBM ranker."""
    import lightgbm as lgb

    train = examples.of(plan.briefs("train"))
    positives = train.pairs.loc[train.pairs["known"], "kol_id"].value_counts()
    columns = [c for c in train.signals if c.startswith("vectors.")]
    width = _raw(tables, train.pairs)
    order = np.argsort(train.pairs["brief_id"].to_numpy(dtype=object), kind="stable")
    plain = lgb.LGBMRanker(n_estimators=100, random_state=config.seed, verbosity=-1)
    plain.fit(
        np.hstack([train.signals[columns], width])[order],
        (train.pairs["known"].to_numpy(dtype=int))[order],
        group=train.pairs["brief_id"].iloc[order].value_counts(sort=False).to_numpy(),
    )
    cosines = {
        "bio cosine": "content.bio",
        "topic cosine": "vectors.topic_cosine",
        "concept cosine": "vectors.concept_cosine",
    }
    by_cosine = {
        name: lambda pairs, signals, c=column: signals[c].fillna(-1).to_numpy()
        for name, column in cosines.items()
    }
    return by_cosine | {
        "popularity": lambda pairs, signals: pairs["kol_id"].map(positives).fillna(0).to_numpy(),
        "plain LightGBM": lambda pairs, signals: np.asarray(
            plain.predict(np.hstack([signals[columns], _raw(tables, pairs)]))
        ),
    }


def _raw(tables: Tables, pairs: pd.DataFrame) -> Any:
    """Return the topic weights of both sides next to each other, shape (n, 38)."""
    topic = tables.vectors[tables.vectors["space"] == "topic"]
    sides = []
    for owner, column in (("brief", "brief_id"), ("kol", "kol_id")):
        rows = topic[topic["owner"] == owner].set_index("id")["vector"]
        matrix = np.vstack([*rows, np.full_like(rows.iloc[0], np.nan)])
        place = pd.Series(range(len(rows)), index=rows.index).reindex(pairs[column])
        sides.append(matrix[place.fillna(len(rows)).astype(int).to_numpy()])
    return np.hstack(sides)


if __name__ == "__main__":
    main()
