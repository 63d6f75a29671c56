"""Measure content profiles: how fast they are, and whether they find what a mean blurs.

    python benchmarks/profiles.py --kols 100000

The first table times `features.profiles.content_profiles` on KOLs with 30 posts of 512 numbers
each, with vectors at hand: what encoding costs is measured elsewhere. The second composes KOLs of
real Kuaishou captions, 60% of a main category, 30% of a side category and 10% of anything, and
asks for a category by name and one line: does a signal put those first who post about it, be it
their main topic or one on the side?
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.config import EncoderConfig, FeatureConfig
from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.profiles import content_profiles
from features.signals import FAMILIES
from features.statistics import ratio
from features.tables import Tables
from features.vectors import Embeddings, Vectors, VectorStore

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "kuaishou_captions"
NOW = pd.Timestamp("2026-01-01", tz="UTC")
POSTS = 30
CATEGORIES = {
    "美食": "做菜教程、探店试吃、家常菜和小吃",
    "宠物": "猫猫狗狗的日常、养宠经验和宠物用品",
    "运动": "篮球、足球、骑行和户外运动",
    "舞蹈": "广场舞、街舞和舞蹈教学",
    "亲子": "宝宝日常、育儿经验和母婴用品",
    "三农": "农村生活、种植养殖和赶集",
    "二次元": "动漫、cosplay和国漫剪辑",
    "健康": "养生知识、疾病预防和医生科普",
    "健身": "减脂增肌、居家训练和健身房",
    "美妆": "化妆教程、护肤心得和口红试色",
    "旅游": "风景打卡、旅行攻略和民宿",
    "汽车": "试驾评测、用车技巧和改装",
    "游戏": "王者荣耀、吃鸡和游戏解说",
    "军事": "军人、武器装备和军旅生活",
    "读书": "好书推荐、读书笔记和名著解读",
    "音乐": "翻唱、乐器演奏和原创歌曲",
    "摄影": "拍照技巧、风光摄影和后期调色",
    "时尚": "穿搭分享、女装男装和潮流搭配",
    "明星娱乐": "明星八卦、综艺和影视演员",
    "艺术": "绘画、书法和手工艺",
}
"""What a brief for each category says."""
SIGNALS = (
    *("mean", "recent", "organic", "best", "top3", "topic", "lexical_top3"),
    *("widened_best", "widened_top3"),
)
SHARES = (0.6, 0.3, 0.1)


class Pool(Embeddings):
    """Vectors at hand: a text is a number, and names one of a pool of vectors."""

    def __init__(self, size: int, dimension: int) -> None:
        self.vectors = np.random.default_rng(0).normal(size=(size, dimension)).astype(np.float32)
        self.vectors /= np.linalg.norm(self.vectors, axis=1, keepdims=True)

    def of(self, texts: Iterable[str] | pd.Series[Any], **_: object) -> Vectors:
        """Return the vector that each number names."""
        return self.vectors[np.array([int(text) for text in texts], dtype=np.int64)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=100_000, help="KOLs to profile for the time")
    parser.add_argument("--composed", type=int, default=1500, help="KOLs to compose of captions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    print(f"\nProfiles of {arguments.kols:,} KOLs with {POSTS} posts each\n")
    print(speed(arguments.kols).to_markdown(index=False))
    if not (arguments.data / "captions.csv").is_file():
        sys.exit(f"The rest needs the data set in {arguments.data}, which is not there.")
    world, truth = compose(arguments.data / "captions.csv", arguments.composed, arguments.seed)
    embeddings = Embeddings(SentenceEncoder(EncoderConfig()), VectorStore(arguments.vectors))
    print(f"\n{arguments.composed:,} KOLs composed of captions, {len(world.briefs)} briefs\n")
    print(quality(world, truth, embeddings).round(3).to_markdown())
    print("\nSubjects found in them\n")
    print(subjects(world, embeddings).to_markdown(index=False))


def speed(kols: int) -> pd.DataFrame:
    """Time profiles and say how much memory they take beyond what was there before."""
    config, dimension, texts = FeatureConfig(), 512, 20_000
    embeddings = Pool(texts, dimension)
    history = History(_random_posts(kols, texts))
    started, resident = time.perf_counter(), _resident()
    history.posts.texts  # noqa: B018
    history.posts.recent(np.array([1]), 1)
    sorted_in = time.perf_counter() - started
    started, base = time.perf_counter(), _resident()
    codes = np.arange(kols)
    parts = content_profiles(history, codes, np.full(kols, _micros(NOW)), embeddings, config)
    found = sum(len(profiles.centroids()[0]) for _, profiles in parts)
    seconds = time.perf_counter() - started
    told = {
        "sorting posts, s": sorted_in,
        "profiles, s": seconds,
        "ms a KOL": 1000 * seconds / kols,
        "centroids": found,
        "memory beyond tables and pool, MiB": _resident() - base,
        "of which sorting": base - resident,
    }
    return pd.DataFrame(
        {name: [f"{value:,.2f}".removesuffix(".00")] for name, value in told.items()}
    )


def _random_posts(kols: int, texts: int) -> Tables:
    rng = np.random.default_rng(1)
    size = kols * POSTS
    published = NOW - pd.to_timedelta(rng.integers(1, 365 * 86_400, size), unit="s")
    posts = pd.DataFrame(
        {
            "post_id": pd.RangeIndex(size).astype(str),
            "kol_id": np.repeat(_ids(kols), POSTS),
            "published_at": published,
            "observed_at": published,
            "text": rng.integers(0, texts, size).astype(str),
            "views": rng.lognormal(9, 1, size).round(),
            "is_sponsored": rng.random(size) < 0.15,
        }
    )
    return Tables.of(briefs=_briefs({"any": "any"}), kols=_kols(kols), posts=posts)


def compose(path: Path, kols: int, seed: int) -> tuple[Tables, pd.DataFrame]:
    """Compose KOLs of captions, and say which category is whose main and whose side topic."""
    captions = pd.read_csv(
        path, lineterminator="\n", usecols=["caption", "first_level_category_name"]
    )
    captions.columns = ["text", "category"]
    captions = captions[captions["text"].fillna("").str.len() >= 4].drop_duplicates("text")
    by = {name: group["text"].to_numpy() for name, group in captions.groupby("category")}
    rng = np.random.default_rng(seed)
    names = list(CATEGORIES)
    texts, truth = [], []
    for _ in range(kols):
        main, side = rng.choice(len(names), 2, replace=False)
        truth.append((names[main], names[side]))
        pools = (by[names[main]], by[names[side]], captions["text"].to_numpy())
        told = [
            rng.choice(pool, round(POSTS * share), replace=False)
            for pool, share in zip(pools, SHARES, strict=True)
        ]
        texts.append(rng.permutation(np.concatenate(told)))
    day = pd.to_timedelta(np.tile(np.arange(POSTS), kols), unit="D")
    posts = pd.DataFrame(
        {
            "post_id": pd.RangeIndex(kols * POSTS).astype(str),
            "kol_id": np.repeat(_ids(kols), POSTS),
            "published_at": NOW - pd.Timedelta(days=1) - day,
            "observed_at": NOW - pd.Timedelta(days=1) - day,
            "text": np.concatenate(texts),
        }
    )
    world = Tables.of(briefs=_briefs(CATEGORIES), kols=_kols(kols), posts=posts)
    return world, pd.DataFrame(truth, columns=["main", "side"], index=_ids(kols))


def quality(world: Tables, truth: pd.DataFrame, embeddings: Embeddings) -> pd.DataFrame:
    """Return, for each signal, how well it finds main and side topics, mean over categories."""
    pairs = world.briefs[["brief_id"]].merge(world.kols[["kol_id"]], how="cross")
    pairs["as_of"] = NOW
    families = tuple(family for family in FAMILIES if family.name == "content")
    signals = FeaturePipeline(FeatureConfig(), embeddings, families).transform(pairs, world)
    rows = []
    for brief, part in pairs.groupby("brief_id"):
        who = truth.loc[part["kol_id"]]
        wanted = {name: (who[name] == brief).to_numpy() for name in ("main", "side")}
        for signal in SIGNALS:
            score = signals.loc[part.index, f"content.{signal}"].fillna(-1).to_numpy()
            rows.append((signal, *_found(score, **wanted)))
    columns = ["signal", "AUC main", "AUC side", "average precision, either"]
    return pd.DataFrame(rows, columns=columns).groupby("signal", sort=False).mean()


def _found(score: Any, main: Any, side: Any) -> tuple[float, ...]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    other = ~(main | side)
    return (
        roc_auc_score(main[main | other], score[main | other]),
        roc_auc_score(side[side | other], score[side | other]),
        average_precision_score(main | side, score),
    )


def subjects(world: Tables, embeddings: Embeddings) -> pd.DataFrame:
    """Return how many KOLs post about how many subjects, and the share of the largest."""
    history = History(world)
    codes = np.arange(len(history.kol_ids))
    at = np.full(len(codes), _micros(NOW))
    counts, largest = [], []
    for _, found in content_profiles(history, codes, at, embeddings, FeatureConfig()):
        # Each topic is told the whole share of its subject: its part of one subject.
        part = ratio(found.shares, found.subject_shares)
        counts.append(np.rint(np.nansum(part, axis=1)).astype(int))
        largest.append(found.subject_shares.max(axis=1))
    frame = pd.DataFrame({"subjects": np.concatenate(counts), "largest": np.concatenate(largest)})
    told = frame.groupby("subjects")["largest"].agg(["size", "mean"]).round(2).reset_index()
    return told.set_axis(["subjects", "KOLs", "mean share of the largest"], axis=1)


def _ids(kols: int) -> list[str]:
    return [f"k{i:07}" for i in range(kols)]


def _kols(kols: int) -> pd.DataFrame:
    first = NOW - pd.Timedelta(days=400)
    return pd.DataFrame({"kol_id": _ids(kols), "observed_at": first, "platform": "kuaishou"})


def _briefs(texts: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "brief_id": list(texts),
            "brand_id": "x",
            "title": list(texts),
            "text": list(texts.values()),
            "goal": "awareness",
        }
    )


def _micros(time: pd.Timestamp) -> int:
    return time.value // 1000


def _resident() -> float:
    """Return the most memory this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
