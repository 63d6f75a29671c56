"""Measure retrieval: what it misses of an exhaustive ranking, and how fast its search is.

    python benchmarks/retrieval.py --kols 10000 --briefs 400 --places 1000000

The first two tables train a model on a simulated market's past and rank everybody who may serve
each of a sample of briefs at its end. How many of the best 20 of that list are among the candidates
that retrieval chooses, with all sources and with each alone? `value kept` is the mean true value
per price of the 10 best of the retrieved, over that of the 10 best of all. The third table asks
the same of those without a past: of the best 20, KOLs whom nobody has signed yet, and the tenth of
the roster first observed last; and of all, for the same briefs from brands never heard of.

The last table searches vectors of 512 numbers under filters that leave a tenth: the 500 nearest to
each brief, against numpy and the index libraries in the same run, on the same rows and threads.
Peers that cannot search a part of their rows get the rows left gathered, which is timed with them.
Those with an index search all rows under the filter; building the index is told apart. Needs
``make peers``.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.encoder import SentenceEncoder
from features.history import History
from features.pipeline import FeaturePipeline
from features.search import Places
from features.simulate import World, simulate
from features.vectors import Embeddings, VectorStore
from matcher.candidates import candidates
from matcher.config import Config, RetrievalConfig
from matcher.model import Matcher
from matcher.retrieval import Retrieval
from matcher.scout import FAMILIES
from training.fit import fit_plan, plan_by_time

SOURCES = ("likely", "content", "lookalikes", "efficient", "rising", "new")
BEST, VALUED = 20, 10
COUNT, WIDTH = 500, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kols", type=int, default=10_000, help="KOLs of the simulated market")
    parser.add_argument("--briefs", type=int, default=400, help="briefs of its past")
    parser.add_argument("--asked", type=int, default=60, help="briefs to retrieve for")
    parser.add_argument("--counts", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--places", type=int, default=1_000_000, help="vectors to search")
    parser.add_argument("--left", type=float, default=0.1, help="share that filters leave")
    parser.add_argument("--exact", action="store_true", help="only exact searches, drawn vectors")
    parser.add_argument("--hnsw", action="store_true", help="also build HNSW graphs (long)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    if arguments.exact:
        found = searches(arguments.places, arguments.left, drawn(arguments.places), exact=True)
        print(found.to_markdown(index=False))
        return
    embeddings = Embeddings(SentenceEncoder(), VectorStore(arguments.vectors), _tell)
    if arguments.kols:
        _market(arguments, embeddings)
    if arguments.places:
        left = f"{arguments.left:.0%} that a filter leaves of {arguments.places:,}"
        print(f"\n{COUNT} nearest of the {left}\n")
        found = searches(
            arguments.places,
            arguments.left,
            _from_posts(arguments.places, embeddings),
            hnsw=arguments.hnsw,
        )
        print(found.to_markdown(index=False))


@dataclass(frozen=True)
class Whole:
    """Everybody who may serve a brief: positions in the directory and, aligned, the rest.

    `told` holds kol_id, price, score and true value per price; `signals` what retrieval looks up.
    """

    eligible: Any
    told: pd.DataFrame
    signals: pd.DataFrame


def _market(arguments: argparse.Namespace, embeddings: Embeddings) -> None:
    world = simulate(arguments.kols, arguments.briefs, arguments.seed)
    matcher = _trained(world, embeddings, arguments.seed)
    pipeline = matcher.pipeline(embeddings)
    retrieval = Retrieval(History(world.tables), pipeline, RetrievalConfig(), matcher.scout)
    started = time.perf_counter()
    directory = retrieval.directory(world.as_of)
    directory.places("posts")
    seconds = time.perf_counter() - started
    lists = exhaustive(world, matcher, retrieval, arguments.asked)
    sizes = [len(each.eligible) for each in lists.values()]
    print(
        f"\n{arguments.kols:,} KOLs, {len(lists)} briefs, {np.mean(sizes):,.0f} who may serve on "
        f"average; to lay out their topics took {seconds:.0f} s\n"
    )
    print(misses(retrieval, world.as_of, lists, arguments.counts).to_markdown(index=False))
    print(f"\nEach source alone, and all but it, {arguments.counts[1]} candidates\n")
    print(alone(retrieval, world.as_of, lists, arguments.counts[1]).to_markdown(index=False))
    print(f"\nWithout a past, {arguments.counts[0]} candidates\n")
    found = cold(world, matcher, retrieval, lists, arguments.counts[0])
    print(found.round(3).to_markdown(index=False))


def _tell(done: int, total: int) -> None:
    if done and (done == total or done % (512 * 20) == 0):
        print(f"encoded {done:,} of {total:,} texts", file=sys.stderr)


def _trained(world: World, embeddings: Embeddings, seed: int) -> Matcher:
    config = Config(seed=seed).with_spaces(world.tables)
    history, pipeline = History(world.tables), FeaturePipeline(config.features, embeddings)
    return fit_plan(plan_by_time(world.tables, config), history, pipeline, config).matcher


def exhaustive(
    world: World,
    matcher: Matcher,
    retrieval: Retrieval,
    asked: int,
    ids: list[str] | None = None,
) -> dict[str, Whole]:
    """Score everybody who may serve each of some briefs, or of those named."""
    briefs = world.tables.briefs["brief_id"]
    even = briefs.iloc[np.unique(np.linspace(0, len(briefs) - 1, asked).astype(int))]
    chosen = even if ids is None else pd.Series(ids, dtype="str")
    questions = pd.DataFrame({"brief_id": chosen, "as_of": world.as_of})
    places = pd.Index(retrieval.directory(world.as_of).kols["kol_id"])
    lists = {}
    for found in candidates(questions, retrieval.history, retrieval.pipeline, matcher.config):
        truth = world.truth(found.pairs.assign(mode=found.offers["mode"]))
        told = pd.DataFrame(
            {
                "kol_id": found.pairs["kol_id"],
                "price": found.offers["price"],
                "score": matcher.score(found.signals)["score"],
                "value": truth["value"] / found.offers["price"],
            }
        )
        cheap = [name for name in found.signals if name.partition(".")[0] in FAMILIES]
        for brief_id, own in found.pairs.groupby("brief_id"):
            rows = own.index
            at = places.get_indexer(own["kol_id"])
            lists[str(brief_id)] = Whole(at, told.loc[rows], found.signals.loc[rows, cheap])
        print(f"scored everybody for {len(lists)} briefs", file=sys.stderr)
    return lists


def misses(
    retrieval: Retrieval, as_of: pd.Timestamp, lists: dict[str, Whole], counts: list[int]
) -> pd.DataFrame:
    """Return what is found of the best by number of candidates."""
    found = [
        {"candidates": n} | _found(retrieval, as_of, lists, RetrievalConfig(candidates=n))
        for n in counts
    ]
    return pd.DataFrame(found).drop(columns="of the best").round(3)


def alone(
    retrieval: Retrieval, as_of: pd.Timestamp, lists: dict[str, Whole], count: int
) -> pd.DataFrame:
    """Return what each source finds alone, and what all others find without it."""
    rows = []
    for source in SOURCES:
        shares = {name: float(name == source) for name in SOURCES}
        only = RetrievalConfig(candidates=count, **shares)
        rest = RetrievalConfig(candidates=count, **{source: 0.0})
        recall = [_found(retrieval, as_of, lists, each)["recall@20"] for each in (only, rest)]
        rows.append({"source": source, "recall@20": recall[0], "without it": recall[1]})
    return pd.DataFrame(rows).round(3)


def cold(
    world: World, matcher: Matcher, known: Retrieval, lists: dict[str, Whole], count: int
) -> pd.DataFrame:
    """Return what is found of KOLs and for brands without a past."""
    config, tables = RetrievalConfig(candidates=count), world.tables
    signed = tables.collaborations["kol_id"][tables.collaborations["signed_at"] < world.as_of]
    first = tables.kols.groupby("kol_id")["observed_at"].min()
    groups = {
        "any KOL": None,
        "KOLs nobody has signed": ~first.index.isin(signed),
        "the tenth of KOLs first observed last": (first.rank(pct=True) > 0.9).to_numpy(),
    }
    rows = []
    for name, mine in groups.items():
        ids = None if mine is None else set(first.index[mine])
        rows.append({"recall of": name} | _found(known, world.as_of, lists, config, ids))
    asked = tables.briefs["brief_id"].isin(lists)
    brands = tables.briefs["brand_id"].mask(asked, "new " + tables.briefs["brief_id"])
    briefs = tables.briefs.assign(brand_id=brands).assign(
        brand_name=tables.briefs["brand_name"].mask(asked)
    )
    history = History(tables.replace(briefs=briefs))
    fresh = Retrieval(history, known.pipeline, config, matcher.scout)
    told = exhaustive(world, matcher, fresh, len(lists), list(lists))
    rows.append(
        {"recall of": "any KOL, unheard-of brand"} | _found(fresh, world.as_of, told, config)
    )
    return pd.DataFrame(rows)[["recall of", "briefs", "of the best", "recall@20", "value kept"]]


def _found(
    retrieval: Retrieval,
    as_of: pd.Timestamp,
    lists: dict[str, Whole],
    config: RetrievalConfig,
    who: set[str] | None = None,
) -> dict[str, float]:
    """Return what retrieval finds; where `who` is given, recall is of those among the best."""
    retrieval.config = config
    recall, kept, seconds, sought = [], [], [], 0
    for brief_id, whole in lists.items():
        if len(whole.eligible) <= config.candidates:
            continue
        price = whole.told["price"].to_numpy(dtype=np.float64)
        started = time.perf_counter()
        chosen = retrieval.choose(brief_id, as_of, whole.eligible, whole.signals, price)
        seconds.append(time.perf_counter() - started)
        retrieved = whole.told.iloc[chosen]
        best = whole.told.nlargest(BEST, "score")
        if who is not None:
            best = best[best["kol_id"].isin(who)]
        sought += len(best)
        recall.append(best.index.isin(retrieved.index))
        top = [t.nlargest(VALUED, "score")["value"].mean() for t in (retrieved, whole.told)]
        kept.append(top[0] / top[1])
    return {
        "briefs": len(recall),
        "recall@20": float(np.concatenate([*recall, []]).mean()),
        "lowest": float(min((each.mean() for each in recall if len(each)), default=1.0)),
        "value kept": float(np.mean(kept)),
        "ms a brief": 1000 * float(np.median(seconds)),
        "of the best": sought,
    }


Search = Callable[[Any, Any], Any]
"""Takes queries and the rows left; gives the rows found, shape (queries, COUNT)."""


def searches(
    places: int, left: float, data: tuple[Any, Any], *, hnsw: bool = False, exact: bool = False
) -> pd.DataFrame:
    """Time every search with one question at a time and with 32 together, in turn.

    In seconds of the processor: all run on one thread, and other work on the machine counts less.
    """
    vectors, queries = data
    rng = np.random.default_rng(1)
    rows = np.sort(rng.choice(places, round(places * left), replace=False))
    truth = _exact(vectors, queries, rows)
    table = []
    for name, (search, built, memory) in _peers(vectors, hnsw, exact).items():
        base = _resident()
        alone = [_timed(search, queries[i : i + 1], rows) for i in range(7)]
        extra = _resident() - base
        together = [_timed(search, queries, rows) for _ in range(3)]
        found = together[0][1]
        recall = [len(np.intersect1d(a, b)) / COUNT for a, b in zip(found, truth, strict=True)]
        table.append(
            {
                "search": name,
                "recall@500": float(np.mean(recall)),
                "alone, ms a question": 1000 * float(np.median([t for t, _ in alone])),
                "32 together, ms a question": 1000
                * float(np.median([t for t, _ in together]))
                / len(queries),
                "index built in, s": built,
                "index, MiB": memory,
                "memory while searching, MiB": max(extra, 0.0),
            }
        )
        print(f"{name} done", file=sys.stderr)
    frame = pd.DataFrame(table)
    for column in ("alone, ms a question", "32 together, ms a question"):
        frame[f"{column.split(',')[0]}, times ours"] = frame[column] / frame[column].iloc[0]
    return frame.round(3)


def _from_posts(places: int, embeddings: Embeddings) -> tuple[Any, Any]:
    """Return unit vectors, each the mean of some posts of one KOL, and 32 briefs' vectors."""
    rng = np.random.default_rng(0)
    tables = simulate(kols=2000, briefs=400, seed=0).tables
    posts = tables.posts.drop_duplicates("post_id").sort_values("kol_id")
    known = embeddings.of(posts["text"])
    start = np.searchsorted(posts["kol_id"], posts["kol_id"].unique())
    size = np.diff(np.append(start, len(posts)))
    vectors = np.empty((places, WIDTH), dtype=np.float32)
    for first in range(0, places, 50_000):
        out = vectors[first : first + 50_000]
        kol = rng.integers(0, len(start), len(out))
        some = start[kol][:, None] + (rng.random((len(out), 4)) * size[kol][:, None]).astype(int)
        weight = rng.dirichlet(np.ones(4), len(out)).astype(np.float32)
        out[:] = np.einsum("ij,ijk->ik", weight, known[some])
        out /= np.linalg.norm(out, axis=1, keepdims=True)
    return vectors, embeddings.of(tables.briefs["text"].head(32), role="query")


def drawn(places: int) -> tuple[Any, Any]:
    """Return unit vectors around 200 drawn directions, and 32 near some of them as questions."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(200, WIDTH)).astype(np.float32)
    vectors = np.empty((places, WIDTH), dtype=np.float32)
    for first in range(0, places, 50_000):
        out = vectors[first : first + 50_000]
        out[:] = middles[rng.integers(0, len(middles), len(out))]
        out += rng.normal(scale=1.5, size=out.shape).astype(np.float32)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
    queries = middles[:32] + rng.normal(scale=1.5, size=(32, WIDTH)).astype(np.float32)
    return vectors, queries / np.linalg.norm(queries, axis=1, keepdims=True)


def _exact(vectors: Any, queries: Any, rows: Any) -> list[Any]:
    near = queries.astype(np.float64) @ vectors[rows].astype(np.float64).T
    return [rows[np.argsort(-each, kind="stable")[:COUNT]] for each in near]


def _peers(vectors: Any, hnsw: bool, exact: bool) -> dict[str, tuple[Search, float, float]]:
    """Return each search, the seconds its index took to build, and the index's memory."""
    import faiss
    from usearch.index import search

    faiss.omp_set_num_threads(1)
    places = Places.of(np.arange(len(vectors)), vectors, len(vectors))

    def ours(queries: Any, rows: Any) -> Any:
        found = places.nearest([query[None] for query in queries], rows, COUNT)
        return np.stack([each.owners for each in found])

    def numpy_whole(queries: Any, rows: Any) -> Any:
        near = queries @ vectors[rows].T
        return rows[np.argpartition(-near, COUNT, axis=1)[:, :COUNT]]

    def flat(queries: Any, rows: Any) -> Any:
        index = faiss.IndexFlatIP(WIDTH)
        index.add(vectors[rows])
        return rows[index.search(queries, COUNT)[1]]

    def usearch_exact(queries: Any, rows: Any) -> Any:
        found = search(vectors[rows], queries, COUNT, exact=True, metric="ip", threads=1)
        return rows[np.atleast_2d(found.keys).astype(np.int64)]

    halves = vectors.astype(np.float16)

    def halved(queries: Any, rows: Any) -> Any:
        near = queries @ halves[rows].astype(np.float32).T
        return rows[np.argpartition(-near, COUNT, axis=1)[:, :COUNT]]

    peers: dict[str, tuple[Search, float, float]] = {
        "kolmatch": (ours, 0.0, 0.0),
        "numpy, vectors kept as float16": (halved, 0.0, halves.nbytes / 2**20),
        "numpy, argpartition": (numpy_whole, 0.0, 0.0),
        "faiss Flat": (flat, 0.0, 0.0),
        "usearch exact": (usearch_exact, 0.0, 0.0),
    }

    if exact:
        return peers

    def selected(index: Any, **settings: Any) -> Search:
        parameters = (
            faiss.SearchParametersIVF if "nprobe" in settings else faiss.SearchParametersHNSW
        )

        def run(queries: Any, rows: Any) -> Any:
            chosen = faiss.IDSelectorBatch(rows)
            return index.search(queries, COUNT, params=parameters(sel=chosen, **settings))[1]

        return run

    ivf, seconds, memory = _built(lambda: _inverted(faiss, vectors))
    for nprobe in (16, 64, 256):
        peers[f"faiss IVF1024, nprobe {nprobe}"] = (selected(ivf, nprobe=nprobe), seconds, memory)
    if hnsw:
        graph, seconds, memory = _built(lambda: _graph(faiss, vectors))
        for depth in (500, 2000):
            name = f"faiss HNSW32, efSearch {depth}"
            peers[name] = (selected(graph, efSearch=depth), seconds, memory)
    return peers


def _inverted(faiss: Any, vectors: Any) -> Any:
    quantizer = faiss.IndexFlatIP(WIDTH)
    index = faiss.IndexIVFFlat(quantizer, WIDTH, 1024, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(vectors) // 50_000)])
    index.add(vectors)
    return index


def _graph(faiss: Any, vectors: Any) -> Any:
    index = faiss.IndexHNSWFlat(WIDTH, 32, faiss.METRIC_INNER_PRODUCT)
    index.add(vectors)
    return index


def _built(make: Callable[[], Any]) -> tuple[Any, float, float]:
    base, started = _resident(), time.perf_counter()
    index = make()
    return index, time.perf_counter() - started, _resident() - base


def _timed(search: Search, queries: Any, rows: Any) -> tuple[float, Any]:
    started = time.process_time()
    found = search(np.ascontiguousarray(queries), rows)
    return time.process_time() - started, found


def _resident() -> float:
    """Return the most memory this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
