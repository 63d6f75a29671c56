"""What tests of every package share: encoders without weights or with few, and a small world."""

import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

import features.delta
import features.history
import features.mapped
import features.postlog
import features.ragged
import features.spill
import features.timeline
from features.simulate import World, simulate
from features.vectors import Embeddings

# The same examples every time, however busy the machine: a change passes or fails for what it
# changed. To look for new ones, run with --hypothesis-profile=default.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


class WordEncoder:
    """Unit vectors that depend on the text's characters alone, the same in any batch."""

    id = "words"
    dimension = 16

    def __init__(self) -> None:
        self._known: dict[str, npt.NDArray[np.float64]] = {}

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = [self._row(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)

    def _row(self, text: str) -> npt.NDArray[np.float64]:
        grams = sorted({text[i : i + 2] for i in range(len(text))})
        total = np.sum([self._vector(gram) for gram in grams], axis=0)
        return total / (np.linalg.norm(total) or 1.0)

    def _vector(self, gram: str) -> npt.NDArray[np.float64]:
        if gram not in self._known:
            rng = np.random.default_rng(zlib.crc32(gram.encode()))
            self._known[gram] = rng.normal(size=self.dimension)
        return self._known[gram]


@pytest.fixture(scope="session")
def word_embeddings() -> Embeddings:
    return Embeddings(WordEncoder())


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(kols=40, briefs=20, seed=1)


@pytest.fixture(scope="session", autouse=True)
def quick_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Begin each new SQLite store as a copy of an empty one: MLflow takes 1.5 s to make its tables.

    Processes that tests start make their own.
    """
    from matcher.store import Store

    folder = tmp_path_factory.mktemp("empty-store")
    plain = Store.__dict__["_client"].func

    def quick(store: Store) -> object:
        file = Path(store.uri.removeprefix("sqlite:///"))
        if store.uri.startswith("sqlite:///") and not file.exists():
            if not (empty := folder / "mlflow.db").exists():
                import mlflow

                mlflow.MlflowClient(f"sqlite:///{empty}").get_experiment("0")
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(empty, file)
        return plain(store)

    with pytest.MonkeyPatch.context() as patch:
        client = cached_property(quick)
        client.__set_name__(Store, "_client")
        patch.setattr(Store, "_client", client)
        yield


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "passage", ":", "cream", "skin", "game", "猫"]


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Path]:
    return save_tiny_model


def save_tiny_model(
    folder: Path,
    seed: int = 0,
    prompts: dict[str, str] | None = None,
    words: Sequence[str] = (),
) -> Path:
    """Save a real sentence-transformers model: a BERT of a few words with random weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    known = list(dict.fromkeys([*WORDS, *words]))
    plain = folder.with_name(f"{folder.name}-bert")
    plain.mkdir(parents=True)
    (plain / "vocab.txt").write_text("\n".join(known), encoding="utf-8")
    BertTokenizerFast(str(plain / "vocab.txt")).save_pretrained(plain)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(known),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
    )
    BertModel(config).eval().save_pretrained(plain)
    transformer = Transformer(str(plain))
    model = SentenceTransformer(
        modules=[transformer, Pooling(transformer.get_embedding_dimension())],
        prompts=prompts,
        device="cpu",
    )
    model.save(str(folder))
    return folder


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a small world for a large one: everything to files, a few rows at a time."""
    monkeypatch.setattr(features.spill, "LEAST", 1)
    monkeypatch.setattr(features.mapped, "LARGE", 1)
    monkeypatch.setattr(features.mapped, "_ROWS", 64)
    monkeypatch.setattr(features.delta, "_ROWS", 128)
    monkeypatch.setattr(features.delta, "_PILED", 1)
    monkeypatch.setattr(features.postlog, "_ROWS", 128)
    monkeypatch.setattr(features.history, "_ROWS", 128)
    monkeypatch.setattr(features.timeline, "_ROWS", 128)
    monkeypatch.setattr(features.ragged, "_ROWS", 128)
