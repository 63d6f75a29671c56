"""What was fitted, on disk and back: no pickle, and nothing is believed before its digest is.

::

    folder/
      model.json     settings, numbers, the digest of every forest, and a digest of all that
      views.txt ...  one LightGBM forest a file, as text
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from matcher.config import Config
from matcher.forecast import Forecaster, RateCurve
from matcher.forest import Forest
from matcher.heads import Head
from matcher.ranker import Calibration, FitRanker

FORMAT = 1
"""Version of the folder's layout."""
_MANIFEST, _RANKER = "model.json", "ranker.txt"


@dataclass(frozen=True)
class Fitted:
    """Everything that was fitted.

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
    def hash(self) -> str:
        """Return a digest of everything that decides a score."""
        return _digest(self._manifest())[:16]

    def save(self, folder: Path) -> None:
        """Write forests as text and the rest as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, forest in self._forests().items():
            (folder / name).write_bytes(forest.text.encode())
        manifest = self._manifest()
        saved = {"sha256": _digest(manifest), "model": manifest}
        text = json.dumps(saved, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / _MANIFEST).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, checking every digest before LightGBM sees a byte.

        Raises
        ------
        ValueError
            If a file is missing or damaged, or was written by another version of kolmatch.
        """
        manifest = _read_manifest(folder / _MANIFEST)
        forests = {name: _read(folder / name, sha) for name, sha in manifest["files"].items()}
        fitted = manifest["fitted"]
        return cls(
            Config.model_validate(manifest["config"]),
            manifest["encoder_id"],
            _forecaster(fitted["forecast"], forests) if "forecast" in fitted else None,
            _ranker(fitted["ranker"], forests) if "ranker" in fitted else None,
        )

    def _forests(self) -> dict[str, Forest]:
        heads = {} if self.forecaster is None else self.forecaster.heads
        forests = {f"{name}.txt": head.forest for name, head in heads.items()}
        return forests if self.ranker is None else forests | {_RANKER: self.ranker.forest}

    def _manifest(self) -> dict[str, Any]:
        """Return everything but the trees, and the digest of those."""
        fitted: dict[str, Any] = {}
        if self.forecaster is not None:
            curve = self.forecaster.cvr_curve
            fitted["forecast"] = {
                "typical": dict(self.forecaster.typical),
                "own_level": {name: head.typical for name, head in self.forecaster.heads.items()},
                "cvr_curve": None if curve is None else asdict(curve),
            }
        if self.ranker is not None:
            fitted["ranker"] = {
                "start": self.ranker.start,
                "start_weight": self.ranker.start_weight,
                "calibration": asdict(self.ranker.calibration),
            }
        forests = self._forests().items()
        return {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json"),
            "encoder_id": self.encoder_id,
            "files": {name: _sha256(forest.text.encode()) for name, forest in forests},
            "fitted": fitted,
        }


def _forecaster(told: Mapping[str, Any], forests: Mapping[str, Forest]) -> Forecaster:
    heads = {
        name: Head(name, forests[f"{name}.txt"], level) for name, level in told["own_level"].items()
    }
    curve = told["cvr_curve"]
    return Forecaster(
        heads,
        told["typical"],
        None if curve is None else RateCurve(**curve),
    )


def _ranker(told: Mapping[str, Any], forests: Mapping[str, Forest]) -> FitRanker:
    calibration = Calibration(**told["calibration"])
    return FitRanker(forests[_RANKER], told["start"], told["start_weight"], calibration)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        manifest, digest = saved["model"], saved["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Got a model whose {path.name} cannot be read: {error}") from error
    if _digest(manifest) != digest:
        raise ValueError(f"Got a model whose {path.name} is damaged: its digest differs")
    if manifest["format"] != FORMAT:
        raise ValueError(f"Got model format {manifest['format']} but expected {FORMAT}")
    return dict(manifest)


def _read(path: Path, sha256: str) -> Forest:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"Got a model without its file {path.name}") from error
    if _sha256(data) != sha256:
        raise ValueError(f"Got a model whose file {path.name} is damaged: its digest differs")
    return Forest(data.decode())


def _digest(manifest: dict[str, Any]) -> str:
    return _sha256(json.dumps(manifest, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
