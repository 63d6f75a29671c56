"""Figures as JSON has them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def figure(value: Any) -> Any:
    """Return a figure as JSON has it: numpy's become Python's, what is not a number null.

    Examples
    --------
    >>> [figure(value) for value in (np.int64(3), np.float64("nan"), float("inf"), "3")]
    [3, None, None, '3']
    """
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
