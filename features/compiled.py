"""How inner loops are compiled: once a machine, and kept on disk.

Only modules of compiled loops import this one, and only what works on many rows imports those:
numba takes a third of a second. Compiled code lies beside its module or, where that folder is
read-only, in numba's folder for the user (``NUMBA_CACHE_DIR`` names another); where neither can be
written each process compiles anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[F], F]:
    """Return what compiles a function when it is first called, with options of `numba.njit`."""

    def compile_lazily(function: F) -> F:
        made: F
        try:
            made = numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # there is no folder to keep it in
            made = numba.njit(nogil=True, **options)(function)
        return made

    return compile_lazily
