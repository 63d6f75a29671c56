"""Choose the lexical space: what the words of a text are, and what each weighs.

    python benchmarks/lexical.py

Every scheme gives cosines of briefs and texts (BM25: scores) by itself. The tasks are:

* *titles*: find the title that answers a search query among 500 others (real, Chinese).
* *pairs*: tell questions of one meaning from others (LCQMC, real, Chinese).
* *captions*: find the Kuaishou captions of a category by its name and one line; and again with
  the words of any brief around them, which match nothing that matters (*in a brief*).
* *judged*: of simulated texts and grades, find the KOLs graded 3 or 4 by the mean of a brief's
  three closest posts.

Inverse document frequencies are those of the half of the texts that is not searched, save in
*judged*, where they are those of all posts. Words need ``pip install jieba`` and are left out
without it; ``--jieba`` names a folder that has it.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from profiles import CATEGORIES
from scipy.sparse import csr_array, diags_array

from features.config import EncoderConfig
from features.encoder import SentenceEncoder
from features.lexicon import bundled_lexicon, words
from features.simulate import judged_set
from features.vectors import Embeddings, VectorStore
from matcher.ranker import GOOD
from training.significance import paired_bootstrap

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
TITLES, PAIRS = "text_similarity_zh/query_title_dev.jsonl", "text_similarity_zh/lcqmc_dev.tsv"
CAPTIONS = "kuaishou_captions/captions.csv"
BEFORE, NOW = "char 2-4", "pieces, information"
RIVALS = ("pieces, idf", "char 1-2, idf", "jieba words, idf")
"""Weights that have to be learned, or words that need a package more."""
BESIDE = (BEFORE, "char 1-2, idf", "pieces, idf", NOW)
ALONE, WITH = "vectors", "vectors + {}"
IN_BRIEF = "captions in a brief"
BRIEF = (
    "我们是一个新品牌，正在寻找合适的达人合作推广。内容方向：{}，{}。要求：粉丝10万以上，预算5万元，"
    "希望视频内容真实自然，按时交付，欢迎长期合作。"
)
OTHERS, FEATURES = 500, 2**20
_RUN = re.compile(r"[\u3040-\u9fff]+|[^\W\u3040-\u9fff]+")

Texts = Sequence[str]
Floats = Any


@dataclass(frozen=True)
class Scheme:
    """A way to turn texts into rows, and how they are weighed.

    Attributes
    ----------
    count : callable
        Texts to rows of counts, or of weights where the weighing is ``"as is"``.
    weighing : str
        ``"none"``, ``"idf"``, ``"bm25"`` or ``"as is"``.
    """

    count: Callable[[Texts], csr_array]
    weighing: str = "none"

    def scores(self, asked: Texts, told: Texts, known: Texts) -> Floats:
        """Return scores of shape (asked, told); `known` texts are what weights come from."""
        left, right = self.rows(asked, told, known)
        return (left @ right.T).toarray()

    def paired(self, asked: Texts, told: Texts, known: Texts) -> Floats:
        """Return the score of each two texts, shape (texts,)."""
        left, right = self.rows(asked, told, known)
        return np.asarray(left.multiply(right).sum(axis=1)).ravel()

    def rows(self, asked: Texts, told: Texts, known: Texts) -> tuple[csr_array, csr_array]:
        """Return both sides as rows whose products are the scores."""
        left, right = self.count(asked), self.count(told)
        if self.weighing == "idf":
            rarity = diags_array(_rarity(self.count(known)))
            left, right = left @ rarity, right @ rarity
        if self.weighing == "bm25":
            seen = self.count(known)
            rarity = diags_array(_rarity(seen))
            return csr_array(left @ rarity), _saturated(right, seen.sum() / max(len(known), 1))
        return _unit(left), _unit(right)


def _rarity(seen: csr_array) -> Floats:
    count = np.bincount(seen.indices, minlength=seen.shape[1])
    return np.log((seen.shape[0] + 1) / (count + 1))


def _saturated(rows: csr_array, usual: float, k: float = 1.2, b: float = 0.75) -> csr_array:
    length = np.repeat(np.asarray(rows.sum(axis=1)).ravel(), np.diff(rows.indptr))
    rows.data = rows.data * (k + 1) / (rows.data + k * (1 - b + b * length / usual))
    return rows


def _unit(rows: csr_array) -> csr_array:
    from sklearn.preprocessing import normalize

    return normalize(csr_array(rows))


def schemes(jieba: bool) -> dict[str, Scheme]:
    """Return the schemes to compare, by name; words only where their package is there."""
    lexicon = bundled_lexicon()
    runs = _hashed(analyzer=_runs)
    pieces = _hashed(analyzer=lambda text: [p for w in words(text) for p in lexicon.cut(w)])
    found = {BEFORE: Scheme(_characters(2, 4))}
    found |= {f"{BEFORE}, idf": Scheme(_characters(2, 4), "idf")}
    for low, high in ((2, 3), (1, 2)):
        found[f"char {low}-{high}"] = Scheme(_characters(low, high))
    found |= {
        "char 1-2, idf": Scheme(_characters(1, 2), "idf"),
        "Latin words and Chinese 1-2": Scheme(runs),
        "Latin words and Chinese 1-2, idf": Scheme(runs, "idf"),
    }
    if jieba:
        import jieba

        jieba.setLogLevel("ERROR")
        cut = _hashed(analyzer=lambda text: [w for w in jieba.lcut(text.lower()) if words(w)])
        found |= {f"jieba words{told}": Scheme(cut, w) for told, w in _WEIGHINGS.items()}
    found |= {f"pieces{told}": Scheme(pieces, w) for told, w in _WEIGHINGS.items()}
    return found | {NOW: Scheme(lexicon.bags, "as is")}


_WEIGHINGS = {"": "none", ", idf": "idf", ", BM25": "bm25"}


def _characters(low: int, high: int) -> Callable[[Texts], csr_array]:
    return _hashed(analyzer="char", ngram_range=(low, high))


def _hashed(**how: Any) -> Callable[[Texts], csr_array]:
    from sklearn.feature_extraction.text import HashingVectorizer

    made = HashingVectorizer(n_features=FEATURES, alternate_sign=False, norm=None, **how)
    return lambda texts: csr_array(made.transform(texts))


def _runs(text: str) -> list[str]:
    """Cut Latin words apart, and Chinese into single characters and pairs."""
    found = []
    for run in _RUN.findall(text.lower()):
        chinese = "\u3040" <= run[0] <= "\u9fff"
        found += [*run, *map("".join, pairwise(run))] if chinese else [run]
    return found


@dataclass(frozen=True)
class Task:
    """What is asked of a scheme.

    Attributes
    ----------
    measure : callable
        Scheme to one row a query, category or brief: columns of metrics; index names it.
    clusters : Series or None
        What a query belongs to, where not to itself.
    """

    measure: Callable[[Any], pd.DataFrame]
    clusters: pd.Series | None = None


def titles(path: Path, queries: int, seed: int) -> Task:
    """Find the title that answers a query."""
    table = pd.read_json(path, lines=True).astype({"label": int})
    mine = _half(table["query"])
    known, table = table["title"][~mine].tolist(), table[mine].reset_index(drop=True)
    rng = np.random.default_rng(seed)
    good = table[table["label"] >= 1].drop_duplicates("query")
    good = good.iloc[rng.permutation(len(good))[:queries]]
    others = np.stack([rng.permutation(len(table))[:OTHERS] for _ in range(len(good))])
    own = others == good.index.to_numpy()[:, None]

    def measure(scheme: Scheme | Together) -> pd.DataFrame:
        score = scheme.scores(good["query"].tolist(), table["title"].tolist(), known)
        return _places(score, good.index.to_numpy(), others, own)

    return Task(measure)


def _places(score: Floats, answer: Floats, others: Floats, own: Floats) -> pd.DataFrame:
    right = score[np.arange(len(answer)), answer][:, None]
    wrong = np.where(own, -np.inf, np.take_along_axis(score, others, axis=1))
    place = 1 + (wrong > right).sum(axis=1) + (wrong == right).sum(axis=1) / 2
    return pd.DataFrame({"MRR": 1 / place, "recall@10": (place <= 10).astype(float)})


def pairs(path: Path) -> Task:
    """Tell questions of one meaning from others: one AUC."""
    table = pd.read_csv(path, sep="\t", header=None, quoting=3, names=["left", "right", "same"])
    mine = _half(table["left"])
    known, table = table["right"][~mine].tolist(), table[mine]

    def measure(scheme: Scheme | Together) -> pd.DataFrame:
        score = scheme.paired(table["left"].tolist(), table["right"].tolist(), known)
        return pd.DataFrame({"AUC": [_auc(table["same"] == 1, score)]})

    return Task(measure)


def captions(path: Path, brief: str) -> Task:
    """Find the captions of a category."""
    table = pd.read_csv(path, lineterminator="\n")
    table = table[["caption", "first_level_category_name"]].set_axis(["text", "category"], axis=1)
    table = table[table["text"].fillna("").str.len() >= 4].drop_duplicates("text")
    mine = _half(table["text"])
    known, table = table["text"][~mine].tolist(), table[mine]
    asked = [brief.format(*told) for told in CATEGORIES.items()]

    def measure(scheme: Scheme | Together) -> pd.DataFrame:
        score = scheme.scores(asked, table["text"].tolist(), known)
        wanted = [(table["category"] == name).to_numpy() for name in CATEGORIES]
        rows = [_found(*row) for row in zip(wanted, score, strict=True)]
        return pd.DataFrame(rows, index=list(CATEGORIES))

    return Task(measure)


def _found(wanted: Floats, score: Floats) -> dict[str, float]:
    from sklearn.metrics import average_precision_score

    first = np.argsort(-score, kind="stable")[:100]
    return {
        "AUC": _auc(wanted, score),
        "AP": average_precision_score(wanted, score),
        "P@100": wanted[first].mean(),
    }


def judged(seeds: Sequence[int], briefs: int, kols: int) -> Task:
    """Find the KOLs that people graded 3 or 4, by the mean of the three closest posts."""
    sets = {seed: judged_set(briefs=briefs, kols=kols, seed=seed).tables for seed in seeds}

    def measure(scheme: Scheme | Together) -> pd.DataFrame:
        found = {}
        for seed, tables in sets.items():
            posts = tables.posts["text"].tolist()
            score = pd.DataFrame(scheme.scores(tables.briefs["text"].tolist(), posts, posts))
            top = _top3(score, tables.posts["kol_id"].to_numpy())
            top.index = pd.Index(tables.briefs["brief_id"])
            grades = tables.judgments.groupby(["brief_id", "kol_id"])["grade"].mean() >= GOOD
            for brief, part in grades.groupby(level=0):
                liked = part.droplevel(0)
                if liked.nunique() == 2:
                    found[f"{seed}-{brief}"] = _auc(liked, top.loc[brief, liked.index])
        return pd.DataFrame({"AUC": found})

    brands = [
        tables.briefs.set_index(f"{seed}-" + tables.briefs["brief_id"])["brand_id"].radd(f"{seed}-")
        for seed, tables in sets.items()
    ]
    return Task(measure, pd.concat(brands))


def _top3(score: pd.DataFrame, kol: Floats) -> pd.DataFrame:
    """Return the mean of each KOL's three highest scores; a row a brief, a column a KOL."""
    means = {
        name: np.sort(score.to_numpy()[:, places], axis=1)[:, -3:].mean(axis=1)
        for name, places in pd.Series(range(len(kol))).groupby(kol).groups.items()
    }
    return pd.DataFrame(means)


def _auc(wanted: Floats, score: Floats) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(wanted, score))


def _half(texts: pd.Series) -> Floats:
    return texts.map(lambda text: crc32(text.encode()) % 2 == 1).to_numpy()


def speed(compared: dict[str, Scheme], path: Path) -> pd.Series:
    """Return captions a second, of three rounds the fastest."""
    texts = pd.read_csv(path, lineterminator="\n")["caption"].dropna().tolist()
    found = {}
    for name, scheme in compared.items():
        scheme.count(texts[:100])  # whatever is read on first use
        taken = []
        for _ in range(3):
            started = time.perf_counter()
            scheme.count(texts)
            taken.append(time.perf_counter() - started)
        found[name] = len(texts) / min(taken)
    return pd.Series(found)


def encoded(vectors: Path | None) -> Scheme:
    """Return the text space itself, for comparison."""
    embeddings = Embeddings(SentenceEncoder(EncoderConfig()), VectorStore(vectors))
    return Scheme(lambda texts: csr_array(embeddings.of(texts).astype(np.float64)), "as is")


@dataclass(frozen=True)
class Together:
    """The sum of some schemes' scores, each in its standard deviations over what a query sees."""

    parts: tuple[Scheme, ...]

    def scores(self, asked: Texts, told: Texts, known: Texts) -> Floats:
        """Return scores of shape (asked, told)."""
        found = [part.scores(asked, told, known) for part in self.parts]
        spread = [np.maximum(score.std(axis=1, keepdims=True), 1e-12) for score in found]
        return sum(score / size for score, size in zip(found, spread, strict=True))


def beside_vectors(
    tasks: dict[str, Task], compared: dict[str, Scheme], kept: Path | None
) -> dict[str, dict[str, pd.DataFrame]]:
    """Measure the text space alone and with some schemes beside it."""
    text = encoded(kept)
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for name, task in tasks.items():
        found[name] = {ALONE: task.measure(text)}
        for scheme in BESIDE:
            found[name][WITH.format(scheme)] = task.measure(Together((text, compared[scheme])))
    return found


def compare(
    tasks: dict[str, Task], found: dict[str, dict[str, pd.DataFrame]], pairs: Sequence[Any]
) -> pd.DataFrame:
    """Return how much one scheme leads another in the first metric of each task."""
    rows = []
    for task, metric in (
        ("titles", "MRR"),
        ("captions", "AP"),
        (IN_BRIEF, "AP"),
        ("judged", "AUC"),
    ):
        for one, other in pairs:
            if not (one in found[task] and other in found[task]):
                continue
            a, b = found[task][one][metric], found[task][other][metric]
            clusters = tasks[task].clusters
            clusters = pd.Series(a.index, index=a.index) if clusters is None else clusters
            told = paired_bootstrap(a, b, clusters)
            rows.append((f"{task}, {metric}", one, other, told.mean, told.low, told.high))
    return pd.DataFrame(rows, columns=["task", "scheme", "minus", "difference", "low", "high"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--briefs", type=int, default=100, help="briefs of each judged set")
    parser.add_argument("--kols", type=int, default=300, help="KOLs of each judged set")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--jieba", type=Path, help="folder with the package jieba")
    parser.add_argument("--vectors", type=Path, help="keep text vectors in this folder")
    arguments = parser.parse_args()
    for name in (TITLES, PAIRS, CAPTIONS):
        if not (arguments.data / name).is_file():
            sys.exit(f"This needs the data set {arguments.data / name}, which is not there.")
    if arguments.jieba:
        sys.path.append(str(arguments.jieba))
    compared = schemes(find_spec("jieba") is not None)
    tasks = {
        "titles": titles(arguments.data / TITLES, arguments.queries, arguments.seeds[0]),
        "pairs": pairs(arguments.data / PAIRS),
        "captions": captions(arguments.data / CAPTIONS, "{}\n{}"),
        IN_BRIEF: captions(arguments.data / CAPTIONS, BRIEF),
        "judged": judged(arguments.seeds, arguments.briefs, arguments.kols),
    }
    found = {
        name: {scheme: task.measure(how) for scheme, how in compared.items()}
        for name, task in tasks.items()
    }
    table = _table(found).assign(**{"texts/s": speed(compared, arguments.data / CAPTIONS)})
    print("\nEach scheme alone\n")
    print(table.round({"texts/s": -2}).round(3).to_markdown())
    print("\nOne scheme minus another, 95% interval over queries, categories or brands\n")
    leads = [(NOW, BEFORE), *((rival, NOW) for rival in RIVALS)]
    print(compare(tasks, found, leads).round(3).to_markdown(index=False))
    del tasks["pairs"]
    found = beside_vectors(tasks, compared, arguments.vectors)
    print("\nBeside the text vectors of the bundled encoder, both in standard deviations\n")
    print(_table(found).round(3).to_markdown())
    print("\nWhat the words add to the vectors, 95% interval as above\n")
    leads = [(WITH.format(NOW), ALONE), *((WITH.format(NOW), WITH.format(s)) for s in BESIDE[:-1])]
    print(compare(tasks, found, leads).round(3).to_markdown(index=False))


def _table(found: dict[str, dict[str, pd.DataFrame]]) -> pd.DataFrame:
    parts = {
        f"{task} {metric}": {name: rows[metric].mean() for name, rows in told.items()}
        for task, told in found.items()
        for metric in next(iter(told.values())).columns
    }
    return pd.DataFrame(parts)


if __name__ == "__main__":
    main()
