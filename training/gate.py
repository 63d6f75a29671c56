"""May this model serve? A challenger against the champion, on briefs that neither has seen.

Everything must hold, and each check says in words what was found: the run that made the model
ended well and knows what taught it; it reads the signals that this kolmatch computes; it scores to
the last bit as it did when it was trained; the briefs are enough to tell; it leads, surely and by
something worth a change; no slice is clearly worse; `fit` is honest; no follower tier vanishes
from the lists; and the lead is no leak. Where there is no champion to compare with, the best
simple rule stands in.

How often it errs, on simulated worlds: ``benchmarks/gate.py``, `docs/gate.md`.
"""

from __future__ import annotations

import io
import logging
import math
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import UserError
from features.history import History
from features.progress import Progress, silent
from features.tables import Tables
from matcher.config import GateConfig
from matcher.model import Matcher
from matcher.registry import CHAMPION as SERVING
from matcher.registry import Registry
from training import guards, leaks
from training.contest import CHALLENGER, CHAMPION, Contest, EmbeddingsOf, contest
from training.evaluate import HEADLINE, Evaluation
from training.significance import minimum_detectable_effect, paired_bootstrap
from training.slices import ALL
from training.summary import ARTIFACT, SignalSummary
from training.verdict import Check, Verdict
from training.window import TAUGHT, Past, window

log = logging.getLogger(__name__)

PROBE = "probe.csv"
"""Artifact of a training run: signals of a few pairs, and what its model said of them."""
PROBED = ("score", "fit")


def judge(
    registry: Registry,
    version: str,
    tables: Tables,
    embeddings: EmbeddingsOf,
    *,
    settings: GateConfig | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Decide whether a registered version may become champion, and write the verdict down.

    The verdict becomes artifacts of the run that made the version (``gate.json``, ``gate.md``) and
    tags of the version. No alias moves: that is `take_over`.

    Parameters
    ----------
    registry : Registry
        Where the models are.
    version : str
        The challenger.
    tables : Tables
        Everything known.
    embeddings : callable
        Opens the vectors that a model's settings name.
    settings : GateConfig, optional
        By default those the challenger was trained with.

    Raises
    ------
    UserError
        If there is no such version.
    """
    stands = registry.resolve(SERVING)
    verdict = _judged(registry, version, stands, tables, embeddings, settings, progress)
    write_down(registry, verdict)
    return verdict


def take_over(registry: Registry, verdict: Verdict) -> Verdict:
    """Make a challenger champion if it passed and the champion is still who it was judged against.

    Returns
    -------
    Verdict
        With one check more where somebody moved the champion meanwhile; it is then refused.
    """
    if not verdict.passed:
        return verdict
    try:
        registry.move(SERVING, verdict.version, verdict.champion)
    except UserError as error:
        lost = Check("alias", False, str(error))
        verdict = replace(verdict, checks=(*verdict.checks, lost))
        write_down(registry, verdict)
    return verdict


def write_down(registry: Registry, verdict: Verdict) -> None:
    """Keep a verdict with the run and the version it is about."""
    registry.note(
        verdict.version,
        {"gate.json": verdict.to_json(), "gate.md": verdict.to_markdown()},
        {
            "gate": "passed" if verdict.passed else "refused",
            "gate_against": verdict.against,
            "gate_reasons": "; ".join(verdict.reasons)[:4000],
        },
    )


def _judged(
    registry: Registry,
    version: str,
    stands: str | None,
    tables: Tables,
    embeddings: EmbeddingsOf,
    settings: GateConfig | None,
    progress: Progress,
) -> Verdict:
    """Make the checks that need no data first: a model that fails one cannot be compared."""
    past = Past.of(registry, version)
    first = [_finished(registry, past)]
    try:
        challenger = registry.load(version)
    except UserError as error:
        return _refused(version, stands, [*first, Check("files", False, str(error))])
    first += [
        same_signals(challenger, embeddings),
        _same_scores(challenger, registry.text(version, PROBE)),
    ]
    if not all(check.passed for check in first):
        return _refused(version, stands, first)
    settings = settings or challenger.config.gate
    champion, other, why = _champion(registry, stands, version, embeddings)
    try:
        judges = window(tables, challenger.config.training, past, other, settings.least_briefs)
    except UserError as error:
        return _refused(version, stands, [*first, Check("enough briefs", False, str(error))])
    met = contest(
        challenger,
        champion if judges.compared else None,
        judges,
        History(tables),
        embeddings,
        progress,
        listed_briefs=settings.listed_briefs,
    )
    against, checks = decide(met, settings, kept_summary(registry, version, ARTIFACT))
    rival = f"version {stands}" if judges.compared else f"the simple rule {against!r}"
    said = judges.words + (f"; {why}" if why else "")
    return Verdict(version, stands, rival, said, (*first, *checks))


def kept_summary(registry: Registry, version: str, name: str) -> SignalSummary | None:
    """Return a summary of signals that a version's training kept; ``None`` without a good one."""
    text = registry.text(version, name)
    try:
        return None if text is None else SignalSummary.from_json(text)
    except ValueError as error:  # of another kolmatch, or damaged: as good as none
        log.warning("version %s: %s", version, error)
        return None


def _refused(version: str, stands: str | None, checks: list[Check]) -> Verdict:
    """Return the verdict on a model that cannot even be compared."""
    return Verdict(version, stands, "nobody", "no brief", tuple(checks))


def _champion(
    registry: Registry, stands: str | None, version: str, embeddings: EmbeddingsOf
) -> tuple[Matcher | None, Past | None, str]:
    """Load the champion if it can be compared; else say why not."""
    if stands is None or stands == version:
        return None, None, ""
    try:
        matcher = registry.load(stands)
        usable = same_signals(matcher, embeddings)
    except UserError as error:
        return None, None, f"the champion is not compared: {error}"
    if not usable.passed:
        return None, None, f"the champion is not compared: {usable.words}"
    return matcher, Past.of(registry, stands), ""


def decide(
    met: Contest, settings: GateConfig, summary: SignalSummary | None
) -> tuple[str, list[Check]]:
    """Make every check that two models before the same briefs allow.

    Parameters
    ----------
    met : Contest
        Both models and the briefs.
    settings : GateConfig
        What is asked.
    summary : SignalSummary or None
        How the challenger's signals were spread when it learned.

    Returns
    -------
    str
        Whom the challenger was compared with: ``"champion"`` or the best simple rule.
    list of Check
        In the order made.
    """
    evaluation = met.evaluation()
    means = evaluation.summary(met.view)[HEADLINE]
    rival = CHAMPION if met.champion is not None else str(means.drop(CHALLENGER).idxmax())
    lead = float(means[CHALLENGER] - means[rival])
    checks = [
        *_gain(evaluation, met.view, rival, settings),
        guards.slices(met, met.scores(rival), settings),
        guards.calibration(met, settings),
        guards.exposure(met, settings),
        leaks.plausible(lead, met, settings),
        leaks.one_signal(met, rival, lead, settings),
        leaks.alive(met, summary, settings),
    ]
    return rival, checks


def _gain(
    evaluation: Evaluation, view: str, rival: str, settings: GateConfig
) -> tuple[Check, Check]:
    """Check that the briefs are enough to tell, and that they tell of a gain."""
    if rival != CHAMPION:
        # A change has a price only where a model serves: over a simple rule any sure lead will do.
        settings = settings.model_copy(update={"tolerance": 0.0, "least_gain": 0.0})
    rows = evaluation.of(view, ALL)
    brands = rows.drop_duplicates("brief_id").set_index("brief_id")["brand_id"]
    metric = rows.pivot(index="brief_id", columns="ranker", values=HEADLINE)
    found = paired_bootstrap(metric[CHALLENGER], metric[rival], brands, level=settings.confidence)
    difference = metric[CHALLENGER] - metric[rival]
    smallest = settings.tolerance + minimum_detectable_effect(
        difference, brands, power=settings.power, confidence=settings.confidence
    )
    figures = {
        "challenger": float(metric[CHALLENGER].mean()),
        "rival": float(metric[rival].mean()),
        "lead": found.mean,
        "low": found.low,
        "high": found.high,
        "briefs": float(found.n),
        "brands": float(found.clusters),
        "detectable": smallest,
    }
    surely = found.low > settings.tolerance and found.mean >= settings.least_gain
    told = (
        f"NDCG@10 {figures['challenger']:.3f} against {figures['rival']:.3f}: leads by "
        f"{found.mean:+.3f}, {settings.confidence:.0%} interval {found.low:+.3f} to "
        f"{found.high:+.3f}; asked: above {settings.tolerance:+.3f}, and {settings.least_gain:.3f} "
        "in the mean"
    )
    return _enough(figures, surely, settings), Check("gain", surely, told, figures)


def _enough(figures: dict[str, float], surely: bool, settings: GateConfig) -> Check:
    """Say whether these briefs decide anything, and if not, how many would."""
    name, briefs, smallest = "enough briefs", int(figures["briefs"]), figures["detectable"]
    told = f"{briefs} briefs of {int(figures['brands'])} brands"
    if briefs < settings.least_briefs or figures["brands"] < settings.least_brands:
        words = (
            f"not enough to tell: {told}, but at least {settings.least_briefs} of "
            f"{settings.least_brands} brands are asked"
        )
        return Check(name, False, words, figures)
    told += f" would show a lead of {smallest:.3f} {settings.power:.0%} of the time"
    # An interval that lies wholly on one side has told, however wide it is.
    decided = surely or figures["high"] < settings.least_gain
    if not decided and smallest > settings.detectable:
        # What shrinks with more briefs is how far a lead must lie above what is tolerated.
        room = settings.detectable - settings.tolerance
        if room <= 0:
            words = (
                f"not enough to tell: {told}; a lead of {settings.detectable:.3f} cannot be shown "
                f"where more than {settings.tolerance:.3f} is asked, however many there are"
            )
            return Check(name, False, words, figures)
        needed = math.ceil(briefs * ((smallest - settings.tolerance) / room) ** 2)
        words = (
            f"not enough to tell: {told}; a lead of {settings.detectable:.3f} would need about "
            f"{needed:,}"
        )
        return Check(name, False, words, figures | {"needed": float(needed)})
    return Check(name, True, told, figures)


# -- the model itself --------------------------------------------------------------------------


def _finished(registry: Registry, past: Past) -> Check:
    status = registry.status(past.version)
    if status != "FINISHED":
        words = f"the training run that made it is {status}, not FINISHED"
    elif past.taught is None:
        words = f"its run wrote down no {TAUGHT}: nobody knows which briefs taught it; train again"
    else:
        return Check("run", True, "the training run that made it ended well")
    return Check("run", False, words)


def same_signals(matcher: Matcher, embeddings: EmbeddingsOf) -> Check:
    """Check that this kolmatch computes the signals that a model was trained on.

    Raises
    ------
    UserError
        If the text encoder that its settings name cannot be used.
    """
    if matcher.ranker is None:
        return Check("signals", False, "it learned nothing: it has no ranker")
    pipeline = matcher.pipeline(embeddings(matcher.config))
    if pipeline.embeddings.encoder.id != matcher.encoder_id:
        words = (
            f"it read texts with encoder {matcher.encoder_id}, which is now "
            f"{pipeline.embeddings.encoder.id}"
        )
        return Check("signals", False, words)
    trained = matcher.ranker.forest.names
    if trained == pipeline.names:
        return Check("signals", True, f"the {len(trained)} signals that this kolmatch computes")
    only = sorted(set(trained) - set(pipeline.names))
    missing = sorted(set(pipeline.names) - set(trained))
    words = (
        f"it was trained on other signals than this kolmatch computes: only it knows "
        f"{', '.join(only[:5]) or 'none'}, it does not know {', '.join(missing[:5]) or 'none'}"
    )
    return Check("signals", False, words)


def probe(matcher: Matcher, signals: pd.DataFrame) -> str:
    """Return signals and what a model says of them as CSV, every float to its last bit."""
    said = matcher.score(signals)[list(PROBED)].add_prefix("said.")
    return pd.concat([signals, said], axis=1).to_csv(index=False)


def _same_scores(matcher: Matcher, text: str | None) -> Check:
    """Check that a model says what it said when trained, now and after another save and load."""
    name = "reload"
    if text is None:
        return Check(name, False, f"its run wrote down no {PROBE} to compare scores with")
    said = [f"said.{column}" for column in PROBED]
    try:
        told = pd.read_csv(io.StringIO(text), dtype=np.float64)
        wanted, signals = told[said].to_numpy(), told.drop(columns=said)
    except (ValueError, KeyError) as error:
        return Check(name, False, f"its {PROBE} cannot be read: {error}")
    with tempfile.TemporaryDirectory() as folder:
        matcher.save(Path(folder))
        again = Matcher.load(Path(folder))
    try:
        both = [
            model.score(signals)[list(PROBED)].to_numpy(dtype=np.float64)
            for model in (matcher, again)
        ]
    except ValueError as error:  # other columns than it was trained on
        return Check(name, False, str(error))
    if all(np.array_equal(found, wanted, equal_nan=True) for found in both):
        return Check(name, True, f"{len(told)} scores are as in training, to the last bit")
    off = max(float(np.nanmax(np.abs(found - wanted), initial=0.0)) for found in both)
    return Check(name, False, f"scores differ from those of its training by up to {off:.2g}")
