"""Keep what each seed of a long benchmark told, so that an interrupted one goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd


def kept(
    folder: Path | None,
    name: str,
    parts: tuple[str, ...],
    measure: Callable[[], tuple[pd.DataFrame, ...]],
) -> tuple[pd.DataFrame, ...]:
    """Return the frames that `measure` makes, read from the folder where they are there already.

    Parameters
    ----------
    folder : Path or None
        Where frames are kept, as Parquet; ``None`` keeps nothing.
    name : str
        What they were measured on.
    parts : tuple of str
        A name for each frame.
    measure : callable
        Makes them.
    """
    if folder is None:
        return measure()
    paths = [folder / f"{name}-{part}.parquet" for part in parts]
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        for path, frame in zip(paths, measure(), strict=True):
            frame.to_parquet(path)
    return tuple(pd.read_parquet(path) for path in paths)
