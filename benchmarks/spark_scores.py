"""Score pairs from Spark with a registered model, and hold the scores to those made here.

    pip install pyspark && OMP_NUM_THREADS=1 python benchmarks/spark_scores.py --model MODEL_FOLDER

The model is logged with MLflow as `kolmatch train` logs it, and applied to a frame of signals by
`mlflow.pyfunc.spark_udf`. Signals are drawn at random, some of them missing: what is checked is the
way of a number from here to there and back, not what it means.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import struct

from matcher.flavor import FOLDER, Scorer, requirements
from matcher.model import Matcher

TOLD = ("score", "fit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="what `Matcher.save` wrote")
    parser.add_argument("--rows", type=int, default=1000)
    arguments = parser.parse_args()
    matcher = Matcher.load(arguments.model)
    assert matcher.ranker is not None
    rng = np.random.default_rng(0)
    names = matcher.ranker.forest.names
    signals = pd.DataFrame(rng.random((arguments.rows, len(names))), columns=names)
    signals = signals.mask(rng.random(signals.shape) < 0.1)
    expected = Scorer(matcher).predict(signals)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        logged, saved = Path(folder) / "logged", Path(folder) / FOLDER
        matcher.save(saved)
        mlflow.pyfunc.save_model(
            str(logged),
            loader_module="matcher.flavor",
            data_path=str(saved),
            pip_requirements=requirements(),
        )
        spark = SparkSession.builder.master("local[1]").appName("kolmatch").getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        score = mlflow.pyfunc.spark_udf(
            spark,
            str(logged),
            result_type=", ".join(f"{name} double" for name in TOLD),
            env_manager="local",
        )
        # Rows travel with a number each: Spark promises no order. Dots would be fields of a struct.
        given = signals.assign(row=np.arange(len(signals)))
        frame = spark.createDataFrame(given.to_dict("records"))
        columns = [frame[f"`{name}`"].alias(name) for name in names]
        started = time.perf_counter()
        told = frame.select("row", score(struct(*columns)).alias("told")).select("row", "told.*")
        found = pd.DataFrame([row.asDict() for row in told.collect()]).sort_values("row")
        seconds = time.perf_counter() - started
        spark.stop()
    same = all(
        np.array_equal(found[name].to_numpy(), expected[name].to_numpy(), equal_nan=True)
        for name in TOLD
    )
    print(f"pyspark {version('pyspark')}, mlflow {version('mlflow')}: {len(found)} rows, ", end="")
    print(f"{seconds:.1f} s with Spark's start of Python; the same bits: {same}")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
