"""Measure what it costs to keep vectors on disk, and what a kill costs.

    python benchmarks/encoding.py --texts 100000

Texts are real Kuaishou captions and Xiaohongshu titles and, beyond those, pieces of them joined to
lengths drawn from theirs; all are distinct. The bare loop hands them, sorted by length and in the
same batch size, to the model that the encoder loads. The other way is `Embeddings` with a
`VectorStore` on disk: it looks up what is there, encodes, writes, merges and reads back. Both take
the same chunks in turn, and who goes first changes, so that a slow minute of the machine hits
both; the store grows over the chunks as it does in use.

Then a process that encodes is killed (SIGKILL) at random moments and started again until it gets
to the end: how much was kept, does the next run encode the rest only, and are the vectors those of
a run that nobody disturbed, bit for bit? One more run must encode nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.encoder import SentenceEncoder
from features.vectors import Embeddings, VectorStore

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
FILES = {
    "kuaishou_captions/captions.csv": "caption",
    "xiaohongshu_creators/notes.csv": "title",
}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SHORTEST = 4
KILLED_BETWEEN = 0.1, 0.9
"""Shares of the time that is left to go."""


def real_texts(data: Path) -> list[str]:
    """Return distinct captions and titles."""
    found: dict[str, None] = {}
    for name, column in FILES.items():
        frame = pd.read_csv(data / name, lineterminator="\n", usecols=[column], dtype=str)
        texts = frame[column].dropna().str.strip()
        found |= dict.fromkeys(texts[texts.str.len() >= SHORTEST])
    return list(found)


def make_texts(real: Sequence[str], count: int, seed: int) -> list[str]:
    """Return distinct texts in random order: real ones, and pieces joined where these run out."""
    rng = np.random.default_rng(seed)
    pieces = np.array(
        [part for text in real for part in re.split(r"[\s，。！？、,.!?#@…~]+", text) if part],
        dtype=object,
    )
    made = dict.fromkeys(rng.permutation(np.array(real, dtype=object))[:count])
    while len(made) < count:
        length = len(real[rng.integers(len(real))])
        text = ""
        while len(text) < length:
            text += ("，" if text else "") + pieces[rng.integers(len(pieces))]
        made[text[:length]] = None
    return list(rng.permutation(np.array(list(made), dtype=object)))


# What the store adds ----------------------------------------------------------------------------


def overhead(texts: Sequence[str], folder: Path, chunks: int) -> pd.DataFrame:
    """Return wall and CPU seconds of the bare loop and of the store, a row a chunk."""
    encoder = SentenceEncoder()
    encoder.encode(texts[:64])  # loads the model
    before = 0

    def told(done: int, _: int) -> None:
        print(f"\rencoding texts {before + done:,} of {len(texts):,}", end="", file=sys.stderr)

    embeddings = Embeddings(encoder, VectorStore(folder), told)
    rows = []
    for number, part in enumerate(np.array_split(np.array(texts, dtype=object), chunks)):
        chunk = part.tolist()
        ways: list[tuple[str, Callable[[], Any]]] = [
            ("bare", lambda chunk=chunk: bare(encoder, chunk)),
            ("store", lambda chunk=chunk: embeddings.of(chunk)),
        ]
        row: dict[str, float] = {"texts": len(chunk)}
        for name, work in ways if number % 2 == 0 else reversed(ways):
            row[f"{name}, s"], row[f"{name}, CPU s"] = _timed(work)
        rows.append(row)
        before += len(chunk)
    print(file=sys.stderr)
    return pd.DataFrame(rows)


def bare(encoder: SentenceEncoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Encode each text once by the model alone."""
    vectors: npt.NDArray[np.float32] = encoder.model.encode(
        sorted(set(texts), key=len),
        batch_size=encoder.config.batch_size,
        show_progress_bar=False,
        normalize_embeddings=True,
    )
    return vectors


def ratios(times: pd.DataFrame) -> pd.DataFrame:
    """Return the store's time over the bare loop's: of the sums, and over chunks."""
    rows = []
    for name, unit in (("wall", "s"), ("CPU", "CPU s")):
        alone, kept = times[f"bare, {unit}"], times[f"store, {unit}"]
        each = kept / alone
        spread = (each.min(), each.median(), each.max())
        rows.append((name, alone.sum(), kept.sum(), kept.sum() / alone.sum(), *spread))
    columns = ["time", "bare, s", "store, s", "ratio", "min", "median", "max"]
    return pd.DataFrame(rows, columns=columns)


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


# What a kill costs ------------------------------------------------------------------------------


class Counting(SentenceEncoder):
    """The bundled encoder, counting what it is asked for."""

    calls = texts = 0

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Encode and count."""
        self.calls += 1
        self.texts += len(texts)
        return super().encode(texts)


@dataclass(frozen=True)
class Ended:
    """How a run ended: `digest` is of its vectors, empty if it was killed."""

    how: str
    seconds: float
    told: int
    """Texts done by the last word of progress."""
    calls: int = 0
    texts: int = 0
    digest: str = ""


def child(texts: Sequence[str], folder: Path, line: Connection) -> None:
    """Encode all texts, telling how far it is and in the end what was done."""
    encoder = Counting()
    encoder.encode(texts[:1])  # loads the model: what is timed, and killed, is at work
    encoder.calls = encoder.texts = 0
    line.send("ready")
    embeddings = Embeddings(encoder, VectorStore(folder), lambda *far: line.send(far))
    vectors = embeddings.of(texts)
    line.send((encoder.calls, encoder.texts, hashlib.sha256(vectors.tobytes()).hexdigest()))


def play(texts: Sequence[str], folder: Path, patience: float | None = None) -> Ended:
    """Encode in a process of its own, killed so many seconds after it set to work."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(texts, folder, theirs))
    process.start()
    theirs.close()
    ours.recv()  # its model is loaded
    done, since = 0, time.perf_counter()
    while True:
        left = None if patience is None else max(0.0, since + patience - time.perf_counter())
        if not ours.poll(left):
            process.kill()
            process.join()
            return Ended(f"exit code {process.exitcode}", time.perf_counter() - since, done)
        said = ours.recv()
        if len(said) == 3:
            process.join()
            return Ended("finished", time.perf_counter() - since, done, *said)
        done = said[0]
        print(f"\r{folder.name}: encoding {done:,} of {said[1]:,}", end="", file=sys.stderr)


def kills(texts: Sequence[str], root: Path, count: int, seed: int) -> pd.DataFrame:
    """Kill runs at random moments, then let one finish and one more find all done."""
    rng = np.random.default_rng(seed)
    undisturbed = play(texts, root / "undisturbed")
    rows = [_row("undisturbed", undisturbed, 0, _kept(root / "undisturbed"), undisturbed)]
    killed = root / "killed"
    for number in range(count + 2):
        before = _kept(killed)
        left = undisturbed.seconds * (1 - before / len(texts))
        patience = left * rng.uniform(*KILLED_BETWEEN) if number < count else None
        ended = play(texts, killed, patience)
        rows.append(_row(f"run {number + 1}", ended, before, _kept(killed), undisturbed))
    print(file=sys.stderr)
    return pd.DataFrame(rows)


def _kept(folder: Path) -> int:
    return len(VectorStore(folder).shelf(SentenceEncoder().id))


def _row(name: str, ended: Ended, before: int, after: int, undisturbed: Ended) -> dict[str, Any]:
    finished = bool(ended.digest)
    return {
        "process": name,
        "end": ended.how,
        "seconds at work": f"{ended.seconds:.1f}",
        "kept before": before,
        "encoded": ended.texts if finished else f"at least {ended.told}",
        "encoder calls": ended.calls if finished else "",
        "kept after": after,
        "same bits": _same(ended, undisturbed),
    }


def _same(ended: Ended, undisturbed: Ended) -> str:
    if ended is undisturbed or not ended.digest:
        return ""
    return "yes" if ended.digest == undisturbed.digest else "NO"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--killed", type=int, help="texts of runs to kill; a fifth by default")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    missing = [name for name in FILES if not (arguments.data / name).is_file()]
    if missing:
        sys.exit(f"This benchmark needs {', '.join(missing)} in {arguments.data}.")
    os.environ.update(dict.fromkeys(THREADS, "1"))
    real = real_texts(arguments.data)
    texts = make_texts(real, arguments.texts, arguments.seed)
    quartiles = np.quantile([len(text) for text in texts], [0.25, 0.5, 0.75, 1]).astype(int)
    print(
        f"\n{len(texts):,} texts, {min(len(real), len(texts)):,} of them real; quartiles and "
        f"maximum of their length in characters: {', '.join(map(str, quartiles))}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        times = overhead(texts, root / "store", arguments.chunks)
        print(f"\nThe bare loop and the store, {arguments.chunks} chunks in turn\n")
        print(ratios(times).round(3).to_markdown(index=False))
        part = texts[: arguments.killed or len(texts) // 5]
        told = kills(part, root, arguments.kills, arguments.seed)
        print(f"\nKilled while it encodes {len(part):,} texts\n")
        print(told.to_markdown(index=False))


if __name__ == "__main__":
    main()
