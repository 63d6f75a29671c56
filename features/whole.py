"""Files that others see whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> Path:
    """Write a text file in one step, also for whoever reads it meanwhile or after a power cut.

    Parameters
    ----------
    path : Path
        Where it goes; its folder is made if it is missing. Several processes may write it at once:
        each writes beside it under a name of its own, and the last to finish wins.
    text : str
        All that it shall hold; written as UTF-8.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        If the disk is full or refuses; what was there before still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
