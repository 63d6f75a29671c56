"""What was fitted, on disk and back: no pickle, and nothing is believed before its digest is.

::

    folder/
      model.json     settings, numbers, the digest of every forest, and a digest of all that
      views.txt ...  one LightGBM forest a file, as text
      projections.npz  learned projections of each space
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from features.projection import Projection
from matcher.acceptance import Acceptance
from matcher.calibration import Calibration
from matcher.config import Config
from matcher.forecast import Forecaster, RateCurve
from matcher.forest import Forest
from matcher.heads import Head
from matcher.intervals import Interval
from matcher.likeness import Likeness
from matcher.orders import OrderValue
from matcher.pricelevel import PriceLevel
from matcher.ranker import FitRanker
from matcher.scout import Scout
from matcher.standing import Standing
from matcher.uncertainty import Uncertainty

FORMAT = 6
"""Version of the folder's layout and of what the signals mean."""
_MANIFEST, _RANKER, _PROJECTIONS = "model.json", "ranker.txt", "projections.npz"
_ACCEPT = "accept.txt"
_BOUNDS = ("views_p10.txt", "views_p50.txt", "views_p90.txt")
"""Forests of the quantiles by which views stray from their forecast, where there are any."""
_FILE = re.compile(r"[a-z0-9_]+\.(txt|npz)")
_MOST_BYTES = 2**30
"""Size of all learned projections together, unpacked, that no honest model comes near."""
_ARRAYS = ("brief_mean", "kol_mean", "brief_matrix", "kol_matrix", "landmarks")


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
    projections : tuple of Projection
        What was learned of each space of vectors.
    scout : Scout or None
        Guess of the ranker's scores, by which retrieval goes; ``None`` goes without.
    """

    config: Config
    encoder_id: str
    forecaster: Forecaster | None = None
    ranker: FitRanker | None = None
    projections: tuple[Projection, ...] = ()
    scout: Scout | None = None

    @property
    def hash(self) -> str:
        """Return the beginning of `digest`, which tells models apart."""
        return self.digest[:16]

    @property
    def digest(self) -> str:
        """Return a digest of everything that decides a score."""
        return _digest(self._manifest())

    def save(self, folder: Path) -> None:
        """Write forests as text, projections as arrays and the rest as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self._files().items():
            (folder / name).write_bytes(data)
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
        try:
            return cls._of(manifest, folder)
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
            what = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"Got a model whose {_MANIFEST} does not tell what it should ({what})"
            ) from error

    @classmethod
    def _of(cls, manifest: Mapping[str, Any], folder: Path) -> Self:
        files = {name: _read(folder, name, sha) for name, sha in manifest["files"].items()}
        arrays = files.pop(_PROJECTIONS, b"")
        forests = {name: Forest(data.decode()) for name, data in files.items()}
        for forest in forests.values():
            _ = forest.names  # of a version that is known, or refused here
        fitted, encoder_id = manifest["fitted"], manifest["encoder_id"]
        if not isinstance(encoder_id, str):
            raise TypeError(f"encoder_id is {encoder_id!r}")
        return cls(
            Config.model_validate(manifest["config"]),
            encoder_id,
            _forecaster(fitted["forecast"], forests) if "forecast" in fitted else None,
            _ranker(fitted["ranker"], forests) if "ranker" in fitted else None,
            _projections(fitted["projections"], arrays),
            Scout(**fitted["scout"]) if "scout" in fitted else None,
        )

    @property
    def forests(self) -> dict[str, Forest]:
        """Every forest, by the name of its file."""
        forests = {} if self.forecaster is None else _forests_of(self.forecaster)
        return forests if self.ranker is None else forests | {_RANKER: self.ranker.forest}

    def _files(self) -> dict[str, bytes]:
        files = {name: forest.text.encode() for name, forest in self.forests.items()}
        if self.projections:
            files[_PROJECTIONS] = _packed(self.projections)
        return files

    def _manifest(self) -> dict[str, Any]:
        """Return everything but the trees and arrays, and the digest of those."""
        fitted: dict[str, Any] = {
            "projections": [{"space": p.space, "rooted": p.rooted} for p in self.projections]
        }
        if self.forecaster is not None:
            fitted["forecast"] = _forecast_manifest(self.forecaster)
        if self.ranker is not None:
            like = self.ranker.likeness
            fitted["ranker"] = {
                "start_weight": self.ranker.start_weight,
                "calibration": _lists(asdict(self.ranker.calibration)),
                "basis": self.ranker.basis,
                "standing": asdict(self.ranker.standing),
                "likeness": None
                if like is None
                else {"weights": dict(like.weights), "usual": dict(like.usual)},
            }
        if self.scout is not None:
            fitted["scout"] = asdict(self.scout)
        return {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json"),
            "encoder_id": self.encoder_id,
            "files": {name: _sha256(data) for name, data in self._files().items()},
            "fitted": fitted,
        }


def _forests_of(forecaster: Forecaster) -> dict[str, Forest]:
    forests = {f"{name}.txt": head.forest for name, head in forecaster.heads.items()}
    views = forecaster.uncertainty.views
    if views is not None and views.forests:
        forests |= dict(zip(_BOUNDS, views.forests, strict=True))
    if forecaster.acceptance is not None:
        forests[_ACCEPT] = forecaster.acceptance.forest
    return forests


def _forecast_manifest(forecaster: Forecaster) -> dict[str, Any]:
    """Return the numbers of a forecaster, which JSON gives back to the last bit."""
    known, accept = forecaster.uncertainty, forecaster.acceptance
    value = forecaster.order_value
    return {
        "typical": dict(forecaster.typical),
        "prices": dict(forecaster.prices.usual),
        "own_level": {name: head.typical for name, head in forecaster.heads.items()},
        "modes": {name: dict(head.modes) for name, head in forecaster.heads.items()},
        "curves": {name: asdict(curve) for name, curve in forecaster.curves.items()},
        "order_value": None if value is None else asdict(value),
        "acceptance": None
        if accept is None
        else {"base": accept.base, "calibration": _lists(asdict(accept.calibration))},
        "uncertainty": {
            "views": None
            if known.views is None
            else {"base": list(known.views.base), "shift": list(known.views.shift)},
            "shapes": dict(known.shapes),
            "correlation": _lists(known.correlation),
        },
    }


def _lists(told: Any) -> Any:
    """Return tuples as lists, all the way down: what JSON would make of them."""
    if isinstance(told, Mapping):
        return {name: _lists(value) for name, value in told.items()}
    return [_lists(value) for value in told] if isinstance(told, tuple) else told


def _forecaster(told: Mapping[str, Any], forests: Mapping[str, Forest]) -> Forecaster:
    heads = {
        name: Head(name, forests[f"{name}.txt"], level, told["modes"][name])
        for name, level in told["own_level"].items()
    }
    value, accept = told["order_value"], told["acceptance"]
    return Forecaster(
        heads,
        told["typical"],
        PriceLevel(told["prices"]),
        {name: RateCurve(**curve) for name, curve in told["curves"].items()},
        _uncertainty(told["uncertainty"], forests),
        None if value is None else OrderValue(**value),
        None
        if accept is None
        else Acceptance(forests[_ACCEPT], accept["base"], _calibration(accept["calibration"])),
    )


def _uncertainty(told: Mapping[str, Any], forests: Mapping[str, Forest]) -> Uncertainty:
    views = told["views"]
    bounds = tuple(forests[name] for name in _BOUNDS if name in forests)
    return Uncertainty(
        None if views is None else Interval(bounds, tuple(views["base"]), tuple(views["shift"])),
        told["shapes"],
        tuple(tuple(row) for row in told["correlation"]),
    )


def _calibration(told: Mapping[str, Any]) -> Calibration:
    knots = tuple((float(said), float(came)) for said, came in told["knots"])
    return Calibration(**dict(told) | {"knots": knots})


def _ranker(told: Mapping[str, Any], forests: Mapping[str, Forest]) -> FitRanker:
    calibration = _calibration(told["calibration"])
    like = None if told["likeness"] is None else Likeness(**told["likeness"])
    standing = Standing(**told["standing"])
    return FitRanker(
        forests[_RANKER], told["start_weight"], calibration, told["basis"], like, standing
    )


def _packed(projections: tuple[Projection, ...]) -> bytes:
    """Return the arrays of projections as one npz; equal arrays give equal bytes."""
    file = io.BytesIO()
    arrays = {
        f"{i}.{name}": getattr(p, name) for i, p in enumerate(projections) for name in _ARRAYS
    }
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _projections(told: Sequence[Mapping[str, Any]], arrays: bytes) -> tuple[Projection, ...]:
    if not told:
        return ()
    try:
        with zipfile.ZipFile(io.BytesIO(arrays)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"Got a model whose {_PROJECTIONS} is no npz: {error}") from error
    if size > _MOST_BYTES:
        raise ValueError(f"Got a model whose {_PROJECTIONS} would unpack to {size:,} bytes")
    with np.load(io.BytesIO(arrays), allow_pickle=False) as held:
        return tuple(
            Projection(**about, **{name: held[f"{i}.{name}"] for name in _ARRAYS})
            for i, about in enumerate(told)
        )


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        manifest, digest = saved["model"], saved["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"Got a model whose {path.name} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or _digest(manifest) != digest:
        raise ValueError(f"Got a model whose {path.name} is damaged: its digest differs")
    if manifest.get("format") != FORMAT:
        raise ValueError(
            f"Got model format {manifest.get('format')} but expected {FORMAT}: another version of "
            "kolmatch wrote it; train and promote anew"
        )
    return dict(manifest)


def _read(folder: Path, name: str, sha256: str) -> bytes:
    path = folder / name
    # Whoever writes the list of files must not choose what else is read.
    if not _FILE.fullmatch(name) or path.is_symlink():
        raise ValueError(f"Got a model with the file {name!r}, which is not one of its own")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"Got a model without its file {path.name}") from error
    if _sha256(data) != sha256:
        raise ValueError(f"Got a model whose file {path.name} is damaged: its digest differs")
    return data


def _digest(manifest: dict[str, Any]) -> str:
    return _sha256(json.dumps(manifest, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
