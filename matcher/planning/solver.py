"""HiGHS, asked for the best of linear and of mixed integer programs.

One place that knows how SciPy words a program, and that keeps what the solver's library writes to
file descriptor 1 away from what people and programs read there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

OPTIMAL, TIME_LIMIT, INFEASIBLE = "optimal", "time_limit", "infeasible"
_STATUSES = {0: OPTIMAL, 1: TIME_LIMIT, 2: INFEASIBLE}


@dataclass(frozen=True)
class Program:
    """Maximise ``gain @ z`` where ``low <= rows @ z <= high`` and ``floor <= z <= ceiling``.

    Attributes
    ----------
    gain : ndarray, shape (columns,)
        What a unit of each column brings.
    rows : sparse array, shape (rows, columns)
        Left sides.
    low, high : ndarray, shape (rows,)
        Bounds of rows; infinite where there is none.
    floor, ceiling : ndarray, shape (columns,)
        Bounds of columns.
    whole : ndarray of bool, shape (columns,)
        Which columns must be whole numbers.
    """

    gain: Floats
    rows: Any
    low: Floats
    high: Floats
    floor: Floats
    ceiling: Floats
    whole: NDArray[np.bool_]

    def of(self, columns: NDArray[np.int64]) -> Program:
        """Keep some columns; the others are 0."""
        return Program(
            self.gain[columns],
            self.rows[:, columns],
            self.low,
            self.high,
            self.floor[columns],
            self.ceiling[columns],
            self.whole[columns],
        )


@dataclass(frozen=True)
class Found:
    """What came of a program.

    Attributes
    ----------
    status : str
        `OPTIMAL`, `TIME_LIMIT` or `INFEASIBLE`.
    z : ndarray, shape (columns,), or None
        The best point found.
    bound : float
        No point brings more.
    """

    status: str
    z: Floats | None
    bound: float


@dataclass(frozen=True)
class Relaxed:
    """The best of a program whose columns need not be whole.

    Attributes
    ----------
    z : ndarray, shape (columns,)
        The best point.
    gain : float
        What it brings, which no whole point exceeds.
    duals : ndarray, shape (rows,)
        What a unit more of each bound that holds it back would bring: positive at upper bounds,
        negative at lower ones.
    """

    z: Floats
    gain: float
    duals: Floats


def best(program: Program, *, time_limit: float, gap: float) -> Found:
    """Solve a mixed integer program.

    Parameters
    ----------
    program : Program
        What to solve.
    time_limit : float
        Seconds.
    gap : float
        How far from the best the answer may be, as a share.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    if not len(program.gain):
        kept = bool((program.low <= 0).all() and (program.high >= 0).all())
        return Found(OPTIMAL if kept else INFEASIBLE, np.zeros(0) if kept else None, 0.0)
    limits = [LinearConstraint(program.rows, program.low, program.high)]
    for presolve in (True, False):
        with quiet():
            told = milp(
                -program.gain,
                constraints=limits if program.rows.shape[0] else None,
                bounds=Bounds(program.floor, program.ceiling),
                integrality=program.whole.astype(np.int64),
                options={
                    "time_limit": max(time_limit, 0.0),
                    "mip_rel_gap": gap,
                    "presolve": presolve,
                },
            )
        # HiGHS's presolve now and then loses its way on bounds that leave one point.
        if told.status in _STATUSES:
            break
    if told.status not in _STATUSES:
        raise RuntimeError(f"the solver gave up: {told.message}")
    bound = told.mip_dual_bound
    return Found(
        _STATUSES[told.status],
        None if told.x is None else np.asarray(told.x, dtype=np.float64),
        np.inf if bound is None else -float(bound),
    )


def relaxed(program: Program) -> Relaxed | None:
    """Solve a program whose columns need not be whole; ``None`` if nothing is feasible."""
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    if not len(program.gain):
        found = best(program, time_limit=0.0, gap=0.0).z
        return None if found is None else Relaxed(found, 0.0, np.zeros(len(program.low)))
    above = np.flatnonzero(np.isfinite(program.high))
    below = np.flatnonzero(np.isfinite(program.low))
    rows = vstack([program.rows[above], -program.rows[below]], format="csr")
    limits = np.concatenate([program.high[above], -program.low[below]])
    ends: Any = np.column_stack([program.floor, program.ceiling])
    with quiet():
        told = linprog(
            -program.gain,
            A_ub=rows if len(limits) else None,
            b_ub=limits if len(limits) else None,
            bounds=ends,
            method="highs",
        )
    if told.status == 2:
        return None
    if told.status != 0 or told.fun is None:
        raise RuntimeError(f"the solver gave up: {told.message}")
    duals = np.zeros(program.rows.shape[0])
    if len(limits):
        worth = -np.asarray(told.ineqlin.marginals, dtype=np.float64)
        np.add.at(duals, above, worth[: len(above)])
        np.subtract.at(duals, below, worth[len(above) :])
    return Relaxed(np.asarray(told.x, dtype=np.float64), -float(told.fun), duals)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the solver's library writes to file descriptor 1 out of sight."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed: nothing can be written there
        yield
        return
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
