"""Time other ways to score a LightGBM forest; run by `benchmarks/forest.py`, in a venv of its own.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install lightgbm==4.7.0 lleaves==1.3.0 \
        'llvmlite<0.44' pylignum==0.3.0 treelite==4.8.1 onnxruntime==1.32.0 onnxmltools==1.16.0

lleaves needs llvmlite < 0.44, which numba of kolmatch's own environment does not work with. Takes a
folder with model.txt and rows.npy and writes what it measured as JSON on the last line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import lightgbm as lgb
import numpy as np


def main() -> None:
    folder, threads, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rows = np.load(folder / "rows.npy")
    booster = lgb.Booster(model_file=str(folder / "model.txt"))
    ways: dict[str, Callable[[], Any]] = {
        f"LightGBM {version('lightgbm')} predict": lambda: booster.predict(
            rows, raw_score=True, num_threads=threads
        )
    }
    prepared: dict[str, float] = {}
    for make in (interpreted, compiled, lleaves_compiled, gtil, onnx):
        started = time.perf_counter()
        name, way = make(folder, rows, threads)
        prepared[name] = time.perf_counter() - started
        ways[name] = way
    reference, *_ = ways
    expected = ways[reference]()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    apart = {name: float(np.abs(np.ravel(way()) - expected).max()) for name, way in ways.items()}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    found = [
        {
            "way": name,
            "us_a_row": median(taken) / len(rows) * 1e6,
            "times": median(
                base / own for base, own in zip(seconds[reference], taken, strict=True)
            ),
            "apart": apart[name],
            "prepared": prepared.get(name, 0.0),
        }
        for name, taken in seconds.items()
    ]
    print(json.dumps(found))


def interpreted(folder: Path, rows: Any, threads: int) -> tuple[str, Callable[[], Any]]:
    import lignum

    model = lignum.load(str(folder / "model.txt"))
    return (
        f"pylignum {version('pylignum')}, interpreted",
        lambda: model.predict(rows, raw_score=True, n_jobs=threads),
    )


def compiled(folder: Path, rows: Any, threads: int) -> tuple[str, Callable[[], Any]]:
    import lignum

    model = lignum.load(str(folder / "model.txt"))
    model.compile(work_dir=str(folder))
    return (
        f"pylignum {version('pylignum')}, compiled",
        lambda: model.predict(rows, raw_score=True, n_jobs=threads),
    )


def lleaves_compiled(folder: Path, rows: Any, threads: int) -> tuple[str, Callable[[], Any]]:
    import lleaves

    model = lleaves.Model(model_file=str(folder / "model.txt"))
    model.compile(raw_score=True)
    return f"lleaves {version('lleaves')}", lambda: model.predict(rows, n_jobs=threads)


def gtil(folder: Path, rows: Any, threads: int) -> tuple[str, Callable[[], Any]]:
    import treelite

    model = treelite.frontend.load_lightgbm_model(str(folder / "model.txt"))
    return (
        f"treelite {version('treelite')} GTIL",
        lambda: treelite.gtil.predict(model, rows, nthread=threads, pred_margin=True),
    )


def onnx(folder: Path, rows: Any, threads: int) -> tuple[str, Callable[[], Any]]:
    import onnxmltools
    import onnxruntime
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = lgb.Booster(model_file=str(folder / "model.txt"))
    kind = [("rows", FloatTensorType([None, rows.shape[1]]))]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        onnxmltools.convert_lightgbm(booster, initial_types=kind).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    told = rows.astype(np.float32)
    return (
        f"onnxruntime {version('onnxruntime')}, float32",
        lambda: session.run(None, {"rows": told})[0],
    )


if __name__ == "__main__":
    main()
