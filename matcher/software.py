"""Which kolmatch this is: its version, and a digest of its code."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version as installed
from importlib.resources import files
from pathlib import Path


@cache
def code_version(*packages: str) -> str:
    """Return the version of this kolmatch, and a digest of the code and words of some packages."""
    digest = hashlib.sha256()
    for package in packages:
        root = Path(str(files(package)))
        for path in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{installed('kolmatch')}+{digest.hexdigest()[:12]}"
