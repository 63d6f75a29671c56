"""Let LightGBM read forests and score a few rows, in a process whose death harms nobody.

Run by `matcher.vetting` as a script of its own: it knows nothing but LightGBM's library, whose path
is its argument, so that it starts in a twentieth of a second. Each forest comes on stdin as its
length and its number of features, in a line, and then its text.
"""

from __future__ import annotations

import ctypes
import math
import sys

MEMORY = 4 * 2**30
"""Bytes of address space that a model may take before it counts as one that does harm."""
PROBES = (math.nan, 0.0, 1.0, -1.0, 1e-30, 1e300, -1e300)
"""Values of rows that are scored, each over all features."""


def limit() -> None:
    """Keep a model from taking all memory, and its crash from leaving a dump."""
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def try_out(library: ctypes.CDLL, text: bytes, features: int) -> str:
    """Return what is wrong with a forest; nothing if all is well."""
    booster, trees, found = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    if library.LGBM_BoosterLoadModelFromString(text, ctypes.byref(trees), ctypes.byref(booster)):
        return str(library.LGBM_GetLastError().decode(errors="replace"))
    library.LGBM_BoosterGetNumFeature(booster, ctypes.byref(found))
    if found.value != features:
        return f"it reads {found.value} features but names {features}"
    score, written = ctypes.c_double(), ctypes.c_int64()
    for probe in PROBES:
        row = (ctypes.c_double * features)(*[probe] * features)
        failed = library.LGBM_BoosterPredictForMat(
            booster, row, 1, 1, features, 1, 1, 0, -1, b"num_threads=1",
            ctypes.byref(written), ctypes.byref(score),
        )  # fmt: skip
        if failed:
            return str(library.LGBM_GetLastError().decode(errors="replace"))
        if written.value != 1 or not math.isfinite(score.value):
            return f"it scores {score.value} where every signal is {probe}"
    return ""


def main() -> None:
    """Try the forests on stdin; end with 1 and a line on stderr at the first that is bad."""
    library = ctypes.CDLL(sys.argv[1])
    limit()
    while header := sys.stdin.buffer.readline():
        length, features = map(int, header.split())
        if wrong := try_out(library, sys.stdin.buffer.read(length), features):
            sys.exit(wrong)


if __name__ == "__main__":
    main()
