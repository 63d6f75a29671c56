"""Tune the text encoder itself on the briefs that teach, and keep it only where it helps.

A brief shall be closer to what a KOL that it preferred writes than to what others write: those
that it preferred less, and those of other briefs (Henderson et al., 2017, "Efficient natural
language response suggestion for Smart Reply"). Each plan tunes an encoder of its own, so that no
brief of its validation or test part, and nothing known later than a decision, has taught it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.config import BUNDLED
from features.encoder import SentenceEncoder
from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.vectors import Embeddings
from matcher.config import Config, FinetuneConfig
from matcher.forest import Forest, Grow
from training.examples import Examples, example_pairs, graded_pairs
from training.fit import Fit, Plan, fit_plan
from training.metrics import ranking_metrics
from training.significance import paired_bootstrap
from training.triplets import Lessons, Triplet

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

METRIC = "ndcg@10"
LEVEL = 0.68
"""Confidence with which a tuned encoder must lead: about one standard error."""
_CLIP = 1.0
"""Longest gradient of a step."""


@dataclass(frozen=True)
class Choice:
    """Which encoder the validation briefs of a plan spoke for.

    Attributes
    ----------
    plain, tuned : float
        Mean NDCG@10 on validation briefs of the model fitted on each encoder.
    low : float
        Lower end of the interval of the tuned one's lead, at `LEVEL`, brands resampled.
    briefs : int
        Validation briefs compared.
    """

    plain: float
    tuned: float
    low: float
    briefs: int

    @property
    def taken(self) -> bool:
        """Whether the tuned encoder is used."""
        return self.low > 0


def tunable(encoder: object) -> SentenceEncoder:
    """Return the encoder, if it can be tuned.

    Raises
    ------
    UserError
        If it is the bundled one, or runs in another backend than torch.
    """
    if not isinstance(encoder, SentenceEncoder) or encoder.config.model == BUNDLED:
        name = encoder.config.model if isinstance(encoder, SentenceEncoder) else type(encoder)
        raise UserError(
            f"Got [finetune] epochs with the encoder {name!r}, which cannot be tuned; name a "
            "sentence-transformers folder or hub id as `model` under [encoder], or set epochs = 0"
        )
    if encoder.config.backend != "torch":
        raise UserError(
            f"Got [finetune] epochs with encoder backend {encoder.config.backend!r}, which cannot "
            'be tuned; set backend = "torch" under [encoder], or epochs = 0'
        )
    return encoder


def better_fit(
    plain: Fit,
    plan: Plan,
    history: History,
    config: Config,
    folder: Path,
    progress: Progress = silent,
    grow: Grow = Forest.fit,
) -> tuple[Fit, Choice | None]:
    """Return a plan's model on a tuned encoder, if it is surely better, else the plain one.

    What was tuned knows the training briefs too well, and a ranker that learns from the same
    briefs may trust it too much. So whole models are compared, on briefs that tuned nothing.

    Parameters
    ----------
    plain : Fit
        The plan's model on the encoder as it is, which the validation briefs did not teach
        (`training.fit.refitted`): they decide.
    folder : Path
        Where tuned encoders are kept.
    grow : callable
        What trains the ranker's forest.

    Returns
    -------
    Fit
        The better one.
    Choice or None
        What decided; ``None`` where the training briefs have nothing to teach.

    Raises
    ------
    UserError
        If the encoder cannot be tuned, or the settings lead to no numbers.
    """
    tuned = fit_tuned(plain.pipeline.embeddings, plan, history, config, folder, progress, grow)
    if tuned is None:
        return plain, None
    choice = choose(plain, tuned, plan, config)
    return (tuned if choice.taken else plain), choice


def fit_tuned(
    embeddings: Embeddings,
    plan: Plan,
    history: History,
    config: Config,
    folder: Path,
    progress: Progress = silent,
    grow: Grow = Forest.fit,
) -> Fit | None:
    """Tune an encoder on a plan's training briefs, and fit the plan's model on it.

    Returns
    -------
    Fit or None
        Not yet `training.fit.refitted`; ``None`` where the training briefs have nothing to teach.
        The settings of its matcher name the tuned encoder.
    """
    encoder = tunable(embeddings.encoder)
    lessons = plan_lessons(plan, history, config)
    if not len(lessons):
        return None
    model = tuned_folder(encoder, lessons, config.finetune, config.seed, folder, progress)
    changed = encoder.config.model_copy(update={"model": str(model), "revision": None})
    config = config.model_copy(update={"encoder": changed})
    retold = Embeddings(SentenceEncoder(changed), embeddings.store, embeddings.progress)
    retold_pipeline = FeaturePipeline(config.features, retold)
    return fit_plan(plan, history, retold_pipeline, config, progress, refit=False, grow=grow)


def plan_lessons(plan: Plan, history: History, config: Config) -> Lessons:
    """Return what the training briefs of a plan preferred, as they may know it."""
    teaching = plan.briefs("train")
    known_before = plan.known_before[teaching]
    graded = graded_pairs(history.tables, teaching, known_before, config.training)
    pairs = example_pairs(
        history.tables, history, graded, config.training, config.seed, plan.known_before
    )
    preference = Examples(pairs, pairs).preference(config.training)
    return Lessons.of(pairs, preference, history, config.finetune.posts_per_kol)


def tuned_folder(
    encoder: SentenceEncoder,
    lessons: Lessons,
    settings: FinetuneConfig,
    seed: int,
    folder: Path,
    progress: Progress = silent,
) -> Path:
    """Return the folder of the encoder that lessons make of another, tuning it if it is new.

    The folder is named by all that decides what is in it, and is whole whenever it is there.
    """
    target = folder.resolve() / _name(encoder, lessons, settings, seed)
    if target.is_dir():
        return target
    model = _tune(encoder, lessons, settings, seed, progress)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".draft-") as draft:
        made = Path(draft) / "model"
        model.save(str(made), create_model_card=False)
        try:
            made.replace(target)
        except OSError:  # another process has just put the same one there
            if not target.is_dir():
                raise
    return target


def _name(encoder: SentenceEncoder, lessons: Lessons, settings: FinetuneConfig, seed: int) -> str:
    told = [encoder.id, settings.model_dump(), seed, encoder.config.threads, asdict(lessons)]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    base = encoder.source.location.rstrip("/").rsplit("/", 1)[-1]
    return f"{base}-tuned-{digest[:16]}"


def _tune(
    encoder: SentenceEncoder,
    lessons: Lessons,
    settings: FinetuneConfig,
    seed: int,
    progress: Progress,
) -> SentenceTransformer:
    """Tune a copy of the model, seeded, with as many threads as the settings name."""
    import torch

    rng = np.random.default_rng(seed)
    batches = [
        batch for _ in range(settings.epochs) for batch in lessons.batches(settings.batch_size, rng)
    ]
    # A copy of its own: whoever holds the plain encoder goes on with the plain one.
    model = SentenceEncoder(encoder.config).model.float()
    threads = torch.get_num_threads()
    torch.set_num_threads(encoder.config.threads)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            learn(model, encoder, batches, settings, progress)
    finally:
        torch.set_num_threads(threads)
    return model.eval()


def learn(
    model: SentenceTransformer,
    encoder: SentenceEncoder,
    batches: Sequence[Sequence[Triplet]],
    settings: FinetuneConfig,
    progress: Progress = silent,
) -> None:
    """Take one step a batch, the rate rising over the warm-up and then falling to 0."""
    import torch
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    loss = MultipleNegativesRankingLoss(model, scale=settings.scale)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    warm = max(1.0, settings.warmup_share * len(batches))

    def rate(step: int) -> float:
        return min((step + 1) / warm, (len(batches) - step) / max(1.0, len(batches) - warm))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    for step, batch in enumerate(batches):
        progress("tuning the text encoder", step, len(batches))
        wrong = loss(_columns(model, encoder, batch), None)
        if not torch.isfinite(wrong):
            raise UserError(
                f"Got no number as the loss of step {step + 1} while tuning the text encoder; "
                "lower `learning_rate` under [finetune]"
            )
        optimizer.zero_grad()
        wrong.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
    progress("tuning the text encoder", len(batches), len(batches))


def _columns(
    model: SentenceTransformer, encoder: SentenceEncoder, batch: Sequence[Triplet]
) -> list[dict[str, object]]:
    """Return queries, preferred texts and others, read as they are read when encoding."""
    roles = {
        "query": [[t.query for t in batch]],
        "document": [[t.near.text for t in batch], [t.far.text for t in batch]],
    }
    columns = []
    for role, lists in roles.items():
        for texts in lists:
            cut = [text[: encoder.config.max_chars] for text in texts]
            found = model.preprocess(cut, prompt=encoder.prompts[role], task=role)
            columns.append(
                {k: v.to(model.device) if hasattr(v, "to") else v for k, v in found.items()}
            )
    return columns


def choose(plain: Fit, tuned: Fit, plan: Plan, config: Config) -> Choice:
    """Ask a plan's validation briefs which of two models ranks better."""
    a, b = (_measured(fit, plan, config) for fit in (tuned, plain))
    pairs = plain.examples.pairs
    brands = pairs.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
    lead = paired_bootstrap(a, b, brands, seed=config.seed, level=LEVEL)
    return Choice(float(b.mean()), float(a.mean()), lead.low, lead.n)


def _measured(fit: Fit, plan: Plan, config: Config) -> pd.Series[float]:
    """Return NDCG@10 of a model on each validation brief that tells a preference."""
    valid = fit.examples.of(plan.briefs("valid"))
    valid = valid.where(valid.preference(config.training).notna().to_numpy())
    score = fit.matcher.score(valid.signals)["score"]
    ranked = valid.pairs[["brief_id", "kol_id"]].assign(score=score, gain=valid.pairs["grade"])
    return ranking_metrics(ranked)[METRIC]
