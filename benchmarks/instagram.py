"""Measure on real brands and influencers: whom does a brand that was never seen work with.

The public pairs of brands and the influencers they featured, brand-grouped 5-fold: each brand's
list ranks every influencer of the data set. The same code as ``kolmatch train --split brand``.

    python benchmarks/instagram.py                  # measure, print the table
    python benchmarks/instagram.py --write FOLDER   # only write canonical files, for the commands

A positive means that the brand featured the influencer; who was not featured is unknown, not bad.
The data set tells no times: every decision is dated alike, so nothing that other brands brought
counts as known.

Peers learn from the same training pairs: LightGBM, XGBoost and CatBoost rankers with their defaults
on the cosines and both sides' 19 topic weights, and LightFM's factorisation over the same topic
weights and categories. ``projected sum`` adds the cosines of the learned projections, with no
weights and no trees. ``taken last`` is no peer but a warning: the data set gives most influencers
to one brand alone, so putting those that a training brand featured at the end of a cosine's list
looks like skill and is none. Needs ``make peers``.
"""

from __future__ import annotations

import argparse
import sys
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
from training.baselines import vector_sum
from training.evaluate import MODEL, ROSTER, Evaluation, evaluate
from training.examples import Examples
from training.fit import Plan, fit_matcher, plan_examples, plans_by_brand

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "instagram_brand_influencer"
SHOWN = [
    *(MODEL, "projected sum", "vector sum", "topic cosine", "concept cosine", "bio cosine"),
    *("LightGBM", "XGBoost", "CatBoost", "LightFM", "popularity", "random", "taken last"),
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
    for metric in ("ndcg@10", "recall@50"):
        lead = evaluation.comparison(ROSTER, metric).drop(columns=["briefs", "brands"])
        print(f"{MODEL} minus ranker, {metric}, 95% interval over {len(tables.briefs)} brands\n")
        print(lead.round(3).to_markdown(index=False))
        print()


def _others(tables: Tables, examples: Examples, plan: Plan, config: Config) -> dict[str, Any]:
    """Return peers by name; most of them learn from the training brands."""
    train = examples.of(plan.briefs("train"))
    order = np.argsort(train.pairs["brief_id"].to_numpy(dtype=object), kind="stable")
    train = Examples(train.pairs.iloc[order], train.signals.iloc[order])
    positives = train.pairs.loc[train.pairs["known"], "kol_id"].value_counts()

    def plain(pairs: pd.DataFrame, signals: pd.DataFrame) -> Any:
        columns = [name for name in signals if name.startswith("vectors.")]
        return np.hstack([signals[columns], _raw(tables, pairs)])

    def taken_last(pairs: pd.DataFrame, signals: pd.DataFrame) -> Any:
        return vector_sum(pairs, signals) - 9.0 * pairs["kol_id"].isin(positives.index).to_numpy()

    others: dict[str, Any] = {
        name: lambda pairs, signals, c=column: signals[c].fillna(-1).to_numpy()
        for name, column in {
            "bio cosine": "content.bio",
            "topic cosine": "vectors.topic_cosine",
            "concept cosine": "vectors.concept_cosine",
        }.items()
    }
    others |= {
        "projected sum": lambda pairs, signals: (
            signals.filter(regex=r"^affinity\.cosine_").sum(axis=1).to_numpy()
        ),
        "popularity": lambda pairs, signals: pairs["kol_id"].map(positives).fillna(0).to_numpy(),
        "taken last": taken_last,
        "LightFM": _factorisation(tables, train, config.seed),
    }
    rows, label = plain(train.pairs, train.signals), train.pairs["known"].to_numpy(dtype=int)
    for name, predict in _forests(rows, label, train.pairs["brief_id"], config.seed).items():
        others[name] = lambda pairs, signals, p=predict: np.asarray(p(plain(pairs, signals)))
    return others


def _forests(rows: Any, label: Any, brief: pd.Series[Any], seed: int) -> dict[str, Any]:
    """Fit each library's ranker with its defaults; rows of one brief lie together."""
    import catboost
    import lightgbm as lgb
    import xgboost as xgb

    group = brief.value_counts(sort=False).to_numpy()
    query = np.repeat(np.arange(len(group)), group)
    light = lgb.LGBMRanker(n_estimators=100, random_state=seed, verbosity=-1)
    light.fit(rows, label, group=group)
    extreme = xgb.XGBRanker(objective="rank:ndcg", random_state=seed, n_jobs=1)
    extreme.fit(rows, label, qid=query)
    cat = catboost.CatBoostRanker(
        loss_function="YetiRank",
        iterations=300,
        random_seed=seed,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    )
    cat.fit(rows, label, group_id=query)
    return {"LightGBM": light.predict, "XGBoost": extreme.predict, "CatBoost": cat.predict}


def _factorisation(tables: Tables, train: Examples, seed: int) -> Any:
    """Fit LightFM (Kula, 2015), WARP loss, on what is known of brands and influencers.

    Neither has an indicator of its own: the tested brands are new, and one of an influencer could
    only learn that it is taken.
    """
    from lightfm import LightFM
    from scipy.sparse import csr_matrix

    briefs, kols = tables.briefs["brief_id"], pd.Series(tables.kols["kol_id"].unique())
    category = pd.get_dummies(tables.briefs["vertical"]).to_numpy(dtype=np.float32)
    sides = {
        "brief": csr_matrix(np.hstack([_topics(tables, "brief", briefs), category])),
        "kol": csr_matrix(_topics(tables, "kol", kols)),
    }
    row, column = pd.Index(briefs), pd.Index(kols)
    chosen = train.pairs[train.pairs["known"]]
    place = (row.get_indexer(chosen["brief_id"]), column.get_indexer(chosen["kol_id"]))
    shape = (len(row), len(column))
    seen = csr_matrix((np.ones(len(chosen), dtype=np.float32), place), shape=shape)
    model = LightFM(no_components=16, loss="warp", random_state=seed)
    features = {"user_features": sides["brief"], "item_features": sides["kol"]}
    model.fit(seen, epochs=30, num_threads=1, **features)

    def score(pairs: pd.DataFrame, signals: pd.DataFrame) -> Any:
        asked = row.get_indexer(pairs["brief_id"]).astype(np.int32)
        offered = column.get_indexer(pairs["kol_id"]).astype(np.int32)
        return model.predict(asked, offered, num_threads=1, **features)

    return score


def _raw(tables: Tables, pairs: pd.DataFrame) -> Any:
    """Return the topic weights of both sides next to each other, shape (n, 38)."""
    sides = (("brief", "brief_id"), ("kol", "kol_id"))
    return np.hstack([_topics(tables, owner, pairs[column]) for owner, column in sides])


def _topics(tables: Tables, owner: str, ids: pd.Series[Any]) -> Any:
    """Return the topic weights of briefs or KOLs, shape (n, 19); null where there are none."""
    held = tables.vectors.query("space == 'topic' and owner == @owner").set_index("id")["vector"]
    matrix = np.vstack([*held, np.full_like(held.iloc[0], np.nan)])
    place = pd.Series(range(len(held)), index=held.index).reindex(ids)
    return matrix[place.fillna(len(held)).astype(int).to_numpy()]


if __name__ == "__main__":
    main()
