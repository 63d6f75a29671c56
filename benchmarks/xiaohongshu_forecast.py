"""Forecast the engagement of real Xiaohongshu notes from each creator's earlier ones.

    python benchmarks/xiaohongshu_forecast.py

Engagement (likes, saves, comments and shares) stands for views, which the export does not tell: the
product's own signals of reach, growth and style are computed of it, its views head forecasts it,
and its conformal intervals say how far that may be off. Each note is forecast on the day it was
published, from notes at least a week old by then; the latest quarter of all notes tests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from features.columns import EPOCH
from features.config import FeatureConfig
from features.encoder import SentenceEncoder
from features.history import History
from features.ingest import read_folder
from features.lake import Lake
from features.pipeline import FeaturePipeline
from features.signals import FAMILIES
from features.tables import Tables
from features.vectors import Embeddings, VectorStore
from matcher.config import Config
from matcher.heads import HEADS, Head
from matcher.intervals import QUANTILES, Interval
from training.coverage import coverage, pinball_loss
from training.significance import paired_bootstrap

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data" / "xiaohongshu_creators"
RIPE = pd.Timedelta(days=7)
"""How long a note is taken to gather what it was later counted with."""
LEAST_NOTES = 5
VALID, TEST = 0.60, 0.75
"""Shares of all notes, in the order of time, at which validation and test begin."""
READ = ("reach", "growth", "style", "brief")
"""Families of signals that need neither views proper, nor prices, nor text vectors."""
VIEWS = HEADS[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    data = arguments.data
    if not data.is_dir():
        sys.exit(f"This benchmark needs the data set in {data}, which is not there.")
    notes, signals = read(data, arguments.vectors)
    part = parts(notes)
    told = {
        "kolmatch": product(notes, signals, part),
        "last 30 notes": last_notes(notes),
        "LightGBM quantiles": plain(notes, np.isin(part, ["train", "valid"])),
        "LightGBM, same notes": plain(notes, part == "train"),
    }
    test = part == "test"
    creators = notes.loc[test, "kol_id"]
    counts = pd.Series(part).value_counts()
    print(
        f"\n{counts['train']:,} notes teach, {counts['valid']:,} calibrate, {test.sum():,} of "
        f"{creators.nunique()} creators test, from {notes.loc[test, 'as_of'].min():%Y-%m-%d}\n"
    )
    came = notes.loc[test, "log"].to_numpy()
    losses, rows = {}, []
    for name, bounds in told.items():
        quantiles = bounds[test]
        each = [
            np.maximum(share * (came - q), (share - 1) * (came - q))
            for share, q in zip(QUANTILES, quantiles.T, strict=True)
        ]
        losses[name] = pd.Series(np.mean(each, axis=0)).groupby(creators.to_numpy()).mean()
        rows.append(
            {
                "forecast": name,
                "coverage": coverage(quantiles[:, 0], came, quantiles[:, 2]),
                "below P10": (came < quantiles[:, 0]).mean(),
                "above P90": (came > quantiles[:, 2]).mean(),
                **{
                    f"pinball P{round(100 * share)}": pinball_loss(came, q, share)
                    for share, q in zip(QUANTILES, quantiles.T, strict=True)
                },
                "mean by creator": losses[name].mean(),
            }
        )
    print(pd.DataFrame(rows).round(4).to_markdown(index=False))
    print("\nkolmatch minus the other, mean pinball loss, creators resampled (below 0 is better)\n")
    own = losses.pop("kolmatch")
    between = []
    for name, loss in losses.items():
        found = paired_bootstrap(own, loss, pd.Series(own.index, index=own.index))
        between.append((name, found.mean, found.low, found.high, found.n))
    columns = ["forecast", "difference", "low", "high", "creators"]
    print(pd.DataFrame(between, columns=columns).round(4).to_markdown(index=False))


def read(data: Path, vectors: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the notes that have enough earlier ones, by time, and the product's signals."""
    tables = read_folder(data, HERE / "xiaohongshu.toml", Lake(Path("nowhere")).known()).tables
    posts = tables.posts
    total = posts[["likes", "saves", "comments", "shares"]].sum(axis=1, min_count=1)
    # Followers were counted after the last note: no forecast may know them.
    kols = tables.kols.assign(observed_at=EPOCH, followers=np.nan, active_follower_share=np.nan)
    posts = posts.assign(views=total, observed_at=posts["published_at"] + RIPE)
    asked = posts.dropna(subset=["views"]).sort_values(["published_at", "post_id"])
    asked = asked.assign(as_of=asked["published_at"].dt.floor("D")).reset_index(drop=True)
    briefs = pd.DataFrame(
        {
            "brief_id": asked["post_id"],
            "brand_id": asked["kol_id"],
            "text": asked["text"].fillna("-").replace("", "-"),
        }
    )
    history = History(Tables.of(briefs=briefs, kols=kols.astype(tables.kols.dtypes), posts=posts))
    embeddings = Embeddings(SentenceEncoder(Config().encoder), VectorStore(vectors))
    families = tuple(family for family in FAMILIES if family.name in READ)
    pipeline = FeaturePipeline(FeatureConfig(), embeddings, families)
    pairs = asked.rename(columns={"post_id": "brief_id"})[["brief_id", "kol_id", "as_of"]]
    signals = pipeline.transform(pairs, history)
    notes = asked[["kol_id", "as_of", "published_at", "format", "views"]].assign(
        log=np.log1p(asked["views"]), length=briefs["text"].str.len()
    )
    notes["earlier"] = _earlier(notes)
    known = (signals["reach.posts_seen"] >= LEAST_NOTES).to_numpy()
    return notes[known].reset_index(drop=True), signals[known].reset_index(drop=True)


def parts(notes: pd.DataFrame) -> np.ndarray:
    """Return each note's part; between two lies a week of which nothing was known at the cut."""
    valid, test = (notes["as_of"].quantile(share).floor("D") for share in (VALID, TEST))
    at = notes["as_of"]
    return np.select(
        [at >= test, at >= test - RIPE, at >= valid, at >= valid - RIPE],
        ["test", "embargo", "valid", "embargo"],
        default="train",
    )


def product(notes: pd.DataFrame, signals: pd.DataFrame, part: np.ndarray) -> np.ndarray:
    """Forecast with the product's head and intervals, as `training.fit` puts them together."""
    config = Config()
    train, valid = part == "train", part == "valid"

    def fit(rows: np.ndarray) -> Head:
        head = Head.fit(VIEWS, signals[rows], notes[rows], config.forecast, config.seed)
        if head is None:
            sys.exit("There are too few notes to learn from.")
        return head

    head = fit(train)
    where = np.flatnonzero(train)
    residual = np.full(len(notes), np.nan)
    creators = notes["kol_id"].to_numpy()[where]
    for others, held in GroupKFold(config.training.folds).split(where, groups=creators):
        rows = np.isin(np.arange(len(notes)), where[others])
        said = fit(rows).log(signals.iloc[where[held]])
        residual[where[held]] = notes["log"].to_numpy()[where[held]] - said
    interval = Interval.fit(signals[train], residual[train], config.intervals, config.seed)
    off = notes.loc[valid, "log"].to_numpy() - head.log(signals[valid])
    interval = interval.conformalised(signals[valid], off)
    return interval(signals, head.log(signals))


def _earlier(notes: pd.DataFrame) -> list[np.ndarray]:
    """Return, for each note, the logs of its creator's up to 30 latest ripe notes, latest last."""
    found: list[np.ndarray] = [np.empty(0)] * len(notes)
    for _, own in notes.groupby("kol_id"):
        ripe = (own["published_at"] + RIPE).to_numpy()
        logs, rows = own["log"].to_numpy(), own.index.to_numpy()
        stops = np.searchsorted(ripe, own["as_of"].to_numpy(), side="left")
        for row, stop in zip(rows, stops, strict=True):
            found[row] = logs[max(stop - 30, 0) : stop]
    return found


def last_notes(notes: pd.DataFrame) -> np.ndarray:
    """Forecast the quantiles of the creator's last 30 notes."""
    return np.array([np.quantile(logs, QUANTILES) for logs in notes["earlier"]])


def plain(notes: pd.DataFrame, taught: np.ndarray) -> np.ndarray:
    """Forecast with LightGBM's quantile objective on lags, calendar, format and creator."""
    import lightgbm as lgb

    earlier = notes["earlier"]
    lags = np.array([[e[-k] if len(e) >= k else np.nan for k in range(1, 6)] for e in earlier])
    frame = pd.DataFrame(lags, columns=[f"lag {k}" for k in range(1, 6)])
    for name, statistic in (("mean", np.mean), ("median", np.median), ("deviation", np.std)):
        frame[name] = [statistic(e) for e in earlier]
    frame["notes"] = [len(e) for e in earlier]
    frame["length"] = notes["length"].to_numpy()
    frame["month"] = notes["as_of"].dt.month.to_numpy()
    frame["weekday"] = notes["as_of"].dt.day_of_week.to_numpy()
    for name in ("format", "kol_id"):
        frame[name] = pd.Categorical(notes[name])
    params: dict[str, Any] = {"objective": "quantile", "verbosity": -1, "seed": 0}
    params |= {"learning_rate": 0.05, "num_leaves": 31, "deterministic": True}
    bounds = [
        lgb.train(
            params | {"alpha": share}, lgb.Dataset(frame[taught], notes.loc[taught, "log"]), 200
        ).predict(frame)
        for share in QUANTILES
    ]
    return np.sort(np.column_stack(bounds), axis=1)


if __name__ == "__main__":
    main()
