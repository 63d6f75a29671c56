"""Read a real Xiaohongshu export with nothing but a mapping, and ingest it twice.

    python benchmarks/xiaohongshu.py

The same code as ``kolmatch check`` and ``kolmatch ingest`` with ``--mapping
benchmarks/xiaohongshu.toml``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from features.ingest import read_folder
from features.lake import Lake

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data" / "xiaohongshu_creators"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    if not data.is_dir():
        sys.exit(f"This benchmark needs the data set in {data}, which is not there.")
    with tempfile.TemporaryDirectory() as temporary:
        lake = Lake(Path(temporary) / "lake")
        started = time.perf_counter()
        reading = read_folder(data, HERE / "xiaohongshu.toml", lake.known())
        read = time.perf_counter()
        first = lake.ingest(reading.tables)
        ingested = time.perf_counter()
        second = lake.ingest(reading.tables)
        again = time.perf_counter()
        stored = lake.read()
    rows = [
        (name, len(frame), first[name].inserted, second[name].unchanged, len(getattr(stored, name)))
        for name, frame in reading.tables
        if len(frame)
    ]
    columns = ["table", "rows read", "new", "unchanged the second time", "stored"]
    print(pd.DataFrame(rows, columns=columns).to_markdown(index=False))
    for note in reading.notes:
        print(f"\nnote: {note}")
    print(
        f"\nread in {read - started:.1f} s, ingested in {ingested - read:.1f} s, "
        f"again in {again - ingested:.1f} s"
    )


if __name__ == "__main__":
    main()
