"""Text to vectors: sentence-transformers is the only door.

The default model is multilingual and comes with a package from the registry, so that a fresh
machine needs no model hub. Nothing heavy is imported before the first text is encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from features.config import BUNDLED, EncoderConfig
from features.errors import UserError
from features.sources import Source, is_symmetric, prompts_of, source_of, unusable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Role = Literal["query", "document"]
"""What a text is: a brief asks, a post or a bio answers."""
_NEEDS = {
    "onnx": ("onnxruntime", "optimum.onnxruntime"),
    "openvino": ("openvino", "optimum.intel"),
}


class TextEncoder(Protocol):
    """What turns texts into unit vectors."""

    @property
    def id(self) -> str:
        """Name of the vectors: two encoders that may give different vectors have two ids."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one row a text, float32 of shape (texts, dimension), each of length 1 or 0.

        A text without any character but spaces is the zero vector: it points nowhere.
        """
        ...


@runtime_checkable
class QueryEncoder(TextEncoder, Protocol):
    """A text encoder that may read a query otherwise than a document."""

    @property
    def query_id(self) -> str:
        """Name of the queries' vectors: `id` where they are as good as documents' vectors."""
        ...

    def encode_query(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return what `encode` does, of texts that ask."""
        ...


class SentenceEncoder:
    """A sentence-transformers model, loaded on the first text.

    Parameters
    ----------
    config : EncoderConfig, optional
        Model and how to run it; the bundled one by default.

    Examples
    --------
    >>> encoder = SentenceEncoder()
    >>> vectors = encoder.encode(["敏感肌修护", "repair for sensitive skin", ""])
    >>> vectors.shape, bool(vectors[0] @ vectors[1] > 0.4), float(vectors[2].sum())
    ((3, 512), True, 0.0)
    """

    def __init__(self, config: EncoderConfig | None = None) -> None:
        self.config = config or EncoderConfig()

    def __reduce__(self) -> tuple[type[SentenceEncoder], tuple[EncoderConfig]]:
        return type(self), (self.config,)  # another process loads the weights itself

    @cached_property
    def id(self) -> str:
        """Hash of everything that changes a vector, be it a query's or a document's.

        The bundled model and local folders are known by their files' content, a hub id by the
        commit; only a branch or tag has to be looked up on the hub. Whatever else changes vectors
        (prompts, backend, where text is cut) is part of it.
        """
        config = self.config
        changed = {
            name: getattr(config, name)
            for name in ("query_prompt", "document_prompt", "backend", "weights_file")
            if getattr(config, name) != type(config).model_fields[name].default
        }
        told = [self.source.fingerprint, str(config.max_chars)]
        told += [f"{name}={value!r}" for name, value in changed.items()]
        digest = hashlib.sha256("|".join(told).encode()).hexdigest()
        return f"{self.source.location.rstrip('/').rsplit('/', 1)[-1]}-{digest[:16]}"

    @cached_property
    def query_id(self) -> str:
        """`id` itself where a query's vector is a document's, for instance without prompts."""
        return self.id if is_symmetric(self.source, self.config) else f"{self.id}-query"

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """What goes before each ``"query"`` and each ``"document"``."""
        return prompts_of(self.source, self.config)

    @cached_property
    def source(self) -> Source:
        """The model's files."""
        return source_of(self.config)

    @cached_property
    def dimension(self) -> int:
        """Length of a vector; loads the model unless it is the bundled one."""
        if self.config.model == BUNDLED:
            return 512
        dimension = self.model.get_embedding_dimension()
        return int(dimension) if dimension else self.encode(["text"]).shape[1]

    @cached_property
    def model(self) -> SentenceTransformer:
        """The loaded model.

        Raises
        ------
        UserError
            If the model can be neither found nor loaded.
        """
        config, source = self.config, self.source
        _check_backend(config.backend)
        from sentence_transformers import SentenceTransformer

        if config.model == BUNDLED:
            from features.universal import UniversalSentenceModule

            return SentenceTransformer(
                modules=[UniversalSentenceModule(threads=config.threads)],
                prompts=dict(self.prompts),
                device="cpu",
            )
        try:
            return SentenceTransformer(
                source.location,
                revision=source.revision,
                device=config.device,
                prompts=dict(self.prompts),
                backend=config.backend,
                model_kwargs={"file_name": config.weights_file} if config.weights_file else None,
                trust_remote_code=config.trust_remote_code,
            )
        # What a folder lacks, a device or a package, each library tells with its own class.
        except Exception as error:
            raise unusable(config, error) from error

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return vectors of documents: float32 unit rows of shape (texts, dimension).

        Blank texts are zero rows.
        """
        return self._encode(texts, "document")

    def encode_query(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return vectors of queries: float32 unit rows of shape (texts, dimension).

        Blank texts are zero rows.
        """
        return self._encode(texts, "query")

    def _encode(self, texts: Sequence[str], role: Role) -> npt.NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        told = [i for i, text in enumerate(texts) if text.strip()]
        if told:
            settings: dict[str, Any] = {
                "prompt": self.prompts[role],
                "batch_size": self.config.batch_size,
                "show_progress_bar": False,
                "normalize_embeddings": True,
            }
            model = self.model
            encode = model.encode_query if role == "query" else model.encode_document
            vectors[told] = encode([texts[i][: self.config.max_chars] for i in told], **settings)
        return vectors


def _check_backend(backend: str) -> None:
    missing = [name for name in _NEEDS.get(backend, ()) if not _is_installed(name)]
    if missing:
        raise UserError(
            f"Got encoder backend {backend!r}, which needs packages that are not installed "
            f"({', '.join(missing)}); run: pip install 'sentence-transformers[{backend}]'"
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package that should hold it
        return False
