"""What a table of measurements was made on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version


def machine(*packages: str) -> str:
    """Return the processor, how many there are, and the versions of some packages."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    processor = platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} processors; {versions}"
