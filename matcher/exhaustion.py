"""Errors that say the machine has run out of something, told apart from errors of ours.

A full disk shows itself in many ways: the system's own error, SQLite's wrapped by SQLAlchemy and
again by MLflow, Delta's with the system's words in it. So the whole chain of causes is looked at.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

_CODES = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.EROFS: "closed",
    errno.ENOMEM: "memory",
}
_WORDS = {
    "no space left on device": "full",
    "database or disk is full": "full",
    "disk quota exceeded": "full",
    "file too large": "full",
    "disk i/o error": "full",
    "read-only file system": "closed",
    "readonly database": "closed",
    "unable to open database file": "closed",
    "permission denied": "closed",
    "cannot allocate memory": "memory",
    "bad_alloc": "memory",
    "bad allocation": "memory",
    "can't start new thread": "memory",
}
_TOLD = {
    "full": "the disk is full, or a file would grow past its limit; free some space",
    "closed": "a folder or file cannot be written to; let this user write there, or name another",
    "memory": "memory ran out; free some, or give [serving] chunk_pairs a lower value",
}


def exhausted(error: BaseException | None) -> str | None:
    """Return what the machine lacks and what to do, or ``None`` where it lacks nothing.

    >>> exhausted(OSError(28, "No space left on device", "/lake/x"))
    'the disk is full, or a file would grow past its limit; free some space (/lake/x)'
    """
    for cause in _chain(error):
        if kind := _kind(cause):
            file = getattr(cause, "filename", None)
            return _TOLD[kind] + (f" ({file})" if file else "")
    return None


def _kind(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, OSError) and error.errno is not None:
        return _CODES.get(error.errno)
    words = str(error).lower()
    return next((kind for sign, kind in _WORDS.items() if sign in words), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, the nearest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
