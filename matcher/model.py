"""The Matcher: from briefs and tables to ranked KOLs with reasons.

Read `Matcher.match` to follow one brief from the roster to its list:

    candidates (who may, and every signal)  ->  score (fit, conversion)  ->  rank  ->  explain
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import UserError
from features.history import TIER_FLOORS, History, tier_codes
from features.pipeline import FeaturePipeline
from features.progress import Progress, silent
from features.tables import TIME, Tables
from features.vectors import Embeddings
from matcher.candidates import Candidates, candidates
from matcher.config import Config
from matcher.explain import explain
from matcher.forecast import Forecaster, RateCurve
from matcher.forest import Forest
from matcher.heads import HEADS, Head
from matcher.ranker import Calibration, FitRanker

FORMAT = 1
"""Version of the saved folder's layout."""

OUTCOMES, CONTENT = "outcomes", "content"
"""What a ranking rests on: past outcomes, or only likeness of content and audience."""


@dataclass(frozen=True)
class MatchResult:
    """Ranked lists.

    Attributes
    ----------
    matches : DataFrame
        One row a match, by brief and rank: brief_id, rank, kol_id, platform, display_name, tier,
        followers, mode, price, currency, fit, score, cvr, forecast_views, risk, median_views,
        reasons_en, reasons_zh, evidence, basis.
    exclusions : DataFrame
        For each brief, how many of the roster each filter refused (`matcher.eligibility.funnel`).
    """

    matches: pd.DataFrame
    exclusions: pd.DataFrame


@dataclass(frozen=True)
class Matcher:
    """Everything that was fitted, and how to use it.

    Attributes
    ----------
    config : Config
        Settings it was trained with.
    encoder_id : str
        Identity of the text encoder whose vectors it was trained on; no other will do.
    forecaster : Forecaster or None
        Learned forecasts; ``None`` where nothing was learned.
    ranker : FitRanker or None
        Learned fit; ``None`` ranks by likeness of content and audience.
    """

    config: Config
    encoder_id: str
    forecaster: Forecaster | None = None
    ranker: FitRanker | None = None

    @property
    def basis(self) -> str:
        """What rankings rest on: ``"outcomes"`` or ``"content"``."""
        return CONTENT if self.ranker is None else OUTCOMES

    def match(
        self,
        tables: Tables,
        brief_ids: Sequence[str],
        as_of: pd.Timestamp,
        embeddings: Embeddings,
        *,
        top: int | None = None,
        progress: Progress = silent,
    ) -> MatchResult:
        """Rank KOLs for briefs with what was known before a moment.

        A brief gets the same list alone as among others.

        Parameters
        ----------
        tables : Tables
            The data.
        brief_ids : sequence of str
            Briefs to match.
        as_of : Timestamp
            Moment of the decision, UTC.
        embeddings : Embeddings
            Text vectors of the encoder that the model was trained on.
        top : int, optional
            Matches kept per brief; by default ``config.serving.top``.
        progress : Progress
            Told after each chunk of briefs.

        Raises
        ------
        UserError
            If a brief does not exist or the encoder is another one.
        """
        unknown = sorted(set(brief_ids) - set(tables.briefs["brief_id"]))
        if unknown:
            raise UserError(f"Got briefs {unknown} but expected ids that are in the briefs table")
        if embeddings.encoder.id != self.encoder_id:
            raise UserError(
                f"Got text encoder {embeddings.encoder.id} but the model was trained with "
                f"{self.encoder_id}; train again or set the same encoder"
            )
        history = History(tables)
        pipeline = FeaturePipeline(self.config.features, embeddings)
        questions = pd.DataFrame({"brief_id": list(dict.fromkeys(brief_ids))})
        questions["as_of"] = pd.Series([as_of] * len(questions), dtype=TIME)
        lists, funnels = [], []
        for found in candidates(questions, history, pipeline, self.config):
            lists.append(self._ranked(found, history, pipeline, top or self.config.serving.top))
            funnels.append(found.funnel)
            progress(
                "matching briefs", sum(f["brief_id"].nunique() for f in funnels), len(questions)
            )
        return MatchResult(
            pd.concat(lists, ignore_index=True), pd.concat(funnels, ignore_index=True)
        )

    def score(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Score pairs from their signals alone.

        Parameters
        ----------
        signals : DataFrame, shape (n, f)
            As `features.pipeline.FeaturePipeline` makes them.

        Returns
        -------
        DataFrame, aligned to `signals`
            score, which orders KOLs inside a brief; fit, the calibrated chance 0-1 that a
            collaboration lands in the upper half of comparable ones; and the forecasts views,
            engagement_rate, spread_rate, ctr and cvr. Null is what was not learned.
        """
        if self.ranker is None or self.forecaster is None:
            told = pd.DataFrame(np.nan, index=signals.index, columns=[s.name for s in HEADS])
            return told.assign(score=likeness(signals), fit=np.nan)
        score = self.ranker.score(signals, self.forecaster)
        fit = self.ranker.calibration(score)
        return self.forecaster.predict(signals).assign(score=score, fit=fit)

    def contributions(self, signals: pd.DataFrame) -> pd.DataFrame | None:
        """Return what each signal adds to each score, or ``None`` where nothing was learned."""
        if self.ranker is None or self.forecaster is None:
            return None
        return self.ranker.contributions(signals, self.forecaster)

    def _ranked(
        self, found: Candidates, history: History, pipeline: FeaturePipeline, top: int
    ) -> pd.DataFrame:
        """Rank one chunk of candidates and explain the ones that stay."""
        scored = pd.concat([found.pairs, self.score(found.signals)], axis=1)
        # Briefs in their given order; ties by id, so that a list never depends on row order.
        scored["_brief"] = pd.factorize(scored["brief_id"])[0]
        scored = scored.sort_values(["_brief", "score", "kol_id"], ascending=[True, False, True])
        scored["rank"] = scored.groupby("_brief").cumcount() + 1
        scored = scored[scored["rank"] <= top]

        kept = scored.index
        signals, kols, offers = (
            found.signals.loc[kept],
            found.roster.loc[kept],
            found.offers.loc[kept],
        )
        reasons = explain(
            found.pairs.loc[kept],
            signals,
            offers["currency"],
            self.contributions(signals),
            history,
            pipeline,
        )
        described = pd.DataFrame(
            {
                "brief_id": scored["brief_id"],
                "rank": scored["rank"],
                "kol_id": scored["kol_id"],
                "platform": kols["platform"],
                "display_name": kols["display_name"],
                "tier": _tiers(kols["followers"]),
                "followers": kols["followers"],
                "mode": offers["mode"],
                "price": offers["price"],
                "currency": offers["currency"],
                "fit": scored["fit"],
                "score": scored["score"],
                "cvr": scored["cvr"],
                "forecast_views": scored["views"].round(),
                "risk": found.risk.loc[kept],
                "median_views": np.expm1(signals["reach.median_views"]).round(),
            }
        )
        told = reasons[["reasons_en", "reasons_zh", "evidence"]]
        return pd.concat([described, told], axis=1).assign(basis=self.basis)

    def save(self, folder: Path) -> None:
        """Write the model: forests as text, the rest as JSON with the digest of every file."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, forest in self._forests().items():
            (folder / name).write_bytes(forest.text.encode())
        saved = {"sha256": _digest(self._manifest()), "model": self._manifest()}
        text = json.dumps(saved, indent=1, sort_keys=True)
        (folder / "model.json").write_text(text, encoding="utf-8")

    @property
    def hash(self) -> str:
        """Return a digest of everything that decides a score."""
        return _digest(self._manifest())[:16]

    def _manifest(self) -> dict[str, Any]:
        """Return everything but the trees, and the digest of those."""
        fitted: dict[str, Any] = {}
        if self.forecaster is not None:
            curve = self.forecaster.cvr_curve
            fitted["forecast"] = {
                "typical": dict(self.forecaster.typical),
                "usual_price": self.forecaster.usual_price,
                "own_level": {name: head.typical for name, head in self.forecaster.heads.items()},
                "cvr_curve": None if curve is None else asdict(curve),
            }
        if self.ranker is not None:
            fitted["ranker"] = {
                "forecast_weight": self.ranker.forecast_weight,
                "calibration": asdict(self.ranker.calibration),
            }
        forests = self._forests()
        return {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json"),
            "encoder_id": self.encoder_id,
            "files": {n: hashlib.sha256(f.text.encode()).hexdigest() for n, f in forests.items()},
            "fitted": fitted,
        }

    @classmethod
    def load(cls, folder: Path) -> Matcher:
        """Read a saved model, checking every digest before LightGBM sees a byte.

        Raises
        ------
        ValueError
            If a file is missing or damaged, or was written by a later version of kolmatch.
        """
        try:
            saved = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            manifest, digest = saved["model"], saved["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"Got a model whose model.json cannot be read: {error}") from error
        if _digest(manifest) != digest:
            raise ValueError("Got a model whose model.json is damaged: its digest differs")
        if manifest["format"] != FORMAT:
            raise ValueError(f"Got model format {manifest['format']} but expected {FORMAT}")
        forests = {name: _read(folder / name, sha) for name, sha in manifest["files"].items()}
        fitted = manifest["fitted"]
        forecaster = ranker = None
        if "forecast" in fitted:
            told = fitted["forecast"]
            heads = {
                name: Head(name, forests[f"{name}.txt"], level)
                for name, level in told["own_level"].items()
            }
            numbers = told["cvr_curve"]
            curve = None if numbers is None else RateCurve(**numbers)
            forecaster = Forecaster(heads, told["typical"], told["usual_price"], curve)
        if "ranker" in fitted:
            told = fitted["ranker"]
            calibration = Calibration(**told["calibration"])
            ranker = FitRanker(forests["ranker.txt"], told["forecast_weight"], calibration)
        config = Config.model_validate(manifest["config"])
        return cls(config, manifest["encoder_id"], forecaster, ranker)

    def _forests(self) -> dict[str, Forest]:
        forests = {}
        if self.forecaster is not None:
            forests = {f"{name}.txt": head.forest for name, head in self.forecaster.heads.items()}
        if self.ranker is not None:
            forests["ranker.txt"] = self.ranker.forest
        return forests


def likeness(signals: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Score pairs by likeness of content and audience, for data without outcomes.

    The weights are the field's habit (topic first, audience second), not learned; a user's own
    vector spaces count like the text. Unknown likeness counts as none.

    Returns
    -------
    ndarray, shape (n,)
        0-1, higher is more alike.
    """
    content = signals[["content.top3", "vectors.mean_cosine"]].mean(axis=1).fillna(0)
    audience = signals["audience.match"].fillna(0)
    return np.asarray(0.7 * content + 0.3 * audience, dtype=np.float64)


def _tiers(followers: pd.Series[Any]) -> pd.Series[Any]:
    codes = pd.Series(tier_codes(followers.to_numpy(dtype=np.float64)), index=followers.index)
    return codes.map(dict(enumerate(TIER_FLOORS)))


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _read(path: Path, sha256: str) -> Forest:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"Got a model without its file {path.name}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"Got a model whose file {path.name} is damaged: its digest differs")
    return Forest(data.decode())
