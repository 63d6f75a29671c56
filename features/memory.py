"""How much memory this process holds."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def held_bytes() -> int:
    """Return the bytes that the process holds now, files that are only mapped left aside.

    Where the system does not tell, the most that it ever held.
    """
    if _STATUS.exists():
        found = re.search(r"RssAnon:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024
    return peak_bytes()


def peak_bytes() -> int:
    """Return the most bytes that the process ever held, mapped files among them."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)
